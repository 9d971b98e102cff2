/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who owns which frontend and which name, which addresses are backends, which policy governs which
 * target, which slices belong to which Service.
 */
#ifndef JUNCTOR_MODEL_CLAIMS_H
#define JUNCTOR_MODEL_CLAIMS_H

#include "base/table.h"
#include "model/model.h"
#include "model/slice_index.h"

struct jn_claims {
	struct jn_table frontends; /* jn_frontend_key -> the object that declares it */
	struct jn_table backends;  /* jn_frontend_key -> how many declare it as a backend */
	struct jn_table policies;  /* namespace, target, port -> the policy */
	struct jn_table names;	   /* namespace, name -> the service of this name */
	struct jn_slice_index slices;
};

void jn_claims_init(struct jn_claims *c);
void jn_claims_done(struct jn_claims *c);

/*
 * Replace the claims of every `before` by those of its `after`. -EINVAL with all faults in err, or
 * -ENOMEM; nothing is entered then.
 */
int jn_claims_enter(struct jn_claims *c, const struct jn_changes *changes, struct jn_error *err);
/* The reverse of a successful jn_claims_enter. */
void jn_claims_take_back(struct jn_claims *c, const struct jn_changes *changes);

const struct jn_object *jn_claims_owner(const struct jn_claims *c,
					const struct jn_frontend_key *key);
const struct jn_object *jn_claims_policy(const struct jn_claims *c, const char *namespace_,
					 const char *target, const char *port);

/* What is wrong with an object of a batch, but for the sentence. */
struct jn_fault {
	enum jn_error_kind kind;
	const char *reason;
	const char *field; /* in the object; the path of the object in the request comes before it */
};
void jn_claims_fault(const struct jn_changes *changes, const struct jn_change *change,
		     const struct jn_fault *fault, struct jn_error *err, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

#endif
