/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The watcher's half of engine_harness.h: what a connect sees in the tables, what it holds, and
 * whether anything is left that nobody leads to.
 */
#ifndef JUNCTOR_TEST_ENGINE_VIEW_H
#define JUNCTOR_TEST_ENGINE_VIEW_H

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "base/clock.h"
#include "engine/engine.h"
#include "model/rules.h"
#include "proto/address.h"
#include "random.h"
#include "tables.h"

#define COOKIE 77u
#define VIPS 4 /* 10.0.0.1 .. 10.0.0.4, TCP port 80 */
#define SEEN_BYTES 512

static struct jn_engine *engine;
static struct jn_probing probing; /* { 0 }, where a test wants no other */

/* Text of what each VIP leads to; "" = not a service. At each step it must be in one of the two. */
struct view {
	char vip[VIPS][SEEN_BYTES];
};
static struct view view_old, view_new;

#define MAX_HELD 256
static struct held {
	uint32_t index;
	struct jn_revision revision;
	struct jn_slot slots[16];
	struct jn_endpoint endpoints[16];
} held[MAX_HELD];
static size_t held_count;

static inline struct jn_frontend_key vip_key(unsigned vip)
{
	struct jn_frontend_key key = { .port = htons(80), .proto = IPPROTO_TCP };

	key.vip = jn_addr_from_v4(htonl(0x0a000001u + vip));
	return key;
}

static inline void hold(uint32_t index)
{
	const struct jn_revision *r = &tables->revisions[index];
	struct held *h = &held[held_count];

	for (size_t i = 0; i < held_count; i++) {
		if (held[i].index == index)
			return;
	}
	assert_true(held_count < MAX_HELD && r->slot_count <= 16);
	held_count++;
	h->index = index;
	h->revision = *r;
	for (uint32_t i = 0; i < r->slot_count; i++) {
		h->slots[i] = tables->slots[r->slot_base + i];
		h->endpoints[i] = tables->endpoints[h->slots[i].endpoint];
	}
}

/* Whatever was read since the last grace period is still what it was, but for weights. */
static inline void check_held(void)
{
	for (size_t h = 0; h < held_count; h++) {
		const struct jn_revision *r = &held[h].revision;

		assert_memory_equal(&tables->revisions[held[h].index], r, sizeof(*r));
		assert_memory_equal(&tables->slots[r->slot_base], held[h].slots,
				    r->slot_count * sizeof(struct jn_slot));
		for (uint32_t i = 0; i < r->slot_count; i++) {
			struct jn_endpoint now = tables->endpoints[held[h].slots[i].endpoint];

			/* An entry of jn_live comes before it is asked for and goes after. */
			assert_true(!now.live || !held[h].endpoints[i].live ||
				    now.live == held[h].endpoints[i].live);
			now.live = held[h].endpoints[i].live;
			now.weight = held[h].endpoints[i].weight;
			assert_memory_equal(&now, &held[h].endpoints[i], sizeof(now));
		}
	}
}

static inline void release_held(void)
{
	held_count = 0;
}

static inline int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Every endpoint that a revision picks from has what the revision asks about. */
static inline void check_live(const struct jn_revision *r)
{
	bool asks = jn_rules_ask_backends(&r->rules, r->algorithm);

	assert_int_equal(r->flags & ~JN_REVISION_ELSEWHERE,
			 jn_rules_flags(&r->rules, r->algorithm, IPPROTO_TCP));
	assert_true(!(r->flags & JN_REVISION_ELSEWHERE) || !r->slot_count);
	assert_int_equal(r->live != 0, jn_rules_ask_service(&r->rules));
	assert_true(!r->live || tables->live[r->live].epoch);
	assert_true(!(r->flags & JN_REVISION_COUNTS) || tables->needs & JN_NEED_COUNTS);
	assert_true(!(r->flags & JN_REVISION_WATCHES) || tables->needs & JN_NEED_WATCHES);
	for (uint32_t i = 0; i < r->member_count && r->slot_count; i++) {
		uint32_t id = tables->slots[r->member_base + i].endpoint;
		uint32_t live = tables->endpoints[id].live;

		assert_true(!asks || (live && tables->live[live].epoch));
	}
}

