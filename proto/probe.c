/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A probe as a value: defaults, references, equality. No text here: decode_probe.c and encode.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "proto/object.h"

struct jn_probe *jn_probe_new(void)
{
	struct jn_probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	probe->references = 1;
	probe->interval_seconds = 10;
	probe->timeout_seconds = 1;
	probe->failure_threshold = 3;
	probe->success_threshold = 1;
	return probe;
}

struct jn_probe *jn_probe_ref(struct jn_probe *probe)
{
	probe->references++;
	return probe;
}

void jn_probe_unref(struct jn_probe **probe)
{
	struct jn_probe *p = JN_MOVE(*probe);

	if (p && !--p->references)
		free(p);
}

bool jn_probe_equal(const struct jn_probe *a, const struct jn_probe *b)
{
	if (a == b || !a || !b)
		return a == b;
	return a->type == b->type && a->port == b->port &&
	       a->interval_seconds == b->interval_seconds &&
	       a->timeout_seconds == b->timeout_seconds &&
	       a->failure_threshold == b->failure_threshold &&
	       a->success_threshold == b->success_threshold && !strcmp(a->path, b->path) &&
	       !strcmp(a->host, b->host) && !strcmp(a->service, b->service);
}
