#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# complaints.sh LOG: what the kernel, whose log this is, complains of. Exit code 0: of something.
exec grep -E 'WARNING:|BUG:|Oops|RIP:|KASAN|refcount_t' "$1"
