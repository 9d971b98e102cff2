/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open, check, tell, commit. A file is checked as a whole before a row of it is told: what SQLite
 * says of its structure, each row's hash, and their number and sum against the record of the last
 * commit. Where anything is wrong the file is rebuilt first (rebuild.c), so that what the reader is
 * told is what is on disk from now on; a start that ends half way is told the same the next time.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "store/internal.h"

#define LOG_BYTES (4 << 20) /* of the write-ahead log, before it is brought in */

struct jn_store {
	struct jn_database db;
	struct jn_record record; /* of the last commit */
	bool is_lazy;		 /* commits do not wait for the disk */
	bool is_behind;		 /* some did not, and are not known to be there */
};

/* --- checking -------------------------------------------------------------------------------- */

enum verdict { WHOLE, DAMAGED, NEWER };

struct check {
	struct jn_record found, record;
	bool has_record, has_wrong_row;
};

static int check_row(void *arg, const struct jn_stored *row)
{
	struct check *c = arg;

	if (!jn_stored_is_right(row)) {
		c->has_wrong_row = true;
	} else if (jn_stored_is_record(row)) {
		c->has_record = !jn_record_read(row, &c->record);
	} else {
		c->found.count++;
		c->found.sum += row->hash;
	}
	return 0;
}

/* Is it there, an ordinary file, ours to write, and of any size? Its mode is made ours. */
static int probe(const char *path, uint64_t *size)
{
	JN_AUTO(jn_close_fd) int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) != 0)
		return -errno;
	if (!S_ISREG(info.st_mode))
		return -EEXIST;
	if ((info.st_mode & 07777) != 0600 && fchmod(fd, 0600) != 0)
		return -errno;
	*size = (uint64_t)info.st_size;
	return 0;
}

/* SQLite drops the end of a damaged log in silence: docs/decisions/0003-rows-without-sqlite.md. */
static int check_log(const char *path, enum verdict *out)
{
	struct jn_pages pages;
	int rc = jn_pages_open(&pages, path);

	if (rc)
		return rc;
	*out = pages.is_log_cut ? DAMAGED : WHOLE;
	jn_pages_close(&pages);
	return 0;
}

/* An SQLite result; also damage is one. */
static int check_rows(struct jn_store *store, const char *path, enum verdict *out)
{
	struct check c = { 0 };
	bool is_sound = false;
	int64_t format = 0;
	int rc = jn_database_open(&store->db, path);

	if (!rc)
		rc = jn_database_number(&store->db, "PRAGMA user_version", &format);
	if (!rc)
		rc = jn_database_prepare(&store->db);
	if (!rc)
		rc = jn_database_each(&store->db, check_row, &c);
	if (!rc)
		rc = jn_database_check(&store->db, &is_sound);
	*out = WHOLE;
	/* The record is hashed with its format: where it is right, only the number is wrong. */
	if (format > JN_STORE_FORMAT && !c.has_record)
		*out = NEWER;
	else if (rc || format != JN_STORE_FORMAT || c.has_wrong_row || !c.has_record ||
		 c.found.count != c.record.count || c.found.sum != c.record.sum || !is_sound)
		*out = DAMAGED;
	store->record = c.record;
	return rc;
}

/* With WHOLE the database is open, otherwise closed. */
static int check(struct jn_store *store, const char *path, enum verdict *out)
{
	enum verdict verdict = DAMAGED;
	uint64_t size = 0;
	int rc = probe(path, &size);

	if (!rc && size) /* SQLite would take an empty file for a new one, and drop the log */
		rc = check_log(path, &verdict);
	if (!rc && verdict == WHOLE) {
		rc = check_rows(store, path, &verdict);
		rc = jn_database_is_damage(rc) ? 0 : jn_database_errno(&store->db, rc);
	}
	if (rc || verdict != WHOLE)
		jn_database_close(&store->db);
	if (!rc)
		*out = verdict;
	return rc;
}

/* --- opening --------------------------------------------------------------------------------- */

static int tell_row(void *arg, const struct jn_stored *row)
{
	const struct jn_store_reader *reader = arg;
	const char *kind = row->names[JN_NAME_KIND].data;
	const char *namespace_ = row->names[JN_NAME_NAMESPACE].data;
	const char *name = row->names[JN_NAME_NAME].data;
	const struct jn_row told = {
		.kind = kind,
		.namespace_ = namespace_,
		.name = name,
		.version = row->version,
		.body = row->body.data,
		.body_size = row->body.size,
		.is_recovered = row->flags & JN_STORED_RECOVERED,
	};

	if (!jn_stored_is_right(row)) /* it was, a moment ago */
		reader->bad_row(reader->arg, "", "", "");
	else if (row->flags & JN_STORED_DAMAGED || !row->body.data)
		reader->bad_row(reader->arg, kind, namespace_, name);
	else if (!jn_stored_is_record(row))
		return reader->row(reader->arg, &told);
	return 0;
}

