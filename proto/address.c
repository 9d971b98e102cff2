/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses <-> text, over inet_pton, which is strict already; what it accepts beyond one spelling
 * per address is refused here. Knows no names, no interfaces and no lookups.
 */
#include "proto/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <junctor/decide/address.h>

static uint8_t byte_of(const struct jn_addr *addr, unsigned index)
{
	return ((const uint8_t *)addr)[index];
}

static int refuse(const char **why, const char *reason)
{
	*why = reason;
	return -EINVAL;
}

int jn_addr_parse(const char *text, struct jn_addr *out, const char **why)
{
	struct jn_addr addr;
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = jn_addr_from_v4(v4.s_addr);
		return 0;
	}
	if (strchr(text, '%'))
		return refuse(why, "has a zone; give an address that needs none");
	if (inet_pton(AF_INET6, text, &addr) != 1)
		return refuse(why, "is not an IP address; give one like 10.0.0.1 or 2001:db8::1");
	if (jn_addr_is_v4(&addr))
		return refuse(why, "is an IPv4 address written as IPv6; write it as IPv4");
	*out = addr;
	return 0;
}

static int parse_port(const char *text, uint16_t *out, const char **why)
{
	unsigned number = 0;
	const char *p = text;

	while (*p >= '0' && *p <= '9' && number <= UINT16_MAX)
		number = number * 10 + (unsigned)(*p++ - '0');
	if (*p || p == text || *text == '0' || number > UINT16_MAX)
		return refuse(why, "has a port that is not a number 1..65535; correct the port");
	*out = (uint16_t)number;
	return 0;
}

int jn_addr_parse_with_port(const char *text, struct jn_addr *out, uint16_t *port, const char **why)
{
	bool is_bracketed = *text == '[';
	const char *begin = text + is_bracketed, *end;
	char alone[JN_ADDR_TEXT_BYTES];
	struct jn_addr addr;
	uint16_t number;

	end = is_bracketed ? strchr(text, ']') : strchr(text, ':');
	if (!end || (!is_bracketed && strchr(end + 1, ':'))) {
		if (jn_addr_parse(text, out, why))
			return -EINVAL;
		*port = 0;
		return 0;
	}
	if ((size_t)(end - begin) >= sizeof(alone))
		return refuse(why, "is longer than an address can be; give ip:port or [ip6]:port");
	memcpy(alone, begin, (size_t)(end - begin));
	alone[end - begin] = '\0';
	if (jn_addr_parse(alone, &addr, why))
		return -EINVAL;
	if (is_bracketed && (jn_addr_is_v4(&addr) || end[1] != ':'))
		return refuse(why, "has brackets that are not [ip6]:port; write it like that, or "
				   "without brackets");
	if (parse_port(end + 1 + is_bracketed, &number, why))
		return -EINVAL;
	*out = addr;
	*port = number;
	return 0;
}

static char *put_number(char *out, unsigned number)
{
	char digits[10];
	unsigned count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count)
		*out++ = digits[--count];
	return out;
}

/* By hand, as this is written a hundred thousand times when everything is stored. */
static char *put_v4(char *out, const struct jn_addr *addr)
{
	for (unsigned i = 12; i < 16; i++) {
		out = put_number(out, byte_of(addr, i));
		*out++ = '.';
	}
	return out - 1; /* over the last dot */
}

static char *put_addr(char *out, const struct jn_addr *addr)
{
	if (jn_addr_is_v4(addr))
		return put_v4(out, addr);
	(void)inet_ntop(AF_INET6, addr, out, JN_ADDR_TEXT_BYTES); /* the longest text fits */
	return out + strlen(out);
}

/* inet_ntop gives the shortest form of RFC 5952. */
const char *jn_addr_format(const struct jn_addr *addr, char out[JN_ADDR_TEXT_BYTES])
{
	*put_addr(out, addr) = '\0';
	return out;
}

const char *jn_endpoint_format(const struct jn_addr *addr, uint16_t port,
			       char out[JN_ENDPOINT_TEXT_BYTES])
{
	bool is_v4 = jn_addr_is_v4(addr);
	char *at = out;

	if (!is_v4)
		*at++ = '[';
	at = put_addr(at, addr);
	if (!is_v4)
		*at++ = ']';
	*at++ = ':';
	*put_number(at, port) = '\0';
	return out;
}

bool jn_addr_is_unspecified(const struct jn_addr *addr)
{
	if (jn_addr_is_v4(addr))
		return !addr->w[3];
	return !addr->w[0] && !addr->w[1] && !addr->w[2] && !addr->w[3];
}

bool jn_addr_is_loopback(const struct jn_addr *addr)
{
	if (jn_addr_is_v4(addr))
		return byte_of(addr, 12) == 127;
	return !addr->w[0] && !addr->w[1] && !addr->w[2] && addr->w[3] == htonl(1);
}

bool jn_addr_is_not_unicast(const struct jn_addr *addr)
{
	uint8_t first = byte_of(addr, 12);

	if (!jn_addr_is_v4(addr))
		return byte_of(addr, 0) == 0xff;
	return first >= 224 || (!first && addr->w[3]);
}

bool jn_addr_needs_zone(const struct jn_addr *addr)
{
	return byte_of(addr, 0) == 0xfe && (byte_of(addr, 1) & 0xc0) == 0x80;
}

int jn_addr_compare(const struct jn_addr *a, const struct jn_addr *b)
{
	return memcmp(a, b, sizeof(*a));
}
