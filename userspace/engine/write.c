/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes, one after the other: queued, and begun up to the commit. What fails before the commit
 * leaves nothing behind; what comes after it is in finish.c.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/align.h"
#include "engine/internal.h"

#define FIELD_BYTES 64 /* "items[4294967295].metadata.resourceVersion" fits */

const char *jn_result_name(enum jn_result result)
{
	static const char *const names[] = {
		[JN_RESULT_UNCHANGED] = "unchanged",
		[JN_RESULT_CREATED] = "created",
		[JN_RESULT_CONFIGURED] = "configured",
		[JN_RESULT_DELETED] = "deleted",
	};

	return names[result];
}

struct jn_write *jn_write_new(void)
{
	return calloc(1, sizeof(struct jn_write));
}

void jn_write_free(struct jn_write **write)
{
	struct jn_write *w = *write;

	*write = NULL;
	if (!w)
		return;
	for (size_t i = 0; i < w->items.count; i++)
		jn_object_unref(&w->items.items[i].object);
	free(w->items.items);
	free(w);
}

int jn_write_add(struct jn_write *w, enum jn_write_verb verb, const struct jn_object_key *key,
		 struct jn_object *object)
{
	struct jn_write_item *item = jn_vec_add(&w->items);

	if (!item) {
		jn_object_unref(&object);
		return -ENOMEM;
	}
	item->verb = verb;
	item->key = *key;
	item->object = object;
	item->position = (unsigned)w->items.count - 1;
	return 0;
}

/* --- begin --------------------------------------------------------------------------------------- */

static void name_field(const struct jn_engine *e, const struct jn_write_item *item,
		       const char *leaf, char field[FIELD_BYTES])
{
	if (e->current->list_word)
		(void)snprintf(field, FIELD_BYTES, "%s[%u].%s", e->current->list_word,
			       item->position, leaf);
	else
		(void)snprintf(field, FIELD_BYTES, "%s", leaf);
}

static void item_fault(struct jn_engine *e, const struct jn_write_item *item, struct jn_error *err,
		       enum jn_error_kind kind, const char *what)
{
	const char *leaf = kind == JN_ERROR_CONFLICT ? "metadata.resourceVersion" : "metadata.name";
	char field[FIELD_BYTES], name[JN_KEY_TEXT_BYTES];

	name_field(e, item, leaf, field);
	jn_error_cause(err, kind, kind == JN_ERROR_NOT_FOUND ? "NotFound" : "Conflict", field,
		       "%s %s", jn_object_key_text(&item->key, name), what);
}

static void owner_fault(struct jn_engine *e, const struct jn_write_item *item,
			const struct jn_object *before, struct jn_error *err)
{
	char field[FIELD_BYTES], name[JN_KEY_TEXT_BYTES];

	(void)jn_object_key_text(&item->key, name);
	name_field(e, item, "metadata.name", field);
	if (before->owner == JN_OWNER_FILE)
		jn_error_cause(err, JN_ERROR_CONFLICT, "Conflict", field,
			       "%s belongs to the file source; change or delete it in %s, in the "
			       "folder of --services-dir",
			       name, before->file ? before->file : "its file");
	else
		jn_error_cause(err, JN_ERROR_CONFLICT, "Conflict", field,
			       "%s belongs to the %s source; delete it there (junctor delete), or "
			       "remove it here",
			       name, jn_owner_name(before->owner));
}

/* Is it what this write expects to find? note: what is known to be wrong with it, or NULL. */
static bool check_item(struct jn_engine *e, const struct jn_write_item *item,
		       const struct jn_object *before, const struct jn_note *note,
		       struct jn_error *err)
{
	const struct jn_object *object = item->object;

