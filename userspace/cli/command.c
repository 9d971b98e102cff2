/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of verbs, kinds and flags, and the reading of the command line by them. Start here to
 * add one: a line in its table, and for a flag a case in take_value.
 */
#include "cli/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/paths.h"
#include "base/spelling.h"
#include "cli/cli.h"
#include "cli/verbs.h"
#include "proto/object.h"

#define DEFAULT_SECONDS 30

/* --- the tables -------------------------------------------------------------------------------- */

enum flag {
	FLAG_FILE,
	FLAG_GENERATION,
	FLAG_TIMEOUT,
	FLAG_TO,
	FLAG_UDP,
	FLAG_FROM,
	FLAG_NETNS,
	FLAG_OFFLINE,
	FLAG_PIN_DIR,
	FLAG_STATE_DIR,
	FLAG_CGROUP,
	FLAG_NAMESPACE,
	FLAG_OUTPUT,
	FLAG_SOCKET,
	FLAG_HELP,
	FLAG_VERSION,
	FLAG_MAX
};

#define BIT(number) (1u << (number))
#define EVERYWHERE (BIT(FLAG_SOCKET) | BIT(FLAG_HELP) | BIT(FLAG_VERSION))

static const struct jn_cli_flag flags[] = {
	[FLAG_FILE] = { "filename", 'f', "FILE|-",
			"JSON or YAML: an object, a List, or several; or the archive to write" },
	[FLAG_GENERATION] = { "generation", 0, "N", "the generation (all that is declared now)" },
	[FLAG_TIMEOUT] = { "timeout", 0, "S", "seconds to wait (30)" },
	[FLAG_TO] = { "to", 0, "IP:PORT", "what the connection names" },
	[FLAG_UDP] = { "udp", 0, NULL, "a UDP socket (TCP)" },
	[FLAG_FROM] = { "from", 0, "IP", "source address that the socket is bound to (none)" },
	[FLAG_NETNS] = { "netns", 0, "NAME",
			 "its network namespace: as ip netns, or a path (this)" },
	[FLAG_OFFLINE] = { "offline", 0, NULL, "what the kernel holds; junctord is not asked" },
	[FLAG_PIN_DIR] = { "pin-dir", 0, "DIR", "folder of the kernel tables (junctord's)" },
	[FLAG_STATE_DIR] = { "state-dir", 0, "DIR", "folder of the declared state (junctord's)" },
	[FLAG_CGROUP] = { "cgroup", 0, "DIR", "cgroup that junctord served (all of cgroup2)" },
	[FLAG_NAMESPACE] = { "namespace", 'n', "NS",
			     "namespace (\"default\"; lists: all of them)" },
	[FLAG_OUTPUT] = { "output", 'o', "FORMAT", "json or name, instead of text for people" },
	[FLAG_SOCKET] = { "socket", 0, "PATH", "control socket (" JN_DEFAULT_SOCKET ")" },
	[FLAG_HELP] = { "help", 'h', NULL, "print this text, or that of one verb, and exit" },
	[FLAG_VERSION] = { "version", 0, NULL, "print the version and exit" },
};
_Static_assert(JN_COUNT(flags) == FLAG_MAX, "every flag needs its line");

static const struct {
	const char *one, *many;
} nouns[] = {
	[JN_NOUN_SERVICE] = { "service", "services" },
	[JN_NOUN_BACKEND] = { "backend", "backends" },
	[JN_NOUN_POLICY] = { "policy", "policies" },
	[JN_NOUN_SLICE] = { "endpointslice", "endpointslices" },
	[JN_NOUN_NODE] = { "node", "nodes" },
};
_Static_assert(JN_COUNT(nouns) == JN_NOUN_MAX, "every kind needs its names");

static const char *const outputs[] = {
	[JN_OUTPUT_TABLE] = NULL, /* what comes without -o */
	[JN_OUTPUT_JSON] = "json",
	[JN_OUTPUT_NAME] = "name",
};
_Static_assert(JN_COUNT(outputs) == JN_OUTPUT_MAX, "every format needs its word");

