/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file, read as a stream of YAML events: each mapping has a table of its keys,
 * each key a function that reads its value. Nothing is kept that no key asked for, so there is
 * nothing that a nested or repeated structure could blow up; anchors and aliases are refused.
 */
#include "daemon/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/spelling.h"
#include "base/vec.h"
#include "proto/field.h"

#define MAX_KEYS 16 /* of one mapping; raise it with a table that is longer */

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the one that is looked at */
	const char *path;
	struct jn_error *err;
};

/* One key of a mapping; read finds the value in r->event and leaves its last event there. */
struct key {
	const char *name;
	int (*read)(struct reader *r, const struct key *key, void *out);
	size_t offset; /* of the field in the struct that the mapping fills */
};

static unsigned line_of(const yaml_mark_t *mark)
{
	return (unsigned)mark->line + 1;
}

static int fault_at(struct reader *r, unsigned line, const char *name, const char *what)
{
	return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID, "%s:%u: %s %s", r->path, line, name,
			    what);
}

/* A fault of the value that is looked at. */
static int fault(struct reader *r, const char *name, const char *what)
{
	return fault_at(r, line_of(&r->event.start_mark), name, what);
}

static const yaml_char_t *anchor_of(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return event->data.alias.anchor;
	case YAML_SCALAR_EVENT:
		return event->data.scalar.anchor;
	case YAML_SEQUENCE_START_EVENT:
		return event->data.sequence_start.anchor;
	case YAML_MAPPING_START_EVENT:
		return event->data.mapping_start.anchor;
	default:
		return NULL;
	}
}

static int next(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (!yaml_parser_parse(&r->parser, &r->event))
		return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID,
				    "%s:%u: this is not YAML (%s); correct the line", r->path,
				    line_of(&r->parser.problem_mark),
				    r->parser.problem ? r->parser.problem : "cannot be read");
	if (anchor_of(&r->event))
		return fault(r, "anchors and aliases", "are not taken here; write the value out");
	return 0;
}

/* The text that is looked at, or NULL where it is none (a list, a mapping, a text with a 0 in it). */
static const char *text_of(const struct reader *r)
{
	const char *text = (const char *)r->event.data.scalar.value;

	if (r->event.type != YAML_SCALAR_EVENT || strlen(text) != r->event.data.scalar.length)
		return NULL;
	return text;
}

static int unknown_key(struct reader *r, const char *text, const struct key *keys, size_t count)
{
	const char *names[MAX_KEYS];
	const char *likely;

	assert(count <= MAX_KEYS);
	for (size_t i = 0; i < count; i++)
		names[i] = keys[i].name;
	likely = jn_spelling_nearest(text, names, count);
	return jn_error_set(r->err, -EINVAL, JN_ERROR_INVALID, "%s:%u: unknown key '%s'; %s%s%s",
			    r->path, line_of(&r->event.start_mark), text,
			    likely ? "did you mean '" : "remove it", likely ? likely : "",
			    likely ? "'?" : "");
}

/* Read a mapping whose start is looked at; *seen gets a bit for each key that was there. */
static int read_mapping(struct reader *r, const struct key *keys, size_t count, void *out,
			unsigned *seen)
{
	*seen = 0;
	for (;;) {
		const char *text;
		size_t i = 0;
		int rc = next(r);

		if (rc)
			return rc;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			return 0;
		text = text_of(r);
		if (!text)
			return fault(r, "a key", "must be a plain word");
		while (i < count && strcmp(keys[i].name, text) != 0)
			i++;
		if (i == count)
			return unknown_key(r, text, keys, count);
		if (*seen & 1u << i)
			return fault(r, keys[i].name, "is here twice; keep one of them");
		*seen |= 1u << i;
		rc = next(r);
		if (!rc)
			rc = keys[i].read(r, &keys[i], (char *)out + keys[i].offset);
		if (rc)
			return rc;
	}
}

/* Call read for each item of the list whose start is looked at. */
static int read_list(struct reader *r, const struct key *key, void *out,
		     int (*read)(struct reader *r, const struct key *key, void *out))
{
	if (r->event.type != YAML_SEQUENCE_START_EVENT)
		return fault(r, key->name, "must be a list");
	for (;;) {
		int rc = next(r);

		if (rc)
			return rc;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			return 0;
		rc = read(r, key, out);
		if (rc)
			return rc;
	}
}

static int out_of_memory(struct reader *r)
{
	return jn_error_set(r->err, -ENOMEM, JN_ERROR_INTERNAL,
			    "%s: out of memory; give junctord more and start it again", r->path);
}

