#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# budget.sh BUILD: budget_test of that build, after the line that scripts/verifier.py asks for. A kernel
# of Debian's says its real version elsewhere than in its release.
set -euo pipefail

debian=$(uname -v | grep -oE 'Debian [^ ]+' || true)
echo "kernel ${debian:-$(uname -r | grep -oE '^[0-9.]+')}"
"$1/test/bpf/budget_test"
