/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The service manager's watchdog (WatchdogSec= of the unit): told that junctord is well at half the
 * interval it asked for, while the loop turns and the kernel took what was written last. Whoever is
 * not told ends junctord and starts it again; the kernel goes on serving meanwhile.
 */
#ifndef JUNCTOR_DAEMON_WATCHDOG_H
#define JUNCTOR_DAEMON_WATCHDOG_H

struct jn_engine;
struct jn_loop;
struct jn_watchdog;

/* *out stays NULL where nobody watches. 0 or -ENOMEM. The engine outlives it. */
int jn_watchdog_start(struct jn_loop *loop, const struct jn_engine *engine,
		      struct jn_watchdog **out);
void jn_watchdog_stop(struct jn_watchdog **watchdog); /* NULL is fine */

#endif
