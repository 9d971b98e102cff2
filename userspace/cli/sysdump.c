/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor sysdump: one tar archive with all that somebody needs who was not there. What junctord says
 * of itself while it answers, and what `junctord --offline sysdump` reads whether it does or not. It
 * is bounded in bytes and in time, and what it leaves out it names.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/tar.h"
#include "cli/ask.h"
#include "cli/offline.h"
#include "cli/text.h"

#define MAX_OFFLINE_BYTES (9 << 20)
#define MAX_ANSWER_BYTES (384 << 10) /* of each of junctord's answers */
#define ANSWER_MS 500
#define OFFLINE_MS 4000 /* it gives itself three seconds */
#define LOG_MS 1000
#define LOG_LINES "1000"

static const char *const about[] = {
	"What junctor sysdump has collected:",
	"",
	"  status.json, metrics.txt   what junctord said; control.txt: why it said nothing",
	"  machine.json               kernel, folders",
	"  hooks.jsonl                whose programs run at the hooks",
	"  objects.jsonl              what is declared; junctor apply -f declares it again",
	"  offline-status.json        what the kernel holds",
	"  tables/                    the same, entry by entry",
	"  log.txt                    the last lines of junctord's log, where systemd keeps it",
	"",
	"Annotations, and what follows a ? in the path of a probe, are redacted. Names and",
	"addresses are not. Clients are not in it.",
};

static void add_file(struct jn_buffer *out, const char *name, struct jn_buffer *content)
{
	jn_tar_add(out, name, content, (uint64_t)time(NULL));
}

/* What is too long ends with the last line that fits. */
static void cut(struct jn_buffer *text)
{
	static const char note[] = "(cut here)\n";

	if (text->size <= MAX_ANSWER_BYTES)
		return;
	text->size = MAX_ANSWER_BYTES - sizeof(note);
	while (text->size && text->data[text->size - 1] != '\n')
		text->size--;
	jn_buffer_add_text(text, note);
}

static int add_answer(struct jn_buffer *out, struct jn_client *client, const char *target,
		      const char *name)
{
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	struct jn_request request = { .method = "GET", .target = target, .timeout_ms = ANSWER_MS };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_client_request(client, &request, &answer, &err);

	if (rc) {
		jn_buffer_clear(&answer.body);
		jn_buffer_printf(&answer.body, "%s\n", jn_error_text(&err));
	}
	cut(&answer.body);
	add_file(out, name, &answer.body);
	return rc;
}

static void add_answers(struct jn_buffer *out, const char *socket)
{
	JN_AUTO(jn_client_close) struct jn_client *client = NULL;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	if (jn_client_open_within(socket, ANSWER_MS, &client, &err)) {
		jn_buffer_printf(&text, "%s\n", jn_error_text(&err));
		add_file(out, "control.txt", &text);
		return;
	}
	if (!add_answer(out, client, "/v1/status", "status.json"))
		(void)add_answer(out, client, "/metrics", "metrics.txt");
}

/* Elsewhere whoever started junctord has its log. */
static void add_log(struct jn_buffer *out)
{
	struct jn_offline call = jn_offline_program("journalctl");
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	if (access("/run/systemd/system", F_OK) != 0)
		return;
	call.timeout_ms = LOG_MS;
	jn_offline_add(&call, "--unit", "junctord");
	jn_offline_add(&call, "--lines", LOG_LINES);
	jn_offline_add_word(&call, "--no-pager");
	(void)jn_offline_run(&call, &text, MAX_ANSWER_BYTES); /* whatever there is of it */
	add_file(out, "log.txt", &text);
}

static int write_all(int fd, const struct jn_buffer *data)
{
	size_t done = 0;

	while (done < data->size) {
		ssize_t size = write(fd, data->data + done, data->size - done);

		if (size < 0 && errno != EINTR)
			return -errno;
		done += size > 0 ? (size_t)size : 0;
	}
	return 0;
}

static int fail(const char *path, int error)
{
	jn_text_say("%s cannot be written (%s); choose another file with -f", path,
		    strerror(error));
	return JN_EXIT_FAILED;
}

/* Only for who may read it all: root. */
static int save(const char *path, const struct jn_buffer *archive)
{
	JN_AUTO(jn_close_fd)
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return fail(path, errno);
	rc = write_all(fd, archive);
	if (rc) {
		(void)unlink(path); /* half of it is of no use */
		return fail(path, -rc);
	}
	printf("%s: %zu bytes\n", path, archive->size);
	return JN_EXIT_OK;
}

static int put(const char *file, const struct jn_buffer *archive)
{
	char name[64];
	time_t now = time(NULL);
	struct tm utc;

	if (file && !strcmp(file, "-"))
		return write_all(STDOUT_FILENO, archive) ? fail("standard output", errno)
							 : JN_EXIT_OK;
	if (file)
		return save(file, archive);
	(void)strftime(name, sizeof(name), "junctor-sysdump-%Y%m%d-%H%M%S.tar",
		       gmtime_r(&now, &utc));
	return save(name, archive);
}

int jn_cli_sysdump(const struct jn_command *command)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer archive = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer offline = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	struct jn_offline call = jn_offline_of("sysdump");
	int code;

	jn_offline_add(&call, "--pin-dir", command->pin_dir);
	jn_offline_add(&call, "--state-dir", command->state_dir);
	jn_offline_add(&call, "--cgroup", command->cgroup);
	call.timeout_ms = OFFLINE_MS;
	code = jn_offline_run(&call, &offline, MAX_OFFLINE_BYTES);
	if (code)
		return code;
	for (size_t i = 0; i < JN_COUNT(about); i++)
		jn_buffer_printf(&text, "%s\n", about[i]);
	add_file(&archive, "README.txt", &text);
	add_answers(&archive, command->socket);
	add_log(&archive);
	jn_buffer_add(&archive, offline.data, offline.size);
	jn_tar_end(&archive);
	if (jn_buffer_failed(&archive)) {
		jn_text_say("out of memory; free some");
		return JN_EXIT_FAILED;
	}
	return put(command->file, &archive);
}
