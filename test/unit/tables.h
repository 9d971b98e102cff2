/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * datapath/datapath.h and store/store.h over plain shared memory, for tests of the engine: tables and
 * rows outlive an engine and a forked process, as the pinned ones do. The real rooms need root and
 * a kernel; the scenario tests have them.
 *
 * Every store and every hash entry is one step. At each step the test can end the process
 * (tables_crash_at), and tables_watch looks at the tables as a program in the kernel would.
 * Included by the one file that is the test: it defines the rooms' functions.
 */
#ifndef JUNCTOR_TEST_TABLES_H
#define JUNCTOR_TEST_TABLES_H

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <junctor/limits.h>

#include "base/clock.h"
#include "base/table.h"
#include "datapath/datapath.h"
#include "store/store.h"
#include "tables_net.h"

#define TABLES_CRASHED 42
#define TABLES_FRONTENDS 65536 /* a power of two; more than any test declares */
#define TABLES_ROWS 24000
#define TABLES_BODY 8192

struct tables_row {
	char kind[32], namespace_[JN_NAME_BYTES], name[JN_NAME_BYTES];
	uint64_t version;
	bool is_recovered;
	bool is_bad; /* set by a test: the row is not what was written */
	uint32_t size;
	char body[TABLES_BODY];
};

struct tables_frontend {
	struct jn_frontend_key key;
	struct jn_frontend value;
	enum { PLACE_FREE, PLACE_USED, PLACE_DELETED } state;
};

/* What the arrays below hold; `sizes` says how much of it is there. */
#define TABLES_SERVICES 65536
#define TABLES_SETS 131072
#define TABLES_ENDPOINTS 655360
#define TABLES_REVISIONS 262144
#define TABLES_SLOTS 2097152
#define TABLES_LIVE 131072

struct jn_datapath {
	struct jn_sizes sizes;
	struct jn_set sets[TABLES_SETS];
	struct jn_revision revisions[TABLES_REVISIONS];
	struct jn_slot slots[TABLES_SLOTS];
	struct jn_endpoint endpoints[TABLES_ENDPOINTS];
	struct jn_live live[TABLES_LIVE];
	unsigned needs;
	struct jn_name names[TABLES_SERVICES];
	bool has_name[TABLES_SERVICES];
	struct tables_frontend frontends[TABLES_FRONTENDS];
	size_t frontend_count;
	uint64_t generation;
	bool is_owed;
	bool is_adopted;
	uint64_t served_ms[TABLES_ENDPOINTS]; /* by the watcher: a connect was sent there then */
};

struct jn_store {
	struct tables_row rows[TABLES_ROWS];
	size_t count;
	uint64_t generation;
	bool is_damaged; /* as a whole; told to the reader */
	bool is_open;
};

static struct jn_datapath *tables;
static struct jn_store *rows;

/* What a test asks for; 0 = never. Counted down, one at a time. */
static unsigned tables_crash_at, tables_fail_frontend, tables_fail_name;
static int tables_commit_rc;
static unsigned tables_steps;
static unsigned tables_reads; /* calls for single entries and for endpoints */
static void (*tables_watch)(void);
static void (*tables_on_grace)(void);
static void (*tables_on_store)(void);

/* What a first open finds; a test may begin with less. */
static struct jn_sizes tables_first = { .services = TABLES_SERVICES,
					.sets = TABLES_SETS,
					.frontends = TABLES_FRONTENDS,
					.endpoints = TABLES_ENDPOINTS,
					.revisions = TABLES_REVISIONS,
					.slots = TABLES_SLOTS,
					.live = TABLES_LIVE };

