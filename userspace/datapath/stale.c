/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the iterator jn_find_stale to its end.
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <junctor.skel.h>

#include "base/auto.h"
#include "base/vec.h"
#include "datapath/internal.h"
#include "datapath/sockets.h"

#define PIECE_BYTES 32768 /* what the kernel gathers for one read() */

int jn_iterator_read(int link, size_t record_size, jn_record_fn fn, void *arg)
{
	JN_AUTO(jn_close_fd) int fd = bpf_iter_create(link);
	JN_AUTO(jn_free_mem) char *piece = malloc(PIECE_BYTES);
	size_t kept = 0; /* of a record whose rest comes with the next piece */

	if (fd < 0)
		return fd;
	if (!piece)
		return -ENOMEM;
	for (;;) {
		ssize_t size = read(fd, piece + kept, PIECE_BYTES - kept);
		size_t at = 0, end;

		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			continue; /* the kernel lets others run in between */
		if (size <= 0)
			return size ? -errno : 0;
		end = kept + (size_t)size;
		for (; end - at >= record_size; at += record_size) {
			int rc = fn(arg, piece + at);

			if (rc)
				return rc;
		}
		kept = end - at;
		memmove(piece, piece + at, kept);
	}
}

static int add_stale(void *arg, const void *record)
{
	struct jn_stale_list *out = arg;
	struct jn_stale *item = jn_vec_add(out);

	if (!item)
		return -ENOMEM;
	memcpy(item, record, sizeof(*item));
	return 0;
}

int jn_datapath_find_stale(struct jn_datapath *dp, int *out)
{
	union bpf_iter_link_info info = { .map.map_fd = (uint32_t)bpf_map__fd(
						  dp->skeleton->maps.jn_socket) };
	LIBBPF_OPTS(bpf_link_create_opts, options, .iter_info = &info,
		    .iter_info_len = sizeof(info));
	int link = bpf_link_create(bpf_program__fd(dp->skeleton->progs.jn_find_stale), 0,
				   BPF_TRACE_ITER, &options);

	if (link < 0)
		return link;
	*out = link;
	return 0;
}

int jn_stale_read(int finder, struct jn_stale_list *out)
{
	return jn_iterator_read(finder, sizeof(struct jn_stale), add_stale, out);
}
