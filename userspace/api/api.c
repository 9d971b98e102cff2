/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opens the control socket and leads each request through the same door: who is it, may it, what
 * does it ask for. The answers are the verbs'.
 */
#include "api/api.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "base/auto.h"
#include "base/log.h"
#include "proto/status.h"

#define LARGE_BODY_BYTES 1048576 /* may have been read into a hundred times as much memory */

/* --- calls ------------------------------------------------------------------------------------- */

void jn_call_ref(struct jn_call *call)
{
	call->references++;
}

void jn_call_unref(struct jn_call *call)
{
	bool is_large = call->received >= LARGE_BODY_BYTES;

	if (--call->references)
		return;
	if (call->verb && call->verb->free)
		call->verb->free(call);
	jn_buffer_done(&call->body);
	free(call->words);
	free(call->path);
	free(call);
	if (is_large)
		(void)malloc_trim(0); /* by itself malloc keeps what lies below a small block */
}

enum jn_role jn_call_role(const struct jn_call *call, const char *namespace_)
{
	const struct jn_access *access = &call->api->options.access;
	const struct jn_peer *peer = jn_exchange_peer(call->exchange);

	return namespace_ ? jn_access_role_in(access, peer, namespace_)
			  : jn_access_role(access, peer);
}

void jn_call_take_document(struct jn_call *call, const char *data, size_t size)
{
	jn_buffer_add(&call->body, data, size);
	if (jn_buffer_failed(&call->body))
		jn_answer_no_memory(call);
	else if (call->body.size > call->verb->body_limit)
		jn_answer_too_large(call, "the request's body", call->verb->body_limit);
}

/* --- the door ---------------------------------------------------------------------------------- */

/* May this client do what it asks for? False: it has been told. */
static bool is_allowed(struct jn_call *call)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	enum jn_role wanted = call->verb->role;
	bool is_in_namespace = call->has_kind &&
			       (call->has_namespace || call->verb != &jn_verb_list);
	enum jn_role role = jn_call_role(call, is_in_namespace ? call->namespace_ : NULL);
	bool is_named = is_in_namespace && *call->namespace_;

	if (role >= wanted)
		return true;
	(void)jn_error_set(&err, -EACCES, JN_ERROR_FORBIDDEN,
			   "uid %u has role %s%s%.64s%s, and this takes %s; let root add it to "
			   "accessRules in junctord's configuration",
			   call->uid, jn_role_name(role), is_named ? " in namespace \"" : "",
			   is_named ? call->namespace_ : "", is_named ? "\"" : "",
			   jn_role_name(wanted));
	if (wanted < JN_ROLE_WRITE) /* a refused write has its audit line anyway */
		jn_audit(call, "refused: %s", jn_error_text(&err));
	jn_answer_error(call, &err);
	return false;
}

static bool is_known(const struct jn_verb *verb, const char *name)
{
	for (const char *const *known = verb->parameters; known && *known; known++) {
		if (!strcmp(*known, name))
			return true;
	}
	return false;
}

static void list_parameters(const struct jn_verb *verb, struct jn_buffer *out)
{
	if (!verb->parameters)
		jn_buffer_add_text(out, "this path takes none");
	for (const char *const *known = verb->parameters; known && *known; known++)
		jn_buffer_printf(out, "%s%s", known == verb->parameters ? "this path takes " : ", ",
				 *known);
}

/* Query parameters are as strict as fields. False: refused. */
static bool has_good_query(struct jn_call *call)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	const char *name, *earlier;

	/* A URL has room for thousands of them, of which not one more would be told. */
	for (unsigned i = 0;
	     err.fault_count < JN_MAX_FAULTS && (name = jn_exchange_query_name(call->exchange, i));
	     i++) {
		JN_AUTO(jn_buffer_done) struct jn_buffer known = { 0 };

		list_parameters(call->verb, &known);
		if (!is_known(call->verb, name))
			jn_error_cause(&err, JN_ERROR_INVALID, JN_CAUSE_UNKNOWN, name,
				       "is no query parameter here; %s", jn_buffer_text(&known));
		for (unsigned k = 0; k < i; k++) {
			earlier = jn_exchange_query_name(call->exchange, k);
			if (!strcmp(earlier, name))
				jn_error_cause(&err, JN_ERROR_INVALID, JN_CAUSE_DUPLICATE, name,
					       "stands twice in the URL; give it once");
		}
	}
	if (jn_error_is_set(&err))
		jn_answer_error(call, &err);
	return !jn_error_is_set(&err);
}

/* A body that says it is too large is not waited for. False: refused. */
static bool has_good_length(struct jn_call *call)
{
	const char *length = jn_exchange_header(call->exchange, "Content-Length");

	/* llhttp let only digits through, and nothing beyond 64 bits. */
	if (!length || !call->verb->body_limit ||
	    strtoull(length, NULL, 10) <= call->verb->body_limit)
		return true;
	jn_answer_too_large(call, "the request's body", call->verb->body_limit);
	return false;
}

/* Anybody without a role learns nothing, not even which paths there are. */
static bool has_role(struct jn_call *call)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (jn_call_role(call, NULL) != JN_ROLE_NONE)
		return true;
	(void)jn_error_set(&err, -EACCES, JN_ERROR_FORBIDDEN,
			   "uid %u has no role here; join group " JN_CONTROL_GROUP " to read, or "
			   "let root add it to accessRules in junctord's configuration",
			   call->uid);
	jn_audit(call, "refused: no role");
	jn_answer_error(call, &err);
	return false;
}