static int tell(struct jn_store *store, const char *dir, const struct jn_store_reader *reader)
{
	JN_AUTO(jn_free_mem) char *sentence = NULL;

	if (store->record.kept_as) {
		if (asprintf(&sentence,
			     "StateDamaged: the stored state was damaged and has been rebuilt from "
			     "what was right of it; the damaged file is kept as %s/" JN_STATE_FILE
			     ".damaged-%llu: compare junctor get with your files",
			     dir, (unsigned long long)store->record.kept_as) < 0)
			return -ENOMEM;
		reader->damaged(reader->arg, sentence);
	}
	return jn_database_errno(&store->db,
				 jn_database_each(&store->db, tell_row, (void *)reader));
}

static int fail_open(int rc, const char *dir, struct jn_error *err)
{
	if (rc == -EBUSY)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "%s/" JN_STATE_FILE " is in use by another program; end that "
				    "program and start junctord again",
				    dir);
	if (rc == -EPROTO)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "%s/" JN_STATE_FILE " was written by a newer junctord; start "
				    "that version, or choose another folder with --state-dir",
				    dir);
	return jn_error_set(err, rc, rc == -ENOSPC ? JN_ERROR_DISK_FULL : JN_ERROR_UNAVAILABLE,
			    "no state can be kept in %s (%s); make the folder writable and its "
			    "disk roomy, or choose another with --state-dir",
			    dir, strerror(-rc));
}

/* Rebuilt at most once: a file that is wrong again at once lies on a disk that cannot be used. */
static int open_right(struct jn_store *store, const char *dir)
{
	JN_AUTO(jn_free_mem) char *path = jn_state_path(dir, "");
	enum verdict verdict = DAMAGED;
	int rc = path ? jn_rebuild_finish(dir) : -ENOMEM;

	if (!rc)
		rc = check(store, path, &verdict);
	if (rc == -ENOENT || (!rc && verdict == DAMAGED)) {
		rc = jn_rebuild(dir);
		if (!rc)
			rc = check(store, path, &verdict);
	}
	if (rc)
		return rc;
	return verdict == WHOLE ? 0 : verdict == NEWER ? -EPROTO : -EIO;
}

int jn_store_open(const char *dir, const struct jn_store_reader *reader, struct jn_store **out,
		  uint64_t *generation, struct jn_error *err)
{
	JN_AUTO(jn_store_close) struct jn_store *store = calloc(1, sizeof(*store));
	int rc = store ? open_right(store, dir) : -ENOMEM;

	if (!rc)
		rc = jn_database_errno(&store->db, jn_database_use_log(&store->db));
	if (rc)
		return fail_open(rc, dir, err);
	rc = tell(store, dir, reader);
	if (rc)
		return rc;
	(void)jn_database_fold_log(&store->db); /* with a full disk it stays as it is */
	*generation = store->record.generation;
	*out = JN_MOVE(store);
	return 0;
}

void jn_store_close(struct jn_store **store)
{
	struct jn_store *s = *store;

	*store = NULL;
	if (!s)
		return;
	jn_database_close(&s->db);
	free(s);
}

/* --- writing --------------------------------------------------------------------------------- */

/* What a change does to number and sum. */
struct change {
	struct jn_store *store;
	struct jn_record *record;
	bool is_damaged;
	bool was_there;
};

static int take_out(void *arg, const struct jn_stored *row)
{
	struct change *c = arg;

	c->was_there = true;
	c->record->count--;
	c->record->sum -= row->hash;
	return 0;
}

static int put_row(struct change *c, struct jn_stored *row)
{
	jn_stored_seal(row);
	c->record->count++;
	c->record->sum += row->hash;
	return jn_database_put(&c->store->db, JN_STATEMENT_PUT, row);
}

static int change_row(struct jn_store *store, struct jn_record *record, const struct jn_row *from)
{
	struct change c = { .store = store, .record = record };
	struct jn_stored row;
	int rc;

	jn_stored_init(&row, from);
	rc = jn_database_find(&store->db, &row, take_out, &c);
	if (!rc && row.body.data)
		return put_row(&c, &row);
	return !rc && c.was_there ? jn_database_delete(&store->db, &row) : rc;
}

static int put_record(struct jn_store *store, const struct jn_record *record)
{
	struct jn_record_text text;
	struct jn_stored row;

	jn_record_write(record, &text, &row);
	return jn_database_put(&store->db, JN_STATEMENT_PUT, &row);
}

