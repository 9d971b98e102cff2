/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables into which somebody else wrote: a set that leads to a revision of another's. Whose it is, and
 * what is free afterwards. Each drift by itself, on real tables: test/scenario/test_verify.py.
 */
#include "engine/internal.h"
#include "engine_harness.h"

static const struct view both = { .vip = { "random 10.1.0.1:1 10.1.0.1:2", "random 10.1.0.1:3" } };

static uint32_t set_of(unsigned vip)
{
	struct jn_frontend_key key = vip_key(vip);

	return tables_find(&key)->set;
}

/* web at the first VIP, shop at the second; then web's set leads where shop's does. */
static void spoil(void)
{
	struct jn_write *w = new_write();

	create_web();
	add_service(w, "shop", V2, B(3));
	expect(&both);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	tables_watch = NULL; /* it may see what nobody declared, until it is put right */
	release_held();
	tables->sets[set_of(0)].word = tables->sets[set_of(1)].word;
}

/* What the ids and slots in use are: one revision and its slots for each set. */
static void check_usage(size_t slots)
{
	struct jn_usage usage[JN_USAGE_COUNT];

	jn_engine_usage(engine, usage);
	assert_int_equal(usage[2].used, 2);
	assert_int_equal(usage[5].used, slots);
	check_no_leftovers();
}

/* Ranges and ids that are given out now are nobody's: shop goes on as it was. */
static void check_shop_keeps_its_own(void)
{
	static const struct view all = { .vip = { "random 10.1.0.1:4", "random 10.1.0.1:3",
						  "random 10.1.0.1:6", "random 10.1.0.1:7" } };
	struct jn_write *w = new_write();

	add_service(w, "web", V1, B(4));
	add_service(w, "more", V3, B(6));
	add_service(w, "last", "\"10.0.0.4\"", B(7));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&all));
	check_no_leftovers();
	restart();
	assert_true(is_seen(&all));
	check_no_leftovers();
}

/* A write took the foreign revision for the service's own, and freed it after a grace period. */
static void test_a_write_frees_no_revision_of_another_set(void **state)
{
	static const struct view after = { .vip = { "random 10.1.0.1:4", "random 10.1.0.1:3" } };
	struct jn_write *w = new_write();

	(void)state;
	spoil();
	add_service(w, "web", V1, B(4));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&after));
	check_usage(2);
	check_shop_keeps_its_own();
}

/* It compared with the foreign revision: what is declared once more is served once more. */
static void test_a_write_of_the_same_puts_the_set_right(void **state)
{
	struct jn_write *w = new_write();

	(void)state;
	spoil();
	add_policy(w, "web", "Random"); /* touches it, and asks for what it had */
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&both));
	check_usage(3);
	check_shop_keeps_its_own();
}

/* A start refused: "two sets share revision". Whichever of the two comes first is put right. */
static void test_a_start_puts_two_sets_on_one_revision_right(void **state)
{
	(void)state;
	spoil();
	restart();
	assert_true(is_seen(&both));
	check_usage(3);
	tables->sets[set_of(1)].word = tables->sets[set_of(0)].word;
	restart();
	assert_true(is_seen(&both));
	check_usage(3);
	check_shop_keeps_its_own();
}

/* Of a set that nobody leads to the revision is another's, and goes with no garbage. */
static void test_a_start_collects_no_revision_of_another_set(void **state)
{
	uint32_t nobodys = 0;

	(void)state;
	spoil();
	for (uint32_t set = 1; set < TABLES_SETS && !nobodys; set++)
		nobodys = tables->sets[set].word ? 0 : set;
	tables->sets[nobodys].word = tables->sets[set_of(1)].word;
	restart();
	assert_true(is_seen(&both));
	check_usage(3);
	check_shop_keeps_its_own();
}

/* The other's way to choose would have become the policy of a service that only the tables hold. */
static void test_a_foreign_revision_says_nothing_of_what_is_rebuilt(void **state)
{
	struct jn_object_key key = key_of(JN_KIND_TRAFFIC_POLICY, "web");
	struct jn_write *w = new_write();

	(void)state;
	spoil();
	add_policy(w, "shop", "RoundRobin");
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	tables->sets[set_of(0)].word = tables->sets[set_of(1)].word;
	rows->count = 0;
	rows->generation = 0;
	restart();
	assert_null(jn_engine_find(engine, &key));
	assert_true(is_seen(&(struct view){ .vip = { "random 10.1.0.1:1 10.1.0.1:2", "turns "
										     "10.1.0.1:"
										     "3" } }));
	check_no_leftovers();
}

static void test_what_somebody_made_of_a_revision_frees_nothing_else(void **state)
{
	struct jn_write *w = new_write();
	uint32_t word;

	(void)state;
	spoil();
	tables->sets[set_of(0)].word = 0;
	word = (uint32_t)tables->sets[set_of(1)].word;
	tables->revisions[word].slot_base += 1;
	add_service(w, "shop", V2, B(5));
	add_service(w, "web", V1, B(4));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	check_usage(2);
	w = new_write();
	add_service(w, "shop", V2, B(3));
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	check_shop_keeps_its_own();
}

static struct {
	bool is_over;
	uint64_t found, repaired;
} verified;

static void on_verified(void *arg, const struct jn_verification *verification)
{
	(void)arg;
	verified.is_over = true;
	verified.found = verification->found;
	verified.repaired = verification->repaired;
}

