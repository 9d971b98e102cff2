/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a service address to a backend, step by step, by the kernel's own functions: what is found,
 * what is chosen how often, and what happens where the tables do not fit together.
 */
#include <pthread.h>

#include "decide_bed.h"
#include "model/slots.h"

/* Service 7 behind set 3: its published revision is 5, number 9, slots 100.. */
#define SERVICE 7
#define SET 3
#define REVISION 5
#define NUMBER 9
#define BASE 100

static const struct jn_frontend frontend = { .service = SERVICE, .set = SET };

static void publish(enum jn_algorithm algorithm, uint32_t slot_count)
{
	put_revision(REVISION, (struct jn_revision){ .number = NUMBER,
						     .slot_base = BASE,
						     .slot_count = slot_count,
						     .no_endpoint_errno = EHOSTUNREACH,
						     .algorithm = (uint8_t)algorithm });
	put_set(SET, REVISION, NUMBER);
}

/* One endpoint, 10.1.0.1, in one slot. */
static int publish_one(void **state)
{
	(void)state;
	put_endpoint(1, SERVICE, "10.1.0.1", 1);
	put_slot(BASE, (struct jn_slot){ .endpoint = 1 });
	publish(JN_ALGORITHM_RANDOM, 1);
	return 0;
}

/* Endpoints 1..count with these weights, in the slots that the controller would write. */
static size_t publish_weighted(enum jn_algorithm algorithm, const uint16_t *weights, size_t count)
{
	struct jn_weighted items[16];
	struct jn_slot_list slots = { 0 };
	size_t slot_count;

	assert_true(count <= 16);
	for (uint32_t i = 0; i < count; i++) {
		items[i] = (struct jn_weighted){ .endpoint = i + 1, .weight = weights[i] };
		put_endpoint(i + 1, SERVICE, "10.1.0.1", weights[i]);
	}
	assert_int_equal(jn_slots_build(algorithm, items, count, &slots), 0);
	for (uint32_t i = 0; i < slots.count; i++)
		put_slot(BASE + i, slots.items[i]);
	slot_count = slots.count;
	free(slots.items);
	publish(algorithm, (uint32_t)slot_count);
	return slot_count;
}

/* --- frontends --------------------------------------------------------------------------------- */

static void test_address_port_and_protocol_are_the_key(void **state)
{
	struct jn_frontend found;

	(void)state;
	put_frontend("10.96.0.1", 80, IPPROTO_TCP, (struct jn_frontend){ .service = 1, .set = 1 });
	put_frontend("fd00:96::1", 80, IPPROTO_TCP, (struct jn_frontend){ .service = 2, .set = 2 });
	put_frontend("10.96.0.1", 80, IPPROTO_UDP, (struct jn_frontend){ .service = 3, .set = 3 });

	assert_true(find("10.96.0.1", 80, IPPROTO_TCP, &found));
	assert_int_equal(found.service, 1);
	assert_true(find("::ffff:10.96.0.1", 80, IPPROTO_TCP, &found));
	assert_int_equal(found.service, 1);
	assert_true(find("fd00:96::1", 80, IPPROTO_TCP, &found));
	assert_int_equal(found.service, 2);
	assert_true(find("10.96.0.1", 80, IPPROTO_UDP, &found));
	assert_int_equal(found.service, 3);

	assert_false(find("10.96.0.2", 80, IPPROTO_TCP, &found));
	assert_false(find("10.96.0.1", 81, IPPROTO_TCP, &found));
	assert_false(find("10.96.0.1", 80, IPPROTO_SCTP, &found));
	assert_false(find("fd00:96::1", 80, IPPROTO_UDP, &found));
	assert_false(find("::10.96.0.1", 80, IPPROTO_TCP, &found));
}

