/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Larger tables under running programs: what stands in them and what is counted stays, connections
 * never fail, and a start after a crash at any step goes on. Root.
 */
#include "datapath_traffic.h"

#include <bpf/libbpf.h>

#include <junctor.skel.h>

#include <junctor/limits.h>

static struct jn_sizes twice(const struct jn_datapath *dp)
{
	struct jn_sizes sizes = *jn_datapath_sizes(dp);

	sizes.services *= 2;
	sizes.sets *= 2;
	sizes.frontends *= 2;
	sizes.endpoints *= 2;
	sizes.revisions *= 2;
	sizes.slots *= 2;
	sizes.live *= 2;
	return sizes;
}

static void grow(struct bed *bed, const struct jn_sizes *sizes)
{
	struct jn_growth *growth = NULL;

	if (jn_datapath_grow_load(bed->dp, sizes, &growth, &bed->err) ||
	    jn_datapath_grow_swap(bed->dp, growth, &bed->err))
		fail_msg("%s", jn_error_text(&bed->err));
	jn_datapath_wait_grace();
	jn_datapath_grow_settle(bed->dp, &growth);
	assert_null(growth);
	assert_memory_equal(jn_datapath_sizes(bed->dp), sizes, sizeof(*sizes));
}

static uint32_t entries_of(const struct bed *bed, const char *table)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	int fd = bpf_obj_get(bed_pin(bed, table));

	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &size), 0);
	(void)close(fd);
	return info.max_entries;
}

static uint64_t forwarded(struct bed *bed)
{
	const uint32_t service = 1;
	struct jn_stats stats;

	assert_int_equal(jn_datapath_read_stats(bed->dp, &service, 1, &stats), 0);
	return stats.forwarded;
}

static void test_what_stands_in_the_tables_stays(void **state)
{
	struct bed *bed = *state;
	const uint32_t service = 1;
	const struct jn_name name = { .namespace_ = "default", .name = "web" };
	struct jn_sizes sizes;
	size_t done;

	bed_open(bed);
	publish(bed->dp);
	assert_int_equal(jn_datapath_put_names(bed->dp, &service, &name, 1, &done), 0);
	attach(bed);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	sizes = twice(bed->dp);
	grow(bed, &sizes);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(forwarded(bed), 2);
	assert_int_equal(jn_datapath_endpoints(bed->dp)[1].service, 1);
	jn_datapath_publish(bed->dp, 1, 0, 0); /* written where the programs look */
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), EHOSTUNREACH);
	jn_datapath_publish(bed->dp, 1, 1, 1);
	assert_int_equal(count_entries(bed->version, "jn_"), TABLES + BASE_HOOKS);
	assert_int_equal(entries_of(bed, "jn_names"), sizes.services);
	assert_int_equal(entries_of(bed, "jn_cursors"), sizes.sets);
	assert_int_equal(entries_of(bed, "jn_slots"), sizes.slots);
	bed_reopen(bed);
	assert_memory_equal(jn_datapath_sizes(bed->dp), &sizes, sizeof(sizes));
	attach(bed);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(forwarded(bed), 3);
}

static void test_only_what_is_full_grows(void **state)
{
	struct bed *bed = *state;
	struct jn_sizes sizes;

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	sizes = *jn_datapath_sizes(bed->dp);
	sizes.slots *= 4;
	grow(bed, &sizes);
	assert_int_equal(entries_of(bed, "jn_slots"), 4 * JN_FIRST_SLOTS);
	assert_int_equal(entries_of(bed, "jn_endpoints"), JN_FIRST_ENDPOINTS);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(forwarded(bed), 1);
}

/* Connects until it is told to stop: how many, or -1 when one failed. */
static int connect_all_the_time(int stop)
{
	struct sockaddr_in vip = address(VIP, 80);
	int count = 0;
	char byte;

	if (connect_to_vip())
		return -1;
	while (recv(stop, &byte, 1, MSG_DONTWAIT) < 0) {
		int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		vip.sin_port = htons(53);
		if (client < 0 || connect(client, (struct sockaddr *)&vip, sizeof(vip)))
			return -1;
		(void)close(client);
		count++;
	}
	return count;
}

static int stop_fd, count_fd;

static int connect_and_tell(void)
{
	int count = connect_all_the_time(stop_fd);

	return write(count_fd, &count, sizeof(count)) == sizeof(count) ? 0 : 1;
}

