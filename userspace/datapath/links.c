/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hooks: one pinned link for each program. What is attached goes on serving until its successor
 * is in place.
 *
 *	what the pin holds			what happens
 *	nothing					a new link
 *	a link whose cgroup is gone, or		a new link takes over its name, then the old one goes
 *	  is not the wanted one
 *	a link at the cgroup, another build's	the program in it is swapped (swap.c)
 *	a link at the cgroup, this build's	nothing
 *	a link of a hook that no object needs	it goes, last
 *	(a link of another version's)		it is taken over first (versions.c)
 *
 * New links are pinned under a name of their own and renamed when all of them stand, so that a
 * failure or a crash leaves either the old name or the new one.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

static const struct {
	const char *program; /* and the name of the link's pin; the hook's name follows the prefix */
	enum bpf_attach_type type;
	unsigned need; /* JN_NEED_…; 0: always */
} hooks[] = {
	{ "jn_connect4", BPF_CGROUP_INET4_CONNECT, 0 },
	{ "jn_connect6", BPF_CGROUP_INET6_CONNECT, 0 },
	{ "jn_sendmsg4", BPF_CGROUP_UDP4_SENDMSG, 0 },
	{ "jn_sendmsg6", BPF_CGROUP_UDP6_SENDMSG, 0 },
	{ "jn_recvmsg4", BPF_CGROUP_UDP4_RECVMSG, 0 },
	{ "jn_recvmsg6", BPF_CGROUP_UDP6_RECVMSG, 0 },
	{ "jn_getpeername4", BPF_CGROUP_INET4_GETPEERNAME, 0 },
	{ "jn_getpeername6", BPF_CGROUP_INET6_GETPEERNAME, 0 },
	{ "jn_sock_release", BPF_CGROUP_INET_SOCK_RELEASE, JN_NEED_COUNTS },
	{ "jn_sockops", BPF_CGROUP_SOCK_OPS, JN_NEED_WATCHES },
};
_Static_assert(JN_COUNT(hooks) == JN_HOOK_COUNT, "every hook has its place for a link");

enum step {
	STEP_NONE,
	STEP_SWAP,    /* its program is replaced (swap.c) */
	STEP_ATTACH,  /* there is no link */
	STEP_REPLACE, /* there is one that is of no use */
	STEP_DETACH   /* nobody needs it */
};

struct attachment {
	struct jn_datapath *dp;
	int cgroup;
	uint64_t cgroup_id;
	enum step steps[JN_HOOK_COUNT];
	int old[JN_HOOK_COUNT]; /* links to be replaced */
	bool is_pinned[JN_HOOK_COUNT], is_renamed[JN_HOOK_COUNT];
	bool has_swapped;
	bool is_done;
};

const char *jn_hook_pin(size_t hook)
{
	return hooks[hook].program;
}

enum bpf_attach_type jn_hook_type(size_t hook)
{
	return hooks[hook].type;
}

static const char *hook_name(size_t i)
{
	return hooks[i].program + strlen(JN_PIN_PREFIX);
}

static bool is_needed(const struct jn_datapath *dp, size_t i)
{
	return !hooks[i].need || dp->needs & hooks[i].need;
}

int jn_program_fd(const struct bpf_object *object, size_t hook)
{
	const struct bpf_program *program =
		bpf_object__find_program_by_name(object, hooks[hook].program);

	assert(program);
	return bpf_program__fd(program);
}

static int program_of(const struct jn_datapath *dp, size_t i)
{
	return jn_program_fd(dp->object, i);
}

static int name_pin(const struct jn_datapath *dp, size_t i, const char *suffix, char **out)
{
	return asprintf(out, "%s/%s%s", dp->folder, hooks[i].program, suffix) < 0 ? -ENOMEM : 0;
}

/* --- what is there ----------------------------------------------------------------------------- */

int jn_program_ask(int fd, struct jn_program *out)
{
	uint32_t size = sizeof(out->info);

	*out = (struct jn_program){ .info = { .nr_map_ids = JN_MAX_PROGRAM_MAPS,
					      .map_ids = (uintptr_t)out->maps } };
	return bpf_obj_get_info_by_fd(fd, &out->info, &size);
}

bool jn_program_uses(const struct jn_program *program, uint32_t map)
{
	for (uint32_t i = 0; i < program->info.nr_map_ids && i < JN_MAX_PROGRAM_MAPS; i++) {
		if (program->maps[i] == map)
			return true;
	}
	return false;
}

int jn_link_ask(int fd, struct bpf_link_info *out)
{
	uint32_t size = sizeof(*out);

	*out = (struct bpf_link_info){ 0 };
	return bpf_obj_get_info_by_fd(fd, out, &size);
}

/*
 * Ours itself, or the same instructions on the same tables. Where the kernel does not let us look (by
 * id: it takes CAP_SYS_ADMIN), it counts as another one, and is swapped.
 */
bool jn_program_is_same(uint32_t id, int ours)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	struct jn_program theirs, wanted;

	if (jn_program_ask(ours, &wanted))
		return false;
	if (wanted.info.id == id)
		return true;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 || jn_program_ask(fd, &theirs) ||
	    memcmp(theirs.info.tag, wanted.info.tag, sizeof(wanted.info.tag)) != 0 ||
	    theirs.info.nr_map_ids != wanted.info.nr_map_ids)
		return false;
	for (uint32_t i = 0; i < wanted.info.nr_map_ids && i < JN_MAX_PROGRAM_MAPS; i++) {
		if (!jn_program_uses(&theirs, wanted.maps[i]))
			return false;
	}
	return true;
}

