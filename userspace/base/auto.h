/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who owns what, visible in the declaration: JN_AUTO runs a destructor at the end of the scope,
 * JN_MOVE hands a value over and leaves nothing behind.
 */
#ifndef JUNCTOR_BASE_AUTO_H
#define JUNCTOR_BASE_AUTO_H

#include <stdlib.h>
#include <unistd.h>

#define JN_AUTO(fn) __attribute__((cleanup(fn)))

#define JN_MOVE(p)                                                                                 \
	__extension__({                                                                            \
		__typeof__(p) jn_v = (p);                                                          \
		(p) = NULL;                                                                        \
		jn_v;                                                                              \
	})

#define JN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* For JN_AUTO(jn_free_mem) char *text: frees what the pointer holds at the end of the scope. */
static inline void jn_free_mem(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

/* For JN_AUTO(jn_close_fd) int fd = -1. */
static inline void jn_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Hand an fd over: the caller keeps -1. */
static inline int jn_move_fd(int *fd)
{
	int moved = *fd;

	*fd = -1;
	return moved;
}

#endif
