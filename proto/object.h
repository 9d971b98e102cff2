/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The objects users declare, as values: one struct per kind, and the object that wraps it.
 *
 * An object is immutable once decoded and counted: whoever keeps one holds a reference. The codec
 * checks everything that one object can be wrong about by itself (types, ranges, unknown fields,
 * duplicates inside it); what depends on other objects is the model's business.
 */
#ifndef JUNCTOR_PROTO_OBJECT_H
#define JUNCTOR_PROTO_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>
#include <junctor/limits.h>

#include "base/buffer.h"
#include "base/error.h"
#include "proto/cause.h"

#define JN_API_VERSION "junctor.dev/v1alpha1"
#define JN_DEFAULT_NAMESPACE "default" /* of objects and paths that name none */

enum jn_kind {
	JN_KIND_LOCAL_SERVICE,
	JN_KIND_TRAFFIC_POLICY,
	JN_KIND_SERVICE,
	JN_KIND_ENDPOINT_SLICE,
	JN_KIND_NODE,
	JN_KIND_MAX
};
#define JN_KINDS_TEXT "LocalService, TrafficPolicy, Service, EndpointSlice or Node"

/* What is known of a kind by itself; one table in object.c. */
struct jn_kind_names {
	const char *kind;	 /* "LocalService" */
	const char *plural;	 /* "localservices": paths and resource names */
	const char *list;	 /* "LocalServiceList" */
	const char *api_version; /* "junctor.dev/v1alpha1" */
	bool has_no_namespace;	 /* a Node: its namespace is "" everywhere */
};
const struct jn_kind_names *jn_kind_names(enum jn_kind kind);
/* By kind name, or by plural; -ENOENT. */
int jn_kind_by_name(const char *name, enum jn_kind *out);
int jn_kind_by_plural(const char *plural, enum jn_kind *out);

/* Those that ask the kernel for frontends. */
static inline bool jn_kind_is_service(enum jn_kind kind)
{
	return kind == JN_KIND_LOCAL_SERVICE || kind == JN_KIND_SERVICE;
}

#define JN_LONG_NAME_BYTES 256 /* the longest one, its closing 0, and no gap behind it in a key */

/* Who an object is. As a key it is compared as bytes: zero it whole before filling it. */
struct jn_object_key {
	enum jn_kind kind;
	char namespace_[JN_NAME_BYTES];
	char name[JN_LONG_NAME_BYTES]; /* of services and policies: a DNS label */
};

struct jn_object_key jn_object_key_of(enum jn_kind kind, const char *namespace_, const char *name);
/* For struct jn_table_ops: of the texts alone, as a key is mostly room for longer ones. */
uint64_t jn_object_key_hash(const void *key);
#define JN_KEY_TEXT_BYTES (32 + JN_NAME_BYTES + JN_LONG_NAME_BYTES)
/* "LocalService default/web", "Node a". Returns out. */
const char *jn_object_key_text(const struct jn_object_key *key, char out[JN_KEY_TEXT_BYTES]);

struct jn_label {
	char *key;
	char *value;
};

struct jn_labels {
	struct jn_label *items; /* sorted by key */
	unsigned count;
};

struct jn_port {
	char name[JN_NAME_BYTES]; /* "" where not given */
	uint16_t port;		  /* 1..65535 */
	uint16_t target_port;	  /* 1..65535 */
	uint8_t proto;		  /* IPPROTO_TCP, IPPROTO_UDP */
};

/* backends[].ports: this backend listens elsewhere for that port of the service. */
struct jn_port_override {
	uint8_t port_index; /* into jn_local_service.ports */
	uint16_t number;
};

struct jn_backend {
	struct jn_addr addr;
	uint16_t port; /* from "ip:port"; 0: not given there */
	uint16_t weight;
	bool is_ready;
	bool is_terminating;
	uint8_t override_count;
	struct jn_port_override *overrides;
};

