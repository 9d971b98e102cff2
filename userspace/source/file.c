/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When the folder is looked at, and what follows from it:
 *
 *	IDLE ──event, time──> LOOKING ──nothing more happened──> WRITING ──> IDLE
 *	                        │  ^                                │  ^
 *	   something happened,  v  │ a moment of quiet     refused: v  │ the rest
 *	   a file is missing    WAITING                        without who is to blame
 *
 * A change that stands alone is written at once; what comes in a burst is waited for, and is one
 * write. An editor that takes a file away to replace it deletes nothing, if it is quick.
 */
#include "source/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "loop/loop.h"
#include "loop/watch.h"
#include "source/internal.h"

#define AREA "files"

struct jn_file_source {
	struct jn_file_source_options options;
	struct jn_files files;
	struct jn_watch *watch;
	uint64_t device, inode; /* of what is watched; 0: it may be gone */
	struct jn_alarm *alarm; /* the next look: even without memory there is one */
	uint64_t whole_ms;	/* when a look at all of it began last */
	uint64_t hasty_since_ms;
	unsigned hasty_looks; /* since then */
	uint64_t restless_ms; /* since when something happens again and again; 0: it does not */
	struct jn_look look;
	struct jn_batch batch;
	size_t most;		 /* files in one write; 0: not now */
	uint64_t refused_at;	 /* generation when refused files were tried last */
	uint64_t stale_since_ms; /* 0: it is not */
	char *folder_error;
	char *write_error; /* of the last write, nobody's fault */
	char *text;	   /* for jn_file_source_status */
	void (*closed)(void *arg);
	void *closed_arg;
	bool is_above;	       /* what is watched is the nearest above the folder that is there */
	bool has_warned;       /* that it cannot be watched */
	uint64_t files_device; /* of the folder when files were in it; 0: not known yet */
	bool is_disturbed;     /* something happened since the last look began */
	bool is_looking, is_writing, is_applying, is_closing;
	bool was_synced;
};

static void apply(struct jn_file_source *s);
static void look(struct jn_file_source *s);
static void look_at(struct jn_file_source *s, const char *only);

/* --- time -------------------------------------------------------------------------------------- */

static void on_time(void *arg)
{
	struct jn_file_source *s = arg;

	look(s);
}

static void look_in(struct jn_file_source *s, uint64_t ms)
{
	if (!s->is_closing)
		jn_alarm_set(s->alarm, ms);
}

/* How long to wait for quiet; 0: it has been waited for long enough. */
static uint64_t patience(struct jn_file_source *s, uint64_t ms)
{
	uint64_t now = jn_clock_ms();

	if (!s->restless_ms)
		s->restless_ms = now;
	return now - s->restless_ms < JN_FILE_PATIENCE_MS ? ms : 0;
}

/* Until all of it is to be looked at again, whatever happens to single files meanwhile. */
static uint64_t until_whole(const struct jn_file_source *s)
{
	uint64_t since = jn_clock_ms() - s->whole_ms;

	return since < JN_FILE_LOOK_MS ? JN_FILE_LOOK_MS - since : 0;
}

/* Looks that end before the next file of a burst comes would make a write of each. */
static bool may_be_hasty(struct jn_file_source *s)
{
	uint64_t now = jn_clock_ms();

	if (now - s->hasty_since_ms >= JN_FILE_QUIET_MS) {
		s->hasty_since_ms = now;
		s->hasty_looks = 0;
	}
	return s->hasty_looks++ < JN_FILE_HASTY_LOOKS;
}

/* Of the folder itself: it was removed, or renamed, and what is watched is no folder of ours. */
static bool is_of_folder(const struct jn_file_source *s, const char *name)
{
	const char *slash = strrchr(s->options.folder, '/');

	return !name || !strcmp(name, slash ? slash + 1 : s->options.folder);
}

/* "..data" is what a mounted ConfigMap is swapped by. */
static bool is_of_files(const char *name)
{
	return !strncmp(name, "..", 2) || jn_content_has_name(name);
}

