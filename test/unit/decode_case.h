/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Documents for the decoding tests, and the check of one fault. Texts use ' for ", so that they can
 * be read.
 */
#ifndef JUNCTOR_TEST_DECODE_CASE_H
#define JUNCTOR_TEST_DECODE_CASE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "proto/object.h"

#define VERSION "'apiVersion':'junctor.dev/v1alpha1',"
#define SERVICE_WITH(metadata, spec)                                                               \
	"{" VERSION "'kind':'LocalService','metadata':{" metadata "},'spec':{" spec "}}"
#define SERVICE(spec) SERVICE_WITH("'name':'web'", spec)
#define METADATA(metadata) SERVICE_WITH(metadata, VIP PORT)
#define POLICY(spec) "{" VERSION "'kind':'TrafficPolicy','metadata':{'name':'p'},'spec':{" spec "}}"
#define VIP "'addresses':['10.0.0.1'],"
#define PORT "'ports':[{'port':80}]"
#define TWO_PORTS "'ports':[{'name':'a','port':80},{'name':'b','port':81}]"
#define TARGET "'targetRef':{'kind':'LocalService','name':'web'}"

static inline int decode_with(const char *quoted, const struct jn_decode_options *options,
			      struct jn_object_list *out, struct jn_error *err)
{
	JN_AUTO(jn_free_mem) char *text = strdup(quoted);

	assert_non_null(text);
	for (char *p = text; *p; p++) {
		if (*p == '\'')
			*p = '"';
	}
	return jn_object_decode(text, strlen(text), options, out, err);
}

static const struct jn_decode_options any = { .kind = -1 };

struct fault {
	const char *text;
	const char *field;
	const char *reason;
	const char *message; /* a part of it */
};

static inline void check_fault_with(const struct fault *c, const struct jn_decode_options *options)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (decode_with(c->text, options, &list, &err) != -EINVAL)
		fail_msg("%s was taken", c->text);
	assert_int_equal(list.count, 0);
	assert_int_equal(err.kind, JN_ERROR_INVALID);
	if (err.fault_count != 1 || strcmp(err.causes[0].field, c->field) ||
	    strcmp(err.causes[0].reason, c->reason) || !strstr(err.causes[0].message, c->message))
		fail_msg("%s -> %u faults, %s %s: %s", c->text, err.fault_count,
			 err.causes[0].reason, err.causes[0].field, err.causes[0].message);
	assert_non_null(strstr(err.causes[0].message, "; ") ?: strstr(err.causes[0].message, ": "));
}

#define CHECK_FAULTS(cases)                                                                        \
	for (unsigned i = 0; i < JN_COUNT(cases); i++)                                             \
	check_fault_with(&(cases)[i], &any)

/* The only object of this document; the caller drops it. */
static inline struct jn_object *decode_one(const char *quoted,
					   const struct jn_decode_options *options)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (decode_with(quoted, options, &list, &err))
		fail_msg("%.200s: %s", quoted, jn_error_text(&err));
	assert_int_equal(list.count, 1);
	return jn_object_ref(list.items[0]);
}

#endif
