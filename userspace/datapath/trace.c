/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jn_trace: loaded on the tables that the hooks use, pinned beside them, and run by whoever asks. It
 * is no hook: where the kernel refuses it, junctord serves all the same, and says so in its log. It
 * does NOT put the answer into words.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <junctor/trace.h>

#include <trace.skel.h>

#include "base/auto.h"
#include "base/log.h"
#include "datapath/internal.h"

#define PIN JN_PIN_PREFIX "trace"
#define QUESTIONS "jn_traces"

/* --- by junctord -------------------------------------------------------------------------------- */

void jn_trace_unload(struct trace_bpf **trace)
{
	trace_bpf__destroy(JN_MOVE(*trace));
}

/* All but its own: it makes no table that the hooks do not use. */
static int share_tables(const struct bpf_object *tables, const struct trace_bpf *trace)
{
	int rc = 0;

	for (struct bpf_map *map = jn_next_table(trace->obj, NULL); map && !rc;
	     map = jn_next_table(trace->obj, map)) {
		const struct bpf_map *shared =
			bpf_object__find_map_by_name(tables, bpf_map__name(map));

		if (shared)
			rc = bpf_map__reuse_fd(map, bpf_map__fd(shared));
	}
	return rc;
}

struct trace_bpf *jn_trace_load(const struct bpf_object *tables)
{
	JN_AUTO(jn_trace_unload) struct trace_bpf *trace = trace_bpf__open();
	int rc = trace ? share_tables(tables, trace) : -errno;

	if (!rc)
		rc = trace_bpf__load(trace);
	if (!rc)
		return JN_MOVE(trace);
	jn_warn("datapath",
		"the program of junctor trace cannot be loaded (%s); services are served, and "
		"junctor trace does not work until a restart",
		strerror(-rc));
	return NULL;
}

static int pin(const char *folder, const char *path, int program)
{
	JN_AUTO(jn_free_mem) char *new_path = NULL;
	int rc;

	if (asprintf(&new_path, "%s/" PIN JN_NEW_SUFFIX, folder) < 0)
		return -ENOMEM;
	(void)unlink(new_path); /* hardly ever is there one */
	rc = bpf_obj_pin(program, new_path);
	if (!rc && rename(new_path, path))
		rc = -errno;
	return rc;
}

static uint32_t id_of(const struct bpf_map *map)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &size) ? 0 : info.id;
}

/* The same instructions on the same tables; each has a table of questions of its own. */
static bool is_there(const char *path, const struct trace_bpf *trace)
{
	JN_AUTO(jn_close_fd) int fd = bpf_obj_get(path);
	uint32_t own = id_of(trace->maps.jn_traces);
	struct jn_program theirs, ours;

	if (fd < 0 || jn_program_ask(fd, &theirs) ||
	    jn_program_ask(bpf_program__fd(trace->progs.jn_trace), &ours) ||
	    memcmp(theirs.info.tag, ours.info.tag, sizeof(ours.info.tag)) != 0)
		return false;
	for (uint32_t i = 0; i < ours.info.nr_map_ids && i < JN_MAX_PROGRAM_MAPS; i++) {
		if (ours.maps[i] != own && !jn_program_uses(&theirs, ours.maps[i]))
			return false;
	}
	return true;
}

void jn_trace_install(const struct jn_datapath *dp, struct trace_bpf **trace)
{
	JN_AUTO(jn_free_mem) char *path = NULL;
	int rc = asprintf(&path, "%s/" PIN, dp->folder) < 0 ? -ENOMEM : 0;

	if (!rc && *trace && !is_there(path, *trace))
		rc = pin(dp->folder, path, bpf_program__fd((*trace)->progs.jn_trace));
	if (path && (rc || !*trace))
		(void)unlink(path); /* it would tell of other tables */
	if (rc)
		jn_warn("datapath",
			"the program of junctor trace cannot be pinned below %s (%s); services are "
			"served, and junctor trace does not work until a restart",
			dp->folder, strerror(-rc));
	jn_trace_unload(trace);
}

/* --- by whoever asks ---------------------------------------------------------------------------- */

static int refuse(const struct jn_datapath *dp, int rc, const char *what, struct jn_error *err)
{
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the program " PIN " below %s %s (%s); restart junctord", dp->folder,
			    what, strerror(-rc));
}

/* The table of questions among those that the program uses; -ENOENT. */
static int open_questions(const struct jn_program *program)
{
	for (uint32_t i = 0; i < program->info.nr_map_ids && i < JN_MAX_PROGRAM_MAPS; i++) {
		JN_AUTO(jn_close_fd) int fd = bpf_map_get_fd_by_id(program->maps[i]);
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size))
			continue;
		if (!strcmp(info.name, QUESTIONS))
			return info.value_size == sizeof(struct jn_trace) ? jn_move_fd(&fd)
									  : -EPROTO;
	}
	return -ENOENT;
}

/* A start or a growth that died halfway leaves one that looks at other tables. */
static bool is_on_our_tables(const struct jn_datapath *dp, const struct jn_program *program)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return !bpf_obj_get_info_by_fd(dp->frontends, &info, &size) &&
	       jn_program_uses(program, info.id);
}

/* Its first run tells by which key it looks for the question. */
static int run(int program, int questions, struct jn_trace *io)
{
	struct jn_trace_call call = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = &call, .ctx_size_in = sizeof(call));
	int rc = bpf_prog_test_run_opts(program, &options);

	if (!rc)
		rc = bpf_map_update_elem(questions, &call.thread, io, BPF_ANY);
	if (rc)
		return rc;
	rc = bpf_prog_test_run_opts(program, &options);
	if (!rc && options.retval)
		rc = -EPROTO;
	if (!rc)
		rc = bpf_map_lookup_elem(questions, &call.thread, io);
	(void)bpf_map_delete_elem(questions, &call.thread); /* or others push it out */
	return rc;
}

int jn_datapath_trace(const struct jn_datapath *dp, struct jn_trace *io, struct jn_error *err)
{
	JN_AUTO(jn_free_mem) char *path = NULL;
	JN_AUTO(jn_close_fd) int fd = -1;
	JN_AUTO(jn_close_fd) int questions = -1;
	struct jn_program program;
	int rc;

	if (asprintf(&path, "%s/" PIN, dp->folder) < 0)
		return refuse(dp, -ENOMEM, "cannot be opened", err);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return refuse(dp, fd, "cannot be opened", err);
	rc = jn_program_ask(fd, &program);
	if (rc)
		return refuse(dp, rc, "cannot be looked at", err);
	if (!is_on_our_tables(dp, &program))
		return refuse(dp, -ESTALE, "looks at other tables", err);
	questions = open_questions(&program);
	if (questions < 0)
		return refuse(dp, questions, "is of another build", err);
	io->version = JN_TRACE_VERSION;
	rc = run(fd, questions, io);
	return rc ? refuse(dp, rc, "cannot be run", err) : 0;
}
