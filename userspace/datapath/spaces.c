/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network namespaces by their inode: found through what holds them, entered by a thread that ends
 * afterwards, so that no other work of this process is ever done in a foreign one. What holds one:
 * a process, a mount (/run/netns), an open file; looked through in this order, until all are found.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "datapath/internal.h"
#include "datapath/sockets.h"

#define OWN_SPACE "/proc/thread-self/ns/net"

struct visit {
	const uint32_t *inodes;
	size_t count, left;
	dev_t device; /* of the file system of namespaces */
	bool *is_visited;
	void (*fn)(void *arg, uint32_t inode);
	void *arg;
};

/* The one of the wanted ones that is still to be visited; NULL: none of them. */
static bool *place_of(const struct visit *v, uint64_t inode)
{
	for (size_t i = 0; i < v->count; i++) {
		if (v->inodes[i] == inode)
			return v->is_visited[i] ? NULL : &v->is_visited[i];
	}
	return NULL;
}

static void visit(struct visit *v, bool *place)
{
	*place = true;
	v->left--;
	v->fn(v->arg, v->inodes[place - v->is_visited]);
}

/* Without asking a server on the network, should the file be on one. */
static bool is_wanted(const struct visit *v, const char *path)
{
	struct statx file;

	return statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, STATX_INO, &file) == 0 &&
	       makedev(file.stx_dev_major, file.stx_dev_minor) == v->device &&
	       place_of(v, file.stx_ino);
}

/* A file that may be one of the namespaces; what cannot be opened or entered is left. */
static void try_path(struct visit *v, const char *path)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	struct stat file;
	bool *place;

	if (!is_wanted(v, path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &file) != 0 || file.st_dev != v->device)
		return;
	place = place_of(v, file.st_ino); /* the path may lead elsewhere by now */
	if (place && setns(fd, CLONE_NEWNET) == 0)
		visit(v, place);
}

static int try_mount(void *arg, const struct jn_mount *mount)
{
	struct visit *v = arg;
	uint64_t inode;

	if (!strcmp(mount->type, "nsfs") && sscanf(mount->root, "net:[%lu]", &inode) == 1 &&
	    place_of(v, inode))
		try_path(v, mount->point);
	return !v->left;
}

/* --- processes --------------------------------------------------------------------------------- */

typedef void (*entry_fn)(struct visit *v, const char *folder, const char *name);

/* Each number in a folder of /proc: a process, or an open file of one. */
static void each_number(struct visit *v, const char *folder, entry_fn fn)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && v->left && (entry = readdir(dir))) {
		if (isdigit((unsigned char)entry->d_name[0]))
			fn(v, folder, entry->d_name);
	}
	if (dir)
		(void)closedir(dir); /* only read */
}

static void try_process(struct visit *v, const char *folder, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/%.20s/ns/net", folder, name);
	try_path(v, path);
}

/* The name says what most files are not; one opened by the path of a mount has that path. */
static void try_file(struct visit *v, const char *folder, const char *name)
{
	char path[64], target[16] = "";

	(void)snprintf(path, sizeof(path), "%.40s/%.20s", folder, name);
	if (readlink(path, target, sizeof(target) - 1) <= 0 || !strncmp(target, "socket:", 7) ||
	    !strncmp(target, "pipe:", 5) || !strncmp(target, "anon_inode:", 11))
		return;
	try_path(v, path);
}

static void try_files(struct visit *v, const char *folder, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/%.20s/fd", folder, name);
	each_number(v, path, try_file);
}

/* --- the thread -------------------------------------------------------------------------------- */

static void *run(void *arg)
{
	struct visit *v = arg;
	struct stat file;
	bool *place;

	if (stat(OWN_SPACE, &file) != 0)
		return NULL; /* without /proc none is found */
	v->device = file.st_dev;
	place = place_of(v, file.st_ino);
	if (place)
		visit(v, place);
	each_number(v, "/proc", try_process);
	if (v->left)
		(void)jn_mounts_each(try_mount, v); /* without it, files may hold them as well */
	each_number(v, "/proc", try_files);
	return NULL;
}

int jn_spaces_visit(const uint32_t *inodes, size_t count, void (*fn)(void *arg, uint32_t inode),
		    void *arg)
{
	JN_AUTO(jn_free_mem) bool *is_visited = calloc(count, sizeof(*is_visited));
	struct visit v = { .inodes = inodes,
			   .count = count,
			   .left = count,
			   .is_visited = is_visited,
			   .fn = fn,
			   .arg = arg };
	pthread_t thread;
	int rc;

	if (!count)
		return 0;
	if (!is_visited)
		return -ENOMEM;
	rc = pthread_create(&thread, NULL, run, &v);
	if (rc)
		return -rc;
	(void)pthread_join(thread, NULL); /* cannot fail for a thread of ours */
	return 0;
}
