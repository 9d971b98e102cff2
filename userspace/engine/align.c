/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables that are brought in line with what is declared when the files were read. What a start does
 * at once, where nothing is owed, is in load.c.
 */
#include "engine/align.h"

#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/internal.h"
#include "engine/loading.h"
#include "engine/probes.h"

#define AREA "state"

void jn_align_note(struct jn_engine *e)
{
	bool is_owed = e->awaits_files || e->owed.items.count || e->owed.storing.count;

	if (is_owed != jn_datapath_is_owed(e->install.datapath))
		jn_datapath_set_owed(e->install.datapath, is_owed);
}

int jn_align_touched(struct jn_engine *e, struct jn_key_list *out)
{
	const struct jn_write *write = e->current;
	struct jn_object_key *key;

	if (!write->is_alignment)
		return jn_model_touched(e->model, &e->changes, out);
	if (!write->aligned.name[0])
		return jn_loading_all_keys(e, out);
	key = jn_vec_add(out);
	if (!key)
		return -ENOMEM;
	*key = write->aligned;
	return 0;
}

void jn_align_go_on(struct jn_engine *e)
{
	if (!e->is_started || e->awaits_files)
		return;
	jn_endings_start(e);
	jn_guards_start(e);
}

static void aligned(void *arg, const struct jn_write *write, struct jn_error *err)
{
	struct jn_engine *e = arg;

	(void)write;
	e->is_aligning = false;
	if (!jn_error_is_set(err) && (jn_loading_drop_orphans(e) || jn_probes_forget(&e->install)))
		(void)jn_error_set(err, -ENOMEM, JN_ERROR_INTERNAL,
				   "out of memory; give junctord more memory");
	if (jn_error_is_set(err)) {
		jn_warn(AREA,
			"what was served before the start and is not declared any more goes on "
			"being "
			"served (%s); trying again",
			jn_error_text(err));
		return;
	}
	e->awaits_files = false;
	jn_align_note(e);
	jn_align_go_on(e);
}

void jn_engine_files_are_read(struct jn_engine *e)
{
	struct jn_write *write;

	if (!e->awaits_files || e->is_aligning || e->is_draining)
		return;
	write = jn_write_new();
	if (!write)
		return; /* the next look at the files asks again */
	write->owner = JN_OWNER_FILE;
	write->is_alignment = e->is_aligning = true;
	write->received_ns = jn_clock_ns();
	write->done = aligned;
	write->arg = e;
	jn_engine_write(e, write);
}
