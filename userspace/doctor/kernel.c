/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel can do. What can be tried is tried: versions tell little, as distributions mend and
 * take away.
 */
#include <errno.h>
#include <linux/membarrier.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "datapath/datapath.h"
#include "datapath/sockets.h"
#include "doctor/internal.h"
#include "netlink/diag.h"

#define FLOOR_MAJOR 6
#define FLOOR_MINOR 1
#define MIN_FILES 1024 /* clients, probes, tables; fewer make clients wait */

void jn_check_kernel(struct jn_doctor *d)
{
	struct utsname name;
	unsigned major = 0, minor = 0;

	if (uname(&name) || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		jn_doctor_warn(d,
			       "the version of the kernel cannot be read; see that it is Linux "
			       "%u.%u or later",
			       FLOOR_MAJOR, FLOOR_MINOR);
	else if (major < FLOOR_MAJOR || (major == FLOOR_MAJOR && minor < FLOOR_MINOR))
		jn_doctor_warn(d,
			       "Linux %s is older than what junctor is tested with; boot %u.%u "
			       "or later",
			       name.release, FLOOR_MAJOR, FLOOR_MINOR);
	else
		jn_doctor_good(d, "Linux %s", name.release);
}

void jn_check_btf(struct jn_doctor *d)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		jn_doctor_fail(d,
			       "the kernel does not describe its types (%s); boot one with "
			       "CONFIG_DEBUG_INFO_BTF",
			       strerror(errno));
	else
		jn_doctor_good(d, "the kernel describes its types (BTF)");
}

/* The number in a file of one line; -1: it cannot be read. */
static int read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	int number = -1;

	if (file && fscanf(file, "%d", &number) != 1)
		number = -1;
	if (file)
		(void)fclose(file); /* only read */
	return number;
}

void jn_check_unprivileged(struct jn_doctor *d)
{
	if (read_number("/proc/sys/kernel/unprivileged_bpf_disabled") == 0)
		jn_doctor_warn(d, "anybody may load programs here, which helps attacks on the "
				  "kernel; forbid it (sysctl kernel.unprivileged_bpf_disabled=1)");
	else
		jn_doctor_good(d, "nobody without privileges may load programs");
}

void jn_check_files(struct jn_doctor *d)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		limit.rlim_max = RLIM_INFINITY; /* nothing else would be known */
	if (limit.rlim_max < MIN_FILES)
		jn_doctor_warn(d,
			       "a process may have %llu files open, and junctord wants %u; allow "
			       "more (ulimit -Hn, LimitNOFILE=)",
			       (unsigned long long)limit.rlim_max, MIN_FILES);
	else
		jn_doctor_good(d, "a process may have enough files open");
}

void jn_check_membarrier(struct jn_doctor *d)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		jn_doctor_warn(d,
			       "membarrier() is refused (%s): after each change junctord waits "
			       "a second before it reuses what was replaced; boot without "
			       "nohz_full, and allow the call",
			       strerror(errno));
	else
		jn_doctor_good(d, "membarrier() tells when programs have ended");
}

/* --- ending sockets ------------------------------------------------------------------------------ */

/* A socket of ours, connected to another of ours, as the finder of stale ones would describe it. */
static int make_stale(int peer, int client, struct jn_stale *out)
{
	struct sockaddr_in name = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(name), cookie_size = sizeof(out->cookie);

	*out = (struct jn_stale){ .family = AF_INET, .proto = IPPROTO_UDP };
	if (bind(peer, (struct sockaddr *)&name, size) ||
	    getsockname(peer, (struct sockaddr *)&name, &size) ||
	    connect(client, (struct sockaddr *)&name, size))
		return -errno;
	out->backend = jn_addr_from_v4(name.sin_addr.s_addr);
	out->backend_port = name.sin_port;
	if (getsockname(client, (struct sockaddr *)&name, &size) ||
	    getsockopt(client, SOL_SOCKET, SO_COOKIE, &out->cookie, &cookie_size))
		return -errno;
	out->source = jn_addr_from_v4(name.sin_addr.s_addr);
	out->source_port = name.sin_port;
	return 0;
}

void jn_check_sock_destroy(struct jn_doctor *d)
{
	JN_AUTO(jn_close_fd) int peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	JN_AUTO(jn_close_fd) int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct jn_stale stale;
	bool is_ended = false;
	int rc = peer < 0 || client < 0 ? -errno : make_stale(peer, client, &stale);

	if (rc)
		jn_doctor_warn(d,
			       "no socket on 127.0.0.1 could be made to be ended (%s); set lo up",
			       strerror(-rc));
	else if ((rc = jn_diag_end(&stale, 1, &is_ended)) || !is_ended)
		jn_doctor_warn(d,
			       "sockets cannot be ended over netlink (%s): those of backends "
			       "that are gone are ended by programs, or stay; boot a kernel with "
			       "CONFIG_INET_DIAG_DESTROY",
			       rc ? strerror(-rc) : "the kernel does nothing");
	else
		jn_doctor_good(d, "a socket whose backend is gone can be ended over netlink");
}

void jn_check_sock_kfunc(struct jn_doctor *d)
{
	JN_AUTO(jn_ender_close) struct jn_ender *ender = NULL;
	int rc = jn_ender_open(&ender);

	if (rc && !jn_kernel_compiles())
		jn_doctor_warn(d, "programs that are interpreted cannot end sockets; switch the "
				  "kernel's compiler on (sysctl net.core.bpf_jit_enable=1), or "
				  "boot one with CONFIG_BPF_JIT");
	else if (rc)
		jn_doctor_warn(d,
			       "programs cannot end sockets (%s): MPTCP sockets of backends that "
			       "are gone stay, and all of them where netlink cannot; boot Linux "
			       "6.5 or later",
			       strerror(-rc));
	else if (!jn_ender_has_tcp(ender))
		jn_doctor_warn(d, "programs end UDP sockets only, as this kernel may release a TCP "
				  "socket twice while all are walked (CVE-2026-64575): MPTCP "
				  "sockets of "
				  "backends that are gone stay; boot Linux 6.18.42, 7.1.6 or "
				  "later");
	else
		jn_doctor_good(d, "programs can end sockets (bpf_sock_destroy)");
}
