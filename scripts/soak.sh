#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# `make soak`: what `make test` takes a small dose of, in full, for MINUTES=60 or a little longer. A
# quarter of them goes to one junctord under random operations, whose memory and files are watched, a
# quarter to the model check, which kills junctord again and again, half of that time built with the
# sanitizers, a quarter to the fuzz targets; then come the scenarios, file by file, until the time is
# over: the last lines say which were run and which were not. New lines of the kernel's log that tell
# of trouble count as failures.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

if [ "$(id -u)" != 0 ]; then
	echo "soak: this needs root; run it as root" >&2
	exit 1
fi
build=${BUILD:-build}
minutes=${MINUTES:-60}
# shellcheck source=scripts/suites.sh
. scripts/suites.sh
export SOAK=1 BUILD="$build"

build_all() {
	scripts/deps.sh &&
		make --no-print-directory BUILD="$build" test-programs &&
		make --no-print-directory BUILD="$build" sanitized
}

# In hundredths of a minute, as MINUTES may be a fraction.
part() { # ONE OF HOW MANY
	awk -v minutes="$minutes" -v parts="$1" 'BEGIN { printf "%.2f", minutes / parts }'
}

scenarios() { # FILE...
	nice /usr/bin/python3 -m pytest -q -s -p no:cacheprovider --timeout 3600 "$@"
}

kernel_log() {
	dmesg --notime 2>/dev/null || true
}

# What came into the kernel's log since `before` and is no everyday line.
kernel_trouble() {
	tail -n "+$((before + 1))" < <(kernel_log) |
		grep -E 'WARNING|BUG|Oops|RIP:|Call Trace|hung task|stall|Out of memory|KASAN|refcount' || true
}

build_or_exit build_all
SECONDS=0
before=$(kernel_log | wc -l)
suite "endurance" env MINUTES="$(part 4)" nice /usr/bin/python3 -m pytest -q -s \
	-p no:cacheprovider test/scenario/test_endurance.py
suite "model check" env MINUTES="$(part 8)" nice /usr/bin/python3 -m pytest -q -s \
	-p no:cacheprovider test/scenario/test_model.py
suite "model check with the sanitizers in junctord and junctor" env MINUTES="$(part 8)" \
	BUILD="$build/sanitized" nice /usr/bin/python3 -m pytest -q -s -p no:cacheprovider \
	test/scenario/test_model.py
suite "fuzz targets" env \
	SECONDS_EACH="$(awk -v minutes="$minutes" 'BEGIN { print int(minutes * 60 / 4 / 4) + 1 }')" \
	nice scripts/fuzz.sh
ran=()
left=()
for file in test/scenario/test_*.py; do
	case $file in *_model.py | *_endurance.py) continue ;; esac
	if [ "$SECONDS" -ge "$(awk -v minutes="$minutes" 'BEGIN { print int(minutes * 60) }')" ]; then
		left+=("${file##*/}")
		continue
	fi
	suite "$file" scenarios "$file"
	ran+=("${file##*/}")
done

printf '\n%d s: endurance, model check, fuzz targets' "$SECONDS"
printf ', %s' "${ran[@]}"
printf '\nnot run, for want of time: %s\n' "${left[*]:-nothing}"
trouble=$(kernel_trouble)
if [ -n "$trouble" ]; then
	printf 'the kernel says:\n%s\n' "$trouble"
	failed=$((failed + 1))
fi
close_suites
