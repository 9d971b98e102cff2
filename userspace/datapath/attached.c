/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose programs sockets of a cgroup run where ours run: for people who look for somebody that is in
 * the way. It does NOT judge them.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/internal.h"

static bool is_named_alike(const char *name)
{
	return !strncmp(name, JN_PIN_PREFIX, strlen(JN_PIN_PREFIX));
}

/* The programs of links that are pinned in folders of ours, of whatever version. */
struct pinned {
	uint32_t *items;
	size_t count, capacity;
};

static void pinned_done(struct pinned *pinned)
{
	free(pinned->items);
}

static int note_pin(struct pinned *pinned, const char *path)
{
	enum jn_pin_kind kind = JN_PIN_OTHER;
	JN_AUTO(jn_close_fd) int fd = jn_pin_open(path, &kind);
	struct bpf_link_info info;
	uint32_t *item;

	if (fd < 0 || kind != JN_PIN_LINK || jn_link_ask(fd, &info))
		return 0; /* gone meanwhile, or no link */
	item = jn_vec_add(pinned);
	if (!item)
		return -ENOMEM;
	*item = info.prog_id;
	return 0;
}

static int note_folder(void *arg, const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	int rc = 0;

	while (dir && !rc && (entry = readdir(dir))) {
		JN_AUTO(jn_free_mem) char *path = NULL;

		if (!is_named_alike(entry->d_name))
			continue;
		rc = asprintf(&path, "%s/%s", folder, entry->d_name) < 0 ? -ENOMEM
									 : note_pin(arg, path);
	}
	if (dir)
		(void)closedir(dir); /* only read */
	return rc;
}

static void describe(uint32_t id, struct jn_attached *out)
{
	JN_AUTO(jn_close_fd) int fd = bpf_prog_get_fd_by_id(id);
	struct jn_program program;

	out->id = id;
	if (fd < 0 || jn_program_ask(fd, &program))
		return; /* gone meanwhile */
	(void)snprintf(out->name, sizeof(out->name), "%s", program.info.name);
	for (size_t i = 0; i < sizeof(program.info.tag); i++)
		(void)snprintf(out->tag + 2 * i, 3, "%02x", program.info.tag[i]);
	out->is_named_alike = is_named_alike(out->name);
}

static bool is_among(uint32_t id, const uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

int jn_datapath_each_attached(const char *cgroup, const char *pin_dir, jn_attached_fn fn, void *arg,
			      struct jn_error *err)
{
	uint32_t own[JN_MAX_HOOK_PROGRAMS], all[JN_MAX_HOOK_PROGRAMS];
	JN_AUTO(pinned_done) struct pinned pinned = { 0 };
	JN_AUTO(jn_close_fd) int fd = -1;
	uint64_t id;
	int rc = jn_cgroup_open(cgroup, &fd, &id, err);

	if (!rc && jn_versions_each(pin_dir, note_folder, &pinned))
		rc = jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL, "out of memory; free some");

	for (size_t i = 0; i < JN_HOOK_COUNT && !rc; i++) {
		int own_count = jn_hook_query(fd, i, 0, own);
		int count = jn_hook_query(fd, i, BPF_F_QUERY_EFFECTIVE, all);

		if (own_count < 0 || count < 0)
			continue; /* a kernel without this hook */
		for (int place = 0; place < count; place++) {
			struct jn_attached program = { .hook = jn_hook_pin(i) +
							       strlen(JN_PIN_PREFIX) };

			describe(all[place], &program);
			program.is_own = is_among(all[place], own, (size_t)own_count);
			program.is_ours = program.is_named_alike &&
					  is_among(all[place], pinned.items, pinned.count);
			fn(arg, &program);
		}
	}
	return rc;
}
