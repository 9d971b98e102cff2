/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands at the cgroup right now: is it still the one that the hooks were attached at, are we in
 * it, and which programs do its sockets run. Whether calls arrive is not told by that: see canary/.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

#define HOST_ROOT_ID 1 /* the first folder of the hierarchy that the kernel made */

/* "0::/system.slice/junctord.service" -> its folder below the mount. */
static int find_own(const char *mount, char out[PATH_MAX])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_MAX];
	int rc = -ENOENT;

	if (!file)
		return -errno;
	while (rc && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		line[strcspn(line, "\n")] = 0;
		rc = snprintf(out, PATH_MAX, "%s%s", mount, line + 3) < PATH_MAX ? 0
										 : -ENAMETOOLONG;
	}
	(void)fclose(file); /* only read */
	return rc;
}

/* Up from our own cgroup to the mount, or to the one with this id. */
static bool holds_us(uint64_t wanted)
{
	char mount[PATH_MAX], path[PATH_MAX];

	if (jn_cgroup_find_root(mount, sizeof(mount), NULL) || find_own(mount, path))
		return false;
	for (;;) {
		JN_AUTO(jn_close_fd) int fd = -1;
		uint64_t id;
		char *slash = strrchr(path, '/');

		if (!jn_cgroup_open(path, &fd, &id, NULL) && id == wanted)
			return true;
		if (!slash || strlen(path) <= strlen(mount))
			return false;
		*slash = 0;
	}
}

void jn_datapath_cgroup_place(const struct jn_datapath *dp, struct jn_cgroup_place *out)
{
	uint64_t id = 0;

	*out = (struct jn_cgroup_place){ .fd = -1, .is_the_root = dp->cgroup_id == HOST_ROOT_ID };
	if (jn_cgroup_open(dp->cgroup, &out->fd, &id, NULL))
		return;
	if (id != dp->cgroup_id)
		jn_close_fd(&out->fd);
	else
		out->holds_us = holds_us(id);
}

static void note_other(uint32_t id, struct jn_hook_place *out)
{
	JN_AUTO(jn_close_fd) int fd = bpf_prog_get_fd_by_id(id);
	struct jn_program program;

	if (out->other_count++)
		return;
	out->other = id;
	if (fd >= 0 && !jn_program_ask(fd, &program))
		(void)snprintf(out->other_name, sizeof(out->other_name), "%s", program.info.name);
}

void jn_datapath_hook_place(const struct jn_datapath *dp, int cgroup, size_t hook,
			    struct jn_hook_place *out)
{
	uint32_t ids[JN_MAX_HOOK_PROGRAMS];
	int ours = jn_program_fd(dp->object, hook);
	int count = jn_hook_query(cgroup, hook, BPF_F_QUERY_EFFECTIVE, ids);

	*out = (struct jn_hook_place){ 0 };
	for (int i = 0; i < count; i++) {
		if (jn_program_is_same(ids[i], ours))
			out->runs_ours = true;
		else
			note_other(ids[i], out);
	}
}
