/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What userspace/datapath writes into the tables and reads from them, on the real kernel: stores,
 * batches, counters. Root.
 *
 * jn_store_seam is this test's own: at each store it looks at what a program would see.
 */
#include "datapath_bed.h"

#include <bpf/bpf.h>

#include <junctor/limits.h>

static unsigned seams;
static void (*on_seam)(void);
static const struct jn_datapath *seen;

void jn_store_seam(void)
{
	seams++;
	if (on_seam)
		on_seam();
}

static int open_pin(const struct bed *bed, const char *name)
{
	int fd = bpf_obj_get(bed_pin(bed, name));

	assert_true(fd >= 0);
	return fd;
}

/* --- stores ------------------------------------------------------------------------------------ */

static void look_at_new_endpoint(void)
{
	assert_int_equal(jn_datapath_endpoints(seen)[9].service, 0);
}

static void look_at_old_endpoint(void)
{
	const struct jn_endpoint *e = &jn_datapath_endpoints(seen)[9];

	assert_true(e->service == 5 || seams > 1);
	assert_true(!e->service || e->weight == 3);
}

static void test_an_endpoint_is_whole_before_it_is_anybodys(void **state)
{
	struct bed *bed = *state;
	const struct jn_endpoint e = { .addr = { .w = { 1, 2, 3, 4 } },
				       .port = 80,
				       .weight = 2,
				       .service = 5,
				       .since_s = 77 };
	const struct jn_endpoint blank = { 0 };
	struct jn_endpoint read;
	uint32_t id = 9;
	int fd;

	bed_open(bed);
	seen = bed->dp;
	fd = open_pin(bed, "jn_endpoints");
	seams = 0;
	on_seam = look_at_new_endpoint;
	jn_datapath_put_endpoint(bed->dp, id, &e);
	on_seam = NULL;
	assert_int_equal(seams, 6);
	assert_int_equal(bpf_map_lookup_elem(fd, &id, &read), 0);
	assert_memory_equal(&read, &e, sizeof(e));
	jn_datapath_set_endpoint_weight(bed->dp, id, 3);
	assert_int_equal(jn_datapath_endpoints(bed->dp)[id].weight, 3);
	seams = 0;
	on_seam = look_at_old_endpoint;
	jn_datapath_clear_endpoint(bed->dp, id);
	on_seam = NULL;
	assert_int_equal(bpf_map_lookup_elem(fd, &id, &read), 0);
	assert_memory_equal(&read, &blank, sizeof(blank));
	(void)close(fd);
}

static void look_at_revision(void)
{
	assert_int_equal(jn_datapath_revisions(seen)[3].number, 0);
	assert_int_equal(jn_datapath_sets(seen)[2].word, 0);
}

static void test_a_revision_is_whole_before_its_number_stands(void **state)
{
	struct bed *bed = *state;
	const struct jn_revision r = { .number = 4,
				       .slot_base = 100,
				       .slot_count = 2,
				       .no_endpoint_errno = 113,
				       .algorithm = 1 };
	const struct jn_slot slots[2] = { { 1, 2, 3 }, { 4, 5, 6 } };
	uint32_t index = 3, set = 2;
	struct jn_revision read;
	struct jn_set word;
	int fd;

	bed_open(bed);
	seen = bed->dp;
	seams = 0;
	on_seam = look_at_revision;
	jn_datapath_put_revision(bed->dp, index, &r, slots);
	on_seam = NULL;
	assert_int_equal(seams, 4);
	jn_datapath_publish(bed->dp, set, index, 4);
	assert_int_equal(seams, 5);
	assert_memory_equal(&jn_datapath_slots(bed->dp)[100], slots, sizeof(slots));
	fd = open_pin(bed, "jn_revisions");
	assert_int_equal(bpf_map_lookup_elem(fd, &index, &read), 0);
	assert_memory_equal(&read, &r, sizeof(r));
	(void)close(fd);
	fd = open_pin(bed, "jn_sets");
	assert_int_equal(bpf_map_lookup_elem(fd, &set, &word), 0);
	assert_true(word.word == (4ull << 32 | 3));
	(void)close(fd);
	jn_datapath_publish(bed->dp, set, 0, 0);
	assert_int_equal(jn_datapath_sets(bed->dp)[set].word, 0);
}

/* --- batches ----------------------------------------------------------------------------------- */

struct frontends {
	struct jn_frontend_key *keys;
	struct jn_frontend *values;
	uint8_t *met;
	size_t count, met_count;
};

