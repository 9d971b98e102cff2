/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which addresses need a guard route, and the one job at a time that sets and removes them. What
 * cannot be set is tried again with the next change.
 */
#include "engine/guards.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/vec.h"
#include "engine/internal.h"

#define AREA "guards"

struct vip {
	struct jn_addr addr;
	uint32_t frontends; /* installed ones with this address */
	uint32_t seen;	    /* in which look its route was there */
	bool is_guarded, is_queued;
	bool is_owned; /* by the node, the last time: it needs no guard */
};

static const struct jn_table_ops vip_ops = { .entry_size = sizeof(struct vip),
					     .key_size = sizeof(struct jn_addr) };

void jn_guards_init(struct jn_guards *guards, bool is_wanted)
{
	guards->is_wanted = is_wanted;
	jn_table_init(&guards->vips, &vip_ops);
}

void jn_guards_done(struct jn_guards *guards)
{
	jn_table_done(&guards->vips);
	free(guards->queue.items);
	free(guards->job.items);
}

/* --- what is wanted ------------------------------------------------------------------------------ */

static void enqueue(struct jn_guards *guards, struct vip *vip)
{
	struct jn_addr *item = vip->is_queued ? NULL : jn_vec_add(&guards->queue);

	guards->has_missed |= !vip->is_queued && !item;
	if (!item)
		return;
	*item = vip->addr;
	vip->is_queued = true;
}

/* There was no memory to queue some: they are looked for. */
static void enqueue_missed(struct jn_guards *guards)
{
	struct vip *vip;
	size_t at = 0;

	guards->has_missed = false;
	while ((vip = jn_table_next(&guards->vips, &at))) {
		if (!vip->frontends != !vip->is_guarded)
			enqueue(guards, vip);
	}
}

static void count_frontends(struct jn_guards *guards, const struct jn_frontend_key *frontends,
			    unsigned count, int by)
{
	for (unsigned i = 0; i < count; i++) {
		struct vip *vip;
		bool is_new;

		vip = jn_table_put(&guards->vips, &frontends[i].vip, &is_new);
		if (!vip)
			continue;
		vip->addr = frontends[i].vip;
		if (by > 0)
			vip->frontends++;
		else if (vip->frontends)
			vip->frontends--;
		enqueue(guards, vip);
	}
}

/* --- the job ------------------------------------------------------------------------------------- */

static int by_addr(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct jn_addr)); /* which a guard begins with */
}

struct search {
	struct jn_guards *guards;
	size_t wanted;
};

/* A route of ours that is there: left by an earlier run, if nobody wants it. */
static int find_leftover(void *arg, const struct jn_addr *addr)
{
	const struct search *search = arg;
	struct jn_guard *item;

	if (search->wanted && bsearch(addr, search->guards->job.items, search->wanted,
				      sizeof(struct jn_guard), by_addr))
		return 0;
	item = jn_vec_add(&search->guards->job);
	if (!item)
		return -ENOMEM;
	*item = (struct jn_guard){ .addr = *addr };
	return 0;
}

static void job_work(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_guards *guards = &e->guards;
	struct search search = { guards, guards->job.count };

	guards->rc = 0;
	if (guards->is_first) {
		if (search.wanted)
			qsort(guards->job.items, search.wanted, sizeof(*guards->job.items),
			      by_addr);
		guards->rc = jn_guards_each(find_leftover, &search);
	}
	if (!guards->rc && guards->job.count)
		guards->rc = jn_guards_apply(guards->job.items, guards->job.count);
}

/* One address after its turn; what failed is queued for the next job. */
static void settle(struct jn_guards *guards, const struct jn_guard *guard, int *failure)
{
	struct vip *vip = jn_table_find(&guards->vips, &guard->addr);
	int rc = guards->rc ? guards->rc : guard->rc;
	bool is_owned = !guards->rc && rc == -EADDRINUSE; /* by the node: that is no failure */

	if (rc && !is_owned)
		*failure = rc;
	if (!vip)
		return;
	vip->is_owned = is_owned;
	if (!rc && guard->is_wanted != vip->is_guarded) {
		vip->is_guarded = guard->is_wanted;
		guards->present += guard->is_wanted ? 1 : (size_t)-1;
	}
	if (rc && !is_owned)
		enqueue(guards, vip);
	else if (!vip->frontends && !vip->is_guarded && !vip->is_queued)
		(void)jn_table_del(&guards->vips, &guard->addr);
}

static void begin_job(struct jn_engine *e);

static void job_done(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_guards *guards = &e->guards;
	int failure = guards->rc;

	for (size_t i = 0; i < guards->job.count; i++)
		settle(guards, &guards->job.items[i], &failure);
	if (failure && !guards->is_failing)
		jn_warn(AREA,
			"guard routes cannot be set (%s): connections that no hook sees may leave "
			"this machine; trying again with the next change. junctord needs "
			"CAP_NET_ADMIN here, or guardRoutes: false",
			strerror(-failure));
	guards->is_failing = failure;
	guards->is_first &= guards->rc != 0;
	free(guards->job.items);
	memset(&guards->job, 0, sizeof(guards->job));
	guards->is_busy = false;
	if (!failure)
		begin_job(e); /* of what came meanwhile */
	jn_engine_pump(e);
}

