/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes to the terminal. Whatever quotes somebody else's text passes through here: control
 * characters become visible, so that a text cannot move the cursor, colour, or fake a line.
 */
#ifndef JUNCTOR_CLI_TEXT_H
#define JUNCTOR_CLI_TEXT_H

#include <stddef.h>

#include "base/buffer.h"

/* C0, DEL and C1 as "\x1b", bytes that are not UTF-8 as "\xff". */
void jn_text_add_visible(struct jn_buffer *out, const char *text);

/* JSON that came without line breaks, indented by two spaces; its values stay as they are. */
void jn_text_add_json(struct jn_buffer *out, const char *json, size_t size);

/* "junctor: <sentence>" and a line's end on stderr. */
void jn_text_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* To stdout, at once. An exit code; a reader that has closed its end is not worth a word. */
int jn_text_put(const struct jn_buffer *text);

#endif
