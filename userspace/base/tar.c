/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A head of 512 bytes, then the content, filled up to the next 512.
 */
#include "base/tar.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BLOCK 512

struct head {
	char name[100], mode[8], uid[8], gid[8], size[12], time[12], checksum[8], type;
	char link[100], magic[6], version[2], owner[32], group[32], major[8], minor[8];
	char prefix[155], pad[12];
};
_Static_assert(sizeof(struct head) == BLOCK, "the layout is the standard's");

static void fill_up(struct jn_buffer *out, size_t size)
{
	static const char zeros[BLOCK];

	jn_buffer_add(out, zeros, (BLOCK - size % BLOCK) % BLOCK);
}

void jn_tar_add(struct jn_buffer *out, const char *name, const struct jn_buffer *content,
		uint64_t time)
{
	struct head head = { .magic = "ustar", .version = { '0', '0' }, .type = '0' };
	unsigned sum = 0;

	assert(strlen(name) < sizeof(head.name));
	(void)snprintf(head.name, sizeof(head.name), "%s", name);
	(void)snprintf(head.mode, sizeof(head.mode), "%07o", 0600u);
	(void)snprintf(head.uid, sizeof(head.uid), "%07o", 0u);
	(void)snprintf(head.gid, sizeof(head.gid), "%07o", 0u);
	(void)snprintf(head.size, sizeof(head.size), "%011llo", (unsigned long long)content->size);
	(void)snprintf(head.time, sizeof(head.time), "%011llo",
		       (unsigned long long)time & 077777777777ull);
	memset(head.checksum, ' ', sizeof(head.checksum));
	for (size_t i = 0; i < sizeof(head); i++)
		sum += ((const unsigned char *)&head)[i];
	(void)snprintf(head.checksum, sizeof(head.checksum), "%06o", sum);
	jn_buffer_add(out, &head, sizeof(head));
	if (content->size)
		jn_buffer_add(out, content->data, content->size);
	fill_up(out, content->size);
}

void jn_tar_end(struct jn_buffer *out)
{
	static const char zeros[JN_TAR_END_BYTES];

	jn_buffer_add(out, zeros, sizeof(zeros));
}
