/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Random batches against a plain list of services, with refused entries, a full disk, threads that
 * cannot be had, restarts, and crashes at random steps. At every step each VIP is as before or as
 * after; in the end all of them are.
 */
#include "engine_harness.h"

#define NAMES 3
#define BACKENDS 5 /* 10.1.0.1:8001 .. 8004, and 127.0.0.1:9000 */

enum rules { RULES_NONE, RULES_TURNS, RULES_LEAST, RULES_LIMITED, RULES_PROBED, RULES_MAX };
static const char *const words[RULES_MAX] = { "random", "turns", "least", "limited", "random" };

struct declared {
	unsigned vips;	   /* bits; 0: does not exist */
	unsigned backends; /* bits */
	unsigned idle;	   /* bits: of weight 0 */
	enum rules rules;
};

struct reference {
	struct declared services[NAMES];
};

static const char *const names[NAMES] = { "a", "b", "c" };
static const char *const backends[BACKENDS] = { "10.1.0.1:8001", "10.1.0.1:8002", "10.1.0.1:8003",
						"10.1.0.1:8004", "127.0.0.1:9000" };

static struct view view_of(const struct reference *r)
{
	struct view view = { 0 };

	for (unsigned n = 0; n < NAMES; n++) {
		const struct declared *d = &r->services[n];

		for (unsigned vip = 0; vip < VIPS; vip++) {
			if (!(d->vips & 1u << vip))
				continue;
			(void)strcpy(view.vip[vip], words[d->rules]);
			for (unsigned b = 0; b < BACKENDS; b++) {
				if (d->backends & ~d->idle & 1u << b)
					(void)strcat(strcat(view.vip[vip], " "), backends[b]);
			}
		}
	}
	return view;
}

static bool is_right(const struct reference *r)
{
	unsigned taken = 0;

	for (unsigned n = 0; n < NAMES; n++) {
		if (taken & r->services[n].vips)
			return false;
		taken |= r->services[n].vips;
	}
	return true;
}

static void add_declared(struct jn_write *w, const char *name, const struct declared *d)
{
	char vips[128] = "", list[512] = "", one[96];

	for (unsigned vip = 0; vip < VIPS; vip++) {
		if (!(d->vips & 1u << vip))
			continue;
		(void)snprintf(one, sizeof(one), "%s\"10.0.0.%u\"", *vips ? "," : "", vip + 1);
		(void)strcat(vips, one);
	}
	for (unsigned b = 0; b < BACKENDS; b++) {
		if (!(d->backends & 1u << b))
			continue;
		(void)snprintf(one, sizeof(one), "%s{\"address\":\"%s\",\"weight\":%u}",
			       *list ? "," : "", backends[b], d->idle & 1u << b ? 0u : 1u);
		(void)strcat(list, one);
	}
	add_service(w, name, vips, list);
}

/* A batch that asks for something else of up to all services; r becomes what it asks for. */
static struct jn_write *random_write(struct reference *r)
{
	struct jn_write *w = new_write();

	for (unsigned n = 0; n < NAMES; n++) {
		struct declared *d = &r->services[n];
		enum rules before = d->rules;

		if (random_below(2))
			continue;
		if (d->vips && !random_below(4)) {
			add_delete(w, JN_KIND_LOCAL_SERVICE, names[n]);
			d->vips = 0;
			continue;
		}
		d->vips = 1 + random_below((1u << VIPS) - 1);
		if (random_below(2))
			d->vips &= 1u << random_below(VIPS); /* fewer conflicts */
		if (!d->vips)
			d->vips = 1;
		d->backends = random_below(1u << BACKENDS);
		d->idle = random_below(3) ? 0 : random_below(1u << BACKENDS);
		d->rules = random_below(RULES_MAX);
		add_declared(w, names[n], d);
		if (d->rules == RULES_TURNS)
			add_policy(w, names[n], "RoundRobin");
		else if (d->rules == RULES_LEAST)
			add_policy(w, names[n], "LeastConnections");
		else if (d->rules == RULES_LIMITED)
			add_rules(w, names[n],
				  "\"algorithm\":\"RoundRobin\",\"outlier\":{},\"limits\":{"
				  "\"connections\":9,\"connectionsPerBackend\":3}");
		else if (d->rules == RULES_PROBED)
			add_rules(w, names[n], "\"probe\":{\"type\":\"TCP\"}");
		else if (before)
			add_delete(w, JN_KIND_TRAFFIC_POLICY, names[n]);
	}
	return w;
}

