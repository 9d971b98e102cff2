/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Collects what is wrong. Out of memory while doing so loses sentences, never the kind.
 */
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_OF_MEMORY "junctor is out of memory: give it more, or declare less at once"

void jn_error_done(struct jn_error *err)
{
	free(err->message);
	free(err->text);
	for (unsigned i = 0; i < err->cause_count; i++) {
		free(err->causes[i].reason);
		free(err->causes[i].field);
		free(err->causes[i].message);
	}
	*err = (struct jn_error){ 0 };
}

void jn_error_move(struct jn_error *to, struct jn_error *from)
{
	if (to == from)
		return;
	jn_error_done(to);
	*to = *from;
	*from = (struct jn_error){ 0 };
}

int jn_error_set(struct jn_error *err, int rc, enum jn_error_kind kind, const char *format, ...)
{
	va_list args;

	if (!err || jn_error_is_set(err))
		return rc;
	err->kind = kind;
	va_start(args, format);
	if (vasprintf(&err->message, format, args) < 0)
		err->message = NULL;
	va_end(args);
	return rc;
}

/* What is not JSON comes before what it says, and both before what others say about it. */
static void weigh_kind(struct jn_error *err, enum jn_error_kind kind)
{
	bool is_bad = kind == JN_ERROR_BAD_REQUEST;
	bool is_wrong = is_bad || kind == JN_ERROR_INVALID;

	if (err->kind == JN_ERROR_NONE || (err->kind == JN_ERROR_CONFLICT && is_wrong) ||
	    (err->kind == JN_ERROR_INVALID && is_bad))
		err->kind = kind;
}

void jn_error_cause(struct jn_error *err, enum jn_error_kind kind, const char *reason,
		    const char *field, const char *format, ...)
{
	struct jn_cause cause = { 0 };
	va_list args;

	if (!err)
		return;
	weigh_kind(err, kind);
	err->fault_count++;
	free(err->text);
	err->text = NULL;
	if (err->cause_count == JN_MAX_FAULTS)
		return;
	va_start(args, format);
	if (vasprintf(&cause.message, format, args) < 0)
		cause.message = NULL;
	va_end(args);
	cause.reason = strdup(reason);
	cause.field = strdup(field);
	if (!cause.message || !cause.reason || !cause.field) {
		free(cause.message);
		free(cause.reason);
		free(cause.field);
		return;
	}
	err->causes[err->cause_count++] = cause;
}

/* "spec.ports[0].port: …", and before it how many more there are: the end is the remedy. */
static char *text_of_causes(const struct jn_error *err)
{
	const struct jn_cause *first = &err->causes[0];
	const char *colon = *first->field ? ": " : "";
	char *text;
	int size;

	if (err->fault_count == 1)
		size = asprintf(&text, "%s%s%s", first->field, colon, first->message);
	else
		size = asprintf(&text, "%u faults, the first: %s%s%s", err->fault_count,
				first->field, colon, first->message);
	return size < 0 ? NULL : text;
}

const char *jn_error_text(struct jn_error *err)
{
	if (err->message)
		return err->message;
	if (!jn_error_is_set(err))
		return "nothing is wrong";
	if (!err->text && err->cause_count)
		err->text = text_of_causes(err);
	return err->text ? err->text : OUT_OF_MEMORY;
}
