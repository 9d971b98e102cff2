/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a worker reads of the tables as a whole, for a verification: which frontends and guard routes
 * there are, and of each service id the sum of its name and that of its frontends. Who finds a sum that
 * is not the expected one asks the table itself: it may be a change that came later.
 */
#ifndef JUNCTOR_ENGINE_READING_H
#define JUNCTOR_ENGINE_READING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

struct jn_datapath;

struct jn_service_reading {
	uint64_t name;	    /* 0: none */
	uint64_t frontends; /* of all that lead to the service; in any order */
};

struct jn_reading {
	int frontends, names; /* these tables, whatever takes their place meanwhile */
	bool wants_routes;
	struct {
		struct jn_frontend_key *items;
		size_t count, capacity;
	} keys;
	struct jn_service_reading *services; /* by id */
	uint32_t service_count;
	struct {
		struct jn_addr *items;
		size_t count, capacity;
	} routes; /* guards */
	int rc, routes_rc;
};

/* On the loop. 0 or -errno. */
int jn_reading_begin(struct jn_reading *reading, const struct jn_datapath *datapath,
		     bool wants_routes);
/* On any thread; rc and routes_rc say how it went. */
void jn_reading_run(struct jn_reading *reading);
/* Safe on { 0 } and after a failed begin; leaves { 0 }. */
void jn_reading_done(struct jn_reading *reading);

bool jn_reading_has_name(const struct jn_reading *reading, uint32_t service,
			 const struct jn_name *name);
/* sum: of jn_reading_sum() of each. */
bool jn_reading_has_frontends(const struct jn_reading *reading, uint32_t service, uint64_t sum);
uint64_t jn_reading_sum(const struct jn_frontend_key *key, const struct jn_frontend *value);

#endif
