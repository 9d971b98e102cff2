/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TrafficPolicy.spec.probe -> struct jn_probe. Its texts go to backends as they are, so nothing in
 * them may end a line. Whether anybody listens there is not asked here.
 */
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "proto/field.h"

/* Into `out`, if it is short and all of it can be seen. */
static void read_text(struct jn_decoder *d, const struct jn_json *value, char *out)
{
	const char *text = jn_json_text(value);
	size_t length = strlen(text);

	if (length > JN_MAX_PROBE_TEXT) {
		jn_decoder_fault(d, JN_CAUSE_INVALID, "has %zu bytes; give at most %d", length,
				 JN_MAX_PROBE_TEXT);
		return;
	}
	for (const char *at = text; *at; at++) {
		if (*at > ' ' && *at <= '~')
			continue;
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "has a byte at %zu that is no visible ASCII; leave it out, or "
				 "encode it",
				 (size_t)(at - text));
		return;
	}
	memcpy(out, text, length + 1);
}

static void read_path(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_probe *probe = target;

	if (*jn_json_text(value) != '/')
		jn_decoder_fault(d, JN_CAUSE_INVALID,
				 "does not begin with /; give a path like "
				 "/healthz");
	else
		read_text(d, value, probe->path);
}

static void read_host(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_probe *probe = target;

	read_text(d, value, probe->host);
}

static void read_service(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_probe *probe = target;

	read_text(d, value, probe->service);
}

#define NUMBER(text, member, least, most)                                                          \
	{                                                                                          \
		.name = (text), .type = JN_FIELD_INTEGER, .min = (least), .max = (most),           \
		JN_FIELD_AT(struct jn_probe, member)                                               \
	}

static const struct jn_field probe_items[] = {
	{ .name = "type",
	  .type = JN_FIELD_WORD,
	  .is_required = true,
	  .words = jn_probe_words,
	  JN_FIELD_AT(struct jn_probe, type) },
	NUMBER("port", port, 1, 65535),
	{ .name = "path",
	  .type = JN_FIELD_TEXT,
	  .read = read_path,
	  .expected = "a path like \"/healthz\"" },
	{ .name = "host",
	  .type = JN_FIELD_TEXT,
	  .read = read_host,
	  .expected = "what the header Host shall say" },
	{ .name = "service",
	  .type = JN_FIELD_TEXT,
	  .read = read_service,
	  .expected = "the name of a gRPC service" },
	NUMBER("intervalSeconds", interval_seconds, 1, JN_MAX_PROBE_SECONDS),
	NUMBER("timeoutSeconds", timeout_seconds, 1, JN_MAX_PROBE_TIMEOUT_SECONDS),
	NUMBER("failureThreshold", failure_threshold, 1, JN_MAX_PROBE_THRESHOLD),
	NUMBER("successThreshold", success_threshold, 1, JN_MAX_PROBE_THRESHOLD),
};
static const struct jn_fields probe_fields = JN_FIELDS(probe_items);

/* What stands here has no effect with this type. */
static void check_text(struct jn_decoder *d, const struct jn_probe *probe, enum jn_probe_type type,
		       const char *name, const char *text)
{
	if (*text && probe->type != type && probe->type != JN_PROBE_MAX)
		jn_decoder_fault_in(d, name, JN_CAUSE_INVALID,
				    "is for type %s; remove it, or change the type",
				    jn_word_of(jn_probe_words, type));
}

void jn_probe_read(struct jn_decoder *d, const struct jn_json *value, void *target)
{
	struct jn_traffic_policy *policy = target;
	struct jn_probe *probe = jn_probe_new();

	if (!probe) {
		d->is_out_of_memory = true;
		return;
	}
	policy->probe = probe;
	probe->type = JN_PROBE_MAX; /* until it is read */
	jn_fields_read(d, value, &probe_fields, probe);
	check_text(d, probe, JN_PROBE_HTTP, "path", probe->path);
	check_text(d, probe, JN_PROBE_HTTP, "host", probe->host);
	check_text(d, probe, JN_PROBE_GRPC, "service", probe->service);
	if (probe->timeout_seconds > probe->interval_seconds)
		jn_decoder_fault_in(d, "timeoutSeconds", JN_CAUSE_INVALID,
				    "is %u, more than intervalSeconds; give at most %u",
				    probe->timeout_seconds, probe->interval_seconds);
	if (probe->type == JN_PROBE_HTTP && !*probe->path)
		(void)strcpy(probe->path, "/"); /* it fits */
}
