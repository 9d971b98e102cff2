/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Another version of the tables: its links are taken over without a gap, its tables go, and neither
 * is read. An upgrade and the way back are the same here. Root.
 */
#include "datapath_traffic.h"

#define TELLING_HOOKS 4 /* recvmsg and getpeername of both families */

/* What the junctord of another version left: all that we made, under its number. */
static void become_older(struct bed *bed, char older[PATH_MAX])
{
	jn_datapath_close(&bed->dp);
	(void)snprintf(older, PATH_MAX, "%s/v%d", bed->pins, JN_ABI_VERSION + 7);
	assert_int_equal(rename(bed->version, older), 0);
}

static void test_an_older_version_hands_over_its_hooks(void **state)
{
	struct bed *bed = *state;
	char older[PATH_MAX];
	uint32_t before[64], after[64];

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	assert_int_equal(jn_datapath_need(bed->dp, JN_NEED_COUNTS, &bed->err), 0);
	become_older(bed, older);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	assert_int_equal(attached(bed->cgroup, before), BASE_HOOKS + 1);
	bed_open(bed);
	assert_false(jn_datapath_is_adopted(bed->dp));
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0); /* by the older one */
	publish(bed->dp);
	attach(bed);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), 0);
	/* Nobody needs the ninth; those that tell of sockets go on beside ours. */
	assert_int_equal(attached(bed->cgroup, after), BASE_HOOKS + TELLING_HOOKS);
	assert_true(memcmp(before, after, BASE_HOOKS * sizeof(*before)) != 0);
	assert_int_equal(access(older, F_OK), -1);
	assert_int_equal(count_entries(bed->version, "jn_"), PINS + BASE_HOOKS + TELLING_HOOKS);
	jn_datapath_publish(bed->dp, 1, 0, 0); /* it is our tables that count */
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), EHOSTUNREACH);
}

static int stop_fd; /* of a child: where it hears from the test, and says something */

/* 0: not one connection failed until it was told to stop. */
static int connect_until_stopped(void)
{
	struct sockaddr_in vip = address(VIP, 80);
	char byte;
	int rc = connect_to_vip();

	while (!rc && recv(stop_fd, &byte, 1, MSG_DONTWAIT) < 0) {
		int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		vip.sin_port = htons(53);
		rc = client < 0 || connect(client, (struct sockaddr *)&vip, sizeof(vip)) ? 1 : 0;
		(void)close(client);
	}
	return rc;
}

static void publish_udp(struct jn_datapath *dp)
{
	const struct jn_addr vip = { .w = { 0, 0, htonl(0xffff), htonl(VIP) } };
	const struct jn_frontend_key key = { .vip = vip, .port = htons(53), .proto = IPPROTO_UDP };
	const struct jn_frontend value = { .service = 1, .set = 1 };
	size_t done;

	assert_int_equal(jn_datapath_put_frontends(dp, &key, &value, 1, &done), 0);
}

