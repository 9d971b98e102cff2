/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * At start: what the store says, what the tables hold, and which of the two is right.
 *
 * A whole store is always right: the tables are brought in line with it, which also completes what
 * a crash interrupted between commit and publication. A store that is damaged, or older than the
 * tables, is doubted: what the tables hold goes on being served, and the objects that the store no
 * longer knows are declared anew from the tables, stored, and named in /v1/status.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/internal.h"
#include "engine/plan_lives.h"
#include "engine/probes.h"

struct loading {
	struct jn_engine *e;
	struct jn_changes objects; /* what the store knows; each is an `after` */
	struct jn_notes bad;	   /* rows that are not what was written */
	bool is_damaged;	   /* more than single rows */
	uint64_t store_generation, tables_generation;
};

static void loading_done(struct loading *l)
{
	jn_changes_done(&l->objects);
	jn_notes_done(&l->bad);
}

/* --- reading the store --------------------------------------------------------------------------- */

static void read_bad_row(void *arg, const char *kind, const char *namespace_, const char *name)
{
	struct loading *l = arg;
	struct jn_object_key key = { 0 };

	if (!jn_kind_by_name(kind, &key.kind)) {
		(void)snprintf(key.namespace_, sizeof(key.namespace_), "%s", namespace_);
		(void)snprintf(key.name, sizeof(key.name), "%s", name);
	}
	if (!key.name[0])
		l->is_damaged = true;
	else if (jn_notes_add(&l->bad, &key, false))
		l->is_damaged = true; /* no memory to name it: doubt everything */
}

static int read_row(void *arg, const struct jn_row *row)
{
	struct loading *l = arg;
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	struct jn_decode_options options = {
		.prefix = "",
		.namespace_ = row->namespace_,
		.namespace_is_fixed = true,
		.name = row->name,
	};
	enum jn_kind kind;
	struct jn_change *change;
	int rc;

	if (jn_kind_by_name(row->kind, &kind)) {
		read_bad_row(arg, row->kind, row->namespace_, row->name);
		return 0;
	}
	options.kind = kind;
	rc = jn_object_decode(row->body, row->body_size, &options, &list, &err);
	if (rc == -ENOMEM)
		return rc;
	if (rc || list.count != 1) {
		read_bad_row(arg, row->kind, row->namespace_, row->name);
		return 0;
	}
	change = jn_vec_add(&l->objects);
	if (!change)
		return -ENOMEM;
	change->after = jn_object_ref(list.items[0]);
	change->after->version = row->version;
	if (row->is_recovered)
		return jn_notes_add(&l->e->notes, &change->after->key, true);
	return 0;
}

static void read_damage(void *arg, const char *sentence)
{
	struct loading *l = arg;

	l->is_damaged = true;
	(void)jn_notes_say(&l->e->notes, sentence); /* is_damaged alone is enough to be careful */
}

/* --- declaring ----------------------------------------------------------------------------------- */

/* Stage and keep these changes. -EINVAL: they do not fit together with the rest; -ENOMEM. */
static int declare(struct jn_engine *e, const struct jn_changes *changes)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_model_stage(e->model, changes, &err);

	if (!rc)
		jn_model_settle(e->model, changes, true);
	return rc;
}

static struct jn_changes one_change(const struct jn_model *m, struct jn_object *after,
				    struct jn_change *change)
{
	change->before = jn_model_find(m, &after->key);
	change->after = after;
	return (struct jn_changes){ .items = change, .count = 1 };
}

/* All at once; where they contradict each other (damage), one by one, and the rest is bad. */
static int declare_stored(struct loading *l)
{
	int rc = declare(l->e, &l->objects);

	if (rc != -EINVAL)
		return rc;
	for (size_t i = 0; i < l->objects.count; i++) {
		struct jn_change change = { 0 };
		struct jn_changes one = one_change(l->e->model, l->objects.items[i].after, &change);
		const struct jn_object_key *key = &l->objects.items[i].after->key;

		rc = declare(l->e, &one);
		if (rc == -EINVAL)
			read_bad_row(l, jn_kind_names(key->kind)->kind, key->namespace_, key->name);
		else if (rc)
			return rc;
	}
	return 0;
}

/* --- doubt: what the tables know better ---------------------------------------------------------- */

static struct jn_object_key key_of(const struct jn_installed_service *service)
{
	struct jn_object_key key = { .kind = JN_KIND_LOCAL_SERVICE };

	memcpy(key.namespace_, service->namespace_, sizeof(key.namespace_));
	memcpy(key.name, service->name, sizeof(key.name));
	return key;
}

