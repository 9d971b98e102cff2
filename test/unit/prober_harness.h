/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A prober over attempts, one timer and a clock that the test moves. The three stand in for the
 * loop's and the kernel's, which test/scenario/test_probes.py has. Included by the one file that is
 * the test: it defines their functions.
 */
#ifndef JUNCTOR_TEST_PROBER_HARNESS_H
#define JUNCTOR_TEST_PROBER_HARNESS_H

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/log.h"
#include "loop/loop.h"
#include "probe/attempt.h"
#include "probe/health.h"
#include "probe/prober.h"
#include "probe/schedule.h"
#include "random.h"

#define MAX_LIVES 20001
#define BEGIN_MS 1000000u

/* --- the clock, one timer, attempts -------------------------------------------------------------- */

static uint64_t now_ms;

int clock_gettime(clockid_t clock, struct timespec *out)
{
	(void)clock;
	out->tv_sec = (time_t)(now_ms / 1000);
	out->tv_nsec = (long)(now_ms % 1000) * 1000000;
	return 0;
}

struct jn_timer {
	uint64_t due_ms;
	void (*fn)(void *arg);
	void *arg;
};
static struct jn_timer *timer; /* the prober has one */

int jn_timer_start(struct jn_loop *loop, uint64_t delay_ms, void (*fn)(void *arg), void *arg,
		   struct jn_timer **out)
{
	(void)loop;
	assert_null(timer);
	timer = malloc(sizeof(*timer));
	assert_non_null(timer);
	*timer = (struct jn_timer){ now_ms + delay_ms, fn, arg };
	*out = timer;
	return 0;
}

void jn_timer_stop(struct jn_timer **stopped)
{
	if (!*stopped)
		return;
	assert_ptr_equal(*stopped, timer);
	free(timer);
	timer = *stopped = NULL;
}

struct jn_attempt {
	struct jn_attempt_options options;
	struct jn_attempt *next;
};
static struct jn_attempt *attempts; /* in flight, the youngest first */
static unsigned in_flight, most_in_flight, started;
static bool refuses_attempts;

int jn_attempt_start(const struct jn_attempt_options *options, struct jn_attempt **out)
{
	struct jn_attempt *attempt;

	if (refuses_attempts)
		return -ENOMEM;
	attempt = malloc(sizeof(*attempt));
	assert_non_null(attempt);
	*attempt = (struct jn_attempt){ *options, attempts };
	attempts = attempt;
	in_flight++;
	started++;
	if (in_flight > most_in_flight)
		most_in_flight = in_flight;
	*out = attempt;
	return 0;
}

void jn_attempt_stop(struct jn_attempt **stopped)
{
	struct jn_attempt **at = &attempts;

	if (!*stopped)
		return;
	while (*at != *stopped)
		at = &(*at)->next;
	*at = (*stopped)->next;
	in_flight--;
	free(*stopped);
	*stopped = NULL;
}

static inline void end_attempt(struct jn_attempt *attempt, enum jn_outcome outcome)
{
	struct jn_attempt_options options = attempt->options;

	jn_attempt_stop(&attempt);
	options.done(options.arg, outcome, outcome == JN_OUTCOME_UP ? "" : "broken");
}

/* --- the prober ---------------------------------------------------------------------------------- */

static struct jn_prober *prober;
static bool is_down[MAX_LIVES], is_sick[MAX_LIVES]; /* by live: as told; what its probes say */
static bool is_unknown[MAX_LIVES];
static unsigned stores;

static inline void set_down(void *arg, uint32_t live, bool down)
{
	(void)arg;
	assert_true(live && live < MAX_LIVES && is_down[live] != down);
	is_down[live] = down;
	stores++;
}

static inline int setup(void **state)
{
	struct jn_prober_options options = { .set_down = set_down,
					     .max_in_flight = JN_MAX_PROBES_IN_FLIGHT };

	(void)state;
	jn_log_set_level(JN_LOG_ERROR);
	now_ms = BEGIN_MS;
	memset(is_down, 0, sizeof(is_down));
	memset(is_sick, 0, sizeof(is_sick));
	memset(is_unknown, 0, sizeof(is_unknown));
	stores = started = most_in_flight = 0;
	refuses_attempts = false;
	return jn_prober_new(&options, &prober);
}

static inline int teardown(void **state)
{
	(void)state;
	jn_prober_close(&prober);
	assert_null(timer);
	assert_null(attempts);
	return 0;
}

static inline struct jn_probe *new_probe(void)
{
	struct jn_probe *probe = jn_probe_new();

	assert_non_null(probe);
	return probe; /* every 10 s, 3 failures, 1 success */
}

/* 10.x.y.z of its entry of jn_live. */
static inline struct jn_probed_endpoint endpoint_of(uint32_t live)
{
	struct jn_probed_endpoint endpoint = { .port = htons(80), .live = live, .takes_new = true };

	endpoint.addr.w[2] = htonl(0xffff);
	endpoint.addr.w[3] = htonl(0x0a000000 | live);
	endpoint.is_down = is_down[live];
	return endpoint;
}

/* The port of this service has the entries first..first+count-1; probe NULL: it goes. */
static inline void declare(uint32_t service, struct jn_probe *probe, uint32_t first, size_t count)
{
	JN_AUTO(jn_free_mem)
	struct jn_probed_endpoint *endpoints = calloc(count + 1, sizeof(*endpoints));
	struct jn_probed_port port = {
		.service = service,
		.namespace_ = "default",
		.name = "web",
		.port_name = "",
		.probe = probe,
		.max_percent = 50,
		.endpoints = endpoints,
		.count = count,
	};

	assert_non_null(endpoints);
	for (size_t i = 0; i < count; i++)
		endpoints[i] = endpoint_of(first + (uint32_t)i);
	jn_prober_change(prober, &port);
}

static inline uint32_t live_of(const struct jn_attempt *attempt)
{
	return ntohl(attempt->options.addr.w[3]) & 0xffffff;
}

/* Time goes on; attempts end at once, as is_sick and is_unknown say. */
static inline void run(uint64_t ms)
{
	for (uint64_t end = now_ms + ms; now_ms < end; now_ms++) {
		if (timer && timer->due_ms <= now_ms) {
			struct jn_timer fired = *timer;

			free(timer);
			timer = NULL;
			fired.fn(fired.arg);
		}
		while (attempts) {
			uint32_t live = live_of(attempts);

			end_attempt(attempts, is_unknown[live] ? JN_OUTCOME_UNKNOWN
					      : is_sick[live]  ? JN_OUTCOME_DOWN
							       : JN_OUTCOME_UP);
		}
	}
}

static inline size_t count_down(uint32_t first, size_t count)
{
	size_t down = 0;

	for (size_t i = 0; i < count; i++)
		down += is_down[first + i];
	return down;
}

static inline struct jn_probe_stats stats(void)
{
	struct jn_probe_stats out;

	jn_prober_stats(prober, &out);
	return out;
}

/* A millisecond in which nobody answers. */
static inline void step(void)
{
	struct jn_timer fired;

	now_ms++;
	if (!timer || timer->due_ms > now_ms)
		return;
	fired = *timer;
	free(timer);
	timer = NULL;
	fired.fn(fired.arg);
}

#endif
