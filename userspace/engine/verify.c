/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The cycle of a verification. A worker reads what can only be read as a whole; the rest is looked at
 * on the loop, a millisecond at a time, and only between writes, when the tables hold what the records
 * say. What is looked at late may have changed since it was read, and is asked for again before it is
 * called a drift.
 */
#include "engine/verify.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/vec.h"
#include "engine/internal.h"
#include "proto/address.h"

#define SLICE_NS 1000000 /* what is to be answered waits so long at most, and one port more */
#define BUSY_MS 20	 /* until it is looked again whether a write has ended */
#define AHEAD 16	 /* objects */
#define PATIENCE_NS 5000000000u /* with a write that does not end, or that the kernel refuses */

const char *jn_verify_key_text(const struct jn_frontend_key *key, char out[JN_FRONTEND_TEXT_BYTES])
{
	char text[JN_ENDPOINT_TEXT_BYTES];

	(void)snprintf(out, JN_FRONTEND_TEXT_BYTES, "%s/%s",
		       jn_endpoint_format(&key->vip, ntohs(key->port), text),
		       key->proto == IPPROTO_TCP ? "TCP" : "UDP");
	return out;
}

/* --- what is found ------------------------------------------------------------------------------- */

static void free_drift(struct jn_drift *drift)
{
	free((char *)drift->object);
	free((char *)drift->entry);
	free((char *)drift->found);
	free((char *)drift->expected);
}

static void forget_drifts(struct jn_verify *v)
{
	for (size_t i = 0; i < v->drifts.count; i++)
		free_drift(&v->drifts.items[i]);
	v->drifts.count = 0;
}

void jn_verify_note(struct jn_verify *v, const struct jn_drift *drift)
{
	struct jn_drift copy, *item;

	v->found++;
	v->repaired += drift->is_repaired;
	if (v->drifts.count >= JN_MAX_DRIFTS_SHOWN)
		return;
	copy = (struct jn_drift){ strdup(drift->object), strdup(drift->entry), strdup(drift->found),
				  strdup(drift->expected), drift->is_repaired };
	item = copy.object && copy.entry && copy.found && copy.expected ? jn_vec_add(&v->drifts)
									: NULL;
	if (item)
		*item = copy;
	else
		free_drift(&copy);
}

void jn_verify_await(struct jn_verify *v)
{
	v->awaiting++;
	if (v->found <= v->drifts.count)
		v->awaits[v->drifts.count - 1] = true;
}

static void forget_awaited(struct jn_verify *v)
{
	v->awaiting = 0;
	memset(v->awaits, 0, sizeof(v->awaits));
}

/* By a write of the service. */
static void settle_awaited(struct jn_verify *v)
{
	v->repaired += v->awaiting;
	for (size_t i = 0; i < v->drifts.count; i++)
		v->drifts.items[i].is_repaired |= v->awaits[i];
	forget_awaited(v);
}

static void rewritten(void *arg, const struct jn_write *write, struct jn_error *err)
{
	struct jn_engine *e = arg;
	struct jn_verify *v = &e->verify;

	(void)write;
	v->is_rewriting = false;
	if (jn_error_is_set(err))
		forget_awaited(v); /* it is found again by the next cycle */
	else
		settle_awaited(v);
}

void jn_verify_rewrite(struct jn_engine *e, const struct jn_object_key *service)
{
	struct jn_verify *v = &e->verify;
	struct jn_write *write = v->repairs && v->awaiting ? jn_write_new() : NULL;

	if (!write) {
		forget_awaited(v);
		return;
	}
	write->owner = JN_OWNER_FILE; /* it is not stored, either */
	write->is_alignment = v->is_rewriting = true;
	write->aligned = *service;
	write->received_ns = jn_clock_ns();
	write->done = rewritten;
	write->arg = e;
	jn_engine_write(e, write);
}

/* Of nobody's, or of the tables as a whole. */
static void note_common(struct jn_verify *v, bool is_repaired, const char *entry, const char *found,
			const char *expected)
{
	jn_verify_note(v, &(struct jn_drift){ "-", entry, found, expected, is_repaired });
}

static void forget_reading(struct jn_verify *v)
{
	jn_verify_leave(&v->look);
	jn_reading_done(&v->reading);
	jn_object_list_done(&v->objects);
}

void jn_verify_done(struct jn_verify *v)
{
	forget_reading(v);
	forget_drifts(v);
	free(v->drifts.items);
	free(v->requests.items);
	free(v->routes.items);
	*v = (struct jn_verify){ 0 };
}

/* --- the end ------------------------------------------------------------------------------------- */

static void begin(struct jn_engine *e);

/* Those that the cycle was for are told; they may ask again. */
static void tell(struct jn_verify *v, const struct jn_verification *verification)
{
	size_t i = 0;

	while (i < v->requests.count) {
		struct jn_verify_request request = v->requests.items[i];

		if (!request.is_served) {
			i++;
			continue;
		}
		v->requests.count--;
		memmove(v->requests.items + i, v->requests.items + i + 1,
			(v->requests.count - i) * sizeof(request));
		request.fn(request.arg, verification);
	}
}

