/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket as a whole, from bytes to answers: the real server, verbs and engine above
 * tables and a store in memory. The corpus of JSON texts is replayed here, whole and in pieces.
 */
#include <dirent.h>
#include <libgen.h>

#include "http_harness.h"
#include "tables.h"
#include "tables_counts.h"

#include "api/api.h"
#include "base/log.h"
#include "engine/engine.h"

#define API "/apis/junctor.dev/v1alpha1"
#define SERVICES API "/localservices"

static struct jn_engine *engine;
static struct jn_api *api;
static atomic_int disk_ms; /* how long the disk takes */
static atomic_int writes;  /* to it, begun */

static void on_store(void)
{
	writes++;
	(void)usleep((unsigned)disk_ms * 1000);
}

/* --- junctord, as far as it is needed ---------------------------------------------------------- */

static void on_drained(void *arg)
{
	jn_api_close(&api, on_closed, arg);
}

static void on_look(void *arg)
{
	if (!client_is_done)
		(void)jn_timer_start(loop, POLL_MS, on_look, arg, &watch);
	else
		jn_engine_drain(engine, on_drained, arg);
}

/* Beside the api, as the test wants it. */
static struct jn_api_source other_source = { .name = "file",
					     .is_synced = true,
					     .was_synced = true };

static void read_source(void *arg, struct jn_api_source *out)
{
	(void)arg;
	*out = other_source;
}

static void serve_api(void (*run)(void))
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_engine_options options = { .netns_cookie = 1 };
	struct jn_api_options door = { .socket_path = path, .version = "0", .source = read_source };
	struct client client = { run };
	bool is_closed = false;
	pthread_t thread;

	failure = NULL;
	client_is_done = false;
	disk_ms = writes = 0;
	tables_open();
	tables_on_store = on_store;
	options.datapath = door.datapath = tables;
	assert_int_equal(jn_loop_new(&loop), 0);
	options.executor.context = door.loop = loop;
	options.executor.submit = jn_loop_submit;
	assert_int_equal(jn_engine_open(&options, &engine, &err), 0);
	door.engine = engine;
	assert_int_equal(jn_api_open(&door, &api, &err), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_client, &client), 0);
	on_look(&is_closed);
	jn_loop_run(loop);
	assert_int_equal(pthread_join(thread, NULL), 0);
	jn_engine_close(&engine);
	jn_loop_free(&loop);
	tables_close();
	if (failure)
		fail_msg("line %d: not true: %s", failure_line, failure);
	assert_true(is_closed);
}

/* --- a client ---------------------------------------------------------------------------------- */

/* Texts use ' for ". The answer stands in `out`; returns its status code, 0 where there is none. */
static int call(const char *method, const char *target, const char *quoted, struct jn_buffer *out)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer request = { 0 };
	JN_AUTO(jn_free_mem) char *body = strdup(quoted);

	for (char *p = body; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	jn_buffer_printf(&request, "%s %s HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n" LAST "%s",
			 method, target, strlen(body), body);
	if (!ask(jn_buffer_text(&request), out) || out->size < 12)
		return 0;
	return atoi(jn_buffer_text(out) + 9);
}

#define WEB_WITH(metadata, backends)                                                               \
	"{'apiVersion':'junctor.dev/"                                                              \
	"v1alpha1','kind':'LocalService','metadata':{'name':'web'" metadata                        \
	"},'spec':{'addresses':['127.96.0.1'],'ports':[{'port':80}],"                              \
	"'backends':[" backends "]}}"
#define WEB WEB_WITH("", "{'address':'127.0.0.1:8080'}")
#define POLICY                                                                                     \
	"{'apiVersion':'junctor.dev/v1alpha1','kind':'TrafficPolicy','metadata':{'name':'p'},"     \
	"'spec':{'targetRef':{'kind':'LocalService','name':'web'}}}"

/* --- the corpus -------------------------------------------------------------------------------- */

static int expected_status(const char *name)
{
	return *name == 'y' ? 200 : *name == 's' ? 422 : 400;
}

static bool read_file(const char *file, struct jn_buffer *out)
{
	FILE *f = fopen(file, "re");
	char bytes[4096];
	size_t size;

	jn_buffer_clear(out);
	while (f && (size = fread(bytes, 1, sizeof(bytes), f)))
		jn_buffer_add(out, bytes, size);
	return f && !fclose(f);
}

