/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * POST /v1/apply: one object, a List of them, or JSON lines, all or nothing. Which of the three it
 * is, the body tells: lines, where the first line is a whole JSON value and more follows.
 *
 *	UNKNOWN ──first line is whole──> ONE_LINE ──more follows──> LINES
 *	   └─────first line is not────> DOCUMENT
 *
 * JSON lines are decoded one by one while the body arrives. From the first fault on nothing is kept,
 * but the rest is still checked, so that all faults of a request are told at once.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "base/clock.h"
#include "proto/json.h"
#include "proto/write.h"

enum shape { SHAPE_UNKNOWN, SHAPE_ONE_LINE, SHAPE_LINES, SHAPE_DOCUMENT };

struct apply {
	struct jn_write *write;
	enum shape shape;
	uint64_t size;	       /* of the body so far */
	struct jn_buffer text; /* the document, or the line that is not over yet */
	size_t line, first;    /* counted from 0: the one being read; the one kept by ONE_LINE */
	bool is_blank;	       /* nothing but white space in this line so far */
	size_t indent;	       /* bytes of it that ONE_LINE did not keep */
	struct jn_error err;   /* what is wrong with it */
	struct jn_error forbidden; /* what this client may not do; stronger than err */
};

static void begin_apply(struct jn_call *call)
{
	const char *dry_run = jn_exchange_query(call->exchange, "dryRun");
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct apply *a;

	if (dry_run && strcmp(dry_run, "All") != 0) {
		jn_error_cause(&err, JN_ERROR_INVALID, JN_CAUSE_NOT_SUPPORTED, "dryRun",
			       "is \"%.64s\"; give All, or leave it out", dry_run);
		jn_answer_error(call, &err);
		return;
	}
	a = calloc(1, sizeof(*a));
	call->data = a;
	if (a)
		a->write = jn_write_new();
	if (!a || !a->write) {
		jn_answer_no_memory(call);
		return;
	}
	a->write->is_dry_run = dry_run != NULL;
	a->is_blank = true;
}

/* --- objects ----------------------------------------------------------------------------------- */

/* field: of the namespace, should it be the wrong one. */
static void check_role(struct jn_call *call, const char *field, const struct jn_object_key *key)
{
	struct apply *a = call->data;
	enum jn_role role = jn_call_role(call, key->namespace_);

	if (role < JN_ROLE_WRITE)
		jn_error_cause(&a->forbidden, JN_ERROR_FORBIDDEN, "Forbidden", field,
			       "uid %u has role %s in namespace \"%s\", and this takes Write; let "
			       "root add it to accessRules in junctord's configuration",
			       call->uid, jn_role_name(role), key->namespace_);
}

static bool is_faulty(const struct apply *a)
{
	return jn_error_is_set(&a->err) || jn_error_is_set(&a->forbidden);
}

static int take_objects(struct jn_call *call, const char *prefix, struct jn_object_list *list)
{
	struct apply *a = call->data;
	int rc = 0;

	for (size_t i = 0; i < list->count && !rc; i++) {
		struct jn_object *object = list->items[i];
		char field[80];

		if (list->is_list)
			(void)snprintf(field, sizeof(field), "items[%zu].metadata.namespace", i);
		else
			(void)snprintf(field, sizeof(field), "%smetadata.namespace", prefix);
		check_role(call, field, &object->key);
		if (is_faulty(a))
			continue;
		rc = jn_write_add(a->write, JN_WRITE_APPLY, &object->key, jn_object_ref(object));
		if (!rc && a->shape == SHAPE_LINES)
			a->write->items.items[a->write->items.count - 1].position =
				(unsigned)a->line;
	}
	return rc;
}

static void refuse_list(struct apply *a, const char *prefix)
{
	char field[80];

	(void)snprintf(field, sizeof(field), "%skind", prefix);
	jn_error_cause(&a->err, JN_ERROR_INVALID, JN_CAUSE_INVALID, field,
		       "is a List; in JSON lines every line is one object");
}

/* Decode one text. -ENOMEM: the call is answered; else what is wrong stands in err. */
static int decode(struct jn_call *call, const char *text, size_t size, const char *prefix)
{
	struct jn_decode_options options = { .prefix = prefix, .kind = -1 };
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	struct apply *a = call->data;
	int rc = 0;

	if (a->err.fault_count >= JN_MAX_FAULTS)
		return 0; /* no further one would be told */
	rc = jn_object_decode(text, size, &options, &list, &a->err);
	if (!rc && list.is_list && a->shape == SHAPE_LINES)
		refuse_list(a, prefix);
	else if (!rc)
		rc = take_objects(call, prefix, &list);
	if (list.is_list)
		a->write->list_word = "items";
	if (rc != -ENOMEM)
		return 0;
	jn_answer_no_memory(call);
	return rc;
}

