/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file source: objects declared in the files of one folder, watched.
 *
 * Each file is a unit. What it declares is written whole or not at all; a file that cannot be read,
 * is wrong, or is refused keeps what it declared last, also over a restart, because that stands in
 * the store under the file's name. What disappears from its file, or with it, is deleted. All that
 * changed together is one write.
 *
 * It does NOT know the control socket or the kernel: it writes through the engine as the api does.
 */
#ifndef JUNCTOR_SOURCE_FILE_H
#define JUNCTOR_SOURCE_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct jn_engine;
struct jn_error;
struct jn_loop;
struct jn_file_source;

struct jn_file_source_options {
	struct jn_loop *loop;
	struct jn_engine *engine; /* open; outlives the source */
	const char *folder;	  /* need not exist; outlives the source */
};

/* Begins to read at the next turn of the loop. 0 or -ENOMEM. */
int jn_file_source_open(const struct jn_file_source_options *options, struct jn_file_source **out);
/* *source is NULL at once; closed(arg) when the last work under way has ended, maybe at once. */
void jn_file_source_close(struct jn_file_source **source, void (*closed)(void *arg), void *arg);

struct jn_file_source_status {
	bool is_synced;		/* what stands in the folder is what is served */
	bool was_synced;	/* the folder was read and written once, but for what is refused */
	uint64_t stale_seconds; /* since when not; 0 where synced */
	const char *error; /* a sentence that ends with the remedy; NULL. Until the next turn */
};
void jn_file_source_status(struct jn_file_source *source, struct jn_file_source_status *out);

/* Add a cause for each file in it that cannot be taken; its field is the place, "file:line". */
void jn_file_source_check(const char *folder, struct jn_error *err);

#endif
