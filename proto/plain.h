/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a word without quotes is in YAML. The versions of YAML, and their readers, do not agree on
 * all of them; what they do not agree on is doubtful. For proto only.
 */
#ifndef JUNCTOR_PROTO_PLAIN_H
#define JUNCTOR_PROTO_PLAIN_H

#include "base/buffer.h"

enum jn_plain {
	JN_PLAIN_TEXT,
	JN_PLAIN_NULL,		 /* ~, null, nothing */
	JN_PLAIN_BOOL,		 /* true, True, TRUE, false, … */
	JN_PLAIN_NUMBER,	 /* decimal */
	JN_PLAIN_DOUBTFUL_BOOL,	 /* yes, no, on, off */
	JN_PLAIN_DOUBTFUL_NUMBER /* 010, 0x10, 0b1, 1_000, .inf, .nan */
};

enum jn_plain jn_plain_of(const char *word);

/* A JN_PLAIN_NUMBER as JSON writes it. */
void jn_plain_add_number(const char *word, struct jn_buffer *out);

#endif
