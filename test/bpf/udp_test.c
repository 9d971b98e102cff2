/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unconnected UDP sockets, known by their cookies: which endpoint they stay with, and who their
 * replies are named after.
 */
#include "decide_bed.h"

#define SERVICE 7
#define SET 3
#define VIP "10.96.0.53"

static const struct jn_frontend frontend = { .service = SERVICE, .set = SET };

/* Two endpoints in turn: 10.1.0.1, 10.1.0.2. */
static int publish_two(void **state)
{
	(void)state;
	put_endpoint(1, SERVICE, "10.1.0.1", 1);
	put_endpoint(2, SERVICE, "10.1.0.2", 1);
	put_slot(0, (struct jn_slot){ .endpoint = 1 });
	put_slot(1, (struct jn_slot){ .endpoint = 2 });
	put_revision(1, (struct jn_revision){ .number = 1,
					      .slot_count = 2,
					      .algorithm = JN_ALGORITHM_ROUND_ROBIN });
	put_set(SET, 1, 1);
	return 0;
}

static struct test_choose send_to(const char *vip, uint64_t cookie)
{
	struct test_choose io = { .frontend = frontend,
				  .key = key_of(vip, 53, IPPROTO_UDP),
				  .reach = TEST_REACH_V4,
				  .cookie = cookie };

	DOOR(test_udp_choose, &io);
	return io;
}

static void assert_named(uint64_t cookie, const char *source, const char *name)
{
	struct jn_addr wanted = addr_of(name ? name : source);
	struct test_name io = { .cookie = cookie, .addr = addr_of(source), .port = htons(8080) };

	DOOR(test_udp_name, &io);
	assert_int_equal(io.is_named, name != NULL);
	assert_memory_equal(&io.addr, &wanted, sizeof(wanted));
	assert_int_equal(io.port, name ? htons(53) : htons(8080));
}

static void test_a_socket_stays_with_its_endpoint(void **state)
{
	uint32_t first = send_to(VIP, 100).endpoint, second = send_to(VIP, 101).endpoint;

	(void)state;
	assert_int_not_equal(first, second);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(send_to(VIP, 100).endpoint, first);
		assert_int_equal(send_to(VIP, 101).endpoint, second);
	}
}

static void test_an_endpoint_without_weight_is_left(void **state)
{
	uint32_t first = send_to(VIP, 110).endpoint;

	(void)state;
	put_endpoint(first, SERVICE, "10.1.0.1", 0);
	put_slot(0, (struct jn_slot){ .endpoint = 3 - first });
	put_slot(1, (struct jn_slot){ .endpoint = 3 - first });
	assert_int_equal(send_to(VIP, 110).endpoint, 3 - first);
	put_endpoint(first, SERVICE, "10.1.0.1", 1);
	assert_int_equal(send_to(VIP, 110).endpoint, 3 - first); /* it stays with the new one */
}

/* As a probe says; entry 1 of jn_live is endpoint 1's, 2 is 2's. */
static void put_down(uint32_t live, bool is_down)
{
	struct jn_live value = { .is_down = is_down };

	PUT(jn_live, &live, &value);
}

static int publish_two_probed(void **state)
{
	(void)publish_two(state);
	for (uint32_t id = 1; id <= 2; id++) {
		struct jn_endpoint endpoint = { .addr = addr_of(id == 1 ? "10.1.0.1" : "10.1.0.2"),
						.port = htons(8080),
						.weight = 1,
						.service = SERVICE,
						.live = id };

		PUT(jn_endpoints, &id, &endpoint);
		put_down(id, false);
	}
	/* Three turns, so that the eight draws of a choice do not end where they began. */
	put_slot(2, (struct jn_slot){ .endpoint = 1 });
	put_revision(1, (struct jn_revision){ .number = 1,
					      .slot_count = 3,
					      .flags = JN_REVISION_ASKS_BACKEND,
					      .algorithm = JN_ALGORITHM_ROUND_ROBIN,
					      .rules = { .is_probed = 1 },
					      .member_count = 2 });
	return 0;
}

static void test_an_endpoint_that_is_down_is_left(void **state)
{
	uint32_t first = send_to(VIP, 160).endpoint;

	(void)state;
	put_down(first, true);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(send_to(VIP, 160).endpoint, 3 - first);
		assert_int_equal(send_to(VIP, 1600 + i).endpoint, 3 - first); /* new ones */
	}
	put_down(first, false);
	assert_int_equal(send_to(VIP, 160).endpoint, 3 - first); /* it stays with the new one */
}

