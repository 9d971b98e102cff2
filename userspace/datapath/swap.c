/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Another program at a hook, without a gap: by a link update where that is safe, else by a new link
 * that is attached before the old one goes.
 *
 * Since Linux 6.15 (6.6.93, 6.12.31) somebody may attach programs that run before all others, with
 * BPF_F_PREORDER. Until 7.1.5 (6.6.145, 6.12.97, 6.18.40) the kernel then looks for the program that a
 * link update replaces in the wrong place of what a cgroup runs (CVE-2026-72427): it overwrites
 * somebody else's, and goes on to run ours when it is freed. Neither version nor query tells whether
 * that can happen: versions are patched, and the flag is not shown. So we count as such a kernel does,
 * and look whether our program stands there. What our cgroup runs is enough: cgroups below have their
 * own programs before ours in either way of counting.
 *
 * With a new link both programs run for a moment, the old one first. It translates the call, and what
 * the new one sees then is a backend, which is no service. JN_META_DOUBLED tells it that the socket
 * was not led there by its owner, so that it keeps the record. What the old one refuses, the new one
 * judges once more, and counts it twice; so does sockops with what happens just then. Programs of others
 * that were attached after the old link come before the new one, and see the service's address.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

#define MAX_PROGRAMS 512 /* that a cgroup runs at one hook, those from above it too */

/* --- where an update would go -------------------------------------------------------------------- */

/*
 * Ids of the programs of a cgroup, or of all that it runs; how many, or a negative errno. The question
 * is whole, with room behind: kernels before 6.18.40 write a field that older headers do not have,
 * whatever size they are told (CVE-2026-74371).
 */
static int query(int cgroup, size_t hook, uint32_t flags, uint32_t ids[MAX_PROGRAMS])
{
	union {
		union bpf_attr attr;
		char room[256];
	} ask;

	memset(&ask, 0, sizeof(ask));
	ask.attr.query.target_fd = (uint32_t)cgroup;
	ask.attr.query.attach_type = jn_hook_type(hook);
	ask.attr.query.query_flags = flags;
	ask.attr.query.prog_ids = (uintptr_t)ids;
	ask.attr.query.prog_cnt = MAX_PROGRAMS;
	return syscall(SYS_bpf, BPF_PROG_QUERY, &ask, sizeof(ask)) ? -errno
								   : (int)ask.attr.query.prog_cnt;
}

/* What cannot be seen is no comfort. */
static bool is_in_place(int cgroup, size_t hook, uint32_t program)
{
	uint32_t own[MAX_PROGRAMS], effective[MAX_PROGRAMS];
	int own_count = query(cgroup, hook, 0, own), count, place = 0;

	while (place < own_count && own[place] != program)
		place++;
	count = query(cgroup, hook, BPF_F_QUERY_EFFECTIVE, effective);
	return place < own_count && place < count && effective[place] == program;
}

/* --- one or the other ---------------------------------------------------------------------------- */

void jn_meta_set(struct jn_datapath *dp, uint32_t flag, bool is_on)
{
	uint32_t *flags = &dp->tables.meta->flags;

	jn_store_seam();
	if (is_on)
		(void)__atomic_fetch_or(flags, flag, __ATOMIC_RELEASE);
	else
		(void)__atomic_fetch_and(flags, ~flag, __ATOMIC_RELEASE);
}

/* The new one's pin takes over the name; a death at any step leaves one of the two there. */
static int pin(const struct jn_datapath *dp, size_t hook, int link)
{
	JN_AUTO(jn_free_mem) char *path = NULL;
	JN_AUTO(jn_free_mem) char *new_path = NULL;
	int rc;

	if (asprintf(&path, "%s/%s", dp->folder, jn_hook_pin(hook)) < 0 ||
	    asprintf(&new_path, "%s" JN_NEW_SUFFIX, path) < 0)
		return -ENOMEM;
	rc = bpf_obj_pin(link, new_path);
	if (rc)
		return rc;
	if (rename(new_path, path)) {
		rc = -errno;
		(void)unlink(new_path); /* a later start removes what stays */
	}
	return rc;
}

static int replace_link(struct jn_datapath *dp, size_t hook, int program, int cgroup)
{
	JN_AUTO(jn_close_fd) int link = -1;
	int rc;

	jn_meta_set(dp, JN_META_DOUBLED, true);
	link = bpf_link_create(program, cgroup, jn_hook_type(hook), NULL);
	if (link < 0)
		return link;
	rc = pin(dp, hook, link);
	if (rc) {
		(void)bpf_link_detach(link); /* now, not whenever the kernel gets to it */
		return rc;
	}
	(void)bpf_link_detach(dp->links[hook]); /* if it is detached already, so much the better */
	jn_close_fd(&dp->links[hook]);
	dp->links[hook] = jn_move_fd(&link);
	return 0;
}

int jn_link_swap(struct jn_datapath *dp, size_t hook, int program)
{
	JN_AUTO(jn_close_fd) int cgroup = -1;
	struct bpf_link_info info;
	uint64_t id = 0;
	int rc = jn_link_ask(dp->links[hook], &info);

	if (!rc && (info.type != BPF_LINK_TYPE_CGROUP))
		rc = -EINVAL;
	if (!rc && info.cgroup.cgroup_id)
		rc = jn_cgroup_open(dp->cgroup, &cgroup, &id, NULL);
	if (rc && rc != -ENOENT)
		return rc; /* what cannot be seen is not written */
	if (cgroup >= 0 && info.cgroup.cgroup_id == id && !is_in_place(cgroup, hook, info.prog_id))
		return replace_link(dp, hook, program, cgroup);
	rc = bpf_link_update(dp->links[hook], program, NULL);
	return rc == -ENOLINK ? 0 : rc; /* its cgroup is gone, and nothing runs it any more */
}

void jn_links_settle(struct jn_datapath *dp)
{
	if (dp->tables.meta->flags & JN_META_DOUBLED)
		jn_meta_set(dp, JN_META_DOUBLED, false);
}
