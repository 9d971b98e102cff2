/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel lacks of what junctord can do without, tried once, when it has started: by this
 * process, as a sandbox may take away what the kernel gives. What is lacking goes to the log, too.
 */
#ifndef JUNCTOR_DAEMON_FEATURES_H
#define JUNCTOR_DAEMON_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

#include "api/api.h"
#include "doctor/doctor.h"

struct jn_loop;

struct jn_features {
	bool is_known;
	struct jn_feature items[JN_FEATURE_COUNT];
};

/* On a worker; features stays where it is until the loop has ended. Out of memory: none is known. */
void jn_features_start(struct jn_loop *loop, struct jn_features *features);

/* For jn_api_options: arg is a struct jn_features. */
bool jn_features_show(void *arg, size_t at, struct jn_api_feature *out);

#endif
