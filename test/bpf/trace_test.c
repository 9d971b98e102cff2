/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * jn_trace: it tells what the next connection does, byte for byte nothing changes by asking, and it
 * looks at the tables that the hooks use. Root.
 */
#include "datapath_traffic.h"

#include <poll.h>

#include <bpf/libbpf.h>

#include <junctor.skel.h>

#include <junctor/limits.h>
#include <junctor/trace.h>

#include "base/buffer.h"

#define BACKENDS 3 /* 127.0.0.1 to 127.0.0.3, port 8081; endpoints 1 to 3 */

/* A service at the VIP, as the engine writes it. */
static void publish_many(struct jn_datapath *dp, uint8_t algorithm, struct jn_rules rules,
			 uint8_t flags)
{
	static uint32_t last = 1;
	const uint32_t number = ++last;
	struct jn_slot slots[BACKENDS];
	struct jn_revision r = { .number = number,
				 .slot_base = 8 * number,
				 .slot_count = BACKENDS,
				 .no_endpoint_errno = EHOSTUNREACH,
				 .algorithm = algorithm,
				 .flags = flags,
				 .rules = rules,
				 .member_base = 8 * number,
				 .member_count = BACKENDS,
				 .live = 9 };

	publish(dp);
	for (uint32_t i = 0; i < BACKENDS; i++) {
		struct jn_endpoint e = jn_datapath_endpoints(dp)[1];

		e.addr.w[3] = htonl(INADDR_LOOPBACK + i);
		e.live = 1 + i;
		jn_datapath_put_endpoint(dp, 1 + i, &e);
		slots[i] = (struct jn_slot){ .endpoint = 1 + i, .alias = (uint16_t)i };
	}
	jn_datapath_put_revision(dp, number, &r, slots);
	jn_datapath_publish(dp, 1, number, number);
}

static struct jn_trace question(void)
{
	struct jn_trace trace = { .is_v4 = 1,
				  .key = { .vip = { .w = { 0, 0, htonl(0xffff), htonl(VIP) } },
					   .port = htons(80),
					   .proto = IPPROTO_TCP } };
	uint64_t cookie;

	assert_int_equal(jn_datapath_netns_cookie(&cookie), 0);
	trace.netns_cookie = cookie;
	return trace;
}

static struct jn_trace ask(struct bed *bed)
{
	struct jn_trace trace = question();

	if (jn_datapath_trace(bed->dp, &trace, &bed->err))
		fail_msg("%s", jn_error_text(&bed->err));
	return trace;
}

static bool has_step(const struct jn_trace *trace, enum jn_step_kind kind)
{
	for (uint32_t i = 0; i < trace->step_count; i++) {
		if (trace->steps[i].kind == kind)
			return true;
	}
	return false;
}

/* The last byte of the address of the backend that one connection reached; 0 and more: failed. */
static int reach_vip(void)
{
	struct sockaddr_in vip = address(VIP, 80);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct pollfd servers[BACKENDS];

	if (ioctl(client, SIOCSIFFLAGS, &lo))
		return 254;
	for (uint32_t i = 0; i < BACKENDS; i++) {
		struct sockaddr_in at = address(INADDR_LOOPBACK + i, 8081);

		servers[i] = (struct pollfd){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
					      .events = POLLIN };
		if (bind(servers[i].fd, (struct sockaddr *)&at, sizeof(at)) ||
		    listen(servers[i].fd, 1))
			return 253;
	}
	if (connect(client, (struct sockaddr *)&vip, sizeof(vip)))
		return 100 + errno;
	if (poll(servers, BACKENDS, 10000) != 1)
		return 251;
	for (int i = 0; i < BACKENDS; i++) {
		if (servers[i].revents & POLLIN)
			return i + 1;
	}
	return 252;
}

static void test_the_next_connection_goes_where_the_trace_says(void **state)
{
	struct bed *bed = *state;

	bed_open(bed);
	publish_many(bed->dp, JN_ALGORITHM_ROUND_ROBIN, (struct jn_rules){ 0 }, 0);
	attach(bed);
	for (unsigned i = 0; i < 2 * BACKENDS; i++) {
		struct jn_trace trace = ask(bed), again = ask(bed);

		assert_int_equal(trace.reason, JN_REASON_OK);
		assert_memory_equal(&trace, &again, sizeof(trace));
		assert_int_equal(in_child(bed->cgroup, reach_vip), trace.endpoint);
		assert_int_equal(trace.endpoint, i % BACKENDS + 1);
	}
}

static void test_turns_within_one_decision_go_on(void **state)
{
	struct bed *bed = *state;
	struct jn_trace trace;

	bed_open(bed);
	publish_many(bed->dp, JN_ALGORITHM_ROUND_ROBIN, (struct jn_rules){ .is_probed = 1 },
		     JN_REVISION_ASKS_BACKEND);
	attach(bed);
	jn_datapath_set_live_down(bed->dp, 1, true);
	jn_datapath_set_live_down(bed->dp, 2, true);
	trace = ask(bed);
	assert_int_equal(trace.endpoint, 3);
	assert_int_equal(trace.turns, 3);
	assert_int_equal(in_child(bed->cgroup, reach_vip), 3);
}

