/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What --help prints, from the tables of command.c.
 */
#include <string.h>

#include "cli/verbs.h"

#define BIT(number) (1u << (number))
#define HELP_COLUMN 26

static const struct jn_cli_tables *const tables = &jn_cli_tables;

static void add_nouns(const struct jn_cli_verb *verb, struct jn_buffer *out)
{
	const char *between = "";

	for (unsigned i = 0; i < JN_NOUN_MAX; i++) {
		if (!(verb->nouns & BIT(i)))
			continue;
		jn_buffer_printf(out, "%s%s", between,
				 verb->object == NEED_OPTIONAL ? jn_noun_many((enum jn_noun)i)
							       : jn_noun_one((enum jn_noun)i));
		between = "|";
	}
}

static void add_outputs(const struct jn_cli_verb *verb, struct jn_buffer *out)
{
	const char *between = "";

	for (unsigned i = 0; i < JN_OUTPUT_MAX; i++) {
		if (!(verb->outputs & BIT(i)))
			continue;
		jn_buffer_printf(out, "%s%s", between, tables->outputs[i]);
		between = "|";
	}
}

/* "-f", or "--socket" where there is no letter. */
static void add_flag_name(unsigned flag, struct jn_buffer *out)
{
	if (tables->flags[flag].letter)
		jn_buffer_printf(out, "-%c", tables->flags[flag].letter);
	else
		jn_buffer_printf(out, "--%s", tables->flags[flag].name);
}

void jn_help_add_synopsis(const struct jn_cli_verb *verb, struct jn_buffer *out)
{
	unsigned taken = jn_cli_flags_of(verb) & ~tables->everywhere;

	jn_buffer_printf(out, "%s", verb->name);
	if (verb->nouns)
		jn_buffer_add_text(out, " ");
	add_nouns(verb, out);
	if (verb->object)
		jn_buffer_add_text(out, verb->object == NEED_OPTIONAL ? " [NAME]" : " NAME");
	for (unsigned i = 0; i < tables->flag_count; i++) {
		bool is_required = verb->required & BIT(i);

		if (!(taken & BIT(i)))
			continue;
		jn_buffer_add_text(out, is_required ? " " : " [");
		add_flag_name(i, out);
		if (tables->flags[i].value)
			jn_buffer_add_text(out, " ");
		if (i == tables->output_flag)
			add_outputs(verb, out);
		else if (tables->flags[i].value)
			jn_buffer_add_text(out, tables->flags[i].value);
		jn_buffer_add_text(out, is_required ? "" : "]");
	}
	jn_buffer_add_text(out, "\n");
}

static void add_flags(unsigned taken, struct jn_buffer *out)
{
	for (unsigned i = 0; i < tables->flag_count; i++) {
		size_t start = out->size;

		if (!(taken & BIT(i)))
			continue;
		if (tables->flags[i].letter)
			jn_buffer_printf(out, "  -%c, ", tables->flags[i].letter);
		else
			jn_buffer_add_text(out, "  ");
		jn_buffer_printf(out, "--%s%s%s", tables->flags[i].name,
				 tables->flags[i].value ? " " : "",
				 tables->flags[i].value ? tables->flags[i].value : "");
		while (!jn_buffer_failed(out) && out->size - start < HELP_COLUMN)
			jn_buffer_add_text(out, " ");
		jn_buffer_printf(out, "%s\n", tables->flags[i].help);
	}
}

void jn_command_help(const struct jn_cli_verb *verb, struct jn_buffer *out)
{
	if (verb) {
		jn_buffer_add_text(out, "Usage: junctor ");
		jn_help_add_synopsis(verb, out);
		jn_buffer_printf(out, "  %s\n\nFlags:\n", verb->help);
		add_flags(jn_cli_flags_of(verb), out);
		return;
	}
	jn_buffer_add_text(out, "junctor declares services to junctord, and looks at them.\n\n"
				"Usage: junctor VERB [FLAGS]; flags stand before or after the "
				"verb.\n\n");
	for (size_t i = 0; i < tables->verb_count; i++) {
		jn_buffer_add_text(out, "  ");
		jn_help_add_synopsis(&tables->verbs[i], out);
		jn_buffer_printf(out, "      %s\n", tables->verbs[i].help);
	}
	jn_buffer_add_text(out, "\nFlags:\n");
	add_flags(BIT(tables->flag_count) - 1, out);
	jn_buffer_add_text(out, "\nExit codes: 0 ok, 1 failed, 2 usage, 3 no junctord answers, "
				"4 not found,\n5 rejected, 6 degraded, 7 timed out.\n");
}
