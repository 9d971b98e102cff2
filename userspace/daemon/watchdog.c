/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A timer of the loop, so that a loop that hangs tells nobody it is well. It does NOT repair
 * anything: what the kernel refused is tried again by the engine.
 */
#include "daemon/watchdog.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <systemd/sd-daemon.h>

#include "base/auto.h"
#include "base/log.h"
#include "engine/engine.h"
#include "loop/loop.h"

#define AREA "watchdog"

struct jn_watchdog {
	const struct jn_engine *engine;
	struct jn_alarm *alarm;
	uint64_t pause_ms;
	bool was_well;
};

/* Once for each time that it goes wrong, and that it is well again. */
static void log_change(const struct jn_watchdog *w, bool is_well)
{
	if (is_well)
		jn_info(AREA,
			"the kernel serves generation %llu; the service manager is told "
			"again that all is well",
			(unsigned long long)jn_engine_installed(w->engine));
	else
		jn_warn(AREA,
			"the kernel refuses generation %llu, so the service manager is not told "
			"that all is well and will start junctord again; free kernel memory, or "
			"see the log for what it refused",
			(unsigned long long)jn_engine_generation(w->engine));
}

static void on_time(void *arg)
{
	struct jn_watchdog *w = arg;
	bool is_well = jn_engine_is_served(w->engine);

	if (is_well)
		(void)sd_notify(0, "WATCHDOG=1"); /* nobody there to hear it: nobody to care */
	if (is_well != w->was_well)
		log_change(w, is_well);
	w->was_well = is_well;
	jn_alarm_set(w->alarm, w->pause_ms);
}

int jn_watchdog_start(struct jn_loop *loop, const struct jn_engine *engine,
		      struct jn_watchdog **out)
{
	JN_AUTO(jn_watchdog_stop) struct jn_watchdog *w = NULL;
	uint64_t interval_us;
	int rc;

	if (sd_watchdog_enabled(0, &interval_us) <= 0)
		return 0;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->engine = engine;
	w->was_well = true;
	w->pause_ms = interval_us < 2000 ? 1 : interval_us / 2000;
	rc = jn_alarm_new(loop, on_time, w, &w->alarm);
	if (rc)
		return rc;
	jn_alarm_set(w->alarm, w->pause_ms);
	*out = JN_MOVE(w);
	return 0;
}

void jn_watchdog_stop(struct jn_watchdog **watchdog)
{
	struct jn_watchdog *w = JN_MOVE(*watchdog);

	if (!w)
		return;
	if (w->alarm)
		jn_alarm_free(&w->alarm);
	free(w);
}
