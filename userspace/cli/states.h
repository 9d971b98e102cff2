/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is known of the endpoints of Services, by address: their slices, which the rows are made of,
 * have no status.
 */
#ifndef JUNCTOR_CLI_STATES_H
#define JUNCTOR_CLI_STATES_H

#include "base/buffer.h"
#include "base/table.h"
#include "client/client.h"
#include "proto/json.h"

struct jn_states {
	struct jn_table items;
	bool is_out_of_memory; /* then some are missing */
};

void jn_states_init(struct jn_states *states);
void jn_states_done(struct jn_states *states);
/* services: an answer with one Service, or a list of them. Returns an exit code. */
int jn_states_read(struct jn_states *states, const struct jn_answer *services);

/*
 * The worst state of an endpoint of a slice, over the slice's ports: "Down (HTTP status 503)". Where
 * nothing is known, and with states NULL: what the slice says.
 */
void jn_states_add(const struct jn_states *states, const struct jn_json *slice,
		   const struct jn_json *endpoint, struct jn_buffer *out);

#endif
