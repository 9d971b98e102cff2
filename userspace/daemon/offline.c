/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `junctord --offline VERB`. Cleanup removes what junctor pinned and nothing else, and never the
 * state folder: the next start of junctord serves again what was declared. The others only look, and
 * what they see is the room offline's business.
 */
#include "daemon/offline.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/auto.h"
#include "daemon/prepare.h"
#include "datapath/datapath.h"
#include "doctor/doctor.h"
#include "netlink/routes.h"
#include "offline/offline.h"

static int remove_routes(struct jn_error *err)
{
	size_t removed = 0;
	int rc = jn_guards_clear(&removed);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "the guard routes cannot be removed (%s); remove them as root "
				    "(ip route flush table all proto %d, and the same with ip -6)",
				    strerror(-rc), JN_ROUTE_PROTOCOL);
	if (removed)
		printf("removed %zu guard routes\n", removed);
	return 0;
}

/* What stands beside the tables: guard routes, and what a doctor left that was killed. */
static int remove_rest(const char *cgroup, struct jn_error *err)
{
	struct jn_leftovers left;

	jn_leftovers_clear(cgroup, &left);
	if (left.removed)
		printf("removed %u folders and cgroups of a junctor doctor that was killed\n",
		       left.removed);
	if (left.rc)
		fprintf(stderr,
			"junctord: %s of a junctor doctor that was killed stays (%s); look what is "
			"in it, and remove it (rmdir)\n",
			left.stuck, strerror(-left.rc));
	return remove_routes(err);
}

int jn_offline_cleanup(const struct jn_settings *settings, struct jn_error *err)
{
	JN_AUTO(jn_close_fd) int lock = -1;
	const char *pin_dir = settings->pin_dir, *cgroup = settings->cgroup;
	char root[PATH_MAX];
	unsigned removed = 0;
	int rc = jn_prepare_privileges(err);

	if (rc)
		return rc;
	/* Without a cgroup2 mount nothing can be attached, and there is nothing to look at. */
	if (!cgroup && jn_cgroup_find_root(root, sizeof(root), NULL) == 0)
		cgroup = root;
	if (access(pin_dir, F_OK) != 0 && errno == ENOENT) {
		printf("nothing to remove: there is no %s\n", pin_dir);
		return remove_rest(cgroup, err);
	}
	rc = jn_folder_lock(pin_dir, &lock, err);
	if (rc)
		return rc;
	rc = jn_datapath_cleanup(pin_dir, cgroup, &removed, err);
	if (!rc)
		rc = remove_rest(cgroup, err);
	if (rc)
		return rc;
	if (removed)
		printf("removed %u links and tables below %s\n", removed, pin_dir);
	else
		printf("nothing to remove below %s\n", pin_dir);
	printf("the declared state in %s stays\n", settings->state_dir);
	return 0;
}

static void dump(const struct jn_settings *settings, struct jn_buffer *out)
{
	struct jn_dump_options options = { settings->pin_dir, settings->state_dir,
					   settings->cgroup };
	char root[PATH_MAX];

	/* Without a cgroup2 mount there is nothing to look at, and the dump says so. */
	if (!options.cgroup)
		options.cgroup = jn_cgroup_find_root(root, sizeof(root), NULL) ? "none" : root;
	jn_offline_dump(&options, out);
}

struct jn_doctor_options jn_offline_doctor(const struct jn_options *options)
{
	const struct jn_settings *s = &options->settings;

	return (struct jn_doctor_options){ .pin_dir = s->pin_dir,
					   .cgroup = s->cgroup,
					   .config = jn_options_config(options),
					   .state_dir = s->state_dir,
					   .services_dir = s->services_dir };
}

int jn_offline_tell(const struct jn_options *options, struct jn_error *err)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	const struct jn_doctor_options doctor = jn_offline_doctor(options);
	int rc = jn_prepare_privileges(err);

	if (!rc && options->task == JN_TASK_DOCTOR)
		jn_doctor(&doctor, &text);
	else if (!rc && options->task == JN_TASK_SYSDUMP)
		dump(&options->settings, &text);
	else if (!rc && options->task == JN_TASK_STATUS)
		rc = jn_offline_status(options->settings.pin_dir, &text, err);
	else if (!rc)
		rc = jn_offline_trace(options->settings.pin_dir, &options->question, &text, err);
	if (rc)
		return rc;
	if (jn_buffer_failed(&text))
		return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL, "out of memory; free some");
	if (fwrite(text.data, 1, text.size, stdout) != text.size || fflush(stdout))
		return jn_error_set(err, -errno, JN_ERROR_INTERNAL,
				    "it cannot be written (%s); give standard output some room",
				    strerror(errno));
	return 0;
}

bool jn_offline_goes_on(const struct jn_options *options, int rc, struct jn_error *err)
{
	bool is_offline = options->task != JN_TASK_SERVE && options->task != JN_TASK_CHECK;

	if (!is_offline || rc == -ENOMEM || (rc != -EINVAL && options->config))
		return false;
	jn_options_print_faults(err);
	fprintf(stderr,
		"junctord: this goes on with what could be read of the configuration: tables in "
		"%s, state in %s; name others with --pin-dir and --state-dir\n",
		options->settings.pin_dir, options->settings.state_dir);
	jn_error_done(err);
	return true;
}
