/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tables hold against what was declared, entry by entry. For the engine only.
 *
 *	verify.c        the cycle: who asked, slices
 *	reading.c       what a worker reads
 *	verify_port.c   one service port: compare and repair
 *	verify_routes.c guard routes
 *
 *	idle -> reading (a worker: frontends, names, guard routes) -> comparing, in slices -> idle
 *	                                                       comparing <-> rewriting
 */
#ifndef JUNCTOR_ENGINE_VERIFY_H
#define JUNCTOR_ENGINE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/reading.h"
#include "model/resolve.h"

#define JN_MAX_DRIFTS_SHOWN 100

struct jn_verify_request {
	bool repairs;
	bool is_served; /* by the cycle under way, which began after it */
	jn_verified_fn fn;
	void *arg;
};

/* The service that is looked at, from one port to the next. */
struct jn_verify_look {
	bool is_resolved;
	struct jn_desired desired; /* what it asks for, of this generation */
	uint64_t generation;
	size_t at_port;
	uint64_t steps; /* of builds to be compared with */
};

/* A route that a job repairs. */
struct jn_verify_route {
	struct jn_addr addr;
	size_t drift; /* among those that are shown; SIZE_MAX: it is not */
};

struct jn_verify {
	struct {
		struct jn_verify_request *items;
		size_t count, capacity;
	} requests;
	bool is_running, repairs, is_stopped;
	void *timer;
	int64_t guard_jobs; /* when it was read; -1: routes are not ours to read */
	struct jn_reading reading;
	struct jn_object_list objects; /* services that were declared */
	size_t at_object, at_key, at_route, at_vip;
	bool has_generation; /* it is compared */
	uint64_t begin_ns, services;
	uint64_t busy_ns; /* since when it waits for a write; 0: it does not */
	struct {
		struct jn_drift *items;
		size_t count, capacity;
	} drifts;
	uint64_t found, repaired; /* in this cycle */
	struct jn_verify_look look;
	bool is_rewriting;		  /* a write publishes the sets of one service anew */
	uint64_t awaiting;		  /* of the drifts found, what it repairs */
	bool awaits[JN_MAX_DRIFTS_SHOWN]; /* the same, of those that are shown */
	struct {
		struct jn_verify_route *items;
		size_t count, capacity;
	} routes;	 /* that differ */
	bool is_mending; /* a job repairs them */
	struct jn_drift_stats stats;
};

void jn_verify_done(struct jn_verify *verify);
/* The cycle under way ends soon, and no other begins. */
void jn_verify_stop(struct jn_engine *e);

/* Texts are copied; beyond the first ones, and without memory, they are only counted. */
void jn_verify_note(struct jn_verify *verify, const struct jn_drift *drift);

/* A write will repair what was noted last. */
void jn_verify_await(struct jn_verify *verify);
/* It begins: of this service; the cycle goes on when it is over. */
void jn_verify_rewrite(struct jn_engine *e, const struct jn_object_key *service);

/*
 * verify_port.c: the next port of this service, as it is declared now, and the repair after the last.
 * 0 or -ENOMEM; is_over: there is no other.
 */
int jn_verify_next_port(struct jn_engine *e, const struct jn_object *service, bool *is_over);
/* Of another service from here on. Safe on { 0 }; leaves { 0 }. */
void jn_verify_leave(struct jn_verify_look *look);

/* verify_routes.c: the next guard route; false: that was all, or they changed since they were read. */
bool jn_verify_next_route(struct jn_engine *e);
/* The job has ended: what is right now is repaired. */
void jn_verify_routes_mended(struct jn_engine *e);

/* "127.96.0.10:80/TCP". */
#define JN_FRONTEND_TEXT_BYTES 72
const char *jn_verify_key_text(const struct jn_frontend_key *key, char out[JN_FRONTEND_TEXT_BYTES]);

#endif
