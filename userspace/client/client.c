/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The connection and the exchange of bytes: sends and receives at the same time, because a refusal
 * may come while the body is still being sent. What an answer looks like is parse.c's business.
 *
 *	unconnected ──request──> exchanging ──answer, and it may be kept──> connected
 *	     ^                        │
 *	     └──failure, or an answer that closes, or came before the body's end
 *
 * It does NOT send a request twice: whoever did not get an answer does not know what was done.
 */
#include "client/client.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/auto.h"
#include "base/clock.h"
#include "client/parse.h"

#define CONNECT_MS 5000 /* a junctord whose queue of new clients stays full that long is stuck */
#define READ_BYTES 65536

struct jn_client {
	int fd; /* -1: unconnected */
	char *path;
	unsigned connect_ms;
	struct jn_parser parser;
};

/* One request on its way. */
struct exchange {
	struct jn_buffer head;
	const char *body;
	size_t body_size, sent; /* of head and body together */
	bool is_deaf;		/* the other side takes nothing more */
	uint64_t moved_ms;	/* when something was last sent or received */
	unsigned timeout_ms;
};

/* --- connecting -------------------------------------------------------------------------------- */

static int refuse_connection(const char *path, int rc, struct jn_error *err)
{
	const char *remedy = "start it, or name its socket with --socket; `junctor status "
			     "--offline` tells what the kernel serves meanwhile";

	if (rc == -EACCES || rc == -EPERM)
		remedy = "become root or a member of group junctor";
	else if (rc == -EAGAIN)
		remedy = "it is stopped, stuck or overrun; look at its log, and at "
			 "`junctor status --offline`";
	else if (rc == -ENAMETOOLONG)
		remedy = "give a path of at most 107 bytes";
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE, "no junctord answers at %s (%s): %s",
			    path, strerror(-rc), remedy);
}

static int dial(const char *path, unsigned timeout_ms, int *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = timeout_ms / 1000,
				    .tv_usec = timeout_ms % 1000 * 1000 };
	JN_AUTO(jn_close_fd) int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	*out = jn_move_fd(&fd);
	return 0;
}

static int reconnect(struct jn_client *client, struct jn_error *err)
{
	int rc = client->fd < 0 ? dial(client->path, client->connect_ms, &client->fd) : 0;

	return rc ? refuse_connection(client->path, rc, err) : 0;
}

int jn_client_open_within(const char *socket_path, unsigned timeout_ms, struct jn_client **out,
			  struct jn_error *err)
{
	JN_AUTO(jn_client_close) struct jn_client *client = calloc(1, sizeof(*client));
	int rc;

	if (client) {
		client->fd = -1;
		client->connect_ms = timeout_ms;
		client->path = strdup(socket_path);
	}
	if (!client || !client->path)
		return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
				    "out of memory; free some and try again");
	rc = reconnect(client, err);
	if (!rc)
		*out = JN_MOVE(client);
	return rc;
}

int jn_client_open(const char *socket_path, struct jn_client **out, struct jn_error *err)
{
	return jn_client_open_within(socket_path, CONNECT_MS, out, err);
}

void jn_client_close(struct jn_client **client)
{
	struct jn_client *c = JN_MOVE(*client);

	if (!c)
		return;
	jn_close_fd(&c->fd);
	free(c->path);
	free(c);
}

/* --- one exchange ------------------------------------------------------------------------------ */

static bool is_sent(const struct exchange *x)
{
	return x->is_deaf || x->sent == x->head.size + x->body_size;
}

static void write_head(struct exchange *x, const char *method, const char *target)
{
	jn_buffer_printf(&x->head, "%s %s HTTP/1.1\r\nHost: junctor\r\n", method, target);
	if (x->body)
		jn_buffer_printf(&x->head,
				 "Content-Type: application/json\r\nContent-Length: %zu\r\n",
				 x->body_size);
	jn_buffer_add_text(&x->head, "\r\n");
}