static struct jn_call *call_new(struct jn_api *api, struct jn_exchange *x)
{
	struct jn_call *call = calloc(1, sizeof(*call));
	const struct jn_peer *peer = jn_exchange_peer(x);

	if (!call)
		return NULL;
	call->api = api;
	call->exchange = x;
	call->references = 1;
	call->uid = peer->uid;
	call->pid = peer->pid;
	call->method = jn_exchange_method(x);
	call->path = strdup(jn_exchange_path(x));
	call->words = strdup(jn_exchange_path(x));
	if (call->path && call->words)
		return call;
	jn_call_unref(call);
	return NULL;
}

static void on_begin(void *arg, struct jn_exchange *x, void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_call *call = call_new(arg, x);
	const char *allow = NULL;

	*state = call;
	if (!call) {
		static const struct jn_answer_head head = { .status = 500,
							    .content_type = "application/json" };
		struct jn_buffer nothing = { 0 };

		jn_exchange_answer(x, &head, &nothing);
		return;
	}
	if (!has_role(call))
		return;
	if (jn_call_route(call, &err, &allow))
		jn_answer_method_error(call, &err, allow);
	else if (is_allowed(call) && has_good_query(call) && has_good_length(call) &&
		 call->verb->begin)
		call->verb->begin(call);
}

static void on_body(void *arg, struct jn_exchange *x, void *state, const char *data, size_t size)
{
	struct jn_call *call = state;

	(void)arg;
	(void)x;
	call->received += size;
	if (call->verb->body)
		call->verb->body(call, data, size);
}

static void on_end(void *arg, struct jn_exchange *x, void *state)
{
	struct jn_call *call = state;

	(void)arg;
	(void)x;
	if (call->verb->end)
		call->verb->end(call);
}

static void on_gone(void *arg, struct jn_exchange *x, void *state)
{
	struct jn_call *call = state;

	(void)arg;
	(void)x;
	if (!call)
		return;
	call->exchange = NULL;
	if (call->verb && call->verb->gone)
		call->verb->gone(call);
	jn_call_unref(call);
}

static bool is_admin(void *arg, const struct jn_peer *peer)
{
	const struct jn_api *api = arg;

	return jn_access_role(&api->options.access, peer) == JN_ROLE_ADMIN;
}

static int refuse(void *arg, struct jn_error *err, struct jn_buffer *out)
{
	(void)arg;
	jn_status_encode(err, NULL, NULL, out);
	jn_buffer_add_text(out, "\n");
	return jn_status_code(err->kind);
}

/* --- life -------------------------------------------------------------------------------------- */

int jn_api_open(const struct jn_api_options *options, struct jn_api **out, struct jn_error *err)
{
	JN_AUTO(jn_free_mem) struct jn_api *api = calloc(1, sizeof(*api));
	struct jn_http_server_options server = {
		.loop = options->loop,
		.path = options->socket_path,
		.group = JN_CONTROL_GROUP,
		.limits = { .clients = JN_MAX_CLIENTS,
			    .clients_per_uid = JN_MAX_CLIENTS_PER_UID,
			    .head_bytes = JN_MAX_HEAD_BYTES,
			    .head_timeout_ms = JN_HEAD_TIMEOUT_MS,
			    .body_timeout_ms = JN_BODY_TIMEOUT_MS,
			    .idle_timeout_ms = JN_IDLE_TIMEOUT_MS,
			    .write_timeout_ms = JN_WRITE_TIMEOUT_MS },
		.handlers = { .arg = api,
			      .is_admin = is_admin,
			      .begin = on_begin,
			      .body = on_body,
			      .end = on_end,
			      .gone = on_gone,
			      .refuse = refuse },
	};
	int rc;

	if (!api)
		return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
				    "out of memory; give junctord more memory");
	api->options = *options;
	rc = jn_http_server_open(&server, &api->server, err);
	if (!rc)
		*out = JN_MOVE(api);
	return rc;
}

int jn_api_set_access(struct jn_api *api, const struct jn_access *access)
{
	const struct jn_access was = api->options.access;

	api->options.access = *access;
	if (was.has_control_group == access->has_control_group &&
	    was.control_group == access->control_group)
		return 0; /* whoever opened the socket further meant it */
	return jn_http_server_set_group(api->server, access->has_control_group
							     ? (int64_t)access->control_group
							     : -1);
}

const char *jn_api_degraded(const struct jn_api *api, size_t at)
{
	const struct jn_api_options *options = &api->options;
	struct jn_api_health health = { 0 };
	const char *const *sentences;
	size_t count;

	sentences = jn_engine_degraded(options->engine, &count);
	if (at < count)
		return sentences[at];
	at -= count;
	if (options->health)
		options->health(options->health_arg, &health);
	if (at < health.count)
		return health.sentences[at];
	return options->degraded ? options->degraded(options->degraded_arg, at - health.count)
				 : NULL;
}

static void on_closed(void *arg)
{
	struct jn_api *api = arg;
	void (*closed)(void *) = api->closed;
	void *closed_arg = api->closed_arg;

	free(api);
	closed(closed_arg);
}

void jn_api_close(struct jn_api **api, void (*closed)(void *arg), void *arg)
{
	struct jn_api *a = JN_MOVE(*api);

	a->closed = closed;
	a->closed_arg = arg;
	jn_http_server_close(&a->server, on_closed, a);
}
