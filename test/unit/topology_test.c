/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which endpoints of a Service this node uses: kube-proxy's rules, row by row. We are node "me" in
 * zone "z1".
 *
 * An endpoint is a word of letters:
 *	R ready   S serving   T terminating   L on this node
 *	m hint for node me   o for node other   1 hint for zone z1   2 for zone z2
 * The answer names those that are used, by their number, and "any" where one may be used somewhere.
 */
#include "model_case.h"

#include "model/topology.h"

#define MAX_ENDPOINTS 8

struct row {
	const char *endpoints; /* words, by spaces */
	bool is_local_only;
	const char *used; /* "02" */
	bool has_any;
};

static struct jn_hints hints[MAX_ENDPOINTS];

static struct jn_candidate read_word(const char **text, unsigned index)
{
	struct jn_candidate c = { 0 };

	hints[index] = (struct jn_hints){ 0 };
	for (; **text && **text != ' '; (*text)++) {
		c.is_ready |= **text == 'R';
		c.is_serving |= **text == 'S' || **text == 'R';
		c.is_terminating |= **text == 'T';
		c.is_local |= **text == 'L';
		if (**text == 'm' || **text == 'o') {
			hints[index].nodes = **text == 'm' ? "me" : "other";
			hints[index].node_count = 1;
		}
		if (**text == '1' || **text == '2') {
			hints[index].zones = **text == '1' ? "z1" : "z2";
			hints[index].zone_count = 1;
		}
	}
	if (hints[index].node_count || hints[index].zone_count)
		c.hints = &hints[index];
	return c;
}

static void check(const struct row *row, const struct jn_here *here)
{
	struct jn_candidate items[MAX_ENDPOINTS];
	char used[MAX_ENDPOINTS + 1] = "";
	const char *text = row->endpoints;
	unsigned count = 0, found = 0;
	bool has_any;

	while (*text) {
		assert_true(count < MAX_ENDPOINTS);
		items[count] = read_word(&text, count);
		count++;
		text += *text == ' ';
	}
	has_any = jn_topology_choose(items, count, row->is_local_only, here);
	for (unsigned i = 0; i < count; i++) {
		if (items[i].is_used)
			used[found++] = (char)('0' + i);
	}
	if (strcmp(used, row->used) != 0 || has_any != row->has_any)
		fail_msg("\"%s\"%s -> \"%s\"%s, not \"%s\"%s", row->endpoints,
			 row->is_local_only ? " Local" : "", used, has_any ? " any" : "", row->used,
			 row->has_any ? " any" : "");
}

static const struct jn_here me = { .node = "me", .zone = "z1" };

static void check_all(const struct row *rows, size_t count, const struct jn_here *here)
{
	for (size_t i = 0; i < count; i++)
		check(&rows[i], here);
}

/* T-EP 1, T-DRAIN, T-NOEP. */
static void test_cluster_policy(void **state)
{
	static const struct row rows[] = {
		{ "", false, "", false },	 { "R", false, "0", true },
		{ "RL R", false, "01", true },	 /* wherever they are */
		{ "R ST S", false, "0", true },	 /* terminating: not while one is ready */
		{ "ST S", false, "0", true },	 /* none is ready: those on their way out */
		{ "ST STL", false, "01", true }, /* of any node */
		{ "T S", false, "", false },	 /* not serving, not terminating */
		{ "RST R", false, "01", true },	 /* publishNotReadyAddresses: ready is ready */
		{ "RST ST", false, "0", true },
	};

	(void)state;
	check_all(rows, JN_COUNT(rows), &me);
}

/* T-EP 2 and 4, T-ITP: what may be used elsewhere decides between refused and unreachable. */
static void test_local_policy(void **state)
{
	static const struct row rows[] = {
		{ "", true, "", false },	 { "RL R", true, "0", true },
		{ "R R", true, "", true },    /* all elsewhere */
		{ "STL R", true, "0", true }, /* the local fallback does not ask the others */
		{ "STL RL", true, "1", true },	 { "ST R", true, "", true },
		{ "ST S", true, "", true },	 /* usable, on another node */
		{ "SL TL", true, "", false },	 /* there, but of no use to anybody */
		{ "RLm RL2", true, "01", true }, /* hints mean nothing to policy Local */
	};

	(void)state;
	check_all(rows, JN_COUNT(rows), &me);
}

/* T-EP 3: PreferSameNode over PreferSameZone over all. */
static void test_topology(void **state)
{
	static const struct row rows[] = {
		{ "R1 R2", false, "0", true },
		{ "R1 R1 R2", false, "01", true },
		{ "R2 R2", false, "01", true }, /* none for this zone: all */
		{ "R1 R", false, "01", true },	/* one does not say: all */
		{ "Rm Ro", false, "0", true },
		{ "Ro Ro", false, "01", true }, /* none for this node, no zones: all */
		{ "Rm R", false, "01", true },
		{ "Rm1 Ro1 Ro2", false, "0", true }, /* the node comes first */
		{ "Ro1 Ro2", false, "0", true },     /* none for this node: the zone */
		{ "Rm2 Ro1", false, "0", true },     /* of the node, whatever the zone */
		{ "Rm1 R1 R2", false, "01", true },  /* not all name nodes: the zone */
		{ "R1 R2 ST", false, "0", true }, /* terminating ones do not count for the mode */
		{ "R1 R2 S", false, "0", true },  /* nor those that are not ready */
		{ "ST1 ST2", false, "01", true }, /* the fallback ignores topology */
		{ "R2 ST1", false, "0", true },	  /* only a terminating one is for this zone: all */
	};

	(void)state;
	check_all(rows, JN_COUNT(rows), &me);
}

/* Without a zone, or without a name, nothing is for us. */
static void test_nowhere(void **state)
{
	static const struct row rows[] = {
		{ "R1 R2", false, "01", true },
		{ "Rm Ro", false, "01", true },
	};

	(void)state;
	check_all(rows, JN_COUNT(rows), &(struct jn_here){ .node = "", .zone = "" });
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cluster_policy),
		cmocka_unit_test(test_local_policy),
		cmocka_unit_test(test_topology),
		cmocka_unit_test(test_nowhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
