/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files of this room share; nobody else includes it.
 *
 *	doctor.c   the list of checks
 *	kernel.c   what the kernel can do	selftest.c   whether it does what we rely on
 *	guards.c   the same of guard routes	sockets.c    the same, by sockets beside canaries
 *	host.c     what others, and earlier	made.c	     sockets for trials
 *		   lives of ours, left there	leftovers.c  what a trial makes, if it is killed
 *	trust.c    who else may write our files
 *
 * Start here to add a check: a function, one line in doctor.c's list, one in docs/man/junctor.1.
 */
#ifndef JUNCTOR_DOCTOR_INTERNAL_H
#define JUNCTOR_DOCTOR_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "doctor/doctor.h"
#include "proto/write.h"

struct jn_datapath;

struct jn_doctor {
	const struct jn_doctor_options *options;
	char cgroup[PATH_MAX]; /* "": there is no cgroup2 */
	bool is_served;	       /* a junctord holds the pin folder */
	struct jn_writer w;
	const char *check;	    /* its name */
	struct jn_feature *feature; /* NULL: findings are written; else this is what is tried */
	unsigned failed, warned;
};

/* One finding of the check under way. A sentence; of the last two it ends with the remedy. */
void jn_doctor_good(struct jn_doctor *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* It works, but worse, or somebody may get in the way. */
void jn_doctor_warn(struct jn_doctor *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* junctor cannot do what it is for. */
void jn_doctor_fail(struct jn_doctor *d, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- kernel.c ---------------------------------------------------------------------------------- */
void jn_check_kernel(struct jn_doctor *d);
void jn_check_btf(struct jn_doctor *d);
void jn_check_unprivileged(struct jn_doctor *d);
void jn_check_membarrier(struct jn_doctor *d);
void jn_check_sock_destroy(struct jn_doctor *d);
void jn_check_sock_kfunc(struct jn_doctor *d);
void jn_check_files(struct jn_doctor *d);

/* --- leftovers.c ------------------------------------------------------------------------------- */
void jn_check_leftovers(struct jn_doctor *d);

#define JN_TRIAL_FOLDER "/tmp" /* where folders of trials are made */
/* A new folder below this one, of ours for as long as *fd is open. 0 or -errno. */
int jn_make_held(const char *above, char path[PATH_MAX], int *fd);

/* --- trust.c ----------------------------------------------------------------------------------- */
void jn_check_trust(struct jn_doctor *d);

/* --- selftest.c -------------------------------------------------------------------------------- */
void jn_check_selftest(struct jn_doctor *d);

/* The whole datapath at a cgroup of its own. */
struct jn_trial {
	struct jn_doctor *d;
	struct jn_datapath *datapath;
	int cgroup_fd;
};

/* --- sockets.c --------------------------------------------------------------------------------- */
void jn_try_sockets(struct jn_trial *t);

/* --- guards.c ---------------------------------------------------------------------------------- */
void jn_check_guards(struct jn_doctor *d);

/* --- made.c ------------------------------------------------------------------------------------ */
struct jn_wanted {
	int family, type;
};
#define JN_MAX_MADE 4
/*
 * Sockets that wait for a second at most, made in this cgroup; is_apart: in a network namespace of
 * their own, with lo up, which can be entered while they are there. Fewer than JN_MAX_MADE; out is
 * -1 behind them. 0 or -errno.
 */
int jn_make_sockets(int cgroup, const struct jn_wanted *wanted, size_t count, bool is_apart,
		    int out[JN_MAX_MADE]);
void jn_close_sockets(int made[JN_MAX_MADE]);
/* This thread goes into a network namespace of its own, with lo up. 0 or -errno. */
int jn_go_apart(void);

/* --- host.c ------------------------------------------------------------------------------------ */
void jn_check_cgroup(struct jn_doctor *d);
void jn_check_pins(struct jn_doctor *d);
void jn_check_links(struct jn_doctor *d);
void jn_check_routes(struct jn_doctor *d);
void jn_check_foreign(struct jn_doctor *d);
void jn_check_kube_proxy(struct jn_doctor *d);

#endif