/* False: there is no memory for it. */
static bool add_to_job(struct jn_guards *guards, struct vip *vip)
{
	struct jn_addr addr = vip->addr;
	struct jn_guard *item;

	if (!vip->frontends != !vip->is_guarded) {
		item = jn_vec_add(&guards->job);
		if (!item)
			return false;
		*item = (struct jn_guard){ .addr = addr, .is_wanted = vip->frontends };
	}
	vip->is_queued = false;
	if (!vip->frontends && !vip->is_guarded)
		(void)jn_table_del(&guards->vips, &addr);
	return true;
}

/* Everything that is queued and not as it shall be; what there is no memory for stays queued. */
static void fill_job(struct jn_guards *guards)
{
	size_t at = 0;

	for (; at < guards->queue.count; at++) {
		struct vip *vip = jn_table_find(&guards->vips, &guards->queue.items[at]);

		if (vip && !add_to_job(guards, vip))
			break;
	}
	guards->queue.count -= at;
	if (guards->queue.count)
		memmove(guards->queue.items, guards->queue.items + at,
			guards->queue.count * sizeof(*guards->queue.items));
}

static void begin_job(struct jn_engine *e)
{
	struct jn_guards *guards = &e->guards;

	if (guards->is_busy || e->is_draining)
		return;
	if (guards->has_missed)
		enqueue_missed(guards);
	fill_job(guards);
	if (!guards->job.count && !guards->is_first)
		return;
	guards->is_busy = !e->executor.submit(e->executor.context, job_work, job_done, e);
	guards->jobs++;
	if (guards->is_busy)
		return;
	for (size_t i = 0; i < guards->job.count; i++)
		enqueue(guards, jn_table_find(&guards->vips, &guards->job.items[i].addr));
	guards->job.count = 0;
}

/* --- from outside -------------------------------------------------------------------------------- */

void jn_guards_start(struct jn_engine *e)
{
	struct jn_guards *guards = &e->guards;
	struct jn_installed_service **service;
	size_t at = 0;

	guards->is_started = guards->is_first = true;
	while (guards->is_wanted && (service = jn_table_next(&e->install.installed, &at))) {
		for (size_t p = 0; p < (*service)->count; p++)
			count_frontends(guards, (*service)->ports[p].frontends,
					(*service)->ports[p].frontend_count, 1);
	}
	begin_job(e);
}

void jn_guards_note(struct jn_engine *e, const struct jn_transaction *t)
{
	struct jn_guards *guards = &e->guards;

	if (!guards->is_started || !guards->is_wanted)
		return;
	for (size_t i = 0; i < t->count; i++) {
		for (size_t p = 0; p < t->services[i].port_count; p++) {
			const struct jn_port_plan *plan = &t->services[i].ports[p];

			if (plan->desired)
				count_frontends(guards, plan->desired->frontends,
						plan->desired->frontend_count, 1);
			if (plan->installed)
				count_frontends(guards, plan->installed->frontends,
						plan->installed->frontend_count, -1);
		}
	}
	begin_job(e);
}

/* --- against what there is ----------------------------------------------------------------------- */

int64_t jn_guards_jobs(const struct jn_guards *guards)
{
	return guards->is_busy ? -1 : guards->jobs;
}

/* It is not there any more: a job sets it again. */
static void miss(struct jn_guards *guards, struct vip *vip)
{
	vip->is_guarded = false;
	guards->present--;
	enqueue(guards, vip);
}

/* It is there, and nobody's: a job removes it. Without memory the next verification tries again. */
static void condemn(struct jn_guards *guards, const struct jn_addr *addr)
{
	bool is_new;
	struct vip *vip = jn_table_put(&guards->vips, addr, &is_new);

	if (!vip)
		return;
	vip->addr = *addr;
	vip->is_guarded = true;
	vip->seen = guards->look;
	guards->present++;
	enqueue(guards, vip);
}

void jn_guards_begin_look(struct jn_guards *guards)
{
	guards->look++;
}

bool jn_guards_see(struct jn_guards *guards, const struct jn_addr *addr, bool repairs)
{
	struct vip *vip = jn_table_find(&guards->vips, addr);

	if (vip)
		vip->seen = guards->look;
	else if (repairs)
		condemn(guards, addr);
	return !vip;
}

bool jn_guards_look(struct jn_guards *guards, size_t *at, bool repairs, struct jn_addr *missing,
		    bool *is_missing)
{
	struct vip *vip = jn_table_next(&guards->vips, at);

	*is_missing = vip && vip->is_guarded && vip->seen != guards->look;
	if (!*is_missing)
		return vip;
	*missing = vip->addr;
	if (repairs)
		miss(guards, vip);
	return true;
}

void jn_guards_mend(struct jn_engine *e)
{
	begin_job(e);
}

bool jn_guards_is_right(const struct jn_guards *guards, const struct jn_addr *addr)
{
	const struct vip *vip = jn_table_find(&guards->vips, addr);

	return !vip || vip->is_owned || !vip->frontends == !vip->is_guarded;
}
