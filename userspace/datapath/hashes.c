/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hash tables, many entries a system call. It does NOT retry what the kernel refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "datapath/internal.h"

#define CHUNK 1024 /* entries a system call: its cost is long paid for, and memory stays small */

static const void *entry_at(const void *entries, size_t i, size_t size)
{
	return (const char *)entries + i * size;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static struct jn_hash frontends_of(const struct jn_datapath *dp)
{
	return (struct jn_hash){ dp->frontends, sizeof(struct jn_frontend_key),
				 sizeof(struct jn_frontend) };
}

static struct jn_hash names_of(const struct jn_datapath *dp)
{
	return (struct jn_hash){ dp->names, sizeof(uint32_t), sizeof(struct jn_name) };
}

/* The kernel says how many entries of a piece it took before it refused one. */
static int put_all(const struct jn_hash *hash, const void *keys, const void *values, size_t count,
		   size_t *done)
{
	size_t at = 0;
	int rc = 0;

	while (at < count && !rc) {
		uint32_t n = (uint32_t)smaller(count - at, CHUNK);

		rc = bpf_map_update_batch(hash->fd, entry_at(keys, at, hash->key_size),
					  entry_at(values, at, hash->value_size), &n, NULL);
		at += n;
	}
	*done = at;
	return rc;
}

/* The kernel stops at a key that is not there: go on behind it. */
static int del_all(const struct jn_hash *hash, const void *keys, size_t count)
{
	size_t at = 0;

	while (at < count) {
		uint32_t n = (uint32_t)smaller(count - at, CHUNK);
		int rc = bpf_map_delete_batch(hash->fd, entry_at(keys, at, hash->key_size), &n,
					      NULL);

		if (rc && rc != -ENOENT)
			return rc;
		at += n + (rc == -ENOENT);
	}
	return 0;
}

int jn_datapath_put_frontends(struct jn_datapath *dp, const struct jn_frontend_key *keys,
			      const struct jn_frontend *values, size_t count, size_t *done)
{
	struct jn_hash hash = frontends_of(dp);

	return put_all(&hash, keys, values, count, done);
}

int jn_datapath_get_frontend(struct jn_datapath *dp, const struct jn_frontend_key *key,
			     struct jn_frontend *out)
{
	return bpf_map_lookup_elem(dp->frontends, key, out);
}

int jn_datapath_del_frontends(struct jn_datapath *dp, const struct jn_frontend_key *keys,
			      size_t count)
{
	struct jn_hash hash = frontends_of(dp);

	return del_all(&hash, keys, count);
}

int jn_datapath_put_names(struct jn_datapath *dp, const uint32_t *services,
			  const struct jn_name *names, size_t count, size_t *done)
{
	struct jn_hash hash = names_of(dp);

	return put_all(&hash, services, names, count, done);
}

int jn_datapath_del_names(struct jn_datapath *dp, const uint32_t *services, size_t count)
{
	struct jn_hash hash = names_of(dp);

	return del_all(&hash, services, count);
}

int jn_datapath_get_name(struct jn_datapath *dp, uint32_t service, struct jn_name *out)
{
	return bpf_map_lookup_elem(dp->names, &service, out);
}

/* --- walking ----------------------------------------------------------------------------------- */

struct walk {
	const struct jn_hash *hash;
	void *keys, *values;
	uint32_t capacity;
	uint32_t bucket; /* the kernel's place: the next bucket */
	bool has_begun;
};

static void walk_done(struct walk *w)
{
	free(w->keys);
	free(w->values);
}

static int walk_grow(struct walk *w, size_t capacity)
{
	void *keys = reallocarray(w->keys, capacity, w->hash->key_size), *values;

	if (!keys)
		return -ENOMEM;
	w->keys = keys;
	values = reallocarray(w->values, capacity, w->hash->value_size);
	if (!values)
		return -ENOMEM;
	w->values = values;
	w->capacity = (uint32_t)capacity;
	return 0;
}

/* The next piece: *count entries. -ENOENT: it was the last one. */
static int walk_next(struct walk *w, uint32_t *count)
{
	for (;;) {
		uint32_t next = 0;
		int rc;

		*count = w->capacity;
		rc = bpf_map_lookup_batch(w->hash->fd, w->has_begun ? &w->bucket : NULL, &next,
					  w->keys, w->values, count, NULL);
		if (rc == -ENOSPC) { /* the next bucket alone is larger than the piece */
			rc = walk_grow(w, (size_t)w->capacity * 2);
			if (rc)
				return rc;
			continue;
		}
		w->bucket = next;
		w->has_begun = true;
		return rc;
	}
}

int jn_hash_each(const struct jn_hash *hash, size_t chunk, jn_entry_fn fn, void *arg)
{
	JN_AUTO(walk_done) struct walk w = { .hash = hash };
	int last = walk_grow(&w, chunk);

	while (!last) {
		uint32_t count;

		last = walk_next(&w, &count);
		if (last && last != -ENOENT)
			return last;
		for (uint32_t i = 0; i < count; i++) {
			int rc = fn(arg, entry_at(w.keys, i, hash->key_size),
				    entry_at(w.values, i, hash->value_size));

			if (rc)
				return rc;
		}
	}
	return last == -ENOENT ? 0 : last;
}

struct frontend_walk {
	jn_frontend_fn fn;
	void *arg;
};

static int on_frontend(void *arg, const void *key, const void *value)
{
	const struct frontend_walk *walk = arg;

	return walk->fn(walk->arg, key, value);
}

static int open_again(int table, int *out)
{
	int fd = fcntl(table, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	*out = fd;
	return 0;
}

int jn_datapath_open_frontends(const struct jn_datapath *dp, int *out)
{
	return open_again(dp->frontends, out);
}

int jn_frontends_each(int frontends, jn_frontend_fn fn, void *arg)
{
	const struct jn_hash hash = { .fd = frontends,
				      .key_size = sizeof(struct jn_frontend_key),
				      .value_size = sizeof(struct jn_frontend) };
	struct frontend_walk walk = { fn, arg };

	return jn_hash_each(&hash, CHUNK, on_frontend, &walk);
}

int jn_datapath_each_frontend(struct jn_datapath *dp, jn_frontend_fn fn, void *arg)
{
	return jn_frontends_each(dp->frontends, fn, arg);
}

struct name_walk {
	jn_name_fn fn;
	void *arg;
};

static int on_name(void *arg, const void *key, const void *value)
{
	const struct name_walk *walk = arg;

	return walk->fn(walk->arg, *(const uint32_t *)key, value);
}

int jn_datapath_open_names(const struct jn_datapath *dp, int *out)
{
	return open_again(dp->names, out);
}

int jn_names_each(int names, jn_name_fn fn, void *arg)
{
	const struct jn_hash hash = { .fd = names,
				      .key_size = sizeof(uint32_t),
				      .value_size = sizeof(struct jn_name) };
	struct name_walk walk = { fn, arg };

	return jn_hash_each(&hash, CHUNK, on_name, &walk);
}

int jn_datapath_each_name(struct jn_datapath *dp, jn_name_fn fn, void *arg)
{
	return jn_names_each(dp->names, fn, arg);
}
