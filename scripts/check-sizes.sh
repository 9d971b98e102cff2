#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# Functions of at most 60 lines and 5 parameters (the values of a format not counted), files of at
# most 500 lines, an SPDX line in every source. Columns are clang-format's business.
set -euo pipefail
cd "$(dirname "$0")/.."
failed=0

complain() {
	echo "$*"
	failed=1
}

sources() {
	git ls-files "$@" | grep -v '^test/corpus/'
}

while read -r lines file; do
	[ "$lines" -le 500 ] || complain "$file: $lines lines; at most 500"
done < <(sources '*.c' '*.h' '*.py' '*.sh' | xargs wc -l | grep -v ' total$')

for file in $(sources '*.c' '*.h' '*.py' '*.sh' '*.go' Makefile); do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause' ||
		complain "$file: no SPDX line"
done

# A function begins at "{" in column 0 after a line that ends a parameter list, and ends at "}".
# shellcheck disable=SC2016 # awk's own variables
output=$(sources '*.c' '*.h' | xargs awk '
	FNR == 1 { in_head = 0; in_body = 0; head = "" }
	/^[a-zA-Z_].*\(/ && !in_body { head = ""; in_head = 1 }
	in_head { head = head $0 }
	/;$/ && in_head && !in_body { in_head = 0 }
	/^{/ && in_head { in_head = 0; in_body = 1; start = FNR }
	/^}/ && in_body {
		in_body = 0
		name = head; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
		if (FNR - start - 1 > 60)
			printf "%s: %s has %d lines; at most 60\n", FILENAME, name, FNR - start - 1
		list = head; sub(/^[^(]*\(/, "", list); gsub(/\([^()]*\)/, "", list); sub(/, \.\.\./, "", list)
		count = gsub(/,/, ",", list) + 1
		if (count > 5 && list !~ /^nghttp2_session \*/) # its callbacks are what it calls
			printf "%s: %s has %d parameters; at most 5\n", FILENAME, name, count
	}')
[ -z "$output" ] || complain "$output"

exit "$failed"
