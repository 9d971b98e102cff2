/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When sockets are looked for and ended, by whom, and what is counted.
 */
#include "engine/endings.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/internal.h"
#include "netlink/diag.h"

#define AREA "endings"
#define AGAIN_MS 400	    /* after a change: who chose while it was published is connected now */
#define AGAIN_LATER_MS 1000 /* after a scan that could not begin */

static void scan(struct jn_engine *e);

static void settle(struct jn_engine *e, enum jn_endings_state state)
{
	e->endings.state = state;
	jn_engine_pump(e); /* somebody may wait for the engine to be idle */
}

/* --- between two scans -------------------------------------------------------------------------- */

static void on_rested(void *arg)
{
	struct jn_engine *e = arg;

	e->endings.timer = NULL;
	scan(e);
}

/* Without a timer the next change scans again. */
static void rest(struct jn_engine *e, uint64_t delay_ms)
{
	const struct jn_executor *x = &e->executor;

	e->endings.state = JN_ENDINGS_RESTING;
	if (x->start_timer(x->context, delay_ms, on_rested, e, &e->endings.timer))
		settle(e, JN_ENDINGS_IDLE);
}

static bool has_ended_any(const struct jn_ending_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		if (plan->is_ended[i])
			return true;
	}
	return false;
}

/* A round is over: scan at once, later, or not again before the next change. */
static void go_on(struct jn_engine *e)
{
	struct jn_endings *endings = &e->endings;
	bool is_fresh = has_ended_any(&endings->plan);
	bool is_left = endings->plan.count || endings->watches.count || endings->lost.count;
	uint64_t now = jn_clock_ms();

	jn_ending_plan_done(&endings->plan);
	if (e->is_draining) {
		settle(e, JN_ENDINGS_OFF);
	} else if (endings->is_asked) {
		scan(e);
	} else if (is_fresh || now - endings->changed_ms < AGAIN_MS) {
		rest(e, AGAIN_MS);
	} else if (is_left || endings->is_failing) {
		rest(e, jn_endings_next_ms(endings, now));
	} else {
		jn_endings_forget(endings);
		settle(e, JN_ENDINGS_IDLE);
	}
}

/* --- ending -------------------------------------------------------------------------------------- */

static void count_ended(struct jn_endings *endings)
{
	const struct jn_ending_plan *plan = &endings->plan;
	size_t ended = 0, unreachable = endings->waiting;

	for (size_t i = 0; i < plan->count; i++) {
		bool is_udp = plan->sockets[i].proto == IPPROTO_UDP;

		ended += plan->is_ended[i];
		unreachable += !plan->is_reached[i];
		if (plan->is_ended[i])
			endings->ended[is_udp][plan->reasons[i]]++;
	}
	if (ended)
		jn_log_limited(&endings->ended_log, JN_LOG_INFO, AREA,
			       "ended %zu sockets of gone backends", ended);
	if (unreachable != endings->unreachable && unreachable)
		jn_log_limited(&endings->lost_log, JN_LOG_WARNING, AREA,
			       "%zu sockets of gone backends are in network namespaces that cannot "
			       "be entered; they are left until a mount, a process or an open file "
			       "leads there: for the last two junctord needs CAP_SYS_PTRACE",
			       unreachable);
	endings->unreachable = unreachable;
	if (endings->end_rc && !endings->is_refused)
		jn_warn(AREA,
			"sockets of gone backends cannot be ended (%s); trying again, and the "
			"kernel needs CONFIG_INET_DIAG_DESTROY, or bpf_sock_destroy and an "
			"iterator of TCP sockets without CVE-2026-64575",
			strerror(-endings->end_rc));
	endings->is_refused = endings->end_rc;
}

static struct jn_ender *ender_of(struct jn_endings *endings)
{
	int rc = 0;

	if (!endings->has_ender)
		rc = jn_ender_open(&endings->ender); /* without one they are left */
	endings->has_ender = !rc || rc == -EOPNOTSUPP;
	return endings->ender;
}

/*
 * What netlink left: all, where this kernel or this namespace refuses it; else only UDP, of which two
 * may share their addresses. A TCP socket that it did not find is gone by itself.
 */
static bool is_for_programs(const struct jn_ending_plan *plan, size_t i, int netlink_rc)
{
	return !plan->is_ended[i] && (netlink_rc || plan->sockets[i].proto == IPPROTO_UDP);
}

static int end_rest(struct jn_endings *endings, size_t from, size_t to, int netlink_rc)
{
	struct jn_ending_plan *plan = &endings->plan;
	JN_AUTO(jn_free_mem) struct jn_stale *sockets = calloc(to - from, sizeof(*sockets));
	JN_AUTO(jn_free_mem) bool *is_ended = calloc(to - from, sizeof(*is_ended));
	size_t count = 0;
	int rc;

	if (!sockets || !is_ended)
		return -ENOMEM;
	for (size_t i = from; i < to; i++) {
		if (is_for_programs(plan, i, netlink_rc))
			sockets[count++] = plan->sockets[i];
	}
	rc = jn_ender_end(endings->ender, sockets, count, is_ended);
	count = 0;
	for (size_t i = from; i < to; i++) {
		if (is_for_programs(plan, i, netlink_rc))
			plan->is_ended[i] = is_ended[count++];
	}
	return rc;
}

