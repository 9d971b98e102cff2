/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Do the hooks work? A round of canaries every ten seconds, and what stands at the cgroup; what is
 * wrong as sentences with their remedy. Hooks are not repaired. And do the tables hold what was
 * declared? That is compared once a minute, and repaired.
 */
#ifndef JUNCTOR_DAEMON_HEALTH_H
#define JUNCTOR_DAEMON_HEALTH_H

#include <stdbool.h>

#include "api/api.h"

struct jn_datapath;
struct jn_engine;
struct jn_health;
struct jn_loop;

struct jn_health_options {
	struct jn_loop *loop;
	struct jn_engine *engine;
	struct jn_datapath *datapath;
	bool is_whole_wanted; /* no --cgroup: the hierarchy's root is meant, not a part of it */
};

/* The hooks are attached: the first round begins at once. -ENOMEM. */
int jn_health_open(const struct jn_health_options *options, struct jn_health **out);
/* closed(arg) once the round under way has ended. *health is NULL at once. */
void jn_health_close(struct jn_health **health, void (*closed)(void *arg), void *arg);

/* Valid until the next turn of the loop. */
void jn_health_show(const struct jn_health *health, struct jn_api_health *out);

#endif
