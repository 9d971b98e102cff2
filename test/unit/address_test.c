/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Address texts: tables of what is taken and refused, random text against inet_pton, and every
 * question about an address against the C library's macros.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <junctor/decide/address.h>

#include "base/auto.h"
#include "proto/address.h"
#include "random.h"

static void test_one_spelling_comes_back(void **state)
{
	static const char *const cases[][2] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "2001:0db8::0001", "2001:db8::1" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
		{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:"
							     "ffff" },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		char text[JN_ADDR_TEXT_BYTES];
		struct jn_addr addr;
		const char *why;

		assert_int_equal(jn_addr_parse(cases[i][0], &addr, &why), 0);
		assert_string_equal(jn_addr_format(&addr, text), cases[i][1]);
	}
}

static void test_other_spellings_are_refused_with_a_reason(void **state)
{
	static const char *const cases[][2] = {
		{ "", "not an IP address" },
		{ "localhost", "not an IP address" },
		{ "10.0.0", "not an IP address" },
		{ "10.0.0.01", "not an IP address" },
		{ "10.0.0.256", "not an IP address" },
		{ "10.0.0.1 ", "not an IP address" },
		{ " 10.0.0.1", "not an IP address" },
		{ "0x0a.0.0.1", "not an IP address" },
		{ "10.0.0.1/24", "not an IP address" },
		{ "1::2::3", "not an IP address" },
		{ "12345::", "not an IP address" },
		{ "[::1]", "not an IP address" },
		{ "fe80::1%eth0", "zone" },
		{ "fe80::1%", "zone" },
		{ "10.0.0.1%eth0", "zone" },
		{ "::ffff:1.2.3.4", "IPv4 address written as IPv6" },
		{ "::FFFF:102:304", "IPv4 address written as IPv6" },
		{ "0:0:0:0:0:ffff:0:0", "IPv4 address written as IPv6" },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		struct jn_addr addr = { .w = { 1, 2, 3, 4 } }, before = addr;
		const char *why = NULL;

		assert_int_equal(jn_addr_parse(cases[i][0], &addr, &why), -EINVAL);
		assert_non_null(strstr(why, cases[i][1]));
		assert_memory_equal(&addr, &before, sizeof(addr));
	}
}

static void test_ports_behind_addresses(void **state)
{
	static const struct {
		const char *text;
		const char *back; /* NULL: refused */
	} cases[] = {
		{ "10.0.0.1:80", "10.0.0.1:80" },
		{ "10.0.0.1:65535", "10.0.0.1:65535" },
		{ "[2001:DB8::1]:8080", "[2001:db8::1]:8080" },
		{ "[::]:1", "[::]:1" },
		{ "10.0.0.1:0", NULL },
		{ "10.0.0.1:", NULL },
		{ "10.0.0.1:65536", NULL },
		{ "10.0.0.1:4294967376", NULL }, /* 80 + 2^32 */
		{ "10.0.0.1:080", NULL },
		{ "10.0.0.1:+80", NULL },
		{ "10.0.0.1:80 ", NULL },
		{ "10.0.0.1:http", NULL },
		{ ":80", NULL },
		{ "[::1]", NULL },
		{ "[::1]80", NULL },
		{ "[::1", NULL },
		{ "[::1]:", NULL },
		{ "[]:80", NULL },
		{ "[10.0.0.1]:80", NULL },
		{ "[fe80::1%eth0]:80", NULL },
		{ "[::ffff:1.2.3.4]:80", NULL },
		/* One byte more than the longest address, and a lot more. */
		{ "[0000:0000:0000:0000:0000:0000:255.255.255.255:]:80", NULL },
		{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", NULL },
		{ "", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(cases); i++) {
		char text[JN_ENDPOINT_TEXT_BYTES];
		const char *why = NULL;
		struct jn_addr addr;
		uint16_t port;
		int rc = jn_addr_parse_with_port(cases[i].text, &addr, &port, &why);

		assert_int_equal(rc, cases[i].back ? 0 : -EINVAL);
		if (cases[i].back)
			assert_string_equal(jn_endpoint_format(&addr, port, text), cases[i].back);
		else
			assert_non_null(strchr(why, ';')); /* what is wrong; what to do */
	}
}

static void test_without_a_port_the_address_stands_alone(void **state)
{
	struct jn_addr addr;
	const char *why;
	uint16_t port = 9;

	(void)state;
	assert_int_equal(jn_addr_parse_with_port("10.0.0.1", &addr, &port, &why), 0);
	assert_int_equal(port, 0);
	port = 9;
	assert_int_equal(jn_addr_parse_with_port("2001:db8::80", &addr, &port, &why), 0);
	assert_int_equal(port, 0);
}

/* The plain reference: what inet_pton takes, less the second spelling of IPv4. */
static bool reference_takes(const char *text, struct jn_addr *out)
{
	struct in6_addr v6;
	struct in_addr v4;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &v4) == 1) {
		out->w[2] = htonl(0xffff);
		out->w[3] = v4.s_addr;
		return true;
	}
	if (inet_pton(AF_INET6, text, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
		return false;
	memcpy(out, &v6, sizeof(*out));
	return true;
}

static void random_addr(struct jn_addr *addr)
{
	uint8_t *bytes = (uint8_t *)addr;

	for (unsigned i = 0; i < 16; i++)
		bytes[i] = random_below(3) ? (uint8_t)random_below(256) : 0;
	if (random_below(2))
		*addr = jn_addr_from_v4(addr->w[3]);
	else if (jn_addr_is_v4(addr))
		addr->w[0] = 1;
}

/* A few letters changed, dropped or doubled. */
static void mutate(char *text, size_t capacity)
{
	static const char letters[] = "0123456789abcdefF:.%[]/ x";

	for (unsigned n = random_below(4); n && *text; n--) {
		size_t size = strlen(text), at = random_below((uint32_t)size);

		switch (random_below(3)) {
		case 0:
			text[at] = letters[random_below(sizeof(letters) - 1)];
			break;
		case 1:
			memmove(text + at, text + at + 1, size - at);
			break;
		default:
			if (size + 1 < capacity)
				memmove(text + at + 1, text + at, size - at + 1);
		}
	}
}

static void test_random_text_is_judged_as_inet_pton_does(void **state)
{
	unsigned taken = 0, refused = 0;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char text[80], shown[JN_ADDR_TEXT_BYTES];
		struct jn_addr addr, expected;
		const char *why;
		bool is_taken;

		random_addr(&addr);
		(void)snprintf(text, sizeof(text), "%s%s",
			       random_below(50) ? "" : "::ffff:", jn_addr_format(&addr, shown));
		mutate(text, sizeof(text));
		is_taken = reference_takes(text, &expected);
		assert_int_equal(jn_addr_parse(text, &addr, &why), is_taken ? 0 : -EINVAL);
		if (is_taken)
			assert_memory_equal(&addr, &expected, sizeof(addr));
		*(is_taken ? &taken : &refused) += 1;
	}
	assert_true(taken > 50000 && refused > 50000); /* both sides were tried */
}

static void test_every_address_and_port_comes_back(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100000; i++) {
		uint16_t port = (uint16_t)(1 + random_below(65535)), back_port;
		char text[JN_ENDPOINT_TEXT_BYTES];
		struct jn_addr addr, back;
		const char *why;

		random_addr(&addr);
		assert_int_equal(jn_addr_parse(jn_addr_format(&addr, text), &back, &why), 0);
		assert_int_equal(jn_addr_compare(&addr, &back), 0);
		assert_int_equal(jn_addr_parse_with_port(jn_endpoint_format(&addr, port, text),
							 &back, &back_port, &why),
				 0);
		assert_int_equal(jn_addr_compare(&addr, &back), 0);
		assert_int_equal(back_port, port);
	}
}

