/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connected sockets after their endpoint has gone: finding them, in every network namespace at once,
 * and ending them, one namespace after the other. Which of them are to be ended is the engine's
 * decision. All but the first function may block: for a worker thread, one at a time.
 */
#ifndef JUNCTOR_DATAPATH_SOCKETS_H
#define JUNCTOR_DATAPATH_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

struct jn_datapath;

struct jn_stale_list {
	struct jn_stale *items;
	size_t count, capacity;
};

/*
 * What jn_stale_read reads, for another thread: it holds the tables of this moment, and nothing of
 * dp. An fd, to be closed. 0 or a negative errno.
 */
int jn_datapath_find_stale(struct jn_datapath *dp, int *out);

/*
 * Every connected socket whose endpoint is gone or takes no new connections, appended to out. One
 * that is opened or closed meanwhile may be missing, or stand there twice. 0 or a negative errno.
 */
int jn_stale_read(int finder, struct jn_stale_list *out);

/*
 * fn(arg, inode) for each of these network namespaces that can be entered, by a thread of its own
 * that has entered it. One can be entered while a process, a mount or an open file holds it, and
 * (but for our own) with CAP_SYS_ADMIN. 0, also where some were not entered; -EAGAIN, -ENOMEM.
 */
int jn_spaces_visit(const uint32_t *inodes, size_t count, void (*fn)(void *arg, uint32_t inode),
		    void *arg);

/* Programs that end sockets, for what netlink does not: see netlink/diag.h. */
struct jn_ender;
/* -EOPNOTSUPP: this kernel has no bpf_sock_destroy. */
int jn_ender_open(struct jn_ender **out);
void jn_ender_close(struct jn_ender **ender);
/* Not where this kernel's iterator over TCP sockets is not safe (kernel_version.h). */
bool jn_ender_has_tcp(const struct jn_ender *ender);
/*
 * End those of these sockets that are in the calling thread's network namespace and still have
 * their peer; the application sees ECONNABORTED. is_ended[i] is set for each. 0 or a negative errno:
 * -EOPNOTSUPP when there are TCP sockets and this kernel's iterator is not safe for them.
 */
int jn_ender_end(struct jn_ender *ender, const struct jn_stale *sockets, size_t count,
		 bool *is_ended);

#endif
