/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctord: the wiring. Builds the rooms in order, runs the loop, takes them down in reverse.
 *
 *   options -> privileges -> locks -> datapath -> prober -> engine -> files -> api -> hooks
 *           -> health -> loop
 *
 * The hooks come so late: they are the only step that touches traffic, so whatever else can fail has
 * succeeded by then, the tables hold what was declared, and a failed start leaves nothing attached.
 * SIGTERM and SIGINT take down everything but the hooks and the tables: they go on serving.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "api/api.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "base/version.h"
#include "daemon/check.h"
#include "daemon/features.h"
#include "daemon/health.h"
#include "daemon/offline.h"
#include "daemon/options.h"
#include "daemon/prepare.h"
#include "daemon/reload.h"
#include "daemon/watchdog.h"
#include "datapath/datapath.h"
#include "engine/engine.h"
#include "loop/loop.h"
#include "probe/prober.h"
#include "source/file.h"

#define AREA "daemon"
#define LARGE_BLOCK_BYTES 131072

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct daemon {
	const struct jn_settings *settings;
	char cgroup[PATH_MAX];
	int state_lock, pin_lock;
	struct jn_loop *loop;
	struct jn_datapath *datapath;
	struct jn_prober *prober;
	struct jn_engine *engine;
	struct jn_file_source *files;
	struct jn_api *api;
	struct jn_health *health;
	struct jn_watchdog *watchdog;
	struct jn_reload reload;
	struct jn_features features;
	bool is_stopping;
};

/* --- going down ------------------------------------------------------------------------------- */
static void on_api_closed(void *arg)
{
	struct daemon *d = arg;

	jn_watchdog_stop(&d->watchdog);
	jn_prober_close(&d->prober);
	jn_loop_ignore_signals(d->loop); /* the last handles: jn_loop_run returns */
}

static void on_drained(void *arg)
{
	struct daemon *d = arg;

	if (d->api)
		jn_api_close(&d->api, on_api_closed, d);
	else
		on_api_closed(d);
}

static void on_files_closed(void *arg)
{
	struct daemon *d = arg;

	if (d->engine)
		jn_engine_drain(d->engine, on_drained, d);
	else
		on_drained(d);
}

static void on_health_closed(void *arg)
{
	struct daemon *d = arg;

	if (d->files)
		jn_file_source_close(&d->files, on_files_closed, d);
	else
		on_files_closed(d);
}

/*
 * SIGHUP waits until somebody watches it, and for ever when nobody does any more: by itself it would
 * end the process. The loop's workers never get it.
 */
static void hold_reload(int how)
{
	sigset_t signals;

	(void)sigemptyset(&signals); /* these cannot fail */
	(void)sigaddset(&signals, SIGHUP);
	(void)sigprocmask(how, &signals, NULL);
}

/* Let the write under way end and be answered, then close the socket and the loop's handles. */
static void stop(struct daemon *d)
{
	d->is_stopping = true;
	hold_reload(SIG_BLOCK);
	if (d->health)
		jn_health_close(&d->health, on_health_closed, d);
	else
		on_health_closed(d);
}

/* --- while it runs ---------------------------------------------------------------------------- */
static void notify_ready(struct daemon *d)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=serving; control socket %s%s", d->settings->socket,
			 jn_reload_degraded(&d->reload, 0) ? "; the configuration is not what "
							     "runs, "
							     "see junctor status"
							   : "");
}

static void reload(struct daemon *d)
{
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
			 (unsigned long long)(jn_clock_ns() / 1000));
	jn_reload_run(&d->reload, d->api);
	notify_ready(d);
}

static void on_signal(void *arg, int signal)
{
	struct daemon *d = arg;

	if (signal == SIGHUP) {
		if (!d->is_stopping && d->api)
			reload(d);
		return;
	}
	if (d->is_stopping) {
		jn_warn(AREA, "%s again: leaving at once", strsignal(signal));
		_exit(EXIT_FAILED); /* what was acknowledged is durable */
	}
	jn_info(AREA, "%s: stopping; the kernel goes on serving what was declared",
		strsignal(signal));
	(void)sd_notify(0, "STOPPING=1\nSTATUS=stopping");
	stop(d);
}

/* --- coming up: each step says in err what is missing ------------------------------------------ */
static int open_ground(struct daemon *d, struct jn_error *err)
{
	const struct jn_settings *s = d->settings;
	int rc = jn_prepare_privileges(err);

	if (rc)
		return rc;
	jn_prepare_descriptors();
	if (s->cgroup)
		(void)snprintf(d->cgroup, sizeof(d->cgroup), "%s", s->cgroup);
	else
		rc = jn_cgroup_find_root(d->cgroup, sizeof(d->cgroup), err);
	if (!rc)
		rc = jn_prepare_state_dir(s->state_dir, &d->state_lock, err);
	if (!rc)
		rc = jn_prepare_pin_dir(s->pin_dir, &d->pin_lock, err);
	return rc;
}