static const struct jn_cli_verb verbs[] = {
	{ .name = "get",
	  .nouns = BIT(JN_NOUN_MAX) - 1,
	  .object = NEED_OPTIONAL,
	  .flags = BIT(FLAG_NAMESPACE),
	  .outputs = BIT(JN_OUTPUT_JSON) | BIT(JN_OUTPUT_NAME),
	  .run = jn_cli_get,
	  .help = "list them, or show one; backends go by the name of their service" },
	{ .name = "describe",
	  .nouns = BIT(JN_NOUN_SERVICE),
	  .object = NEED_REQUIRED,
	  .flags = BIT(FLAG_NAMESPACE),
	  .run = jn_cli_describe,
	  .help = "everything about one service, with the policies that govern it" },
	{ .name = "apply",
	  .flags = BIT(FLAG_FILE),
	  .required = BIT(FLAG_FILE),
	  .run = jn_cli_apply,
	  .help = "declare objects, all or none; returns when the kernel serves them" },
	{ .name = "delete",
	  .nouns = (BIT(JN_NOUN_MAX) - 1) & ~BIT(JN_NOUN_BACKEND),
	  .object = NEED_REQUIRED,
	  .flags = BIT(FLAG_NAMESPACE),
	  .run = jn_cli_delete,
	  .help = "take one away; its open connections go on" },
	{ .name = "status",
	  .flags = BIT(FLAG_OFFLINE) | BIT(FLAG_PIN_DIR),
	  .outputs = BIT(JN_OUTPUT_JSON),
	  .run = jn_cli_status,
	  .help = "how junctord is: what it holds, how full it is, what is wrong" },
	{ .name = "verify",
	  .outputs = BIT(JN_OUTPUT_JSON),
	  .run = jn_cli_verify,
	  .help = "compare the kernel tables with what is declared; 1 where something differs" },
	{ .name = "wait",
	  .flags = BIT(FLAG_GENERATION) | BIT(FLAG_TIMEOUT),
	  .run = jn_cli_wait,
	  .help = "until the kernel serves a generation" },
	{ .name = "trace",
	  .flags = BIT(FLAG_TO) | BIT(FLAG_UDP) | BIT(FLAG_FROM) | BIT(FLAG_NETNS) |
		   BIT(FLAG_PIN_DIR),
	  .required = BIT(FLAG_TO),
	  .outputs = BIT(JN_OUTPUT_JSON),
	  .run = jn_cli_trace,
	  .help = "where the kernel would lead a new connection, step by step; none is made" },
	{ .name = "doctor",
	  .flags = BIT(FLAG_PIN_DIR) | BIT(FLAG_CGROUP),
	  .outputs = BIT(JN_OUTPUT_JSON),
	  .run = jn_cli_doctor,
	  .help = "try out whether junctor can work here, and what is in its way; needs no "
		  "junctord" },
	{ .name = "sysdump",
	  .flags = BIT(FLAG_FILE) | BIT(FLAG_PIN_DIR) | BIT(FLAG_STATE_DIR) | BIT(FLAG_CGROUP),
	  .run = jn_cli_sysdump,
	  .help = "a tar archive for whoever is to help: status, objects, tables; redacted" },
	{ .name = "cleanup",
	  .flags = BIT(FLAG_PIN_DIR) | BIT(FLAG_CGROUP),
	  .run = jn_cli_cleanup,
	  .help = "take junctor out of the kernel; what was declared stays on disk" },
};

const char *jn_noun_one(enum jn_noun noun)
{
	return nouns[noun].one;
}

const char *jn_noun_many(enum jn_noun noun)
{
	return nouns[noun].many;
}

int jn_command_run(const struct jn_command *command)
{
	return command->verb->run(command);
}

const struct jn_cli_tables jn_cli_tables = { .verbs = verbs,
					     .verb_count = JN_COUNT(verbs),
					     .flags = flags,
					     .flag_count = FLAG_MAX,
					     .output_flag = FLAG_OUTPUT,
					     .everywhere = EVERYWHERE,
					     .outputs = outputs };

unsigned jn_cli_flags_of(const struct jn_cli_verb *verb)
{
	return verb->flags | EVERYWHERE | (verb->outputs ? BIT(FLAG_OUTPUT) : 0);
}

/* --- reading ----------------------------------------------------------------------------------- */

struct reading {
	struct jn_command *command;
	unsigned given; /* bits of enum flag */
	unsigned words; /* how many there were */
	struct jn_error *err;
};

/* An unknown word or flag: "<what> "<text>"; did you mean <nearest>?", or <else_>. */
static int refuse_unknown(struct jn_error *err, const char *what, const char *text,
			  const char *nearest, const char *else_)
{
	if (nearest)
		return jn_error_set(err, -EINVAL, JN_ERROR_INVALID, "%s \"%s\"; did you mean %s?",
				    what, text, nearest);
	return jn_error_set(err, -EINVAL, JN_ERROR_INVALID, "%s \"%s\"; %s", what, text, else_);
}

/* A whole number of decimal digits, up to max. */
static bool is_number(const char *text, unsigned long long max)
{
	size_t digits = strspn(text, "0123456789");

	errno = 0;
	return digits && !text[digits] && strtoull(text, NULL, 10) <= max && !errno;
}

