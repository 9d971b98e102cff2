/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables for people: columns as wide as their widest cell, heads in upper case. Rows are added cell
 * by cell, from left to right. Nothing is written until the end: only then the widths are known.
 */
#ifndef JUNCTOR_CLI_COLUMNS_H
#define JUNCTOR_CLI_COLUMNS_H

#include <stddef.h>

#include "base/buffer.h"

#define JN_MAX_COLUMNS 8

struct jn_columns {
	unsigned count, at; /* columns; the one that the next cell belongs to */
	size_t widths[JN_MAX_COLUMNS];
	struct jn_buffer cells; /* each closed with a 0 */
	struct jn_buffer cell;	/* scratch: write a text here and call jn_columns_take */
};

/* heads: ends with NULL, at most JN_MAX_COLUMNS. *c is overwritten. */
void jn_columns_init(struct jn_columns *c, const char *const *heads);
void jn_columns_done(struct jn_columns *c);

/* One cell; "-" where the text is empty or NULL. Control characters become visible. */
void jn_columns_add(struct jn_columns *c, const char *text);

/* The cell in c->cell, which is empty afterwards. */
void jn_columns_take(struct jn_columns *c);

/* All rows, each behind `indent`, without spaces at the ends of lines. */
void jn_columns_write(const struct jn_columns *c, const char *indent, struct jn_buffer *out);

#endif
