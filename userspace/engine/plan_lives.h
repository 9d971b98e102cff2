/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A transaction's part in jn_live, step by step beside the others (transaction.h).
 */
#ifndef JUNCTOR_ENGINE_PLAN_LIVES_H
#define JUNCTOR_ENGINE_PLAN_LIVES_H

#include "engine/transaction.h"

/* prepare: take what the desired port asks for. 0; -ENOSPC: the limit is reached; -ENOMEM. */
int jn_plan_lives(struct jn_install *in, struct jn_port_plan *plan);
/* hide: begin what is new; endpoints that are served already may name theirs before anybody asks. */
void jn_plan_lives_hide(struct jn_install *in, const struct jn_port_plan *plan);
void jn_plan_lives_take_back(struct jn_install *in, const struct jn_port_plan *plan,
			     bool is_hidden);
/*
 * The hooks that installed ports need, and the plans of a hidden transaction will: attached, or
 * gone. t: the one that is being hidden; NULL: that of before, until it is adopted or taken back.
 * A negative errno with err: nothing changed.
 */
int jn_plan_hooks(struct jn_install *in, const struct jn_transaction *t, struct jn_error *err);
/* adopt: what the new revision does not ask about becomes garbage, and endpoints forget it. */
void jn_plan_lives_discard(struct jn_install *in, const struct jn_port_plan *plan,
			   struct jn_garbage *garbage);

#endif