static inline void tables_open(void)
{
	tables = mmap(NULL, sizeof(*tables), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	rows = mmap(NULL, sizeof(*rows), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert(tables != MAP_FAILED && rows != MAP_FAILED);
	tables->sizes = tables_first;
}

static inline void tables_close(void)
{
	(void)munmap(tables, sizeof(*tables));
	(void)munmap(rows, sizeof(*rows));
}

static inline void tables_step(void)
{
	tables_steps++;
	if (tables_crash_at && !--tables_crash_at)
		_exit(TABLES_CRASHED);
	if (tables_watch)
		tables_watch();
}

void jn_store_seam(void)
{
	tables_step();
}

/* --- sizes --------------------------------------------------------------------------------------- */

struct jn_growth {
	struct jn_sizes sizes;
	bool is_swapped;
};

static int tables_grow_rc;	/* of the next load */
static unsigned tables_growths; /* how many were swapped */

const struct jn_sizes *jn_datapath_sizes(const struct jn_datapath *dp)
{
	return &dp->sizes;
}

int jn_datapath_grow_load(const struct jn_datapath *dp, const struct jn_sizes *sizes,
			  struct jn_growth **out, struct jn_error *err)
{
	int rc = tables_grow_rc;

	tables_grow_rc = 0;
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE, "no memory for tables");
	assert(sizes->services >= dp->sizes.services && sizes->slots >= dp->sizes.slots);
	*out = calloc(1, sizeof(**out));
	assert(*out);
	(*out)->sizes = *sizes;
	return 0;
}

int jn_datapath_grow_swap(struct jn_datapath *dp, struct jn_growth *growth, struct jn_error *err)
{
	(void)err;
	jn_store_seam();
	assert(growth->sizes.services <= TABLES_SERVICES && growth->sizes.slots <= TABLES_SLOTS);
	dp->sizes = growth->sizes;
	growth->is_swapped = true;
	tables_growths++;
	return 0;
}

void jn_datapath_grow_settle(struct jn_datapath *dp, struct jn_growth **growth)
{
	(void)dp;
	free(*growth);
	*growth = NULL;
}

/* --- mapped tables ------------------------------------------------------------------------------- */

const struct jn_set *jn_datapath_sets(const struct jn_datapath *dp)
{
	return dp->sets;
}

const struct jn_revision *jn_datapath_revisions(const struct jn_datapath *dp)
{
	return dp->revisions;
}

const struct jn_slot *jn_datapath_slots(const struct jn_datapath *dp)
{
	return dp->slots;
}

const struct jn_endpoint *jn_datapath_endpoints(const struct jn_datapath *dp)
{
	tables_reads++;
	return dp->endpoints;
}

bool jn_datapath_is_adopted(const struct jn_datapath *dp)
{
	return dp->is_adopted;
}

void jn_datapath_put_endpoint(struct jn_datapath *dp, uint32_t id, const struct jn_endpoint *e)
{
	assert(id && id < TABLES_ENDPOINTS);
	assert(!dp->endpoints[id].service); /* nobody's, until it is cleared */
	assert(!dp->served_ms[id] || jn_clock_ms() - dp->served_ms[id] >= JN_QUARANTINE_MS);
	jn_store_seam();
	dp->endpoints[id].addr = e->addr;
	jn_store_seam();
	dp->endpoints[id].port = e->port;
	dp->endpoints[id].weight = e->weight;
	dp->endpoints[id].since_s = e->since_s;
	dp->endpoints[id].live = e->live;
	jn_store_seam();
	dp->endpoints[id].service = e->service;
}

void jn_datapath_set_endpoint_weight(struct jn_datapath *dp, uint32_t id, uint16_t weight)
{
	assert(id && id < TABLES_ENDPOINTS && dp->endpoints[id].service);
	jn_store_seam();
	dp->endpoints[id].weight = weight;
}

void jn_datapath_set_endpoint_since(struct jn_datapath *dp, uint32_t id, uint32_t since_s)
{
	assert(id && id < TABLES_ENDPOINTS && dp->endpoints[id].service);
	assert(!dp->endpoints[id].weight); /* nobody is sent there yet */
	jn_store_seam();
	dp->endpoints[id].since_s = since_s;
}

void jn_datapath_set_endpoint_live(struct jn_datapath *dp, uint32_t id, uint32_t live)
{
	assert(id && id < TABLES_ENDPOINTS && dp->endpoints[id].service && live < TABLES_LIVE);
	jn_store_seam();
	dp->endpoints[id].live = live;
}

const struct jn_live *jn_datapath_live(const struct jn_datapath *dp)
{
	return dp->live;
}

void jn_datapath_begin_live(struct jn_datapath *dp, uint32_t live)
{
	assert(live && live < TABLES_LIVE);
	jn_store_seam();
	dp->live[live] = (struct jn_live){ .epoch = dp->live[live].epoch + 1 };
}

void jn_datapath_set_live_down(struct jn_datapath *dp, uint32_t live, bool is_down)
{
	assert(live && live < TABLES_LIVE);
	jn_store_seam();
	dp->live[live].is_down = is_down;
}

void jn_datapath_take_back(struct jn_datapath *dp, uint32_t live, uint64_t now_ns)
{
	assert(live && live < TABLES_LIVE);
	jn_store_seam();
	dp->live[live].back_ns = now_ns;
	dp->live[live].out_until_ns = 0;
}

int jn_datapath_need(struct jn_datapath *dp, unsigned needs, struct jn_error *err)
{
	(void)err;
	dp->needs = needs;
	return 0;
}

void jn_datapath_clear_endpoint(struct jn_datapath *dp, uint32_t id)
{
	assert(id && id < TABLES_ENDPOINTS);
	jn_store_seam();
	dp->endpoints[id].service = 0;
	jn_store_seam();
	dp->endpoints[id] = (struct jn_endpoint){ 0 };
}

void jn_datapath_put_revision(struct jn_datapath *dp, uint32_t index, const struct jn_revision *r,
			      const struct jn_slot *slots)
{
	assert(index && index < TABLES_REVISIONS && r->number);
	assert(r->slot_base + jn_revision_slots(r) <= TABLES_SLOTS);
	for (uint32_t i = 0; i < jn_revision_slots(r); i++) {
		jn_store_seam();
		dp->slots[r->slot_base + i] = slots[i];
	}
	jn_store_seam();
	dp->revisions[index] = *r;
}

void jn_datapath_publish(struct jn_datapath *dp, uint32_t set, uint32_t index, uint32_t number)
{
	assert(set && set < TABLES_SETS);
	jn_store_seam();
	dp->sets[set].word = (uint64_t)number << 32 | index;
}

uint64_t jn_datapath_generation(const struct jn_datapath *dp)
{
	return dp->generation;
}

void jn_datapath_set_generation(struct jn_datapath *dp, uint64_t generation)
{
	jn_store_seam();
	dp->generation = generation;
}

bool jn_datapath_is_owed(const struct jn_datapath *dp)
{
	return dp->is_owed;
}

void jn_datapath_set_owed(struct jn_datapath *dp, bool is_owed)
{
	jn_store_seam();
	dp->is_owed = is_owed;
}

void jn_datapath_wait_grace(void)
{
	if (tables_on_grace)
		tables_on_grace();
}

/* --- hash tables --------------------------------------------------------------------------------- */

/* Its place, or the first free one of its run. */
static inline struct tables_frontend *tables_place(struct jn_datapath *dp,
						   const struct jn_frontend_key *key)
{
	size_t at = jn_hash_bytes(key, sizeof(*key)) % TABLES_FRONTENDS;
	struct tables_frontend *deleted = NULL;

	while (dp->frontends[at].state != PLACE_FREE) {
		if (dp->frontends[at].state == PLACE_DELETED)
			deleted = deleted ? deleted : &dp->frontends[at];
		else if (!memcmp(&dp->frontends[at].key, key, sizeof(*key)))
			return &dp->frontends[at];
		at = (at + 1) % TABLES_FRONTENDS;
	}
	return deleted ? deleted : &dp->frontends[at];
}

static inline const struct jn_frontend *tables_find(const struct jn_frontend_key *key)
{
	struct tables_frontend *place = tables_place(tables, key);

	return place->state == PLACE_USED ? &place->value : NULL;
}

int jn_datapath_put_frontends(struct jn_datapath *dp, const struct jn_frontend_key *keys,
			      const struct jn_frontend *values, size_t count, size_t *done)
{
	assert(count);
	for (*done = 0; *done < count; ++*done) {
		struct tables_frontend *place;

		tables_step();
		if (tables_fail_frontend && !--tables_fail_frontend)
			return -ENOMEM;
		place = tables_place(dp, &keys[*done]);
		dp->frontend_count += place->state != PLACE_USED;
		*place = (struct tables_frontend){ keys[*done], values[*done], PLACE_USED };
	}
	return 0;
}

int jn_datapath_del_frontends(struct jn_datapath *dp, const struct jn_frontend_key *keys,
			      size_t count)
{
	assert(count);
	for (size_t i = 0; i < count; i++) {
		struct tables_frontend *place;

		tables_step();
		if (tables_fail_frontend && !--tables_fail_frontend)
			return -ENOMEM;
		place = tables_place(dp, &keys[i]);
		dp->frontend_count -= place->state == PLACE_USED;
		if (place->state == PLACE_USED)
			place->state = PLACE_DELETED;
	}
	return 0;
}

int jn_datapath_get_frontend(struct jn_datapath *dp, const struct jn_frontend_key *key,
			     struct jn_frontend *out)
{
	const struct jn_frontend *found = tables_find(key);

	(void)dp;
	tables_reads++;
	if (!found)
		return -ENOENT;
	*out = *found;
	return 0;
}

int jn_datapath_put_names(struct jn_datapath *dp, const uint32_t *services,
			  const struct jn_name *names, size_t count, size_t *done)
{
	assert(count);
	for (*done = 0; *done < count; ++*done) {
		tables_step();
		if (tables_fail_name && !--tables_fail_name)
			return -ENOMEM;
		assert(services[*done] && services[*done] < TABLES_SERVICES);
		dp->names[services[*done]] = names[*done];
		dp->has_name[services[*done]] = true;
	}
	return 0;
}

int jn_datapath_del_names(struct jn_datapath *dp, const uint32_t *services, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		tables_step();
		dp->has_name[services[i]] = false;
	}
	return 0;
}

