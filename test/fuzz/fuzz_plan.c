/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Bytes as a history of declarations, each step of which goes the way of a change as far as it is
 * pure: staged, kept or taken back, resolved, matched with endpoints, made into slots, with ids and
 * ranges as the engine takes them. Beside it a plain reference, which looks at everything each time.
 *
 * What must hold: exactly the batches that conflict with nothing are taken; no frontend is lost or
 * left; only services that are said to be touched changed; every slot leads to an endpoint that is
 * desired, usable and of the right family, with its share of the turns; an id has one owner, and
 * rests before it has another.
 */
#include "base/vec.h"
#include "engine/ids.h"
#include "model/plan.h"
#include "model/rules.h"
#include "plan_reference.h"

#define IDS 64 /* more than all backends of all ports, fewer than a history needs */
#define REST_MS 1000u
#define SLOTS (1u << 18)
#define MAX_STEPS 32
#define MAX_MADE                                                                                   \
	(1u << 16) /* slots; a history of Maglev's tables would take as long as a hundred others */

/* One service port as the tables hold it. */
struct installed {
	struct jn_name name;
	uint32_t ids[JN_COUNT(backends)];
	size_t count;
	struct jn_revision revisions[JN_FAMILY_MAX]; /* number 0: none */
};

static struct jn_model *model;
static struct jn_desired resolved[NAMES];
static struct {
	struct installed *items;
	size_t count, capacity;
} ports;
static struct jn_ids ids;
static struct jn_ranges ranges;
static struct jn_endpoint endpoints[IDS];
static struct jn_slot slots[SLOTS];
static bool is_slot_used[SLOTS];
static uint64_t now_ms, freed_ms[IDS]; /* 0: never */
static size_t made;		       /* slots so far */

/* --- ids and ranges ------------------------------------------------------------------------------ */

static bool is_free(uint32_t id)
{
	return !endpoints[id].service && (!freed_ms[id] || now_ms - freed_ms[id] >= REST_MS);
}

static uint32_t take_id(void)
{
	uint32_t id = jn_ids_take(&ids, now_ms);

	if (!id) {
		for (uint32_t i = 1; i < IDS; i++)
			CHECK(!is_free(i));
		now_ms += REST_MS;
		id = jn_ids_take(&ids, now_ms);
	}
	CHECK(id && id < IDS && is_free(id));
	return id;
}

static void free_id(uint32_t id)
{
	CHECK(id && endpoints[id].service);
	endpoints[id] = (struct jn_endpoint){ 0 };
	freed_ms[id] = now_ms;
	jn_ids_free(&ids, id, now_ms);
}

static void free_revision(struct jn_revision *r)
{
	for (uint32_t i = 0; i < jn_revision_slots(r); i++) {
		CHECK(is_slot_used[r->slot_base + i]);
		is_slot_used[r->slot_base + i] = false;
	}
	if (jn_revision_slots(r))
		jn_ranges_free(&ranges, r->slot_base, jn_revision_slots(r));
	*r = (struct jn_revision){ 0 };
}

static void put_revision(struct jn_revision *r, const struct jn_desired_port *d,
			 enum jn_family family, const struct jn_slot_list *list)
{
	uint32_t base = 0, picked = (uint32_t)list->picked, count = (uint32_t)list->count;
	bool has_members = count > picked;

	if (count)
		CHECK(!jn_ranges_take(&ranges, count, &base));
	CHECK(base + count <= SLOTS);
	*r = (struct jn_revision){ .number = 1,
				   .slot_base = base,
				   .slot_count = picked,
				   .algorithm = (uint8_t)d->algorithm,
				   .no_endpoint_errno = d->no_endpoint_errno,
				   .flags = jn_plan_set_flags(d, family),
				   .rules = d->rules,
				   .member_base = has_members ? base + picked : base,
				   .member_count = has_members ? count - picked : picked,
				   .live = jn_rules_ask_service(&d->rules) };
	CHECK(jn_revision_slots(r) == count);
	for (uint32_t i = 0; i < count; i++) {
		CHECK(!is_slot_used[base + i]);
		is_slot_used[base + i] = true;
		slots[base + i] = list->items[i];
	}
}

/* --- slots --------------------------------------------------------------------------------------- */

static bool has_aliases(enum jn_algorithm algorithm)
{
	return algorithm != JN_ALGORITHM_ROUND_ROBIN && algorithm != JN_ALGORITHM_MAGLEV;
}