static int refuse_pin(const char *path, int rc, struct jn_error *err)
{
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the pin %s is no link of this hook that can be used (%s); run junctor "
			    "cleanup and start junctord again",
			    path, strerror(-rc));
}

/* Look at the pin of one hook and decide. */
static int look(struct attachment *a, size_t i, struct jn_error *err)
{
	JN_AUTO(jn_free_mem) char *path = NULL;
	enum jn_pin_kind kind = JN_PIN_OTHER;
	struct bpf_link_info info;
	int rc = name_pin(a->dp, i, "", &path), fd;

	if (rc)
		return rc;
	fd = jn_pin_open(path, &kind);
	if (fd == -ENOENT) {
		a->steps[i] = is_needed(a->dp, i) ? STEP_ATTACH : STEP_NONE;
		return 0;
	}
	if (fd < 0)
		return refuse_pin(path, fd, err);
	a->old[i] = fd; /* whose is decided below; closed at the end in any case */
	rc = kind == JN_PIN_LINK ? jn_link_ask(fd, &info) : -EINVAL;
	if (!rc && (info.type != BPF_LINK_TYPE_CGROUP ||
		    info.cgroup.attach_type != (uint32_t)hooks[i].type))
		rc = -EINVAL;
	if (rc)
		return refuse_pin(path, rc, err);
	if (!is_needed(a->dp, i)) {
		a->steps[i] = STEP_DETACH;
		return 0;
	}
	if (info.cgroup.cgroup_id != a->cgroup_id) { /* 0: its cgroup was removed */
		jn_close_fd(&a->dp->links[i]);
		a->steps[i] = STEP_REPLACE;
		return 0;
	}
	a->steps[i] = jn_program_is_same(info.prog_id, program_of(a->dp, i)) ? STEP_NONE
									     : STEP_SWAP;
	jn_close_fd(&a->dp->links[i]);
	a->dp->links[i] = jn_move_fd(&a->old[i]);
	return 0;
}

int jn_links_adopt(struct jn_datapath *dp)
{
	int rc = 0;

	for (size_t i = 0; i < JN_HOOK_COUNT && !rc; i++) {
		JN_AUTO(jn_free_mem) char *path = NULL;
		enum jn_pin_kind kind = JN_PIN_OTHER;

		if (dp->links[i] >= 0)
			continue;
		rc = name_pin(dp, i, "", &path);
		if (!rc)
			dp->links[i] = jn_pin_open(path, &kind);
		if (dp->links[i] >= 0 && kind != JN_PIN_LINK)
			rc = -EINVAL;
		if (dp->links[i] >= 0)
			continue;
		if (!rc && dp->links[i] != -ENOENT)
			rc = dp->links[i];
		dp->links[i] = -1;
	}
	return rc;
}

