/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One look at the folder, on a worker thread: names, what tells a change, and the content of what
 * changed; or at one file of it, where just that is known to have changed. Only what is complete is
 * read: a file that somebody has open for writing is left alone (the kernel says so by refusing a
 * lease). It does NOT know what was applied, or what for.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/table.h"
#include "base/vec.h"
#include "source/internal.h"

#define OLD_NS 2000000000 /* file systems keep times in ticks of up to two seconds */

static void found_done(struct jn_found *found)
{
	free(found->name);
	free(found->error);
	jn_content_done(&found->content);
}

void jn_look_done(struct jn_look *look)
{
	for (size_t i = 0; i < look->known.count; i++)
		found_done(&look->known.items[i]);
	for (size_t i = 0; i < look->found.count; i++)
		found_done(&look->found.items[i]);
	free(look->known.items);
	free(look->found.items);
	free(look->error);
	free(look->to_watch);
	free(look->only);
	*look = (struct jn_look){ 0 };
}

/* --- one file ---------------------------------------------------------------------------------- */

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static struct jn_signature signature_of(const struct stat *info)
{
	struct jn_signature s = {
		.device = info->st_dev,
		.inode = info->st_ino,
		.size = (uint64_t)info->st_size,
		.written_ns = ns_of(&info->st_mtim),
		.changed_ns = ns_of(&info->st_ctim),
	};
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
	s.is_old = ns_of(&now) - s.written_ns > OLD_NS && ns_of(&now) - s.changed_ns > OLD_NS;
	return s;
}

/* Can it be nothing else than what was read? */
static bool is_same(const struct jn_signature *known, const struct jn_signature *now)
{
	return known->is_old && known->device == now->device && known->inode == now->inode &&
	       known->size == now->size && known->written_ns == now->written_ns &&
	       known->changed_ns == now->changed_ns;
}

static void bad(struct jn_found *f, const char *what)
{
	f->as = JN_FOUND_BAD;
	f->error = strdup(what);
}

static void bad_errno(struct jn_found *f, int error)
{
	char what[160];

	(void)snprintf(what, sizeof(what),
		       "cannot be read (%s); make it a file that junctord may read, or remove it",
		       strerror(error));
	bad(f, what);
}

/*
 * Nobody begins to write while we hold a lease, and we get none while somebody writes. Where the
 * file system has no leases, or the file is not ours, only the quiet before the look protects.
 */
static bool is_written_to(int fd)
{
	return fcntl(fd, F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
}

static void take_content(struct jn_found *f, const struct jn_found *known, struct jn_buffer *bytes)
{
	const char *text = jn_buffer_text(bytes);
	int rc;

	f->signature.hash = jn_hash_bytes(text, bytes->size);
	if (known && known->signature.hash == f->signature.hash &&
	    known->signature.size == f->signature.size) {
		f->as = JN_FOUND_SAME;
		return;
	}
	rc = jn_content_read(f->name, text, bytes->size, &f->content, &f->error);
	f->as = rc ? JN_FOUND_BAD : JN_FOUND_NEW;
}

static void read_open(struct jn_look *look, struct jn_found *f, const struct jn_found *known,
		      int fd)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer bytes = { 0 };
	struct stat info;
	int rc;

	if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
		bad(f, "is not a file; make it one, or remove it");
		return;
	}
	if (is_written_to(fd)) {
		f->as = JN_FOUND_BUSY;
		return;
	}
	rc = fstat(fd, &info) == 0 ? jn_buffer_read(&bytes, fd, JN_MAX_FILE_BYTES) : -errno;
	(void)fcntl(fd, F_SETLEASE, F_UNLCK); /* closing it would do the same */
	f->signature = signature_of(&info);
	f->signature.size = bytes.size;
	look->bytes += bytes.size;
	if (rc == -EFBIG)
		bad(f, "is larger than the limit of 16 MiB; split it into several files");
	else if (rc)
		bad_errno(f, -rc);
	else if (look->bytes > JN_MAX_FILES_BYTES)
		bad(f, "is too much: more than 256 MiB of files changed at once; make them fewer");
	else
		take_content(f, known, &bytes);
}

