/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For tests of the client: a server that speaks raw bytes, a thread on a real unix socket that
 * follows a script. What the bytes are and when they come is the script's.
 */
#ifndef JUNCTOR_TEST_CLIENT_HARNESS_H
#define JUNCTOR_TEST_CLIENT_HARNESS_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "client/client.h"

#define OK "HTTP/1.1 200 OK\r\n"
#define PATIENCE_MS 10000
#define BIG (8u << 20) /* more than any socket buffer takes */

/* --- the scripted server ----------------------------------------------------------------------- */

enum act {
	ACT_END,
	ACT_HEAR_HEAD,	/* read to the empty line, into `heard` */
	ACT_HEAR_ALL,	/* read to what Content-Length says */
	ACT_SAY,	/* write the text */
	ACT_SAY_SLOWLY, /* write it byte by byte, each in a message of its own */
	ACT_AWAIT_END,	/* read until the client has closed */
	ACT_FORGET,	/* what was heard: the next request starts afresh */
	ACT_NEXT	/* close this connection and accept the next one */
};

struct step {
	enum act act;
	const char *text;
};

static char folder[] = "/tmp/junctor-client-XXXXXX";
static char path[64];
static int listener = -1;
static struct jn_buffer heard; /* by the server, on this connection */
static unsigned connections;

static inline size_t body_size(size_t *head_size)
{
	const char *text = jn_buffer_text(&heard), *end = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, "Content-Length: ");

	if (!end)
		return SIZE_MAX;
	*head_size = (size_t)(end - text) + 4;
	return length && length < end ? strtoul(length + 16, NULL, 10) : 0;
}

static inline void hear(int fd, bool with_body)
{
	size_t head = 0, body;
	char c[65536];

	while ((body = body_size(&head)) == SIZE_MAX || (with_body && heard.size < head + body)) {
		ssize_t size = read(fd, c, with_body ? sizeof(c) : 1);

		if (size <= 0)
			return;
		jn_buffer_add(&heard, c, (size_t)size);
	}
}

static inline void say(int fd, const char *text, size_t piece)
{
	size_t size = strlen(text);

	for (size_t at = 0; at < size; at += piece) {
		if (piece > size - at)
			piece = size - at;
		if (send(fd, text + at, piece, MSG_NOSIGNAL) < 0)
			return;
	}
}

static inline void await_end(int fd)
{
	char c[65536];

	while (read(fd, c, sizeof(c)) > 0)
		;
}

static inline void *serve(void *arg)
{
	const struct step *step = arg;
	int fd = accept(listener, NULL, NULL);

	connections++;
	for (; fd >= 0 && step->act != ACT_END; step++) {
		if (step->act == ACT_HEAR_HEAD || step->act == ACT_HEAR_ALL)
			hear(fd, step->act == ACT_HEAR_ALL);
		else if (step->act == ACT_SAY || step->act == ACT_SAY_SLOWLY)
			say(fd, step->text, step->act == ACT_SAY ? SIZE_MAX : 1);
		else if (step->act == ACT_AWAIT_END)
			await_end(fd);
		if (step->act == ACT_FORGET || step->act == ACT_NEXT)
			jn_buffer_clear(&heard);
		if (step->act == ACT_NEXT) {
			close(fd);
			fd = accept(listener, NULL, NULL);
			connections++;
		}
	}
	if (fd >= 0)
		close(fd);
	return NULL;
}

static pthread_t server;
static struct jn_client *client;
static struct jn_answer answer;
static struct jn_error err;

static inline void start(const struct step *script)
{
	jn_buffer_clear(&heard);
	connections = 0;
	assert_int_equal(pthread_create(&server, NULL, serve, (void *)script), 0);
	assert_int_equal(jn_client_open(path, &client, &err), 0);
}

static inline void stop(void)
{
	jn_client_close(&client);
	jn_answer_done(&answer);
	jn_error_done(&err);
	pthread_join(server, NULL);
}

static inline int ask(const char *method, const char *target, unsigned timeout_ms)
{
	struct jn_request request = { .method = method,
				      .target = target,
				      .timeout_ms = timeout_ms };

	return jn_client_request(client, &request, &answer, &err);
}

static inline int get(const char *target)
{
	jn_answer_done(&answer);
	return ask("GET", target, PATIENCE_MS);
}

/* GET against this script; checks status and body. */
static inline void expect(const struct step *script, int status, const char *body)
{
	start(script);
	assert_int_equal(get("/x"), 0);
	assert_int_equal(answer.status, status);
	assert_string_equal(jn_buffer_text(&answer.body), body);
	stop();
}

static inline void expect_failure(const struct step *script, int rc, enum jn_error_kind kind,
				  const char *word)
{
	start(script);
	assert_int_equal(get("/x"), rc);
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(jn_error_text(&err), path));
	assert_non_null(strstr(jn_error_text(&err), word));
	assert_null(answer.body.data);
	stop();
}

static inline int set_up(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/control", folder);
	memcpy(address.sun_path, path, strlen(path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 8);
}

static inline int tear_down(void **state)
{
	(void)state;
	jn_close_fd(&listener);
	jn_buffer_done(&heard);
	(void)unlink(path);
	return rmdir(folder);
}

#endif
