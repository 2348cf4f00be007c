#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tally.sh RESULTS: sum up what tests/run.sh left; the last line is "N passed, N failed[, N skipped]".
# tally.sh RESULTS FAILURE: count a failure that is no test's own.
set -u
if [ -n "${2:-}" ]; then
	mkdir -p "$1"
	echo "  FAILED: $2"
	echo "0 1 0" >"$1/$(echo "$2" | tr -c 'a-z0-9\n' _).count"
	exit 0
fi
find "$1" -name '*.count' -exec cat {} + | awk '
	{ passed += $1; failed += $2; skipped += $3 }
	END {
		printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
		exit failed != 0 || passed == 0
	}'