/* Line numbers, for whoever looks into the file: "lines[16].spec…" stands on line 17. */
static void number_lines(struct jn_error *err)
{
	static const char of_one_line[] = "line 1, ";

	for (unsigned i = 0; i < err->cause_count; i++) {
		struct jn_cause *cause = &err->causes[i];
		const char *message = cause->message;
		unsigned line;
		char *text;
		int size;

		if (sscanf(cause->field, "lines[%u]", &line) != 1)
			continue;
		if (!strncmp(message, of_one_line, strlen(of_one_line)))
			size = asprintf(&text, "line %u, %s", line + 1,
					message + strlen(of_one_line));
		else
			size = asprintf(&text, "%s (line %u)", message, line + 1);
		if (size < 0)
			continue; /* without memory the index in the field must do */
		free(cause->message);
		cause->message = text;
	}
}

/* --- lines ------------------------------------------------------------------------------------- */

static int decode_line(struct jn_call *call, const char *text, size_t size)
{
	struct apply *a = call->data;
	char prefix[32];

	(void)snprintf(prefix, sizeof(prefix), "lines[%zu].", a->line);
	return decode(call, text, size, prefix);
}

/* More follows the first line: that one was a line too. */
static int start_lines(struct jn_call *call)
{
	struct apply *a = call->data;
	size_t now = a->line;
	int rc;

	a->shape = SHAPE_LINES;
	a->line = a->first;
	rc = decode_line(call, a->text.data, a->text.size);
	a->line = now;
	jn_buffer_clear(&a->text);
	/* What is told of the present line counts its columns from its first byte. */
	if (!rc)
		jn_buffer_printf(&a->text, "%*s", (int)a->indent, "");
	return rc;
}

/* The line in `text` is over, or (is_last) the body is. */
static int end_line(struct jn_call *call, bool is_last)
{
	struct apply *a = call->data;
	int rc = 0;

	if (a->shape == SHAPE_LINES && !a->is_blank) {
		rc = decode_line(call, a->text.data, a->text.size);
	} else if (a->shape == SHAPE_UNKNOWN && !a->is_blank) {
		bool is_whole = jn_json_is_complete(a->text.data, a->text.size);

		a->shape = is_whole && !is_last ? SHAPE_ONE_LINE : SHAPE_DOCUMENT;
		a->first = a->line;
	}
	if (a->shape == SHAPE_DOCUMENT && !is_last)
		jn_buffer_add(&a->text, "\n", 1);
	else if (a->shape == SHAPE_UNKNOWN || a->shape == SHAPE_LINES)
		jn_buffer_clear(&a->text);
	a->line++;
	a->is_blank = true;
	a->indent = 0;
	return rc;
}

static bool is_blank(const char *data, size_t size)
{
	while (size && strchr(" \t\r", *data) && *data) {
		data++;
		size--;
	}
	return !size;
}

/* A piece without a line end. Non-zero: the call is answered. */
static int take_piece(struct jn_call *call, const char *data, size_t size)
{
	struct apply *a = call->data;
	int rc = 0;

	a->is_blank = a->is_blank && is_blank(data, size);
	if (a->shape == SHAPE_ONE_LINE && a->is_blank) {
		a->indent += size;
		if (a->indent > JN_MAX_OBJECT_BYTES)
			a->indent = JN_MAX_OBJECT_BYTES;
		return 0;
	}
	if (a->shape == SHAPE_ONE_LINE)
		rc = start_lines(call);
	if (rc)
		return rc;
	jn_buffer_add(&a->text, data, size);
	if (jn_buffer_failed(&a->text)) {
		jn_answer_no_memory(call);
		return -ENOMEM;
	}
	if (a->text.size <= JN_MAX_OBJECT_BYTES)
		return 0;
	jn_answer_too_large(call,
			    a->shape == SHAPE_LINES ? "a line"
						    : "the document, which is not JSON lines (one "
						      "object a line),",
			    JN_MAX_OBJECT_BYTES);
	return -E2BIG;
}

