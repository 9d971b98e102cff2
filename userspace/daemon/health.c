/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Once a minute the engine compares the tables with what was declared, and repairs what differs. With
 * each round it is looked at whether the store's disk answers.
 *
 * The rounds: the engine leads canaries for a moment, a worker lets them fly, and what they found is
 * put together with what stands at the cgroup (judgement.c). Bad news is believed when a second round
 * brings it again.
 *
 *	resting (10 s) -> flying -> resting
 *	                  flying -> bad news: a moment -> flying -> resting
 */
#include "daemon/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/log.h"
#include "canary/canary.h"
#include "daemon/judgement.h"
#include "datapath/datapath.h"
#include "engine/engine.h"
#include "loop/loop.h"

#define AREA "health"
#define VERIFY_MS 60000
#define MAX_DRIFTS_LOGGED 10
#define STORE_MS 5000 /* that a change may wait for the disk */
#define REST_MS 10000
#define AGAIN_MS 250 /* after bad news, and while tables are just growing */

struct jn_health {
	struct jn_health_options options;
	struct jn_alarm *alarm, *verify_alarm;
	uint64_t unrepaired; /* entries, at the last verification */
	struct jn_canary *canary;
	bool is_flying, is_bad_news;
	int canary_rc; /* why there is no canary */
	struct jn_cgroup_place place;
	struct jn_canary_round round;
	struct jn_judgement judgement;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void finish_close(struct jn_health *h)
{
	void (*closed)(void *) = h->closed;
	void *arg = h->closed_arg;

	jn_alarm_free(&h->alarm);
	jn_alarm_free(&h->verify_alarm);
	jn_canary_close(&h->canary);
	free(h);
	closed(arg);
}

/* Each sentence once, when it is new, and one line when all is well again. */
static void log_change(const struct jn_judgement *before, const struct jn_judgement *after)
{
	for (size_t i = 0; i < after->count; i++) {
		bool is_known = false;

		for (size_t k = 0; k < before->count; k++)
			is_known |= !strcmp(before->sentences[k], after->sentences[i]);
		if (!is_known)
			jn_warn(AREA, "%s", after->sentences[i]);
	}
	if (before->count && !after->count)
		jn_info(AREA, "all is well again");
}

/* --- the tables ---------------------------------------------------------------------------------- */

static void on_verified(void *arg, const struct jn_verification *v)
{
	struct jn_health *h = arg;

	for (size_t i = 0; i < v->shown && i < MAX_DRIFTS_LOGGED; i++)
		jn_warn(AREA, "drift: %s, %s: found %s; expected %s; %s", v->drifts[i].object,
			v->drifts[i].entry, v->drifts[i].found, v->drifts[i].expected,
			v->drifts[i].is_repaired ? "repaired" : "NOT repaired");
	if (v->found > MAX_DRIFTS_LOGGED)
		jn_warn(AREA, "drift: %llu entries in all, %llu of them repaired",
			(unsigned long long)v->found, (unsigned long long)v->repaired);
	if (v->rc)
		jn_warn(AREA, "the tables could not be compared (%s); trying again in a minute",
			strerror(-v->rc));
	else
		h->unrepaired = v->found - v->repaired;
	jn_alarm_set(h->verify_alarm, VERIFY_MS);
}

static void verify(void *arg)
{
	struct jn_health *h = arg;

	if (jn_engine_verify(h->options.engine, true, on_verified, h))
		jn_alarm_set(h->verify_alarm, VERIFY_MS);
}

static void add_drift(struct jn_judgement *judgement, uint64_t unrepaired)
{
	if (unrepaired)
		(void)snprintf(judgement->sentences[judgement->count++], JN_MAX_HEALTH_SENTENCE,
			       "Drift: %llu entries of the kernel tables are not as declared and "
			       "could not be repaired; junctor verify shows them: free kernel "
			       "memory, or restart junctord",
			       (unsigned long long)unrepaired);
}

static void add_store(struct jn_judgement *judgement, uint64_t store_ms)
{
	if (store_ms > STORE_MS)
		(void)snprintf(judgement->sentences[judgement->count++], JN_MAX_HEALTH_SENTENCE,
			       "StoreHangs: the disk of the state folder has not answered for more "
			       "than %d s: changes wait for it, and the kernel serves on what it "
			       "serves; see whether that disk is slow or gone (dmesg)",
			       STORE_MS / 1000);
}

/* --- the hooks ----------------------------------------------------------------------------------- */

static bool is_disproved(const struct jn_canary_round *round)
{
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		for (unsigned part = 0; part < JN_CANARY_PARTS; part++) {
			if (round->found[family][part].verdict == JN_CANARY_DISPROVED)
				return true;
		}
	}
	return false;
}