static int take_output(struct jn_command *command, const char *text, struct jn_error *err)
{
	for (unsigned i = 0; i < JN_OUTPUT_MAX; i++) {
		if (outputs[i] && !strcmp(outputs[i], text)) {
			command->output = (enum jn_output)i;
			return 0;
		}
	}
	return refuse_unknown(err, "there is no output format", text, NULL, "give json or name");
}

static int take_value(struct jn_command *command, enum flag flag, const char *text,
		      struct jn_error *err)
{
	const char **const places[FLAG_MAX] = {
		[FLAG_FILE] = &command->file,
		[FLAG_GENERATION] = &command->generation,
		[FLAG_TO] = &command->to,
		[FLAG_FROM] = &command->from,
		[FLAG_NETNS] = &command->netns,
		[FLAG_PIN_DIR] = &command->pin_dir,
		[FLAG_STATE_DIR] = &command->state_dir,
		[FLAG_CGROUP] = &command->cgroup,
		[FLAG_NAMESPACE] = &command->namespace_,
		[FLAG_SOCKET] = &command->socket,
	};

	if (flag == FLAG_OUTPUT)
		return take_output(command, text, err);
	if (!*text)
		return jn_error_set(err, -EINVAL, JN_ERROR_INVALID,
				    "--%s is empty; give it a value", flags[flag].name);
	if (flag == FLAG_TIMEOUT && !is_number(text, JN_MAX_WAIT_SECONDS))
		return jn_error_set(err, -EINVAL, JN_ERROR_INVALID,
				    "--timeout is \"%s\"; give whole seconds, 0 to %u", text,
				    JN_MAX_WAIT_SECONDS);
	if (flag == FLAG_GENERATION && !is_number(text, UINT64_MAX))
		return jn_error_set(err, -EINVAL, JN_ERROR_INVALID,
				    "--generation is \"%s\"; give a whole number", text);
	if (flag == FLAG_TIMEOUT)
		command->timeout_seconds = (unsigned)strtoul(text, NULL, 10);
	else
		*places[flag] = text;
	return 0;
}

static int find_flag(const char *text, size_t size, enum flag *out, struct jn_error *err)
{
	JN_AUTO(jn_free_mem) char *name = strndup(text, size);
	const char *names[FLAG_MAX];
	bool is_letter = size == 2 && text[1] != '-';

	for (unsigned i = 0; name && i < FLAG_MAX; i++) {
		names[i] = flags[i].name;
		if (is_letter ? flags[i].letter == text[1] : !strcmp(names[i], name + 2)) {
			*out = (enum flag)i;
			return 0;
		}
	}
	if (!name)
		return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL, "out of memory; free some");
	if (!is_letter) {
		const char *nearest = jn_spelling_nearest(name + 2, names, FLAG_MAX);

		if (nearest)
			return jn_error_set(err, -EINVAL, JN_ERROR_INVALID,
					    "there is no flag \"%s\"; did you mean --%s?", name,
					    nearest);
	}
	return refuse_unknown(err, "there is no flag", name, NULL, "`junctor --help` lists them");
}

/* The flag at argv[*at], and its value, which may stand in argv[*at + 1]. */
static int read_flag(struct reading *r, char **argv, int *at)
{
	const char *text = argv[*at], *value = NULL;
	bool is_long = text[1] == '-';
	size_t size = is_long ? strcspn(text, "=") : 2;
	enum flag flag = FLAG_MAX;
	int rc = find_flag(text, size, &flag, r->err);

	if (rc)
		return rc;
	r->given |= BIT(flag);
	if (text[size])
		value = text + size + is_long; /* behind the '='; a letter's follows at once */
	if (!flags[flag].value && value)
		return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
				    "--%s takes no value; leave \"%s\" out", flags[flag].name,
				    value);
	if (!flags[flag].value)
		return 0;
	if (!value)
		value = argv[++*at];
	if (!value)
		return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
				    "--%s needs a value; write --%s %s", flags[flag].name,
				    flags[flag].name, flags[flag].value);
	return take_value(r->command, flag, value, r->err);
}

static int read_verb(struct reading *r, const char *word)
{
	const char *names[JN_COUNT(verbs)];

	for (size_t i = 0; i < JN_COUNT(verbs); i++) {
		names[i] = verbs[i].name;
		if (!strcmp(names[i], word)) {
			r->command->verb = &verbs[i];
			return 0;
		}
	}
	return refuse_unknown(r->err, "there is no verb", word,
			      jn_spelling_nearest(word, names, JN_COUNT(verbs)),
			      "`junctor --help` lists them");
}

static const char *shown_noun(const struct jn_cli_verb *verb, enum jn_noun noun)
{
	return verb->object == NEED_OPTIONAL ? nouns[noun].many : nouns[noun].one;
}

