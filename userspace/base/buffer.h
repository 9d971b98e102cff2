/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes that grow. An allocation that fails sets a sticky flag and drops the data, so a writer
 * checks once, at the end, with jn_buffer_failed.
 */
#ifndef JUNCTOR_BASE_BUFFER_H
#define JUNCTOR_BASE_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct jn_buffer {
	char *data; /* NULL while empty; not 0-terminated, see jn_buffer_text */
	size_t size;
	size_t capacity;
	bool failed;
};

/* { 0 } is a valid empty buffer. */
void jn_buffer_done(struct jn_buffer *b);
void jn_buffer_clear(struct jn_buffer *b); /* keeps the memory */
void jn_buffer_add(struct jn_buffer *b, const void *data, size_t size);
void jn_buffer_add_text(struct jn_buffer *b, const char *text);
void jn_buffer_printf(struct jn_buffer *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Add what fd gives up to its end. -EFBIG: the buffer holds more than `max` bytes by then, the rest
 * is not read; -ENOMEM; or what read() says, but for -EINTR.
 */
int jn_buffer_read(struct jn_buffer *b, int fd, size_t max);

/* Drop the first `size` bytes. */
void jn_buffer_consume(struct jn_buffer *b, size_t size);

/* The bytes with a closing 0 behind them (not counted in size); "" when empty or failed. */
const char *jn_buffer_text(struct jn_buffer *b);

static inline bool jn_buffer_failed(const struct jn_buffer *b)
{
	return b->failed;
}

#endif