static bool has_rest(const struct jn_ending_plan *plan, size_t from, size_t to, int netlink_rc)
{
	for (size_t i = from; i < to; i++) {
		if (is_for_programs(plan, i, netlink_rc))
			return true;
	}
	return false;
}

/*
 * In the namespace: all of the plan that is there. Netlink first: its cost is that of the sockets
 * that are ended; the programs go through all sockets of the machine.
 */
static void end_here(void *arg, uint32_t netns)
{
	struct jn_endings *endings = arg;
	struct jn_ending_plan *plan = &endings->plan;
	size_t from = 0, to;
	int rc;

	while (from < plan->count && plan->sockets[from].netns != netns)
		from++;
	for (to = from; to < plan->count && plan->sockets[to].netns == netns; to++)
		plan->is_reached[to] = true;
	rc = jn_diag_end(plan->sockets + from, to - from, plan->is_ended + from);
	if (has_rest(plan, from, to, rc) && ender_of(endings))
		rc = end_rest(endings, from, to, rc);
	if (rc)
		endings->end_rc = rc;
}

static void end_work(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_endings *endings = &e->endings;
	const struct jn_ending_plan *plan = &endings->plan;
	JN_AUTO(jn_free_mem) uint32_t *spaces = calloc(plan->count, sizeof(*spaces));
	size_t count = 0;

	endings->end_rc = spaces ? 0 : -ENOMEM;
	for (size_t i = 0; spaces && i < plan->count; i++) {
		if (!i || plan->sockets[i].netns != plan->sockets[i - 1].netns)
			spaces[count++] = plan->sockets[i].netns;
	}
	if (spaces) {
		int rc = jn_spaces_visit(spaces, count, end_here, endings);

		endings->end_rc = endings->end_rc ? endings->end_rc : rc;
	}
}

static void end_done(void *arg)
{
	struct jn_engine *e = arg;

	jn_endings_note_lost(&e->endings, jn_clock_ms());
	count_ended(&e->endings);
	go_on(e);
}

/* --- scanning ------------------------------------------------------------------------------------ */

static void note_scan(struct jn_endings *endings)
{
	if (endings->scan_rc && !endings->is_failing)
		jn_warn(AREA, "sockets of gone backends cannot be looked for (%s); trying again",
			strerror(-endings->scan_rc));
	endings->is_failing = endings->scan_rc;
}

static void scan_work(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_endings *endings = &e->endings;

	endings->scan_rc = jn_stale_read(endings->finder, &endings->found);
	jn_close_fd(&endings->finder);
}

static void scan_done(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_endings *endings = &e->endings;

	if (!endings->scan_rc && !e->is_draining)
		endings->scan_rc = jn_endings_plan(e, jn_clock_ms());
	note_scan(endings);
	endings->state = JN_ENDINGS_ENDING;
	if (!endings->plan.count)
		endings->unreachable = endings->waiting;
	if (!endings->plan.count || e->executor.submit(e->executor.context, end_work, end_done, e))
		go_on(e);
}

static void scan(struct jn_engine *e)
{
	struct jn_endings *endings = &e->endings;
	int rc;

	endings->is_asked = false;
	endings->found.count = 0;
	endings->state = JN_ENDINGS_SCANNING;
	rc = jn_datapath_find_stale(e->install.datapath, &endings->finder);
	if (!rc)
		rc = e->executor.submit(e->executor.context, scan_work, scan_done, e);
	if (!rc)
		return; /* scan_rc is the worker's now, which may have written it already */
	endings->scan_rc = rc;
	jn_close_fd(&endings->finder);
	note_scan(endings);
	rest(e, AGAIN_LATER_MS);
}

/* --- from outside -------------------------------------------------------------------------------- */

static void wake(struct jn_engine *e)
{
	struct jn_endings *endings = &e->endings;

	endings->changed_ms = jn_clock_ms();
	endings->is_asked = true; /* one under way may have been past those sockets */
	if (endings->timer)
		e->executor.stop_timer(&endings->timer);
	if (endings->state == JN_ENDINGS_IDLE || endings->state == JN_ENDINGS_RESTING)
		scan(e);
}

void jn_endings_note(struct jn_engine *e, const struct jn_transaction *t)
{
	struct jn_endings *endings = &e->endings;
	bool is_removing = false;

	for (size_t i = 0; i < t->count; i++) {
		for (size_t p = 0; p < t->services[i].port_count; p++) {
			const struct jn_port_plan *plan = &t->services[i].ports[p];

			if (!plan->match.gone_count)
				continue;
			is_removing = true;
			jn_endings_keep_drain(e, &t->services[i].key, plan, jn_clock_ms());
		}
	}
	if (!is_removing || endings->state == JN_ENDINGS_OFF)
		return;
	wake(e);
}

void jn_endings_start(struct jn_engine *e)
{
	e->endings.state = JN_ENDINGS_IDLE;
	wake(e);
}

void jn_endings_stop(struct jn_engine *e)
{
	struct jn_endings *endings = &e->endings;

	if (endings->timer)
		e->executor.stop_timer(&endings->timer);
	if (!jn_endings_is_busy(endings))
		endings->state = JN_ENDINGS_OFF;
}

bool jn_endings_is_busy(const struct jn_endings *endings)
{
	return endings->state == JN_ENDINGS_SCANNING || endings->state == JN_ENDINGS_ENDING;
}
