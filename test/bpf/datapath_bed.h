/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the tests of userspace/datapath borrow from the machine for each test, and give back: a
 * folder with a bpffs that jn_bpffs_prepare mounts, and a cgroup of its own. No traffic.
 */
#ifndef JUNCTOR_TEST_DATAPATH_BED_H
#define JUNCTOR_TEST_DATAPATH_BED_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

#define TABLES 16	  /* of kernel/maps.bpf.c */
#define PINS (TABLES + 1) /* without hooks: jn_trace, too */

struct bed {
	char folder[64], pins[80], version[96]; /* version: the folder v<ABI> */
	char cgroup[PATH_MAX + 64];
	struct jn_datapath *dp;
	struct jn_error err;
};

static inline int bed_setup(void **state)
{
	static unsigned number; /* a bed that could not be given back must not be in the way */
	struct bed *bed = calloc(1, sizeof(*bed));
	char root[PATH_MAX];

	assert_non_null(bed);
	*state = bed;
	strcpy(bed->folder, "/tmp/jn-datapath-XXXXXX");
	assert_non_null(mkdtemp(bed->folder));
	(void)snprintf(bed->pins, sizeof(bed->pins), "%s/pins", bed->folder);
	(void)snprintf(bed->version, sizeof(bed->version), "%s/v%d", bed->pins, JN_ABI_VERSION);
	assert_int_equal(jn_cgroup_find_root(root, sizeof(root), NULL), 0);
	(void)snprintf(bed->cgroup, sizeof(bed->cgroup), "%s/jn-datapath-%d-%u", root, getpid(),
		       ++number);
	assert_int_equal(mkdir(bed->cgroup, 0755), 0);
	assert_int_equal(jn_bpffs_prepare(bed->pins, NULL), 0);
	return 0;
}

static inline int bed_teardown(void **state)
{
	struct bed *bed = *state;
	unsigned removed;

	jn_datapath_close(&bed->dp);
	(void)jn_datapath_cleanup(bed->pins, NULL, &removed, NULL);
	(void)umount2(bed->pins, MNT_DETACH);
	(void)rmdir(bed->pins);
	(void)rmdir(bed->folder);
	(void)rmdir(bed->cgroup);
	jn_error_done(&bed->err);
	free(bed);
	return 0;
}

/* Opens; the error, if any, is in bed->err. */
static inline int bed_try_open(struct bed *bed)
{
	const struct jn_datapath_options options = { .pin_dir = bed->pins, .cgroup = bed->cgroup };

	jn_error_done(&bed->err);
	return jn_datapath_open(&options, &bed->dp, &bed->err);
}

static inline void bed_open(struct bed *bed)
{
	if (bed_try_open(bed))
		fail_msg("%s", jn_error_text(&bed->err));
}

static inline void bed_reopen(struct bed *bed)
{
	jn_datapath_close(&bed->dp);
	bed_open(bed);
}

/* The path of a pin; valid until the next call. */
static inline const char *bed_pin(const struct bed *bed, const char *name)
{
	static char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", bed->version, name);
	return path;
}

/* How many entries a folder has whose name begins with the prefix; -1: no folder. */
static inline int count_entries(const char *path, const char *prefix)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;
	int count = 0;

	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.' && !strncmp(entry->d_name, prefix, strlen(prefix));
	(void)closedir(dir);
	return count;
}

static inline void assert_says(struct bed *bed, const char *word)
{
	if (!strstr(jn_error_text(&bed->err), word))
		fail_msg("no \"%s\" in: %s", word, jn_error_text(&bed->err));
}

/* --- hooks ------------------------------------------------------------------------------------- */

static const enum bpf_attach_type bed_types[] = {
	BPF_CGROUP_INET4_CONNECT,     BPF_CGROUP_INET6_CONNECT,	    BPF_CGROUP_UDP4_SENDMSG,
	BPF_CGROUP_UDP6_SENDMSG,      BPF_CGROUP_UDP4_RECVMSG,	    BPF_CGROUP_UDP6_RECVMSG,
	BPF_CGROUP_INET4_GETPEERNAME, BPF_CGROUP_INET6_GETPEERNAME, BPF_CGROUP_INET_SOCK_RELEASE,
	BPF_CGROUP_SOCK_OPS,
};
#define BASE_HOOKS 8 /* those that are always attached */
_Static_assert(JN_COUNT(bed_types) == JN_HOOK_COUNT, "every hook is looked at");

/* Ids of the programs that are attached at a cgroup, one after the other; how many. */
static inline unsigned attached(const char *cgroup, uint32_t ids[64])
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	unsigned total = 0;

	assert_true(fd >= 0);
	for (size_t i = 0; i < JN_COUNT(bed_types); i++) {
		uint32_t count = 64 - total;

		assert_int_equal(bpf_prog_query(fd, bed_types[i], 0, NULL, ids + total, &count), 0);
		total += count;
	}
	(void)close(fd);
	return total;
}

static inline unsigned count_attached(const char *cgroup)
{
	uint32_t ids[64];

	return attached(cgroup, ids);
}

static inline void attach(struct bed *bed)
{
	if (jn_datapath_attach(bed->dp, &bed->err))
		fail_msg("%s", jn_error_text(&bed->err));
}

/* A process in this cgroup, in a namespace of its own, does what `fn` says; its exit code. */
static inline int in_child(const char *cgroup, int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		char path[PATH_MAX + 96];
		FILE *procs;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
		procs = fopen(path, "we");
		if (!procs || fputs("0", procs) < 0 || fclose(procs) || unshare(CLONE_NEWNET))
			_exit(255);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
