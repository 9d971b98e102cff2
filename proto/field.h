/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading documents by tables of fields. A table says what an object may hold: names, types,
 * ranges, where a value goes; jn_fields_read does the rest and reports every fault with its path,
 * so that a kind's code holds only what its table cannot say. For proto only.
 *
 * Start here to add a field: one line in its table (decode.c, decode_service.c, decode_policy.c,
 * decode_probe.c) and one in encode.c.
 *
 * null counts as "not given", as in Kubernetes.
 */
#ifndef JUNCTOR_PROTO_FIELD_H
#define JUNCTOR_PROTO_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/limits.h>

#include "base/error.h"
#include "proto/cause.h"
#include "proto/json.h"
#include "proto/object.h"

/* One step of the path: a key, or (key NULL) an index. */
struct jn_step {
	const char *key;
	size_t index;
};

struct jn_decoder {
	const struct jn_decode_options *options;
	struct jn_object_list *out;
	struct jn_error *err;
	bool is_out_of_memory; /* reported once, at the end */
	unsigned depth;
	struct jn_step steps[JN_MAX_JSON_DEPTH + 2]; /* a missing field is a step too */
};

enum jn_field_type {
	JN_FIELD_IGNORED, /* the server's own, or nothing to a proxy: whatever it is */
	JN_FIELD_DONE,	  /* read by somebody else already */
	JN_FIELD_LABEL,	  /* a DNS label -> char[JN_NAME_BYTES] */
	JN_FIELD_NAME,	  /* a DNS name -> char[JN_LONG_NAME_BYTES] */
	JN_FIELD_INTEGER, /* min..max -> an integer of `size` bytes: 1, 2 or 4 */
	JN_FIELD_BOOL,	  /* -> bool */
	JN_FIELD_WORD,	  /* one of words -> an unsigned of `size` bytes; size 0: not kept */
	JN_FIELD_TEXT,	  /* -> read */
	JN_FIELD_LIST,	  /* -> read */
	JN_FIELD_OBJECT	  /* -> fields, with the same target, or read */
};

struct jn_word {
	const char *word; /* NULL ends a table */
	unsigned value;
};

extern const struct jn_word jn_protocol_words[];
extern const struct jn_word jn_algorithm_words[];
extern const struct jn_word jn_errno_words[];
extern const struct jn_word jn_cluster_protocol_words[];
extern const struct jn_word jn_service_type_words[];
extern const struct jn_word jn_traffic_policy_words[]; /* internalTrafficPolicy */
extern const struct jn_word jn_address_type_words[];
extern const struct jn_word jn_affinity_words[];
extern const struct jn_word jn_probe_words[];
/* The word of this value; "" where there is none. */
const char *jn_word_of(const struct jn_word *words, unsigned value);

struct jn_fields;

typedef void (*jn_read_fn)(struct jn_decoder *d, const struct jn_json *value, void *target);

struct jn_field {
	const char *name;
	enum jn_field_type type;
	bool is_required;
	size_t offset, size; /* in the target: JN_FIELD_AT */
	int64_t min, max;
	const struct jn_word *words;
	const struct jn_fields *fields;
	jn_read_fn read;
	const char *expected; /* "a list of …": what to give, for types that cannot say it */
};

#define JN_FIELD_AT(type, member)                                                                  \
	.offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)

struct jn_fields {
	const struct jn_field *items;
	size_t count;
};

#define JN_FIELDS(array)                                                                           \
	{                                                                                          \
		(array), JN_COUNT(array)                                                           \
	}

/* Read what the table knows, in its order, into target; report what it does not know. */
void jn_fields_read(struct jn_decoder *d, const struct jn_json *object,
		    const struct jn_fields *fields, void *target);

void jn_decoder_push_key(struct jn_decoder *d, const char *key);
void jn_decoder_push_index(struct jn_decoder *d, size_t index);
void jn_decoder_pop(struct jn_decoder *d);

