/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Guard routes over rtnetlink. Which addresses are guarded is decided elsewhere.
 */
#include "netlink/routes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <netlink/attr.h>
#include <netlink/msg.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "base/table.h"
#include "base/vec.h"
#include "netlink/internal.h"

#define LAST_METRIC 0xfffffffeu /* the kernel's own last resort for IPv6 has the one behind it */

#define LIST_TRIES 6
#define LIST_PAUSE_MS 10L /* before the second; then twice, three times as long, ... */

#define REQUEST_BYTES 64 /* of an IPv6 route: header, rtmsg, two attributes */

/* In the order of the wire, so that JN_BATCH of them are one piece of memory. */
struct requests {
	unsigned char bytes[JN_BATCH * REQUEST_BYTES];
	size_t size;
};

static void put(struct requests *requests, const void *data, size_t size)
{
	memcpy(requests->bytes + requests->size, data, size);
	requests->size += size; /* all that is put is a multiple of four bytes */
}

static void put_attribute(struct requests *requests, uint16_t type, const void *data, size_t size)
{
	struct nlattr head = { (uint16_t)(NLA_HDRLEN + size), type };

	put(requests, &head, sizeof(head));
	put(requests, data, size);
}

static unsigned table_of(const struct jn_addr *addr)
{
	bool is_loopback = jn_addr_is_v4(addr) && (ntohl(addr->w[3]) >> 24) == 127;

	return is_loopback ? RT_TABLE_LOCAL : RT_TABLE_MAIN;
}

static void put_guard(struct requests *requests, const struct jn_guard *guard, unsigned number)
{
	bool is_v4 = jn_addr_is_v4(&guard->addr);
	size_t size = is_v4 ? 4 : 16, begin = requests->size;
	struct nlmsghdr head = {
		.nlmsg_type = guard->is_wanted ? RTM_NEWROUTE : RTM_DELROUTE,
		.nlmsg_flags = NLM_F_REQUEST | (guard->is_wanted ? NLM_F_CREATE | NLM_F_EXCL : 0),
		.nlmsg_seq = number,
	};
	struct rtmsg route = {
		.rtm_family = is_v4 ? AF_INET : AF_INET6,
		.rtm_dst_len = (unsigned char)(size * 8),
		.rtm_table = (unsigned char)table_of(&guard->addr),
		.rtm_protocol = JN_ROUTE_PROTOCOL,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_BLACKHOLE,
	};
	uint32_t metric = LAST_METRIC;

	put(requests, &head, sizeof(head));
	put(requests, &route, sizeof(route));
	put_attribute(requests, RTA_DST, &guard->addr.w[is_v4 ? 3 : 0], size);
	put_attribute(requests, RTA_PRIORITY, &metric, sizeof(metric));
	head.nlmsg_len = (uint32_t)(requests->size - begin);
	memcpy(requests->bytes + begin, &head, sizeof(head));
}

/* --- what is there ------------------------------------------------------------------------------- */

static struct jn_addr address_of(unsigned char family, const struct nlattr *attribute)
{
	struct jn_addr addr = { 0 };
	__be32 v4;

	if (family == AF_INET) {
		memcpy(&v4, nla_data(attribute), sizeof(v4));
		return jn_addr_from_v4(v4);
	}
	memcpy(&addr, nla_data(attribute), sizeof(addr));
	return addr;
}

static bool holds_address(unsigned char family, const struct nlattr *attribute)
{
	return attribute && nla_len(attribute) == (family == AF_INET ? 4 : 16);
}

struct addresses {
	struct jn_addr *items;
	size_t count, capacity;
};

static void addresses_done(struct addresses *addresses)
{
	free(addresses->items);
}

static int add_address(struct addresses *to, const struct jn_addr *addr)
{
	struct jn_addr *item = jn_vec_add(to);

	if (!item)
		return -ENOMEM;
	*item = *addr;
	return 0;
}

static void pause_ms(long ms)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL); /* shorter is fine */
}

