/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A new state.db: empty, or with what is right of a damaged one. It is written whole to
 * state.db.tmp, renamed to state.db.new, and then takes the other's place, so that there is always
 * one or the other, whenever a crash comes:
 *
 *	state.db, no .new		the usual
 *	state.db, .new			the exchange had not begun: .new is dropped and made again
 *	no state.db, .new		the exchange had begun: it is finished
 *	no state.db, no .new		the first start
 *
 * It does NOT decide whether a file is damaged.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "store/internal.h"

#define KEPT ".damaged-"

char *jn_state_path(const char *dir, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/" JN_STATE_FILE "%s", dir, suffix) < 0 ? NULL : path;
}

static char *kept_path(const char *dir, uint64_t number, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/" JN_STATE_FILE KEPT "%llu%s", dir, (unsigned long long)number,
			suffix) < 0
		       ? NULL
		       : path;
}

static int sync_folder(const char *dir)
{
	JN_AUTO(jn_close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 || fsync(fd) != 0 ? -errno : 0;
}

/* Removes it; one that is not there is fine. */
static int drop(const char *dir, const char *suffix)
{
	JN_AUTO(jn_free_mem) char *path = jn_state_path(dir, suffix);

	if (!path)
		return -ENOMEM;
	return unlink(path) != 0 && errno != ENOENT ? -errno : 0;
}

static bool exists(const char *dir, const char *suffix)
{
	JN_AUTO(jn_free_mem) char *path = jn_state_path(dir, suffix);

	return path && access(path, F_OK) == 0;
}

/* --- setting aside --------------------------------------------------------------------------- */

/* The highest N of state.db.damaged-N, 0 when there is none. */
static int last_kept(const char *dir, uint64_t *out)
{
	static const char start[] = JN_STATE_FILE KEPT;
	DIR *folder = opendir(dir);
	struct dirent *entry;
	uint64_t last = 0;

	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		uint64_t number;

		if (strncmp(entry->d_name, start, sizeof(start) - 1) != 0)
			continue;
		number = strtoull(entry->d_name + sizeof(start) - 1, NULL, 10);
		if (number > last && number < UINT32_MAX)
			last = number;
	}
	(void)closedir(folder); /* opened for reading */
	*out = last;
	return 0;
}

/* One that is not there is fine, too. */
static int set_aside(const char *dir, const char *suffix, uint64_t number)
{
	JN_AUTO(jn_free_mem) char *from = jn_state_path(dir, suffix);
	JN_AUTO(jn_free_mem) char *to = kept_path(dir, number, suffix);

	if (!from || !to)
		return -ENOMEM;
	return rename(from, to) != 0 && errno != ENOENT ? -errno : 0;
}

static void drop_old(const char *dir, uint64_t last)
{
	for (uint64_t n = last; n > JN_STATE_KEPT; n--) {
		JN_AUTO(jn_free_mem) char *file = kept_path(dir, n - JN_STATE_KEPT, "");
		JN_AUTO(jn_free_mem) char *log = kept_path(dir, n - JN_STATE_KEPT, "-wal");
		bool is_gone = !file || unlink(file) != 0;

		if ((!log || unlink(log) != 0) && is_gone)
			return; /* nor are there older ones */
	}
}

/* state.db, damaged, becomes damaged-N; then state.db.new becomes state.db. */
static int exchange(const char *dir, uint64_t number)
{
	JN_AUTO(jn_free_mem) char *fresh = jn_state_path(dir, ".new");
	JN_AUTO(jn_free_mem) char *path = jn_state_path(dir, "");
	int rc = fresh && path ? 0 : -ENOMEM;

	if (!rc)
		rc = set_aside(dir, "", number);
	if (!rc)
		rc = set_aside(dir, "-wal", number);
	if (!rc)
		rc = drop(dir, "-journal"); /* of nothing we wrote */
	if (!rc && rename(fresh, path) != 0)
		rc = -errno;
	if (!rc)
		rc = sync_folder(dir);
	if (!rc)
		drop_old(dir, number);
	return rc;
}

