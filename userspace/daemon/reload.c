/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Command line and file are read as at the start, into settings of their own; then what differs is
 * taken over, or named. It does NOT watch the file.
 */
#include "daemon/reload.h"

#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/api.h"
#include "base/auto.h"
#include "base/log.h"
#include "base/vec.h"

#define AREA "configuration"

static void forget(struct jn_reload *r)
{
	for (size_t i = 0; i < r->sentences.count; i++)
		free(r->sentences.items[i]);
	r->sentences.count = 0;
}

/* To the log, and to status until the next time; without memory for it to the log only. */
static void say(struct jn_reload *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct jn_reload *r, const char *format, ...)
{
	char *text, **item;
	va_list args;
	int size;

	va_start(args, format);
	size = vasprintf(&text, format, args);
	va_end(args);
	if (size < 0)
		return;
	jn_warn(AREA, "%s", text);
	item = jn_vec_add(&r->sentences);
	if (item)
		*item = text;
	else
		free(text);
}

/* One sentence for each fault. */
static void say_refused(struct jn_reload *r, struct jn_error *err)
{
	static const char remedy[] = "junctord goes on with what it had; correct it and reload";

	if (!err->cause_count)
		say(r, "ConfigurationRefused: %s; %s", jn_error_text(err), remedy);
	for (unsigned i = 0; i < err->cause_count; i++)
		say(r, "ConfigurationRefused: %s: %s; %s", err->causes[i].field,
		    err->causes[i].message, remedy);
}

static bool is_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static const char *shown(const char *text)
{
	return text ? text : "its default";
}

static void say_restart(struct jn_reload *r, const char *name, const char *now, const char *was)
{
	say(r,
	    "RestartNeeded: %s is %s in the configuration, and %s in this run, where it cannot "
	    "change; restart junctord, or take the change back and reload",
	    name, now, was);
}

static void name_fixed(struct jn_reload *r, const struct jn_settings *now)
{
	const struct jn_settings *was = &r->options->settings;

	for (size_t i = 0; i < JN_SETTING_TEXTS; i++) {
		const char *new = jn_setting_text(now, &jn_setting_texts[i]);
		const char *old = jn_setting_text(was, &jn_setting_texts[i]);

		if (!is_equal(new, old))
			say_restart(r, jn_setting_texts[i].key, shown(new), shown(old));
	}
	if (now->has_no_guard_routes != was->has_no_guard_routes)
		say_restart(r, "guardRoutes", now->has_no_guard_routes ? "false" : "true",
			    was->has_no_guard_routes ? "false" : "true");
}

struct jn_access jn_reload_access(const struct jn_settings *settings)
{
	const struct group *group = getgrnam(JN_CONTROL_GROUP);

	return (struct jn_access){ .has_control_group = group,
				   .control_group = group ? group->gr_gid : 0,
				   .rules = settings->rules.items,
				   .rule_count = (unsigned)settings->rules.count };
}

/* The old rules leave with `now`. */
static void take_live(struct jn_reload *r, struct jn_settings *now, struct jn_api *api)
{
	struct jn_settings *s = &r->options->settings;
	__typeof__(s->rules) old = s->rules;
	struct jn_access access;
	int rc;

	s->rules = now->rules;
	now->rules = old;
	access = jn_reload_access(s);
	rc = jn_api_set_access(api, &access);
	if (rc)
		say(r,
		    "ControlGroup: the control socket cannot be given to group " JN_CONTROL_GROUP
		    " (%s); restart junctord",
		    strerror(-rc));
	s->log_level = now->log_level;
	jn_log_set_level(s->log_level);
}

/* What is not a regular file may keep the reader waiting, and the loop with it. */
static int check_file(const struct jn_options *options, struct jn_error *err)
{
	const char *path = jn_options_config(options);
	struct stat file;

	if (stat(path, &file) != 0 || S_ISREG(file.st_mode))
		return 0; /* one that is not there is told by the reader, where it must be */
	return jn_error_set(err, -EINVAL, JN_ERROR_INVALID,
			    "%s is no regular file and is not read again; make it one, or restart "
			    "junctord",
			    path);
}

void jn_reload_run(struct jn_reload *reload, struct jn_api *api)
{
	JN_AUTO(jn_options_done) struct jn_options options = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_options_parse(reload->options->argc, reload->options->argv, &options, &err);

	if (!rc)
		rc = check_file(&options, &err);
	if (!rc)
		rc = jn_options_complete(&options, &err);
	forget(reload);
	if (rc) {
		say_refused(reload, &err);
		return;
	}
	take_live(reload, &options.settings, api);
	jn_info(AREA, "read again: %zu access rules", reload->options->settings.rules.count);
	name_fixed(reload, &options.settings);
}

const char *jn_reload_degraded(void *reload, size_t at)
{
	const struct jn_reload *r = reload;

	return at < r->sentences.count ? r->sentences.items[at] : NULL;
}

void jn_reload_done(struct jn_reload *reload)
{
	forget(reload);
	free(reload->sentences.items);
	*reload = (struct jn_reload){ 0 };
}
