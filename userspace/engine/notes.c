/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is not as it was declared, until it is declared again.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "engine/internal.h"

static const struct jn_table_ops notes_ops = { .entry_size = sizeof(struct jn_note),
					       .key_size = sizeof(struct jn_object_key) };

void jn_notes_init(struct jn_notes *notes)
{
	*notes = (struct jn_notes){ 0 };
	jn_table_init(&notes->items, &notes_ops);
}

static void drop_texts(struct jn_notes *notes)
{
	for (size_t i = 0; i < notes->text_count; i++)
		free(notes->texts[i]);
	free(notes->texts);
	notes->texts = NULL;
	notes->text_count = 0;
}

void jn_notes_unsay(struct jn_notes *notes)
{
	for (size_t i = 0; i < notes->sentence_count; i++)
		free(notes->sentences[i]);
	notes->is_stale |= notes->sentence_count > 0;
	notes->sentence_count = 0;
}

void jn_notes_done(struct jn_notes *notes)
{
	drop_texts(notes);
	jn_notes_unsay(notes);
	free(notes->sentences);
	jn_table_done(&notes->items);
	jn_notes_init(notes);
}

const struct jn_note *jn_notes_find(const struct jn_notes *notes, const struct jn_object_key *key)
{
	return jn_table_find(&notes->items, key);
}

int jn_notes_add(struct jn_notes *notes, const struct jn_object_key *key, bool is_recovered)
{
	struct jn_note *note;
	bool is_new;

	note = jn_table_put(&notes->items, key, &is_new);
	if (!note)
		return -ENOMEM;
	if (is_new)
		*note = (struct jn_note){ .key = *key, .is_recovered = is_recovered };
	notes->is_stale = true;
	return 0;
}

void jn_notes_del(struct jn_notes *notes, const struct jn_object_key *key)
{
	notes->is_stale |= jn_table_del(&notes->items, key);
}

int jn_notes_say(struct jn_notes *notes, const char *sentence)
{
	char **item = jn_vec_add_raw((void **)&notes->sentences, &notes->sentence_count,
				     &notes->sentence_capacity, sizeof(*item));

	if (!item)
		return -ENOMEM;
	notes->is_stale = true;
	*item = strdup(sentence);
	return *item ? 0 : -ENOMEM;
}

static char *note_text(const struct jn_note *note)
{
	char name[JN_KEY_TEXT_BYTES], *text = NULL;
	int length;

	(void)jn_object_key_text(&note->key, name);
	if (note->is_recovered && note->key.kind == JN_KIND_ENDPOINT_SLICE)
		length = asprintf(&text,
				  "StateDamaged: %s was rebuilt from the kernel tables, "
				  "because a stored row was damaged or missing; declare the slices "
				  "of its Service again and delete it",
				  name);
	else if (note->is_recovered)
		length = asprintf(&text,
				  "StateDamaged: %s was rebuilt from the kernel tables, "
				  "because its stored row was damaged or missing; declare it again",
				  name);
	else if (note->key.name[0])
		length = asprintf(&text,
				  "StateDamaged: %s is lost, its stored row is damaged; "
				  "declare it again or delete it",
				  name);
	else
		length = asprintf(&text, "StateDamaged: a stored row is damaged and its name "
					 "cannot be read; compare junctor get with your files");
	return length < 0 ? NULL : text;
}

/* Out of memory shows fewer texts, never wrong ones. */
static void render(struct jn_notes *notes)
{
	const struct jn_note *note;
	size_t at = 0;

	drop_texts(notes);
	notes->texts =
		calloc(notes->items.count + notes->sentence_count + 1, sizeof(*notes->texts));
	if (!notes->texts)
		return;
	while ((note = jn_table_next(&notes->items, &at))) {
		notes->texts[notes->text_count] = note_text(note);
		notes->text_count += notes->texts[notes->text_count] != NULL;
	}
	for (size_t i = 0; i < notes->sentence_count; i++) {
		notes->texts[notes->text_count] = notes->sentences[i] ? strdup(notes->sentences[i])
								      : NULL;
		notes->text_count += notes->texts[notes->text_count] != NULL;
	}
	notes->is_stale = false;
}

const char *const *jn_engine_degraded(struct jn_engine *engine, size_t *count)
{
	if (engine->notes.is_stale)
		render(&engine->notes);
	*count = engine->notes.text_count;
	return (const char *const *)engine->notes.texts;
}
