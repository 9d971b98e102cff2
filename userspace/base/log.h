/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program's log: one line per event on stderr, "<level> area: sentence". Programs log;
 * libraries return errors. With JOURNAL_STREAM set the level is written the way journald reads it.
 * One thread writes a line at a time; any thread may log.
 */
#ifndef JUNCTOR_BASE_LOG_H
#define JUNCTOR_BASE_LOG_H

enum jn_log_level { JN_LOG_ERROR, JN_LOG_WARNING, JN_LOG_INFO, JN_LOG_DEBUG, JN_LOG_MAX };

void jn_log_set_level(enum jn_log_level level);
enum jn_log_level jn_log_get_level(void);

/* "error", "warning", "info", "debug"; -EINVAL for anything else. */
int jn_log_parse_level(const char *text, enum jn_log_level *out);

void jn_log(enum jn_log_level level, const char *area, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define jn_warn(area, ...) jn_log(JN_LOG_WARNING, area, __VA_ARGS__)
#define jn_info(area, ...) jn_log(JN_LOG_INFO, area, __VA_ARGS__)
#define jn_debug(area, ...) jn_log(JN_LOG_DEBUG, area, __VA_ARGS__)

#endif
