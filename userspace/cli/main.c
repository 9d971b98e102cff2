/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor, the command line tool: words -> verb -> exit code.
 */
#include <fcntl.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/version.h"
#include "cli/cli.h"
#include "cli/text.h"

/*
 * Without standard descriptors the control socket would become one of them. What is opened instead
 * cannot be written: output that goes nowhere is a failure.
 */
static void fill_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int help(const struct jn_command *command)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	if (command->wants_help)
		jn_command_help(command->verb, &text);
	else
		jn_buffer_add_text(&text, "junctor " JN_VERSION "\n");
	return jn_text_put(&text);
}

int main(int argc, char **argv)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_command command;

	fill_descriptors();
	if (jn_command_parse(argc, argv, &command, &err)) {
		jn_text_say("%s", jn_error_text(&err));
		return JN_EXIT_USAGE;
	}
	if (command.wants_help || command.wants_version)
		return help(&command);
	return jn_command_run(&command);
}
