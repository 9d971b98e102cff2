/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What files of this folder know of the loop beside its header.
 */
#ifndef JUNCTOR_LOOP_INTERNAL_H
#define JUNCTOR_LOOP_INTERNAL_H

#include <uv.h>

struct jn_loop;

uv_loop_t *jn_loop_uv(struct jn_loop *loop);

#endif