/* --- what is done ------------------------------------------------------------------------------ */

static bool needs_link(const struct attachment *a, size_t i)
{
	return a->steps[i] == STEP_ATTACH || a->steps[i] == STEP_REPLACE;
}

static int refuse_attach(const struct attachment *a, size_t i, int rc, struct jn_error *err)
{
	const char *remedy = "boot Linux 6.1 or later, built with CONFIG_CGROUP_BPF";

	if (rc == -EPERM)
		remedy = "a program that admits no other may be attached there or above (bpftool "
			 "cgroup tree shows it): remove it, or choose another --cgroup";
	else if (rc == -E2BIG)
		remedy = "too many programs are attached there: remove some, or choose another "
			 "--cgroup";
	else if (rc == -ENOMEM)
		remedy = "free some memory";
	else if (rc == -EMFILE || rc == -ENFILE)
		remedy = "allow more file descriptors (ulimit -n)";
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "hook %s cannot be attached at %s (%s); %s", hook_name(i),
			    a->dp->cgroup, strerror(-rc), remedy);
}

/* A new link, attached at once, under its first name. */
static int make_link(struct attachment *a, size_t i, struct jn_error *err)
{
	JN_AUTO(jn_free_mem) char *path = NULL;
	int rc = name_pin(a->dp, i, JN_NEW_SUFFIX, &path), fd;

	if (rc)
		return rc;
	if (hooks[i].need & JN_NEED_COUNTS)
		jn_live_count_anew(a->dp);
	fd = bpf_link_create(program_of(a->dp, i), a->cgroup, hooks[i].type, NULL);
	if (fd < 0)
		return refuse_attach(a, i, fd, err);
	jn_close_fd(&a->dp->links[i]);
	a->dp->links[i] = fd;
	rc = bpf_obj_pin(fd, path);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "hook %s cannot be pinned below %s (%s); free some memory, or "
				    "choose another --pin-dir",
				    hook_name(i), a->dp->folder, strerror(-rc));
	a->is_pinned[i] = true;
	return 0;
}

static int swap_program(struct attachment *a, size_t i, struct jn_error *err)
{
	int rc = jn_link_swap(a->dp, i, program_of(a->dp, i));

	a->has_swapped = true;
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the program at hook %s cannot be swapped (%s), and the old "
				    "one goes on serving; run junctor cleanup and start junctord "
				    "again",
				    hook_name(i), strerror(-rc));
	return 0;
}

static int rename_link(struct attachment *a, size_t i, struct jn_error *err)
{
	JN_AUTO(jn_free_mem) char *from = NULL, *to = NULL;
	int rc = name_pin(a->dp, i, JN_NEW_SUFFIX, &from);

	if (!rc)
		rc = name_pin(a->dp, i, "", &to);
	if (!rc && rename(from, to) != 0)
		rc = jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
				  "hook %s cannot be pinned as %s (%s); choose another --pin-dir",
				  hook_name(i), to, strerror(errno));
	if (!rc) {
		a->is_pinned[i] = false;
		a->is_renamed[i] = true;
	}
	return rc;
}

static void unpin(const struct jn_datapath *dp, size_t i, const char *suffix)
{
	JN_AUTO(jn_free_mem) char *path = NULL;

	if (!name_pin(dp, i, suffix, &path))
		(void)unlink(path); /* often none is there; a later start replaces what stays */
}

