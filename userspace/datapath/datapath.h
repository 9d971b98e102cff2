/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel side as the controller sees it: programs and links, and typed access to the tables.
 * The only user of libbpf. Everything is pinned below <pin_dir>/v<ABI>/ and outlives the process.
 *
 * It does NOT decide what stands in a table: ids, ranges and order are the engine's business.
 */
#ifndef JUNCTOR_DATAPATH_DATAPATH_H
#define JUNCTOR_DATAPATH_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>
#include <junctor/reasons.h>

#include "base/error.h"

struct jn_datapath;

struct jn_datapath_options {
	const char *pin_dir; /* the folder above v<ABI>; on bpffs, see jn_bpffs_prepare */
	const char *cgroup;  /* where the hooks are attached */
};

/* How many entries tables hold; see limits.h. */
struct jn_sizes {
	uint32_t services, sets, frontends, endpoints, revisions, slots, live;
};

/*
 * Load the programs and adopt the pinned tables, or create them where there are none. A pinned
 * table of another type, key size, value size, flags or an impossible size is refused unread.
 * Nothing is attached yet, and nothing new stays behind on failure. err names what is missing and
 * what to do.
 */
int jn_datapath_open(const struct jn_datapath_options *options, struct jn_datapath **out,
		     struct jn_error *err);

/*
 * Attach each hook at the cgroup, or adopt its pinned link and, where the program in it is not this
 * build's, swap it (link update: no gap). A link at another cgroup, or at one that is gone, is
 * replaced: the new one is attached before the old one goes. All or nothing for hooks that were not
 * attached before.
 */
int jn_datapath_attach(struct jn_datapath *dp, struct jn_error *err);

/*
 * Which hooks beyond those that are always attached do objects need? What was not needed before is
 * attached now, what is not needed any more goes; before jn_datapath_attach it is only remembered.
 * On failure nothing changed.
 */
#define JN_NEED_COUNTS 1  /* sock_release: connections are counted */
#define JN_NEED_WATCHES 2 /* sockops: how connections begin and end */
int jn_datapath_need(struct jn_datapath *dp, unsigned needs, struct jn_error *err);

/* Close fds and mappings. What is pinned stays and goes on serving. */
void jn_datapath_close(struct jn_datapath **dp);

/*
 * Look at what a junctord, alive or dead, has pinned: nothing is loaded, locked or changed. Only what
 * reads may be called with it, and jn_datapath_trace. err: there is nothing, or it is of another
 * version.
 */
int jn_datapath_look(const char *pin_dir, struct jn_datapath **out, struct jn_error *err);

/*
 * Each folder of tables below pin_dir; is_ours: of this build's version. A nonzero return of fn ends
 * it with that; nothing there: 0.
 */
typedef int (*jn_version_folder_fn)(void *arg, const char *folder, bool is_ours);
int jn_datapath_each_version(const char *pin_dir, jn_version_folder_fn fn, void *arg);

/* A program that sockets of a cgroup run at a hook of ours, whosever it is, in the kernel's order. */
struct jn_attached {
	const char *hook;
	uint32_t id;
	char name[16], tag[17]; /* the kernel's, and hexadecimal */
	bool is_own;		/* attached at this cgroup, not above it */
	bool is_named_alike;	/* like ours: a junctor's */
	bool is_ours;		/* and a link that is pinned below pin_dir runs it */
};
typedef void (*jn_attached_fn)(void *arg, const struct jn_attached *program);
int jn_datapath_each_attached(const char *cgroup, const char *pin_dir, jn_attached_fn fn, void *arg,
			      struct jn_error *err);

/* Run jn_trace: io has the question, and then the answer. See <junctor/trace.h>. */
struct jn_trace;
int jn_datapath_trace(const struct jn_datapath *dp, struct jn_trace *io, struct jn_error *err);

struct jn_hook_status {
	const char *name; /* "connect4", … */
	bool is_needed;	  /* always, or by an object */
	bool is_attached;
	bool is_pinned;	  /* there is a link, attached or not */
	uint32_t program; /* its id; 0: not attached */
	uint64_t cgroup;  /* by the kernel's id, which is the inode of its folder */
};
#define JN_HOOK_COUNT 10
/* Static names; asks the kernel for each link. */
void jn_datapath_hooks(struct jn_datapath *dp, struct jn_hook_status out[JN_HOOK_COUNT]);

/* --- what stands at the cgroup that the hooks were attached at; the first on any thread --------- */
struct jn_cgroup_place {
	int fd;		  /* the caller's; -1: it is gone, or another one has its path now */
	bool holds_us;	  /* this process is in it, or below */
	bool is_the_root; /* of the host's hierarchy, not of a part that is mounted here */
};
void jn_datapath_cgroup_place(const struct jn_datapath *dp, struct jn_cgroup_place *out);

