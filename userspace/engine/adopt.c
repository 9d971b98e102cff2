/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * At start: read the tables that outlived the last process into the index of what is installed.
 * Writes nothing. What belongs to nobody (left by a crash) is handed over as garbage.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/internal.h"

#define AREA "engine"

struct entry {
	struct jn_frontend_key key;
	struct jn_frontend value;
};

/* Where a service id stands in the index: ports move when their list grows, places do not. */
struct place {
	struct jn_installed_service *service;
	size_t port;
};

struct adoption {
	struct jn_install *in;
	const struct jn_sizes *sizes;
	struct jn_garbage *garbage;
	struct {
		struct entry *items;
		size_t count, capacity;
	} frontends;
	struct place *places; /* by service id */
	uint8_t *is_reached;  /* by service id: some frontend leads to it */
	uint32_t *owners;     /* by revision: the set it belongs to; 0: none yet */
	uint8_t *services, *sets, *revisions, *endpoints; /* marks: in use */
	struct {
		struct jn_extent *items;
		size_t count, capacity;
	} slots;
};

static void adoption_done(struct adoption *a)
{
	free(a->frontends.items);
	free(a->places);
	free(a->is_reached);
	free(a->owners);
	free(a->services);
	free(a->sets);
	free(a->revisions);
	free(a->endpoints);
	free(a->slots.items);
}

static int adoption_init(struct adoption *a)
{
	a->places = calloc(a->sizes->services, sizeof(*a->places));
	a->is_reached = calloc(a->sizes->services, 1);
	a->owners = calloc(a->sizes->revisions, sizeof(*a->owners));
	a->services = calloc(a->sizes->services, 1);
	a->sets = calloc(a->sizes->sets, 1);
	a->revisions = calloc(a->sizes->revisions, 1);
	a->endpoints = calloc(a->sizes->endpoints, 1);
	return a->places && a->is_reached && a->owners && a->services && a->sets && a->revisions &&
			       a->endpoints
		       ? 0
		       : -ENOMEM;
}

static int discard(struct jn_id_list *list, uint32_t id)
{
	uint32_t *item = jn_vec_add(list);

	if (!item)
		return -ENOMEM;
	*item = id;
	return 0;
}

static int read_frontend(void *arg, const struct jn_frontend_key *key,
			 const struct jn_frontend *value)
{
	struct adoption *a = arg;
	struct entry *entry = jn_vec_add(&a->frontends);

	if (!entry)
		return -ENOMEM;
	*entry = (struct entry){ *key, *value };
	if (value->service < a->sizes->services)
		a->is_reached[value->service] = 1;
	return 0;
}

static bool is_name_whole(const struct jn_name *name)
{
	return name->name[0] && name->namespace_[0] && name->kind < JN_NAME_KIND_MAX &&
	       memchr(name->namespace_, 0, sizeof(name->namespace_)) &&
	       memchr(name->name, 0, sizeof(name->name)) &&
	       memchr(name->port_name, 0, sizeof(name->port_name));
}

/* Two ids of one name are left when a service was deleted and made again around a crash. */
static int settle_duplicate(struct adoption *a, struct jn_installed_port *port, struct place place,
			    uint32_t service)
{
	uint32_t loser = service;

	if (a->is_reached[service] && !a->is_reached[port->service]) {
		loser = port->service;
		a->places[loser] = (struct place){ 0 };
		a->places[service] = place;
		port->service = service;
	}
	return discard(&a->garbage->services, loser);
}

static int read_name(void *arg, uint32_t service, const struct jn_name *name)
{
	struct adoption *a = arg;
	struct jn_installed_service *installed;
	struct jn_installed_port *port;
	struct jn_object_key key;
	struct place place;

	if (!service || service >= a->sizes->services)
		return 0; /* not written by us; no program looks names up */
	a->services[service] = 1;
	if (!is_name_whole(name))
		return discard(&a->garbage->services, service);
	key = jn_object_key_of(name->kind == JN_NAME_SERVICE ? JN_KIND_SERVICE
							     : JN_KIND_LOCAL_SERVICE,
			       name->namespace_, name->name);
	installed = jn_installed_make(&a->in->installed, &key);
	if (!installed)
		return -ENOMEM;
	port = jn_installed_port(installed, name->port_name, name->proto);
	if (port) {
		place = (struct place){ installed, (size_t)(port - installed->ports) };
		return settle_duplicate(a, port, place, service);
	}
	port = jn_vec_add_raw((void **)&installed->ports, &installed->count, &installed->capacity,
			      sizeof(*port));
	if (!port)
		return -ENOMEM;
	memcpy(port->port_name, name->port_name, sizeof(port->port_name));
	port->proto = name->proto;
	port->service = service;
	port->drain_seconds = JN_NEVER_DRAINED; /* until its policy is read */
	a->places[service] = (struct place){ installed, installed->count - 1 };
	return 0;
}

