/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Larger tables under running programs.
 *
 *	load     the same programs once more, on larger tables where they are to be larger and on the
 *	         present ones elsewhere; slots copied
 *	swap     the other contents copied; the larger ones pinned beside the present ones; every link gets its
 *	         program on the larger ones; pins renamed
 *	settle   what programs counted in the old tables after the copy is added to the new ones
 *
 * Where a link does not take its program, those that did go back, and what they counted in the larger
 * tables is added to the present ones: settling goes the other way.
 *
 * A life that ends before it has settled takes with it what the old ones counted. The next one can
 * not know, so connections that are open then do not count any more.
 *
 * Old and new hold the same from the copy on, as nobody writes tables meanwhile: a hook may run on
 * either, and a start that finds pins of both kinds may use any mix of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <junctor.skel.h>

#include "base/auto.h"
#include "datapath/internal.h"

#define CHUNK 4096 /* entries a system call */

/* What programs count in, as it was when it was copied. */
struct copy {
	void *values;
	size_t count, size; /* entries, bytes of one for all CPUs */
	int from, to;	    /* fds; equal: this one does not grow */
};

struct jn_growth {
	struct junctor_bpf *skeleton; /* the new one; after the swap the old one */
	struct jn_sizes sizes;
	struct jn_tables tables;
	struct copy cursors, stats;
	struct jn_live *live; /* as it was when it was copied */
	size_t live_count;
	bool is_shared;		       /* hooks ran on both */
	bool was_settling;	       /* an earlier life ended in this */
	bool has_moved[JN_HOOK_COUNT]; /* to the larger ones, while these are not the datapath's */
};

static void growth_free(struct jn_growth **growth)
{
	struct jn_growth *g = JN_MOVE(*growth);

	if (!g)
		return;
	jn_tables_unmap(&g->tables);
	junctor_bpf__destroy(g->skeleton);
	free(g->cursors.values);
	free(g->stats.values);
	free(g->live);
	free(g);
}

/* --- load ---------------------------------------------------------------------------------------- */

static bool grows(const struct bpf_map *map, const struct jn_sizes *sizes)
{
	struct jn_sizes wanted = *sizes;
	const uint32_t *size = jn_size_of(&wanted, bpf_map__name(map));

	return size && *size > bpf_map__max_entries(map);
}

static int prepare_tables(const struct jn_datapath *dp, struct jn_growth *g)
{
	struct bpf_map *old = jn_next_table(dp->object, NULL);
	int rc = 0;

	for (struct bpf_map *map = jn_next_table(g->skeleton->obj, NULL); map && !rc;
	     map = jn_next_table(g->skeleton->obj, map), old = jn_next_table(dp->object, old)) {
		if (grows(old, &g->sizes))
			rc = bpf_map__set_max_entries(map,
						      *jn_size_of(&g->sizes, bpf_map__name(map)));
		else
			rc = bpf_map__reuse_fd(map, bpf_map__fd(old));
	}
	return rc;
}

int jn_datapath_grow_load(const struct jn_datapath *dp, const struct jn_sizes *sizes,
			  struct jn_growth **out, struct jn_error *err)
{
	JN_AUTO(growth_free) struct jn_growth *g = calloc(1, sizeof(*g));
	int rc;

	if (!g)
		return jn_datapath_refuse_load(-ENOMEM, err);
	g->sizes = *sizes;
	g->skeleton = junctor_bpf__open();
	if (!g->skeleton)
		return jn_datapath_refuse_load(-errno, err);
	rc = prepare_tables(dp, g);
	if (!rc)
		rc = junctor_bpf__load(g->skeleton);
	if (!rc)
		rc = jn_tables_map(g->skeleton->obj, &g->tables);
	if (rc)
		return jn_datapath_refuse_load(rc, err);
	jn_tables_copy(&g->tables, &dp->tables, true); /* it may be half a gigabyte */
	*out = JN_MOVE(g);
	return 0;
}

/* --- swap: contents ------------------------------------------------------------------------------ */

