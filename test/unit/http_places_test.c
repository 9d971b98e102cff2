/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP server: places, file descriptors, the socket file.
 */
#include <sys/resource.h>
#include <sys/syscall.h>

#include "http_harness.h"

#define NOBODY 65534

/* --- places ------------------------------------------------------------------------------------ */

/* The calling thread's credentials only: glibc's setresuid would change every thread's. */
static bool become(uid_t uid)
{
	return !syscall(SYS_setresuid, -1, uid, -1);
}

static bool is_served(int fd)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	return fd >= 0 && say(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n") &&
	       hear_until(fd, "GET /echo - ", &heard);
}

static bool is_told_busy(int fd)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	(void)say(fd, "GET /echo HTTP/1.1\r\n" HOST "\r\n");
	hear_all(fd, &heard);
	return starts_with(&heard, "HTTP/1.1 429 ");
}

static void fill_places(void)
{
	int fds[8], more;

	for (unsigned i = 0; i < 8; i++) {
		fds[i] = dial();
		CHECK(is_served(fds[i]));
	}
	more = dial();
	CHECK(is_told_busy(more));
	close(more);
	close(fds[3]);
	for (unsigned i = 0; i < 100 && !is_served(more = dial()); i++)
		(void)usleep(POLL_MS * 1000);
	CHECK(is_served(more));
	close(more);
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
}

static void test_one_client_too_many(void **state)
{
	(void)state;
	serve(fill_places);
}

static void come_before_the_loop_sees_who_left(void)
{
	int fds[8], more;

	for (unsigned i = 0; i < 8; i++) {
		fds[i] = dial();
		CHECK(is_served(fds[i]));
	}
	/* While the loop is held, somebody dials and somebody leaves: it hears of both at once. */
	CHECK(say(fds[0], "GET /busy HTTP/1.1\r\n" HOST "\r\n"));
	(void)usleep(POLL_MS * 1000);
	more = dial();
	close(fds[3]);
	CHECK(is_served(more));
	close(more);
	for (unsigned i = 0; i < 8; i++) {
		if (i != 3)
			close(fds[i]);
	}
}

static void test_who_comes_finds_the_place_of_who_left(void **state)
{
	(void)state;
	serve(come_before_the_loop_sees_who_left);
}

static void fill_places_of_a_uid(void)
{
	int fds[3], more, of_root;

	CHECK(become(NOBODY));
	for (unsigned i = 0; i < 3; i++) {
		fds[i] = dial();
		CHECK(is_served(fds[i]));
	}
	more = dial();
	CHECK(is_told_busy(more));
	CHECK(become(0));
	of_root = dial();
	CHECK(is_served(of_root));
	close(of_root);
	close(more);
	for (unsigned i = 0; i < 3; i++)
		close(fds[i]);
}

static void test_places_of_one_uid(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	serve(fill_places_of_a_uid);
}

static void fill_places_but_one(void)
{
	int fds[7], more, admin;

	for (unsigned i = 0; i < 7; i++) {
		fds[i] = dial();
		CHECK(is_served(fds[i]));
	}
	CHECK(become(NOBODY));
	more = dial();
	CHECK(is_told_busy(more));
	CHECK(become(0));
	admin = dial();
	CHECK(is_served(admin));
	close(more);
	close(admin);
	for (unsigned i = 0; i < 7; i++)
		close(fds[i]);
}

static void test_the_last_place_is_an_admins(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	serve(fill_places_but_one);
}

/* Many who are one too many: told as long as there is room for that, cut afterwards, never served. */
static void push_in(void)
{
	enum { COUNT = 60 };
	int fds[8], more[COUNT];
	unsigned told = 0;

	for (unsigned i = 0; i < 8; i++) {
		fds[i] = dial();
		CHECK(is_served(fds[i]));
	}
	for (unsigned i = 0; i < COUNT; i++)
		CHECK((more[i] = dial()) >= 0);
	for (unsigned i = 0; i < COUNT; i++) {
		told += is_told_busy(more[i]);
		close(more[i]);
	}
	CHECK(told == COUNT);
	CHECK(is_served(fds[0]));
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
}

static void test_a_crowd(void **state)
{
	(void)state;
	serve(push_in);
	assert_int_equal(begun, 9);
}