static int read_noun(struct reading *r, const char *word)
{
	const struct jn_cli_verb *verb = r->command->verb;
	JN_AUTO(jn_buffer_done) struct jn_buffer advice = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer what = { 0 };
	const char *names[2 * JN_NOUN_MAX];
	size_t count = 0;

	for (unsigned i = 0; i < JN_NOUN_MAX; i++) {
		if (!(verb->nouns & BIT(i)))
			continue;
		names[count++] = shown_noun(verb, (enum jn_noun)i);
		if (!strcmp(nouns[i].one, word) || !strcmp(nouns[i].many, word)) {
			r->command->noun = (enum jn_noun)i;
			return 0;
		}
	}
	jn_buffer_printf(&what, "junctor %s knows no", verb->name);
	jn_buffer_add_text(&advice, "write junctor ");
	jn_help_add_synopsis(verb, &advice);
	advice.size -= advice.size ? 1 : 0; /* the line's end */
	return refuse_unknown(r->err, jn_buffer_text(&what), word,
			      jn_spelling_nearest(word, names, count), jn_buffer_text(&advice));
}

/* Most of all a variable of a script that is not set. */
static int refuse_empty(struct reading *r, unsigned at)
{
	static const char *const what[] = { "verb", "kind", "name" };
	const struct jn_cli_verb *verb = r->command->verb;
	const char *behind = at == 2 ? shown_noun(verb, r->command->noun) : at ? verb->name : NULL;

	return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
			    "the %s%s%s is empty; give one (is a variable not set?)%s", what[at],
			    behind ? " behind " : "", behind ? behind : "",
			    at == 2 && verb->object == NEED_OPTIONAL ? ", or leave it out" : "");
}

static int read_word(struct reading *r, const char *word)
{
	const struct jn_cli_verb *verb = r->command->verb;
	unsigned at = r->words++;

	if (!verb) /* it comes first */
		return *word ? read_verb(r, word) : refuse_empty(r, 0);
	if (at == 1 && verb->nouns)
		return *word ? read_noun(r, word) : refuse_empty(r, at);
	if (at == 2 && verb->object) {
		r->command->name = word;
		return *word ? 0 : refuse_empty(r, at);
	}
	return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
			    "\"%s\" is one word too many; `junctor %s --help` shows how to write "
			    "it",
			    word, verb->name);
}

/* Is all there that the verb needs, and nothing that it does not take? */
static int check(struct reading *r)
{
	const struct jn_cli_verb *verb = r->command->verb;
	enum jn_output output = r->command->output;
	JN_AUTO(jn_buffer_done) struct jn_buffer advice = { 0 };

	if (!verb)
		return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
				    "a verb is missing; `junctor --help` lists them");
	for (unsigned i = 0; i < FLAG_MAX; i++) {
		if (r->given & ~jn_cli_flags_of(verb) & BIT(i))
			return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
					    "junctor %s does not take --%s; leave it out",
					    verb->name, flags[i].name);
	}
	if (output && !(verb->outputs & BIT(output)))
		return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
				    "junctor %s has no output format %s; leave -o out", verb->name,
				    outputs[output]);
	if ((!verb->nouns || r->command->noun != JN_NOUN_MAX) &&
	    (verb->object != NEED_REQUIRED || r->command->name) && !(verb->required & ~r->given))
		return 0;
	jn_help_add_synopsis(verb, &advice);
	advice.size -= advice.size ? 1 : 0; /* the line's end */
	return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
			    "something is missing; write junctor %s", jn_buffer_text(&advice));
}

int jn_command_parse(int argc, char **argv, struct jn_command *out, struct jn_error *err)
{
	struct jn_command command = { .noun = JN_NOUN_MAX,
				      .socket = JN_DEFAULT_SOCKET,
				      .timeout_seconds = DEFAULT_SECONDS };
	struct reading r = { .command = &command, .err = err };
	bool has_flags = true; /* until "--" */
	int rc = 0;

	for (int i = 1; i < argc && !rc; i++) {
		bool is_flag = has_flags && argv[i][0] == '-' && argv[i][1];

		if (is_flag && !strcmp(argv[i], "--"))
			has_flags = false;
		else
			rc = is_flag ? read_flag(&r, argv, &i) : read_word(&r, argv[i]);
	}
	if (rc)
		return rc;
	command.wants_help = r.given & BIT(FLAG_HELP);
	command.wants_version = r.given & BIT(FLAG_VERSION);
	command.is_udp = r.given & BIT(FLAG_UDP);
	command.is_offline = r.given & BIT(FLAG_OFFLINE);
	if (!command.wants_help && !command.wants_version)
		rc = check(&r);
	if (!rc)
		*out = command;
	return rc;
}
