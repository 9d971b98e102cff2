/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET /v1/wait: answers when the kernel holds a generation, or when the time is over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "loop/loop.h"
#include "proto/write.h"

#define DEFAULT_SECONDS 30

struct waiting {
	uint64_t generation, seconds;
	struct jn_timer *timer;
	bool is_waiting; /* the engine knows of it */
};

/* A query parameter as a number up to `max`; `fallback` where it is not given. */
static void read_number(struct jn_call *call, const char *name, uint64_t max, uint64_t *value,
			struct jn_error *err)
{
	const char *text = jn_exchange_query(call->exchange, name);
	uint64_t number = 0;
	const char *p = text;

	if (!text)
		return;
	while (*p >= '0' && *p <= '9' && !__builtin_mul_overflow(number, 10, &number) &&
	       !__builtin_add_overflow(number, (uint64_t)(*p - '0'), &number))
		p++;
	if (p == text || *p || number > max)
		jn_error_cause(err, JN_ERROR_INVALID, JN_CAUSE_INVALID, name,
			       "is \"%.32s\"; give a whole number of 0 to %llu", text,
			       (unsigned long long)max);
	else
		*value = number;
}

static void stop_waiting(struct jn_call *call)
{
	struct waiting *w = call->data;

	if (!w)
		return;
	jn_timer_stop(&w->timer);
	if (w->is_waiting)
		jn_engine_cancel_wait(call->api->options.engine, call);
	w->is_waiting = false;
}

static void answer_installed(struct jn_call *call)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	struct jn_writer w = jn_writer_to(&body);

	jn_write_open(&w, '{');
	jn_write_key_unsigned(&w, "installedGeneration",
			      jn_engine_installed(call->api->options.engine));
	jn_write_close(&w, '}');
	jn_answer_json(call, 200, &body);
}

static void on_installed(void *arg)
{
	struct jn_call *call = arg;
	struct waiting *w = call->data;

	w->is_waiting = false;
	stop_waiting(call);
	answer_installed(call);
}

static void answer_timeout(struct jn_call *call)
{
	struct jn_engine *engine = call->api->options.engine;
	const struct waiting *w = call->data;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)jn_error_set(&err, -ETIMEDOUT, JN_ERROR_TIMEOUT,
			   "generation %llu was not installed within %llu s, installed is %llu; "
			   "wait longer with timeoutSeconds, or see /v1/status",
			   (unsigned long long)w->generation, (unsigned long long)w->seconds,
			   (unsigned long long)jn_engine_installed(engine));
	jn_answer_error(call, &err);
}

static void on_time_over(void *arg)
{
	struct jn_call *call = arg;
	struct waiting *w = call->data;

	w->timer = NULL;
	stop_waiting(call);
	answer_timeout(call);
}

static void begin_wait(struct jn_call *call)
{
	struct jn_engine *engine = call->api->options.engine;
	struct waiting *w = calloc(1, sizeof(*w));
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	call->data = w;
	if (!w) {
		jn_answer_no_memory(call);
		return;
	}
	/* Where none is given: all that is declared. */
	w->generation = jn_engine_generation(engine);
	w->seconds = DEFAULT_SECONDS;
	read_number(call, "generation", UINT64_MAX, &w->generation, &err);
	read_number(call, "timeoutSeconds", JN_MAX_WAIT_SECONDS, &w->seconds, &err);
	if (jn_error_is_set(&err))
		jn_answer_error(call, &err);
}

/* Only now is the request complete, and no more calls come but the end of it. */
static void end_wait(struct jn_call *call)
{
	struct jn_engine *engine = call->api->options.engine;
	struct waiting *w = call->data;

	if (jn_timer_start(call->api->options.loop, w->seconds * 1000, on_time_over, call,
			   &w->timer)) {
		jn_answer_no_memory(call);
		return;
	}
	if (jn_engine_wait(engine, w->generation, on_installed, call)) {
		stop_waiting(call);
		answer_installed(call);
		return;
	}
	w->is_waiting = true;
}

static void free_wait(struct jn_call *call)
{
	free(call->data);
}

static const char *const parameters[] = { "generation", "timeoutSeconds", NULL };

const struct jn_verb jn_verb_wait = {
	.role = JN_ROLE_READ,
	.parameters = parameters,
	.body_limit = JN_MAX_OBJECT_BYTES, /* it means nothing, but must not be endless */
	.begin = begin_wait,
	.body = jn_call_take_document,
	.end = end_wait,
	.gone = stop_waiting,
	.free = free_wait,
};
