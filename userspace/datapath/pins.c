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

/* The next table that is pinned; libbpf's own (.rodata and the like) are made anew each time. */
static struct bpf_map *next_table(const struct bpf_object *object, struct bpf_map *map)
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

/* max_entries, too: the mapped tables are read to their end. */
static int compare_table(const char *path, const struct bpf_map *map, int fd, struct jn_error *err)
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
	if (info.max_entries != bpf_map__max_entries(map))
		return refuse_table(path, "number of entries", info.max_entries,
				    bpf_map__max_entries(map), err);
	return 0;
}

static int adopt_table(const char *path, struct bpf_map *map, bool *is_pinned, struct jn_error *err)
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
	rc = compare_table(path, map, fd, err);
	if (!rc)
		rc = bpf_map__reuse_fd(map, fd);
	*is_pinned = !rc;
	return rc;
}

int jn_pins_adopt(struct bpf_object *object, const char *folder, uint64_t *fresh, bool *is_adopted,
		  struct jn_error *err)
{
	uint64_t bit = 1;

	*fresh = 0;
	*is_adopted = false;
	for (struct bpf_map *map = next_table(object, NULL); map;
	     map = next_table(object, map), bit <<= 1) {
		JN_AUTO(jn_free_mem) char *path = NULL;
		bool is_pinned;
		int rc = name_pin(folder, map, &path);

		assert(bit);
		if (!rc)
			rc = adopt_table(path, map, &is_pinned, err);
		if (rc)
			return rc;
		if (is_pinned)
			*is_adopted = true;
		else
			*fresh |= bit;
	}
	return 0;
}

static void unpin_tables(const struct bpf_object *object, const char *folder, uint64_t made)
{
	for (struct bpf_map *map = next_table(object, NULL); made;
	     map = next_table(object, map), made >>= 1) {
		JN_AUTO(jn_free_mem) char *path = NULL;

		if (made & 1 && !name_pin(folder, map, &path))
			(void)unlink(path); /* best effort: the next start adopts what stays */
	}
}

int jn_pins_complete(struct bpf_object *object, const char *folder, uint64_t fresh,
		     struct jn_error *err)
{
	uint64_t bit = 1, made = 0;

	for (struct bpf_map *map = next_table(object, NULL); map;
	     map = next_table(object, map), bit <<= 1) {
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
