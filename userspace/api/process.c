/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads /proc/self and the calls beside it. Nothing here waits for a disk.
 */
#include "api/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds_of_clock(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now); /* cannot fail with these clocks */
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds_of(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static void read_memory(struct jn_process *out)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long long size, resident, shared;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	if (!file)
		return;
	if (fscanf(file, "%llu %llu %llu", &size, &resident, &shared) == 3) {
		out->virtual_bytes = size * page;
		out->resident_bytes = resident * page;
		out->private_bytes = (resident > shared ? resident - shared : 0) * page;
	}
	(void)fclose(file); /* it was only read */
}

/* Fields 20 and 22: threads, ticks after boot. The name in field 2 may hold anything but ends with ')'. */
static void read_stat(struct jn_process *out)
{
	FILE *file = fopen("/proc/self/stat", "re");
	unsigned long long threads, ticks;
	char line[1024];
	const char *at;

	if (!file)
		return;
	at = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	(void)fclose(file); /* it was only read */
	for (unsigned field = 2; at && field < 20; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%llu %*s %llu", &threads, &ticks) != 2)
		return;
	out->threads = threads;
	out->uptime_seconds =
		seconds_of_clock(CLOCK_BOOTTIME) - (double)ticks / (double)sysconf(_SC_CLK_TCK);
	out->start_seconds = seconds_of_clock(CLOCK_REALTIME) - out->uptime_seconds;
}

static void read_fds(struct jn_process *out)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;

	if (!folder)
		return;
	while ((entry = readdir(folder)))
		out->open_fds += entry->d_name[0] != '.';
	out->open_fds--; /* the folder's own */
	(void)closedir(folder);
}

void jn_process_read(struct jn_process *out)
{
	struct rusage usage;
	struct rlimit limit;

	*out = (struct jn_process){ 0 };
	if (!getrusage(RUSAGE_SELF, &usage)) {
		out->cpu_seconds = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
		out->wakeups = (uint64_t)usage.ru_nvcsw;
	}
	if (!getrlimit(RLIMIT_NOFILE, &limit))
		out->max_fds = limit.rlim_cur;
	read_memory(out);
	read_stat(out);
	read_fds(out);
}
