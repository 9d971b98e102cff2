/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows. Backends stand in LocalServices and, of Services, in EndpointSlices.
 */
#include "cli/rows.h"

#include <string.h>

#include "base/auto.h"
#include "cli/view.h"

/* --- objects ----------------------------------------------------------------------------------- */

static void add_identity(struct jn_columns *c, const struct jn_json *object)
{
	jn_columns_add(c, jn_view_namespace(object));
	jn_columns_add(c, jn_view_name(object));
}

static void add_service(void *rows, const struct jn_json *service)
{
	struct jn_columns *c = ((struct jn_rows *)rows)->columns;

	add_identity(c, service);
	jn_view_add_addresses(&c->cell, service);
	jn_columns_take(c);
	jn_view_add_ports(&c->cell, service);
	jn_columns_take(c);
	jn_view_add_ready(&c->cell, service);
	jn_columns_take(c);
	jn_columns_add(c, jn_view_status(service));
}

static void add_policy(void *rows, const struct jn_json *policy)
{
	struct jn_columns *c = ((struct jn_rows *)rows)->columns;

	add_identity(c, policy);
	jn_view_add_target(&c->cell, policy);
	jn_columns_take(c);
	jn_columns_add(c, jn_view_text(policy, "spec", "algorithm"));
	jn_columns_add(c, jn_view_text(policy, "spec", "noBackendErrno"));
	jn_columns_add(c, jn_view_status(policy));
}

static void add_slice(void *rows, const struct jn_json *slice)
{
	struct jn_columns *c = ((struct jn_rows *)rows)->columns;

	add_identity(c, slice);
	jn_columns_add(c, jn_view_service_of(slice));
	jn_columns_add(c, jn_json_text(jn_json_get(slice, "addressType")));
	jn_view_add_slice_ports(&c->cell, slice);
	jn_columns_take(c);
	jn_buffer_printf(&c->cell, "%zu", jn_json_count(jn_json_get(slice, "endpoints")));
	jn_columns_take(c);
}

static void add_node(void *rows, const struct jn_json *node)
{
	struct jn_columns *c = ((struct jn_rows *)rows)->columns;
	const struct jn_json *labels = jn_json_get(jn_json_get(node, "metadata"), "labels");

	jn_columns_add(c, jn_view_name(node));
	jn_columns_add(c, jn_json_text(jn_json_get(labels, JN_LABEL_ZONE)));
}

/* --- backends ---------------------------------------------------------------------------------- */

/* A backend, out of whatever holds it. */
struct backend {
	const char *namespace_, *service;
	struct jn_buffer address, ports, state; /* "127.0.0.1"; "8081/TCP"; "Ready" */
	const char *declared;			/* the address as it was declared */
	unsigned weight;
};

static void backend_done(struct backend *b)
{
	jn_buffer_done(&b->address);
	jn_buffer_done(&b->ports);
	jn_buffer_done(&b->state);
}

typedef void (*backend_fn)(struct jn_rows *rows, struct backend *backend);

static void each_local(struct jn_rows *rows, const struct jn_json *service, backend_fn fn)
{
	const struct jn_json *backends = jn_json_get(jn_json_get(service, "spec"), "backends");

	for (size_t i = 0; i < jn_json_count(backends); i++) {
		const struct jn_json *one = jn_json_at(backends, i);
		struct backend b = { .namespace_ = jn_view_namespace(service),
				     .service = jn_view_name(service),
				     .declared = jn_json_text(jn_json_get(one, "address")),
				     .weight = jn_view_backend_weight(one) };

		jn_view_add_backend_address(&b.address, one);
		jn_view_add_backend_ports(&b.ports, service, one);
		jn_view_add_backend_state(&b.state, service, i);
		fn(rows, &b);
		backend_done(&b);
	}
}

/* Kubernetes' endpoints have no weights: all are equal. */
static void each_of_slice(struct jn_rows *rows, const struct jn_json *slice, backend_fn fn)
{
	const struct jn_json *endpoints = jn_json_get(slice, "endpoints");
	const char *service = jn_view_service_of(slice);

	if (!*service || (rows->service && strcmp(service, rows->service) != 0))
		return;
	for (size_t i = 0; i < jn_json_count(endpoints); i++) {
		const struct jn_json *one = jn_json_at(endpoints, i);
		struct backend b = { .namespace_ = jn_view_namespace(slice),
				     .service = service,
				     .declared = jn_view_endpoint_address(one),
				     .weight = 1 };

		jn_buffer_add_text(&b.address, b.declared);
		jn_view_add_slice_ports(&b.ports, slice);
		jn_states_add(rows->states, slice, one, &b.state);
		fn(rows, &b);
		backend_done(&b);
	}
}

