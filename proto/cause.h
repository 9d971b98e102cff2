/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The reasons of causes (struct jn_cause, details.causes[].reason of a Status): Kubernetes' words
 * where it has one.
 */
#ifndef JUNCTOR_PROTO_CAUSE_H
#define JUNCTOR_PROTO_CAUSE_H

#define JN_CAUSE_REQUIRED "FieldValueRequired"
#define JN_CAUSE_INVALID "FieldValueInvalid"	 /* right type, wrong value */
#define JN_CAUSE_DUPLICATE "FieldValueDuplicate" /* stands twice, or belongs to somebody else */
#define JN_CAUSE_NOT_SUPPORTED "FieldValueNotSupported" /* none of the words of an enumeration */
#define JN_CAUSE_TYPE "FieldValueTypeInvalid"
#define JN_CAUSE_UNKNOWN "FieldUnknown"
#define JN_CAUSE_LIMIT "LimitReached" /* the message names the limit and its number */

#endif