/* What each endpoint is given of 65536 parts of each slot that is picked from, by its id. */
static void count_shares(const struct jn_slot_list *list, enum jn_algorithm algorithm,
			 uint64_t shares[IDS])
{
	memset(shares, 0, IDS * sizeof(*shares));
	for (size_t i = 0; i < list->picked; i++) {
		const struct jn_slot *slot = &list->items[i];
		uint64_t kept = slot->alias == i ? 65536 : slot->probability;

		CHECK(slot->endpoint < IDS);
		if (!has_aliases(algorithm)) {
			shares[slot->endpoint] += 65536;
			continue;
		}
		CHECK(slot->alias < list->picked);
		shares[slot->endpoint] += kept;
		shares[list->items[slot->alias].endpoint % IDS] += 65536 - kept;
	}
}

/* How far a share may be from the exact one. */
static double tolerance(enum jn_algorithm algorithm, size_t picked)
{
	if (has_aliases(algorithm))
		return (double)picked + 1; /* each slot rounds by less than one part */
	if (algorithm == JN_ALGORITHM_MAGLEV)
		return (double)picked / 50 * 65536;
	return picked < JN_MAX_SEQUENCE / 2 ? 0.5 : 8 * 65536.0; /* exact, or cut by a turn each */
}

/* Behind what is picked from: nothing, or every endpoint that is in there, once. */
static void check_members(const struct jn_slot_list *list, const uint64_t *shares, size_t usable)
{
	CHECK(list->picked <= list->count);
	CHECK(list->count == list->picked || list->count == list->picked + usable);
	for (size_t i = list->picked; i < list->count; i++) {
		for (size_t j = list->picked; j < i; j++)
			CHECK(list->items[i].endpoint != list->items[j].endpoint);
		CHECK(list->items[i].endpoint < IDS && shares[list->items[i].endpoint]);
	}
}

static void check_slots(const struct jn_desired_port *d, const uint32_t *of, enum jn_family family,
			const struct jn_slot_list *list)
{
	uint64_t sum = 0, given = 0, shares[IDS];
	size_t usable = 0;

	for (unsigned i = 0; i < d->endpoint_count; i++)
		sum += jn_desired_allows(d, family, &d->endpoints[i]) ? d->endpoints[i].weight : 0;
	CHECK((sum != 0) == (list->picked != 0));
	count_shares(list, d->algorithm, shares);
	for (unsigned i = 0; sum && i < d->endpoint_count; i++) {
		bool is_allowed = jn_desired_allows(d, family, &d->endpoints[i]);
		uint64_t weight = is_allowed ? d->endpoints[i].weight : 0;
		uint64_t share = shares[of[i]];
		double exact = (double)weight * (double)list->picked * 65536 / (double)sum;
		double error = (double)share - exact;

		CHECK(error <= tolerance(d->algorithm, list->picked));
		CHECK(-error <= tolerance(d->algorithm, list->picked));
		CHECK((weight != 0) == (share != 0));
		usable += weight != 0;
		given += share;
	}
	CHECK(given == (uint64_t)list->picked * 65536); /* so nobody else is in a slot */
	check_members(list, shares, usable);
}

static void publish(struct installed *port, const struct jn_desired_port *d, const uint32_t *of)
{
	JN_AUTO(jn_free_mem) struct jn_slot *items = NULL;

	for (unsigned family = 0; family < JN_FAMILY_MAX; family++) {
		struct jn_revision *r = &port->revisions[family];
		struct jn_slot_list list = { 0 };
		struct jn_plan_size size;

		CHECK(!jn_plan_measure(d, family, r->number ? r : NULL, &size));
		CHECK(!jn_plan_slots(d, of, family, r->number ? r : NULL, &list));
		made += list.count;
		CHECK(size.slots == list.count);
		check_slots(d, of, family, &list);
		if (!r->number || !jn_plan_is_published(d, family, &list, r, slots)) {
			free_revision(r);
			put_revision(r, d, family, &list);
		}
		CHECK(jn_plan_is_published(d, family, &list, r, slots));
		free(items);
		items = list.items;
	}
}

/* --- one port ------------------------------------------------------------------------------------ */

/* Every id that was installed is either kept or gone, once. */
static void check_match(const struct installed *port, const struct jn_desired_port *d,
			const struct jn_endpoint_match *match)
{
	size_t kept = 0, wanted = d ? d->endpoint_count : 0;

	for (size_t i = 0; i < wanted; i++) {
		const struct jn_endpoint *e = &endpoints[match->ids[i]];

		if (!match->ids[i])
			continue;
		kept++;
		CHECK(e->service && e->port == d->endpoints[i].port);
		CHECK(!memcmp(&e->addr, &d->endpoints[i].addr, sizeof(e->addr)));
	}
	CHECK(match->new_count == wanted - kept);
	CHECK(match->gone_count == port->count - kept);
	for (size_t i = 0; i < port->count; i++) {
		unsigned seen = 0;

		for (size_t j = 0; j < wanted; j++)
			seen += match->ids[j] == port->ids[i];
		for (size_t j = 0; j < match->gone_count; j++)
			seen += match->gone[j] == port->ids[i];
		CHECK(seen == 1);
	}
}

