/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory that runs out at the n-th allocation, n = 1, 2, …: of each write and of each start. What is
 * served is as before or as after, nothing leaks, and the next write or start goes on.
 *
 * The allocator is glibc's behind a counter; under a sanitizer, which brings its own, the counter
 * stays out of the way and every call succeeds.
 */
#include "engine_harness.h"

#ifdef __SANITIZE_ADDRESS__
#define HAS_OWN_ALLOCATOR
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang's word for it */
#define HAS_OWN_ALLOCATOR
#endif
#endif

static unsigned fail_at; /* counted down; the call that makes it 0 fails */
static bool is_armed;
static long live_blocks;

#ifndef HAS_OWN_ALLOCATOR
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void __libc_free(void *block);

static bool fails(void)
{
	return is_armed && fail_at && !--fail_at;
}

static void *counted(void *block)
{
	live_blocks += block != NULL;
	return block;
}

void *malloc(size_t size)
{
	return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *block, size_t size)
{
	if (fails())
		return NULL;
	return block ? __libc_realloc(block, size) : counted(__libc_malloc(size));
}

void *reallocarray(void *block, size_t count, size_t size)
{
	return realloc(block, count * size); /* no test comes near an overflow */
}

void free(void *block)
{
	live_blocks -= block != NULL;
	__libc_free(block);
}
#endif

static void run_short_of_memory(struct jn_write *w, unsigned n)
{
	unsigned before = writes_ended;

	fail_at = n;
	is_armed = true;
	jn_engine_write(engine, w);
	run_jobs();
	is_armed = false;
	assert_int_equal(writes_ended, before + 1);
}

static void test_a_write_short_of_memory_is_whole_or_nothing(void **state)
{
	bool is_over[3] = { false, false, false };

	(void)state;
	for (unsigned n = 1; !is_over[0] || !is_over[1] || !is_over[2]; n++) {
		for (unsigned what = 0; what < 3; what++) {
			uint64_t generation = jn_engine_generation(engine);

			expect(&write_views[what]);
			if (!is_over[what]) {
				run_short_of_memory(write_of(what), n);
				is_over[what] = fail_at != 0;
				assert_true(is_seen(last_kind ? &view_old : &view_new));
				assert_int_equal(jn_engine_generation(engine),
						 generation + !last_kind);
			}
			if (!is_seen(&view_new))
				assert_int_equal(run_write(write_of(what)), JN_ERROR_NONE);
			assert_true(is_seen(&view_new));
		}
		assert_true(n < 1000);
	}
	/* Ids that found no memory to be remembered as garbage come back with the next start. */
	restart();
	check_no_leftovers();
}

static void damage_nothing(void)
{
}

static void damage_rows(void)
{
	for (size_t i = 0; i < rows->count; i++)
		rows->rows[i].is_bad = i != 1;
}

static void lose_rows(void)
{
	rows->count = 0;
	rows->generation = 0;
}

static void assert_nothing_is_said(void)
{
	size_t count;

	(void)jn_engine_degraded(engine, &count);
	assert_int_equal(count, 0);
}

/* Opens, with one allocation more each time, until memory suffices. */
static void open_short_of_memory(void (*prepare)(void))
{
	for (unsigned n = 1;; n++) {
		long before;
		int rc;

		jn_engine_close(&engine);
		prepare();
		before = live_blocks;
		fail_at = n;
		is_armed = true;
		rc = try_open();
		is_armed = false;
		if (rc)
			assert_int_equal(live_blocks, before);
		watch();
		if (!rc && prepare == damage_nothing)
			assert_nothing_is_said(); /* short of memory is not damaged */
		if (fail_at) {
			assert_int_equal(rc, 0);
			return;
		}
		assert_true(n < 1000);
		if (rc)
			open_engine();
		assert_true(is_seen(&view_new));
	}
}

static void test_a_start_short_of_memory_changes_nothing(void **state)
{
	(void)state;
	expect(&write_views[0]);
	assert_int_equal(run_write(write_of(0)), JN_ERROR_NONE);
	expect(&write_views[1]);
	assert_int_equal(run_write(write_of(1)), JN_ERROR_NONE);
	expect(NULL);
	open_short_of_memory(damage_nothing);
	open_short_of_memory(damage_rows);
	open_short_of_memory(lose_rows);
	assert_true(is_seen(&write_views[1]));
}

