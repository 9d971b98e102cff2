/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is asked of this machine: its cgroup2 folders, this process's network namespace, who else
 * holds a folder, and when every program that runs now has ended. It changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "datapath/internal.h"

/* --- namespace --------------------------------------------------------------------------------- */

int jn_datapath_netns_cookie(uint64_t *out)
{
	JN_AUTO(jn_close_fd) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t size = sizeof(cookie);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0)
		return -errno;
	*out = cookie;
	return 0;
}

/* --- grace period ------------------------------------------------------------------------------ */

/*
 * A program at a cgroup hook runs inside rcu_read_lock() and cannot sleep, and the membarrier is
 * synchronize_rcu(): when it returns, whoever read a table before the call is done. With one CPU
 * online the kernel returns at once, which says nothing about a program that was preempted.
 */
void jn_datapath_wait_grace(void)
{
	const struct timespec rest = { .tv_sec = JN_GRACE_FALLBACK_MS / 1000,
				       .tv_nsec = JN_GRACE_FALLBACK_MS % 1000 * 1000000L };

	if (sysconf(_SC_NPROCESSORS_ONLN) > 1 &&
	    syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0)
		return;
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, NULL) == EINTR)
		; /* all of it again: longer does no harm */
}

/* --- cgroups ----------------------------------------------------------------------------------- */

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

struct root_search {
	char *out;
	size_t size;
	bool is_whole; /* found the hierarchy's own root, not a folder of it that is mounted */
};

static int look_for_root(void *arg, const struct jn_mount *mount)
{
	struct root_search *search = arg;
	bool is_whole = !strcmp(mount->root, "/");

	if (strcmp(mount->type, "cgroup2") != 0 || !is_cgroup2(mount->point) ||
	    (search->out[0] && (search->is_whole || !is_whole)))
		return 0;
	if (strlen(mount->point) >= search->size)
		return -ENAMETOOLONG;
	memcpy(search->out, mount->point, strlen(mount->point) + 1);
	search->is_whole = is_whole;
	return 0;
}

int jn_cgroup_find_root(char *out, size_t size, struct jn_error *err)
{
	struct root_search search = { .out = out, .size = size };
	int rc;

	out[0] = 0;
	rc = jn_mounts_each(look_for_root, &search);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the cgroup2 mount cannot be looked up in /proc/self/mountinfo "
				    "(%s); name a folder of it with --cgroup",
				    strerror(-rc));
	if (out[0])
		return 0;
	return jn_error_set(err, -ENOENT, JN_ERROR_UNAVAILABLE,
			    "no cgroup2 is mounted; mount it (mount -t cgroup2 none "
			    "/sys/fs/cgroup) or name a folder of one with --cgroup");
}

/* The id is what links carry and what a file handle of the folder holds. */
static int read_cgroup_id(int fd, uint64_t *out)
{
	struct {
		struct file_handle head;
		uint64_t id;
	} handle = { .head.handle_bytes = sizeof(handle.id) };
	int mount_id;

	if (name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH) != 0)
		return -errno;
	memcpy(out, handle.head.f_handle, sizeof(*out));
	return 0;
}

int jn_cgroup_open(const char *path, int *fd, uint64_t *id, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	uint64_t read_id = 0;
	int rc = opened < 0 ? -errno : 0;

	if (!rc && !is_cgroup2(path))
		return jn_error_set(err, -EINVAL, JN_ERROR_UNAVAILABLE,
				    "%s is no cgroup2 folder; name one with --cgroup (mountpoints: "
				    "findmnt -t cgroup2)",
				    path);
	if (!rc)
		rc = read_cgroup_id(opened, &read_id);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the cgroup %s cannot be opened (%s); make it, or name another "
				    "with --cgroup",
				    path, strerror(-rc));
	*id = read_id;
	*fd = jn_move_fd(&opened);
	return 0;
}

int jn_cgroup_check(const char *path, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	uint64_t id;

	return jn_cgroup_open(path, &fd, &id, err);
}

/* --- one process at a time --------------------------------------------------------------------- */

#define LOCK_WAIT_MS 1000 /* what a killed process may take to be gone, on a busy machine */
#define LOCK_PAUSE_MS 10

/* The process that holds the flock of a file, as /proc/locks has it; 0: not seen from here. */
static int find_holder(const struct stat *file)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	int holder = 0;

	if (!locks)
		return 0;
	while (!holder && fgets(line, sizeof(line), locks)) {
		unsigned major, minor;
		unsigned long long inode;
		int pid;

		/* "1: FLOCK  ADVISORY  WRITE 4711 00:2a:815 0 EOF"; who waits has "->" in front. */
		if (sscanf(line, "%*u: FLOCK %*s %*s %d %x:%x:%llu", &pid, &major, &minor,
			   &inode) == 4 &&
		    makedev(major, minor) == file->st_dev && inode == file->st_ino)
			holder = pid;
	}
	(void)fclose(locks); /* only read */
	return holder;
}

static void read_command(int pid, char *out, size_t size)
{
	char path[32];
	FILE *file;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	file = fopen(path, "re");
	if (!file || !fgets(out, (int)size, file))
		(void)snprintf(out, size, "gone");
	out[strcspn(out, "\n")] = 0;
	if (file)
		(void)fclose(file); /* only read */
}

static int refuse_lock(const char *dir, int fd, struct jn_error *err)
{
	char command[32] = "";
	struct stat file;
	int holder = fstat(fd, &file) ? 0 : find_holder(&file);

	if (!holder)
		return jn_error_set(err, -EBUSY, JN_ERROR_BUSY,
				    "another process holds the folder %s (lslocks shows it); stop "
				    "it first, or choose another folder",
				    dir);
	read_command(holder, command, sizeof(command));
	return jn_error_set(err, -EBUSY, JN_ERROR_BUSY,
			    "process %d (%s) holds the folder %s; stop it first, or choose another "
			    "folder",
			    holder, command, dir);
}

/* Whoever was killed a moment ago is still taking leave: that is waited for. */
static int lock_soon(int fd)
{
	const struct timespec pause = { .tv_nsec = LOCK_PAUSE_MS * 1000000 };

	for (unsigned waited_ms = 0;; waited_ms += LOCK_PAUSE_MS) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS)
			return -1;
		(void)nanosleep(&pause, NULL); /* cut short it asks once more, no harm */
	}
}

int jn_folder_lock(const char *dir, int *fd, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int opened = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (opened >= 0 && lock_soon(opened) == 0) {
		*fd = jn_move_fd(&opened);
		return 0;
	}
	if (opened >= 0 && errno == EWOULDBLOCK)
		return refuse_lock(dir, opened, err);
	return jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
			    "the folder %s cannot be locked (%s); make it a folder that this user "
			    "may open, or choose another",
			    dir, strerror(errno));
}

bool jn_folder_is_held(const char *dir)
{
	JN_AUTO(jn_close_fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}
