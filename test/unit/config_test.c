/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file and the command line of junctord: what is taken, what is refused and with
 * which words, and which of the two wins.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "daemon/config.h"
#include "daemon/options.h"

static char path[64];

static void write_file(const char *text, size_t size)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/junctor-config-test.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

static int read_text(const char *text, struct jn_settings *settings, struct jn_error *err)
{
	write_file(text, strlen(text));
	return jn_config_read(path, settings, err);
}

/* The text is refused, at this line, with these words; and nothing was set but texts. */
static void assert_refused(const char *text, unsigned line, const char *words)
{
	JN_AUTO(jn_settings_done) struct jn_settings settings = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	char place[96];
	int rc = read_text(text, &settings, &err);

	if (rc != -EINVAL)
		fail_msg("taken, or another error (%d): %s", rc, text);
	(void)snprintf(place, sizeof(place), "%s:%u: ", path, line);
	if (strncmp(jn_error_text(&err), place, strlen(place)) != 0)
		fail_msg("not at line %u: %s", line, jn_error_text(&err));
	if (!strstr(jn_error_text(&err), words))
		fail_msg("says not '%s' but: %s", words, jn_error_text(&err));
	assert_false(settings.rules.count || settings.has_log_level ||
		     settings.has_no_guard_routes);
}

static void takes_every_key(void **state)
{
	JN_AUTO(jn_settings_done) struct jn_settings s = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	const struct jn_access_rule *rule;

	(void)state;
	assert_int_equal(read_text("# the whole file\n"
				   "socket: /run/a.sock\n"
				   "cgroup: \"/sys/fs/cgroup/part\"\n"
				   "pin-dir: /sys/fs/bpf/a\n"
				   "state-dir: /var/lib/a\n"
				   "node-name: node-1.example\n"
				   "services-dir: /etc/a.d\n"
				   "log-level: debug\n"
				   "guardRoutes: false\n"
				   "accessRules:\n"
				   "  - uid: 1000\n"
				   "    role: Write\n"
				   "    namespaces: [shop, web-2]\n"
				   "  - {gid: 0, role: Admin}\n",
				   &s, &err),
			 0);
	assert_string_equal(s.socket, "/run/a.sock");
	assert_string_equal(s.cgroup, "/sys/fs/cgroup/part");
	assert_string_equal(s.pin_dir, "/sys/fs/bpf/a");
	assert_string_equal(s.state_dir, "/var/lib/a");
	assert_string_equal(s.node_name, "node-1.example");
	assert_string_equal(s.services_dir, "/etc/a.d");
	assert_true(s.has_log_level);
	assert_int_equal(s.log_level, JN_LOG_DEBUG);
	assert_true(s.has_no_guard_routes);
	assert_int_equal(s.rules.count, 2);
	rule = &s.rules.items[0];
	assert_false(rule->is_group);
	assert_int_equal(rule->id, 1000);
	assert_int_equal(rule->role, JN_ROLE_WRITE);
	assert_int_equal(rule->namespace_count, 2);
	assert_string_equal(rule->namespaces[0], "shop");
	assert_string_equal(rule->namespaces[1], "web-2");
	rule = &s.rules.items[1];
	assert_true(rule->is_group);
	assert_int_equal(rule->id, 0);
	assert_int_equal(rule->role, JN_ROLE_ADMIN);
	assert_null(rule->namespaces);
}

static void takes_files_that_set_nothing(void **state)
{
	static const char *const texts[] = { "", "# only words\n", "{}\n", "accessRules: []\n",
					     "guardRoutes: true\n" };

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++) {
		JN_AUTO(jn_settings_done) struct jn_settings s = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		assert_int_equal(read_text(texts[i], &s, &err), 0);
		assert_null(s.socket);
		assert_int_equal(s.rules.count, 0);
	}
}

/* Who corrects a file sees all that is wrong with it at once. */
static void names_every_fault(void **state)
{
	static const struct {
		unsigned line;
		const char *words;
	} faults[] = { { 1, "must be an absolute path" },
		       { 2, "unknown key 'loglevel'" },
		       { 4, "role must be Read, Write or Admin" },
		       { 5, "names either a uid or a gid" },
		       { 6, "must be true or false" } };
	JN_AUTO(jn_settings_done) struct jn_settings s = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_int_equal(read_text("socket: run/a.sock\n"
				   "loglevel: info\n"
				   "accessRules:\n"
				   "  - {uid: 1, role: Reader}\n"
				   "  - {role: Read}\n"
				   "guardRoutes: 1\n",
				   &s, &err),
			 -EINVAL);
	assert_int_equal(err.cause_count, JN_COUNT(faults));
	for (size_t i = 0; i < JN_COUNT(faults); i++) {
		char place[96];

		(void)snprintf(place, sizeof(place), "%s:%u", path, faults[i].line);
		assert_string_equal(err.causes[i].field, place);
		assert_non_null(strstr(err.causes[i].message, faults[i].words));
	}
}

