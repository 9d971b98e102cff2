/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words of enumerations, for reading and writing.
 */
#include <errno.h>
#include <netinet/in.h>

#include "proto/field.h"

const struct jn_word jn_protocol_words[] = {
	{ "TCP", IPPROTO_TCP },
	{ "UDP", IPPROTO_UDP },
	{ NULL, 0 },
};

const struct jn_word jn_algorithm_words[] = {
	{ "Random", JN_ALGORITHM_RANDOM },
	{ "RoundRobin", JN_ALGORITHM_ROUND_ROBIN },
	{ "LeastConnections", JN_ALGORITHM_LEAST_CONNECTIONS },
	{ "Ewma", JN_ALGORITHM_EWMA },
	{ "Maglev", JN_ALGORITHM_MAGLEV },
	{ "SourceHash", JN_ALGORITHM_SOURCE_HASH },
	{ NULL, 0 },
};

const struct jn_word jn_errno_words[] = {
	{ "ECONNREFUSED", ECONNREFUSED },
	{ "EHOSTUNREACH", EHOSTUNREACH },
	{ "ENETUNREACH", ENETUNREACH },
	{ "EPERM", EPERM },
	{ NULL, 0 },
};

const struct jn_word jn_affinity_words[] = {
	{ "None", JN_AFFINITY_NONE },
	{ "ClientIP", JN_AFFINITY_CLIENT_IP },
	{ NULL, 0 },
};

const struct jn_word jn_probe_words[] = {
	{ "TCP", JN_PROBE_TCP },
	{ "HTTP", JN_PROBE_HTTP },
	{ "GRPC", JN_PROBE_GRPC },
	{ NULL, 0 },
};

const struct jn_word jn_cluster_protocol_words[] = {
	{ "TCP", IPPROTO_TCP },
	{ "UDP", IPPROTO_UDP },
	{ "SCTP", IPPROTO_SCTP },
	{ NULL, 0 },
};

const struct jn_word jn_service_type_words[] = {
	{ "ClusterIP", JN_SERVICE_CLUSTER_IP },
	{ "NodePort", JN_SERVICE_NODE_PORT },
	{ "LoadBalancer", JN_SERVICE_LOAD_BALANCER },
	{ "ExternalName", JN_SERVICE_EXTERNAL_NAME },
	{ NULL, 0 },
};

const struct jn_word jn_traffic_policy_words[] = {
	{ "Cluster", false },
	{ "Local", true },
	{ NULL, 0 },
};

const struct jn_word jn_address_type_words[] = {
	{ "IPv4", JN_ADDRESS_IPV4 },
	{ "IPv6", JN_ADDRESS_IPV6 },
	{ "FQDN", JN_ADDRESS_FQDN },
	{ NULL, 0 },
};

const char *jn_word_of(const struct jn_word *words, unsigned value)
{
	while (words->word && words->value != value)
		words++;
	return words->word ? words->word : "";
}