	if (before && before->owner != e->current->owner && !note) {
		owner_fault(e, item, before, err);
		return false;
	}
	if (item->verb == JN_WRITE_CREATE && before)
		item_fault(e, item, err, JN_ERROR_EXISTS,
			   "exists already; PUT replaces it, /v1/apply creates or replaces");
	else if (item->verb == JN_WRITE_DELETE && !before)
		item_fault(e, item, err, JN_ERROR_NOT_FOUND,
			   "does not exist; GET the collection shows what does");
	else if (object && object->version && (!before || before->version != object->version))
		item_fault(e, item, err, JN_ERROR_CONFLICT,
			   "was changed since it was read; read it again and repeat the change");
	else
		return true;
	return false;
}

static const struct jn_table_ops keys_ops = { .entry_size = sizeof(struct jn_object_key),
					      .key_size = sizeof(struct jn_object_key) };

/* Also where one of the two asks for what is there: applied again they would take turns. */
static int check_keys(struct jn_engine *e, const struct jn_write *w, struct jn_error *err)
{
	JN_AUTO(jn_table_done) struct jn_table seen;
	char field[FIELD_BYTES];

	jn_table_init(&seen, &keys_ops);
	for (size_t i = 0; i < w->items.count; i++) {
		const struct jn_write_item *item = &w->items.items[i];
		struct jn_object_key *entry;
		bool is_new;

		entry = jn_table_put(&seen, &item->key, &is_new);
		if (!entry)
			return -ENOMEM;
		*entry = item->key;
		if (is_new)
			continue;
		name_field(e, item, "metadata.name", field);
		jn_error_cause(err, JN_ERROR_INVALID, JN_CAUSE_DUPLICATE, field,
			       "stands twice in this request; name each object once");
	}
	return 0;
}

static int add_change(struct jn_engine *e, struct jn_write_item *item, struct jn_object *before)
{
	struct jn_change *change = jn_vec_add(&e->changes);

	if (!change)
		return -ENOMEM;
	change->before = before ? jn_object_ref(before) : NULL;
	change->after = item->object ? jn_object_ref(item->object) : NULL;
	change->position = item->position;
	item->result = !item->object ? JN_RESULT_DELETED
		       : before	     ? JN_RESULT_CONFIGURED
				     : JN_RESULT_CREATED;
	return 0;
}

/* A lost object may be deleted although nothing of it is left. */
static int forget(struct jn_engine *e, struct jn_write_item *item)
{
	struct jn_object_key *key = jn_vec_add(&e->forgotten);

	if (!key)
		return -ENOMEM;
	*key = item->key;
	item->result = JN_RESULT_DELETED;
	return 0;
}

/* Declaring it again is what ends the doubt, so it is written even where nothing differs. */
static bool is_doubted(const struct jn_engine *e, const struct jn_note *note)
{
	return note || e->notes.sentence_count;
}

static int collect_changes(struct jn_engine *e, struct jn_write *w, struct jn_error *err)
{
	int rc = check_keys(e, w, err);

	e->changes.list_word = w->list_word;
	for (size_t i = 0; i < w->items.count && !rc; i++) {
		struct jn_write_item *item = &w->items.items[i];
		struct jn_object *before = jn_model_find(e->model, &item->key);
		const struct jn_note *note = jn_notes_find(&e->notes, &item->key);

		if (item->verb == JN_WRITE_DELETE && !before && note && w->owner == JN_OWNER_API)
			rc = forget(e, item);
		else if (!check_item(e, item, before, note, err))
			continue;
		else if (before && item->object && !is_doubted(e, note) &&
			 jn_object_equal(before, item->object) &&
			 jn_object_same_owner(before, item->object))
			item->result = JN_RESULT_UNCHANGED;
		else
			rc = add_change(e, item, before);
	}
	if (!rc && jn_error_is_set(err))
		rc = -EINVAL;
	return rc;
}

static void number(struct jn_changes *changes, uint64_t generation)
{
	for (size_t i = 0; i < changes->count; i++) {
		if (changes->items[i].after)
			changes->items[i].after->version = generation;
	}
}