/*
 * Of a file that is known, in the folder that is watched: nothing else has changed. Where something
 * else might have, all of it is looked at: names that are new meet the limit of files. And now and
 * then in any case: an event may be lost, and what a link leads to sends none.
 */
static bool is_only(const struct jn_file_source *s, const char *name)
{
	return s->inode && !s->is_above && !s->folder_error && until_whole(s) &&
	       jn_files_find(&s->files, name);
}

static void on_event(void *arg, const char *name, bool is_content)
{
	struct jn_file_source *s = arg;
	bool is_first = !s->is_disturbed && !s->is_looking && !s->restless_ms;

	if (is_of_folder(s, name))
		s->inode = 0;
	else if (!s->is_above && !is_of_files(name))
		return;
	s->is_disturbed = true;
	if (s->is_looking)
		return; /* its end leads to the next one */
	if (is_first && !is_content && may_be_hasty(s))
		look_at(s, is_only(s, name) ? name : NULL);
	else
		look_in(s, patience(s, JN_FILE_QUIET_MS));
}

/* --- watching ---------------------------------------------------------------------------------- */

/* True: it is watched from now on, and what came before is to be looked for. */
static bool rewatch(struct jn_file_source *s)
{
	const struct jn_look *l = &s->look;
	int rc;

	if (!l->to_watch || (s->watch && s->device == l->device && s->inode == l->inode))
		return false;
	jn_watch_stop(&s->watch);
	rc = jn_watch_start(s->options.loop, l->to_watch, on_event, s, &s->watch);
	if (rc && !s->has_warned)
		jn_warn(AREA,
			"%s cannot be watched (%s); it is looked at every %d s instead: free "
			"inotify watches (fs.inotify.max_user_watches)",
			l->to_watch, strerror(-rc), JN_FILE_LOOK_MS / 1000);
	s->has_warned = rc != 0;
	if (rc)
		return false;
	s->device = l->device;
	s->inode = l->inode;
	s->is_above = strcmp(l->to_watch, s->options.folder) != 0;
	return true;
}

/* --- looking ----------------------------------------------------------------------------------- */

static void take_folder_error(struct jn_file_source *s)
{
	struct jn_look *l = &s->look;

	/* A folder that is not there, and nothing that came from it: nobody uses files here. */
	if (l->rc == -ENOENT && !s->files.count)
		free(JN_MOVE(l->error));
	if (l->error && (!s->folder_error || strcmp(l->error, s->folder_error) != 0))
		jn_warn(AREA, "%s", l->error);
	free(s->folder_error);
	s->folder_error = JN_MOVE(l->error);
}

static void maybe_closed(struct jn_file_source *s);

static void look_done(void *arg)
{
	struct jn_file_source *s = arg;
	bool is_missing = false;
	uint64_t ms = 0;
	int rc;

	s->is_looking = false;
	if (s->is_closing) {
		maybe_closed(s);
		return;
	}
	s->is_disturbed |= rewatch(s);
	rc = s->look.rc ? 0 : jn_files_merge(&s->files, &s->look, jn_clock_ms());
	take_folder_error(s);
	if (!s->look.rc && s->look.found.count)
		s->files_device = s->look.device;
	if (!s->look.rc && !rc)
		ms = jn_files_unsettled_ms(&s->files, &is_missing);
	jn_look_done(&s->look);
	if (s->is_disturbed || is_missing) {
		uint64_t wait = patience(s, is_missing ? ms : JN_FILE_QUIET_MS);

		if (wait) {
			look_in(s, wait);
			return;
		}
	}
	s->restless_ms = 0;
	look_in(s, ms ? ms : until_whole(s));
	jn_engine_keep(s->options.engine);
	apply(s);
}

static void look_work(void *arg)
{
	struct jn_file_source *s = arg;

	jn_look_run(&s->look);
}

