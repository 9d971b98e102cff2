/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET /metrics: Prometheus text. What there is of each service port is read once, when the request
 * comes, and written out as the client reads: the format wants all samples of one metric together.
 */
#include <stdio.h>
#include <stdlib.h>

#include <netinet/in.h>

#include "api/internal.h"
#include "api/process.h"
#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"

#define PIECE_BYTES 65536
#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* One service port. Its labels stand in struct scrape's `labels`. */
struct row {
	size_t labels_at;
	unsigned labels_size;
	unsigned endpoints;
	struct jn_stats stats;
};

struct scrape {
	struct {
		struct row *items;
		size_t count, capacity;
	} rows;
	struct jn_buffer labels;
	bool has_begun;
	unsigned family; /* of families[] */
	size_t at;	 /* row */
};

static void start_family(struct jn_buffer *out, const char *name, const char *type,
			 const char *help)
{
	jn_buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(struct jn_buffer *out, const char *name, uint64_t value)
{
	jn_buffer_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

static void write_gauge(struct jn_buffer *out, const char *name, uint64_t value, const char *help)
{
	start_family(out, name, "gauge", help);
	write_number(out, name, value);
}

static void write_labelled(struct jn_buffer *out, const char *name, const char *label,
			   const char *text, uint64_t value)
{
	jn_buffer_printf(out, "%s{%s=\"%s\"} %llu\n", name, label, text, (unsigned long long)value);
}

/* --- about junctord as a whole ----------------------------------------------------------------- */

static void write_usage(struct jn_buffer *out, struct jn_engine *engine)
{
	struct jn_usage usage[JN_USAGE_COUNT];

	jn_engine_usage(engine, usage);
	start_family(out, "junctor_table_entries", "gauge", "Entries of a kernel table in use.");
	for (unsigned i = 0; i < JN_USAGE_COUNT; i++)
		write_labelled(out, "junctor_table_entries", "table", usage[i].name, usage[i].used);
	start_family(out, "junctor_table_limit", "gauge", "Entries a kernel table can hold.");
	for (unsigned i = 0; i < JN_USAGE_COUNT; i++)
		write_labelled(out, "junctor_table_limit", "table", usage[i].name, usage[i].max);
}

static void write_hooks(struct jn_buffer *out, struct jn_datapath *datapath)
{
	struct jn_hook_status hooks[JN_HOOK_COUNT];

	jn_datapath_hooks(datapath, hooks);
	start_family(out, "junctor_hook_attached", "gauge",
		     "1 where a hook that is needed is attached, else 0.");
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (hooks[i].is_needed || hooks[i].is_attached)
			write_labelled(out, "junctor_hook_attached", "hook", hooks[i].name,
				       hooks[i].is_attached);
	}
}

static void write_reasons(struct jn_buffer *out, struct jn_datapath *datapath)
{
	static const char *const names[JN_REASON_MAX] = {
#define REASON_NAME(id, err, name, meaning) [JN_REASON_##id] = (name),
		JN_REASONS(REASON_NAME)
#undef REASON_NAME
	};
	uint64_t counts[JN_REASON_MAX];

	if (jn_datapath_read_reasons(datapath, counts))
		return; /* a metric that is missing says more than one that is wrong */
	start_family(out, "junctor_decisions_total", "counter",
		     "Decisions at the hooks by how they ended; calls to no service are not "
		     "counted.");
	for (unsigned i = 0; i < JN_REASON_MAX; i++) {
		if (i != JN_REASON_NOT_A_SERVICE)
			write_labelled(out, "junctor_decisions_total", "reason", names[i],
				       counts[i]);
	}
}

static void write_drift(struct jn_buffer *out, const struct jn_engine *engine)
{
	struct jn_drift_stats drift;

	jn_engine_drift_stats(engine, &drift);
	start_family(out, "junctor_drift_checks_total", "counter",
		     "Comparisons of the kernel tables with what was declared, once a minute.");
	write_number(out, "junctor_drift_checks_total", drift.checks);
	start_family(out, "junctor_drift_found_total", "counter",
		     "Entries that were not as declared.");
	write_number(out, "junctor_drift_found_total", drift.found);
	start_family(out, "junctor_drift_repaired_total", "counter",
		     "Entries that were written anew.");
	write_number(out, "junctor_drift_repaired_total", drift.repaired);
}

static void write_effective(struct jn_buffer *out, const struct jn_api *api)
{
	struct jn_api_health health = { 0 };
	struct jn_hook_status hooks[JN_HOOK_COUNT];

	jn_datapath_hooks(api->options.datapath, hooks);
	if (api->options.health)
		api->options.health(api->options.health_arg, &health);
	start_family(out, "junctor_hook_effective", "gauge",
		     "1 where a canary showed that a hook works, 0 where it showed that it does "
		     "not; missing where that could not be tried out.");
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (health.hooks[i].proof != JN_API_PROOF_NONE)
			write_labelled(out, "junctor_hook_effective", "hook", hooks[i].name,
				       health.hooks[i].proof == JN_API_PROOF_YES);
	}
}

