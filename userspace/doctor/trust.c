/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who else may write what junctord believes: its configuration, what was declared, the files that
 * declare, and whatever leads there. Owners and modes are looked at, access lists are NOT; nothing is
 * changed, as a group may have been let in on purpose.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "doctor/internal.h"

struct look {
	const char *power; /* of who may write there */
	void (*say)(void *arg, const char *sentence);
	void *arg;
};

/* is_above: others may add to such a folder where they cannot take away what is there (sticky). */
static const char *fault_of(const struct stat *info, bool is_above)
{
	if (info->st_uid != 0 && info->st_uid != geteuid())
		return "belongs to somebody else than root";
	if (is_above && info->st_mode & S_ISVTX)
		return NULL;
	if (info->st_mode & S_IWOTH)
		return "may be written by anybody";
	return info->st_mode & S_IWGRP && info->st_gid != 0 ? "may be written by its group" : NULL;
}

static bool tell(const struct look *look, const char *path, const char *fault)
{
	JN_AUTO(jn_free_mem) char *sentence = NULL;

	if (!fault)
		return false;
	if (asprintf(&sentence,
		     "%s %s, and who may write there %s; unless that is meant, take it from them "
		     "(chown root %s; chmod go-w %s)",
		     path, fault, look->power, path, path) < 0)
		sentence = NULL;
	look->say(look->arg, sentence ? sentence : "memory is out; free some");
	return true;
}

/* Each folder that leads there, and the thing itself; the first that is not safe is told. */
static bool look_at_way(const struct look *look, const char *path)
{
	JN_AUTO(jn_free_mem) char *part = strdup(path);
	struct stat info;

	for (char *slash = part; slash;) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		if (stat(part, &info))
			return false; /* no further than here: what is not there says nothing */
		if (tell(look, part, fault_of(&info, slash)))
			return true;
		if (slash)
			*slash = '/';
	}
	return false;
}

/* What lies in this folder; the first that is not safe is told. */
static void look_inside(const struct look *look, const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	bool is_told = false;

	while (folder && !is_told && (entry = readdir(folder))) {
		char inner[PATH_MAX];
		struct stat info;
		int size = snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);

		if (*entry->d_name != '.' && size > 0 && (size_t)size < sizeof(inner) &&
		    !stat(inner, &info))
			is_told = tell(look, inner, fault_of(&info, false));
	}
	if (folder)
		(void)closedir(folder); /* it was only read */
}

static void look_at(const struct look *look, const char *path, bool is_folder)
{
	JN_AUTO(jn_free_mem) char *resolved = NULL;

	if (!path || !*path || look_at_way(look, path))
		return;
	resolved = realpath(path, NULL); /* links may lead through other folders */
	if (resolved && strcmp(resolved, path) != 0 && look_at_way(look, resolved))
		return;
	if (is_folder)
		look_inside(look, path);
}

void jn_trust_look(const struct jn_doctor_options *options,
		   void (*say)(void *arg, const char *sentence), void *arg)
{
	const struct look config = { "can give themselves every role", say, arg };
	const struct look state = { "can change what was declared", say, arg };
	const struct look services = { "can declare services", say, arg };

	look_at(&config, options->config, false);
	look_at(&state, options->state_dir, true);
	look_at(&services, options->services_dir, true);
}

struct count {
	struct jn_doctor *d;
	unsigned told;
};

static void warn(void *arg, const char *sentence)
{
	struct count *count = arg;

	count->told++;
	jn_doctor_warn(count->d, "%s", sentence);
}

void jn_check_trust(struct jn_doctor *d)
{
	struct count count = { .d = d };

	jn_trust_look(d->options, warn, &count);
	if (!count.told)
		jn_doctor_good(d, "nobody but root may write the configuration, what was declared, "
				  "and the files that declare");
}
