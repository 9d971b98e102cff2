/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How junctord is: /v1/status for people and scripts, /livez (and /healthz) and /readyz for probes.
 */
#include <errno.h>

#include "api/internal.h"
#include "api/process.h"
#include "base/auto.h"
#include "datapath/datapath.h"
#include "proto/write.h"

static bool is_synced(const struct jn_engine *engine)
{
	return jn_engine_installed(engine) == jn_engine_generation(engine);
}

static void write_source(struct jn_writer *w, const struct jn_api_source *source)
{
	jn_write_open(w, '{');
	jn_write_key_text(w, "name", source->name);
	jn_write_key_bool(w, "synced", source->is_synced);
	jn_write_key_unsigned(w, "stalenessSeconds", source->stale_seconds);
	if (source->error)
		jn_write_key_text(w, "error", source->error);
	jn_write_close(w, '}');
}

/* False: there is no other source than the control socket, which is read back before it is opened. */
static bool read_source(const struct jn_api *api, struct jn_api_source *out)
{
	if (api->options.source)
		api->options.source(api->options.source_arg, out);
	return api->options.source != NULL;
}

static void write_sources(struct jn_writer *w, const struct jn_api *api)
{
	static const struct jn_api_source own = { .name = "api", .is_synced = true };
	struct jn_api_source other;

	jn_write_key(w, "sources");
	jn_write_open(w, '[');
	write_source(w, &own);
	if (read_source(api, &other))
		write_source(w, &other);
	jn_write_close(w, ']');
}

static void write_limit(struct jn_writer *w, const char *name, uint64_t used, uint64_t max)
{
	jn_write_key(w, name);
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "used", used);
	jn_write_key_unsigned(w, "max", max);
	jn_write_close(w, '}');
}

static void write_limits(struct jn_writer *w, const struct jn_api *api)
{
	struct jn_usage usage[JN_USAGE_COUNT];

	jn_engine_usage(api->options.engine, usage);
	jn_write_key(w, "limits");
	jn_write_open(w, '{');
	for (unsigned i = 0; i < JN_USAGE_COUNT; i++)
		write_limit(w, usage[i].name, usage[i].used, usage[i].max);
	write_limit(w, "clients", jn_http_server_clients(api->server), JN_MAX_CLIENTS);
	jn_write_close(w, '}');
}

static void read_health(const struct jn_api *api, struct jn_api_health *out)
{
	*out = (struct jn_api_health){ 0 };
	if (api->options.health)
		api->options.health(api->options.health_arg, out);
}

/* attached: what the kernel says now. effective: what was seen at the last look. */
static void write_proof(struct jn_writer *w, const struct jn_api_hook_health *health)
{
	if (health->proof != JN_API_PROOF_NONE)
		jn_write_key_bool(w, "effective", health->proof == JN_API_PROOF_YES);
	if (health->reason && *health->reason)
		jn_write_key_text(w, "reason", health->reason);
}

