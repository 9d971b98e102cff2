/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this run of junctor is to do. One table of verbs, kinds and flags drives the parsing, the
 * help and the suggestions; to add a verb, start there (command.c). It reads words, nothing else.
 */
#ifndef JUNCTOR_CLI_COMMAND_H
#define JUNCTOR_CLI_COMMAND_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

enum jn_noun {
	JN_NOUN_SERVICE, /* of either kind */
	JN_NOUN_BACKEND,
	JN_NOUN_POLICY,
	JN_NOUN_SLICE,
	JN_NOUN_NODE,
	JN_NOUN_MAX
};

enum jn_output { JN_OUTPUT_TABLE, JN_OUTPUT_JSON, JN_OUTPUT_NAME, JN_OUTPUT_MAX };

struct jn_cli_verb;

/* Texts are those of argv. */
struct jn_command {
	const struct jn_cli_verb *verb; /* NULL: only with wants_help or wants_version */
	enum jn_noun noun;		/* JN_NOUN_MAX: the verb takes none */
	const char *name;		/* NULL: not given */
	const char *socket;		/* has a default */
	const char *namespace_;		/* NULL: not given */
	enum jn_output output;
	const char *file;	/* "-": standard input, or output */
	const char *generation; /* decimal digits, or NULL */
	unsigned timeout_seconds;
	const char *pin_dir, *state_dir, *cgroup; /* NULL: junctord's own defaults */
	const char *to, *from, *netns;		  /* of a connection; NULL: not given */
	bool is_udp, is_offline;
	bool wants_help, wants_version;
};

/* Returns 0, or -EINVAL with err saying what to write instead: a usage error. */
int jn_command_parse(int argc, char **argv, struct jn_command *out, struct jn_error *err);

int jn_command_run(const struct jn_command *command);

/* The help of one verb, or (NULL) of all. */
void jn_command_help(const struct jn_cli_verb *verb, struct jn_buffer *out);

/* "service", "services". */
const char *jn_noun_one(enum jn_noun noun);
const char *jn_noun_many(enum jn_noun noun);

#endif
