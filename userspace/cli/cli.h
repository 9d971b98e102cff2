/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the verbs of junctor are and how they end. Each says on stderr why it failed, writes what it
 * found to stdout, and returns an exit code.
 */
#ifndef JUNCTOR_CLI_CLI_H
#define JUNCTOR_CLI_CLI_H

#include "cli/command.h"

enum jn_exit {
	JN_EXIT_OK = 0,
	JN_EXIT_FAILED = 1,
	JN_EXIT_USAGE = 2,
	JN_EXIT_UNREACHABLE = 3, /* no junctord answers */
	JN_EXIT_NOT_FOUND = 4,
	JN_EXIT_REJECTED = 5, /* junctord refused it; nothing was applied */
	JN_EXIT_DEGRADED = 6, /* it serves, but something is wrong */
	JN_EXIT_TIMED_OUT = 7
};

int jn_cli_get(const struct jn_command *command);
int jn_cli_describe(const struct jn_command *command);
int jn_cli_apply(const struct jn_command *command);
int jn_cli_delete(const struct jn_command *command);
int jn_cli_status(const struct jn_command *command);
int jn_cli_verify(const struct jn_command *command);
int jn_cli_status_offline(const struct jn_command *command); /* with --offline */
int jn_cli_wait(const struct jn_command *command);
int jn_cli_doctor(const struct jn_command *command);
int jn_cli_sysdump(const struct jn_command *command);
int jn_cli_trace(const struct jn_command *command);
int jn_cli_cleanup(const struct jn_command *command);

#endif
