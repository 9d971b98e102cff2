/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing JSON: a few calls that append to a buffer and take care of commas and escapes. Text is
 * compact, or indented by two spaces when `is_pretty`.
 *
 *	jn_write_open(&w, '{');
 *	jn_write_key(&w, "port");
 *	jn_write_unsigned(&w, 80);
 *	jn_write_close(&w, '}');
 */
#ifndef JUNCTOR_PROTO_WRITE_H
#define JUNCTOR_PROTO_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct jn_writer {
	struct jn_buffer *out;
	bool is_pretty;
	unsigned depth;
	bool needs_comma;
	bool after_key;
};

static inline struct jn_writer jn_writer_to(struct jn_buffer *out)
{
	return (struct jn_writer){ .out = out };
}

void jn_write_open(struct jn_writer *w, char bracket);	/* '{' or '[' */
void jn_write_close(struct jn_writer *w, char bracket); /* '}' or ']' */
void jn_write_key(struct jn_writer *w, const char *key);
void jn_write_text(struct jn_writer *w, const char *text);
void jn_write_unsigned(struct jn_writer *w, uint64_t value);
void jn_write_bool(struct jn_writer *w, bool value);
void jn_write_raw(struct jn_writer *w, const char *json, size_t size); /* a complete JSON value */

/* key and value at once. */
void jn_write_key_text(struct jn_writer *w, const char *key, const char *text);
void jn_write_key_unsigned(struct jn_writer *w, const char *key, uint64_t value);
void jn_write_key_bool(struct jn_writer *w, const char *key, bool value);

#endif
