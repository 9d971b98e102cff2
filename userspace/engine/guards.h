/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A guard route for each service address that the kernel serves; see netlink/routes.h. Set and
 * removed behind the change that brings or takes the address, on a worker, only what differs. At
 * the start all are compared with what is there. For the engine only.
 */
#ifndef JUNCTOR_ENGINE_GUARDS_H
#define JUNCTOR_ENGINE_GUARDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/table.h"
#include "engine/transaction.h"
#include "netlink/routes.h"

struct jn_engine;

struct jn_guards {
	bool is_wanted;	 /* else: those of an earlier run are removed, and that is all */
	bool is_started; /* jn_engine_start was called */
	bool is_busy;	 /* a job is under way */
	bool is_first;	 /* it looks for routes that nobody wants any more */
	bool has_missed; /* some of what is to be done found no memory to be queued */
	bool is_failing; /* it was said that some cannot be set */
	struct jn_table vips;
	struct {
		struct jn_addr *items;
		size_t count, capacity;
	} queue; /* addresses whose route is to be looked at */
	struct {
		struct jn_guard *items;
		size_t count, capacity;
	} job;
	int rc;
	int64_t jobs;	/* that have begun */
	uint32_t look;	/* the last one that has begun */
	size_t present; /* routes that were set */
};

void jn_guards_init(struct jn_guards *guards, bool is_wanted);
void jn_guards_done(struct jn_guards *guards);
/* From here on routes follow what is installed. */
void jn_guards_start(struct jn_engine *e);
/* Before a published transaction is adopted. */
void jn_guards_note(struct jn_engine *e, const struct jn_transaction *t);

/* How many jobs have begun so far, or -1 while one is under way. */
int64_t jn_guards_jobs(const struct jn_guards *guards);
/*
 * A look at the routes there are. It counts where jn_guards_jobs has not changed since they were read.
 * First each of them is seen: true where nobody wants it. Then jn_guards_look tells, one address a call
 * (*at: 0 at first; false: that was all), of which ones there is none and should be. Where it repairs,
 * what differs is queued, and jn_guards_mend begins the job.
 */
void jn_guards_begin_look(struct jn_guards *guards);
bool jn_guards_see(struct jn_guards *guards, const struct jn_addr *addr, bool repairs);
bool jn_guards_look(struct jn_guards *guards, size_t *at, bool repairs, struct jn_addr *missing,
		    bool *is_missing);
void jn_guards_mend(struct jn_engine *e);
/* Is it there if and only if it is wanted, or owned by the node, as far as the last job knows? */
bool jn_guards_is_right(const struct jn_guards *guards, const struct jn_addr *addr);

#endif
