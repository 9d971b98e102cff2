/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The mapped tables: plain stores, in an order that leaves no half-written entry in use. It does
 * NOT know which entries are in use; that is the engine's business.
 *
 * The kernel fills in every page at mmap(), so the tables count as resident memory from then on
 * (shared with the kernel: not memory of this process's own).
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <bpf/libbpf.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "datapath/internal.h"

static const struct {
	const char *name;
	size_t entry;
} list[] = {
	{ "jn_sets", sizeof(struct jn_set) },	{ "jn_revisions", sizeof(struct jn_revision) },
	{ "jn_slots", sizeof(struct jn_slot) }, { "jn_endpoints", sizeof(struct jn_endpoint) },
	{ "jn_live", sizeof(struct jn_live) },	{ "jn_meta", sizeof(struct jn_meta) },
};
_Static_assert(JN_COUNT(list) == JN_MAPPED_COUNT, "every mapped table has its size");

/* Where the address of the i-th table is kept. */
static void **place_of(struct jn_tables *tables, size_t i)
{
	void **const places[] = { (void **)&tables->sets,  (void **)&tables->revisions,
				  (void **)&tables->slots, (void **)&tables->endpoints,
				  (void **)&tables->live,  (void **)&tables->meta };

	_Static_assert(JN_COUNT(places) == JN_COUNT(list), "every mapped table has its place");
	return places[i];
}

/* The kernel's coarse clock moves once a tick. */
static uint32_t tick_us(void)
{
	struct timespec tick = { .tv_nsec = 0 };

	(void)clock_getres(CLOCK_MONOTONIC_COARSE, &tick); /* cannot fail with this clock */
	return (uint32_t)(tick.tv_nsec / 1000);
}

static int map_table(struct jn_tables *tables, size_t i, int fd, size_t entries, int rights)
{
	size_t bytes = entries * list[i].entry;
	void *at = mmap(NULL, bytes, rights, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	*place_of(tables, i) = at;
	tables->bytes[i] = bytes;
	return 0;
}

int jn_tables_view(const char *folder, struct jn_tables *tables, struct jn_sizes *sizes)
{
	int rc = 0;

	for (size_t i = 0; i < JN_COUNT(list) && !rc; i++) {
		JN_AUTO(jn_close_fd) int fd = -1;
		uint32_t entries, *size = jn_size_of(sizes, list[i].name);

		fd = jn_pin_open_table(folder, list[i].name, list[i].entry, &entries);
		rc = fd < 0 ? fd : map_table(tables, i, fd, entries, PROT_READ);
		if (!rc && size)
			*size = entries;
	}
	return rc;
}

int jn_tables_map(const struct bpf_object *object, struct jn_tables *tables)
{
	for (size_t i = 0; i < JN_COUNT(list); i++) {
		const struct bpf_map *map = bpf_object__find_map_by_name(object, list[i].name);
		int rc;

		assert(map && bpf_map__value_size(map) == list[i].entry);
		rc = map_table(tables, i, bpf_map__fd(map), bpf_map__max_entries(map),
			       PROT_READ | PROT_WRITE);
		if (rc)
			return rc;
	}
	tables->meta->tick_us = tick_us();
	return 0;
}

void jn_tables_unmap(struct jn_tables *tables)
{
	for (size_t i = 0; i < JN_COUNT(list); i++) {
		void **place = place_of(tables, i);

		if (*place)
			(void)munmap(*place,
				     tables->bytes[i]); /* cannot fail for what was mapped */
		*place = NULL;
	}
}

void jn_tables_copy(struct jn_tables *to, const struct jn_tables *from, bool is_slots)
{
	struct jn_tables *source = (struct jn_tables *)(uintptr_t)from; /* only read */

	for (size_t i = 0; i < JN_COUNT(list); i++) {
		void **place = place_of(to, i);

		if ((place == (void **)&to->slots) == is_slots && to->bytes[i] > from->bytes[i])
			memcpy(*place, *place_of(source, i), from->bytes[i]);
	}
}

/* --- reading ----------------------------------------------------------------------------------- */

const struct jn_set *jn_datapath_sets(const struct jn_datapath *dp)
{
	return dp->tables.sets;
}

const struct jn_revision *jn_datapath_revisions(const struct jn_datapath *dp)
{
	return dp->tables.revisions;
}

const struct jn_slot *jn_datapath_slots(const struct jn_datapath *dp)
{
	return dp->tables.slots;
}

const struct jn_endpoint *jn_datapath_endpoints(const struct jn_datapath *dp)
{
	return dp->tables.endpoints;
}

const struct jn_live *jn_datapath_live(const struct jn_datapath *dp)
{
	return dp->tables.live;
}

uint64_t jn_datapath_generation(const struct jn_datapath *dp)
{
	return __atomic_load_n(&dp->tables.meta->generation, __ATOMIC_ACQUIRE);
}

/* --- storing ----------------------------------------------------------------------------------- */

void jn_datapath_put_endpoint(struct jn_datapath *dp, uint32_t id, const struct jn_endpoint *e)
{
	struct jn_endpoint *entry = &dp->tables.endpoints[id];

	assert(id && id < dp->sizes.endpoints);
	jn_store_seam();
	entry->addr = e->addr;
	jn_store_seam();
	entry->port = e->port;
	jn_store_seam();
	entry->weight = e->weight;
	jn_store_seam();
	entry->since_s = e->since_s;
	jn_store_seam();
	entry->live = e->live;
	jn_store_seam();
	__atomic_store_n(&entry->service, e->service, __ATOMIC_RELEASE);
}

void jn_datapath_set_endpoint_weight(struct jn_datapath *dp, uint32_t id, uint16_t weight)
{
	assert(id && id < dp->sizes.endpoints);
	jn_store_seam();
	__atomic_store_n(&dp->tables.endpoints[id].weight, weight, __ATOMIC_RELEASE);
}

void jn_datapath_set_endpoint_since(struct jn_datapath *dp, uint32_t id, uint32_t since_s)
{
	assert(id && id < dp->sizes.endpoints);
	jn_store_seam();
	__atomic_store_n(&dp->tables.endpoints[id].since_s, since_s, __ATOMIC_RELEASE);
}

void jn_datapath_set_endpoint_live(struct jn_datapath *dp, uint32_t id, uint32_t live)
{
	assert(id && id < dp->sizes.endpoints && live < dp->sizes.live);
	jn_store_seam();
	__atomic_store_n(&dp->tables.endpoints[id].live, live, __ATOMIC_RELEASE);
}

/* The epoch first: who counted before lets go before the count begins anew. */
void jn_datapath_begin_live(struct jn_datapath *dp, uint32_t live)
{
	struct jn_live *entry = &dp->tables.live[live];
	uint32_t epoch = entry->epoch + 1;

	assert(live && live < dp->sizes.live);
	jn_store_seam();
	__atomic_store_n(&entry->epoch, epoch, __ATOMIC_RELEASE);
	jn_store_seam();
	*entry = (struct jn_live){ .epoch = epoch };
}

void jn_live_count_anew(struct jn_datapath *dp)
{
	for (uint32_t i = 1; i < dp->sizes.live; i++) {
		struct jn_live *entry = &dp->tables.live[i];

		if (!entry->epoch) /* never used */
			continue;
		jn_store_seam();
		__atomic_store_n(&entry->epoch, entry->epoch + 1, __ATOMIC_RELEASE);
		jn_store_seam();
		__atomic_store_n(&entry->open, 0, __ATOMIC_RELEASE);
	}
}

void jn_datapath_set_live_down(struct jn_datapath *dp, uint32_t live, bool is_down)
{
	assert(live && live < dp->sizes.live);
	jn_store_seam();
	__atomic_store_n(&dp->tables.live[live].is_down, is_down, __ATOMIC_RELEASE);
}

void jn_datapath_take_back(struct jn_datapath *dp, uint32_t live, uint64_t now_ns)
{
	struct jn_live *entry = &dp->tables.live[live];

	assert(live && live < dp->sizes.live);
	jn_store_seam();
	__atomic_store_n(&entry->failures, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->resets, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->back_ns, now_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->out_until_ns, 0, __ATOMIC_RELEASE);
}

void jn_datapath_clear_endpoint(struct jn_datapath *dp, uint32_t id)
{
	struct jn_endpoint *entry = &dp->tables.endpoints[id];

	assert(id && id < dp->sizes.endpoints);
	jn_store_seam();
	__atomic_store_n(&entry->service, 0, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* gone before it is blank */
	jn_store_seam();
	entry->addr = (struct jn_addr){ 0 };
	jn_store_seam();
	entry->port = 0;
	jn_store_seam();
	entry->weight = 0;
	jn_store_seam();
	entry->since_s = 0;
	jn_store_seam();
	entry->live = 0;
}

/* number goes last: while it is another one than the word's, nobody takes the record for whole. */
void jn_datapath_put_revision(struct jn_datapath *dp, uint32_t index, const struct jn_revision *r,
			      const struct jn_slot *slots)
{
	struct jn_revision *entry = &dp->tables.revisions[index];
	struct jn_revision whole = *r;
	uint32_t count = jn_revision_slots(r);

	assert(index && index < dp->sizes.revisions);
	assert(r->slot_base <= dp->sizes.slots && count <= dp->sizes.slots - r->slot_base);
	for (uint32_t i = 0; i < count; i++) {
		jn_store_seam();
		dp->tables.slots[r->slot_base + i] = slots[i];
	}
	whole.number = entry->number;
	jn_store_seam();
	*entry = whole;
	jn_store_seam();
	__atomic_store_n(&entry->number, r->number, __ATOMIC_RELEASE);
}

void jn_datapath_publish(struct jn_datapath *dp, uint32_t set, uint32_t index, uint32_t number)
{
	assert(set && set < dp->sizes.sets && index < dp->sizes.revisions);
	jn_store_seam();
	__atomic_store_n(&dp->tables.sets[set].word, (uint64_t)number << 32 | index,
			 __ATOMIC_RELEASE);
}

void jn_datapath_set_generation(struct jn_datapath *dp, uint64_t generation)
{
	jn_store_seam();
	__atomic_store_n(&dp->tables.meta->generation, generation, __ATOMIC_RELEASE);
}

bool jn_datapath_is_owed(const struct jn_datapath *dp)
{
	return dp->tables.meta->flags & JN_META_OWED;
}

void jn_datapath_set_owed(struct jn_datapath *dp, bool is_owed)
{
	jn_meta_set(dp, JN_META_OWED, is_owed);
}