/* A fault at the present path. The sentence ends with what to do. */
void jn_decoder_fault(struct jn_decoder *d, const char *reason, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* A fault of the field `key` below the present path. */
void jn_decoder_fault_in(struct jn_decoder *d, const char *key, const char *reason,
			 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The port at the present path has the name, or the number and protocol, of ports[holder]. */
void jn_decoder_port_name_taken(struct jn_decoder *d, const char *name, unsigned holder);
void jn_decoder_port_taken(struct jn_decoder *d, uint16_t port, uint8_t proto, unsigned holder);

/*
 * Past JN_MAX_FAULTS a fault is counted and nothing else: true. For those who work to build their
 * sentence, so that a hostile document costs no more than its size.
 */
bool jn_decoder_counts_only(struct jn_decoder *d);

/* Is the value of this type? If not, that is a fault: "is a text; give <expected>". */
bool jn_decoder_expect(struct jn_decoder *d, const struct jn_json *value, enum jn_json_type type,
		       const char *expected);

/* Reads one item of a list; target is what jn_decoder_each was given. */
typedef void (*jn_read_item_fn)(struct jn_decoder *d, const struct jn_json *value, unsigned index,
				void *target);
/* Read each item, with its index as a step of the path. */
void jn_decoder_each(struct jn_decoder *d, const struct jn_json *list, jn_read_item_fn read,
		     void *target);

/*
 * Are there at most `max` items? If not, that is a fault: "has 9 entries; the limit of <limit> is
 * 8: <remedy>".
 */
bool jn_decoder_fits(struct jn_decoder *d, const struct jn_json *value, size_t max,
		     const char *limit, const char *remedy);

/*
 * Zeroed memory for the items of a list or object; NULL when there are none, more than `max` (a
 * fault that names the limit: "ports of one object"), or no memory.
 */
void *jn_decoder_items(struct jn_decoder *d, const struct jn_json *value, size_t item_size,
		       size_t max, const char *limit);

#define JN_DNS_LABEL "a DNS label (a-z, 0-9 and '-' inside, 1 to 63 bytes)"
bool jn_is_dns_label(const char *text);
#define JN_DNS_NAME                                                                                \
	"a DNS name (labels of a-z, 0-9 and '-' inside, with dots between, 1 to 253 bytes)"
bool jn_is_dns_name(const char *text);

/* Of Kubernetes' ports: a DNS label, or "", the name of an only port. */
void jn_decoder_port_name(struct jn_decoder *d, const struct jn_json *value,
			  char out[JN_NAME_BYTES]);

/* A fault, unless `text` is an address that a connection can be made to. */
bool jn_decoder_address(struct jn_decoder *d, const char *text, struct jn_addr *out);
/* A fault, unless a connection can be made to this address, which was read from `text`. */
bool jn_decoder_check_usable(struct jn_decoder *d, const char *text, const struct jn_addr *addr);

/* The beginning of every document's table. */
#define JN_FIELDS_OF_DOCUMENT                                                                      \
	{ .name = "apiVersion", .type = JN_FIELD_DONE },                                           \
		{ .name = "kind", .type = JN_FIELD_DONE },                                         \
	{                                                                                          \
		.name = "metadata", .type = JN_FIELD_OBJECT, .is_required = true,                  \
		.read = jn_metadata_read, .expected = "an object {\"name\": …}"                  \
	}

/* decode_metadata.c: target is the object, whose kind is known. */
void jn_metadata_read(struct jn_decoder *d, const struct jn_json *value, void *target);

/* decode_service.c, decode_policy.c: what stands in spec. target is the struct of the kind. */
void jn_service_read(struct jn_decoder *d, const struct jn_json *spec, void *target);
void jn_policy_read(struct jn_decoder *d, const struct jn_json *spec, void *target);
/* decode_probe.c: TrafficPolicy.spec.probe -> struct jn_traffic_policy.probe. */
void jn_probe_read(struct jn_decoder *d, const struct jn_json *value, void *target);
/* decode_cluster.c, decode_slice.c: target is the object; its metadata is read already. */
void jn_cluster_read(struct jn_decoder *d, const struct jn_json *spec, void *target);
extern const struct jn_fields jn_slice_fields; /* of the whole document */

#endif
