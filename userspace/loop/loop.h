/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The event loop: the only owner of the uv_loop_t. Timers, signals, work on other threads.
 * Everything is called back on the thread that runs jn_loop_run.
 */
#ifndef JUNCTOR_LOOP_LOOP_H
#define JUNCTOR_LOOP_LOOP_H

#include <stdint.h>

struct jn_loop;

int jn_loop_new(struct jn_loop **out);
void jn_loop_free(struct jn_loop **loop); /* after jn_loop_run has returned; nothing may be open */
void jn_loop_run(struct jn_loop *loop);	  /* until no handle is left open */

/* The executor of the engine: see struct jn_executor. context is the loop. */
int jn_loop_submit(void *loop, void (*work)(void *arg), void (*done)(void *arg), void *arg);

/* fn on each of these signals (0-terminated list) until jn_loop_ignore_signals. */
int jn_loop_on_signals(struct jn_loop *loop, const int *signals, void (*fn)(void *arg, int signal),
		       void *arg);
void jn_loop_ignore_signals(struct jn_loop *loop);

/*
 * One shot. *out is the caller's handle until fn runs or jn_timer_stop. After a delay of 0, as of
 * alarms, whatever else is waiting comes first.
 */
struct jn_timer;
int jn_timer_start(struct jn_loop *loop, uint64_t delay_ms, void (*fn)(void *arg), void *arg,
		   struct jn_timer **out);
void jn_timer_stop(struct jn_timer **timer); /* NULL is fine; fn is not called any more */

/* One that is kept: setting it cannot fail, and sets it anew where it was set. */
struct jn_alarm;
int jn_alarm_new(struct jn_loop *loop, void (*fn)(void *arg), void *arg, struct jn_alarm **out);
void jn_alarm_set(struct jn_alarm *alarm, uint64_t delay_ms);
void jn_alarm_clear(struct jn_alarm *alarm);
void jn_alarm_free(struct jn_alarm **alarm); /* fn is not called any more */

/* The one-shot timer for the executor of the engine. context is the loop, *out a jn_timer. */
int jn_loop_start_timer(void *loop, uint64_t delay_ms, void (*fn)(void *arg), void *arg,
			void **out);
void jn_loop_stop_timer(void **timer);

#endif
