/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the backends of one LocalService owe its addresses and each other. Faults are reported
 * below the decoder's present path, which is that of the spec. A backend whose address is all zero
 * was faulty itself and is left out. For proto only.
 */
#ifndef JUNCTOR_PROTO_SERVICE_CHECK_H
#define JUNCTOR_PROTO_SERVICE_CHECK_H

#include "proto/field.h"

/* IPv4 addresses reach IPv4 backends only. Every address must be right. */
void jn_service_check_families(struct jn_decoder *d, const struct jn_local_service *s);

/* No two backends are the same endpoint of one port. Every port must be right. */
void jn_service_check_duplicates(struct jn_decoder *d, const struct jn_local_service *s);

#endif
