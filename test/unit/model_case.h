/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects made by hand and a model that takes them, for tests of the model.
 */
#ifndef JUNCTOR_TEST_MODEL_CASE_H
#define JUNCTOR_TEST_MODEL_CASE_H

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/vec.h"
#include "model/plan.h"
#include "model/rules.h"
#include "proto/address.h"

static inline struct jn_addr addr(const char *text)
{
	struct jn_addr out;
	const char *why;

	assert_int_equal(jn_addr_parse(text, &out, &why), 0);
	return out;
}

static inline struct jn_object *new_object(enum jn_kind kind, const char *name)
{
	struct jn_object *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	o->references = 1;
	o->key.kind = kind;
	(void)snprintf(o->key.namespace_, JN_NAME_BYTES, "default");
	(void)snprintf(o->key.name, JN_NAME_BYTES, "%s", name);
	return o;
}

/* A service with one VIP and one TCP port, and these backends ("ip:port", NULL-terminated). */
static inline struct jn_object *new_service(const char *name, const char *vip, unsigned port, ...)
{
	struct jn_object *o = new_object(JN_KIND_LOCAL_SERVICE, name);
	struct jn_local_service *s = &o->service;
	const char *text, *why;
	va_list args;

	s->addresses = calloc(1, sizeof(*s->addresses));
	s->addresses[0] = addr(vip);
	s->address_count = 1;
	s->ports = calloc(1, sizeof(*s->ports));
	s->ports[0] = (struct jn_port){ .port = port, .target_port = port, .proto = IPPROTO_TCP };
	s->port_count = 1;
	s->backends = calloc(8, sizeof(*s->backends));
	va_start(args, port);
	while ((text = va_arg(args, const char *))) {
		struct jn_backend *b = &s->backends[s->backend_count++];

		*b = (struct jn_backend){ .weight = 1, .is_ready = true };
		assert_int_equal(jn_addr_parse_with_port(text, &b->addr, &b->port, &why), 0);
	}
	va_end(args);
	return o;
}

static inline struct jn_object *new_policy(const char *name, const char *target, const char *port)
{
	struct jn_object *o = new_object(JN_KIND_TRAFFIC_POLICY, name);

	(void)snprintf(o->policy.target, JN_NAME_BYTES, "%s", target);
	(void)snprintf(o->policy.port, JN_NAME_BYTES, "%s", port);
	o->policy.algorithm = JN_ALGORITHM_ROUND_ROBIN;
	o->policy.no_endpoint_errno = EPERM;
	return o;
}

static inline void add(struct jn_changes *changes, struct jn_model *m, struct jn_object *after,
		       const struct jn_object_key *deleted)
{
	struct jn_change *change = jn_vec_add(changes);
	struct jn_object *before;

	assert_non_null(change);
	before = jn_model_find(m, after ? &after->key : deleted);
	change->before = before ? jn_object_ref(before) : NULL;
	change->after = after;
	change->position = (unsigned)changes->count - 1;
}

/* Declare one object, or expect a refusal of that kind whose field holds `field`. */
static inline void declare(struct jn_model *m, struct jn_object *after, enum jn_error_kind kind,
			   const char *field)
{
	JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	add(&changes, m, after, NULL);
	if (kind == JN_ERROR_NONE) {
		if (jn_model_stage(m, &changes, &err))
			fail_msg("%s", jn_error_text(&err));
		jn_model_settle(m, &changes, true);
		return;
	}
	assert_int_equal(jn_model_stage(m, &changes, &err), -EINVAL);
	assert_int_equal(err.kind, kind);
	assert_string_equal(err.causes[0].field, field);
}

#endif
