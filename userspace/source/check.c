/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files of a folder, each judged by itself and nothing declared. It does NOT see what they owe
 * each other, or what is declared elsewhere: an address that is taken shows when it is asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "proto/cause.h"
#include "source/file.h"
#include "source/internal.h"

/* "line 3: …" stands behind its file as every other place does. */
static void name_fault(const char *folder, const struct jn_found *found, struct jn_error *err)
{
	const char *what = found->error ? found->error : "cannot be read, memory is out; try again";
	char place[512];
	unsigned line;
	int skipped = 0;

	if (sscanf(what, "line %u: %n", &line, &skipped) == 1 && skipped)
		(void)snprintf(place, sizeof(place), "%s/%s:%u", folder, found->name, line);
	else
		(void)snprintf(place, sizeof(place), "%s/%s", folder, found->name);
	jn_error_cause(err, JN_ERROR_INVALID, JN_CAUSE_INVALID, place, "%s", what + skipped);
}

void jn_file_source_check(const char *folder, struct jn_error *err)
{
	JN_AUTO(jn_look_done) struct jn_look look = { .folder = folder };

	jn_look_run(&look);
	if (look.rc && look.rc != -ENOENT)
		jn_error_cause(err, JN_ERROR_INVALID, JN_CAUSE_INVALID, folder, "%s",
			       look.error ? look.error : strerror(-look.rc));
	for (size_t i = 0; i < look.found.count; i++) {
		if (look.found.items[i].as == JN_FOUND_BAD)
			name_fault(folder, &look.found.items[i], err);
	}
}