static struct frontends make_frontends(size_t count)
{
	struct frontends f = { .keys = calloc(count, sizeof(*f.keys)),
			       .values = calloc(count, sizeof(*f.values)),
			       .met = calloc(count, 1),
			       .count = count };

	assert_true(f.keys && f.values && f.met);
	for (size_t i = 0; i < count; i++) {
		f.keys[i].vip.w[3] = (uint32_t)i;
		f.keys[i].proto = 6;
		f.values[i].service = (uint32_t)i;
	}
	return f;
}

static void frontends_done(struct frontends *f)
{
	free(f->keys);
	free(f->values);
	free(f->met);
}

static int meet(void *arg, const struct jn_frontend_key *key, const struct jn_frontend *value)
{
	struct frontends *f = arg;
	uint32_t i = key->vip.w[3];

	assert_true(i < f->count && value->service == i && !f->met[i]);
	f->met[i] = 1;
	f->met_count++;
	return 0;
}

static int meet_raw(void *arg, const void *key, const void *value)
{
	return meet(arg, key, value);
}

static int stop(void *arg, const struct jn_frontend_key *key, const struct jn_frontend *value)
{
	(void)key;
	(void)value;
	return ++*(int *)arg == 3 ? 42 : 0;
}

static void test_batches_say_how_far_they_came(void **state)
{
	struct bed *bed = *state;
	JN_AUTO(frontends_done) struct frontends f = make_frontends(JN_FIRST_FRONTENDS + 2000);
	size_t done = 1;
	int calls = 0;

	bed_open(bed);
	assert_int_equal(jn_datapath_put_frontends(bed->dp, NULL, NULL, 0, &done), 0);
	assert_int_equal(done, 0);
	assert_int_equal(jn_datapath_put_frontends(bed->dp, f.keys, f.values, f.count, &done),
			 -E2BIG);
	assert_int_equal(done, JN_FIRST_FRONTENDS);
	assert_int_equal(jn_datapath_each_frontend(bed->dp, meet, &f), 0);
	assert_int_equal(f.met_count, JN_FIRST_FRONTENDS);
	assert_int_equal(jn_datapath_each_frontend(bed->dp, stop, &calls), 42);
	assert_int_equal(calls, 3);
}

/* One entry a piece: every bucket with two or more makes it grow. */
static void test_a_walk_meets_each_entry_once(void **state)
{
	struct bed *bed = *state;
	JN_AUTO(frontends_done) struct frontends f = make_frontends(15000);
	struct jn_hash hash;
	size_t done;

	bed_open(bed);
	hash = (struct jn_hash){ bed->dp->frontends, sizeof(*f.keys), sizeof(*f.values) };
	assert_int_equal(jn_datapath_each_frontend(bed->dp, meet, &f), 0);
	assert_int_equal(f.met_count, 0);
	assert_int_equal(jn_datapath_put_frontends(bed->dp, f.keys, f.values, f.count, &done), 0);
	assert_int_equal(done, f.count);
	assert_int_equal(jn_hash_each(&hash, 1, meet_raw, &f), 0);
	assert_int_equal(f.met_count, f.count);
}

static void test_deleting_what_is_not_there_is_fine(void **state)
{
	struct bed *bed = *state;
	JN_AUTO(frontends_done)
	struct frontends f = make_frontends(3000), odd = make_frontends(1500);
	size_t done;

	bed_open(bed);
	for (uint32_t i = 0; i < odd.count; i++)
		odd.keys[i].vip.w[3] = i * 2 + 1;
	assert_int_equal(jn_datapath_put_frontends(bed->dp, odd.keys, odd.values, odd.count, &done),
			 0);
	assert_int_equal(jn_datapath_del_frontends(bed->dp, f.keys, f.count), 0);
	assert_int_equal(jn_datapath_each_frontend(bed->dp, meet, &f), 0);
	assert_int_equal(f.met_count, 0);
	assert_int_equal(jn_datapath_del_frontends(bed->dp, f.keys, f.count), 0);
}

static int see_name(void *arg, uint32_t service, const struct jn_name *name)
{
	uint32_t *sum = arg;

	assert_int_equal(name->name[0], 'a' + (int)service);
	*sum += service;
	return 0;
}

