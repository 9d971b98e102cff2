/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * datapath/sockets.h, netlink/diag.h and netlink/routes.h without a network, for tests of the engine:
 * the sockets that a test says are there, and the routes that were set. Included by tables.h alone.
 */
#ifndef JUNCTOR_TEST_TABLES_NET_H
#define JUNCTOR_TEST_TABLES_NET_H

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/vec.h"
#include "datapath/sockets.h"
#include "netlink/diag.h"
#include "netlink/routes.h"

/* --- sockets: what a test says is there, and what became of it ------------------------------------ */

static struct jn_stale tables_sockets[16];
static size_t tables_socket_count;
static uint32_t tables_hidden_space; /* cannot be entered */
static int tables_find_rc, tables_diag_rc;
static bool tables_leaves_all;	 /* netlink finds none of them */
static unsigned tables_searches; /* for namespaces: each one that is not found costs all of /proc */

int jn_datapath_find_stale(struct jn_datapath *dp, int *out)
{
	(void)dp;
	*out = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return *out < 0 ? -errno : 0;
}

int jn_stale_read(int finder, struct jn_stale_list *out)
{
	assert(finder >= 0);
	for (size_t i = 0; i < tables_socket_count && !tables_find_rc; i++) {
		struct jn_stale *item = jn_vec_add(out);

		if (!item)
			return -ENOMEM;
		*item = tables_sockets[i];
	}
	return tables_find_rc;
}

int jn_spaces_visit(const uint32_t *inodes, size_t count, void (*fn)(void *arg, uint32_t inode),
		    void *arg)
{
	tables_searches++;
	for (size_t i = 0; i < count; i++) {
		if (inodes[i] != tables_hidden_space)
			fn(arg, inodes[i]);
	}
	return 0;
}

/* Programs end nothing here; they note what they are given. */
struct jn_ender {
	size_t given;
};
static struct jn_ender tables_ender;

int jn_ender_open(struct jn_ender **out)
{
	*out = &tables_ender;
	return 0;
}

void jn_ender_close(struct jn_ender **ender)
{
	*ender = NULL;
}

int jn_ender_end(struct jn_ender *ender, const struct jn_stale *sockets, size_t count,
		 bool *is_ended)
{
	(void)sockets;
	(void)is_ended;
	ender->given += count;
	return -EOPNOTSUPP;
}

/* What is ended is not found any more. */
int jn_diag_end(const struct jn_stale *sockets, size_t count, bool *is_ended)
{
	for (size_t i = 0; i < count && !tables_leaves_all && !tables_diag_rc; i++) {
		for (size_t s = 0; s < tables_socket_count; s++) {
			if (tables_sockets[s].cookie != sockets[i].cookie)
				continue;
			tables_sockets[s] = tables_sockets[--tables_socket_count];
			is_ended[i] = true;
		}
	}
	return tables_diag_rc;
}

/* --- routes -------------------------------------------------------------------------------------- */

static struct jn_addr tables_routes[256];
static size_t tables_route_count;
static int tables_route_rc;

int jn_guards_each(int (*fn)(void *arg, const struct jn_addr *addr), void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < tables_route_count && !rc; i++)
		rc = fn(arg, &tables_routes[i]);
	return rc;
}

static inline size_t tables_find_route(const struct jn_addr *addr)
{
	size_t at = 0;

	while (at < tables_route_count && memcmp(&tables_routes[at], addr, sizeof(*addr)) != 0)
		at++;
	return at;
}

int jn_guards_apply(struct jn_guard *guards, size_t count)
{
	for (size_t i = 0; i < count && !tables_route_rc; i++) {
		size_t at = tables_find_route(&guards[i].addr);

		guards[i].rc = 0;
		if (guards[i].is_wanted && at == tables_route_count)
			tables_routes[tables_route_count++] = guards[i].addr;
		else if (!guards[i].is_wanted && at < tables_route_count)
			tables_routes[at] = tables_routes[--tables_route_count];
	}
	return tables_route_rc;
}

static struct jn_datapath *tables_read; /* the one whose tables were opened last */

int jn_datapath_open_frontends(const struct jn_datapath *dp, int *out)
{
	tables_read = (struct jn_datapath *)(uintptr_t)dp;
	*out = -1;
	return 0;
}

int jn_frontends_each(int frontends, jn_frontend_fn fn, void *arg)
{
	(void)frontends;
	return jn_datapath_each_frontend(tables_read, fn, arg);
}

int jn_datapath_open_names(const struct jn_datapath *dp, int *out)
{
	tables_read = (struct jn_datapath *)(uintptr_t)dp;
	*out = -1;
	return 0;
}

int jn_names_each(int names, jn_name_fn fn, void *arg)
{
	(void)names;
	return jn_datapath_each_name(tables_read, fn, arg);
}

#endif