static void set_down(void *arg, uint32_t live, bool is_down)
{
	struct daemon *d = arg;

	jn_datapath_set_live_down(d->datapath, live, is_down);
}

static int open_prober(struct daemon *d, struct jn_probing *out, struct jn_error *err)
{
	struct jn_prober_options options = { .loop = d->loop,
					     .max_in_flight = jn_prepare_probes(),
					     .set_down = set_down,
					     .arg = d };
	int rc = jn_prober_new(&options, &d->prober);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "out of memory; give junctord more memory");
	*out = (struct jn_probing){ d->prober, jn_prober_change, jn_prober_reason,
				    jn_prober_stats };
	return 0;
}

static int open_engine(struct daemon *d, struct jn_error *err)
{
	struct jn_datapath_options datapath = { .pin_dir = d->settings->pin_dir,
						.cgroup = d->cgroup };
	struct jn_engine_options engine = { .executor = { .context = d->loop,
							  .submit = jn_loop_submit,
							  .start_timer = jn_loop_start_timer,
							  .stop_timer = jn_loop_stop_timer },
					    .state_dir = d->settings->state_dir,
					    .node_name = d->settings->node_name,
					    .has_guard_routes = !d->settings->has_no_guard_routes };
	int rc = jn_datapath_open(&datapath, &d->datapath, err);

	if (rc)
		return rc;
	rc = jn_datapath_netns_cookie(&engine.netns_cookie);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_UNAVAILABLE,
				    "this network namespace has no cookie (%s); Linux 6.1 or later "
				    "is needed",
				    strerror(-rc));
	engine.datapath = d->datapath;
	rc = open_prober(d, &engine.probing, err);
	if (rc)
		return rc;
	return jn_engine_open(&engine, &d->engine, err);
}

static int open_files(struct daemon *d, struct jn_error *err)
{
	struct jn_file_source_options options = { .loop = d->loop,
						  .engine = d->engine,
						  .folder = d->settings->services_dir };

	if (!jn_file_source_open(&options, &d->files))
		return 0;
	return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
			    "out of memory; give junctord more memory");
}

/* The api shows the source of files and does not know it. */
static void show_files(void *arg, struct jn_api_source *out)
{
	const struct daemon *d = arg;
	struct jn_file_source_status status = { 0 };

	if (d->files) /* else it is stopping */
		jn_file_source_status(d->files, &status);
	*out = (struct jn_api_source){ .name = "file",
				       .is_synced = status.is_synced,
				       .was_synced = status.was_synced,
				       .stale_seconds = status.stale_seconds,
				       .error = status.error };
}

/* The api shows whether the hooks work and does not know how that is seen. */
static void show_health(void *arg, struct jn_api_health *out)
{
	const struct daemon *d = arg;

	if (d->health) /* else it is starting or stopping */
		jn_health_show(d->health, out);
}

static int open_health(struct daemon *d, struct jn_error *err)
{
	struct jn_health_options options = { .loop = d->loop,
					     .engine = d->engine,
					     .datapath = d->datapath,
					     .is_whole_wanted = !d->settings->cgroup };

	if (!jn_health_open(&options, &d->health))
		return 0;
	return jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
			    "out of memory; give junctord more memory");
}

static int open_api(struct daemon *d, struct jn_error *err)
{
	const struct jn_settings *s = d->settings;
	struct jn_api_options options = {
		.loop = d->loop,
		.engine = d->engine,
		.datapath = d->datapath,
		.socket_path = s->socket,
		.version = JN_VERSION,
		.source = show_files,
		.source_arg = d,
		.health = show_health,
		.health_arg = d,
		.feature = jn_features_show,
		.feature_arg = &d->features,
		.degraded = jn_reload_degraded,
		.degraded_arg = &d->reload,
		.access = jn_reload_access(s),
	};

	return jn_api_open(&options, &d->api, err);
}

static int start_watchdog(struct daemon *d, struct jn_error *err)
{
	int rc = jn_watchdog_start(d->loop, d->engine, &d->watchdog);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "out of memory; give junctord more memory");
	return 0;
}

static int watch_signals(struct daemon *d, struct jn_error *err)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	int rc = jn_loop_on_signals(d->loop, signals, on_signal, d);

	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "signals cannot be watched (%s); free some memory or file "
				    "descriptors",
				    strerror(-rc));
	hold_reload(SIG_UNBLOCK);
	return 0;
}

