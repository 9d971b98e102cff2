/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An engine over tables.h: objects from short texts, an executor whose jobs the test runs, and a
 * watcher that connects to every VIP at every step and holds what it read until the next grace
 * period, as a program that was interrupted would.
 */
#ifndef JUNCTOR_TEST_ENGINE_HARNESS_H
#define JUNCTOR_TEST_ENGINE_HARNESS_H

#include <sys/wait.h>

#include "engine_view.h"

/* --- the executor: jobs run when the test says so ------------------------------------------------- */

static struct job {
	void (*work)(void *arg);
	void (*done)(void *arg);
	void *arg;
	bool has_worked;
} jobs[16];
static size_t job_count;
static bool refuses_jobs;
static bool works_at_once; /* a worker is done with a job before the one who submits it goes on */
static int working_job = -1, storing_job = -1; /* which one calls the store */

static inline void run_work(size_t at)
{
	working_job = (int)at;
	jobs[at].work(jobs[at].arg);
	working_job = -1;
}

static inline int submit(void *context, void (*work)(void *arg), void (*done)(void *arg), void *arg)
{
	(void)context;
	if (refuses_jobs)
		return -EAGAIN;
	for (size_t i = 0; i < JN_COUNT(jobs); i++) {
		if (jobs[i].work)
			continue;
		jobs[i] = (struct job){ work, done, arg, works_at_once };
		job_count++;
		if (works_at_once)
			run_work(i);
		return 0;
	}
	fail_msg("too many jobs at once");
	return -EAGAIN;
}

/* The store is for one thread at a time: from its call until the job has ended. */
static inline void check_store_is_free(void)
{
	assert_true(working_job < 0 || storing_job < 0 || storing_job == working_job);
	storing_job = working_job;
}

/* One half of one job, any of them: work on its thread, or done on ours. */
static inline void run_one(void)
{
	unsigned skip = random_below((uint32_t)job_count), at = 0;
	struct job job;

	while (!jobs[at].work || skip--)
		at++;
	if (!jobs[at].has_worked) {
		jobs[at].has_worked = true;
		run_work(at);
		return;
	}
	if (storing_job == (int)at)
		storing_job = -1;
	job = jobs[at];
	jobs[at] = (struct job){ 0 };
	job_count--;
	job.done(job.arg);
}

static inline void run_jobs(void)
{
	while (job_count)
		run_one();
}

/* --- its one timer: it runs out when the test says so --------------------------------------------- */

static struct {
	void (*fn)(void *arg);
	void *arg;
	uint64_t delay_ms;
} timer;

static inline int start_timer(void *context, uint64_t delay_ms, void (*fn)(void *arg), void *arg,
			      void **out)
{
	(void)context;
	assert_null(timer.fn);
	timer.fn = fn;
	timer.arg = arg;
	timer.delay_ms = delay_ms;
	*out = &timer;
	return 0;
}

static inline void stop_timer(void **handle)
{
	*handle = NULL;
	timer.fn = NULL;
}

/* --- the engine ----------------------------------------------------------------------------------- */

static inline int try_open(void)
{
	struct jn_engine_options options = { .datapath = tables,
					     .executor = { .submit = submit,
							   .start_timer = start_timer,
							   .stop_timer = stop_timer },
					     .state_dir = "",
					     .probing = probing,
					     .netns_cookie = COOKIE,
					     .has_guard_routes = true };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc;

	/* Ids of gone endpoints rest in one process; a restart does not know when they were freed. */
	memset(tables->served_ms, 0, sizeof(tables->served_ms));
	rc = jn_engine_open(&options, &engine, &err);
	tables->is_adopted = true; /* by the next one */
	assert_int_equal(rc != 0, jn_error_is_set(&err));
	return rc;
}

static inline void open_engine(void)
{
	assert_int_equal(try_open(), 0);
}

static inline void restart(void)
{
	jn_engine_close(&engine);
	open_engine();
}

static inline int engine_setup(void **state)
{
	(void)state;
	tables_open();
	view_old = view_new = (struct view){ 0 };
	tables_watch = watch;
	tables_on_grace = release_held;
	tables_on_store = check_store_is_free;
	tables_crash_at = tables_fail_frontend = tables_fail_name = 0;
	tables_commit_rc = 0;
	refuses_jobs = works_at_once = false;
	timer.fn = NULL;
	held_count = 0;
	open_engine();
	return 0;
}

