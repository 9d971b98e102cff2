/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Texts for people: made harmless, made readable. It does NOT translate or wrap.
 */
#include "cli/text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "cli/cli.h"

/* --- control characters ------------------------------------------------------------------------ */

/*
 * Bytes of the character at p; 0 where it is not valid UTF-8. Short forms of other characters and
 * halves of pairs are let through as they are: no terminal acts upon them.
 */
static size_t character_size(const unsigned char *p)
{
	size_t size = *p < 0x80 ? 1 : *p < 0xc2 ? 0 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : 4;

	if (*p > 0xf4)
		return 0;
	for (size_t i = 1; i < size; i++) {
		if ((p[i] & 0xc0) != 0x80) /* a closing 0 is none, too */
			return 0;
	}
	return size;
}

/* The code of a control character: C0, DEL, or C1 (two bytes in UTF-8); 0: it is none. */
static unsigned control_code(const unsigned char *p)
{
	if ((*p && *p < ' ') || *p == 0x7f)
		return *p;
	return p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0 ? p[1] : 0;
}

void jn_text_add_visible(struct jn_buffer *out, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		size_t size = character_size(p);
		unsigned code = size ? control_code(p) : *p;

		if (code)
			jn_buffer_printf(out, "\\x%02x", code);
		else
			jn_buffer_add(out, p, size);
		p += size ? size : 1;
	}
}

/* --- JSON -------------------------------------------------------------------------------------- */

static void start_line(struct jn_buffer *out, unsigned depth)
{
	jn_buffer_add_text(out, "\n");
	for (unsigned i = 0; i < depth; i++)
		jn_buffer_add_text(out, "  ");
}

/* The string whose opening quote is at `at`; returns the place behind its closing one. */
static size_t add_string(struct jn_buffer *out, const char *json, size_t at, size_t size)
{
	size_t from = at++;

	while (at < size && json[at] != '"') {
		const unsigned char *p = (const unsigned char *)json + at;
		unsigned code = at + 1 < size ? control_code(p) : 0;

		if (!code) {
			at += json[at] == '\\' && at + 1 < size ? 2 : 1;
			continue;
		}
		jn_buffer_add(out, json + from, at - from);
		jn_buffer_printf(out, "\\u%04x", code);
		at += *p == 0xc2 ? 2 : 1;
		from = at;
	}
	at += at < size;
	jn_buffer_add(out, json + from, at - from);
	return at;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void add_token(struct jn_buffer *out, char c, bool is_after_open, unsigned *depth)
{
	bool is_open = c == '{' || c == '[', is_close = c == '}' || c == ']';

	if (is_close && *depth)
		--*depth;
	if (is_after_open ? !is_close : is_close)
		start_line(out, *depth);
	if (control_code((const unsigned char[]){ (unsigned char)c, 0 }))
		c = '?'; /* nothing that is JSON */
	jn_buffer_add(out, &c, 1);
	if (c == ':')
		jn_buffer_add_text(out, " ");
	if (c == ',')
		start_line(out, *depth);
	*depth += is_open;
}

void jn_text_add_json(struct jn_buffer *out, const char *json, size_t size)
{
	bool is_after_open = false;
	unsigned depth = 0;
	size_t at = 0;

	while (at < size && !jn_buffer_failed(out)) {
		char c = json[at];

		if (is_space(c)) {
			at++;
			continue;
		}
		if (c == '"' && is_after_open)
			start_line(out, depth);
		if (c == '"') {
			at = add_string(out, json, at, size);
		} else {
			add_token(out, c, is_after_open, &depth);
			at++;
		}
		is_after_open = c == '{' || c == '[';
	}
	jn_buffer_add_text(out, "\n");
}

/* --- stdout and stderr ------------------------------------------------------------------------- */

void jn_text_say(const char *format, ...)
{
	JN_AUTO(jn_free_mem) char *sentence = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer visible = { 0 };
	va_list args;

	va_start(args, format);
	if (vasprintf(&sentence, format, args) < 0)
		sentence = NULL;
	va_end(args);
	jn_text_add_visible(&visible, sentence ? sentence : "out of memory; free some");
	fprintf(stderr, "junctor: %s\n", jn_buffer_text(&visible));
}

int jn_text_put(const struct jn_buffer *text)
{
	if (jn_buffer_failed(text)) {
		jn_text_say("out of memory for what is to be shown; ask for less, or use curl");
		return JN_EXIT_FAILED;
	}
	if (fwrite(text->data, 1, text->size, stdout) == text->size && !fflush(stdout))
		return JN_EXIT_OK;
	if (errno != EPIPE)
		jn_text_say("standard output cannot be written (%s); free the disk, or name "
			    "another place",
			    strerror(errno));
	return JN_EXIT_FAILED;
}
