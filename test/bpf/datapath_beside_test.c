/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs are swapped beside those of others. Where one of these runs before all others, kernels with
 * CVE-2026-72427 would replace the wrong one: a new link takes over there, and every connect is still
 * translated, once. Root; kernels without BPF_F_PREORDER have nothing to show.
 */
#include "datapath_traffic.h"

#include <sys/resource.h>

#include <bpf/libbpf.h>

#include <junctor.skel.h>

#include <junctor/limits.h>

#define PREORDER 64 /* BPF_F_PREORDER, which older headers lack */

/* Somebody's program at connect4: it counts its runs in a table of one entry. */
struct foreign {
	int map, program, cgroup;
};

static void load_foreign(struct foreign *f)
{
	const struct bpf_insn insns[] = {
		{ 0x62, 10, 0, -4, 0 }, /* key 0, on the stack */
		{ 0x18, 1, BPF_PSEUDO_MAP_FD, 0, f->map },
		{ 0 },
		{ 0xbf, 2, 10, 0, 0 },
		{ 0x07, 2, 0, 0, -4 },
		{ 0x85, 0, 0, 0, BPF_FUNC_map_lookup_elem },
		{ 0x15, 0, 0, 2, 0 },
		{ 0xb7, 1, 0, 0, 1 },
		{ 0xdb, 0, 1, 0, BPF_ADD }, /* one more */
		{ 0xb7, 0, 0, 0, 1 },
		{ 0x95, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);

	f->program = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "foreign", "GPL", insns,
				   JN_COUNT(insns), &options);
	assert_true(f->program >= 0);
}

/* false: this kernel knows no such flag. */
static bool attach_foreign(struct foreign *f, const char *cgroup, unsigned flags)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, options, .flags = BPF_F_ALLOW_MULTI | flags);

	f->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", 4, 8, 1, NULL);
	assert_true(f->map >= 0);
	load_foreign(f);
	f->cgroup = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->cgroup >= 0);
	return !bpf_prog_attach_opts(f->program, f->cgroup, BPF_CGROUP_INET4_CONNECT, &options);
}

static uint64_t runs_of(const struct foreign *f)
{
	uint32_t key = 0;
	uint64_t runs;

	assert_int_equal(bpf_map_lookup_elem(f->map, &key, &runs), 0);
	return runs;
}

static void drop_foreign(struct foreign *f)
{
	(void)bpf_prog_detach2(f->program, f->cgroup, BPF_CGROUP_INET4_CONNECT);
	(void)close(f->cgroup);
	(void)close(f->program);
	(void)close(f->map);
}

static uint32_t link_at(const struct bed *bed, const char *hook)
{
	struct bpf_link_info info;
	int fd = bpf_obj_get(bed_pin(bed, hook));

	assert_true(fd >= 0);
	assert_int_equal(jn_link_ask(fd, &info), 0);
	(void)close(fd);
	return info.id;
}

static void grow(struct bed *bed)
{
	struct jn_sizes sizes = *jn_datapath_sizes(bed->dp);
	struct jn_growth *growth = NULL;

	sizes.slots *= 2;
	if (jn_datapath_grow_load(bed->dp, &sizes, &growth, &bed->err) ||
	    jn_datapath_grow_swap(bed->dp, growth, &bed->err))
		fail_msg("%s", jn_error_text(&bed->err));
	jn_datapath_wait_grace();
	jn_datapath_grow_settle(bed->dp, &growth);
	assert_int_equal(bed->dp->tables.meta->flags, 0);
}

/* One connect: translated, its peer's name is the VIP, and each program ran once for it. */
static void check_serves(struct bed *bed, const char *cgroup, const struct foreign *f)
{
	const uint32_t service = 1;
	struct jn_stats before, after;
	uint64_t runs = runs_of(f);

	assert_int_equal(jn_datapath_read_stats(bed->dp, &service, 1, &before), 0);
	assert_int_equal(in_child(cgroup, connect_to_vip), 0);
	assert_int_equal(jn_datapath_read_stats(bed->dp, &service, 1, &after), 0);
	assert_int_equal(after.forwarded, before.forwarded + 1);
	assert_int_equal(runs_of(f), runs + 1);
}

static void open_bed(struct bed *bed)
{
	bed_open(bed);
	publish(bed->dp);
	attach(bed);
}

static void test_a_link_is_updated_beside_a_usual_program(void **state)
{
	struct bed *bed = *state;
	struct foreign f;
	uint32_t link;

	open_bed(bed);
	assert_true(attach_foreign(&f, bed->cgroup, 0));
	link = link_at(bed, "jn_connect4");
	grow(bed);
	assert_int_equal(link_at(bed, "jn_connect4"), link);
	check_serves(bed, bed->cgroup, &f);
	drop_foreign(&f);
}

