/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The socket file: its folder, its owner and mode, and what is in the way.
 */
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "loop/http_internal.h"

#define BACKLOG 128
#define FOLDER_MODE 0750 /* ours */
#define PARENT_MODE 0755 /* on the way to ours */

/* Make this folder where it is missing. Its mode does not depend on the umask. */
static int make_folder(const char *path, mode_t mode, gid_t group, bool *is_made)
{
	*is_made = false;
	if (mkdir(path, 0700))
		return errno == EEXIST ? 0 : -errno;
	*is_made = true;
	if (chown(path, (uid_t)-1, group) || chmod(path, mode))
		return -errno;
	return 0;
}

static int make_folder_of(struct jn_http_server *s, gid_t group, struct jn_error *err)
{
	const char *path = s->path;
	JN_AUTO(jn_free_mem) char *folder = strdup(path);
	char *last = folder ? strrchr(folder, '/') : NULL;
	int rc = folder ? 0 : -ENOMEM;

	if (!last || last == folder)
		return rc;
	*last = '\0';
	for (char *at = strchr(folder + 1, '/'); at && !rc; at = strchr(at + 1, '/')) {
		*at = '\0';
		rc = make_folder(folder, PARENT_MODE, (gid_t)-1, &s->has_made_folder);
		*at = '/';
	}
	if (!rc)
		rc = make_folder(folder, FOLDER_MODE, group, &s->has_made_folder);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the folder of the control socket %s cannot be made (%s); make "
				    "it yourself, or choose another place with --socket",
				    path, strerror(-rc));
	return 0;
}

/* Remove a socket file that nobody listens at. */
static int remove_stale(const struct sockaddr_un *address, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	struct stat st;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (lstat(address->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return jn_error_set(err, -EEXIST, JN_ERROR_UNAVAILABLE,
				    "%s is in the way and is no socket; remove it, or choose "
				    "another place with --socket",
				    address->sun_path);
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    errno != ECONNREFUSED)
		return jn_error_set(err, -EADDRINUSE, JN_ERROR_UNAVAILABLE,
				    "another process listens at %s; stop it, or choose another "
				    "place with --socket",
				    address->sun_path);
	return unlink(address->sun_path) && errno != ENOENT ? -errno : 0;
}

/* Bind with a mode that lets nobody in yet. */
static int bind_closed(int fd, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;

	umask(before);
	return rc;
}

static int open_to(const struct jn_http_server *s, gid_t group)
{
	if (group == (gid_t)-1)
		return 0;
	if (chown(s->path, (uid_t)-1, group) || chmod(s->path, 0660))
		return -errno;
	return 0;
}

static int listen_at(struct jn_http_server *s, const struct sockaddr_un *address, gid_t group,
		     struct jn_error *err)
{
	struct stat st;
	int rc;

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -errno;
	rc = bind_closed(s->fd, address);
	if (rc == -EADDRINUSE) {
		rc = remove_stale(address, err);
		if (!rc)
			rc = bind_closed(s->fd, address);
	}
	if (rc)
		return rc;
	if (lstat(s->path, &st))
		return -errno;
	s->device = st.st_dev;
	s->inode = st.st_ino;
	if (listen(s->fd, BACKLOG))
		return -errno;
	return open_to(s, group);
}

static bool is_ours(const struct jn_http_server *s)
{
	struct stat st;

	return s->inode && !lstat(s->path, &st) && st.st_dev == s->device && st.st_ino == s->inode;
}

static int set_group_of_folder(const struct jn_http_server *s, gid_t group)
{
	JN_AUTO(jn_free_mem) char *folder = strdup(s->path);
	char *last = folder ? strrchr(folder, '/') : NULL;

	if (!s->has_made_folder || !last || last == folder)
		return folder ? 0 : -ENOMEM;
	*last = '\0';
	return chown(folder, (uid_t)-1, group) ? -errno : 0;
}

int jn_http_server_set_group(struct jn_http_server *s, int64_t gid)
{
	gid_t group = gid < 0 ? getegid() : (gid_t)gid;
	int rc;

	if (!is_ours(s))
		return -ENOENT;
	if (gid < 0 && chmod(s->path, 0600))
		return -errno;
	rc = set_group_of_folder(s, group);
	if (!rc && chown(s->path, (uid_t)-1, group))
		rc = -errno;
	return rc || gid < 0 ? rc : open_to(s, group);
}

int jn_http_listen(struct jn_http_server *s, const char *group, struct jn_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct group *entry = group ? getgrnam(group) : NULL;
	gid_t gid = entry ? entry->gr_gid : (gid_t)-1;
	size_t size = strlen(s->path);
	int rc;

	if (!size || size >= sizeof(address.sun_path))
		return jn_error_set(err, -ENAMETOOLONG, JN_ERROR_INVALID,
				    "the path of the control socket has %zu bytes; give one of 1 "
				    "to %zu with --socket",
				    size, sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, s->path, size);
	rc = make_folder_of(s, gid, err);
	if (!rc)
		rc = listen_at(s, &address, gid, err);
	if (rc) {
		jn_http_unlisten(s);
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the control socket %s cannot be opened (%s); check the "
				    "folder, or choose another place with --socket",
				    s->path, strerror(-rc));
	}
	return 0;
}

void jn_http_unlisten(struct jn_http_server *s)
{
	jn_close_fd(&s->fd);
	if (is_ours(s))
		(void)unlink(s->path); /* a stale file hurts nobody: the next start removes it */
	s->inode = 0;
}
