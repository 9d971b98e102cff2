/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Each path of the settings is looked at as the start would use it. It does NOT ask for privileges:
 * who checks may be somebody else than who starts, and what he may not see is no fault.
 */
#include "daemon/check.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/auto.h"
#include "datapath/datapath.h"
#include "proto/cause.h"
#include "source/file.h"

struct check {
	const char *path;	   /* of the configuration */
	struct jn_options command; /* what the command line alone says */
	struct jn_settings file;   /* what the file alone says */
	struct jn_error *err;
};

static void check_done(struct check *c)
{
	jn_options_done(&c->command);
	jn_settings_done(&c->file);
}

/* Where the value of this key comes from. */
static void place_of(const struct check *c, const struct jn_setting_text *text, char *out,
		     size_t size)
{
	if (jn_setting_text(&c->command.settings, text))
		(void)snprintf(out, size, "--%s", text->key);
	else if (jn_setting_text(&c->file, text))
		(void)snprintf(out, size, "%s:%u", c->path, jn_config_line_of(c->path, text->key));
	else
		(void)snprintf(out, size, "%s", text->key);
}

static void fault(const struct check *c, const struct jn_setting_text *text, const char *format,
		  ...) __attribute__((format(printf, 3, 4)));
static void fault(const struct check *c, const struct jn_setting_text *text, const char *format,
		  ...)
{
	JN_AUTO(jn_free_mem) char *what = NULL;
	char place[PATH_MAX + 16];
	va_list args;

	place_of(c, text, place, sizeof(place));
	va_start(args, format);
	if (vasprintf(&what, format, args) < 0)
		what = NULL;
	va_end(args);
	jn_error_cause(c->err, JN_ERROR_INVALID, JN_CAUSE_INVALID, place, "%s",
		       what ? what : "is wrong, and memory is out");
}

/* What another room says about it; one that may not look knows nothing. */
static void pass_on(const struct check *c, const struct jn_setting_text *text, int rc,
		    struct jn_error *said)
{
	if (rc && rc != -EACCES && rc != -EPERM)
		fault(c, text, "%s", jn_error_text(said));
}

/* --- one function for each key ------------------------------------------------------------------ */

/* The nearest thing above it that is there must be a folder, in which the others can be made. */
static void check_above(const struct check *c, const struct jn_setting_text *text, const char *path)
{
	JN_AUTO(jn_free_mem) char *above = strdup(path);
	struct stat info;
	char *slash;

	while (above && (slash = strrchr(above, '/')) && slash != above) {
		*slash = '\0';
		if (stat(above, &info) != 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (stat(above, &info) == 0 && !S_ISDIR(info.st_mode))
			fault(c, text, "%s cannot be made, because %s is no folder; choose another",
			      path, above);
		return;
	}
}

static void check_socket(const struct check *c, const struct jn_setting_text *text,
			 const char *path)
{
	const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	struct stat info;

	if (strlen(path) > longest)
		fault(c, text, "the path of the control socket has %zu bytes; give one of 1 to %zu",
		      strlen(path), longest);
	else if (lstat(path, &info) == 0 && !S_ISSOCK(info.st_mode))
		fault(c, text, "%s is in the way and is no socket; remove it, or choose another",
		      path);
	else
		check_above(c, text, path);
}

static void check_cgroup(const struct check *c, const struct jn_setting_text *text,
			 const char *path)
{
	JN_AUTO(jn_error_done) struct jn_error said = { 0 };
	char root[PATH_MAX];
	int rc = path ? jn_cgroup_check(path, &said)
		      : jn_cgroup_find_root(root, sizeof(root), &said);

	pass_on(c, text, rc, &said);
}

static void check_pin_dir(const struct check *c, const struct jn_setting_text *text,
			  const char *path)
{
	JN_AUTO(jn_error_done) struct jn_error said = { 0 };

	pass_on(c, text, jn_bpffs_check(path, &said), &said);
}

static void check_folder(const struct check *c, const struct jn_setting_text *text,
			 const char *path)
{
	struct stat info;

	if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
		fault(c, text, "%s is no folder; remove it, or choose another", path);
	else
		check_above(c, text, path);
}

static void check_services(const struct check *c, const struct jn_setting_text *text,
			   const char *path)
{
	struct stat info;

	if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
		fault(c, text, "%s is no folder; remove it, or choose another", path);
	else
		jn_file_source_check(path, c->err);
}

/* In the order of jn_setting_texts. A node name was judged when it was read. */
static void (*const checks[JN_SETTING_TEXTS])(const struct check *c,
					      const struct jn_setting_text *text,
					      const char *path) = {
	check_socket, check_cgroup, check_pin_dir, check_folder, NULL, check_services,
};

int jn_check(const struct jn_options *options, struct jn_error *err)
{
	JN_AUTO(check_done)
	struct check c = { .path = options->config ? options->config : JN_DEFAULT_CONFIG,
			   .err = err };

	/* Both could be read a moment ago; what cannot now is told with less of a place. */
	(void)jn_options_parse(options->argc, options->argv, &c.command, NULL);
	(void)jn_config_read(c.path, &c.file, NULL);
	for (size_t i = 0; i < JN_SETTING_TEXTS; i++) {
		if (checks[i])
			checks[i](&c, &jn_setting_texts[i],
				  jn_setting_text(&options->settings, &jn_setting_texts[i]));
	}
	return jn_error_is_set(err) ? -EINVAL : 0;
}
