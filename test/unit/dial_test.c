/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Outgoing connections on the loop, against sockets of the test on loopback: how they end, and that
 * they may be stopped at any moment.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "loop/dial.h"
#include "loop/loop.h"

#define PATIENCE_MS 5000

enum event { NOTHING, CONNECTED, DATA, ENDED };

static struct jn_loop *loop;
static struct jn_dial *dial;
static struct sockaddr_in address;
static int listener = -1, accepted = -1;
static enum event stops_at; /* the dial is stopped in that handler */
static unsigned held_up_us; /* the loop is busy for so long once it is connected */
static bool is_connected, has_ended;
static int ended_rc;
static char heard[64];
static size_t heard_size;

static void stop_at(enum event event)
{
	if (stops_at == event)
		jn_dial_stop(&dial);
}

static void on_connected(void *arg)
{
	(void)arg;
	is_connected = true;
	if (dial)
		assert_int_equal(jn_dial_write(dial, "hello", 5), 0);
	if (held_up_us)
		(void)usleep(held_up_us);
	stop_at(CONNECTED);
}

static void on_data(void *arg, const char *data, size_t size)
{
	(void)arg;
	assert_true(size <= sizeof(heard) - heard_size);
	memcpy(heard + heard_size, data, size);
	heard_size += size;
	stop_at(DATA);
}

static void on_ended(void *arg, int rc)
{
	(void)arg;
	assert_false(has_ended);
	has_ended = true;
	ended_rc = rc;
	jn_dial_stop(&dial);
}

static int setup(void **state)
{
	socklen_t size = sizeof(address);

	(void)state;
	stops_at = NOTHING;
	held_up_us = 0;
	is_connected = has_ended = false;
	ended_rc = 1;
	heard_size = 0;
	address = (struct sockaddr_in){ .sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(listen(listener, 5), 0);
	return jn_loop_new(&loop);
}

static int teardown(void **state)
{
	(void)state;
	jn_close_fd(&accepted);
	jn_close_fd(&listener);
	jn_loop_free(&loop); /* dies where a handle is left */
	return 0;
}

static int start(uint64_t timeout_ms)
{
	struct jn_dial_handlers handlers = { NULL, on_connected, on_data, on_ended };

	return jn_dial_start(loop, (struct sockaddr *)&address, timeout_ms, &handlers, &dial);
}

/* The kernel completes connections by itself: the server's words wait until the loop runs. */
static void accept_and_say(const char *text)
{
	accepted = accept(listener, NULL, NULL);
	assert_true(accepted >= 0);
	assert_int_equal(write(accepted, text, strlen(text)), strlen(text));
}

static void test_words_go_both_ways(void **state)
{
	char text[8] = "";

	(void)state;
	assert_int_equal(start(PATIENCE_MS), 0);
	accept_and_say("welcome");
	assert_int_equal(shutdown(accepted, SHUT_WR), 0);
	jn_loop_run(loop);
	assert_true(is_connected && has_ended && ended_rc == 0);
	assert_memory_equal(heard, "welcome", 7);
	assert_int_equal(read(accepted, text, sizeof(text)), 5);
	assert_string_equal(text, "hello");
}

static void test_nobody_listens(void **state)
{
	(void)state;
	jn_close_fd(&listener);
	assert_int_equal(start(PATIENCE_MS), 0);
	jn_loop_run(loop);
	assert_true(!is_connected && has_ended);
	assert_int_equal(ended_rc, -ECONNREFUSED);
}

static void test_an_address_that_leads_nowhere(void **state)
{
	int rc;

	(void)state;
	address.sin_family = AF_UNIX; /* connect() itself says no */
	rc = start(PATIENCE_MS);
	if (!rc)
		jn_dial_stop(&dial);
	assert_true(rc < 0);
	assert_false(has_ended);
	jn_loop_run(loop);
}

static void test_silence(void **state)
{
	(void)state;
	assert_int_equal(start(50), 0);
	jn_loop_run(loop);
	assert_true(is_connected && has_ended);
	assert_int_equal(ended_rc, -ETIMEDOUT);
}

/* What came in time was taken for late where the loop had been busy: timers come before sockets. */
static void test_who_is_held_up_hears_first(void **state)
{
	(void)state;
	held_up_us = 300000;
	stops_at = DATA;
	assert_int_equal(start(100), 0);
	accept_and_say("in time");
	jn_loop_run(loop);
	assert_false(has_ended);
	assert_memory_equal(heard, "in time", 7);
}

static void test_stopped_at_any_moment(void **state)
{
	(void)state;
	assert_int_equal(start(PATIENCE_MS), 0);
	jn_dial_stop(&dial); /* before it is connected */
	jn_dial_stop(&dial); /* NULL is fine */
	jn_loop_run(loop);
	assert_false(is_connected || has_ended);
	accepted = accept(listener, NULL, NULL); /* for the kernel it was one */
	for (stops_at = CONNECTED; stops_at < ENDED; stops_at++) {
		jn_close_fd(&accepted);
		assert_int_equal(start(PATIENCE_MS), 0);
		accept_and_say("more to come");
		jn_loop_run(loop);
		assert_null(dial);
		assert_false(has_ended);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_words_go_both_ways),
		TEST(test_nobody_listens),
		TEST(test_an_address_that_leads_nowhere),
		TEST(test_silence),
		TEST(test_who_is_held_up_hears_first),
		TEST(test_stopped_at_any_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