/* As one piece, or in chunks of `piece` bytes that reach the server one by one. */
static bool send_body(int fd, const struct jn_buffer *body, size_t piece)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer request = { 0 };

	jn_buffer_add_text(&request, "POST /v1/apply?dryRun=All HTTP/1.1\r\n" HOST);
	if (!piece)
		jn_buffer_printf(&request, "Content-Length: %zu\r\n", body->size);
	else
		jn_buffer_add_text(&request, "Transfer-Encoding: chunked\r\n");
	jn_buffer_add_text(&request, LAST);
	for (size_t at = 0; piece && at < body->size; at += piece) {
		size_t size = body->size - at < piece ? body->size - at : piece;

		jn_buffer_printf(&request, "%zx\r\n", size);
		jn_buffer_add(&request, body->data + at, size);
		jn_buffer_add_text(&request, "\r\n");
	}
	if (piece)
		jn_buffer_add_text(&request, "0\r\n\r\n");
	else
		jn_buffer_add(&request, body->data, body->size);
	return send(fd, request.data, request.size, MSG_NOSIGNAL) == (ssize_t)request.size;
}

static bool is_answered_as(const char *name, const struct jn_buffer *body, size_t piece)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int fd = dial();
	int status;

	if (!send_body(fd, body, piece))
		return false;
	hear_all(fd, &heard);
	status = heard.size > 12 ? atoi(jn_buffer_text(&heard) + 9) : 0;
	if (status == expected_status(name) && (status == 200 || has_text(&heard, "\"kind\":"
										  "\"Status\"")))
		return true;
	print_message("%s in pieces of %zu: %s\n", name, piece, jn_buffer_text(&heard));
	return false;
}

static void replay(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 }, heard = { 0 };
	char here[] = __FILE__, file[512];
	const char *top = dirname(here);
	const struct dirent *entry;
	unsigned counts[256] = { 0 };
	DIR *corpus;

	(void)snprintf(file, sizeof(file), "%s/../corpus/json", top);
	corpus = opendir(file);
	CHECK(corpus);
	while ((entry = readdir(corpus))) {
		const char *name = entry->d_name;

		if (!strstr(name, ".json"))
			continue;
		(void)snprintf(file, sizeof(file), "%s/../corpus/json/%s", top, name);
		CHECK(read_file(file, &body));
		counts[(unsigned char)*name]++;
		CHECK(is_answered_as(name, &body, 0));
		CHECK(is_answered_as(name, &body, 7));
		CHECK(body.size > 4096 || is_answered_as(name, &body, 1));
	}
	closedir(corpus);
	CHECK(counts['y'] > 30 && counts['s'] > 20 && counts['n'] > 60);
	CHECK(call("GET", "/v1/status", "", &heard) == 200 && has_text(&heard, "\"generation\":0"));
}

static void test_corpus(void **state)
{
	(void)state;
	serve_api(replay);
}

/* --- the life of objects ----------------------------------------------------------------------- */

static void declare_and_delete(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(call("POST", SERVICES, WEB, &heard) == 201);
	CHECK(has_text(&heard, "Junctor-Generation: 1\r\n"));
	CHECK(has_text(&heard, "Junctor-Programmed-Micros: "));
	CHECK(has_text(&heard, "\"resourceVersion\":\"1\""));
	CHECK(call("POST", SERVICES, WEB, &heard) == 409 && has_text(&heard, "AlreadyExists"));
	CHECK(call("PUT", SERVICES "/web", WEB, &heard) == 200);
	CHECK(has_text(&heard, "Junctor-Generation: 1\r\n")); /* unchanged */
	CHECK(call("PUT", SERVICES "/web", WEB_WITH("", ""), &heard) == 200);
	CHECK(has_text(&heard, "Junctor-Generation: 2\r\n"));
	CHECK(call("PUT", API "/trafficpolicies/p", POLICY, &heard) == 201);
	CHECK(call("PUT", SERVICES "/other", WEB, &heard) == 422 && has_text(&heard, "\"field\":"
										     "\"metadata."
										     "name\""));
	CHECK(call("GET", SERVICES, "", &heard) == 200);
	CHECK(has_text(&heard, "LocalServiceList"));
	CHECK(has_text(&heard, "\"resourceVersion\":\"3\""));
	CHECK(call("HEAD", SERVICES "/web", "", &heard) == 200 && !has_text(&heard, "addresses"));
	CHECK(call("DELETE", SERVICES "/web", "", &heard) == 200 && has_text(&heard, "127.96.0.1"));
	CHECK(has_text(&heard, "Junctor-Generation: 4\r\n"));
	CHECK(call("DELETE", SERVICES "/web", "", &heard) == 404);
	CHECK(call("GET", SERVICES "/web", "", &heard) == 404);
	CHECK(call("PATCH", SERVICES "/web", "{}", &heard) == 405);
	CHECK(has_text(&heard, "Allow: GET, HEAD, PUT, DELETE\r\n"));
}

