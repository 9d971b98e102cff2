#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# compile-commands.sh "COMPILER FLAGS" SOURCE...: the compilation database on stdout, for editors
# and clang-tidy.
set -euo pipefail

quote() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}

command=$1
shift
separator='['
for source in "$@"; do
	printf '%s\n{"directory": %s, "file": %s, "command": %s}' "$separator" "$(quote "$PWD")" \
		"$(quote "$source")" "$(quote "$command -c $source")"
	separator=,
done
printf '\n]\n'
