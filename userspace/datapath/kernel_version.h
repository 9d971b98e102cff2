/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Faults of kernels that can only be known by version, because to try is to crash. Whatever can be
 * tried is tried. A kernel that was mended without a new number is taken for a broken one.
 */
#ifndef JUNCTOR_DATAPATH_KERNEL_VERSION_H
#define JUNCTOR_DATAPATH_KERNEL_VERSION_H

#include <stdbool.h>

/*
 * May iter/tcp be read on the kernel of this release (uname -r)? From 6.17 on it released sockets
 * twice when memory was out in the middle (CVE-2026-64575); mended in 6.18.42, 7.1.6 and 7.2. A text
 * that is no release: false.
 */
bool jn_kernel_has_sound_tcp_iterator(const char *release);

#endif
