#!/bin/sh
# Run each unit test program given; print what failed; end with "N passed, N failed".
set -u
passed=0 failed=0
for program in "$@"; do
	if output=$("$program" 2>&1); then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		printf '%s\n%s\n' "FAILED: $program" "$output"
	fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
