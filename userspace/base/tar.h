/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An archive that tar reads (POSIX.1-1988 ustar): files with short names, one after the other. Archives
 * that are not ended can be put behind each other.
 */
#ifndef JUNCTOR_BASE_TAR_H
#define JUNCTOR_BASE_TAR_H

#include <stdint.h>

#include "base/buffer.h"

/* One file, mode 0600. name: at most 99 bytes; time: seconds since 1970. */
void jn_tar_add(struct jn_buffer *out, const char *name, const struct jn_buffer *content,
		uint64_t time);
#define JN_TAR_END_BYTES 1024
void jn_tar_end(struct jn_buffer *out);

#endif
