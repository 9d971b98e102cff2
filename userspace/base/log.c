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

void jn_log(enum jn_log_level level, const char *area, const char *format, ...)
{
	char line[MAX_LINE_BYTES];
	size_t size;
	va_list args;

	if (level > jn_log_get_level())
		return;
	if (writes_to_journal())
		size = (size_t)snprintf(line, sizeof(line), "<%d>%.64s: ", levels[level].priority,
					area);
	else
		size = (size_t)snprintf(line, sizeof(line), "%s %.64s: ", levels[level].name, area);
	va_start(args, format);
	(void)vsnprintf(line + size, sizeof(line) - size, format, args); /* cut at worst */
	va_end(args);
	size = strlen(line);
	for (size_t i = 0; i < size; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	}
	line[size++] = '\n';			 /* over the closing 0 */
	(void)!write(STDERR_FILENO, line, size); /* nowhere left to complain */
}
