/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loading: what the kernel must have, the folder, the tables (adopted or made), the programs. It
 * attaches nothing. What libbpf and the verifier have to say goes to the debug log; people get one
 * sentence.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include <junctor.skel.h>

#include "base/auto.h"
#include "base/log.h"
#include "datapath/internal.h"

#define AREA "datapath"
#define BTF "/sys/kernel/btf/vmlinux"
#define DESCRIPTORS 60 /* 16 tables twice, 11 programs, 10 links, and what libbpf opens meanwhile */

/* --- libbpf's own words ------------------------------------------------------------------------ */

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	JN_AUTO(jn_free_mem) char *text = NULL;
	char *save = NULL;

	if (level == LIBBPF_DEBUG || jn_log_get_level() < JN_LOG_DEBUG)
		return 0;
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		return 0;
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		jn_debug(AREA, "%s", line);
	return 0;
}

void jn_libbpf_listen(void)
{
	(void)libbpf_set_print(on_libbpf);
}

/* --- what must be there ------------------------------------------------------------------------ */

static int check_btf(struct jn_error *err)
{
	if (access(BTF, R_OK) == 0)
		return 0;
	return jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
			    "the kernel's BTF cannot be read at " BTF " (%s); mount sysfs there, "
			    "or boot a kernel built with CONFIG_DEBUG_INFO_BTF",
			    strerror(errno));
}

/* By trying: libbpf takes a lack of them for a lack of kernel features. */
static int check_descriptors(struct jn_error *err)
{
	int fds[DESCRIPTORS], count = 0, rc = 0;

	while (count < DESCRIPTORS) {
		fds[count] = open("/", O_PATH | O_CLOEXEC);
		if (fds[count] < 0) {
			rc = -errno;
			break;
		}
		count++;
	}
	while (count)
		(void)close(fds[--count]);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "there are too few file descriptors left, %d are needed for "
				    "programs and tables (%s); allow more (ulimit -n)",
				    DESCRIPTORS, strerror(-rc));
	return 0;
}

static int check_cgroup(const char *cgroup, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int fd = -1;
	uint64_t id;

	return jn_cgroup_open(cgroup, &fd, &id, err);
}

/* --- loading ----------------------------------------------------------------------------------- */

/* What the kernel says of a program is the same for many reasons, so a simpler one is tried. */
static int refuse_program(int rc, struct jn_error *err)
{
	int compiles = jn_kernel_compiles();

	if (compiles == -EINVAL || compiles == -ENOSYS)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the kernel has no programs at cgroups (%s); boot one with "
				    "CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF",
				    strerror(-compiles));
	if (!compiles)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the kernel interprets programs, and ours must be compiled "
				    "(%s); switch its compiler on (sysctl "
				    "net.core.bpf_jit_enable=1), or boot a kernel with "
				    "CONFIG_BPF_JIT",
				    strerror(-rc));
	return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
			    "the kernel refused a program or a table (%s); Linux 6.1 or later is "
			    "needed, and --log-level debug tells what the kernel said",
			    strerror(-rc));
}

int jn_datapath_refuse_load(int rc, struct jn_error *err)
{
	switch (rc) {
	case -EPERM:
		return jn_error_set(err, rc, JN_ERROR_FORBIDDEN,
				    "the kernel does not let this process load programs (%s); run "
				    "junctord as root, outside of lockdown and of a seccomp "
				    "profile that forbids bpf()",
				    strerror(-rc));
	case -ENOMEM:
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the kernel has no memory for the tables (%s); free some",
				    strerror(-rc));
	case -EMFILE:
	case -ENFILE:
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "there are too few file descriptors left for programs and "
				    "tables (%s); allow more (ulimit -n, LimitNOFILE= of systemd)",
				    strerror(-rc));
	default:
		return refuse_program(rc, err);
	}
}

static int open_skeleton(struct jn_datapath *dp, struct jn_error *err)
{
	jn_libbpf_listen();
	dp->skeleton = junctor_bpf__open();
	if (!dp->skeleton)
		return jn_error_set(err, -errno, JN_ERROR_INTERNAL,
				    "the programs of this build cannot be opened (%s); free some "
				    "memory, or build junctor again",
				    strerror(errno));
	dp->object = dp->skeleton->obj;
	return 0;
}

