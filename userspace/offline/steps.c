/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The notes of jn_trace as sentences. It does NOT judge: what a note means stands in trace.h.
 */
#include <arpa/inet.h>

#include <junctor/decide/live.h>

#include "base/auto.h"
#include "offline/internal.h"
#include "proto/address.h"

/* pick.bpf.h */
#define PICK_FULL 0xffffffff
#define PICK_TRIAL 0x80000000

struct sentence {
	struct jn_datapath *dp;
	const struct jn_trace *trace;
	const struct jn_step *step;
	const struct jn_step *revision; /* the last one before */
	struct jn_buffer *out;
};

static uint32_t slots_of(const struct sentence *s)
{
	return s->revision ? (uint32_t)(s->revision->value >> 32) : 0;
}

static void add_frontend(const struct sentence *s)
{
	const struct jn_frontend_key *key = &s->trace->key;
	char text[JN_ENDPOINT_TEXT_BYTES];

	jn_buffer_printf(s->out, "%s/%s is an address of ",
			 jn_endpoint_format(&key->vip, ntohs(key->port), text),
			 key->proto == IPPROTO_UDP ? "UDP" : "TCP");
	jn_offline_add_service(s->dp, s->step->endpoint, s->out);
	jn_buffer_printf(s->out, ": service %u, set %llu", s->step->endpoint,
			 (unsigned long long)s->step->value);
	if (s->trace->frontend.netns_cookie)
		jn_buffer_printf(s->out, ", only for the network namespace with cookie %llu",
				 (unsigned long long)s->trace->frontend.netns_cookie);
}

static void add_revision(const struct sentence *s)
{
	unsigned flags = s->step->value & 0xff;

	jn_buffer_printf(s->out, "its revision %u is published: %s over %u slots",
			 s->step->endpoint, jn_offline_algorithm(s->step->value >> 8 & 0xff),
			 (uint32_t)(s->step->value >> 32));
	if (flags)
		jn_buffer_add_text(s->out, "; it ");
	jn_offline_add_flags(flags, s->out);
}

static void add_client(const struct sentence *s)
{
	char text[JN_ADDR_TEXT_BYTES];

	if (s->trace->is_bound)
		jn_buffer_printf(s->out,
				 "the client is %s, the address that the socket is bound to",
				 jn_addr_format(&s->trace->client, text));
	else
		jn_buffer_printf(s->out,
				 "the client is the network namespace with cookie %llu, as the "
				 "socket is bound to no address",
				 (unsigned long long)s->trace->netns_cookie);
}

static void add_affinity(const struct sentence *s)
{
	static const char *const ends[] = {
		[JN_STAY_NOWHERE] = "",
		[JN_STAY_OVER] = "which is too long ago",
		[JN_STAY_GONE] = "which takes no new connections any more",
		[JN_STAY_UNUSABLE] = "which is out or full",
		[JN_STAY_YES] = "and stays there",
	};
	unsigned stay = s->step->detail;

	if (stay == JN_STAY_NOWHERE || stay >= JN_COUNT(ends)) {
		jn_buffer_add_text(s->out, "the client is not known to stay anywhere");
		return;
	}
	jn_buffer_add_text(s->out, "the client was at ");
	jn_offline_add_endpoint(s->dp, s->step->endpoint, s->out);
	jn_buffer_printf(s->out, " %llu s ago, %s",
			 (unsigned long long)(s->step->value / JN_SECOND_NS), ends[stay]);
}

static void add_turn(const struct sentence *s)
{
	uint32_t count = slots_of(s);

	jn_buffer_printf(s->out, "it is turn %llu: slot %llu of %u",
			 (unsigned long long)s->step->value,
			 (unsigned long long)(count ? s->step->value % count : 0), count);
}

static void add_hash(const struct sentence *s)
{
	jn_buffer_printf(s->out, "the client's hash is %016llx",
			 (unsigned long long)s->step->value);
	if (slots_of(s) && (s->revision->value >> 8 & 0xff) == JN_ALGORITHM_MAGLEV)
		jn_buffer_printf(s->out, ": slot %llu of %u",
				 (unsigned long long)(s->step->value % slots_of(s)), slots_of(s));
}

static void add_draw(const struct sentence *s)
{
	jn_buffer_printf(s->out, "slot %llu of %u is drawn", (unsigned long long)s->step->value,
			 slots_of(s));
}

static void add_alias(const struct sentence *s)
{
	jn_buffer_printf(s->out, "that slot leaves the connection to slot %llu, as weights want it",
			 (unsigned long long)s->step->value);
}

