/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What decide_test.c hands to the doors of doors.bpf.c and gets back from them: plain values, the
 * first fields in, the rest out.
 */
#ifndef JUNCTOR_TEST_DOORS_H
#define JUNCTOR_TEST_DOORS_H

#include <linux/types.h>

#include <junctor/abi.h>

/* enum jn_reach, which is the kernel side's own; doors.bpf.c asserts that they are equal. */
enum { TEST_REACH_V4, TEST_REACH_V6, TEST_REACH_BOTH };

struct test_find {
	struct jn_frontend_key key;
	__u32 is_found;
	struct jn_frontend frontend;
};

struct test_admit {
	struct jn_frontend frontend;
	__u64 netns_cookie;
	__u32 reason;
	__u32 pad;
};

/* Of jn_choose, jn_get_endpoint and jn_udp_choose; each uses what it needs. */
struct test_choose {
	struct jn_frontend frontend;
	struct jn_frontend_key key;
	__u32 reach;
	struct jn_addr client;
	__u32 hides_client; /* of jn_udp_choose: nobody has filled it in yet */
	__u64 cookie;
	__u32 endpoint; /* in for jn_get_endpoint, out for the others */
	__u32 reason;	/* of jn_get_endpoint: is it one? */
	struct jn_addr addr;
	__be16 port;
	__u16 service_errno;
	__u32 pad;
};

struct test_name {
	__u64 cookie;
	struct jn_addr addr; /* in and out */
	__be16 port;
	__u16 pad;
	__u32 is_named;
};

/* Those of enum jn_use that are asked for; as above. */
enum { TEST_USE_YES = 0, TEST_USE_TRIAL = 1, TEST_USE_OUT = 3 };

struct test_use {
	struct jn_rules rules;
	__u32 live;
	__u32 use;
};

struct test_end {
	struct jn_socket record; /* of a connection that could not, or could, be established */
	__u32 is_failure;
};

struct test_count {
	__u32 service;
	__u32 reason;
};

#endif
