/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which of the sockets that were found are to be ended. The kernel compared ids; here it counts what
 * is installed: a backend that was removed and declared again has another id and is not gone, and
 * one that merely takes no new connections is not gone either.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/datapath.h"
#include "engine/endings.h"
#include "engine/internal.h"

#define WATCH_MS 1000	   /* between two looks while something is left to watch */
#define MOST_WAIT_MS 60000 /* between two searches for a network namespace that cannot be entered */
#define REFUSED_MS 10000   /* where the kernel ends nothing */
#define LEAST_MS 20

/* --- tables -------------------------------------------------------------------------------------- */

static const struct jn_table_ops watch_ops = { .entry_size = sizeof(struct jn_watch),
					       .key_size = sizeof(uint64_t) };

static const struct jn_table_ops lost_ops = { .entry_size = sizeof(struct jn_lost_space),
					      .key_size = sizeof(uint32_t) };

void jn_endings_init(struct jn_endings *endings)
{
	endings->finder = -1;
	jn_endings_index_init(&endings->index);
	jn_removals_init(&endings->removals);
	jn_table_init(&endings->watches, &watch_ops);
	jn_table_init(&endings->lost, &lost_ops);
}

void jn_endings_forget(struct jn_endings *endings)
{
	jn_endings_index_done(&endings->index);
	jn_removals_done(&endings->removals);
	jn_table_done(&endings->watches);
	jn_table_done(&endings->lost);
	free(endings->found.items);
	endings->found = (struct jn_stale_list){ 0 };
}

void jn_ending_plan_done(struct jn_ending_plan *plan)
{
	free(plan->sockets);
	free(plan->reasons);
	free(plan->is_ended);
	free(plan->is_reached);
	*plan = (struct jn_ending_plan){ 0 };
}

void jn_endings_done(struct jn_endings *endings)
{
	jn_endings_forget(endings);
	jn_ending_plan_done(&endings->plan);
	jn_ender_close(&endings->ender);
	jn_close_fd(&endings->finder);
}

/* --- removals ------------------------------------------------------------------------------------ */

/* Of a port that goes, its policy may have gone, too: what was installed is asked first. */
static int32_t drain_of(const struct jn_engine *e, const struct jn_object_key *service,
			const struct jn_port_plan *plan)
{
	const struct jn_object *policy;

	if (plan->desired)
		return plan->desired->drain_seconds;
	if (plan->installed->drain_seconds != JN_NEVER_DRAINED)
		return plan->installed->drain_seconds;
	policy = jn_resolve_policy_of(e->model, service, plan->installed->port_name);
	return policy ? policy->policy.drain_seconds : JN_NEVER_DRAINED;
}

void jn_endings_keep_drain(struct jn_engine *e, const struct jn_object_key *service,
			   const struct jn_port_plan *plan, uint64_t now_ms)
{
	const struct jn_endpoint *table = jn_datapath_endpoints(e->install.datapath);
	const struct jn_installed_port *port = plan->installed;
	int32_t drain_seconds = drain_of(e, service, plan);

	if (port->proto == IPPROTO_UDP)
		return; /* ended at once */
	if (drain_seconds == JN_NEVER_DRAINED && !e->endings.removals.items.count)
		return; /* there is no earlier word to be taken back */
	for (unsigned f = 0; f < port->frontend_count; f++) {
		struct jn_removal_key key = { .frontend = port->frontends[f] };

		for (size_t i = 0; i < plan->match.gone_count; i++) {
			key.backend = table[plan->match.gone[i]].addr;
			key.port = table[plan->match.gone[i]].port;
			jn_removals_note(&e->endings.removals, &key, drain_seconds, now_ms);
		}
	}
}

/* --- the plan ------------------------------------------------------------------------------------ */

static void begin_watch(const struct jn_endings *endings, struct jn_watch *watch,
			const struct jn_removal *removal, const struct jn_stale *socket,
			uint64_t now_ms)
{
	if (removal)
		jn_watch_begin(watch, socket, removal->drain_seconds, removal->since_ms, now_ms);
	else
		jn_watch_begin(watch, socket, jn_endings_index_drain(&endings->index, socket),
			       now_ms, now_ms);
}

/* The watch moves from the last round's table to this one's; what is not found again is forgotten. */
static enum jn_ending decide(const struct jn_endings *endings, struct jn_table *next,
			     const struct jn_stale *socket, uint64_t now_ms)
{
	struct jn_removal_key key = { .frontend = jn_stale_vip(socket),
				      .backend = socket->backend,
				      .port = socket->backend_port };
	const struct jn_watch *before;
	const struct jn_removal *removal;
	struct jn_watch *watch;
	bool is_new;

	if (!jn_endings_index_is_gone(&endings->index, socket))
		return JN_ENDING_NONE;
	if (socket->proto == IPPROTO_UDP)
		return JN_ENDING_GONE;
	watch = jn_table_put(next, &socket->cookie, &is_new);
	if (!watch || !is_new) /* no memory: begun in the next round. Or it stands there twice. */
		return JN_ENDING_NONE;
	before = jn_table_find(&endings->watches, &socket->cookie);
	removal = jn_removals_find(&endings->removals, &key);
	if (before && !(removal && (removal->since_ms > before->since_ms ||
				    removal->drain_seconds != before->drain_seconds)))
		*watch = *before;
	else /* or it came back meanwhile and was removed once more */
		begin_watch(endings, watch, removal, socket, now_ms);
	return jn_watch_look(watch, socket, now_ms);
}