static void test_rest_verbs(void **state)
{
	(void)state;
	serve_api(declare_and_delete);
}

static void compare_and_swap(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(call("PUT", SERVICES "/web", WEB_WITH(",'resourceVersion':'1'", ""), &heard) == 409);
	CHECK(has_text(&heard, "\"field\":\"metadata.resourceVersion\""));
	CHECK(call("PUT", SERVICES "/web", WEB, &heard) == 201);
	CHECK(call("PUT", SERVICES "/web", WEB_WITH(",'resourceVersion':'1'", ""), &heard) == 200);
	CHECK(call("PUT", SERVICES "/web", WEB_WITH(",'resourceVersion':'1'", ""), &heard) == 409);
	CHECK(call("POST", "/v1/apply", WEB_WITH(",'resourceVersion':'2'", ""), &heard) == 200);
	CHECK(has_text(&heard, "\"generation\":2,") && has_text(&heard, "unchanged"));
}

static void test_resource_version(void **state)
{
	(void)state;
	serve_api(compare_and_swap);
}

static void apply(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };

	CHECK(call("POST", "/v1/apply?dryRun=All", WEB, &heard) == 200);
	CHECK(has_text(&heard, "\"generation\":0,") && has_text(&heard, "\"result\":\"created\""));
	CHECK(call("POST", "/v1/apply", WEB "\n" POLICY, &heard) == 200);
	CHECK(has_text(&heard, "\"generation\":1,") && has_text(&heard, "\"durable\":true"));
	CHECK(count_of(&heard, "\"result\":\"created\"") == 2);
	CHECK(call("POST", "/v1/apply",
		   "{'apiVersion':'v1','kind':'List','items':[" POLICY "," WEB_WITH("", "") "]}",
		   &heard) == 200);
	CHECK(has_text(&heard, "\"generation\":2,") && has_text(&heard, "unchanged") &&
	      has_text(&heard, "configured"));
	/* all or nothing, and every fault with its place */
	CHECK(call("POST", "/v1/apply", WEB "\n\n{'kind':1}\n{\n", &heard) == 400);
	CHECK(has_text(&heard, "\"field\":\"lines[2].kind\"") && has_text(&heard, "(line 3)"));
	CHECK(has_text(&heard, "\"field\":\"lines[3]\"") && has_text(&heard, "line 4, column"));
	CHECK(call("POST", "/v1/apply", "{'apiVersion':'v1','kind':'List','items':[" WEB ",5]}",
		   &heard) == 422);
	CHECK(has_text(&heard, "\"field\":\"items[1]\""));
	CHECK(call("POST", "/v1/apply", "", &heard) == 400 && has_text(&heard, "no body"));
	CHECK(call("POST", "/v1/apply?dryRun=1", WEB, &heard) == 422);
	CHECK(call("GET", "/v1/status", "", &heard) == 200);
	CHECK(has_text(&heard, "\"generation\":2,"));
}

static void test_apply(void **state)
{
	(void)state;
	serve_api(apply);
}

/* Found by fuzz_object: white space of the second line was dropped when it came by itself. */
static void indent(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer body = { 0 }, heard = { 0 };

	jn_buffer_add_text(&body, "{}\n        nonsense");
	for (size_t piece = 0; piece < 8; piece++) {
		JN_AUTO(jn_close_fd) int fd = dial();

		jn_buffer_clear(&heard);
		CHECK(send_body(fd, &body, piece));
		hear_all(fd, &heard);
		CHECK(has_text(&heard, "line 2, column 17: "));
	}
}

static void test_columns_of_the_second_line_count_its_indent(void **state)
{
	(void)state;
	serve_api(indent);
}

/* --- limits ------------------------------------------------------------------------------------ */

static void be_too_large(void)
{
	static char spaces[JN_MAX_OBJECT_BYTES + 2];
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 }, lines = { 0 };

	memset(spaces, ' ', sizeof(spaces) - 1);
	CHECK(call("PUT", SERVICES "/web", spaces, &heard) == 413);
	CHECK(call("POST", "/v1/apply", spaces, &heard) == 413);
	jn_buffer_add_text(&lines, WEB "\n" POLICY "\n");
	jn_buffer_add_text(&lines, spaces);
	CHECK(call("POST", "/v1/apply", jn_buffer_text(&lines), &heard) == 413);
	CHECK(has_text(&heard, "a line is larger"));
	CHECK(ask("POST /v1/apply HTTP/1.1\r\n" HOST "Content-Length: 268435457\r\n\r\n", &heard));
	CHECK(starts_with(&heard, "HTTP/1.1 413 ") && has_text(&heard, "268435456"));
	jn_buffer_clear(&lines);
	jn_buffer_add_text(&lines, "/v1/status?a");
	for (unsigned i = 0; i < 2000; i++)
		jn_buffer_add_text(&lines, "&a=1");
	CHECK(call("GET", jn_buffer_text(&lines), "", &heard) == 422);
	CHECK(count_of(&heard, "\"reason\":\"FieldUnknown\"") <= JN_MAX_FAULTS);
}

