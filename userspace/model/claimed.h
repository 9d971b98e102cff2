/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one object claims: its frontends and its backends, one after the other, whatever its kind.
 */
#ifndef JUNCTOR_MODEL_CLAIMED_H
#define JUNCTOR_MODEL_CLAIMED_H

#include <stddef.h>

#include <junctor/abi.h>

#include "proto/object.h"

struct jn_claimed {
	struct jn_frontend_key key;
	unsigned index; /* of the address, backend or endpoint in its object */
	bool is_backend;
};

typedef void (*jn_claimed_fn)(void *arg, const struct jn_claimed *claimed);

/* o may be NULL. */
void jn_claimed_frontends(const struct jn_object *o, jn_claimed_fn fn, void *arg);
void jn_claimed_backends(const struct jn_object *o, jn_claimed_fn fn, void *arg);

/* At most that many. */
size_t jn_claimed_most_frontends(const struct jn_object *o);
size_t jn_claimed_most_backends(const struct jn_object *o);

#define JN_CLAIMED_FIELD_BYTES 64
/* The path of the field in its object. */
void jn_claimed_field(const struct jn_object *o, const struct jn_claimed *claimed,
		      char out[JN_CLAIMED_FIELD_BYTES]);

#endif
