/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The share of a set that may be ejected, where the set or the share became smaller. Who is ejected is
 * the kernel's to say, and it keeps the share at every ejection.
 */
#ifndef JUNCTOR_ENGINE_EJECTIONS_H
#define JUNCTOR_ENGINE_EJECTIONS_H

#include "engine/transaction.h"

/* adopt: if more of what was published would be out than may be, all of it is back in. */
void jn_ejections_keep(struct jn_install *in, struct jn_installed_service *service,
		       const struct jn_installed_port *port);

#endif
