/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The second half of a write, from the commit on: published, acknowledged, and what it replaced
 * collected after a grace period. What was committed is served: where the kernel refuses an entry,
 * the publication is tried again until it is complete, and no other write begins before that.
 */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "datapath/datapath.h"
#include "engine/align.h"
#include "engine/internal.h"

static void wake_waiters(struct jn_engine *e)
{
	size_t i = 0;

	/* One that is woken may start to wait again, or cancel another: the list is read anew. */
	while (i < e->waiters.count) {
		struct jn_waiter waiter = e->waiters.items[i];

		if (waiter.generation > e->installed) {
			i++;
			continue;
		}
		e->waiters.count--;
		memmove(e->waiters.items + i, e->waiters.items + i + 1,
			(e->waiters.count - i) * sizeof(*e->waiters.items));
		waiter.fn(waiter.arg);
		i = 0;
	}
}

static void clear_notes(struct jn_engine *e)
{
	for (size_t i = 0; i < e->changes.count; i++) {
		const struct jn_change *change = &e->changes.items[i];

		jn_notes_del(&e->notes, change->after ? &change->after->key : &change->before->key);
	}
	for (size_t i = 0; i < e->forgotten.count; i++)
		jn_notes_del(&e->notes, &e->forgotten.items[i]);
	/* Files are read again by themselves: nobody has compared anything. */
	if (!e->notes.items.count && e->current->owner == JN_OWNER_API)
		jn_notes_unsay(&e->notes);
}

/* Publish what is committed. A negative errno: it still waits. */
static int complete(struct jn_engine *e, struct jn_error *err)
{
	int rc = jn_transaction_publish(&e->transaction, e->stored, err);

	if (rc)
		return rc;
	e->is_unpublished = false;
	e->installed = e->generation;
	jn_endings_note(e, &e->transaction);
	jn_guards_note(e, &e->transaction);
	jn_transaction_adopt(&e->transaction, &e->young);
	jn_transaction_done(&e->transaction);
	return 0;
}

int jn_engine_retry(struct jn_engine *e)
{
	int rc;

	if (!e->is_unpublished)
		return 0;
	rc = complete(e, NULL); /* its writer was told already */
	if (!rc)
		wake_waiters(e);
	jn_engine_start_grace(e);
	return rc;
}

/* Nothing can fail any more but the kernel, and that is tried again. */
static void finish(struct jn_engine *e)
{
	struct jn_error err = { 0 };

	e->generation += !e->current->is_alignment; /* which declares nothing */
	e->is_unpublished = true;
	(void)complete(e, &err); /* err goes to the writer; tried again by the grace */
	clear_notes(e);
	jn_model_settle(e->model, &e->changes, true);
	jn_engine_end_write(e, &err);
	jn_error_done(&err);
	wake_waiters(e);
}

static void finish_commit(struct jn_engine *e)
{
	struct jn_error err = { 0 };

	if (!e->commit_rc) {
		jn_owed_settle(&e->owed); /* it went along */
		e->stored = e->generation + 1;
		finish(e);
		jn_align_note(e);
		return;
	}
	jn_error_move(&err, &e->commit_error);
	jn_engine_take_back(e);
	jn_engine_fail_write(e, e->commit_rc, &err);
	jn_error_done(&err);
}

void jn_engine_serve(struct jn_engine *e)
{
	jn_owed_note(&e->owed, &e->changes);
	jn_align_note(e); /* before anybody sees it */
	finish(e);
	jn_engine_start_grace(e);
}

static void hide_work(void *arg)
{
	struct jn_engine *e = arg;

	jn_transaction_hide_entries(&e->transaction);
}

static void hide_done(void *arg)
{
	struct jn_engine *e = arg;
	struct jn_error err = { 0 };
	/* Here, as what could not be stored meanwhile may have come back. */
	int rc = jn_owed_reserve(&e->owed, &e->changes);

	e->is_pumping = true;
	if (rc) {
		jn_engine_take_back(e);
		jn_engine_fail_write(e, rc, &err);
		jn_error_done(&err);
	} else {
		jn_engine_serve(e);
	}
	e->is_pumping = false;
	jn_engine_pump(e);
}

