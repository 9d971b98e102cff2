/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two messages of grpc.health.v1.Health/Check, in protobuf's wire format, each behind gRPC's
 * prefix of five bytes. Pure.
 */
#ifndef JUNCTOR_PROBE_HEALTH_MESSAGE_H
#define JUNCTOR_PROBE_HEALTH_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#include <junctor/limits.h>

#define JN_GRPC_PREFIX_BYTES 5
#define JN_HEALTH_REQUEST_BYTES (JN_GRPC_PREFIX_BYTES + 3 + JN_MAX_PROBE_TEXT)

/* HealthCheckResponse.ServingStatus */
#define JN_HEALTH_UNKNOWN 0
#define JN_HEALTH_SERVING 1
#define JN_HEALTH_NOT_SERVING 2
#define JN_HEALTH_SERVICE_UNKNOWN 3

/* HealthCheckRequest { service = 1 }. How many bytes. */
size_t jn_health_request_write(const char *service, uint8_t out[JN_HEALTH_REQUEST_BYTES]);

/*
 * HealthCheckResponse { status = 1 }: 0 with *out, whatever other fields there are; -EBADMSG: this is
 * none, it is compressed, or it is not whole.
 */
int jn_health_response_read(const uint8_t *data, size_t size, uint64_t *out);

#endif
