/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one way declared state reaches the kernel: validate -> plan -> hidden parts -> commit on disk
 * -> publish -> acknowledge with the generation -> removals after a grace period. What files declare
 * is on disk, and is stored after it was acknowledged. Where the kernel refuses an entry when it can
 * no longer be taken back, the writer is told so, and the publication is tried again.
 *
 * Everything here runs on one thread; what blocks is handed to the executor. Writes queue and are
 * done one at a time, in order. Reads see what was acknowledged (or recovered at the start), never
 * a write under way; but how many backends a Service has ready is counted over what is staged. It
 * does NOT know HTTP, JSON paths or who may write.
 */
#ifndef JUNCTOR_ENGINE_ENGINE_H
#define JUNCTOR_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

#include "base/error.h"
#include "model/probed.h"
#include "proto/object.h"

struct jn_datapath;
struct jn_store;
struct jn_engine;

/* Runs work(arg) on another thread and then done(arg) on this one. May be called again in done. */
struct jn_executor {
	void *context;
	/* 0, or a negative errno with nothing started. */
	int (*submit)(void *context, void (*work)(void *arg), void (*done)(void *arg), void *arg);
	/* fn(arg) once, on this thread; *out is a handle until then or until stop_timer. */
	int (*start_timer)(void *context, uint64_t delay_ms, void (*fn)(void *arg), void *arg,
			   void **out);
	void (*stop_timer)(void **timer);
};

struct jn_engine_options {
	struct jn_datapath *datapath; /* open, not yet attached; outlives the engine */
	struct jn_executor executor;
	const char *state_dir;	   /* locked by the caller */
	uint64_t netns_cookie;	   /* of this process */
	const char *node_name;	   /* of the Node that this is; NULL: of none */
	bool has_guard_routes;	   /* each service address gets one; see netlink/routes.h */
	struct jn_probing probing; /* { 0 }: nobody probes */
};

/*
 * Read the store and the tables, complete what a crash interrupted, and make the tables hold what
 * was declared: only differences are written. Blocks; before the loop runs. Where the tables serve
 * what files declared and no store holds, they stay as they are until jn_engine_files_are_read.
 */
int jn_engine_open(const struct jn_engine_options *options, struct jn_engine **out,
		   struct jn_error *err);
/*
 * The hooks are attached: begin with what goes on by itself, the ending of sockets whose backend is
 * gone and the guard routes. Until jn_engine_drain.
 */
void jn_engine_start(struct jn_engine *engine);
/* Call only while jn_engine_is_idle: tables stay as they are and go on serving. */
void jn_engine_close(struct jn_engine **engine);
/* No write is queued or under way, no grace period runs. jn_engine_drain tells when. */
bool jn_engine_is_idle(const struct jn_engine *engine);
/* No more writes are taken; fn is called once, when the last one has ended (maybe at once). */
void jn_engine_drain(struct jn_engine *engine, void (*fn)(void *arg), void *arg);

/*
 * What files declare is served first and stored then. Where that failed it is tried again with the
 * next write, or by jn_engine_keep; unkept says why it failed, in a sentence that ends with the
 * remedy; NULL: it did not.
 */
void jn_engine_keep(struct jn_engine *engine);
const char *jn_engine_unkept(const struct jn_engine *engine);
/*
 * What stands in files was written, or refused. A start over tables that serve what is not stored
 * waits for it before it takes away what nobody declares; else it does nothing.
 */
void jn_engine_files_are_read(struct jn_engine *engine);

/* --- writes ---------------------------------------------------------------------------------- */
enum jn_write_verb {
	JN_WRITE_APPLY,	 /* create or replace */
	JN_WRITE_CREATE, /* JN_ERROR_EXISTS when it is there */
	JN_WRITE_DELETE	 /* JN_ERROR_NOT_FOUND when it is not */
};

enum jn_result { JN_RESULT_UNCHANGED, JN_RESULT_CREATED, JN_RESULT_CONFIGURED, JN_RESULT_DELETED };
const char *jn_result_name(enum jn_result result); /* "created", … */

struct jn_write_item {
	enum jn_write_verb verb;
	struct jn_object_key key;
	struct jn_object *object; /* NULL for DELETE; the write owns the reference */
	unsigned position;	  /* in the request, counted from 0: for the path of a fault */
	enum jn_result result;	  /* filled when the write succeeds */
};

struct jn_write {
	struct {
		struct jn_write_item *items;
		size_t count, capacity;
	} items;
	/* "items", "lines": fault paths start with items[position]; NULL: one object. */
	const char *list_word;
	bool is_dry_run;
	bool is_alignment; /* the engine's own: without items, it declares nothing (align.h) */
	struct jn_object_key aligned; /* by it: this service; name "": all of them */
	/*
	 * Who writes; the objects say the same. What another source owns is not written
	 * (JN_ERROR_CONFLICT), except where it was lost or rebuilt from the tables. Only the api
	 * waits for the disk: for the others, what they declare can be read again.
	 */
	enum jn_owner owner;
	uint64_t received_ns; /* clock when the request was complete */
	/*
	 * Called once, on the engine's thread, maybe before jn_engine_write returns. err: empty on
	 * success. The write is freed after it.
	 */
	void (*done)(void *arg, const struct jn_write *write, struct jn_error *err);
	void *arg;
	/* filled when it succeeds */
	uint64_t generation;
	uint64_t programmed_us;
};

