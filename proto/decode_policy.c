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

static const struct jn_field outlier_items[] = {
	{ .name = "consecutiveFailures",
	  .type = JN_FIELD_INTEGER,
	  .max = JN_MAX_FAILURES,
	  JN_FIELD_AT(struct jn_outlier_spec, failures) },
	{ .name = "windowSeconds",
	  .type = JN_FIELD_INTEGER,
	  .min = 1,
	  .max = JN_MAX_EJECTION_SECONDS,
	  JN_FIELD_AT(struct jn_outlier_spec, window_seconds) },
	{ .name = "baseEjectionSeconds",
	  .type = JN_FIELD_INTEGER,
	  .min = 1,
	  .max = JN_MAX_EJECTION_SECONDS,
	  JN_FIELD_AT(struct jn_outlier_spec, base_seconds) },
	{ .name = "maxEjectionSeconds",
	  .type = JN_FIELD_INTEGER,
	  .min = 1,
	  .max = JN_MAX_EJECTION_SECONDS,
	  JN_FIELD_AT(struct jn_outlier_spec, max_seconds) },
	{ .name = "maxEjectedPercent",
	  .type = JN_FIELD_INTEGER,
	  .max = 100,
	  JN_FIELD_AT(struct jn_outlier_spec, max_percent) },
};
static const struct jn_fields outlier_fields = JN_FIELDS(outlier_items);

static void read_outlier(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_traffic_policy *policy = target;
	struct jn_outlier_spec *outlier = &policy->outlier;

	*outlier = (struct jn_outlier_spec)JN_DEFAULT_OUTLIER;
	jn_fields_read(d, value, &outlier_fields, outlier);
	if (outlier->max_seconds < outlier->base_seconds)
		jn_decoder_fault_in(d, "maxEjectionSeconds", JN_CAUSE_INVALID,
				    "is %u, less than baseEjectionSeconds; give at least %u",
				    outlier->max_seconds, outlier->base_seconds);
	policy->has_outlier = outlier->failures;
	if (!policy->has_outlier)
		*outlier = (struct jn_outlier_spec){ 0 };
}

#define LIMIT(text, member)                                                                        \
	{                                                                                          \
		.name = (text), .type = JN_FIELD_INTEGER, .min = 1, .max = JN_MAX_LIMIT,           \
		JN_FIELD_AT(struct jn_traffic_policy, limits.member)                               \
	}

static const struct jn_field limits_items[] = {
	LIMIT("connections", connections),
	LIMIT("newConnectionsPerSecond", new_per_second),
	LIMIT("connectionsPerBackend", connections_per_backend),
};
static const struct jn_fields limits_fields = JN_FIELDS(limits_items);

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
	{ .name = "outlier",
	  .type = JN_FIELD_OBJECT,
	  .read = read_outlier,
	  .expected = "an object {\"consecutiveFailures\": …}" },
	{ .name = "limits",
	  .type = JN_FIELD_OBJECT,
	  .fields = &limits_fields,
	  .expected = "an object {\"connections\": …}" },
	{ .name = "drainSeconds",
	  .type = JN_FIELD_INTEGER,
	  .min = JN_NEVER_DRAINED,
	  .max = JN_MAX_DRAIN_SECONDS,
	  JN_FIELD_AT(struct jn_traffic_policy, drain_seconds) },
	{ .name = "probe",
	  .type = JN_FIELD_OBJECT,
	  .read = jn_probe_read,
	  .expected = "an object {\"type\": \"TCP\", …}" },
};
static const struct jn_fields spec_fields = JN_FIELDS(spec_items);

void jn_policy_read(struct jn_decoder *d, const struct jn_json *spec, void *target)
{
	struct jn_traffic_policy *policy = target;

	policy->algorithm = JN_ALGORITHM_RANDOM;
	policy->no_endpoint_errno = ECONNREFUSED;
	policy->affinity = (struct jn_affinity_spec)JN_AFFINITY_NOT_SAID;
	policy->drain_seconds = JN_NEVER_DRAINED;
	jn_fields_read(d, spec, &spec_fields, policy);
	/* A time-out of nothing, as with a Service's. */
	if (policy->affinity.type == JN_AFFINITY_UNSAID)
		policy->affinity.timeout_seconds = JN_DEFAULT_AFFINITY_SECONDS;
}
