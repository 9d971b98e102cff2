/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One job of the loop. It does NOT change what junctord does: whoever uses a feature finds out itself.
 */
#include "daemon/features.h"

#include "base/log.h"
#include "loop/loop.h"

#define AREA "features"

static void try_them(void *arg)
{
	struct jn_features *f = arg;

	jn_features_try(f->items);
}

static void note(void *arg)
{
	struct jn_features *f = arg;

	f->is_known = true;
	for (size_t i = 0; i < JN_FEATURE_COUNT; i++) {
		if (!f->items[i].is_available)
			jn_info(AREA, "%s: %s", f->items[i].name, f->items[i].reason);
	}
}

void jn_features_start(struct jn_loop *loop, struct jn_features *features)
{
	(void)jn_loop_submit(loop, try_them, note, features); /* else none is known */
}

bool jn_features_show(void *arg, size_t at, struct jn_api_feature *out)
{
	const struct jn_features *f = arg;

	if (!f->is_known || at >= JN_FEATURE_COUNT)
		return false;
	*out = (struct jn_api_feature){ .name = f->items[at].name,
					.reason = f->items[at].reason,
					.is_available = f->items[at].is_available };
	return true;
}
