/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * References to entries of jn_live. Touches no table of the kernel.
 */
#include "engine/lives.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/clock.h"

struct entry {
	struct jn_frontend_key backend;
	uint32_t id;
};

static const struct jn_table_ops backends_ops = { .entry_size = sizeof(struct entry),
						  .key_size = sizeof(struct jn_frontend_key) };

int jn_lives_init(struct jn_lives *lives, uint32_t capacity)
{
	jn_ids_init(&lives->ids, "liveBackends", JN_MAX_LIVE, JN_QUARANTINE_MS);
	jn_table_init(&lives->backends, &backends_ops);
	lives->ids.capacity = capacity;
	lives->references = calloc(capacity, sizeof(*lives->references));
	return lives->references ? 0 : -ENOMEM;
}

int jn_lives_grow(struct jn_lives *lives, uint32_t capacity)
{
	uint32_t *grown = reallocarray(lives->references, capacity, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	memset(grown + lives->ids.capacity, 0, (capacity - lives->ids.capacity) * sizeof(*grown));
	lives->references = grown;
	lives->ids.capacity = capacity;
	return 0;
}

void jn_lives_done(struct jn_lives *lives)
{
	jn_ids_done(&lives->ids);
	jn_table_done(&lives->backends);
	free(lives->references);
	lives->references = NULL;
}

uint32_t jn_lives_find(const struct jn_lives *lives, const struct jn_frontend_key *backend)
{
	const struct entry *entry = jn_table_find(&lives->backends, backend);

	return entry ? entry->id : 0;
}

uint32_t jn_lives_take(struct jn_lives *lives, const struct jn_frontend_key *backend, bool *is_new)
{
	struct entry *entry = NULL;
	uint32_t id;

	*is_new = true;
	if (backend) {
		entry = jn_table_put(&lives->backends, backend, is_new);
		if (!entry)
			return 0;
	}
	if (!*is_new) {
		lives->references[entry->id]++;
		return entry->id;
	}
	id = jn_ids_take(&lives->ids, jn_clock_ms());
	if (!id) {
		if (backend)
			jn_table_del(&lives->backends, backend);
		return 0;
	}
	if (entry)
		*entry = (struct entry){ *backend, id };
	lives->references[id] = 1;
	return id;
}

void jn_lives_drop(struct jn_lives *lives, uint32_t id, const struct jn_frontend_key *backend,
		   bool was_seen)
{
	const struct entry *entry;

	if (!id || --lives->references[id])
		return;
	entry = backend ? jn_table_find(&lives->backends, backend) : NULL;
	if (entry && entry->id == id)
		jn_table_del(&lives->backends, backend);
	jn_ids_free(&lives->ids, id, was_seen ? jn_clock_ms() : 0);
}

/* Two entries for one backend, left by a crash, live on side by side; new endpoints share the first. */
int jn_lives_note(struct jn_lives *lives, uint32_t id, const struct jn_frontend_key *backend)
{
	struct entry *entry;
	bool is_new;

	if (!id || id >= lives->ids.capacity)
		return 0;
	lives->references[id]++;
	if (!backend)
		return 0;
	entry = jn_table_put(&lives->backends, backend, &is_new);
	if (!entry)
		return -ENOMEM;
	if (is_new)
		*entry = (struct entry){ *backend, id };
	return 0;
}

int jn_lives_adopt(struct jn_lives *lives)
{
	JN_AUTO(jn_free_mem) uint8_t *marks = calloc(lives->ids.capacity, 1);

	if (!marks)
		return -ENOMEM;
	for (uint32_t id = 1; id < lives->ids.capacity; id++)
		marks[id] = lives->references[id] != 0;
	return jn_ids_adopt(&lives->ids, marks, jn_clock_ms());
}
