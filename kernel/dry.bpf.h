/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a decision does beside deciding. Every object that decides is built twice: for the hooks,
 * where a decision changes tables and leaves no note, and for jn_trace (trace/trace.bpf.c), where it
 * is the other way round. The compiler drops what is not wanted, so that the hooks pay nothing.
 */
#ifndef JUNCTOR_KERNEL_DRY_H
#define JUNCTOR_KERNEL_DRY_H

#include <stdbool.h>

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include <junctor/abi.h>
#include <junctor/trace.h>

#ifndef JN_IS_DRY /* the build says 1 for the objects of jn_trace */
#define JN_IS_DRY 0
#endif

/* trace/trace.bpf.c, which alone has them; not static: checked once, for any arguments. */
int jn_trace_add(__u32 kind, __u32 detail, __u32 endpoint, __u64 value);
__u64 jn_trace_turn(__u64 turn); /* of those that this trace would have taken */

static __always_inline void jn_note(enum jn_step_kind kind, __u32 detail, __u32 endpoint,
				    __u64 value)
{
	if (JN_IS_DRY)
		(void)jn_trace_add(kind, detail, endpoint, value);
}

/* RoundRobin: whose turn it is; the next one's is the next. */
static __always_inline __u64 jn_take_turn(struct jn_cursor *cursor)
{
	return JN_IS_DRY ? jn_trace_turn(cursor->turn) : __sync_fetch_and_add(&cursor->turn, 1);
}

/* One more connection is open; how many there were. */
static __always_inline __u32 jn_count_open(struct jn_live *live)
{
	return JN_IS_DRY ? live->open : __sync_fetch_and_add(&live->open, 1);
}

/* False: somebody else changed the word first. */
static __always_inline bool jn_swap_word(__u64 *word, __u64 from, __u64 to)
{
	return JN_IS_DRY || __sync_val_compare_and_swap(word, from, to) == from;
}

#endif
