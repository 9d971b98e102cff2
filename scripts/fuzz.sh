#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# fuzz.sh: the fuzz targets of test/fuzz, one after the other, each for SECONDS=60, or RUNS= inputs;
# TARGET=plan is one alone. What they find new is kept in BUILD/fuzz/<target>, an input that breaks
# something in BUILD/fuzz/findings.
#
#	fuzz.sh replay	every input of the corpora in the tree, once; for `make test`
#	fuzz.sh merge	add to the corpora in the tree what reaches more code than they do
#
# Ends with "N passed, N failed": targets, or with `replay` inputs.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
kept=$build/fuzz
declare -A bytes=([object]=4096 [http]=4096 [plan]=600 [probe]=4096) # of an input, at most
# A history is told from another by how often it does what, a text by where it leads.
declare -A counters=([plan]=1)
targets=${TARGET:-object http plan probe}
passed=0
failed=0

# The corpora of a target: its own, which is the one that grows, then what others share with it.
corpora() { # TARGET
	echo "test/corpus/$1"
	[ "$1" != object ] || echo test/corpus/json
}

program() { # TARGET
	echo "$build/sanitized/fuzz/fuzz_$1"
}

# Milliseconds of the slowest of these inputs, as libFuzzer's log has them.
slowest() { # LOG
	sed -nE 's/^Executed .* in ([0-9]+) ms$/\1/p' "$1" | sort -n | tail -n 1
}

replay() { # TARGET FOLDER...
	local target=$1 log status good
	shift
	log=$kept/$target.replay
	find "$@" -type f ! -name '*.md' -print0 | sort -z |
		xargs -0 timeout 300 "$(program "$target")" -timeout=10 >"$log" 2>&1
	status=$?
	good=$(grep -c '^Executed ' "$log")
	passed=$((passed + good))
	printf '%-4s fuzz_%s: %d inputs, the slowest took %d ms\n' \
		"$([ "$status" -eq 0 ] && echo ok || echo BAD)" "$target" "$good" "$(slowest "$log")"
	[ "$status" -eq 0 ] && return
	failed=$((failed + 1))
	tail -n 60 "$log"
}

fuzz() { # TARGET
	local target=$1 log=$kept/$1.log limit="-max_total_time=${SECONDS_EACH:-60}" words=()
	[ -z "${RUNS:-}" ] || limit="-runs=$RUNS"
	[ ! -e "test/fuzz/$target.dict" ] || words=("-dict=test/fuzz/$target.dict")
	mkdir -p "$kept/$target" "$kept/findings"
	# shellcheck disable=SC2046 # words
	if "$(program "$target")" "$limit" "-max_len=${bytes[$target]}" "${words[@]}" -timeout=10 \
		-print_final_stats=1 "-artifact_prefix=$kept/findings/$target-" "$kept/$target" \
		$(corpora "$target") >"$log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		tail -n 60 "$log"
	fi
	printf '%s: %s inputs, %s\n' "$target" \
		"$(sed -nE 's/^stat::number_of_executed_units: +//p' "$log")" \
		"$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$log" | tail -n 1)"
}

# Starts over from nothing, so that what the tree has is the smallest set that reaches as much.
merge() { # TARGET
	local target=$1 fresh=$kept/$1.merged
	rm -rf "$fresh"
	mkdir -p "$fresh" "$kept/$target"
	# shellcheck disable=SC2046 # words
	"$(program "$target")" -set_cover_merge=1 "-use_counters=${counters[$target]:-0}" "-max_len=${bytes[$target]}" -timeout=10 "$fresh" \
		$(corpora "$target") "$kept/$target" >"$kept/$target.log" 2>&1 || {
		tail -n 60 "$kept/$target.log"
		failed=$((failed + 1))
		return
	}
	find "test/corpus/$target" -type f ! -name 'found_*' ! -name 'seed_*' -delete
	mv "$fresh"/* "test/corpus/$target/"
	passed=$((passed + 1))
	printf '%s: %d inputs, %d bytes\n' "$target" "$(find "test/corpus/$target" -type f | wc -l)" \
		"$(find "test/corpus/$target" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')"
}

mkdir -p "$kept"
for target in $targets; do
	case ${1:-} in
	replay)
		# shellcheck disable=SC2046 # words
		replay "$target" $(corpora "$target")
		;;
	merge) merge "$target" ;;
	*)
		fuzz "$target"
		replay "$target" "$kept/$target"
		;;
	esac
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
