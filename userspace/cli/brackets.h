/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where values of JSON begin and end, without reading them: brackets and strings, byte by byte.
 */
#ifndef JUNCTOR_CLI_BRACKETS_H
#define JUNCTOR_CLI_BRACKETS_H

#include <stdbool.h>

/* { 0 } at the start of a text. */
struct jn_brackets {
	unsigned depth;		  /* of open brackets */
	bool is_text, is_escaped; /* inside of a string; behind its '\' */
};

static inline void jn_brackets_step(struct jn_brackets *b, char c)
{
	if (b->is_text && (b->is_escaped || c == '\\'))
		b->is_escaped = !b->is_escaped;
	else if (c == '"')
		b->is_text = !b->is_text;
	else if (b->is_text)
		return;
	else if (c == '{' || c == '[')
		b->depth++;
	else if ((c == '}' || c == ']') && b->depth)
		b->depth--;
}

#endif
