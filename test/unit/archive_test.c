/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What goes to strangers: objects without what people keep in them, in an archive that tar reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/auto.h"
#include "base/tar.h"
#include "proto/redact.h"

static void assert_redacted(const char *from, const char *to)
{
	JN_AUTO(jn_json_free) struct jn_json *json = NULL;
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	struct jn_writer w = jn_writer_to(&text);

	assert_int_equal(jn_json_parse(from, strlen(from), &json, NULL), 0);
	jn_redact(json, &w);
	assert_string_equal(jn_buffer_text(&text), to);
}

static void test_annotations_and_queries_go(void **state)
{
	(void)state;
	assert_redacted("{\"metadata\":{\"name\":\"web\",\"annotations\":{\"a\":\"secret\",\"b\":"
			"\"\"}}}",
			"{\"metadata\":{\"name\":\"web\",\"annotations\":{\"a\":\"(redacted)\","
			"\"b\":\"(redacted)\"}}}");
	assert_redacted("{\"probe\":{\"path\":\"/up?key=secret\",\"port\":80}}", "{\"probe\":{"
										 "\"path\":\"/"
										 "up?(redacted)\","
										 "\"port\":80}}");
}

static void test_the_rest_stays(void **state)
{
	static const char *const same[] = {
		"{\"spec\":{\"addresses\":[\"127.96.0.10\"],\"path\":\"/up\"}}",
		"[1,-2,true,false,null,\"\\n\",{},[]]",
		"{\"annotations\":\"no object\"}",
	};

	(void)state;
	for (size_t i = 0; i < JN_COUNT(same); i++)
		assert_redacted(same[i], same[i]);
}

/* Two archives behind each other, ended once, of sizes around a block's. */
static void test_tar_reads_it(void **state)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer archive = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer second = { 0 };
	JN_AUTO(jn_buffer_done) struct jn_buffer content = { 0 };
	char said[256] = "";
	FILE *tar, *listing;

	(void)state;
	jn_tar_add(&archive, "empty", &content, 0);
	for (unsigned i = 0; i < 512; i++)
		jn_buffer_add_text(&content, "x");
	jn_tar_add(&archive, "folder/block", &content, 1);
	jn_buffer_add_text(&content, "x");
	jn_tar_add(&second, "more", &content, 2);
	jn_buffer_add(&archive, second.data, second.size);
	jn_tar_end(&archive);
	assert_int_equal(archive.size, 512 + 1024 + 1536 + 1024);
	tar = popen("TZ=UTC tar -tvf - | awk '{ print $3, $4, $6 }' > tar-listing", "w");
	assert_non_null(tar);
	assert_int_equal(fwrite(archive.data, 1, archive.size, tar), archive.size);
	assert_int_equal(pclose(tar), 0);
	listing = fopen("tar-listing", "r");
	assert_non_null(listing);
	assert_true(fread(said, 1, sizeof(said) - 1, listing) > 0);
	(void)fclose(listing);
	assert_string_equal(said, "0 1970-01-01 empty\n512 1970-01-01 folder/block\n"
				  "513 1970-01-01 more\n");
}

/* A folder of its own, as the listing is a file. */
static int enter(void **state)
{
	char *folder = strdup("/tmp/jn-archive-XXXXXX");

	*state = folder;
	return !folder || !mkdtemp(folder) || chdir(folder);
}

static int leave(void **state)
{
	char *folder = *state;

	(void)unlink("tar-listing");
	if (chdir("/"))
		return -1;
	(void)rmdir(folder);
	free(folder);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotations_and_queries_go),
		cmocka_unit_test(test_the_rest_stays),
		cmocka_unit_test_setup_teardown(test_tar_reads_it, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
