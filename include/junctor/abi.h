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
	JN_ALGORITHM_RANDOM,		/* slots are an alias table */
	JN_ALGORITHM_ROUND_ROBIN,	/* slots are one smooth cycle of the weights */
	JN_ALGORITHM_MAGLEV,		/* slots are a lookup table by the client's hash */
	JN_ALGORITHM_SOURCE_HASH,	/* slots are an alias table; the client's hash draws */
	JN_ALGORITHM_LEAST_CONNECTIONS, /* an alias table; of two draws the one with less to do */
	JN_ALGORITHM_EWMA, /* an alias table; of two draws the one that answers faster */
	JN_ALGORITHM_MAX
};

/* What a policy asks beyond an algorithm. All 0: nothing. */
struct jn_rules {
	__u32 affinity_seconds;	       /* a client stays this long after its last connection */
	__u32 slow_start_seconds;      /* a newcomer's share grows from a tenth to all of it */
	__u32 max_connections;	       /* of the service, open at once */
	__u32 max_new_per_second;      /* of the service; a second's worth may come at once */
	__u32 max_backend_connections; /* of each backend, open at once, whoever's */
	__u16 eject_failures;	       /* so many in a row eject a backend */
	__u16 eject_window_s;	       /* within this time */
	__u16 eject_s;		       /* the first time; the n-th time n times as long */
	__u16 eject_max_s;	       /* at most */
	__u8 eject_percent;	       /* of the set may be out; one more, and all are back in */
	__u8 is_probed;		       /* the controller may say that a backend is down */
	__u8 pad[2];
};
JN_ABI_SIZE(struct jn_rules, 32);

/* jn_revision.flags: what a choice has to look at beyond its slots; follows from the rest. */
#define JN_REVISION_ASKS_CLIENT 1 /* who connects: Maglev, SourceHash, affinity */
#define JN_REVISION_SLOW_STARTS 2
#define JN_REVISION_ASKS_BACKEND 4 /* may it be used: ejection, its limit */
#define JN_REVISION_COUNTS 8	   /* open connections: LeastConnections, Ewma, limits */
#define JN_REVISION_WATCHES 16	   /* how connections begin and end: Ewma, ejection */
#define JN_REVISION_ELSEWHERE 32   /* without slots: policy Local forbids the endpoints there are */

/* jn_revisions: immutable from its publication until a grace period after its replacement. */
struct jn_revision {
	__u32 number; /* equal to the number in the word that points here */
	__u32 slot_base;
	__u32 slot_count;	 /* 0: no usable endpoint */
	__u16 no_endpoint_errno; /* positive */
	__u8 algorithm;		 /* enum jn_algorithm */
	__u8 flags;
	struct jn_rules rules;
	__u32 member_base; /* slots that name every endpoint once; maybe the same as above */
	__u32 member_count;
	__u32 live; /* of the service, where it has limits */
	__u32 pad;
};
JN_ABI_SIZE(struct jn_revision, 64);

/* How many slots it has from slot_base on, members included. */
static inline __u32 jn_revision_slots(const struct jn_revision *revision)
{
	return revision->member_base == revision->slot_base
		       ? revision->slot_count
		       : revision->slot_count + revision->member_count;
}

/* jn_slots: Random draws a slot and keeps it with `probability`/65536, else takes its alias. */
struct jn_slot {
	__u32 endpoint;
	__u16 probability; /* of keeping this slot; a slot that is its own alias is always kept */
	__u16 alias;	   /* counted from the revision's slot_base */
};
JN_ABI_SIZE(struct jn_slot, 8);

/*
 * The service of canaries, connections that junctord makes to see that its hooks work: beyond every
 * table, so that it has no name and no counters.
 */
#define JN_CANARY_SERVICE 0xffffffffu

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
	__u32 live;    /* of its backend, where anybody asks; 0: nobody does */
};
JN_ABI_SIZE(struct jn_endpoint, 32);

