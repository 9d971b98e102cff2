/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Questions about an address, the same text for kernel and controller. Pure, on plain values.
 */
#ifndef JUNCTOR_DECIDE_ADDRESS_H
#define JUNCTOR_DECIDE_ADDRESS_H

#include <junctor/abi.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define JN_MAPPED_WORD ((__be32)0xffff0000u) /* 0000:ffff in network order */
#else
#define JN_MAPPED_WORD ((__be32)0x0000ffffu)
#endif

static inline struct jn_addr jn_addr_from_v4(__be32 v4)
{
	return (struct jn_addr){ .w = { 0, 0, JN_MAPPED_WORD, v4 } };
}

/* Is this an IPv4 address (stored as ::ffff:a.b.c.d)? */
static inline int jn_addr_is_v4(const struct jn_addr *a)
{
	return !a->w[0] && !a->w[1] && a->w[2] == JN_MAPPED_WORD;
}

/* 0.0.0.0 or :: */
static inline int jn_addr_is_any(const struct jn_addr *a)
{
	return !a->w[0] && !a->w[1] && !a->w[3] && (!a->w[2] || a->w[2] == JN_MAPPED_WORD);
}

static inline int jn_addr_equal(const struct jn_addr *a, const struct jn_addr *b)
{
	return a->w[3] == b->w[3] && a->w[2] == b->w[2] && a->w[1] == b->w[1] && a->w[0] == b->w[0];
}

#endif