static void refuses_unknown_keys_and_names_the_likely_one(void **state)
{
	(void)state;
	assert_refused("socket: /a\npin_dir: /b\n", 2, "did you mean 'pin-dir'?");
	assert_refused("\nsockets: /a\n", 2, "did you mean 'socket'?");
	assert_refused("zzzzzzzzzz: 1\n", 1, "unknown key 'zzzzzzzzzz'");
	assert_refused("accessRules: [{user: 1, role: Read}]\n", 1, "unknown key 'user'");
	assert_refused("accessRules:\n- uid: 1\n  rule: Read\n", 3, "did you mean 'role'?");
	assert_refused("check: true\n", 1, "unknown key 'check'");
}

/* Whoever cleans up is not kept from it by a fault elsewhere. */
static void takes_the_right_texts_of_a_wrong_file(void **state)
{
	JN_AUTO(jn_settings_done) struct jn_settings s = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_int_equal(read_text("pin-dir: /sys/fs/bpf/a\nlog-level: loud\nsocket: 5\n", &s,
				   &err),
			 -EINVAL);
	assert_int_equal(err.cause_count, 2);
	assert_string_equal(s.pin_dir, "/sys/fs/bpf/a");
	assert_null(s.socket);
}

static void refuses_other_types(void **state)
{
	(void)state;
	assert_refused("- socket\n", 1, "must be a mapping");
	assert_refused("socket\n", 1, "must be a mapping");
	assert_refused("socket:\n", 1, "absolute path");
	assert_refused("socket: 5\n", 1, "absolute path");
	assert_refused("socket: run/a.sock\n", 1, "absolute path");
	assert_refused("state-dir: [/a]\n", 1, "absolute path");
	assert_refused("socket: {a: b}\n", 1, "absolute path");
	assert_refused("socket: \"/a\\0b\"\n", 1, "socket: this text holds a NUL");
	assert_refused("node-name: Node_1\n", 1, "DNS name");
	assert_refused("log-level: loud\n", 1, "error, warning, info or debug");
	assert_refused("node-name: 12\n", 1, "put a number in quotes");
	assert_refused("node-name: on\n", 1, "put the text in quotes");
	assert_refused("guardRoutes: no\n", 1, "true or false");
	assert_refused("guardRoutes: \"false\"\n", 1, "true or false");
	assert_refused("guardRoutes: [true]\n", 1, "true or false");
	assert_refused("? [socket]\n: /a\n", 1, "a key must be a word");
	assert_refused("accessRules: {uid: 0}\n", 1, "must be a list");
	assert_refused("accessRules:\n", 1, "must be a list");
	assert_refused("accessRules: [5]\n", 1, "must hold mappings");
}

static void refuses_bad_rules(void **state)
{
	(void)state;
	assert_refused("accessRules:\n  - role: Read\n", 2, "either a uid or a gid");
	assert_refused("accessRules:\n  - {uid: 1, gid: 1, role: Read}\n", 2, "either a uid or");
	assert_refused("accessRules:\n  - uid: 1\n", 2, "needs a role");
	assert_refused("accessRules: [{uid: 1, role: read}]\n", 1, "Read, Write or Admin");
	assert_refused("accessRules: [{uid: 1, role: None}]\n", 1, "Read, Write or Admin");
	assert_refused("accessRules: [{uid: www-data, role: Read}]\n", 1, "must be a number");
	assert_refused("accessRules: [{uid: \"1\", role: Read}]\n", 1, "must be a number");
	assert_refused("accessRules: [{uid: -1, role: Read}]\n", 1, "must be a number");
	assert_refused("accessRules: [{uid: 1.0, role: Read}]\n", 1, "must be a number");
	assert_refused("accessRules: [{uid: 4294967295, role: Read}]\n", 1, "at most 4294967294");
	assert_refused("accessRules: [{uid: 99999999999999999999999, role: Read}]\n", 1,
		       "accessRules[0].uid: this number does not fit");
	assert_refused("accessRules: [{uid: 1, role: Admin, namespaces: [a]}]\n", 1, "everywhere");
	assert_refused("accessRules: [{uid: 1, role: Write, namespaces: []}]\n", 1, "is empty");
	assert_refused("accessRules: [{uid: 1, role: Write, namespaces: a}]\n", 1,
		       "must be a list");
	assert_refused("accessRules: [{uid: 1, role: Write, namespaces: [A]}]\n", 1, "a-z");
	assert_refused("accessRules: [{uid: 1, role: Write, namespaces: [-a]}]\n", 1, "DNS label");
	assert_refused("accessRules: [{uid: 1, role: Write, namespaces: [[a]]}]\n", 1, "a-z");
}