/* Let it crash at that step in a child; the engine is then opened anew over what is left. */
static void run_in_child(struct jn_write *w, unsigned crash_at)
{
	(void)crashes_at(w, crash_at);
	restart();
}

static void break_something(void)
{
	switch (random_below(8)) {
	case 0:
		tables_fail_frontend = 1 + random_below(6);
		break;
	case 1:
		tables_fail_name = 1 + random_below(3);
		break;
	case 2:
		tables_commit_rc = -ENOSPC;
		break;
	default:
		break;
	}
}

/* One batch, whatever happens to it; returns whether it was taken. */
static bool try_batch(struct jn_write *w, bool is_allowed)
{
	uint64_t generation = jn_engine_generation(engine);
	unsigned before = writes_ended;

	/* What broke for the one before may not have come to pass. */
	tables_fail_frontend = tables_fail_name = 0;
	tables_commit_rc = 0;
	if (!random_below(4)) {
		run_jobs();
		run_in_child(w, 1 + random_below(120));
	} else {
		break_something();
		jn_engine_write(engine, w);
		while (writes_ended == before)
			run_one();
		if (jn_engine_installed(engine) != jn_engine_generation(engine) || random_below(2))
			run_jobs(); /* else a grace period goes on while the next one begins */
	}
	assert_int_equal(jn_engine_installed(engine), jn_engine_generation(engine));
	assert_int_equal(jn_engine_generation(engine), rows->generation);
	if (!is_allowed)
		assert_int_equal(rows->generation, generation);
	return rows->generation != generation;
}

static void test_random_batches_and_crashes_are_never_mixed(void **state)
{
	struct reference r = { 0 };

	(void)state;
	for (unsigned seed = 1; seed < 4; seed++) {
		random_state = seed;
		for (unsigned step = 0; step < 300; step++) {
			struct reference next = r;
			struct jn_write *w = random_write(&next);
			bool is_allowed = is_right(&next);

			view_old = view_of(&r);
			view_new = is_allowed ? view_of(&next) : view_old;
			if (try_batch(w, is_allowed))
				r = next;
			view_new = view_of(&r);
			view_old = view_new;
			if (!is_seen(&view_new))
				fail_msg("seed %u, step %u: not what was declared", seed, step);
			if (step % 16 == 0) {
				run_jobs();
				check_no_leftovers();
			}
			if (!random_below(16)) {
				run_jobs();
				tables_steps = 0;
				restart();
				assert_int_equal(tables_steps, 1); /* nothing to do but say so */
			}
		}
	}
	run_jobs();
}

/* The smallest tables there can be: they grow as they fill. */
static int small_setup(void **state)
{
	const struct jn_sizes large = tables_first;
	int rc;

	tables_first = (struct jn_sizes){ 2, 2, 2, 2, 2, 2, 2 };
	tables_growths = 0;
	rc = engine_setup(state);
	tables_first = large;
	return rc;
}

static void test_tables_grow_under_random_batches_and_crashes(void **state)
{
	test_random_batches_and_crashes_are_never_mixed(state);
	assert_true(tables_growths >= 4);
	assert_true(tables->sizes.endpoints < TABLES_ENDPOINTS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_batches_and_crashes_are_never_mixed,
						engine_setup, engine_teardown),
		cmocka_unit_test_setup_teardown(test_tables_grow_under_random_batches_and_crashes,
						small_setup, engine_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
