/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hash table against a plain array, with good hashes and with ones that all collide.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/table.h"
#include "random.h"

#define MAX_KEYS 3000

struct entry {
	uint32_t key;
	uint32_t value;
};

/* Three homes for all keys: runs as long as the table, wrapping around its end. */
static uint64_t hash_badly(const void *key)
{
	return 13 + *(const uint32_t *)key % 3;
}

static uint64_t hash_to_zero(const void *key)
{
	(void)key;
	return 0; /* also what marks a free place */
}

static bool has_key(const void *entry, const void *key)
{
	return ((const struct entry *)entry)->key == *(const uint32_t *)key;
}

static const struct jn_table_ops well = { .entry_size = sizeof(struct entry),
					  .key_size = sizeof(uint32_t) };
static const struct jn_table_ops badly = {
	.entry_size = sizeof(struct entry),
	.key_size = sizeof(uint32_t),
	.hash = hash_badly,
};
static const struct jn_table_ops to_zero = {
	.entry_size = sizeof(struct entry),
	.hash = hash_to_zero,
	.equal = has_key,
};

/* What the table shall hold: value + 1 for each key, 0 = not there. */
struct reference {
	uint32_t values[MAX_KEYS];
	size_t count;
};

static void put_one(struct jn_table *t, struct reference *r, uint32_t key, uint32_t value)
{
	struct entry *entry;
	bool is_new;

	entry = jn_table_put(t, &key, &is_new);
	assert_non_null(entry);
	assert_int_equal(is_new, !r->values[key]);
	if (is_new) {
		assert_int_equal(entry->key | entry->value, 0); /* zeroed */
		entry->key = key;
		r->count++;
	}
	entry->value = value;
	r->values[key] = value + 1;
}

static void check_all(const struct jn_table *t, const struct reference *r, uint32_t keys)
{
	const struct entry *entry;
	size_t at = 0, seen = 0;

	assert_int_equal(t->count, r->count);
	for (uint32_t key = 0; key < keys; key++) {
		entry = jn_table_find(t, &key);
		assert_int_equal(entry ? entry->value + 1 : 0, r->values[key]);
	}
	while ((entry = jn_table_next(t, &at))) {
		assert_int_equal(r->values[entry->key], entry->value + 1);
		seen++;
	}
	assert_int_equal(seen, r->count);
}

static void run_randomly(const struct jn_table_ops *ops, uint32_t keys, unsigned steps)
{
	struct reference r = { 0 };
	struct jn_table t;

	jn_table_init(&t, ops);
	for (unsigned i = 0; i < steps; i++) {
		uint32_t key = random_below(keys);
		/* Phases of growing and of shrinking. */
		bool puts = random_below(10) < (i / (keys * 4) % 2 ? 3u : 7u);

		if (puts) {
			put_one(&t, &r, key, i);
		} else {
			assert_int_equal(jn_table_del(&t, &key), r.values[key] != 0);
			r.count -= r.values[key] != 0;
			r.values[key] = 0;
		}
		if (i % (steps / 20) == 0)
			check_all(&t, &r, keys);
	}
	check_all(&t, &r, keys);
	jn_table_done(&t);
}

static void test_random_use_equals_a_plain_array(void **state)
{
	(void)state;
	run_randomly(&well, MAX_KEYS, 400000);
	run_randomly(&well, 20, 40000); /* smaller than the first growth: full runs */
}

static void test_colliding_keys_are_told_apart(void **state)
{
	(void)state;
	run_randomly(&badly, 60, 40000);
	run_randomly(&to_zero, 40, 20000);
}

static void test_an_empty_table_answers(void **state)
{
	uint32_t key = 7;
	struct jn_table t;
	size_t at = 0;

	(void)state;
	jn_table_init(&t, &well);
	assert_null(jn_table_find(&t, &key));
	assert_false(jn_table_del(&t, &key));
	assert_null(jn_table_next(&t, &at));
	jn_table_done(&t);
	jn_table_done(&t); /* twice is harmless */
}

static void test_after_reserve_puts_do_not_move_entries(void **state)
{
	struct reference r = { 0 };
	const void *before;
	struct jn_table t;

	(void)state;
	jn_table_init(&t, &well);
	for (uint32_t key = 0; key < 100; key++)
		put_one(&t, &r, key, key);
	assert_int_equal(jn_table_reserve(&t, MAX_KEYS), 0);
	before = t.entries;
	for (uint32_t key = 100; key < MAX_KEYS; key++)
		put_one(&t, &r, key, key);
	assert_ptr_equal(t.entries, before);
	check_all(&t, &r, MAX_KEYS);
	assert_int_equal(jn_table_reserve(&t, 10), 0); /* never shrinks */
	assert_ptr_equal(t.entries, before);
	assert_int_not_equal(jn_table_reserve(&t, SIZE_MAX), 0);
	check_all(&t, &r, MAX_KEYS);
	jn_table_done(&t);
}

static uint64_t hash_of_another_process(void)
{
	unsigned long long hash = 0;
	char self[256], command[280];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	FILE *pipe;

	assert_true(size > 0);
	self[size] = '\0';
	(void)snprintf(command, sizeof(command), "'%s' hash", self);
	pipe = popen(command, "re");
	assert_non_null(pipe);
	assert_int_equal(fscanf(pipe, "%llx", &hash), 1);
	assert_int_equal(pclose(pipe), 0);
	return hash;
}

static void test_every_process_has_its_own_seed(void **state)
{
	(void)state;
	assert_true(jn_hash_bytes("web", 3) == jn_hash_bytes("web", 3));
	assert_true(jn_hash_bytes("web", 3) != jn_hash_bytes("wec", 3));
	assert_true(jn_hash_bytes("web", 3) != hash_of_another_process());
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_use_equals_a_plain_array),
		cmocka_unit_test(test_colliding_keys_are_told_apart),
		cmocka_unit_test(test_an_empty_table_answers),
		cmocka_unit_test(test_after_reserve_puts_do_not_move_entries),
		cmocka_unit_test(test_every_process_has_its_own_seed),
	};

	if (argc > 1 && !strcmp(argv[1], "hash"))
		return printf("%llx\n", (unsigned long long)jn_hash_bytes("web", 3)) < 0;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
