/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Maglev's lookup table: every endpoint walks the slots in an order of its own, and they take turns
 * in claiming the next one that is free.
 */
#include "model/maglev.h"

#include <errno.h>
#include <stdlib.h>

#include <junctor/decide/client.h>
#include <junctor/limits.h>

#include "base/auto.h"

#define SLOTS_PER_ENDPOINT 1000 /* with 800, one that leaves moved over 1 % of the others, too */
#define FEWEST_PER_ENDPOINT 8	/* what the largest table has for as many as there may be */

static const size_t sizes[] = { 8191, 32749, JN_MAX_MAGLEV }; /* primes: every step meets all */

struct walker {
	const struct jn_weighted *item;
	uint32_t at, step;
	uint64_t earned; /* turns it had, times the heaviest weight */
};

size_t jn_maglev_size(size_t count, size_t least, size_t most)
{
	size_t wanted = count * SLOTS_PER_ENDPOINT, i = 0;

	if (!count)
		return 0;
	if (wanted < least)
		wanted = least;
	if (wanted > most)
		wanted = most;
	if (wanted < count * FEWEST_PER_ENDPOINT)
		wanted = count * FEWEST_PER_ENDPOINT;
	while (i + 1 < JN_COUNT(sizes) && sizes[i] < wanted)
		i++;
	return sizes[i];
}

size_t jn_maglev_most(size_t tables)
{
	size_t i = JN_COUNT(sizes) - 1;

	while (i && (sizes[i] + JN_MAX_BACKENDS) * tables > JN_MAX_OBJECT_SLOTS)
		i--;
	return sizes[i];
}

/* By hash, so that what is declared in another order gives the same table. */
static int compare_walkers(const void *a, const void *b)
{
	const struct jn_weighted *x = ((const struct walker *)a)->item;
	const struct jn_weighted *y = ((const struct walker *)b)->item;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->endpoint < y->endpoint ? -1 : x->endpoint > y->endpoint;
}

static struct walker *make_walkers(const struct jn_weighted *items, size_t count, size_t size)
{
	struct walker *walkers = calloc(count, sizeof(*walkers));

	for (size_t i = 0; walkers && i < count; i++)
		walkers[i] = (struct walker){
			.item = &items[i],
			.at = (uint32_t)(items[i].hash % size),
			.step = (uint32_t)(jn_mix(items[i].hash) % (size - 1)) + 1,
		};
	if (walkers)
		qsort(walkers, count, sizeof(*walkers), compare_walkers);
	return walkers;
}

/* A slot is free while it names no endpoint: ids begin at 1. */
static void claim_next(struct walker *w, struct jn_slot *slots, size_t size)
{
	while (slots[w->at].endpoint)
		w->at = (uint32_t)((w->at + (uint64_t)w->step) % size);
	slots[w->at].endpoint = w->item->endpoint;
}

static void fill(struct walker *walkers, size_t count, struct jn_slot *slots, size_t size)
{
	uint64_t heaviest = 0;
	size_t filled = 0;

	for (size_t i = 0; i < count; i++) {
		if (walkers[i].item->weight > heaviest)
			heaviest = walkers[i].item->weight;
	}
	for (uint64_t round = 1;; round++) {
		for (size_t i = 0; i < count; i++) {
			struct walker *w = &walkers[i];

			if (round * w->item->weight < w->earned + heaviest)
				continue;
			w->earned += heaviest;
			claim_next(w, slots, size);
			if (++filled == size)
				return;
		}
	}
}

int jn_maglev_build(const struct jn_weighted *items, size_t count, size_t size,
		    struct jn_slot_list *out)
{
	JN_AUTO(jn_free_mem) struct walker *walkers = NULL;

	out->count = out->picked = 0;
	if (!count)
		return 0;
	walkers = make_walkers(items, count, size);
	if (!walkers || jn_slot_list_fit(out, size))
		return -ENOMEM;
	for (size_t i = 0; i < size; i++)
		out->items[i] = (struct jn_slot){ 0 };
	fill(walkers, count, out->items, size);
	return 0;
}
