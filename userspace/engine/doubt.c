/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A store that is damaged, or older than the tables: which of the two is right for each service, and
 * the objects that come back from the tables. What they are made of is in recover.c and
 * recover_cluster.c; a store that is whole never comes here.
 */
#include "engine/loading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"

static void take_later(uint64_t *version, const struct jn_object *object)
{
	if (object && object->version > *version)
		*version = object->version;
}

/* The last generation that changed anything of this service. */
static uint64_t effective_version(const struct jn_engine *e, const struct jn_object *object)
{
	const char *namespace_ = object->key.namespace_, *name = object->key.name;
	uint64_t version = object->version;
	struct jn_object_key node;

	for (unsigned i = 0; i < jn_object_port_count(object); i++)
		take_later(&version,
			   jn_model_policy(e->model, namespace_, name, jn_object_port(object, i)));
	take_later(&version, jn_model_policy(e->model, namespace_, name, ""));
	if (object->key.kind != JN_KIND_SERVICE)
		return version;
	for (const struct jn_object *slice = jn_model_slices(e->model, namespace_, name); slice;
	     slice = slice->slice.next)
		take_later(&version, slice);
	node = jn_object_key_of(JN_KIND_NODE, "", jn_model_here(e->model).node);
	take_later(&version, jn_model_find(e->model, &node));
	return version;
}

/* Would the tables have to change for this service as it is declared now? 1, 0 or -ENOMEM. */
static int differs(struct jn_engine *e, struct jn_object_key *key)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_transaction t = { .in = &e->install };
	struct jn_key_list keys = { .items = key, .count = 1 };
	int rc = jn_transaction_prepare(&t, &keys, &err);

	if (rc)
		return rc == -ENOMEM ? rc : 1; /* a limit is reached: it would */
	rc = !jn_transaction_is_empty(&t);
	jn_transaction_take_back(&t);
	return rc;
}

/* Is the tables' version of this service to be trusted more than the store's? 1, 0 or -ENOMEM. */
static int is_doubtful(struct jn_loading *l, struct jn_object_key *key)
{
	const struct jn_object *object = jn_model_find(l->e->model, key);

	if (!object)
		return l->is_damaged || l->store_generation < l->tables_generation ||
		       jn_notes_find(&l->bad, key);
	if (effective_version(l->e, object) > l->tables_generation)
		return 0;
	return differs(l->e, key);
}

/*
 * A policy that was lost gets its own name back where only one was lost in its namespace. One that
 * takes a declared one's place has that one's.
 */
static void rename_policy(struct jn_loading *l, struct jn_object *policy)
{
	const struct jn_note *found = NULL, *note;
	size_t at = 0;

	if (jn_model_find(l->e->model, &policy->key))
		return;
	while ((note = jn_table_next(&l->bad.items, &at))) {
		if (note->key.kind != JN_KIND_TRAFFIC_POLICY ||
		    strcmp(note->key.namespace_, policy->key.namespace_))
			continue;
		if (found)
			return;
		found = note;
	}
	if (found)
		policy->key = found->key;
}

/* What is brought back, as one generation. The rows' keys are those of the objects. */
struct recovery {
	uint64_t generation;
	struct jn_object_list recovered, stale;
	struct jn_rows rows;
};

static void recovery_done(struct recovery *r)
{
	jn_rows_done(&r->rows);
	jn_object_list_done(&r->recovered);
	jn_object_list_done(&r->stale);
}

static int recover_object(struct jn_loading *l, struct jn_object *object, struct recovery *r)
{
	struct jn_change change = { 0 };
	struct jn_changes one = jn_loading_change(l->e->model, object, &change);
	int rc;

	object->version = r->generation;
	rc = jn_loading_declare(l->e, &one);
	if (rc)
		return rc == -EINVAL ? 0 : rc; /* something right stands there now: it wins */
	rc = jn_notes_add(&l->e->notes, &object->key, true);
	jn_notes_del(&l->bad, &object->key);
	return rc ? rc : jn_rows_add(&r->rows, &object->key, object, true);
}

/* What is declared of a Service and is older than the tables. */
static int drop_object(struct jn_loading *l, struct jn_object *object, struct jn_rows *rows)
{
	struct jn_change change = { .before = object };
	struct jn_changes one = { .items = &change, .count = 1 };
	int rc = jn_loading_declare(l->e, &one);

	return rc ? rc : jn_rows_add(rows, &object->key, NULL, false);
}

