/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be wrong in the spec of one LocalService, TrafficPolicy, Service, EndpointSlice or Node: each fault with its path, its
 * reason and what it says.
 */
#include "decode_case.h"

static void test_addresses(void **state)
{
	static const struct fault cases[] = {
		{ SERVICE(PORT), "spec.addresses", JN_CAUSE_REQUIRED,
		  "give a list of IP addresses" },
		{ SERVICE(PORT ",'addresses':[]"), "spec.addresses", JN_CAUSE_REQUIRED,
		  "is empty" },
		{ SERVICE(PORT ",'backends':[{'address':'::2'}]"), "spec.addresses",
		  JN_CAUSE_REQUIRED, "is missing" }, /* and nothing about families */
		{ SERVICE(PORT ",'addresses':'10.0.0.1'"), "spec.addresses", JN_CAUSE_TYPE,
		  "is a text; give a list" },
		{ SERVICE(PORT ",'addresses':[1]"), "spec.addresses[0]", JN_CAUSE_TYPE,
		  "is an integer; give an IP address" },
		{ SERVICE(PORT ",'addresses':['::1',null]"), "spec.addresses[1]", JN_CAUSE_TYPE,
		  "is null; give an IP address" },
		{ SERVICE(PORT ",'addresses':['web.local']"), "spec.addresses[0]", JN_CAUSE_INVALID,
		  "\"web.local\" is not an IP address; give one like" },
		{ SERVICE(PORT ",'addresses':['10.0.0.1:80']"), "spec.addresses[0]",
		  JN_CAUSE_INVALID, "is not an IP address" },
		{ SERVICE(PORT ",'addresses':['0.0.0.0']"), "spec.addresses[0]", JN_CAUSE_INVALID,
		  "unspecified" },
		{ SERVICE(PORT ",'addresses':['::']"), "spec.addresses[0]", JN_CAUSE_INVALID,
		  "unspecified" },
		{ SERVICE(PORT ",'addresses':['224.0.0.1']"), "spec.addresses[0]", JN_CAUSE_INVALID,
		  "not a unicast address" },
		{ SERVICE(PORT ",'addresses':['255.255.255.255']"), "spec.addresses[0]",
		  JN_CAUSE_INVALID, "not a unicast address" },
		{ SERVICE(PORT ",'addresses':['ff02::1']"), "spec.addresses[0]", JN_CAUSE_INVALID,
		  "not a unicast address" },
		{ SERVICE(PORT ",'addresses':['fe80::1']"), "spec.addresses[0]", JN_CAUSE_INVALID,
		  "would need a zone" },
		{ SERVICE(PORT ",'addresses':['fe80::1%eth0']"), "spec.addresses[0]",
		  JN_CAUSE_INVALID, "has a zone" },
		{ SERVICE(PORT ",'addresses':['::ffff:1.2.3.4']"), "spec.addresses[0]",
		  JN_CAUSE_INVALID, "write it as IPv4" },
		{ SERVICE(PORT ",'addresses':['::2','::1','0:0::1']"), "spec.addresses[2]",
		  JN_CAUSE_DUPLICATE, "equals addresses[1]" },
		{ SERVICE(PORT "," VIP "'address':['::2']"), "spec.address", JN_CAUSE_UNKNOWN,
		  "likely addresses is meant" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_ports(void **state)
{
	static const struct fault cases[] = {
		{ SERVICE("'addresses':['::1']"), "spec.ports", JN_CAUSE_REQUIRED,
		  "list of ports" },
		{ SERVICE(VIP "'ports':[]"), "spec.ports", JN_CAUSE_REQUIRED, "at least one port" },
		{ SERVICE(VIP "'ports':{}"), "spec.ports", JN_CAUSE_TYPE,
		  "is an object; give a list" },
		{ SERVICE(VIP "'ports':[80]"), "spec.ports[0]", JN_CAUSE_TYPE, "give an object" },
		{ SERVICE(VIP "'ports':[{}]"), "spec.ports[0].port", JN_CAUSE_REQUIRED,
		  "1..65535" },
		{ SERVICE(VIP "'ports':[{'port':null}]"), "spec.ports[0].port", JN_CAUSE_REQUIRED,
		  "1..65535" },
		{ SERVICE(VIP "'ports':[{'port':0}]"), "spec.ports[0].port", JN_CAUSE_INVALID,
		  "is 0; give an integer 1..65535" },
		{ SERVICE(VIP "'ports':[{'port':65536}]"), "spec.ports[0].port", JN_CAUSE_INVALID,
		  "is 65536" },
		{ SERVICE(VIP "'ports':[{'port':-1}]"), "spec.ports[0].port", JN_CAUSE_INVALID,
		  "is -1" },
		{ SERVICE(VIP "'ports':[{'port':4294967376}]"), "spec.ports[0].port",
		  JN_CAUSE_INVALID, "is 4294967376" }, /* 80 + 2^32 */
		{ SERVICE(VIP "'ports':[{'port':80.0}]"), "spec.ports[0].port", JN_CAUSE_TYPE,
		  "fraction or an exponent; give an integer" },
		{ SERVICE(VIP "'ports':[{'port':8e1}]"), "spec.ports[0].port", JN_CAUSE_TYPE,
		  "fraction or an exponent; give an integer" },
		{ SERVICE(VIP "'ports':[{'port':'80'}]"), "spec.ports[0].port", JN_CAUSE_TYPE,
		  "is a text; give an integer" },
		{ SERVICE(VIP "'ports':[{'port':true}]"), "spec.ports[0].port", JN_CAUSE_TYPE,
		  "is true or false; give an integer" },
		{ SERVICE(VIP "'ports':[{'port':1,'targetPort':0}]"), "spec.ports[0].targetPort",
		  JN_CAUSE_INVALID, "is 0" },
		{ SERVICE(VIP "'ports':[{'port':1,'targetPort':'http'}]"),
		  "spec.ports[0].targetPort", JN_CAUSE_TYPE, "is a text; give an integer" },
		{ SERVICE(VIP "'ports':[{'port':1,'protocol':'tcp'}]"), "spec.ports[0].protocol",
		  JN_CAUSE_NOT_SUPPORTED, "one of TCP, UDP (likely TCP)" },
		{ SERVICE(VIP "'ports':[{'port':1,'protocol':'SCTP'}]"), "spec.ports[0].protocol",
		  JN_CAUSE_NOT_SUPPORTED, "is \"SCTP\"; give one of TCP, UDP" },
		{ SERVICE(VIP "'ports':[{'port':1,'name':'HTTP'}]"), "spec.ports[0].name",
		  JN_CAUSE_INVALID, "DNS label" },
		{ SERVICE(VIP "'ports':[{'port':1,'appProtocol':'http'}]"),
		  "spec.ports[0].appProtocol", JN_CAUSE_UNKNOWN, "write that, or remove it" },
		{ SERVICE(VIP "'ports':[{'port':1,'target_port':2}]"), "spec.ports[0].target_port",
		  JN_CAUSE_UNKNOWN, "likely targetPort is meant" },
		{ SERVICE(VIP "'ports':[{'name':'a','port':1},{'port':2}]"), "spec.ports[1].name",
		  JN_CAUSE_REQUIRED, "name every port" },
		{ SERVICE(VIP "'ports':[{'port':1},{'name':'a','port':2}]"), "spec.ports[0].name",
		  JN_CAUSE_REQUIRED, "name every port" },
		{ SERVICE(VIP "'ports':[{'name':'a','port':1},{'name':'a','port':2}]"),
		  "spec.ports[1].name", JN_CAUSE_DUPLICATE, "name of ports[0] already" },
		{ SERVICE(VIP "'ports':[{'name':'a','port':1},{'name':'b','port':1,"
			      "'protocol':'TCP'}]"),
		  "spec.ports[1].port", JN_CAUSE_DUPLICATE, "1/TCP stands in ports[0] already" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

#define BACKENDS(list) SERVICE(VIP PORT ",'backends':[" list "]")
#define BACKENDS_OF_TWO(list) SERVICE(VIP TWO_PORTS ",'backends':[" list "]")

static void test_backends(void **state)
{
	static const struct fault cases[] = {
		{ SERVICE(VIP PORT ",'backends':{}"), "spec.backends", JN_CAUSE_TYPE, "a list" },
		{ BACKENDS("'10.1.0.1'"), "spec.backends[0]", JN_CAUSE_TYPE, "give an object" },
		{ BACKENDS("null"), "spec.backends[0]", JN_CAUSE_TYPE, "is null; give an object" },
		{ BACKENDS("{}"), "spec.backends[0].address", JN_CAUSE_REQUIRED, "ip:port" },
		{ BACKENDS("{'address':5}"), "spec.backends[0].address", JN_CAUSE_TYPE,
		  "is an integer; give ip, ip:port" },
		{ BACKENDS("{'address':'web'}"), "spec.backends[0].address", JN_CAUSE_INVALID,
		  "is not an IP address" },
		{ BACKENDS("{'address':'0.0.0.0:80'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "unspecified" },
		{ BACKENDS("{'address':'239.1.1.1'}"), "spec.backends[0].address", JN_CAUSE_INVALID,
		  "not a unicast" },
		{ BACKENDS("{'address':'[fe80::1]:80'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "would need a zone" },
		{ BACKENDS("{'address':'[fe80::1%lo]:80'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "has a zone" },
		{ BACKENDS("{'address':'::ffff:10.1.0.1'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "write it as IPv4" },
		{ BACKENDS("{'address':'10.1.0.1:0'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "port" },
		{ BACKENDS("{'address':'10.1.0.1:65536'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "port" },
		{ BACKENDS("{'address':'2001:db8::1'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "give the service an IPv6 address too" },
		{ BACKENDS("{'address':'10.1.0.1','weight':1001}"), "spec.backends[0].weight",
		  JN_CAUSE_INVALID, "is 1001; give an integer 0..1000" },
		{ BACKENDS("{'address':'10.1.0.1','weight':-1}"), "spec.backends[0].weight",
		  JN_CAUSE_INVALID, "0..1000" },
		{ BACKENDS("{'address':'10.1.0.1','weight':1.5}"), "spec.backends[0].weight",
		  JN_CAUSE_TYPE, "0..1000" },
		{ BACKENDS("{'address':'10.1.0.1','ready':'yes'}"), "spec.backends[0].ready",
		  JN_CAUSE_TYPE, "is a text; give true or false" },
		{ BACKENDS("{'address':'10.1.0.1','terminating':1}"),
		  "spec.backends[0].terminating", JN_CAUSE_TYPE,
		  "is an integer; give true or false" },
		{ BACKENDS("{'address':'10.1.0.1','zone':'a'}"), "spec.backends[0].zone",
		  JN_CAUSE_UNKNOWN, "remove it" },
		{ BACKENDS("{'address':'10.1.0.1','wieght':1}"), "spec.backends[0].wieght",
		  JN_CAUSE_UNKNOWN, "likely weight is meant" },
		{ BACKENDS("{'address':'10.1.0.1:80'},{'address':'10.1.0.2'},"
			   "{'address':'10.1.0.1'}"),
		  "spec.backends[2].address", JN_CAUSE_DUPLICATE, "as backends[0]" },
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1:80'}"), "spec.backends[0].address",
		  JN_CAUSE_INVALID, "the service has 2 of them; give the address alone" },
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1'},{'address':'10.1.0.1'}"), /* on both */
		  "spec.backends[1].address", JN_CAUSE_DUPLICATE, "as backends[0]" },
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1','ports':{'a':1}},"
				  "{'address':'10.1.0.1','ports':{'a':2}}"),
		  "spec.backends[1].address", JN_CAUSE_DUPLICATE,
		  "as backends[0]" }, /* on port b */
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_ports_of_backends(void **state)
{
	static const struct fault cases[] = {
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1','ports':[]}"), "spec.backends[0].ports",
		  JN_CAUSE_TYPE, "{port name: number}" },
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1','ports':{'c':1}}"),
		  "spec.backends[0].ports.c", JN_CAUSE_INVALID, "is not the name of a port" },
		{ SERVICE(VIP "'ports':[{'name':'http','port':1}],"
			      "'backends':[{'address':'10.1.0.1','ports':{'htpt':1}}]"),
		  "spec.backends[0].ports.htpt", JN_CAUSE_INVALID, "likely it is http" },
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1','ports':{'a':0}}"),
		  "spec.backends[0].ports.a", JN_CAUSE_INVALID, "is 0; give an integer 1..65535" },
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1','ports':{'a':65536}}"),
		  "spec.backends[0].ports.a", JN_CAUSE_INVALID, "is 65536" },
		{ BACKENDS_OF_TWO("{'address':'10.1.0.1','ports':{'a':'1'}}"),
		  "spec.backends[0].ports.a", JN_CAUSE_TYPE, "is a text" },
		{ BACKENDS("{'address':'10.1.0.1','ports':{'':1}}"), "spec.backends[0].ports[]",
		  JN_CAUSE_INVALID, "is not the name of a port" }, /* the only port has no name */
		{ SERVICE(VIP "'ports':[{'name':'a','port':1}],'backends':[{'address':'10.1.0.1:2',"
			      "'ports':{'a':1}}]"),
		  "spec.backends[0].ports", JN_CAUSE_INVALID, "give it in one place" },
		{ SERVICE(VIP PORT ",'selector':{}"), "spec.selector", JN_CAUSE_UNKNOWN,
		  "known here: addresses, ports, backends" },
		{ SERVICE(VIP PORT ",'routes':[]"), "spec.routes", JN_CAUSE_UNKNOWN, "remove it" },
		{ SERVICE(VIP PORT ",'observe':'None'"), "spec.observe", JN_CAUSE_UNKNOWN,
		  "remove it" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

#define PROBE(text) POLICY(TARGET ",'probe':{" text "}")
#define X64 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static void test_probes(void **state)
{
	static const struct fault cases[] = {
		{ POLICY(TARGET ",'probe':'TCP'"), "spec.probe", JN_CAUSE_TYPE, "give an object" },
		{ PROBE(""), "spec.probe.type", JN_CAUSE_REQUIRED, "one of TCP, HTTP, GRPC" },
		{ PROBE("'path':'/'"), "spec.probe.type", JN_CAUSE_REQUIRED, "TCP" },
		{ PROBE("'type':'http'"), "spec.probe.type", JN_CAUSE_NOT_SUPPORTED,
		  "likely HTTP" },
		{ PROBE("'type':'TCP','port':0"), "spec.probe.port", JN_CAUSE_INVALID, "1..65535" },
		{ PROBE("'type':'TCP','port':65536"), "spec.probe.port", JN_CAUSE_INVALID,
		  "1..65535" },
		{ PROBE("'type':'TCP','port':'http'"), "spec.probe.port", JN_CAUSE_TYPE,
		  "integer" },
		{ PROBE("'type':'HTTP','path':'healthz'"), "spec.probe.path", JN_CAUSE_INVALID,
		  "give a path like /healthz" },
		{ PROBE("'type':'HTTP','path':''"), "spec.probe.path", JN_CAUSE_INVALID,
		  "/healthz" },
		{ PROBE("'type':'HTTP','path':'/a b'"), "spec.probe.path", JN_CAUSE_INVALID,
		  "a byte at 2" },
		{ PROBE("'type':'HTTP','path':'/\\r\\nHost: x'"), "spec.probe.path",
		  JN_CAUSE_INVALID, "a byte at 1" },
		{ PROBE("'type':'HTTP','path':'/" X64 X64 X64 X64 "'"), "spec.probe.path",
		  JN_CAUSE_INVALID, "has 257 bytes; give at most 255" },
		{ PROBE("'type':'HTTP','host':'a\\u0007'"), "spec.probe.host", JN_CAUSE_INVALID,
		  "a byte at 1" },
		{ PROBE("'type':'HTTP','host':7"), "spec.probe.host", JN_CAUSE_TYPE, "Host" },
		{ PROBE("'type':'GRPC','service':'\xc3\xa4'"), "spec.probe.service",
		  JN_CAUSE_INVALID, "no visible ASCII" },
		{ PROBE("'type':'TCP','path':'/'"), "spec.probe.path", JN_CAUSE_INVALID,
		  "is for type HTTP; remove it" },
		{ PROBE("'type':'GRPC','host':'a'"), "spec.probe.host", JN_CAUSE_INVALID,
		  "is for type HTTP" },
		{ PROBE("'type':'HTTP','service':'a'"), "spec.probe.service", JN_CAUSE_INVALID,
		  "is for type GRPC" },
		{ PROBE("'type':'TCP','intervalSeconds':0"), "spec.probe.intervalSeconds",
		  JN_CAUSE_INVALID, "1..3600" },
		{ PROBE("'type':'TCP','intervalSeconds':3601"), "spec.probe.intervalSeconds",
		  JN_CAUSE_INVALID, "1..3600" },
		{ PROBE("'type':'TCP','timeoutSeconds':0"), "spec.probe.timeoutSeconds",
		  JN_CAUSE_INVALID, "1..60" },
		{ PROBE("'type':'TCP','intervalSeconds':100,'timeoutSeconds':61"),
		  "spec.probe.timeoutSeconds", JN_CAUSE_INVALID, "1..60" },
		{ PROBE("'type':'TCP','timeoutSeconds':11"), "spec.probe.timeoutSeconds",
		  JN_CAUSE_INVALID, "more than intervalSeconds; give at most 10" },
		{ PROBE("'type':'TCP','failureThreshold':0"), "spec.probe.failureThreshold",
		  JN_CAUSE_INVALID, "1..100" },
		{ PROBE("'type':'TCP','successThreshold':101"), "spec.probe.successThreshold",
		  JN_CAUSE_INVALID, "1..100" },
		{ PROBE("'type':'TCP','interval':5"), "spec.probe.interval", JN_CAUSE_UNKNOWN,
		  "remove it" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_policies(void **state)
{
	static const struct fault cases[] = {
		{ POLICY(""), "spec.targetRef", JN_CAUSE_REQUIRED, "give an object" },
		{ POLICY("'targetRef':'web'"), "spec.targetRef", JN_CAUSE_TYPE, "give an object" },
		{ POLICY("'targetRef':{'name':'web'}"), "spec.targetRef.kind", JN_CAUSE_REQUIRED,
		  "give one of LocalService, Service" },
		{ POLICY("'targetRef':{'kind':'Gateway','name':'web'}"), "spec.targetRef.kind",
		  JN_CAUSE_NOT_SUPPORTED, "is \"Gateway\"; give one of LocalService, Service" },
		{ POLICY("'targetRef':{'kind':'LocalService'}"), "spec.targetRef.name",
		  JN_CAUSE_REQUIRED, "DNS label" },
		{ POLICY("'targetRef':{'kind':'LocalService','name':'a','namespace':'b'}"),
		  "spec.targetRef.namespace", JN_CAUSE_UNKNOWN, "remove it" },
		{ POLICY("'targetRef':{'kind':'LocalService','name':'a','port':80}"),
		  "spec.targetRef.port", JN_CAUSE_TYPE, "is an integer; give a DNS label" },
		{ POLICY(TARGET ",'algorithm':'IpHash'"), "spec.algorithm", JN_CAUSE_NOT_SUPPORTED,
		  "one of Random, RoundRobin, LeastConnections, Ewma, Maglev, SourceHash" },
		{ POLICY(TARGET ",'algorithm':'roundrobin'"), "spec.algorithm",
		  JN_CAUSE_NOT_SUPPORTED, "(likely RoundRobin)" },
		{ POLICY(TARGET ",'algorithm':1"), "spec.algorithm", JN_CAUSE_TYPE,
		  "is an integer; give one of Random, RoundRobin" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

static void test_rules_of_policies(void **state)
{
	static const struct fault cases[] = {
		{ POLICY(TARGET ",'noBackendErrno':'EIO'"), "spec.noBackendErrno",
		  JN_CAUSE_NOT_SUPPORTED, "ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EPERM" },
		{ POLICY(TARGET ",'slowStartSeconds':3601"), "spec.slowStartSeconds",
		  JN_CAUSE_INVALID, "is 3601; give" },
		{ POLICY(TARGET ",'slowStartSeconds':-1"), "spec.slowStartSeconds",
		  JN_CAUSE_INVALID, "is -1; give" },
		{ POLICY(TARGET ",'slowStartSeconds':1.0"), "spec.slowStartSeconds", JN_CAUSE_TYPE,
		  "give" },
		{ POLICY(TARGET ",'affinity':'ClientIP'"), "spec.affinity", JN_CAUSE_TYPE,
		  "timeoutSeconds" },
		{ POLICY(TARGET ",'affinity':{'type':'clientip'}"), "spec.affinity.type",
		  JN_CAUSE_NOT_SUPPORTED, "(likely ClientIP)" },
		{ POLICY(TARGET ",'affinity':{'timeoutSeconds':0}"), "spec.affinity.timeoutSeconds",
		  JN_CAUSE_INVALID, "is 0; give" },
		{ POLICY(TARGET ",'affinity':{'timeoutSeconds':86401}"),
		  "spec.affinity.timeoutSeconds", JN_CAUSE_INVALID, "is 86401; give" },
		{ POLICY(TARGET ",'affinity':{'timeout':1}"), "spec.affinity.timeout",
		  JN_CAUSE_UNKNOWN, "timeoutSeconds" },
		{ POLICY(TARGET ",'outlier':1"), "spec.outlier", JN_CAUSE_TYPE,
		  "consecutiveFailures" },
		{ POLICY(TARGET ",'outlier':{'consecutiveFailures':1001}"),
		  "spec.outlier.consecutiveFailures", JN_CAUSE_INVALID, "is 1001; give" },
		{ POLICY(TARGET ",'outlier':{'windowSeconds':0}"), "spec.outlier.windowSeconds",
		  JN_CAUSE_INVALID, "is 0; give" },
		{ POLICY(TARGET ",'outlier':{'maxEjectedPercent':101}"),
		  "spec.outlier.maxEjectedPercent", JN_CAUSE_INVALID, "is 101; give" },
		{ POLICY(TARGET ",'outlier':{'baseEjectionSeconds':60,'maxEjectionSeconds':30}"),
		  "spec.outlier.maxEjectionSeconds", JN_CAUSE_INVALID, "at least 60" },
		{ POLICY(TARGET ",'outlier':{'failures':5}"), "spec.outlier.failures",
		  JN_CAUSE_UNKNOWN, "consecutiveFailures" },
		{ POLICY(TARGET ",'limits':{'connections':0}"), "spec.limits.connections",
		  JN_CAUSE_INVALID, "is 0; give" },
		{ POLICY(TARGET ",'limits':{'newConnectionsPerSecond':1000000001}"),
		  "spec.limits.newConnectionsPerSecond", JN_CAUSE_INVALID, "give" },
		{ POLICY(TARGET ",'limits':{'connectionsPerBackend':'1'}"),
		  "spec.limits.connectionsPerBackend", JN_CAUSE_TYPE, "give" },
		{ POLICY(TARGET ",'drainSeconds':-2"), "spec.drainSeconds", JN_CAUSE_INVALID,
		  "is -2; give an integer -1..86400" },
		{ POLICY(TARGET ",'drainSeconds':86401"), "spec.drainSeconds", JN_CAUSE_INVALID,
		  "is 86401; give" },
		{ POLICY(TARGET ",'redirect':'Off'"), "spec.redirect", JN_CAUSE_UNKNOWN,
		  "remove it" },
	};

	(void)state;
	CHECK_FAULTS(cases);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_ports),
		cmocka_unit_test(test_backends),  cmocka_unit_test(test_ports_of_backends),
		cmocka_unit_test(test_policies),  cmocka_unit_test(test_rules_of_policies),
		cmocka_unit_test(test_probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
