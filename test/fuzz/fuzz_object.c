/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes as an object, a List or JSON lines.
 *
 * What is decoded is encoded and decoded again, and is the same. What is refused is refused with a
 * sentence, and so by /v1/apply?dryRun=All, which answers the same however the body is cut: the real
 * server, verbs and engine, above tables and a store in memory.
 */
#include "server_bed.h"
#include "tables.h"
#include "tables_counts.h"

#include "api/api.h"
#include "base/auto.h"
#include "base/log.h"
#include "engine/engine.h"
#include "proto/json.h"
#include "proto/object.h"
#include "proto/status.h"

static struct jn_engine *engine;
static struct jn_api *api;
static struct jn_access_rule myself = { .role = JN_ROLE_ADMIN };
static int client = -1;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_engine_options options = { .netns_cookie = 1 };
	struct jn_api_options door = { .version = "0" };

	(void)argc;
	(void)argv;
	jn_log_set_level(JN_LOG_ERROR);
	bed_open();
	tables_open();
	myself.id = getuid();
	door.access = (struct jn_access){ .rules = &myself, .rule_count = 1 };
	options.datapath = door.datapath = tables;
	options.executor.context = door.loop = loop;
	options.executor.submit = jn_loop_submit;
	CHECK(!jn_engine_open(&options, &engine, &err));
	door.engine = engine;
	door.socket_path = socket_path;
	CHECK(!jn_api_open(&door, &api, &err));
	bed_hide_socket();
	return 0;
}

/* --- codec --------------------------------------------------------------------------------------- */

static const struct jn_decode_options any = { .prefix = "", .kind = -1 };

static void check_is_json(struct jn_buffer *text)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_json_free) struct jn_json *json = NULL;

	CHECK(!jn_json_parse(jn_buffer_text(text), text->size, &json, &err));
}

static void check_refusal(struct jn_error *err)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };

	CHECK(err->kind == JN_ERROR_BAD_REQUEST || err->kind == JN_ERROR_INVALID);
	CHECK(err->cause_count <= JN_MAX_FAULTS && err->cause_count <= err->fault_count);
	CHECK(*jn_error_text(err));
	jn_status_encode(err, NULL, NULL, &text);
	check_is_json(&text);
}

/* The only object of this text. */
static struct jn_object *decode_again(struct jn_buffer *text)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	int rc = jn_object_decode(jn_buffer_text(text), text->size, &any, &list, &err);

	if (rc)
		(void)fprintf(stderr, "%s: %s\n", jn_buffer_text(text), jn_error_text(&err));
	CHECK(!rc && list.count == 1);
	return jn_object_ref(list.items[0]);
}

static void check_object(const struct jn_object *object)
{
	struct jn_object_status status = { .generation = 1, .reason = "NoEndpoint", .ready = 2 };
	JN_AUTO(jn_buffer_done) struct jn_buffer declared = { 0 }, again = { 0 }, answered = { 0 };
	JN_AUTO(jn_object_unref) struct jn_object *second = NULL, *third = NULL;

	jn_object_encode_declared(object, &declared);
	second = decode_again(&declared);
	CHECK(jn_object_equal(object, second));
	CHECK(!memcmp(&object->key, &second->key, sizeof(object->key)));
	jn_object_encode_declared(second, &again);
	CHECK(declared.size == again.size && !memcmp(declared.data, again.data, again.size));

	jn_object_encode(object, &status, &answered);
	third = decode_again(&answered);
	CHECK(jn_object_equal(object, third) && object->version == third->version);
}

static int check_codec(const char *text, size_t size, struct jn_error *err)
{
	JN_AUTO(jn_object_list_done) struct jn_object_list list = { 0 };
	int rc = jn_object_decode(text, size, &any, &list, err);

	CHECK(rc == 0 || rc == -EINVAL);
	CHECK((rc != 0) == jn_error_is_set(err));
	if (rc) {
		CHECK(!list.count);
		check_refusal(err);
	}
	for (size_t i = 0; i < list.count; i++)
		check_object(list.items[i]);
	return rc;
}

