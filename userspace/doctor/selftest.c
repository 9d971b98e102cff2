/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole datapath of this build, tried out beside whatever serves: programs and tables are loaded
 * and pinned in a bpffs of their own, all hooks are attached at a new and empty cgroup, and canaries
 * fly through one endpoint of each family. What we rely on is what they show: sockets pass the hooks
 * of the cgroup they were made in, addresses can be written into calls, the peer's name and the sender
 * of an answer can be told otherwise, connections are counted and watched, and all that can be
 * exchanged while it serves. What canaries do not show: sockets.c.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <netinet/in.h>

#include "base/auto.h"
#include "base/vec.h"
#include "canary/canary.h"
#include "datapath/datapath.h"
#include "datapath/sockets.h"
#include "doctor/internal.h"

struct trial {
	struct jn_trial at;
	char folder[PATH_MAX], cgroup[PATH_MAX]; /* "": not made */
	char *pins;
	int folder_fd; /* it is held */
	struct jn_canary *canary;
	struct jn_error err;
};

/* What is mounted for the trial is nobody else's, and goes with this process whatever happens. */
static void stay_apart(void)
{
	if (!unshare(CLONE_NEWNS))
		(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL); /* then others see it */
}

static int make_ground(struct trial *t)
{
	int rc;

	stay_apart();
	rc = jn_make_held(JN_TRIAL_FOLDER, t->folder, &t->folder_fd);
	if (rc)
		return jn_error_set(&t->err, rc, JN_ERROR_UNAVAILABLE,
				    "no folder can be made in " JN_TRIAL_FOLDER " (%s); make room "
				    "there",
				    strerror(-rc));
	if (asprintf(&t->pins, "%s/pins", t->folder) < 0) {
		t->pins = NULL;
		return jn_error_set(&t->err, -ENOMEM, JN_ERROR_INTERNAL,
				    "out of memory; free some");
	}
	rc = jn_make_held(t->at.d->cgroup, t->cgroup, &t->at.cgroup_fd);
	if (rc)
		return jn_error_set(&t->err, rc, JN_ERROR_UNAVAILABLE,
				    "no cgroup can be made below %s (%s); run this as root, where "
				    "the hierarchy may be written",
				    t->at.d->cgroup, strerror(-rc));
	return jn_bpffs_prepare(t->pins, &t->err);
}

static void trial_done(struct trial *t)
{
	unsigned removed;

	jn_canary_close(&t->canary);
	jn_datapath_close(&t->at.datapath);
	if (t->pins) { /* what stays is in a mount that goes with this process */
		(void)jn_datapath_cleanup(t->pins, NULL, &removed, NULL);
		(void)rmdir(t->pins);
	}
	if (*t->cgroup)
		(void)rmdir(t->cgroup); /* nobody is in it */
	if (*t->folder)
		(void)rmdir(t->folder);
	jn_close_fd(&t->at.cgroup_fd); /* from here on they would be leftovers */
	jn_close_fd(&t->folder_fd);
	free(t->pins);
	jn_error_done(&t->err);
}

static int set_up(struct trial *t)
{
	int rc = make_ground(t);

	if (!rc)
		rc = jn_datapath_open(&(struct jn_datapath_options){ t->pins, t->cgroup },
				      &t->at.datapath, &t->err);
	if (!rc)
		rc = jn_datapath_need(t->at.datapath, JN_NEED_COUNTS | JN_NEED_WATCHES, &t->err);
	if (!rc)
		rc = jn_datapath_attach(t->at.datapath, &t->err);
	if (rc)
		return rc;
	rc = jn_canary_open(&t->canary);
	return rc ? jn_error_set(&t->err, rc, JN_ERROR_UNAVAILABLE,
				 "no socket can wait on lo (%s); set it up (ip link set lo up)",
				 strerror(-rc))
		  : 0;
}

