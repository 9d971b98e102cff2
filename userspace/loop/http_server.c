/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who gets in: accepting, the places of clients, and what happens when there is no place or no file
 * descriptor. What a client then says is http_connection.c's.
 *
 * Accepting is done here and not by uv_listen, because who the peer is decides before anything is
 * spent on it.
 */
#include "loop/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "loop/http_internal.h"
#include "loop/internal.h"

#define ACCEPTS_AT_ONCE 16 /* in one turn of the loop, then the others have theirs */

static void on_readable(uv_poll_t *poll, int status, int events);

/* --- places ------------------------------------------------------------------------------------ */

static unsigned clients_of(const struct jn_http_server *s, uint32_t uid)
{
	unsigned count = 0;

	for (const struct jn_connection *c = s->connections; c; c = c->next)
		count += c->has_place && c->peer.uid == uid;
	return count;
}

/* A client that left keeps its place until the loop comes to it; who waits need not wait for that. */
static void take_back_places(const struct jn_http_server *s)
{
	struct jn_connection *next;

	for (struct jn_connection *c = s->connections; c; c = next) {
		next = c->next;
		if (jn_connection_is_left(c))
			jn_connection_close(c);
	}
}

/* May this peer have a place? Else err says why not. */
static bool find_place(const struct jn_http_server *s, const struct jn_peer *peer,
		       struct jn_error *err)
{
	const struct jn_http_limits *limits = &s->limits;
	bool is_admin = s->handlers.is_admin(s->handlers.arg, peer);

	if (s->clients >= limits->clients || (s->clients + 1 == limits->clients && !is_admin)) {
		(void)jn_error_set(err, -EBUSY, JN_ERROR_BUSY,
				   "%u clients are connected, of %u at most%s; close one, or try "
				   "again in a moment",
				   s->clients, limits->clients,
				   is_admin ? "" : ", the last of them an admin");
		return false;
	}
	if (peer->uid && clients_of(s, peer->uid) >= limits->clients_per_uid) {
		(void)jn_error_set(err, -EBUSY, JN_ERROR_BUSY,
				   "uid %u has %u connections, the limit of one user; close one of "
				   "them, or use it for this request too",
				   peer->uid, limits->clients_per_uid);
		return false;
	}
	return true;
}

/* --- accepting --------------------------------------------------------------------------------- */

/* Tell it on the way out; what does not fit into the socket at once is lost. */
static void turn_away(struct jn_http_server *s, int fd, struct jn_error *err)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	jn_http_format_refusal(s, err, &text);
	(void)!send(fd, text.data, text.size, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static bool has_place_for(const struct jn_http_server *s, const struct jn_peer *peer,
			  struct jn_error *err)
{
	if (find_place(s, peer, err))
		return true;
	take_back_places(s);
	jn_error_done(err);
	return find_place(s, peer, err);
}

static void welcome(struct jn_http_server *s, int fd)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_peer peer;

	if (jn_peer_read(fd, &peer)) {
		close(fd); /* nobody whom we do not know */
		return;
	}
	if (has_place_for(s, &peer, &err)) {
		(void)jn_connection_open(s, fd, &peer, NULL); /* without memory it is closed */
	} else if (s->refused < JN_MAX_REFUSED_CLIENTS) {
		(void)jn_connection_open(s, fd, &peer, &err);
	} else {
		free(peer.groups);
		turn_away(s, fd, &err);
	}
}