static void body_apply(struct jn_call *call, const char *data, size_t size)
{
	struct apply *a = call->data;
	int rc = 0;

	a->size += size;
	if (a->size > JN_MAX_STREAM_BYTES) {
		jn_answer_too_large(call, "the request's body", JN_MAX_STREAM_BYTES);
		return;
	}
	while (size && !rc) {
		const char *end = memchr(data, '\n', size);
		size_t piece = end ? (size_t)(end - data) : size;

		rc = take_piece(call, data, piece);
		if (!rc && end)
			rc = end_line(call, false);
		piece += end ? 1 : 0;
		data += piece;
		size -= piece;
	}
}

/* --- the end ----------------------------------------------------------------------------------- */

static void write_results(struct jn_writer *w, const struct jn_write *write)
{
	jn_write_key(w, "results");
	jn_write_open(w, '[');
	for (size_t i = 0; i < write->items.count; i++) {
		const struct jn_write_item *item = &write->items.items[i];

		jn_write_open(w, '{');
		jn_write_key_text(w, "kind", jn_kind_names(item->key.kind)->kind);
		if (*item->key.namespace_)
			jn_write_key_text(w, "namespace", item->key.namespace_);
		jn_write_key_text(w, "name", item->key.name);
		jn_write_key_text(w, "result", jn_result_name(item->result));
		jn_write_close(w, '}');
	}
	jn_write_close(w, ']');
}

static void answer_results(struct jn_call *call, const struct jn_write *write)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 };
	struct jn_writer w = jn_writer_to(&body);

	jn_write_open(&w, '{');
	jn_write_key_unsigned(&w, "generation", write->generation);
	jn_write_key_unsigned(&w, "programmedMicros", write->programmed_us);
	jn_write_key_bool(&w, "durable", true); /* the engine acknowledges nothing else */
	write_results(&w, write);
	jn_write_close(&w, '}');
	jn_answer_json(call, 200, &body);
}

/* One object by its name, several by their number. */
static void audit(const struct jn_call *call, const struct jn_write *write)
{
	const struct jn_write_item *item = write->items.items;
	const char *mode = write->is_dry_run ? "dry run, " : "";
	char name[JN_KEY_TEXT_BYTES];

	if (write->items.count == 1)
		jn_audit(call, "%s%s %s, generation %llu", mode,
			 jn_object_key_text(&item->key, name), jn_result_name(item->result),
			 (unsigned long long)write->generation);
	else
		jn_audit(call, "%s%zu objects, generation %llu", mode, write->items.count,
			 (unsigned long long)write->generation);
}

static void on_written(void *arg, const struct jn_write *write, struct jn_error *err)
{
	struct jn_call *call = arg;

	if (jn_error_is_set(err)) {
		number_lines(err);
		jn_answer_error(call, err);
	} else {
		audit(call, write);
		answer_results(call, write);
	}
	jn_call_unref(call);
}

static void submit(struct jn_call *call)
{
	struct apply *a = call->data;
	struct jn_write *write = JN_MOVE(a->write);

	write->received_ns = jn_clock_ns();
	write->done = on_written;
	write->arg = call;
	if (a->shape == SHAPE_LINES)
		write->list_word = "lines";
	jn_call_ref(call);
	jn_engine_write(call->api->options.engine, write);
}

static void end_apply(struct jn_call *call)
{
	struct apply *a = call->data;

	if (end_line(call, true))
		return;
	if (a->shape == SHAPE_UNKNOWN)
		(void)jn_error_set(&a->err, -EINVAL, JN_ERROR_BAD_REQUEST,
				   "the request has no body; send an object, a List or JSON lines "
				   "(curl: --data-binary @FILE)");
	else if (a->shape != SHAPE_LINES && decode(call, a->text.data, a->text.size, ""))
		return;
	jn_buffer_done(&a->text);
	number_lines(&a->err);
	number_lines(&a->forbidden);
	if (is_faulty(a))
		jn_answer_error(call, jn_error_is_set(&a->forbidden) ? &a->forbidden : &a->err);
	else
		submit(call);
}

static void free_apply(struct jn_call *call)
{
	struct apply *a = call->data;

	if (!a)
		return;
	jn_write_free(&a->write);
	jn_buffer_done(&a->text);
	jn_error_done(&a->err);
	jn_error_done(&a->forbidden);
	free(a);
}

static const char *const parameters[] = { "dryRun", NULL };

const struct jn_verb jn_verb_apply = {
	.role = JN_ROLE_WRITE,
	.parameters = parameters,
	.body_limit = JN_MAX_STREAM_BYTES,
	.begin = begin_apply,
	.body = body_apply,
	.end = end_apply,
	.free = free_apply,
};
