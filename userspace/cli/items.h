/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The objects of an answer, one after the other: only one of them stands in memory as values, which
 * take ten times the room of their text.
 */
#ifndef JUNCTOR_CLI_ITEMS_H
#define JUNCTOR_CLI_ITEMS_H

#include <stddef.h>

#include "proto/json.h"

typedef void (*jn_item_fn)(void *arg, const struct jn_json *object);

/*
 * Call fn for each item of a List, or for the one object that is none. Returns an exit code: an
 * answer that cannot be read has been complained about on stderr.
 */
int jn_items_each(const char *text, size_t size, jn_item_fn fn, void *arg);

/* What stands between the brackets of a List: *out and *size; nothing where it is none. */
void jn_items_text(const char *text, size_t text_size, const char **out, size_t *size);

#endif