/* The last generation that changed anything of this service. */
static uint64_t effective_version(const struct jn_engine *e, const struct jn_object *object)
{
	const struct jn_object *policy;
	uint64_t version = object->version;

	for (unsigned i = 0; i <= object->service.port_count; i++) {
		policy = jn_model_policy(e->model, object->key.namespace_, object->key.name,
					 i < object->service.port_count
						 ? object->service.ports[i].name
						 : "");
		if (policy && policy->version > version)
			version = policy->version;
	}
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
static int is_doubtful(struct loading *l, struct jn_object_key *key)
{
	const struct jn_object *object = jn_model_find(l->e->model, key);

	if (!object)
		return l->is_damaged || l->store_generation < l->tables_generation ||
		       jn_notes_find(&l->bad, key);
	if (effective_version(l->e, object) > l->tables_generation)
		return 0;
	return differs(l->e, key);
}

/* A policy that was lost gets its own name back where only one was lost in its namespace. */
static void rename_policy(struct loading *l, struct jn_object *policy)
{
	const struct jn_note *found = NULL, *note;
	size_t at = 0;

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

static int recover_object(struct loading *l, struct jn_object *object, uint64_t generation,
			  struct jn_rows *rows)
{
	struct jn_change change = { 0 };
	struct jn_changes one = one_change(l->e->model, object, &change);
	int rc;

	object->version = generation;
	rc = declare(l->e, &one);
	if (rc)
		return rc == -EINVAL ? 0 : rc; /* something right stands there now: it wins */
	rc = jn_notes_add(&l->e->notes, &object->key, true);
	jn_notes_del(&l->bad, &object->key);
	return rc ? rc : jn_rows_add(rows, &object->key, object, true);
}

/* Does what is declared choose in this way already? */
static bool is_governed(const struct jn_model *m, const struct jn_object *policy)
{
	const struct jn_traffic_policy *p = &policy->policy;
	const struct jn_object *found;

	found = jn_model_policy(m, policy->key.namespace_, p->target, p->port);
	if (!found)
		found = jn_model_policy(m, policy->key.namespace_, p->target, "");
	return found && found->policy.algorithm == p->algorithm &&
	       found->policy.no_endpoint_errno == p->no_endpoint_errno;
}

/* First the policies: often they alone are missing, and the service's own row is right. */
static int recover_service(struct loading *l, const struct jn_installed_service *service,
			   uint64_t generation, struct jn_rows *rows,
			   struct jn_object_list *recovered)
{
	struct jn_object_key key = key_of(service);
	size_t first = recovered->count;
	int rc = jn_engine_recover(l->e, service, recovered);

	if (rc == -ENOENT)
		return 0; /* no frontend leads to it: there is nothing to serve */
	for (size_t i = first; i < recovered->count && !rc; i++) {
		if (recovered->items[i]->key.kind != JN_KIND_TRAFFIC_POLICY ||
		    is_governed(l->e->model, recovered->items[i]))
			continue;
		rename_policy(l, recovered->items[i]);
		rc = recover_object(l, recovered->items[i], generation, rows);
	}
	if (!rc)
		rc = jn_model_find(l->e->model, &key) ? differs(l->e, &key) : 1;
	return rc > 0 ? recover_object(l, recovered->items[first], generation, rows) : rc;
}

static int recover_all(struct loading *l, uint64_t generation, struct jn_rows *rows,
		       struct jn_object_list *recovered)
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
		struct jn_object_key key = key_of(services[i]);

		rc = is_doubtful(l, &key);
		if (rc > 0)
			rc = recover_service(l, services[i], generation, rows, recovered);
	}
	free(services);
	return rc;
}

/* What could not be brought back is remembered on disk until somebody declares or deletes it. */
static int note_lost(struct loading *l)
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

static int settle_doubt(struct loading *l, struct jn_error *err)
{
	JN_AUTO(jn_rows_done) struct jn_rows rows = { 0 };
	JN_AUTO(jn_object_list_done) struct jn_object_list recovered = { 0 };
	struct jn_engine *e = l->e;
	uint64_t generation = e->generation + 1;
	int rc;

	if (l->store_generation < l->tables_generation && !l->is_damaged)
		(void)jn_notes_say(&e->notes,
				   "StateBehind: the stored state is older than the kernel tables; "
				   "what the tables serve was kept: compare junctor get with your "
				   "files"); /* without memory to say it, each object is named */
	rc = recover_all(l, generation, &rows, &recovered);
	if (!rc)
		rc = jn_rows_close(&rows);
	if (!rc && rows.count) {
		rc = jn_store_commit(e->store, generation, rows.items, rows.count, err);
		if (!rc)
			e->generation = generation;
	}
	return rc ? rc : note_lost(l);
}

/* --- bringing the tables in line ----------------------------------------------------------------- */

static int add_key(struct jn_key_list *keys, const struct jn_object_key *key)
{
	struct jn_object_key *item = jn_vec_add(keys);

	if (!item)
		return -ENOMEM;
	*item = *key;
	return 0;
}