static void test_a_bound_frontend_admits_its_namespace_only(void **state)
{
	static const struct {
		uint64_t bound_to, socket;
		enum jn_reason reason;
	} cases[] = {
		{ 0, 4711, JN_REASON_OK },	    { 0, 0, JN_REASON_OK },
		{ 4711, 4711, JN_REASON_OK },	    { 4711, 4712, JN_REASON_OTHER_NETNS },
		{ 4711, 0, JN_REASON_OTHER_NETNS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct test_admit io = { .frontend.netns_cookie = cases[i].bound_to,
					 .netns_cookie = cases[i].socket };

		DOOR(test_admit, &io);
		assert_int_equal(io.reason, cases[i].reason);
	}
}

/* --- choice ------------------------------------------------------------------------------------ */

static void test_the_chosen_endpoint(void **state)
{
	struct test_choose io = choose(frontend, TEST_REACH_V4);

	(void)state;
	assert_backend(&io, "10.1.0.1");
	assert_int_equal(io.endpoint, 1);
}

static void test_no_endpoint_has_the_errno_of_the_service(void **state)
{
	struct test_choose io;

	(void)state;
	publish(JN_ALGORITHM_RANDOM, 0);
	io = choose(frontend, TEST_REACH_V4);
	assert_int_equal(io.reason, JN_REASON_NO_ENDPOINT);
	assert_int_equal(io.service_errno, EHOSTUNREACH);
	assert_int_equal(jn_reason_errno(io.reason, io.service_errno), EHOSTUNREACH);
	assert_int_equal(jn_reason_errno(io.reason, 0), ECONNREFUSED);
}

/* Whatever a service without endpoints asks for: that somebody serves elsewhere is another answer. */
static void test_endpoints_elsewhere_have_an_errno_of_their_own(void **state)
{
	struct test_choose io;

	(void)state;
	put_revision(REVISION, (struct jn_revision){ .number = NUMBER,
						     .slot_base = BASE,
						     .no_endpoint_errno = EPERM,
						     .flags = JN_REVISION_ELSEWHERE });
	put_set(SET, REVISION, NUMBER);
	io = choose(frontend, TEST_REACH_V4);
	assert_int_equal(io.reason, JN_REASON_NO_LOCAL_ENDPOINT);
	assert_int_equal(jn_reason_errno(io.reason, io.service_errno), EHOSTUNREACH);
}

static void test_a_new_revision_is_followed_at_once(void **state)
{
	struct test_choose io;

	(void)state;
	put_endpoint(2, SERVICE, "10.1.0.2", 1);
	put_slot(BASE + 50, (struct jn_slot){ .endpoint = 2 });
	put_revision(REVISION + 1, (struct jn_revision){ .number = NUMBER + 1,
							 .slot_base = BASE + 50,
							 .slot_count = 1 });
	io = choose(frontend, TEST_REACH_V4);
	assert_backend(&io, "10.1.0.1");
	put_set(SET, REVISION + 1, NUMBER + 1);
	io = choose(frontend, TEST_REACH_V4);
	assert_backend(&io, "10.1.0.2");
}

static void test_families(void **state)
{
	static const struct {
		const char *backend;
		uint32_t reach;
		enum jn_reason reason;
	} cases[] = {
		{ "10.1.0.1", TEST_REACH_V4, JN_REASON_OK },
		{ "10.1.0.1", TEST_REACH_V6, JN_REASON_FAMILY_MISMATCH },
		{ "10.1.0.1", TEST_REACH_BOTH, JN_REASON_OK },
		{ "fd00:1::1", TEST_REACH_V4, JN_REASON_FAMILY_MISMATCH },
		{ "fd00:1::1", TEST_REACH_V6, JN_REASON_OK },
		{ "fd00:1::1", TEST_REACH_BOTH, JN_REASON_OK },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_endpoint(1, SERVICE, cases[i].backend, 1);
		assert_int_equal(choose(frontend, cases[i].reach).reason, cases[i].reason);
	}
}

/* --- shares ------------------------------------------------------------------------------------ */

/*
 * Chi-square of the counts against the weights. For 4 degrees of freedom 33.4 is reached by chance
 * once in a million runs; a share that is off by 5 % of itself gives several hundred.
 */
static void test_random_follows_the_weights(void **state)
{
	static const uint16_t weights[] = { 1, 2, 3, 10, 84 };
	unsigned counts[6] = { 0 }, draws = 100000;
	double chi_square = 0;

	(void)state;
	(void)publish_weighted(JN_ALGORITHM_RANDOM, weights, 5);
	for (unsigned i = 0; i < draws; i++) {
		struct test_choose io = choose(frontend, TEST_REACH_V4);

		assert_int_equal(io.reason, JN_REASON_OK);
		assert_in_range(io.endpoint, 1, 5);
		counts[io.endpoint]++;
	}
	for (unsigned i = 0; i < 5; i++) {
		double wanted = draws * weights[i] / 100.0;

		chi_square += (counts[i + 1] - wanted) * (counts[i + 1] - wanted) / wanted;
	}
	assert_true(chi_square < 33.4);
}

struct turns {
	unsigned count;
	unsigned counts[4];
};

static void *take_turns(void *arg)
{
	struct turns *t = arg;

	for (unsigned i = 0; i < t->count; i++)
		t->counts[choose(frontend, TEST_REACH_V4).endpoint]++;
	return NULL;
}

/* Two threads at once: what they got together is exact, whoever got what. */
static void test_round_robin_is_exact(void **state)
{
	static const uint16_t weights[] = { 5, 2, 1 };
	size_t cycle = publish_weighted(JN_ALGORITHM_ROUND_ROBIN, weights, 3);
	struct turns mine = { .count = 3000 }, others = { .count = 5000 };
	pthread_t other;

	(void)state;
	assert_int_equal(cycle, 8);
	assert_int_equal(pthread_create(&other, NULL, take_turns, &others), 0);
	(void)take_turns(&mine);
	assert_int_equal(pthread_join(other, NULL), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(mine.counts[i + 1] + others.counts[i + 1], 1000 * weights[i]);
}

/* --- damage ------------------------------------------------------------------------------------ */

static void assert_damaged(struct jn_frontend of)
{
	struct test_choose io = choose(of, TEST_REACH_V4);

	assert_int_equal(io.reason, JN_REASON_TABLE_DAMAGED);
	assert_int_equal(jn_reason_errno(io.reason, 0), EHOSTUNREACH);
}

static void test_a_set_that_is_none(void **state)
{
	(void)state;
	assert_damaged((struct jn_frontend){ .service = SERVICE, .set = JN_FIRST_SETS });
	assert_damaged((struct jn_frontend){ .service = SERVICE, .set = UINT32_MAX });
	assert_damaged((struct jn_frontend){ .service = SERVICE, .set = SET + 1 }); /* empty */
}

static void test_a_revision_that_is_not_the_words(void **state)
{
	(void)state;
	put_set(SET, REVISION, NUMBER + 1);
	assert_damaged(frontend);
	put_set(SET, JN_FIRST_REVISIONS, NUMBER);
	assert_damaged(frontend);
	put_set(SET, UINT32_MAX, UINT32_MAX);
	assert_damaged(frontend);
}

static void test_slots_that_are_none(void **state)
{
	struct jn_revision revision = { .number = NUMBER, .slot_count = 1 };

	(void)state;
	revision.slot_base = JN_FIRST_SLOTS;
	put_revision(REVISION, revision);
	assert_damaged(frontend);
	revision.slot_base = UINT32_MAX;
	put_revision(REVISION, revision);
	assert_damaged(frontend);
	publish(JN_ALGORITHM_RANDOM, 1);
	put_slot(BASE, (struct jn_slot){ .endpoint = 1, .probability = 0, .alias = 1 });
	assert_damaged(frontend); /* the alias lies behind the revision's slots */
	publish(JN_ALGORITHM_MAX, 1);
	assert_damaged(frontend);
}

static void test_endpoints_that_are_not_the_services(void **state)
{
	(void)state;
	put_endpoint(1, SERVICE + 1, "10.1.0.1", 1);
	assert_damaged(frontend);
	put_endpoint(1, 0, "10.1.0.1", 1);
	assert_damaged(frontend);
	put_slot(BASE, (struct jn_slot){ .endpoint = JN_FIRST_ENDPOINTS });
	assert_damaged(frontend);
	put_slot(BASE, (struct jn_slot){ .endpoint = UINT32_MAX });
	assert_damaged(frontend);
}

static void test_an_endpoint_by_its_id(void **state)
{
	struct test_choose io = { .frontend = frontend, .reach = TEST_REACH_V4, .endpoint = 1 };

	(void)state;
	DOOR(test_get_endpoint, &io);
	assert_true(io.reason);
	io.reach = TEST_REACH_V6;
	DOOR(test_get_endpoint, &io);
	assert_false(io.reason);
	io.reach = TEST_REACH_V4;
	io.frontend.service = SERVICE + 1;
	DOOR(test_get_endpoint, &io);
	assert_false(io.reason);
	io.frontend.service = SERVICE;
	io.endpoint = JN_FIRST_ENDPOINTS;
	DOOR(test_get_endpoint, &io);
	assert_false(io.reason);
}

/* --- counters ---------------------------------------------------------------------------------- */

static void count(enum jn_reason reason, uint32_t service)
{
	struct test_count io = { .service = service, .reason = reason };

	DOOR(test_count, &io);
}

static void test_counters(void **state)
{
	(void)state;
	for (unsigned reason = 0; reason < JN_REASON_MAX; reason++) {
		uint64_t before = reason_count(reason);
		struct jn_stats old = stats_of(SERVICE), now;
		bool is_ok = reason == JN_REASON_OK, is_other = reason == JN_REASON_OTHER_NETNS;

		count(reason, SERVICE);
		now = stats_of(SERVICE);
		assert_int_equal(reason_count(reason), before + 1);
		assert_int_equal(now.forwarded, old.forwarded + is_ok);
		assert_int_equal(now.refused, old.refused + (!is_ok && !is_other));
	}
	assert_int_equal(stats_of(SERVICE + 1).forwarded + stats_of(SERVICE + 1).refused, 0);
	count(JN_REASON_OK, JN_FIRST_SERVICES); /* no such service: no harm */
}

static void test_looking_and_choosing_count_nothing(void **state)
{
	uint64_t before[JN_REASON_MAX];
	struct jn_frontend found;

	(void)state;
	for (unsigned reason = 0; reason < JN_REASON_MAX; reason++)
		before[reason] = reason_count(reason);
	assert_false(find("10.96.9.9", 80, IPPROTO_TCP, &found));
	(void)choose(frontend, TEST_REACH_V4);
	for (unsigned reason = 0; reason < JN_REASON_MAX; reason++)
		assert_int_equal(reason_count(reason), before[reason]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_address_port_and_protocol_are_the_key, publish_one),
		cmocka_unit_test_setup(test_a_bound_frontend_admits_its_namespace_only,
				       publish_one),
		cmocka_unit_test_setup(test_the_chosen_endpoint, publish_one),
		cmocka_unit_test_setup(test_no_endpoint_has_the_errno_of_the_service, publish_one),
		cmocka_unit_test_setup(test_endpoints_elsewhere_have_an_errno_of_their_own,
				       publish_one),
		cmocka_unit_test_setup(test_a_new_revision_is_followed_at_once, publish_one),
		cmocka_unit_test_setup(test_families, publish_one),
		cmocka_unit_test_setup(test_random_follows_the_weights, publish_one),
		cmocka_unit_test_setup(test_round_robin_is_exact, publish_one),
		cmocka_unit_test_setup(test_a_set_that_is_none, publish_one),
		cmocka_unit_test_setup(test_a_revision_that_is_not_the_words, publish_one),
		cmocka_unit_test_setup(test_slots_that_are_none, publish_one),
		cmocka_unit_test_setup(test_endpoints_that_are_not_the_services, publish_one),
		cmocka_unit_test_setup(test_an_endpoint_by_its_id, publish_one),
		cmocka_unit_test_setup(test_counters, publish_one),
		cmocka_unit_test_setup(test_looking_and_choosing_count_nothing, publish_one),
	};

	return cmocka_run_group_tests(tests, load_doors, unload_doors);
}
