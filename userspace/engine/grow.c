/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Larger tables when a write does not fit: the write waits, a thread loads programs on larger
 * tables, the swap is done here in one go, and the write begins anew.
 *
 *	full -> load (thread) -> swap -> the write goes on
 *	                              -> settle (thread, after a grace period): counters, the old ones go
 */
#include <errno.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "datapath/datapath.h"
#include "engine/internal.h"

/* --- how much ------------------------------------------------------------------------------------ */

/* Where this family's set is a Maglev table already, that one's size is kept. */
static int count_set(const struct jn_install *in, const struct jn_desired_port *port,
		     const struct jn_installed_port *installed, enum jn_family family,
		     struct jn_sizes *need)
{
	struct jn_plan_size size;
	int rc = jn_plan_measure(port, family,
				 installed ? jn_published_own(in->datapath, installed, family)
					   : NULL,
				 &size);

	if (rc)
		return rc;
	need->sets++;
	need->revisions++;
	/* More than there may be is refused in the end; here it must not wrap. */
	need->slots = size.slots < in->slots.ceiling - need->slots ? need->slots + size.slots
								   : in->slots.ceiling;
	return 0;
}

static int count_port(const struct jn_install *in, const struct jn_desired_port *port,
		      const struct jn_installed_port *installed, struct jn_sizes *need)
{
	int rc = 0;

	need->services++;
	need->endpoints += port->endpoint_count;
	need->live += port->endpoint_count + 1;
	for (unsigned family = 0; family < JN_FAMILY_MAX && !rc; family++) {
		if (jn_desired_has_family(port, family))
			rc = count_set(in, port, installed, family, need);
	}
	return rc;
}

static int count_services(struct jn_install *in, const struct jn_key_list *keys,
			  struct jn_sizes *need)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct jn_object *object = jn_model_find_staged(in->model, &keys->items[i]);
		const struct jn_installed_service *installed =
			jn_installed_find(&in->installed, &keys->items[i]);
		JN_AUTO(jn_desired_done) struct jn_desired desired = { 0 };
		int rc = object ? jn_resolve(in->model, object, &desired) : 0;

		for (unsigned p = 0; p < desired.port_count && !rc; p++)
			rc = count_port(in, &desired.ports[p],
					jn_installed_port(installed,
							  desired.ports[p].name.port_name,
							  desired.ports[p].name.proto),
					need);
		if (rc)
			return rc;
	}
	return 0;
}

/* As much again, as often as it takes. */
static uint32_t fit(uint32_t size, uint64_t need, uint32_t most)
{
	uint64_t fitting = size;

	while (fitting < need && fitting < most)
		fitting *= 2;
	return fitting < most ? (uint32_t)fitting : most;
}

/* Those that are taken or at rest, and as many more. */
static uint32_t fit_ids(const struct jn_ids *ids, uint32_t more)
{
	return fit(ids->capacity, (uint64_t)ids->used + ids->freed_count + more + 1, ids->ceiling);
}

/* Too large by what is installed of the services; the one that was full grows in any case. */
int jn_install_fit(struct jn_install *in, const struct jn_key_list *keys, struct jn_sizes *out)
{
	const struct jn_sizes *now = jn_datapath_sizes(in->datapath);
	struct jn_sizes need = { 0 };
	int rc = count_services(in, keys, &need);

	if (rc)
		return rc;
	*out = (struct jn_sizes){
		.services = fit_ids(&in->services, need.services),
		.sets = fit_ids(&in->sets, need.sets),
		.frontends =
			fit(now->frontends, jn_model_frontend_count(in->model), JN_MAX_FRONTENDS),
		.endpoints = fit_ids(&in->endpoints, need.endpoints),
		.revisions = fit_ids(&in->revisions, need.revisions),
		.slots = fit(now->slots, (uint64_t)in->slots.used + need.slots, in->slots.ceiling),
		/* Few ask for it: only where it was too small. */
		.live = in->full == JN_FULL_LIVE ? fit_ids(&in->lives.ids, need.live) : now->live,
	};
	if (in->full == JN_FULL_SLOTS && out->slots == now->slots)
		out->slots = fit(now->slots, (uint64_t)now->slots + 1, in->slots.ceiling);
	return 0;
}

/* What the datapath has now. */
int jn_install_grow(struct jn_install *in)
{
	const struct jn_sizes *sizes = jn_datapath_sizes(in->datapath);

	if (jn_lives_grow(&in->lives, sizes->live))
		return -ENOMEM;
	in->services.capacity = sizes->services;
	in->sets.capacity = sizes->sets;
	in->endpoints.capacity = sizes->endpoints;
	in->revisions.capacity = sizes->revisions;
	jn_ranges_grow(&in->slots, sizes->slots);
	return 0;
}

/* --- when the loop runs -------------------------------------------------------------------------- */

static void settle_work(void *arg)
{
	struct jn_engine *e = arg;

	jn_datapath_wait_grace();
	jn_datapath_grow_settle(e->install.datapath, &e->growth.growth);
}

static void settle_done(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_error err = { 0 };

	e->growth.is_running = false;
	if (e->growth.is_awaited) {
		e->growth.is_awaited = false;
		jn_engine_resume(e, 0, &err);
		jn_error_done(&err);
	}
	jn_engine_pump(e);
}

static void load_work(void *arg)
{
	struct jn_engine *e = arg;

	e->growth.rc = jn_datapath_grow_load(e->install.datapath, &e->growth.sizes,
					     &e->growth.growth, &e->growth.err);
}

static void load_done(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_error err = { 0 };
	int rc = e->growth.rc;

	jn_error_move(&err, &e->growth.err);
	if (!rc)
		rc = jn_datapath_grow_swap(e->install.datapath, e->growth.growth, &err);
	if (!rc)
		rc = jn_install_grow(&e->install);
	/* Where no thread can be had, the loop waits for the grace period itself. */
	if (e->executor.submit(e->executor.context, settle_work, settle_done, e)) {
		settle_work(e);
		e->growth.is_running = false;
	}
	jn_engine_resume(e, rc, &err);
	jn_error_done(&err);
	jn_engine_pump(e);
}

int jn_engine_grow(struct jn_engine *e)
{
	int rc;

	e->growth.is_awaited = e->growth.is_running; /* the last one has not settled yet */
	if (e->growth.is_awaited)
		return 0;
	rc = e->executor.submit(e->executor.context, load_work, load_done, e);
	e->growth.is_running = !rc;
	return rc;
}
