/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The target of a request, "/path?name=value&name": split and percent-decoded in place.
 */
#ifndef JUNCTOR_LOOP_HTTP_TARGET_H
#define JUNCTOR_LOOP_HTTP_TARGET_H

#include "base/error.h"
#include "loop/http_request.h"

/* target becomes the path. 0; -EINVAL with err; -ENOMEM. query points into target. */
int jn_target_split(char *target, struct jn_pairs *query, struct jn_error *err);

#endif