static struct jn_write *write_of_cluster(bool is_there)
{
	struct jn_write *w = new_write();

	if (!is_there) {
		add_delete(w, JN_KIND_SERVICE, "api");
		add_delete(w, JN_KIND_ENDPOINT_SLICE, "api-1");
		return w;
	}
	add_json(w, "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\"name\":\"api\"},"
		    "\"spec\":{\"clusterIP\":\"10.0.0.4\",\"ports\":[{\"port\":80}]}}");
	add_json(w, "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\","
		    "\"metadata\":{\"name\":\"api-1\",\"labels\":{\"kubernetes.io/service-name\":"
		    "\"api\"}},\"addressType\":\"IPv4\",\"ports\":[{\"port\":81}],\"endpoints\":"
		    "[{\"addresses\":[\"10.1.0.1\"],\"nodeName\":\"n\",\"hints\":{\"forZones\":"
		    "[{\"name\":\"z\"}]}},{\"addresses\":[\"10.1.0.2\"]}]}");
	return w;
}

static void test_services_short_of_memory(void **state)
{
	static const struct view views[] = { { .vip = { "" } },
					     { .vip = { [3] = "random 10.1.0.1:81 "
							      "10.1.0.2:81" } } };
	bool is_over[2] = { false, false };

	(void)state;
	for (unsigned n = 1; !is_over[0] || !is_over[1]; n++) {
		for (unsigned there = 2; there--;) {
			expect(&views[there]);
			run_short_of_memory(write_of_cluster(there), n);
			is_over[there] |= fail_at != 0;
			assert_true(is_seen(last_kind ? &view_old : &view_new));
			if (last_kind)
				assert_int_equal(run_write(write_of_cluster(there)), JN_ERROR_NONE);
			assert_true(is_seen(&view_new));
		}
		assert_true(n < 1000);
	}
	expect(&views[1]);
	assert_int_equal(run_write(write_of_cluster(true)), JN_ERROR_NONE);
	expect(NULL);
	open_short_of_memory(damage_nothing);
	open_short_of_memory(damage_rows);
	open_short_of_memory(lose_rows);
}

static struct jn_write *write_of_guarded(bool is_there)
{
	struct jn_write *w = new_write();

	if (is_there)
		add_service(w, "guarded", V1 "," V2, B(1));
	else
		add_delete(w, JN_KIND_LOCAL_SERVICE, "guarded");
	return w;
}

/* Those that found no memory stayed out of every later job: a blackhole for an address of nobody. */
static void test_guard_routes_short_of_memory_follow_with_the_next_change(void **state)
{
	bool is_over[2] = { false, false };

	(void)state;
	tables_watch = NULL;
	tables_route_count = 0;
	start();
	declare(V3, B(1));
	for (unsigned n = 1; !is_over[0] || !is_over[1]; n++) {
		for (unsigned there = 2; there--;) {
			run_short_of_memory(write_of_guarded(there), n);
			is_over[there] |= fail_at != 0;
			if (last_kind)
				assert_int_equal(run_write(write_of_guarded(there)), JN_ERROR_NONE);
			declare(V3, n % 2 ? B(2) : B(1));
			declare(V3, n % 2 ? B(1) : B(2));
			assert_int_equal(tables_route_count, there ? 3 : 1);
		}
		assert_true(n < 1000);
	}
}

static void test_nothing_leaks(void **state)
{
	long before;

	(void)state;
	jn_engine_close(&engine);
	before = live_blocks;
	open_engine();
	for (unsigned what = 0; what < 3; what++) {
		expect(&write_views[what]);
		assert_int_equal(run_write(write_of(what)), JN_ERROR_NONE);
	}
	jn_engine_close(&engine);
	assert_int_equal(live_blocks, before);
	open_engine();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, engine_setup, engine_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_write_short_of_memory_is_whole_or_nothing),
		TEST(test_a_start_short_of_memory_changes_nothing),
		TEST(test_services_short_of_memory),
		TEST(test_guard_routes_short_of_memory_follow_with_the_next_change),
		TEST(test_nothing_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
