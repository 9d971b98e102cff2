/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets of gone backends: looked for after a change that removed endpoints, and then as long as
 * one is left that may have to be ended. What is to become of each is decided by model/ending.h.
 *
 *	idle -> scanning (worker) -> decide -> ending (worker) -> resting (timer) -> scanning …
 *	  ^________________|___________________________|   nothing is left
 *
 * For the engine only. Scanning and ending block, and are the executor's; all else is on the engine's
 * thread. What a restart forgets is how long a backend has been gone: deadlines count from the start.
 *
 *	endings.c	when, and by whom; what is counted
 *	endings_plan.c	which sockets
 *	endings_index.c	what is installed of the services that they name
 *	removals.c	since when backends are gone, and with which deadline
 */
#ifndef JUNCTOR_ENGINE_ENDINGS_H
#define JUNCTOR_ENGINE_ENDINGS_H

#include "base/log.h"
#include "base/table.h"
#include "datapath/sockets.h"
#include "engine/endings_index.h"
#include "engine/engine.h"
#include "engine/removals.h"
#include "engine/transaction.h"
#include "model/ending.h"

enum jn_endings_state {
	JN_ENDINGS_OFF, /* jn_engine_start was not called yet, or the engine is draining */
	JN_ENDINGS_IDLE,
	JN_ENDINGS_SCANNING,
	JN_ENDINGS_ENDING,
	JN_ENDINGS_RESTING
};

/* The sockets that are to be ended. */
struct jn_ending_plan {
	struct jn_stale *sockets; /* sorted by network namespace */
	uint8_t *reasons;	  /* enum jn_ending, of each */
	bool *is_ended, *is_reached;
	size_t count;
};

/* A network namespace that could not be entered: looking for one costs all files of all processes. */
struct jn_lost_space {
	uint32_t inode;
	uint32_t wait_ms; /* twice as long each time */
	uint64_t next_ms; /* not before then */
};

struct jn_endings {
	enum jn_endings_state state;
	bool is_asked; /* endpoints were removed since the scan began */
	uint64_t changed_ms;
	void *timer; /* while resting */

	struct jn_ender *ender; /* opened when netlink leaves some for the first time */
	bool has_ender;		/* that was tried */
	int finder;		/* while scanning */
	struct jn_stale_list found;
	int scan_rc;
	struct jn_ending_plan plan;
	int end_rc;
	bool is_failing, is_refused; /* it was said that scanning, or ending, fails */
	struct jn_log_limit ended_log, lost_log;

	struct jn_endings_index index;
	struct jn_removals removals;
	uint64_t planned_ms;	 /* the last plan is of then */
	struct jn_table watches; /* of struct jn_watch */
	struct jn_table lost;	 /* of struct jn_lost_space, as long as sockets are there */
	uint64_t ended[2][JN_ENDING_MAX]; /* [is UDP] */
	size_t waiting;			  /* sockets that the plan leaves to a later search */
	size_t unreachable;		  /* left by the last scan */
};

void jn_endings_init(struct jn_endings *endings);
void jn_endings_done(struct jn_endings *endings);

/* From here on stale sockets are looked for; the first time at once. */
void jn_endings_start(struct jn_engine *e);
/* No more scans; one under way ends by itself, see jn_endings_is_busy. */
void jn_endings_stop(struct jn_engine *e);
bool jn_endings_is_busy(const struct jn_endings *endings);

/* Before a published transaction is adopted: where it removes endpoints, their sockets are looked for. */
void jn_endings_note(struct jn_engine *e, const struct jn_transaction *t);

/* endings_plan.c: what is to be ended of `found`, into plan; watches are updated. A negative errno. */
int jn_endings_plan(struct jn_engine *e, uint64_t now_ms);
void jn_ending_plan_done(struct jn_ending_plan *plan);
/* endings_plan.c: of the plan, after the attempt: which namespaces were not found? */
void jn_endings_note_lost(struct jn_endings *endings, uint64_t now_ms);
/* endings_plan.c: how long after now_ms the next look is due. */
uint64_t jn_endings_next_ms(const struct jn_endings *endings, uint64_t now_ms);
/* endings_plan.c: the deadlines of the endpoints that this plan removes are kept for their sockets. */
void jn_endings_keep_drain(struct jn_engine *e, const struct jn_object_key *service,
			   const struct jn_port_plan *plan, uint64_t now_ms);
/* endings_plan.c: nothing is left to look for. */
void jn_endings_forget(struct jn_endings *endings);

#endif