struct jn_local_service {
	struct jn_addr *addresses;
	unsigned address_count; /* 1..JN_MAX_ADDRESSES */
	struct jn_port *ports;
	unsigned port_count; /* 1..JN_MAX_PORTS */
	struct jn_backend *backends;
	unsigned backend_count; /* 0..JN_MAX_BACKENDS */
};

/* The port on which this backend serves that port of the service: host order. */
uint16_t jn_backend_port(const struct jn_local_service *s, const struct jn_backend *b,
			 unsigned port_index);

enum jn_affinity_type {
	JN_AFFINITY_NONE,
	JN_AFFINITY_CLIENT_IP,
	JN_AFFINITY_UNSAID /* of a policy: as the Service says, whose type is one of the others */
};

/* Kubernetes' sessionAffinity: for how long a client stays where it was. */
struct jn_affinity_spec {
	uint32_t timeout_seconds; /* 1..JN_MAX_AFFINITY_SECONDS */
	uint8_t type;		  /* enum jn_affinity_type */
};
#define JN_DEFAULT_AFFINITY_SECONDS 10800
#define JN_AFFINITY_NOT_SAID                                                                       \
	{                                                                                          \
		.timeout_seconds = JN_DEFAULT_AFFINITY_SECONDS, .type = JN_AFFINITY_UNSAID         \
	}

/* When a backend that fails is left out for a while. failures 0: never. */
struct jn_outlier_spec {
	uint16_t failures; /* in a row, 0..JN_MAX_FAILURES */
	uint16_t window_seconds;
	uint16_t base_seconds, max_seconds; /* of an ejection; base <= max */
	uint8_t max_percent;		    /* of the set, 0..100 */
};
#define JN_DEFAULT_OUTLIER                                                                         \
	{                                                                                          \
		.failures = 5, .window_seconds = 30, .base_seconds = 10, .max_seconds = 300,       \
		.max_percent = 50                                                                  \
	}

/* 0: no limit. */
struct jn_limits_spec {
	uint32_t connections;		  /* open at once, of the service */
	uint32_t new_per_second;	  /* of the service */
	uint32_t connections_per_backend; /* open at once, of each backend */
};

#define JN_NEVER_DRAINED (-1) /* drainSeconds: connections end by themselves */

enum jn_probe_type { JN_PROBE_TCP, JN_PROBE_HTTP, JN_PROBE_GRPC, JN_PROBE_MAX };

/* How a backend is asked whether it is up. Counted, and immutable once decoded. */
struct jn_probe {
	unsigned references;
	uint8_t type;  /* enum jn_probe_type */
	uint16_t port; /* of the backend, host order; 0: the one it serves */
	uint16_t interval_seconds, timeout_seconds;   /* timeout <= interval */
	uint8_t failure_threshold, success_threshold; /* so many in a row change the verdict */
	char path[JN_MAX_PROBE_TEXT + 1];	      /* HTTP: begins with '/' */
	char host[JN_MAX_PROBE_TEXT + 1];	      /* HTTP; "": the backend's address and port */
	char service[JN_MAX_PROBE_TEXT + 1];	      /* GRPC; "": the server as a whole */
};
struct jn_probe *jn_probe_new(void); /* with the defaults; NULL: no memory */
struct jn_probe *jn_probe_ref(struct jn_probe *probe);
void jn_probe_unref(struct jn_probe **probe); /* NULL is fine; *probe is NULL afterwards */
/* Do both ask the same, as often? Both may be NULL. */
bool jn_probe_equal(const struct jn_probe *a, const struct jn_probe *b);

