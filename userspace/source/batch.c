/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files want, against each other and against what the engine has of them -> one write. A
 * file counts whole: it is in the write with all of its objects, or what it had before stays.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/table.h"
#include "base/vec.h"
#include "source/internal.h"

#define LIST_WORD "objects"

/* --- who holds what ---------------------------------------------------------------------------- */

/*
 * Who shall hold an object after this write. Only what the files of the write want stands in the
 * table; for all others the engine knows who holds what, so one changed file costs what is in it.
 */
struct claims {
	struct jn_engine *engine;
	struct jn_files *files;
	struct jn_table wanted; /* of struct claim */
};

struct claim {
	struct jn_object_key key;
	struct jn_file *file;
};

static const struct jn_table_ops claims_ops = { .entry_size = sizeof(struct claim),
						.key_size = sizeof(struct jn_object_key) };

/* Before this write; NULL: no file. */
static struct jn_file *holder_before(const struct claims *claims, const struct jn_object_key *key)
{
	JN_AUTO(jn_object_unref) struct jn_object *object = jn_engine_find(claims->engine, key);

	if (!object || object->owner != JN_OWNER_FILE)
		return NULL;
	return jn_files_find(claims->files, object->file ? object->file : "");
}

/* A file that is not in the write keeps what it has, unless it is gone. */
static struct jn_file *holder(const struct claims *claims, const struct jn_object_key *key)
{
	const struct claim *entry = jn_table_find(&claims->wanted, key);
	struct jn_file *before;

	if (entry)
		return entry->file;
	before = holder_before(claims, key);
	return before && before->is_there && !before->is_included ? before : NULL;
}

static int claim(struct claims *claims, const struct jn_object_key *key, struct jn_file *file)
{
	struct claim *entry;
	bool is_new;

	entry = jn_table_put(&claims->wanted, key, &is_new);
	if (!entry)
		return -ENOMEM;
	if (is_new)
		*entry = (struct claim){ .key = *key, .file = file };
	return 0;
}

/* What a file had and still wants. */
static int claim_kept(struct claims *claims, struct jn_file *file)
{
	int rc = 0;

	for (size_t i = 0; i < file->wanted.objects.count && !rc; i++) {
		const struct jn_object_key *key = &file->wanted.objects.items[i]->key;

		if (holder_before(claims, key) == file)
			rc = claim(claims, key, file);
	}
	return rc;
}

static void refuse_for(struct jn_file *file, size_t index, const struct jn_file *first)
{
	const struct jn_object_key *key = &file->wanted.objects.items[index]->key;
	char name[JN_KEY_TEXT_BYTES], *message;

	if (asprintf(&message, "%s is declared by %s already; remove it from one of the two",
		     jn_object_key_text(key, name), first->name) < 0)
		message = NULL;
	jn_file_refuse(file,
		       message ? jn_content_fault(&file->wanted, index, "metadata.name", message)
			       : NULL);
	free(message);
}

/* All that a file wants, or, where another holds some of it, nothing: it is refused. */
static int claim_wanted(struct claims *claims, struct jn_file *file)
{
	int rc = 0;

	for (size_t i = 0; i < file->wanted.objects.count; i++) {
		struct jn_file *first = holder(claims, &file->wanted.objects.items[i]->key);

		if (!first || first == file)
			continue;
		refuse_for(file, i, first);
		return 0;
	}
	for (size_t i = 0; i < file->wanted.objects.count && !rc; i++)
		rc = claim(claims, &file->wanted.objects.items[i]->key, file);
	return rc;
}

static size_t include(struct jn_files *files, size_t most)
{
	size_t included = 0;

	for (size_t i = 0; i < files->count; i++) {
		struct jn_file *file = files->items[i];

		file->is_included = file->is_there && file->has_wanted && !file->is_refused &&
				    included < most;
		included += file->is_included;
	}
	return included;
}

/*
 * First those that are in this write and still want what they hold, then the rest of what they want,
 * by the name of the file. *refused: somebody could not have it, so holds on to what he has, and it
 * is all to be done again.
 */
static int claim_all(struct claims *claims, bool *refused)
{
	struct jn_files *files = claims->files;
	int rc = 0;

	*refused = false;
	for (size_t i = 0; i < files->count && !rc; i++) {
		if (files->items[i]->is_included)
			rc = claim_kept(claims, files->items[i]);
	}
	for (size_t i = 0; i < files->count && !rc; i++) {
		struct jn_file *file = files->items[i];

		if (file->is_included)
			rc = claim_wanted(claims, file);
		*refused |= file->is_included && file->is_refused;
	}
	return rc;
}

static int settle_claims(struct claims *claims, size_t most, size_t *included)
{
	bool refused = true;
	int rc = 0;

	while (!rc && refused) {
		jn_table_done(&claims->wanted);
		*included = include(claims->files, most);
		rc = claim_all(claims, &refused);
	}
	return rc;
}

/* --- the write --------------------------------------------------------------------------------- */

/*
 * A write that failed left its number in them. But one that stands in the engine is known by it: the
 * kernel refused an entry, and the write was told so when it could not be taken back any more.
 */
static void unnumber(struct jn_engine *engine, struct jn_object *object)
{
	JN_AUTO(jn_object_unref) struct jn_object *known = jn_engine_find(engine, &object->key);

	if (known != object)
		object->version = 0;
}

/* Takes the reference to object. */
static int add(struct jn_batch *batch, struct jn_file *file, size_t index,
	       const struct jn_object_key *key, struct jn_object *object)
{
	struct jn_batch_item *item = jn_vec_add(&batch->items);

	if (!item) {
		jn_object_unref(&object);
		return -ENOMEM;
	}
	*item = (struct jn_batch_item){ .file = file, .index = index };
	return jn_write_add(batch->write, object ? JN_WRITE_APPLY : JN_WRITE_DELETE, key, object);
}

