/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ending sockets by bpf_sock_destroy: the list goes into a table, the iterators of the namespace
 * compare each of its sockets with it and write out the cookies of those that they ended.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <end.skel.h>

#include <junctor/limits.h>

#include "base/auto.h"
#include "base/table.h"
#include "datapath/internal.h"
#include "datapath/kernel_version.h"
#include "datapath/sockets.h"

struct jn_ender {
	struct end_bpf *skeleton;
	int tcp, udp; /* links; tcp -1: not on this kernel */
};

static bool has_sound_tcp_iterator(void)
{
	struct utsname name;

	return uname(&name) == 0 && jn_kernel_has_sound_tcp_iterator(name.release);
}

static int make_link(const struct bpf_program *program, int *out)
{
	int fd = bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER, NULL);

	if (fd < 0)
		return fd;
	*out = fd;
	return 0;
}

int jn_ender_open(struct jn_ender **out)
{
	JN_AUTO(jn_ender_close) struct jn_ender *ender = calloc(1, sizeof(*ender));
	int rc;

	if (!ender)
		return -ENOMEM;
	ender->tcp = ender->udp = -1;
	jn_libbpf_listen();
	ender->skeleton = end_bpf__open();
	if (!ender->skeleton)
		return -errno;
	rc = end_bpf__load(ender->skeleton);
	if (rc == -ENOMEM || rc == -EMFILE || rc == -ENFILE)
		return rc;
	if (rc)
		return -EOPNOTSUPP; /* whatever it says */
	rc = make_link(ender->skeleton->progs.jn_end_udp, &ender->udp);
	if (!rc && has_sound_tcp_iterator())
		rc = make_link(ender->skeleton->progs.jn_end_tcp, &ender->tcp);
	if (rc)
		return rc;
	*out = JN_MOVE(ender);
	return 0;
}

void jn_ender_close(struct jn_ender **ender)
{
	struct jn_ender *e = JN_MOVE(*ender);

	if (!e)
		return;
	jn_close_fd(&e->tcp);
	jn_close_fd(&e->udp);
	end_bpf__destroy(e->skeleton);
	free(e);
}

bool jn_ender_has_tcp(const struct jn_ender *ender)
{
	return ender->tcp >= 0;
}

/* --- one pass ---------------------------------------------------------------------------------- */

struct place {
	uint64_t cookie;
	size_t at; /* of the socket in the caller's list */
};

struct pass {
	struct jn_table places;
	bool *is_ended;
};

static const struct jn_table_ops places_ops = { .entry_size = sizeof(struct place),
						.key_size = sizeof(uint64_t) };

static int note_ended(void *arg, const void *record)
{
	struct pass *pass = arg;
	const struct place *place = jn_table_find(&pass->places, record);

	if (place)
		pass->is_ended[place->at] = true;
	return 0;
}

static int list_socket(struct jn_ender *ender, struct pass *pass, const struct jn_stale *socket,
		       size_t at)
{
	struct jn_ending_peer peer = { .addr = socket->backend, .port = socket->backend_port };
	struct place *place;
	bool is_new;

	place = jn_table_put(&pass->places, &socket->cookie, &is_new);
	if (!place)
		return -ENOMEM;
	*place = (struct place){ socket->cookie, at };
	return bpf_map_update_elem(bpf_map__fd(ender->skeleton->maps.jn_ending), &socket->cookie,
				   &peer, BPF_ANY);
}

static void unlist_sockets(struct jn_ender *ender, const struct pass *pass)
{
	const struct place *place;
	size_t at = 0;

	while ((place = jn_table_next(&pass->places, &at)))
		(void)bpf_map_delete_elem(bpf_map__fd(ender->skeleton->maps.jn_ending),
					  &place->cookie); /* one that stays ends nobody else's */
}

static int run_pass(struct jn_ender *ender, const struct jn_stale *sockets, size_t count,
		    struct pass *pass)
{
	bool has_tcp = false, has_udp = false;
	int rc = 0;

	for (size_t i = 0; i < count && !rc; i++) {
		rc = list_socket(ender, pass, &sockets[i], i);
		has_udp |= sockets[i].proto == IPPROTO_UDP;
		has_tcp |= sockets[i].proto != IPPROTO_UDP;
	}
	if (!rc && has_udp)
		rc = jn_iterator_read(ender->udp, sizeof(uint64_t), note_ended, pass);
	if (!rc && has_tcp && ender->tcp < 0)
		rc = -EOPNOTSUPP;
	else if (!rc && has_tcp)
		rc = jn_iterator_read(ender->tcp, sizeof(uint64_t), note_ended, pass);
	unlist_sockets(ender, pass);
	return rc;
}

int jn_ender_end(struct jn_ender *ender, const struct jn_stale *sockets, size_t count,
		 bool *is_ended)
{
	bool is_unsupported = false;
	int rc = 0;

	for (size_t from = 0; from < count && !rc; from += JN_MAX_ENDINGS) {
		size_t part = count - from < JN_MAX_ENDINGS ? count - from : JN_MAX_ENDINGS;
		struct pass pass = { .is_ended = is_ended + from };

		jn_table_init(&pass.places, &places_ops);
		rc = run_pass(ender, sockets + from, part, &pass);
		jn_table_done(&pass.places);
		is_unsupported |= rc == -EOPNOTSUPP;
		if (rc == -EOPNOTSUPP)
			rc = 0; /* TCP here; what comes next may be UDP, which can be ended */
	}
	return !rc && is_unsupported ? -EOPNOTSUPP : rc;
}