struct jn_hook_place {
	bool runs_ours;
	unsigned other_count;
	uint32_t other; /* one of them: its id */
	char other_name[16];
};
/* What a socket of this cgroup runs at a hook. */
void jn_datapath_hook_place(const struct jn_datapath *dp, int cgroup, size_t hook,
			    struct jn_hook_place *out);

/* The present sizes. */
const struct jn_sizes *jn_datapath_sizes(const struct jn_datapath *dp);

/*
 * Larger tables, in three steps. From the beginning of the first to the second nobody may write slots;
 * hooks go on all the time, from the old tables or from equal new ones.
 *
 *	load    larger tables and programs on them, slots copied; takes long, on any thread
 *	swap    other contents copied, every attached hook swapped; from here on the new ones are written
 *	settle  after a grace period: what programs counted in the old ones is added, they are let go
 */
struct jn_growth;

/* sizes: none below the present one. -ENOMEM and others with err; nothing changed. */
int jn_datapath_grow_load(const struct jn_datapath *dp, const struct jn_sizes *sizes,
			  struct jn_growth **out, struct jn_error *err);
/*
 * On failure the old ones go on; then, too, jn_datapath_grow_settle, after a grace period, adds what
 * was counted in the larger ones and lets go of them.
 */
int jn_datapath_grow_swap(struct jn_datapath *dp, struct jn_growth *growth, struct jn_error *err);
void jn_datapath_grow_settle(struct jn_datapath *dp, struct jn_growth **growth);

/* Was there a pinned table already when jn_datapath_open ran? */
bool jn_datapath_is_adopted(const struct jn_datapath *dp);

/* --- mapped tables: plain stores, visible to the kernel at once --------------------------------
 * Each function is one or more plain stores, and calls jn_store_seam() before the first and between
 * them, so that a test can end the process at any store. Indices are checked with assert().
 */
const struct jn_set *jn_datapath_sets(const struct jn_datapath *dp);
const struct jn_revision *jn_datapath_revisions(const struct jn_datapath *dp);
const struct jn_slot *jn_datapath_slots(const struct jn_datapath *dp);
const struct jn_endpoint *jn_datapath_endpoints(const struct jn_datapath *dp);
const struct jn_live *jn_datapath_live(const struct jn_datapath *dp);

/* service is stored last (release): an endpoint is whole before it is anybody's. */
void jn_datapath_put_endpoint(struct jn_datapath *dp, uint32_t id, const struct jn_endpoint *e);
void jn_datapath_set_endpoint_weight(struct jn_datapath *dp, uint32_t id, uint16_t weight);
void jn_datapath_set_endpoint_since(struct jn_datapath *dp, uint32_t id, uint32_t since_s);
void jn_datapath_set_endpoint_live(struct jn_datapath *dp, uint32_t id, uint32_t live);
/* Nothing is known and nobody counted any more; sockets of before stay out of it. */
void jn_datapath_begin_live(struct jn_datapath *dp, uint32_t live);
/* By a probe: new connections pass it over, or not any more. */
void jn_datapath_set_live_down(struct jn_datapath *dp, uint32_t live, bool is_down);
/* It is not ejected any more, since now_ns, and nothing is held against it. */
void jn_datapath_take_back(struct jn_datapath *dp, uint32_t live, uint64_t now_ns);
/* service = 0 first, then the rest is zeroed. */
void jn_datapath_clear_endpoint(struct jn_datapath *dp, uint32_t id);
/* A hidden revision: its slots from slot_base on, then the record itself. */
void jn_datapath_put_revision(struct jn_datapath *dp, uint32_t index, const struct jn_revision *r,
			      const struct jn_slot *slots);
/* The publication: one release store of 8 bytes. index 0 and number 0: nothing. */
void jn_datapath_publish(struct jn_datapath *dp, uint32_t set, uint32_t index, uint32_t number);
uint64_t jn_datapath_generation(const struct jn_datapath *dp);
void jn_datapath_set_generation(struct jn_datapath *dp, uint64_t generation);
/* Do the tables serve what no store holds? For the next start. */
bool jn_datapath_is_owed(const struct jn_datapath *dp);
void jn_datapath_set_owed(struct jn_datapath *dp, bool is_owed);

/* Called before every store above; does nothing, and exists to be found by its name. */
void jn_store_seam(void);

/* --- hash tables: system calls -------------------------------------------------------------- */
/* Batch; returns 0 or the first negative errno, with *done how many from the start are in. */
int jn_datapath_put_frontends(struct jn_datapath *dp, const struct jn_frontend_key *keys,
			      const struct jn_frontend *values, size_t count, size_t *done);
/* Keys that are not there are fine. */
int jn_datapath_del_frontends(struct jn_datapath *dp, const struct jn_frontend_key *keys,
			      size_t count);