/* d NULL: the port is no more. */
static void install(struct installed *port, const struct jn_desired_port *d)
{
	JN_AUTO(jn_endpoint_match_done) struct jn_endpoint_match match = { 0 };

	CHECK(!jn_plan_endpoints(d, port->ids, port->count, endpoints, &match));
	check_match(port, d, &match);
	for (unsigned i = 0; d && i < d->endpoint_count; i++) {
		if (match.ids[i])
			continue;
		match.ids[i] = take_id();
		endpoints[match.ids[i]] = (struct jn_endpoint){ .addr = d->endpoints[i].addr,
								.port = d->endpoints[i].port,
								.service = 1 };
	}
	if (d)
		publish(port, d, match.ids);
	for (unsigned family = 0; !d && family < JN_FAMILY_MAX; family++)
		free_revision(&port->revisions[family]);
	for (size_t i = 0; i < match.gone_count; i++)
		free_id(match.gone[i]);
	port->count = d ? d->endpoint_count : 0;
	if (port->count)
		memcpy(port->ids, match.ids, port->count * sizeof(*port->ids));
}

static struct installed *find_port(const struct jn_name *name)
{
	struct installed *port;

	for (size_t i = 0; i < ports.count; i++) {
		if (!memcmp(&ports.items[i].name, name, sizeof(*name)))
			return &ports.items[i];
	}
	port = jn_vec_add(&ports);
	port->name = *name;
	return port;
}

static const struct jn_desired_port *find_desired(const struct jn_desired *d,
						  const struct jn_name *name)
{
	for (unsigned i = 0; i < d->port_count; i++) {
		if (!memcmp(&d->ports[i].name, name, sizeof(*name)))
			return &d->ports[i];
	}
	return NULL;
}

/* --- one batch ----------------------------------------------------------------------------------- */

static bool is_same_port(const struct jn_desired_port *a, const struct jn_desired_port *b)
{
	if (a->frontend_count != b->frontend_count || a->endpoint_count != b->endpoint_count ||
	    memcmp(&a->name, &b->name, sizeof(a->name)) || a->is_bound != b->is_bound ||
	    a->prefers_v6 != b->prefers_v6 || a->algorithm != b->algorithm ||
	    a->no_endpoint_errno != b->no_endpoint_errno ||
	    memcmp(&a->rules, &b->rules, sizeof(a->rules)))
		return false;
	for (unsigned i = 0; i < a->endpoint_count; i++) {
		if (memcmp(&a->endpoints[i].addr, &b->endpoints[i].addr, sizeof(struct jn_addr)) ||
		    a->endpoints[i].port != b->endpoints[i].port ||
		    a->endpoints[i].weight != b->endpoints[i].weight)
			return false;
	}
	return !memcmp(a->frontends, b->frontends, a->frontend_count * sizeof(*a->frontends));
}

static bool is_same(const struct jn_desired *a, const struct jn_desired *b)
{
	bool is_same = a->port_count == b->port_count;

	for (unsigned i = 0; is_same && i < a->port_count; i++)
		is_same = is_same_port(&a->ports[i], &b->ports[i]);
	return is_same;
}

/* No frontend is lost and none is left; objects are those of the reference. */
static void check_model(void)
{
	size_t count = 0;

	for (unsigned i = 0; i < KEYS; i++) {
		struct jn_object_key key = key_of(i);

		CHECK(jn_model_find(model, &key) == declared[i]);
		if (i < NAMES && declared[i])
			count += (size_t)declared[i]->service.port_count *
				 declared[i]->service.address_count;
	}
	CHECK(jn_model_frontend_count(model) == count);
	for (unsigned i = 0; i < JN_COUNT(vips) * 8; i++) {
		struct jn_addr vip = addr(vips[i / 8]);
		uint16_t port = (uint16_t)(80 + (i & 1) + 10 * (i >> 1 & 1));
		struct jn_frontend_key key =
			jn_frontend_key_of(&vip, port, i & 4 ? IPPROTO_UDP : IPPROTO_TCP);

		CHECK(jn_model_is_claimed(model, &key) == (owners_of(declared, &key) == 1));
	}
}

/* The tables of one service, after it was touched. */
static void install_service(unsigned index, const struct jn_desired *desired)
{
	for (size_t i = 0; i < ports.count; i++) {
		if (!strcmp(ports.items[i].name.name, names[index]) &&
		    !find_desired(desired, &ports.items[i].name))
			install(&ports.items[i], NULL);
	}
	for (unsigned i = 0; i < desired->port_count; i++)
		install(find_port(&desired->ports[i].name), &desired->ports[i]);
}

