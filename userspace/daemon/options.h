/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this run of junctord is to do: the command line, then the configuration file for whatever
 * the command line left open, then the defaults. It reads; it changes nothing on the machine.
 */
#ifndef JUNCTOR_DAEMON_OPTIONS_H
#define JUNCTOR_DAEMON_OPTIONS_H

#include "base/error.h"
#include "base/paths.h"
#include "daemon/config.h"
#include "offline/offline.h"

#define JN_DEFAULT_CONFIG "/etc/junctor/junctord.yaml" /* read when it exists */
#define JN_DEFAULT_PIN_DIR "/sys/fs/bpf/junctor"
#define JN_DEFAULT_STATE_DIR "/var/lib/junctor"
#define JN_DEFAULT_SERVICES_DIR "/etc/junctor/services.d" /* read when it exists */

enum jn_task {
	JN_TASK_SERVE,
	JN_TASK_CHECK,	 /* --check: validate the configuration and say so */
	JN_TASK_CLEANUP, /* --offline cleanup */
	JN_TASK_TRACE,	 /* --offline trace */
	JN_TASK_STATUS,	 /* --offline status */
	JN_TASK_SYSDUMP, /* --offline sysdump */
	JN_TASK_DOCTOR,	 /* --offline doctor */
	JN_TASK_VERSION,
	JN_TASK_HELP
};

struct jn_options {
	enum jn_task task;
	int argc; /* the command line, for who reads it again */
	char **argv;
	const char *config; /* --config, from argv; NULL: the default file, if there is one */
	struct jn_settings settings;
	struct jn_question question; /* of --offline trace; texts of argv */
};

/*
 * Read the command line. Returns 0, or -EINVAL with err naming the flag: a usage error. *out must be
 * zeroed; jn_options_done frees it in both cases.
 */
int jn_options_parse(int argc, char **argv, struct jn_options *out, struct jn_error *err);

/*
 * Add what the configuration file and the defaults say about settings the command line left open.
 * Afterwards every text but settings.cgroup (NULL: the whole cgroup2 hierarchy) is set, and
 * settings.node_name where the host name is a DNS name.
 * Returns 0; -EINVAL or another negative errno with err naming file and line, and the same is set but
 * after -ENOMEM: what could be read of the file counts.
 */
int jn_options_complete(struct jn_options *options, struct jn_error *err);

/* The configuration that counts, whether it is there or not. */
const char *jn_options_config(const struct jn_options *options);

/* To standard error, each fault of a configuration on a line of its own. */
void jn_options_print_faults(struct jn_error *err);

void jn_options_done(struct jn_options *options);

/* What --help prints, and what follows a usage error. */
const char *jn_options_usage(void);

#endif
