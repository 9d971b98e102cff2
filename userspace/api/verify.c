/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET /v1/verify: what the kernel tables hold against what was declared, compared now. It repairs
 * nothing: junctord does that by itself, once a minute.
 */
#include <errno.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "proto/write.h"

static void write_drift(struct jn_writer *w, const struct jn_drift *drift)
{
	jn_write_open(w, '{');
	jn_write_key_text(w, "object", drift->object);
	jn_write_key_text(w, "entry", drift->entry);
	jn_write_key_text(w, "found", drift->found);
	jn_write_key_text(w, "expected", drift->expected);
	jn_write_close(w, '}');
}

static void answer(struct jn_call *call, const struct jn_verification *verification)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	struct jn_writer w = jn_writer_to(&body);

	jn_write_open(&w, '{');
	jn_write_key_unsigned(&w, "services", verification->services);
	jn_write_key_unsigned(&w, "micros", verification->micros);
	jn_write_key_unsigned(&w, "found", verification->found);
	jn_write_key(&w, "drifts");
	jn_write_open(&w, '[');
	for (size_t i = 0; i < verification->shown; i++)
		write_drift(&w, &verification->drifts[i]);
	jn_write_close(&w, ']');
	jn_write_close(&w, '}');
	jn_answer_json(call, 200, &body);
}

static void refuse(struct jn_call *call, int rc)
{
	const struct jn_engine *engine = call->api->options.engine;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (rc == -ECANCELED)
		(void)jn_error_set(&err, rc, JN_ERROR_UNAVAILABLE,
				   "junctord is stopping, and compares nothing any more; ask again "
				   "when it is started");
	else if (rc != -EBUSY)
		(void)jn_error_set(&err, rc, JN_ERROR_UNAVAILABLE,
				   "the tables could not be compared (%s); try again in a moment",
				   strerror(-rc));
	else if (!jn_engine_is_served(engine))
		(void)jn_error_set(&err, rc, JN_ERROR_UNAVAILABLE,
				   "the kernel refuses generation %llu, which is tried again all "
				   "the time, and until it takes it there is nothing to compare; "
				   "free kernel memory, or see the log for what it refuses",
				   (unsigned long long)jn_engine_generation(engine));
	else
		(void)jn_error_set(&err, rc, JN_ERROR_UNAVAILABLE,
				   "a change is on its way and does not end, so that the tables "
				   "cannot be compared with it; try again, or see whether the disk "
				   "of the state folder hangs");
	jn_answer_error(call, &err);
}

static void on_verified(void *arg, const struct jn_verification *verification)
{
	struct jn_call *call = arg;

	if (verification->rc)
		refuse(call, verification->rc);
	else
		answer(call, verification);
}

/* Only now is the request complete, and no more calls come but the end of it. */
static void end_verify(struct jn_call *call)
{
	int rc = jn_engine_verify(call->api->options.engine, false, on_verified, call);

	if (rc == -ENOMEM)
		jn_answer_no_memory(call);
	else if (rc)
		refuse(call, rc);
}

static void gone(struct jn_call *call)
{
	jn_engine_cancel_verify(call->api->options.engine, call);
}

const struct jn_verb jn_verb_verify = {
	.role = JN_ROLE_READ,
	.body_limit = JN_MAX_OBJECT_BYTES, /* it means nothing, but must not be endless */
	.body = jn_call_take_document,
	.end = end_verify,
	.gone = gone,
};