/* Entries on their way from a hash table to the larger one. */
struct piece {
	int to;
	size_t key_size, value_size;
	char *keys, *values; /* CHUNK of them */
	uint32_t count;
};

static void piece_done(struct piece *piece)
{
	free(piece->keys);
	free(piece->values);
}

static int put_piece(struct piece *piece)
{
	uint32_t count = piece->count;

	piece->count = 0;
	return count ? bpf_map_update_batch(piece->to, piece->keys, piece->values, &count, NULL)
		     : 0;
}

static int add_entry(void *arg, const void *key, const void *value)
{
	struct piece *piece = arg;

	memcpy(piece->keys + piece->count * piece->key_size, key, piece->key_size);
	memcpy(piece->values + piece->count * piece->value_size, value, piece->value_size);
	return ++piece->count < CHUNK ? 0 : put_piece(piece);
}

static int copy_hash(int from, int to, size_t key_size, size_t value_size)
{
	struct jn_hash hash = { from, key_size, value_size };
	JN_AUTO(piece_done)
	struct piece piece = { .to = to,
			       .key_size = key_size,
			       .value_size = value_size,
			       .keys = calloc(CHUNK, key_size),
			       .values = calloc(CHUNK, value_size) };
	int rc = piece.keys && piece.values ? jn_hash_each(&hash, CHUNK, add_entry, &piece)
					    : -ENOMEM;

	return rc ? rc : put_piece(&piece);
}

/* An array that is not mapped: read whole, written whole. */
static int copy_array(struct copy *copy)
{
	uint32_t at = 0, next = 0, done = 0;
	JN_AUTO(jn_free_mem) uint32_t *keys = calloc(copy->count, sizeof(*keys));
	int rc = 0;

	copy->values = calloc(copy->count, copy->size);
	if (!keys || !copy->values)
		return -ENOMEM;
	for (uint32_t i = 0; i < copy->count; i++)
		keys[i] = i;
	while (done < copy->count && !rc) {
		uint32_t n = (uint32_t)copy->count - done;

		rc = bpf_map_lookup_batch(copy->from, done ? &at : NULL, &next, keys + done,
					  (char *)copy->values + done * copy->size, &n, NULL);
		at = next;
		done += n;
	}
	if (rc && rc != -ENOENT)
		return rc;
	for (uint32_t i = 0; i < copy->count; i += CHUNK) {
		uint32_t n = (uint32_t)copy->count - i < CHUNK ? (uint32_t)copy->count - i : CHUNK;

		rc = bpf_map_update_batch(copy->to, keys + i, (char *)copy->values + i * copy->size,
					  &n, NULL);
		if (rc)
			return rc;
	}
	return 0;
}

static int copy_counters(struct copy *copy, const struct bpf_map *from, const struct bpf_map *to,
			 size_t size)
{
	copy->from = bpf_map__fd(from);
	copy->to = bpf_map__fd(to);
	copy->count = bpf_map__max_entries(from);
	copy->size = size;
	return bpf_map__max_entries(from) == bpf_map__max_entries(to) ? 0 : copy_array(copy);
}

static int copy_live(const struct jn_datapath *dp, struct jn_growth *g)
{
	if (g->sizes.live == dp->sizes.live)
		return 0;
	g->live_count = dp->sizes.live;
	g->live = calloc(g->live_count, sizeof(*g->live));
	if (!g->live)
		return -ENOMEM;
	memcpy(g->live, g->tables.live, g->live_count * sizeof(*g->live));
	return 0;
}

static int copy_contents(const struct jn_datapath *dp, struct jn_growth *g)
{
	const struct junctor_bpf *old = dp->skeleton, *new = g->skeleton;
	int rc;

	jn_tables_copy(&g->tables, &dp->tables, false);
	rc = copy_live(dp, g);
	if (!rc && grows(old->maps.jn_frontends, &g->sizes))
		rc = copy_hash(dp->frontends, bpf_map__fd(new->maps.jn_frontends),
			       sizeof(struct jn_frontend_key), sizeof(struct jn_frontend));
	if (!rc && grows(old->maps.jn_names, &g->sizes))
		rc = copy_hash(dp->names, bpf_map__fd(new->maps.jn_names), sizeof(uint32_t),
			       sizeof(struct jn_name));
	if (!rc)
		rc = copy_counters(&g->cursors, old->maps.jn_cursors, new->maps.jn_cursors,
				   sizeof(struct jn_cursor));
	if (!rc)
		rc = copy_counters(&g->stats, old->maps.jn_stats, new->maps.jn_stats,
				   sizeof(struct jn_stats) * dp->cpu_count);
	return rc;
}