/* A list that changed while it was told is asked for again. */
static int list_whole(struct nl_sock *socket, const void *request, size_t bytes, jn_reply_fn fn,
		      struct addresses *out)
{
	size_t before = out->count;
	int rc = 0;

	for (int try = 0; try < LIST_TRIES; try++) {
		pause_ms(try * LIST_PAUSE_MS);
		out->count = before;
		rc = jn_netlink_dump(socket, request, bytes, fn, out);
		if (rc != -EAGAIN && rc != -EBUSY)
			break;
	}
	return rc;
}

/* What fn adds to out, of every message of both families. */
static int list(struct nl_sock *socket, uint16_t type, jn_reply_fn fn, struct addresses *out)
{
	struct {
		struct nlmsghdr head;
		struct rtmsg route; /* begins as every family's request does: with the family */
	} request = {
		.head = { .nlmsg_len = sizeof(request),
			  .nlmsg_type = type,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
	};
	static const unsigned char families[] = { AF_INET, AF_INET6 };
	int rc = 0;

	for (size_t i = 0; i < sizeof(families) && !rc; i++) {
		request.route.rtm_family = families[i];
		rc = list_whole(socket, &request, sizeof(request), fn, out);
	}
	return rc;
}

static int read_route(void *arg, const struct nlmsghdr *reply)
{
	const struct rtmsg *route = nlmsg_data(reply);
	const struct nlattr *to =
		nlmsg_find_attr((struct nlmsghdr *)reply, sizeof(*route), RTA_DST);
	struct jn_addr addr;

	if (reply->nlmsg_type != RTM_NEWROUTE || route->rtm_protocol != JN_ROUTE_PROTOCOL ||
	    route->rtm_type != RTN_BLACKHOLE || !holds_address(route->rtm_family, to) ||
	    route->rtm_dst_len != nla_len(to) * 8)
		return 0;
	addr = address_of(route->rtm_family, to);
	return route->rtm_table == table_of(&addr) ? add_address(arg, &addr) : 0;
}

int jn_guards_each(int (*fn)(void *arg, const struct jn_addr *addr), void *arg)
{
	JN_AUTO(jn_netlink_close) struct nl_sock *socket = NULL;
	JN_AUTO(addresses_done) struct addresses found = { 0 };
	int rc = jn_netlink_open(NETLINK_ROUTE, &socket);

	if (!rc)
		rc = list(socket, RTM_GETROUTE, read_route, &found);
	for (size_t i = 0; i < found.count && !rc; i++)
		rc = fn(arg, &found.items[i]);
	return rc;
}

/* --- addresses of the node ----------------------------------------------------------------------- */

static const struct jn_table_ops owned_ops = { .entry_size = sizeof(struct jn_addr),
					       .key_size = sizeof(struct jn_addr) };

static int read_address(void *arg, const struct nlmsghdr *reply)
{
	const struct ifaddrmsg *info = nlmsg_data(reply);
	const struct nlattr *at;
	struct jn_addr addr;

	if (reply->nlmsg_type != RTM_NEWADDR)
		return 0;
	at = nlmsg_find_attr((struct nlmsghdr *)reply, sizeof(*info), IFA_LOCAL); /* of IPv4 */
	if (!at)
		at = nlmsg_find_attr((struct nlmsghdr *)reply, sizeof(*info), IFA_ADDRESS);
	if (!holds_address(info->ifa_family, at))
		return 0;
	addr = address_of(info->ifa_family, at);
	return add_address(arg, &addr);
}

static int list_owned(struct nl_sock *socket, struct jn_table *out)
{
	JN_AUTO(addresses_done) struct addresses found = { 0 };
	int rc = list(socket, RTM_GETADDR, read_address, &found);

	for (size_t i = 0; i < found.count && !rc; i++) {
		struct jn_addr *entry;
		bool is_new;

		entry = jn_table_put(out, &found.items[i], &is_new);
		if (!entry)
			return -ENOMEM;
		*entry = found.items[i];
	}
	return rc;
}

/* --- changing ------------------------------------------------------------------------------------ */

/* There already, or gone already: as it shall be. */
static int result_of(const struct jn_guard *guard, int refused)
{
	if (guard->is_wanted)
		return refused == -EEXIST ? 0 : refused;
	return refused == -ESRCH ? 0 : refused;
}

/* The guards from `from` on, as many as one call takes; returns how many. */
static int apply_some(struct nl_sock *socket, const struct jn_table *owned, struct jn_guard *guards,
		      size_t count, size_t *done)
{
	struct requests requests = { .size = 0 };
	int refused[JN_BATCH] = { 0 }, rc = 0;
	size_t n = count < JN_BATCH ? count : JN_BATCH;

	for (size_t i = 0; i < n; i++) {
		if (guards[i].is_wanted && jn_table_find(owned, &guards[i].addr))
			refused[i] = -EADDRINUSE;
		else
			put_guard(&requests, &guards[i], (unsigned)i);
	}
	if (requests.size)
		rc = jn_netlink_send(socket, requests.bytes, requests.size, refused);
	for (size_t i = 0; i < n && !rc; i++)
		guards[i].rc = result_of(&guards[i], refused[i]);
	*done += n;
	return rc;
}

int jn_guards_apply(struct jn_guard *guards, size_t count)
{
	JN_AUTO(jn_netlink_close) struct nl_sock *socket = NULL;
	JN_AUTO(jn_table_done) struct jn_table owned;
	size_t done = 0;
	int rc;

	jn_table_init(&owned, &owned_ops);
	rc = jn_netlink_open(NETLINK_ROUTE, &socket);
	if (!rc)
		rc = list_owned(socket, &owned);
	while (done < count && !rc)
		rc = apply_some(socket, &owned, guards + done, count - done, &done);
	return rc;
}

/* --- all of them --------------------------------------------------------------------------------- */

struct guard_list {
	struct jn_guard *items;
	size_t count, capacity;
};

static int add_guard(void *arg, const struct jn_addr *addr)
{
	struct guard_list *list = arg;
	struct jn_guard *item = jn_vec_add(list);

	if (!item)
		return -ENOMEM;
	*item = (struct jn_guard){ .addr = *addr };
	return 0;
}

int jn_guards_clear(size_t *removed)
{
	struct guard_list list = { 0 };
	int rc = jn_guards_each(add_guard, &list);

	if (!rc && list.count)
		rc = jn_guards_apply(list.items, list.count);
	for (size_t i = 0; i < list.count && !rc; i++)
		rc = list.items[i].rc;
	if (!rc)
		*removed = list.count;
	free(list.items);
	return rc;
}

/* --- asking -------------------------------------------------------------------------------------- */

int jn_route_ask(const struct jn_addr *addr, int *out)
{
	JN_AUTO(jn_netlink_close) struct nl_sock *socket = NULL;
	struct requests request = { .size = 0 };
	bool is_v4 = jn_addr_is_v4(addr);
	size_t size = is_v4 ? 4 : 16;
	struct nlmsghdr head = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + sizeof(struct rtmsg) +
							 NLA_HDRLEN + size),
				 .nlmsg_type = RTM_GETROUTE,
				 .nlmsg_flags = NLM_F_REQUEST };
	struct rtmsg route = { .rtm_family = is_v4 ? AF_INET : AF_INET6,
			       .rtm_dst_len = (unsigned char)(size * 8) };
	int refused[JN_BATCH] = { 0 };
	int rc = jn_netlink_open(NETLINK_ROUTE, &socket);

	put(&request, &head, sizeof(head));
	put(&request, &route, sizeof(route));
	put_attribute(&request, RTA_DST, &addr->w[is_v4 ? 3 : 0], size);
	if (!rc)
		rc = jn_netlink_send(socket, request.bytes, request.size, refused);
	*out = refused[0];
	return rc;
}
