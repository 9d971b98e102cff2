/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When which target is asked: spread over the interval from the first moment on, only so
 * many at once. Those that wait for a place keep their order.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "probe/internal.h"

#define LEAST_PAUSE_MS 5  /* between two turns: those due together begin together */
#define MAX_STARTS 64	  /* a turn, so that the loop does something else, too */
#define PATIENCE_MS 60000 /* between two lines of the log about one shortage */

static void arm(struct jn_prober *p);

static uint64_t random_number(struct jn_prober *p)
{
	p->random++;
	return jn_hash_bytes(&p->random, sizeof(p->random)); /* seeded at start */
}

static uint64_t interval_ms(const struct jn_target *target)
{
	return target->probe->interval_seconds * 1000u;
}

static void plan_next(struct jn_prober *p, struct jn_target *target, uint64_t at_ms)
{
	target->due.at_ms = jn_due_next(at_ms, interval_ms(target), random_number(p));
	jn_schedule_add(&p->schedule, &target->due); /* there is room for every target */
}

static void tell_shortage(struct jn_prober *p, const char *why)
{
	uint64_t now = jn_clock_ms();

	if (p->told_ms && now - p->told_ms < PATIENCE_MS)
		return;
	p->told_ms = now;
	jn_warn("probe",
		"a backend could not be asked (%s); its verdict stays and it is asked again: give "
		"junctord more of that",
		why);
}

static void on_done(void *arg, enum jn_outcome outcome, const char *why)
{
	struct jn_target *target = arg;
	struct jn_prober *p = target->prober;

	target->attempt = NULL;
	p->in_flight--;
	plan_next(p, target, target->due.at_ms);
	if (outcome == JN_OUTCOME_UNKNOWN) {
		tell_shortage(p, why);
	} else {
		p->succeeded += outcome == JN_OUTCOME_UP;
		p->failed += outcome == JN_OUTCOME_DOWN;
		(void)snprintf(target->why, sizeof(target->why), "%s", why);
		if (jn_health_note(&target->health, target->probe, outcome == JN_OUTCOME_UP))
			jn_prober_turn(p, target);
		jn_prober_catch_up(target);
	}
	arm(p);
}

static void start(struct jn_prober *p, struct jn_target *target, uint64_t now)
{
	struct jn_attempt_options options = {
		.loop = p->options.loop,
		.addr = target->addr,
		.port = target->port,
		.probe = target->probe,
		.done = on_done,
		.arg = target,
	};

	jn_schedule_remove(&p->schedule, &target->due);
	/* One that had to wait for its place does not come twice as soon the next time. */
	if (target->due.at_ms + interval_ms(target) / 2 < now)
		target->due.at_ms = now;
	if (jn_attempt_start(&options, &target->attempt))
		plan_next(p, target, now); /* no memory: later */
	else
		p->in_flight++;
}

static void on_timer(void *arg)
{
	struct jn_prober *p = arg;
	uint64_t now = jn_clock_ms();
	struct jn_due *due;

	p->timer = NULL;
	for (unsigned i = 0; i < MAX_STARTS && p->in_flight < p->options.max_in_flight; i++) {
		due = jn_schedule_first(&p->schedule);
		if (!due || due->at_ms > now)
			break;
		start(p, (struct jn_target *)due, now);
	}
	arm(p);
}

/* Where every place is taken, the next one that gets free goes on. */
static void arm(struct jn_prober *p)
{
	const struct jn_due *due = jn_schedule_first(&p->schedule);
	uint64_t now = jn_clock_ms(), pause = LEAST_PAUSE_MS;

	jn_timer_stop(&p->timer);
	if (!due || p->in_flight >= p->options.max_in_flight)
		return;
	if (due->at_ms > now + pause)
		pause = due->at_ms - now;
	if (jn_timer_start(p->options.loop, pause, on_timer, p, &p->timer))
		jn_warn("probe", "out of memory: probes wait for the next one that ends; give "
				 "junctord more memory");
}

int jn_prober_ask(struct jn_prober *p, struct jn_target *target)
{
	int rc = jn_schedule_reserve(&p->schedule, p->targets.count);

	if (rc)
		return rc;
	target->due.at_ms = jn_due_first(jn_clock_ms(), interval_ms(target), random_number(p));
	jn_schedule_add(&p->schedule, &target->due);
	if (jn_schedule_first(&p->schedule) == &target->due)
		arm(p);
	return 0;
}

void jn_prober_forget(struct jn_prober *p, struct jn_target *target)
{
	jn_schedule_remove(&p->schedule, &target->due);
	if (!target->attempt)
		return;
	jn_attempt_stop(&target->attempt);
	p->in_flight--;
	arm(p);
}
