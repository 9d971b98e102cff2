/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What stands on this machine: where hooks would be attached, what earlier lives of junctord left, and
 * who else is there. Nothing is changed, and nobody is judged who is not in the way.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "doctor/internal.h"
#include "netlink/chains.h"
#include "netlink/routes.h"
#include "proto/address.h"

#define HOST_ROOT_INODE 1 /* of the first folder of the hierarchy that the kernel made */

void jn_check_cgroup(struct jn_doctor *d)
{
	struct stat info;

	if (!*d->cgroup)
		jn_doctor_fail(d, "no cgroup2 is mounted; mount it (mount -t cgroup2 none "
				  "/sys/fs/cgroup)");
	else if (stat(d->cgroup, &info))
		jn_doctor_fail(d,
			       "the cgroup %s cannot be seen (%s); make it, or name another with "
			       "--cgroup",
			       d->cgroup, strerror(errno));
	else if (!d->options->cgroup && info.st_ino != HOST_ROOT_INODE)
		jn_doctor_warn(d,
			       "%s is a part of the host's hierarchy only, and sockets of other "
			       "parts would not be served; run junctord in the host's cgroup "
			       "namespace, or name the part with --cgroup",
			       d->cgroup);
	else
		jn_doctor_good(d, "hooks are attached at %s%s", d->cgroup,
			       info.st_ino == HOST_ROOT_INODE ? ", the host's root" : "");
}

/* --- our own pins -------------------------------------------------------------------------------- */

static int note_version(void *arg, const char *folder, bool is_ours)
{
	struct jn_doctor *d = arg;

	if (!is_ours)
		jn_doctor_warn(d,
			       "%s holds tables and hooks of another version of junctor; start "
			       "junctord, which takes them over, or remove them (junctor "
			       "cleanup)",
			       folder);
	else if (!d->is_served)
		jn_doctor_warn(d,
			       "%s serves on without a junctord, and nothing follows what "
			       "changes; start junctord, or remove it (junctor cleanup)",
			       folder);
	else
		jn_doctor_good(d, "%s is held by a junctord", folder);
	return 0;
}

void jn_check_pins(struct jn_doctor *d)
{
	int rc = jn_datapath_each_version(d->options->pin_dir, note_version, d);

	if (rc)
		jn_doctor_warn(d, "%s cannot be read (%s); run this as root", d->options->pin_dir,
			       strerror(-rc));
}

/* A pinned link whose cgroup is gone, or that somebody detached, serves nobody. */
void jn_check_links(struct jn_doctor *d)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *datapath = NULL;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_hook_status hooks[JN_HOOK_COUNT];
	unsigned attached = 0, dead = 0;

	if (jn_datapath_look(d->options->pin_dir, &datapath, &err))
		return; /* there are no pins, or the check of pins says whose they are */
	jn_datapath_hooks(datapath, hooks);
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (hooks[i].is_attached)
			attached++;
		else if (hooks[i].is_pinned)
			dead++;
	}
	if (dead)
		jn_doctor_fail(d,
			       "%u hooks are pinned and attached nowhere: their cgroup is gone, or "
			       "somebody detached them; restart junctord to attach them again",
			       dead);
	else
		jn_doctor_good(d, "%u hooks are attached", attached);
}

/* --- routes -------------------------------------------------------------------------------------- */

struct guards {
	struct {
		struct jn_addr *items;
		size_t count, capacity;
	} routes, vips;
};

static void guards_done(struct guards *guards)
{
	free(guards->routes.items);
	free(guards->vips.items);
}

static int add_route(void *arg, const struct jn_addr *addr)
{
	struct guards *guards = arg;
	struct jn_addr *item = jn_vec_add(&guards->routes);

	if (!item)
		return -ENOMEM;
	*item = *addr;
	return 0;
}

static int add_vip(void *arg, const struct jn_frontend_key *key, const struct jn_frontend *value)
{
	struct guards *guards = arg;
	struct jn_addr *item;

	if (value->service == JN_CANARY_SERVICE)
		return 0; /* it flies on lo */
	item = jn_vec_add(&guards->vips);
	if (!item)
		return -ENOMEM;
	*item = key->vip;
	return 0;
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct jn_addr));
}

static void compare_guards(struct jn_doctor *d, struct guards *guards)
{
	size_t bare = 0;
	char text[JN_ADDR_TEXT_BYTES] = "";

	if (guards->routes.count)
		qsort(guards->routes.items, guards->routes.count, sizeof(struct jn_addr), by_bytes);
	for (size_t i = 0; i < guards->vips.count; i++) {
		const struct jn_addr *vip = &guards->vips.items[i];

		if (guards->routes.count && bsearch(vip, guards->routes.items, guards->routes.count,
						    sizeof(*vip), by_bytes))
			continue;
		if (!bare++)
			(void)jn_addr_format(vip, text);
	}
	if (bare)
		jn_doctor_warn(d,
			       "%zu frontends (%s first) have no guard route: connections that no "
			       "hook sees may leave this machine, unless the node owns the address "
			       "or a route of yours forbids it; leave guardRoutes on",
			       bare, text);
	else if (guards->vips.count)
		jn_doctor_good(d, "every service address has its guard route");
}