/* Everything declared, and everything installed that is not declared any more. */
static int collect_keys(struct jn_engine *e, struct jn_key_list *keys)
{
	struct jn_installed_service **service;
	struct jn_object *object;
	size_t at = 0;
	int rc = 0;

	while (!rc && (object = jn_model_next(e->model, &at))) {
		if (object->key.kind == JN_KIND_LOCAL_SERVICE)
			rc = add_key(keys, &object->key);
	}
	at = 0;
	while (!rc && (service = jn_table_next(&e->install.installed, &at))) {
		struct jn_object_key key = key_of(*service);

		if (!jn_model_find(e->model, &key))
			rc = add_key(keys, &key);
	}
	return rc;
}

struct orphans {
	struct jn_engine *e;
	struct {
		struct jn_frontend_key *items;
		size_t count, capacity;
	} keys;
};

static int find_orphan(void *arg, const struct jn_frontend_key *key,
		       const struct jn_frontend *value)
{
	struct orphans *orphans = arg;
	struct jn_frontend_key *item;

	(void)value; /* whose it was does not matter: nobody declares it */
	if (jn_model_is_claimed(orphans->e->model, key))
		return 0;
	item = jn_vec_add(&orphans->keys);
	if (!item)
		return -ENOMEM;
	*item = *key;
	return 0;
}

/* Frontends that nobody declares, most of all those whose service lost its name in a crash. */
static int drop_orphans(struct jn_engine *e)
{
	struct orphans orphans = { .e = e };
	int rc = jn_datapath_each_frontend(e->install.datapath, find_orphan, &orphans);

	if (!rc && orphans.keys.count)
		rc = jn_datapath_del_frontends(e->install.datapath, orphans.keys.items,
					       orphans.keys.count);
	free(orphans.keys.items);
	return rc;
}

/* Nobody waits for the loop yet: all at once. */
static int grow_now(struct jn_engine *e, const struct jn_key_list *keys, struct jn_error *err)
{
	struct jn_datapath *datapath = e->install.datapath;
	struct jn_growth *growth = NULL;
	struct jn_sizes sizes;
	int rc = jn_install_fit(&e->install, keys, &sizes);

	if (!rc)
		rc = jn_datapath_grow_load(datapath, &sizes, &growth, err);
	if (!rc)
		rc = jn_datapath_grow_swap(datapath, growth, err);
	if (!rc)
		jn_datapath_wait_grace();
	jn_datapath_grow_settle(datapath, &growth);
	return rc ? rc : jn_install_grow(&e->install);
}

static int bring_in_line(struct jn_engine *e, struct jn_garbage *garbage, struct jn_error *err)
{
	struct jn_transaction t = { .in = &e->install };
	struct jn_key_list keys = { 0 };
	int rc = collect_keys(e, &keys);

	if (!rc)
		rc = jn_transaction_prepare(&t, &keys, err);
	while (rc == -ENOSPC) {
		rc = grow_now(e, &keys, err);
		if (!rc)
			rc = jn_transaction_prepare(&t, &keys, err);
	}
	free(keys.items);
	if (rc)
		return rc;
	/* What the last process replaced just before it died may still be being read. */
	if (jn_datapath_is_adopted(e->install.datapath))
		jn_datapath_wait_grace();
	rc = jn_transaction_hide(&t, err);
	if (!rc)
		rc = drop_orphans(e); /* before new ones need their room */
	if (rc) {
		jn_transaction_take_back(&t);
		return rc;
	}
	rc = jn_transaction_publish(&t, e->generation, err);
	if (rc) { /* some frontends may lead to what is replaced: the next start goes on from here */
		jn_transaction_done(&t);
		return rc;
	}
	e->installed = e->generation;
	jn_endings_note(e, &t);
	jn_transaction_adopt(&t, garbage);
	jn_transaction_done(&t);
	if (!jn_garbage_is_empty(garbage)) {
		jn_datapath_wait_grace();
		jn_garbage_collect(&e->install, garbage);
	}
	return 0;
}

int jn_engine_load(struct jn_engine *e, const char *state_dir, struct jn_error *err)
{
	JN_AUTO(loading_done) struct loading l = { .e = e };
	JN_AUTO(jn_garbage_done) struct jn_garbage garbage = { 0 };
	struct jn_store_reader reader = { &l, read_row, read_bad_row, read_damage };
	int rc;

	jn_notes_init(&l.bad);
	rc = jn_store_open(state_dir, &reader, &e->store, &l.store_generation, err);
	if (!rc)
		rc = jn_engine_adopt(e, &garbage, err);
	if (rc)
		return rc;
	l.tables_generation = jn_datapath_generation(e->install.datapath);
	e->generation = l.store_generation > l.tables_generation ? l.store_generation
								 : l.tables_generation;
	rc = declare_stored(&l);
	if (!rc && (l.is_damaged || l.bad.items.count || l.store_generation < l.tables_generation))
		rc = settle_doubt(&l, err);
	if (!rc)
		rc = bring_in_line(e, &garbage, err);
	if (!rc)
		rc = jn_probes_forget(&e->install);
	if (!rc)
		rc = jn_plan_hooks(&e->install, NULL, err);
	(void)malloc_trim(0);
	return rc;
}
