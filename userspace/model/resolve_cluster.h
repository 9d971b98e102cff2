/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a Service asks of the kernel, by its EndpointSlices. For the model, and for what is told of a
 * Service in its status.
 */
#ifndef JUNCTOR_MODEL_RESOLVE_CLUSTER_H
#define JUNCTOR_MODEL_RESOLVE_CLUSTER_H

#include "model/resolve.h"
#include "model/topology.h"

/* As jn_resolve. No ports where nobody is to serve it here: headless, ExternalName, foreign. */
int jn_resolve_cluster(const struct jn_model *m, const struct jn_object *service,
		       struct jn_desired *out);

/* The endpoints of one port and family, merged over all slices, judged. */
struct jn_candidates {
	struct jn_candidate *items;
	unsigned count;
	bool has_any; /* one that this or another node may use */
};
void jn_candidates_done(struct jn_candidates *candidates);

/* 0 or -ENOMEM. */
int jn_candidates_collect(const struct jn_model *m, const struct jn_object *service,
			  unsigned port_index, enum jn_family family, struct jn_candidates *out);

/* resolve.c: how the port of this name and protocol chooses, with a policy or without. */
void jn_resolve_policy(const struct jn_model *m, const struct jn_object *service,
		       struct jn_desired_port *port);

#endif
