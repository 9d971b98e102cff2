/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Children that are born in another cgroup, or are not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "canary/canary.h"

static unsigned stray_closes; /* of what was not open: in another moment it is somebody else's */

/* In the place of the C library's. */
int close(int fd)
{
	int rc = (int)syscall(SYS_close, fd);

	stray_closes += rc && errno == EBADF;
	return rc;
}

static int do_nothing(void *arg)
{
	(void)arg;
	return 0;
}

/*
 * The kernel tells the number of the child's pidfd before it refuses the child, and takes it back:
 * junctord closed it, which by then could be the connection of a client, who waited for ever.
 */
static void test_a_child_that_is_not_born_costs_nobody_a_descriptor(void **state)
{
	JN_AUTO(jn_close_fd) int no_cgroup = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(no_cgroup >= 0);
	assert_int_equal(jn_canary_be_there(no_cgroup, do_nothing, NULL), -EBADF);
	assert_int_equal(stray_closes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_child_that_is_not_born_costs_nobody_a_descriptor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
