/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Objects as junctord answers them, seen the way tables show them. A field that is missing or of
 * another type is an empty text: a newer junctord may say more, and must not stop an older junctor.
 */
#ifndef JUNCTOR_CLI_VIEW_H
#define JUNCTOR_CLI_VIEW_H

#include "base/buffer.h"
#include "cli/command.h"
#include "proto/json.h"
#include "proto/object.h"

/* The text at object.outer.inner, or "". */
const char *jn_view_text(const struct jn_json *object, const char *outer, const char *inner);
const char *jn_view_name(const struct jn_json *object);
const char *jn_view_namespace(const struct jn_json *object);

/* "Programmed", "Pending", or what keeps it from its purpose: "NoEndpoint", "TargetNotFound", … */
const char *jn_view_status(const struct jn_json *object);

/* Is it of this kind? */
bool jn_view_is(const struct jn_json *object, enum jn_kind kind);

/* Of services of either kind: the list of their addresses. */
const struct jn_json *jn_view_addresses(const struct jn_json *service);
/* "127.96.0.10,fd00:96::10"; "80/TCP,53/UDP"; "2/3" are ready. */
void jn_view_add_addresses(struct jn_buffer *out, const struct jn_json *service);
void jn_view_add_ports(struct jn_buffer *out, const struct jn_json *service);
void jn_view_add_ready(struct jn_buffer *out, const struct jn_json *service);

/* Of backends: the address alone; where it listens for the service's ports, "8081/TCP". */
void jn_view_add_backend_address(struct jn_buffer *out, const struct jn_json *backend);
void jn_view_add_backend_ports(struct jn_buffer *out, const struct jn_json *service,
			       const struct jn_json *backend);
unsigned jn_view_backend_weight(const struct jn_json *backend);
/*
 * "Ready", "NotReady", "Terminating", "NoNewConnections" (weight 0). Of one that is ready and probed
 * "Up", "Down (HTTP status 503)"; "Ejected". The worst of its ports.
 * index: into the service's backends.
 */
void jn_view_add_backend_state(struct jn_buffer *out, const struct jn_json *service, size_t index);

/* Of slices: the Service's name; "8081/TCP". Of their endpoints: address and state, as above. */
const char *jn_view_service_of(const struct jn_json *slice);
void jn_view_add_slice_ports(struct jn_buffer *out, const struct jn_json *slice);
const char *jn_view_endpoint_address(const struct jn_json *endpoint);
const char *jn_view_endpoint_state(const struct jn_json *endpoint);

/* An entry of status.endpoints: "Down (HTTP status 503)"; the more, the worse. */
void jn_view_add_known_state(struct jn_buffer *out, const struct jn_json *endpoint);
unsigned jn_view_badness(const struct jn_json *endpoint);

/* Of policies: "web", or with a port "web:http". */
void jn_view_add_target(struct jn_buffer *out, const struct jn_json *policy);

/* "localservice/web"; outside of namespace "default" "localservice/red/web". */
void jn_view_add_reference(struct jn_buffer *out, const char *kind, const char *namespace_,
			   const char *name);

#endif
