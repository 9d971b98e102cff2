/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Time that never goes back. Wall-clock time is for people (logs), never for a decision.
 */
#ifndef JUNCTOR_BASE_CLOCK_H
#define JUNCTOR_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t jn_clock_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail with this clock */
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t jn_clock_ms(void)
{
	return jn_clock_ns() / 1000000u;
}

#endif
