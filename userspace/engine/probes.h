/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between what is installed and whoever probes backends. It decides nothing: verdicts are his.
 */
#ifndef JUNCTOR_ENGINE_PROBES_H
#define JUNCTOR_ENGINE_PROBES_H

#include "engine/transaction.h"

/* adopt: this service port is probed from now on, otherwise than before, or not any more. */
void jn_probes_tell(struct jn_install *in, const struct jn_service_plan *service,
		    const struct jn_port_plan *plan);
/* At start: verdicts of probes that nobody declares any more are taken back. 0 or -ENOMEM. */
int jn_probes_forget(struct jn_install *in);
/* What is known of the endpoints of a service. */
void jn_probes_show(const struct jn_install *in, const struct jn_object *service,
		    struct jn_object_status *out);

#endif
