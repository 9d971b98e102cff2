/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A refusal as the control socket answers it: a Kubernetes Status object.
 */
#ifndef JUNCTOR_PROTO_STATUS_H
#define JUNCTOR_PROTO_STATUS_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * The HTTP status code of an error: 400, 403, 404, 405, 408, 409, 413, 422, 429, 431, 503, 507,
 * 500.
 */
int jn_status_code(enum jn_error_kind kind);

/* kind and name (may be NULL) go into details. */
void jn_status_encode(struct jn_error *err, const char *kind, const char *name,
		      struct jn_buffer *out);

#endif
