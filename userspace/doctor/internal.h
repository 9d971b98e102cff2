/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files of this room share; nobody else includes it.
 *
 *	doctor.c   the list of checks
 *	kernel.c   what the kernel can do	selftest.c   whether it does what we rely on
 *	host.c     what others, and earlier lives of ours, left there
 *
 * Start here to add a check: a function, one line in doctor.c's list, one in docs/man/junctor.1.
 */
#ifndef JUNCTOR_DOCTOR_INTERNAL_H
#define JUNCTOR_DOCTOR_INTERNAL_H

#include <limits.h>
#include <stdbool.h>

#include "doctor/doctor.h"
#include "proto/write.h"

struct jn_doctor {
	const struct jn_doctor_options *options;
	char cgroup[PATH_MAX]; /* "": there is no cgroup2 */
	bool is_served;	       /* a junctord holds the pin folder */
	struct jn_writer w;
	const char *check; /* its name */
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

/* --- selftest.c -------------------------------------------------------------------------------- */
void jn_check_selftest(struct jn_doctor *d);

/* --- host.c ------------------------------------------------------------------------------------ */
void jn_check_cgroup(struct jn_doctor *d);
void jn_check_pins(struct jn_doctor *d);
void jn_check_links(struct jn_doctor *d);
void jn_check_routes(struct jn_doctor *d);
void jn_check_foreign(struct jn_doctor *d);
void jn_check_kube_proxy(struct jn_doctor *d);

#endif
