/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The word a user likely meant: fewest edits (insert, remove, replace, swap neighbours), case
 * ignored, at most one edit per three characters.
 */
#include <ctype.h>
#include <string.h>

#include "proto/field.h"

#define MAX_BYTES 48 /* longer texts are not spelling mistakes */

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edits that turn a into b; both are at most MAX_BYTES long. */
static unsigned distance_of(const char *a, const char *b)
{
	unsigned rows[3][MAX_BYTES + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	size_t a_size = strlen(a), b_size = strlen(b);

	for (unsigned j = 0; j <= b_size; j++)
		last[j] = j;
	for (unsigned i = 1; i <= a_size; i++) {
		unsigned *free_row = before;

		row[0] = i;
		for (unsigned j = 1; j <= b_size; j++) {
			row[j] = last[j - 1] + !same(a[i - 1], b[j - 1]);
			row[j] = least(row[j], least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[b_size];
}

void jn_likely_add(struct jn_likely *likely, const char *word)
{
	size_t longest = strlen(likely->text);
	unsigned distance;

	if (strlen(word) > longest)
		longest = strlen(word);
	if (longest > MAX_BYTES)
		return;
	distance = distance_of(likely->text, word);
	if (distance * 3 > longest || (likely->word && distance >= likely->distance))
		return;
	likely->word = word;
	likely->distance = distance;
}
