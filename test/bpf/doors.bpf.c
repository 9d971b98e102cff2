/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Doors for tests: each runs one function of the kernel programs, the very object that is shipped,
 * on plain values. What comes in through ctx is copied to the stack: it cannot be a table's key.
 */
#include "doors.h"
#include "choose.bpf.h"
#include "count.bpf.h"
#include "live.bpf.h"
#include "lookup.bpf.h"
#include "pick.bpf.h"
#include "udp.bpf.h"

_Static_assert((int)TEST_REACH_V4 == JN_REACH_V4 && (int)TEST_REACH_V6 == JN_REACH_V6 &&
		       (int)TEST_REACH_BOTH == JN_REACH_BOTH,
	       "doors.h says what decide.bpf.h says");
_Static_assert((int)TEST_USE_YES == JN_USE_YES && (int)TEST_USE_TRIAL == JN_USE_TRIAL &&
		       (int)TEST_USE_OUT == JN_USE_OUT,
	       "doors.h says what live.bpf.h says");

SEC("syscall")
int test_find_frontend(struct test_find *io)
{
	struct jn_frontend_key key = io->key;
	struct jn_frontend frontend = { 0 };

	io->is_found = jn_find_frontend(&key, &frontend) == JN_REASON_OK;
	io->frontend = frontend;
	return 0;
}

SEC("syscall")
int test_admit(struct test_admit *io)
{
	struct jn_frontend frontend = io->frontend;

	io->reason = jn_admit(&frontend, io->netns_cookie);
	return 0;
}

static void copy_out(struct test_choose *io, const struct jn_choice *choice)
{
	io->endpoint = choice->endpoint;
	io->addr = choice->backend.addr;
	io->port = choice->backend.port;
	io->service_errno = choice->service_errno;
}

SEC("syscall")
int test_choose(struct test_choose *io)
{
	struct jn_frontend frontend = io->frontend;
	struct jn_call call = { .reach = io->reach, .has_client = true, .client = io->client };
	struct jn_choice choice = { 0 };

	io->reason = jn_choose(&frontend, &call, &choice);
	copy_out(io, &choice);
	return 0;
}

SEC("syscall")
int test_get_endpoint(struct test_choose *io)
{
	const struct jn_endpoint *endpoint =
		jn_get_endpoint(io->endpoint, io->frontend.service, io->reach);

	io->reason = endpoint != NULL;
	if (!endpoint)
		return 0;
	io->addr = endpoint->addr;
	io->port = endpoint->port;
	return 0;
}

SEC("syscall")
int test_udp_choose(struct test_choose *io)
{
	struct jn_frontend frontend = io->frontend;
	struct jn_call call = { .key = io->key,
				.reach = io->reach,
				.has_client = !io->hides_client,
				.client = io->client };
	struct jn_choice choice = { 0 };

	io->reason = jn_udp_choose(&call, io->cookie, &frontend, &choice);
	copy_out(io, &choice);
	return 0;
}

SEC("syscall")
int test_udp_name(struct test_name *io)
{
	struct jn_target target = { .addr = io->addr, .port = io->port };

	io->is_named = jn_udp_name(io->cookie, &target);
	io->addr = target.addr;
	io->port = target.port;
	return 0;
}

SEC("syscall")
int test_use(struct test_use *io)
{
	struct jn_rules rules = io->rules;

	io->use = jn_live_use(jn_live_at(io->live), &rules);
	return 0;
}

SEC("syscall")
int test_end(struct test_end *io)
{
	struct jn_socket record = io->record;

	if (io->is_failure)
		jn_live_fail(&record, JN_FAILURE_CONNECT);
	else
		jn_live_succeed(&record, JN_FAILURE_CONNECT);
	return 0;
}

SEC("syscall")
int test_count(struct test_count *io)
{
	jn_count(io->service, io->reason);
	return 0;
}