static int add_known(struct jn_look *look, const struct jn_file *file)
{
	struct jn_found *known = jn_vec_add(&look->known);

	if (!known)
		return -ENOMEM;
	known->signature = file->signature;
	known->name = strdup(file->name);
	return known->name ? 0 : -ENOMEM;
}

static int fill_known(struct jn_file_source *s, const char *only)
{
	int rc = 0;

	if (only) {
		s->look.only = strdup(only);
		return s->look.only ? add_known(&s->look, jn_files_find(&s->files, only)) : -ENOMEM;
	}
	for (size_t i = 0; i < s->files.count && !rc; i++)
		rc = add_known(&s->look, s->files.items[i]);
	return rc;
}

/* only: the name of a file that is known; NULL: at all that is there. */
static void look_at(struct jn_file_source *s, const char *only)
{
	int rc;

	if (s->is_looking || s->is_closing)
		return;
	if (s->is_writing) { /* what files want must not change under it */
		s->is_disturbed = true;
		return;
	}
	jn_alarm_clear(s->alarm);
	s->is_disturbed = false;
	s->look = (struct jn_look){ .folder = s->options.folder, .files_device = s->files_device };
	rc = fill_known(s, only);
	if (!rc)
		rc = jn_loop_submit(s->options.loop, look_work, look_done, s);
	s->is_looking = !rc;
	if (!rc && !only)
		s->whole_ms = jn_clock_ms();
	if (!rc)
		return;
	jn_look_done(&s->look);
	look_in(s, JN_FILE_PATIENCE_MS); /* no memory, or no thread */
}

static void look(struct jn_file_source *s)
{
	look_at(s, NULL);
}

/* --- writing ----------------------------------------------------------------------------------- */

static void say_write_error(struct jn_file_source *s, const char *text)
{
	if (!s->write_error || strcmp(s->write_error, text) != 0)
		jn_warn(AREA, "%s", text);
	free(s->write_error);
	s->write_error = strdup(text);
}

static void log_written(const struct jn_write *write)
{
	size_t counts[] = { [JN_RESULT_UNCHANGED] = 0,
			    [JN_RESULT_CREATED] = 0,
			    [JN_RESULT_CONFIGURED] = 0,
			    [JN_RESULT_DELETED] = 0 };

	for (size_t i = 0; i < write->items.count; i++)
		counts[write->items.items[i].result]++;
	if (counts[JN_RESULT_UNCHANGED] == write->items.count)
		return;
	jn_info(AREA,
		"%zu objects created, %zu configured, %zu deleted, %zu unchanged, generation %llu",
		counts[JN_RESULT_CREATED], counts[JN_RESULT_CONFIGURED], counts[JN_RESULT_DELETED],
		counts[JN_RESULT_UNCHANGED], (unsigned long long)write->generation);
}

static void refused(struct jn_file_source *s, struct jn_error *err)
{
	if (jn_batch_blame(&s->batch, err))
		return;
	if (jn_batch_narrow(&s->batch, &s->files, err, &s->most))
		return;
	say_write_error(s, jn_error_text(err));
	s->most = 0;
}

static void settle(struct jn_file_source *s)
{
	(void)jn_batch_settle(&s->files); /* without memory a file is written again, unchanged */
	s->most = SIZE_MAX;
	free(JN_MOVE(s->write_error));
}

static void written(void *arg, const struct jn_write *write, struct jn_error *err)
{
	struct jn_file_source *s = arg;

	s->is_writing = false;
	if (!jn_error_is_set(err)) {
		log_written(write);
		settle(s);
	} else {
		refused(s, err);
	}
	jn_batch_done(&s->batch);
	if (s->is_closing)
		maybe_closed(s);
	else if (!s->is_applying)
		apply(s);
}

/* What was refused is tried again when something has changed since. */
static void forgive(struct jn_file_source *s)
{
	uint64_t generation = jn_engine_generation(s->options.engine);

	if (generation == s->refused_at && !s->files.has_news)
		return;
	s->refused_at = generation;
	s->files.has_news = false;
	for (size_t i = 0; i < s->files.count; i++)
		s->files.items[i]->is_refused = false;
}

