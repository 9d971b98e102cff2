/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which EndpointSlices belong to which Service, so that a change of one touches only its service.
 * The slices of a service hang together by their own `next`: adding one cannot fail where the table
 * has room.
 */
#ifndef JUNCTOR_MODEL_SLICE_INDEX_H
#define JUNCTOR_MODEL_SLICE_INDEX_H

#include "base/table.h"
#include "proto/object.h"

struct jn_slice_index {
	struct jn_table services; /* of struct jn_object *: some slice of the service */
};

void jn_slice_index_init(struct jn_slice_index *index);
void jn_slice_index_done(struct jn_slice_index *index);

/* Borrowed; a slice without a service is left out. Make room in `services` before. */
void jn_slice_index_add(struct jn_slice_index *index, struct jn_object *slice);
void jn_slice_index_del(struct jn_slice_index *index, struct jn_object *slice);

/* The slices of a service, by slice.next, in no order; or NULL. */
struct jn_object *jn_slice_index_find(const struct jn_slice_index *index, const char *namespace_,
				      const char *service);

#endif
