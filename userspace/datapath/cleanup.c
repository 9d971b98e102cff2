/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taking junctor out of the kernel: links, tables, their folder, a bpffs of ours. What is ours has
 * a name that begins with jn_ and lies in a folder that is ours alone; everything else stays, and is
 * named. It needs no programs and does NOT touch what was declared.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "base/buffer.h"
#include "base/vec.h"
#include "datapath/internal.h"

struct cleanup {
	char *folder;
	struct {
		uint32_t *items;
		size_t count, capacity;
	} maps;			  /* ids of our tables, by which programs of ours are known */
	struct jn_buffer foreign; /* names, ", " between them */
	unsigned removed;
	struct jn_error *err;
};

static void cleanup_done(struct cleanup *c)
{
	free(c->folder);
	free(c->maps.items);
	jn_buffer_done(&c->foreign);
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static bool is_ours(const char *name)
{
	return !strncmp(name, JN_PIN_PREFIX, strlen(JN_PIN_PREFIX));
}

/* --- pins -------------------------------------------------------------------------------------- */

typedef int (*pin_fn)(struct cleanup *c, const char *name, const char *path);

static int each_pin(struct cleanup *c, pin_fn fn, struct jn_error *err)
{
	DIR *dir = opendir(c->folder);
	const struct dirent *entry;
	int rc = dir ? 0 : -errno;

	while (dir && !rc && (entry = readdir(dir))) {
		JN_AUTO(jn_free_mem) char *path = NULL;

		if (is_dots(entry->d_name))
			continue;
		if (asprintf(&path, "%s/%s", c->folder, entry->d_name) < 0)
			rc = -ENOMEM;
		else
			rc = fn(c, entry->d_name, path);
		if (rc)
			(void)jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
					   "%s/%s cannot be removed (%s); run junctor cleanup as "
					   "root",
					   c->folder, entry->d_name, strerror(-rc));
	}
	if (dir)
		(void)closedir(dir); /* only read */
	return rc;
}

/*
 * Detached here and now: the kernel lets go of an unpinned link a while later, or not at all when
 * somebody else holds it.
 */
static int remove_link(struct cleanup *c, const char *name, const char *path)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	enum jn_pin_kind kind = JN_PIN_OTHER;
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info), *map;
	int rc;

	if (!is_ours(name))
		return 0;
	rc = jn_pin_open(path, &kind);
	if (rc < 0)
		return rc;
	fd = rc;
	if (kind == JN_PIN_LINK) {
		rc = bpf_link_detach(fd);
		if (!rc && unlink(path) != 0)
			rc = -errno;
		c->removed += !rc;
		return rc;
	}
	if (kind != JN_PIN_MAP)
		return 0;
	rc = bpf_obj_get_info_by_fd(fd, &info, &size);
	map = rc ? NULL : jn_vec_add(&c->maps);
	if (!map)
		return rc ? rc : -ENOMEM;
	*map = info.id;
	return 0;
}

static int remove_rest(struct cleanup *c, const char *name, const char *path)
{
	if (!is_ours(name)) {
		jn_buffer_printf(&c->foreign, "%s%s", c->foreign.size ? ", " : "", name);
		return 0;
	}
	if (unlink(path) != 0)
		return -errno;
	c->removed++;
	return 0;
}

/* Links first: a hook never runs over tables that are half gone. */
static int remove_pins(struct cleanup *c, struct jn_error *err)
{
	int rc = jn_pins_check_folder(c->folder, err);

	if (rc == -ENOENT)
		return 0;
	if (!rc)
		rc = each_pin(c, remove_link, err);
	if (!rc)
		rc = each_pin(c, remove_rest, err);
	if (rc || c->foreign.size || c->foreign.failed)
		return rc;
	if (rmdir(c->folder) != 0)
		return jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
				    "the folder %s cannot be removed (%s); remove it as root",
				    c->folder, strerror(errno));
	return 0;
}

/* --- what is still attached -------------------------------------------------------------------- */

static bool is_program_ours(const struct cleanup *c, uint32_t id)
{
	JN_AUTO(jn_close_fd) int fd = bpf_prog_get_fd_by_id(id);
	struct jn_program program;

	if (fd < 0 || jn_program_ask(fd, &program) || !is_ours(program.info.name))
		return false;
	for (size_t i = 0; i < c->maps.count; i++) {
		if (jn_program_uses(&program, c->maps.items[i]))
			return true;
	}
	return false;
}

/* A link without a pin of ours: somebody pinned it elsewhere, or holds it. */
static int detach_stray(const struct cleanup *c, uint32_t id, uint64_t cgroup)
{
	JN_AUTO(jn_close_fd) int fd = bpf_link_get_fd_by_id(id);
	struct bpf_link_info info;

	if (fd < 0)
		return fd == -ENOENT ? 0 : fd; /* gone meanwhile, or on its way */
	if (jn_link_ask(fd, &info) || info.type != BPF_LINK_TYPE_CGROUP ||
	    info.cgroup.cgroup_id != cgroup || !is_program_ours(c, info.prog_id))
		return 0;
	return bpf_link_detach(fd);
}

