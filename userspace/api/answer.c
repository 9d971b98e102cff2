/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers in the forms they have in common, and the audit line.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "base/log.h"
#include "proto/status.h"
#include "proto/write.h"

#define JSON "application/json"
#define TEXT "text/plain; charset=utf-8"
#define MAX_AUDIT_BYTES 1024

void jn_audit(const struct jn_call *call, const char *format, ...)
{
	char what[MAX_AUDIT_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args); /* cut at worst */
	va_end(args);
	jn_info("audit", "uid %u pid %u %s %.200s: %s", call->uid, call->pid, call->method,
		call->path, what);
}

static void answer(struct jn_call *call, const struct jn_answer_head *head, struct jn_buffer *body)
{
	if (call->exchange)
		jn_exchange_answer(call->exchange, head, body);
}

void jn_answer_json(struct jn_call *call, int status, struct jn_buffer *body)
{
	struct jn_answer_head head = { .status = status, .content_type = JSON };

	jn_buffer_add_text(body, "\n");
	answer(call, &head, body);
}

void jn_answer_text(struct jn_call *call, int status, const char *text)
{
	struct jn_answer_head head = { .status = status, .content_type = TEXT };
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };

	jn_buffer_add_text(&body, text);
	answer(call, &head, &body);
}

static struct jn_header generation_header(uint64_t generation, char text[24])
{
	(void)snprintf(text, 24, "%llu", (unsigned long long)generation);
	return (struct jn_header){ "Junctor-Generation", text };
}

/* With the headers of the REST verbs; write NULL: nothing was written. */
static void answer_rest(struct jn_call *call, int status, const struct jn_write *write,
			struct jn_buffer *body)
{
	char generation[24], micros[24];
	struct jn_header headers[2];
	struct jn_answer_head head = { .status = status,
				       .content_type = JSON,
				       .headers = headers,
				       .header_count = write ? 2 : 1 };

	headers[0] = generation_header(write ? write->generation
					     : jn_engine_generation(call->api->options.engine),
				       generation);
	if (write) {
		(void)snprintf(micros, sizeof(micros), "%llu",
			       (unsigned long long)write->programmed_us);
		headers[1] = (struct jn_header){ "Junctor-Programmed-Micros", micros };
	}
	jn_buffer_add_text(body, "\n");
	answer(call, &head, body);
}

void jn_answer_object(struct jn_call *call, int status, const struct jn_object *object,
		      const struct jn_write *write)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	JN_AUTO(jn_object_status_done) struct jn_object_status object_status = { 0 };

	jn_engine_object_status(call->api->options.engine, object, &object_status);
	jn_object_encode(object, &object_status, &body);
	answer_rest(call, status, write, &body);
}

void jn_answer_deleted(struct jn_call *call, const struct jn_write *write)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	struct jn_writer w = jn_writer_to(&body);

	jn_write_open(&w, '{');
	jn_write_key_text(&w, "kind", "Status");
	jn_write_key_text(&w, "apiVersion", "v1");
	jn_write_key_text(&w, "status", "Success");
	jn_write_key(&w, "details");
	jn_write_open(&w, '{');
	jn_write_key_text(&w, "kind", jn_kind_names(call->kind)->kind);
	jn_write_key_text(&w, "name", call->name);
	jn_write_close(&w, '}');
	jn_write_close(&w, '}');
	answer_rest(call, 200, write, &body);
}

void jn_answer_stream(struct jn_call *call, const char *content_type, bool has_generation)
{
	char generation[24];
	struct jn_header header =
		generation_header(jn_engine_generation(call->api->options.engine), generation);
	struct jn_answer_head head = { .status = 200,
				       .content_type = content_type,
				       .headers = &header,
				       .header_count = has_generation };

	jn_exchange_stream(call->exchange, &head, call->verb->produce);
}

/* --- refusals ---------------------------------------------------------------------------------- */

void jn_answer_method_error(struct jn_call *call, struct jn_error *err, const char *allow)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	struct jn_header header = { "Allow", allow };
	struct jn_answer_head head = { .status = jn_status_code(err->kind),
				       .content_type = JSON,
				       .headers = &header,
				       .header_count = allow ? 1 : 0 };

	if (call->verb && call->verb->role >= JN_ROLE_WRITE)
		jn_audit(call, "refused with %d: %s", head.status, jn_error_text(err));
	jn_status_encode(err, call->has_kind ? jn_kind_names(call->kind)->kind : NULL, call->name,
			 &body);
	jn_buffer_add_text(&body, "\n");
	answer(call, &head, &body);
}

void jn_answer_error(struct jn_call *call, struct jn_error *err)
{
	jn_answer_method_error(call, err, NULL);
}

void jn_answer_no_memory(struct jn_call *call)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)jn_error_set(&err, -1, JN_ERROR_INTERNAL,
			   "out of memory; nothing was applied: try again with less, or give "
			   "junctord more memory");
	jn_answer_error(call, &err);
}

void jn_answer_too_large(struct jn_call *call, const char *what, uint64_t limit)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)jn_error_set(&err, -1, JN_ERROR_TOO_LARGE,
			   "%s is larger than the limit of %llu bytes; split it into several", what,
			   (unsigned long long)limit);
	jn_answer_error(call, &err);
}

void jn_answer_not_found(struct jn_call *call)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)jn_error_set(&err, -1, JN_ERROR_NOT_FOUND,
			   "%s %.64s%s%.64s does not exist; GET the collection shows what does",
			   jn_kind_names(call->kind)->kind, call->namespace_,
			   *call->namespace_ ? "/" : "", call->name);
	jn_answer_error(call, &err);
}