/* --- swap: pins ---------------------------------------------------------------------------------- */

typedef int (*pin_fn)(const struct bpf_map *map, const char *path, const char *new_path);

static int pin_new(const struct bpf_map *map, const char *path, const char *new_path)
{
	(void)path;
	return bpf_obj_pin(bpf_map__fd(map), new_path);
}

static int rename_new(const struct bpf_map *map, const char *path, const char *new_path)
{
	(void)map;
	return rename(new_path, path) ? -errno : 0;
}

static int unpin_new(const struct bpf_map *map, const char *path, const char *new_path)
{
	(void)map;
	(void)path;
	(void)unlink(new_path); /* maybe it is not there yet */
	return 0;
}

/* For each table that grows. */
static int each_new(const struct jn_datapath *dp, const struct jn_growth *g, pin_fn fn)
{
	struct bpf_map *old = jn_next_table(dp->object, NULL);
	int rc = 0;

	for (struct bpf_map *map = jn_next_table(g->skeleton->obj, NULL); map && !rc;
	     map = jn_next_table(g->skeleton->obj, map), old = jn_next_table(dp->object, old)) {
		JN_AUTO(jn_free_mem) char *path = NULL;
		JN_AUTO(jn_free_mem) char *new_path = NULL;

		if (!grows(old, &g->sizes))
			continue;
		if (asprintf(&path, "%s/%s", dp->folder, bpf_map__name(map)) < 0 ||
		    asprintf(&new_path, "%s" JN_NEW_SUFFIX, path) < 0)
			return -ENOMEM;
		rc = fn(map, path, new_path);
	}
	return rc;
}

/* --- swap ---------------------------------------------------------------------------------------- */

static int move_links(struct jn_datapath *dp, struct jn_growth *g)
{
	int rc = 0;

	for (size_t i = 0; i < JN_HOOK_COUNT && !rc; i++) {
		if (dp->links[i] < 0)
			continue;
		rc = jn_link_swap(dp, i, jn_program_fd(g->skeleton->obj, i));
		g->has_moved[i] = !rc;
	}
	return rc;
}

static void move_links_back(struct jn_datapath *dp, struct jn_growth *g)
{
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (g->has_moved[i])
			g->has_moved[i] = jn_link_swap(dp, i, jn_program_fd(dp->object, i));
	}
}

static void exchange(struct jn_datapath *dp, struct jn_growth *g)
{
	struct junctor_bpf *skeleton = dp->skeleton;
	struct jn_tables tables = dp->tables;

	dp->skeleton = g->skeleton;
	dp->object = g->skeleton->obj;
	dp->tables = g->tables;
	dp->sizes = g->sizes;
	g->skeleton = skeleton;
	g->tables = tables;
	memset(g->has_moved, 0, sizeof(g->has_moved));
	jn_datapath_name_tables(dp);
}

static void turn_round(struct copy *copy)
{
	int from = copy->from;

	copy->from = copy->to;
	copy->to = from;
}

/* Does every hook run on the tables that are written? One that does not is swapped with the next change. */
static bool is_whole(const struct jn_growth *g)
{
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (g->has_moved[i])
			return false;
	}
	return true;
}

