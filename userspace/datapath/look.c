/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables as somebody sees them who is not junctord: opened by their pins, whether a junctord runs
 * or not. It takes no lock, loads nothing and does NOT store.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

struct looked {
	const char *name;
	size_t entry;
	int *fd;
};

#define LOOKED_COUNT 5

/* Those that are not mapped. */
static void list_tables(struct jn_datapath *dp, struct looked out[LOOKED_COUNT])
{
	const struct looked list[] = {
		{ "jn_frontends", sizeof(struct jn_frontend), &dp->frontends },
		{ "jn_names", sizeof(struct jn_name), &dp->names },
		{ "jn_stats", sizeof(struct jn_stats), &dp->stats },
		{ "jn_reasons", sizeof(uint64_t), &dp->reasons },
		{ "jn_events", sizeof(uint64_t), &dp->events },
	};

	_Static_assert(JN_COUNT(list) == LOOKED_COUNT, "every table has its place");
	memcpy(out, list, sizeof(list));
}

void jn_datapath_look_done(struct jn_datapath *dp)
{
	struct looked list[LOOKED_COUNT];

	list_tables(dp, list);
	for (size_t i = 0; i < LOOKED_COUNT; i++)
		jn_close_fd(list[i].fd);
}

static int open_tables(struct jn_datapath *dp)
{
	struct looked list[LOOKED_COUNT];
	int rc = 0;

	list_tables(dp, list);
	for (size_t i = 0; i < LOOKED_COUNT && !rc; i++) {
		uint32_t entries, *size = jn_size_of(&dp->sizes, list[i].name);

		*list[i].fd = jn_pin_open_table(dp->folder, list[i].name, list[i].entry, &entries);
		if (*list[i].fd < 0)
			rc = *list[i].fd;
		else if (size)
			*size = entries;
	}
	return rc ? rc : jn_tables_view(dp->folder, &dp->tables, &dp->sizes);
}

static void open_links(struct jn_datapath *dp)
{
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		JN_AUTO(jn_free_mem) char *path = NULL;
		JN_AUTO(jn_close_fd) int fd = -1;
		enum jn_pin_kind kind = JN_PIN_OTHER;

		if (asprintf(&path, "%s/%s", dp->folder, jn_hook_pin(i)) < 0)
			continue;
		fd = jn_pin_open(path, &kind);
		if (fd >= 0 && kind == JN_PIN_LINK)
			dp->links[i] = jn_move_fd(&fd);
	}
}

static int refuse(const struct jn_datapath *dp, int rc, struct jn_error *err)
{
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the tables below %s cannot be read (%s); run this as root, with the "
			    "junctor of the junctord that made them",
			    dp->folder, strerror(-rc));
}

static int note_other(void *arg, const char *folder)
{
	(void)snprintf(arg, PATH_MAX, "%s", folder);
	return 1;
}

static int refuse_folder(const char *pin_dir, struct jn_error *err)
{
	char other[PATH_MAX];

	if (jn_versions_each(pin_dir, note_other, other) == 1)
		return jn_error_set(err, -ENOENT, JN_ERROR_UNAVAILABLE,
				    "the tables in %s are of another version than this build's "
				    "(v%d); use the junctor of the junctord that made them",
				    other, JN_ABI_VERSION);
	return jn_error_set(err, -ENOENT, JN_ERROR_NOT_FOUND,
			    "junctor has nothing below %s; start junctord, or say with --pin-dir "
			    "where its tables are",
			    pin_dir);
}

int jn_datapath_look(const char *pin_dir, struct jn_datapath **out, struct jn_error *err)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *dp = calloc(1, sizeof(*dp));
	int cpus = libbpf_num_possible_cpus(), rc;

	if (!dp || cpus < 0)
		return jn_error_set(err, dp ? cpus : -ENOMEM, JN_ERROR_INTERNAL,
				    "out of memory; free some");
	dp->is_view = true;
	dp->cpu_count = (unsigned)cpus;
	dp->frontends = dp->names = dp->stats = dp->reasons = dp->events = -1;
	memset(dp->links, -1, sizeof(dp->links));
	rc = jn_pins_name_folder(pin_dir, &dp->folder);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL, "out of memory; free some");
	rc = jn_pins_check_folder(dp->folder, err);
	if (rc == -ENOENT)
		return refuse_folder(pin_dir, err);
	if (rc)
		return rc;
	rc = open_tables(dp);
	if (rc)
		return refuse(dp, rc, err);
	open_links(dp);
	*out = JN_MOVE(dp);
	return 0;
}
