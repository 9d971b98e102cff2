/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who may do what on the control socket, by peer credentials.
 *
 * root is Admin; members of group junctor are Read; configured rules give more. The strongest role
 * that applies to a peer counts. Read: every GET. Write: objects too, in its namespaces. Admin:
 * everything, everywhere, and the place kept free for it.
 */
#ifndef JUNCTOR_API_ROLE_H
#define JUNCTOR_API_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop/http_server.h"

#define JN_CONTROL_GROUP "junctor"

enum jn_role { JN_ROLE_NONE, JN_ROLE_READ, JN_ROLE_WRITE, JN_ROLE_ADMIN };
const char *jn_role_name(enum jn_role role);		/* "Read", … */
int jn_role_parse(const char *text, enum jn_role *out); /* "Read", "Write", "Admin"; -EINVAL */

struct jn_access_rule {
	bool is_group; /* id is a gid, not a uid */
	uint32_t id;
	enum jn_role role;
	char **namespaces; /* Read and Write: only there; NULL = everywhere */
	unsigned namespace_count;
};

struct jn_access {
	struct jn_access_rule *rules;
	unsigned rule_count;
	bool has_control_group; /* the group exists */
	uint32_t control_group;
};

/* The strongest role of this peer in any namespace. */
enum jn_role jn_access_role(const struct jn_access *access, const struct jn_peer *peer);
/* The strongest role of this peer for objects of this namespace. */
enum jn_role jn_access_role_in(const struct jn_access *access, const struct jn_peer *peer,
			       const char *namespace_);

#endif
