/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opening the tables of userspace/datapath on the real kernel: pins made, adopted, completed, refused.
 * Root. What stands in the tables is datapath_tables_test.c's, what is attached datapath_links_test.c's.
 */
#include "datapath_bed.h"

#include <sys/resource.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <junctor.skel.h>

#include <junctor/limits.h>

/* --- pins -------------------------------------------------------------------------------------- */

static void test_a_first_open_pins_every_table(void **state)
{
	struct bed *bed = *state;
	struct jn_hook_status hooks[JN_HOOK_COUNT];
	struct stat info;

	bed_open(bed);
	assert_false(jn_datapath_is_adopted(bed->dp));
	assert_int_equal(count_entries(bed->version, "jn_"), PINS);
	assert_int_equal(stat(bed->version, &info), 0);
	assert_int_equal(info.st_mode & 07777, 0700);
	assert_int_equal(jn_datapath_generation(bed->dp), 0);
	jn_datapath_hooks(bed->dp, hooks);
	for (size_t i = 0; i < JN_HOOK_COUNT; i++)
		assert_false(hooks[i].is_attached);
}

static void test_a_second_open_adopts_them(void **state)
{
	struct bed *bed = *state;

	bed_open(bed);
	jn_datapath_set_generation(bed->dp, 7);
	bed_reopen(bed);
	assert_true(jn_datapath_is_adopted(bed->dp));
	assert_int_equal(jn_datapath_generation(bed->dp), 7);
}

static void test_a_start_that_died_halfway_is_completed(void **state)
{
	struct bed *bed = *state;

	bed_open(bed);
	jn_datapath_set_generation(bed->dp, 7);
	assert_int_equal(unlink(bed_pin(bed, "jn_slots")), 0);
	assert_int_equal(unlink(bed_pin(bed, "jn_udp_peer")), 0);
	bed_reopen(bed);
	assert_true(jn_datapath_is_adopted(bed->dp));
	assert_int_equal(count_entries(bed->version, "jn_"), PINS);
	assert_int_equal(jn_datapath_generation(bed->dp), 7);
}

static void assert_refused_shape(struct bed *bed, const char *pin, const char *word, int map)
{
	int before;

	assert_true(map >= 0);
	(void)unlink(bed_pin(bed, pin));
	assert_int_equal(bpf_obj_pin(map, bed_pin(bed, pin)), 0);
	(void)close(map);
	before = count_entries(bed->version, "jn_");
	assert_int_equal(bed_try_open(bed), -EINVAL);
	assert_null(bed->dp);
	assert_says(bed, pin);
	assert_says(bed, word);
	assert_says(bed, "junctor cleanup");
	assert_int_equal(count_entries(bed->version, "jn_"), before);
	assert_int_equal(unlink(bed_pin(bed, pin)), 0);
}

static int make_map(enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t entries,
		    uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);

	return bpf_map_create(type, "other", key, value, entries, &options);
}

static void test_a_table_of_another_shape_is_refused_unread(void **state)
{
	struct bed *bed = *state;
	const enum bpf_map_type array = BPF_MAP_TYPE_ARRAY, hash = BPF_MAP_TYPE_HASH;
	const uint32_t mapped = BPF_F_MMAPABLE;

	bed_open(bed);
	jn_datapath_close(&bed->dp);
	assert_refused_shape(bed, "jn_meta", "type", make_map(hash, 4, 16, 1, 0));
	assert_refused_shape(bed, "jn_meta", "value size", make_map(array, 4, 8, 1, mapped));
	assert_refused_shape(bed, "jn_meta", "flag", make_map(array, 4, 16, 1, 0));
	assert_refused_shape(bed, "jn_meta", "entries", make_map(array, 4, 16, 2, mapped));
	assert_refused_shape(bed, "jn_names", "key size",
			     make_map(hash, 8, sizeof(struct jn_name), JN_FIRST_SERVICES,
				      BPF_F_NO_PREALLOC));
	bed_open(bed); /* both missing ones are made anew */
	assert_int_equal(count_entries(bed->version, "jn_"), PINS);
}

