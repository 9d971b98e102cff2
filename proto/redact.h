/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An object as it may be shown to strangers: what people put into it that junctor does not need.
 */
#ifndef JUNCTOR_PROTO_REDACT_H
#define JUNCTOR_PROTO_REDACT_H

#include "proto/json.h"
#include "proto/write.h"

#define JN_REDACTED "(redacted)"

/*
 * The same JSON, but for the values of annotations, and what follows a "?" in the path of a probe.
 * Applied, it serves as the original does.
 */
void jn_redact(const struct jn_json *value, struct jn_writer *out);

#endif