/* -ENOENT: there is none. */
int jn_datapath_get_frontend(struct jn_datapath *dp, const struct jn_frontend_key *key,
			     struct jn_frontend *out);
int jn_datapath_put_names(struct jn_datapath *dp, const uint32_t *services,
			  const struct jn_name *names, size_t count, size_t *done);
int jn_datapath_del_names(struct jn_datapath *dp, const uint32_t *services, size_t count);
/* -ENOENT: it has none. */
int jn_datapath_get_name(struct jn_datapath *dp, uint32_t service, struct jn_name *out);

/* Walk a whole table (batch lookup). A nonzero return of fn ends the walk with that value. */
typedef int (*jn_frontend_fn)(void *arg, const struct jn_frontend_key *key,
			      const struct jn_frontend *value);
int jn_datapath_each_frontend(struct jn_datapath *dp, jn_frontend_fn fn, void *arg);
/*
 * The same on any thread, of the table as it is now, whatever takes its place meanwhile: *out is the
 * caller's to close. 0 or -errno.
 */
int jn_datapath_open_frontends(const struct jn_datapath *dp, int *out);
int jn_frontends_each(int frontends, jn_frontend_fn fn, void *arg);
typedef int (*jn_name_fn)(void *arg, uint32_t service, const struct jn_name *name);
int jn_datapath_each_name(struct jn_datapath *dp, jn_name_fn fn, void *arg);
int jn_datapath_open_names(const struct jn_datapath *dp, int *out);
int jn_names_each(int names, jn_name_fn fn, void *arg);

/* --- counters ------------------------------------------------------------------------------- */
/* Summed over CPUs. services: ids, any order; out: one for each. Batch where the kernel allows. */
int jn_datapath_read_stats(struct jn_datapath *dp, const uint32_t *services, size_t count,
			   struct jn_stats *out);
int jn_datapath_zero_stats(struct jn_datapath *dp, uint32_t service);
int jn_datapath_read_reasons(struct jn_datapath *dp, uint64_t out[JN_REASON_MAX]);
int jn_datapath_read_events(struct jn_datapath *dp, uint64_t out[JN_EVENT_MAX]);

/* --- about this machine --------------------------------------------------------------------- */
/*
 * Are programs compiled (JIT)? Tried with one that does nothing: 1, 0 (they are interpreted, and ours
 * are refused) or -errno; -EINVAL and -ENOSYS where there are no programs at cgroups.
 */
int jn_kernel_compiles(void);
/*
 * May a program run before all others, whoever attached those (BPF_F_PREORDER)? Tried in the same way
 * at this cgroup: 1, 0 or -errno.
 */
int jn_cgroup_has_first(int cgroup);

/* The cookie by which hooks know this process's network namespace; -errno when it has none. */
int jn_datapath_netns_cookie(uint64_t *out);

/*
 * Return when every program that ran at the call has ended (MEMBARRIER_CMD_GLOBAL; where a kernel
 * refuses it or has one CPU only, JN_GRACE_FALLBACK_MS of sleep). Blocks: never on the loop.
 */
void jn_datapath_wait_grace(void);

/* The cgroup2 mount as /proc/self/mountinfo has it (hybrid layouts found). -ENOENT with err. */
int jn_cgroup_find_root(char *out, size_t size, struct jn_error *err);
/* Is it a folder of a cgroup2? */
int jn_cgroup_check(const char *path, struct jn_error *err);

/*
 * Make sure `pin_dir` exists (0700, ours, no symlink) on a bpffs: where the file system is none,
 * mount one on /sys/fs/bpf (a pin_dir below it) or on pin_dir itself. err says what is missing.
 */
int jn_bpffs_prepare(const char *pin_dir, struct jn_error *err);

/* What of this can be told without making anything. */
int jn_bpffs_check(const char *pin_dir, struct jn_error *err);

/* Make a folder (0700) and those above it; what exists is fine. 0 or a negative errno. */
int jn_folder_make(const char *dir);

/*
 * One process at a time: flock. *fd is the lock. A holder that does not leave within a second is
 * named in err. Blocks.
 */
int jn_folder_lock(const char *dir, int *fd, struct jn_error *err);

/* Does a process hold it now? A junctord holds its pin folder. Does not block. */
bool jn_folder_is_held(const char *dir);

/*
 * Remove our links and pins below pin_dir, its v<ABI> folder, and the bpffs we mounted there; then
 * make sure that nothing of ours is attached at `cgroup` any more (may be NULL: not checked).
 * removed: how many pins went. Foreign files are left and named in err.
 */
int jn_datapath_cleanup(const char *pin_dir, const char *cgroup, unsigned *removed,
			struct jn_error *err);

#endif