static void write_probes(struct jn_buffer *out, const struct jn_probe_stats *probes)
{
	start_family(out, "junctor_probes_total", "counter", "Probes of backends by result.");
	write_labelled(out, "junctor_probes_total", "result", "success", probes->succeeded);
	write_labelled(out, "junctor_probes_total", "result", "failure", probes->failed);
	write_gauge(out, "junctor_probed_backends", probes->backends, "Backends that are probed.");
	write_gauge(out, "junctor_backends_down", probes->down,
		    "Backends that get no new connections because a probe says they are down.");
}

static void write_events(struct jn_buffer *out, struct jn_datapath *datapath,
			 const struct jn_probe_stats *probes)
{
	static const char *const names[JN_EVENT_MAX] = {
#define EVENT_NAME(id, name, meaning) [JN_EVENT_##id] = (name),
		JN_EVENTS(EVENT_NAME)
#undef EVENT_NAME
	};
	uint64_t counts[JN_EVENT_MAX];

	if (jn_datapath_read_events(datapath, counts))
		return;
	counts[JN_EVENT_PANIC] += probes->panics;
	start_family(out, "junctor_backend_events_total", "counter",
		     "Backends that were ejected or readmitted, and sets that took all back in.");
	for (unsigned i = 0; i < JN_EVENT_MAX; i++)
		write_labelled(out, "junctor_backend_events_total", "event", names[i], counts[i]);
}

static void write_endings(struct jn_buffer *out, const struct jn_engine *engine)
{
	struct jn_ended_count ended[JN_ENDED_COUNT];

	jn_engine_ended(engine, ended);
	start_family(out, "junctor_sockets_ended_total", "counter",
		     "Sockets of gone backends that were ended, by why.");
	for (unsigned i = 0; i < JN_ENDED_COUNT; i++)
		jn_buffer_printf(out,
				 "junctor_sockets_ended_total{protocol=\"%s\",reason=\"%s\"} "
				 "%llu\n",
				 ended[i].protocol, ended[i].reason,
				 (unsigned long long)ended[i].count);
	write_gauge(out, "junctor_sockets_unreachable", jn_engine_unreachable(engine),
		    "Sockets that are to be ended, in network namespaces that cannot be entered.");
	write_gauge(out, "junctor_guard_routes", jn_engine_guard_routes(engine),
		    "Service addresses with a guard route.");
}

static void write_process(struct jn_buffer *out)
{
	struct jn_process p;

	jn_process_read(&p);
	start_family(out, "process_cpu_seconds_total", "counter",
		     "User and system CPU time of junctord, in seconds.");
	jn_buffer_printf(out, "process_cpu_seconds_total %.6f\n", p.cpu_seconds);
	start_family(out, "process_start_time_seconds", "gauge",
		     "When junctord started, in seconds since 1970.");
	jn_buffer_printf(out, "process_start_time_seconds %.2f\n", p.start_seconds);
	write_gauge(out, "process_resident_memory_bytes", p.resident_bytes,
		    "Memory of junctord in RAM, mapped kernel tables included.");
	write_gauge(out, "process_virtual_memory_bytes", p.virtual_bytes,
		    "Address space of junctord.");
	write_gauge(out, "junctor_process_private_memory_bytes", p.private_bytes,
		    "Memory of junctord in RAM that is its own.");
	write_gauge(out, "process_threads", p.threads, "Threads of junctord.");
	start_family(out, "junctor_process_wakeups_total", "counter",
		     "Times that a thread of junctord waited and was woken.");
	jn_buffer_printf(out, "junctor_process_wakeups_total %llu\n",
			 (unsigned long long)p.wakeups);
	write_gauge(out, "process_open_fds", p.open_fds, "Open file descriptors of junctord.");
	write_gauge(out, "process_max_fds", p.max_fds, "File descriptors junctord may have open.");
}

