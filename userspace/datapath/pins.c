/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The folder v<ABI> and the tables pinned in it, each under its own name. A start that dies halfway
 * leaves some of them: the next one adopts those and makes the rest. It does NOT read a table.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

int jn_pin_open(const char *path, enum jn_pin_kind *kind)
{
	char fd_path[32], target[32] = "";
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return fd;
	(void)snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", fd);
	if (readlink(fd_path, target, sizeof(target) - 1) < 0)
		target[0] = 0;
	*kind = JN_PIN_OTHER;
	if (!strcmp(target, "anon_inode:bpf-map"))
		*kind = JN_PIN_MAP;
	else if (!strcmp(target, "anon_inode:bpf-link"))
		*kind = JN_PIN_LINK;
	return fd;
}

int jn_pin_open_table(const char *folder, const char *name, size_t entry, uint32_t *entries)
{
	JN_AUTO(jn_free_mem) char *path = NULL;
	JN_AUTO(jn_close_fd) int fd = -1;
	enum jn_pin_kind kind = JN_PIN_OTHER;
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	fd = jn_pin_open(path, &kind);
	if (fd < 0)
		return jn_move_fd(&fd);
	if (kind != JN_PIN_MAP || bpf_obj_get_info_by_fd(fd, &info, &size) ||
	    info.value_size != entry)
		return -EINVAL;
	*entries = info.max_entries;
	return jn_move_fd(&fd);
}

/* --- the folder -------------------------------------------------------------------------------- */

int jn_pins_name_folder(const char *pin_dir, char **out)
{
	char *folder;

	if (asprintf(&folder, "%s/v%d", pin_dir, JN_ABI_VERSION) < 0)
		return -ENOMEM;
	*out = folder;
	return 0;
}

int jn_pins_check_folder(const char *folder, struct jn_error *err)
{
	struct stat info;

	if (lstat(folder, &info) != 0) {
		if (errno == ENOENT)
			return -ENOENT;
		return jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
				    "the pin folder %s cannot be looked at (%s); run junctor as "
				    "root",
				    folder, strerror(errno));
	}
	if (S_ISDIR(info.st_mode) && info.st_uid == geteuid() && (info.st_mode & 07777) == 0700)
		return 0;
	return jn_error_set(err, -EPERM, JN_ERROR_FORBIDDEN,
			    "the pin folder %s is not ours alone (%s, uid %u, mode %04o, where a "
			    "folder of uid %u with mode 0700 should be); remove it, or choose "
			    "another --pin-dir",
			    folder, S_ISDIR(info.st_mode) ? "a folder" : "no folder", info.st_uid,
			    info.st_mode & 07777, geteuid());
}

/* --- tables ------------------------------------------------------------------------------------ */

struct bpf_map *jn_next_table(const struct bpf_object *object, struct bpf_map *map)
{
	do
		map = bpf_object__next_map(object, map);
	while (map && bpf_map__is_internal(map));
	return map;
}

static int name_pin(const char *folder, const struct bpf_map *map, char **out)
{
	return asprintf(out, "%s/%s", folder, bpf_map__name(map)) < 0 ? -ENOMEM : 0;
}

static int refuse_table(const char *path, const char *what, uint32_t found, uint32_t wanted,
			struct jn_error *err)
{
	return jn_error_set(err, -EINVAL, JN_ERROR_UNAVAILABLE,
			    "the pinned table %s is of another build: its %s is %u, not %u; "
			    "nothing was read from it: run junctor cleanup and start junctord "
			    "again",
			    path, what, found, wanted);
}

/* One that grows may have any size from its first one on; of any other it is known. */
static int compare_entries(const char *path, const struct bpf_map *map, uint32_t found,
			   struct jn_sizes *sizes, struct jn_error *err)
{
	uint32_t *size = jn_size_of(sizes, bpf_map__name(map));

	if (!size && found != bpf_map__max_entries(map))
		return refuse_table(path, "number of entries", found, bpf_map__max_entries(map),
				    err);
	if (size && found < bpf_map__max_entries(map))
		return refuse_table(path, "number of entries", found, bpf_map__max_entries(map),
				    err);
	/* Two tables that go together may differ, where a start died while they grew. */
	if (size && found < *size)
		*size = found;
	return 0;
}

