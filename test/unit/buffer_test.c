/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Buffers and arrays that grow, against plain memory.
 */
#include <errno.h>
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

#include "base/auto.h"
#include "base/buffer.h"
#include "base/vec.h"
#include "random.h"

#define MAX_BYTES 20000

/* AddressSanitizer asks this function: memory that cannot be had is what is tested here. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void test_random_use_equals_plain_memory(void **state)
{
	static char plain[MAX_BYTES + 600];
	struct jn_buffer b = { 0 };
	size_t size = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		char piece[600];
		size_t count = random_below(sizeof(piece));

		for (size_t at = 0; at < count; at++)
			piece[at] = (char)random_below(256);
		if (size < MAX_BYTES && random_below(3)) {
			jn_buffer_add(&b, piece, count);
			memcpy(plain + size, piece, count);
			size += count;
		} else {
			jn_buffer_consume(&b, count);
			count = count < size ? count : size;
			memmove(plain, plain + count, size - count);
			size -= count;
		}
		assert_int_equal(b.size, size);
		if (size)
			assert_memory_equal(b.data, plain, size);
	}
	assert_false(jn_buffer_failed(&b));
	jn_buffer_done(&b);
}

static void test_printf_of_every_length(void **state)
{
	struct jn_buffer b = { 0 };
	char expected[1200] = "";

	(void)state;
	for (int width = 1; width < 1100; width++) { /* crosses several growths at every offset */
		jn_buffer_clear(&b);
		jn_buffer_printf(&b, "<%*d>", width, 7);
		(void)snprintf(expected, sizeof(expected), "<%*d>", width, 7);
		assert_int_equal(b.size, strlen(expected));
		assert_string_equal(jn_buffer_text(&b), expected);
	}
	jn_buffer_done(&b);
}

static void test_text_ends_behind_the_bytes(void **state)
{
	struct jn_buffer b = { 0 };

	(void)state;
	assert_string_equal(jn_buffer_text(&b), "");
	for (unsigned i = 0; i < 1000; i++) {
		jn_buffer_add(&b, "x", 1);
		assert_int_equal(strlen(jn_buffer_text(&b)), i + 1);
		assert_int_equal(b.size, i + 1);
	}
	jn_buffer_add_text(&b, "yz");
	assert_string_equal(jn_buffer_text(&b) + 1000, "yz");
	jn_buffer_consume(&b, 5000);
	assert_string_equal(jn_buffer_text(&b), "");
	jn_buffer_done(&b);
}

static void test_a_failed_allocation_sticks_until_cleared(void **state)
{
	volatile size_t too_much = SIZE_MAX - 100; /* no memory of this size exists */
	struct jn_buffer b = { 0 };

	(void)state;
	jn_buffer_add_text(&b, "kept so far");
	jn_buffer_add(&b, "x", too_much);
	assert_true(jn_buffer_failed(&b));
	jn_buffer_add_text(&b, "more");
	jn_buffer_printf(&b, "%d", 5);
	assert_int_equal(b.size, 0);
	assert_string_equal(jn_buffer_text(&b), "");
	assert_true(jn_buffer_failed(&b));
	jn_buffer_clear(&b);
	jn_buffer_add_text(&b, "again");
	assert_false(jn_buffer_failed(&b));
	assert_string_equal(jn_buffer_text(&b), "again");
	jn_buffer_done(&b);
}

static void test_an_array_keeps_its_items_and_zeroes_new_ones(void **state)
{
	struct {
		struct point {
			unsigned x, y;
		} * items;
		size_t count, capacity;
	} points = { 0 };

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		struct point *point = jn_vec_add(&points);

		assert_non_null(point);
		assert_int_equal(point->x | point->y, 0);
		*point = (struct point){ i, ~i };
	}
	assert_int_equal(points.count, 5000);
	for (unsigned i = 0; i < 5000; i++) {
		assert_int_equal(points.items[i].x, i);
		assert_int_equal(points.items[i].y, ~i);
	}
	free(points.items);
}

static void test_an_array_that_cannot_grow_is_left_alone(void **state)
{
	size_t capacity = 4;
	void *items = calloc(capacity, 8), *before = items;

	(void)state;
	assert_int_equal(jn_vec_grow(&items, &capacity, 3, 8), 0);
	assert_ptr_equal(items, before); /* there was room */
	assert_int_equal(jn_vec_grow(&items, &capacity, 4, SIZE_MAX / 4), -ENOMEM);
	assert_ptr_equal(items, before);
	assert_int_equal(capacity, 4);
	free(items);
}

/* What a pipe gives that `size` bytes were written to, behind "head". */
static int read_from_pipe(struct jn_buffer *b, size_t size, size_t max)
{
	static char bytes[40000]; /* several pieces; less than a pipe holds */
	int ends[2], rc;

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], bytes, size), size);
	close(ends[1]);
	jn_buffer_add_text(b, "head");
	rc = jn_buffer_read(b, ends[0], max);
	close(ends[0]);
	return rc;
}

static void test_what_is_read_is_added_up_to_a_limit(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer empty = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer all = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer more = { 0 };

	(void)state;
	assert_int_equal(read_from_pipe(&empty, 0, 4), 0);
	assert_int_equal(empty.size, 4);
	assert_int_equal(read_from_pipe(&all, 39996, 40000), 0);
	assert_int_equal(all.size, 40000);
	assert_memory_equal(all.data, "head", 5);
	assert_int_equal(read_from_pipe(&more, 39997, 40000), -EFBIG);
	assert_int_equal(jn_buffer_read(&empty, -1, 4), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_use_equals_plain_memory),
		cmocka_unit_test(test_printf_of_every_length),
		cmocka_unit_test(test_text_ends_behind_the_bytes),
		cmocka_unit_test(test_a_failed_allocation_sticks_until_cleared),
		cmocka_unit_test(test_what_is_read_is_added_up_to_a_limit),
		cmocka_unit_test(test_an_array_keeps_its_items_and_zeroes_new_ones),
		cmocka_unit_test(test_an_array_that_cannot_grow_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