/* Better than to go from one to the other with every datagram. */
static void test_where_all_are_down_a_socket_stays(void **state)
{
	uint32_t first = send_to(VIP, 170).endpoint;

	(void)state;
	put_down(1, true);
	put_down(2, true);
	for (unsigned i = 0; i < 10; i++) {
		struct test_choose io = send_to(VIP, 170);

		assert_int_equal(io.reason, JN_REASON_OK);
		assert_int_equal(io.endpoint, first);
		assert_backend(&io, first == 1 ? "10.1.0.1" : "10.1.0.2");
		assert_int_equal(send_to(VIP, 1700 + i).reason, JN_REASON_OK); /* not nobody */
	}
	put_down(3 - first, false);
	assert_int_equal(send_to(VIP, 170).endpoint, 3 - first);
}

/* It stayed for ever: that the choice asks for the client was taken for "there is no other one". */
static void test_an_endpoint_that_is_down_is_left_where_the_client_counts(void **state)
{
	uint32_t first = send_to(VIP, 180).endpoint;
	struct test_choose io = { .frontend = frontend,
				  .key = key_of(VIP, 53, IPPROTO_UDP),
				  .reach = TEST_REACH_V4,
				  .hides_client = true,
				  .cookie = 180 };

	(void)state;
	put_revision(1, (struct jn_revision){ .number = 1,
					      .slot_count = 3,
					      .flags = JN_REVISION_ASKS_BACKEND |
						       JN_REVISION_ASKS_CLIENT,
					      .algorithm = JN_ALGORITHM_ROUND_ROBIN,
					      .rules = { .is_probed = 1, .affinity_seconds = 100 },
					      .member_count = 2 });
	put_down(first, true);
	DOOR(test_udp_choose, &io);
	assert_int_equal(io.reason, JN_REASON_MAX); /* JN_ASKS_CLIENT: fill it in and ask again */
	assert_int_equal(send_to(VIP, 180).endpoint, 3 - first);
}

static void test_an_endpoint_of_another_service_is_left(void **state)
{
	uint32_t first = send_to(VIP, 120).endpoint;

	(void)state;
	put_slot(0, (struct jn_slot){ .endpoint = 3 - first });
	put_slot(1, (struct jn_slot){ .endpoint = 3 - first });
	put_endpoint(first, SERVICE + 1, "10.9.0.9", 1);
	assert_int_equal(send_to(VIP, 120).endpoint, 3 - first);
	put_endpoint(first, 0, "10.9.0.9", 0);
	assert_int_equal(send_to(VIP, 120).endpoint, 3 - first);
}

static void test_a_refusal_is_handed_on(void **state)
{
	(void)state;
	put_set(SET, 1, 2);
	assert_int_equal(send_to(VIP, 130).reason, JN_REASON_TABLE_DAMAGED);
	assert_named(130, "10.1.0.1", NULL);
}

static void test_replies_are_named_after_the_vip(void **state)
{
	struct test_choose io = send_to(VIP, 140);
	const char *source = io.endpoint == 1 ? "10.1.0.1" : "10.1.0.2";

	(void)state;
	assert_backend(&io, source);
	assert_named(140, source, VIP);
	assert_named(141, source, NULL);     /* another socket */
	assert_named(140, "10.1.0.9", NULL); /* somebody else */
}

/* Stated, not hidden: one name for one backend, the one asked last. */
static void test_two_vips_with_one_backend(void **state)
{
	(void)state;
	put_slot(1, (struct jn_slot){ .endpoint = 1 });
	(void)send_to(VIP, 150);
	assert_named(150, "10.1.0.1", VIP);
	(void)send_to("10.96.0.54", 150);
	assert_named(150, "10.1.0.1", "10.96.0.54");
	(void)send_to(VIP, 150);
	assert_named(150, "10.1.0.1", VIP);
}

/* More sockets than the tables hold: the oldest are forgotten, none is refused. */
static void test_more_sockets_than_entries(void **state)
{
	(void)state;
	for (uint64_t cookie = 1000; cookie < 1000 + 2 * (uint64_t)JN_MAX_UDP_SOCKETS; cookie++)
		assert_int_equal(send_to(VIP, cookie).reason, JN_REASON_OK);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_socket_stays_with_its_endpoint, publish_two),
		cmocka_unit_test_setup(test_an_endpoint_without_weight_is_left, publish_two),
		cmocka_unit_test_setup(test_an_endpoint_that_is_down_is_left, publish_two_probed),
		cmocka_unit_test_setup(test_where_all_are_down_a_socket_stays, publish_two_probed),
		cmocka_unit_test_setup(test_an_endpoint_that_is_down_is_left_where_the_client_counts,
				       publish_two_probed),
		cmocka_unit_test_setup(test_an_endpoint_of_another_service_is_left, publish_two),
		cmocka_unit_test_setup(test_a_refusal_is_handed_on, publish_two),
		cmocka_unit_test_setup(test_replies_are_named_after_the_vip, publish_two),
		cmocka_unit_test_setup(test_two_vips_with_one_backend, publish_two),
		cmocka_unit_test_setup(test_more_sockets_than_entries, publish_two),
	};

	return cmocka_run_group_tests(tests, load_doors, unload_doors);
}
