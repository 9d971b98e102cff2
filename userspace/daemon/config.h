/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration file of junctord: YAML, a mapping whose keys are the flags' names, and
 * accessRules. Strict: an unknown or repeated key, a value of another type, and what files of objects
 * may not hold (proto/yaml.h) is refused with file and line.
 */
#ifndef JUNCTOR_DAEMON_CONFIG_H
#define JUNCTOR_DAEMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "api/role.h"
#include "base/error.h"
#include "base/log.h"

/* { 0 }: nothing is set. Texts are owned (jn_settings_done). */
struct jn_settings {
	char *socket;
	char *cgroup;
	char *pin_dir;
	char *state_dir;
	char *node_name;
	char *services_dir;
	bool has_log_level;
	enum jn_log_level log_level;
	bool has_no_guard_routes; /* guardRoutes: false */
	struct {
		struct jn_access_rule *items;
		size_t count, capacity;
	} rules;
};

/*
 * Read the file at `path` and set what is not set yet in `settings`: what is there wins. Returns 0;
 * -EINVAL with a cause in err for each fault (its field is "path:line"); -ENOENT, -EFBIG, … with a
 * sentence. Of a file with faults the texts without one are set, and nothing else.
 */
int jn_config_read(const char *path, struct jn_settings *settings, struct jn_error *err);

void jn_settings_done(struct jn_settings *settings);

/* The keys whose value is a text; junctord keeps those it started with. */
#define JN_SETTING_TEXTS 6
struct jn_setting_text {
	const char *key;
	size_t offset; /* of the char * in struct jn_settings */
};
extern const struct jn_setting_text jn_setting_texts[JN_SETTING_TEXTS];
const char *jn_setting_text(const struct jn_settings *settings, const struct jn_setting_text *text);

/* The line of a key of this file; 0: it cannot be told. */
unsigned jn_config_line_of(const char *path, const char *key);

#endif
