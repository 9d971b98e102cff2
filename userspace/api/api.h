/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket's verbs: paths and methods -> engine, answers and refusals -> JSON, metrics
 * text, health answers, one audit line per write. Transport and limits of connections are the
 * loop's; what an object means is proto's and the engine's.
 */
#ifndef JUNCTOR_API_API_H
#define JUNCTOR_API_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/role.h"
#include "base/error.h"
#include "datapath/datapath.h"

struct jn_api;
struct jn_engine;
struct jn_loop;

/* A source beside the control socket, as /v1/status shows it and /readyz waits for it. */
struct jn_api_source {
	const char *name;
	bool is_synced, was_synced; /* now; once since the start */
	uint64_t stale_seconds;
	const char *error; /* NULL: none; valid until the next turn of the loop */
};

/* What the kernel may lack, and what is missing for it then. */
struct jn_api_feature {
	const char *name, *reason; /* valid until the next turn of the loop */
	bool is_available;
};

/* Does a hook do what it promises? */
enum jn_api_proof { JN_API_PROOF_NONE, JN_API_PROOF_YES, JN_API_PROOF_NO };
#define JN_MAX_HOOK_REASON 512
#define JN_MAX_HEALTH_SENTENCE 768

struct jn_api_hook_health {
	enum jn_api_proof proof;
	const char *reason; /* "": none; valid, like the sentences, until the next turn of the loop */
};

struct jn_api_health {
	struct jn_api_hook_health hooks[JN_HOOK_COUNT];	 /* in the order of jn_datapath_hooks */
	const char (*sentences)[JN_MAX_HEALTH_SENTENCE]; /* what is wrong, with its remedy */
	size_t count;
};

struct jn_api_options {
	struct jn_loop *loop;
	struct jn_engine *engine;
	struct jn_datapath *datapath; /* hooks and reason counters */
	const char *socket_path;
	const char *version;
	void (*source)(void *arg, struct jn_api_source *out); /* NULL: there is none */
	void *source_arg;
	void (*health)(void *arg, struct jn_api_health *out); /* NULL: nobody looks */
	void *health_arg;
	/* The at-th feature; false: no more, or they have not been tried yet. NULL: nobody tries any. */
	bool (*feature)(void *arg, size_t at, struct jn_api_feature *out);
	void *feature_arg;
	/* The at-th sentence about what is not as it should be beside the engine; NULL: no more. */
	const char *(*degraded)(void *arg, size_t at);
	void *degraded_arg;
	struct jn_access access; /* copied shallowly: rules outlive the api */
};

int jn_api_open(const struct jn_api_options *options, struct jn_api **out, struct jn_error *err);
/*
 * This access from the next request on, also of those who are connected. Copied shallowly, as above.
 * A negative errno: the socket is open to the members of the group of before.
 */
int jn_api_set_access(struct jn_api *api, const struct jn_access *access);
/* Stops listening and closes every client; closed(arg) when all is gone. *api is NULL at once. */
void jn_api_close(struct jn_api **api, void (*closed)(void *arg), void *arg);

#endif
