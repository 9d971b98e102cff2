/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random numbers for property tests: the same ones in every run, so that a failure comes back.
 */
#ifndef JUNCTOR_TEST_RANDOM_H
#define JUNCTOR_TEST_RANDOM_H

#include <stdint.h>

static uint64_t random_state = 1;

/* 0..limit-1 */
static inline uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(random_state >> 33) % limit;
}

#endif
