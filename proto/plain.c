/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plain words of YAML: the core schema of YAML 1.2 where 1.1 and the readers in use agree with it.
 */
#include "proto/plain.h"

#include <stdbool.h>
#include <string.h>

#include "base/auto.h"

#define DIGITS "0123456789"

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(word, words[i]))
			return true;
	}
	return false;
}

/* The parts of a decimal number: [sign] whole [. fraction] [e [sign] exponent]; false: it is none. */
struct number {
	bool is_negative, has_point;
	const char *whole, *fraction, *exponent; /* exponent: with its sign; NULL: none */
	size_t whole_size, fraction_size;
};

static bool take_number(const char *word, struct number *out)
{
	const char *at = word;

	*out = (struct number){ .is_negative = *at == '-' };
	at += *at == '-' || *at == '+';
	out->whole = at;
	out->whole_size = strspn(at, DIGITS);
	at += out->whole_size;
	out->has_point = *at == '.';
	at += out->has_point;
	out->fraction = at;
	out->fraction_size = out->has_point ? strspn(at, DIGITS) : 0;
	at += out->fraction_size;
	if (!out->whole_size && !out->fraction_size)
		return false;
	if (*at == 'e' || *at == 'E') {
		const char *digits;

		out->exponent = ++at;
		digits = at + (*at == '-' || *at == '+');
		at = digits + strspn(digits, DIGITS);
		if (at == digits)
			return false;
	}
	return !*at;
}

/* Looks like a number of YAML 1.1, or of a language: with a base, or with underscores. */
static bool is_other_number(const char *word)
{
	static const char *const words[] = { ".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN" };
	const char *at = word + (*word == '-' || *word == '+');

	if (is_one_of(at, words, JN_COUNT(words)))
		return true;
	if (at[0] == '0' && at[1] && strchr("xXoObB", at[1]))
		return at[2] && !at[2 + strspn(at + 2, DIGITS "abcdefABCDEF_")];
	return *at >= '0' && *at <= '9' && !at[strspn(at, DIGITS "_")];
}

enum jn_plain jn_plain_of(const char *word)
{
	static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
	static const char *const bools[] = { "true", "True", "TRUE", "false", "False", "FALSE" };
	static const char *const doubtful[] = { "yes", "Yes", "YES", "no",  "No",  "NO",
						"on",  "On",  "ON",  "off", "Off", "OFF" };
	struct number number;

	if (is_one_of(word, nulls, JN_COUNT(nulls)))
		return JN_PLAIN_NULL;
	if (is_one_of(word, bools, JN_COUNT(bools)))
		return JN_PLAIN_BOOL;
	if (is_one_of(word, doubtful, JN_COUNT(doubtful)))
		return JN_PLAIN_DOUBTFUL_BOOL;
	if (take_number(word, &number))
		return number.whole_size > 1 && number.whole[0] == '0' ? JN_PLAIN_DOUBTFUL_NUMBER
								       : JN_PLAIN_NUMBER;
	return is_other_number(word) ? JN_PLAIN_DOUBTFUL_NUMBER : JN_PLAIN_TEXT;
}

void jn_plain_add_number(const char *word, struct jn_buffer *out)
{
	struct number number;

	if (!take_number(word, &number))
		return;
	jn_buffer_add_text(out, number.is_negative ? "-" : "");
	jn_buffer_add(out, number.whole, number.whole_size);
	jn_buffer_add_text(out, number.whole_size ? "" : "0");
	if (number.has_point) {
		jn_buffer_add_text(out, ".");
		jn_buffer_add(out, number.fraction, number.fraction_size);
		jn_buffer_add_text(out, number.fraction_size ? "" : "0");
	}
	if (number.exponent)
		jn_buffer_printf(out, "e%s", number.exponent);
}
