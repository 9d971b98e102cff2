/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Follows brackets and strings, no more: enough to find the line ends inside of documents.
 */
#include "cli/documents.h"

#include "cli/brackets.h"

/* Take one byte. True: it is a line end between the values of a document. */
static bool step(struct jn_brackets *b, char c)
{
	jn_brackets_step(b, c);
	return c == '\n' && b->depth && !b->is_text;
}

bool jn_documents_are_long(const char *text, size_t size)
{
	struct jn_brackets b = { 0 };
	bool has_line_end = false;
	unsigned documents = 0;

	for (size_t i = 0; i < size && (documents < 2 || !has_line_end); i++) {
		unsigned before = b.depth;

		has_line_end |= step(&b, text[i]);
		documents += before && !b.depth;
	}
	return documents >= 2 && has_line_end;
}

void jn_documents_to_lines(const char *text, size_t size, struct jn_buffer *out)
{
	struct jn_brackets b = { 0 };
	size_t from = 0, owed = 0; /* not copied yet; line ends left out of this document */

	for (size_t i = 0; i < size; i++) {
		if (step(&b, text[i])) {
			jn_buffer_add(out, text + from, i - from);
			jn_buffer_add_text(out, " ");
			from = i + 1;
			owed++;
		}
		if (!owed || b.depth)
			continue;
		jn_buffer_add(out, text + from, i + 1 - from);
		from = i + 1;
		for (; owed; owed--)
			jn_buffer_add_text(out, "\n");
	}
	jn_buffer_add(out, text + from, size - from);
}