struct jn_traffic_policy {
	char target[JN_NAME_BYTES]; /* a service in the policy's own namespace */
	uint8_t target_kind;	    /* enum jn_kind: LocalService or Service */
	char port[JN_NAME_BYTES];   /* name of one of its ports; "" = all of them */
	uint8_t algorithm;	    /* enum jn_algorithm */
	uint16_t no_endpoint_errno; /* positive */
	uint32_t slow_start_seconds;
	struct jn_affinity_spec affinity;
	bool has_outlier; /* else nothing is ejected, and `outlier` is zero */
	struct jn_outlier_spec outlier;
	struct jn_limits_spec limits;
	int32_t drain_seconds;	/* until a removed backend's TCP connections end */
	struct jn_probe *probe; /* NULL: backends are not asked */
};

/* v1/Service: what of it concerns a proxy on its cluster addresses. */
struct jn_cluster_port {
	char name[JN_NAME_BYTES]; /* "" where not given */
	uint16_t port;		  /* 1..65535 */
	uint8_t proto;		  /* IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP */
};

enum jn_service_type {
	JN_SERVICE_CLUSTER_IP,
	JN_SERVICE_NODE_PORT,
	JN_SERVICE_LOAD_BALANCER,
	JN_SERVICE_EXTERNAL_NAME
};

struct jn_cluster_service {
	struct jn_addr addresses[JN_MAX_CLUSTER_IPS];
	unsigned address_count; /* 0: headless or ExternalName */
	bool is_headless;	/* clusterIP "None" */
	uint8_t type;		/* enum jn_service_type */
	bool is_local;		/* internalTrafficPolicy */
	struct jn_affinity_spec affinity;
	struct jn_cluster_port *ports;
	unsigned port_count;
};

/* discovery.k8s.io/v1/EndpointSlice. */
enum jn_address_type { JN_ADDRESS_IPV4, JN_ADDRESS_IPV6, JN_ADDRESS_FQDN };

/* Names one after the other, each closed with a 0. */
struct jn_hints {
	char *zones, *nodes;
	unsigned zone_count, node_count;
};

struct jn_slice_endpoint {
	struct jn_addr addr;
	char *node;		/* NULL: not given */
	struct jn_hints *hints; /* NULL: none */
	bool is_ready, is_serving, is_terminating;
};

struct jn_slice_port {
	char name[JN_NAME_BYTES]; /* "" where not given */
	uint16_t port;		  /* 0: not given, which is of no use to a proxy */
	uint8_t proto;
};

struct jn_endpoint_slice {
	char service[JN_NAME_BYTES]; /* by the label kubernetes.io/service-name; "": none */
	uint8_t address_type;	     /* enum jn_address_type */
	struct jn_slice_port *ports;
	unsigned port_count;
	struct jn_slice_endpoint *endpoints; /* none are kept of FQDN */
	unsigned endpoint_count;
	struct jn_object *next; /* the model's own: the next slice of the same service */
};

/* The value of this key, or NULL. */
const char *jn_labels_find(const struct jn_labels *labels, const char *key);

#define JN_LABEL_SERVICE_NAME "kubernetes.io/service-name"
#define JN_LABEL_PROXY_NAME "service.kubernetes.io/service-proxy-name"
#define JN_LABEL_HEADLESS "service.kubernetes.io/headless"
#define JN_LABEL_ZONE "topology.kubernetes.io/zone"
#define JN_CLUSTER_IP_NONE "None"
/* The source that declared an object, and alone may change it. */
enum jn_owner { JN_OWNER_API, JN_OWNER_FILE, JN_OWNER_MAX };
const char *jn_owner_name(enum jn_owner owner); /* "api", "file" */

struct jn_object {
	unsigned references;
	struct jn_object_key key;
	uint8_t owner; /* enum jn_owner */
	char *file;    /* JN_OWNER_FILE: name of the file in the services folder; else NULL */
	struct jn_labels labels;
	struct jn_labels annotations;
	uint64_t version; /* resourceVersion; on a write as decoded: what it must be, 0 = any */
	union {
		struct jn_local_service service;
		struct jn_traffic_policy policy;
		struct jn_cluster_service cluster;
		struct jn_endpoint_slice slice;
	};
};

