/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor sysdump, the part that only junctord can read: tables, hooks, what is stored, this machine.
 * Files of an archive that junctor ends. What is missing is said in the file that it would be in.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/tar.h"
#include "base/version.h"
#include "offline/dump.h"
#include "offline/internal.h"
#include "proto/json.h"
#include "proto/redact.h"
#include "store/store.h"

#define MAX_MS 3000		     /* for all */
#define MAX_TABLE_BYTES (1280 << 10) /* each of five */
#define MAX_OBJECTS_BYTES (2 << 20)
#define MAX_HOOKS_BYTES (256 << 10)

static void file_done(struct jn_dump_file *file)
{
	jn_buffer_done(&file->text);
	jn_buffer_done(&file->line);
}

bool jn_dump_begin_line(struct jn_dump_file *file)
{
	file->is_cut = file->is_cut || jn_clock_ms() > file->end_ms;
	if (file->is_cut)
		return false;
	jn_buffer_clear(&file->line);
	file->w = jn_writer_to(&file->line);
	jn_write_open(&file->w, '{');
	return true;
}

static void keep_line(struct jn_dump_file *file)
{
	if (file->text.size + file->line.size + 1 > file->max) {
		file->is_cut = true;
		return;
	}
	jn_buffer_add(&file->text, file->line.data, file->line.size);
	jn_buffer_add_text(&file->text, "\n");
}

void jn_dump_end_line(struct jn_dump_file *file)
{
	jn_write_close(&file->w, '}');
	keep_line(file);
}

/* --- the archive --------------------------------------------------------------------------------- */

struct archive {
	const struct jn_dump_options *options;
	struct jn_datapath *dp; /* NULL: there are no tables */
	struct jn_buffer *out;
	uint64_t end_ms, now_s;
};

static struct jn_dump_file begin_file(const struct archive *archive, size_t max)
{
	return (struct jn_dump_file){ .dp = archive->dp, .end_ms = archive->end_ms, .max = max };
}

/* rc: why it is not whole; 0: it is. */
static void end_file(const struct archive *archive, const char *name, struct jn_dump_file *file,
		     int rc)
{
	if (file->is_cut)
		jn_buffer_add_text(&file->text, "{\"cut\":\"there is more than fits\"}\n");
	else if (rc)
		jn_buffer_printf(&file->text, "{\"cut\":\"%s\"}\n", strerror(-rc));
	jn_tar_add(archive->out, name, &file->text, archive->now_s);
	file_done(file);
}

static void add_text(const struct archive *archive, const char *name, struct jn_buffer *text)
{
	jn_buffer_add_text(text, "\n");
	jn_tar_add(archive->out, name, text, archive->now_s);
}

/* --- what goes into it --------------------------------------------------------------------------- */

static void add_machine(const struct archive *archive)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	struct jn_writer w = jn_writer_to(&text);
	struct utsname kernel = { 0 };

	(void)uname(&kernel); /* cannot fail */
	jn_write_open(&w, '{');
	jn_write_key_text(&w, "version", JN_VERSION);
	jn_write_key_unsigned(&w, "tableVersion", JN_ABI_VERSION);
	jn_write_key_unsigned(&w, "timeSeconds", archive->now_s);
	jn_write_key_unsigned(&w, "monotonicMs", jn_clock_ms());
	jn_write_key_text(&w, "kernel", kernel.release);
	jn_write_key_text(&w, "kernelVersion", kernel.version);
	jn_write_key_text(&w, "machine", kernel.machine);
	jn_write_key_text(&w, "cgroup", archive->options->cgroup);
	jn_write_key_text(&w, "pinDir", archive->options->pin_dir);
	jn_write_key_text(&w, "stateDir", archive->options->state_dir);
	jn_write_close(&w, '}');
	add_text(archive, "machine.json", &text);
}

static void add_attached(void *arg, const struct jn_attached *program)
{
	struct jn_dump_file *file = arg;

	if (!jn_dump_begin_line(file))
		return;
	jn_write_key_text(&file->w, "hook", program->hook);
	jn_write_key_unsigned(&file->w, "program", program->id);
	jn_write_key_text(&file->w, "name", program->name);
	jn_write_key_text(&file->w, "tag", program->tag);
	jn_write_key_bool(&file->w, "attachedHere", program->is_own);
	jn_write_key_bool(&file->w, "junctor", program->is_ours);
	jn_dump_end_line(file);
}

static void add_hooks(const struct archive *archive)
{
	struct jn_dump_file file = begin_file(archive, MAX_HOOKS_BYTES);
	int rc = jn_datapath_each_attached(archive->options->cgroup, archive->options->pin_dir,
					   add_attached, &file, NULL);

	end_file(archive, "hooks.jsonl", &file, rc);
}

static void add_tables(const struct archive *archive)
{
	for (size_t i = 0; i < JN_DUMP_TABLES; i++) {
		struct jn_dump_file file = begin_file(archive, MAX_TABLE_BYTES);
		int rc = jn_dump_tables[i].write(&file);

		end_file(archive, jn_dump_tables[i].name, &file, rc);
	}
}

static int add_row(void *arg, const struct jn_row *row)
{
	JN_AUTO(jn_json_free) struct jn_json *object = NULL;
	struct jn_dump_file *file = arg;

	if (jn_json_parse(row->body, row->body_size, &object, NULL))
		return 0; /* a note of the file source, no object */
	if (jn_clock_ms() > file->end_ms)
		file->is_cut = true;
	if (file->is_cut)
		return 1;
	jn_buffer_clear(&file->line);
	file->w = jn_writer_to(&file->line);
	jn_redact(object, &file->w);
	keep_line(file);
	return 0;
}

static void add_objects(const struct archive *archive)
{
	struct jn_dump_file file = begin_file(archive, MAX_OBJECTS_BYTES);
	int rc = jn_store_look(archive->options->state_dir, add_row, &file);

	end_file(archive, "objects.jsonl", &file, rc);
}

static void add_status(const struct archive *archive)
{
	JN_AUTO(jn_buffer_done) struct jn_buffer text = { 0 };
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };

	if (jn_offline_status(archive->options->pin_dir, &text, &err)) {
		jn_buffer_clear(&text);
		jn_buffer_add_text(&text, jn_error_text(&err));
	}
	add_text(archive, "offline-status.json", &text);
}

void jn_offline_dump(const struct jn_dump_options *options, struct jn_buffer *out)
{
	JN_AUTO(jn_datapath_close) struct jn_datapath *dp = NULL;
	struct archive archive = { .options = options,
				   .out = out,
				   .end_ms = jn_clock_ms() + MAX_MS,
				   .now_s = (uint64_t)time(NULL) };

	add_machine(&archive);
	add_hooks(&archive);
	add_objects(&archive);
	add_status(&archive); /* says why, where there are no tables */
	if (jn_datapath_look(options->pin_dir, &dp, NULL))
		return;
	archive.dp = dp;
	add_tables(&archive);
}