static void each_backend(struct jn_rows *rows, const struct jn_json *holder, backend_fn fn)
{
	if (jn_view_is(holder, JN_KIND_ENDPOINT_SLICE))
		each_of_slice(rows, holder, fn);
	else
		each_local(rows, holder, fn);
}

static void add_backend(struct jn_rows *rows, struct backend *backend)
{
	struct jn_columns *c = rows->columns;

	if (!rows->is_short) {
		jn_columns_add(c, backend->namespace_);
		jn_columns_add(c, backend->service);
	}
	jn_columns_add(c, jn_buffer_text(&backend->address));
	jn_columns_add(c, jn_buffer_text(&backend->ports));
	jn_buffer_printf(&c->cell, "%u", backend->weight);
	jn_columns_take(c);
	jn_columns_add(c, jn_buffer_text(&backend->state));
}

static void add_backends(void *rows, const struct jn_json *holder)
{
	each_backend(rows, holder, add_backend);
}

static void write_backend(struct jn_rows *rows, struct backend *backend)
{
	struct jn_writer *w = rows->json;

	jn_write_open(w, '{');
	jn_write_key_text(w, "namespace", backend->namespace_);
	jn_write_key_text(w, "service", backend->service);
	jn_write_key_text(w, "address", jn_buffer_text(&backend->address));
	jn_write_key_text(w, "ports", jn_buffer_text(&backend->ports));
	jn_write_key_unsigned(w, "weight", backend->weight);
	jn_write_key_text(w, "state", jn_buffer_text(&backend->state));
	jn_write_close(w, '}');
}

void jn_rows_backends_json(void *rows, const struct jn_json *holder)
{
	each_backend(rows, holder, write_backend);
}

/* --- names ------------------------------------------------------------------------------------- */

static void name_object(void *rows, const struct jn_json *object)
{
	struct jn_buffer *out = ((struct jn_rows *)rows)->names;
	const char *kind = jn_json_text(jn_json_get(object, "kind"));

	jn_view_add_reference(out, kind ? kind : "", jn_view_namespace(object),
			      jn_view_name(object));
	jn_buffer_add_text(out, "\n");
}

/* "backend/web/127.0.0.1:8081": the address as it was declared. */
static void name_backend(struct jn_rows *rows, struct backend *backend)
{
	jn_view_add_reference(rows->names, "backend", backend->namespace_, backend->service);
	jn_buffer_printf(rows->names, "/%s\n", backend->declared ? backend->declared : "");
}

static void name_backends(void *rows, const struct jn_json *holder)
{
	each_backend(rows, holder, name_backend);
}

/* --- which for which --------------------------------------------------------------------------- */

static const struct {
	const char *heads[JN_MAX_COLUMNS];
	jn_item_fn table, names;
} nouns[] = {
	[JN_NOUN_SERVICE] = { { "NAMESPACE", "NAME", "ADDRESSES", "PORTS", "READY", "STATUS" },
			      add_service,
			      name_object },
	[JN_NOUN_BACKEND] = { { "NAMESPACE", "SERVICE", "ADDRESS", "PORTS", "WEIGHT", "STATE" },
			      add_backends,
			      name_backends },
	[JN_NOUN_POLICY] = { { "NAMESPACE", "NAME", "TARGET", "ALGORITHM", "NO-BACKEND-ERRNO",
			       "STATUS" },
			     add_policy,
			     name_object },
	[JN_NOUN_SLICE] = { { "NAMESPACE", "NAME", "SERVICE", "TYPE", "PORTS", "ENDPOINTS" },
			    add_slice,
			    name_object },
	[JN_NOUN_NODE] = { { "NAME", "ZONE" }, add_node, name_object },
};
_Static_assert(JN_COUNT(nouns) == JN_NOUN_MAX, "every kind needs its rows");

const char *const *jn_rows_heads(enum jn_noun noun)
{
	return nouns[noun].heads;
}

jn_item_fn jn_rows_table(enum jn_noun noun)
{
	return nouns[noun].table;
}

jn_item_fn jn_rows_names(enum jn_noun noun)
{
	return nouns[noun].names;
}
