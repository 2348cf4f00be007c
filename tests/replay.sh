#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Replay each fuzz target's corpus through it; XB_REPLAY lists the replay programs. Speaks TAP.
set -u
n=0
for program in ${XB_REPLAY:-}; do
	n=$((n + 1))
	what=$(basename "$program" -replay)
	what=${what#fuzz_}
	if [ ! -d "tests/fuzz/corpus/$what" ]; then
		echo "not ok $n - $what has no corpus in tests/fuzz/corpus/$what"
	elif timeout 500 "$program" "tests/fuzz/corpus/$what"; then
		echo "ok $n - $what"
	else
		echo "not ok $n - $what"
	fi
done
echo "1..$n"
