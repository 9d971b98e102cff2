/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TrafficPolicy <-> struct jn_rules.
 */
#include "model/rules.h"

#include <netinet/in.h>

struct jn_probe *jn_rules_probe(const struct jn_traffic_policy *policy, uint8_t proto)
{
	/* A probe is TCP always. */
	return policy->probe && (proto == IPPROTO_TCP || policy->probe->port) ? policy->probe
									      : NULL;
}

struct jn_rules jn_rules_of(const struct jn_traffic_policy *policy, uint8_t proto)
{
	struct jn_rules rules = {
		.slow_start_seconds = policy->slow_start_seconds,
		.max_connections = policy->limits.connections,
		.max_new_per_second = policy->limits.new_per_second,
		.max_backend_connections = policy->limits.connections_per_backend,
		.is_probed = jn_rules_probe(policy, proto) != NULL,
	};

	if (policy->affinity.type == JN_AFFINITY_CLIENT_IP)
		rules.affinity_seconds = policy->affinity.timeout_seconds;
	if (!policy->has_outlier || proto != IPPROTO_TCP)
		return rules;
	rules.eject_failures = policy->outlier.failures;
	rules.eject_window_s = policy->outlier.window_seconds;
	rules.eject_s = policy->outlier.base_seconds;
	rules.eject_max_s = policy->outlier.max_seconds;
	rules.eject_percent = policy->outlier.max_percent;
	return rules;
}

void jn_rules_recover(const struct jn_rules *rules, struct jn_traffic_policy *policy)
{
	policy->slow_start_seconds = rules->slow_start_seconds;
	policy->limits = (struct jn_limits_spec){
		.connections = rules->max_connections,
		.new_per_second = rules->max_new_per_second,
		.connections_per_backend = rules->max_backend_connections,
	};
	policy->affinity = (struct jn_affinity_spec)JN_AFFINITY_NOT_SAID;
	if (rules->affinity_seconds)
		policy->affinity = (struct jn_affinity_spec){
			.type = JN_AFFINITY_CLIENT_IP,
			.timeout_seconds = rules->affinity_seconds,
		};
	policy->has_outlier = rules->eject_failures;
	if (policy->has_outlier)
		policy->outlier = (struct jn_outlier_spec){
			.failures = rules->eject_failures,
			.window_seconds = rules->eject_window_s,
			.base_seconds = rules->eject_s,
			.max_seconds = rules->eject_max_s,
			.max_percent = rules->eject_percent,
		};
}

static bool counts_connections(const struct jn_rules *rules, enum jn_algorithm algorithm)
{
	return algorithm == JN_ALGORITHM_EWMA || algorithm == JN_ALGORITHM_LEAST_CONNECTIONS ||
	       rules->eject_failures || rules->max_backend_connections;
}

uint8_t jn_rules_flags(const struct jn_rules *rules, enum jn_algorithm algorithm, uint8_t proto)
{
	uint8_t flags = 0;

	if (algorithm == JN_ALGORITHM_MAGLEV || algorithm == JN_ALGORITHM_SOURCE_HASH ||
	    rules->affinity_seconds)
		flags |= JN_REVISION_ASKS_CLIENT;
	if (rules->slow_start_seconds)
		flags |= JN_REVISION_SLOW_STARTS;
	if (rules->eject_failures || rules->max_backend_connections || rules->is_probed)
		flags |= JN_REVISION_ASKS_BACKEND;
	if (counts_connections(rules, algorithm) || jn_rules_ask_service(rules))
		flags |= JN_REVISION_COUNTS;
	if ((algorithm == JN_ALGORITHM_EWMA && proto == IPPROTO_TCP) || rules->eject_failures)
		flags |= JN_REVISION_WATCHES;
	return flags;
}

bool jn_rules_ask_backends(const struct jn_rules *rules, enum jn_algorithm algorithm)
{
	return counts_connections(rules, algorithm) || rules->is_probed;
}

bool jn_rules_ask_service(const struct jn_rules *rules)
{
	return rules->max_connections || rules->max_new_per_second;
}
