/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a Service stands on this node: its endpoints by state, each address once, over all ports that
 * are served. For its status.
 */
#ifndef JUNCTOR_MODEL_CLUSTER_COUNT_H
#define JUNCTOR_MODEL_CLUSTER_COUNT_H

#include "model/resolve_cluster.h"

struct jn_cluster_count {
	unsigned ready;	      /* that this node uses */
	unsigned unused;      /* ready, for other nodes */
	unsigned terminating; /* serving on their way out */
	unsigned not_ready;
	bool has_used; /* some port and family leads somewhere */
	bool has_any;  /* some may be used, here or elsewhere */
	bool has_sctp; /* a port that is not programmed */
};

/* 0 or -ENOMEM. */
int jn_cluster_count(const struct jn_model *m, const struct jn_object *service,
		     struct jn_cluster_count *out);

#endif