/* --- /v1/apply ----------------------------------------------------------------------------------- */

#define HEAD "POST /v1/apply?dryRun=All HTTP/1.1\r\nHost: fuzz\r\n"

static const char *end_of_head(struct jn_buffer *answer)
{
	const char *end = strstr(jn_buffer_text(answer), "\r\n\r\n");

	return end ? end + 4 : NULL;
}

static bool is_whole(struct jn_buffer *answer)
{
	const char *end = end_of_head(answer);
	const char *length = strstr(jn_buffer_text(answer), "Content-Length: ");

	return end && length &&
	       answer->size == (size_t)(end - answer->data) + strtoul(length + 16, NULL, 10);
}

static void add_chunks(struct jn_buffer *request, const char *text, size_t size, uint32_t seed)
{
	struct pieces pieces = { seed };

	for (size_t at = 0; at < size;) {
		size_t piece = next_piece(&pieces, size - at);

		jn_buffer_printf(request, "%zx\r\n", piece);
		jn_buffer_add(request, text + at, piece);
		jn_buffer_add_text(request, "\r\n");
		at += piece;
	}
	jn_buffer_add_text(request, "0\r\n\r\n");
}

/* Send one request and hear its answer; returns the status code. seed 0: the body in one piece. */
static int apply(const char *text, size_t size, uint32_t seed, struct jn_buffer *answer)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer request = { 0 };
	bool is_open;

	if (client < 0)
		client = dial();
	if (seed) {
		jn_buffer_add_text(&request, HEAD "Transfer-Encoding: chunked\r\n\r\n");
		add_chunks(&request, text, size, seed);
	} else {
		jn_buffer_printf(&request, HEAD "Content-Length: %zu\r\n\r\n", size);
		jn_buffer_add(&request, text, size);
	}
	is_open = say(client, request.data, request.size, answer);
	for (unsigned turns = 0; is_open && !is_whole(answer); turns++) {
		CHECK(turns < MAX_TURNS);
		turn();
		is_open = hear(client, answer);
	}
	CHECK(is_whole(answer));
	if (!is_open) {
		(void)close(client);
		client = -1;
	}
	return atoi(jn_buffer_text(answer) + 9);
}

/* Of an answer, the body without the time it took. */
static void keep_body(struct jn_buffer *answer)
{
	static const char micros[] = "\"programmedMicros\":";
	char *number, *end;

	jn_buffer_consume(answer, (size_t)(end_of_head(answer) - answer->data));
	(void)jn_buffer_text(answer); /* ends with a 0 */
	number = strstr(answer->data, micros);
	if (!number || strncmp(answer->data, "{\"generation\"", 13))
		return; /* a refusal that tells of such a field */
	number += strlen(micros);
	end = number + strspn(number, "0123456789");
	memmove(number + 1, end, (size_t)(answer->data + answer->size - end));
	answer->size -= (size_t)(end - number) - 1;
	*number = '0';
}

static void check_apply(const char *text, size_t size, int rc, const struct jn_error *err)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer whole = { 0 }, pieces = { 0 };
	int status = apply(text, size, 0, &whole);

	CHECK(status == 200 || status == 400 || status == 409 || status == 422);
	CHECK(status == apply(text, size, 1 + (uint32_t)size, &pieces));
	keep_body(&whole);
	keep_body(&pieces);
	check_is_json(&whole);
	CHECK(whole.size == pieces.size && !memcmp(whole.data, pieces.data, whole.size));
	if (!rc) /* one document: what other objects say of it may be a conflict */
		CHECK(status != 400);
	else if (err->kind == JN_ERROR_INVALID)
		CHECK(status == 422);
	CHECK(jn_engine_generation(engine) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	JN_AUTO(jn_free_mem) char *text = malloc(size ? size : 1);
	int rc;

	memcpy(text, data, size); /* of just that size, so that a byte too far is seen */
	rc = check_codec(text, size, &err);
	check_apply(text, size, rc, &err);
	return 0;
}
