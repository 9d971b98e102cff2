/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From what was seen of the hooks to what is wrong with them, in sentences that end with the remedy.
 * Pure.
 */
#ifndef JUNCTOR_DAEMON_JUDGEMENT_H
#define JUNCTOR_DAEMON_JUDGEMENT_H

#include <stdbool.h>

#include "api/api.h"
#include "canary/canary.h"
#include "datapath/datapath.h"

struct jn_facts {
	const struct jn_canary_round *round;
	struct jn_hook_status hooks[JN_HOOK_COUNT];
	struct jn_hook_place places[JN_HOOK_COUNT];
	bool is_gone; /* the cgroup that the hooks were attached at */
	bool is_part; /* the whole hierarchy was meant, and it is a part of it */
};

/* { 0 }: nothing was seen yet. */
struct jn_judgement {
	struct {
		enum jn_api_proof proof;
		char reason[JN_MAX_HOOK_REASON]; /* "": none */
	} hooks[JN_HOOK_COUNT];
	/* One for each reason, with the hooks that it holds for; about the cgroup; two more. */
	char sentences[JN_HOOK_COUNT + 3][JN_MAX_HEALTH_SENTENCE];
	size_t count;
};

void jn_judge(const struct jn_facts *facts, struct jn_judgement *out);

#endif
