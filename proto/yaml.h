/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * YAML -> JSON text, so that what is written in YAML goes the way of JSON from there on. Only what
 * every reader of YAML understands in one way is taken: anchors, aliases, tags, and words such as
 * yes or 010, which some read as something else than text, are refused with their line. Duplicate
 * keys and nesting deeper than JN_MAX_JSON_DEPTH are, too. It does NOT know objects.
 */
#ifndef JUNCTOR_PROTO_YAML_H
#define JUNCTOR_PROTO_YAML_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"

/* What the name of a file says about the text in it. */
enum jn_file_form { JN_FILE_UNKNOWN, JN_FILE_JSON, JN_FILE_YAML };
enum jn_file_form jn_file_form(const char *name); /* *.json; *.yaml, *.yml */

/* One document of a stream; the empty ones between two "---" are not counted. */
struct jn_yaml_document {
	size_t offset, size; /* of its JSON in jn_yaml.json */
	unsigned line;	     /* on which it begins, counted from 1 */
};

struct jn_yaml {
	/* JSON lines: each document is one line, the one on which it begins in the YAML. */
	struct jn_buffer json;
	struct jn_yaml_document *items;
	size_t count, capacity;
};
void jn_yaml_done(struct jn_yaml *yaml);

/* *out is zeroed before. 0; -EINVAL with one cause in err (JN_ERROR_BAD_REQUEST); -ENOMEM. */
int jn_yaml_read(const char *text, size_t size, struct jn_yaml *out, struct jn_error *err);

/*
 * The line of a field of the document-th document, counted from 0; of what it would stand in where
 * it is not there; 0 where the text cannot be followed that far. For text in JSON, too.
 */
unsigned jn_yaml_line_of(const char *text, size_t size, size_t document, const char *path);

#endif
