/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files of this room share; nobody else includes it, but for the room's own tests.
 *
 *	open.c     load and close        pins.c     the folder v<ABI> and the tables pinned in it
 *	links.c    hooks                 tables.c   stores into mapped tables (seam.c: the seam)
 *	swap.c     another program at a hook
 *	hashes.c   hash tables           counters.c per-CPU counters
 *	versions.c what another version of the tables left
 *	sizes.c    which table is how large   grow.c    larger tables
 *	bpffs.c    where pins live       machine.c  cgroup, lock, namespace, grace period
 *	mounts.c   mountinfo             cleanup.c  taking everything out again
 *	place.c    what runs at the cgroup now
 *	stale.c    finding sockets       end.c      ending them
 *	spaces.c   network namespaces        look.c     tables of a junctord that may be dead
 *	trace.c    the program that tells how it would be decided
 *	attached.c whose programs a cgroup runs
 *	tries.c	   what the kernel can do
 */
#ifndef JUNCTOR_DATAPATH_INTERNAL_H
#define JUNCTOR_DATAPATH_INTERNAL_H

#include "datapath/datapath.h"

#include <linux/bpf.h>

#define JN_PIN_PREFIX "jn_"	  /* of every pin of ours, and of every program */
#define JN_NEW_SUFFIX "_new"	  /* of a pin until it takes its name; bpffs allows no dots */
#define JN_BPFFS_SOURCE "junctor" /* names a mount of ours in mountinfo */
#define JN_MAX_PROGRAM_MAPS 64 /* tables of one program that are looked at; ours use 16 at most */

struct bpf_object;
struct junctor_bpf;

/* The mapped tables, in the order of tables.c's list. */
#define JN_MAPPED_COUNT 6
struct jn_tables {
	size_t bytes[JN_MAPPED_COUNT];
	struct jn_set *sets;
	struct jn_revision *revisions;
	struct jn_slot *slots;
	struct jn_endpoint *endpoints;
	struct jn_live *live;
	struct jn_meta *meta;
};

struct jn_datapath {
	struct junctor_bpf *skeleton;
	struct bpf_object *object; /* of the skeleton */
	char *folder;		   /* <pin_dir>/v<ABI> */
	char *cgroup;
	uint64_t cgroup_id; /* of what the hooks were attached at; 0: not yet */
	bool is_adopted;
	bool is_attached; /* jn_datapath_attach did its work */
	bool is_torn;	  /* a hook runs on tables that were given up (grow.c) */
	unsigned needs;	  /* JN_NEED_… */
	struct jn_sizes sizes;
	struct jn_tables tables;
	int frontends, names, stats, reasons, events; /* fds of the object */
	unsigned cpu_count;			      /* values of a per-CPU entry */
	int links[JN_HOOK_COUNT];		      /* -1: not attached */
	bool is_view; /* look.c's: no skeleton, the fds are its own */
};

/* --- open.c ------------------------------------------------------------------------------------ */
/* The fds of the skeleton's tables. */
void jn_datapath_name_tables(struct jn_datapath *dp);
/* What libbpf has to say goes to the debug log from now on. */
void jn_libbpf_listen(void);
/* What the kernel's refusal of the programs or tables means. */
int jn_datapath_refuse_load(int rc, struct jn_error *err);

/* --- pins.c ------------------------------------------------------------------------------------ */
enum jn_pin_kind { JN_PIN_OTHER, JN_PIN_MAP, JN_PIN_LINK };

/* An fd of what is pinned there, and its kind; -errno. */
int jn_pin_open(const char *path, enum jn_pin_kind *kind);

/* An fd of a pinned table with entries of this size, and how many it has; -EINVAL: it is another one. */
int jn_pin_open_table(const char *folder, const char *name, size_t entry, uint32_t *entries);

/* "<pin_dir>/v<ABI>" into *out; -ENOMEM. */
int jn_pins_name_folder(const char *pin_dir, char **out);

/* versions.c: each folder v<number> below pin_dir, ours too. A nonzero return of fn ends the walk. */
typedef int (*jn_version_fn)(void *arg, const char *folder);
int jn_versions_each(const char *pin_dir, jn_version_fn fn, void *arg);
/* versions.c: links of hooks that another version attached become ours; best effort. */
void jn_versions_take_links(const struct jn_datapath *dp);
/* versions.c: what is left of other versions goes; best effort, a later start tries again. */
void jn_versions_remove_others(const struct jn_datapath *dp);
/* cleanup.c: links and tables of one folder, and the folder. -ENOTEMPTY and others: some stay. */
int jn_pins_remove(const char *folder, struct jn_error *err);

/* Ours, 0700, no symlink? -ENOENT without err when there is none. */
int jn_pins_check_folder(const char *folder, struct jn_error *err);

struct bpf_map;
/* The next table that is pinned; libbpf's own (.rodata and the like) are made anew each time. */
struct bpf_map *jn_next_table(const struct bpf_object *object, struct bpf_map *map);

struct jn_adoption {
	uint64_t fresh;	 /* bit i: the i-th table is not pinned */
	bool is_adopted; /* some are */
	struct jn_sizes sizes;
};

/* Before the load: let the object use every table that is pinned, and size the others like them. */
int jn_pins_adopt(struct bpf_object *object, const char *folder, struct jn_adoption *out,
		  struct jn_error *err);

