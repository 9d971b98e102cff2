/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Follows brackets and strings, no more: enough to find the line ends inside of documents.
 */
#include "cli/documents.h"

#include <string.h>

struct walk {
	unsigned depth;
	bool is_text, is_escaped; /* inside of a string; behind its '\' */
};

/* Take one byte. True: it is a line end between the values of a document. */
static bool step(struct walk *w, char c)
{
	if (w->is_text) {
		if (w->is_escaped)
			w->is_escaped = false;
		else if (c == '\\')
			w->is_escaped = true;
		else if (c == '"')
			w->is_text = false;
		return false;
	}
	if (c == '"')
		w->is_text = true;
	else if (c == '{' || c == '[')
		w->depth++;
	else if ((c == '}' || c == ']') && w->depth)
		w->depth--;
	return c == '\n' && w->depth;
}

bool jn_documents_are_long(const char *text, size_t size)
{
	struct walk w = { 0 };
	bool has_line_end = false;
	unsigned documents = 0;

	for (size_t i = 0; i < size && (documents < 2 || !has_line_end); i++) {
		unsigned before = w.depth;

		has_line_end |= step(&w, text[i]);
		documents += before && !w.depth;
	}
	return documents >= 2 && has_line_end;
}

void jn_documents_to_lines(const char *text, size_t size, struct jn_buffer *out)
{
	struct walk w = { 0 };
	size_t from = 0, owed = 0; /* not copied yet; line ends left out of this document */

	for (size_t i = 0; i < size; i++) {
		if (step(&w, text[i])) {
			jn_buffer_add(out, text + from, i - from);
			jn_buffer_add_text(out, " ");
			from = i + 1;
			owed++;
		}
		if (!owed || w.depth)
			continue;
		jn_buffer_add(out, text + from, i + 1 - from);
		from = i + 1;
		for (; owed; owed--)
			jn_buffer_add_text(out, "\n");
	}
	jn_buffer_add(out, text + from, size - from);
}