void jn_check_routes(struct jn_doctor *d)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *datapath = NULL;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(guards_done) struct guards guards = { 0 };
	int rc = jn_guards_each(add_route, &guards);

	if (!rc && !jn_datapath_look(d->options->pin_dir, &datapath, &err))
		rc = jn_datapath_each_frontend(datapath, add_vip, &guards);
	if (rc)
		jn_doctor_warn(d,
			       "the routes and service addresses cannot be read (%s); run this as "
			       "root",
			       strerror(-rc));
	else if (!d->is_served && guards.routes.count)
		jn_doctor_warn(d,
			       "%zu guard routes are there and no junctord is: addresses that are "
			       "used otherwise now cannot be reached; start junctord, or remove "
			       "them (junctor cleanup)",
			       guards.routes.count);
	else
		compare_guards(d, &guards);
}

/* --- others -------------------------------------------------------------------------------------- */

struct strangers {
	struct jn_doctor *d;
	unsigned count, alike; /* of those, programs of another junctor */
	struct jn_attached first_alike;
};

static void note_program(void *arg, const struct jn_attached *program)
{
	struct strangers *strangers = arg;

	if (program->is_ours)
		return;
	strangers->count++;
	if (program->is_named_alike) {
		if (!strangers->alike++)
			strangers->first_alike = *program;
		return;
	}
	jn_doctor_warn(strangers->d,
		       "program %s (id %u) of somebody else runs at hook %s, too: it may deny or "
		       "rewrite what passes there; where it must not, detach it (bpftool cgroup "
		       "show "
		       "%s effective)",
		       *program->name ? program->name : "?", program->id, program->hook,
		       strangers->d->cgroup);
}

static void tell_alike(const struct strangers *strangers)
{
	const struct jn_attached *first = &strangers->first_alike;

	if (strangers->alike)
		jn_doctor_warn(strangers->d,
			       "%u programs of another junctor (%s, id %u, first) run at our "
			       "hooks, "
			       "and no link below %s runs them: what it was told to serve is "
			       "served, too; unless that is meant, find its pins (bpftool -f link "
			       "show) and remove them (junctor cleanup --pin-dir)",
			       strangers->alike, first->name, first->id,
			       strangers->d->options->pin_dir);
}

void jn_check_foreign(struct jn_doctor *d)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct strangers strangers = { .d = d };

	if (!*d->cgroup)
		return; /* the check of the cgroup says so */
	if (jn_datapath_each_attached(d->cgroup, d->options->pin_dir, note_program, &strangers,
				      &err))
		jn_doctor_warn(d, "%s", jn_error_text(&err));
	else if (!strangers.count)
		jn_doctor_good(d, "nobody else has a program at our hooks");
	tell_alike(&strangers);
}

struct chains {
	unsigned count;
	char first[64];
};

static int note_chain(void *arg, const char *table, const char *chain)
{
	struct chains *chains = arg;

	if (strcmp(table, "kube-proxy") != 0 && strncmp(chain, "KUBE-", strlen("KUBE-")) != 0)
		return 0;
	if (!chains->count++)
		(void)snprintf(chains->first, sizeof(chains->first), "%s", chain);
	return 0;
}

void jn_check_kube_proxy(struct jn_doctor *d)
{
	struct chains chains = { 0 };
	int rc = jn_chains_each(note_chain, &chains), legacy_rc;

	legacy_rc = jn_legacy_chains_each(note_chain, &chains);
	if (!rc || rc == -EOPNOTSUPP)
		rc = legacy_rc;
	if (chains.count)
		jn_doctor_warn(d,
			       "%u chains of kube-proxy (%s first) are there: connections that no "
			       "hook sees are still translated by them, maybe to backends that are "
			       "gone; once junctord serves, remove them (kube-proxy --cleanup)",
			       chains.count, chains.first);
	if (if_nametoindex("kube-ipvs0"))
		jn_doctor_warn(d, "the device kube-ipvs0 of kube-proxy owns service addresses; "
				  "remove "
				  "it (kube-proxy --cleanup)");
	else if (rc)
		jn_doctor_warn(d,
			       "the chains of nftables and iptables cannot be listed (%s), so "
			       "kube-proxy's are not known; run this as root",
			       strerror(-rc));
	else if (!chains.count)
		jn_doctor_good(d, "no chains of kube-proxy among those of nftables and iptables");
}
