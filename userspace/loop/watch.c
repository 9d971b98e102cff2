/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Watching a folder over libuv, which asks inotify. It does NOT read the folder.
 */
#include "loop/watch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/auto.h"
#include "loop/internal.h"

struct jn_watch {
	uv_fs_event_t uv;
	jn_watch_fn fn; /* NULL: stopped */
	void *arg;
};

static void on_closed(uv_handle_t *uv)
{
	free(uv->data);
}

static void on_event(uv_fs_event_t *uv, const char *name, int events, int status)
{
	struct jn_watch *watch = uv->data;

	(void)status; /* an event that could not be read is one, too: look again */
	if (watch->fn)
		watch->fn(watch->arg, name, !(events & UV_RENAME));
}

int jn_watch_start(struct jn_loop *loop, const char *path, jn_watch_fn fn, void *arg,
		   struct jn_watch **out)
{
	struct jn_watch *watch = calloc(1, sizeof(*watch));
	int rc;

	if (!watch)
		return -ENOMEM;
	watch->fn = fn;
	watch->arg = arg;
	watch->uv.data = watch;
	(void)uv_fs_event_init(jn_loop_uv(loop), &watch->uv); /* cannot fail on Linux */
	rc = uv_fs_event_start(&watch->uv, on_event, path, 0);
	if (rc) {
		uv_close((uv_handle_t *)&watch->uv, on_closed);
		return rc;
	}
	*out = watch;
	return 0;
}

void jn_watch_stop(struct jn_watch **watch)
{
	struct jn_watch *w = JN_MOVE(*watch);

	if (!w)
		return;
	w->fn = NULL;
	uv_close((uv_handle_t *)&w->uv, on_closed);
}
