/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which guard routes the engine sets; over tables and routes in memory.
 */
#include "engine_harness.h"

#include <junctor/decide/address.h>

static int guards_setup(void **state)
{
	(void)engine_setup(state);
	tables_watch = NULL; /* what a connect sees is engine_test.c's business */
	tables_socket_count = tables_route_count = 0;
	tables_route_rc = 0;
	return 0;
}

static void assert_routes(unsigned first, unsigned count)
{
	assert_int_equal(tables_route_count, count);
	assert_int_equal(jn_engine_guard_routes(engine), count);
	for (unsigned vip = first; vip < first + count; vip++) {
		struct jn_frontend_key key = vip_key(vip);

		assert_true(tables_find_route(&key.vip) < tables_route_count);
	}
}

static void test_routes_follow_the_addresses(void **state)
{
	struct jn_write *w;

	(void)state;
	declare(V1 "," V2, B(1));
	tables_routes[tables_route_count++] = jn_addr_from_v4(1); /* of an earlier run */
	start();
	assert_routes(0, 2);
	declare(V2 "," V3, B(1));
	assert_routes(1, 2);
	w = new_write();
	add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
	add_service(w, "other", V2, B(1));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_routes(1, 1);
}

static void test_routes_that_cannot_be_set_are_tried_with_the_next_change(void **state)
{
	(void)state;
	start();
	tables_route_rc = -EPERM;
	declare(V1, B(1));
	assert_routes(0, 0);
	tables_route_rc = 0;
	declare(V1 "," V2, B(1));
	assert_routes(0, 2);
}

/* It was taken for an address that is the node's own, and never tried again. */
static void test_a_port_id_in_use_is_no_address_in_use(void **state)
{
	struct jn_write *w;

	(void)state;
	start();
	tables_route_rc = -EADDRINUSE;
	declare(V1, B(1));
	assert_routes(0, 0);
	tables_route_rc = 0;
	w = new_write();
	add_service(w, "other", V2, B(1));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_routes(0, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guards_setup, engine_teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_routes_follow_the_addresses),
		TEST(test_routes_that_cannot_be_set_are_tried_with_the_next_change),
		TEST(test_a_port_id_in_use_is_no_address_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