static void refuses_duplicates(void **state)
{
	(void)state;
	assert_refused("socket: /a\nsocket: /a\n", 2, "socket: this key stands twice");
	assert_refused("accessRules: [{uid: 1, uid: 2, role: Read}]\n", 1,
		       "uid: this key stands twice");
	assert_refused("socket: /a\n---\nsocket: /b\n", 3, "a second document");
}

static void refuses_anchors_and_aliases(void **state)
{
	(void)state;
	assert_refused("socket: &a /a\ncgroup: *a\n", 1, "anchors");
	assert_refused("socket: /a\ncgroup: *a\n", 2, "anchors");
	assert_refused("&a socket: /a\n", 1, "anchors");
	assert_refused("accessRules: &a\n- *a\n", 1, "anchors");
	assert_refused("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n", 1, "anchors");
	assert_refused("socket: !!str /a\n", 1, "tags");
	assert_refused("<<: {socket: /a}\n", 1, "unknown key '<<'");
}

static void refuses_what_is_not_yaml(void **state)
{
	(void)state;
	assert_refused("socket: /a\n\tcgroup: /b\n", 2, "not YAML");
	assert_refused("socket: /a\ncgroup: \"/b\n", 3, "not YAML");
	assert_refused("socket: /a\n}\n", 2, "not YAML");
	assert_refused("socket: /\xff\n", 1, "not YAML");
}

static void refuses_files_that_cannot_be_read(void **state)
{
	JN_AUTO(jn_settings_done) struct jn_settings s = { 0 };
	JN_AUTO(jn_error_done) struct jn_error missing = { 0 };
	JN_AUTO(jn_error_done) struct jn_error folder = { 0 };
	JN_AUTO(jn_error_done) struct jn_error large = { 0 };
	JN_AUTO(jn_free_mem) char *spaces = malloc(JN_MAX_CONFIG_BYTES + 1);

	(void)state;
	assert_int_equal(jn_config_read("/nonexistent/a.yaml", &s, &missing), -ENOENT);
	assert_non_null(strstr(jn_error_text(&missing), "/nonexistent/a.yaml"));
	assert_int_equal(jn_config_read("/", &s, &folder), -EISDIR);
	assert_non_null(spaces);
	memset(spaces, ' ', JN_MAX_CONFIG_BYTES + 1);
	write_file(spaces, JN_MAX_CONFIG_BYTES + 1);
	assert_int_equal(jn_config_read(path, &s, &large), -EFBIG);
	write_file(spaces, JN_MAX_CONFIG_BYTES);
	assert_int_equal(jn_config_read(path, &s, &large), 0);
}

/* --- command line ----------------------------------------------------------------------------- */
#define PARSE(options, err, ...)                                                                   \
	parse_line((char *[]){ "junctord", __VA_ARGS__ },                                          \
		   JN_COUNT(((char *[]){ "junctord", __VA_ARGS__ })), options, err)

static int parse_line(char **words, size_t count, struct jn_options *out, struct jn_error *err)
{
	char *argv[16] = { 0 };

	assert_in_range(count, 1, JN_COUNT(argv) - 1);
	memcpy(argv, words, count * sizeof(*argv));
	return jn_options_parse((int)count, argv, out, err);
}