static bool is_touched(const struct jn_key_list *touched, unsigned index)
{
	struct jn_object_key key = key_of(index);
	unsigned seen = 0;

	for (size_t i = 0; i < touched->count; i++)
		seen += !memcmp(&touched->items[i], &key, sizeof(key));
	CHECK(seen <= 1);
	return seen;
}

static void update(const struct jn_key_list *touched)
{
	for (unsigned i = 0; i < NAMES; i++) {
		struct jn_desired desired = { 0 };

		if (declared[i])
			CHECK(!jn_resolve(model, declared[i], &desired));
		for (unsigned p = 0; p < desired.port_count; p++)
			check_port(declared[i], p, &desired.ports[p]);
		if (is_touched(touched, i))
			install_service(i, &desired);
		else
			CHECK(is_same(&desired, &resolved[i]));
		jn_desired_done(&resolved[i]);
		resolved[i] = desired;
	}
}

static void add_change(struct jn_changes *changes, struct jn_object **next, unsigned index,
		       struct jn_object *after)
{
	struct jn_change *change = jn_vec_add(changes);

	change->before = declared[index] ? jn_object_ref(declared[index]) : NULL;
	change->after = after;
	next[index] = after;
}

static void read_batch(struct numbers *n, struct jn_changes *changes, struct jn_object **next)
{
	unsigned count = 1 + number_below(n, 3), seen = 0;

	for (unsigned i = 0; i < count; i++) {
		unsigned index = number_below(n, KEYS), how = number_below(n, 4);

		if (seen & 1u << index || (!how && !declared[index]))
			continue;
		seen |= 1u << index;
		add_change(changes, next, index, how ? read_object(n, index) : NULL);
	}
}

static void keep(const struct jn_key_list *touched, struct jn_object *const *next)
{
	for (unsigned i = 0; i < KEYS; i++) {
		if (next[i] == declared[i])
			continue;
		jn_object_unref(&declared[i]);
		declared[i] = next[i] ? jn_object_ref(next[i]) : NULL;
	}
	update(touched);
}

/* One batch: refused, taken back, or kept. */
static void run_batch(struct jn_changes *changes, struct jn_object *const *next, bool is_kept)
{
	JN_AUTO(jn_error_done) struct jn_error err = { 0 };
	struct jn_key_list touched = { 0 };
	int rc = jn_model_stage(model, changes, &err);

	CHECK(rc == 0 || rc == -EINVAL);
	CHECK((rc == 0) == is_right(next));
	CHECK((rc == 0) != jn_error_is_set(&err));
	for (unsigned i = 0; !rc && i < KEYS; i++) {
		struct jn_object_key key = key_of(i);

		CHECK(jn_model_find_staged(model, &key) == next[i]);
	}
	if (!rc) {
		CHECK(!jn_model_touched(model, changes, &touched));
		jn_model_settle(model, changes, is_kept);
	}
	if (!rc && is_kept)
		keep(&touched, next);
	free(touched.items);
	check_model();
}

static void step(struct numbers *n)
{
	JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
	struct jn_object *next[KEYS];
	bool is_kept = number_below(n, 8) != 0;

	now_ms += 100 * number_below(n, 16);
	memcpy(next, declared, sizeof(next));
	read_batch(n, &changes, next);
	run_batch(&changes, next, is_kept);
}

/* Everything goes, and nothing is left. */
static void remove_all(void)
{
	JN_AUTO(jn_changes_done) struct jn_changes changes = { 0 };
	struct jn_object *next[KEYS];

	memcpy(next, declared, sizeof(next));
	for (unsigned i = 0; i < KEYS; i++) {
		if (declared[i])
			add_change(&changes, next, i, NULL);
	}
	run_batch(&changes, next, true);
	CHECK(!ids.used && !ranges.used);
	CHECK(!memchr(is_slot_used, true, sizeof(is_slot_used)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct numbers n = { data, size, 0 };

	CHECK(!jn_model_new(&model));
	jn_ids_init(&ids, "ids", IDS, REST_MS);
	CHECK(!jn_ranges_init(&ranges, SLOTS, SLOTS));
	now_ms = REST_MS;
	made = 0;
	memset(freed_ms, 0, sizeof(freed_ms));
	for (unsigned i = 0; i < MAX_STEPS && made < MAX_MADE && !is_used_up(&n); i++)
		step(&n);
	remove_all();
	free(ports.items);
	ports.items = NULL;
	ports.count = ports.capacity = 0;
	jn_ids_done(&ids);
	jn_ranges_done(&ranges);
	jn_model_free(&model);
	return 0;
}
