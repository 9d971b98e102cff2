/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Arrays that grow by doubling. Knows nothing of what the items own.
 */
#include "base/vec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 8

int jn_vec_grow(void **items, size_t *capacity, size_t count, size_t size)
{
	size_t wanted = *capacity ? *capacity * 2 : FIRST_CAPACITY;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*items, wanted, size);
	if (!grown)
		return -ENOMEM;
	*items = grown;
	*capacity = wanted;
	return 0;
}

void *jn_vec_add_raw(void **items, size_t *count, size_t *capacity, size_t size)
{
	unsigned char *item;

	if (jn_vec_grow(items, capacity, *count, size))
		return NULL;
	item = (unsigned char *)*items + *count * size;
	memset(item, 0, size);
	++*count;
	return item;
}
