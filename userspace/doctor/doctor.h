/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Can junctor work on this machine, and is anything in its way? Each thing is tried, not looked up,
 * wherever that is possible. With or without a junctord; what is made for a trial is gone afterwards.
 */
#ifndef JUNCTOR_DOCTOR_DOCTOR_H
#define JUNCTOR_DOCTOR_DOCTOR_H

#include <limits.h>
#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

struct jn_doctor_options {
	const char *pin_dir;
	const char *cgroup;			       /* NULL: the whole hierarchy is meant */
	const char *config, *state_dir, *services_dir; /* they need not be there */
};

/* Every finding, as JSON. This process has a mount namespace of its own afterwards. */
void jn_doctor(const struct jn_doctor_options *options, struct jn_buffer *out);

/*
 * A sentence, which ends with the remedy, for each of the three paths that others than root and this
 * user may write to, or could put something else in the place of.
 */
void jn_trust_look(const struct jn_doctor_options *options,
		   void (*say)(void *arg, const char *sentence), void *arg);

#define JN_MAX_FINDING 768 /* bytes of a sentence, with its NUL */

/* What this kernel may lack, or refuse to this process: the rest works without it, or with less. */
struct jn_feature {
	const char *name; /* of the check that tries it */
	bool is_available;
	char reason[JN_MAX_FINDING]; /* if not: what is missing for it, and the remedy */
};
#define JN_FEATURE_COUNT 3
/* Each is tried, in some 50 ms: never on the loop. What is made for it is gone afterwards. */
void jn_features_try(struct jn_feature out[JN_FEATURE_COUNT]);

struct jn_leftovers {
	unsigned removed;     /* folders and cgroups */
	int rc;		      /* -errno of the first one that stays */
	char stuck[PATH_MAX]; /* and which it is */
};

/*
 * Remove what trials left below this cgroup (NULL: there is none), and where folders are made, when
 * they were killed. What a trial works with that still runs stays.
 */
void jn_leftovers_clear(const char *cgroup, struct jn_leftovers *out);

#endif
