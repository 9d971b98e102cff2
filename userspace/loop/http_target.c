/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Splits first and decodes then, so that an encoded '/', '?', '&' or '=' never separates anything it
 * did not separate before. A control character is refused however it is written.
 */
#include "loop/http_target.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20; /* lower case */
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode(char *text, struct jn_error *err)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		char c = *from;

		if (c == '%') {
			int high = digit_of(from[1]), low = high < 0 ? -1 : digit_of(from[2]);

			if (low < 0)
				return jn_error_set(err, -EINVAL, JN_ERROR_BAD_REQUEST,
						    "the URL has a '%%' without two hexadecimal "
						    "digits behind it; write %%25 for a '%%'");
			c = (char)(high << 4 | low);
			from += 2;
		}
		if ((unsigned char)c < ' ' || c == 0x7f)
			return jn_error_set(err, -EINVAL, JN_ERROR_BAD_REQUEST,
					    "the URL has a control character; leave it out");
		*to++ = c;
	}
	*to = '\0';
	return 0;
}

static int add_parameter(char *text, struct jn_pairs *query, struct jn_error *err)
{
	struct jn_pair *pair;
	char *equals;
	int rc;

	if (!*text)
		return 0; /* "a&&b" */
	pair = jn_vec_add(query);
	if (!pair)
		return -ENOMEM;
	equals = strchr(text, '=');
	if (equals)
		*equals = '\0';
	pair->name = text;
	pair->value = equals ? equals + 1 : text + strlen(text);
	rc = decode(pair->name, err);
	if (!rc && equals)
		rc = decode(pair->value, err);
	if (!rc && !equals)
		pair->value = pair->name + strlen(pair->name); /* it may be shorter now */
	return rc;
}

int jn_target_split(char *target, struct jn_pairs *query, struct jn_error *err)
{
	char *at = strchr(target, '?');
	int rc = 0;

	if (target[0] != '/')
		return jn_error_set(err, -EINVAL, JN_ERROR_BAD_REQUEST,
				    "the request's target is not a path; write it like "
				    "\"GET /v1/status HTTP/1.1\"");
	if (strchr(target, '#'))
		return jn_error_set(err, -EINVAL, JN_ERROR_BAD_REQUEST,
				    "the URL has a '#'; leave the fragment out, or write %%23");
	if (at)
		*at++ = '\0';
	while (at && !rc) {
		char *next = strchr(at, '&');

		if (next)
			*next++ = '\0';
		rc = add_parameter(at, query, err);
		at = next;
	}
	return rc ? rc : decode(target, err);
}