static struct jn_installed_port *port_of(const struct adoption *a, uint32_t service)
{
	const struct place *place;

	if (service >= a->sizes->services)
		return NULL;
	place = &a->places[service];
	return place->service ? &place->service->ports[place->port] : NULL;
}

static void attach_set(struct adoption *a, struct jn_installed_port *port, enum jn_family family,
		       uint32_t set)
{
	if (port->sets[family] == set)
		return;
	if (port->sets[family] || !set || set >= a->sizes->sets || a->sets[set]) {
		port->is_uneven = true;
		return;
	}
	a->sets[set] = 1;
	port->sets[family] = set;
}

/* Frontends of services without a name are left alone: bring_in_line deletes or overwrites them. */
static int attach_frontends(struct adoption *a)
{
	for (size_t i = 0; i < a->frontends.count; i++) {
		const struct entry *entry = &a->frontends.items[i];
		struct jn_installed_port *port = port_of(a, entry->value.service);
		struct jn_frontend_key *grown;

		if (!port || port->proto != entry->key.proto)
			continue;
		grown = reallocarray(port->frontends, port->frontend_count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		port->frontends = grown;
		if (!port->frontend_count)
			port->netns_cookie = entry->value.netns_cookie;
		else if (port->netns_cookie != entry->value.netns_cookie)
			port->is_uneven = true;
		port->frontends[port->frontend_count++] = entry->key;
		attach_set(a, port, jn_family_of(&entry->key.vip), entry->value.set);
	}
	return 0;
}

static int note_live(struct adoption *a, const struct jn_endpoint *endpoint, uint8_t proto)
{
	struct jn_frontend_key backend = { .vip = endpoint->addr,
					   .port = endpoint->port,
					   .proto = proto };

	return jn_lives_note(&a->in->lives, endpoint->live, &backend);
}

static int attach_endpoints(struct adoption *a)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(a->in->datapath);

	for (uint32_t id = 1; id < a->sizes->endpoints; id++) {
		struct jn_installed_port *port;
		uint32_t *grown;

		if (!table[id].service)
			continue;
		a->endpoints[id] = 1;
		port = port_of(a, table[id].service);
		if (!port) {
			if (discard(&a->garbage->endpoints, id))
				return -ENOMEM;
			continue;
		}
		grown = reallocarray(port->endpoints, port->endpoint_count + 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		port->endpoints = grown;
		port->endpoints[port->endpoint_count++] = id;
		if (note_live(a, &table[id], port->proto))
			return -ENOMEM;
	}
	return 0;
}

/* By its first slot; without slots it fits as well as another. */
static bool is_revision_of(const struct adoption *a, const struct jn_revision *revision,
			   uint32_t service)
{
	uint32_t endpoint;

	if (!jn_revision_slots(revision))
		return true;
	endpoint = jn_datapath_slots(a->in->datapath)[revision->slot_base].endpoint;
	return endpoint < a->sizes->endpoints &&
	       jn_datapath_endpoints(a->in->datapath)[endpoint].service == service;
}

/* Somebody may have led one set to the revision of another: it is of the one whose endpoints it has. */
static void claim_revisions(struct adoption *a, const struct jn_installed_port *port)
{
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		uint32_t index;
		const struct jn_revision *revision =
			jn_published(a->in->datapath, port->sets[family], &index);

		if (revision && (!a->owners[index] || is_revision_of(a, revision, port->service)))
			a->owners[index] = port->sets[family];
	}
}

/* A set that leads to no revision of its own is published anew later. */
static int attach_revision(struct adoption *a, uint32_t set)
{
	uint32_t index;
	const struct jn_revision *revision = jn_published(a->in->datapath, set, &index);
	struct jn_extent *extent;

	if (!revision)
		return 0;
	if (!a->owners[index])
		a->owners[index] = set;
	if (a->owners[index] != set) {
		jn_warn(AREA, "set %u leads to revision %u, which is of set %u; it is put right",
			set, index, a->owners[index]);
		return 0;
	}
	a->revisions[index] = 1;
	if (revision->number > a->in->last_number)
		a->in->last_number = revision->number;
	if (!jn_revision_slots(revision))
		return 0;
	extent = jn_vec_add(&a->slots);
	if (!extent)
		return -ENOMEM;
	*extent = (struct jn_extent){ revision->slot_base, jn_revision_slots(revision) };
	return 0;
}

