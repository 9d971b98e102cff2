/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The loop over libuv. Signals live inside the loop, timers and jobs by themselves until libuv has
 * let go of them. It does NOT know what anybody waits for.
 */
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "base/auto.h"
#include "loop/internal.h"

#define MAX_SIGNALS 8
#define MAX_FD 255 /* of what a loop waits for, far above what the limits of clients allow */

struct jn_loop {
	uv_loop_t uv;
	uv_signal_t signals[MAX_SIGNALS];
	unsigned signal_count;
	void (*on_signal)(void *arg, int signal);
	void *signal_arg;
};

struct jn_timer {
	uv_timer_t uv;
	void (*fn)(void *arg);
	void *arg;
};

struct jn_alarm {
	uv_timer_t uv;
	void (*fn)(void *arg);
	void *arg;
};

struct job {
	uv_work_t uv;
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
};

/*
 * libuv keeps what it waits for in an array by descriptor, and ends the process where it finds no
 * memory to enlarge it: let it be large enough before anybody depends on this process. Where there
 * cannot be such a descriptor, none needs the room.
 */
static void make_room_for_fds(uv_loop_t *uv)
{
	JN_AUTO(jn_close_fd) int low = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), high = -1;
	uv_poll_t poll;

	if (low >= 0)
		high = fcntl(low, F_DUPFD_CLOEXEC, MAX_FD);
	if (high < 0 || uv_poll_init(uv, &poll, high))
		return;
	(void)uv_poll_start(&poll, UV_READABLE, NULL); /* registers it, and cannot fail */
	uv_close((uv_handle_t *)&poll, NULL);
	(void)uv_run(uv, UV_RUN_NOWAIT); /* closes it */
}

int jn_loop_new(struct jn_loop **out)
{
	struct jn_loop *loop = calloc(1, sizeof(*loop));
	int rc;

	if (!loop)
		return -ENOMEM;
	rc = uv_loop_init(&loop->uv);
	if (rc) {
		free(loop);
		return rc; /* libuv's errors are negative errno on this system */
	}
	make_room_for_fds(&loop->uv);
	*out = loop;
	return 0;
}

void jn_loop_free(struct jn_loop **loop)
{
	struct jn_loop *l = JN_MOVE(*loop);
	int rc;

	if (!l)
		return;
	rc = uv_loop_close(&l->uv);
	assert(!rc); /* somebody left a handle open: freeing it now would be worse */
	(void)rc;
	free(l);
}

void jn_loop_run(struct jn_loop *loop)
{
	(void)uv_run(&loop->uv, UV_RUN_DEFAULT); /* returns 0: no handle is left */
}

uv_loop_t *jn_loop_uv(struct jn_loop *loop)
{
	return &loop->uv;
}

/* --- work on other threads --------------------------------------------------------------------- */

static void run_job(uv_work_t *uv)
{
	struct job *job = uv->data;

	job->work(job->arg);
}

static void end_job(uv_work_t *uv, int status)
{
	struct job *job = uv->data;
	void (*done)(void *) = job->done;
	void *arg = job->arg;

	(void)status; /* nobody cancels jobs */
	free(job);
	done(arg);
}

/* The first job makes libuv's workers, which inherit that every signal is held: the loop gets them. */
int jn_loop_submit(void *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	struct job *job = malloc(sizeof(*job));
	sigset_t all, before;
	int rc;

	if (!job)
		return -ENOMEM;
	*job = (struct job){ .work = work, .done = done, .arg = arg };
	job->uv.data = job;
	(void)sigfillset(&all); /* these cannot fail */
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = uv_queue_work(jn_loop_uv(loop), &job->uv, run_job, end_job);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		free(job);
	return rc;
}

