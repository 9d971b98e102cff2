# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# For test.sh and soak.sh: suites, whose cases are counted. Begins with 0 of each.
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The suite's own closing line, "N passed, N failed" or pytest's, is what counts.
suite() { # NAME COMMAND...
	local name=$1 status good bad
	shift
	printf '\n=== %s\n' "$name"
	"$@" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	good=$(tail -n 3 "$log" | grep -oE '[0-9]+ passed' | tail -n 1 | cut -d' ' -f1)
	bad=$(tail -n 3 "$log" | grep -oE '[0-9]+ (failed|errors?)' | awk '{ n += $1 } END { print n + 0 }')
	if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	passed=$((passed + ${good:-0}))
	failed=$((failed + bad))
}

# Quiet while it goes well; ends the run when it does not.
build_or_exit() { # COMMAND...
	"$@" >"$log" 2>&1 && return
	tail -n 50 "$log"
	echo "0 passed, 1 failed"
	exit 1
}

# The last line of a run, and its verdict.
close_suites() {
	printf '\n%d passed, %d failed\n' "$passed" "$failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