/* Take back one hook's link, unless it already took over from an old one. */
static void undo_link(struct attachment *a, size_t i)
{
	if (a->steps[i] == STEP_REPLACE && a->is_renamed[i])
		return;
	if (a->is_pinned[i])
		unpin(a->dp, i, JN_NEW_SUFFIX);
	if (a->is_renamed[i])
		unpin(a->dp, i, "");
	if (a->dp->links[i] >= 0)
		(void)bpf_link_detach(a->dp->links[i]); /* now, not whenever the last fd goes */
	jn_close_fd(&a->dp->links[i]);
}

/* Let go of what was looked at; where attaching failed, also of every link that it made. */
static void attachment_done(struct attachment *a)
{
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (!a->is_done && needs_link(a, i))
			undo_link(a, i);
		jn_close_fd(&a->old[i]);
	}
	jn_close_fd(&a->cgroup);
}

typedef int (*step_fn)(struct attachment *a, size_t i, struct jn_error *err);

static int each_hook(struct attachment *a, bool (*is_wanted)(const struct attachment *, size_t),
		     step_fn fn, struct jn_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < JN_HOOK_COUNT && !rc; i++) {
		if (!is_wanted || is_wanted(a, i))
			rc = fn(a, i, err);
	}
	return rc;
}

static bool needs_swap(const struct attachment *a, size_t i)
{
	return a->steps[i] == STEP_SWAP;
}

/* Of a swap just now, or of a life that ended in one. */
static void settle(struct jn_datapath *dp)
{
	if (!(dp->tables.meta->flags & JN_META_DOUBLED))
		return;
	jn_datapath_wait_grace();
	jn_links_settle(dp);
}

int jn_datapath_attach(struct jn_datapath *dp, struct jn_error *err)
{
	JN_AUTO(attachment_done) struct attachment a = { .dp = dp, .cgroup = -1 };
	int rc;

	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		a.old[i] = -1;
		unpin(dp, i, JN_NEW_SUFFIX); /* a start that died halfway left it */
	}
	jn_versions_take_links(dp);
	rc = jn_cgroup_open(dp->cgroup, &a.cgroup, &a.cgroup_id, err);
	if (!rc)
		rc = each_hook(&a, NULL, look, err);
	if (!rc)
		rc = each_hook(&a, needs_link, make_link, err);
	if (!rc)
		rc = each_hook(&a, needs_swap, swap_program, err);
	if (!rc)
		rc = each_hook(&a, needs_link, rename_link, err);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the hooks cannot be attached at %s (%s); free some memory",
				    dp->cgroup, strerror(-rc));
	a.is_done = true;
	dp->cgroup_id = a.cgroup_id;
	jn_versions_remove_others(dp);
	if (!dp->is_attached || dp->is_torn)
		jn_grow_recover(dp);
	if (!dp->is_attached || a.has_swapped)
		settle(dp);
	dp->is_attached = true;
	dp->is_torn = false;
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (a.old[i] >= 0)
			(void)bpf_link_detach(a.old[i]); /* its name and its last fd go, too */
		if (a.steps[i] == STEP_DETACH) {
			unpin(dp, i, "");
			jn_close_fd(&dp->links[i]);
		}
	}
	return 0;
}

int jn_datapath_need(struct jn_datapath *dp, unsigned needs, struct jn_error *err)
{
	unsigned before = dp->needs;
	int rc;

	if (needs == before && !dp->is_torn)
		return 0;
	dp->needs = needs;
	if (!dp->is_attached)
		return 0;
	rc = jn_datapath_attach(dp, err);
	if (rc)
		dp->needs = before;
	return rc;
}

void jn_datapath_hooks(struct jn_datapath *dp, struct jn_hook_status out[JN_HOOK_COUNT])
{
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		struct bpf_link_info info = { 0 };

		out[i].name = hook_name(i);
		out[i].is_needed = is_needed(dp, i);
		out[i].is_pinned = dp->links[i] >= 0;
		out[i].is_attached = dp->links[i] >= 0 && !jn_link_ask(dp->links[i], &info) &&
				     info.cgroup.cgroup_id;
		out[i].program = out[i].is_attached ? info.prog_id : 0;
		out[i].cgroup = info.cgroup.cgroup_id;
	}
}