/* One write of what is wanted. False: there is nothing more to do now. */
static bool write_some(struct jn_file_source *s)
{
	struct jn_write *write;

	if (s->most == SIZE_MAX)
		forgive(s);
	if (s->most && jn_batch_build(&s->files, s->options.engine, s->most, &s->batch))
		s->most = 0;
	if (!s->most)
		return false; /* the machine is in the way: the next look tries again */
	if (!s->batch.write->items.count) {
		bool was_some = s->batch.included > 0;

		settle(s);
		jn_batch_done(&s->batch);
		return was_some;
	}
	write = JN_MOVE(s->batch.write);
	write->received_ns = jn_clock_ns();
	write->done = written;
	write->arg = s;
	s->is_writing = true;
	jn_engine_write(s->options.engine, write);
	return true;
}

static bool is_pending(const struct jn_file_source *s)
{
	return jn_files_are_pending(&s->files) || s->folder_error || s->write_error;
}

/* A write may end before jn_engine_write returns: turns of a loop, not calls in each other. */
static void apply(struct jn_file_source *s)
{
	bool goes_on = true;

	if (s->is_writing)
		return;
	s->is_applying = true;
	while (goes_on && !s->is_writing)
		goes_on = write_some(s);
	s->is_applying = false;
	if (s->is_writing)
		return;
	s->was_synced |= s->most != 0;
	s->most = SIZE_MAX;
	jn_engine_files_are_read(s->options.engine);
	if (!is_pending(s))
		s->stale_since_ms = 0;
	else if (!s->stale_since_ms)
		s->stale_since_ms = jn_clock_ms();
	if (s->is_disturbed)
		look_in(s, patience(s, JN_FILE_QUIET_MS));
}

/* --- life -------------------------------------------------------------------------------------- */

static void source_free(struct jn_file_source *s)
{
	jn_files_done(&s->files);
	jn_look_done(&s->look);
	jn_batch_done(&s->batch);
	free(s->folder_error);
	free(s->write_error);
	free(s->text);
	free(s);
}

int jn_file_source_open(const struct jn_file_source_options *options, struct jn_file_source **out)
{
	struct jn_file_source *s = calloc(1, sizeof(*s));
	int rc = s ? 0 : -ENOMEM;

	if (rc)
		return rc;
	s->options = *options;
	s->most = SIZE_MAX;
	s->refused_at = jn_engine_generation(options->engine);
	(void)signal(SIGIO, SIG_IGN); /* who waits for our lease (look.c) is heard of by it */
	rc = jn_files_load(&s->files, options->engine);
	if (!rc)
		rc = jn_alarm_new(options->loop, on_time, s, &s->alarm);
	if (rc) {
		source_free(s);
		return rc;
	}
	look_in(s, 0);
	*out = s;
	return 0;
}

static void maybe_closed(struct jn_file_source *s)
{
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;

	if (s->is_looking || s->is_writing)
		return;
	source_free(s);
	closed(arg);
}

void jn_file_source_close(struct jn_file_source **source, void (*closed)(void *arg), void *arg)
{
	struct jn_file_source *s = JN_MOVE(*source);

	s->is_closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	jn_alarm_free(&s->alarm);
	jn_watch_stop(&s->watch);
	maybe_closed(s);
}

/* --- status ------------------------------------------------------------------------------------ */

void jn_file_source_status(struct jn_file_source *s, struct jn_file_source_status *out)
{
	free(s->text);
	s->text = jn_files_describe(&s->files);
	*out = (struct jn_file_source_status){
		.is_synced = s->was_synced && !s->stale_since_ms,
		.was_synced = s->was_synced,
		.error = s->folder_error  ? s->folder_error
			 : s->write_error ? s->write_error
			 : s->text	  ? s->text
					  : jn_engine_unkept(s->options.engine),
	};
	if (s->stale_since_ms)
		out->stale_seconds = (jn_clock_ms() - s->stale_since_ms) / 1000;
}