/* The same backend for UDP port 53, with turns. */
static void publish_udp(struct jn_datapath *dp)
{
	const struct jn_addr vip = { .w = { 0, 0, htonl(0xffff), htonl(VIP) } };
	const struct jn_frontend_key key = { .vip = vip, .port = htons(53), .proto = IPPROTO_UDP };
	const struct jn_frontend value = { .service = 1, .set = 2 };
	const struct jn_revision r = {
		.number = 7, .slot_base = 32, .slot_count = 1, .algorithm = JN_ALGORITHM_ROUND_ROBIN
	};
	const struct jn_slot slot = { .endpoint = 1 };
	size_t done;

	jn_datapath_put_revision(dp, 7, &r, &slot);
	jn_datapath_publish(dp, 2, 7, 7);
	assert_int_equal(jn_datapath_put_frontends(dp, &key, &value, 1, &done), 0);
}

static uint64_t turns_of(const struct bed *bed, uint32_t set)
{
	struct jn_cursor cursor;
	int fd = bpf_obj_get(bed_pin(bed, "jn_cursors"));

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &set, &cursor), 0);
	(void)close(fd);
	return cursor.turn;
}

/* A child that connects all the time. */
struct traffic {
	int stop[2], counts[2];
	pid_t pid;
};

static void begin_traffic(const struct bed *bed, struct traffic *t)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, t->stop), 0);
	assert_int_equal(pipe(t->counts), 0);
	stop_fd = t->stop[1];
	count_fd = t->counts[1];
	t->pid = fork();
	assert_true(t->pid >= 0);
	if (!t->pid) {
		(void)close(t->stop[0]); /* it ends when the test does, too */
		_exit(in_child(bed->cgroup, connect_and_tell));
	}
	usleep(100000);
}

/* How many; none failed. */
static int end_traffic(struct traffic *t)
{
	int count = 0;

	assert_int_equal(write(t->stop[0], "x", 1), 1);
	assert_int_equal(read(t->counts[0], &count, sizeof(count)), sizeof(count));
	assert_int_equal(waitpid(t->pid, NULL, 0), t->pid);
	(void)close(t->stop[0]);
	(void)close(t->stop[1]);
	(void)close(t->counts[0]);
	(void)close(t->counts[1]);
	assert_true(count > 1000);
	return count;
}

static void test_connections_go_on_while_tables_grow(void **state)
{
	struct bed *bed = *state;
	struct traffic traffic;
	struct jn_sizes sizes;
	int count;

	bed_open(bed);
	publish(bed->dp);
	publish_udp(bed->dp);
	attach(bed);
	begin_traffic(bed, &traffic);
	for (unsigned i = 0; i < 4; i++) {
		sizes = twice(bed->dp);
		grow(bed, &sizes);
	}
	count = end_traffic(&traffic);
	/* One counter may lose a few during each swap; not one turn is taken twice over. */
	assert_in_range(turns_of(bed, 2), (uint64_t)count - 40, (uint64_t)count);
	assert_in_range(forwarded(bed), (uint64_t)count + 1 - 40, (uint64_t)count + 1);
}

/* UDP port 53, and its open connections are counted. */
static void publish_counted(struct jn_datapath *dp)
{
	const struct jn_revision r = { .number = 8,
				       .slot_base = 32,
				       .slot_count = 1,
				       .member_base = 32,
				       .member_count = 1,
				       .flags = JN_REVISION_ASKS_BACKEND | JN_REVISION_COUNTS };
	const struct jn_slot slot = { .endpoint = 1, .probability = UINT16_MAX };

	publish_udp(dp);
	jn_datapath_begin_live(dp, 1);
	jn_datapath_set_endpoint_live(dp, 1, 1);
	jn_datapath_put_revision(dp, 8, &r, &slot);
	jn_datapath_publish(dp, 2, 8, 8);
}

