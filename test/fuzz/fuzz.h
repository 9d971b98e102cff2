/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For fuzz targets: what must be true, and numbers read off the input. libFuzzer brings main().
 */
#ifndef JUNCTOR_FUZZ_FUZZ_H
#define JUNCTOR_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Called by libFuzzer, once for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Called by libFuzzer, once at the start. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* What is not true ends the process; libFuzzer then keeps the input. */
#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			(void)fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__,         \
				      #condition);                                                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The input as a row of small numbers; 0 for ever when it is used up. */
struct numbers {
	const uint8_t *data;
	size_t size, at;
};

/* 0..limit-1, limit up to 256 */
static inline unsigned number_below(struct numbers *n, unsigned limit)
{
	return n->at < n->size ? n->data[n->at++] % limit : 0;
}

static inline int is_used_up(const struct numbers *n)
{
	return n->at >= n->size;
}

/* Sizes of pieces: the same ones for the same seed. */
struct pieces {
	uint32_t state;
};

/* 1..most, small ones more often than large ones; at most what is left */
static inline size_t next_piece(struct pieces *p, size_t left)
{
	size_t size, most;

	p->state = p->state * 1664525u + 1013904223u;
	most = (size_t)1 << (p->state >> 28);
	size = 1 + (p->state >> 8) % most;
	return size < left ? size : left;
}

#endif
