/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Cells are kept one behind the other in one buffer, so that a table of any length costs its text.
 * A width is a number of bytes: names and addresses are ASCII.
 */
#include "cli/columns.h"

#include <string.h>

#include "cli/text.h"

#define GAP 3

void jn_columns_init(struct jn_columns *c, const char *const *heads)
{
	*c = (struct jn_columns){ 0 };
	while (heads[c->count])
		c->count++;
	for (unsigned i = 0; i < c->count; i++)
		jn_columns_add(c, heads[i]);
}

void jn_columns_done(struct jn_columns *c)
{
	jn_buffer_done(&c->cells);
	jn_buffer_done(&c->cell);
}

void jn_columns_add(struct jn_columns *c, const char *text)
{
	size_t start = c->cells.size, width;

	jn_text_add_visible(&c->cells, text && *text ? text : "-");
	width = c->cells.size - start;
	jn_buffer_add(&c->cells, "", 1);
	if (!jn_buffer_failed(&c->cells) && width > c->widths[c->at])
		c->widths[c->at] = width;
	c->at = (c->at + 1) % c->count;
}

void jn_columns_take(struct jn_columns *c)
{
	jn_columns_add(c, jn_buffer_text(&c->cell));
	c->cells.failed |= jn_buffer_failed(&c->cell);
	jn_buffer_clear(&c->cell);
}

static void add_spaces(struct jn_buffer *out, size_t count)
{
	static const char spaces[] = "                                ";

	while (count) {
		size_t piece = count < sizeof(spaces) - 1 ? count : sizeof(spaces) - 1;

		jn_buffer_add(out, spaces, piece);
		count -= piece;
	}
}

void jn_columns_write(const struct jn_columns *c, const char *indent, struct jn_buffer *out)
{
	unsigned column = 0;

	if (jn_buffer_failed(&c->cells))
		out->failed = true;
	for (size_t at = 0; at < c->cells.size; column = (column + 1) % c->count) {
		const char *cell = c->cells.data + at;
		size_t size = strlen(cell);

		if (!column)
			jn_buffer_add_text(out, indent);
		jn_buffer_add(out, cell, size);
		if (column + 1 < c->count)
			add_spaces(out, c->widths[column] - size + GAP);
		else
			jn_buffer_add_text(out, "\n");
		at += size + 1;
	}
}
