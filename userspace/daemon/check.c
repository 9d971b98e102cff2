/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Each path of the settings is looked at as the start would use it. It does NOT ask for privileges:
 * who checks may be somebody else than who starts, and what he may not see is no fault.
 */
#include "daemon/check.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
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

/* File systems of the kernel's own, in which nobody keeps files. */
static bool takes_nothing(const char *folder, bool is_for_pins)
{
	static const long types[] = { PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC,
				      CGROUP2_SUPER_MAGIC };
	struct statfs fs;

	if (statfs(folder, &fs) != 0)
		return false;
	for (size_t i = 0; i < JN_COUNT(types); i++) {
		if (fs.f_type == types[i])
			return true;
	}
	return fs.f_type == BPF_FS_MAGIC && !is_for_pins;
}

/* Does something stand there that leads nowhere? */
static bool is_lost_link(const char *path)
{
	struct stat info;

	return stat(path, &info) != 0 && (errno == ENOENT || errno == ELOOP) &&
	       lstat(path, &info) == 0;
}

/* What keeps things from being made below `above`, or NULL. *is_there: look no further up. */
static const char *obstacle_of(const char *above, bool is_for_pins, bool *is_there)
{
	struct stat info;

	*is_there = true;
	if (is_lost_link(above))
		return "is a link that leads nowhere";
	if (stat(above, &info) != 0) {
		*is_there = errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG;
		return NULL; /* one that may not look knows nothing */
	}
	if (!S_ISDIR(info.st_mode))
		return "is no folder";
	return takes_nothing(above, is_for_pins) ? "keeps no files" : NULL;
}

/* The nearest thing above it that is there must be a folder, in which the others can be made. */
static void check_above(const struct check *c, const struct jn_setting_text *text, const char *path,
			bool is_for_pins)
{
	JN_AUTO(jn_free_mem) char *above = strdup(path);
	const char *obstacle = NULL;
	bool is_there = false;
	char *slash;

	if (!above || strlen(path) >= PATH_MAX) {
		fault(c, text, "the path has %zu bytes; give one of at most %d", strlen(path),
		      PATH_MAX - 1);
		return;
	}
	while (!is_there && (slash = strrchr(above, '/')) && slash != above) {
		if (strlen(slash + 1) > NAME_MAX) {
			fault(c, text, "a name in the path has %zu bytes; give one of at most %d",
			      strlen(slash + 1), NAME_MAX);
			return;
		}
		*slash = '\0';
		obstacle = obstacle_of(above, is_for_pins, &is_there);
	}
	if (obstacle)
		fault(c, text, "%s cannot be made, because %s %s; choose another", path, above,
		      obstacle);
}

static void check_socket(const struct check *c, const struct jn_setting_text *text,
			 const char *path)
{
	const size_t longest = sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1;
	size_t size = strlen(path);
	struct stat info;

	if (size > longest)
		fault(c, text, "the path of the control socket has %zu bytes; give one of 1 to %zu",
		      size, longest);
	else if (path[size - 1] == '/')
		fault(c, text, "%s names a folder; add the name of the socket", path);
	else if (lstat(path, &info) == 0 && !S_ISSOCK(info.st_mode))
		fault(c, text, "%s is in the way and is no socket; remove it, or choose another",
		      path);
	else
		check_above(c, text, path, false);
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
	int rc = jn_bpffs_check(path, &said);

	pass_on(c, text, rc, &said);
	if (!rc)
		check_above(c, text, path, true);
}

static void check_state_dir(const struct check *c, const struct jn_setting_text *text,
			    const char *path)
{
	JN_AUTO(jn_free_mem) char *file = NULL;
	bool is_there;
	const char *obstacle = obstacle_of(path, false, &is_there);
	struct stat info;

	if (obstacle)
		fault(c, text, "%s %s; remove it, or choose another", path, obstacle);
	else
		check_above(c, text, path, false);
	if (asprintf(&file, "%s/state.db", path) < 0)
		file = NULL;
	if (file && stat(file, &info) == 0 && !S_ISREG(info.st_mode))
		fault(c, text, "%s is no file; remove it, or choose another folder", file);
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
	check_socket, check_cgroup, check_pin_dir, check_state_dir, NULL, check_services,
};

int jn_check(const struct jn_options *options, struct jn_error *err)
{
	JN_AUTO(check_done)
	struct check c = { .path = jn_options_config(options), .err = err };

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
