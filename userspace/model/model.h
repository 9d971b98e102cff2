/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is declared, and what the declarations owe each other: one frontend belongs to one object,
 * no backend is a frontend, one policy per target and port. Pure: no I/O, no clock, no ids.
 *
 * A change goes through two steps. jn_model_stage checks a batch against everything else and enters
 * its claims; jn_model_settle then keeps the batch or takes it back. Between the two jn_model_find
 * shows the old objects and jn_model_find_staged the new ones. One batch at a time.
 */
#ifndef JUNCTOR_MODEL_MODEL_H
#define JUNCTOR_MODEL_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#include <junctor/abi.h>

#include "base/error.h"
#include "proto/object.h"

struct jn_model;

int jn_model_new(struct jn_model **out);
void jn_model_free(struct jn_model **model);

/*
 * The name of the node that this is, before anything is declared. Without one no endpoint of a
 * slice is on this node.
 */
void jn_model_set_node(struct jn_model *m, const char *name);

/* Where this is, staged batch applied. Texts are the model's; "" where it is not known. */
struct jn_here {
	const char *node;
	const char *zone; /* by the label of the Node object */
};
struct jn_here jn_model_here(const struct jn_model *m);

/* Borrowed; NULL when there is none. */
struct jn_object *jn_model_find(const struct jn_model *m, const struct jn_object_key *key);
/* Walk all objects: start with *at = 0; NULL at the end. */
struct jn_object *jn_model_next(const struct jn_model *m, size_t *at);

struct jn_change {
	struct jn_object *before; /* reference or NULL: did not exist */
	struct jn_object *after;  /* reference or NULL: will not exist */
	unsigned position;	  /* in the request; for the path of a fault */
};

struct jn_changes {
	struct jn_change *items;
	size_t count, capacity;
	const char *list_word; /* see struct jn_write; NULL: paths have no prefix */
};
void jn_changes_done(struct jn_changes *changes);

/*
 * Check the batch and enter its claims. No key may stand in it twice. 0; -EINVAL with every fault
 * in err (JN_ERROR_CONFLICT, or JN_ERROR_INVALID when a backend is a frontend); -ENOMEM. On failure
 * the model is as before.
 */
int jn_model_stage(struct jn_model *m, const struct jn_changes *changes, struct jn_error *err);
/* Keep the staged batch (true) or take it back (false). Cannot fail. */
void jn_model_settle(struct jn_model *m, const struct jn_changes *changes, bool keep);

/* As jn_model_find, with the staged batch applied. */
struct jn_object *jn_model_find_staged(const struct jn_model *m, const struct jn_object_key *key);
/* The slices of a Service, staged batch applied, in no order: the next is ->slice.next. Or NULL. */
struct jn_object *jn_model_slices(const struct jn_model *m, const char *namespace_,
				  const char *service);
/* The policy of this target and port ("" = the one for all ports), staged batch applied, or NULL. */
const struct jn_object *jn_model_policy(const struct jn_model *m, const char *namespace_,
					const char *target, const char *port);
/* Does any object, staged batch applied, claim this frontend? */
bool jn_model_is_claimed(const struct jn_model *m, const struct jn_frontend_key *key);

/* How many frontends are claimed, staged batch applied. */
size_t jn_model_frontend_count(const struct jn_model *m);

struct jn_key_list {
	struct jn_object_key *items;
	size_t count, capacity;
};
/* The services whose tables may differ once the staged batch is kept: each once. -ENOMEM. */
int jn_model_touched(const struct jn_model *m, const struct jn_changes *changes,
		     struct jn_key_list *out);

/* The key of a frontend; port in host order. */
struct jn_frontend_key jn_frontend_key_of(const struct jn_addr *addr, uint16_t port, uint8_t proto);

#endif