static void test_a_pin_that_is_no_table_is_refused(void **state)
{
	struct bed *bed = *state;
	int program;

	bed_open(bed);
	program = bpf_program__fd(bpf_object__find_program_by_name(bed->dp->object, "jn_connect4"));
	assert_int_equal(unlink(bed_pin(bed, "jn_sets")), 0);
	assert_int_equal(bpf_obj_pin(program, bed_pin(bed, "jn_sets")), 0);
	jn_datapath_close(&bed->dp);
	assert_int_equal(bed_try_open(bed), -EINVAL);
	assert_says(bed, "jn_sets is no table");
}

static void test_a_folder_of_others_is_refused(void **state)
{
	struct bed *bed = *state;

	assert_int_equal(mkdir(bed->version, 0755), 0);
	assert_int_equal(bed_try_open(bed), -EPERM);
	assert_says(bed, "0755");
	assert_int_equal(chmod(bed->version, 0700), 0);
	assert_int_equal(chown(bed->version, 65534, 65534), 0);
	assert_int_equal(bed_try_open(bed), -EPERM);
	assert_says(bed, "uid 65534");
	assert_int_equal(rmdir(bed->version), 0);
	assert_int_equal(symlink(bed->folder, bed->version), 0);
	assert_int_equal(bed_try_open(bed), -EPERM);
	assert_says(bed, "no folder");
	assert_int_equal(unlink(bed->version), 0);
}

static void test_a_failed_open_leaves_nothing(void **state)
{
	struct bed *bed = *state;
	const struct jn_datapath_options nowhere = { .pin_dir = bed->pins, .cgroup = "/tmp" };
	struct rlimit limit, few;

	assert_int_equal(jn_datapath_open(&nowhere, &bed->dp, &bed->err), -EINVAL);
	assert_says(bed, "cgroup2");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){ .rlim_cur = 16, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_int_equal(bed_try_open(bed), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_says(bed, "file descriptors");
	assert_int_equal(count_entries(bed->pins, "v"), 0);
}

/* The middle one of the names is taken: those before it go again. */
static void test_pins_are_all_or_none(void **state)
{
	struct bed *bed = *state;
	struct junctor_bpf *skeleton;
	struct jn_adoption adoption;

	assert_int_equal(mkdir(bed->version, 0700), 0);
	skeleton = junctor_bpf__open();
	assert_non_null(skeleton);
	assert_int_equal(jn_pins_adopt(skeleton->obj, bed->version, &adoption, NULL), 0);
	assert_false(adoption.is_adopted);
	assert_int_equal(adoption.sizes.sets, JN_FIRST_SETS);
	assert_int_equal(adoption.fresh, (1u << TABLES) - 1);
	assert_int_equal(junctor_bpf__load(skeleton), 0);
	assert_int_equal(mkdir(bed_pin(bed, "jn_meta"), 0700), 0);
	assert_int_equal(jn_pins_complete(skeleton->obj, bed->version, adoption.fresh, &bed->err),
			 -EEXIST);
	assert_says(bed, "jn_meta");
	assert_int_equal(count_entries(bed->version, "jn_"), 1);
	assert_int_equal(rmdir(bed_pin(bed, "jn_meta")), 0);
	junctor_bpf__destroy(skeleton);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_first_open_pins_every_table),
		CASE(test_a_second_open_adopts_them),
		CASE(test_a_start_that_died_halfway_is_completed),
		CASE(test_a_table_of_another_shape_is_refused_unread),
		CASE(test_a_pin_that_is_no_table_is_refused),
		CASE(test_a_folder_of_others_is_refused),
		CASE(test_a_failed_open_leaves_nothing),
		CASE(test_pins_are_all_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