/* One service of one endpoint for each family, all with the same number. */
static int lead(struct trial *t)
{
	struct jn_frontend_key vips[JN_CANARY_FAMILIES], backends[JN_CANARY_FAMILIES];
	size_t count = jn_canary_ends(t->canary, vips, backends), done;
	int rc = 0;

	for (uint32_t i = 0; i < count && !rc; i++) {
		const struct jn_slot slot = { .endpoint = i + 1 };
		const struct jn_frontend value = { .service = i + 1, .set = i + 1 };

		jn_datapath_put_endpoint(t->at.datapath, i + 1,
					 &(struct jn_endpoint){ .addr = backends[i].vip,
								.port = backends[i].port,
								.weight = 1,
								.service = i + 1,
								.live = i + 1 });
		jn_datapath_put_revision(t->at.datapath, i + 1,
					 &(struct jn_revision){ .number = i + 1,
								.slot_base = i,
								.slot_count = 1,
								.flags = JN_REVISION_COUNTS |
									 JN_REVISION_WATCHES,
								.member_base = i,
								.member_count = 1 },
					 &slot);
		jn_datapath_publish(t->at.datapath, i + 1, i + 1, i + 1);
		vips[i].proto = IPPROTO_TCP;
		rc = jn_datapath_put_frontends(t->at.datapath, &vips[i], &value, 1, &done);
		vips[i].proto = IPPROTO_UDP;
		if (!rc)
			rc = jn_datapath_put_frontends(t->at.datapath, &vips[i], &value, 1, &done);
	}
	return rc;
}

static const char *const parts[JN_CANARY_FAMILIES][JN_CANARY_PARTS] = {
	{ "connect4", "getpeername4", "sendmsg4", "recvmsg4" },
	{ "connect6", "getpeername6", "sendmsg6", "recvmsg6" },
};

static void tell(struct jn_doctor *d, const char *hook, const struct jn_canary_finding *finding)
{
	if (finding->verdict == JN_CANARY_DISPROVED)
		jn_doctor_fail(d,
			       "hook %s does not work in a cgroup of its own: %s; a program of "
			       "somebody else above it may be in the way (bpftool cgroup tree), "
			       "or this kernel cannot serve",
			       hook, finding->what);
	else if (finding->verdict == JN_CANARY_UNKNOWN && *finding->what)
		jn_doctor_warn(d,
			       "hook %s could not be tried out: %s; mend that and run this "
			       "again",
			       hook, finding->what);
	else if (finding->verdict == JN_CANARY_PROVED)
		jn_doctor_good(d, "hook %s does what it must", hook);
}

/* Each canary counted as a connection for its backend and was watched, until it was closed. */
static void look_at_counts(const struct trial *t, const struct jn_canary_round *round)
{
	const struct jn_live *live = jn_datapath_live(t->at.datapath);
	unsigned flown = 0, open = 0, watched = 0;

	for (unsigned family = 0, id = 1; family < JN_CANARY_FAMILIES; family++) {
		if (!jn_canary_has(t->canary, family))
			continue;
		if (round->found[family][JN_CANARY_CONNECT].verdict == JN_CANARY_PROVED) {
			flown++;
			open += live[id].open;
			watched += live[id].answer_us != 0;
		}
		id++;
	}
	if (!flown)
		return; /* the canaries say why */
	if (open)
		jn_doctor_fail(t->at.d, "hook sock_release does not run when a socket is closed, "
					"so its "
					"connection counts for ever: limits and LeastConnections "
					"cannot be "
					"used on this kernel; boot Linux 6.1 or later");
	else
		jn_doctor_good(t->at.d, "hook sock_release does what it must");
	if (watched < flown)
		jn_doctor_fail(t->at.d, "hook sockops does not see connections begin, so that no "
					"backend is "
					"ejected and Ewma cannot be used; a program of somebody "
					"else above "
					"it may be in the way (bpftool cgroup tree), or this "
					"kernel cannot "
					"serve");
	else
		jn_doctor_good(t->at.d, "hook sockops does what it must");
}

