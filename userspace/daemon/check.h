/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * `junctord --check`, when the configuration itself can be read: what else a start would refuse.
 */
#ifndef JUNCTOR_DAEMON_CHECK_H
#define JUNCTOR_DAEMON_CHECK_H

#include "daemon/options.h"

/*
 * Paths that cannot be used, and files of the services folder that cannot be taken. Nothing is made
 * or opened for good, and a junctord that runs is no fault. options are complete. 0, or -EINVAL with
 * a cause in err for each fault; its field is the place: "file:line", "--flag" or a key.
 */
int jn_check(const struct jn_options *options, struct jn_error *err);

#endif
