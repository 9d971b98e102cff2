/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * /proc/self/mountinfo, line by line. It does NOT judge what it finds: a mount may be covered by a
 * later one.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/auto.h"
#include "datapath/internal.h"

/* The kernel writes blanks and the like as \ooo; in place, because the text only gets shorter. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		unsigned value;

		if (from[0] == '\\' && sscanf(from + 1, "%3o", &value) == 1) {
			*to++ = (char)value;
			from += 3;
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
}

/* "36 35 98:0 /root /point options optional… - type source options"; see proc(5). */
static bool parse_line(char *line, struct jn_mount *out)
{
	char *fields[5], *rest = strstr(line, " - "), *save = NULL;

	if (!rest)
		return false;
	*rest = 0;
	for (size_t i = 0; i < JN_COUNT(fields); i++) {
		fields[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!fields[i])
			return false;
	}
	if (sscanf(fields[2], "%u:%u", &out->major, &out->minor) != 2)
		return false;
	out->root = fields[3];
	out->point = fields[4];
	out->type = strtok_r(rest + 3, " ", &save);
	out->source = strtok_r(NULL, " \n", &save);
	if (!out->type || !out->source)
		return false;
	unescape(out->root);
	unescape(out->point);
	unescape(out->source);
	return true;
}

int jn_mounts_each(jn_mount_fn fn, void *arg)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	JN_AUTO(jn_free_mem) char *line = NULL;
	size_t capacity = 0;
	int rc = 0;

	if (!file)
		return -errno;
	while (!rc && getline(&line, &capacity, file) > 0) {
		struct jn_mount mount;

		if (parse_line(line, &mount))
			rc = fn(arg, &mount);
	}
	(void)fclose(file); /* only read */
	return rc;
}
