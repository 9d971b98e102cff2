/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of the folder: what is known of each, and what a look at the folder changes of that.
 * What they want, and who gets it, is batch.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/vec.h"
#include "source/internal.h"

#define AREA "files"
#define FIRST_BUSY_MS 20u
#define MOST_DOUBLED 6 /* times: 1.28 s */

struct jn_file *jn_file_new(const char *name)
{
	struct jn_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->name = strdup(name);
	if (!file->name)
		jn_file_free(&file);
	return file;
}

void jn_file_free(struct jn_file **file)
{
	struct jn_file *f = JN_MOVE(*file);

	if (!f)
		return;
	jn_content_done(&f->wanted);
	free(f->applied.items);
	free(f->error);
	free(f->name);
	free(f);
}

void jn_files_done(struct jn_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		jn_file_free(&files->items[i]);
	free(files->items);
	*files = (struct jn_files){ 0 };
}

void jn_file_refuse(struct jn_file *file, char *error)
{
	bool is_news = !error || !file->error || strcmp(error, file->error) != 0;

	file->is_refused = true;
	if (is_news)
		jn_warn(AREA, "%s is refused%s: %s", file->name,
			file->applied.count ? ", what it declared before stays" : "",
			error ? error : "out of memory; give junctord more");
	free(file->error);
	file->error = error ? error : strdup("out of memory; give junctord more");
}

/* --- what there was before ---------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct jn_file *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

static int has_name(const void *name, const void *item)
{
	const struct jn_file *const *file = item;

	return strcmp(name, (*file)->name);
}

struct jn_file *jn_files_find(const struct jn_files *files, const char *name)
{
	struct jn_file **item = NULL;

	if (files->count) /* else there are no items, and bsearch takes no NULL */
		item = bsearch(name, files->items, files->count, sizeof(*files->items), has_name);
	return item ? *item : NULL;
}

static struct jn_file *file_of(struct jn_files *files, const char *name)
{
	struct jn_file **item;

	for (size_t i = files->count; i > 0; i--) { /* objects of one file often stand together */
		if (!strcmp(files->items[i - 1]->name, name))
			return files->items[i - 1];
	}
	item = jn_vec_add(files);
	if (!item)
		return NULL;
	*item = jn_file_new(name);
	if (!*item)
		files->count--;
	return *item;
}

static int take_stored(struct jn_files *files, struct jn_engine *engine, enum jn_kind kind)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	int rc = jn_engine_list(engine, kind, NULL, &list);

	for (size_t i = 0; i < list.count && !rc; i++) {
		const struct jn_object *object = list.items[i];
		struct jn_object_key *key;
		struct jn_file *file;

		if (object->owner != JN_OWNER_FILE)
			continue;
		file = file_of(files, object->file ? object->file : "");
		key = file ? jn_vec_add(&file->applied) : NULL;
		if (!key)
			return -ENOMEM;
		*key = object->key;
		file->is_there = true; /* until a look shows that it is not */
	}
	return rc;
}

int jn_files_load(struct jn_files *files, struct jn_engine *engine)
{
	int rc = 0;

	for (unsigned kind = 0; kind < JN_KIND_MAX && !rc; kind++)
		rc = take_stored(files, engine, (enum jn_kind)kind);
	if (!rc && files->count)
		qsort(files->items, files->count, sizeof(*files->items), by_name);
	return rc;
}

/* --- what a look found --------------------------------------------------------------------------- */

static void take_found(struct jn_file *file, struct jn_found *f)
{
	file->is_there = true;
	file->missing_since_ms = 0;
	file->busy_looks = f->as == JN_FOUND_BUSY ? file->busy_looks + 1 : 0;
	if (f->as == JN_FOUND_BUSY) {
		if (file->busy_looks == JN_FILE_BUSY_LOOKS)
			jn_file_refuse(file, strdup("somebody has it open for writing; close it, "
						    "better: rename a complete file to its name"));
		return; /* its signature stays that of what was read */
	}
	file->signature = f->signature;
	if (f->as == JN_FOUND_SAME)
		return;
	jn_content_done(&file->wanted);
	file->has_wanted = f->as == JN_FOUND_NEW;
	if (file->has_wanted) {
		file->is_refused = false;
		file->wanted = f->content;
		f->content = (struct jn_content){ 0 };
		return;
	}
	jn_file_refuse(file, JN_MOVE(f->error));
}

