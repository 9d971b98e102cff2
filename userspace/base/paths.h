/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where junctord and its clients meet when nobody says otherwise.
 */
#ifndef JUNCTOR_BASE_PATHS_H
#define JUNCTOR_BASE_PATHS_H

#define JN_DEFAULT_SOCKET "/run/junctor/junctor.sock"

#endif