static int add_wanted(struct jn_batch *batch, struct jn_engine *engine, struct jn_file *file)
{
	int rc = 0;

	for (size_t i = 0; i < file->wanted.objects.count && !rc; i++) {
		struct jn_object *object = file->wanted.objects.items[i];

		unnumber(engine, object);
		rc = add(batch, file, i, &object->key, jn_object_ref(object));
	}
	return rc;
}

/* Only what is really there, and still ours, can be deleted. */
static bool is_ours(struct jn_engine *engine, const struct jn_object_key *key)
{
	JN_AUTO(jn_object_unref) struct jn_object *object = jn_engine_find(engine, key);

	return object && object->owner == JN_OWNER_FILE;
}

/* A file that is there and not in the write drops nothing. */
static int add_dropped(struct jn_batch *batch, const struct claims *claims, struct jn_file *file)
{
	int rc = 0;

	if (file->is_there && !file->is_included)
		return 0;
	for (size_t i = 0; i < file->applied.count && !rc; i++) {
		const struct jn_object_key *key = &file->applied.items[i];

		if (!holder(claims, key) && is_ours(claims->engine, key))
			rc = add(batch, file, SIZE_MAX, key, NULL);
	}
	return rc;
}

static int fill(struct jn_batch *batch, struct claims *claims, size_t most)
{
	int rc = settle_claims(claims, most, &batch->included);

	batch->write = jn_write_new();
	if (!rc && !batch->write)
		rc = -ENOMEM;
	for (size_t i = 0; i < claims->files->count && !rc; i++) {
		struct jn_file *file = claims->files->items[i];

		rc = add_dropped(batch, claims, file);
		if (!rc && file->is_included)
			rc = add_wanted(batch, claims->engine, file);
	}
	return rc;
}

int jn_batch_build(struct jn_files *files, struct jn_engine *engine, size_t most,
		   struct jn_batch *out)
{
	JN_AUTO(jn_batch_done) struct jn_batch batch = { 0 };
	struct claims claims = { .engine = engine, .files = files };
	int rc;

	jn_table_init(&claims.wanted, &claims_ops);
	rc = fill(&batch, &claims, most);
	jn_table_done(&claims.wanted);
	if (rc)
		return rc;
	batch.write->list_word = LIST_WORD;
	batch.write->owner = JN_OWNER_FILE;
	*out = batch;
	batch = (struct jn_batch){ 0 };
	return 0;
}

void jn_batch_done(struct jn_batch *batch)
{
	jn_write_free(&batch->write);
	free(batch->items.items);
	*batch = (struct jn_batch){ 0 };
}

/* --- afterwards -------------------------------------------------------------------------------- */

static int take_applied(struct jn_file *file)
{
	struct jn_keys keys = { 0 };

	for (size_t i = 0; i < file->wanted.objects.count; i++) {
		struct jn_object_key *key = jn_vec_add(&keys);

		if (!key) {
			free(keys.items);
			return -ENOMEM;
		}
		*key = file->wanted.objects.items[i]->key;
	}
	free(file->applied.items);
	file->applied = keys;
	jn_content_done(&file->wanted);
	file->has_wanted = file->is_included = false;
	free(JN_MOVE(file->error));
	return 0;
}

int jn_batch_settle(struct jn_files *files)
{
	size_t kept = 0;
	int rc = 0;

	for (size_t i = 0; i < files->count; i++) {
		struct jn_file *file = files->items[i];

		if (!file->is_there)
			jn_file_free(&file);
		else if (file->is_included && take_applied(file))
			rc = -ENOMEM; /* it is wanted on, and then found unchanged */
		if (file)
			files->items[kept++] = file;
	}
	files->count = kept;
	return rc;
}

static bool is_about_content(enum jn_error_kind kind)
{
	return kind == JN_ERROR_INVALID || kind == JN_ERROR_CONFLICT || kind == JN_ERROR_EXISTS ||
	       kind == JN_ERROR_NOT_FOUND;
}

/* The item that a cause is about, and its field there; NULL: no item's. */
static const struct jn_batch_item *item_of(const struct jn_batch *batch,
					   const struct jn_cause *cause, const char **field)
{
	const char *dot = strchr(cause->field, '.');
	unsigned position;

	if (!dot || sscanf(cause->field, LIST_WORD "[%u].", &position) != 1 ||
	    position >= batch->items.count || batch->items.items[position].index == SIZE_MAX)
		return NULL;
	*field = dot + 1;
	return &batch->items.items[position];
}

size_t jn_batch_blame(const struct jn_batch *batch, const struct jn_error *err)
{
	size_t blamed = 0;

	if (!is_about_content(err->kind))
		return 0;
	for (unsigned i = 0; i < err->cause_count; i++) {
		const struct jn_cause *cause = &err->causes[i];
		const struct jn_batch_item *item;
		const char *field;

		item = item_of(batch, cause, &field);
		if (!item || item->file->is_refused)
			continue;
		jn_file_refuse(item->file, jn_content_fault(&item->file->wanted, item->index, field,
							    cause->message));
		blamed++;
	}
	return blamed;
}

bool jn_batch_narrow(const struct jn_batch *batch, struct jn_files *files, struct jn_error *err,
		     size_t *most)
{
	if (!is_about_content(err->kind) || !batch->included)
		return false;
	if (batch->included > 1) {
		*most = batch->included / 2;
		return true;
	}
	for (size_t i = 0; i < files->count; i++) {
		if (files->items[i]->is_included)
			jn_file_refuse(files->items[i], strdup(jn_error_text(err)));
	}
	return true;
}
