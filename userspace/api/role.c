/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The strongest role that anything gives to a peer: uid 0, the control group, the rules.
 */
#include "api/role.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"

static const char *const names[] = {
	[JN_ROLE_NONE] = "None",
	[JN_ROLE_READ] = "Read",
	[JN_ROLE_WRITE] = "Write",
	[JN_ROLE_ADMIN] = "Admin",
};

const char *jn_role_name(enum jn_role role)
{
	return names[role];
}

int jn_role_parse(const char *text, enum jn_role *out)
{
	for (unsigned i = JN_ROLE_READ; i < JN_COUNT(names); i++) {
		if (!strcmp(names[i], text)) {
			*out = (enum jn_role)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_in_group(const struct jn_peer *peer, uint32_t gid)
{
	if (peer->gid == gid)
		return true;
	for (unsigned i = 0; i < peer->group_count; i++) {
		if (peer->groups[i] == gid)
			return true;
	}
	return false;
}

static bool is_about(const struct jn_access_rule *rule, const struct jn_peer *peer)
{
	return rule->is_group ? is_in_group(peer, rule->id) : peer->uid == rule->id;
}

/* namespace_ NULL: in any. */
static bool holds_in(const struct jn_access_rule *rule, const char *namespace_)
{
	if (!namespace_ || !rule->namespaces || rule->role == JN_ROLE_ADMIN)
		return true;
	for (unsigned i = 0; i < rule->namespace_count; i++) {
		if (!strcmp(rule->namespaces[i], namespace_))
			return true;
	}
	return false;
}

static enum jn_role strongest(const struct jn_access *access, const struct jn_peer *peer,
			      const char *namespace_)
{
	enum jn_role role = JN_ROLE_NONE;

	if (peer->uid == 0)
		return JN_ROLE_ADMIN;
	if (access->has_control_group && is_in_group(peer, access->control_group))
		role = JN_ROLE_READ;
	for (unsigned i = 0; i < access->rule_count; i++) {
		const struct jn_access_rule *rule = &access->rules[i];

		if (rule->role > role && is_about(rule, peer) && holds_in(rule, namespace_))
			role = rule->role;
	}
	return role;
}

enum jn_role jn_access_role(const struct jn_access *access, const struct jn_peer *peer)
{
	return strongest(access, peer, NULL);
}

enum jn_role jn_access_role_in(const struct jn_access *access, const struct jn_peer *peer,
			       const char *namespace_)
{
	return strongest(access, peer, namespace_);
}