static int abandon(struct jn_datapath *dp, struct jn_growth *g, int rc, struct jn_error *err)
{
	move_links_back(dp, g);
	(void)each_new(dp, g, unpin_new);
	turn_round(&g->cursors);
	turn_round(&g->stats);
	dp->is_torn = !is_whole(g);
	if (dp->is_torn)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the tables cannot be replaced by larger ones (%s), and a hook "
				    "goes on with what they hold now, until the next change swaps "
				    "it; free kernel memory and file descriptors, and try again",
				    strerror(-rc));
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the tables cannot be replaced by larger ones (%s); nothing was "
			    "applied: free kernel memory and try again",
			    strerror(-rc));
}

int jn_datapath_grow_swap(struct jn_datapath *dp, struct jn_growth *growth, struct jn_error *err)
{
	int rc = copy_contents(dp, growth);

	if (!rc)
		rc = each_new(dp, growth, pin_new);
	if (!rc && !dp->is_attached)
		rc = jn_links_adopt(dp);
	growth->was_settling = dp->tables.meta->flags & JN_META_SETTLING;
	if (!rc && growth->live)
		jn_meta_set(dp, JN_META_SETTLING, true);
	if (!rc) {
		growth->is_shared = true;
		rc = move_links(dp, growth);
	}
	if (rc)
		return abandon(dp, growth, rc, err);
	/* One that keeps its old name is found there at the next start, with the same contents. */
	(void)each_new(dp, growth, rename_new);
	exchange(dp, growth);
	return 0;
}

/* --- settle -------------------------------------------------------------------------------------- */

/* The sums of `now` and what was counted since `then`, as 8-byte counters; false: nothing was. */
static bool add_difference(uint64_t *sum, const uint64_t *now, const uint64_t *then, size_t count)
{
	bool is_any = false;

	for (size_t i = 0; i < count; i++) {
		is_any |= now[i] != then[i];
		sum[i] += now[i] - then[i];
	}
	return is_any;
}

/*
 * A counter that a program raises between the two calls below loses that one; it is a few
 * microseconds, once for each counter that moved during the swap.
 */
static void settle_counters(const struct copy *copy)
{
	JN_AUTO(jn_free_mem) uint64_t *now = malloc(copy->size);
	JN_AUTO(jn_free_mem) uint64_t *sum = malloc(copy->size);

	for (uint32_t i = 0; now && sum && copy->values && i < copy->count; i++) {
		const uint64_t *then = (void *)((char *)copy->values + i * copy->size);

		if (bpf_map_lookup_elem(copy->from, &i, now) || !memcmp(now, then, copy->size) ||
		    bpf_map_lookup_elem(copy->to, &i, sum))
			continue;
		if (add_difference(sum, now, then, copy->size / sizeof(*now)))
			(void)bpf_map_update_elem(copy->to, &i, sum, BPF_EXIST);
	}
}

static void settle_live(struct jn_live *new, const struct jn_live *old, const struct jn_live *then)
{
	uint32_t opened = __atomic_load_n(&old->open, __ATOMIC_RELAXED) - then->open;
	__u64 until = then->out_until_ns;

	if (opened && old->epoch == then->epoch && new->epoch == then->epoch)
		(void)__atomic_fetch_add(&new->open, opened, __ATOMIC_RELAXED);
	if (old->out_until_ns != then->out_until_ns)
		(void)__atomic_compare_exchange_n(&new->out_until_ns, &until, old->out_until_ns,
						  false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

void jn_datapath_grow_settle(struct jn_datapath *dp, struct jn_growth **growth)
{
	struct jn_growth *g = *growth;

	if (g && g->is_shared && is_whole(g)) {
		settle_counters(&g->cursors);
		settle_counters(&g->stats);
		for (size_t i = 1; g->live && i < g->live_count; i++)
			settle_live(&dp->tables.live[i], &g->tables.live[i], &g->live[i]);
		if (g->live && !g->was_settling)
			jn_meta_set(dp, JN_META_SETTLING, false);
		jn_links_settle(dp);
	}
	growth_free(growth);
}

void jn_grow_recover(struct jn_datapath *dp)
{
	if (!(dp->tables.meta->flags & JN_META_SETTLING))
		return;
	jn_datapath_wait_grace();
	jn_live_count_anew(dp);
	jn_meta_set(dp, JN_META_SETTLING, false);
}
