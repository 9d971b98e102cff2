/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths of places in documents, from steps or by scanning a text. The scan runs only after a text
 * was found wrong: it follows brackets, keys and commas and judges nothing.
 */
#include "proto/path.h"

#include <ctype.h>
#include <stdbool.h>

#include <junctor/limits.h>

#define MAX_KEY_BYTES 320 /* of a key in a path; the longest label key is 317 */

static bool is_word(const char *key, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!isalnum((unsigned char)key[i]) && key[i] != '_' && key[i] != '-')
			return false;
	}
	return size;
}

void jn_path_add_key(struct jn_buffer *path, const char *key, size_t size)
{
	size_t shown = size < MAX_KEY_BYTES ? size : MAX_KEY_BYTES;

	if (is_word(key, size)) {
		if (path->size && path->data[path->size - 1] != '.')
			jn_buffer_add(path, ".", 1);
		jn_buffer_add(path, key, shown);
		return;
	}
	jn_buffer_add(path, "[", 1);
	jn_buffer_add(path, key, shown);
	jn_buffer_add_text(path, shown < size ? "…]" : "]");
}

void jn_path_add_index(struct jn_buffer *path, size_t index)
{
	jn_buffer_printf(path, "[%zu]", index);
}

/* One object or list that is open at the place. */
struct frame {
	bool is_list;
	size_t index;	 /* in a list */
	const char *key; /* in an object; NULL before the key */
	size_t key_size;
};

/* Where a text ends: at its closing quote, or at the end. `at` is behind its opening quote. */
static size_t end_of_text(const char *text, size_t at, size_t end)
{
	while (at < end && text[at] != '"')
		at += text[at] == '\\' ? 2 : 1;
	return at < end ? at : end;
}

static void next_item(struct frame *frame)
{
	frame->index++;
	frame->key = NULL;
}

void jn_path_of_position(struct jn_buffer *path, const char *text, size_t position)
{
	struct frame frames[JN_MAX_JSON_DEPTH + 1] = { { .is_list = false } };
	unsigned depth = 0; /* frames[0] is outside of everything */

	for (size_t at = 0; at < position; at++) {
		struct frame *frame = &frames[depth];
		size_t begin = at + 1;

		if (text[at] == '"') {
			at = end_of_text(text, begin, position);
			if (depth && !frame->is_list && !frame->key) {
				frame->key = text + begin;
				frame->key_size = at - begin;
			}
		} else if ((text[at] == '{' || text[at] == '[') && depth < JN_MAX_JSON_DEPTH) {
			frames[++depth] = (struct frame){ .is_list = text[at] == '[' };
		} else if ((text[at] == '}' || text[at] == ']') && depth) {
			depth--;
		} else if (text[at] == ',') {
			next_item(frame);
		}
	}
	for (unsigned i = 1; i <= depth; i++) {
		if (frames[i].is_list)
			jn_path_add_index(path, frames[i].index);
		else if (frames[i].key)
			jn_path_add_key(path, frames[i].key, frames[i].key_size);
	}
}