/* --- side effects ------------------------------------------------------------------------------- */

#define LOOKED_AT 64 /* entries of a table; only these are used here */

/* Tables of sockets have no keys to walk, and nobody has a socket here. */
static void add_table(struct bed *bed, const struct bpf_map *map, struct jn_buffer *out)
{
	bool is_each_cpu = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY;
	size_t size = bpf_map__value_size(map) * (is_each_cpu ? bed->dp->cpu_count : 1);
	JN_AUTO(jn_free_mem) void *value = calloc(1, size);
	char key[64], next[64];

	assert_non_null(value);
	for (unsigned i = 0; bpf_map__type(map) != BPF_MAP_TYPE_SK_STORAGE && i < LOOKED_AT; i++) {
		if (bpf_map_get_next_key(bpf_map__fd(map), i ? key : NULL, next))
			break;
		memcpy(key, next, sizeof(key));
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), key, value), 0);
		jn_buffer_add(out, key, bpf_map__key_size(map));
		jn_buffer_add(out, value, size);
	}
}

static void add_tables(struct bed *bed, struct jn_buffer *out)
{
	struct bpf_map *map = NULL;

	while ((map = jn_next_table(bed->dp->object, map)))
		add_table(bed, map, out);
	assert_false(jn_buffer_failed(out));
}

static void assert_asking_changes_nothing(struct bed *bed)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer before = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer after = { 0 };

	add_tables(bed, &before);
	for (unsigned i = 0; i < 20; i++)
		(void)ask(bed);
	add_tables(bed, &after);
	assert_int_equal(before.size, after.size);
	assert_memory_equal(before.data, after.data, before.size);
}

static void test_asking_changes_no_table(void **state)
{
	struct bed *bed = *state;
	const struct jn_rules rules = { .affinity_seconds = 60,
					.max_connections = 2,
					.max_new_per_second = 3,
					.max_backend_connections = 2,
					.eject_failures = 1,
					.eject_window_s = 10,
					.eject_s = 10,
					.eject_max_s = 10,
					.eject_percent = 100,
					.slow_start_seconds = 60,
					.is_probed = 1 };
	const uint8_t flags = JN_REVISION_ASKS_CLIENT | JN_REVISION_SLOW_STARTS |
			      JN_REVISION_ASKS_BACKEND | JN_REVISION_COUNTS | JN_REVISION_WATCHES;

	bed_open(bed);
	for (uint8_t algorithm = 0; algorithm < JN_ALGORITHM_MAX; algorithm++) {
		publish_many(bed->dp, algorithm, (struct jn_rules){ 0 }, 0);
		assert_asking_changes_nothing(bed);
		publish_many(bed->dp, algorithm, rules, flags);
		assert_asking_changes_nothing(bed);
	}
}

static void test_a_trial_is_told_and_left_to_a_connection(void **state)
{
	struct bed *bed = *state;
	struct jn_rules rules = {
		.eject_failures = 1, .eject_s = 10, .eject_max_s = 10, .eject_percent = 100
	};

	bed_open(bed);
	publish_many(bed->dp, JN_ALGORITHM_ROUND_ROBIN, rules,
		     JN_REVISION_ASKS_BACKEND | JN_REVISION_WATCHES);
	bed->dp->tables.live[1].out_until_ns = 1; /* long over */
	for (unsigned i = 0; i < 3; i++) {
		struct jn_trace trace = ask(bed);

		assert_int_equal(trace.endpoint, 1);
		assert_true(trace.socket_flags & JN_SOCKET_TRIAL);
	}
	assert_int_equal(bed->dp->tables.live[1].out_until_ns, 1);
}

static void test_limits_are_told_and_not_used_up(void **state)
{
	struct bed *bed = *state;
	struct jn_rules rules = { .max_connections = 1, .max_new_per_second = 1 };
	struct jn_trace trace;

	bed_open(bed);
	publish_many(bed->dp, JN_ALGORITHM_RANDOM, rules, JN_REVISION_COUNTS);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(ask(bed).reason, JN_REASON_OK);
	bed->dp->tables.live[9].open = 1;
	trace = ask(bed);
	assert_int_equal(trace.reason, JN_REASON_LIMIT_REACHED);
	assert_true(has_step(&trace, JN_STEP_LIMIT));
	assert_int_equal(bed->dp->tables.live[9].open, 1);
}

/* --- which tables ------------------------------------------------------------------------------- */