static void test_names(void **state)
{
	struct bed *bed = *state;
	const uint32_t services[3] = { 1, 2, 4 }, gone[2] = { 2, 9 };
	const struct jn_name names[3] = { { .name = "b" }, { .name = "c" }, { .name = "e" } };
	uint32_t sum = 0;
	size_t done;

	bed_open(bed);
	assert_int_equal(jn_datapath_put_names(bed->dp, services, names, 3, &done), 0);
	assert_int_equal(done, 3);
	assert_int_equal(jn_datapath_del_names(bed->dp, gone, 2), 0);
	assert_int_equal(jn_datapath_each_name(bed->dp, see_name, &sum), 0);
	assert_int_equal(sum, 5);
}

/* --- counters ---------------------------------------------------------------------------------- */

/* Service i: i forwarded and 2 * i refused on each CPU. */
static void count_up(const struct bed *bed, uint32_t first, uint32_t count)
{
	struct jn_stats *cpus = calloc(bed->dp->cpu_count, sizeof(*cpus));
	int fd = open_pin(bed, "jn_stats");

	for (uint32_t service = first; service < first + count; service++) {
		for (unsigned cpu = 0; cpu < bed->dp->cpu_count; cpu++)
			cpus[cpu] = (struct jn_stats){ service + cpu, 2 * service };
		assert_int_equal(bpf_map_update_elem(fd, &service, cpus, BPF_ANY), 0);
	}
	(void)close(fd);
	free(cpus);
}

static void assert_counted(const struct bed *bed, const uint32_t *services, size_t count)
{
	uint64_t cpus = bed->dp->cpu_count;
	struct jn_stats *read = calloc(count, sizeof(*read));

	assert_int_equal(jn_datapath_read_stats(bed->dp, services, count, read), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(read[i].forwarded, services[i] * cpus + cpus * (cpus - 1) / 2);
		assert_int_equal(read[i].refused, services[i] * cpus * 2);
	}
	free(read);
}

static void test_counters_are_summed_over_cpus(void **state)
{
	struct bed *bed = *state;
	const uint32_t last = JN_FIRST_SERVICES - 1, few[3] = { last, 0, 7 };
	uint32_t many[2000];
	struct jn_stats read;

	bed_open(bed);
	count_up(bed, 0, 2000);
	count_up(bed, last - 999, 1000);
	assert_counted(bed, few, 3);
	for (uint32_t i = 0; i < 2000; i++)
		many[i] = i * 7 % 2000; /* from 0 on, in disorder, in one range */
	assert_counted(bed, many, 2000);
	for (uint32_t i = 0; i < 1000; i++)
		many[i] = last - i;
	assert_counted(bed, many, 1000); /* to the end of the table */
	for (uint32_t i = 0; i < 20; i++)
		many[i] = i % 2 ? i : last - i; /* far apart */
	assert_counted(bed, many, 20);
	assert_int_equal(jn_datapath_zero_stats(bed->dp, few[2]), 0);
	assert_int_equal(jn_datapath_read_stats(bed->dp, &few[2], 1, &read), 0);
	assert_true(!read.forwarded && !read.refused);
	assert_int_equal(jn_datapath_read_stats(bed->dp, NULL, 0, NULL), 0);
}

static void test_reasons_are_summed_over_cpus(void **state)
{
	struct bed *bed = *state;
	uint64_t cpus[256], read[JN_REASON_MAX];
	uint32_t reason = JN_REASON_NO_ENDPOINT;
	int fd;

	bed_open(bed);
	assert_true(bed->dp->cpu_count <= 256);
	for (unsigned i = 0; i < bed->dp->cpu_count; i++)
		cpus[i] = 10;
	fd = open_pin(bed, "jn_reasons");
	assert_int_equal(bpf_map_update_elem(fd, &reason, cpus, BPF_ANY), 0);
	assert_int_equal(jn_datapath_read_reasons(bed->dp, read), 0);
	for (uint32_t i = 0; i < JN_REASON_MAX; i++)
		assert_int_equal(read[i], i == reason ? 10 * bed->dp->cpu_count : 0);
	(void)close(fd);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_an_endpoint_is_whole_before_it_is_anybodys),
		CASE(test_a_revision_is_whole_before_its_number_stands),
		CASE(test_batches_say_how_far_they_came),
		CASE(test_a_walk_meets_each_entry_once),
		CASE(test_deleting_what_is_not_there_is_fine),
		CASE(test_names),
		CASE(test_counters_are_summed_over_cpus),
		CASE(test_reasons_are_summed_over_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
