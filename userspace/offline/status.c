/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor status --offline: what the kernel holds, counted in the tables themselves. It does NOT know
 * what was declared, so it cannot say whether the two are the same.
 */
#include "base/auto.h"
#include "base/version.h"
#include "offline/internal.h"

static int count_frontend(void *arg, const struct jn_frontend_key *key,
			  const struct jn_frontend *value)
{
	(void)key;
	*(uint64_t *)arg += value->service != JN_CANARY_SERVICE;
	return 0;
}

static int count_name(void *arg, uint32_t service, const struct jn_name *name)
{
	(void)service;
	(void)name;
	++*(uint64_t *)arg;
	return 0;
}

static void write_table(struct jn_writer *w, const char *name, uint64_t used, uint64_t entries)
{
	jn_write_key(w, name);
	jn_write_open(w, '{');
	jn_write_key_unsigned(w, "used", used);
	jn_write_key_unsigned(w, "entries", entries);
	jn_write_close(w, '}');
}

/* How full they are. Slots and revisions are not told apart from what was replaced. */
static int write_tables(struct jn_writer *w, struct jn_datapath *dp)
{
	const struct jn_sizes *sizes = jn_datapath_sizes(dp);
	uint64_t services = 0, frontends = 0, sets = 0, endpoints = 0;
	int rc = jn_datapath_each_name(dp, count_name, &services);

	if (!rc)
		rc = jn_datapath_each_frontend(dp, count_frontend, &frontends);
	if (rc)
		return rc;
	for (uint32_t i = 1; i < sizes->sets; i++)
		sets += jn_datapath_sets(dp)[i].word && !jn_offline_is_canary(dp, i);
	for (uint32_t i = 1; i < sizes->endpoints; i++) {
		uint32_t service = jn_datapath_endpoints(dp)[i].service;

		endpoints += service && service != JN_CANARY_SERVICE;
	}
	jn_write_key(w, "tables");
	jn_write_open(w, '{');
	write_table(w, "services", services, sizes->services);
	write_table(w, "frontends", frontends, sizes->frontends);
	write_table(w, "sets", sets, sizes->sets);
	write_table(w, "endpoints", endpoints, sizes->endpoints);
	jn_write_close(w, '}');
	return 0;
}

static void write_hooks(struct jn_writer *w, const struct jn_hook_status hooks[JN_HOOK_COUNT])
{
	jn_write_key(w, "hooks");
	jn_write_open(w, '[');
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (!hooks[i].is_needed && !hooks[i].is_attached)
			continue;
		jn_write_open(w, '{');
		jn_write_key_text(w, "name", hooks[i].name);
		jn_write_key_bool(w, "attached", hooks[i].is_attached);
		if (hooks[i].is_attached) {
			jn_write_key_unsigned(w, "cgroup", hooks[i].cgroup);
			jn_write_key_unsigned(w, "program", hooks[i].program);
		}
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

static void write_degraded(struct jn_writer *w, const struct jn_hook_status hooks[JN_HOOK_COUNT])
{
	jn_write_key(w, "degraded");
	jn_write_open(w, '[');
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

		if (!hooks[i].is_needed || hooks[i].is_attached)
			continue;
		jn_buffer_printf(&text,
				 "HookMissing: %s is not attached, or its cgroup is gone; start "
				 "junctord, or restart it",
				 hooks[i].name);
		jn_write_text(w, jn_buffer_text(&text));
	}
	jn_write_close(w, ']');
}

static int write_decisions(struct jn_writer *w, struct jn_datapath *dp)
{
	uint64_t counts[JN_REASON_MAX];
	int rc = jn_datapath_read_reasons(dp, counts);

	if (rc)
		return rc;
	jn_write_key(w, "decisions");
	jn_write_open(w, '{');
	for (unsigned i = 0; i < JN_REASON_MAX; i++) {
		if (i != JN_REASON_NOT_A_SERVICE) /* not counted */
			jn_write_key_unsigned(w, jn_offline_reason(i), counts[i]);
	}
	jn_write_close(w, '}');
	return 0;
}

static int write_status(struct jn_writer *w, struct jn_datapath *dp, bool is_running)
{
	struct jn_hook_status hooks[JN_HOOK_COUNT];
	int rc;

	jn_datapath_hooks(dp, hooks);
	jn_write_open(w, '{');
	jn_write_key_bool(w, "offline", true);
	jn_write_key_text(w, "version", JN_VERSION);
	jn_write_key_unsigned(w, "tableVersion", JN_ABI_VERSION);
	jn_write_key_bool(w, "running", is_running);
	jn_write_key_unsigned(w, "installedGeneration", jn_datapath_generation(dp));
	write_hooks(w, hooks);
	rc = write_tables(w, dp);
	if (!rc)
		rc = write_decisions(w, dp);
	write_degraded(w, hooks);
	jn_write_close(w, '}');
	return rc;
}

int jn_offline_status(const char *pin_dir, struct jn_buffer *out, struct jn_error *err)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *dp = NULL;
	struct jn_writer w = jn_writer_to(out);
	int rc = jn_datapath_look(pin_dir, &dp, err);

	if (rc)
		return rc;
	rc = write_status(&w, dp, jn_folder_is_held(pin_dir));
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the tables below %s cannot be read; run this as root",
				    pin_dir);
	return 0;
}
