/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ending sockets by asking the kernel over netlink (SOCK_DESTROY). Which ones is decided elsewhere.
 */
#ifndef JUNCTOR_NETLINK_DIAG_H
#define JUNCTOR_NETLINK_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include <junctor/abi.h>

/*
 * End those of these sockets that are in the calling thread's network namespace and still have
 * their peer; the application sees ECONNABORTED. is_ended[i] is set for each. 0 or a negative errno:
 * -EOPNOTSUPP when this kernel cannot do it (CONFIG_INET_DIAG_DESTROY).
 */
int jn_diag_end(const struct jn_stale *sockets, size_t count, bool *is_ended);

#endif