/* Jobs and the timer, until it is over. */
static void verify(bool repairs)
{
	verified.is_over = false;
	assert_int_equal(jn_engine_verify(engine, repairs, on_verified, NULL), 0);
	while (!verified.is_over) {
		void (*fn)(void *arg) = timer.fn;

		run_jobs();
		if (!fn)
			continue;
		timer.fn = NULL;
		fn(timer.arg);
	}
	run_jobs();
}

/* The ids of what was replaced stayed taken until the next start. */
static void test_a_repair_leaks_nothing(void **state)
{
	(void)state;
	spoil();
	verify(true);
	assert_int_equal(verified.found, 1);
	assert_int_equal(verified.repaired, 1);
	assert_true(is_seen(&both));
	check_usage(3);
	verify(false);
	assert_int_equal(verified.found, 0);
	check_shop_keeps_its_own();
}

/* One service with two frontends: their sum is that of before only if each leads where it did. */
static void test_what_is_read_at_once_is_told_apart(void **state)
{
	static const struct view view = { .vip = { "random 10.1.0.1:1", "random 10.1.0.1:1" } };
	struct jn_frontend_key one = vip_key(0), other = vip_key(1);
	struct jn_write *w = new_write();
	struct jn_frontend *frontend;
	struct jn_name *name;

	(void)state;
	add_service(w, "web", V1 "," V2, B(1));
	expect(&view);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	tables_watch = NULL;
	verify(false);
	assert_int_equal(verified.found, 0);

	frontend = &tables_place(tables, &one)->value;
	frontend->netns_cookie += 1;
	tables_place(tables, &other)->value.netns_cookie -= 1;
	verify(true);
	assert_int_equal(verified.found, 2);
	assert_int_equal(verified.repaired, 2);

	name = &tables->names[frontend->service];
	name->kind = JN_NAME_SERVICE;
	verify(true);
	assert_int_equal(verified.found, 1);
	assert_int_equal(name->kind, JN_NAME_LOCAL_SERVICE);

	frontend->service += 1; /* an id that nobody has */
	verify(true);
	assert_int_equal(verified.found, 1);
	verify(false);
	assert_int_equal(verified.found, 0);
}

static void test_a_repair_for_which_there_is_no_room_is_none(void **state)
{
	struct jn_ranges *slots = &engine->install.slots;
	uint32_t ceiling = slots->ceiling, count, base;

	(void)state;
	spoil();
	count = slots->capacity - slots->used;
	slots->ceiling = slots->capacity;
	assert_int_equal(jn_ranges_take(slots, count, &base), 0);
	verify(true);
	assert_int_equal(verified.found, 1);
	assert_int_equal(verified.repaired, 0);
	jn_ranges_free(slots, base, count);
	slots->ceiling = ceiling;
	verify(true);
	assert_int_equal(verified.repaired, 1);
	check_usage(3);
}

/* --- very many slots ------------------------------------------------------------------------------ */

static void create_big(void)
{
	tables_watch = NULL; /* what it reads a VIP into is too short for so many */
	assert_int_equal(run_write(big_write()), JN_ERROR_NONE);
}

static struct jn_revision *big_revision(void)
{
	return &tables->revisions[(uint32_t)tables->sets[set_of(1)].word];
}

/* Its slots were not compared at all. */
static void test_a_slot_among_very_many_is_found(void **state)
{
	struct jn_slot *slot;

	(void)state;
	create_big();
	verify(false);
	assert_int_equal(verified.found, 0);
	slot = &tables->slots[big_revision()->slot_base + 4000];
	slot->endpoint++;
	verify(false);
	assert_int_equal(verified.found, 1);
	verify(true);
	assert_int_equal(verified.repaired, 1);
	verify(false);
	assert_int_equal(verified.found, 0);
	restart(); /* its sum is read from the tables */
	verify(false);
	assert_int_equal(verified.found, 0);
	slot = &tables->slots[big_revision()->slot_base + 4000];
	slot->endpoint++;
	verify(false);
	assert_int_equal(verified.found, 1);
}

/* They were built by the loop, which keeps everybody waiting. */
static void test_a_repair_of_very_many_is_a_workers(void **state)
{
	(void)state;
	create_big();
	tables->slots[big_revision()->slot_base].endpoint++;
	verified.is_over = false;
	assert_int_equal(jn_engine_verify(engine, true, on_verified, NULL), 0);
	run_one(); /* reads */
	run_one(); /* compares */
	tables_steps = 0;
	assert_false(verified.is_over);
	assert_int_equal(job_count, 1);
	run_one();
	assert_int_equal(tables_steps, 0); /* it builds */
	run_one();
	assert_true(tables_steps < HEAVY); /* the loop does not write it, either */
	run_one();
	assert_true(tables_steps > 4000);
	run_jobs();
	assert_non_null(timer.fn);
	timer.fn(timer.arg);
	assert_true(verified.is_over);
	assert_int_equal(verified.repaired, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_write_frees_no_revision_of_another_set),
		TEST(test_a_write_of_the_same_puts_the_set_right),
		TEST(test_a_start_puts_two_sets_on_one_revision_right),
		TEST(test_a_start_collects_no_revision_of_another_set),
		TEST(test_a_foreign_revision_says_nothing_of_what_is_rebuilt),
		TEST(test_what_somebody_made_of_a_revision_frees_nothing_else),
		TEST(test_a_repair_leaks_nothing),
		TEST(test_what_is_read_at_once_is_told_apart),
		TEST(test_a_repair_for_which_there_is_no_room_is_none),
		TEST(test_a_slot_among_very_many_is_found),
		TEST(test_a_repair_of_very_many_is_a_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
