/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hook by hook: gone, detached, not effective, or not tried out; then one sentence for each reason,
 * with all the hooks that have it. It asks nobody: what was seen is handed in.
 */
#include "daemon/judgement.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"

/* Which part of a round looks at a hook. The other two only count, which no connection shows. */
static const struct {
	const char *hook;
	unsigned family;
	enum jn_canary_part part;
} looks[] = {
	{ "connect4", 0, JN_CANARY_CONNECT }, { "getpeername4", 0, JN_CANARY_NAME },
	{ "sendmsg4", 0, JN_CANARY_SEND },    { "recvmsg4", 0, JN_CANARY_RECEIVE },
	{ "connect6", 1, JN_CANARY_CONNECT }, { "getpeername6", 1, JN_CANARY_NAME },
	{ "sendmsg6", 1, JN_CANARY_SEND },    { "recvmsg6", 1, JN_CANARY_RECEIVE },
};

static const struct jn_canary_finding *finding_of(const struct jn_facts *facts, const char *hook)
{
	for (size_t i = 0; i < JN_COUNT(looks); i++) {
		if (!strcmp(looks[i].hook, hook))
			return &facts->round->found[looks[i].family][looks[i].part];
	}
	return NULL;
}

static void __attribute__((format(printf, 4, 5)))
say(struct jn_judgement *out, size_t hook, enum jn_api_proof proof, const char *format, ...)
{
	va_list args;

	out->hooks[hook].proof = proof;
	va_start(args, format);
	(void)vsnprintf(out->hooks[hook].reason, sizeof(out->hooks[hook].reason), format,
			args); /* cut if need be */
	va_end(args);
}

static void judge_bad_news(const struct jn_facts *facts, size_t i, const char *what,
			   struct jn_judgement *out)
{
	const struct jn_hook_place *place = &facts->places[i];

	if (!place->runs_ours)
		say(out, i, JN_API_PROOF_NO,
		    "%s: somebody put another program in the place of junctord's; restart junctord "
		    "to put its own there",
		    what);
	else if (place->other_count)
		say(out, i, JN_API_PROOF_NO,
		    "%s: the program %s (id %u%s) of somebody else runs at this hook, too, and "
		    "changes or denies calls; see bpftool cgroup show CGROUP effective, and take "
		    "it away there",
		    what, *place->other_name ? place->other_name : "?", place->other,
		    place->other_count > 1 ? ", and others" : "");
	else
		say(out, i, JN_API_PROOF_NO,
		    "%s, and no program of somebody else is there; see whether a packet filter "
		    "stops it on lo (nft list ruleset), and run junctor doctor",
		    what);
}

static void judge_hook(const struct jn_facts *facts, size_t i, struct jn_judgement *out)
{
	const struct jn_canary_finding *finding = finding_of(facts, facts->hooks[i].name);

	if (!facts->hooks[i].is_needed)
		return;
	if (facts->is_gone)
		say(out, i, JN_API_PROOF_NO,
		    "the cgroup that it was attached at is gone; start junctord with --cgroup at "
		    "one that stays, or without it for the whole hierarchy");
	else if (!facts->hooks[i].is_attached)
		say(out, i, JN_API_PROOF_NO,
		    "somebody detached its link; restart junctord to attach it again");
	else if (!finding)
		say(out, i, facts->places[i].runs_ours ? JN_API_PROOF_YES : JN_API_PROOF_NO, "%s",
		    facts->places[i].runs_ours ? ""
					       : "somebody put another program in the place of "
						 "junctord's; restart junctord");
	else if (finding->verdict == JN_CANARY_DISPROVED)
		judge_bad_news(facts, i, finding->what, out);
	else if (finding->verdict == JN_CANARY_PROVED)
		say(out, i, JN_API_PROOF_YES, "%s", "");
	else
		say(out, i, JN_API_PROOF_NONE, "not tried out: %s",
		    *finding->what ? finding->what : "the canary did not get so far");
}

/* "connect4, connect6: <reason>": all hooks from the i-th on that have the reason of the i-th. */
static void add_sentence(const struct jn_facts *facts, struct jn_judgement *out, size_t i)
{
	char names[JN_HOOK_COUNT * 16] = "";
	size_t size = 0;

	for (size_t k = 0; k < i; k++) {
		if (!strcmp(out->hooks[k].reason, out->hooks[i].reason))
			return; /* said */
	}
	for (size_t k = i; k < JN_HOOK_COUNT; k++) {
		if (!strcmp(out->hooks[k].reason, out->hooks[i].reason))
			size += (size_t)snprintf(names + size, sizeof(names) - size, "%s%s",
						 size ? ", " : "", facts->hooks[k].name);
	}
	(void)snprintf(out->sentences[out->count++], JN_MAX_HEALTH_SENTENCE,
		       "HooksNotEffective: %s: %s", names, out->hooks[i].reason);
}

void jn_judge(const struct jn_facts *facts, struct jn_judgement *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < JN_HOOK_COUNT; i++)
		judge_hook(facts, i, out);
	for (size_t i = 0; i < JN_HOOK_COUNT; i++) {
		if (out->hooks[i].proof == JN_API_PROOF_NO)
			add_sentence(facts, out, i);
	}
	if (facts->is_part && !facts->is_gone)
		(void)snprintf(out->sentences[out->count++], JN_MAX_HEALTH_SENTENCE,
			       "PartOfHost: the cgroup2 hierarchy that is mounted here is a part "
			       "of the host's: sockets of other parts are not served; run junctord "
			       "in the host's cgroup namespace, or name the part with --cgroup");
}
