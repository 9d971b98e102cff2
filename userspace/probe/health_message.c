/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two messages of one field each are not worth a protobuf library.
 */
#include "probe/health_message.h"

#include <errno.h>
#include <string.h>

#define MAX_VARINT_BYTES 10
#define FIELD_SERVICE 0x0a /* field 1, a length and so many bytes */
#define FIELD_STATUS 1

enum wire_type { WIRE_VARINT, WIRE_EIGHT, WIRE_BYTES, WIRE_FOUR = 5 };

size_t jn_health_request_write(const char *service, uint8_t out[JN_HEALTH_REQUEST_BYTES])
{
	size_t length = strlen(service), at = JN_GRPC_PREFIX_BYTES;

	if (length) {
		out[at++] = FIELD_SERVICE;
		if (length > 127)
			out[at++] = (uint8_t)(length & 127) | 128;
		out[at++] = (uint8_t)(length > 127 ? length >> 7 : length);
		memcpy(out + at, service, length);
		at += length;
	}
	memset(out, 0, JN_GRPC_PREFIX_BYTES); /* not compressed; so many bytes: */
	out[3] = (uint8_t)((at - JN_GRPC_PREFIX_BYTES) >> 8);
	out[4] = (uint8_t)(at - JN_GRPC_PREFIX_BYTES);
	return at;
}

struct reader {
	const uint8_t *at, *end;
};

static int read_varint(struct reader *r, uint64_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < MAX_VARINT_BYTES && r->at < r->end; i++) {
		uint8_t byte = *r->at++;

		*out |= (uint64_t)(byte & 127) << (7 * i);
		if (!(byte & 128))
			return 0;
	}
	return -EBADMSG;
}

static int skip_bytes(struct reader *r, uint64_t count)
{
	if (count > (uint64_t)(r->end - r->at))
		return -EBADMSG;
	r->at += count;
	return 0;
}

static int skip_field(struct reader *r, uint64_t type)
{
	uint64_t length = 0;

	switch (type) {
	case WIRE_VARINT:
		return read_varint(r, &length);
	case WIRE_EIGHT:
		return skip_bytes(r, 8);
	case WIRE_FOUR:
		return skip_bytes(r, 4);
	case WIRE_BYTES:
		return read_varint(r, &length) ? -EBADMSG : skip_bytes(r, length);
	default:
		return -EBADMSG;
	}
}

int jn_health_response_read(const uint8_t *data, size_t size, uint64_t *out)
{
	struct reader r = { data + JN_GRPC_PREFIX_BYTES, data + size };
	uint64_t status = JN_HEALTH_UNKNOWN, key;
	int rc = 0;

	if (size < JN_GRPC_PREFIX_BYTES || data[0])
		return -EBADMSG;
	if (((size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4]) !=
	    size - JN_GRPC_PREFIX_BYTES)
		return -EBADMSG;
	while (!rc && r.at < r.end) {
		rc = read_varint(&r, &key);
		if (!rc && key == (FIELD_STATUS << 3 | WIRE_VARINT))
			rc = read_varint(&r, &status);
		else if (!rc)
			rc = skip_field(&r, key & 7);
	}
	if (!rc)
		*out = status;
	return rc;
}
