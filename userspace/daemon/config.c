/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file: YAML, made JSON by the reader that files of objects go through. Each
 * mapping has a table of its keys, each key a function that reads its value. It does NOT know YAML.
 */
#include "daemon/config.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/spelling.h"
#include "base/vec.h"
#include "proto/cause.h"
#include "proto/field.h"
#include "proto/json.h"
#include "proto/path.h"
#include "proto/yaml.h"

#define MAX_KEYS 16 /* of one mapping; raise it with a table that is longer */
#define QUOTES "; put a number in quotes"

struct reader {
	const char *path;
	struct jn_buffer text;	/* of the file */
	struct jn_buffer place; /* of the value that is looked at: "accessRules[0].uid" */
	struct jn_error *err;
};

static void reader_done(struct reader *r)
{
	jn_buffer_done(&r->text);
	jn_buffer_done(&r->place);
}

/* One key of a mapping. */
struct key {
	const char *name;
	int (*read)(struct reader *r, const struct key *key, const struct jn_json *value,
		    void *out);
	size_t offset; /* of the field in the struct that the mapping fills */
};

struct keys {
	const struct key *items;
	size_t count;
};

/* Every fault is one cause, whose field is the place: "file:line". */
static int fault_at(struct reader *r, unsigned line, const char *name, const char *what)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer place = { 0 };

	jn_buffer_printf(&place, "%s:%u", r->path, line);
	jn_error_cause(r->err, JN_ERROR_INVALID, JN_CAUSE_INVALID, jn_buffer_text(&place), "%s%s%s",
		       name, *name ? " " : "", what);
	return -EINVAL;
}

static unsigned line_of(struct reader *r, const char *place)
{
	return jn_yaml_line_of(r->text.data, r->text.size, 0, place);
}

/* A fault of the value that is looked at. */
static int fault(struct reader *r, const char *name, const char *what)
{
	return fault_at(r, line_of(r, jn_buffer_text(&r->place)), name, what);
}

static int out_of_memory(struct reader *r)
{
	return jn_error_set(r->err, -ENOMEM, JN_ERROR_INTERNAL,
			    "%s: out of memory; give junctord more and start it again", r->path);
}

static int unknown_key(struct reader *r, const char *text, const struct keys *keys)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer what = { 0 };
	const char *names[MAX_KEYS];
	const char *likely;

	assert(keys->count <= MAX_KEYS);
	for (size_t i = 0; i < keys->count; i++)
		names[i] = keys->items[i].name;
	likely = jn_spelling_nearest(text, names, keys->count);
	jn_buffer_printf(&what, "'%s'; %s%s%s", text, likely ? "did you mean '" : "remove it",
			 likely ? likely : "", likely ? "'?" : "");
	return fault(r, "unknown key", jn_buffer_text(&what));
}

static const struct key *find_key(const struct keys *keys, const char *text)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (!strcmp(keys->items[i].name, text))
			return &keys->items[i];
	}
	return NULL;
}

/* *seen gets a bit for each key that was there. A fault does not hide those behind it. */
static int read_mapping(struct reader *r, const struct jn_json *mapping, const struct keys *keys,
			void *out, unsigned *seen)
{
	size_t outside = r->place.size;
	const struct jn_json *value;
	const char *text;
	void *at = NULL;
	int result = 0;

	*seen = 0;
	while (jn_json_next(mapping, &at, &text, &value)) {
		const struct key *key = find_key(keys, text);
		int rc;

		jn_path_add_key(&r->place, text, strlen(text));
		if (key)
			*seen |= 1u << (key - keys->items);
		rc = key ? key->read(r, key, value, (char *)out + key->offset)
			 : unknown_key(r, text, keys);
		r->place.size = outside;
		if (rc == -ENOMEM)
			return rc;
		result = result ? result : rc;
	}
	return result;
}

/* Call read for each item. */
static int read_list(struct reader *r, const struct key *key, const struct jn_json *list, void *out,
		     int (*read)(struct reader *r, const struct key *key,
				 const struct jn_json *value, void *out))
{
	size_t outside = r->place.size;
	int result = 0;

	if (jn_json_type(list) != JN_JSON_LIST)
		return fault(r, key->name, "must be a list");
	for (size_t i = 0; i < jn_json_count(list); i++) {
		int rc;

		jn_path_add_index(&r->place, i);
		rc = read(r, key, jn_json_at(list, i), out);
		r->place.size = outside;
		if (rc == -ENOMEM)
			return rc;
		result = result ? result : rc;
	}
	return result;
}