static uint64_t cpu_ms(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
	       (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static rlim_t set_descriptor_limit(rlim_t limit)
{
	struct rlimit rl;
	rlim_t before;

	(void)getrlimit(RLIMIT_NOFILE, &rl);
	before = rl.rlim_cur;
	rl.rlim_cur = limit;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	return before;
}

/* Sockets made beforehand connect while the process may open nothing more. */
static void exhaust_descriptors(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	int fds[5], served = 0, refused = 0;
	bool is_connected = true;
	uint64_t cpu;
	rlim_t limit;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	for (unsigned i = 0; i < 5; i++)
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit = set_descriptor_limit((rlim_t)fds[4] + 1);
	for (unsigned i = 0; i < 5; i++) {
		is_connected &= !connect(fds[i], (struct sockaddr *)&address, sizeof(address));
		(void)say(fds[i],
			  "GET /echo HTTP/1.1\r\n" HOST LAST); /* it may be sent away already */
	}
	cpu = cpu_ms();
	(void)usleep(500000);
	cpu = cpu_ms() - cpu;
	(void)set_descriptor_limit(limit);
	CHECK(is_connected);
	CHECK(cpu < 100); /* a loop that spins would take it all */
	for (unsigned i = 0; i < 5; i++) {
		jn_buffer_clear(&heard);
		hear_all(fds[i], &heard);
		served += starts_with(&heard, "HTTP/1.1 200 ");
		refused += starts_with(&heard, "HTTP/1.1 429 ");
		close(fds[i]);
	}
	CHECK(everybody_is_admin ? served == 5 : served + refused == 5 && refused >= 1);
}

static void test_no_descriptor_left(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	everybody_is_admin =
		true; /* one is served with the reserve, the others when there is room */
	serve(exhaust_descriptors);
	everybody_is_admin = false;
}

static void exhaust_descriptors_as_nobody(void)
{
	CHECK(become(NOBODY));
	exhaust_descriptors();
	(void)become(0);
}

static void test_no_descriptor_left_for_others(void **state)
{
	struct jn_http_limits limits = usual;

	(void)state;
	if (geteuid())
		skip();
	limits.clients_per_uid = 8;
	serve_with(&limits, exhaust_descriptors_as_nobody);
}

/* Nobodies wait in front of an admin, and there is no descriptor for any of them. */
static void wait_behind_a_crowd(void)
{
	enum { CROWD = 40 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fds[CROWD + 1], connected = 0;
	rlim_t limit;
	uint64_t start;
	bool is_first;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	for (unsigned i = 0; i <= CROWD; i++)
		fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit = set_descriptor_limit((rlim_t)fds[CROWD] + 1);
	for (unsigned i = 0; i <= CROWD; i++) {
		if (i == 0 || i == CROWD)
			CHECK(become(i ? 0 : NOBODY));
		connected += !connect(fds[i], (struct sockaddr *)&address, sizeof(address));
	}
	start = jn_clock_ms();
	is_first = is_served(fds[CROWD]);
	start = jn_clock_ms() - start;
	(void)set_descriptor_limit(limit);
	for (unsigned i = 0; i <= CROWD; i++)
		close(fds[i]);
	CHECK(connected == CROWD + 1 && is_first);
	CHECK(start < 1500); /* one of the crowd in each pause would take four seconds */
}

static void test_an_admin_gets_past_a_crowd_without_descriptors(void **state)
{
	struct jn_http_limits limits = usual;

	(void)state;
	if (geteuid())
		skip();
	limits.clients = limits.clients_per_uid = 64;
	serve_with(&limits, wait_behind_a_crowd);
}

/* --- the socket file --------------------------------------------------------------------------- */

static int try_open(struct jn_error *err)
{
	struct jn_http_server_options options;
	bool is_closed = false;
	int rc;

	assert_int_equal(jn_loop_new(&loop), 0);
	options = options_of(&usual);
	rc = jn_http_server_open(&options, &server, err);
	if (!rc)
		jn_http_server_close(&server, on_closed, &is_closed);
	jn_loop_run(loop);
	assert_int_equal(is_closed, !rc);
	jn_loop_free(&loop);
	return rc;
}

static void test_socket_file(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	JN_AUTO(jn_close_fd) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	/* bound, nobody listens: stale */
	assert_int_equal(try_open(&err), 0);
	assert_int_equal(access(path, F_OK), -1);
	/* somebody listens */
	fd = (close(fd), socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(try_open(&err), -EADDRINUSE);
	assert_non_null(strstr(jn_error_text(&err), "another process listens"));
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(unlink(path), 0);
	/* something else is in the way */
	jn_error_done(&err);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(try_open(&err), -EEXIST);
	assert_int_equal(rmdir(path), 0);
}

static void test_socket_folder_and_modes(void **state)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_http_server_options options = options_of(&usual);
	bool is_closed = false;
	char deep[128];
	struct stat st;

	(void)state;
	(void)snprintf(deep, sizeof(deep), "%s/a/b/sock", folder);
	options.path = deep;
	options.group = geteuid() ? NULL : "nogroup";
	assert_int_equal(jn_loop_new(&loop), 0);
	options.loop = loop;
	assert_int_equal(jn_http_server_open(&options, &server, &err), 0);
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, geteuid() ? 0600 : 0660);
	*strrchr(deep, '/') = '\0';
	assert_int_equal(stat(deep, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	jn_http_server_close(&server, on_closed, &is_closed);
	jn_loop_run(loop);
	jn_loop_free(&loop);
	assert_int_equal(rmdir(deep), 0); /* empty: the socket file is gone */
	*strrchr(deep, '/') = '\0';
	assert_int_equal(rmdir(deep), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_client_too_many),
		cmocka_unit_test(test_who_comes_finds_the_place_of_who_left),
		cmocka_unit_test(test_places_of_one_uid),
		cmocka_unit_test(test_the_last_place_is_an_admins),
		cmocka_unit_test(test_a_crowd),
		cmocka_unit_test(test_no_descriptor_left),
		cmocka_unit_test(test_no_descriptor_left_for_others),
		cmocka_unit_test(test_an_admin_gets_past_a_crowd_without_descriptors),
		cmocka_unit_test(test_socket_file),
		cmocka_unit_test(test_socket_folder_and_modes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
