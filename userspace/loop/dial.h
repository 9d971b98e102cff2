/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One outgoing TCP connection with one deadline for all of it: connect, a few small writes, reads.
 * It does NOT know what is said on it.
 *
 *	start ──connected──> talking ──the other side closes, an error, the deadline──> ended
 */
#ifndef JUNCTOR_LOOP_DIAL_H
#define JUNCTOR_LOOP_DIAL_H

#include <stddef.h>
#include <stdint.h>

struct sockaddr;
struct jn_loop;
struct jn_dial;

/* Each of them may call jn_dial_stop; none is called after it. */
struct jn_dial_handlers {
	void *arg;
	void (*connected)(void *arg);
	void (*data)(void *arg, const char *data, size_t size);
	/* 0: the other side closed; -ETIMEDOUT: the deadline; or another negative errno. */
	void (*ended)(void *arg, int rc);
};

/* 0, or a negative errno with nothing started and no handler called. */
int jn_dial_start(struct jn_loop *loop, const struct sockaddr *address, uint64_t timeout_ms,
		  const struct jn_dial_handlers *handlers, struct jn_dial **out);
/* All of it at once: -ENOBUFS where the socket takes only a part. */
int jn_dial_write(struct jn_dial *dial, const void *data, size_t size);
/* Closes it; to be called after `ended`, too. NULL is fine. */
void jn_dial_stop(struct jn_dial **dial);

#endif
