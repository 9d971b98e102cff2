/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counters that the programs keep per CPU, summed. A sum is not a snapshot: programs count on
 * meanwhile.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "datapath/internal.h"

#define CHUNK 512    /* entries a system call; an entry has 16 bytes for each CPU */
#define FEW 16	     /* up to here a lookup for each is as cheap as a batch */
#define MAX_SPREAD 8 /* entries read for one asked for; beyond, single lookups are cheaper */

static struct jn_stats sum(const struct jn_datapath *dp, const struct jn_stats *cpus)
{
	struct jn_stats total = { 0 };

	for (unsigned i = 0; i < dp->cpu_count; i++) {
		total.forwarded += cpus[i].forwarded;
		total.refused += cpus[i].refused;
	}
	return total;
}

static int read_each(struct jn_datapath *dp, const uint32_t *services, size_t count,
		     struct jn_stats *out)
{
	JN_AUTO(jn_free_mem) struct jn_stats *cpus = calloc(dp->cpu_count, sizeof(*cpus));

	if (!cpus)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		int rc = bpf_map_lookup_elem(dp->stats, &services[i], cpus);

		if (rc)
			return rc;
		out[i] = sum(dp, cpus);
	}
	return 0;
}

/* Every entry from `first` on, summed into totals[0..count). */
static int read_range(struct jn_datapath *dp, uint32_t first, size_t count, struct jn_stats *totals)
{
	JN_AUTO(jn_free_mem) struct jn_stats *cpus = NULL;
	JN_AUTO(jn_free_mem) uint32_t *keys = calloc(CHUNK, sizeof(*keys));
	uint32_t last = first - 1; /* a batch begins behind the key it is given; 0 asks for all */
	size_t at = 0;

	cpus = calloc((size_t)CHUNK * dp->cpu_count, sizeof(*cpus));
	if (!cpus || !keys)
		return -ENOMEM;
	while (at < count) {
		uint32_t n = (uint32_t)(count - at < CHUNK ? count - at : CHUNK), next = 0;
		int rc = bpf_map_lookup_batch(dp->stats, first || at ? &last : NULL, &next, keys,
					      cpus, &n, NULL);

		if (rc && rc != -ENOENT) /* -ENOENT: those were the last ones of the table */
			return rc;
		if (!n)
			return -ENOENT;
		for (uint32_t i = 0; i < n; i++)
			totals[at + i] = sum(dp, &cpus[(size_t)i * dp->cpu_count]);
		at += n;
		last = next;
	}
	return 0;
}

int jn_datapath_read_stats(struct jn_datapath *dp, const uint32_t *services, size_t count,
			   struct jn_stats *out)
{
	JN_AUTO(jn_free_mem) struct jn_stats *totals = NULL;
	uint32_t lowest = UINT32_MAX, highest = 0;
	size_t span;
	int rc;

	for (size_t i = 0; i < count; i++) {
		assert(services[i] < dp->sizes.services);
		lowest = services[i] < lowest ? services[i] : lowest;
		highest = services[i] > highest ? services[i] : highest;
	}
	span = (size_t)highest + 1 - lowest;
	if (count <= FEW || span > count * MAX_SPREAD)
		return read_each(dp, services, count, out);
	totals = calloc(span, sizeof(*totals));
	if (!totals)
		return -ENOMEM;
	rc = read_range(dp, lowest, span, totals);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++)
		out[i] = totals[services[i] - lowest];
	return 0;
}

int jn_datapath_zero_stats(struct jn_datapath *dp, uint32_t service)
{
	JN_AUTO(jn_free_mem) struct jn_stats *zeros = calloc(dp->cpu_count, sizeof(*zeros));

	return zeros ? bpf_map_update_elem(dp->stats, &service, zeros, BPF_ANY) : -ENOMEM;
}

/* Sums over CPUs of the first `count` entries. */
static int read_counters(const struct jn_datapath *dp, int table, uint32_t count, uint64_t *out)
{
	JN_AUTO(jn_free_mem) uint64_t *cpus = calloc(dp->cpu_count, sizeof(*cpus));

	if (!cpus)
		return -ENOMEM;
	for (uint32_t entry = 0; entry < count; entry++) {
		int rc = bpf_map_lookup_elem(table, &entry, cpus);

		if (rc)
			return rc;
		out[entry] = 0;
		for (unsigned i = 0; i < dp->cpu_count; i++)
			out[entry] += cpus[i];
	}
	return 0;
}

int jn_datapath_read_reasons(struct jn_datapath *dp, uint64_t out[JN_REASON_MAX])
{
	return read_counters(dp, dp->reasons, JN_REASON_MAX, out);
}

int jn_datapath_read_events(struct jn_datapath *dp, uint64_t out[JN_EVENT_MAX])
{
	return read_counters(dp, dp->events, JN_EVENT_MAX, out);
}