static int detach_strays(const struct cleanup *c, const char *cgroup, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	uint64_t cgroup_id;
	uint32_t id = 0;
	int rc = jn_cgroup_open(cgroup, &fd, &cgroup_id, err);

	if (rc)
		return rc;
	while (!rc) {
		rc = bpf_link_get_next_id(id, &id);
		if (!rc)
			rc = detach_stray(c, id, cgroup_id);
		else if (rc == -ENOENT)
			return 0;
	}
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "it cannot be made sure that nothing of junctor is attached at %s "
			    "(%s); run junctor cleanup as root, and see bpftool link",
			    cgroup, strerror(-rc));
}

/* --- the bpffs --------------------------------------------------------------------------------- */

struct mount_search {
	dev_t device;
	char *point;
};

static int look_for_mount(void *arg, const struct jn_mount *mount)
{
	struct mount_search *search = arg;

	if (makedev(mount->major, mount->minor) != search->device ||
	    strcmp(mount->type, "bpf") != 0 || strcmp(mount->source, JN_BPFFS_SOURCE) != 0)
		return 0;
	search->point = strdup(mount->point);
	return search->point ? 1 : -ENOMEM;
}

/* The kernel puts two files of its own into a bpffs, which go with it. */
static bool is_unused(const char *point)
{
	DIR *dir = opendir(point);
	const struct dirent *entry;
	bool is_unused = true;

	while (dir && is_unused && (entry = readdir(dir)))
		is_unused = is_dots(entry->d_name) || !strcmp(entry->d_name, "maps.debug") ||
			    !strcmp(entry->d_name, "progs.debug");
	if (dir)
		(void)closedir(dir); /* only read */
	return dir && is_unused;
}

/* Folders from pin_dir up that are empty; ends at the first that is not, at the latest its mount. */
static void remove_folders(const char *pin_dir, dev_t device)
{
	char path[PATH_MAX];
	struct stat info;

	if (!realpath(pin_dir, path))
		return;
	while (strlen(path) > 1 && !stat(path, &info) && info.st_dev == device && rmdir(path) == 0)
		*strrchr(path, '/') = 0;
}

/*
 * Only one that we mounted and that nobody else has pins in. Detached, not merely unmounted: our
 * caller's lock is a file on it.
 */
static int unmount(const char *pin_dir, struct jn_error *err)
{
	struct mount_search search = { 0 };
	struct stat info;
	int rc = 0;

	if (stat(pin_dir, &info) != 0)
		return 0; /* no folder, no mount of ours */
	search.device = info.st_dev;
	rc = jn_mounts_each(look_for_mount, &search);
	if (rc <= 0)
		return rc;
	remove_folders(pin_dir, info.st_dev);
	rc = 0;
	if (is_unused(search.point) && umount2(search.point, MNT_DETACH | UMOUNT_NOFOLLOW) != 0)
		rc = jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
				  "the bpf file system at %s cannot be unmounted (%s); unmount it "
				  "as root (umount %s)",
				  search.point, strerror(errno), search.point);
	free(search.point);
	return rc;
}

int jn_pins_remove(const char *folder, struct jn_error *err)
{
	JN_AUTO(cleanup_done) struct cleanup c = { .folder = strdup(folder) };

	return c.folder ? remove_pins(&c, err) : -ENOMEM;
}

static int remove_version(void *arg, const char *folder)
{
	struct cleanup *c = arg;
	struct jn_error *err = c->err;

	free(c->folder);
	c->folder = strdup(folder);
	return c->folder ? remove_pins(c, err) : -ENOMEM;
}

int jn_datapath_cleanup(const char *pin_dir, const char *cgroup, unsigned *removed,
			struct jn_error *err)
{
	JN_AUTO(cleanup_done) struct cleanup c = { .err = err };
	int rc = jn_versions_each(pin_dir, remove_version, &c);

	if (!rc && !c.folder)
		rc = jn_pins_name_folder(pin_dir, &c.folder);
	if (!rc && cgroup && c.maps.count)
		rc = detach_strays(&c, cgroup, err);
	if (!rc && !c.foreign.size)
		rc = unmount(pin_dir, err);
	if (!rc && (c.foreign.size || c.foreign.failed))
		rc = jn_error_set(err, -ENOTEMPTY, JN_ERROR_CONFLICT,
				  "%u links and tables were removed from %s; what is not junctor's "
				  "was left there: %s; remove it, and then the folder",
				  c.removed, c.folder, jn_buffer_text(&c.foreign));
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "%s cannot be cleaned (%s); free some memory and run junctor "
				    "cleanup again",
				    pin_dir, strerror(-rc));
	*removed = c.removed;
	return 0;
}