static void flags_win_over_the_file(void **state)
{
	JN_AUTO(jn_options_done) struct jn_options o = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	write_file("socket: /file\npin-dir: /pins\nlog-level: debug\nnode-name: b\n", 59);
	assert_int_equal(PARSE(&o, &err, "--socket", "flag", "--config", path, "--log-level=error",
			       "--node-name=a"),
			 0);
	assert_int_equal(jn_options_complete(&o, &err), 0);
	assert_int_equal(o.task, JN_TASK_SERVE);
	assert_string_equal(o.settings.socket, "flag");
	assert_string_equal(o.settings.pin_dir, "/pins");
	assert_string_equal(o.settings.state_dir, JN_DEFAULT_STATE_DIR);
	assert_string_equal(o.settings.node_name, "a");
	assert_null(o.settings.cgroup);
	assert_int_equal(o.settings.log_level, JN_LOG_ERROR);
}

static void a_file_that_was_named_must_exist(void **state)
{
	JN_AUTO(jn_options_done) struct jn_options o = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_int_equal(PARSE(&o, &err, "--config", "/nonexistent/a.yaml"), 0);
	assert_int_equal(jn_options_complete(&o, &err), -ENOENT);
}

static void tasks_are_told_apart(void **state)
{
	static const struct {
		char *words[3];
		size_t count;
		enum jn_task task;
	} cases[] = {
		{ { "junctord" }, 1, JN_TASK_SERVE },
		{ { "junctord", "--check" }, 2, JN_TASK_CHECK },
		{ { "junctord", "--offline", "cleanup" }, 3, JN_TASK_CLEANUP },
		{ { "junctord", "--version" }, 2, JN_TASK_VERSION },
		{ { "junctord", "--help" }, 2, JN_TASK_HELP },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_options_done) struct jn_options o = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		assert_int_equal(parse_line((char **)cases[i].words, cases[i].count, &o, &err), 0);
		assert_int_equal(o.task, cases[i].task);
	}
}

static void usage_errors_name_the_flag(void **state)
{
	static const struct {
		char *words[4];
		size_t count;
		const char *message;
	} cases[] = {
		{ { "junctord", "--sokket", "/a" }, 3, "--sokket is not a flag of junctord" },
		{ { "junctord", "-x" }, 2, "-x is not a flag of junctord" },
		{ { "junctord", "--socket" }, 2, "--socket needs a value" },
		{ { "junctord", "--socket", "" }, 3, "--socket needs a path" },
		{ { "junctord", "--config=" }, 2, "--config needs a path" },
		{ { "junctord", "--check=yes" }, 2, "--check=yes takes no value" },
		{ { "junctord", "--node-name", "a b" }, 3, "--node-name needs a DNS name" },
		{ { "junctord", "--log-level", "loud" }, 3, "--log-level is one of" },
		{ { "junctord", "--offline", "sleep" }, 3, "--offline takes cleanup" },
		{ { "junctord", "--offline", "trace" }, 3, "--offline trace needs --to" },
		{ { "junctord", "--to", "1.2.3.4:5" }, 3, "belong to --offline trace" },
		{ { "junctord", "--offline", "status", "--udp" }, 4, "belong to --offline trace" },
		{ { "junctord", "--check", "--offline", "cleanup" }, 4, "two tasks" },
		{ { "junctord", "start" }, 2, "start is not a flag" },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		JN_AUTO(jn_options_done) struct jn_options o = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };

		assert_int_equal(parse_line((char **)cases[i].words, cases[i].count, &o, &err),
				 -EINVAL);
		if (!strstr(jn_error_text(&err), cases[i].message))
			fail_msg("'%s' is not in: %s", cases[i].message, jn_error_text(&err));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_key),
		cmocka_unit_test(takes_files_that_set_nothing),
		cmocka_unit_test(names_every_fault),
		cmocka_unit_test(refuses_unknown_keys_and_names_the_likely_one),
		cmocka_unit_test(takes_the_right_texts_of_a_wrong_file),
		cmocka_unit_test(refuses_other_types),
		cmocka_unit_test(refuses_bad_rules),
		cmocka_unit_test(refuses_duplicates),
		cmocka_unit_test(refuses_anchors_and_aliases),
		cmocka_unit_test(refuses_what_is_not_yaml),
		cmocka_unit_test(refuses_files_that_cannot_be_read),
		cmocka_unit_test(flags_win_over_the_file),
		cmocka_unit_test(a_file_that_was_named_must_exist),
		cmocka_unit_test(tasks_are_told_apart),
		cmocka_unit_test(usage_errors_name_the_flag),
	};

	return cmocka_run_group_tests_name("config", tests, setup, teardown);
}
