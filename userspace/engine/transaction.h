/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One change of the tables, in steps that can be taken one by one and, up to the commit, taken back:
 *
 *	prepare  ids, ranges and slots for every touched service port    (memory only)
 *	         -- a plan, slots that are built, ranges that are assigned to them --
 *	hide     endpoints, slots, revisions, names nobody points at yet (tables)
 *	         -- the commit on disk happens here --
 *	publish  sets, frontends, the generation                         (tables: from here it serves;
 *	         where the kernel refuses an entry: once more, later)
 *	adopt    what is installed now; what nobody uses becomes garbage  (memory, endpoints' live)
 *	collect  after a grace period: garbage is cleared and its ids freed
 */
#ifndef JUNCTOR_ENGINE_TRANSACTION_H
#define JUNCTOR_ENGINE_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/table.h"
#include "engine/ids.h"
#include "engine/installed.h"
#include "engine/lives.h"
#include "model/model.h"
#include "model/plan.h"
#include "model/probed.h"

struct jn_datapath;
struct jn_sizes;

enum jn_full {
	JN_FULL_SERVICES,
	JN_FULL_SETS,
	JN_FULL_FRONTENDS,
	JN_FULL_ENDPOINTS,
	JN_FULL_REVISIONS,
	JN_FULL_SLOTS,
	JN_FULL_LIVE
};

/* The tables and everything known about what stands in them. */
struct jn_install {
	struct jn_datapath *datapath;
	struct jn_model *model;
	uint64_t netns_cookie;
	struct jn_table installed;
	struct jn_ids services, sets, revisions, endpoints;
	struct jn_lives lives;
	enum jn_full full;     /* which table a prepare() that failed with -ENOSPC found full */
	unsigned hidden_needs; /* hooks that a hidden transaction will need: JN_NEED_… */
	unsigned counting,
		watching; /* installed ports whose revisions do: which hooks are needed */
	struct jn_ranges slots;
	uint32_t last_number; /* of a revision */
	uint64_t panics;      /* sets that took all back in, as they became smaller */
	struct jn_probing probing;
};

/*
 * The revision that the tables publish for a set, and its index; NULL where there is none, or none
 * that fits together. set 0: none.
 */
const struct jn_revision *jn_published(const struct jn_datapath *datapath, uint32_t set,
				       uint32_t *index);
/* The same where it is the one that we published for this port, else NULL. */
const struct jn_revision *jn_published_own(const struct jn_datapath *datapath,
					   const struct jn_installed_port *port,
					   enum jn_family family);
/* As the tables have it. */
struct jn_publication jn_publication_of(const struct jn_datapath *datapath, uint32_t index);
uint64_t jn_slots_sum(const struct jn_slot *slots, uint32_t count); /* in this process only */

/* A port with these flags is installed (1) or not any more (-1). */
void jn_install_weigh(struct jn_install *in, uint8_t flags, int change);

struct jn_id_list {
	uint32_t *items;
	size_t count, capacity;
};

struct jn_live_garbage {
	uint32_t id;
	bool is_backend; /* else a service's */
	struct jn_frontend_key backend;
};

/* Indices that nobody points at any more, once a grace period has passed. */
struct jn_garbage {
	struct jn_id_list services, sets, revisions, endpoints;
	struct {
		struct jn_extent *items;
		size_t count, capacity;
	} slots;
	struct {
		struct jn_live_garbage *items;
		size_t count, capacity;
	} lives;
};
bool jn_garbage_is_empty(const struct jn_garbage *garbage);
void jn_garbage_done(struct jn_garbage *garbage);
/* Clear it in the tables, free the ids and empty it. Only after a grace period. */
void jn_garbage_collect(struct jn_install *in, struct jn_garbage *garbage);

/* A set's part of a plan. */
struct jn_set_plan {
	uint32_t set;	  /* 0: this family has no VIP any more */
	bool is_new;	  /* nothing leads to it yet */
	uint32_t old_set; /* 0: there was none */
	struct jn_publication old;
	bool is_old_served; /* the tables still lead to it, and it is what it was */
	bool is_wanted;	    /* this family has VIPs */
	bool is_same;	    /* what was built stands in the tables already */
	struct jn_plan_size size;
	bool is_published_anew; /* a fresh revision is prepared below */
	uint32_t revision, number, slot_base;
	struct jn_slot_list slots;
	bool has_slots; /* a range was taken */
	uint64_t sum;	/* of the slots, once they are written */
};

/* An entry of jn_live that a port is going to use. id 0: none. */
struct jn_live_plan {
	uint32_t id;
	bool is_taken; /* a reference of this plan's */
	bool is_first; /* it was nobody's */
};

/* One service port: from what is installed to what is desired. */
struct jn_port_plan {
	const struct jn_desired_port *desired;	   /* NULL: it goes */
	const struct jn_installed_port *installed; /* NULL: it is new */
	uint32_t service;
	uint64_t netns_cookie;
	struct jn_endpoint_match match;
	bool *is_new; /* for each desired endpoint: its id was taken by this plan */
	struct jn_live_plan live, *lives; /* the service's; each endpoint's, NULL: nobody asks */
	struct jn_set_plan sets[JN_FAMILY_MAX];
	bool rewrites_frontends; /* all of them, not only the new ones */
};

struct jn_service_plan {
	struct jn_object_key key;
	struct jn_desired desired;
	struct jn_port_plan *ports; /* the desired ones first */
	size_t port_count;
	struct jn_installed_service *installed; /* NULL: nothing was and nothing will be */
	struct jn_installed_port *next_ports;	/* room for what will be installed */
};

struct jn_transaction {
	struct jn_install *in;
	const struct jn_changes *changes; /* that lead to it: for the path of a fault; NULL: none */
	bool is_hidden;			  /* jn_transaction_hide ran, maybe in part */
	bool is_big;	/* it is built, and its entries are written, on another thread */
	uint64_t steps; /* of its build */
	struct jn_service_plan *services;
	size_t count, capacity;
	struct {
		struct jn_frontend_key *items;
		size_t count, capacity;
	} put_keys, del_keys;
	struct {
		struct jn_frontend *items;
		size_t count, capacity;
	} put_values;
	size_t first_count;   /* of the puts: those before sets that are in use change */
	struct jn_table lost; /* while preparing: frontends that their service port gives up */
};

/* { .in = … } is a valid empty transaction. Frees memory only. */
void jn_transaction_done(struct jn_transaction *t);

/*
 * Plan these services as the model has them (staged batch applied). 0; -ENOSPC: a table is full and
 * may grow; -EINVAL with LimitReached in err: it may not; -EDQUOT with the same: neither, but what is
 * garbage would do; -ENOMEM. On failure everything taken is given back.
 */
int jn_transaction_prepare(struct jn_transaction *t, const struct jn_key_list *keys,
			   struct jn_error *err);
/* The same in three steps, each with its part of these answers: everything but slots; steps is set. */
int jn_transaction_plan(struct jn_transaction *t, const struct jn_key_list *keys,
			struct jn_error *err);
/* build.c: the slots, on any thread: it reads what the plan holds and what is published. -ENOMEM. */
int jn_transaction_build(struct jn_transaction *t);
/* Revisions and ranges for those that are not published already. */
int jn_transaction_assign(struct jn_transaction *t, struct jn_error *err);

/* build.c: how much all of it will take; an object has its budget. -EINVAL with err; -ENOMEM. */
int jn_transaction_measure(struct jn_transaction *t, struct jn_error *err);
/* grow.c: sizes at which these services fit, after such an -ENOSPC. 0 or -ENOMEM. */
int jn_install_fit(struct jn_install *in, const struct jn_key_list *keys, struct jn_sizes *out);
/* grow.c: there are as many ids as the tables hold now. -ENOMEM. */
int jn_install_grow(struct jn_install *in);

/* Give back what was prepared, hidden or not: nobody ever saw it. */
void jn_transaction_take_back(struct jn_transaction *t);
/*
 * Write the hidden parts; of a big one all but jn_transaction_hide_entries. A negative errno (err says
 * which table) leaves only hidden parts behind.
 */
int jn_transaction_hide(struct jn_transaction *t, struct jn_error *err);
/* On any thread: only this transaction knows of what it writes. */
void jn_transaction_hide_entries(struct jn_transaction *t);
/*
 * Make it visible and set the tables' generation. A negative errno: some frontends are not as they
 * shall be, nothing may be adopted or collected yet, and the same call is to be made again.
 */
int jn_transaction_publish(struct jn_transaction *t, uint64_t generation, struct jn_error *err);
/* Enter what is installed now and hand over what became garbage. */
void jn_transaction_adopt(struct jn_transaction *t, struct jn_garbage *garbage);
/* Would any of it change a table? */
bool jn_transaction_is_empty(const struct jn_transaction *t);

#endif
