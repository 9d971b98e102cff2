/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Guard routes over a kernel that is asked at a bad moment: lists that change while they are told.
 * In a network namespace of its own, so as root; skipped without.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netlink/netlink.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "netlink/internal.h"
#include "netlink/routes.h"

/* --- what the kernel says -------------------------------------------------------------------------- */

static struct answer {
	struct {
		struct nlmsghdr head;
		union {
			struct nlmsgerr error;
			struct {
				struct rtmsg route;
				struct rtattr to;
				__be32 addr;
			};
		};
	} message;
} answers[16];
static size_t answer_count, answers_given;

int nl_recv(struct nl_sock *sk, struct sockaddr_nl *nla, unsigned char **buf, struct ucred **creds)
{
	struct answer *copy;

	(void)sk;
	(void)nla;
	(void)creds;
	assert_true(answers_given < answer_count);
	copy = malloc(sizeof(*copy));
	assert_non_null(copy);
	*copy = answers[answers_given++];
	*buf = (unsigned char *)copy;
	return (int)copy->message.head.nlmsg_len;
}

static struct answer *add_answer(uint16_t type, bool is_torn)
{
	struct answer *a = &answers[answer_count++];

	assert_true(answer_count <= JN_COUNT(answers));
	*a = (struct answer){ .message.head = {
				      .nlmsg_len = sizeof(*a),
				      .nlmsg_type = type,
				      .nlmsg_flags = (uint16_t)(NLM_F_MULTI |
								(is_torn ? NLM_F_DUMP_INTR : 0)),
			      } };
	return a;
}

static void say_end(void)
{
	(void)add_answer(NLMSG_DONE, false);
}

static void say_busy(void)
{
	add_answer(NLMSG_ERROR, false)->message.error.error = -EBUSY;
}

static void say_route(uint32_t addr, bool is_torn)
{
	struct answer *a = add_answer(RTM_NEWROUTE, is_torn);

	a->message.route = (struct rtmsg){ .rtm_family = AF_INET,
					   .rtm_dst_len = 32,
					   .rtm_table = RT_TABLE_MAIN,
					   .rtm_protocol = JN_ROUTE_PROTOCOL,
					   .rtm_type = RTN_BLACKHOLE };
	a->message.to = (struct rtattr){ RTA_LENGTH(sizeof(a->message.addr)), RTA_DST };
	a->message.addr = htonl(addr);
}

static uint32_t heard[16];
static size_t heard_count;

static int hear(void *arg, const struct jn_addr *addr)
{
	(void)arg;
	assert_true(heard_count < JN_COUNT(heard));
	heard[heard_count++] = ntohl(addr->w[3]);
	return 0;
}

static bool has_space;

static int setup(void **state)
{
	(void)state;
	answer_count = answers_given = heard_count = 0;
	has_space = has_space || unshare(CLONE_NEWNET) == 0; /* gone with this process */
	return 0;
}

/* --- tests ---------------------------------------------------------------------------------------- */

#define A 0x0a000001u
#define B 0x0a000002u

/* Routes that moved while they were listed were missing, or the list failed altogether. */
static void test_a_torn_list_is_asked_for_again(void **state)
{
	(void)state;
	if (!has_space)
		skip();
	say_route(B, true);
	say_end();
	say_busy();
	say_route(A, false);
	say_route(B, false);
	say_end();
	say_busy(); /* the other family */
	say_end();
	assert_int_equal(jn_guards_each(hear, NULL), 0);
	assert_int_equal(answers_given, answer_count);
	assert_int_equal(heard_count, 2);
	assert_true(heard[0] == A && heard[1] == B);
}

static void test_a_list_that_never_holds_still_is_given_up(void **state)
{
	(void)state;
	if (!has_space)
		skip();
	for (unsigned i = 0; i < 6; i++) {
		say_route(A, true);
		say_end();
	}
	assert_int_equal(jn_guards_each(hear, NULL), -EAGAIN);
	assert_int_equal(answers_given, answer_count);
	assert_int_equal(heard_count, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_torn_list_is_asked_for_again, setup),
		cmocka_unit_test_setup(test_a_list_that_never_holds_still_is_given_up, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
