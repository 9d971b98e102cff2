/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables as the programs see them; maps.bpf.c has the only definitions. What an entry means and
 * who writes it stands in abi.h; which hook reads what, in README.md. A table is pinned under its
 * name. Declares only: layouts come from abi.h, sizes from limits.h; those of JN_FIRST_… are what a
 * table begins with, and the controller swaps programs onto larger ones.
 */
#ifndef JUNCTOR_KERNEL_MAPS_H
#define JUNCTOR_KERNEL_MAPS_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <junctor/abi.h>
#include <junctor/limits.h>
#include <junctor/reasons.h>

/* --- what is declared: written by the controller ------------------------------------------------ */

/* Preallocated: publication comes after the commit and must not fail for want of memory. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, JN_FIRST_FRONTENDS);
	__type(key, struct jn_frontend_key);
	__type(value, struct jn_frontend);
} jn_frontends_t;
extern jn_frontends_t jn_frontends SEC(".maps");

typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JN_FIRST_SETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct jn_set);
} jn_sets_t;
extern jn_sets_t jn_sets SEC(".maps");

typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JN_FIRST_REVISIONS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct jn_revision);
} jn_revisions_t;
extern jn_revisions_t jn_revisions SEC(".maps");

typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JN_FIRST_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct jn_slot);
} jn_slots_t;
extern jn_slots_t jn_slots SEC(".maps");

typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JN_FIRST_ENDPOINTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct jn_endpoint);
} jn_endpoints_t;
extern jn_endpoints_t jn_endpoints SEC(".maps");

/* Nobody reads it on the way of a connection: memory is taken for the names there are. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, JN_FIRST_SERVICES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct jn_name);
} jn_names_t;
extern jn_names_t jn_names SEC(".maps");

typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct jn_meta);
} jn_meta_t;
extern jn_meta_t jn_meta SEC(".maps");

/* --- what happens: written by the programs ------------------------------------------------------ */

/* Mapped, as the controller writes what probes say and begins epochs. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JN_FIRST_LIVE);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct jn_live);
} jn_live_t;
extern jn_live_t jn_live SEC(".maps");

/* By enum jn_event. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, JN_EVENT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} jn_events_t;
extern jn_events_t jn_events SEC(".maps");

/* By set. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, JN_FIRST_SETS);
	__type(key, __u32);
	__type(value, struct jn_cursor);
} jn_cursors_t;
extern jn_cursors_t jn_cursors SEC(".maps");

/* By service. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, JN_FIRST_SERVICES);
	__type(key, __u32);
	__type(value, struct jn_stats);
} jn_stats_t;
extern jn_stats_t jn_stats SEC(".maps");

/* By enum jn_reason: how many decisions ended so. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, JN_REASON_MAX);
	__type(key, __u32);
	__type(value, __u64);
} jn_reasons_t;
extern jn_reasons_t jn_reasons SEC(".maps");

/* Lives and dies with its socket; nothing is ever evicted. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct jn_socket);
} jn_socket_t;
extern jn_socket_t jn_socket SEC(".maps");

/* Which endpoint a client stays at. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, JN_MAX_AFFINITIES);
	__type(key, struct jn_affinity_key);
	__type(value, struct jn_affinity);
} jn_affinity_t;
extern jn_affinity_t jn_affinity SEC(".maps");

/* {socket, VIP} -> endpoint. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, JN_MAX_UDP_SOCKETS);
	__type(key, struct jn_udp_key);
	__type(value, __u32);
} jn_udp_choice_t;
extern jn_udp_choice_t jn_udp_choice SEC(".maps");

/* {socket, backend} -> VIP. */
typedef struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, JN_MAX_UDP_SOCKETS);
	__type(key, struct jn_udp_key);
	__type(value, struct jn_udp_vip);
} jn_udp_peer_t;
extern jn_udp_peer_t jn_udp_peer SEC(".maps");

#endif