static void add_judged(const struct sentence *s)
{
	static const char *const uses[] = {
		[JN_USE_YES] = "may be used",
		[JN_USE_TRIAL] = "was ejected and is tried by this connection",
		[JN_USE_YOUNG] = "is passed over: it starts slowly",
		[JN_USE_OUT] = "is passed over: it is ejected, or a probe says that it is down",
		[JN_USE_FULL] = "is passed over: its limit of connections is reached",
	};
	unsigned use = s->step->detail;
	uint32_t answer_us = (uint32_t)s->step->value;

	jn_offline_add_endpoint(s->dp, s->step->endpoint, s->out);
	jn_buffer_printf(s->out, " %s", use < JN_COUNT(uses) ? uses[use] : "?");
	if (use != JN_USE_YES)
		return;
	jn_buffer_printf(s->out, "; connections known to be open: %u",
			 (uint32_t)(s->step->value >> 32));
	if (answer_us)
		jn_buffer_printf(s->out, ", time to an answer: %u us", answer_us);
}

static void add_better(const struct sentence *s)
{
	jn_offline_add_endpoint(s->dp, s->step->endpoint, s->out);
	jn_buffer_add_text(s->out, " has less to do than ");
	jn_offline_add_endpoint(s->dp, (uint32_t)s->step->value, s->out);
}

static void add_search(const struct sentence *s)
{
	uint32_t found = s->step->endpoint;

	jn_buffer_printf(s->out,
			 "all %llu endpoints are looked at: ", (unsigned long long)s->step->value);
	if (!found)
		jn_buffer_add_text(s->out, "none may be used, and the last one drawn is taken");
	else if (found == PICK_FULL)
		jn_buffer_add_text(s->out, "those that are not out are full");
	else
		jn_offline_add_endpoint(s->dp, found & ~PICK_TRIAL, s->out);
	if (found && found != PICK_FULL)
		jn_buffer_add_text(s->out, " may be used");
}

static void add_redrawn(const struct sentence *s)
{
	jn_buffer_printf(s->out, "after %llu draws ", (unsigned long long)s->step->value);
	jn_offline_add_endpoint(s->dp, s->step->endpoint, s->out);
	jn_buffer_add_text(s->out, " is taken all the same");
}

static void add_limit(const struct sentence *s)
{
	static const char *const bounds[] = {
		[JN_BOUND_SERVICE] = "open connections of the service",
		[JN_BOUND_BACKEND] = "open connections of the backend",
		[JN_BOUND_RATE] = "new connections a second of the service",
	};
	unsigned bound = s->step->detail;

	jn_buffer_printf(s->out, "the limit of %llu %s is reached",
			 (unsigned long long)s->step->value,
			 bound < JN_COUNT(bounds) ? bounds[bound] : "?");
}

static void add_again(const struct sentence *s)
{
	jn_buffer_add_text(s->out, "a table does not fit together and is read again");
}

static const struct {
	const char *name;
	void (*add)(const struct sentence *s);
} kinds[JN_STEP_MAX] = {
	[JN_STEP_FRONTEND] = { "Frontend", add_frontend },
	[JN_STEP_REVISION] = { "Revision", add_revision },
	[JN_STEP_CLIENT] = { "Client", add_client },
	[JN_STEP_AFFINITY] = { "Affinity", add_affinity },
	[JN_STEP_TURN] = { "Turn", add_turn },
	[JN_STEP_HASH] = { "Hash", add_hash },
	[JN_STEP_DRAW] = { "Draw", add_draw },
	[JN_STEP_ALIAS] = { "Alias", add_alias },
	[JN_STEP_JUDGED] = { "Judged", add_judged },
	[JN_STEP_BETTER] = { "Better", add_better },
	[JN_STEP_SEARCH] = { "Search", add_search },
	[JN_STEP_REDRAWN] = { "Redrawn", add_redrawn },
	[JN_STEP_LIMIT] = { "Limit", add_limit },
	[JN_STEP_AGAIN] = { "Again", add_again },
};

const char *jn_offline_step_name(unsigned kind)
{
	return kind < JN_STEP_MAX ? kinds[kind].name : "?";
}

void jn_offline_add_step(struct jn_datapath *dp, const struct jn_trace *trace, unsigned step,
			 struct jn_buffer *out)
{
	struct sentence s = { .dp = dp, .trace = trace, .step = &trace->steps[step], .out = out };

	for (unsigned i = 0; i < step; i++) {
		if (trace->steps[i].kind == JN_STEP_REVISION)
			s.revision = &trace->steps[i];
	}
	if (s.step->kind < JN_STEP_MAX)
		kinds[s.step->kind].add(&s);
}
