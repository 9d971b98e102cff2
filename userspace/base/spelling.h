/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * "Did you mean …?": the known name that a mistyped one probably stands for.
 */
#ifndef JUNCTOR_BASE_SPELLING_H
#define JUNCTOR_BASE_SPELLING_H

#include <stddef.h>

/*
 * The one of `names` that is fewest letters away from `text`, or NULL when none is near: more than
 * a third of the letters (at least two) would have to change. Upper and lower case are the same.
 */
const char *jn_spelling_nearest(const char *text, const char *const *names, size_t count);

#endif