static int read_path(struct reader *r, const struct key *key, const struct jn_json *value,
		     void *out)
{
	const char *text = jn_json_text(value);

	if (!text || text[0] != '/')
		return fault(r, key->name, "must be an absolute path");
	*(char **)out = strdup(text);
	return *(char **)out ? 0 : out_of_memory(r);
}

static int read_node_name(struct reader *r, const struct key *key, const struct jn_json *value,
			  void *out)
{
	const char *text = jn_json_text(value);

	if (!text || !jn_is_dns_name(text))
		return fault(r, key->name, "must be " JN_DNS_NAME QUOTES);
	*(char **)out = strdup(text);
	return *(char **)out ? 0 : out_of_memory(r);
}

static int read_log_level(struct reader *r, const struct key *key, const struct jn_json *value,
			  void *out)
{
	struct jn_settings *s = out;
	const char *text = jn_json_text(value);

	if (!text || jn_log_parse_level(text, &s->log_level) != 0)
		return fault(r, key->name, "must be error, warning, info or debug");
	s->has_log_level = true;
	return 0;
}

static int read_guard_routes(struct reader *r, const struct key *key, const struct jn_json *value,
			     void *out)
{
	struct jn_settings *s = out;

	if (jn_json_type(value) != JN_JSON_BOOL)
		return fault(r, key->name, "must be true or false");
	s->has_no_guard_routes = !jn_json_bool(value);
	return 0;
}

static int read_id(struct reader *r, const struct key *key, const struct jn_json *value, void *out)
{
	struct jn_access_rule *rule = out;
	int64_t id = jn_json_integer(value);

	if (jn_json_type(value) != JN_JSON_INTEGER || id < 0)
		return fault(r, key->name, "must be a number (`id NAME` shows it)");
	if (id >= UINT32_MAX)
		return fault(r, key->name, "must be at most 4294967294");
	rule->id = (uint32_t)id;
	return 0;
}

static int read_role(struct reader *r, const struct key *key, const struct jn_json *value,
		     void *out)
{
	const char *text = jn_json_text(value);

	if (!text || jn_role_parse(text, out) != 0)
		return fault(r, key->name, "must be Read, Write or Admin");
	return 0;
}

