/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hooks of userspace/datapath on the real kernel. Traffic flows only on the loopback of network
 * namespaces of its own, from processes in cgroups of its own. Root.
 */
#include "datapath_traffic.h"

#include <bpf/libbpf.h>

#include <junctor.skel.h>

static void assert_attached(struct bed *bed, bool is_expected)
{
	struct jn_hook_status hooks[JN_HOOK_COUNT];

	jn_datapath_hooks(bed->dp, hooks);
	for (size_t i = 0; i < JN_HOOK_COUNT; i++)
		assert_int_equal(hooks[i].is_attached, is_expected && i < BASE_HOOKS);
	assert_string_equal(hooks[0].name, "connect4");
}

static void ask_pin(const struct bed *bed, const char *name, struct bpf_link_info *out)
{
	int fd = bpf_obj_get(bed_pin(bed, name));

	assert_true(fd >= 0);
	assert_int_equal(jn_link_ask(fd, out), 0);
	(void)close(fd);
}

/* --- hooks ------------------------------------------------------------------------------------- */

static void test_a_connection_follows_what_is_published(void **state)
{
	struct bed *bed = *state;
	const uint32_t service = 1;
	const struct jn_revision none = { .number = 2,
					  .slot_base = 16,
					  .no_endpoint_errno = EHOSTUNREACH };
	struct jn_stats stats;

	bed_open(bed);
	publish(bed->dp);
	assert_int_equal(count_attached(bed->cgroup), 0);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), ECONNREFUSED);
	attach(bed);
	assert_attached(bed, true);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	jn_datapath_put_revision(bed->dp, 2, &none, NULL);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	jn_datapath_publish(bed->dp, 1, 2, 2);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), EHOSTUNREACH);
	assert_int_equal(jn_datapath_read_stats(bed->dp, &service, 1, &stats), 0);
	assert_int_equal(stats.forwarded, 2);
	assert_int_equal(stats.refused, 1);
}

static void test_what_is_pinned_serves_without_us(void **state)
{
	struct bed *bed = *state;
	uint32_t before[64], after[64];
	struct bpf_link_info link, same;

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	attach(bed); /* a second time: nothing to do */
	ask_pin(bed, "jn_connect4", &link);
	assert_int_equal(attached(bed->cgroup, before), BASE_HOOKS);
	jn_datapath_close(&bed->dp);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	bed_open(bed);
	attach(bed);
	ask_pin(bed, "jn_connect4", &same);
	assert_int_equal(link.id, same.id);
	assert_int_equal(attached(bed->cgroup, after), BASE_HOOKS);
	assert_memory_equal(before, after, BASE_HOOKS * sizeof(*before));
}

/* Dead between the pins of a first attach: three stand, a fourth has its first name yet. */
static void test_a_start_that_died_between_pins_is_completed(void **state)
{
	static const char *const lost[] = { "jn_sendmsg6", "jn_recvmsg4", "jn_recvmsg6",
					    "jn_getpeername6" };
	struct bed *bed = *state;
	char new_name[256];

	bed_open(bed);
	attach(bed);
	jn_datapath_close(&bed->dp);
	for (size_t i = 0; i < JN_COUNT(lost); i++)
		assert_int_equal(unlink(bed_pin(bed, lost[i])), 0);
	(void)snprintf(new_name, sizeof(new_name), "%s", bed_pin(bed, "jn_getpeername4_new"));
	assert_int_equal(rename(bed_pin(bed, "jn_getpeername4"), new_name), 0);
	bed_open(bed);
	attach(bed);
	assert_attached(bed, true);
	assert_int_equal(access(new_name, F_OK), -1);
	jn_datapath_close(&bed->dp);
	assert_int_equal(count_entries(bed->version, "jn_"), PINS + BASE_HOOKS);
	usleep(50000); /* the kernel lets go of the unpinned ones a while later */
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS);
}

static void test_another_cgroup_takes_the_hooks_along(void **state)
{
	struct bed *bed = *state;
	char other[sizeof(bed->cgroup) + 8];

	(void)snprintf(other, sizeof(other), "%s-other", bed->cgroup);
	assert_int_equal(mkdir(other, 0755), 0);
	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	jn_datapath_close(&bed->dp);
	(void)snprintf(bed->cgroup + strlen(bed->cgroup), 8, "-other");
	bed_open(bed);
	attach(bed);
	assert_attached(bed, true);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(count_entries(bed->version, "jn_"), PINS + BASE_HOOKS);
	bed->cgroup[strlen(bed->cgroup) - strlen("-other")] = 0;
	assert_int_equal(count_attached(bed->cgroup), 0);
	jn_datapath_close(&bed->dp);
	assert_int_equal(rmdir(other), 0);
}

static bool is_hook_attached(struct bed *bed)
{
	struct jn_hook_status hooks[JN_HOOK_COUNT];

	jn_datapath_hooks(bed->dp, hooks);
	return hooks[0].is_attached;
}

