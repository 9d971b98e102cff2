/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One blocking HTTP client for the control socket, for the CLI and for tests.
 */
#ifndef JUNCTOR_CLIENT_CLIENT_H
#define JUNCTOR_CLIENT_CLIENT_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

struct jn_client;

/* Connect. -ENOENT, -ECONNREFUSED, -EACCES, … with err (JN_ERROR_UNAVAILABLE) saying what to do. */
int jn_client_open(const char *socket_path, struct jn_client **out, struct jn_error *err);
/* The same within this time; the other one gives a junctord that is overrun five seconds. */
int jn_client_open_within(const char *socket_path, unsigned timeout_ms, struct jn_client **out,
			  struct jn_error *err);
void jn_client_close(struct jn_client **client);

struct jn_answer {
	int status; /* HTTP status code */
	struct jn_buffer body;
};
void jn_answer_done(struct jn_answer *answer);

struct jn_request {
	const char *method, *target; /* no HEAD: its answers look as if a body followed */
	const char *body;	     /* may be NULL */
	size_t size;
	unsigned timeout_ms; /* of silence; 0: none */
};

/*
 * Send one request and read its answer whole.
 * Returns 0 with any HTTP status, or a negative errno when there was no answer (err).
 */
int jn_client_request(struct jn_client *client, const struct jn_request *request,
		      struct jn_answer *out, struct jn_error *err);

#endif
