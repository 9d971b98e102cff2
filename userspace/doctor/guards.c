/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Do guard routes guard? Tried in a network namespace that nobody else has and that is gone
 * afterwards. Which ones stand on this machine: host.c.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "doctor/internal.h"
#include "netlink/routes.h"

#define LOOPBACK_VIP 0x7f7f4a4fu /* 127.127.74.79: without a guard it is this machine */
#define OTHER_VIP 0xc0000201u	 /* 192.0.2.1, of documentation */
#define OTHER_VIP6 "2001:db8::1" /* likewise */

struct trial {
	int apart, rc;
	bool is_passed; /* the guard was there and somebody got by */
};

static bool has_ipv6(void)
{
	JN_AUTO(jn_close_fd) int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0;
}

/* A datagram socket is connected where there is a way, and nothing is sent. */
static bool is_open(uint32_t address)
{
	const struct sockaddr_in name = { .sin_family = AF_INET,
					  .sin_port = htons(9),
					  .sin_addr.s_addr = htonl(address) };
	JN_AUTO(jn_close_fd) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && !connect(fd, (const struct sockaddr *)&name, sizeof(name));
}

static void *run(void *arg)
{
	struct jn_guard guards[] = {
		{ .addr = jn_addr_from_v4(htonl(LOOPBACK_VIP)), .is_wanted = true },
		{ .addr = jn_addr_from_v4(htonl(OTHER_VIP)), .is_wanted = true },
		{ .is_wanted = true }, /* its address follows */
	};
	size_t count = has_ipv6() ? 3 : 2;
	struct trial *t = arg;

	(void)inet_pton(AF_INET6, OTHER_VIP6, &guards[2].addr); /* as it is spelled it is one */
	t->apart = jn_go_apart();
	if (t->apart)
		return NULL;
	t->rc = jn_guards_apply(guards, count);
	for (size_t i = 0; i < count && !t->rc; i++)
		t->rc = guards[i].rc;
	t->is_passed = !t->rc && is_open(LOOPBACK_VIP);
	return NULL;
}

void jn_check_guards(struct jn_doctor *d)
{
	struct trial t = { 0 };
	pthread_t thread; /* it alone is in the other namespace, and ends there */
	int rc = -pthread_create(&thread, NULL, run, &t);

	if (!rc)
		(void)pthread_join(thread, NULL); /* cannot fail for a thread of ours */
	if (rc || t.apart)
		jn_doctor_warn(d,
			       "no network namespace can be made to try guard routes in (%s); run "
			       "this with CAP_SYS_ADMIN",
			       strerror(rc ? -rc : -t.apart));
	else if (t.rc)
		jn_doctor_warn(d,
			       "guard routes cannot be made (%s): connections that no hook sees "
			       "may "
			       "leave this machine; forbid that by routes of your own, and switch "
			       "ours off (guardRoutes: false)",
			       strerror(-t.rc));
	else if (t.is_passed)
		jn_doctor_warn(d, "a guard route does not stop who asks for its address; forbid "
				  "the "
				  "service addresses by rules of your own (nft)");
	else
		jn_doctor_good(d, "guard routes stop connections that no hook saw");
}
