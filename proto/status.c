/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jn_error -> Kubernetes Status. The one table from kinds of errors to HTTP codes and reasons.
 */
#include "proto/status.h"

#include "base/auto.h"
#include "proto/write.h"

static const struct {
	int code;
	const char *reason; /* Kubernetes' own words where it has them */
} answers[] = {
	[JN_ERROR_NONE] = { 500, "InternalError" }, /* nobody asks for the status of no error */
	[JN_ERROR_BAD_REQUEST] = { 400, "BadRequest" },
	[JN_ERROR_FORBIDDEN] = { 403, "Forbidden" },
	[JN_ERROR_NOT_FOUND] = { 404, "NotFound" },
	[JN_ERROR_METHOD] = { 405, "MethodNotAllowed" },
	[JN_ERROR_TIMEOUT] = { 408, "Timeout" },
	[JN_ERROR_EXISTS] = { 409, "AlreadyExists" },
	[JN_ERROR_CONFLICT] = { 409, "Conflict" },
	[JN_ERROR_TOO_LARGE] = { 413, "RequestEntityTooLarge" },
	[JN_ERROR_HEAD_TOO_LARGE] = { 431, "RequestHeaderFieldsTooLarge" },
	[JN_ERROR_INVALID] = { 422, "Invalid" },
	[JN_ERROR_BUSY] = { 429, "TooManyRequests" },
	[JN_ERROR_UNAVAILABLE] = { 503, "ServiceUnavailable" },
	[JN_ERROR_DISK_FULL] = { 507, "InsufficientStorage" },
	[JN_ERROR_INTERNAL] = { 500, "InternalError" },
};
_Static_assert(JN_COUNT(answers) == JN_ERROR_MAX, "every kind needs its answer");

int jn_status_code(enum jn_error_kind kind)
{
	return answers[kind].code;
}

static void write_causes(struct jn_writer *w, const struct jn_error *err)
{
	jn_write_key(w, "causes");
	jn_write_open(w, '[');
	for (unsigned i = 0; i < err->cause_count; i++) {
		const struct jn_cause *cause = &err->causes[i];

		jn_write_open(w, '{');
		jn_write_key_text(w, "reason", cause->reason);
		if (*cause->field)
			jn_write_key_text(w, "field", cause->field);
		jn_write_key_text(w, "message", cause->message);
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

void jn_status_encode(struct jn_error *err, const char *kind, const char *name,
		      struct jn_buffer *out)
{
	struct jn_writer w = jn_writer_to(out);

	jn_write_open(&w, '{');
	jn_write_key_text(&w, "kind", "Status");
	jn_write_key_text(&w, "apiVersion", "v1");
	jn_write_key_text(&w, "status", "Failure");
	jn_write_key_unsigned(&w, "code", (unsigned)answers[err->kind].code);
	jn_write_key_text(&w, "reason", answers[err->kind].reason);
	jn_write_key_text(&w, "message", jn_error_text(err));
	jn_write_key(&w, "details");
	jn_write_open(&w, '{');
	if (kind)
		jn_write_key_text(&w, "kind", kind);
	if (name)
		jn_write_key_text(&w, "name", name);
	if (err->cause_count)
		write_causes(&w, err);
	jn_write_close(&w, '}');
	jn_write_close(&w, '}');
}
