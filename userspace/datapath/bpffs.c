/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where pins live: a folder of ours on a bpffs, and the bpffs, mounted where there is none. It does
 * NOT look at pins.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/auto.h"
#include "datapath/internal.h"

#define BPFFS "/sys/fs/bpf" /* where every distribution mounts it */

/*
 * Is the path, or the nearest folder above it that exists, on a bpffs? *missing: where what does not
 * exist begins in the path.
 */
static int is_on_bpffs(const char *path, bool *out, const char **missing)
{
	JN_AUTO(jn_free_mem) char *at = strdup(path);
	struct statfs fs;

	if (!at)
		return -ENOMEM;
	while (statfs(at, &fs) != 0) {
		char *slash = strrchr(at, '/');

		if (errno != ENOENT && errno != EPERM) /* a bpffs says so of a name with a dot */
			return -errno;
		if (!slash)
			strcpy(at, "."); /* a relative path: it has one letter at least */
		else if (slash == at)
			at[1] = 0;
		else
			*slash = 0;
	}
	*out = fs.f_type == BPF_FS_MAGIC;
	*missing = path + strlen(at);
	return 0;
}

int jn_folder_make(const char *dir)
{
	JN_AUTO(jn_free_mem) char *copy = strdup(dir);

	if (!copy)
		return -ENOMEM;
	for (char *at = copy + 1; *copy; at++) {
		char end = *at;

		if (end && end != '/')
			continue;
		*at = 0;
		if (mkdir(copy, 0700) != 0 && errno != EEXIST)
			return -errno;
		if (!end)
			break;
		*at = end;
	}
	return 0;
}

static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	bool is_empty = true;

	while (dir && is_empty && (entry = readdir(dir)))
		is_empty = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");
	if (dir)
		(void)closedir(dir); /* only read */
	return dir && is_empty;
}

static int mount_at(const char *point, struct jn_error *err)
{
	if (mount(JN_BPFFS_SOURCE, point, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") ==
	    0)
		return 0;
	return jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
			    "there is no bpf file system at %s and none can be mounted (%s); mount "
			    "it as root (mount -t bpf bpf %s) or choose a --pin-dir on one",
			    point, strerror(errno), point);
}

static int refuse_folder(const char *path, int rc, struct jn_error *err)
{
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the pin folder %s cannot be made (%s); make it, or choose another "
			    "with --pin-dir",
			    path, strerror(-rc));
}

static bool is_below_bpffs(const char *pin_dir)
{
	size_t length = strlen(BPFFS);

	return !strncmp(pin_dir, BPFFS, length) && (!pin_dir[length] || pin_dir[length] == '/');
}

static int refuse_full(const char *pin_dir, struct jn_error *err)
{
	return jn_error_set(err, -ENOTEMPTY, JN_ERROR_UNAVAILABLE,
			    "%s is on no bpf file system, and is not empty, so that none is "
			    "mounted there; choose another --pin-dir",
			    pin_dir);
}

static int mount_for(const char *pin_dir, struct jn_error *err)
{
	int rc;

	if (is_below_bpffs(pin_dir))
		return mount_at(BPFFS, err);
	rc = jn_folder_make(pin_dir);
	if (rc)
		return refuse_folder(pin_dir, rc, err);
	if (!is_empty(pin_dir))
		return refuse_full(pin_dir, err);
	return mount_at(pin_dir, err);
}

static int refuse_kind(const char *path, int rc, struct jn_error *err)
{
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the pin folder %s cannot be opened (%s); it must be a folder and no "
			    "symbolic link: remove it, or choose another --pin-dir",
			    path, strerror(-rc));
}

/* Nobody else may put pins there, or hold its lock. */
static int take_folder(const char *path, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	struct stat folder;

	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &folder) != 0)
		return refuse_kind(path, -errno, err);
	if (folder.st_uid != geteuid())
		return jn_error_set(err, -EPERM, JN_ERROR_FORBIDDEN,
				    "the pin folder %s belongs to uid %u, not to %u; remove it, or "
				    "choose another --pin-dir",
				    path, folder.st_uid, geteuid());
	if ((folder.st_mode & 07777) != 0700 && fchmod(fd, 0700) != 0)
		return jn_error_set(err, -errno, JN_ERROR_FORBIDDEN,
				    "the pin folder %s is open to others and cannot be closed "
				    "(%s); run chmod 0700 %s",
				    path, strerror(errno), path);
	return 0;
}

static int check_folder(const char *pin_dir, bool *is_there, struct jn_error *err)
{
	const char *missing = "";
	struct stat info;
	int rc;

	if (!lstat(pin_dir, &info) && !S_ISDIR(info.st_mode))
		return refuse_kind(pin_dir, -ENOTDIR, err);
	rc = is_on_bpffs(pin_dir, is_there, &missing);
	if (rc)
		return refuse_folder(pin_dir, rc, err);
	if (*is_there && strchr(missing, '.'))
		return jn_error_set(err, -EINVAL, JN_ERROR_UNAVAILABLE,
				    "the pin folder %s cannot be made, because a bpf file system "
				    "takes no name with a dot; choose another with --pin-dir",
				    pin_dir);
	return 0;
}

int jn_bpffs_prepare(const char *pin_dir, struct jn_error *err)
{
	bool is_there = false;
	int rc = check_folder(pin_dir, &is_there, err);

	if (!rc && !is_there)
		rc = mount_for(pin_dir, err);
	if (rc)
		return rc;
	rc = jn_folder_make(pin_dir);
	return rc ? refuse_folder(pin_dir, rc, err) : take_folder(pin_dir, err);
}

int jn_bpffs_check(const char *pin_dir, struct jn_error *err)
{
	bool is_there = false;
	int rc = check_folder(pin_dir, &is_there, err);

	if (rc)
		return rc;
	if (!is_there && !is_below_bpffs(pin_dir) && !access(pin_dir, F_OK) && !is_empty(pin_dir))
		return refuse_full(pin_dir, err);
	return 0;
}