static int compare_table(const char *path, const struct bpf_map *map, int fd,
			 struct jn_sizes *sizes, struct jn_error *err)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	int rc = bpf_obj_get_info_by_fd(fd, &info, &size);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the pinned table %s cannot be asked what it is (%s); run "
				    "junctor as root",
				    path, strerror(-rc));
	if (info.type != bpf_map__type(map))
		return refuse_table(path, "type", info.type, bpf_map__type(map), err);
	if (info.key_size != bpf_map__key_size(map))
		return refuse_table(path, "key size", info.key_size, bpf_map__key_size(map), err);
	if (info.value_size != bpf_map__value_size(map))
		return refuse_table(path, "value size", info.value_size, bpf_map__value_size(map),
				    err);
	if (info.map_flags != bpf_map__map_flags(map))
		return refuse_table(path, "flag word", info.map_flags, bpf_map__map_flags(map),
				    err);
	return compare_entries(path, map, info.max_entries, sizes, err);
}

static int adopt_table(const char *path, struct bpf_map *map, bool *is_pinned,
		       struct jn_sizes *sizes, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	enum jn_pin_kind kind = JN_PIN_OTHER;
	int rc;

	*is_pinned = false;
	rc = jn_pin_open(path, &kind);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the pinned table %s cannot be opened (%s); run junctor "
				    "cleanup and start junctord again",
				    path, strerror(-rc));
	fd = rc;
	if (kind != JN_PIN_MAP)
		return jn_error_set(err, -EINVAL, JN_ERROR_UNAVAILABLE,
				    "%s is no table, though it has a table's name; run junctor "
				    "cleanup and start junctord again",
				    path);
	rc = compare_table(path, map, fd, sizes, err);
	if (!rc)
		rc = bpf_map__reuse_fd(map, fd);
	*is_pinned = !rc;
	return rc;
}

/* A start that died while tables grew left their successors; the old ones are as good. */
static void unpin_successor(const char *folder, const struct bpf_map *map)
{
	JN_AUTO(jn_free_mem) char *path = NULL;

	if (asprintf(&path, "%s/%s" JN_NEW_SUFFIX, folder, bpf_map__name(map)) >= 0)
		(void)unlink(path); /* hardly ever is there one */
}

/* Tables that are made anew are as large as those that they go together with. */
static int size_fresh(struct bpf_object *object, uint64_t fresh, struct jn_sizes *sizes)
{
	int rc = 0;

	for (struct bpf_map *map = jn_next_table(object, NULL); map && !rc;
	     map = jn_next_table(object, map), fresh >>= 1) {
		uint32_t *size = jn_size_of(sizes, bpf_map__name(map));

		if (!size)
			continue;
		if (*size == UINT32_MAX)
			*size = bpf_map__max_entries(map);
		if (fresh & 1)
			rc = bpf_map__set_max_entries(map, *size);
	}
	return rc;
}

int jn_pins_adopt(struct bpf_object *object, const char *folder, struct jn_adoption *out,
		  struct jn_error *err)
{
	uint64_t bit = 1;

	*out = (struct jn_adoption){ 0 };
	memset(&out->sizes, 0xff, sizeof(out->sizes));
	for (struct bpf_map *map = jn_next_table(object, NULL); map;
	     map = jn_next_table(object, map), bit <<= 1) {
		JN_AUTO(jn_free_mem) char *path = NULL;
		bool is_pinned;
		int rc = name_pin(folder, map, &path);

		assert(bit);
		unpin_successor(folder, map);
		if (!rc)
			rc = adopt_table(path, map, &is_pinned, &out->sizes, err);
		if (rc)
			return rc;
		if (is_pinned)
			out->is_adopted = true;
		else
			out->fresh |= bit;
	}
	return size_fresh(object, out->fresh, &out->sizes);
}

static void unpin_tables(const struct bpf_object *object, const char *folder, uint64_t made)
{
	for (struct bpf_map *map = jn_next_table(object, NULL); made;
	     map = jn_next_table(object, map), made >>= 1) {
		JN_AUTO(jn_free_mem) char *path = NULL;

		if (made & 1 && !name_pin(folder, map, &path))
			(void)unlink(path); /* best effort: the next start adopts what stays */
	}
}

int jn_pins_complete(struct bpf_object *object, const char *folder, uint64_t fresh,
		     struct jn_error *err)
{
	uint64_t bit = 1, made = 0;

	for (struct bpf_map *map = jn_next_table(object, NULL); map;
	     map = jn_next_table(object, map), bit <<= 1) {
		JN_AUTO(jn_free_mem) char *path = NULL;
		int rc;

		if (!(fresh & bit))
			continue;
		rc = name_pin(folder, map, &path);
		if (!rc)
			rc = bpf_obj_pin(bpf_map__fd(map), path);
		if (rc) {
			unpin_tables(object, folder, made);
			return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
					    "table %s cannot be pinned below %s (%s); free some "
					    "memory, or choose another --pin-dir",
					    bpf_map__name(map), folder, strerror(-rc));
		}
		made |= bit;
	}
	return 0;
}
