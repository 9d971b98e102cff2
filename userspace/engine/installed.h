/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel tables hold, by object: only the indices that the tables themselves cannot be
 * searched for. What stands behind an index is read from the mapped tables.
 */
#ifndef JUNCTOR_ENGINE_INSTALLED_H
#define JUNCTOR_ENGINE_INSTALLED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

#include "base/log.h"
#include "base/table.h"
#include "engine/ids.h"
#include "model/resolve.h"

/* What was published for a set: the ids that are freed when something else is. revision 0: nothing. */
struct jn_publication {
	uint32_t revision, number;
	struct jn_extent slots;
	uint64_t sum; /* of what stands in them */
};

struct jn_installed_port {
	char port_name[JN_NAME_BYTES];
	uint8_t proto;
	bool is_uneven; /* found at start: its frontends' values differ, all must be written again */
	uint8_t flags;	/* of its published revisions: JN_REVISION_… */
	bool is_probed;
	uint32_t service;
	uint32_t live; /* of the service; 0: none */
	uint64_t netns_cookie;
	uint32_t sets[JN_FAMILY_MAX];			/* 0: none */
	struct jn_publication published[JN_FAMILY_MAX]; /* by us: the tables may say otherwise */
	struct jn_frontend_key *frontends;
	unsigned frontend_count;
	uint32_t *endpoints;
	unsigned endpoint_count;
	int32_t drain_seconds; /* as its policy has it; not in the tables */
};
void jn_installed_port_done(struct jn_installed_port *port);

struct jn_installed_service {
	enum jn_kind kind;
	char namespace_[JN_NAME_BYTES];
	char name[JN_NAME_BYTES];
	struct jn_installed_port *ports;
	size_t count, capacity;
	struct jn_log_limit panic_log; /* see ejections.h */
};

/* The table of struct jn_installed_service *. */
void jn_installed_init(struct jn_table *installed);
void jn_installed_done(struct jn_table *installed);

struct jn_installed_service *jn_installed_find(const struct jn_table *installed,
					       const struct jn_object_key *key);
/* Found or made; NULL when memory is out. */
struct jn_installed_service *jn_installed_make(struct jn_table *installed,
					       const struct jn_object_key *key);
/* The object that asks for it. */
struct jn_object_key jn_installed_key(const struct jn_installed_service *service);
void jn_installed_drop(struct jn_table *installed, struct jn_installed_service *service);

struct jn_installed_port *jn_installed_port(const struct jn_installed_service *service,
					    const char *port_name, uint8_t proto);

#endif