static void write_whole(const struct jn_api *api, struct jn_buffer *out)
{
	struct jn_engine *engine = api->options.engine;
	struct jn_probe_stats probes;
	size_t degraded = 0;

	jn_engine_probe_stats(engine, &probes);
	while (jn_api_degraded(api, degraded))
		degraded++;
	start_family(out, "junctor_build_info", "gauge", "1; the version is in the label.");
	write_labelled(out, "junctor_build_info", "version", api->options.version, 1);
	write_gauge(out, "junctor_generation", jn_engine_generation(engine),
		    "Generation of the declared state.");
	write_gauge(out, "junctor_installed_generation", jn_engine_installed(engine),
		    "Generation that the kernel serves.");
	write_gauge(out, "junctor_degraded", degraded,
		    "Things that are not as they should be; see degraded in /v1/status.");
	write_gauge(out, "junctor_clients", jn_http_server_clients(api->server),
		    "Connections to the control socket.");
	write_gauge(out, "junctor_clients_limit", JN_MAX_CLIENTS,
		    "Connections to the control socket at once, at most.");
	write_usage(out, engine);
	write_hooks(out, api->options.datapath);
	write_effective(out, api);
	write_drift(out, engine);
	write_events(out, api->options.datapath, &probes);
	write_probes(out, &probes);
	write_reasons(out, api->options.datapath);
	write_endings(out, engine);
	write_process(out);
}

/* --- about each service port ------------------------------------------------------------------- */

static uint64_t forwarded_of(const struct row *row)
{
	return row->stats.forwarded;
}

static uint64_t refused_of(const struct row *row)
{
	return row->stats.refused;
}

static uint64_t endpoints_of(const struct row *row)
{
	return row->endpoints;
}

static const struct family {
	const char *name, *type, *help;
	uint64_t (*value)(const struct row *row);
} families[] = {
	{ "junctor_service_endpoints", "gauge", "Endpoints that take new connections.",
	  endpoints_of },
	{ "junctor_service_forwarded_total", "counter",
	  "Connections led to a backend; datagrams, for UDP sockets that are not connected.",
	  forwarded_of },
	{ "junctor_service_refused_total", "counter", "Connections and datagrams refused.",
	  refused_of },
};

struct gathering {
	struct jn_call *call;
	struct scrape *scrape;
};

static int add_row(void *arg, const struct jn_service_stats *s)
{
	struct gathering *g = arg;
	struct jn_buffer *labels = &g->scrape->labels;
	struct row *row;

	if (jn_call_role(g->call, s->namespace_) < JN_ROLE_READ)
		return 0;
	row = jn_vec_add(&g->scrape->rows);
	if (!row)
		return -1;
	row->labels_at = labels->size;
	jn_buffer_printf(labels, "namespace=\"%s\",service=\"%s\",port=\"%s\",protocol=\"%s\"",
			 s->namespace_, s->name, s->port_name,
			 s->proto == IPPROTO_TCP ? "TCP" : "UDP");
	row->labels_size = (unsigned)(labels->size - row->labels_at);
	row->endpoints = s->endpoints;
	row->stats = s->stats;
	return jn_buffer_failed(labels) ? -1 : 0;
}

static void begin_metrics(struct jn_call *call)
{
	struct scrape *scrape = calloc(1, sizeof(*scrape));
	struct gathering g = { call, scrape };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	call->data = scrape;
	if (!scrape) {
		jn_answer_no_memory(call);
	} else if (jn_engine_each_stats(call->api->options.engine, add_row, &g)) {
		(void)jn_error_set(&err, -1, JN_ERROR_UNAVAILABLE,
				   "the counters cannot be read (out of memory, or the kernel "
				   "refused); try again in a moment");
		jn_answer_error(call, &err);
	} else {
		jn_answer_stream(call, CONTENT_TYPE, false);
	}
}

static void write_row(const struct scrape *scrape, const struct family *family,
		      const struct row *row, struct jn_buffer *out)
{
	jn_buffer_printf(out, "%s{%.*s} %llu\n", family->name, (int)row->labels_size,
			 scrape->labels.data + row->labels_at,
			 (unsigned long long)family->value(row));
}

static bool produce_metrics(void *arg, void *state, struct jn_buffer *out)
{
	struct jn_call *call = state;
	struct scrape *scrape = call->data;

	(void)arg;
	if (!scrape->has_begun)
		write_whole(call->api, out);
	scrape->has_begun = true;
	while (scrape->family < JN_COUNT(families) && out->size < PIECE_BYTES &&
	       !jn_buffer_failed(out)) {
		const struct family *family = &families[scrape->family];

		if (!scrape->at)
			start_family(out, family->name, family->type, family->help);
		if (scrape->at < scrape->rows.count)
			write_row(scrape, family, &scrape->rows.items[scrape->at++], out);
		if (scrape->at == scrape->rows.count) {
			scrape->family++;
			scrape->at = 0;
		}
	}
	return scrape->family == JN_COUNT(families);
}

static void free_metrics(struct jn_call *call)
{
	struct scrape *scrape = call->data;

	if (!scrape)
		return;
	free(scrape->rows.items);
	jn_buffer_done(&scrape->labels);
	free(scrape);
}

const struct jn_verb jn_verb_metrics = {
	.role = JN_ROLE_READ,
	.begin = begin_metrics,
	.produce = produce_metrics,
	.free = free_metrics,
};
