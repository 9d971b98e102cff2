/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds the list at the outermost "items" and cuts it into values; what a value is, jn_json_parse
 * says. Everything around the list is passed over.
 */
#include "cli/items.h"

#include <string.h>

#include "base/auto.h"
#include "cli/ask.h"
#include "cli/brackets.h"

#define ITEMS "\"items\""

static size_t skip_space(const char *text, size_t at, size_t size)
{
	while (at < size && memchr(" \t\r\n", text[at], 4))
		at++;
	return at;
}

/* Is this key of the outermost object "items", and its value a list? Returns the first item's place. */
static size_t list_at(const char *text, size_t at, size_t size)
{
	if (size - at < strlen(ITEMS) || memcmp(text + at, ITEMS, strlen(ITEMS)) != 0)
		return 0;
	at = skip_space(text, at + strlen(ITEMS), size);
	if (at == size || text[at] != ':')
		return 0;
	at = skip_space(text, at + 1, size);
	return at < size && text[at] == '[' ? at + 1 : 0;
}

/* The place of the first item; 0: this is no List. */
static size_t find_list(const char *text, size_t size)
{
	struct jn_brackets b = { 0 };

	for (size_t at = 0; at < size; at++) {
		size_t found = 0;

		if (text[at] == '"' && !b.is_text && b.depth == 1)
			found = list_at(text, at, size);
		if (found)
			return found;
		jn_brackets_step(&b, text[at]);
	}
	return 0;
}

/* Behind the value that begins at `at`. */
static size_t end_of_value(const char *text, size_t at, size_t size)
{
	struct jn_brackets b = { 0 };

	for (; at < size; at++) {
		if (!b.is_text && !b.depth && (text[at] == ',' || text[at] == ']'))
			break;
		jn_brackets_step(&b, text[at]);
	}
	return at;
}

static int take(const char *text, size_t size, jn_item_fn fn, void *arg)
{
	JN_AUTO(jn_json_free) struct jn_json *object = NULL;
	int code = jn_ask_read(text, size, &object);

	if (!code)
		fn(arg, object);
	return code;
}

int jn_items_each(const char *text, size_t size, jn_item_fn fn, void *arg)
{
	size_t at = find_list(text, size);
	int code = JN_EXIT_OK;

	if (!at)
		return take(text, size, fn, arg);
	at = skip_space(text, at, size);
	while (!code && at < size && text[at] != ']') {
		size_t end = end_of_value(text, at, size);

		code = take(text + at, end - at, fn, arg);
		at = end < size && text[end] == ',' ? end + 1 : end;
	}
	return code;
}

void jn_items_text(const char *text, size_t text_size, const char **out, size_t *size)
{
	size_t from = find_list(text, text_size), at = from;

	*out = text + from;
	while (from && at < text_size && text[at] != ']') {
		at = end_of_value(text, at, text_size);
		at += at < text_size && text[at] == ',';
	}
	*size = at - from;
}
