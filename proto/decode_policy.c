/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TrafficPolicy.spec -> struct jn_traffic_policy. Whether the target exists is not asked here: a
 * policy may come before it.
 */
#include <errno.h>

#include "base/auto.h"
#include "proto/field.h"

static const struct jn_word target_kinds[] = { { "LocalService", JN_KIND_LOCAL_SERVICE },
					       { "Service", JN_KIND_SERVICE },
					       { NULL, 0 } };

static const struct jn_field target_ref_items[] = {
	{ .name = "kind",
	  .type = JN_FIELD_WORD,
	  .is_required = true,
	  .words = target_kinds,
	  JN_FIELD_AT(struct jn_traffic_policy, target_kind) },
	{ .name = "name",
	  .type = JN_FIELD_LABEL,
	  .is_required = true,
	  JN_FIELD_AT(struct jn_traffic_policy, target) },
	{ .name = "port", .type = JN_FIELD_LABEL, JN_FIELD_AT(struct jn_traffic_policy, port) },
};
static const struct jn_fields target_ref_fields = JN_FIELDS(target_ref_items);

static const struct jn_field affinity_items[] = {
	{ .name = "type",
	  .type = JN_FIELD_WORD,
	  .words = jn_affinity_words,
	  JN_FIELD_AT(struct jn_traffic_policy, affinity.type) },
	{ .name = "timeoutSeconds",
	  .type = JN_FIELD_INTEGER,
	  .min = 1,
	  .max = JN_MAX_AFFINITY_SECONDS,
	  JN_FIELD_AT(struct jn_traffic_policy, affinity.timeout_seconds) },
};
static const struct jn_fields affinity_fields = JN_FIELDS(affinity_items);

static const struct jn_field spec_items[] = {
	{ .name = "targetRef",
	  .type = JN_FIELD_OBJECT,
	  .is_required = true,
	  .fields = &target_ref_fields,
	  .expected = "an object {\"kind\": \"LocalService\", \"name\": …}" },
	{ .name = "algorithm",
	  .type = JN_FIELD_WORD,
	  .words = jn_algorithm_words,
	  JN_FIELD_AT(struct jn_traffic_policy, algorithm) },
	{ .name = "noBackendErrno",
	  .type = JN_FIELD_WORD,
	  .words = jn_errno_words,
	  JN_FIELD_AT(struct jn_traffic_policy, no_endpoint_errno) },
	{ .name = "slowStartSeconds",
	  .type = JN_FIELD_INTEGER,
	  .max = JN_MAX_SLOW_START_SECONDS,
	  JN_FIELD_AT(struct jn_traffic_policy, slow_start_seconds) },
	{ .name = "affinity",
	  .type = JN_FIELD_OBJECT,
	  .fields = &affinity_fields,
	  .expected = "an object {\"type\": \"ClientIP\", \"timeoutSeconds\": …}" },
};
static const struct jn_fields spec_fields = JN_FIELDS(spec_items);

void jn_policy_read(struct jn_decoder *d, const struct jn_json *spec, void *target)
{
	struct jn_traffic_policy *policy = target;

	policy->algorithm = JN_ALGORITHM_RANDOM;
	policy->no_endpoint_errno = ECONNREFUSED;
	policy->affinity.timeout_seconds = JN_DEFAULT_AFFINITY_SECONDS;
	jn_fields_read(d, spec, &spec_fields, policy);
}