static int accept_one(const struct jn_http_server *s)
{
	int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void keep_reserve(struct jn_http_server *s)
{
	if (s->reserve_fd < 0)
		s->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void resume(struct jn_http_server *s)
{
	if (s->is_closing)
		return;
	keep_reserve(s);
	(void)uv_timer_stop(&s->pause); /* never fails */
	if (!uv_is_active((uv_handle_t *)&s->poll))
		/* Fails for bad flags only. */
		(void)uv_poll_start(&s->poll, UV_READABLE, on_readable);
}

static void on_pause_over(uv_timer_t *pause)
{
	resume(pause->data);
}

/*
 * Take one in with the reserve: an admin is served, anybody else is told and sent away. False: nobody
 * waits, or the reserve is used up.
 */
static bool accept_with_reserve(struct jn_http_server *s)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_peer peer;
	int fd;

	if (s->reserve_fd < 0)
		return false;
	jn_close_fd(&s->reserve_fd);
	fd = accept_one(s);
	if (fd >= 0 && !jn_peer_read(fd, &peer)) {
		bool is_admin = s->handlers.is_admin(s->handlers.arg, &peer);

		free(peer.groups);
		if (is_admin) {
			welcome(s, fd);
			return false;
		}
		(void)jn_error_set(&err, -EMFILE, JN_ERROR_BUSY,
				   "junctord has no file descriptor left for another client; try "
				   "again in a moment, or raise its limit of open files");
		turn_away(s, fd, &err);
	} else if (fd >= 0) {
		close(fd);
	}
	keep_reserve(s);
	return fd >= 0;
}

/*
 * There is no file descriptor for whoever waits. Some are dealt with, so that an admin behind them
 * does not wait for long; then nobody is accepted for a while, so that the loop does not spin.
 */
static void pause_accepting(struct jn_http_server *s)
{
	(void)uv_poll_stop(&s->poll);
	uv_update_time(s->uv);
	(void)uv_timer_start(&s->pause, on_pause_over, JN_ACCEPT_PAUSE_MS, 0);
	for (unsigned i = 0; i < ACCEPTS_AT_ONCE && accept_with_reserve(s); i++)
		;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct jn_http_server *s = poll->data;

	(void)status; /* an error of the socket shows again at accept */
	(void)events;
	for (unsigned i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int fd = accept_one(s);

		if (fd >= 0) {
			welcome(s, fd);
		} else if (fd == -EAGAIN) {
			return;
		} else if (fd != -ECONNABORTED && fd != -EINTR) {
			pause_accepting(s);
			return;
		}
	}
}

void jn_http_server_left(struct jn_http_server *s, const struct jn_connection *c)
{
	if (c->has_place)
		s->clients--;
	else
		s->refused--;
	resume(s);
}

/* --- life -------------------------------------------------------------------------------------- */

static void on_turn(uv_check_t *check)
{
	struct jn_http_server *s = check->data;

	s->turn++;
}

void jn_http_server_release(struct jn_http_server *s)
{
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;

	if (--s->handles)
		return;
	free(s->path);
	free(s);
	closed(arg);
}

static void on_handle_closed(uv_handle_t *handle)
{
	jn_http_server_release(handle->data);
}

static void close_socket(struct jn_http_server *s)
{
	jn_http_unlisten(s);
	jn_close_fd(&s->reserve_fd);
}

int jn_http_server_open(const struct jn_http_server_options *options, struct jn_http_server **out,
			struct jn_error *err)
{
	struct jn_http_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
				    "out of memory; give junctord more memory");
	s->uv = jn_loop_uv(options->loop);
	s->limits = options->limits;
	s->handlers = options->handlers;
	s->fd = s->reserve_fd = -1;
	s->path = strdup(options->path);
	rc = s->path ? jn_http_listen(s, options->group, err) : -ENOMEM;
	if (!rc) {
		keep_reserve(s);
		rc = uv_poll_init(s->uv, &s->poll, s->fd);
	}
	if (rc) {
		close_socket(s);
		free(s->path);
		free(s);
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "the control socket cannot be watched (%s); free some memory "
				    "or file descriptors",
				    strerror(-rc));
	}
	(void)uv_timer_init(s->uv, &s->pause); /* never fails */
	(void)uv_check_init(s->uv, &s->check);
	s->poll.data = s->pause.data = s->check.data = s;
	s->handles = 3;
	(void)uv_check_start(&s->check, on_turn);
	resume(s);
	*out = s;
	return 0;
}

void jn_http_server_close(struct jn_http_server **server, void (*closed)(void *arg), void *arg)
{
	struct jn_http_server *s = JN_MOVE(*server);

	s->is_closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	uv_update_time(s->uv);
	s->cut_ms = uv_now(s->uv) + JN_LINGER_MS;
	for (struct jn_connection *c = s->connections, *next; c; c = next) {
		next = c->next;
		jn_connection_stop(c);
	}
	uv_close((uv_handle_t *)&s->poll, on_handle_closed);
	uv_close((uv_handle_t *)&s->pause, on_handle_closed);
	uv_close((uv_handle_t *)&s->check, on_handle_closed);
	close_socket(s);
}

unsigned jn_http_server_clients(const struct jn_http_server *server)
{
	return server->clients;
}
