/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Another version of the tables: the folders v<number> beside ours, left by the junctord before an
 * upgrade, or after one that is taken back. Their tables are not read: what was declared is loaded
 * from the store into ours. Their links are taken over, so that a hook is never without a program,
 * and then the rest goes.
 *
 * What programs remember of sockets is in tables, too, so those that tell it, recvmsg and getpeername,
 * go on beside ours: each renames what it knows, and nothing else. Their links wait in our folder for
 * the next change of tables, a cleanup or a boot, and hold the tables that they need.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "datapath/internal.h"

#define BEFORE_SUFFIX "_before" /* of the pin of a link that tells what was before ours */

static bool is_version(const char *name)
{
	if (*name++ != 'v' || !*name)
		return false;
	while (isdigit((unsigned char)*name))
		name++;
	return !*name;
}

int jn_versions_each(const char *pin_dir, jn_version_fn fn, void *arg)
{
	DIR *dir = opendir(pin_dir);
	const struct dirent *entry;
	int rc = 0;

	while (dir && !rc && (entry = readdir(dir))) {
		JN_AUTO(jn_free_mem) char *folder = NULL;

		if (!is_version(entry->d_name))
			continue;
		rc = asprintf(&folder, "%s/%s", pin_dir, entry->d_name) < 0 ? -ENOMEM
									    : fn(arg, folder);
	}
	if (dir)
		(void)closedir(dir); /* only read */
	return rc;
}

struct folder_walk {
	jn_version_folder_fn fn;
	void *arg;
	char *ours;
};

static int tell_folder(void *arg, const char *folder)
{
	const struct folder_walk *walk = arg;

	return walk->fn(walk->arg, folder, !strcmp(folder, walk->ours));
}

int jn_datapath_each_version(const char *pin_dir, jn_version_folder_fn fn, void *arg)
{
	JN_AUTO(jn_free_mem) char *ours = NULL;
	struct folder_walk walk = { .fn = fn, .arg = arg };

	if (jn_pins_name_folder(pin_dir, &ours))
		return -ENOMEM;
	walk.ours = ours;
	return jn_versions_each(pin_dir, tell_folder, &walk);
}

static bool tells(size_t hook)
{
	switch (jn_hook_type(hook)) {
	case BPF_CGROUP_UDP4_RECVMSG:
	case BPF_CGROUP_UDP6_RECVMSG:
	case BPF_CGROUP_INET4_GETPEERNAME:
	case BPF_CGROUP_INET6_GETPEERNAME:
		return true;
	default:
		return false;
	}
}

static int take_links(void *arg, const char *folder)
{
	const struct jn_datapath *dp = arg;

	if (!strcmp(folder, dp->folder) || jn_pins_check_folder(folder, NULL))
		return 0;
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		JN_AUTO(jn_free_mem) char *theirs = NULL;
		JN_AUTO(jn_free_mem) char *ours = NULL;

		if (asprintf(&theirs, "%s/%s", folder, jn_hook_pin(i)) < 0 ||
		    asprintf(&ours, "%s/%s%s", dp->folder, jn_hook_pin(i),
			     tells(i) ? BEFORE_SUFFIX : "") < 0)
			return -ENOMEM;
		/* Where we have a link already, a start before this one went so far. */
		if (tells(i) || access(ours, F_OK) != 0)
			(void)rename(theirs, ours); /* often none is there */
	}
	return 0;
}

static int remove_other(void *arg, const char *folder)
{
	const struct jn_datapath *dp = arg;
	int rc;

	if (!strcmp(folder, dp->folder))
		return 0;
	rc = jn_pins_remove(folder, NULL);
	if (rc)
		jn_warn("datapath",
			"%s, of another version, cannot be removed (%s); the next start tries "
			"again",
			folder, strerror(-rc));
	return 0;
}

static void each_version(const struct jn_datapath *dp, jn_version_fn fn)
{
	JN_AUTO(jn_free_mem) char *pin_dir = strdup(dp->folder);

	if (!pin_dir)
		return;
	*strrchr(pin_dir, '/') = 0;
	(void)jn_versions_each(pin_dir, fn, (void *)(uintptr_t)dp);
}

void jn_versions_take_links(const struct jn_datapath *dp)
{
	each_version(dp, take_links);
}

void jn_versions_remove_others(const struct jn_datapath *dp)
{
	each_version(dp, remove_other);
}