/*
 * jn_live: what happens to a backend, whichever services use it, or to a service with limits. A
 * cache line each; written for connections, never for packets. Times are CLOCK_MONOTONIC.
 */
struct jn_live {
	__u32 open;    /* connections that are open now */
	__u32 epoch;   /* raised whenever counting begins anew: sockets of before count no more */
	__u64 full_ns; /* a service: when its bucket of new connections is full again */
	__u64 out_until_ns;	/* ejected, and then out until one connection succeeds; 0: in */
	__u64 first_failure_ns; /* of those in a row */
	__u32 failures;		/* to connect, in a row */
	__u32 resets;		/* before the first byte of an answer, in a row */
	__u32 ejections;	/* in a row */
	__u32 answer_us;	/* moving average of the time to an answer; 0: not known */
	__u32 answer_ms;	/* when that was measured last */
	__u32 is_down;		/* a probe says so; the controller's */
	__u64 back_ns;		/* in again since then, the last time that it was out */
};
JN_ABI_SIZE(struct jn_live, 64);

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

/* An entry of jn_live as it was in that epoch. live 0: none. */
struct jn_count {
	__u32 live;
	__u32 epoch;
};
JN_ABI_SIZE(struct jn_count, 8);

#define JN_SOCKET_BOUND 1 /* the application bound it to a source address before it connected it */
#define JN_SOCKET_WATCHED 2 /* how it begins and ends counts for its backend */
#define JN_SOCKET_TRIAL 4   /* it tries a backend that was ejected */
#define JN_SOCKET_COUNTED 8 /* at_backend or at_service is set */

/* jn_socket (socket storage): where a connected socket was meant to go, and where it went. */
struct jn_socket {
	struct jn_addr vip;
	struct jn_addr backend;
	__be16 vip_port;
	__be16 backend_port;
	__u32 service;
	__u32 endpoint;
	__u32 set;
	__u32 flags;				/* JN_SOCKET_… */
	struct jn_count at_backend, at_service; /* where it counts as an open connection */
};
JN_ABI_SIZE(struct jn_socket, 68);

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

/* A socket whose endpoint takes no new connections or is gone: what jn_find_stale writes out. */
struct jn_stale {
	__u64 cookie;
	struct jn_addr vip;
	struct jn_addr backend; /* its peer */
	struct jn_addr source;
	__be16 vip_port;
	__be16 backend_port;
	__be16 source_port;
	__u16 proto; /* IPPROTO_TCP, IPPROTO_UDP or IPPROTO_MPTCP */
	__u32 service;
	__u32 endpoint;
	__u32 netns;	  /* inode of its network namespace */
	__u32 device;	  /* that it is bound to; 0: none */
	__u32 unacked;	  /* TCP: the first byte, as a sequence number, that is not acknowledged */
	__u8 family;	  /* AF_INET or AF_INET6 */
	__u8 is_waiting;  /* TCP: something was sent and is not acknowledged */
	__u8 retransmits; /* TCP: time-outs since the last acknowledgement that brought it on */
	__u8 pad;
};
JN_ABI_SIZE(struct jn_stale, 88);

/* jn_ending: a socket that is to be ended, as long as its peer is this one. */
struct jn_ending_peer {
	struct jn_addr addr;
	__be16 port;
	__u16 pad;
};
JN_ABI_SIZE(struct jn_ending_peer, 20);

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

#define JN_META_SETTLING 1 /* jn_live has grown, and some connections count in the old one yet */
#define JN_META_DOUBLED 2  /* a hook may have two programs of ours for a moment */
#define JN_META_OWED 4	   /* some of what is served came from files, and no store holds it yet */
/* jn_meta, the only entry. */
struct jn_meta {
	__u64 generation; /* the last one the tables hold whole */
	__u32 tick_us;	  /* of the kernel's own clock: one jiffy */
	__u32 flags;	  /* JN_META_… */
};
JN_ABI_SIZE(struct jn_meta, 16);

#endif
