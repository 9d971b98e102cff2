/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ground under the daemon. It opens no table and attaches nothing; what it makes (folders, a
 * bpffs mount) is empty and harmless when the start fails later.
 */
#include "daemon/prepare.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "datapath/datapath.h"

/* CAP_SYS_ADMIN implies the others as far as bpf() is concerned. */
static bool has_capability(const struct __user_cap_data_struct *data, unsigned capability)
{
	return data[capability / 32].effective & 1u << capability % 32 ||
	       data[CAP_SYS_ADMIN / 32].effective & 1u << CAP_SYS_ADMIN % 32;
}

static const struct {
	unsigned number;
	const char *name;
} needed[] = {
	{ CAP_BPF, "CAP_BPF" },
	{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
	{ CAP_PERFMON, "CAP_PERFMON" }, /* for programs that look into the kernel's sockets */
};

int jn_prepare_privileges(struct jn_error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	char missing[64] = "";

	if (syscall(SYS_capget, &header, data) != 0)
		return jn_error_set(err, -errno, JN_ERROR_FORBIDDEN,
				    "the capabilities of this process cannot be read (%s); run "
				    "junctord as root",
				    strerror(errno));
	for (size_t i = 0; i < JN_COUNT(needed); i++) {
		if (has_capability(data, needed[i].number))
			continue;
		if (*missing)
			strcat(missing, ", "); /* there is room for all of them */
		strcat(missing, needed[i].name);
	}
	if (!*missing)
		return 0;
	return jn_error_set(err, -EPERM, JN_ERROR_FORBIDDEN,
			    "junctord may not do all it must; run it as root, or give it %s",
			    missing);
}

void jn_prepare_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* the old limit serves, too: clients then wait */
}

unsigned jn_prepare_probes(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur / 2 >= JN_MAX_PROBES_IN_FLIGHT)
		return JN_MAX_PROBES_IN_FLIGHT;
	return limit.rlim_cur > 2 ? (unsigned)limit.rlim_cur / 2 : 1;
}

int jn_prepare_state_dir(const char *dir, int *fd, struct jn_error *err)
{
	int rc = jn_folder_make(dir);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the state folder %s cannot be made (%s); make it, or choose "
				    "another with --state-dir",
				    dir, strerror(-rc));
	return jn_folder_lock(dir, fd, err);
}

int jn_prepare_pin_dir(const char *dir, int *fd, struct jn_error *err)
{
	int rc = jn_bpffs_prepare(dir, err);

	return rc ? rc : jn_folder_lock(dir, fd, err);
}