static void test_a_link_whose_cgroup_died_is_replaced(void **state)
{
	struct bed *bed = *state;

	bed_open(bed);
	attach(bed);
	assert_int_equal(rmdir(bed->cgroup), 0);
	for (unsigned i = 0; i < 500 && is_hook_attached(bed); i++)
		usleep(10000); /* the kernel detaches in its own time */
	assert_int_equal(mkdir(bed->cgroup, 0755), 0);
	bed_reopen(bed);
	attach(bed);
	assert_attached(bed, true);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS);
}

/* A program on other tables stands for another build's. */
static void test_another_builds_program_is_swapped_in_place(void **state)
{
	struct bed *bed = *state;
	struct junctor_bpf *other = junctor_bpf__open_and_load();
	struct bpf_link_info before, after;
	int link;

	assert_non_null(other);
	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	jn_datapath_close(&bed->dp);
	link = bpf_obj_get(bed_pin(bed, "jn_connect4"));
	assert_int_equal(bpf_link_update(link, bpf_program__fd(other->progs.jn_connect4), NULL), 0);
	(void)close(link);
	junctor_bpf__destroy(other);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), ECONNREFUSED);
	ask_pin(bed, "jn_connect4", &before);
	bed_open(bed);
	attach(bed);
	ask_pin(bed, "jn_connect4", &after);
	assert_int_equal(before.id, after.id);
	assert_int_not_equal(before.prog_id, after.prog_id);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
}

/* Somebody's program that admits no other is at the last hook. */
static void test_hooks_are_attached_all_or_none(void **state)
{
	struct bed *bed = *state;
	struct junctor_bpf *other = junctor_bpf__open_and_load();
	int cgroup = open(bed->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int program;

	assert_non_null(other);
	program = bpf_program__fd(other->progs.jn_getpeername6);
	assert_int_equal(bpf_prog_attach(program, cgroup, BPF_CGROUP_INET6_GETPEERNAME, 0), 0);
	bed_open(bed);
	assert_int_equal(jn_datapath_attach(bed->dp, &bed->err), -EPERM);
	assert_says(bed, "getpeername6");
	assert_says(bed, bed->cgroup);
	assert_attached(bed, false);
	assert_int_equal(count_attached(bed->cgroup), 1);
	assert_int_equal(count_entries(bed->version, "jn_"), PINS);
	assert_int_equal(bpf_prog_detach2(program, cgroup, BPF_CGROUP_INET6_GETPEERNAME), 0);
	jn_error_done(&bed->err);
	attach(bed);
	assert_attached(bed, true);
	(void)close(cgroup);
	junctor_bpf__destroy(other);
}

static void test_a_pin_that_is_no_link_is_refused(void **state)
{
	struct bed *bed = *state;

	bed_open(bed);
	assert_int_equal(bpf_obj_pin(bed->dp->names, bed_pin(bed, "jn_connect6")), 0);
	assert_int_equal(jn_datapath_attach(bed->dp, &bed->err), -EINVAL);
	assert_says(bed, "jn_connect6");
	assert_says(bed, "junctor cleanup");
	assert_int_equal(count_attached(bed->cgroup), 0);
}

static void test_a_hook_that_objects_need_comes_and_goes(void **state)
{
	struct bed *bed = *state;

	bed_open(bed);
	assert_int_equal(jn_datapath_need(bed->dp, JN_NEED_COUNTS, &bed->err), 0);
	assert_int_equal(count_attached(bed->cgroup), 0); /* remembered */
	attach(bed);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 1);
	assert_int_equal(jn_datapath_need(bed->dp, JN_NEED_COUNTS | JN_NEED_WATCHES, &bed->err), 0);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 2);
	assert_int_equal(count_entries(bed->version, "jn_sock_release"), 1);
	assert_int_equal(count_entries(bed->version, "jn_sockops"), 1);
	bed_reopen(bed);
	assert_int_equal(jn_datapath_need(bed->dp, JN_NEED_WATCHES, &bed->err), 0);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 2);
	attach(bed);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + 1);
	assert_int_equal(jn_datapath_need(bed->dp, 0, &bed->err), 0);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS);
	assert_int_equal(count_entries(bed->version, "jn_"), PINS + BASE_HOOKS);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_a_connection_follows_what_is_published),
		CASE(test_what_is_pinned_serves_without_us),
		CASE(test_a_start_that_died_between_pins_is_completed),
		CASE(test_another_cgroup_takes_the_hooks_along),
		CASE(test_a_link_whose_cgroup_died_is_replaced),
		CASE(test_another_builds_program_is_swapped_in_place),
		CASE(test_hooks_are_attached_all_or_none),
		CASE(test_a_pin_that_is_no_link_is_refused),
		CASE(test_a_hook_that_objects_need_comes_and_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
