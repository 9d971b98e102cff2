/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file of the archive while it is written: one line of JSON for each entry, up to its share of bytes
 * and the time that all have together.
 */
#ifndef JUNCTOR_OFFLINE_DUMP_H
#define JUNCTOR_OFFLINE_DUMP_H

#include "datapath/datapath.h"
#include "proto/write.h"

struct jn_dump_file {
	struct jn_datapath *dp;
	uint64_t end_ms;
	size_t max; /* bytes */
	struct jn_buffer text, line;
	struct jn_writer w; /* to line */
	bool is_cut;
};

/* False: there is no room or no time for another line. */
bool jn_dump_begin_line(struct jn_dump_file *file);
void jn_dump_end_line(struct jn_dump_file *file);

/* dump_tables.c: what fills the file of a table. */
typedef int (*jn_dump_fn)(struct jn_dump_file *file);
struct jn_dump_table {
	const char *name; /* of the file */
	jn_dump_fn write;
};
#define JN_DUMP_TABLES 5
extern const struct jn_dump_table jn_dump_tables[JN_DUMP_TABLES];

#endif
