/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Releases compared by their first three numbers.
 */
#include "datapath/kernel_version.h"

#include <stdio.h>

#define VERSION(major, minor, patch) ((major)*1000000ull + (minor)*1000ull + (patch))

bool jn_kernel_has_sound_tcp_iterator(const char *release)
{
	unsigned major = 0, minor = 0, patch = 0;
	unsigned long long version;

	if (sscanf(release, "%3u.%3u.%3u", &major, &minor, &patch) < 2)
		return false;
	version = VERSION(major, minor, patch);
	return version < VERSION(6, 17, 0) ||
	       (version >= VERSION(6, 18, 42) && version < VERSION(6, 19, 0)) ||
	       version >= VERSION(7, 1, 6);
}