/* --- signals ----------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *uv, int signal)
{
	struct jn_loop *loop = uv->data;

	loop->on_signal(loop->signal_arg, signal);
}

int jn_loop_on_signals(struct jn_loop *loop, const int *signals, void (*fn)(void *arg, int signal),
		       void *arg)
{
	int rc = 0;

	assert(!loop->signal_count);
	loop->on_signal = fn;
	loop->signal_arg = arg;
	for (unsigned i = 0; signals[i] && !rc; i++) {
		uv_signal_t *uv = &loop->signals[i];

		assert(i < MAX_SIGNALS);
		rc = uv_signal_init(&loop->uv, uv);
		if (rc)
			break;
		uv->data = loop;
		loop->signal_count++;
		rc = uv_signal_start(uv, on_signal, signals[i]);
	}
	if (rc)
		jn_loop_ignore_signals(loop);
	return rc;
}

void jn_loop_ignore_signals(struct jn_loop *loop)
{
	for (unsigned i = 0; i < loop->signal_count; i++)
		uv_close((uv_handle_t *)&loop->signals[i], NULL); /* the memory is the loop's */
	loop->signal_count = 0;
}

/* --- timers ------------------------------------------------------------------------------------ */

/*
 * Never in the same turn: libuv 1.44 would run one of 0 ms before it looks at anything else, and one
 * that is set anew each time would be all that runs.
 */
static void set_timer(uv_timer_t *uv, uv_timer_cb fn, uint64_t delay_ms)
{
	uv_update_time(uv->loop); /* the delay counts from now, however long this turn took */
	(void)uv_timer_start(uv, fn, delay_ms ? delay_ms : 1, 0); /* cannot fail with a callback */
}

static void on_timer_closed(uv_handle_t *uv)
{
	free(uv->data);
}

static void on_timer(uv_timer_t *uv)
{
	struct jn_timer *timer = uv->data;

	uv_close((uv_handle_t *)uv, on_timer_closed); /* from here on nobody may stop it */
	timer->fn(timer->arg);
}

int jn_timer_start(struct jn_loop *loop, uint64_t delay_ms, void (*fn)(void *arg), void *arg,
		   struct jn_timer **out)
{
	struct jn_timer *timer = calloc(1, sizeof(*timer));

	if (!timer)
		return -ENOMEM;
	timer->fn = fn;
	timer->arg = arg;
	timer->uv.data = timer;
	(void)uv_timer_init(&loop->uv, &timer->uv); /* cannot fail */
	set_timer(&timer->uv, on_timer, delay_ms);
	*out = timer;
	return 0;
}

void jn_timer_stop(struct jn_timer **timer)
{
	struct jn_timer *t = JN_MOVE(*timer);

	if (t)
		uv_close((uv_handle_t *)&t->uv, on_timer_closed);
}

static void on_alarm_closed(uv_handle_t *uv)
{
	free(uv->data);
}

static void on_alarm(uv_timer_t *uv)
{
	struct jn_alarm *alarm = uv->data;

	alarm->fn(alarm->arg);
}

int jn_alarm_new(struct jn_loop *loop, void (*fn)(void *arg), void *arg, struct jn_alarm **out)
{
	struct jn_alarm *alarm = calloc(1, sizeof(*alarm));

	if (!alarm)
		return -ENOMEM;
	alarm->fn = fn;
	alarm->arg = arg;
	alarm->uv.data = alarm;
	(void)uv_timer_init(&loop->uv, &alarm->uv); /* cannot fail */
	*out = alarm;
	return 0;
}

void jn_alarm_set(struct jn_alarm *alarm, uint64_t delay_ms)
{
	set_timer(&alarm->uv, on_alarm, delay_ms);
}

void jn_alarm_clear(struct jn_alarm *alarm)
{
	(void)uv_timer_stop(&alarm->uv); /* cannot fail */
}

void jn_alarm_free(struct jn_alarm **alarm)
{
	struct jn_alarm *a = JN_MOVE(*alarm);

	if (a)
		uv_close((uv_handle_t *)&a->uv, on_alarm_closed);
}

int jn_loop_start_timer(void *loop, uint64_t delay_ms, void (*fn)(void *arg), void *arg, void **out)
{
	return jn_timer_start(loop, delay_ms, fn, arg, (struct jn_timer **)out);
}

void jn_loop_stop_timer(void **timer)
{
	jn_timer_stop((struct jn_timer **)timer);
}