/* False: it is gone. */
static bool look_at(struct jn_look *look, int folder, struct jn_found *f,
		    const struct jn_found *known)
{
	struct stat info;
	int fd;

	if (fstatat(folder, f->name, &info, 0) == 0) {
		f->signature = signature_of(&info);
		if (known && is_same(&known->signature, &f->signature)) {
			f->as = JN_FOUND_SAME;
			f->signature = known->signature;
			return true;
		}
	}
	fd = openat(folder, f->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 && errno == ENOENT && fstatat(folder, f->name, &info, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (fd < 0 && errno == ENOENT)
		bad(f, "is a link that leads nowhere; correct it, or remove it");
	else if (fd < 0)
		bad_errno(f, errno);
	if (fd < 0)
		return true;
	read_open(look, f, known, fd);
	(void)close(fd);
	return true;
}

/* --- the folder -------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct jn_found *left = a, *right = b;

	return strcmp(left->name, right->name);
}

static bool is_plain_name(const char *name)
{
	for (; *name; name++) {
		if (*name <= ' ' || *name > '~')
			return false;
	}
	return true;
}

static int add_name(struct jn_look *look, const char *name)
{
	struct jn_found *f;

	if (look->found.count == JN_MAX_FILES)
		return -E2BIG;
	f = jn_vec_add(&look->found);
	if (!f)
		return -ENOMEM;
	f->name = strdup(name);
	return f->name ? 0 : -ENOMEM;
}

/* The names in it, as found items that nobody has looked at. */
static int list_names(struct jn_look *look, int folder)
{
	int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	int rc = 0;

	if (!dir) {
		rc = -errno;
		jn_close_fd(&copy);
		return rc;
	}
	while (!rc) {
		errno = 0;
		entry = readdir(dir);
		if (!entry) {
			rc = -errno;
			break;
		}
		if (jn_content_has_name(entry->d_name))
			rc = add_name(look, entry->d_name);
	}
	(void)closedir(dir); /* opened for reading */
	return rc;
}

static void look_at_all(struct jn_look *look, int folder)
{
	size_t kept = 0, known = 0;

	if (look->found.count) /* else there are no items, and qsort takes no NULL */
		qsort(look->found.items, look->found.count, sizeof(*look->found.items), by_name);
	for (size_t i = 0; i < look->found.count; i++) {
		struct jn_found *f = &look->found.items[i];
		const struct jn_found *before;

		while (known < look->known.count && by_name(&look->known.items[known], f) < 0)
			known++;
		before = known < look->known.count && !by_name(&look->known.items[known], f)
				 ? &look->known.items[known]
				 : NULL;
		if (!is_plain_name(f->name)) {
			bad(f, "has a name of other characters than printable ASCII; rename it");
		} else if (!look_at(look, folder, f, before)) {
			found_done(f);
			continue;
		}
		look->found.items[kept++] = *f;
	}
	look->found.count = kept;
}

/* What to watch while the folder is not there: the nearest folder above it that is. */
static void find_above(struct jn_look *look)
{
	JN_AUTO(jn_free_mem) char *path = strdup(look->folder);
	struct stat info;

	while (path) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return; /* a relative path: looked at from time to time */
		slash[slash == path] = '\0';
		if (stat(path, &info) == 0 || slash == path)
			break;
	}
	if (!path || stat(path, &info) != 0)
		return;
	look->to_watch = JN_MOVE(path);
	look->device = info.st_dev;
	look->inode = info.st_ino;
}

static int run(struct jn_look *look)
{
	JN_AUTO(jn_close_fd)
	int folder = open(look->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat info;
	int rc;

	if (folder < 0 || fstat(folder, &info) != 0)
		return -errno;
	look->to_watch = strdup(look->folder);
	look->device = info.st_dev;
	look->inode = info.st_ino;
	if (!look->to_watch)
		return -ENOMEM;
	rc = look->only ? add_name(look, look->only) : list_names(look, folder);
	/* What is left when the file system that held the files was unmounted. */
	if (!rc && !look->found.count && look->known.count && look->files_device &&
	    look->files_device != look->device)
		rc = -ENODEV;
	if (!rc)
		look_at_all(look, folder);
	return rc;
}

void jn_look_run(struct jn_look *look)
{
	int size;

	look->rc = run(look);
	if (!look->rc)
		return;
	if (!look->to_watch)
		find_above(look);
	if (look->rc == -E2BIG)
		size = asprintf(&look->error,
				"%s holds more than the limit of %d files; what was read before "
				"stays: join some of them, several documents in one",
				look->folder, JN_MAX_FILES);
	else if (look->rc == -ENODEV)
		size = asprintf(&look->error,
				"%s is empty and on another file system than its files were; what "
				"was read before stays: mount it again, or put a file there",
				look->folder);
	else
		size = asprintf(&look->error,
				"%s cannot be read (%s); what was read before stays: make it a "
				"folder that junctord may read, or choose another with "
				"--services-dir",
				look->folder, strerror(-look->rc));
	if (size < 0)
		look->error = NULL;
}
