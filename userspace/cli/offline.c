/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A child that becomes junctord, and what is heard of it. It does NOT know what it is asked.
 */
#include "cli/offline.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/text.h"

#define DAEMON "junctord"
#define NOT_FOUND 127 /* what the child says when it could not become junctord */
#define MAX_COMPLAINT 65536
#define MAX_JSON 1048576
#define CHUNK 65536

struct jn_offline jn_offline_of(const char *verb)
{
	return (struct jn_offline){ .words = { DAEMON, "--offline", verb }, .count = 3 };
}

struct jn_offline jn_offline_program(const char *name)
{
	return (struct jn_offline){ .words = { name }, .count = 1 };
}

void jn_offline_add_word(struct jn_offline *call, const char *word)
{
	assert(call->count < JN_MAX_OFFLINE_WORDS);
	call->words[call->count++] = word;
}

void jn_offline_add(struct jn_offline *call, const char *flag, const char *value)
{
	if (!value)
		return;
	jn_offline_add_word(call, flag);
	jn_offline_add_word(call, value);
}

/* The one that lies beside this program, if there is one. */
static void become_neighbour(const struct jn_offline *call)
{
	char path[PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", path, sizeof(path) - sizeof(DAEMON));
	char *slash;

	if (size <= 0)
		return;
	path[size] = '\0';
	slash = strrchr(path, '/');
	memcpy(slash ? slash + 1 : path, DAEMON, sizeof(DAEMON));
	(void)execv(path, (char *const *)call->words); /* not there: the next one */
}

/* In the child. Does not return. */
static void become(const struct jn_offline *call, int printed, int said)
{
	if (dup2(said, STDERR_FILENO) < 0 || (printed >= 0 && dup2(printed, STDOUT_FILENO) < 0))
		_exit(NOT_FOUND);
	if (!strcmp(call->words[0], DAEMON))
		become_neighbour(call);
	(void)execvp(call->words[0], (char *const *)call->words);
	_exit(NOT_FOUND);
}

/* --- listening ----------------------------------------------------------------------------------- */

/* One end of a pipe that a buffer is filled from. */
struct ear {
	int fd;
	struct jn_buffer *out;
	size_t max;
};

/* 0: there may be more; 1: that was all. */
static int hear(struct ear *ear)
{
	char piece[CHUNK];
	ssize_t size = read(ear->fd, piece, sizeof(piece));

	if (size < 0 && errno == EINTR)
		return 0;
	if (size <= 0)
		return 1;
	if (ear->out->size + (size_t)size > ear->max)
		return -EFBIG;
	jn_buffer_add(ear->out, piece, (size_t)size);
	return 0;
}

/* Both until they end: a child that waits for a reader would wait for ever. */
static int listen_to(struct ear ears[2], unsigned timeout_ms)
{
	uint64_t end_ms = jn_clock_ms() + timeout_ms;
	struct pollfd polls[2];
	unsigned open = (ears[0].fd >= 0) + (ears[1].fd >= 0);
	int rc = 0;

	for (unsigned i = 0; i < 2; i++)
		polls[i] = (struct pollfd){ .fd = ears[i].fd, .events = POLLIN };
	while (open && rc >= 0) {
		uint64_t now_ms = jn_clock_ms();

		if (timeout_ms && now_ms >= end_ms)
			return -ETIMEDOUT;
		if (poll(polls, 2, timeout_ms ? (int)(end_ms - now_ms) : -1) < 0) {
			if (errno != EINTR)
				return -errno;
			continue; /* what is in polls is of the time before */
		}
		for (unsigned i = 0; i < 2 && rc >= 0; i++) {
			rc = polls[i].fd >= 0 && polls[i].revents ? hear(&ears[i]) : 0;
			if (rc == 1) {
				polls[i].fd = -1;
				open--;
			}
		}
	}
	return rc < 0 ? rc : 0;
}

/* What junctord says, in this program's name. */
static void repeat(struct jn_buffer *said)
{
	char *text = (char *)(uintptr_t)jn_buffer_text(said), *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		bool has_name = !strncmp(line, DAEMON ": ", strlen(DAEMON ": "));

		jn_text_say("%s", has_name ? line + strlen(DAEMON ": ") : line);
	}
}

/* --- running ------------------------------------------------------------------------------------- */

static int fail(const char *what, int error)
{
	jn_text_say("%s (%s); nothing was done, try again", what, strerror(error));
	return JN_EXIT_FAILED;
}

static int await(pid_t child, const char *name)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return fail("its end cannot be awaited", errno);
	}
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return JN_EXIT_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_FOUND)
		jn_text_say("there is no %s beside junctor, nor in PATH; install it", name);
	else if (WIFSIGNALED(status))
		jn_text_say("%s ended by signal %d; look at the kernel's log", name,
			    WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == JN_EXIT_USAGE ? JN_EXIT_USAGE
									 : JN_EXIT_FAILED;
}

static int open_pipe(int *reader, int *writer)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*reader = ends[0];
	*writer = ends[1];
	return 0;
}

int jn_offline_run(const struct jn_offline *call, struct jn_buffer *out, size_t max)
{
	JN_AUTO(jn_close_fd) int say_reader = -1;
	JN_AUTO(jn_close_fd) int say_writer = -1;
	JN_AUTO(jn_close_fd) int print_reader = -1;
	JN_AUTO(jn_close_fd) int print_writer = -1;
	JN_AUTO(jn_buffer_done) struct jn_buffer said = { 0 };
	int rc = open_pipe(&say_reader, &say_writer), code;
	struct ear ears[2];
	pid_t child;

	if (!rc && out)
		rc = open_pipe(&print_reader, &print_writer);
	if (rc)
		return fail("no pipe", -rc);
	child = fork();
	if (child < 0)
		return fail("no further process", errno);
	if (!child)
		become(call, print_writer, say_writer);
	jn_close_fd(&say_writer);
	jn_close_fd(&print_writer);
	ears[0] = (struct ear){ say_reader, &said, MAX_COMPLAINT };
	ears[1] = (struct ear){ print_reader, out ? out : &said, max };
	rc = listen_to(ears, call->timeout_ms);
	if (rc && out)
		(void)kill(child, SIGKILL); /* it only looks; whom nobody hears need not go on */
	jn_close_fd(&say_reader);
	jn_close_fd(&print_reader);
	repeat(&said);
	code = await(child, call->words[0]);
	return rc && !code ? fail("what it says cannot be read", -rc) : code;
}

int jn_offline_ask(const struct jn_offline *call, struct jn_buffer *text, struct jn_json **out)
{
	int code = jn_offline_run(call, text, MAX_JSON);

	return code ? code : jn_ask_read(text->data, text->size, out);
}