/* After the load: pin the fresh tables, all or none. */
int jn_pins_complete(struct bpf_object *object, const char *folder, uint64_t fresh,
		     struct jn_error *err);

/* --- tables.c ---------------------------------------------------------------------------------- */
int jn_tables_map(const struct bpf_object *object, struct jn_tables *tables);
/* Those that are pinned there, to be read only; what sizes they have. */
int jn_tables_view(const char *folder, struct jn_tables *tables, struct jn_sizes *sizes);
void jn_tables_unmap(struct jn_tables *tables);
/* The slots, or the others; those that differ in size: what stands in the smaller one. */
void jn_tables_copy(struct jn_tables *to, const struct jn_tables *from, bool is_slots);
/* Where nobody heard of the ends of connections: those of before count no more. */
void jn_live_count_anew(struct jn_datapath *dp);

/* --- trace.c ----------------------------------------------------------------------------------- */
struct trace_bpf;
/* On the tables of that object. NULL: the kernel refuses it; it is said in the log. */
struct trace_bpf *jn_trace_load(const struct bpf_object *tables);
/* Pinned in place of the one that is there, and closed; NULL: that one goes. */
void jn_trace_install(const struct jn_datapath *dp, struct trace_bpf **trace);
void jn_trace_unload(struct trace_bpf **trace);

/* --- look.c ------------------------------------------------------------------------------------ */
/* What is a view's own. */
void jn_datapath_look_done(struct jn_datapath *dp);

/* --- grow.c ------------------------------------------------------------------------------------ */
/* Once all hooks use the tables that were adopted: the last life may have ended in the middle. */
void jn_grow_recover(struct jn_datapath *dp);

/* --- sizes.c ----------------------------------------------------------------------------------- */
/* Which of the sizes is this table's, or NULL: it never grows. */
uint32_t *jn_size_of(struct jn_sizes *sizes, const char *table);

/* --- hashes.c ---------------------------------------------------------------------------------- */
typedef int (*jn_entry_fn)(void *arg, const void *key, const void *value);

struct jn_hash {
	int fd;
	size_t key_size, value_size;
};

/* Walk in pieces of `chunk` entries; a bucket that is larger enlarges the piece. */
int jn_hash_each(const struct jn_hash *hash, size_t chunk, jn_entry_fn fn, void *arg);

/* --- links.c ----------------------------------------------------------------------------------- */
struct jn_program {
	struct bpf_prog_info info;
	uint32_t maps[JN_MAX_PROGRAM_MAPS]; /* ids; info.nr_map_ids of them */
};

/* The name of a hook's program, and of its link's pin. */
const char *jn_hook_pin(size_t hook);
/* The fd of an object's program for that hook. */
int jn_program_fd(const struct bpf_object *object, size_t hook);
int jn_program_ask(int fd, struct jn_program *out);
bool jn_program_uses(const struct jn_program *program, uint32_t map);
int jn_link_ask(int fd, struct bpf_link_info *out);

/*
 * Before the attach: hold of the links that an earlier life left, so that they go along where tables
 * are replaced. 0, or a negative errno where one cannot be had.
 */
int jn_links_adopt(struct jn_datapath *dp);

/* The hook's place in the kernel's list. */
enum bpf_attach_type jn_hook_type(size_t hook);

/* The same instructions on the same tables? Where the kernel does not let us look: no. */
bool jn_program_is_same(uint32_t id, int ours);

/* --- swap.c ------------------------------------------------------------------------------------ */
#define JN_MAX_HOOK_PROGRAMS 512 /* that a cgroup runs at one hook, those from above it too */
/*
 * Ids of the programs of a cgroup, or (BPF_F_QUERY_EFFECTIVE) of all that it runs; how many, or a
 * negative errno.
 */
int jn_hook_query(int cgroup, size_t hook, uint32_t flags, uint32_t ids[JN_MAX_HOOK_PROGRAMS]);
/*
 * That program at that hook, which has a link; maybe another one afterwards. Once it was called, after
 * a grace period, jn_links_settle is due. A negative errno: the old one goes on.
 */
int jn_link_swap(struct jn_datapath *dp, size_t hook, int program);
void jn_links_settle(struct jn_datapath *dp);
/* JN_META_…; from any thread. */
void jn_meta_set(struct jn_datapath *dp, uint32_t flag, bool is_on);

/* --- machine.c --------------------------------------------------------------------------------- */
/* An fd of a cgroup2 folder and the id by which the kernel knows it. */
int jn_cgroup_open(const char *path, int *fd, uint64_t *id, struct jn_error *err);

/* --- stale.c ----------------------------------------------------------------------------------- */
typedef int (*jn_record_fn)(void *arg, const void *record);
/* Each record that the iterator behind the link writes. A nonzero return of fn ends it with that. */
int jn_iterator_read(int link, size_t record_size, jn_record_fn fn, void *arg);

/* --- mounts.c ---------------------------------------------------------------------------------- */
struct jn_mount {
	unsigned major, minor;
	char *root, *point, *type, *source; /* as they are, not as mountinfo escapes them */
};
typedef int (*jn_mount_fn)(void *arg, const struct jn_mount *mount);
/* Each mount this process sees. A nonzero return of fn ends the walk with that value. */
int jn_mounts_each(jn_mount_fn fn, void *arg);

#endif
