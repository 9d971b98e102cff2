/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line of junctor: what is understood, what is refused and with which words, and that
 * the help names all there is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/auto.h"
#include "cli/command.h"

#define MAX_WORDS 12

/* Parse `line`, words separated by one space each; "''" is an empty word. */
static int parse(const char *line, struct jn_command *out, struct jn_error *err)
{
	static char text[512]; /* the command points into it */
	char *argv[MAX_WORDS + 1], *at = text;
	int argc = 0;

	(void)snprintf(text, sizeof(text), "junctor %s", line);
	while (at && *at) {
		char *word = strsep(&at, " ");

		assert_true(argc < MAX_WORDS);
		argv[argc++] = strcmp(word, "''") ? word : word + 2;
	}
	argv[argc] = NULL;
	return jn_command_parse(argc, argv, out, err);
}

static struct jn_command good(const char *line)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_command command;

	if (parse(line, &command, &err))
		fail_msg("%s: %s", line, jn_error_text(&err));
	return command;
}

static void bad(const char *line, const char *word)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_command command = { .name = "untouched" };

	assert_int_equal(parse(line, &command, &err), -EINVAL);
	assert_string_equal(command.name, "untouched");
	if (!strstr(jn_error_text(&err), word))
		fail_msg("%s: no \"%s\" in: %s", line, word, jn_error_text(&err));
}

static void test_words(void **state)
{
	struct jn_command c = good("get services");

	(void)state;
	assert_int_equal(c.noun, JN_NOUN_SERVICE);
	assert_null(c.name);
	assert_null(c.namespace_);
	assert_int_equal(c.output, JN_OUTPUT_TABLE);
	assert_string_equal(c.socket, "/run/junctor/junctor.sock");
	assert_int_equal(good("get service").noun, JN_NOUN_SERVICE);
	assert_int_equal(good("get backends web").noun, JN_NOUN_BACKEND);
	assert_int_equal(good("delete policies web").noun, JN_NOUN_POLICY);
	assert_string_equal(good("describe service web").name, "web");
	assert_string_equal(good("get services -- -web").name, "-web");
	assert_int_equal(good("status").noun, JN_NOUN_MAX);
}

static void test_flags_stand_anywhere(void **state)
{
	static const char *const lines[] = {
		"--socket /s get services web -n red -o json",
		"get --socket=/s -nred services -ojson web",
		"-o json --namespace=red get services web --socket /s",
		"get services --output json web --namespace red --socket /t --socket /s",
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(lines); i++) {
		struct jn_command c = good(lines[i]);

		assert_int_equal(c.noun, JN_NOUN_SERVICE);
		assert_string_equal(c.name, "web");
		assert_string_equal(c.socket, "/s");
		assert_string_equal(c.namespace_, "red");
		assert_int_equal(c.output, JN_OUTPUT_JSON);
	}
}

static void test_flags_of_verbs(void **state)
{
	struct jn_command c = good("wait --generation 18446744073709551615 --timeout 0");

	(void)state;
	assert_string_equal(c.generation, "18446744073709551615");
	assert_int_equal(c.timeout_seconds, 0);
	assert_int_equal(good("wait").timeout_seconds, 30);
	assert_int_equal(good("wait --timeout 3600").timeout_seconds, 3600);
	assert_string_equal(good("apply -f -").file, "-");
	assert_string_equal(good("apply --filename a=b.json").file, "a=b.json");
	assert_string_equal(good("apply --filename=a=b.json").file, "a=b.json");
	c = good("cleanup --pin-dir /p --cgroup /c");
	assert_string_equal(c.pin_dir, "/p");
	assert_string_equal(c.cgroup, "/c");
	assert_int_equal(good("get policies -o name").output, JN_OUTPUT_NAME);
}

static void test_help_wins(void **state)
{
	(void)state;
	assert_true(good("--help").wants_help);
	assert_null(good("-h").verb);
	assert_true(good("--version").wants_version);
	assert_true(good("get --help").wants_help); /* though the kind is missing */
	assert_non_null(good("get --help").verb);
}

