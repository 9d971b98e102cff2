/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel says about this process, for metrics.
 */
#ifndef JUNCTOR_API_PROCESS_H
#define JUNCTOR_API_PROCESS_H

#include <stdint.h>

struct jn_process {
	double cpu_seconds;   /* user and system, all threads */
	double start_seconds; /* since 1970 */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds;
};

/* What cannot be read stays 0. */
void jn_process_read(struct jn_process *out);

#endif