void jn_datapath_name_tables(struct jn_datapath *dp)
{
	dp->frontends = bpf_map__fd(dp->skeleton->maps.jn_frontends);
	dp->names = bpf_map__fd(dp->skeleton->maps.jn_names);
	dp->stats = bpf_map__fd(dp->skeleton->maps.jn_stats);
	dp->reasons = bpf_map__fd(dp->skeleton->maps.jn_reasons);
	dp->events = bpf_map__fd(dp->skeleton->maps.jn_events);
}

static int load(struct jn_datapath *dp, struct jn_error *err)
{
	int rc = junctor_bpf__load(dp->skeleton);

	if (rc)
		return jn_datapath_refuse_load(rc, err);
	jn_datapath_name_tables(dp);
	rc = jn_tables_map(dp->object, &dp->tables);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the tables cannot be mapped into memory (%s); allow junctord "
				    "more address space (ulimit -v)",
				    strerror(-rc));
	return 0;
}

/* Tables in the folder, programs in the kernel. */
static int fill_folder(struct jn_datapath *dp, struct jn_error *err)
{
	struct jn_adoption adoption;
	int rc = open_skeleton(dp, err);

	if (rc)
		return rc;
	rc = jn_pins_adopt(dp->object, dp->folder, &adoption, err);
	dp->is_adopted = adoption.is_adopted;
	dp->sizes = adoption.sizes;
	if (!rc)
		rc = load(dp, err);
	if (!rc)
		rc = jn_pins_complete(dp->object, dp->folder, adoption.fresh, err);
	if (!rc) {
		struct trace_bpf *trace = jn_trace_load(dp->object);

		jn_trace_install(dp, &trace);
	}
	return rc;
}

static int make_folder(const char *folder, bool *is_new, struct jn_error *err)
{
	*is_new = mkdir(folder, 0700) == 0;
	if (*is_new || errno == EEXIST)
		return jn_pins_check_folder(folder, err);
	return jn_error_set(err, -errno, JN_ERROR_UNAVAILABLE,
			    "the pin folder %s cannot be made (%s); choose another --pin-dir",
			    folder, strerror(errno));
}

static int open_parts(struct jn_datapath *dp, struct jn_error *err)
{
	int cpus = libbpf_num_possible_cpus();
	bool is_new;
	int rc = cpus < 0 ? cpus : 0;

	if (!rc) {
		dp->cpu_count = (unsigned)cpus;
		rc = check_btf(err);
	}
	if (!rc)
		rc = check_cgroup(dp->cgroup, err);
	if (!rc)
		rc = check_descriptors(err);
	if (!rc)
		rc = make_folder(dp->folder, &is_new, err);
	if (rc)
		return rc;
	rc = fill_folder(dp, err);
	if (rc && is_new)
		(void)rmdir(dp->folder); /* empty again; if it is not, the next start uses it */
	return rc;
}

int jn_datapath_open(const struct jn_datapath_options *options, struct jn_datapath **out,
		     struct jn_error *err)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *dp = calloc(1, sizeof(*dp));
	int rc = dp ? 0 : -ENOMEM;

	if (!rc) {
		memset(dp->links, -1, sizeof(dp->links));
		dp->cgroup = strdup(options->cgroup);
		rc = dp->cgroup ? jn_pins_name_folder(options->pin_dir, &dp->folder) : -ENOMEM;
	}
	if (!rc)
		rc = open_parts(dp, err);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "programs and tables cannot be set up (%s); free some memory",
				    strerror(-rc));
	*out = JN_MOVE(dp);
	return 0;
}

void jn_datapath_close(struct jn_datapath **dp)
{
	struct jn_datapath *d = JN_MOVE(*dp);

	if (!d)
		return;
	for (size_t i = 0; i < JN_HOOK_COUNT; i++)
		jn_close_fd(&d->links[i]);
	jn_tables_unmap(&d->tables);
	if (d->is_view)
		jn_datapath_look_done(d);
	junctor_bpf__destroy(d->skeleton);
	free(d->cgroup);
	free(d->folder);
	free(d);
}

bool jn_datapath_is_adopted(const struct jn_datapath *dp)
{
	return dp->is_adopted;
}
