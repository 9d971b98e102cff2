/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files of this room share; nobody else includes it.
 */
#ifndef JUNCTOR_OFFLINE_INTERNAL_H
#define JUNCTOR_OFFLINE_INTERNAL_H

#include <junctor/trace.h>

#include "datapath/datapath.h"
#include "offline/offline.h"
#include "proto/write.h"

/* names.c: in a damaged table the texts of a name may have no end; afterwards they have. */
void jn_offline_end_name(struct jn_name *name);
/* "LocalService default/web:http", or "service 7" where it has no name. */
void jn_offline_add_service(struct jn_datapath *dp, uint32_t service, struct jn_buffer *out);
/* "127.0.0.1:8081", or "endpoint 7" where it is none any more. */
void jn_offline_add_endpoint(const struct jn_datapath *dp, uint32_t id, struct jn_buffer *out);
/* canary.c: do junctord's own canaries use it, which nobody declared? A set, as far as it shows: by
 * the endpoint that it leads to. */
bool jn_offline_is_canary(const struct jn_datapath *dp, uint32_t set);
const char *jn_offline_algorithm(unsigned algorithm);
/* "ASKS_BACKEND" and the like in words, ", " between them. */
void jn_offline_add_flags(unsigned flags, struct jn_buffer *out);
const char *jn_offline_reason(unsigned reason);
const char *jn_offline_meaning(unsigned reason);
/* "ECONNREFUSED"; "?": in a damaged table any number may stand. */
const char *jn_offline_errno(int error);

/* steps.c: one sentence of what the decision did there. */
void jn_offline_add_step(struct jn_datapath *dp, const struct jn_trace *trace, unsigned step,
			 struct jn_buffer *out);
const char *jn_offline_step_name(unsigned kind);

#endif