/* The last hook does not take its program: what stands for its link is none. */
static void grow_in_vain(struct bed *bed)
{
	struct jn_growth *growth = NULL;
	struct jn_sizes sizes = twice(bed->dp);
	int link = bed->dp->links[JN_HOOK_COUNT - 1], rc;

	assert_true(link >= 0);
	bed->dp->links[JN_HOOK_COUNT - 1] = bed->dp->frontends;
	assert_int_equal(jn_datapath_grow_load(bed->dp, &sizes, &growth, &bed->err), 0);
	rc = jn_datapath_grow_swap(bed->dp, growth, &bed->err);
	bed->dp->links[JN_HOOK_COUNT - 1] = link;
	assert_int_equal(rc, -EINVAL);
	assert_says(bed, "nothing was applied");
	jn_error_done(&bed->err);
	jn_datapath_wait_grace();
	jn_datapath_grow_settle(bed->dp, &growth);
	assert_null(growth);
}

/*
 * The bug: when a link did not take its program, what was counted meanwhile in the larger tables was
 * forgotten: ends that were counted in the present ones had no beginning there, or the reverse. And
 * the next start counted all connections anew.
 */
static void test_counts_are_kept_when_tables_cannot_be_replaced(void **state)
{
	struct bed *bed = *state;
	struct traffic traffic;
	struct jn_sizes first, sizes;

	bed_open(bed);
	publish(bed->dp);
	publish_counted(bed->dp);
	assert_int_equal(jn_datapath_need(bed->dp, JN_NEED_COUNTS | JN_NEED_WATCHES, NULL), 0);
	attach(bed);
	first = *jn_datapath_sizes(bed->dp);
	begin_traffic(bed, &traffic);
	for (unsigned i = 0; i < 10; i++)
		grow_in_vain(bed);
	assert_memory_equal(jn_datapath_sizes(bed->dp), &first, sizeof(first));
	assert_false(bed->dp->tables.meta->flags);
	sizes = twice(bed->dp);
	grow(bed, &sizes); /* and then it can */
	(void)end_traffic(&traffic);
	assert_int_equal(jn_datapath_live(bed->dp)[1].open, 0);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(count_entries(bed->version, "jn_"), TABLES + JN_HOOK_COUNT);
}

/* A link is left of a cgroup that is gone: no program runs there, and tables grow all the same. */
static void test_tables_grow_although_their_cgroup_is_gone(void **state)
{
	struct bed *bed = *state;
	struct jn_sizes sizes;

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	assert_int_equal(rmdir(bed->cgroup), 0);
	sizes = twice(bed->dp);
	grow(bed, &sizes);
	assert_int_equal(mkdir(bed->cgroup, 0755), 0);
	bed_reopen(bed);
	attach(bed);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
}

/* Between two renames: some tables are the larger ones, some are not, and some successors are left. */
/* They went on reading the smaller ones, from the start's publication to its attach. */
static void test_hooks_of_the_last_life_go_along_at_a_start(void **state)
{
	struct bed *bed = *state;
	struct jn_sizes sizes;

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	bed_reopen(bed);
	sizes = twice(bed->dp);
	bed->dp->tables.meta->flags |= JN_META_SETTLING; /* it died in a growth of its own */
	grow(bed, &sizes);
	assert_true(bed->dp->tables.meta->flags & JN_META_SETTLING); /* which attach looks after */
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	jn_datapath_publish(bed->dp, 1, 0, 0);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), EHOSTUNREACH);
	jn_datapath_publish(bed->dp, 1, 1, 1);
	attach(bed);
	assert_false(bed->dp->tables.meta->flags & JN_META_SETTLING);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(forwarded(bed), 2);
}

/* A growth failed, and so did the way back of one hook: it ran on tables of nobody until a restart. */
static void test_the_next_change_swaps_a_hook_that_was_left_behind(void **state)
{
	struct bed *bed = *state;
	struct junctor_bpf *other = junctor_bpf__open_and_load();
	uint32_t program;

	assert_non_null(other);
	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	program = program_at(bed, 0);
	assert_int_equal(jn_link_swap(bed->dp, 0, bpf_program__fd(other->progs.jn_connect4)), 0);
	junctor_bpf__destroy(other);
	assert_int_not_equal(program_at(bed, 0), program);
	bed->dp->is_torn = true; /* as abandon() says it */
	assert_int_equal(jn_datapath_need(bed->dp, bed->dp->needs, &bed->err), 0);
	assert_int_equal(program_at(bed, 0), program);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
}

