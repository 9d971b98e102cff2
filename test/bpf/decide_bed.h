/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For tests of the deciding functions: the doors loaded once, tables of their own, filled entry by
 * entry, and one function for each door. Nothing is attached or pinned.
 */
#ifndef JUNCTOR_TEST_DECIDE_BED_H
#define JUNCTOR_TEST_DECIDE_BED_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <doors.skel.h>

#include <junctor/abi.h>
#include <junctor/decide/address.h>
#include <junctor/decide/client.h>
#include <junctor/limits.h>
#include <junctor/reasons.h>

#include "doors.h"

static struct doors_bpf *doors;

static inline int load_doors(void **state)
{
	(void)state;
	doors = doors_bpf__open_and_load();
	return doors ? 0 : -1;
}

static inline int unload_doors(void **state)
{
	(void)state;
	doors_bpf__destroy(doors);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------ */

#define PUT(map, key, value)                                                                       \
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(doors->maps.map), (key), (value),         \
					     BPF_ANY),                                             \
			 0)

static inline struct jn_addr addr_of(const char *text)
{
	struct in6_addr v6;
	struct in_addr v4;
	struct jn_addr addr;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return jn_addr_from_v4(v4.s_addr);
	assert_int_equal(inet_pton(AF_INET6, text, &v6), 1);
	memcpy(&addr, &v6, sizeof(addr));
	return addr;
}

static inline struct jn_frontend_key key_of(const char *vip, uint16_t port, uint8_t proto)
{
	return (struct jn_frontend_key){ .vip = addr_of(vip), .port = htons(port), .proto = proto };
}

static inline void put_frontend(const char *vip, uint16_t port, uint8_t proto,
				struct jn_frontend frontend)
{
	struct jn_frontend_key key = key_of(vip, port, proto);

	PUT(jn_frontends, &key, &frontend);
}

static inline void put_set(uint32_t set, uint32_t index, uint32_t number)
{
	struct jn_set value = { .word = (uint64_t)number << 32 | index };

	PUT(jn_sets, &set, &value);
}

static inline void put_revision(uint32_t index, struct jn_revision revision)
{
	PUT(jn_revisions, &index, &revision);
}

static inline void put_slot(uint32_t index, struct jn_slot slot)
{
	PUT(jn_slots, &index, &slot);
}

static inline void put_endpoint(uint32_t id, uint32_t service, const char *addr, uint16_t weight)
{
	struct jn_endpoint endpoint = {
		.addr = addr_of(addr), .port = htons(8080), .weight = weight, .service = service
	};

	PUT(jn_endpoints, &id, &endpoint);
}

/* Sums over CPUs. */
static inline uint64_t reason_count(enum jn_reason reason)
{
	uint64_t cpus[256] = { 0 }, total = 0;
	uint32_t key = reason;

	assert_in_range(libbpf_num_possible_cpus(), 1, 256);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(doors->maps.jn_reasons), &key, cpus), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++)
		total += cpus[i];
	return total;
}

static inline struct jn_stats stats_of(uint32_t service)
{
	struct jn_stats cpus[256] = { 0 }, total = { 0 };

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(doors->maps.jn_stats), &service, cpus), 0);
	for (int i = 0; i < libbpf_num_possible_cpus(); i++) {
		total.forwarded += cpus[i].forwarded;
		total.refused += cpus[i].refused;
	}
	return total;
}

/* --- doors ------------------------------------------------------------------------------------- */

static inline void run_door(const struct bpf_program *program, void *io, size_t size)
{
	/* The kernel writes what comes out over what went in. */
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = io, .ctx_size_in = (uint32_t)size);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &options), 0);
	assert_int_equal(options.retval, 0);
}

#define DOOR(name, io) run_door(doors->progs.name, (io), sizeof(*(io)))

static inline bool find(const char *vip, uint16_t port, uint8_t proto, struct jn_frontend *out)
{
	struct test_find io = { .key = key_of(vip, port, proto) };

	DOOR(test_find_frontend, &io);
	*out = io.frontend;
	return io.is_found;
}

static inline struct test_choose choose(struct jn_frontend frontend, uint32_t reach)
{
	struct test_choose io = { .frontend = frontend, .reach = reach };

	DOOR(test_choose, &io);
	return io;
}

static inline void assert_backend(const struct test_choose *io, const char *addr)
{
	struct jn_addr wanted = addr_of(addr);

	assert_int_equal(io->reason, JN_REASON_OK);
	assert_memory_equal(&io->addr, &wanted, sizeof(wanted));
	assert_int_equal(io->port, htons(8080));
}

#endif
