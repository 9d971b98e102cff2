/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * junctor cleanup: runs `junctord --offline cleanup`, because the kernel's side is junctord's alone.
 */
#include "cli/cli.h"
#include "cli/offline.h"

int jn_cli_cleanup(const struct jn_command *command)
{
	struct jn_offline call = jn_offline_of("cleanup");

	jn_offline_add(&call, "--pin-dir", command->pin_dir);
	jn_offline_add(&call, "--cgroup", command->cgroup);
	return jn_offline_run(&call, NULL, 0);
}
