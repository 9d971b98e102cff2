/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A folder that is watched for changes of what is in it. The kernel may lose events, and a folder
 * that is removed and made again is another one: whoever watches looks again by himself, too.
 */
#ifndef JUNCTOR_LOOP_WATCH_H
#define JUNCTOR_LOOP_WATCH_H

#include <stdbool.h>

struct jn_loop;
struct jn_watch;

/*
 * name: of what it is about, in the folder, or of the folder itself; NULL where it is not known.
 * is_content: it was written to, or its mode changed; else it came, went or was renamed.
 */
typedef void (*jn_watch_fn)(void *arg, const char *name, bool is_content);

/* 0, or a negative errno: -ENOENT, -ENOSPC (no more inotify watches for this user), … */
int jn_watch_start(struct jn_loop *loop, const char *path, jn_watch_fn fn, void *arg,
		   struct jn_watch **out);
void jn_watch_stop(struct jn_watch **watch); /* NULL is fine; fn is not called any more */

#endif
