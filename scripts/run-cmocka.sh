#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# run-cmocka.sh PROGRAM...: runs test programs one after the other; each one's output is shown when
# it fails, and why it left tests out. Ends with "N passed, N failed"; a program that dies counts as
# one failure. LIMIT: the longest a program may take, in seconds.
set -uo pipefail
passed=0
failed=0
skipped=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# What it said: the first fault stands at the beginning, a sanitizer's summary at the end.
show() {
	head -n 60 "$output"
	[ "$(wc -l <"$output")" -le 60 ] || tail -n +61 "$output" | tail -n 140
}

for program in "$@"; do
	timeout "${LIMIT:-300}" "$program" >"$output" 2>&1
	status=$?
	good=$(grep -c '^\[       OK \]' "$output")
	bad=$(grep -E '^\[  FAILED  \] [a-z_0-9]+$' "$output" | sort -u | wc -l)
	left_out=$(grep -E '^\[  SKIPPED \] [a-z_0-9]+$' "$output" | sort -u | wc -l)
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
	skipped=$((skipped + left_out))
	printf '%-4s %s: %d passed, %d failed\n' "$([ "$bad" -eq 0 ] && echo ok || echo BAD)" \
		"${program##*/}" "$good" "$bad"
	grep '^skipped because' "$output" | sort | uniq -c | sed 's/^ */       /'
	[ "$bad" -eq 0 ] || show
done
[ "$skipped" -eq 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
