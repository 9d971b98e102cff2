/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of command.c as its help (help.c) sees them. Nobody else needs them.
 */
#ifndef JUNCTOR_CLI_VERBS_H
#define JUNCTOR_CLI_VERBS_H

#include "cli/command.h"

enum jn_cli_need { NEED_NONE, NEED_OPTIONAL, NEED_REQUIRED };

struct jn_cli_verb {
	const char *name;
	unsigned nouns;		 /* bits of enum jn_noun; 0: takes none */
	enum jn_cli_need object; /* the NAME behind the kind */
	unsigned flags, required;
	unsigned outputs; /* bits of enum jn_output: what -o takes */
	int (*run)(const struct jn_command *command);
	const char *help;
};

struct jn_cli_flag {
	const char *name;
	char letter;	   /* 0: none */
	const char *value; /* NULL: takes none */
	const char *help;
};

extern const struct jn_cli_tables {
	const struct jn_cli_verb *verbs;
	unsigned verb_count;
	const struct jn_cli_flag *flags;
	unsigned flag_count;
	unsigned output_flag; /* whose values are the verb's outputs */
	unsigned everywhere;  /* bits of the flags that every verb takes */
	const char *const *outputs;
} jn_cli_tables;

/* All that a verb takes. */
unsigned jn_cli_flags_of(const struct jn_cli_verb *verb);

/* One line: the verb, and what must and may follow. */
void jn_help_add_synopsis(const struct jn_cli_verb *verb, struct jn_buffer *out);

#endif
