/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The heap. Every item knows its place, so that it can be taken out.
 */
#include "probe/schedule.h"

#include <assert.h>
#include <stdlib.h>

#include "base/vec.h"

void jn_schedule_done(struct jn_schedule *s)
{
	free(s->items);
	*s = (struct jn_schedule){ 0 };
}

static void put(struct jn_schedule *s, size_t place, struct jn_due *due)
{
	s->items[place - 1] = due;
	due->place = place;
}

static void sift_up(struct jn_schedule *s, struct jn_due *due)
{
	size_t place = due->place;

	while (place > 1 && s->items[place / 2 - 1]->at_ms > due->at_ms) {
		put(s, place, s->items[place / 2 - 1]);
		place /= 2;
	}
	put(s, place, due);
}

static void sift_down(struct jn_schedule *s, struct jn_due *due)
{
	size_t place = due->place;

	while (2 * place <= s->count) {
		size_t child = 2 * place;

		if (child < s->count && s->items[child]->at_ms < s->items[child - 1]->at_ms)
			child++;
		if (s->items[child - 1]->at_ms >= due->at_ms)
			break;
		put(s, place, s->items[child - 1]);
		place = child;
	}
	put(s, place, due);
}

int jn_schedule_reserve(struct jn_schedule *s, size_t count)
{
	int rc = 0;

	while (!rc && s->capacity < count)
		rc = jn_vec_grow((void **)&s->items, &s->capacity, s->capacity, sizeof(*s->items));
	return rc;
}

void jn_schedule_add(struct jn_schedule *s, struct jn_due *due)
{
	assert(s->count < s->capacity && !due->place);
	due->place = ++s->count;
	sift_up(s, due);
}

void jn_schedule_remove(struct jn_schedule *s, struct jn_due *due)
{
	size_t place = due->place;
	struct jn_due *last;

	if (!place)
		return;
	due->place = 0;
	last = s->items[--s->count];
	if (last == due)
		return;
	put(s, place, last);
	sift_up(s, last);
	sift_down(s, last);
}

struct jn_due *jn_schedule_first(const struct jn_schedule *s)
{
	return s->count ? s->items[0] : NULL;
}

uint64_t jn_due_first(uint64_t now_ms, uint64_t interval_ms, uint64_t random)
{
	return now_ms + random % interval_ms;
}

uint64_t jn_due_next(uint64_t at_ms, uint64_t interval_ms, uint64_t random)
{
	return at_ms + interval_ms - interval_ms / 20 + random % (interval_ms / 10 + 1);
}
