/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a trial makes on the machine, a folder and a cgroup, is held by a lock for as long as it lives.
 * A doctor that is killed takes nothing away, but its locks go: by that the next one knows leftovers
 * from what a trial beside it works with. Only empty folders are removed; what was mounted or attached
 * there went with the process.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "doctor/internal.h"

#define PREFIX "junctor-doctor-"
#define MAX_TRIES 3

/* Is it still this folder that stands there? */
static bool stands_at(int fd, const char *path)
{
	struct stat held, there;

	return !fstat(fd, &held) && !stat(path, &there) && held.st_dev == there.st_dev &&
	       held.st_ino == there.st_ino;
}

int jn_make_held(const char *above, char path[PATH_MAX], int *fd)
{
	for (unsigned i = 0; i < MAX_TRIES; i++) {
		JN_AUTO(jn_close_fd) int opened = -1;
		char name[PATH_MAX];
		int size = snprintf(name, sizeof(name), "%s/" PREFIX "XXXXXX", above);

		if (size < 0 || (size_t)size >= sizeof(name))
			return -ENAMETOOLONG;
		if (!mkdtemp(name))
			return -errno;
		opened = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* Before that it looks like a leftover, and another doctor may have taken it away. */
		if (opened < 0 || flock(opened, LOCK_EX | LOCK_NB) || !stands_at(opened, name))
			continue;
		strcpy(path, name);
		*fd = jn_move_fd(&opened);
		return 0;
	}
	return -EAGAIN;
}

/* Removed; or -EBUSY: a trial holds it or it is not ours; or another -errno. */
static int remove_one(int above, const char *name)
{
	JN_AUTO(jn_close_fd)
	int fd = openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat info;

	if (fd < 0 || fstat(fd, &info) || info.st_uid != geteuid() || flock(fd, LOCK_EX | LOCK_NB))
		return -EBUSY;
	(void)unlinkat(fd, "pins", AT_REMOVEDIR); /* if it stays, so does what it is in */
	return unlinkat(above, name, AT_REMOVEDIR) ? -errno : 0;
}

static void clear_below(const char *above, struct jn_leftovers *out)
{
	DIR *folder = opendir(above);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder))) {
		int rc;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0)
			continue;
		rc = remove_one(dirfd(folder), entry->d_name);
		out->removed += !rc;
		if (!rc || rc == -EBUSY || out->rc)
			continue;
		out->rc = rc;
		(void)snprintf(out->stuck, sizeof(out->stuck), "%s/%s", above, entry->d_name);
	}
	if (folder)
		(void)closedir(folder); /* it was only read */
}

void jn_leftovers_clear(const char *cgroup, struct jn_leftovers *out)
{
	memset(out, 0, sizeof(*out));
	clear_below(JN_TRIAL_FOLDER, out);
	if (cgroup && *cgroup)
		clear_below(cgroup, out);
}

void jn_check_leftovers(struct jn_doctor *d)
{
	struct jn_leftovers found;

	jn_leftovers_clear(d->cgroup, &found);
	if (found.rc)
		jn_doctor_warn(d,
			       "%s is left of a trial that was killed and cannot be removed (%s); "
			       "look what is in it, and remove it (rmdir)",
			       found.stuck, strerror(-found.rc));
	else if (found.removed)
		jn_doctor_good(d, "%u folders and cgroups of a trial that was killed were removed",
			       found.removed);
	else
		jn_doctor_good(d, "nothing is left of a trial that was killed");
}