/* The end of a transaction, whatever came before it. */
static int end(struct jn_store *store, int rc, const struct jn_record *record)
{
	if (!rc)
		rc = put_record(store, record);
	if (!rc)
		rc = jn_database_reserve(&store->db);
	if (!rc)
		rc = jn_database_commit(&store->db);
	if (!rc) {
		store->record = *record;
		return 0;
	}
	rc = jn_database_is_damage(rc) ? -EUCLEAN : jn_database_errno(&store->db, rc);
	jn_database_rollback(&store->db);
	return rc;
}

static int commit(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
		  size_t count)
{
	struct jn_record record = store->record;
	int rc = jn_database_begin(&store->db);

	record.generation = generation;
	record.kept_as = 0;
	for (size_t i = 0; i < count && !rc; i++)
		rc = change_row(store, &record, &rows[i]);
	return end(store, rc, &record);
}

static int fail_commit(int rc, struct jn_error *err)
{
	if (rc == -ENOSPC)
		return jn_error_set(err, rc, JN_ERROR_DISK_FULL,
				    "there is no room on the disk to keep this (%s); nothing was "
				    "applied: free some below the state folder and try again",
				    strerror(-rc));
	if (rc == -ENOMEM)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "out of memory; nothing was applied: try again with less, or "
				    "give junctord more memory");
	if (rc == -EUCLEAN)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the file that keeps the state is damaged; nothing was "
				    "applied: restart junctord, which rebuilds it, and try again");
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "this cannot be kept on the disk (%s); nothing was applied: "
			    "check the disk of the state folder and try again",
			    strerror(-rc));
}

static int commit_rows(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
		       size_t count, struct jn_error *err)
{
	int rc = commit(store, generation, rows, count);

	/* The log may be what fills the disk: a page lies in it once for each of its changes. */
	if (rc == -ENOSPC && !jn_database_fold_log(&store->db))
		rc = commit(store, generation, rows, count);
	return rc ? fail_commit(rc, err) : 0;
}

static int be_lazy(struct jn_store *store, bool is_lazy)
{
	int rc = 0;

	if (store->is_lazy != is_lazy)
		rc = jn_database_errno(&store->db, jn_database_be_lazy(&store->db, is_lazy));
	if (!rc)
		store->is_lazy = is_lazy;
	return rc;
}

int jn_store_commit(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
		    size_t count, struct jn_error *err)
{
	int rc = be_lazy(store, false);

	if (rc)
		return fail_commit(rc, err);
	rc = commit_rows(store, generation, rows, count, err);
	if (!rc)
		store->is_behind = false; /* the log is one file: what stands before went along */
	return rc;
}

int jn_store_commit_soon(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
			 size_t count, struct jn_error *err)
{
	int rc;

	(void)be_lazy(store, true); /* else it waits: slow, not wrong */
	rc = commit_rows(store, generation, rows, count, err);
	store->is_behind |= store->is_lazy && !rc;
	return rc;
}

/* The body stays for people, if it is right; it is not told while the mark is there. */
static int mark_row(void *arg, const struct jn_stored *found)
{
	struct change *c = arg;
	struct jn_stored row = *found;
	int rc;

	(void)take_out(c, found); /* cannot fail */
	if (!jn_stored_is_right(found))
		row.body = (struct jn_span){ 0 };
	row.flags &= ~(uint64_t)JN_STORED_DAMAGED;
	row.flags |= c->is_damaged ? JN_STORED_DAMAGED : 0;
	rc = row.body.data || c->is_damaged ? put_row(c, &row)
					    : jn_database_delete(&c->store->db, &row);
	return rc ? rc : SQLITE_DONE; /* there is one row of a name */
}

int jn_store_set_damaged(struct jn_store *store, const struct jn_row *key, bool is_damaged)
{
	struct jn_record record = store->record;
	struct change c = { .store = store, .record = &record, .is_damaged = is_damaged };
	struct jn_row no_row = *key;
	struct jn_stored row;
	int rc = jn_database_begin(&store->db);

	no_row.body = NULL;
	no_row.version = 0;
	no_row.is_recovered = false;
	jn_stored_init(&row, &no_row);
	row.flags = JN_STORED_DAMAGED;
	if (!rc)
		rc = jn_database_find(&store->db, &row, mark_row, &c);
	if (!rc && is_damaged && !c.was_there)
		rc = put_row(&c, &row);
	return end(store, rc, &record);
}

void jn_store_tidy(struct jn_store *store)
{
	if (store->is_behind)
		store->is_behind = jn_database_sync_log(&store->db) != 0; /* else once more, then */
	if (jn_database_log_bytes(&store->db) > LOG_BYTES)
		(void)jn_database_fold_log(&store->db); /* the next idle moment tries again */
}
