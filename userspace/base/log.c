/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Log lines on stderr: built whole, cleaned of control characters (a name in a message must not
 * be able to forge a line), written with one write. No files, no rotation, no time stamps: the
 * journal, or whoever reads stderr, does that.
 */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"

#define MAX_LINE_BYTES 2048 /* longer lines are cut; POSIX keeps a write of this size whole */

static const struct {
	const char *name;
	int priority; /* syslog's number */
} levels[] = {
	[JN_LOG_ERROR] = { "error", 3 },
	[JN_LOG_WARNING] = { "warning", 4 },
	[JN_LOG_INFO] = { "info", 6 },
	[JN_LOG_DEBUG] = { "debug", 7 },
};
_Static_assert(JN_COUNT(levels) == JN_LOG_MAX, "every level needs its name");

static atomic_int current_level = JN_LOG_INFO;

void jn_log_set_level(enum jn_log_level level)
{
	atomic_store(&current_level, (int)level);
}

enum jn_log_level jn_log_get_level(void)
{
	return (enum jn_log_level)atomic_load(&current_level);
}

int jn_log_parse_level(const char *text, enum jn_log_level *out)
{
	for (unsigned i = 0; i < JN_LOG_MAX; i++) {
		if (!strcmp(text, levels[i].name)) {
			*out = (enum jn_log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* Is stderr the journal's stream? JOURNAL_STREAM is inherited, so its device:inode decides. */
static bool writes_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	if (fstat(STDERR_FILENO, &st))
		return false;
	return st.st_dev == device && st.st_ino == inode;
}

/* ending: what is put behind it. */
static void write_line(enum jn_log_level level, const char *area, const char *ending,
		       const char *format, va_list args)
{
	char line[MAX_LINE_BYTES];
	size_t size;

	if (writes_to_journal())
		size = (size_t)snprintf(line, sizeof(line), "<%d>%.64s: ", levels[level].priority,
					area);
	else
		size = (size_t)snprintf(line, sizeof(line), "%s %.64s: ", levels[level].name, area);
	(void)vsnprintf(line + size, sizeof(line) - size, format, args); /* cut at worst */
	size = strlen(line);
	(void)snprintf(line + size, sizeof(line) - size, "%s", ending);
	size = strlen(line);
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	}
	line[size++] = '\n';			 /* over the closing 0 */
	(void)!write(STDERR_FILENO, line, size); /* nowhere left to complain */
}

void jn_log(enum jn_log_level level, const char *area, const char *format, ...)
{
	va_list args;

	if (level > jn_log_get_level())
		return;
	va_start(args, format);
	write_line(level, area, "", format, args);
	va_end(args);
}

/* --- limited ------------------------------------------------------------------------------------- */

/* The generic cell rate algorithm, as for new connections (decide/live.h). */
static bool has_place(const struct jn_log_limit *limit, uint64_t now_ms)
{
	return limit->full_ms <= now_ms + (JN_LOG_BURST - 1) * JN_LOG_PAUSE_MS;
}

bool jn_log_take(struct jn_log_limit *limit, uint64_t now_ms)
{
	if (!has_place(limit, now_ms)) {
		limit->left_out++;
		return false;
	}
	limit->full_ms = (limit->full_ms > now_ms ? limit->full_ms : now_ms) + JN_LOG_PAUSE_MS;
	return true;
}

bool jn_log_is_owed(const struct jn_log_limit *limit, uint64_t now_ms)
{
	return limit->left_out && has_place(limit, now_ms);
}

void jn_log_limited(struct jn_log_limit *limit, enum jn_log_level level, const char *area,
		    const char *format, ...)
{
	char ending[64] = "";
	va_list args;

	if (level > jn_log_get_level() || !jn_log_take(limit, jn_clock_ms()))
		return;
	if (limit->left_out)
		(void)snprintf(ending, sizeof(ending), " (%u lines about it were left out)",
			       limit->left_out);
	limit->left_out = 0;
	va_start(args, format);
	write_line(level, area, ending, format, args);
	va_end(args);
}
