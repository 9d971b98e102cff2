/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a user is told when something is refused: one sentence that ends with the remedy, and the
 * causes, each with the path of its field. Filled by libraries beside a negative errno; programs
 * print it, the control socket answers it. It knows nothing of HTTP or JSON.
 */
#ifndef JUNCTOR_BASE_ERROR_H
#define JUNCTOR_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

#define JN_MAX_FAULTS 20 /* causes that one error lists; further ones are only counted */

enum jn_error_kind {
	JN_ERROR_NONE,
	JN_ERROR_BAD_REQUEST,	 /* not JSON, a duplicate key, too deep */
	JN_ERROR_FORBIDDEN,	 /* the role does not allow it */
	JN_ERROR_NOT_FOUND,	 /* no such object or path */
	JN_ERROR_METHOD,	 /* the path does not take this verb */
	JN_ERROR_TIMEOUT,	 /* waited in vain */
	JN_ERROR_EXISTS,	 /* POST of an object that exists */
	JN_ERROR_CONFLICT,	 /* another owner, a stale resourceVersion, a VIP taken */
	JN_ERROR_TOO_LARGE,	 /* more bytes than the limit */
	JN_ERROR_HEAD_TOO_LARGE, /* of a request: URL and headers */
	JN_ERROR_INVALID,	 /* unknown field, wrong type, range, limit reached */
	JN_ERROR_BUSY,		 /* too many clients */
	JN_ERROR_UNAVAILABLE,	 /* the kernel refused; nothing was applied */
	JN_ERROR_DISK_FULL,	 /* the state could not be made durable; nothing was applied */
	JN_ERROR_INTERNAL,	 /* out of memory and the like */
	JN_ERROR_MAX
};

struct jn_cause {
	char *reason;  /* CamelCase: FieldValueInvalid, FieldValueRequired, LimitReached, … */
	char *field;   /* "spec.ports[0].port"; may be empty */
	char *message; /* what is wrong and what to do */
};

struct jn_error {
	enum jn_error_kind kind; /* JN_ERROR_NONE: nothing is wrong (yet) */
	char *message;		 /* one sentence with its remedy; NULL: built from the causes */
	struct jn_cause causes[JN_MAX_FAULTS];
	unsigned cause_count; /* listed */
	unsigned fault_count; /* found, listed or not */
	char *text;	      /* what jn_error_text built of the causes; for it alone */
};

/* { 0 } is a valid empty error. */
void jn_error_done(struct jn_error *err);

/* Move *from into *to, which is freed first; *from is empty afterwards. */
void jn_error_move(struct jn_error *to, struct jn_error *from);

/*
 * Set kind and message (the sentence ends with the remedy), unless an error is already there:
 * the first one is the cause of the later ones. err may be NULL. Returns `rc`, so that a library
 * can say `return jn_error_set(err, -EINVAL, JN_ERROR_INVALID, "…")`.
 */
int jn_error_set(struct jn_error *err, int rc, enum jn_error_kind kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Add one cause. kind is kept where one is set already, except that CONFLICT yields to INVALID and
 * both to BAD_REQUEST. Past JN_MAX_FAULTS causes are counted only.
 */
void jn_error_cause(struct jn_error *err, enum jn_error_kind kind, const char *reason,
		    const char *field, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

static inline bool jn_error_is_set(const struct jn_error *err)
{
	return err->kind != JN_ERROR_NONE;
}

/*
 * The sentence to show: the message, or the first cause ("spec.ports[0].port: …"), after their
 * number where there are several. Valid until the error changes. Never NULL.
 */
const char *jn_error_text(struct jn_error *err);

#endif
