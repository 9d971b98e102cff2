/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kubernetes' own kinds as documents: what is taken, what is known and left out, what is refused and
 * with which words; and that what was written is read back as the same.
 */
#include "decode_case.h"

#include "base/buffer.h"
#include "proto/address.h"

#define V1(kind, metadata, rest)                                                                   \
	"{'apiVersion':'v1','kind':'" kind "','metadata':{" metadata "}" rest "}"
#define CLUSTER(spec) V1("Service", "'name':'web'", ",'spec':{" spec "}")
#define SLICE_WITH(metadata, rest)                                                                 \
	"{'apiVersion':'discovery.k8s.io/v1','kind':'EndpointSlice','metadata':{" metadata "}"     \
	"," rest "}"
#define SLICE(rest) SLICE_WITH("'name':'web-1'", "'addressType':'IPv4'," rest)
#define NODE(metadata, rest) V1("Node", metadata, rest)
#define IP "'clusterIP':'10.96.0.1',"

static void test_services(void **state)
{
	static const struct fault cases[] = {
		{ CLUSTER(PORT), "spec.clusterIP", JN_CAUSE_REQUIRED, "gives out no addresses" },
		{ CLUSTER("'clusterIP':''," PORT), "spec.clusterIP", JN_CAUSE_REQUIRED,
		  "or \"None\"" },
		{ CLUSTER("'clusterIP':'web'," PORT), "spec.clusterIP", JN_CAUSE_INVALID,
		  "is not an IP address" },
		{ CLUSTER("'clusterIP':'224.0.0.1'," PORT), "spec.clusterIP", JN_CAUSE_INVALID,
		  "not a unicast address" },
		{ CLUSTER("'clusterIPs':['10.0.0.1','10.0.0.2']," PORT), "spec.clusterIPs[1]",
		  JN_CAUSE_INVALID, "of the same family" },
		{ CLUSTER("'clusterIPs':['10.0.0.1','fd00::1','fd00::2']," PORT), "spec.clusterIPs",
		  JN_CAUSE_LIMIT, "the limit of clusterIPs is 2" },
		{ CLUSTER("'clusterIPs':['None','10.0.0.1']," PORT), "spec.clusterIPs[1]",
		  JN_CAUSE_INVALID, "remove it" },
		{ CLUSTER("'clusterIP':'10.0.0.1','clusterIPs':['10.0.0.2']," PORT),
		  "spec.clusterIP", JN_CAUSE_INVALID, "is not clusterIPs[0]" },
		{ CLUSTER("'clusterIP':'None','clusterIPs':['10.0.0.2']," PORT), "spec.clusterIP",
		  JN_CAUSE_INVALID, "is not clusterIPs[0]" },
		{ CLUSTER("'type':'ExternalName'," IP PORT), "spec.clusterIP", JN_CAUSE_INVALID,
		  "ExternalName" },
		{ CLUSTER("'clusterIP':'10.0.0.1'"), "spec.ports", JN_CAUSE_REQUIRED,
		  "at least one port" },
		{ CLUSTER(IP "'ports':[{'name':'a','port':80},{'port':81}]"), "spec.ports[1].name",
		  JN_CAUSE_REQUIRED, "name every port" },
		{ CLUSTER(IP "'ports':[{'name':'a','port':80},{'name':'','port':81}]"),
		  "spec.ports[1].name", JN_CAUSE_REQUIRED, "name every port" },
		{ CLUSTER(IP "'ports':[{'name':'A','port':80}]"), "spec.ports[0].name",
		  JN_CAUSE_INVALID, "DNS label" },
		{ CLUSTER(IP "'ports':[{'port':0}]"), "spec.ports[0].port", JN_CAUSE_INVALID,
		  "1..65535" },
		{ CLUSTER(IP "'ports':[{'port':80,'protocol':'ICMP'}]"), "spec.ports[0].protocol",
		  JN_CAUSE_NOT_SUPPORTED, "one of TCP, UDP, SCTP" },
		{ CLUSTER(IP "'ports':[{'port':80,'targetPort':80.5}]"), "spec.ports[0].targetPort",
		  JN_CAUSE_TYPE, "or a port's name" },
		{ CLUSTER(IP "'ports':[{'port':80,'targetPort':70000}]"),
		  "spec.ports[0].targetPort", JN_CAUSE_INVALID, "is 70000" },
		{ CLUSTER(IP "'ports':[{'port':80,'nodePrt':1}]"), "spec.ports[0].nodePrt",
		  JN_CAUSE_UNKNOWN, "likely nodePort is meant" },
		{ CLUSTER(IP PORT ",'selecter':{}"), "spec.selecter", JN_CAUSE_UNKNOWN,
		  "likely selector is meant" },
		{ CLUSTER(IP PORT ",'trafficDistributions':''"), "spec.trafficDistributions",
		  JN_CAUSE_UNKNOWN, "likely trafficDistribution is meant" },
		{ CLUSTER(IP PORT ",'addresses':['10.0.0.1']"), "spec.addresses", JN_CAUSE_UNKNOWN,
		  "remove it" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_services_beyond_addresses_and_ports(void **state)
{
	static const struct fault cases[] = {
		{ CLUSTER(IP PORT ",'internalTrafficPolicy':'local'"), "spec.internalTrafficPolicy",
		  JN_CAUSE_NOT_SUPPORTED, "(likely Local)" },
		{ CLUSTER(IP PORT ",'sessionAffinity':'Client'"), "spec.sessionAffinity",
		  JN_CAUSE_NOT_SUPPORTED, "None, ClientIP" },
		{ CLUSTER(IP PORT ",'sessionAffinityConfig':{'clientIP':{'timeoutSeconds':86401}}"),
		  "spec.sessionAffinityConfig.clientIP.timeoutSeconds", JN_CAUSE_INVALID,
		  "1..86400" },
		{ CLUSTER(IP PORT ",'sessionAffinityConfig':{'clientIp':{}}"),
		  "spec.sessionAffinityConfig.clientIp", JN_CAUSE_UNKNOWN, "likely clientIP" },
		{ V1("Service", "'name':'a.b'", ",'spec':{" IP PORT "}"), "metadata.name",
		  JN_CAUSE_INVALID, "DNS label" },
		{ V1("Service", "'name':'a','ownerReference':[]", ",'spec':{" IP PORT "}"),
		  "metadata.ownerReference", JN_CAUSE_UNKNOWN, "likely ownerReferences" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_slices(void **state)
{
	static const struct fault cases[] = {
		{ SLICE_WITH("'name':'a'", "'endpoints':[]"), "addressType", JN_CAUSE_REQUIRED,
		  "one of IPv4, IPv6, FQDN" },
		{ SLICE("'endpoints':[{}]"), "endpoints[0].addresses", JN_CAUSE_REQUIRED,
		  "a list of addresses" },
		{ SLICE("'endpoints':[{'addresses':[]}]"), "endpoints[0].addresses",
		  JN_CAUSE_REQUIRED, "is empty" },
		{ SLICE("'endpoints':[{'addresses':['fd00::1']}]"), "endpoints[0].addresses[0]",
		  JN_CAUSE_INVALID, "a slice of its own family" },
		{ SLICE("'endpoints':[{'addresses':['10.0.0.1','x']}]"),
		  "endpoints[0].addresses[1]", JN_CAUSE_INVALID, "is not an IP address" },
		{ SLICE("'endpoints':[{'addresses':['10.0.0.1'],'conditions':{'ready':1}}]"),
		  "endpoints[0].conditions.ready", JN_CAUSE_TYPE, "true or false" },
		{ SLICE("'endpoints':[{'addresses':['10.0.0.1'],'conditions':{'readyy':true}}]"),
		  "endpoints[0].conditions.readyy", JN_CAUSE_UNKNOWN, "likely ready" },
		{ SLICE("'endpoints':[{'addresses':['10.0.0.1'],'nodename':'a'}]"),
		  "endpoints[0].nodename", JN_CAUSE_UNKNOWN, "likely nodeName" },
		{ SLICE("'endpoints':[{'addresses':['10.0.0.1'],'nodeName':'a b'}]"),
		  "endpoints[0].nodeName", JN_CAUSE_INVALID, "DNS name" },
		{ SLICE("'endpoints':[{'addresses':['10.0.0.1'],'hints':{'forZones':[{}]}}]"),
		  "endpoints[0].hints.forZones[0].name", JN_CAUSE_REQUIRED, "zone or node" },
		{ SLICE("'endpoints':[{'addresses':['10.0.0.1'],'hints':{'forZone':[]}}]"),
		  "endpoints[0].hints.forZone", JN_CAUSE_UNKNOWN, "likely forZones" },
		{ SLICE("'ports':[{'name':'a','port':1},{'name':'a','port':2}]"), "ports[1].name",
		  JN_CAUSE_DUPLICATE, "ports[0] already" },
		{ SLICE("'ports':[{'port':65536}]"), "ports[0].port", JN_CAUSE_INVALID, "65536" },
		{ SLICE("'spec':{}"), "spec", JN_CAUSE_UNKNOWN, "remove it" },
		{ SLICE_WITH("'name':'a','labels':{'kubernetes.io/service-name':'a.b'}", "'addressT"
											 "ype':'"
											 "IPv4'"),
		  "metadata.labels[kubernetes.io/service-name]", JN_CAUSE_INVALID,
		  "the name of a Service" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_nodes(void **state)
{
	static const struct fault cases[] = {
		{ NODE("'name':'a','namespace':'b'", ""), "metadata.namespace", JN_CAUSE_UNKNOWN,
		  "remove it" },
		{ NODE("'name':'A'", ""), "metadata.name", JN_CAUSE_INVALID, "DNS name" },
		{ NODE("'name':'a..b'", ""), "metadata.name", JN_CAUSE_INVALID, "DNS name" },
		{ NODE("'name':'a'", ",'spec':{'podCidr':''}"), "spec.podCidr", JN_CAUSE_UNKNOWN,
		  "likely podCIDR" },
		{ "{'apiVersion':'junctor.dev/v1alpha1','kind':'Node','metadata':{'name':'a'}}",
		  "apiVersion", JN_CAUSE_NOT_SUPPORTED, "is v1; give that" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

/* All that Kubernetes may say of them is taken. */
static void test_whole_objects_are_taken(void **state)
{
	static const char *const texts[] = {
		V1("Service",
		   "'name':'web','namespace':'red','generateName':'w','ownerReferences':[],"
		   "'finalizers':[],'uid':'x','creationTimestamp':null",
		   ",'spec':{'clusterIP':'10.0.0.1','clusterIPs':['10.0.0.1'],'type':'LoadBalancer'"
		   ","
		   "'ports':[{'name':'http','port':80,'protocol':'TCP','targetPort':'web',"
		   "'nodePort':30000,'appProtocol':'http'}],'selector':{'a':'b'},"
		   "'ipFamilies':['IPv4'],'ipFamilyPolicy':'SingleStack','sessionAffinity':'None',"
		   "'publishNotReadyAddresses':true,'trafficDistribution':'PreferClose',"
		   "'externalIPs':['203.0.113.1'],'externalTrafficPolicy':'Local',"
		   "'healthCheckNodePort':30001,'loadBalancerIP':'203.0.113.2',"
		   "'loadBalancerSourceRanges':['0.0.0.0/0'],'loadBalancerClass':'x/y',"
		   "'allocateLoadBalancerNodePorts':true,'internalTrafficPolicy':'Cluster'},"
		   "'status':{'loadBalancer':{'ingress':[{'ip':'203.0.113.2','ipMode':'VIP'}]}}"),
		SLICE("'ports':[{'name':'','port':80,'protocol':'SCTP','appProtocol':'x'},"
		      "{'name':'any','port':null}],'endpoints':[{'addresses':['10.0.0.1','10.0.0.2'"
		      "],"
		      "'conditions':{'ready':true,'serving':true,'terminating':false},"
		      "'hostname':'h','nodeName':'n.example.com','zone':'z','targetRef':{'kind':'"
		      "Pod'},"
		      "'deprecatedTopology':{'a':'b'},'hints':{'forZones':[{'name':'z'}],"
		      "'forNodes':[{'name':'n.example.com'}]}}]"),
		SLICE_WITH("'name':'a'", "'addressType':'FQDN','endpoints':[{'addresses':['example."
					 "com']}]"),
		NODE("'name':'ip-10-0-0-1.example.internal'", ",'spec':{'podCIDR':'10.0.0.0/"
							      "24','podCIDRs':[],'providerID':'x',"
							      "'unschedulable':true,'taints':[],'"
							      "configSource':{},'externalID':'x'},"
							      "'status':{'capacity':{}}"),
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(texts); i++) {
		JN_AUTO(jn_object_unref) struct jn_object *o = decode_one(texts[i], &any);
		struct jn_decode_options again = any;
		JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
		JN_AUTO(jn_error_done) struct jn_error err = { 0 };
		JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

		jn_object_encode_declared(o, &text);
		if (jn_object_decode(text.data, text.size, &again, &list, &err))
			fail_msg("%s: %s", jn_buffer_text(&text), jn_error_text(&err));
		assert_true(jn_object_equal(o, list.items[0]));
	}
}

static void test_what_is_kept(void **state)
{
	JN_AUTO(jn_object_unref) struct jn_object *slice = NULL;
	JN_AUTO(jn_object_unref) struct jn_object *service = NULL;
	const struct jn_slice_endpoint *endpoint;
	char text[JN_ADDR_TEXT_BYTES];

	(void)state;
	slice = decode_one(SLICE_WITH("'name':'a','labels':{'kubernetes.io/service-name':'web'}",
				      "'addressType':'IPv4','endpoints':[{'addresses':['10.0.0.1',"
				      "'10.0.0.2'],'nodeName':'n','hints':{'forZones':"
				      "[{'name':'z1'},{'name':'z2'}]}},{'addresses':['10.0.0.3'],"
				      "'hints':{}}]"),
			   &any);
	assert_string_equal(slice->slice.service, "web");
	endpoint = slice->slice.endpoints;
	assert_string_equal(jn_addr_format(&endpoint->addr, text), "10.0.0.1");
	assert_string_equal(endpoint->node, "n");
	assert_int_equal(endpoint->hints->zone_count, 2);
	assert_memory_equal(endpoint->hints->zones, "z1\0z2", 6);
	assert_null(endpoint[1].hints);
	service = decode_one(CLUSTER("'clusterIPs':['fd00::1','10.0.0.1'],'internalTrafficPolicy':"
				     "'Local','sessionAffinityConfig':{'clientIP':"
				     "{'timeoutSeconds':5}}," PORT),
			     &any);
	assert_int_equal(service->cluster.address_count, 2);
	assert_true(service->cluster.is_local);
	/* A time-out without affinity means nothing, and must not make two equal ones differ. */
	assert_int_equal(service->cluster.affinity.timeout_seconds, JN_DEFAULT_AFFINITY_SECONDS);
}

/* Each thing that a slice or Service says makes another one of it. */
static void test_equality(void **state)
{
	static const char *const slices[] = {
		SLICE("'endpoints':[{'addresses':['10.0.0.1']}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.2']}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1'],'conditions':{'ready':false}}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1'],'conditions':{'serving':false}}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1'],'conditions':{'terminating':true}}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1'],'nodeName':'a'}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1'],'nodeName':'b'}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1'],'hints':{'forZones':[{'name':'a'}]}}"
		      "]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1'],'hints':{'forNodes':[{'name':'a'}]}}"
		      "]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1']}],'ports':[{'port':1}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1']}],'ports':[{'port':2}]"),
		SLICE("'endpoints':[{'addresses':['10.0.0.1']}],'ports':[{'name':'a','port':1}]"),
		CLUSTER(IP "'ports':[{'name':'','port':80}]"),
		CLUSTER("'clusterIP':'10.96.0.2'," PORT),
		CLUSTER("'clusterIP':'None'," PORT),
		CLUSTER(IP PORT ",'internalTrafficPolicy':'Local'"),
		CLUSTER(IP PORT ",'type':'NodePort'"),
		CLUSTER(IP PORT ",'sessionAffinity':'ClientIP'"),
		CLUSTER(IP "'ports':[{'port':81}]"),
		CLUSTER(IP "'ports':[{'port':80,'protocol':'UDP'}]"),
		CLUSTER(IP "'ports':[{'port':80,'name':'a'}]"),
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(slices); i++) {
		JN_AUTO(jn_object_unref) struct jn_object *one = decode_one(slices[i], &any);

		for (size_t k = 0; k < JN_COUNT(slices); k++) {
			JN_AUTO(jn_object_unref)
			struct jn_object *other = decode_one(slices[k], &any);

			if (jn_object_equal(one, other) != (i == k))
				fail_msg("%s and %s", slices[i], slices[k]);
		}
	}
}

static void test_lists_of_kinds(void **state)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	(void)state;
	assert_int_equal(decode_with("{'apiVersion':'v1','kind':'List','items':[" CLUSTER(
					     IP PORT) "," SLICE("'endpoints':[]") "," NODE("'name':"
											   "'a'",
											   "") "]}",
				     &any, &list, &err),
			 0);
	assert_int_equal(decode_with("{'apiVersion':'discovery.k8s.io/v1','kind':"
				     "'EndpointSliceList','items':[{'metadata':{'name':'b'},"
				     "'addressType':'IPv6'}]}",
				     &any, &list, &err),
			 0);
	assert_int_equal(list.count, 4);
	assert_string_equal(list.items[2]->key.namespace_, "");
	assert_int_equal(list.items[3]->key.kind, JN_KIND_ENDPOINT_SLICE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_services_beyond_addresses_and_ports),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_whole_objects_are_taken),
		cmocka_unit_test(test_what_is_kept),
		cmocka_unit_test(test_equality),
		cmocka_unit_test(test_lists_of_kinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
