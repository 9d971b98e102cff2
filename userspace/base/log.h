/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program's log: one line per event on stderr, "<level> area: sentence". Programs log;
 * libraries return errors. With JOURNAL_STREAM set the level is written the way journald reads it.
 * One thread writes a line at a time; any thread may log.
 */
#ifndef JUNCTOR_BASE_LOG_H
#define JUNCTOR_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum jn_log_level { JN_LOG_ERROR, JN_LOG_WARNING, JN_LOG_INFO, JN_LOG_DEBUG, JN_LOG_MAX };

void jn_log_set_level(enum jn_log_level level);
enum jn_log_level jn_log_get_level(void);

/* "error", "warning", "info", "debug"; -EINVAL for anything else. */
int jn_log_parse_level(const char *text, enum jn_log_level *out);

void jn_log(enum jn_log_level level, const char *area, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * For lines about one object that may come and go as fast as it likes: so many at once, then one in
 * each pause; the next line that is written says how many were left out. All 0 to begin with. For one
 * thread at a time.
 */
#define JN_LOG_BURST 6
#define JN_LOG_PAUSE_MS 60000

struct jn_log_limit {
	uint64_t full_ms; /* from then on a whole burst may come */
	uint32_t left_out;
};

void jn_log_limited(struct jn_log_limit *limit, enum jn_log_level level, const char *area,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Were lines left out, and may one be written now? Then the object's last word is owed. */
bool jn_log_is_owed(const struct jn_log_limit *limit, uint64_t now_ms);
/* May a line be written now? True takes its place; false: one more is left out. */
bool jn_log_take(struct jn_log_limit *limit, uint64_t now_ms);

#define jn_warn(area, ...) jn_log(JN_LOG_WARNING, area, __VA_ARGS__)
#define jn_info(area, ...) jn_log(JN_LOG_INFO, area, __VA_ARGS__)
#define jn_debug(area, ...) jn_log(JN_LOG_DEBUG, area, __VA_ARGS__)

#endif