static void write_hooks(struct jn_writer *w, const struct jn_api *api,
			const struct jn_api_health *health)
{
	struct jn_hook_status hooks[JN_HOOK_COUNT];

	jn_datapath_hooks(api->options.datapath, hooks);
	jn_write_key(w, "hooks");
	jn_write_open(w, '[');
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (!hooks[i].is_needed && !hooks[i].is_attached)
			continue;
		jn_write_open(w, '{');
		jn_write_key_text(w, "name", hooks[i].name);
		jn_write_key_bool(w, "attached", hooks[i].is_attached);
		write_proof(w, &health->hooks[i]);
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

static void write_features(struct jn_writer *w, const struct jn_api_options *options)
{
	struct jn_api_feature feature;

	jn_write_key(w, "features");
	jn_write_open(w, '[');
	for (size_t at = 0;
	     options->feature && options->feature(options->feature_arg, at, &feature); at++) {
		jn_write_open(w, '{');
		jn_write_key_text(w, "name", feature.name);
		jn_write_key_bool(w, "available", feature.is_available);
		if (!feature.is_available)
			jn_write_key_text(w, "reason", feature.reason);
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

static void write_degraded(struct jn_writer *w, const struct jn_api *api)
{
	const char *sentence;

	jn_write_key(w, "degraded");
	jn_write_open(w, '[');
	for (size_t at = 0; (sentence = jn_api_degraded(api, at)); at++)
		jn_write_text(w, sentence);
	jn_write_close(w, ']');
}

static void write_drift(struct jn_writer *w, const struct jn_engine *engine)
{
	struct jn_drift_stats drift;

	jn_engine_drift_stats(engine, &drift);
	jn_write_key(w, "drift");
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "checks", drift.checks);
	jn_write_key_unsigned(w, "found", drift.found);
	jn_write_key_unsigned(w, "repaired", drift.repaired);
	jn_write_close(w, '}');
}

static void write_process(struct jn_writer *w)
{
	struct jn_process p;

	jn_process_read(&p);
	jn_write_key(w, "process");
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "uptimeSeconds", (uint64_t)p.uptime_seconds);
	jn_write_key_unsigned(w, "privateBytes", p.private_bytes);
	jn_write_key_unsigned(w, "residentBytes", p.resident_bytes);
	jn_write_key_unsigned(w, "openFiles", p.open_fds);
	jn_write_key_unsigned(w, "maxFiles", p.max_fds);
	jn_write_key_unsigned(w, "threads", p.threads);
	jn_write_key_unsigned(w, "cpuMilliseconds", (uint64_t)(p.cpu_seconds * 1000));
	jn_write_key_unsigned(w, "wakeups", p.wakeups);
	jn_write_close(w, '}');
}

static void begin_status(struct jn_call *call)
{
	const struct jn_api *api = call->api;
	struct jn_engine *engine = api->options.engine;
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	struct jn_writer w = jn_writer_to(&body);
	struct jn_api_health health;

	read_health(api, &health);
	jn_write_open(&w, '{');
	jn_write_key_text(&w, "version", api->options.version);
	jn_write_key_unsigned(&w, "generation", jn_engine_generation(engine));
	jn_write_key_unsigned(&w, "installedGeneration", jn_engine_installed(engine));
	jn_write_key_bool(&w, "synced", is_synced(engine));
	write_sources(&w, api);
	write_limits(&w, api);
	write_hooks(&w, api, &health);
	write_features(&w, &api->options);
	write_drift(&w, engine);
	write_process(&w);
	write_degraded(&w, api);
	jn_write_close(&w, '}');
	jn_answer_json(call, 200, &body);
}

static void begin_live(struct jn_call *call)
{
	jn_answer_text(call, 200, "ok\n"); /* whoever answers turns the loop */
}

static bool are_hooks_attached(struct jn_datapath *datapath)
{
	struct jn_hook_status hooks[JN_HOOK_COUNT];

	jn_datapath_hooks(datapath, hooks);
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (hooks[i].is_needed && !hooks[i].is_attached)
			return false;
	}
	return true;
}

/* The first hook that is seen not to work; one that nobody could try out may. */
static int check_proof(const struct jn_api *api, struct jn_error *err)
{
	struct jn_hook_status hooks[JN_HOOK_COUNT];
	struct jn_api_health health;
	size_t i = 0;

	read_health(api, &health);
	while (i < JN_HOOK_COUNT && health.hooks[i].proof != JN_API_PROOF_NO)
		i++;
	if (i == JN_HOOK_COUNT)
		return 0;
	jn_datapath_hooks(api->options.datapath, hooks);
	return jn_error_set(err, -EAGAIN, JN_ERROR_UNAVAILABLE, "a hook is not effective: %s: %s",
			    hooks[i].name, health.hooks[i].reason);
}

static int check_ready(const struct jn_api *api, struct jn_error *err)
{
	struct jn_engine *engine = api->options.engine;
	struct jn_api_source source;

	if (!is_synced(engine))
		return jn_error_set(err, -EAGAIN, JN_ERROR_UNAVAILABLE,
				    "the kernel does not hold generation %llu yet; wait with "
				    "/v1/wait, see /v1/status",
				    (unsigned long long)jn_engine_generation(engine));
	if (!are_hooks_attached(api->options.datapath))
		return jn_error_set(err, -EAGAIN, JN_ERROR_UNAVAILABLE,
				    "a hook is not attached; see hooks in /v1/status, and restart "
				    "junctord to attach it again");
	if (read_source(api, &source) && !source.was_synced)
		return jn_error_set(err, -EAGAIN, JN_ERROR_UNAVAILABLE,
				    "the %s source has not been read yet; see sources in "
				    "/v1/status",
				    source.name);
	return check_proof(api, err);
}

static void begin_ready(struct jn_call *call)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (check_ready(call->api, &err))
		jn_answer_error(call, &err);
	else
		jn_answer_text(call, 200, "ok\n");
}

const struct jn_verb jn_verb_status = { .role = JN_ROLE_READ, .begin = begin_status };
const struct jn_verb jn_verb_live = { .role = JN_ROLE_READ, .begin = begin_live };
const struct jn_verb jn_verb_ready = { .role = JN_ROLE_READ, .begin = begin_ready };
