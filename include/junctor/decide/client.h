/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who connects, as affinity, Maglev and SourceHash know it: the source address that the socket is
 * bound to, else its network namespace. Pure, on plain values.
 */
#ifndef JUNCTOR_DECIDE_CLIENT_H
#define JUNCTOR_DECIDE_CLIENT_H

#include <junctor/abi.h>

/* A namespace has no address yet when it connects: its cookie below a prefix that no source has. */
static inline struct jn_addr jn_client_of_netns(__u64 cookie)
{
	return (struct jn_addr){ .w = { (__be32)0xffffffff, 0, (__be32)(cookie >> 32),
					(__be32)cookie } };
}

/* The finaliser of MurmurHash3 (A. Appleby): every bit of the input moves half of the output. */
static inline __u64 jn_mix(__u64 h)
{
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdull;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53ull;
	h ^= h >> 33;
	return h;
}

/* Equal on every node; another round gives another draw. */
static inline __u64 jn_client_hash(const struct jn_addr *client, __u32 round)
{
	__u64 high = (__u64)client->w[0] << 32 | client->w[1];
	__u64 low = (__u64)client->w[2] << 32 | client->w[3];

	return jn_mix(jn_mix(high + 0x9e3779b97f4a7c15ull * (round + 1)) ^ low);
}

#endif
