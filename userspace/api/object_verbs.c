/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One object: GET, PUT, DELETE; and POST to its collection. What is declared replaces what was
 * there, whole. The role was checked for the path's namespace, and the object cannot name another.
 */
#include <errno.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "base/clock.h"

/* False: no object can have such a name. */
static bool key_of(const struct jn_call *call, struct jn_object_key *out)
{
	if (strlen(call->namespace_) > JN_MAX_NAME || strlen(call->name) > JN_MAX_LONG_NAME)
		return false;
	*out = jn_object_key_of(call->kind, call->namespace_, call->name);
	return true;
}

static struct jn_object *find(const struct jn_call *call)
{
	struct jn_object_key key;

	return key_of(call, &key) ? jn_engine_find(call->api->options.engine, &key) : NULL;
}

static void begin_get(struct jn_call *call)
{
	JN_AUTO(jn_object_unref) struct jn_object *object = find(call);

	if (object)
		jn_answer_object(call, 200, object, NULL);
	else
		jn_answer_not_found(call);
}

/* --- writes ------------------------------------------------------------------------------------ */

/* What a DELETE took away, or what is there now. */
static void answer_written(struct jn_call *call, const struct jn_write *write)
{
	const struct jn_write_item *item = &write->items.items[0];
	JN_AUTO(jn_object_unref) struct jn_object *object = JN_MOVE(call->data);

	if (item->verb != JN_WRITE_DELETE)
		object = jn_engine_find(call->api->options.engine, &item->key);
	if (object)
		jn_answer_object(call, item->result == JN_RESULT_CREATED ? 201 : 200, object,
				 write);
	else
		jn_answer_deleted(call, write);
}

static void on_written(void *arg, const struct jn_write *write, struct jn_error *err)
{
	const struct jn_write_item *item = &write->items.items[0];
	struct jn_call *call = arg;
	char name[JN_KEY_TEXT_BYTES];

	if (jn_error_is_set(err)) {
		jn_answer_error(call, err);
	} else {
		jn_audit(call, "%s %s, generation %llu", jn_object_key_text(&item->key, name),
			 jn_result_name(item->result), (unsigned long long)write->generation);
		answer_written(call, write);
	}
	jn_call_unref(call);
}

/* Takes the caller's reference to object. */
static void submit(struct jn_call *call, enum jn_write_verb verb, const struct jn_object_key *key,
		   struct jn_object *object)
{
	struct jn_write *write = jn_write_new();

	if (!write || jn_write_add(write, verb, key, object)) {
		if (!write)
			jn_object_unref(&object);
		jn_write_free(&write);
		jn_answer_no_memory(call);
		return;
	}
	write->received_ns = jn_clock_ns();
	write->done = on_written;
	write->arg = call;
	jn_call_ref(call);
	jn_engine_write(call->api->options.engine, write);
}

static void declare(struct jn_call *call, enum jn_write_verb verb)
{
	struct jn_decode_options options = { .prefix = "",
					     .namespace_ = call->namespace_,
					     .namespace_is_fixed = true,
					     .name = call->name,
					     .kind = (int)call->kind };
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = -EINVAL;

	if (!call->body.size)
		(void)jn_error_set(&err, rc, JN_ERROR_BAD_REQUEST,
				   "the request has no body; send the object as JSON");
	else
		rc = jn_object_decode(call->body.data, call->body.size, &options, &list, &err);
	jn_buffer_done(&call->body);
	if (rc == -ENOMEM)
		jn_answer_no_memory(call);
	else if (rc)
		jn_answer_error(call, &err);
	else
		submit(call, verb, &list.items[0]->key, jn_object_ref(list.items[0]));
}

static void end_create(struct jn_call *call)
{
	declare(call, JN_WRITE_CREATE);
}

static void end_replace(struct jn_call *call)
{
	declare(call, JN_WRITE_APPLY);
}

static void end_delete(struct jn_call *call)
{
	struct jn_object_key key;

	jn_buffer_done(&call->body);
	if (!key_of(call, &key)) {
		jn_answer_not_found(call);
		return;
	}
	/* To be answered; a write that is queued before this one may still change it. */
	call->data = jn_engine_find(call->api->options.engine, &key);
	submit(call, JN_WRITE_DELETE, &key, NULL);
}

static void free_object(struct jn_call *call)
{
	struct jn_object *object = JN_MOVE(call->data);

	jn_object_unref(&object);
}

const struct jn_verb jn_verb_get = { .role = JN_ROLE_READ, .begin = begin_get };

const struct jn_verb jn_verb_create = {
	.role = JN_ROLE_WRITE,
	.body_limit = JN_MAX_OBJECT_BYTES,
	.body = jn_call_take_document,
	.end = end_create,
};

const struct jn_verb jn_verb_replace = {
	.role = JN_ROLE_WRITE,
	.body_limit = JN_MAX_OBJECT_BYTES,
	.body = jn_call_take_document,
	.end = end_replace,
};

const struct jn_verb jn_verb_delete = {
	.role = JN_ROLE_WRITE,
	.body_limit = JN_MAX_OBJECT_BYTES, /* it means nothing, but must not be endless */
	.body = jn_call_take_document,
	.end = end_delete,
	.free = free_object,
};