static void test_usage_errors(void **state)
{
	(void)state;
	bad("", "verb");
	bad("gte", "did you mean get?");
	bad("get", "services|backends|policies|endpointslices|nodes [NAME]");
	bad("get servces", "did you mean services?");
	bad("get nonsense", "junctor get services|backends|policies");
	bad("get services a b", "\"b\"");
	bad("''", "the verb is empty");
	bad("get ''", "the kind behind get is empty");
	bad("get services ''", "the name behind services is empty");
	bad("get services ''", "leave it out");
	bad("delete service ''", "the name behind service is empty");
	bad("describe service ''", "give one (");
	bad("status ''", "one word too many");
	bad("apply", "-f FILE|-");
	bad("apply -f", "--filename FILE|-");
	bad("apply -f ''", "is empty");
	bad("apply file.json", "file.json");
	bad("get services -o yaml", "json or name");
	bad("get services -o ''", "json or name");
	bad("status -o name", "leave -o out");
	bad("status -n red", "--namespace");
	bad("status extra", "extra");
	bad("get services --nonsense", "--nonsense");
	bad("get services --sockets /s", "did you mean --socket?");
	bad("get services -x", "-x");
	bad("get services --help=yes", "takes no value");
	bad("get services -hx", "takes no value");
	bad("delete service", "delete service|policy|endpointslice|node NAME");
	bad("delete backends web", "backends");
	bad("describe service", "NAME");
	bad("describe policy web", "policy");
	bad("--socket", "--socket PATH");
	bad("get services --socket=", "is empty");
	bad("get services -n ''", "is empty");
	bad("get services -f x", "--filename");
	bad("cleanup extra", "extra");
}

static void test_numbers(void **state)
{
	static const char *const texts[] = { "-1",
					     "+1",
					     "soon",
					     "1s",
					     "0x10",
					     " 1",
					     "1.5",
					     "3601",
					     "1e3",
					     "''",
					     "18446744073709551616" };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++) {
		char line[64];

		(void)snprintf(line, sizeof(line), "wait --timeout %s", texts[i]);
		bad(line, "--timeout");
	}
	bad("wait --generation 18446744073709551616", "--generation");
	bad("wait --generation -1", "--generation");
	bad("wait --generation soon", "--generation");
}

static void test_help_names_everything(void **state)
{
	static const char *const words[] = { ("get services|backends|policies|endpointslices|nodes "
					      "[NAME]"),
					     "describe service NAME",
					     "apply -f FILE|-\n",
					     "delete service|policy|endpointslice|node NAME",
					     "status [--offline] [--pin-dir DIR] [-o json]\n",
					     ("trace --to IP:PORT [--udp] [--from IP] [--netns "
					      "NAME] "
					      "[--pin-dir DIR] [-o json]\n"),
					     ("sysdump [-f FILE|-] [--pin-dir DIR] [--state-dir "
					      "DIR] "
					      "[--cgroup DIR]\n"),
					     "wait [--generation N] [--timeout S]\n",
					     "cleanup [--pin-dir DIR] [--cgroup DIR]\n",
					     "[-o json|name]",
					     "--socket PATH",
					     "--help",
					     "--version",
					     "7 timed out" };
	JN_AUTO(jn_buffer_done) struct jn_buffer all = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer one = { 0 };

	(void)state;
	jn_command_help(NULL, &all);
	for (size_t i = 0; i < JN_COUNT(words); i++) {
		if (!strstr(jn_buffer_text(&all), words[i]))
			fail_msg("no \"%s\" in the help", words[i]);
	}
	jn_command_help(good("wait").verb, &one);
	assert_non_null(strstr(jn_buffer_text(&one), "--timeout"));
	assert_null(strstr(jn_buffer_text(&one), "--pin-dir"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_flags_stand_anywhere),
		cmocka_unit_test(test_flags_of_verbs),
		cmocka_unit_test(test_help_wins),
		cmocka_unit_test(test_usage_errors),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_help_names_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
