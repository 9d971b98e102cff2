/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ranges of slots: exact sizes come back at once, the rest is carved from large extents; when both
 * fail, everything free is merged again and tried once more.
 */
#include "engine/ids.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/vec.h"

#define SIZES (JN_MAX_BACKENDS + 1)

int jn_ranges_init(struct jn_ranges *ranges, uint32_t capacity, uint32_t ceiling)
{
	*ranges = (struct jn_ranges){ .capacity = capacity, .ceiling = ceiling };
	ranges->by_size = calloc(SIZES, sizeof(*ranges->by_size));
	if (!ranges->by_size)
		return -ENOMEM;
	return jn_ranges_adopt(ranges, NULL, 0);
}

void jn_ranges_done(struct jn_ranges *ranges)
{
	for (unsigned size = 0; ranges->by_size && size < SIZES; size++)
		free(ranges->by_size[size].items);
	free(ranges->by_size);
	free(ranges->large);
	*ranges = (struct jn_ranges){ 0 };
}

/* Space is lost until the next start where memory is out; it is never given out twice. */
static void add_large(struct jn_ranges *ranges, uint32_t base, uint32_t count)
{
	struct jn_extent *extent;

	extent = jn_vec_add_raw((void **)&ranges->large, &ranges->large_count,
				&ranges->large_capacity, sizeof(*extent));
	if (extent)
		*extent = (struct jn_extent){ base, count };
}

static void add_free(struct jn_ranges *ranges, uint32_t base, uint32_t count)
{
	uint32_t *item;

	if (!count)
		return;
	if (count >= SIZES) {
		add_large(ranges, base, count);
		return;
	}
	item = jn_vec_add(&ranges->by_size[count]);
	if (item)
		*item = base;
}

void jn_ranges_grow(struct jn_ranges *ranges, uint32_t capacity)
{
	add_free(ranges, ranges->capacity, capacity - ranges->capacity);
	ranges->capacity = capacity;
}

static int take_exact(struct jn_ranges *ranges, uint32_t count, uint32_t *base)
{
	struct jn_bases *bases = &ranges->by_size[count < SIZES ? count : 0]; /* [0] stays empty */

	if (!bases->count)
		return -ENOSPC;
	*base = bases->items[--bases->count];
	return 0;
}

static int carve_large(struct jn_ranges *ranges, uint32_t count, uint32_t *base)
{
	struct jn_extent *extent, rest;
	size_t i = ranges->large_count;

	while (i && ranges->large[i - 1].count < count)
		i--;
	if (!i)
		return -ENOSPC;
	extent = &ranges->large[i - 1];
	*base = extent->base;
	rest = (struct jn_extent){ extent->base + count, extent->count - count };
	if (rest.count >= SIZES) {
		*extent = rest;
	} else {
		*extent = ranges->large[--ranges->large_count];
		add_free(ranges, rest.base, rest.count);
	}
	return 0;
}

static int split_bigger(struct jn_ranges *ranges, uint32_t count, uint32_t *base)
{
	for (uint32_t size = count + 1; size < SIZES; size++) {
		if (take_exact(ranges, size, base))
			continue;
		add_free(ranges, *base + count, size - count);
		return 0;
	}
	return -ENOSPC;
}

static int by_base(const void *a, const void *b)
{
	const struct jn_extent *left = a, *right = b;

	return left->base < right->base ? -1 : left->base > right->base;
}

/* Free neighbours become one again. On -ENOMEM nothing changed. */
static int merge_all(struct jn_ranges *ranges)
{
	size_t total = ranges->large_count, count = 0, merged = 0;
	struct jn_extent *all;

	for (uint32_t size = 1; size < SIZES; size++)
		total += ranges->by_size[size].count;
	all = calloc(total ? total : 1, sizeof(*all));
	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < ranges->large_count; i++)
		all[count++] = ranges->large[i];
	ranges->large_count = 0;
	for (uint32_t size = 1; size < SIZES; size++) {
		while (ranges->by_size[size].count)
			all[count++] = (struct jn_extent){
				ranges->by_size[size].items[--ranges->by_size[size].count], size
			};
	}
	qsort(all, count, sizeof(*all), by_base);
	for (size_t i = 1; i < count; i++) {
		if (all[merged].base + all[merged].count == all[i].base)
			all[merged].count += all[i].count;
		else
			all[++merged] = all[i];
	}
	for (size_t i = 0; count && i <= merged; i++)
		add_free(ranges, all[i].base, all[i].count);
	free(all);
	return 0;
}

static int take_any(struct jn_ranges *ranges, uint32_t count, uint32_t *base)
{
	if (!take_exact(ranges, count, base) || !carve_large(ranges, count, base))
		return 0;
	return split_bigger(ranges, count, base);
}

int jn_ranges_take(struct jn_ranges *ranges, uint32_t count, uint32_t *base)
{
	int rc = take_any(ranges, count, base);

	if (rc && !merge_all(ranges))
		rc = take_any(ranges, count, base);
	if (!rc)
		ranges->used += count;
	return rc;
}

void jn_ranges_free(struct jn_ranges *ranges, uint32_t base, uint32_t count)
{
	ranges->used -= count;
	add_free(ranges, base, count);
}

int jn_ranges_adopt(struct jn_ranges *ranges, struct jn_extent *used, size_t count)
{
	uint32_t at = 0;

	ranges->used = 0;
	ranges->large_count = 0;
	for (uint32_t size = 0; size < SIZES; size++)
		ranges->by_size[size].count = 0;
	if (count)
		qsort(used, count, sizeof(*used), by_base);
	for (size_t i = 0; i < count; i++) {
		if (used[i].base < at || used[i].count > ranges->capacity - used[i].base)
			return -EINVAL;
		add_free(ranges, at, used[i].base - at);
		at = used[i].base + used[i].count;
		ranges->used += used[i].count;
	}
	add_free(ranges, at, ranges->capacity - at);
	return 0;
}
