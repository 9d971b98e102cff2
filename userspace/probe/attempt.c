/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A connection, what is asked on it, and when it has been enough. The protocols are answer.h's.
 */
#include "probe/attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "loop/dial.h"
#include "loop/loop.h"
#include "probe/answer.h"
#include "proto/address.h"

struct jn_attempt {
	struct jn_attempt_options options;
	struct jn_dial *dial;
	struct jn_timer *timer; /* where there is no connection to end */
	int start_rc;
	bool is_connected;
	size_t bytes; /* received */
	struct jn_http_reply http;
	struct jn_grpc_call *grpc;
};

void jn_attempt_stop(struct jn_attempt **attempt)
{
	struct jn_attempt *a = JN_MOVE(*attempt);

	if (!a)
		return;
	jn_dial_stop(&a->dial);
	jn_timer_stop(&a->timer);
	jn_grpc_call_free(&a->grpc);
	free(a);
}

static void end(struct jn_attempt *a, enum jn_outcome outcome, const char *why)
{
	struct jn_attempt_options options = a->options;

	jn_attempt_stop(&a);
	options.done(options.arg, outcome, why);
}

/* Says nothing about the backend. */
static bool is_our_own(int rc)
{
	return rc == -ENOMEM || rc == -ENOBUFS || rc == -EMFILE || rc == -ENFILE ||
	       rc == -EADDRNOTAVAIL;
}

static void end_by_error(struct jn_attempt *a, int rc)
{
	char why[JN_PROBE_REASON_BYTES];

	if (rc == -ETIMEDOUT)
		(void)snprintf(why, sizeof(why), "no %s within %u s",
			       a->is_connected ? "answer" : "connection",
			       a->options.probe->timeout_seconds);
	else
		(void)snprintf(why, sizeof(why), "%s",
			       rc ? strerror(-rc) : "it closed without an answer");
	end(a, is_our_own(rc) ? JN_OUTCOME_UNKNOWN : JN_OUTCOME_DOWN, why);
}

/* --- talking ----------------------------------------------------------------------------------- */

static void send_grpc(struct jn_attempt *a)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
	int rc = jn_grpc_call_output(a->grpc, &out);

	if (!rc && out.size)
		rc = jn_dial_write(a->dial, out.data, out.size);
	if (rc)
		end_by_error(a, rc);
}

static void begin_grpc(struct jn_attempt *a, const char *authority)
{
	int rc = jn_grpc_call_new(a->options.probe, authority, &a->grpc);

	if (rc)
		end_by_error(a, rc);
	else
		send_grpc(a);
}

static void begin_http(struct jn_attempt *a, const char *authority)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };
	int rc;

	jn_http_reply_init(&a->http);
	jn_http_write_request(a->options.probe, authority, &out);
	rc = jn_buffer_failed(&out) ? -ENOMEM : jn_dial_write(a->dial, out.data, out.size);
	if (rc)
		end_by_error(a, rc);
}

static void on_connected(void *arg)
{
	struct jn_attempt *a = arg;
	char authority[JN_ENDPOINT_TEXT_BYTES];

	a->is_connected = true;
	(void)jn_endpoint_format(&a->options.addr, a->options.port, authority);
	if (a->options.probe->type == JN_PROBE_HTTP)
		begin_http(a, authority);
	else if (a->options.probe->type == JN_PROBE_GRPC)
		begin_grpc(a, authority);
	else
		end(a, JN_OUTCOME_UP, "");
}

static void on_data(void *arg, const char *data, size_t size)
{
	struct jn_attempt *a = arg;
	char why[JN_PROBE_REASON_BYTES] = "";
	enum jn_answer_kind kind;

	a->bytes += size;
	kind = a->grpc ? jn_grpc_call_feed(a->grpc, data, size, why)
		       : jn_http_reply_feed(&a->http, data, size, why);
	if (kind != JN_ANSWER_MORE)
		end(a, kind == JN_ANSWER_GOOD ? JN_OUTCOME_UP : JN_OUTCOME_DOWN, why);
	else if (a->bytes > JN_MAX_PROBE_BYTES)
		end(a, JN_OUTCOME_DOWN, "it talks without end");
	else if (a->grpc)
		send_grpc(a);
}

static void on_ended(void *arg, int rc)
{
	end_by_error(arg, rc);
}

/* --- beginning --------------------------------------------------------------------------------- */

static void on_failed_start(void *arg)
{
	struct jn_attempt *a = arg;

	a->timer = NULL;
	end_by_error(a, a->start_rc);
}

static int dial(struct jn_attempt *a)
{
	const struct jn_attempt_options *options = &a->options;
	struct jn_dial_handlers handlers = { a, on_connected, on_data, on_ended };
	uint64_t timeout_ms = options->probe->timeout_seconds * 1000u;
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(options->port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons(options->port),
				  .sin_addr.s_addr = options->addr.w[3] };
	bool is_v4 = jn_addr_is_v4(&options->addr);

	memcpy(&v6.sin6_addr, &options->addr, sizeof(v6.sin6_addr));
	return jn_dial_start(options->loop, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
			     timeout_ms, &handlers, &a->dial);
}

int jn_attempt_start(const struct jn_attempt_options *options, struct jn_attempt **out)
{
	struct jn_attempt *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	a->options = *options;
	a->start_rc = dial(a);
	rc = a->start_rc ? jn_timer_start(options->loop, 0, on_failed_start, a, &a->timer) : 0;
	if (rc)
		jn_attempt_stop(&a);
	else
		*out = a;
	return rc;
}
