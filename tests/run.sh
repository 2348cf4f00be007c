#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh RESULTS SUITE [PROGRAM...]: run test programs that speak TAP, the first named begun first.
#
# As many run at once as XB_TEST_JOBS says (default: one more than there are processors, since some
# wait); tests/run_one.sh runs each and prints what became of it in one piece. The exit status says
# nothing about the tests: tests/tally.sh does.
set -u
results=$1 suite=$2
shift 2
mkdir -p "$results/$suite"
[ $# -gt 0 ] || exit 0
printf '%s\n' "$@" | xargs -d '\n' -n 1 -P "${XB_TEST_JOBS:-$(($(nproc) + 1))}" \
	sh "$(dirname "$0")/run_one.sh" "$results" "$suite"
exit 0