static int read_namespace(struct reader *r, const struct key *key, const struct jn_json *value,
			  void *out)
{
	struct jn_access_rule *rule = out;
	const char *text = jn_json_text(value);
	char **grown;

	if (!text || !jn_is_dns_label(text))
		return fault(r, key->name, "must hold names, each " JN_DNS_LABEL QUOTES);
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

static int read_namespaces(struct reader *r, const struct key *key, const struct jn_json *value,
			   void *out)
{
	struct jn_access_rule *rule = out;
	int rc = read_list(r, key, value, rule, read_namespace);

	if (rc)
		return rc;
	if (!rule->namespace_count)
		return fault(r, key->name,
			     "is empty and would allow nothing; leave it out for all");
	return 0;
}

enum rule_key { RULE_UID, RULE_GID, RULE_ROLE, RULE_NAMESPACES };

static const struct key rule_items[] = {
	[RULE_UID] = { "uid", read_id, 0 },
	[RULE_GID] = { "gid", read_id, 0 },
	[RULE_ROLE] = { "role", read_role, offsetof(struct jn_access_rule, role) },
	[RULE_NAMESPACES] = { "namespaces", read_namespaces, 0 },
};
static const struct keys rule_keys = { rule_items, JN_COUNT(rule_items) };

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

static int read_rule(struct reader *r, const struct key *key, const struct jn_json *value,
		     void *out)
{
	struct jn_settings *s = out;
	struct jn_access_rule *rule;
	unsigned seen;
	const char *what;
	int rc;

	if (jn_json_type(value) != JN_JSON_OBJECT)
		return fault(r, key->name, "must hold mappings of uid or gid, role, namespaces");
	rule = jn_vec_add(&s->rules);
	if (!rule)
		return out_of_memory(r);
	rc = read_mapping(r, value, &rule_keys, rule, &seen);
	if (rc)
		return rc;
	rule->is_group = seen & 1u << RULE_GID;
	what = rule_fault(rule, seen);
	return what ? fault(r, "an access rule", what) : 0;
}

static int read_rules(struct reader *r, const struct key *key, const struct jn_json *value,
		      void *out)
{
	return read_list(r, key, value, out, read_rule);
}

static const struct key settings_items[] = {
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
static const struct keys settings_keys = { settings_items, JN_COUNT(settings_items) };

/* What the readers of YAML or JSON found. Those of YAML say the line of the file, at the beginning. */
static int fault_of_text(struct reader *r, const struct jn_error *found)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer sentence = { 0 };
	const struct jn_cause *cause = &found->causes[0];
	const char *what = strstr(cause->message, ": ");
	unsigned line;
	char next;

	if (sscanf(cause->message, "line %u%c", &line, &next) != 2 || next != ':')
		line = line_of(r, cause->field);
	jn_buffer_printf(&sentence, "%s%s%s", cause->field, *cause->field ? ": " : "",
			 what ? what + 2 : cause->message);
	return fault_at(r, line, "", jn_buffer_text(&sentence));
}

static int read_document(struct reader *r, const struct jn_yaml *yaml, struct jn_settings *out)
{
	const struct jn_yaml_document *document = &yaml->items[0];
	JN_AUTO(jn_error_done) struct jn_error found = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *json = NULL;
	unsigned seen;
	int rc;

	rc = jn_json_parse(yaml->json.data + document->offset, document->size, &json, &found);
	if (rc)
		return found.cause_count ? fault_of_text(r, &found) : out_of_memory(r);
	if (jn_json_type(json) != JN_JSON_OBJECT)
		return fault(r, "the configuration", "must be a mapping of keys to values");
	return read_mapping(r, json, &settings_keys, out, &seen);
}

/* Nothing, or one document that is a mapping. */
static int parse(struct reader *r, struct jn_settings *out)
{
	JN_AUTO(jn_error_done) struct jn_error found = { 0 };
	JN_AUTO(jn_yaml_done) struct jn_yaml yaml = { 0 };
	int rc = jn_yaml_read(r->text.data, r->text.size, &yaml, &found);

	if (rc)
		return found.cause_count ? fault_of_text(r, &found) : out_of_memory(r);
	if (yaml.count)
		rc = read_document(r, &yaml, out);
	if (rc != -ENOMEM && yaml.count > 1)
		rc = fault_at(r, yaml.items[1].line, "a second document",
			      "is not taken here; remove it");
	return rc;
}

static int read_bytes(const char *path, struct jn_buffer *out)
{
	JN_AUTO(jn_close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : jn_buffer_read(out, fd, JN_MAX_CONFIG_BYTES);
}

const struct jn_setting_text jn_setting_texts[JN_SETTING_TEXTS] = {
	{ "socket", offsetof(struct jn_settings, socket) },
	{ "cgroup", offsetof(struct jn_settings, cgroup) },
	{ "pin-dir", offsetof(struct jn_settings, pin_dir) },
	{ "state-dir", offsetof(struct jn_settings, state_dir) },
	{ "node-name", offsetof(struct jn_settings, node_name) },
	{ "services-dir", offsetof(struct jn_settings, services_dir) },
};

const char *jn_setting_text(const struct jn_settings *settings, const struct jn_setting_text *text)
{
	return *(char *const *)((const char *)settings + text->offset);
}

static void take_texts(struct jn_settings *to, struct jn_settings *from)
{
	for (size_t i = 0; i < JN_COUNT(jn_setting_texts); i++) {
		char **into = (char **)((char *)to + jn_setting_texts[i].offset);

		if (!*into)
			*into = JN_MOVE(*(char **)((char *)from + jn_setting_texts[i].offset));
	}
}

unsigned jn_config_line_of(const char *path, const char *key)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	return read_bytes(path, &text) ? 0 : jn_yaml_line_of(text.data, text.size, 0, key);
}

int jn_config_read(const char *path, struct jn_settings *settings, struct jn_error *err)
{
	JN_AUTO(jn_settings_done) struct jn_settings file = { 0 };
	JN_AUTO(reader_done) struct reader r = { .path = path, .err = err };
	int rc = read_bytes(path, &r.text);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INVALID,
				    "%s cannot be read (%s); correct it or choose another with "
				    "--config",
				    path, strerror(-rc));
	rc = parse(&r, &file);
	take_texts(settings, &file);
	if (rc)
		return rc;
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
