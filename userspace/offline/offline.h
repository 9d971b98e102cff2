/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be told of junctor's side of the kernel by a process that does not serve, whether one
 * serves or not. JSON for `junctor`, which puts it into words. Nothing is changed.
 */
#ifndef JUNCTOR_OFFLINE_OFFLINE_H
#define JUNCTOR_OFFLINE_OFFLINE_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"

/* A connection that is not made. */
struct jn_question {
	const char *to;	   /* "ip:port" */
	const char *from;  /* address that the socket is bound to; NULL: none */
	const char *netns; /* name or path; NULL: this one */
	bool is_udp;
};

/*
 * Where it would be led. err: -EINVAL where the question makes no sense, or what is missing. With a
 * netns this process is in it afterwards.
 */
int jn_offline_trace(const char *pin_dir, const struct jn_question *question, struct jn_buffer *out,
		     struct jn_error *err);

/*
 * What the kernel holds: hooks, tables and how full they are, generation, counters. Not what is
 * declared, which is junctord's.
 */
int jn_offline_status(const char *pin_dir, struct jn_buffer *out, struct jn_error *err);

struct jn_dump_options {
	const char *pin_dir, *state_dir, *cgroup;
};

/*
 * Files of a tar archive that is not ended (base/tar.h), at most 9 MiB, within three seconds: tables, the
 * programs at the hooks, what is stored (redacted), this machine. What cannot be read is said there.
 */
void jn_offline_dump(const struct jn_dump_options *options, struct jn_buffer *out);

#endif