/*
 * A published set that belongs to no service. Frontends may still lead to it until they are deleted
 * or written again, so all that stands behind it stays as it is until then.
 */
static int discard_set(struct adoption *a, uint32_t set)
{
	uint32_t index;
	const struct jn_revision *revision = jn_published(a->in->datapath, set, &index);
	struct jn_extent *extent;
	int rc;

	a->sets[set] = 1;
	rc = discard(&a->garbage->sets, set);
	if (rc || !revision)
		return rc;
	rc = attach_revision(a, set);
	if (rc || a->owners[index] != set)
		return rc;
	rc = discard(&a->garbage->revisions, index);
	if (rc || !jn_revision_slots(revision))
		return rc;
	extent = jn_vec_add(&a->garbage->slots);
	if (!extent)
		return -ENOMEM;
	*extent = (struct jn_extent){ revision->slot_base, jn_revision_slots(revision) };
	return 0;
}

static int attach_sets(struct adoption *a)
{
	const struct jn_set *table = jn_datapath_sets(a->in->datapath);
	int rc = 0;

	for (uint32_t service = 1; service < a->sizes->services; service++) {
		struct jn_installed_port *port = port_of(a, service);

		if (port)
			claim_revisions(a, port);
	}
	for (uint32_t set = 1; set < a->sizes->sets && !rc; set++) {
		if (a->sets[set])
			rc = attach_revision(a, set);
		else if (table[set].word)
			rc = discard_set(a, set);
	}
	return rc;
}

/* The published revisions that are its own, and what they ask for. */
static void attach_rules(struct adoption *a, struct jn_installed_port *port)
{
	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		uint32_t index;
		const struct jn_revision *revision =
			jn_published(a->in->datapath, port->sets[family], &index);

		if (!revision || a->owners[index] != port->sets[family])
			continue;
		port->published[family] = jn_publication_of(a->in->datapath, index);
		port->flags |= revision->flags;
		if (!port->live && revision->live < a->sizes->live)
			port->live = revision->live;
	}
	(void)jn_lives_note(&a->in->lives, port->live, NULL); /* needs no memory */
	jn_install_weigh(a->in, port->flags, 1);
}

static void attach_all_rules(struct adoption *a)
{
	for (uint32_t service = 1; service < a->sizes->services; service++) {
		struct jn_installed_port *port = port_of(a, service);

		if (port)
			attach_rules(a, port);
	}
}

static int adopt_ids(struct adoption *a, struct jn_error *err)
{
	struct jn_install *in = a->in;
	uint64_t now = jn_clock_ms();
	int rc;

	rc = jn_ids_adopt(&in->services, a->services, now);
	if (!rc)
		rc = jn_ids_adopt(&in->sets, a->sets, now);
	if (!rc)
		rc = jn_ids_adopt(&in->revisions, a->revisions, now);
	if (!rc)
		rc = jn_ids_adopt(&in->endpoints, a->endpoints, now);
	if (!rc)
		rc = jn_lives_adopt(&in->lives);
	if (!rc)
		rc = jn_ranges_adopt(&in->slots, a->slots.items, a->slots.count);
	if (rc == -EINVAL)
		return jn_error_set(err, -EUCLEAN, JN_ERROR_UNAVAILABLE,
				    "the pinned tables are damaged: two revisions share slots. "
				    "They "
				    "serve on as they are; to begin anew from what was declared, "
				    "which stays on disk, stop junctord, run junctor cleanup (with "
				    "junctord's --pin-dir, if it has one), and start junctord "
				    "again: services do not answer in between");
	return rc;
}

int jn_engine_adopt(struct jn_engine *e, struct jn_garbage *garbage, struct jn_error *err)
{
	struct jn_datapath *datapath = e->install.datapath;
	JN_AUTO(adoption_done)
	struct adoption a = { .in = &e->install,
			      .sizes = jn_datapath_sizes(datapath),
			      .garbage = garbage };
	int rc = adoption_init(&a);

	if (!rc)
		rc = jn_datapath_each_frontend(datapath, read_frontend, &a);
	if (!rc)
		rc = jn_datapath_each_name(datapath, read_name, &a);
	if (!rc)
		rc = attach_frontends(&a);
	if (!rc)
		rc = attach_endpoints(&a);
	if (!rc)
		rc = attach_sets(&a);
	if (!rc)
		attach_all_rules(&a);
	if (!rc)
		rc = adopt_ids(&a, err);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the pinned tables cannot be read (%s); free memory and start "
				    "junctord again",
				    strerror(-rc));
	return 0;
}