static void end(struct jn_engine *e, int rc)
{
	struct jn_verify *v = &e->verify;
	struct jn_verification verification = {
		.drifts = v->drifts.items,
		.shown = v->drifts.count,
		.found = v->found,
		.repaired = v->repaired,
		.services = v->services,
		.micros = (jn_clock_ns() - v->begin_ns) / 1000,
		.rc = rc,
	};

	forget_reading(v);
	if (v->repairs) {
		v->stats.checks += !rc;
		v->stats.found += v->found;
		v->stats.repaired += v->repaired;
	}
	tell(v, &verification);
	forget_drifts(v);
	forget_awaited(v);
	v->routes.count = 0;
	v->is_running = false;
	if (v->requests.count && !v->is_stopped)
		begin(e);
	if (!v->is_running)
		jn_engine_pump(e); /* somebody may wait until all is quiet */
}

/* --- slices -------------------------------------------------------------------------------------- */

static void compare(void *arg);

static void go_on(struct jn_engine *e, uint64_t delay_ms)
{
	int rc = e->executor.start_timer(e->executor.context, delay_ms, compare, e,
					 &e->verify.timer);

	if (rc)
		end(e, rc);
}

static bool is_canarys(const struct jn_engine *e, const struct jn_frontend_key *key)
{
	for (size_t i = 0; i < e->canary.key_count; i++) {
		if (!memcmp(&e->canary.keys[i], key, sizeof(*key)))
			return true;
	}
	return false;
}

/* A frontend that nobody declares, and that is still there. */
static void look_at_key(struct jn_engine *e, const struct jn_frontend_key *key)
{
	struct jn_verify *v = &e->verify;
	struct jn_frontend value;
	char text[JN_FRONTEND_TEXT_BYTES], entry[JN_FRONTEND_TEXT_BYTES + 16], found[64];
	bool is_repaired = false;

	if (jn_model_is_claimed(e->model, key) || is_canarys(e, key) ||
	    jn_datapath_get_frontend(e->install.datapath, key, &value))
		return;
	if (v->repairs)
		is_repaired = !jn_datapath_del_frontends(e->install.datapath, key, 1);
	(void)snprintf(entry, sizeof(entry), "frontend %s", jn_verify_key_text(key, text));
	(void)snprintf(found, sizeof(found), "leads to service id %u, set %u", value.service,
		       value.set);
	note_common(v, is_repaired, entry, found, "nobody declares it");
}

/* First, as a write that repairs sets it, too. */
static void compare_generation(struct jn_engine *e)
{
	struct jn_verify *v = &e->verify;
	uint64_t generation = jn_datapath_generation(e->install.datapath);
	char found[32], expected[32];

	v->has_generation = true;
	if (e->is_store_busy || jn_owed_is_due(&e->owed) || generation == e->stored)
		return;
	(void)snprintf(found, sizeof(found), "%llu", (unsigned long long)generation);
	(void)snprintf(expected, sizeof(expected), "%llu", (unsigned long long)e->stored);
	if (v->repairs)
		jn_datapath_set_generation(e->install.datapath, e->stored);
	note_common(v, v->repairs, "the tables' generation", found, expected);
}

/* Do the tables hold what the records say? Else a write is on its way, or files are to be read. */
static bool is_quiet(const struct jn_engine *e)
{
	return !e->current && !e->verify.is_rewriting && !e->is_unpublished &&
	       !e->growth.is_running && !e->awaits_files;
}

/* The next port of the next service. */
static int compare_port(struct jn_engine *e)
{
	struct jn_verify *v = &e->verify;
	const struct jn_object *object = v->objects.items[v->at_object];
	bool is_over = true;
	int rc = 0;

	if (jn_model_find(e->model, &object->key) == object) {
		rc = jn_verify_next_port(e, object, &is_over);
	} else { /* it was declared anew, which compared all of it, or is gone */
		jn_verify_leave(&v->look);
		settle_awaited(v);
	}
	if (is_over) {
		jn_object_unref(&v->objects.items[v->at_object++]);
		v->services++;
	}
	return rc;
}

/* The next thing of the slice. False: that was all. */
static bool compare_next(struct jn_engine *e, int *rc)
{
	struct jn_verify *v = &e->verify;

	if (v->at_object < v->objects.count) {
		*rc = compare_port(e);
		return true;
	}
	if (v->at_key < v->reading.keys.count) {
		look_at_key(e, &v->reading.keys.items[v->at_key++]);
		return true;
	}
	return jn_verify_next_route(e);
}