static int recover_cluster(struct jn_loading *l, const struct jn_installed_service *service,
			   struct recovery *r)
{
	size_t first = r->recovered.count;
	size_t first_stale = r->stale.count;
	int rc = jn_engine_recover_cluster(l->e, service, &r->recovered, &r->stale);

	if (rc == -ENOENT)
		return 0; /* as below */
	for (size_t i = first; i < r->recovered.count && !rc; i++)
		rc = recover_object(l, r->recovered.items[i], r);
	for (size_t i = first_stale; i < r->stale.count && !rc; i++)
		rc = drop_object(l, r->stale.items[i], &r->rows);
	return rc;
}

/* First the policies: often they alone are missing, and the service's own row is right. */
static int recover_service(struct jn_loading *l, const struct jn_installed_service *service,
			   struct recovery *r)
{
	struct jn_object_key key = jn_installed_key(service);
	size_t first = r->recovered.count;
	int rc = jn_engine_recover(l->e, service, &r->recovered);

	if (rc == -ENOENT)
		return 0; /* no frontend leads to it: there is nothing to serve */
	for (size_t i = first; i < r->recovered.count && !rc; i++) {
		if (r->recovered.items[i]->key.kind != JN_KIND_TRAFFIC_POLICY)
			continue;
		rename_policy(l, r->recovered.items[i]);
		rc = recover_object(l, r->recovered.items[i], r);
	}
	if (!rc)
		rc = jn_model_find(l->e->model, &key) ? differs(l->e, &key) : 1;
	if (rc <= 0)
		return rc;
	return service->kind == JN_KIND_SERVICE ? recover_cluster(l, service, r)
						: recover_object(l, r->recovered.items[first], r);
}

static int recover_all(struct jn_loading *l, struct recovery *r)
{
	struct jn_installed_service **services = NULL, **service;
	size_t at = 0, count = 0;
	int rc = 0;

	/* A list of its own: planning touches the table of what is installed. */
	services = calloc(l->e->install.installed.count + 1, sizeof(*services));
	if (!services)
		return -ENOMEM;
	while ((service = jn_table_next(&l->e->install.installed, &at)))
		services[count++] = *service;
	for (size_t i = 0; i < count && !rc; i++) {
		struct jn_object_key key = jn_installed_key(services[i]);

		rc = is_doubtful(l, &key);
		if (rc > 0)
			rc = recover_service(l, services[i], r);
	}
	free(services);
	return rc;
}

/* What could not be brought back is remembered on disk until somebody declares or deletes it. */
static int note_lost(struct jn_loading *l)
{
	const struct jn_note *note;
	size_t at = 0;
	int rc = 0;

	while (!rc && (note = jn_table_next(&l->bad.items, &at))) {
		const struct jn_object_key *key = &note->key;
		struct jn_row row = {
			.kind = jn_kind_names(key->kind)->kind,
			.namespace_ = key->namespace_,
			.name = key->name,
		};

		if (jn_model_find(l->e->model, key))
			continue;
		rc = jn_notes_add(&l->e->notes, key, false);
		if (!rc)
			(void)jn_store_set_damaged(l->e->store, &row, true); /* said in any case */
	}
	return rc;
}

int jn_loading_settle_doubt(struct jn_loading *l, struct jn_error *err)
{
	struct jn_engine *e = l->e;
	JN_AUTO(recovery_done) struct recovery r = { .generation = e->generation + 1 };
	int rc;

	if (l->store_generation < l->tables_generation && !l->is_damaged)
		(void)jn_notes_say(&e->notes,
				   "StateBehind: the stored state is older than the kernel tables; "
				   "what the tables serve was kept: compare junctor get with your "
				   "files"); /* without memory to say it, each object is named */
	rc = recover_all(l, &r);
	if (!rc)
		rc = jn_rows_close(&r.rows);
	if (!rc && r.rows.count) {
		rc = jn_store_commit(e->store, r.generation, r.rows.items, r.rows.count, err);
		if (!rc)
			e->generation = r.generation;
	}
	return rc ? rc : note_lost(l);
}
