/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor cleanup: runs `junctord --offline cleanup`, because the kernel's side is junctord's alone.
 * It is the junctord that lies beside this program, or else the one in PATH.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "cli/cli.h"
#include "cli/text.h"

#define DAEMON "junctord"
#define MAX_WORDS 8
#define NOT_FOUND 127 /* what the child says when it could not become junctord */

static void close_file(FILE **file)
{
	if (*file)
		(void)fclose(*file); /* it was only read */
}

static void build_words(const struct jn_command *command, const char *words[MAX_WORDS])
{
	unsigned count = 0;

	words[count++] = DAEMON;
	words[count++] = "--offline";
	words[count++] = "cleanup";
	if (command->pin_dir) {
		words[count++] = "--pin-dir";
		words[count++] = command->pin_dir;
	}
	if (command->cgroup) {
		words[count++] = "--cgroup";
		words[count++] = command->cgroup;
	}
	words[count] = NULL;
}
_Static_assert(MAX_WORDS >= 8, "three words, two flags with values, and the end");

/* In the child. Does not return. */
static void become_daemon(const char *const *words, int said)
{
	char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - sizeof(DAEMON));
	char *slash;

	if (dup2(said, STDERR_FILENO) < 0)
		_exit(NOT_FOUND);
	if (size > 0) {
		path[size] = '\0';
		slash = strrchr(path, '/');
		memcpy(slash ? slash + 1 : path, DAEMON, sizeof(DAEMON));
		(void)execv(path, (char *const *)words); /* not there: the next one */
	}
	(void)execvp(DAEMON, (char *const *)words);
	_exit(NOT_FOUND);
}

/* What junctord says, in this program's name. */
static void repeat(FILE *said)
{
	JN_AUTO(jn_free_mem) char *line = NULL;
	size_t room = 0;
	ssize_t size;

	while ((size = getline(&line, &room, said)) > 0) {
		bool has_name = !strncmp(line, DAEMON ": ", strlen(DAEMON ": "));

		if (line[size - 1] == '\n')
			line[size - 1] = '\0';
		jn_text_say("%s", has_name ? line + strlen(DAEMON ": ") : line);
	}
}

static int fail(const char *what, int error)
{
	jn_text_say("%s (%s); nothing was done, try again", what, strerror(error));
	return JN_EXIT_FAILED;
}

static int await(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return fail("the end of " DAEMON " cannot be awaited", errno);
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return JN_EXIT_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		jn_text_say("there is no " DAEMON " beside junctor, nor in PATH; install it");
	else if (WIFSIGNALED(status))
		jn_text_say(DAEMON " ended by signal %d; look at the kernel's log",
			    WTERMSIG(status));
	return JN_EXIT_FAILED;
}

int jn_cli_cleanup(const struct jn_command *command)
{
	JN_AUTO(jn_close_fd) int reader = -1;
	JN_AUTO(jn_close_fd) int writer = -1;
	JN_AUTO(close_file) FILE *said = NULL;
	const char *words[MAX_WORDS];
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fail("no pipe", errno);
	reader = ends[0];
	writer = ends[1];
	said = fdopen(reader, "r");
	if (!said)
		return fail("no stream", errno);
	(void)jn_move_fd(&reader); /* it is the stream's now */
	build_words(command, words);
	child = fork();
	if (child < 0)
		return fail("no further process", errno);
	if (!child)
		become_daemon(words, writer);
	jn_close_fd(&writer);
	repeat(said);
	return await(child);
}
