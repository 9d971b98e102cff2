/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes that grow by doubling. Knows nothing of what they mean.
 */
#include "base/buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAPACITY 256
#define PIECE_BYTES 16384 /* read at once */

void jn_buffer_done(struct jn_buffer *b)
{
	free(b->data);
	*b = (struct jn_buffer){ 0 };
}

void jn_buffer_clear(struct jn_buffer *b)
{
	b->size = 0;
	b->failed = false;
}

/* From here on nothing is kept, so that nobody uses a text with a hole in it. */
static void fail(struct jn_buffer *b)
{
	jn_buffer_done(b);
	b->failed = true;
}

/* Room for `more` bytes behind the present ones. */
static bool reserve(struct jn_buffer *b, size_t more)
{
	size_t capacity = b->capacity ? b->capacity : FIRST_CAPACITY;
	char *grown;

	if (b->failed)
		return false;
	if (more <= b->capacity - b->size)
		return true;
	while (capacity - b->size < more) {
		if (capacity > SIZE_MAX / 2) {
			fail(b);
			return false;
		}
		capacity *= 2;
	}
	grown = realloc(b->data, capacity);
	if (!grown) {
		fail(b);
		return false;
	}
	b->data = grown;
	b->capacity = capacity;
	return true;
}

void jn_buffer_add(struct jn_buffer *b, const void *data, size_t size)
{
	if (!size || !reserve(b, size))
		return;
	memcpy(b->data + b->size, data, size);
	b->size += size;
}

void jn_buffer_add_text(struct jn_buffer *b, const char *text)
{
	jn_buffer_add(b, text, strlen(text));
}

void jn_buffer_printf(struct jn_buffer *b, const char *format, ...)
{
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size < 0) {
		fail(b);
		return;
	}
	if (!reserve(b, (size_t)size + 1))
		return;
	va_start(args, format);
	(void)vsnprintf(b->data + b->size, (size_t)size + 1, format, args); /* measured above */
	va_end(args);
	b->size += (size_t)size;
}

int jn_buffer_read(struct jn_buffer *b, int fd, size_t max)
{
	char piece[PIECE_BYTES];

	for (;;) {
		ssize_t size = read(fd, piece, sizeof(piece));

		if (size < 0 && errno != EINTR)
			return -errno;
		if (size > 0)
			jn_buffer_add(b, piece, (size_t)size);
		if (jn_buffer_failed(b))
			return -ENOMEM;
		if (b->size > max)
			return -EFBIG;
		if (size == 0)
			return 0;
	}
}

void jn_buffer_consume(struct jn_buffer *b, size_t size)
{
	if (size >= b->size) {
		b->size = 0;
		return;
	}
	memmove(b->data, b->data + size, b->size - size);
	b->size -= size;
}

const char *jn_buffer_text(struct jn_buffer *b)
{
	if (!reserve(b, 1))
		return "";
	b->data[b->size] = '\0';
	return b->data;
}
