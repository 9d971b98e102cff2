/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The state as somebody sees it who does not keep it: read from the file's pages, without SQLite,
 * which would make files of its own beside it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "store/internal.h"

struct look {
	int (*row)(void *arg, const struct jn_row *row);
	void *arg;
};

static char *text_of(const struct jn_span *span)
{
	return strndup(span->data ? span->data : "", span->size);
}

static int visit(void *arg, const struct jn_stored *stored)
{
	JN_AUTO(jn_free_mem) char *kind = text_of(&stored->names[JN_NAME_KIND]);
	JN_AUTO(jn_free_mem) char *namespace_ = text_of(&stored->names[JN_NAME_NAMESPACE]);
	JN_AUTO(jn_free_mem) char *name = text_of(&stored->names[JN_NAME_NAME]);
	const struct look *look = arg;
	struct jn_row row = { .kind = kind,
			      .namespace_ = namespace_,
			      .name = name,
			      .version = stored->version,
			      .body = stored->body.data,
			      .body_size = stored->body.size };

	if (!kind || !namespace_ || !name)
		return -ENOMEM;
	if (!stored->body.data || jn_stored_is_record(stored) || !jn_stored_is_right(stored))
		return 0;
	return look->row(look->arg, &row);
}

int jn_store_look(const char *dir, int (*row)(void *arg, const struct jn_row *row), void *arg)
{
	JN_AUTO(jn_free_mem) char *path = jn_state_path(dir, "");
	struct look look = { row, arg };
	struct jn_pages pages;
	int rc = path ? jn_pages_open(&pages, path) : -ENOMEM;

	if (rc)
		return rc;
	rc = jn_pages_each(&pages, visit, &look);
	jn_pages_close(&pages);
	return rc;
}
