/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For the tests of the store: a folder of its own, and what a reader was told.
 */
#ifndef JUNCTOR_TEST_STORE_CASE_H
#define JUNCTOR_TEST_STORE_CASE_H

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "store/store.h"

#define MOST 256 /* rows, and bad rows, that one reader is told */

struct told_row {
	char kind[64], namespace_[64], name[64];
	uint64_t version;
	char *body;
	size_t body_size;
	bool is_recovered;
};

struct told {
	struct told_row rows[MOST], bad[MOST];
	size_t count, bad_count, damaged_count;
	char sentence[512];
	uint64_t generation;
	int stop_with; /* what the row callback answers */
};

static inline void told_done(struct told *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->rows[i].body);
	*t = (struct told){ 0 };
}

static inline int told_row(void *arg, const struct jn_row *row)
{
	struct told *t = arg;
	struct told_row *to = &t->rows[t->count];

	if (t->stop_with)
		return t->stop_with;
	assert_true(t->count < MOST);
	t->count++;
	(void)snprintf(to->kind, sizeof(to->kind), "%s", row->kind);
	(void)snprintf(to->namespace_, sizeof(to->namespace_), "%s", row->namespace_);
	(void)snprintf(to->name, sizeof(to->name), "%s", row->name);
	to->version = row->version;
	to->is_recovered = row->is_recovered;
	to->body_size = row->body_size;
	to->body = malloc(row->body_size + 1);
	assert_non_null(to->body);
	memcpy(to->body, row->body, row->body_size);
	to->body[row->body_size] = 0;
	return 0;
}

static inline void told_bad(void *arg, const char *kind, const char *namespace_, const char *name)
{
	struct told *t = arg;
	struct told_row *to = &t->bad[t->bad_count++];

	assert_true(t->bad_count < MOST);
	(void)snprintf(to->kind, sizeof(to->kind), "%s", kind);
	(void)snprintf(to->namespace_, sizeof(to->namespace_), "%s", namespace_);
	(void)snprintf(to->name, sizeof(to->name), "%s", name);
}

static inline void told_damaged(void *arg, const char *sentence)
{
	struct told *t = arg;

	t->damaged_count++;
	(void)snprintf(t->sentence, sizeof(t->sentence), "%s", sentence);
}

static inline int try_open(const char *dir, struct told *t, struct jn_store **store,
			   struct jn_error *err)
{
	struct jn_store_reader reader = { t, told_row, told_bad, told_damaged };

	return jn_store_open(dir, &reader, store, &t->generation, err);
}

static inline struct jn_store *must_open(const char *dir, struct told *t)
{
	struct jn_error err = { 0 };
	struct jn_store *store = NULL;
	int rc = try_open(dir, t, &store, &err);

	if (rc)
		fail_msg("%d: %s", rc, jn_error_text(&err));
	jn_error_done(&err);
	return store;
}

/* What one object is told to be; NULL where it is not there. */
static inline const struct told_row *find_told(const struct told_row *rows, size_t count,
					       const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

static inline struct jn_row row_of(const char *name, uint64_t version, const char *body)
{
	return (struct jn_row){
		.kind = "LocalService",
		.namespace_ = "default",
		.name = name,
		.version = version,
		.body = body,
		.body_size = body ? strlen(body) : 0,
	};
}

/* A new folder; in memory, where syncs cost nothing. */
static inline void make_folder(char *out, size_t size)
{
	(void)snprintf(out, size, "%s/store-test-XXXXXX",
		       access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	assert_non_null(mkdtemp(out));
}

static inline int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
	(void)info;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline int remove_folder(const char *dir)
{
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Of a file in it; valid until the next call. */
static inline char *path_in(const char *dir, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

#endif