/* Send what the socket takes now. A side that closed may still have answered: that is read. */
static int send_some(struct jn_client *client, struct exchange *x)
{
	size_t at = x->sent < x->head.size ? x->sent : x->sent - x->head.size;
	bool is_head = x->sent < x->head.size;
	const char *data = is_head ? x->head.data : x->body;
	size_t size = is_head ? x->head.size : x->body_size;
	ssize_t done = send(client->fd, data + at, size - at, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done >= 0) {
		x->sent += (size_t)done;
		x->moved_ms = jn_clock_ms();
		return 0;
	}
	if (errno == EPIPE || errno == ECONNRESET)
		x->is_deaf = true;
	else if (errno != EAGAIN && errno != EINTR)
		return -errno;
	return 0;
}

/* Take what has come. 1: the answer is complete; 0: more is to come; or a negative errno. */
static int receive_some(struct jn_client *client, struct exchange *x)
{
	char data[READ_BYTES];
	ssize_t size = recv(client->fd, data, sizeof(data), MSG_DONTWAIT);

	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (size < 0)
		return -errno;
	x->moved_ms = jn_clock_ms();
	return size ? jn_parser_feed(&client->parser, data, (size_t)size)
		    : jn_parser_end(&client->parser);
}

/* Wait until the socket is ready, at most until it was silent for too long. */
static int await(const struct jn_client *client, const struct exchange *x, short *ready)
{
	struct pollfd fd = { .fd = client->fd, .events = is_sent(x) ? POLLIN : POLLIN | POLLOUT };
	uint64_t silence = jn_clock_ms() - x->moved_ms;
	int left = -1, count;

	if (x->timeout_ms)
		left = silence < x->timeout_ms ? (int)(x->timeout_ms - silence) : 0;
	count = poll(&fd, 1, left);
	if (count < 0 && errno != EINTR)
		return -errno;
	if (!count)
		return -ETIMEDOUT;
	*ready = count > 0 ? fd.revents : 0;
	return 0;
}

static int exchange_bytes(struct jn_client *client, struct exchange *x)
{
	int rc = 0;

	x->moved_ms = jn_clock_ms();
	while (!rc) {
		short ready = 0;

		rc = await(client, x, &ready);
		if (!rc && ready & (POLLIN | POLLHUP | POLLERR))
			rc = receive_some(client, x);
		if (!rc && ready & POLLOUT)
			rc = send_some(client, x);
	}
	return rc < 0 ? rc : 0;
}

static int refuse_exchange(const struct jn_client *client, unsigned timeout_ms, int rc,
			   struct jn_error *err)
{
	switch (rc) {
	case -ENOMEM:
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "out of memory for the answer; free some, or ask for less");
	case -ETIMEDOUT:
		return jn_error_set(err, rc, JN_ERROR_TIMEOUT,
				    "junctord at %s was silent for %u ms; look at its log, and at "
				    "`junctor status` before trying again",
				    client->path, timeout_ms);
	case -EPROTO:
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "what answers at %s is not HTTP/1.1; name junctord's socket "
				    "with --socket",
				    client->path);
	default:
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "junctord at %s closed the connection before it had answered "
				    "(%s); see whether it runs, and `junctor status` for what it "
				    "did",
				    client->path, strerror(-rc));
	}
}

int jn_client_request(struct jn_client *client, const struct jn_request *request,
		      struct jn_answer *out, struct jn_error *err)
{
	struct exchange x = { .body = request->body,
			      .body_size = request->size,
			      .timeout_ms = request->timeout_ms };
	JN_AUTO(jn_answer_done) struct jn_answer answer = { 0 };
	int rc = reconnect(client, err);

	if (rc)
		return rc;
	write_head(&x, request->method, request->target);
	jn_parser_init(&client->parser, &answer);
	rc = jn_buffer_failed(&x.head) ? -ENOMEM : exchange_bytes(client, &x);
	if (rc || x.sent < x.head.size + x.body_size || !jn_parser_keeps_alive(&client->parser))
		jn_close_fd(&client->fd);
	jn_buffer_done(&x.head);
	if (rc)
		return refuse_exchange(client, request->timeout_ms, rc, err);
	*out = answer;
	answer = (struct jn_answer){ 0 };
	return 0;
}