static int by_netns(const void *a, const void *b)
{
	const struct jn_stale *left = a, *right = b;

	return left->netns < right->netns ? -1 : left->netns > right->netns;
}

static int plan_init(struct jn_ending_plan *plan, size_t most)
{
	plan->sockets = calloc(most, sizeof(*plan->sockets));
	plan->reasons = calloc(most, sizeof(*plan->reasons));
	plan->is_ended = calloc(most, sizeof(*plan->is_ended));
	plan->is_reached = calloc(most, sizeof(*plan->is_reached));
	return plan->sockets && plan->reasons && plan->is_ended && plan->is_reached ? 0 : -ENOMEM;
}

/* What is found of the last round moves into `next`. True: it is not looked for yet. */
static bool is_lost(const struct jn_endings *endings, struct jn_table *next, uint32_t netns,
		    uint64_t now_ms)
{
	const struct jn_lost_space *before = jn_table_find(&endings->lost, &netns);
	struct jn_lost_space *entry;
	bool is_new;

	if (!before)
		return false;
	entry = jn_table_put(next, &netns, &is_new);
	if (!entry)
		return false; /* no memory: looked for more often than need be */
	*entry = *before;
	return now_ms < before->next_ms;
}

/* The rounds' tables. */
struct round {
	struct jn_table watches, lost;
};

static void plan_socket(struct jn_endings *endings, struct round *next,
			const struct jn_stale *socket, uint64_t now_ms)
{
	struct jn_ending_plan *plan = &endings->plan;
	enum jn_ending reason = decide(endings, &next->watches, socket, now_ms);

	if (reason == JN_ENDING_NONE)
		return;
	if (is_lost(endings, &next->lost, socket->netns, now_ms)) {
		endings->waiting++;
		return;
	}
	plan->sockets[plan->count] = *socket;
	plan->reasons[plan->count++] = (uint8_t)reason;
}

int jn_endings_plan(struct jn_engine *e, uint64_t now_ms)
{
	struct jn_endings *endings = &e->endings;
	struct jn_stale_list *found = &endings->found;
	struct round next;
	int rc;

	if (found->count)
		qsort(found->items, found->count, sizeof(*found->items), by_netns);
	rc = jn_endings_index_read(&endings->index, &e->install, e->installed, found);
	if (!rc && found->count)
		rc = plan_init(&endings->plan, found->count);
	if (rc)
		return rc;
	jn_table_init(&next.watches, &watch_ops);
	jn_table_init(&next.lost, &lost_ops);
	endings->planned_ms = now_ms;
	endings->waiting = 0;
	for (size_t i = 0; i < found->count; i++)
		plan_socket(endings, &next, &found->items[i], now_ms);
	jn_table_done(&endings->watches);
	jn_table_done(&endings->lost);
	endings->watches = next.watches;
	endings->lost = next.lost;
	jn_removals_sweep(&endings->removals, now_ms);
	return 0;
}

/* --- after it ------------------------------------------------------------------------------------ */

void jn_endings_note_lost(struct jn_endings *endings, uint64_t now_ms)
{
	const struct jn_ending_plan *plan = &endings->plan;

	for (size_t i = 0; i < plan->count; i++) {
		uint32_t netns = plan->sockets[i].netns;
		struct jn_lost_space *entry;
		bool is_new;

		if (i && netns == plan->sockets[i - 1].netns)
			continue;
		if (plan->is_reached[i]) {
			(void)jn_table_del(&endings->lost, &netns); /* most were not there */
			continue;
		}
		entry = jn_table_put(&endings->lost, &netns, &is_new);
		if (!entry)
			continue; /* as above */
		entry->inode = netns;
		entry->wait_ms = is_new ? WATCH_MS : entry->wait_ms * 2;
		if (entry->wait_ms > MOST_WAIT_MS)
			entry->wait_ms = MOST_WAIT_MS;
		entry->next_ms = now_ms + entry->wait_ms;
	}
}

/* What was due for the last plan and is still there could not be ended: there is no hurry with it. */
uint64_t jn_endings_next_ms(const struct jn_endings *endings, uint64_t now_ms)
{
	uint64_t due = now_ms + MOST_WAIT_MS;
	const struct jn_lost_space *lost;
	const struct jn_watch *watch;
	size_t at = 0;

	if (endings->watches.count || endings->is_failing)
		due = now_ms + WATCH_MS;
	else if (!endings->lost.count)
		due = now_ms + REFUSED_MS;
	while ((watch = jn_table_next(&endings->watches, &at))) {
		uint64_t wait = jn_watch_next_ms(watch, endings->planned_ms, WATCH_MS);

		if (wait && endings->planned_ms + wait < due)
			due = endings->planned_ms + wait;
	}
	at = 0;
	while ((lost = jn_table_next(&endings->lost, &at)))
		due = lost->next_ms < due ? lost->next_ms : due;
	return due > now_ms + LEAST_MS ? due - now_ms : LEAST_MS;
}
