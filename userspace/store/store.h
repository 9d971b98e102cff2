/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What was declared, on disk: SQLite in <state-dir>/state.db. The only user of SQLite.
 *
 * Every row carries a hash of its bytes and every commit the sum of all row hashes, so that a row
 * that changed, appeared or vanished by itself is found at the next start: it is reported, never
 * returned. A damaged database file is renamed to state.db.damaged-<n>, kept for people, and
 * replaced by a new one that holds the rows that were right.
 *
 * Calls block on the disk. One thread at a time: the controller makes them from its worker.
 * It does NOT know JSON, the kernel tables, or which objects are valid.
 */
#ifndef JUNCTOR_STORE_STORE_H
#define JUNCTOR_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct jn_store;

struct jn_row {
	const char *kind;
	const char *namespace_;
	const char *name;
	uint64_t version; /* generation of the last write */
	const char *body; /* canonical JSON; NULL in a commit: delete the row */
	size_t body_size;
	bool is_recovered; /* rebuilt from the kernel tables, not yet declared again */
};

/* What was found while loading. Texts are valid during the call only. */
struct jn_store_reader {
	void *arg;
	/* One right row. Nonzero stops the load with that value. */
	int (*row)(void *arg, const struct jn_row *row);
	/* A row that is not what was written; its names as far as they can be read, else "". */
	void (*bad_row)(void *arg, const char *kind, const char *namespace_, const char *name);
	/* Something about the file as a whole; a sentence that says what was done about it. */
	void (*damaged)(void *arg, const char *sentence);
};

/*
 * Open or create the state below `dir` (which exists; the caller holds its lock) and read all of
 * it. generation: of the last commit found, 0 for a new file. Damage is not an error: it is told to
 * the reader. Returns 0; -EACCES, -EROFS, -ENOSPC, … with err when no state can be kept there.
 */
int jn_store_open(const char *dir, const struct jn_store_reader *reader, struct jn_store **out,
		  uint64_t *generation, struct jn_error *err);
void jn_store_close(struct jn_store **store);

/*
 * Look at the state below `dir`, whoever holds it: nothing is locked, repaired or made. Each row that
 * is right goes to row(); what is being written meanwhile may be missing. -ENOENT: there is none.
 */
int jn_store_look(const char *dir, int (*row)(void *arg, const struct jn_row *row), void *arg);

/*
 * Make these rows durable as one generation: all or nothing, on the disk when it returns 0.
 * -ENOSPC (err JN_ERROR_DISK_FULL) or another negative errno (JN_ERROR_UNAVAILABLE): nothing
 * changed and the store stays usable.
 */
int jn_store_commit(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
		    size_t count, struct jn_error *err);

/*
 * The same without waiting for the disk: a process that dies loses nothing, a machine that does may
 * lose the last of these, the newest first. On the disk with the next jn_store_commit or jn_store_tidy.
 */
int jn_store_commit_soon(struct jn_store *store, uint64_t generation, const struct jn_row *rows,
			 size_t count, struct jn_error *err);

/* Remember, and forget, that an object is missing or damaged, until it is declared again. */
int jn_store_set_damaged(struct jn_store *store, const struct jn_row *key, bool is_damaged);

/*
 * For idle moments: what jn_store_commit_soon left behind goes to the disk, and the write-ahead log
 * into the main file when it has grown past 4 MiB.
 */
void jn_store_tidy(struct jn_store *store);

#endif
