/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The command line of junctord. One table of flags for getopt_long; what a flag's text must look
 * like is checked by the same functions that check the configuration file.
 */
#include "daemon/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "proto/field.h"

enum flag {
	FLAG_CONFIG = 256, /* above every character, so that no short flag has these values */
	FLAG_SOCKET,
	FLAG_CGROUP,
	FLAG_PIN_DIR,
	FLAG_STATE_DIR,
	FLAG_NODE_NAME,
	FLAG_SERVICES_DIR,
	FLAG_LOG_LEVEL,
	FLAG_CHECK,
	FLAG_OFFLINE,
	FLAG_TO,
	FLAG_FROM,
	FLAG_NETNS,
	FLAG_UDP,
	FLAG_VERSION,
	FLAG_HELP
};

static const struct option flags[] = {
	{ "config", required_argument, NULL, FLAG_CONFIG },
	{ "socket", required_argument, NULL, FLAG_SOCKET },
	{ "cgroup", required_argument, NULL, FLAG_CGROUP },
	{ "pin-dir", required_argument, NULL, FLAG_PIN_DIR },
	{ "state-dir", required_argument, NULL, FLAG_STATE_DIR },
	{ "node-name", required_argument, NULL, FLAG_NODE_NAME },
	{ "services-dir", required_argument, NULL, FLAG_SERVICES_DIR },
	{ "log-level", required_argument, NULL, FLAG_LOG_LEVEL },
	{ "check", no_argument, NULL, FLAG_CHECK },
	{ "offline", required_argument, NULL, FLAG_OFFLINE },
	{ "to", required_argument, NULL, FLAG_TO },
	{ "from", required_argument, NULL, FLAG_FROM },
	{ "netns", required_argument, NULL, FLAG_NETNS },
	{ "udp", no_argument, NULL, FLAG_UDP },
	{ "version", no_argument, NULL, FLAG_VERSION },
	{ "help", no_argument, NULL, FLAG_HELP },
	{ 0 },
};

const char *jn_options_usage(void)
{
	return "Usage: junctord [FLAGS]                  serve in the foreground\n"
	       "       junctord --check [--config FILE]  validate the configuration\n"
	       "       junctord --offline VERB           what junctor calls it for\n"
	       "\n"
	       "Flags (each but those from --config on is also a key of the configuration file):\n"
	       "  --socket PATH      control socket (" JN_DEFAULT_SOCKET ")\n"
	       "  --cgroup DIR       balance sockets of this cgroup and below (all of cgroup2)\n"
	       "  --pin-dir DIR      folder of the kernel tables (" JN_DEFAULT_PIN_DIR ")\n"
	       "  --state-dir DIR    folder of the declared state (" JN_DEFAULT_STATE_DIR ")\n"
	       "  --node-name NAME   the Node object that this machine is (its host name)\n"
	       "  --services-dir DIR folder of files that declare (" JN_DEFAULT_SERVICES_DIR ")\n"
	       "  --log-level LEVEL  error, warning, info or debug (info)\n"
	       "  --config FILE      configuration (" JN_DEFAULT_CONFIG ", if it exists)\n"
	       "  --check            validate the configuration and exit\n"
	       "  --offline VERB     cleanup: remove links, tables and pins, declared state "
	       "stays;\n"
	       "                     status, sysdump, trace: what the kernel holds;\n"
	       "                     doctor: can junctor work here\n"
	       "  --to, --from, --netns, --udp  of --offline trace; see junctor trace\n"
	       "  --version          print the version and exit\n"
	       "  --help             print this text and exit\n";
}

/* A usage error: what the message says about `text`, a flag or its value. */
static int refuse(struct jn_error *err, const char *text, const char *what)
{
	return jn_error_set(err, -EINVAL, JN_ERROR_INVALID, "%s %s", text, what);
}

static int set_task(struct jn_options *options, enum jn_task task, struct jn_error *err)
{
	if (options->task != JN_TASK_SERVE && options->task != task)
		return refuse(err, "--check and --offline", "are two tasks; choose one");
	options->task = task;
	return 0;
}

static int set_path(char **field, const char *flag, const char *text, struct jn_error *err)
{
	char *copy;

	if (!*text)
		return refuse(err, flag, "needs a path");
	copy = strdup(text);
	if (!copy)
		return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
				    "out of memory; give junctord more and start it again");
	free(*field);
	*field = copy;
	return 0;
}

static int set_node_name(char **field, const char *text, struct jn_error *err)
{
	if (!jn_is_dns_name(text))
		return refuse(err, "--node-name", "needs " JN_DNS_NAME);
	return set_path(field, "--node-name", text, err);
}

static int take_offline(struct jn_options *out, const char *verb, struct jn_error *err)
{
	static const struct {
		const char *verb;
		enum jn_task task;
	} verbs[] = {
		{ "cleanup", JN_TASK_CLEANUP }, { "trace", JN_TASK_TRACE },
		{ "status", JN_TASK_STATUS },	{ "sysdump", JN_TASK_SYSDUMP },
		{ "doctor", JN_TASK_DOCTOR },
	};

	for (size_t i = 0; i < JN_COUNT(verbs); i++) {
		if (!strcmp(verbs[i].verb, verb))
			return set_task(out, verbs[i].task, err);
	}
	return refuse(err, "--offline", "takes cleanup, doctor, status, sysdump or trace");
}

static int take_question(struct jn_question *question, int flag, const char *text,
			 struct jn_error *err)
{
	if (flag == FLAG_UDP)
		question->is_udp = true;
	else if (!*text)
		return refuse(err, "--to, --from or --netns", "is empty; give it a value");
	if (flag == FLAG_TO)
		question->to = text;
	if (flag == FLAG_FROM)
		question->from = text;
	if (flag == FLAG_NETNS)
		question->netns = text;
	return 0;
}

