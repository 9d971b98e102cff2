/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Edit distance (insert, delete, replace: one each), for words as short as field names. Longer
 * words are never near: whoever sends one cannot make this slow.
 */
#include "base/spelling.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define MAX_WORD 48

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned distance(const char *a, const char *b)
{
	unsigned row[MAX_WORD + 1];
	size_t width = strlen(b);

	for (unsigned i = 0; i <= width; i++)
		row[i] = i;
	for (unsigned y = 1; *a; a++, y++) {
		unsigned diagonal = row[0];

		row[0] = y;
		for (size_t x = 1; x <= width; x++) {
			unsigned above = row[x];
			bool same = tolower((unsigned char)*a) == tolower((unsigned char)b[x - 1]);

			row[x] = smaller(diagonal + !same, smaller(above, row[x - 1]) + 1);
			diagonal = above;
		}
	}
	return row[width];
}

const char *jn_spelling_nearest(const char *text, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t length = strlen(text);
	unsigned best = length < 6 ? 3 : (unsigned)length / 3 + 1; /* one more than is near */

	if (length > MAX_WORD)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		unsigned changes;

		if (strlen(names[i]) > MAX_WORD)
			continue;
		changes = distance(text, names[i]);
		if (changes < best) {
			best = changes;
			nearest = names[i];
		}
	}
	return nearest;
}