static void judge(struct jn_health *h)
{
	struct jn_judgement before = h->judgement;
	struct jn_facts facts = { .round = &h->round,
				  .is_gone = h->place.fd < 0,
				  .is_part = h->options.is_whole_wanted && !h->place.is_the_root };

	jn_datapath_hooks(h->options.datapath, facts.hooks);
	for (size_t i = 0; h->place.fd >= 0 && i < JN_HOOK_COUNT; i++)
		jn_datapath_hook_place(h->options.datapath, h->place.fd, i, &facts.places[i]);
	jn_judge(&facts, &h->judgement);
	add_drift(&h->judgement, h->unrepaired);
	add_store(&h->judgement, jn_engine_store_ms(h->options.engine));
	log_change(&before, &h->judgement);
}

/* Every hook is not tried out for this reason. */
static void explain_absence(struct jn_health *h)
{
	for (unsigned family = 0; family < JN_CANARY_FAMILIES; family++) {
		for (unsigned part = 0; part < JN_CANARY_PARTS; part++) {
			struct jn_canary_finding *finding = &h->round.found[family][part];

			(void)snprintf(finding->what, sizeof(finding->what),
				       h->canary_rc == -ENOSPC ? "the tables have no room for "
								 "canaries (%s)"
							       : "canaries have no address of "
								 "their own (%s)",
				       strerror(-h->canary_rc));
		}
	}
}

static void fly_work(void *arg)
{
	struct jn_health *h = arg;

	memset(&h->round, 0, sizeof(h->round));
	jn_datapath_cgroup_place(h->options.datapath, &h->place);
	if (!h->canary)
		explain_absence(h);
	else if (h->place.fd >= 0)
		jn_canary_fly(h->canary, h->place.holds_us ? -1 : h->place.fd, &h->round);
}

static void fly_done(void *arg)
{
	struct jn_health *h = arg;
	bool is_again = !h->is_bad_news && is_disproved(&h->round);

	jn_engine_canary_off(h->options.engine);
	h->is_flying = false;
	h->is_bad_news = is_again;
	if (!is_again && !h->closed)
		judge(h);
	jn_close_fd(&h->place.fd);
	if (h->closed)
		finish_close(h);
	else
		jn_alarm_set(h->alarm, is_again ? AGAIN_MS : REST_MS);
}

/* The ends of canaries, led there; -EADDRINUSE: others, the next time. */
static int prepare(struct jn_health *h)
{
	struct jn_frontend_key vips[JN_CANARY_FAMILIES], backends[JN_CANARY_FAMILIES];
	int rc = h->canary ? 0 : jn_canary_open(&h->canary);

	if (!rc)
		rc = jn_engine_canary_on(h->options.engine, vips, backends,
					 jn_canary_ends(h->canary, vips, backends));
	return rc;
}

static void begin(void *arg)
{
	struct jn_health *h = arg;
	int rc = prepare(h);

	if (rc == -EAGAIN) {
		jn_alarm_set(h->alarm, AGAIN_MS);
		return;
	}
	h->canary_rc = rc;
	if (rc) /* without canaries the rest is looked at all the same */
		jn_canary_close(&h->canary);
	if (jn_loop_submit(h->options.loop, fly_work, fly_done, h)) {
		jn_engine_canary_off(h->options.engine);
		jn_alarm_set(h->alarm, REST_MS);
		return;
	}
	h->is_flying = true;
}

int jn_health_open(const struct jn_health_options *options, struct jn_health **out)
{
	struct jn_health *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	if (jn_alarm_new(options->loop, begin, h, &h->alarm) ||
	    jn_alarm_new(options->loop, verify, h, &h->verify_alarm)) {
		jn_alarm_free(&h->alarm);
		free(h);
		return -ENOMEM;
	}
	h->options = *options;
	h->place.fd = -1;
	jn_alarm_set(h->alarm, 0);
	jn_alarm_set(h->verify_alarm, VERIFY_MS); /* the start has just compared everything */
	*out = h;
	return 0;
}

void jn_health_close(struct jn_health **health, void (*closed)(void *arg), void *arg)
{
	struct jn_health *h = JN_MOVE(*health);

	h->closed = closed;
	h->closed_arg = arg;
	jn_engine_cancel_verify(h->options.engine, h);
	if (!h->is_flying)
		finish_close(h);
}

void jn_health_show(const struct jn_health *h, struct jn_api_health *out)
{
	*out = (struct jn_api_health){ .sentences = h->judgement.sentences,
				       .count = h->judgement.count };
	for (size_t i = 0; i < JN_HOOK_COUNT; i++)
		out->hooks[i] = (struct jn_api_hook_health){ h->judgement.hooks[i].proof,
							     h->judgement.hooks[i].reason };
}
