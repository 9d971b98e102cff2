/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What junctord does instead of serving: `--offline VERB`, for the CLI while no daemon runs.
 */
#ifndef JUNCTOR_DAEMON_OFFLINE_H
#define JUNCTOR_DAEMON_OFFLINE_H

#include <stdbool.h>

#include "base/error.h"
#include "daemon/config.h"
#include "daemon/options.h"
#include "doctor/doctor.h"

/*
 * Take junctor out of the kernel: links, tables and pins below settings->pin_dir. Refused while a
 * daemon holds them. Declared state stays on disk. Says on stdout what was removed.
 */
int jn_offline_cleanup(const struct jn_settings *settings, struct jn_error *err);

/*
 * Does this task go on after jn_options_complete gave rc? Those of --offline do: a configuration that is
 * wrong may be what is the matter. But one that was named and is not there is a mistake of the call. If
 * so the faults are told on standard error, and err is empty again.
 */
bool jn_offline_goes_on(const struct jn_options *options, int rc, struct jn_error *err);

/* What the task asks for (JN_TASK_TRACE, STATUS, SYSDUMP), to stdout. Whether a daemon runs does not matter. */
int jn_offline_tell(const struct jn_options *options, struct jn_error *err);

/* What the doctor is told of these options, which are complete and stay. */
struct jn_doctor_options jn_offline_doctor(const struct jn_options *options);

#endif