int jn_datapath_get_name(struct jn_datapath *dp, uint32_t service, struct jn_name *out)
{
	tables_reads++;
	if (service >= TABLES_SERVICES || !dp->has_name[service])
		return -ENOENT;
	*out = dp->names[service];
	return 0;
}

int jn_datapath_each_frontend(struct jn_datapath *dp, jn_frontend_fn fn, void *arg)
{
	int rc = 0;

	for (size_t i = 0; dp->frontend_count && i < TABLES_FRONTENDS && !rc; i++) {
		if (dp->frontends[i].state == PLACE_USED)
			rc = fn(arg, &dp->frontends[i].key, &dp->frontends[i].value);
	}
	return rc;
}

int jn_datapath_each_name(struct jn_datapath *dp, jn_name_fn fn, void *arg)
{
	int rc = 0;

	for (uint32_t i = 1; i < TABLES_SERVICES && !rc; i++) {
		if (dp->has_name[i])
			rc = fn(arg, i, &dp->names[i]);
	}
	return rc;
}

/* A service's counters are its id, so that a test sees whose they are. */
int jn_datapath_read_stats(struct jn_datapath *dp, const uint32_t *services, size_t count,
			   struct jn_stats *out)
{
	(void)dp;
	for (size_t i = 0; i < count; i++)
		out[i] = (struct jn_stats){ .forwarded = services[i] };
	return 0;
}

int jn_datapath_zero_stats(struct jn_datapath *dp, uint32_t service)
{
	(void)dp;
	assert(service && service < TABLES_SERVICES);
	return 0;
}

#include "tables_store.h"

#endif