static void test_a_start_after_a_crash_takes_any_mix(void **state)
{
	struct bed *bed = *state;
	struct jn_growth *growth = NULL;
	struct jn_sizes first, sizes;
	char old[PATH_MAX], successor[PATH_MAX];

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	first = *jn_datapath_sizes(bed->dp);
	sizes = twice(bed->dp);
	(void)snprintf(old, sizeof(old), "%s", bed_pin(bed, "jn_names"));
	(void)snprintf(successor, sizeof(successor), "%s", bed_pin(bed, "jn_names_new"));
	assert_int_equal(jn_datapath_grow_load(bed->dp, &sizes, &growth, &bed->err), 0);
	assert_int_equal(bpf_obj_pin(bed->dp->names, successor), 0); /* pins stop there */
	assert_int_equal(jn_datapath_grow_swap(bed->dp, growth, &bed->err), -EEXIST);
	assert_says(bed, "nothing was applied");
	jn_error_done(&bed->err);
	jn_datapath_grow_settle(bed->dp, &growth);
	assert_memory_equal(jn_datapath_sizes(bed->dp), &first, sizeof(first));
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(count_entries(bed->version, "jn_"), TABLES + BASE_HOOKS);

	grow(bed, &sizes);
	jn_datapath_close(&bed->dp);
	assert_int_equal(rename(bed_pin(bed, "jn_stats"), successor), 0); /* one is missing */
	bed_open(bed);
	assert_int_equal(access(successor, F_OK), -1);
	assert_memory_equal(jn_datapath_sizes(bed->dp), &sizes, sizeof(sizes));
	attach(bed);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(access(old, F_OK), 0);
}

/* A life that ends between the swap and the settling; 0: it came that far. */
static int grow_and_die(struct bed *bed)
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		struct jn_growth *growth = NULL;
		struct jn_sizes sizes;

		bed_open(bed);
		attach(bed);
		sizes = twice(bed->dp);
		if (jn_datapath_grow_load(bed->dp, &sizes, &growth, &bed->err) ||
		    jn_datapath_grow_swap(bed->dp, growth, &bed->err))
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* What the old table counted after the copy was not added: it could be anything. */
static void test_counts_begin_anew_after_a_crash_before_it_settled(void **state)
{
	struct bed *bed = *state;
	struct jn_sizes sizes;
	uint32_t epoch;

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	jn_datapath_begin_live(bed->dp, 1);
	epoch = bed->dp->tables.live[1].epoch;
	bed->dp->tables.live[1].open = 5;
	sizes = twice(bed->dp);
	grow(bed, &sizes);
	bed_reopen(bed);
	attach(bed);
	assert_int_equal(jn_datapath_live(bed->dp)[1].open, 5); /* it had settled */
	jn_datapath_close(&bed->dp);
	assert_int_equal(grow_and_die(bed), 0);
	bed_open(bed);
	attach(bed);
	assert_int_equal(jn_datapath_live(bed->dp)[1].open, 0);
	assert_int_equal(jn_datapath_live(bed->dp)[1].epoch, epoch + 1);
	bed->dp->tables.live[1].open = 3;
	bed_reopen(bed);
	attach(bed);
	assert_int_equal(jn_datapath_live(bed->dp)[1].open, 3); /* once */
}

static void test_a_table_that_cannot_be_had_changes_nothing(void **state)
{
	struct bed *bed = *state;
	struct jn_growth *growth = NULL;
	struct jn_sizes sizes;

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	sizes = *jn_datapath_sizes(bed->dp);
	sizes.endpoints = UINT32_MAX; /* 128 GiB: more than most machines have */
	assert_true(jn_datapath_grow_load(bed->dp, &sizes, &growth, &bed->err) < 0);
	assert_null(growth);
	assert_says(bed, "memory");
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(count_entries(bed->version, "jn_"), TABLES + BASE_HOOKS);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_what_stands_in_the_tables_stays),
		CASE(test_only_what_is_full_grows),
		CASE(test_connections_go_on_while_tables_grow),
		CASE(test_counts_are_kept_when_tables_cannot_be_replaced),
		CASE(test_tables_grow_although_their_cgroup_is_gone),
		CASE(test_hooks_of_the_last_life_go_along_at_a_start),
		CASE(test_the_next_change_swaps_a_hook_that_was_left_behind),
		CASE(test_a_start_after_a_crash_takes_any_mix),
		CASE(test_counts_begin_anew_after_a_crash_before_it_settled),
		CASE(test_a_table_that_cannot_be_had_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