/* The longest texts fit their buffers: under AddressSanitizer this would not pass otherwise. */
static void test_the_longest_text_fits(void **state)
{
	char text[JN_ENDPOINT_TEXT_BYTES];
	struct jn_addr addr;

	(void)state;
	memset(&addr, 0xff, sizeof(addr));
	assert_string_equal(jn_endpoint_format(&addr, 65535, text), "[ffff:ffff:ffff:ffff:ffff:"
								    "ffff:ffff:ffff]:65535");
}

static void check_questions(const struct jn_addr *addr)
{
	struct in6_addr v6;
	uint32_t v4 = ntohl(addr->w[3]);

	memcpy(&v6, addr, sizeof(v6));
	if (IN6_IS_ADDR_V4MAPPED(&v6)) {
		assert_int_equal(jn_addr_is_unspecified(addr), v4 == INADDR_ANY);
		assert_int_equal(jn_addr_is_loopback(addr), v4 >> 24 == 127);
		assert_int_equal(jn_addr_is_not_unicast(addr),
				 IN_MULTICAST(v4) || IN_BADCLASS(v4) || IN_EXPERIMENTAL(v4) ||
					 (v4 >> 24 == 0 && v4));
		assert_false(jn_addr_needs_zone(addr));
		return;
	}
	assert_int_equal(jn_addr_is_unspecified(addr), IN6_IS_ADDR_UNSPECIFIED(&v6) != 0);
	assert_int_equal(jn_addr_is_loopback(addr), IN6_IS_ADDR_LOOPBACK(&v6) != 0);
	assert_int_equal(jn_addr_is_not_unicast(addr), IN6_IS_ADDR_MULTICAST(&v6) != 0);
	assert_int_equal(jn_addr_needs_zone(addr), IN6_IS_ADDR_LINKLOCAL(&v6) != 0);
}

static void test_questions_about_addresses(void **state)
{
	static const char *const edges[] = {
		"0.0.0.0",
		"0.0.0.1",
		"0.255.255.255",
		"1.0.0.0",
		"126.255.255.255",
		"127.0.0.0",
		"127.0.0.1",
		"127.255.255.255",
		"128.0.0.0",
		"169.254.0.1",
		"223.255.255.255",
		"224.0.0.0",
		"239.255.255.255",
		"240.0.0.0",
		"255.255.255.254",
		"255.255.255.255",
		"::",
		"::1",
		"::2",
		"1::1",
		"fe7f:ffff::",
		"fe80::",
		"febf:ffff::1",
		"fec0::",
		"feff::1",
		"ff00::",
		"ff02::1",
		"fd00::1",
	};
	struct jn_addr addr;
	const char *why;

	(void)state;
	for (unsigned i = 0; i < JN_COUNT(edges); i++) {
		assert_int_equal(jn_addr_parse(edges[i], &addr, &why), 0);
		check_questions(&addr);
	}
	for (unsigned i = 0; i < 100000; i++) {
		random_addr(&addr);
		if (random_below(2))
			((uint8_t *)&addr)[jn_addr_is_v4(&addr) ? 12 : 0] =
				(uint8_t)(random_below(2) ? 0xfc + random_below(4) : 0);
		check_questions(&addr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_spelling_comes_back),
		cmocka_unit_test(test_other_spellings_are_refused_with_a_reason),
		cmocka_unit_test(test_ports_behind_addresses),
		cmocka_unit_test(test_without_a_port_the_address_stands_alone),
		cmocka_unit_test(test_random_text_is_judged_as_inet_pton_does),
		cmocka_unit_test(test_every_address_and_port_comes_back),
		cmocka_unit_test(test_the_longest_text_fits),
		cmocka_unit_test(test_questions_about_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
