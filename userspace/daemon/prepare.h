/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What must be right on this machine before anything of junctor is opened: privileges, file
 * descriptors, folders and their locks.
 */
#ifndef JUNCTOR_DAEMON_PREPARE_H
#define JUNCTOR_DAEMON_PREPARE_H

#include "base/error.h"

/* Does this process have what bpf() will ask for? -EPERM with err naming what is missing. */
int jn_prepare_privileges(struct jn_error *err);

/* As many file descriptors as this process may have. Failure is not one: the limit stays. */
void jn_prepare_descriptors(void);

/* How many probes may be in flight: half of the descriptors stay for everything else. */
unsigned jn_prepare_probes(void);

/* Make the folder (0700, with its parents) and lock it; *fd is the lock. */
int jn_prepare_state_dir(const char *dir, int *fd, struct jn_error *err);

/* Make sure it is a folder on a bpffs, ours, and lock it; *fd is the lock. */
int jn_prepare_pin_dir(const char *dir, int *fd, struct jn_error *err);

#endif