static int read_path(struct reader *r, const struct key *key, void *out)
{
	const char *text = text_of(r);

	if (!text || text[0] != '/')
		return fault(r, key->name, "must be an absolute path");
	*(char **)out = strdup(text);
	return *(char **)out ? 0 : out_of_memory(r);
}

static int read_node_name(struct reader *r, const struct key *key, void *out)
{
	const char *text = text_of(r);

	if (!text || !jn_is_dns_name(text))
		return fault(r, key->name, "must be " JN_DNS_NAME);
	*(char **)out = strdup(text);
	return *(char **)out ? 0 : out_of_memory(r);
}

static int read_log_level(struct reader *r, const struct key *key, void *out)
{
	struct jn_settings *s = out;
	const char *text = text_of(r);

	if (!text || jn_log_parse_level(text, &s->log_level) != 0)
		return fault(r, key->name, "must be error, warning, info or debug");
	s->has_log_level = true;
	return 0;
}

static int read_guard_routes(struct reader *r, const struct key *key, void *out)
{
	struct jn_settings *s = out;
	const char *text = text_of(r);

	if (!text || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
		return fault(r, key->name, "must be true or false");
	s->has_no_guard_routes = text[0] == 'f';
	return 0;
}

static int read_id(struct reader *r, const struct key *key, void *out)
{
	struct jn_access_rule *rule = out;
	const char *text = text_of(r);
	unsigned long id;

	if (!text || r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || !*text ||
	    strspn(text, "0123456789") != strlen(text))
		return fault(r, key->name, "must be a number (`id NAME` shows it)");
	errno = 0;
	id = strtoul(text, NULL, 10);
	if (errno || id >= UINT32_MAX)
		return fault(r, key->name, "must be at most 4294967294");
	rule->id = (uint32_t)id;
	return 0;
}

static int read_role(struct reader *r, const struct key *key, void *out)
{
	const char *text = text_of(r);

	if (!text || jn_role_parse(text, out) != 0)
		return fault(r, key->name, "must be Read, Write or Admin");
	return 0;
}

static int read_namespace(struct reader *r, const struct key *key, void *out)
{
	struct jn_access_rule *rule = out;
	const char *text = text_of(r);
	char **grown;

	if (!text || !jn_is_dns_label(text))
		return fault(r, key->name, "must hold names, each " JN_DNS_LABEL);
	grown = reallocarray(rule->namespaces, rule->namespace_count + 1, sizeof(*grown));
	if (!grown)
		return out_of_memory(r);
	rule->namespaces = grown;
	grown[rule->namespace_count] = strdup(text);
	if (!grown[rule->namespace_count])
		return out_of_memory(r);
	rule->namespace_count++;
	return 0;
}

static int read_namespaces(struct reader *r, const struct key *key, void *out)
{
	struct jn_access_rule *rule = out;
	int rc = read_list(r, key, rule, read_namespace);

	if (rc)
		return rc;
	if (!rule->namespace_count)
		return fault(r, key->name,
			     "is empty and would allow nothing; leave it out for all");
	return 0;
}

enum rule_key { RULE_UID, RULE_GID, RULE_ROLE, RULE_NAMESPACES };

static const struct key rule_keys[] = {
	[RULE_UID] = { "uid", read_id, 0 },
	[RULE_GID] = { "gid", read_id, 0 },
	[RULE_ROLE] = { "role", read_role, offsetof(struct jn_access_rule, role) },
	[RULE_NAMESPACES] = { "namespaces", read_namespaces, 0 },
};

/* What is wrong with a rule as a whole, or NULL. */
static const char *rule_fault(const struct jn_access_rule *rule, unsigned seen)
{
	if (rule->is_group == !!(seen & 1u << RULE_UID))
		return "names either a uid or a gid";
	if (!(seen & 1u << RULE_ROLE))
		return "needs a role: Read, Write or Admin";
	if (rule->role == JN_ROLE_ADMIN && rule->namespaces)
		return "for Admin counts everywhere; remove namespaces or make it Write";
	return NULL;
}

static int read_rule(struct reader *r, const struct key *key, void *out)
{
	struct jn_settings *s = out;
	struct jn_access_rule *rule;
	unsigned seen, line = line_of(&r->event.start_mark);
	const char *what;
	int rc;

	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fault(r, key->name, "must hold mappings of uid or gid, role, namespaces");
	rule = jn_vec_add(&s->rules);
	if (!rule)
		return out_of_memory(r);
	rc = read_mapping(r, rule_keys, JN_COUNT(rule_keys), rule, &seen);
	if (rc)
		return rc;
	rule->is_group = seen & 1u << RULE_GID;
	what = rule_fault(rule, seen);
	return what ? fault_at(r, line, "an access rule", what) : 0;
}

static int read_rules(struct reader *r, const struct key *key, void *out)
{
	return read_list(r, key, out, read_rule);
}

static const struct key settings_keys[] = {
	{ "socket", read_path, offsetof(struct jn_settings, socket) },
	{ "cgroup", read_path, offsetof(struct jn_settings, cgroup) },
	{ "pin-dir", read_path, offsetof(struct jn_settings, pin_dir) },
	{ "state-dir", read_path, offsetof(struct jn_settings, state_dir) },
	{ "node-name", read_node_name, offsetof(struct jn_settings, node_name) },
	{ "services-dir", read_path, offsetof(struct jn_settings, services_dir) },
	{ "log-level", read_log_level, 0 },
	{ "guardRoutes", read_guard_routes, 0 },
	{ "accessRules", read_rules, 0 },
};

/* The whole stream: nothing, or one document that is a mapping. */
static int read_stream(struct reader *r, struct jn_settings *out)
{
	unsigned seen;
	int rc = next(r); /* the start of the stream */

	if (!rc)
		rc = next(r); /* of the document */
	if (rc || r->event.type == YAML_STREAM_END_EVENT)
		return rc;
	rc = next(r);
	if (rc)
		return rc;
	if (r->event.type != YAML_MAPPING_START_EVENT)
		return fault(r, "the configuration", "must be a mapping of keys to values");
	rc = read_mapping(r, settings_keys, JN_COUNT(settings_keys), out, &seen);
	if (!rc)
		rc = next(r); /* the end of the document */
	if (!rc)
		rc = next(r);
	if (rc || r->event.type == YAML_STREAM_END_EVENT)
		return rc;
	return fault(r, "a second document", "is not taken here; remove it");
}

static int read_bytes(const char *path, struct jn_buffer *out)
{
	JN_AUTO(jn_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : jn_buffer_read(out, fd, JN_MAX_CONFIG_BYTES);
}

static int parse(const char *path, struct jn_buffer *bytes, struct jn_settings *out,
		 struct jn_error *err)
{
	struct reader r = { .path = path, .err = err };
	const char *text = jn_buffer_text(bytes);
	int rc;

	if (!yaml_parser_initialize(&r.parser))
		return out_of_memory(&r);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, bytes->size);
	rc = read_stream(&r, out);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	return rc;
}

static void take_text(char **to, char **from)
{
	if (!*to)
		*to = JN_MOVE(*from);
}

int jn_config_read(const char *path, struct jn_settings *settings, struct jn_error *err)
{
	JN_AUTO(jn_settings_done) struct jn_settings file = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer bytes = { 0 };
	int rc = read_bytes(path, &bytes);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INVALID,
				    "%s cannot be read (%s); correct it or choose another with "
				    "--config",
				    path, strerror(-rc));
	rc = parse(path, &bytes, &file, err);
	if (rc)
		return rc;

	take_text(&settings->socket, &file.socket);
	take_text(&settings->cgroup, &file.cgroup);
	take_text(&settings->pin_dir, &file.pin_dir);
	take_text(&settings->state_dir, &file.state_dir);
	take_text(&settings->node_name, &file.node_name);
	take_text(&settings->services_dir, &file.services_dir);
	if (!settings->has_log_level) {
		settings->has_log_level = file.has_log_level;
		settings->log_level = file.log_level;
	}
	settings->has_no_guard_routes = file.has_no_guard_routes; /* there is no flag for it */
	if (!settings->rules.items) {
		settings->rules = file.rules;
		memset(&file.rules, 0, sizeof(file.rules));
	}
	return 0;
}

void jn_settings_done(struct jn_settings *settings)
{
	for (size_t i = 0; i < settings->rules.count; i++) {
		struct jn_access_rule *rule = &settings->rules.items[i];

		for (unsigned n = 0; n < rule->namespace_count; n++)
			free(rule->namespaces[n]);
		free(rule->namespaces);
	}
	free(settings->rules.items);
	free(settings->socket);
	free(settings->cgroup);
	free(settings->pin_dir);
	free(settings->state_dir);
	free(settings->node_name);
	free(settings->services_dir);
	memset(settings, 0, sizeof(*settings));
}
