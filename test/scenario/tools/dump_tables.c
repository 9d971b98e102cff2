/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the pinned tables of a folder v<ABI> say, one JSON line for each frontend:
 *
 *	{"vip":"10.0.0.1:80","protocol":"TCP","service":"ns/name/port","bound":false,"algorithm":0,
 *	 "errno":111,"shares":{"10.1.0.1:8080":0.5,…}}
 *
 * shares: how often a connection goes there, from the slots. It reads with system calls of its own and
 * believes nothing: what does not fit together ends it with a sentence and exit code 1.
 */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include <junctor/abi.h>

#include "proto/address.h"

struct share {
	uint32_t endpoint;
	double share;
};

static int frontends, sets, revisions, slots, endpoints, names;

static void __attribute__((format(printf, 1, 2), noreturn)) give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(1);
}

static int open_table(const char *folder, const char *name)
{
	char path[512];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = bpf_obj_get(path);
	if (fd < 0)
		give_up("%s: %s", path, strerror(-fd));
	return fd;
}

static void look_up(int table, const char *what, uint32_t key, void *out)
{
	if (bpf_map_lookup_elem(table, &key, out))
		give_up("%s %u is not there", what, key);
}

static void add_share(struct share *shares, size_t *count, uint32_t endpoint, double share)
{
	for (size_t i = 0; i < *count; i++) {
		if (shares[i].endpoint == endpoint) {
			shares[i].share += share;
			return;
		}
	}
	if (share > 0)
		shares[(*count)++] = (struct share){ endpoint, share };
}

static bool has_aliases(unsigned algorithm)
{
	return algorithm != JN_ALGORITHM_ROUND_ROBIN && algorithm != JN_ALGORITHM_MAGLEV;
}

static size_t read_shares(const struct jn_revision *r, struct share *shares)
{
	size_t count = 0;

	for (uint32_t i = 0; i < r->slot_count; i++) {
		double kept = 1, one = 1.0 / r->slot_count;
		struct jn_slot slot, alias;

		look_up(slots, "slot", r->slot_base + i, &slot);
		if (has_aliases(r->algorithm) && slot.alias != i) {
			if (slot.alias >= r->slot_count)
				give_up("slot %u has an alias beyond its revision", i);
			kept = slot.probability / 65536.0;
			look_up(slots, "slot", r->slot_base + slot.alias, &alias);
			add_share(shares, &count, alias.endpoint, one * (1 - kept));
		}
		add_share(shares, &count, slot.endpoint, one * kept);
	}
	return count;
}

static void print_shares(const struct jn_revision *r, uint32_t service)
{
	struct share *shares = calloc(2 * (size_t)r->slot_count + 1, sizeof(*shares));
	size_t count = shares ? read_shares(r, shares) : 0;

	(void)printf("{");
	for (size_t i = 0; i < count; i++) {
		char text[JN_ENDPOINT_TEXT_BYTES];
		struct jn_endpoint e;

		look_up(endpoints, "endpoint", shares[i].endpoint, &e);
		if (e.service != service)
			give_up("endpoint %u of service %u belongs to %u", shares[i].endpoint,
				service, e.service);
		(void)printf("%s\"%s\":%.6f", i ? "," : "",
			     jn_endpoint_format(&e.addr, ntohs(e.port), text), shares[i].share);
	}
	(void)printf("}");
	free(shares);
}

static void print_frontend(const struct jn_frontend_key *key, const struct jn_frontend *frontend)
{
	char vip[JN_ENDPOINT_TEXT_BYTES];
	struct jn_revision r;
	struct jn_name name;
	struct jn_set set;

	look_up(names, "name", frontend->service, &name);
	look_up(sets, "set", frontend->set, &set);
	look_up(revisions, "revision", (uint32_t)set.word, &r);
	if (!set.word || r.number != set.word >> 32)
		give_up("set %u leads to revision %u, which is of another one", frontend->set,
			(uint32_t)set.word);
	if (name.proto != key->proto)
		give_up("service %u is of another protocol than its frontend", frontend->service);
	(void)printf("{\"vip\":\"%s\",\"protocol\":\"%s\",\"service\":\"%s/%s/%s\",\"bound\":%s,"
		     "\"algorithm\":%u,\"errno\":%u,\"shares\":",
		     jn_endpoint_format(&key->vip, ntohs(key->port), vip),
		     key->proto == IPPROTO_TCP ? "TCP" : "UDP", name.namespace_, name.name,
		     name.port_name, frontend->netns_cookie ? "true" : "false", r.algorithm,
		     r.no_endpoint_errno);
	print_shares(&r, frontend->service);
	(void)printf("}\n");
}

int main(int argc, char **argv)
{
	struct jn_frontend_key key, *last = NULL;
	struct jn_frontend frontend;

	if (argc != 2)
		give_up("usage: dump_tables FOLDER");
	frontends = open_table(argv[1], "jn_frontends");
	sets = open_table(argv[1], "jn_sets");
	revisions = open_table(argv[1], "jn_revisions");
	slots = open_table(argv[1], "jn_slots");
	endpoints = open_table(argv[1], "jn_endpoints");
	names = open_table(argv[1], "jn_names");
	while (!bpf_map_get_next_key(frontends, last, &key)) {
		if (bpf_map_lookup_elem(frontends, &key, &frontend))
			continue;			   /* a canary's, which is gone by now */
		if (frontend.service != JN_CANARY_SERVICE) /* one may be flying just now */
			print_frontend(&key, &frontend);
		last = &key;
	}
	return 0;
}
