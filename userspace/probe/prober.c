/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who is probed: ports, their members, and the targets and backends that members share. A port is
 * replaced by building the new one beside it, so that what both have goes on as it is.
 */
#include "probe/prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "loop/loop.h"
#include "probe/internal.h"

void jn_link_in(struct jn_link **head, struct jn_link *link)
{
	link->next = *head;
	link->at = head;
	if (link->next)
		link->next->at = &link->next;
	*head = link;
}

void jn_link_out(struct jn_link *link)
{
	*link->at = link->next;
	if (link->next)
		link->next->at = link->at;
}

/* --- the tables -------------------------------------------------------------------------------- */

struct port_entry {
	uint32_t service;
	struct jn_watched_port *port;
};

struct target_key {
	struct jn_addr addr;
	uint16_t port;
	struct jn_probe *probe;
};

static uint64_t hash_target(const void *key)
{
	const struct target_key *k = key;

	return (jn_hash_bytes(&k->addr, sizeof(k->addr)) ^ k->port) * 31 + k->probe->type;
}

static bool has_target(const void *entry, const void *key)
{
	const struct jn_target *target = *(struct jn_target *const *)entry;
	const struct target_key *k = key;

	return !memcmp(&target->addr, &k->addr, sizeof(k->addr)) && target->port == k->port &&
	       jn_probe_equal(target->probe, k->probe);
}

static bool has_live(const void *entry, const void *key)
{
	return (*(struct jn_probed_backend *const *)entry)->live == *(const uint32_t *)key;
}

static const struct jn_table_ops targets_ops = {
	.entry_size = sizeof(void *),
	.hash = hash_target,
	.equal = has_target,
};
static const struct jn_table_ops backends_ops = {
	.entry_size = sizeof(void *),
	.key_size = sizeof(uint32_t),
	.equal = has_live,
};
static const struct jn_table_ops ports_ops = { .entry_size = sizeof(struct port_entry),
					       .key_size = sizeof(uint32_t) };

/* --- targets ----------------------------------------------------------------------------------- */

static void free_target(struct jn_prober *p, struct jn_target *target)
{
	struct target_key key = { target->addr, target->port, target->probe };

	jn_prober_forget(p, target);
	(void)jn_table_del(&p->targets, &key); /* it is there */
	jn_probe_unref(&target->probe);
	free(target);
}

/* Found or made; NULL: no memory. A new one goes on with the verdict that is in the table. */
static struct jn_target *take_target(struct jn_prober *p, const struct jn_probed_port *port,
				     const struct jn_probed_endpoint *endpoint)
{
	struct target_key key = { endpoint->addr,
				  port->probe->port ? port->probe->port : ntohs(endpoint->port),
				  port->probe };
	struct jn_target **found = jn_table_find(&p->targets, &key), *target;
	bool is_new;

	if (found)
		return *found;
	target = calloc(1, sizeof(*target));
	found = target ? jn_table_put(&p->targets, &key, &is_new) : NULL;
	if (!found) {
		free(target);
		return NULL;
	}
	*found = target;
	target->prober = p;
	target->addr = key.addr;
	target->port = key.port;
	target->probe = jn_probe_ref(port->probe);
	target->health.is_down = endpoint->is_down;
	if (!jn_prober_ask(p, target))
		return target;
	free_target(p, target);
	return NULL;
}

/* --- backends ---------------------------------------------------------------------------------- */

static struct jn_probed_backend *take_backend(struct jn_prober *p,
					      const struct jn_probed_endpoint *endpoint)
{
	struct jn_probed_backend **found = jn_table_find(&p->backends, &endpoint->live), *backend;
	bool is_new;

	if (found)
		return *found;
	backend = calloc(1, sizeof(*backend));
	found = backend ? jn_table_put(&p->backends, &endpoint->live, &is_new) : NULL;
	if (!found) {
		free(backend);
		return NULL;
	}
	*found = backend;
	backend->live = endpoint->live;
	backend->is_down = endpoint->is_down;
	p->down += backend->is_down;
	return backend;
}

/* With nobody to find it down it is up; only then is it let go. */
static void drop_backend(struct jn_prober *p, struct jn_probed_backend *backend)
{
	jn_prober_judge(p, backend);
	if (backend->members)
		return;
	(void)jn_table_del(&p->backends, &backend->live); /* it is there */
	free(backend);
}

/* --- ports ------------------------------------------------------------------------------------- */

