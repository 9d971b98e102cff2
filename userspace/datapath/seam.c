/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The seam before each store into a mapped table, at which a test ends the process: it sets a
 * breakpoint on the symbol. It stands alone in its file so that no caller can have it inlined.
 */
#include "datapath/datapath.h"

__attribute__((noinline)) void jn_store_seam(void)
{
	__asm__ volatile("" ::: "memory"); /* a call with an effect: none is dropped, none merged */
}
