#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tally.sh RESULTS: sum up what tests/run.sh left; the last line is "N passed, N failed[, N skipped]".
set -u
find "$1" -name '*.count' -exec cat {} + | awk '
	{ passed += $1; failed += $2; skipped += $3 }
	END {
		printf "%d passed, %d failed%s\n", passed, failed, skipped ? ", " skipped " skipped" : ""
		exit failed != 0 || passed == 0
	}'
