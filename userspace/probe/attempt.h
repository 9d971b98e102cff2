/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One probe of one backend, from its connect() to what came of it.
 */
#ifndef JUNCTOR_PROBE_ATTEMPT_H
#define JUNCTOR_PROBE_ATTEMPT_H

#include <junctor/abi.h>

#include "proto/object.h"

struct jn_loop;
struct jn_attempt;

enum jn_outcome {
	JN_OUTCOME_UP,
	JN_OUTCOME_DOWN,
	JN_OUTCOME_UNKNOWN, /* junctord itself was short of memory, ports or descriptors */
	JN_OUTCOME_MAX
};

struct jn_attempt_options {
	struct jn_loop *loop;
	struct jn_addr addr;
	uint16_t port;		      /* host order */
	const struct jn_probe *probe; /* outlives the attempt */
	/* Called once, never from jn_attempt_start; the attempt is gone by then. why: for people. */
	void (*done)(void *arg, enum jn_outcome outcome, const char *why);
	void *arg;
};

/* 0 or -ENOMEM. */
int jn_attempt_start(const struct jn_attempt_options *options, struct jn_attempt **out);
/* done is not called any more. NULL is fine. */
void jn_attempt_stop(struct jn_attempt **attempt);

#endif