/* "random 10.1.0.1:80 10.1.0.2:80", sorted, each once; what it reads it holds. */
static inline void see_vip(unsigned vip, char out[SEEN_BYTES])
{
	const struct jn_frontend_key key = vip_key(vip);
	const struct jn_frontend *frontend = tables_find(&key);
	static const char *const words[JN_ALGORITHM_MAX] = {
		[JN_ALGORITHM_RANDOM] = "random",
		[JN_ALGORITHM_ROUND_ROBIN] = "turns",
		[JN_ALGORITHM_LEAST_CONNECTIONS] = "least",
	};
	char texts[16][JN_ENDPOINT_TEXT_BYTES];
	const struct jn_revision *r;
	uint64_t word;

	out[0] = 0;
	if (!frontend)
		return;
	assert_true(frontend->set && frontend->set < TABLES_SETS);
	word = tables->sets[frontend->set].word;
	assert_int_not_equal(word, 0);
	r = &tables->revisions[(uint32_t)word];
	assert_int_equal(r->number, word >> 32);
	hold((uint32_t)word);
	check_live(r);
	for (uint32_t i = 0; i < r->slot_count; i++) {
		uint32_t id = tables->slots[r->slot_base + i].endpoint;
		const struct jn_endpoint *e = &tables->endpoints[id];

		assert_int_equal(e->service, frontend->service); /* never a foreign one */
		if (jn_addr_is_loopback(&e->addr))
			assert_int_equal(frontend->netns_cookie, COOKIE);
		tables->served_ms[id] = jn_clock_ms();
		(void)jn_endpoint_format(&e->addr, ntohs(e->port), texts[i]);
	}
	qsort(texts, r->slot_count, sizeof(texts[0]), by_text);
	(void)strcpy(out, r->rules.max_connections ? "limited" : words[r->algorithm]);
	for (uint32_t i = 0; i < r->slot_count; i++) {
		if (i && !strcmp(texts[i], texts[i - 1]))
			continue;
		(void)strcat(strcat(out, " "), texts[i]);
	}
}

static inline void watch(void)
{
	char now[SEEN_BYTES];

	for (unsigned vip = 0; vip < VIPS; vip++) {
		see_vip(vip, now);
		if (strcmp(now, view_old.vip[vip]) && strcmp(now, view_new.vip[vip]))
			fail_msg("VIP %u: \"%s\" is neither \"%s\" nor \"%s\"", vip, now,
				 view_old.vip[vip], view_new.vip[vip]);
	}
	check_held();
}

/* Is all of it this one? */
static inline bool is_seen(const struct view *view)
{
	char now[SEEN_BYTES];

	for (unsigned vip = 0; vip < VIPS; vip++) {
		see_vip(vip, now);
		if (strcmp(now, view->vip[vip]) != 0)
			return false;
	}
	return true;
}

/* Entries of jn_live that endpoints or revisions name; those of one backend are one. */
static inline unsigned count_live(void)
{
	static bool is_named[TABLES_LIVE];
	unsigned count = 0;

	memset(is_named, 0, sizeof(is_named));
	for (uint32_t i = 1; i < TABLES_ENDPOINTS; i++) {
		const struct jn_endpoint *e = &tables->endpoints[i];

		if (!e->service || !e->live)
			continue;
		count += !is_named[e->live];
		is_named[e->live] = true;
		for (uint32_t k = 1; k < i && i < 200; k++) {
			const struct jn_endpoint *other = &tables->endpoints[k];

			if (other->service && other->live && other->port == e->port &&
			    jn_addr_equal(&other->addr, &e->addr))
				assert_int_equal(other->live, e->live);
		}
	}
	for (uint32_t i = 1; i < TABLES_SETS; i++) {
		uint64_t word = tables->sets[i].word;
		uint32_t live = word ? tables->revisions[(uint32_t)word].live : 0;

		count += live && !is_named[live];
		is_named[live] = true;
	}
	return count;
}

/* Nothing is left in the tables that nobody leads to. */
static inline void check_no_leftovers(void)
{
	unsigned used = 0, names = 0, sets = 0;
	struct jn_usage usage[JN_USAGE_COUNT];

	for (uint32_t i = 1; i < TABLES_ENDPOINTS; i++)
		used += tables->endpoints[i].service != 0;
	for (uint32_t i = 1; i < TABLES_SERVICES; i++)
		names += tables->has_name[i];
	for (uint32_t i = 1; i < TABLES_SETS; i++)
		sets += tables->sets[i].word != 0;
	jn_engine_usage(engine, usage);
	assert_int_equal(names, usage[0].used);
	assert_int_equal(sets, usage[1].used);
	assert_int_equal(sets, usage[2].used);
	assert_int_equal(used, usage[3].used);
	assert_int_equal(tables->frontend_count, usage[4].used);
	assert_int_equal(count_live(), usage[6].used);
}

#endif