static int start(struct daemon *d, struct jn_error *err)
{
	int rc = open_ground(d, err);

	if (rc)
		return rc;
	rc = jn_loop_new(&d->loop);
	if (rc)
		return jn_error_set(err, rc, JN_ERROR_INTERNAL,
				    "no event loop (%s); free some memory or file descriptors",
				    strerror(-rc));
	rc = open_engine(d, err);
	if (!rc)
		rc = watch_signals(d, err);
	if (!rc)
		rc = open_files(d, err);
	if (!rc)
		rc = open_api(d, err);
	if (!rc)
		rc = start_watchdog(d, err);
	if (!rc)
		rc = jn_datapath_attach(d->datapath, err);
	if (!rc)
		jn_engine_start(d->engine);
	return rc ? rc : open_health(d, err);
}

/* Everything but the kernel's side, in reverse; the loop has ended. */
static void take_down(struct daemon *d)
{
	jn_engine_close(&d->engine);
	jn_datapath_close(&d->datapath);
	jn_loop_free(&d->loop);
	jn_close_fd(&d->pin_lock);
	jn_close_fd(&d->state_lock);
}

/* A start that failed: let go of what is open, and of tables that this start made. */
static void undo(struct daemon *d)
{
	bool is_fresh = d->datapath && !jn_datapath_is_adopted(d->datapath);
	int lock = jn_move_fd(&d->pin_lock);
	unsigned removed;

	if (d->loop) {
		stop(d);
		jn_loop_run(d->loop);
	}
	take_down(d);
	if (is_fresh) /* best effort: the failure that brought us here is what is told */
		(void)jn_datapath_cleanup(d->settings->pin_dir, NULL, &removed, NULL);
	jn_close_fd(&lock);
}

/* What status shows as degraded goes to the log, too: whoever reads it later knows since when. */
static void log_degraded(const struct daemon *d)
{
	size_t count;
	const char *const *sentences = jn_engine_degraded(d->engine, &count);

	for (size_t i = 0; i < count; i++)
		jn_warn(AREA, "%s", sentences[i]);
}

static int serve(struct jn_options *options, struct jn_error *err)
{
	const struct jn_settings *settings = &options->settings;
	struct daemon d = { .settings = settings,
			    .state_lock = -1,
			    .pin_lock = -1,
			    .reload = { .options = options } };
	int rc;

	hold_reload(SIG_BLOCK);
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
	rc = start(&d, err);
	if (rc) {
		undo(&d);
		return rc;
	}
	jn_info(AREA, "junctord %s serves generation %llu at %s; control socket %s", JN_VERSION,
		(unsigned long long)jn_engine_generation(d.engine), d.cgroup, settings->socket);
	log_degraded(&d);
	jn_features_start(d.loop, &d.features);
	notify_ready(&d);
	jn_loop_run(d.loop);
	take_down(&d);
	jn_reload_done(&d.reload);
	return 0;
}

static void warn(void *arg, const char *sentence)
{
	(void)arg; /* nothing is told by it */
	jn_warn(AREA, "%s", sentence);
}

static int run_task(struct jn_options *options, struct jn_error *err)
{
	const struct jn_doctor_options doctor = jn_offline_doctor(options);
	int rc;

	if (options->task == JN_TASK_SERVE || options->task == JN_TASK_CHECK)
		jn_trust_look(&doctor, warn, NULL);
	switch (options->task) {
	case JN_TASK_CHECK:
		rc = jn_check(options, err);
		if (!rc)
			puts("configuration is valid");
		return rc;
	case JN_TASK_CLEANUP:
		return jn_offline_cleanup(&options->settings, err);
	case JN_TASK_TRACE:
	case JN_TASK_STATUS:
	case JN_TASK_SYSDUMP:
	case JN_TASK_DOCTOR:
		return jn_offline_tell(options, err);
	default:
		return serve(options, err);
	}
}

/*
 * Large blocks (a whole request, the room of a table) are mapped by themselves, so that they are
 * gone when they are freed. By itself malloc takes the first one that is freed for a reason to put
 * the next ones on the heap, where what is small and stays comes to lie between them.
 */
static void keep_memory_small(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES); /* cannot fail for such a value */
}

int main(int argc, char **argv)
{
	JN_AUTO(jn_options_done) struct jn_options options = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc;

	umask(0077);
	keep_memory_small();
	rc = jn_options_parse(argc, argv, &options, &err);
	if (rc && rc != -ENOMEM) {
		fprintf(stderr, "junctord: %s\n\n%s", jn_error_text(&err), jn_options_usage());
		return EXIT_USAGE;
	}
	if (options.task == JN_TASK_HELP || options.task == JN_TASK_VERSION) {
		fputs(options.task == JN_TASK_HELP ? jn_options_usage()
						   : "junctord " JN_VERSION "\n",
		      stdout);
		return EXIT_OK;
	}
	if (!rc)
		rc = jn_options_complete(&options, &err);
	if (rc && jn_offline_goes_on(&options, rc, &err))
		rc = 0;
	if (!rc) {
		jn_log_set_level(options.settings.log_level);
		rc = run_task(&options, &err);
	}
	if (rc)
		jn_options_print_faults(&err);
	return rc ? EXIT_FAILED : EXIT_OK;
}
