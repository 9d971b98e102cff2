/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between the files of this room.
 *
 * There is one table, `object`, and one b-tree: rows lie in it by their names. The row without
 * names is the record of the last commit. Every row is checked by itself, so it can be trusted
 * wherever it is found, also in a file that SQLite refuses to read.
 */
#ifndef JUNCTOR_STORE_INTERNAL_H
#define JUNCTOR_STORE_INTERNAL_H

#include <sqlite3.h>

#include "store/store.h"

/* In the file as user_version, and in every hash: a row of another format is never right. */
#define JN_STORE_FORMAT 1
#define JN_STORE_PAGE_BYTES 4096
#define JN_STORE_MAX_ROW_BYTES (16 << 20) /* an object has 4 MiB at most; more is damage */

/* --- row.c: what a row is -------------------------------------------------------------------- */

struct jn_span {
	const char *data;
	size_t size;
};

enum { JN_NAME_KIND, JN_NAME_NAMESPACE, JN_NAME_NAME, JN_NAME_COUNT };

#define JN_STORED_RECOVERED 1u
#define JN_STORED_DAMAGED 2u /* declared once, and not what was declared any more */

struct jn_stored {
	struct jn_span names[JN_NAME_COUNT];
	uint64_t version;
	uint64_t flags;
	uint64_t name_hash;  /* of the names alone: they can be right where the rest is not */
	uint64_t hash;	     /* of all of it */
	struct jn_span body; /* data NULL: none, the object is lost */
};

/* The record of the last commit. */
struct jn_record {
	uint64_t generation;
	uint64_t count;	  /* rows, without the record itself */
	uint64_t sum;	  /* of their hashes, modulo 2^64 */
	uint64_t kept_as; /* N of state.db.damaged-N that this file was rebuilt from, and nothing
			     has been declared since; 0: none */
};

struct jn_record_text {
	char text[96];
};

void jn_stored_init(struct jn_stored *row, const struct jn_row *from);
void jn_stored_seal(struct jn_stored *row); /* sets both hashes */
bool jn_stored_has_right_names(const struct jn_stored *row);
bool jn_stored_is_right(const struct jn_stored *row);
bool jn_stored_is_record(const struct jn_stored *row);

/* The record as a sealed row; its body stands in `text`. */
void jn_record_write(const struct jn_record *record, struct jn_record_text *text,
		     struct jn_stored *out);
int jn_record_read(const struct jn_stored *row, struct jn_record *out); /* of a right row */

/* --- database.c: SQLite ---------------------------------------------------------------------- */

enum jn_statement {
	JN_STATEMENT_BEGIN,
	JN_STATEMENT_COMMIT,
	JN_STATEMENT_ROLLBACK,
	JN_STATEMENT_FIND,	/* by the names */
	JN_STATEMENT_PUT,	/* replaces */
	JN_STATEMENT_PUT_NEWER, /* replaces what has a lower version */
	JN_STATEMENT_DELETE,
	JN_STATEMENT_COUNT_PAGES,
	JN_STATEMENT_EACH,
	JN_STATEMENT_MAX
};

struct jn_database {
	sqlite3 *sql;
	sqlite3_stmt *statements[JN_STATEMENT_MAX];
	int64_t log_frames; /* in the write-ahead log; -1: not known */
};

typedef int (*jn_stored_visit)(void *arg, const struct jn_stored *row);

/*
 * All return an SQLite result, 0 at success. open: the file exists. create_table: in an empty file.
 * prepare: the statements, which need the table.
 */
int jn_database_open(struct jn_database *db, const char *path);
int jn_database_create_table(struct jn_database *db);
int jn_database_prepare(struct jn_database *db);
/* Until use_log, closing leaves file and log as they were found: they may be damaged. */
int jn_database_use_log(struct jn_database *db);
void jn_database_close(struct jn_database *db);

/* One number that a PRAGMA answers. */
int jn_database_number(struct jn_database *db, const char *sql, int64_t *out);
/* Is it sound, says SQLite? It does not look at the rows. The result: whether that could be told. */
int jn_database_check(struct jn_database *db, bool *is_sound);

/*
 * Make room in the main file for all that the transaction has grown it by. So bringing in the log
 * never needs room: on a full disk it is what frees some.
 */
int jn_database_reserve(struct jn_database *db);
/* Commits from now on do not wait for the disk (true), or do. Not within a transaction. */
int jn_database_be_lazy(struct jn_database *db, bool is_lazy);
/* The log, as it is, to the disk. */
int jn_database_sync_log(struct jn_database *db);
int jn_database_begin(struct jn_database *db);
int jn_database_commit(struct jn_database *db);
void jn_database_rollback(struct jn_database *db);

/* statement: PUT or PUT_NEWER. */
int jn_database_put(struct jn_database *db, enum jn_statement statement,
		    const struct jn_stored *row);
int jn_database_delete(struct jn_database *db, const struct jn_stored *row);

/* visit is called once or never; texts are valid during the call. Nonzero ends with that value. */
int jn_database_find(struct jn_database *db, const struct jn_stored *key, jn_stored_visit visit,
		     void *arg);
int jn_database_each(struct jn_database *db, jn_stored_visit visit, void *arg);

int64_t jn_database_log_bytes(const struct jn_database *db);
int jn_database_fold_log(struct jn_database *db); /* into the main file; empty afterwards */

/* Is this SQLite result about what the file holds, or about the machine? */
bool jn_database_is_damage(int result);
/* Negative errno of an SQLite result; negative values stay. */
int jn_database_errno(struct jn_database *db, int result);

/* --- pages.c: the file without SQLite -------------------------------------------------------- */

struct jn_pages {
	int file, log; /* -1: there is none */
	uint32_t count;
	uint32_t *frames;  /* by page: which frame of the log holds it, counted from 1 */
	uint32_t log_used; /* frames of the log that are right and committed */
	bool is_log_cut;   /* more was committed to the log than can be read of it */
};

/* path: of the main file; its log stands beside it. 0 or a negative errno. */
int jn_pages_open(struct jn_pages *pages, const char *path);
void jn_pages_close(struct jn_pages *pages);
/* Every row that can be taken apart, right or not, in the order of the pages. */
int jn_pages_each(const struct jn_pages *pages, jn_stored_visit visit, void *arg);

/* --- rebuild.c: from a damaged file, or from nothing ------------------------------------------- */

#define JN_STATE_FILE "state.db"
#define JN_STATE_KEPT 4 /* damaged files that stay; older ones are removed */

/* Finish what a crash interrupted. 0, or a negative errno. */
int jn_rebuild_finish(const char *dir);
/* Make state.db anew from what is right of the one that is there, which is set aside. */
int jn_rebuild(const char *dir);
/* dir/state.db<suffix>, or NULL. To be freed. */
char *jn_state_path(const char *dir, const char *suffix);

#endif
