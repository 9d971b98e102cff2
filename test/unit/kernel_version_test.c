/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernels that are told by their version, as to try would be to crash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/auto.h"
#include "datapath/kernel_version.h"

static void test_broken_tcp_iterators_are_known(void **state)
{
	static const struct {
		const char *release;
		bool is_sound;
	} cases[] = {
		{ "6.1.0-48-amd64", true },
		{ "6.16.12", true },
		{ "6.17", false },
		{ "6.17.0-14-generic", false },
		{ "6.18.0", false },
		{ "6.18.41", false },
		{ "6.18.42", true },
		{ "6.18.44-fc-v669", true },
		{ "6.18.100", true },
		{ "6.19.0", false },
		{ "7.0.9", false },
		{ "7.1.5", false },
		{ "7.1.6", true },
		{ "7.2.0-rc4+", true },
		{ "8.0", true },
		{ "6", false },
		{ "", false },
		{ "x.y.z", false },
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(cases); i++) {
		if (jn_kernel_has_sound_tcp_iterator(cases[i].release) != cases[i].is_sound)
			fail_msg("%s", cases[i].release);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_tcp_iterators_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