/* Free the endpoints; there are none afterwards. */
void jn_slice_drop_endpoints(struct jn_endpoint_slice *s);

/* Is this Service or EndpointSlice, by its labels, another proxy's, or nobody's? */
bool jn_object_is_foreign(const struct jn_object *o);
/* The ports of a service of either kind, and their names. */
unsigned jn_object_port_count(const struct jn_object *service);
const char *jn_object_port(const struct jn_object *service, unsigned index);
/* Does this Service have addresses that we are to serve? */
bool jn_object_has_cluster_ips(const struct jn_object *o);

struct jn_object *jn_object_ref(struct jn_object *o);
void jn_object_unref(struct jn_object **o); /* NULL is fine; *o is NULL afterwards */

/* Do both declare the same (everything but version and owner)? */
bool jn_object_equal(const struct jn_object *a, const struct jn_object *b);
/* Are both of one source and, where it is the file source, of one file? */
bool jn_object_same_owner(const struct jn_object *a, const struct jn_object *b);

struct jn_object_list {
	struct jn_object **items;
	size_t count, capacity;
	bool is_list; /* the document decoded last was a List: paths start "items[…]." */
};
void jn_object_list_done(struct jn_object_list *list);

/* What a path or a request already says about the objects that follow. */
struct jn_decode_options {
	const char *prefix;	/* put before every field's path: "lines[16]." or "" */
	const char *namespace_; /* of objects that name none; one that names another is 422 */
	bool namespace_is_fixed;
	const char *name; /* must be the object's name, or NULL */
	int kind;	  /* must be its kind (enum jn_kind), or -1 */
	bool is_stored;	  /* jn_object_encode_declared wrote it: its owner stands in status */
};

/*
 * Decode one document: an object, or (only with kind -1) a List of them. The objects are appended
 * to `out`; on an error nothing is. Returns 0; -EINVAL with err listing every fault found
 * (JN_ERROR_BAD_REQUEST: not JSON, duplicate key, too deep; JN_ERROR_INVALID: the rest); -ENOMEM.
 * How long a text may be (JN_MAX_OBJECT_BYTES) is for whoever receives it.
 */
int jn_object_decode(const char *text, size_t size, const struct jn_decode_options *options,
		     struct jn_object_list *out, struct jn_error *err);

/*
 * The canonical text of what was declared, defaults filled in, without version: equal objects of
 * one owner give equal bytes. This is what the store keeps and hashes. Of status it has the owner,
 * where that is not the api, so that a row of before there were owners is one of the api.
 */
void jn_object_encode_declared(const struct jn_object *o, struct jn_buffer *out);

/* What is known of one endpoint of a service: it is probed, or was ejected. */
enum jn_endpoint_state { JN_ENDPOINT_UP, JN_ENDPOINT_DOWN, JN_ENDPOINT_EJECTED, JN_ENDPOINT_MAX };
const char *jn_endpoint_state_name(enum jn_endpoint_state state); /* "Up", … */

#define JN_PROBE_REASON_BYTES 64
struct jn_endpoint_status {
	struct jn_addr addr;
	uint16_t port;		       /* host order */
	char port_name[JN_NAME_BYTES]; /* of the service */
	enum jn_endpoint_state state;
	char reason[JN_PROBE_REASON_BYTES]; /* why its last probe failed; "": it did not */
};

/* status of a service or TrafficPolicy as answered; counts are of backends. */
struct jn_object_status {
	uint64_t generation;
	bool is_programmed;
	const char *reason; /* CamelCase; NULL: none */
	unsigned ready, not_ready, terminating, weightless;
	struct jn_endpoint_status *endpoints; /* of which something is known */
	size_t endpoint_count;
};
void jn_object_status_done(struct jn_object_status *status);

/* The object as the control socket answers it; status may be NULL. */
void jn_object_encode(const struct jn_object *o, const struct jn_object_status *status,
		      struct jn_buffer *out);

#endif
