/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whose programs sockets of a cgroup run where ours run: for people who look for somebody that is in
 * the way. It does NOT judge them.
 */
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>

#include "base/auto.h"
#include "datapath/internal.h"

static void describe(uint32_t id, struct jn_attached *out)
{
	JN_AUTO(jn_close_fd) int fd = bpf_prog_get_fd_by_id(id);
	struct jn_program program;

	out->id = id;
	if (fd < 0 || jn_program_ask(fd, &program))
		return; /* gone meanwhile */
	(void)snprintf(out->name, sizeof(out->name), "%s", program.info.name);
	for (size_t i = 0; i < sizeof(program.info.tag); i++)
		(void)snprintf(out->tag + 2 * i, 3, "%02x", program.info.tag[i]);
	out->is_ours = !strncmp(out->name, JN_PIN_PREFIX, strlen(JN_PIN_PREFIX));
}

static bool is_among(uint32_t id, const uint32_t *ids, int count)
{
	for (int i = 0; i < count; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

int jn_datapath_each_attached(const char *cgroup, jn_attached_fn fn, void *arg,
			      struct jn_error *err)
{
	uint32_t own[JN_MAX_HOOK_PROGRAMS], all[JN_MAX_HOOK_PROGRAMS];
	JN_AUTO(jn_close_fd) int fd = -1;
	uint64_t id;
	int rc = jn_cgroup_open(cgroup, &fd, &id, err);

	for (size_t i = 0; i < JN_HOOK_COUNT && !rc; i++) {
		int own_count = jn_hook_query(fd, i, 0, own);
		int count = jn_hook_query(fd, i, BPF_F_QUERY_EFFECTIVE, all);

		if (own_count < 0 || count < 0)
			continue; /* a kernel without this hook */
		for (int place = 0; place < count; place++) {
			struct jn_attached program = { .hook = jn_hook_pin(i) +
							       strlen(JN_PIN_PREFIX) };

			describe(all[place], &program);
			program.is_own = is_among(all[place], own, own_count);
			fn(arg, &program);
		}
	}
	return rc;
}
