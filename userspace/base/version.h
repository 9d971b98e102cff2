/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The version of junctord and junctor, which are released together.
 */
#ifndef JUNCTOR_BASE_VERSION_H
#define JUNCTOR_BASE_VERSION_H

#define JN_VERSION "0.1.0"

#endif
