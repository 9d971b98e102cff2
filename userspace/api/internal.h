/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The api's own parts: shared by its files, by nobody else.
 *
 * A call is one request on its way: route.c finds its verb, the verb answers it, at once or when the
 * engine is done. The client may be gone by then: call->exchange is NULL, answers go nowhere, the
 * audit line is written all the same.
 *
 * Start here to add a path: a struct jn_verb in the file that answers it, one line in route.c.
 */
#ifndef JUNCTOR_API_INTERNAL_H
#define JUNCTOR_API_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/limits.h>

#include "api/api.h"
#include "base/buffer.h"
#include "base/error.h"
#include "engine/engine.h"
#include "loop/http_server.h"
#include "proto/object.h"

struct jn_call;

struct jn_api {
	struct jn_api_options options;
	struct jn_http_server *server;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* What a path does for a method. Functions that are NULL have nothing to do. */
struct jn_verb {
	enum jn_role role;	       /* that it takes; in the namespace of the path, if any */
	const char *const *parameters; /* of the query, up to a NULL; NULL: none */
	uint64_t body_limit;	       /* in bytes; 0: a body is dropped */
	void (*begin)(struct jn_call *call);
	void (*body)(struct jn_call *call, const char *data, size_t size);
	void (*end)(struct jn_call *call);
	jn_produce_fn produce;
	void (*gone)(struct jn_call *call); /* the client; an answer is of no use any more */
	void (*free)(struct jn_call *call); /* call->data */
};

struct jn_call {
	struct jn_api *api;
	struct jn_exchange *exchange; /* NULL: the client is gone */
	const struct jn_verb *verb;   /* NULL: refused before there was one */
	unsigned references;	      /* the exchange, and a write under way */
	uint32_t uid, pid;
	const char *method;
	char *path; /* as asked for */
	/* what the path names, where it is one of objects; texts point into `words` */
	bool has_kind, has_namespace;
	enum jn_kind kind;
	const char *namespace_, *name; /* namespace_: "default" where the path has none */
	char *words;
	struct jn_buffer body; /* of requests that are one document */
	uint64_t received;     /* bytes of the body so far */
	void *data;	       /* the verb's */
};

/* --- api.c ------------------------------------------------------------------------------------- */
void jn_call_ref(struct jn_call *call);
void jn_call_unref(struct jn_call *call);
/*
 * The role of the client in this namespace, or (NULL) the strongest it has anywhere. Only while the
 * client is there.
 */
enum jn_role jn_call_role(const struct jn_call *call, const char *namespace_);
/* The at-th sentence about what is not as it should be, of the engine or beside it; NULL: no more. */
const char *jn_api_degraded(const struct jn_api *api, size_t at);
/* For the body of a verb that takes one document: into call->body, at most its body_limit. */
void jn_call_take_document(struct jn_call *call, const char *data, size_t size);

/* --- route.c ----------------------------------------------------------------------------------- */
/* Fills verb and what the path names. 0, or a negative errno with err; *allow: methods of a 405. */
int jn_call_route(struct jn_call *call, struct jn_error *err, const char **allow);

/* --- answer.c ---------------------------------------------------------------------------------- */
/* body is one JSON value; a newline is added. Takes its bytes. */
void jn_answer_json(struct jn_call *call, int status, struct jn_buffer *body);
void jn_answer_text(struct jn_call *call, int status, const char *text);
/* An object, with the headers of the REST verbs. write NULL: nothing was written. */
void jn_answer_object(struct jn_call *call, int status, const struct jn_object *object,
		      const struct jn_write *write);
/* What a DELETE answers when nothing is left of the object to show. */
void jn_answer_deleted(struct jn_call *call, const struct jn_write *write);
/* Stream with call->verb->produce; has_generation: with the header of the REST verbs. */
void jn_answer_stream(struct jn_call *call, const char *content_type, bool has_generation);
/* As a Status. A refused write leaves its audit line. err may be changed. */
void jn_answer_error(struct jn_call *call, struct jn_error *err);
void jn_answer_method_error(struct jn_call *call, struct jn_error *err, const char *allow);
void jn_answer_no_memory(struct jn_call *call);
/* 413; what: "the request's body", … */
void jn_answer_too_large(struct jn_call *call, const char *what, uint64_t limit);
/* 404 for the object that the path names. */
void jn_answer_not_found(struct jn_call *call);

/* One line about a write, or about somebody who may not: who, what, and how it ended. */
void jn_audit(const struct jn_call *call, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- the verbs --------------------------------------------------------------------------------- */
extern const struct jn_verb jn_verb_get, jn_verb_list, jn_verb_create, jn_verb_replace,
	jn_verb_delete;			   /* object_verbs.c, list.c */
extern const struct jn_verb jn_verb_apply; /* apply.c */
extern const struct jn_verb jn_verb_status, jn_verb_live, jn_verb_ready; /* status.c */
extern const struct jn_verb jn_verb_wait;				 /* wait.c */
extern const struct jn_verb jn_verb_verify;				 /* verify.c */
extern const struct jn_verb jn_verb_metrics;				 /* metrics.c */

#endif
