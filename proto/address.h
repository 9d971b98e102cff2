/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses as text: "10.0.0.1", "2001:db8::1", "10.0.0.1:80", "[2001:db8::1]:80".
 */
#ifndef JUNCTOR_PROTO_ADDRESS_H
#define JUNCTOR_PROTO_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <junctor/abi.h>

#define JN_ADDR_TEXT_BYTES 46	  /* the longest IPv6 text and its closing 0 */
#define JN_ENDPOINT_TEXT_BYTES 56 /* "[…]:65535" and its closing 0 */

/*
 * Strict: exactly one IPv4 or IPv6 address, no zone, no leading zeros in IPv4 parts. An IPv4-mapped
 * IPv6 text (::ffff:1.2.3.4) is refused: it would be a second spelling of an IPv4 address.
 * Returns 0 or -EINVAL; *why then is static text that follows the address in a sentence: what is
 * wrong and what to do ("has a zone; give …").
 */
int jn_addr_parse(const char *text, struct jn_addr *out, const char **why);

/* "ip", "ip:port" or "[ip6]:port"; *port is 0 where none is given. Port 0 is refused. */
int jn_addr_parse_with_port(const char *text, struct jn_addr *out, uint16_t *port,
			    const char **why);

/* IPv4 as dotted quad, IPv6 as RFC 5952. Returns out. */
const char *jn_addr_format(const struct jn_addr *addr, char out[JN_ADDR_TEXT_BYTES]);

/* "ip:port" or "[ip6]:port"; port in host order. Returns out. */
const char *jn_endpoint_format(const struct jn_addr *addr, uint16_t port,
			       char out[JN_ENDPOINT_TEXT_BYTES]);

bool jn_addr_is_unspecified(const struct jn_addr *addr);
bool jn_addr_is_loopback(const struct jn_addr *addr);
/* Not unicast: multicast, 255.255.255.255, 240.0.0.0/4, or 0.0.0.0/8 beside 0.0.0.0 itself. */
bool jn_addr_is_not_unicast(const struct jn_addr *addr);
/* fe80::/10: means nothing without a zone. */
bool jn_addr_needs_zone(const struct jn_addr *addr);

/* Total order: bytes. */
int jn_addr_compare(const struct jn_addr *a, const struct jn_addr *b);

#endif