struct jn_write *jn_write_new(void);
void jn_write_free(struct jn_write **write);
/* Add one item; takes the caller's reference to object, also on failure (-ENOMEM). */
int jn_write_add(struct jn_write *w, enum jn_write_verb verb, const struct jn_object_key *key,
		 struct jn_object *object);

/* Takes the write over. All or nothing. */
void jn_engine_write(struct jn_engine *engine, struct jn_write *write);

/* --- reads ----------------------------------------------------------------------------------- */
/* A new reference, or NULL. */
struct jn_object *jn_engine_find(struct jn_engine *engine, const struct jn_object_key *key);
/* References to all of a kind, of one namespace or (NULL) of all, by namespace and name. */
int jn_engine_list(struct jn_engine *engine, enum jn_kind kind, const char *namespace_,
		   struct jn_object_list *out);
/*
 * out->endpoints: those of which a probe or an ejection is known; jn_object_status_done frees them.
 * Without memory for them there are none.
 */
void jn_engine_object_status(struct jn_engine *engine, const struct jn_object *object,
			     struct jn_object_status *out);

uint64_t jn_engine_generation(const struct jn_engine *engine); /* acknowledged */
uint64_t jn_engine_installed(const struct jn_engine *engine);  /* the kernel serves it */
/* The kernel took what was written last; false: it refused a part of it, which is tried again. */
bool jn_engine_is_served(const struct jn_engine *engine);
/* For how long the store has been at one thing; 0: it is at none. Changes wait for it. */
uint64_t jn_engine_store_ms(const struct jn_engine *engine);

/* fn(arg) once `generation` is installed: true if it already is (fn is then not called). */
bool jn_engine_wait(struct jn_engine *engine, uint64_t generation, void (*fn)(void *arg),
		    void *arg);
void jn_engine_cancel_wait(struct jn_engine *engine, void *arg);

/*
 * For a moment, lead calls to each vip (address and port; its protocol is not looked at: both TCP and
 * UDP) to the backend beside it, at most one of each family: a service that nobody declared and that
 * is nowhere shown or counted. Until jn_engine_canary_off. -EAGAIN: not now, ask again soon;
 * -EADDRINUSE: a declared service has such an address; -ENOSPC: the tables are full; -errno: the
 * kernel refused.
 */
int jn_engine_canary_on(struct jn_engine *engine, const struct jn_frontend_key *vips,
			const struct jn_frontend_key *backends, size_t count);
void jn_engine_canary_off(struct jn_engine *engine);

/* --- what the tables hold against what was declared -------------------------------------------- */
/* One entry that is not as it shall be. */
struct jn_drift {
	const char *object; /* "LocalService default/web"; "-": nobody's */
	const char *entry;  /* "frontend 127.96.0.10:80/TCP", … */
	const char *found, *expected;
	bool is_repaired;
};

struct jn_verification {
	const struct jn_drift *drifts; /* the first ones */
	size_t shown;
	uint64_t found, repaired;  /* all of them */
	uint64_t services, micros; /* compared; from the first step to the last */
	int rc;			   /* negative: it ended before it was complete */
};
typedef void (*jn_verified_fn)(void *arg, const struct jn_verification *verification);

/*
 * Compare all of it, in slices, with writes in between; fn tells what was found. repairs: write anew
 * what differs, and nothing else. -ENOMEM, or -ECANCELED once it drains: fn is not called.
 */
int jn_engine_verify(struct jn_engine *engine, bool repairs, jn_verified_fn fn, void *arg);
/* fn is not called any more. */
void jn_engine_cancel_verify(struct jn_engine *engine, const void *arg);

/* Since the start, by verifications that repair. */
struct jn_drift_stats {
	uint64_t checks, found, repaired;
};
void jn_engine_drift_stats(const struct jn_engine *engine, struct jn_drift_stats *out);

struct jn_usage {
	const char *name; /* "services", "frontends", … */
	uint64_t used, max;
};
#define JN_USAGE_COUNT 7
void jn_engine_usage(struct jn_engine *engine, struct jn_usage out[JN_USAGE_COUNT]);

void jn_engine_probe_stats(struct jn_engine *engine, struct jn_probe_stats *out);

/* Sentences about what is not as it should be; *count of them; valid until the next write. */
const char *const *jn_engine_degraded(struct jn_engine *engine, size_t *count);

/* Sockets of gone backends that were ended, by protocol and reason; in the order of a table. */
struct jn_ended_count {
	const char *protocol, *reason;
	uint64_t count;
};
#define JN_ENDED_COUNT 3
void jn_engine_ended(const struct jn_engine *engine, struct jn_ended_count out[JN_ENDED_COUNT]);
/* Sockets that are to be ended, in network namespaces that cannot be entered. */
uint64_t jn_engine_unreachable(const struct jn_engine *engine);
/* Guard routes that were set. */
uint64_t jn_engine_guard_routes(const struct jn_engine *engine);

/* Counters of every service port, for metrics. A nonzero return of fn ends the walk. */
struct jn_service_stats {
	const char *namespace_, *name, *port_name;
	uint8_t proto;
	unsigned endpoints; /* that take new connections */
	struct jn_stats stats;
};
int jn_engine_each_stats(struct jn_engine *engine,
			 int (*fn)(void *arg, const struct jn_service_stats *s), void *arg);

#endif
