#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh RESULTS SUITE [PROGRAM...]: run test programs that speak TAP, one after another.
#
# Each program's output goes to RESULTS/SUITE/NAME.log and its counts to NAME.count; what failed and
# what was skipped is printed by name. A program that ends early, or badly without a failed test, is
# a failure of its own. The exit status says nothing about the tests: tests/tally.sh does.
# XB_TEST_TIMEOUT: seconds that one program may take (default 600).
# XB_TEST_WRAPPER: a command to run each program under.
set -u
results=$1 suite=$2
shift 2
mkdir -p "$results/$suite"
export CMOCKA_MESSAGE_OUTPUT=tap

for program in "$@"; do
	# build/tests/unit/base/test_str is unit/base/test_str, tests/lint/check_text.py is lint/check_text
	name=${program#*tests/unit/}
	[ "$name" != "$program" ] || name=${program##*/}
	name=${name%.*}
	log=$results/$suite/$name.log
	mkdir -p "$(dirname "$log")"
	start=$(date +%s)
	case $program in
	*.sh) set -- sh "$program" ;;
	*.py) set -- python3 "$program" ;;
	*) set -- "$program" ;;
	esac
	# shellcheck disable=SC2086 # the wrapper is a command with arguments
	timeout -k 10 "${XB_TEST_TIMEOUT:-600}" ${XB_TEST_WRAPPER:-} "$@" >"$log" 2>&1 </dev/null
	status=$?
	awk -v name="$suite/$name" -v status=$status -v log_file="$log" \
		-v seconds=$(($(date +%s) - start)) -v out="$results/$suite/$name.count" '
		/^1\.\.[0-9]+/ { planned += substr($0, 4) + 0; plans++ }
		/^(not )?ok [0-9]+.*# *SKIP/ {
			line = $0; sub(/^(not )?ok [0-9]+ *-? */, "", line)
			skipped++; skips = skips "  skipped: " name ": " line "\n"; next
		}
		/^ok [0-9]+/ { passed++ }
		/^not ok [0-9]+/ {
			line = $0; sub(/^not ok [0-9]+ *-? */, "", line)
			failed++; fails = fails "  FAILED: " name ": " line "\n"
		}
		END {
			done = passed + failed + skipped
			if (status == 124 || status == 137) {
				failed++; fails = fails "  FAILED: " name ": killed after its time\n"
			} else if (done < planned || plans == 0 || (status != 0 && failed == 0)) {
				failed++
				fails = fails "  FAILED: " name ": ended with status " status " after " \
					done + 0 " of " planned + 0 " tests\n"
			}
			printf "%d %d %d\n", passed, failed, skipped > out
			printf "  %-4s %s: %d passed%s%s (%d s)\n", failed ? "FAIL" : "ok", name, passed,
				failed ? ", " failed " failed" : "", skipped ? ", " skipped " skipped" : "",
				seconds
			printf "%s%s", skips, fails
			if (failed) print "  --- the end of " log_file ":"
			exit failed != 0
		}' "$log" || tail -n 40 "$log" | sed 's/^/  | /'
done
exit 0
