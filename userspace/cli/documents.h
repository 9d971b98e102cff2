/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON documents in a row -> JSON lines, as /v1/apply takes several. `cat a.json b.json` is such a
 * row. Whether they are right is junctord's business.
 */
#ifndef JUNCTOR_CLI_DOCUMENTS_H
#define JUNCTOR_CLI_DOCUMENTS_H

#include <stdbool.h>

#include "base/buffer.h"

/* Does more than one document stand here, one of them on several lines? */
bool jn_documents_are_long(const char *text, size_t size);

/*
 * Each document on the line on which it began, followed by as many empty lines as it had: a line
 * number in a refusal is one of the file that was read. Line ends inside of strings, which JSON does
 * not allow, and what is no document stay as they are, for junctord to refuse.
 */
void jn_documents_to_lines(const char *text, size_t size, struct jn_buffer *out);

#endif
