/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What whoever probes backends is told, and what he can tell of them. Plain values, so that neither
 * the engine nor the prober knows the other.
 */
#ifndef JUNCTOR_MODEL_PROBED_H
#define JUNCTOR_MODEL_PROBED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <junctor/abi.h>

#include "proto/object.h"

struct jn_probed_endpoint {
	struct jn_addr addr;
	__be16 port;	/* where it serves; the probe may name another */
	uint32_t live;	/* its backend's entry of jn_live */
	bool is_down;	/* as that entry says now */
	bool takes_new; /* connections; else it does not count for the share that may be down */
};

/* One service port, with its endpoints as they are from now on. */
struct jn_probed_port {
	uint32_t service;
	const char *namespace_, *name, *port_name; /* for people */
	struct jn_probe *probe;			   /* NULL: it is not probed any more */
	uint8_t max_percent; /* of its endpoints may be down; if more would be, none is */
	const struct jn_probed_endpoint *endpoints;
	size_t count;
};

struct jn_probe_stats {
	uint64_t succeeded, failed; /* probes */
	uint64_t panics;	    /* sets that took all back in; not those of the kernel */
	size_t backends, down;	    /* that are probed; of them, left out by the kernel */
};

/* Called on the engine's thread. */
struct jn_probing {
	void *context;
	/* A service port that is probed, or was until now. Nothing of it is kept but the probe. */
	void (*changed)(void *context, const struct jn_probed_port *port);
	/* Why a backend's last probe failed; NULL: not known. Valid until the loop turns. */
	const char *(*reason)(void *context, uint32_t live);
	void (*stats)(void *context, struct jn_probe_stats *out);
};

#endif