/* It counts as there until it has been missing for a moment. */
static void miss(struct jn_file *file, uint64_t now)
{
	if (!file->missing_since_ms)
		file->missing_since_ms = now;
	else if (now - file->missing_since_ms >= JN_FILE_MISSING_MS)
		file->is_there = false;
}

static bool has_new(const struct jn_look *look)
{
	for (size_t i = 0; i < look->found.count; i++) {
		if (look->found.items[i].as == JN_FOUND_NEW)
			return true;
	}
	return false;
}

static void merge_one(struct jn_files *files, struct jn_look *look, uint64_t now)
{
	struct jn_file *file = jn_files_find(files, look->only);

	if (!file)
		return; /* the next look at all finds it */
	files->has_news |= has_new(look);
	if (look->found.count)
		take_found(file, &look->found.items[0]);
	else
		miss(file, now);
}

/* Both lists are sorted by name. */
static int merge_all(struct jn_files *files, struct jn_look *look, uint64_t now)
{
	size_t old = 0, most = files->count + look->found.count;
	struct jn_files merged = { .items = calloc(most + 1, sizeof(*merged.items)),
				   .capacity = most + 1 };

	if (!merged.items)
		return -ENOMEM;
	for (size_t i = 0; i < look->found.count; i++) {
		struct jn_found *f = &look->found.items[i];
		struct jn_file *file = NULL;

		while (old < files->count && strcmp(files->items[old]->name, f->name) < 0) {
			miss(files->items[old], now);
			merged.items[merged.count++] = files->items[old++];
		}
		if (old < files->count && !strcmp(files->items[old]->name, f->name))
			file = files->items[old++];
		else
			file = jn_file_new(f->name);
		if (!file)
			continue; /* no memory: the next look finds it again */
		take_found(file, f);
		merged.items[merged.count++] = file;
	}
	for (; old < files->count; old++) {
		miss(files->items[old], now);
		merged.items[merged.count++] = files->items[old];
	}
	for (size_t i = 0; i < merged.count; i++)
		merged.has_news |= !merged.items[i]->is_there;
	merged.has_news |= files->has_news || has_new(look);
	free(files->items);
	*files = merged;
	return 0;
}

int jn_files_merge(struct jn_files *files, struct jn_look *look, uint64_t now)
{
	if (!look->only)
		return merge_all(files, look, now);
	merge_one(files, look, now);
	return 0;
}

uint64_t jn_files_unsettled_ms(const struct jn_files *files, bool *is_missing)
{
	uint64_t ms = 0;

	*is_missing = false;
	for (size_t i = 0; i < files->count; i++) {
		const struct jn_file *file = files->items[i];
		unsigned doubled = file->busy_looks < MOST_DOUBLED ? file->busy_looks
								   : MOST_DOUBLED;

		if (file->is_there && file->missing_since_ms)
			*is_missing = true;
		if (file->busy_looks && (!ms || FIRST_BUSY_MS << doubled < ms))
			ms = FIRST_BUSY_MS << doubled;
	}
	return *is_missing ? JN_FILE_MISSING_MS + 1 : ms;
}

bool jn_files_are_pending(const struct jn_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct jn_file *file = files->items[i];

		if (file->has_wanted || file->error || file->busy_looks || file->missing_since_ms)
			return true;
	}
	return false;
}

/* --- telling ----------------------------------------------------------------------------------- */

char *jn_files_describe(const struct jn_files *files)
{
	const struct jn_file *first = NULL;
	size_t count = 0;
	char *text;
	int size;

	for (size_t i = 0; i < files->count; i++) {
		if (!files->items[i]->error)
			continue;
		first = first ? first : files->items[i];
		count++;
	}
	if (!first)
		return NULL;
	if (count == 1)
		size = asprintf(&text, "%s: %s", first->name, first->error);
	else
		size = asprintf(&text, "%zu files are refused, the first: %s: %s", count,
				first->name, first->error);
	return size < 0 ? NULL : text;
}