/* A connection is asked about by trace, and by nobody else. */
static int check_question(const struct jn_options *options, struct jn_error *err)
{
	const struct jn_question *q = &options->question;
	bool is_asked = q->to || q->from || q->netns || q->is_udp;

	if (options->task == JN_TASK_TRACE && !q->to)
		return refuse(err, "--offline trace", "needs --to IP:PORT");
	if (options->task != JN_TASK_TRACE && is_asked)
		return refuse(err, "--to, --from, --netns and --udp", "belong to --offline trace");
	return 0;
}

static int take_flag(struct jn_options *out, int flag, const char *text, struct jn_error *err)
{
	struct jn_settings *s = &out->settings;

	switch (flag) {
	case FLAG_CONFIG:
		out->config = text;
		return *text ? 0 : refuse(err, "--config", "needs a path");
	case FLAG_SOCKET:
		return set_path(&s->socket, "--socket", text, err);
	case FLAG_CGROUP:
		return set_path(&s->cgroup, "--cgroup", text, err);
	case FLAG_PIN_DIR:
		return set_path(&s->pin_dir, "--pin-dir", text, err);
	case FLAG_STATE_DIR:
		return set_path(&s->state_dir, "--state-dir", text, err);
	case FLAG_NODE_NAME:
		return set_node_name(&s->node_name, text, err);
	case FLAG_SERVICES_DIR:
		return set_path(&s->services_dir, "--services-dir", text, err);
	case FLAG_LOG_LEVEL:
		s->has_log_level = true;
		if (jn_log_parse_level(text, &s->log_level) == 0)
			return 0;
		return refuse(err, "--log-level", "is one of error, warning, info, debug");
	case FLAG_CHECK:
		return set_task(out, JN_TASK_CHECK, err);
	case FLAG_OFFLINE:
		return take_offline(out, text, err);
	case FLAG_TO:
	case FLAG_FROM:
	case FLAG_NETNS:
	case FLAG_UDP:
		return take_question(&out->question, flag, text, err);
	default:
		return -EINVAL;
	}
}

/* What getopt_long stumbled over. */
static int refuse_flag(int argc_index, char **argv, int code, struct jn_error *err)
{
	char letter[] = { '-', (char)optopt, 0 };
	bool is_letter = optopt > 0 && optopt < FLAG_CONFIG;
	const char *text = is_letter ? letter : argv[argc_index];

	if (code == ':')
		return refuse(err, text, "needs a value");
	return refuse(err, text,
		      is_letter || !optopt ? "is not a flag of junctord" : "takes no value");
}

int jn_options_parse(int argc, char **argv, struct jn_options *out, struct jn_error *err)
{
	int flag, rc;

	out->argc = argc;
	out->argv = argv;
	optind = 0; /* glibc: start afresh, so that tests may parse more than once */
	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":", flags, NULL)) != -1) {
		if (flag == FLAG_HELP || flag == FLAG_VERSION) {
			out->task = flag == FLAG_HELP ? JN_TASK_HELP : JN_TASK_VERSION;
			return 0;
		}
		if (flag == ':' || flag == '?')
			return refuse_flag(optind - 1, argv, flag, err);
		rc = take_flag(out, flag, optarg, err);
		if (rc)
			return rc;
	}
	if (optind < argc)
		return refuse(err, argv[optind], "is not a flag; junctord takes flags only");
	return check_question(out, err);
}

static int set_default(char **field, const char *text, struct jn_error *err)
{
	return *field ? 0 : set_path(field, "", text, err);
}

/* As the kubelet has it: the host name, in small letters. One that is no name leaves it unset. */
static int default_node_name(char **field, struct jn_error *err)
{
	char name[HOST_NAME_MAX + 1] = "";

	if (*field || gethostname(name, sizeof(name)) != 0)
		return 0;
	name[HOST_NAME_MAX] = '\0';
	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return jn_is_dns_name(name) ? set_path(field, "", name, err) : 0;
}

static int complete_texts(struct jn_settings *s, struct jn_error *err)
{
	int rc = set_default(&s->socket, JN_DEFAULT_SOCKET, err);

	if (!rc)
		rc = set_default(&s->pin_dir, JN_DEFAULT_PIN_DIR, err);
	if (!rc)
		rc = set_default(&s->state_dir, JN_DEFAULT_STATE_DIR, err);
	if (!rc)
		rc = default_node_name(&s->node_name, err);
	return rc ? rc : set_default(&s->services_dir, JN_DEFAULT_SERVICES_DIR, err);
}

int jn_options_complete(struct jn_options *options, struct jn_error *err)
{
	struct jn_settings *s = &options->settings;
	int rc = 0, of_texts;

	if (options->config)
		rc = jn_config_read(options->config, s, err);
	else if (access(JN_DEFAULT_CONFIG, F_OK) == 0 || errno != ENOENT)
		rc = jn_config_read(JN_DEFAULT_CONFIG, s, err);
	if (!s->has_log_level)
		s->log_level = JN_LOG_INFO;
	of_texts = complete_texts(s, err);
	return of_texts ? of_texts : rc;
}

const char *jn_options_config(const struct jn_options *options)
{
	return options->config ? options->config : JN_DEFAULT_CONFIG;
}

void jn_options_print_faults(struct jn_error *err)
{
	if (err->message || err->cause_count < 2) {
		fprintf(stderr, "junctord: %s\n", jn_error_text(err));
		return;
	}
	for (unsigned i = 0; i < err->cause_count; i++)
		fprintf(stderr, "junctord: %s: %s\n", err->causes[i].field, err->causes[i].message);
}

void jn_options_done(struct jn_options *options)
{
	jn_settings_done(&options->settings);
}