static int collect_rows(struct jn_engine *e)
{
	int rc = jn_owed_add_rows(&e->owed, &e->rows);

	for (size_t i = 0; i < e->changes.count && !rc; i++) {
		struct jn_change *change = &e->changes.items[i];

		rc = jn_rows_add(&e->rows,
				 change->after ? &change->after->key : &change->before->key,
				 change->after, false);
	}
	for (size_t i = 0; i < e->forgotten.count && !rc; i++)
		rc = jn_rows_add(&e->rows, &e->forgotten.items[i], NULL, false);
	return rc ? rc : jn_rows_close(&e->rows);
}

/* Staged and planned: everything that can be refused before slots are built has been. */
static int plan(struct jn_engine *e, struct jn_error *err)
{
	struct jn_key_list keys = { 0 };
	int rc = jn_align_touched(e, &keys);

	e->transaction = (struct jn_transaction){ .in = &e->install, .changes = &e->changes };
	if (!rc)
		rc = jn_transaction_plan(&e->transaction, &keys, err);
	free(keys.items);
	return rc;
}

/* Nothing is staged any more; where a table is too small, how large it shall be is known. */
static int unstage(struct jn_engine *e, int rc)
{
	struct jn_key_list keys = { 0 };

	if (rc == -ENOSPC &&
	    (jn_align_touched(e, &keys) || jn_install_fit(&e->install, &keys, &e->growth.sizes)))
		rc = -ENOMEM;
	free(keys.items);
	jn_model_settle(e->model, &e->changes, false);
	return rc;
}

void jn_engine_take_back(struct jn_engine *e)
{
	jn_transaction_take_back(&e->transaction);
	jn_model_settle(e->model, &e->changes, false);
}

/* The write is over, well or not. */
void jn_engine_end_write(struct jn_engine *e, struct jn_error *err)
{
	struct jn_write *w = JN_MOVE(e->current);
	bool is_big = w->items.count >= JN_BIG_WRITE;

	jn_changes_done(&e->changes);
	jn_rows_done(&e->rows);
	e->forgotten.count = 0;
	if (!jn_error_is_set(err)) {
		w->generation = e->generation;
		w->programmed_us = (jn_clock_ns() - w->received_ns) / 1000;
	}
	w->done(w->arg, w, err);
	jn_write_free(&w);
	if (is_big)
		(void)malloc_trim(0);
}

void jn_engine_fail_write(struct jn_engine *e, int rc, struct jn_error *err)
{
	(void)jn_error_set(err, rc, JN_ERROR_INTERNAL,
			   "out of memory (%s); nothing was applied: try again with fewer objects "
			   "or give junctord more memory",
			   strerror(-rc));
	jn_engine_end_write(e, err);
}

/* A write that is stored but not served yet comes first. */
static int complete_earlier(struct jn_engine *e, struct jn_error *err)
{
	int rc = jn_engine_retry(e);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the kernel has not taken an earlier change yet (%s); nothing "
				    "of this one was applied: free kernel memory and try again",
				    strerror(-rc));
	return 0;
}

/* A file is on disk already, and its objects are served before they are stored. */
static bool is_served_first(const struct jn_write *w)
{
	return w->owner == JN_OWNER_FILE;
}

/* It is hidden, or a worker will do it: on to the store, or first to those who connect. */
static int pass_on(struct jn_engine *e)
{
	int rc;

	number(&e->changes, e->generation + 1);
	if (!is_served_first(e->current)) {
		rc = collect_rows(e);
		return rc ? rc : jn_engine_commit(e);
	}
	if (e->transaction.is_big)
		return jn_engine_serve_big(e);
	rc = jn_owed_reserve(&e->owed, &e->changes);
	if (!rc)
		jn_engine_serve(e);
	return rc;
}

/* What is prepared goes to the tables, hidden, and to the store. */
static int store(struct jn_engine *e, struct jn_error *err)
{
	int rc;

	if (e->current->is_dry_run) {
		jn_engine_take_back(e);
		jn_engine_end_write(e, err);
		return 0;
	}
	rc = jn_transaction_hide(&e->transaction, err);
	if (!rc)
		rc = pass_on(e);
	if (rc)
		jn_engine_take_back(e);
	return rc;
}

