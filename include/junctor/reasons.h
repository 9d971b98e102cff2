/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one list of reasons a decision can end with: enum, names, and the errno an application sees.
 *
 * Adding a reason: one line in JN_REASONS; metrics, counters and names follow. A reason whose errno
 * is 0 either lets the call go on or takes its errno from the service (see jn_reason_errno).
 */
#ifndef JUNCTOR_REASONS_H
#define JUNCTOR_REASONS_H

#include <linux/errno.h>

/* clang-format off */
/*        name               errno          meaning */
#define JN_REASONS(X) \
	X(OK,                0,             "Ok",               "a backend was chosen") \
	X(NOT_A_SERVICE,     0,             "NotAService",      "no frontend has this address; not counted") \
	X(OTHER_NETNS,       0,             "OtherNamespace",   "the service is bound to another network namespace; passed untouched") \
	X(NO_ENDPOINT,       0,             "NoEndpoint",       "the service has no usable backend; errno of the service") \
	X(NO_LOCAL_ENDPOINT, EHOSTUNREACH,  "NoLocalEndpoint",  "the service has backends, but none that policy Local allows on this node") \
	X(LIMIT_REACHED,     ECONNREFUSED,  "LimitReached",     "a limit of the service, or of every backend that is left, is reached") \
	X(FAMILY_MISMATCH,   ENETUNREACH,   "FamilyMismatch",   "the socket's family cannot reach the chosen backend") \
	X(NO_MEMORY,         ENOMEM,        "NoMemory",         "the origin of the connection could not be remembered") \
	X(TABLE_DAMAGED,     EHOSTUNREACH,  "TableDamaged",     "a kernel table does not fit together; run junctor status")
/* clang-format on */

enum jn_reason {
#define JN_REASON_ENUM(id, err, name, meaning) JN_REASON_##id,
	JN_REASONS(JN_REASON_ENUM)
#undef JN_REASON_ENUM
		JN_REASON_MAX
};

/* What happens to backends; counted in jn_events. */
/* clang-format off */
#define JN_EVENTS(X) \
	X(EJECTED,    "Ejected",    "a backend failed too often in a row and is out for a while") \
	X(READMITTED, "Readmitted", "a connection to an ejected backend succeeded: it is in again") \
	X(PANIC,      "Panic",      "too many of a set would be out: all are back in")
/* clang-format on */

enum jn_event {
#define JN_EVENT_ENUM(id, name, meaning) JN_EVENT_##id,
	JN_EVENTS(JN_EVENT_ENUM)
#undef JN_EVENT_ENUM
		JN_EVENT_MAX
};

/*
 * The errno of a refusal, positive; 0 where the call is not refused.
 * service_errno: what the service asks for when it has no endpoint (jn_revision.no_endpoint_errno).
 */
static inline int jn_reason_errno(enum jn_reason reason, int service_errno)
{
	if (reason == JN_REASON_NO_ENDPOINT)
		return service_errno ? service_errno : ECONNREFUSED;
	switch (reason) {
#define JN_REASON_CASE(id, err, name, meaning)                                                     \
	case JN_REASON_##id:                                                                       \
		return err;
		JN_REASONS(JN_REASON_CASE)
#undef JN_REASON_CASE
	default:
		return EHOSTUNREACH;
	}
}

#endif
