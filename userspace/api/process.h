/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel says about this process, for metrics and status.
 */
#ifndef JUNCTOR_API_PROCESS_H
#define JUNCTOR_API_PROCESS_H

#include <stdint.h>

struct jn_process {
	double cpu_seconds;   /* user and system, all threads */
	double start_seconds; /* since 1970 */
	double uptime_seconds;
	uint64_t resident_bytes, virtual_bytes;
	uint64_t private_bytes; /* in RAM, its own: no mapped table, no program text */
	uint64_t open_fds, max_fds;
	uint64_t threads;
	uint64_t wakeups; /* times that a thread of it waited and was woken */
};

/* What cannot be read stays 0. */
void jn_process_read(struct jn_process *out);

#endif