static void drop_port(struct jn_prober *p, struct jn_watched_port *port)
{
	for (size_t i = 0; i < port->count; i++) {
		struct jn_member *member = &port->members[i];

		jn_link_out(&member->of_target);
		jn_link_out(&member->of_backend);
		if (!member->target->members)
			free_target(p, member->target);
		drop_backend(p, member->backend);
	}
	free(port->members);
	free(port->name);
	free(port);
}

static int add_member(struct jn_prober *p, struct jn_watched_port *port,
		      const struct jn_probed_port *given, size_t i)
{
	struct jn_member *member = &port->members[i];

	member->target = take_target(p, given, &given->endpoints[i]);
	if (!member->target)
		return -ENOMEM;
	member->backend = take_backend(p, &given->endpoints[i]);
	if (!member->backend) {
		if (!member->target->members)
			free_target(p, member->target);
		return -ENOMEM;
	}
	member->port = port;
	member->takes_new = given->endpoints[i].takes_new;
	jn_link_in(&member->target->members, &member->of_target);
	jn_link_in(&member->backend->members, &member->of_backend);
	port->count++;
	return 0;
}

static struct jn_watched_port *make_port(struct jn_prober *p, const struct jn_probed_port *given)
{
	struct jn_watched_port *port = calloc(1, sizeof(*port));
	int rc = 0;

	if (!port)
		return NULL;
	port->max_percent = given->max_percent;
	port->members = calloc(given->count, sizeof(*port->members));
	if (!port->members || asprintf(&port->name, "%s/%s%s%s", given->namespace_, given->name,
				       *given->port_name ? ":" : "", given->port_name) < 0) {
		port->name = NULL;
		rc = -ENOMEM;
	}
	for (size_t i = 0; i < given->count && !rc; i++)
		rc = add_member(p, port, given, i);
	if (!rc)
		return port;
	drop_port(p, port);
	return NULL;
}

void jn_prober_change(void *prober, const struct jn_probed_port *given)
{
	struct jn_prober *p = prober;
	struct port_entry *entry = jn_table_find(&p->ports, &given->service);
	struct jn_watched_port *old = entry ? entry->port : NULL, *port = NULL;
	bool is_new;

	if (given->probe && !entry)
		entry = jn_table_put(&p->ports, &given->service, &is_new);
	if (given->probe && entry)
		port = make_port(p, given);
	if (given->probe && !port)
		jn_warn("probe", "out of memory: %s/%s is not probed; give junctord more memory",
			given->namespace_, given->name);
	if (entry)
		*entry = (struct port_entry){ given->service, port };
	if (port) {
		port->is_panic = old && old->is_panic;
		jn_prober_settle(p, port);
	} else {
		(void)jn_table_del(&p->ports, &given->service); /* there may be none */
	}
	if (old)
		drop_port(p, old);
}

/* --- answers ----------------------------------------------------------------------------------- */

const char *jn_prober_reason(void *prober, uint32_t live)
{
	struct jn_prober *p = prober;
	struct jn_probed_backend **backend = jn_table_find(&p->backends, &live);

	for (struct jn_link *link = backend ? (*backend)->members : NULL; link; link = link->next) {
		const struct jn_target *target = jn_member_of_backend(link)->target;

		if (*target->why)
			return target->why;
	}
	return NULL;
}

void jn_prober_stats(void *prober, struct jn_probe_stats *out)
{
	const struct jn_prober *p = prober;

	*out = (struct jn_probe_stats){
		.succeeded = p->succeeded,
		.failed = p->failed,
		.panics = p->panics,
		.backends = p->backends.count,
		.down = p->down,
	};
}

/* --- life -------------------------------------------------------------------------------------- */

int jn_prober_new(const struct jn_prober_options *options, struct jn_prober **out)
{
	struct jn_prober *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->options = *options;
	jn_table_init(&p->ports, &ports_ops);
	jn_table_init(&p->targets, &targets_ops);
	jn_table_init(&p->backends, &backends_ops);
	*out = p;
	return 0;
}

static void leave_as_it_is(void *arg, uint32_t live, bool is_down)
{
	(void)arg;
	(void)live;
	(void)is_down;
}

void jn_prober_close(struct jn_prober **prober)
{
	struct jn_prober *p = JN_MOVE(*prober);
	struct port_entry *entry;
	size_t at = 0;

	if (!p)
		return;
	p->options.set_down = leave_as_it_is;
	while ((entry = jn_table_next(&p->ports, &at)))
		drop_port(p, entry->port);
	jn_timer_stop(&p->timer);
	jn_schedule_done(&p->schedule);
	jn_table_done(&p->ports);
	jn_table_done(&p->targets);
	jn_table_done(&p->backends);
	free(p);
}