int jn_rebuild_finish(const char *dir)
{
	uint64_t last = 0;
	int rc = drop(dir, ".tmp");

	if (!rc)
		rc = drop(dir, ".tmp-wal");
	if (rc || !exists(dir, ".new"))
		return rc;
	if (exists(dir, ""))
		return drop(dir, ".new");
	rc = last_kept(dir, &last);
	return rc ? rc : exchange(dir, last ? last : 1);
}

/* --- filling --------------------------------------------------------------------------------- */

struct filling {
	struct jn_database db;
	struct jn_record record;
	bool has_record;       /* of the damaged file */
	uint64_t last_version; /* stands in for a generation that cannot be read */
};

static int keep_record(struct filling *f, const struct jn_stored *row)
{
	struct jn_record record;

	if (!jn_record_read(row, &record) &&
	    (!f->has_record || record.generation > f->record.generation)) {
		f->record.generation = record.generation;
		f->has_record = true;
	}
	return 0;
}

/* A right row is kept; of one that is not, the names, if those are right. */
static int keep_row(void *arg, const struct jn_stored *row)
{
	struct filling *f = arg;
	struct jn_stored lost = { .flags = JN_STORED_DAMAGED };

	if (jn_stored_is_right(row)) {
		if (jn_stored_is_record(row))
			return keep_record(f, row);
		if (row->version > f->last_version)
			f->last_version = row->version;
		return jn_database_put(&f->db, JN_STATEMENT_PUT_NEWER, row);
	}
	if (!jn_stored_has_right_names(row) || jn_stored_is_record(row))
		return 0;
	memcpy(lost.names, row->names, sizeof(lost.names));
	jn_stored_seal(&lost);
	return jn_database_put(&f->db, JN_STATEMENT_PUT_NEWER, &lost);
}

static int count_row(void *arg, const struct jn_stored *row)
{
	struct filling *f = arg;

	f->record.count++;
	f->record.sum += row->hash;
	return 0;
}

static int fill(struct filling *f, const struct jn_pages *from)
{
	struct jn_record_text text;
	struct jn_stored row;
	int rc = jn_database_create_table(&f->db);

	if (!rc)
		rc = jn_database_prepare(&f->db);
	if (!rc)
		rc = jn_database_begin(&f->db);
	if (!rc)
		rc = jn_pages_each(from, keep_row, f);
	if (!rc)
		rc = jn_database_each(&f->db, count_row, f);
	if (rc)
		return rc;
	if (!f->has_record)
		f->record.generation = f->last_version;
	jn_record_write(&f->record, &text, &row);
	rc = jn_database_put(&f->db, JN_STATEMENT_PUT, &row);
	if (!rc)
		rc = jn_database_commit(&f->db);
	return rc ? rc : jn_database_use_log(&f->db);
}

static int build(struct filling *f, const char *path, const struct jn_pages *from)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	(void)close(fd); /* nothing was written through it */
	rc = jn_database_open(&f->db, path);
	if (!rc)
		rc = fill(f, from);
	rc = jn_database_errno(&f->db, rc);
	jn_database_close(&f->db);
	return rc;
}

int jn_rebuild(const char *dir)
{
	JN_AUTO(jn_free_mem) char *path = jn_state_path(dir, "");
	JN_AUTO(jn_free_mem) char *making = jn_state_path(dir, ".tmp");
	JN_AUTO(jn_free_mem) char *fresh = jn_state_path(dir, ".new");
	bool is_first = !exists(dir, "") && !exists(dir, "-wal");
	struct jn_pages pages = { .file = -1, .log = -1 };
	struct filling f = { 0 };
	uint64_t last = 0;
	int rc = path && making && fresh ? last_kept(dir, &last) : -ENOMEM;

	f.record.kept_as = is_first ? 0 : last + 1;
	if (!rc)
		rc = jn_pages_open(&pages, path);
	if (!rc)
		rc = build(&f, making, &pages);
	jn_pages_close(&pages);
	if (!rc && rename(making, fresh) != 0)
		rc = -errno;
	if (rc) {
		(void)drop(dir, ".tmp-wal"); /* the next start would do it, too */
		(void)drop(dir, ".tmp");
		return rc;
	}
	return exchange(dir, last + 1);
}
