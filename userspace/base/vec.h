/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Arrays that grow, typed by their declaration:
 *
 *	struct { unsigned *items; size_t count, capacity; } ids = { 0 };
 *	unsigned *slot = jn_vec_add(&ids);
 */
#ifndef JUNCTOR_BASE_VEC_H
#define JUNCTOR_BASE_VEC_H

#include <stddef.h>

/* Make room for one more item of `size` bytes; 0 or -ENOMEM with nothing changed. */
int jn_vec_grow(void **items, size_t *capacity, size_t count, size_t size);

/* A new zeroed item at the end, or NULL when memory is out. */
#define jn_vec_add(v)                                                                              \
	((__typeof__((v)->items))jn_vec_add_raw((void **)&(v)->items, &(v)->count, &(v)->capacity, \
						sizeof(*(v)->items)))

void *jn_vec_add_raw(void **items, size_t *count, size_t *capacity, size_t size);

#endif
