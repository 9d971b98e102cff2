/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SQLite as this room uses it: one connection that holds the file for itself, so there is no file
 * of shared memory; a write-ahead log that is brought in on request only, and always truncated, so
 * that nothing old ever stands behind its end. It does NOT judge rows.
 */
#include <errno.h>
#include <string.h>

#include "store/internal.h"

#define LOG_HEAD_BYTES 32
#define FRAME_BYTES (24 + JN_STORE_PAGE_BYTES)
#define BUSY_MS 1000

#define COLUMNS "kind, namespace, name, version, flags, name_hash, hash, body"
#define BY_NAMES " WHERE kind = ?1 AND namespace = ?2 AND name = ?3"
#define INSERT " INTO object (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
#define REPLACE                                                                                    \
	" ON CONFLICT DO UPDATE SET version = excluded.version, flags = excluded.flags,"           \
	" name_hash = excluded.name_hash, hash = excluded.hash, body = excluded.body"

static const char *const texts[JN_STATEMENT_MAX] = {
	[JN_STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[JN_STATEMENT_COMMIT] = "COMMIT",
	[JN_STATEMENT_ROLLBACK] = "ROLLBACK",
	[JN_STATEMENT_FIND] = "SELECT " COLUMNS " FROM object" BY_NAMES,
	[JN_STATEMENT_PUT] = "INSERT OR REPLACE" INSERT,
	[JN_STATEMENT_PUT_NEWER] = "INSERT" INSERT REPLACE " WHERE excluded.version > version",
	[JN_STATEMENT_DELETE] = "DELETE FROM object" BY_NAMES,
	[JN_STATEMENT_COUNT_PAGES] = "PRAGMA page_count",
	[JN_STATEMENT_EACH] = "SELECT " COLUMNS " FROM object",
};

/* secure_delete: what is gone is zero, so pages can be read without knowing which are in use. */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA cache_size = -2048;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA mmap_size = 0;"
			       "PRAGMA secure_delete = ON;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA trusted_schema = OFF;";

#define TEXT(number) #number
#define NUMBER(name) TEXT(name)
#define PAGE_SIZE NUMBER(JN_STORE_PAGE_BYTES)

/* Without a journal: a file that is not whole yet has no name of its own (rebuild.c). */
static const char layout[] = "PRAGMA page_size = " PAGE_SIZE ";"
			     "PRAGMA auto_vacuum = NONE;"
			     "PRAGMA journal_mode = OFF;";

static const char table[] = "CREATE TABLE object ("
			    "kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,"
			    "version INTEGER NOT NULL, flags INTEGER NOT NULL,"
			    "name_hash INTEGER NOT NULL, hash INTEGER NOT NULL, body BLOB,"
			    "PRIMARY KEY (kind, namespace, name)) STRICT, WITHOUT ROWID;"
			    "PRAGMA user_version = " NUMBER(JN_STORE_FORMAT) ";";

static int note_log(void *arg, sqlite3 *sql, const char *name, int frames)
{
	struct jn_database *db = arg;

	(void)sql;
	(void)name;
	db->log_frames = frames;
	return SQLITE_OK;
}

int jn_database_open(struct jn_database *db, const char *path)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
		    SQLITE_OPEN_EXRESCODE;
	int rc = sqlite3_open_v2(path, &db->sql, flags, NULL);

	if (rc)
		return rc;
	db->log_frames = -1;
	(void)sqlite3_busy_timeout(db->sql, BUSY_MS); /* cannot fail */
	(void)sqlite3_limit(db->sql, SQLITE_LIMIT_LENGTH, JN_STORE_MAX_ROW_BYTES);
	(void)sqlite3_wal_hook(db->sql, note_log, db); /* instead of SQLite's own checkpoints */
	(void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return sqlite3_exec(db->sql, settings, NULL, NULL, NULL);
}

int jn_database_create_table(struct jn_database *db)
{
	int rc = sqlite3_exec(db->sql, layout, NULL, NULL, NULL);

	return rc ? rc : sqlite3_exec(db->sql, table, NULL, NULL, NULL);
}

int jn_database_prepare(struct jn_database *db)
{
	int rc = 0;

	for (int i = 0; i < JN_STATEMENT_MAX && !rc; i++)
		rc = sqlite3_prepare_v3(db->sql, texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					&db->statements[i], NULL);
	return rc;
}

int jn_database_use_log(struct jn_database *db)
{
	int chunk = JN_STORE_PAGE_BYTES; /* without one, hints of the size are not followed */

	(void)sqlite3_db_config(db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
	(void)sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_CHUNK_SIZE, &chunk);
	return sqlite3_exec(db->sql, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
}

void jn_database_close(struct jn_database *db)
{
	for (int i = 0; i < JN_STATEMENT_MAX; i++)
		(void)sqlite3_finalize(db->statements[i]); /* repeats an error already told */
	(void)sqlite3_close(db->sql); /* nothing is open that it could refuse for */
	*db = (struct jn_database){ 0 };
}

int jn_database_number(struct jn_database *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *statement = NULL;
	int rc = sqlite3_prepare_v2(db->sql, sql, -1, &statement, NULL);

	if (rc)
		return rc;
	rc = sqlite3_step(statement);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(statement, 0);
	(void)sqlite3_finalize(statement); /* the step told its error */
	return rc == SQLITE_ROW ? 0 : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

static int is_ok(void *arg, int count, char **values, char **names)
{
	(void)names;
	*(bool *)arg = count == 1 && values[0] && !strcmp(values[0], "ok");
	return 0;
}

int jn_database_check(struct jn_database *db, bool *is_sound)
{
	bool ok = false;
	int rc = sqlite3_exec(db->sql, "PRAGMA quick_check(1)", is_ok, &ok, NULL);

	*is_sound = !rc && ok && !sqlite3_db_readonly(db->sql, "main");
	return rc;
}

/* --- statements ------------------------------------------------------------------------------ */

static int run(struct jn_database *db, enum jn_statement which)
{
	sqlite3_stmt *statement = db->statements[which];
	int rc = sqlite3_step(statement);

	(void)sqlite3_reset(statement); /* the step told its error */
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : rc;
}

int jn_database_begin(struct jn_database *db)
{
	/* A rollback that found no memory left its transaction open: it is done now. */
	if (!sqlite3_get_autocommit(db->sql))
		jn_database_rollback(db);
	if (!sqlite3_get_autocommit(db->sql))
		return SQLITE_NOMEM;
	return run(db, JN_STATEMENT_BEGIN);
}

int jn_database_commit(struct jn_database *db)
{
	return run(db, JN_STATEMENT_COMMIT);
}

/* posix_fallocate of the main file, by SQLite's own descriptor: closing another drops its locks. */
int jn_database_reserve(struct jn_database *db)
{
	sqlite3_stmt *statement = db->statements[JN_STATEMENT_COUNT_PAGES];
	int64_t bytes = 0;
	int rc = sqlite3_step(statement);

	if (rc == SQLITE_ROW)
		bytes = sqlite3_column_int64(statement, 0) * JN_STORE_PAGE_BYTES;
	(void)sqlite3_reset(statement); /* the step told its error */
	if (rc != SQLITE_ROW)
		return rc;
	rc = sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_SIZE_HINT, &bytes);
	return rc == SQLITE_IOERR_WRITE ? SQLITE_FULL : rc;
}

int jn_database_be_lazy(struct jn_database *db, bool is_lazy)
{
	return sqlite3_exec(db->sql,
			    is_lazy ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL",
			    NULL, NULL, NULL);
}

int jn_database_sync_log(struct jn_database *db)
{
	sqlite3_file *log = NULL;
	int rc = sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);

	if (rc || !log || !log->pMethods)
		return rc;
	return log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
}

/*
 * What a transaction that did not fit has written to the log stays there and takes the room that
 * was too small: give it back.
 */
void jn_database_rollback(struct jn_database *db)
{
	sqlite3_file *log = NULL;

	if (!sqlite3_get_autocommit(db->sql))
		(void)run(db, JN_STATEMENT_ROLLBACK);
	if (!sqlite3_get_autocommit(db->sql))
		return; /* no memory: the next jn_database_begin tries again */
	if (db->log_frames < 0 ||
	    sqlite3_file_control(db->sql, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) || !log ||
	    !log->pMethods)
		return;
	(void)log->pMethods->xTruncate(log, jn_database_log_bytes(db)); /* only room is at stake */
}

static int bind_names(sqlite3_stmt *statement, const struct jn_stored *row)
{
	int rc = 0;

	for (int i = 0; i < JN_NAME_COUNT && !rc; i++)
		rc = sqlite3_bind_text(statement, 1 + i, row->names[i].data,
				       (int)row->names[i].size, SQLITE_STATIC);
	return rc;
}

int jn_database_put(struct jn_database *db, enum jn_statement which, const struct jn_stored *row)
{
	sqlite3_stmt *statement = db->statements[which];
	const uint64_t numbers[] = { row->version, row->flags, row->name_hash, row->hash };
	int rc = bind_names(statement, row);

	for (int i = 0; i < 4 && !rc; i++)
		rc = sqlite3_bind_int64(statement, 4 + i, (int64_t)numbers[i]);
	if (!rc)
		rc = sqlite3_bind_blob64(statement, 8, row->body.data, row->body.size,
					 SQLITE_STATIC);
	return rc ? rc : run(db, which);
}

int jn_database_delete(struct jn_database *db, const struct jn_stored *row)
{
	int rc = bind_names(db->statements[JN_STATEMENT_DELETE], row);

	return rc ? rc : run(db, JN_STATEMENT_DELETE);
}

static void take_columns(sqlite3_stmt *statement, struct jn_stored *out)
{
	for (int i = 0; i < JN_NAME_COUNT; i++) {
		const char *text = (const char *)sqlite3_column_text(statement, i);

		out->names[i].data = text ? text : "";
		out->names[i].size = text ? (size_t)sqlite3_column_bytes(statement, i) : 0;
	}
	out->version = (uint64_t)sqlite3_column_int64(statement, 3);
	out->flags = (uint64_t)sqlite3_column_int64(statement, 4);
	out->name_hash = (uint64_t)sqlite3_column_int64(statement, 5);
	out->hash = (uint64_t)sqlite3_column_int64(statement, 6);
	out->body = (struct jn_span){ 0 };
	if (sqlite3_column_type(statement, 7) == SQLITE_NULL)
		return;
	out->body.data = sqlite3_column_blob(statement, 7); /* NULL where it is empty */
	out->body.size = (size_t)sqlite3_column_bytes(statement, 7);
	if (!out->body.data)
		out->body.data = "";
}

static int each(sqlite3_stmt *statement, jn_stored_visit visit, void *arg)
{
	struct jn_stored row;
	int rc = sqlite3_step(statement);

	while (rc == SQLITE_ROW) {
		take_columns(statement, &row);
		rc = visit(arg, &row);
		if (!rc)
			rc = sqlite3_step(statement);
		else
			break;
	}
	(void)sqlite3_reset(statement); /* the step told its error */
	return rc == SQLITE_DONE ? 0 : rc;
}

int jn_database_find(struct jn_database *db, const struct jn_stored *key, jn_stored_visit visit,
		     void *arg)
{
	int rc = bind_names(db->statements[JN_STATEMENT_FIND], key);

	return rc ? rc : each(db->statements[JN_STATEMENT_FIND], visit, arg);
}

int jn_database_each(struct jn_database *db, jn_stored_visit visit, void *arg)
{
	return each(db->statements[JN_STATEMENT_EACH], visit, arg);
}

/* --- the log --------------------------------------------------------------------------------- */

int64_t jn_database_log_bytes(const struct jn_database *db)
{
	return db->log_frames > 0 ? LOG_HEAD_BYTES + db->log_frames * FRAME_BYTES : 0;
}

int jn_database_fold_log(struct jn_database *db)
{
	int rc = sqlite3_wal_checkpoint_v2(db->sql, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);

	if (!rc)
		db->log_frames = 0;
	(void)sqlite3_db_release_memory(db->sql); /* pages of a large transaction: cannot fail */
	return rc;
}

/* --- errors ---------------------------------------------------------------------------------- */

bool jn_database_is_damage(int result)
{
	if (result < 0)
		return false;
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_NOMEM:
	case SQLITE_FULL:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		return false;
	case SQLITE_IOERR:
		return result == SQLITE_IOERR_SHORT_READ || result == SQLITE_IOERR_CORRUPTFS ||
		       result == SQLITE_IOERR_DATA;
	}
	return true; /* also READONLY: that the file may be written was tried before */
}

int jn_database_errno(struct jn_database *db, int result)
{
	int of_system = db->sql ? sqlite3_system_errno(db->sql) : 0;

	if (result <= 0)
		return result;
	switch (result & 0xff) {
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_TOOBIG:
		return -E2BIG;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		if (result == SQLITE_IOERR_NOMEM)
			return -ENOMEM;
		if (of_system == EDQUOT)
			return -ENOSPC;
		return of_system > 0 ? -of_system : -EIO;
	}
	return -EIO;
}