static inline int engine_teardown(void **state)
{
	(void)state;
	jn_engine_close(&engine);
	tables_close();
	return 0;
}

/* --- writes --------------------------------------------------------------------------------------- */

static enum jn_error_kind last_kind; /* of the write that ended last */
static char last_text[512];
static unsigned writes_ended;

static inline void on_done(void *arg, const struct jn_write *write, struct jn_error *err)
{
	(void)arg;
	(void)write;
	last_kind = err->kind;
	(void)snprintf(last_text, sizeof(last_text), "%s", jn_error_text(err));
	writes_ended++;
}

static inline struct jn_object_key key_of(enum jn_kind kind, const char *name)
{
	struct jn_object_key key = { .kind = kind };

	(void)strcpy(key.namespace_, "default");
	(void)snprintf(key.name, sizeof(key.name), "%s", name);
	return key;
}

static inline struct jn_write *new_write(void)
{
	struct jn_write *w = jn_write_new();

	assert_non_null(w);
	w->done = on_done;
	w->list_word = "items";
	w->received_ns = jn_clock_ns();
	return w;
}

static inline void add_json(struct jn_write *w, const char *json)
{
	struct jn_decode_options options = { .prefix = "", .namespace_ = "default", .kind = -1 };
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (jn_object_decode(json, strlen(json), &options, &list, &err))
		fail_msg("%s: %s", json, jn_error_text(&err));
	assert_int_equal(list.count, 1);
	assert_int_equal(jn_write_add(w, JN_WRITE_APPLY, &list.items[0]->key,
				      jn_object_ref(list.items[0])),
			 0);
}

/* backends: what stands between the brackets, e.g. {"address":"10.1.0.1:80"} */
static inline void add_service(struct jn_write *w, const char *name, const char *vips,
			       const char *backends)
{
	char json[1024];

	(void)snprintf(json, sizeof(json),
		       "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"LocalService\","
		       "\"metadata\":{\"name\":\"%s\"},\"spec\":{\"addresses\":[%s],"
		       "\"ports\":[{\"port\":80}],\"backends\":[%s]}}",
		       name, vips, backends);
	add_json(w, json);
}

static inline void add_policy(struct jn_write *w, const char *name, const char *algorithm)
{
	char json[512];

	(void)snprintf(json, sizeof(json),
		       "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"TrafficPolicy\","
		       "\"metadata\":{\"name\":\"%s\"},\"spec\":{\"targetRef\":{\"kind\":"
		       "\"LocalService\",\"name\":\"%s\"},\"algorithm\":\"%s\"}}",
		       name, name, algorithm);
	add_json(w, json);
}

/* Beyond an algorithm: {"limits": …} and the like. */
static inline void add_rules(struct jn_write *w, const char *name, const char *rules)
{
	char json[512];

	(void)snprintf(json, sizeof(json),
		       "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"TrafficPolicy\","
		       "\"metadata\":{\"name\":\"%s\"},\"spec\":{\"targetRef\":{\"kind\":"
		       "\"LocalService\",\"name\":\"%s\"},%s}}",
		       name, name, rules);
	add_json(w, json);
}

static inline void add_delete(struct jn_write *w, enum jn_kind kind, const char *name)
{
	struct jn_object_key key = key_of(kind, name);

	assert_int_equal(jn_write_add(w, JN_WRITE_DELETE, &key, NULL), 0);
}

/* Write, let everything run to its end, and say how the write ended. */
static inline enum jn_error_kind run_write(struct jn_write *w)
{
	unsigned before = writes_ended;

	jn_engine_write(engine, w);
	run_jobs();
	assert_int_equal(writes_ended, before + 1);
	return last_kind;
}

/* From what is seen now to `next`; with NULL nothing may be seen to change. */
static inline void expect(const struct view *next)
{
	for (unsigned vip = 0; vip < VIPS; vip++)
		see_vip(vip, view_old.vip[vip]);
	view_new = next ? *next : view_old;
}

