/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What userspace/datapath takes out of the kernel again, and what it asks of the machine. Root.
 */
#include "datapath_bed.h"

#include <bpf/libbpf.h>

#include <junctor.skel.h>

/* --- cleanup ----------------------------------------------------------------------------------- */

static void test_cleanup_takes_ours_and_names_the_rest(void **state)
{
	struct bed *bed = *state;
	unsigned removed = 99;

	bed_open(bed);
	attach(bed);
	assert_int_equal(bpf_obj_pin(bed->dp->names, bed_pin(bed, "guest")), 0);
	jn_datapath_close(&bed->dp);
	assert_int_equal(jn_datapath_cleanup(bed->pins, bed->cgroup, &removed, &bed->err),
			 -ENOTEMPTY);
	assert_says(bed, "guest");
	assert_int_equal(removed, 99);
	assert_int_equal(count_attached(bed->cgroup), 0);
	assert_int_equal(count_entries(bed->version, ""), 1);
	assert_int_equal(unlink(bed_pin(bed, "guest")), 0);
	jn_error_done(&bed->err);
	assert_int_equal(jn_datapath_cleanup(bed->pins, bed->cgroup, &removed, &bed->err), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(count_entries(bed->version, ""), -1);
}

/* Links that somebody else holds, too, or pinned elsewhere: detached all the same. */
static void test_cleanup_leaves_nothing_attached(void **state)
{
	struct bed *bed = *state;
	struct junctor_bpf *neighbour = junctor_bpf__open_and_load();
	unsigned removed = 0;
	int held, theirs, cgroup = open(bed->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_non_null(neighbour);
	theirs = bpf_link_create(bpf_program__fd(neighbour->progs.jn_connect4), cgroup,
				 BPF_CGROUP_INET4_CONNECT, NULL);
	assert_true(theirs >= 0);
	bed_open(bed);
	attach(bed);
	jn_datapath_close(&bed->dp);
	held = bpf_obj_get(bed_pin(bed, "jn_connect6"));
	assert_true(held >= 0);
	assert_int_equal(unlink(bed_pin(bed, "jn_connect6")), 0);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 1);
	assert_int_equal(jn_datapath_cleanup(bed->pins, bed->cgroup, &removed, &bed->err), 0);
	assert_int_equal(removed, PINS + BASE_HOOKS - 1);
	assert_int_equal(count_attached(bed->cgroup), 1); /* the neighbour, on its own tables */
	(void)close(held);
	(void)close(theirs);
	(void)close(cgroup);
	junctor_bpf__destroy(neighbour);
}

static void test_cleanup_unmounts_what_we_mounted(void **state)
{
	struct bed *bed = *state;
	char deep[128];
	unsigned removed;
	struct stat before, after;

	(void)snprintf(deep, sizeof(deep), "%s/deep/down", bed->pins);
	assert_int_equal(jn_bpffs_prepare(deep, &bed->err), 0);
	assert_int_equal(stat(bed->pins, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0700);
	assert_int_equal(mkdir(bed->version, 0700),
			 0); /* somebody else's, as seen from deep/down */
	assert_int_equal(jn_datapath_cleanup(deep, NULL, &removed, &bed->err), 0);
	assert_int_equal(stat(bed->pins, &after), 0);
	assert_int_equal(before.st_dev, after.st_dev);
	assert_int_equal(jn_datapath_cleanup(bed->pins, NULL, &removed, &bed->err), 0);
	assert_int_equal(stat(bed->pins, &after), 0);
	assert_int_not_equal(before.st_dev, after.st_dev);
	assert_int_equal(jn_datapath_cleanup("/nowhere", NULL, &removed, &bed->err), 0);
	assert_int_equal(removed, 0);
}

/* --- the machine ------------------------------------------------------------------------------- */

static void test_a_pin_folder_must_be_ours(void **state)
{
	struct bed *bed = *state;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/link", bed->pins);
	assert_int_equal(symlink(bed->folder, path), 0);
	assert_true(jn_bpffs_prepare(path, &bed->err) < 0);
	assert_says(bed, "symbolic link");
	assert_int_equal(unlink(path), 0);
	jn_error_done(&bed->err);

	assert_int_equal(chown(bed->pins, 65534, 65534), 0);
	assert_int_equal(jn_bpffs_prepare(bed->pins, &bed->err), -EPERM);
	assert_says(bed, "uid 65534");
	assert_int_equal(chown(bed->pins, 0, 0), 0);
	jn_error_done(&bed->err);

	assert_int_equal(jn_bpffs_prepare(bed->folder, &bed->err), -ENOTEMPTY);
	assert_says(bed, "not empty");
}

/* Killed and started again at once: the one that dies still holds the lock for a moment. */
static void test_a_lock_of_a_dying_process_is_waited_for(void **state)
{
	struct bed *bed = *state;
	int lock = -1, ready[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		if (jn_folder_lock(bed->pins, &lock, NULL) || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)usleep(100000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(jn_folder_lock(bed->pins, &lock, &bed->err), 0);
	jn_close_fd(&lock);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ready[0]);
	close(ready[1]);
}

static void test_a_lock_names_who_holds_it(void **state)
{
	struct bed *bed = *state;
	char said[32];
	int lock = -1, other = -1, ready[2];
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (jn_folder_lock(bed->pins, &lock, NULL) || write(ready[1], "x", 1) != 1)
			_exit(1);
		(void)pause();
	}
	assert_int_equal(read(ready[0], said, 1), 1);
	assert_int_equal(jn_folder_lock(bed->pins, &lock, &bed->err), -EBUSY);
	assert_int_equal(lock, -1);
	(void)snprintf(said, sizeof(said), "process %d (", pid);
	assert_says(bed, said);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(jn_folder_lock(bed->pins, &lock, NULL), 0);
	assert_int_equal(fcntl(lock, F_GETFD), FD_CLOEXEC);
	assert_int_equal(jn_folder_lock(bed->pins, &other, NULL), -EBUSY);
	jn_close_fd(&lock);
	(void)close(ready[0]);
	(void)close(ready[1]);
}

/* In a mount namespace of its own: a hierarchy's root, and a folder of it, mounted at odd names. */
static int look_for_cgroup2(void)
{
	char folder[] = "/tmp/jn-mounts-XXXXXX", part[64], whole[64], found[PATH_MAX];
	struct stat there, root;
	int code = 1;

	if (jn_cgroup_find_root(found, sizeof(found), NULL) || stat(found, &root) ||
	    unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    !mkdtemp(folder))
		return 2;
	(void)snprintf(part, sizeof(part), "%s/a part", folder);
	(void)snprintf(whole, sizeof(whole), "%s/a\\b c", folder);
	if (mkdir(part, 0700) || mkdir(whole, 0700) || mount("none", whole, "cgroup2", 0, NULL) ||
	    umount2(found, MNT_DETACH))
		code = 3;
	else if (!jn_cgroup_find_root(found, sizeof(found), NULL) && !strcmp(found, whole) &&
		 !stat(found, &there) && there.st_ino == root.st_ino && !umount(whole))
		code = jn_cgroup_find_root(found, sizeof(found), NULL) == -ENOENT ? 0 : 4;
	(void)umount2(whole, MNT_DETACH);
	(void)rmdir(part);
	(void)rmdir(whole);
	(void)rmdir(folder);
	return code;
}

static void test_the_cgroup2_mount_is_found(void **state)
{
	const struct bed *bed = *state;

	assert_int_equal(in_child(bed->cgroup, look_for_cgroup2), 0);
}

static uint64_t own_cookie;

static int has_other_cookie(void)
{
	uint64_t cookie = 0;

	return jn_datapath_netns_cookie(&cookie) || !cookie || cookie == own_cookie;
}

static void test_a_namespace_has_its_own_cookie(void **state)
{
	const struct bed *bed = *state;

	assert_int_equal(jn_datapath_netns_cookie(&own_cookie), 0);
	assert_true(own_cookie);
	assert_int_equal(in_child(bed->cgroup, has_other_cookie), 0);
	jn_datapath_wait_grace(); /* it returns */
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_cleanup_takes_ours_and_names_the_rest),
		CASE(test_cleanup_leaves_nothing_attached),
		CASE(test_cleanup_unmounts_what_we_mounted),
		CASE(test_a_pin_folder_must_be_ours),
		CASE(test_a_lock_names_who_holds_it),
		CASE(test_a_lock_of_a_dying_process_is_waited_for),
		CASE(test_the_cgroup2_mount_is_found),
		CASE(test_a_namespace_has_its_own_cookie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
