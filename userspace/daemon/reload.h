/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration, read again while junctord runs (SIGHUP). The log level, the access rules and
 * which gid the control group has change at once; what else differs takes a restart, is said, and
 * stays. A configuration that is not valid changes nothing.
 */
#ifndef JUNCTOR_DAEMON_RELOAD_H
#define JUNCTOR_DAEMON_RELOAD_H

#include <stddef.h>

#include "daemon/options.h"

struct jn_api;

struct jn_reload {
	struct jn_options
		*options; /* of this run: its flags go on winning, what is live is replaced */
	struct {
		char **items;
		size_t count, capacity;
	} sentences; /* what is not as the configuration says, since it was read last */
};

/* Whom these settings, and the control group as it is now, give which role. */
struct jn_access jn_reload_access(const struct jn_settings *settings);
/* Says in the log what it did. The rules of the api are those of the settings afterwards. */
void jn_reload_run(struct jn_reload *reload, struct jn_api *api);
/* For jn_api_options.degraded: the at-th sentence, or NULL. */
const char *jn_reload_degraded(void *reload, size_t at);
void jn_reload_done(struct jn_reload *reload);

#endif