/* How many of the sentences about what is not as declared hold this text. */
static inline size_t degraded_count(const char *with)
{
	const char *const *texts;
	size_t count, found = 0;

	texts = jn_engine_degraded(engine, &count);
	for (size_t i = 0; i < count; i++)
		found += strstr(texts[i], with) != NULL;
	return found;
}

/* The row of the store for an object of the namespace default. */
static inline struct tables_row *row_of(const char *kind, const char *name)
{
	struct jn_row key = { .kind = kind, .namespace_ = "default", .name = name };
	struct tables_row *row = tables_row(rows, &key);

	assert_non_null(row);
	return row;
}

/* --- writes that several tests begin with ---------------------------------------------------------- */

#define B(port) "{\"address\":\"10.1.0.1:" #port "\"}"
#define V1 "\"10.0.0.1\""
#define V2 "\"10.0.0.2\""
#define V3 "\"10.0.0.3\""

static inline void create_web(void)
{
	struct view next = { .vip = { "random 10.1.0.1:1 10.1.0.1:2" } };
	struct jn_write *w = new_write();

	add_service(w, "web", V1, B(1) "," B(2));
	expect(&next);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
	assert_true(is_seen(&next));
}

/* Run the write in a child that ends at its k-th step; false when it came to its end before. */
static inline bool crashes_at(struct jn_write *w, unsigned k)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		tables_crash_at = k;
		(void)run_write(w);
		_exit(0);
	}
	jn_write_free(&w);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) != 0)
		assert_int_equal(WEXITSTATUS(status), TABLES_CRASHED);
	return WEXITSTATUS(status) != 0;
}

/* Backends of weights 1 to 90: a cycle of 4095 turns, to each of which all of them add. */
#define HEAVY 90

/* A service whose slots take more than JN_BIG_BUILD steps. */
static inline struct jn_write *big_write(void)
{
	struct jn_write *w = new_write();
	char *json = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&json, &size);

	assert_non_null(out);
	(void)fprintf(out, "{\"apiVersion\":\"junctor.dev/v1alpha1\",\"kind\":\"LocalService\","
			   "\"metadata\":{\"name\":\"big\"},\"spec\":{\"addresses\":[" V2 "],"
			   "\"ports\":[{\"port\":80}],\"backends\":[");
	for (unsigned i = 1; i <= HEAVY; i++)
		(void)fprintf(out, "%s{\"address\":\"10.1.0.1:%u\",\"weight\":%u}",
			      i > 1 ? "," : "", i, i);
	(void)fprintf(out, "]}}");
	assert_int_equal(fclose(out), 0);
	add_json(w, json);
	free(json);
	add_policy(w, "big", "RoundRobin");
	return w;
}

/* The engine begins what it does beside writes. */
static inline void start(void)
{
	jn_engine_start(engine);
	run_jobs();
}

/* "web". */
static inline void declare(const char *vips, const char *backends)
{
	struct jn_write *w = new_write();

	add_service(w, "web", vips, backends);
	assert_int_equal(run_write(w), JN_ERROR_NONE);
}

/* Three, each of which changes what every VIP leads to, and what is seen after each. */
static inline struct jn_write *write_of(unsigned what)
{
	struct jn_write *w = new_write();

	if (what == 0) {
		add_service(w, "web", V1, B(1) "," B(2));
		add_service(w, "old", V3, B(1));
	} else if (what == 1) {
		add_service(w, "web", V1 "," V2, "{\"address\":\"127.0.0.1:7\"}," B(2));
		add_policy(w, "web", "RoundRobin");
		add_delete(w, JN_KIND_LOCAL_SERVICE, "old");
	} else {
		add_delete(w, JN_KIND_LOCAL_SERVICE, "web");
		add_delete(w, JN_KIND_TRAFFIC_POLICY, "web");
	}
	return w;
}

static const struct view write_views[] = {
	{ .vip = { "random 10.1.0.1:1 10.1.0.1:2", "", "random 10.1.0.1:1" } },
	{ .vip = { "turns 10.1.0.1:2 127.0.0.1:7", "turns 10.1.0.1:2 127.0.0.1:7" } },
	{ .vip = { "" } },
};

#endif
