/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What only junctord can do, as the kernel's side is its alone: `junctord --offline VERB`, whether
 * one serves or not. It is the junctord that lies beside this program, or else the one in PATH.
 */
#ifndef JUNCTOR_CLI_OFFLINE_H
#define JUNCTOR_CLI_OFFLINE_H

#include "base/buffer.h"
#include "proto/json.h"

#define JN_MAX_OFFLINE_WORDS 16

/* A command line that grows. */
struct jn_offline {
	const char *words[JN_MAX_OFFLINE_WORDS + 1]; /* the last one stays NULL */
	unsigned count;
	unsigned timeout_ms; /* afterwards it is killed; 0: never */
};

struct jn_offline jn_offline_of(const char *verb);
void jn_offline_add_word(struct jn_offline *call, const char *word);
/* Nothing where the value is NULL. */
void jn_offline_add(struct jn_offline *call, const char *flag, const char *value);

/* Another program, in PATH. */
struct jn_offline jn_offline_program(const char *name);

/*
 * Run it. What it prints goes to out, at most `max` bytes, or (NULL) to stdout; what it complains of
 * is repeated in this program's name. An exit code.
 */
int jn_offline_run(const struct jn_offline *call, struct jn_buffer *out, size_t max);

/* The same of one that prints JSON: as it came in `text`, and read. An exit code; *out at 0 only. */
int jn_offline_ask(const struct jn_offline *call, struct jn_buffer *text, struct jn_json **out);

#endif