/* That was all, but for a job that may repair routes. */
static void finish(struct jn_engine *e)
{
	struct jn_verify *v = &e->verify;

	if (v->routes.count && !v->is_mending) {
		v->is_mending = true;
		jn_guards_mend(e);
	}
	if (v->is_mending && jn_guards_jobs(&e->guards) < 0) {
		go_on(e, BUSY_MS);
		return;
	}
	jn_verify_routes_mended(e);
	end(e, 0);
}

static void await_quiet(struct jn_engine *e)
{
	uint64_t now = jn_clock_ns();

	if (!e->verify.busy_ns)
		e->verify.busy_ns = now;
	if (now - e->verify.busy_ns < PATIENCE_NS)
		go_on(e, BUSY_MS);
	else
		end(e, -EBUSY);
}

static void compare(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_verify *v = &e->verify;
	uint64_t until = jn_clock_ns() + SLICE_NS;
	int rc = 0;

	v->timer = NULL;
	if (v->is_stopped) {
		end(e, -ECANCELED);
		return;
	}
	if (v->is_mending) {
		finish(e);
		return;
	}
	if (!is_quiet(e)) {
		await_quiet(e);
		return;
	}
	v->busy_ns = 0;
	if (!v->has_generation)
		compare_generation(e);
	while (!rc && is_quiet(e) && jn_clock_ns() < until) {
		if (!compare_next(e, &rc)) {
			finish(e);
			return;
		}
	}
	if (rc)
		end(e, rc);
	else
		go_on(e, 0);
}

/* --- reading ------------------------------------------------------------------------------------- */

static void read_work(void *arg)
{
	struct jn_engine *e = arg;

	jn_reading_run(&e->verify.reading);
}

/* Their memory lies anywhere: what is soon needed is asked for early, as the loop waits for this. */
static void take_services(struct jn_object_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct jn_object *object = list->items[i];

		if (i + AHEAD < list->count)
			__builtin_prefetch(list->items[i + AHEAD], 1);
		if (jn_kind_is_service(object->key.kind))
			list->items[kept++] = jn_object_ref(object);
	}
	list->count = kept;
}

static int collect_objects(struct jn_engine *e)
{
	struct jn_object_list *list = &e->verify.objects;
	struct jn_object *object, **item;
	size_t at = 0;

	while ((object = jn_model_next(e->model, &at))) {
		item = jn_vec_add(list);
		if (!item) {
			list->count = 0; /* none is ours yet */
			return -ENOMEM;
		}
		*item = object;
	}
	take_services(list);
	return 0;
}

static void read_done(void *arg)
{
	struct jn_engine *e = arg;
	int rc = e->verify.reading.rc;

	if (!rc)
		rc = collect_objects(e);
	if (rc)
		end(e, rc);
	else
		compare(e);
}

/*
 * The first request of the queue decides whether this cycle repairs. One that comes later is for the
 * next: this one may have been where there is something to find.
 */
static void begin(struct jn_engine *e)
{
	struct jn_verify *v = &e->verify;
	int rc;

	v->is_running = true;
	v->repairs = v->requests.items[0].repairs;
	for (size_t i = 0; i < v->requests.count; i++)
		v->requests.items[i].is_served = v->requests.items[i].repairs == v->repairs;
	v->at_object = v->at_key = v->at_route = v->at_vip = 0;
	v->busy_ns = 0;
	v->has_generation = false;
	v->found = v->repaired = v->services = 0;
	v->begin_ns = jn_clock_ns();
	v->is_mending = false;
	v->guard_jobs = jn_guards_jobs(&e->guards);
	jn_guards_begin_look(&e->guards);
	rc = jn_reading_begin(&v->reading, e->install.datapath, v->guard_jobs >= 0);
	if (!rc)
		rc = e->executor.submit(e->executor.context, read_work, read_done, e);
	if (rc)
		end(e, rc);
}

/* --- from outside -------------------------------------------------------------------------------- */

int jn_engine_verify(struct jn_engine *e, bool repairs, jn_verified_fn fn, void *arg)
{
	struct jn_verify_request *request;

	if (e->is_draining)
		return -ECANCELED;
	request = jn_vec_add(&e->verify.requests);
	if (!request)
		return -ENOMEM;
	*request = (struct jn_verify_request){ .repairs = repairs, .fn = fn, .arg = arg };
	if (!e->verify.is_running)
		begin(e);
	return 0;
}

void jn_engine_cancel_verify(struct jn_engine *e, const void *arg)
{
	struct jn_verify *v = &e->verify;
	size_t kept = 0;

	for (size_t i = 0; i < v->requests.count; i++) {
		if (v->requests.items[i].arg != arg)
			v->requests.items[kept++] = v->requests.items[i];
	}
	v->requests.count = kept;
}

void jn_verify_stop(struct jn_engine *e)
{
	e->verify.is_stopped = true;
}

void jn_engine_drift_stats(const struct jn_engine *e, struct jn_drift_stats *out)
{
	*out = e->verify.stats;
}
