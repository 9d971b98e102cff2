/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The chains of the older iptables, by the names of their table and their own. The kernel hands out a
 * table as one block of entries, in which a chain begins with an entry whose target is an error. Only
 * tables that are there are asked for, as asking makes one. It changes nothing.
 */
#include <errno.h>
#include <linux/in.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "netlink/chains.h"

/* What differs between the two families; both take structs of one layout up to the entries. */
struct family {
	int domain, level, get_info, get_entries;
	const char *names;	       /* of the tables that are there */
	size_t head;		       /* bytes before the entries of an answer */
	size_t entry, at_target, next; /* of one entry: its size, and where two offsets stand */
};

static const struct family families[] = {
	{ AF_INET, IPPROTO_IP, IPT_SO_GET_INFO, IPT_SO_GET_ENTRIES,
	  "/proc/thread-self/net/ip_tables_names", offsetof(struct ipt_get_entries, entrytable),
	  sizeof(struct ipt_entry), offsetof(struct ipt_entry, target_offset),
	  offsetof(struct ipt_entry, next_offset) },
	{ AF_INET6, IPPROTO_IPV6, IP6T_SO_GET_INFO, IP6T_SO_GET_ENTRIES,
	  "/proc/thread-self/net/ip6_tables_names", offsetof(struct ip6t_get_entries, entrytable),
	  sizeof(struct ip6t_entry), offsetof(struct ip6t_entry, target_offset),
	  offsetof(struct ip6t_entry, next_offset) },
};

struct walk {
	int (*fn)(void *arg, const char *table, const char *chain);
	void *arg;
	const struct family *family;
	const char *table;
};

/* The chain that begins with this entry, or NULL. */
static const char *chain_of(const unsigned char *entry, size_t at_target, size_t size)
{
	const struct xt_error_target *target = (const void *)(entry + at_target);

	if (at_target + sizeof(*target) > size ||
	    strncmp(target->target.u.user.name, XT_ERROR_TARGET,
		    sizeof(target->target.u.user.name)) != 0 ||
	    !memchr(target->errorname, 0, sizeof(target->errorname)))
		return NULL;
	return target->errorname;
}

static int walk_entries(const struct walk *walk, const unsigned char *entries, size_t size)
{
	const struct family *f = walk->family;
	size_t at = 0;
	int rc = 0;

	while (!rc && at + f->entry <= size) {
		const unsigned char *entry = entries + at;
		uint16_t at_target, next;
		const char *chain;

		memcpy(&at_target, entry + f->at_target, sizeof(at_target));
		memcpy(&next, entry + f->next, sizeof(next));
		if (next < f->entry || next > size - at)
			return -EBADMSG;
		chain = chain_of(entry, at_target, next);
		if (chain && strcmp(chain, XT_ERROR_TARGET) != 0) /* that one is the end */
			rc = walk->fn(walk->arg, walk->table, chain);
		at += next;
	}
	return rc;
}

static int walk_table(const struct walk *walk, int fd)
{
	const struct family *f = walk->family;
	struct ipt_getinfo info = { 0 };
	JN_AUTO(jn_free_mem) unsigned char *answer = NULL;
	socklen_t size = sizeof(info);
	struct ipt_get_entries head = { 0 };

	if (strlen(walk->table) >= sizeof(info.name))
		return -EBADMSG;
	memcpy(info.name, walk->table, strlen(walk->table));
	if (getsockopt(fd, f->level, f->get_info, &info, &size))
		return -errno;
	size = (socklen_t)(f->head + info.size);
	answer = calloc(1, size > sizeof(head) ? size : sizeof(head));
	if (!answer)
		return -ENOMEM;
	memcpy(head.name, info.name, sizeof(head.name));
	head.size = info.size;
	memcpy(answer, &head, sizeof(head));
	if (getsockopt(fd, f->level, f->get_entries, answer, &size))
		return -errno;
	return walk_entries(walk, answer + f->head, info.size);
}

/* -EAGAIN: it changed between two questions, as another process is at it. */
static int walk_table_again(const struct walk *walk, int fd)
{
	int rc = -EAGAIN;

	for (unsigned i = 0; rc == -EAGAIN && i < 5; i++)
		rc = walk_table(walk, fd);
	return rc;
}

static int walk_family(struct walk *walk)
{
	FILE *names = fopen(walk->family->names, "re");
	JN_AUTO(jn_close_fd) int fd = -1;
	char table[XT_TABLE_MAXNAMELEN + 1];
	int rc = 0;

	if (!names)
		return errno == ENOENT ? 0 : -errno; /* this kernel has none */
	while (!rc && fgets(table, sizeof(table), names)) {
		table[strcspn(table, "\n")] = '\0';
		if (fd < 0)
			fd = socket(walk->family->domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
		walk->table = table;
		rc = fd < 0 ? -errno : walk_table_again(walk, fd);
	}
	(void)fclose(names); /* only read */
	return rc;
}

int jn_legacy_chains_each(int (*fn)(void *arg, const char *table, const char *chain), void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < JN_COUNT(families) && !rc; i++) {
		struct walk walk = { .fn = fn, .arg = arg, .family = &families[i] };

		rc = walk_family(&walk);
	}
	return rc;
}