/* How the steps up to the commit ended; 0: it goes on by itself, or is over. */
static void decide(struct jn_engine *e, int rc, struct jn_error *err)
{
	if (rc == -ENOSPC)
		rc = jn_engine_grow(e);
	else if (rc == -EDQUOT)
		rc = jn_engine_await_grace(e, err);
	if (rc)
		jn_engine_fail_write(e, rc, err);
}

/* The slots are built, or not. */
static int assign(struct jn_engine *e, int rc, struct jn_error *err)
{
	if (rc)
		jn_transaction_take_back(&e->transaction);
	else
		rc = jn_transaction_assign(&e->transaction, err);
	return rc ? unstage(e, rc) : store(e, err);
}

static void build_work(void *arg)
{
	struct jn_engine *e = arg;

	e->build_rc = jn_transaction_build(&e->transaction);
}

static void build_done(void *arg)
{
	struct jn_engine *e = arg;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	e->is_pumping = true;
	decide(e, assign(e, e->build_rc, &err), &err);
	e->is_pumping = false;
	jn_engine_pump(e);
}

/* Many slots are built by a thread: others are answered meanwhile, and see nothing of it. */
static int build_apart(struct jn_engine *e)
{
	int rc;

	e->transaction.is_big = true;
	rc = e->executor.submit(e->executor.context, build_work, build_done, e);
	if (rc)
		jn_engine_take_back(e);
	return rc;
}

static void carry_out(struct jn_engine *e, struct jn_error *err)
{
	int rc = jn_model_stage(e->model, &e->changes, err);

	if (!rc) {
		rc = plan(e, err);
		if (rc)
			rc = unstage(e, rc);
		else if (e->transaction.steps >= JN_BIG_BUILD)
			rc = build_apart(e);
		else
			rc = assign(e, jn_transaction_build(&e->transaction), err);
	}
	decide(e, rc, err);
}

static void begin(struct jn_engine *e, struct jn_error *err)
{
	int rc = complete_earlier(e, err);

	if (!rc)
		rc = collect_changes(e, e->current, err);
	if (rc)
		jn_engine_fail_write(e, rc, err);
	else if (!e->changes.count && !e->forgotten.count && !e->current->is_alignment)
		jn_engine_end_write(e, err);
	else
		carry_out(e, err);
}

/* Writes that an answer leads to queue up: one thing at a time. */
void jn_engine_resume(struct jn_engine *e, int rc, struct jn_error *err)
{
	e->is_pumping = true;
	if (rc)
		jn_engine_fail_write(e, rc, err);
	else
		carry_out(e, err);
	e->is_pumping = false;
}

/* The first of the queue: nobody is before it, and it finds the store free, or needs it later. */
static bool can_begin(const struct jn_engine *e)
{
	return e->queue.count && !e->current &&
	       (!e->is_store_busy || is_served_first(e->queue.items[0]));
}

void jn_engine_pump(struct jn_engine *e)
{
	if (e->is_pumping)
		return;
	e->is_pumping = true;
	while (can_begin(e)) {
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		e->current = e->queue.items[0];
		e->queue.count--;
		memmove(e->queue.items, e->queue.items + 1,
			e->queue.count * sizeof(*e->queue.items));
		begin(e, &err);
	}
	e->is_pumping = false;
	jn_owed_store(e);
	if (e->drained && jn_engine_is_idle(e)) {
		void (*fn)(void *) = JN_MOVE(e->drained);

		fn(e->drained_arg);
	}
}

void jn_engine_write(struct jn_engine *engine, struct jn_write *write)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_write **place = engine->is_draining ? NULL : jn_vec_add(&engine->queue);

	if (!place) {
		(void)jn_error_set(&err, -ESHUTDOWN, JN_ERROR_UNAVAILABLE,
				   "junctord is stopping or out of memory; nothing was applied: "
				   "try again in a moment");
		write->done(write->arg, write, &err);
		jn_write_free(&write);
		return;
	}
	*place = write;
	jn_engine_pump(engine);
}