int jn_engine_serve_big(struct jn_engine *e)
{
	return e->executor.submit(e->executor.context, hide_work, hide_done, e);
}

void jn_engine_note_stored(struct jn_engine *e, uint64_t generation)
{
	e->stored = generation;
	if (!e->is_unpublished)
		jn_datapath_set_generation(e->install.datapath, generation);
}

static void commit_work(void *arg)
{
	struct jn_engine *e = arg;

	if (e->transaction.is_big)
		jn_transaction_hide_entries(&e->transaction);
	e->commit_rc = jn_store_commit(e->store, e->generation + 1, e->rows.items, e->rows.count,
				       &e->commit_error);
}

static void tidy_work(void *arg)
{
	struct jn_engine *e = arg;

	jn_store_tidy(e->store);
}

static void tidy_done(void *arg)
{
	struct jn_engine *e = arg;

	e->is_store_busy = false;
	e->store_ns = 0;
	jn_engine_pump(e);
}

static void commit_done(void *arg)
{
	struct jn_engine *e = arg;

	e->store_ns = 0;
	e->is_pumping = true; /* writes that an answer leads to queue up: one thing at a time */
	finish_commit(e);
	e->is_pumping = false;
	jn_engine_start_grace(e);
	/* What is not on the disk yet goes there, and the log is folded in, when nobody waits. */
	e->is_store_busy = !e->queue.count &&
			   !e->executor.submit(e->executor.context, tidy_work, tidy_done, e);
	if (e->is_store_busy)
		e->store_ns = jn_clock_ns();
	else
		jn_engine_pump(e);
}

int jn_engine_commit(struct jn_engine *e)
{
	int rc = e->executor.submit(e->executor.context, commit_work, commit_done, e);

	if (!rc)
		e->store_ns = jn_clock_ns();
	return rc;
}

/* --- garbage ------------------------------------------------------------------------------------- */

static void grace_work(void *arg)
{
	(void)arg;
	jn_datapath_wait_grace();
}

/* With the next garbage, the write that waits for room, and those behind it. */
static void go_on(struct jn_engine *e)
{
	struct jn_error err = { 0 };

	e->is_grace_running = false;
	jn_engine_start_grace(e);
	if (e->is_grace_awaited) {
		e->is_grace_awaited = false;
		jn_engine_resume(e, 0, &err);
		jn_error_done(&err);
	}
	jn_engine_pump(e);
}

static void grace_done(void *arg)
{
	struct jn_engine *e = arg;

	jn_garbage_collect(&e->install, &e->old);
	go_on(e);
}

/* A grace period is also the pause between two attempts to publish. */
static void pause_done(void *arg)
{
	struct jn_engine *e = arg;

	e->is_grace_running = false;
	(void)jn_engine_retry(e); /* fails: after the next pause again */
	go_on(e);		  /* the next write may have published it during the pause */
}

void jn_engine_start_grace(struct jn_engine *e)
{
	if (e->is_grace_running || (e->is_unpublished && e->is_draining))
		return;
	/* Where no thread can be had now, the next write tries again. */
	if (e->is_unpublished) {
		e->is_grace_running =
			!e->executor.submit(e->executor.context, grace_work, pause_done, e);
		return;
	}
	if (jn_garbage_is_empty(&e->young))
		return;
	e->old = e->young;
	e->young = (struct jn_garbage){ 0 };
	e->is_grace_running = !e->executor.submit(e->executor.context, grace_work, grace_done, e);
	if (!e->is_grace_running) {
		e->young = e->old;
		e->old = (struct jn_garbage){ 0 };
	}
}

int jn_engine_await_grace(struct jn_engine *e, struct jn_error *err)
{
	if (jn_garbage_is_empty(&e->young) && jn_garbage_is_empty(&e->old))
		return -EINVAL;
	jn_error_done(err);
	jn_engine_start_grace(e);
	e->is_grace_awaited = e->is_grace_running;
	return e->is_grace_running ? 0 : -EAGAIN;
}