static void test_too_large(void **state)
{
	(void)state;
	serve_api(be_too_large);
}

/* --- clients that do not stay ------------------------------------------------------------------- */

/* PUT of an object, without waiting for the answer; when it returns the disk is being written. */
static int put_slowly(void)
{
	static const char body[] = "{\"apiVersion\":\"junctor.dev/v1alpha1\","
				   "\"kind\":\"LocalService\",\"metadata\":{\"name\":\"web\"},"
				   "\"spec\":{\"addresses\":[\"127.96.0.1\"],"
				   "\"ports\":[{\"port\":80}]}}";
	char request[512];
	int fd = dial();

	disk_ms = 100;
	(void)snprintf(request, sizeof(request),
		       "PUT " SERVICES "/web HTTP/1.1\r\n" HOST "Content-Length: %zu\r\n" LAST "%s",
		       sizeof(body) - 1, body);
	for (bool is_sent = say(fd, request); is_sent && !writes;)
		(void)usleep(1000);
	return fd;
}

static void leave(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	int fd = dial();

	/* in the middle of an upload: nothing is applied */
	CHECK(say(fd, "POST /v1/apply HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n{}\n{}\n{"));
	close(fd);
	/* while the disk is written: it is applied all the same */
	close(put_slowly());
	/* behind it in the queue, and gone as well */
	fd = dial();
	CHECK(say(fd, "DELETE " SERVICES "/web HTTP/1.1\r\n" HOST "\r\n"));
	close(fd);
	/* waiting for a generation that does not come */
	fd = dial();
	CHECK(say(fd, "GET /v1/wait?generation=99 HTTP/1.1\r\n" HOST "\r\n"));
	(void)usleep(20000);
	close(fd);
	CHECK(call("GET", "/v1/wait?generation=1&timeoutSeconds=10", "", &heard) == 200);
	CHECK(call("GET", "/v1/wait?generation=99&timeoutSeconds=0", "", &heard) == 408);
	CHECK(has_text(&heard, "\"reason\":\"Timeout\""));
	CHECK(call("GET", "/v1/wait?generation=-1", "", &heard) == 422);
}

static void test_clients_that_leave(void **state)
{
	(void)state;
	serve_api(leave);
}

/* junctord is told to stop while a write is under way and another client waits. */
static void write_to_the_end(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer heard = { 0 };
	JN_AUTO(jn_close_fd) int waiting = dial(), writing = -1;

	CHECK(say(waiting, "GET /v1/wait?generation=99 HTTP/1.1\r\n" HOST "\r\n"));
	writing = put_slowly();
	client_is_done = true; /* seen at the next look, while the disk is written */
	hear_all(writing, &heard);
	CHECK(starts_with(&heard, "HTTP/1.1 201 ") && has_text(&heard, "127.96.0.1"));
}

static void test_stop_with_a_write_under_way(void **state)
{
	(void)state;
	serve_api(write_to_the_end);
}

/* --- another source ---------------------------------------------------------------------------- */

static void ask_about_sources(void)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer out = { 0 };

	other_source = (struct jn_api_source){ .name = "file", .stale_seconds = 7, .error = "x" };
	CHECK(call("GET", "/readyz", "", &out) == 503);
	CHECK(has_text(&out, "the file source has not been read yet"));
	jn_buffer_clear(&out);
	CHECK(call("GET", "/v1/status", "", &out) == 200);
	CHECK(has_text(&out, "\"sources\":[{\"name\":\"api\",\"synced\":true,\"stalenessSeconds\":"
			     "0},"
			     "{\"name\":\"file\",\"synced\":false,\"stalenessSeconds\":7,"
			     "\"error\":\"x\"}]"));
	other_source.was_synced = true; /* and is not any more: no reason to restart */
	jn_buffer_clear(&out);
	CHECK(call("GET", "/readyz", "", &out) == 200);
}

static void test_other_sources(void **state)
{
	(void)state;
	serve_api(ask_about_sources);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_rest_verbs),
		cmocka_unit_test(test_resource_version),
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_columns_of_the_second_line_count_its_indent),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_clients_that_leave),
		cmocka_unit_test(test_stop_with_a_write_under_way),
		cmocka_unit_test(test_other_sources),
	};

	jn_log_set_level(JN_LOG_WARNING);
	return cmocka_run_group_tests(tests, setup, teardown);
}