static void test_no_connection_fails_on_the_way_there_and_back(void **state)
{
	struct bed *bed = *state;
	char older[PATH_MAX];
	int stop[2], status;
	pid_t pid;

	bed_open(bed);
	publish(bed->dp);
	publish_udp(bed->dp);
	attach(bed);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, stop), 0);
	stop_fd = stop[1];
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(in_child(bed->cgroup, connect_until_stopped));
	for (unsigned i = 0; i < 4; i++) {
		usleep(50000);
		become_older(bed, older);
		bed_open(bed);
		publish(bed->dp);
		publish_udp(bed->dp);
		attach(bed);
		assert_int_equal(access(older, F_OK), -1);
	}
	assert_int_equal(write(stop[0], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	(void)close(stop[0]);
	(void)close(stop[1]);
}

static bool is_vip(const struct sockaddr_in *name)
{
	return name->sin_addr.s_addr == htonl(VIP) && name->sin_port == htons(53);
}

/*
 * A datagram goes out, and the reply is on its way while the test does its work. 0: whoever asks
 * afterwards where it is from, or whom the socket is connected to, hears of the service.
 */
static int ask(bool is_connected)
{
	struct sockaddr_in backend = address(INADDR_LOOPBACK, 8081), vip = address(VIP, 53), name;
	int server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	socklen_t size = sizeof(name);
	char byte = 'x';

	if (ioctl(server, SIOCSIFFLAGS, &lo) ||
	    bind(server, (struct sockaddr *)&backend, sizeof(backend)) ||
	    (is_connected && connect(client, (struct sockaddr *)&vip, sizeof(vip))) ||
	    sendto(client, &byte, 1, 0, is_connected ? NULL : (struct sockaddr *)&vip,
		   is_connected ? 0 : sizeof(vip)) != 1 ||
	    recvfrom(server, &byte, 1, 0, (struct sockaddr *)&name, &size) != 1 ||
	    write(stop_fd, "x", 1) != 1 || read(stop_fd, &byte, 1) != 1 ||
	    sendto(server, &byte, 1, 0, (struct sockaddr *)&name, size) != 1 ||
	    recvfrom(client, &byte, 1, 0, (struct sockaddr *)&name, &size) != 1)
		return 254;
	if (!is_vip(&name))
		return 1;
	if (is_connected && getpeername(client, (struct sockaddr *)&name, &size))
		return 253;
	return is_vip(&name) ? 0 : 2;
}

static int ask_connected(void)
{
	return ask(true);
}

static int ask_unconnected(void)
{
	return ask(false);
}

static void hand_over(struct bed *bed)
{
	bed_open(bed);
	publish(bed->dp);
	publish_udp(bed->dp);
	attach(bed);
}

static void assert_told_over_an_upgrade(struct bed *bed, int (*fn)(void))
{
	char older[PATH_MAX], byte;
	int ends[2], status;
	pid_t pid;

	hand_over(bed);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	stop_fd = ends[1];
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		_exit(in_child(bed->cgroup, fn));
	assert_int_equal(read(ends[0], &byte, 1), 1);
	become_older(bed, older);
	hand_over(bed);
	assert_int_equal(access(older, F_OK), -1);
	assert_int_equal(write(ends[0], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

/* Replies in `make test-vm` were named after their backend, and the one who asked waited for others. */
static void test_a_reply_on_its_way_keeps_its_name(void **state)
{
	assert_told_over_an_upgrade(*state, ask_unconnected);
}

static void test_a_connected_socket_keeps_its_peers_name(void **state)
{
	assert_told_over_an_upgrade(*state, ask_connected);
}

/* Those of before are told of until the tables change again. */
static void test_links_that_tell_do_not_pile_up(void **state)
{
	struct bed *bed = *state;
	char older[PATH_MAX];
	unsigned removed = 0;

	hand_over(bed);
	for (unsigned i = 0; i < 3; i++) {
		become_older(bed, older);
		hand_over(bed);
		assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + TELLING_HOOKS);
	}
	bed_reopen(bed);
	attach(bed);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + TELLING_HOOKS);
	jn_datapath_close(&bed->dp);
	assert_int_equal(jn_datapath_cleanup(bed->pins, bed->cgroup, &removed, &bed->err), 0);
	assert_int_equal(count_attached(bed->cgroup), 0);
}

/* The process ended after some links had moved: they run the older programs from our folder. */
static void test_a_hand_over_that_died_is_completed(void **state)
{
	struct bed *bed = *state;
	char older[PATH_MAX], theirs[PATH_MAX + 32];

	bed_open(bed);
	publish(bed->dp);
	attach(bed);
	become_older(bed, older);
	bed_open(bed);
	publish(bed->dp);
	(void)snprintf(theirs, sizeof(theirs), "%s/jn_connect4", older);
	assert_int_equal(rename(theirs, bed_pin(bed, "jn_connect4")), 0);
	bed_reopen(bed);
	attach(bed);
	assert_int_equal(count_attached(bed->cgroup), BASE_HOOKS + TELLING_HOOKS);
	assert_int_equal(access(older, F_OK), -1);
	jn_datapath_publish(bed->dp, 1, 0, 0);
	assert_int_equal(in_child(bed->cgroup, connect_to_vip), EHOSTUNREACH);
}

/* What is in a version's folder and is not ours keeps the folder; what is no version's is left alone. */
static void test_others_things_stay(void **state)
{
	struct bed *bed = *state;
	char older[PATH_MAX], theirs[PATH_MAX + 32], other[PATH_MAX];

	bed_open(bed);
	attach(bed);
	become_older(bed, older);
	(void)snprintf(theirs, sizeof(theirs), "%s/theirs", older);
	(void)snprintf(other, sizeof(other), "%s/v9x", bed->pins);
	assert_int_equal(mkdir(theirs, 0700), 0);
	assert_int_equal(mkdir(other, 0700), 0);
	bed_open(bed);
	attach(bed);
	assert_int_equal(access(theirs, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0);
	assert_int_equal(count_entries(older, "jn_"), 0);
	assert_int_equal(rmdir(theirs), 0);
	assert_int_equal(rmdir(older), 0);
	assert_int_equal(rmdir(other), 0);
}

static void test_cleanup_takes_every_version_out(void **state)
{
	struct bed *bed = *state;
	char older[PATH_MAX];
	unsigned removed = 0;

	bed_open(bed);
	attach(bed);
	become_older(bed, older);
	assert_int_equal(jn_datapath_cleanup(bed->pins, bed->cgroup, &removed, &bed->err), 0);
	assert_int_equal(removed, PINS + BASE_HOOKS);
	assert_int_equal(count_attached(bed->cgroup), 0);
	assert_int_equal(access(older, F_OK), -1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, bed_setup, bed_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_an_older_version_hands_over_its_hooks),
		CASE(test_no_connection_fails_on_the_way_there_and_back),
		CASE(test_a_reply_on_its_way_keeps_its_name),
		CASE(test_a_connected_socket_keeps_its_peers_name),
		CASE(test_links_that_tell_do_not_pile_up),
		CASE(test_a_hand_over_that_died_is_completed),
		CASE(test_others_things_stay),
		CASE(test_cleanup_takes_every_version_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
