/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The engine's own parts: shared by its files, by nobody else.
 *
 * A write:   queued -> begin (stage, prepare, hide) -> commit on the executor -> finish -> done
 *            prepare of many slots: built on the executor, too, and written before the commit
 * of files:                                         -> finish -> done, and then it is stored (owed.h)
 *                                                  finish <-> unpublished (the kernel refused)
 * Garbage:   young (made by writes) -> old (a grace period runs) -> collected
 */
#ifndef JUNCTOR_ENGINE_INTERNAL_H
#define JUNCTOR_ENGINE_INTERNAL_H

#include "base/table.h"
#include "datapath/datapath.h"
#include "engine/canary.h"
#include "engine/endings.h"
#include "engine/engine.h"
#include "engine/guards.h"
#include "engine/owed.h"
#include "engine/rows.h"
#include "engine/transaction.h"
#include "engine/verify.h"
#include "store/store.h"

/* Something about one object that is not as it was declared. */
struct jn_note {
	struct jn_object_key key; /* name "": an object whose name could not be read */
	bool is_recovered;	  /* rebuilt from the tables; else lost: nothing was left of it */
};

struct jn_notes {
	struct jn_table items; /* of struct jn_note */
	char **texts;	       /* what jn_engine_degraded shows: notes, then sentences */
	size_t text_count;
	bool is_stale;	  /* the texts are to be built anew */
	char **sentences; /* about the store as a whole */
	size_t sentence_count, sentence_capacity;
};
void jn_notes_init(struct jn_notes *notes);
void jn_notes_done(struct jn_notes *notes);
const struct jn_note *jn_notes_find(const struct jn_notes *notes, const struct jn_object_key *key);
int jn_notes_add(struct jn_notes *notes, const struct jn_object_key *key, bool is_recovered);
void jn_notes_del(struct jn_notes *notes, const struct jn_object_key *key);
int jn_notes_say(struct jn_notes *notes, const char *sentence);
/* Forget every sentence: somebody declared what there is to declare. */
void jn_notes_unsay(struct jn_notes *notes);

/* From this many objects on, a write's memory is given back to the system. */
#define JN_BIG_WRITE 1000

struct jn_waiter {
	uint64_t generation;
	void (*fn)(void *arg);
	void *arg;
};

struct jn_engine {
	struct jn_executor executor;
	struct jn_store *store;
	struct jn_model *model;
	struct jn_install install;
	struct jn_notes notes;
	uint64_t generation; /* acknowledged */
	uint64_t stored;     /* the store holds it whole */
	uint64_t installed;  /* the tables hold it whole */

	struct {
		struct jn_write **items;
		size_t count, capacity;
	} queue;
	bool is_pumping;

	/* the write under way */
	struct jn_write *current;
	struct jn_changes changes;
	struct {
		struct jn_object_key *items;
		size_t count, capacity;
	} forgotten; /* lost objects whose loss is acknowledged by deleting them */
	struct jn_transaction transaction; /* of the current write, or the one that waits below */
	bool is_unpublished; /* it is committed, but the kernel refused an entry: tried again */
	int build_rc;
	struct jn_rows rows;
	struct jn_error commit_error;
	int commit_rc;
	bool is_store_busy; /* with what nobody waits for */
	uint64_t store_ns;  /* since when it is at work; 0: it is not */
	struct jn_owed owed;
	bool awaits_files; /* the tables are not in line with what is declared: align.h */
	bool is_aligning;
	bool is_started; /* the hooks are attached */

	struct jn_endings endings;
	struct jn_guards guards;
	struct jn_canary_entries canary;
	struct jn_verify verify;

	struct jn_garbage young, old;
	bool is_grace_running;
	bool is_grace_awaited; /* the current write needs what is garbage */

	struct {
		bool is_running; /* loading, or settling */
		bool is_awaited; /* the current write needs another one after it */
		struct jn_sizes sizes;
		struct jn_growth *growth;
		int rc;
		struct jn_error err;
	} growth;

	struct {
		struct jn_waiter *items;
		size_t count, capacity;
	} waiters;
	bool is_draining;
	void (*drained)(void *arg);
	void *drained_arg;
};

/* adopt.c: read the tables into install; orphans become garbage. 0 or a negative errno with err. */
int jn_engine_adopt(struct jn_engine *e, struct jn_garbage *garbage, struct jn_error *err);

/* load.c: the store's objects into the model, the tables brought in line with it. */
int jn_engine_load(struct jn_engine *e, const char *state_dir, struct jn_error *err);

/*
 * recover.c: declare what the tables hold of this service: a LocalService (of a Service: see below)
 * and, where its ports choose in another way than is declared, TrafficPolicies: in the place of the
 * declared one, or named after the service. Appended to out. 0; -ENOENT when nothing is installed; -ENOMEM.
 */
int jn_engine_recover(struct jn_engine *e, const struct jn_installed_service *service,
		      struct jn_object_list *out);

/*
 * recover_cluster.c: the same of a Service: the Service itself where it is lost or asks for something
 * else, and slices with the endpoints that no declared one brings. Where a declared one brings an
 * endpoint that the tables do not use, all of them are `stale`, and `out` has all endpoints. -ENOENT
 * as above.
 */
int jn_engine_recover_cluster(struct jn_engine *e, const struct jn_installed_service *service,
			      struct jn_object_list *out, struct jn_object_list *stale);

/* write.c */
void jn_engine_pump(struct jn_engine *e);
/* Undo what begin staged, prepared and hid. */
void jn_engine_take_back(struct jn_engine *e);
/* The current write is over: err is empty, or says why it failed. */
void jn_engine_end_write(struct jn_engine *e, struct jn_error *err);
/* Begin the current write anew, as there is room for it now; or rc and err say why there is none. */
void jn_engine_resume(struct jn_engine *e, int rc, struct jn_error *err);
void jn_engine_fail_write(struct jn_engine *e, int rc, struct jn_error *err);

/* grow.c: larger tables, then the current write is resumed or fails. -EAGAIN: no thread. */
int jn_engine_grow(struct jn_engine *e);

/* finish.c: hand the current write to the store; its end comes by itself. */
int jn_engine_commit(struct jn_engine *e);
/* Or serve it first: it ends here, and is owed to the store. */
void jn_engine_serve(struct jn_engine *e);
/* The same of a big one, when a worker has written it. -EAGAIN: no thread. */
int jn_engine_serve_big(struct jn_engine *e);
/* The store holds this generation whole. */
void jn_engine_note_stored(struct jn_engine *e, uint64_t generation);
/* Publish what is committed and the kernel refused, if there is any. A negative errno: it waits on. */
int jn_engine_retry(struct jn_engine *e);
void jn_engine_start_grace(struct jn_engine *e);
/*
 * err says that a limit is reached, -EDQUOT: 0 without err where the current write goes on when the
 * garbage is collected. -EINVAL: there is none. -EAGAIN: no thread.
 */
int jn_engine_await_grace(struct jn_engine *e, struct jn_error *err);

#endif
