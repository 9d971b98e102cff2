/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kubernetes' own kinds -> what stands beside their metadata. For encode.c only.
 */
#ifndef JUNCTOR_PROTO_ENCODE_CLUSTER_H
#define JUNCTOR_PROTO_ENCODE_CLUSTER_H

#include "proto/object.h"
#include "proto/write.h"

/* The fields of a Service's spec. */
void jn_encode_cluster(struct jn_writer *w, const struct jn_cluster_service *s);
/*
 * addressType, ports, endpoints. is_whole: with conditions that are as they are where none is given;
 * without them a slice takes little more than half the room.
 */
void jn_encode_slice(struct jn_writer *w, const struct jn_endpoint_slice *s, bool is_whole);

#endif
