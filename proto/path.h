/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The path of a place in a document, as messages name it: "spec.ports[0].port". A key that is not
 * a plain word stands in brackets: "metadata.labels[example.com/tier]". For proto only.
 */
#ifndef JUNCTOR_PROTO_PATH_H
#define JUNCTOR_PROTO_PATH_H

#include <stddef.h>

#include "base/buffer.h"

void jn_path_add_key(struct jn_buffer *path, const char *key, size_t size);
void jn_path_add_index(struct jn_buffer *path, size_t index);

/* The path of what stands at this byte of a JSON text that is well formed up to there. */
void jn_path_of_position(struct jn_buffer *path, const char *text, size_t position);

#endif