/* Larger tables, and then another start. */
static int exchange(struct trial *t)
{
	const struct jn_datapath_options options = { t->pins, t->cgroup };
	struct jn_sizes sizes = *jn_datapath_sizes(t->at.datapath);
	struct jn_growth *growth = NULL;
	int rc;

	sizes.frontends *= 2; /* one that is copied */
	sizes.live *= 2;      /* and one that is written while it is */
	rc = jn_datapath_grow_load(t->at.datapath, &sizes, &growth, &t->err);
	if (rc)
		return rc;
	rc = jn_datapath_grow_swap(t->at.datapath, growth, &t->err);
	jn_datapath_wait_grace();
	jn_datapath_grow_settle(t->at.datapath, &growth);
	if (rc)
		return rc;
	jn_datapath_close(&t->at.datapath);
	rc = jn_datapath_open(&options, &t->at.datapath, &t->err);
	if (!rc)
		rc = jn_datapath_need(t->at.datapath, JN_NEED_COUNTS | JN_NEED_WATCHES, &t->err);
	if (!rc)
		rc = jn_datapath_attach(t->at.datapath, &t->err);
	if (!rc && !jn_datapath_is_adopted(t->at.datapath))
		rc = jn_error_set(&t->err, -EPROTO, JN_ERROR_UNAVAILABLE,
				  "pins do not outlive who made them; run junctord on a bpffs that "
				  "nothing clears");
	return rc;
}

static void try_exchange(struct trial *t, const struct jn_canary_round *before)
{
	struct jn_canary_round after;
	int rc = exchange(t);

	if (rc) {
		jn_doctor_fail(t->at.d, "what serves cannot be exchanged: %s",
			       jn_error_is_set(&t->err) ? jn_error_text(&t->err)
							: "out of memory; free some");
		return;
	}
	jn_canary_fly(t->canary, t->at.cgroup_fd, &after);
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		if (before->found[family][JN_CANARY_CONNECT].verdict != JN_CANARY_PROVED ||
		    after.found[family][JN_CANARY_CONNECT].verdict == JN_CANARY_PROVED)
			continue;
		jn_doctor_fail(t->at.d,
			       "hooks do not serve any more once their tables were exchanged (%s): "
			       "junctord cannot grow or be upgraded on this kernel; boot another "
			       "one",
			       after.found[family][JN_CANARY_CONNECT].what);
		return;
	}
	jn_doctor_good(t->at.d, "tables and programs can be exchanged while they serve, and "
				"outlive "
				"who made them");
}

/* That is for others; ours has its place behind. */
static void look_at_order(const struct trial *t)
{
	int rc = jn_cgroup_has_first(t->at.cgroup_fd);

	if (rc < 0)
		jn_doctor_warn(t->at.d,
			       "whether programs of others may run before all others could not be "
			       "tried out (%s); run this again as root",
			       strerror(-rc));
	else
		jn_doctor_good(t->at.d, rc ? "programs of others may run before all others "
					     "(BPF_F_PREORDER); beside one, hooks change by a "
					     "second link"
					   : "no program can run before all others (no "
					     "BPF_F_PREORDER), so "
					     "hooks always change in place");
}

void jn_check_selftest(struct jn_doctor *d)
{
	JN_AUTO(trial_done) struct trial t = { .at = { .d = d, .cgroup_fd = -1 }, .folder_fd = -1 };
	struct jn_canary_round round;
	int rc;

	if (!*d->cgroup)
		return; /* the check of the cgroup says so */
	rc = set_up(&t);
	if (!rc)
		rc = lead(&t);
	if (rc) {
		jn_doctor_fail(d, "%s",
			       jn_error_is_set(&t.err) ? jn_error_text(&t.err)
						       : "out of memory; free some");
		return;
	}
	jn_doctor_good(d, "programs and tables of this build load, and all ten hooks attach");
	jn_doctor_good(d,
		       "programs are compiled (JIT)"); /* interpreted ones would not have loaded */
	look_at_order(&t);
	jn_canary_fly(t.canary, t.at.cgroup_fd, &round);
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		if (!jn_canary_has(t.canary, family))
			jn_doctor_good(d, "%s is off here, and its hooks were not tried out",
				       family ? "IPv6" : "IPv4");
		for (unsigned part = 0; jn_canary_has(t.canary, family) && part < JN_CANARY_PARTS;
		     part++)
			tell(d, parts[family][part], &round.found[family][part]);
	}
	look_at_counts(&t, &round);
	jn_try_sockets(&t.at);
	try_exchange(&t, &round);
}
