/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Everything the kernel programs and the controller share: keys and values of the tables.
 *
 * Network order is the type (__be16, __be32); nothing in host order crosses this header except
 * counts, ids and weights. Every pad must be 0: keys are compared as bytes. A change of any layout
 * here is a new JN_ABI_VERSION, which is also the name of the pin folder (v<ABI>).
 */
#ifndef JUNCTOR_ABI_H
#define JUNCTOR_ABI_H

#include <linux/types.h>

#define JN_ABI_VERSION 2

#define JN_ABI_ADVICE " changed its layout: raise JN_ABI_VERSION and migrate the pins"
#define JN_ABI_SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type JN_ABI_ADVICE)

/* An address; IPv4 is stored as ::ffff:a.b.c.d, so there is one key and one path for both. */
struct jn_addr {
	__be32 w[4];
};
JN_ABI_SIZE(struct jn_addr, 16);

/* jn_frontends: a service address as an application names it. */
struct jn_frontend_key {
	struct jn_addr vip;
	__be16 port;
	__u8 proto; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 pad;
};
JN_ABI_SIZE(struct jn_frontend_key, 20);

struct jn_frontend {
	__u32 service;
	__u32 set;
	__u64 netns_cookie; /* only sockets of this network namespace; 0 = of any */
};
JN_ABI_SIZE(struct jn_frontend, 16);

/*
 * jn_sets: the published revision of a set of endpoints. One aligned 8-byte store of the word
 * switches every frontend of the set. word = number << 32 | index; 0 = nothing published.
 */
struct jn_set {
	__u64 word;
};
JN_ABI_SIZE(struct jn_set, 8);

enum jn_algorithm {
	JN_ALGORITHM_RANDOM,	  /* slots are an alias table */
	JN_ALGORITHM_ROUND_ROBIN, /* slots are one smooth cycle of the weights */
	JN_ALGORITHM_MAGLEV,	  /* slots are a lookup table by the client's hash */
	JN_ALGORITHM_SOURCE_HASH, /* slots are an alias table; the client's hash draws */
	JN_ALGORITHM_MAX
};

/* What a policy asks beyond an algorithm. All 0: nothing. */
struct jn_rules {
	__u32 affinity_seconds;	  /* a client stays this long after its last connection */
	__u32 slow_start_seconds; /* a newcomer's share grows from a tenth to all of it */
};
JN_ABI_SIZE(struct jn_rules, 8);

/* jn_revision.flags: what a choice has to look at beyond its slots; follows from the rest. */
#define JN_REVISION_ASKS_CLIENT 1 /* who connects: Maglev, SourceHash, affinity */
#define JN_REVISION_SLOW_STARTS 2

/* jn_revisions: immutable from its publication until a grace period after its replacement. */
struct jn_revision {
	__u32 number; /* equal to the number in the word that points here */
	__u32 slot_base;
	__u32 slot_count;	 /* 0: no usable endpoint */
	__u16 no_endpoint_errno; /* positive */
	__u8 algorithm;		 /* enum jn_algorithm */
	__u8 flags;
	struct jn_rules rules;
};
JN_ABI_SIZE(struct jn_revision, 24);

/* jn_slots: Random draws a slot and keeps it with `probability`/65536, else takes its alias. */
struct jn_slot {
	__u32 endpoint;
	__u16 probability; /* of keeping this slot; a slot that is its own alias is always kept */
	__u16 alias;	   /* counted from the revision's slot_base */
};
JN_ABI_SIZE(struct jn_slot, 8);

/*
 * jn_endpoints: one per (service, address, port). service 0: gone. weight 0: takes no new
 * connection. The two decide whether a client or an unconnected UDP socket may keep its choice.
 */
struct jn_endpoint {
	struct jn_addr addr;
	__be16 port;
	__u16 weight;
	__u32 service;
	__u32 since_s; /* it takes new connections since: CLOCK_MONOTONIC, seconds */
	__u32 pad;
};
JN_ABI_SIZE(struct jn_endpoint, 32);

/* jn_cursors: the turn of RoundRobin, a cache line of its own for each set. */
struct jn_cursor {
	__u64 turn;
	__u64 pad[7];
};
JN_ABI_SIZE(struct jn_cursor, 64);

/* jn_stats: per service, per CPU. */
struct jn_stats {
	__u64 forwarded; /* TCP and connected UDP: connects; unconnected UDP: datagrams */
	__u64 refused;
};
JN_ABI_SIZE(struct jn_stats, 16);

/* jn_socket (socket storage): where a connected socket was meant to go, and where it went. */
struct jn_socket {
	struct jn_addr vip;
	struct jn_addr backend;
	__be16 vip_port;
	__be16 backend_port;
	__u32 service;
	__u32 endpoint;
	__u32 is_bound; /* the application bound it to a source address before it connected it */
};
JN_ABI_SIZE(struct jn_socket, 48);

/* jn_affinity: which endpoint of a set a client stays at. */
struct jn_affinity_key {
	__u32 set;
	struct jn_addr client; /* see decide/client.h */
};
JN_ABI_SIZE(struct jn_affinity_key, 20);

struct jn_affinity {
	__u64 used_ns; /* its last new connection: CLOCK_MONOTONIC */
	__u32 endpoint;
	__u32 pad;
};
JN_ABI_SIZE(struct jn_affinity, 16);

/* jn_udp_choice and jn_udp_peer: an unconnected UDP socket and one address it talks to. */
struct jn_udp_key {
	__u64 cookie; /* of the socket */
	struct jn_addr addr;
	__be16 port;
	__u8 pad[6];
};
JN_ABI_SIZE(struct jn_udp_key, 32);

/* jn_udp_peer: {socket, backend} -> the VIP that replies are to be named after. */
struct jn_udp_vip {
	struct jn_addr vip;
	__be16 port;
	__u16 pad;
};
JN_ABI_SIZE(struct jn_udp_vip, 20);

/* jn_names: service id -> who it is; what the tables are read back by after a restart. */
#define JN_NAME_BYTES 64 /* a DNS label and its closing 0 */
struct jn_name {
	char namespace_[JN_NAME_BYTES];
	char name[JN_NAME_BYTES];
	char port_name[JN_NAME_BYTES]; /* "" for the only port of an object without port names */
	__u8 proto;
	__u8 kind; /* enum jn_name_kind: which object it comes from, and goes back to */
	__u8 pad[2];
};
JN_ABI_SIZE(struct jn_name, 196);

enum jn_name_kind { JN_NAME_LOCAL_SERVICE, JN_NAME_SERVICE, JN_NAME_KIND_MAX };

/* jn_meta, the only entry. */
struct jn_meta {
	__u64 generation; /* the last one the tables hold whole */
};
JN_ABI_SIZE(struct jn_meta, 8);

#endif