static void test_a_link_is_replaced_beside_one_that_runs_first(void **state)
{
	struct bed *bed = *state;
	struct foreign f;
	uint32_t connect4, connect6;

	open_bed(bed);
	if (!attach_foreign(&f, bed->cgroup, PREORDER))
		skip();
	connect4 = link_at(bed, "jn_connect4");
	connect6 = link_at(bed, "jn_connect6");
	check_serves(bed, bed->cgroup, &f);
	grow(bed);
	assert_int_not_equal(link_at(bed, "jn_connect4"), connect4);
	assert_int_equal(link_at(bed, "jn_connect6"), connect6); /* nobody is in its way */
	check_serves(bed, bed->cgroup, &f);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 1);
	assert_int_equal(count_entries(bed->version, "jn_"), TABLES + BASE_HOOKS);
	bed_reopen(bed);
	attach(bed);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 1);
	check_serves(bed, bed->cgroup, &f);
	drop_foreign(&f);
}

/* One above ours counts, one below does not: what a cgroup below runs begins with its own anyway. */
static void test_programs_of_cgroups_above_and_below(void **state)
{
	struct bed *bed = *state;
	char above[sizeof(bed->cgroup)], below[sizeof(bed->cgroup) + 8];
	struct foreign low, high;
	uint32_t link;

	(void)snprintf(above, sizeof(above), "%s", bed->cgroup);
	(void)snprintf(bed->cgroup + strlen(bed->cgroup), 8, "/a");
	(void)snprintf(below, sizeof(below), "%s/b", bed->cgroup);
	assert_int_equal(mkdir(bed->cgroup, 0755) | mkdir(below, 0755), 0);
	open_bed(bed);
	link = link_at(bed, "jn_connect4");
	if (attach_foreign(&low, below, PREORDER)) {
		grow(bed);
		assert_int_equal(link_at(bed, "jn_connect4"), link);
		check_serves(bed, below, &low);
		assert_true(attach_foreign(&high, above, PREORDER));
		grow(bed);
		assert_int_not_equal(link_at(bed, "jn_connect4"), link);
		check_serves(bed, below, &low);
		check_serves(bed, below, &high);
		drop_foreign(&high);
	}
	drop_foreign(&low);
	assert_int_equal(rmdir(below), 0);
	jn_datapath_close(&bed->dp);
	assert_int_equal(rmdir(bed->cgroup), 0);
	(void)snprintf(bed->cgroup, sizeof(bed->cgroup), "%s", above);
}

static void test_another_builds_program_is_replaced_beside_one_that_runs_first(void **state)
{
	struct bed *bed = *state;
	struct junctor_bpf *other = junctor_bpf__open_and_load();
	struct foreign f;
	uint32_t before;
	int link;

	assert_non_null(other);
	open_bed(bed);
	jn_datapath_close(&bed->dp);
	link = bpf_obj_get(bed_pin(bed, "jn_connect4"));
	assert_int_equal(bpf_link_update(link, bpf_program__fd(other->progs.jn_connect4), NULL), 0);
	(void)close(link);
	junctor_bpf__destroy(other);
	if (!attach_foreign(&f, bed->cgroup, PREORDER))
		skip();
	before = link_at(bed, "jn_connect4");
	bed_open(bed);
	attach(bed);
	assert_int_not_equal(link_at(bed, "jn_connect4"), before);
	assert_int_equal(bed->dp->tables.meta->flags, 0);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 1);
	check_serves(bed, bed->cgroup, &f);
	drop_foreign(&f);
}

/* Between the new link and the end of the old one: both translate, and the record stays. */
static void test_a_connect_through_two_programs_is_translated_once(void **state)
{
	struct bed *bed = *state;
	int cgroup = open(bed->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), link;
	const uint32_t service = 1;
	struct jn_stats stats;

	open_bed(bed);
	link = bpf_link_create(jn_program_fd(bed->dp->object, 0), cgroup, jn_hook_type(0), NULL);
	assert_true(link >= 0);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 252); /* named after the backend */
	jn_meta_set(bed->dp, JN_META_DOUBLED, true);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(jn_datapath_read_stats(bed->dp, &service, 1, &stats), 0);
	assert_int_equal(stats.forwarded, 2);
	(void)close(link);
	(void)close(cgroup);
	bed_reopen(bed); /* of a life that ended just then */
	attach(bed);
	assert_int_equal(bed->dp->tables.meta->flags, 0);
}

/* Without a free descriptor nobody sees whose place an update would hit: it was made nevertheless. */
static void test_no_program_is_swapped_unseen(void **state)
{
	struct bed *bed = *state;
	struct rlimit before, none = { 0 };
	uint32_t program;
	int rc;

	bed_open(bed);
	attach(bed);
	program = program_at(bed, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	rc = jn_link_swap(bed->dp, 0, jn_program_fd(bed->dp->object, 1));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(rc, -EMFILE);
	assert_int_equal(program_at(bed, 0), program);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_no_program_is_swapped_unseen),
		CASE(test_a_link_is_updated_beside_a_usual_program),
		CASE(test_a_link_is_replaced_beside_one_that_runs_first),
		CASE(test_programs_of_cgroups_above_and_below),
		CASE(test_another_builds_program_is_replaced_beside_one_that_runs_first),
		CASE(test_a_connect_through_two_programs_is_translated_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