static void test_it_follows_tables_that_grow(void **state)
{
	struct bed *bed = *state;
	struct jn_growth *growth = NULL;
	struct jn_sizes sizes;

	bed_open(bed);
	publish_many(bed->dp, JN_ALGORITHM_ROUND_ROBIN, (struct jn_rules){ 0 }, 0);
	attach(bed);
	sizes = *jn_datapath_sizes(bed->dp);
	sizes.frontends *= 2;
	sizes.sets *= 2;
	assert_int_equal(jn_datapath_grow_load(bed->dp, &sizes, &growth, &bed->err), 0);
	assert_int_equal(jn_datapath_grow_swap(bed->dp, growth, &bed->err), 0);
	jn_datapath_wait_grace();
	jn_datapath_grow_settle(bed->dp, &growth);
	for (unsigned i = 0; i < BACKENDS; i++) {
		uint32_t told = ask(bed).endpoint;

		assert_int_equal(in_child(bed->cgroup, reach_vip), told);
	}
	assert_int_equal(count_entries(bed->version, "jn_"), PINS + BASE_HOOKS);
}

static void test_one_that_looks_at_other_tables_is_refused(void **state)
{
	struct bed *bed = *state;
	struct jn_trace trace = question();
	char aside[300];

	bed_open(bed);
	(void)snprintf(aside, sizeof(aside), "%s/aside", bed->version);
	assert_int_equal(rename(bed_pin(bed, "jn_trace"), aside), 0);
	assert_int_equal(jn_datapath_trace(bed->dp, &trace, &bed->err), -ENOENT);
	assert_says(bed, "restart junctord");
	jn_error_done(&bed->err);
	assert_int_equal(unlink(bed_pin(bed, "jn_frontends")), 0); /* another one is made */
	bed_reopen(bed);
	assert_int_equal(ask(bed).reason, JN_REASON_NOT_A_SERVICE);
	assert_int_equal(rename(aside, bed_pin(bed, "jn_trace")), 0);
	assert_int_equal(jn_datapath_trace(bed->dp, &trace, &bed->err), -ESTALE);
}

/* --- whoever asks ------------------------------------------------------------------------------- */

static struct bed *child_bed;

static int look_and_ask(void)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *dp = NULL;
	struct jn_trace trace = question();
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return 1;
	pid = fork();
	if (!pid) /* the first process of a PID namespace: the kernel knows it by another number */
		_exit(jn_datapath_look(child_bed->pins, &dp, NULL) ||
		      jn_datapath_trace(dp, &trace, NULL) || trace.endpoint != 1);
	return pid < 0 || waitpid(pid, &status, 0) != pid ? 2 : status;
}

static void test_it_is_asked_without_a_junctord_and_in_a_pid_namespace(void **state)
{
	struct bed *bed = *state;

	bed_open(bed);
	publish_many(bed->dp, JN_ALGORITHM_ROUND_ROBIN, (struct jn_rules){ 0 }, 0);
	attach(bed);
	jn_datapath_close(&bed->dp);
	child_bed = bed;
	assert_int_equal(in_child(bed->cgroup, look_and_ask), 0);
}

static void test_looking_changes_nothing_and_tells_what_is_there(void **state)
{
	struct bed *bed = *state;
	struct jn_hook_status hooks[JN_HOOK_COUNT];
	JN_AUTO(jn_datapath_close) struct jn_datapath *dp = NULL;

	assert_int_equal(jn_datapath_look(bed->pins, &dp, &bed->err), -ENOENT);
	assert_says(bed, "has nothing below");
	jn_error_done(&bed->err);
	assert_int_equal(count_entries(bed->pins, "v"), 0);
	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	jn_datapath_set_generation(bed->dp, 42);
	jn_datapath_close(&bed->dp);
	assert_int_equal(jn_datapath_look(bed->pins, &dp, &bed->err), 0);
	assert_int_equal(jn_datapath_generation(dp), 42);
	assert_int_equal(jn_datapath_sizes(dp)->frontends, JN_FIRST_FRONTENDS);
	jn_datapath_hooks(dp, hooks);
	for (size_t i = 0; i < JN_HOOK_COUNT; i++)
		assert_int_equal(hooks[i].is_attached, i < BASE_HOOKS);
	jn_datapath_close(&dp);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS);
	assert_int_equal(rename(bed->version, bed_pin(bed, "../v99")), 0);
	assert_int_equal(jn_datapath_look(bed->pins, &dp, &bed->err), -ENOENT);
	assert_says(bed, "another version");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define BED(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)
		BED(test_the_next_connection_goes_where_the_trace_says),
		BED(test_turns_within_one_decision_go_on),
		BED(test_asking_changes_no_table),
		BED(test_a_trial_is_told_and_left_to_a_connection),
		BED(test_limits_are_told_and_not_used_up),
		BED(test_it_follows_tables_that_grow),
		BED(test_one_that_looks_at_other_tables_is_refused),
		BED(test_it_is_asked_without_a_junctord_and_in_a_pid_namespace),
		BED(test_looking_changes_nothing_and_tells_what_is_there),
#undef BED
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
