/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing JSON. What comes out is valid JSON in valid UTF-8 whatever bytes a text holds: a byte
 * that is not UTF-8 becomes U+FFFD. Does NOT check that keys and brackets fit together; the caller
 * writes them in order.
 */
#include "proto/write.h"

#include <string.h>

static void start_line(struct jn_writer *w)
{
	jn_buffer_add(w->out, "\n", 1);
	for (unsigned i = 0; i < w->depth; i++)
		jn_buffer_add(w->out, "  ", 2);
}

/* What stands between this value or key and the one before it. */
static void separate(struct jn_writer *w)
{
	if (w->after_key) {
		w->after_key = false;
		return;
	}
	if (w->needs_comma)
		jn_buffer_add(w->out, ",", 1);
	if (w->is_pretty && w->depth)
		start_line(w);
}

void jn_write_open(struct jn_writer *w, char bracket)
{
	separate(w);
	jn_buffer_add(w->out, &bracket, 1);
	w->depth++;
	w->needs_comma = false;
}

void jn_write_close(struct jn_writer *w, char bracket)
{
	w->depth--;
	if (w->is_pretty && w->needs_comma)
		start_line(w);
	jn_buffer_add(w->out, &bracket, 1);
	w->needs_comma = true;
}

/* Bytes of the UTF-8 sequence that starts at p, of `left` bytes; 0 where it is not valid. */
static size_t utf8_size(const unsigned char *p, size_t left)
{
	size_t size = p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	unsigned char least = 0x80, most = 0xbf;

	if (!size || size > left)
		return 0;
	if (p[0] == 0xe0)
		least = 0xa0; /* shorter forms exist below */
	if (p[0] == 0xed)
		most = 0x9f; /* surrogates */
	if (p[0] == 0xf0)
		least = 0x90;
	if (p[0] == 0xf4)
		most = 0x8f; /* beyond U+10FFFF */
	if (p[1] < least || p[1] > most)
		return 0;
	for (size_t i = 2; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return size;
}

static bool is_plain(unsigned char c)
{
	return c >= ' ' && c < 0x80 && c != '"' && c != '\\';
}

/* The one character at p that needs more than copying; returns how many bytes it took. */
static size_t write_special(struct jn_buffer *out, const unsigned char *p, size_t left)
{
	static const char escapes[0x80] = { ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
					    ['\n'] = 'n', ['\r'] = 'r',	 ['\t'] = 't' };
	size_t size = *p < 0x80 ? 1 : utf8_size(p, left);

	if (!size) {
		jn_buffer_add_text(out, "\xef\xbf\xbd");
		return 1;
	}
	if (size > 1)
		jn_buffer_add(out, p, size);
	else if (escapes[*p])
		jn_buffer_add(out, (char[]){ '\\', escapes[*p] }, 2);
	else
		jn_buffer_printf(out, "\\u%04x", *p);
	return size;
}

static void write_quoted(struct jn_buffer *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t left = strlen(text);

	jn_buffer_add(out, "\"", 1);
	while (left) {
		size_t size = 0;

		while (size < left && is_plain(p[size]))
			size++;
		jn_buffer_add(out, p, size);
		if (size < left)
			size += write_special(out, p + size, left - size);
		p += size;
		left -= size;
	}
	jn_buffer_add(out, "\"", 1);
}

void jn_write_key(struct jn_writer *w, const char *key)
{
	separate(w);
	write_quoted(w->out, key);
	jn_buffer_add(w->out, ": ", w->is_pretty ? 2 : 1);
	w->after_key = true;
}

void jn_write_text(struct jn_writer *w, const char *text)
{
	separate(w);
	write_quoted(w->out, text);
	w->needs_comma = true;
}

void jn_write_unsigned(struct jn_writer *w, uint64_t value)
{
	char digits[20]; /* 2^64 - 1 */
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	separate(w);
	jn_buffer_add(w->out, digits + at, sizeof(digits) - at);
	w->needs_comma = true;
}

void jn_write_bool(struct jn_writer *w, bool value)
{
	separate(w);
	jn_buffer_add_text(w->out, value ? "true" : "false");
	w->needs_comma = true;
}

void jn_write_raw(struct jn_writer *w, const char *json, size_t size)
{
	separate(w);
	jn_buffer_add(w->out, json, size);
	w->needs_comma = true;
}

void jn_write_key_text(struct jn_writer *w, const char *key, const char *text)
{
	jn_write_key(w, key);
	jn_write_text(w, text);
}

void jn_write_key_unsigned(struct jn_writer *w, const char *key, uint64_t value)
{
	jn_write_key(w, key);
	jn_write_unsigned(w, value);
}

void jn_write_key_bool(struct jn_writer *w, const char *key, bool value)
{
	jn_write_key(w, key);
	jn_write_bool(w, value);
}
