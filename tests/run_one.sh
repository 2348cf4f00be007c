#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run_one.sh RESULTS SUITE PROGRAM: run one test program that speaks TAP, for tests/run.sh.
#
# The program's output goes to RESULTS/SUITE/NAME.log and its counts to NAME.count; what failed and
# what was skipped is printed by name, all at once, while others run. A program that ends early, or
# badly without a failed test, is a failure of its own.
# XB_TEST_TIMEOUT: seconds that one program may take (default 600).
# XB_TEST_WRAPPER: a command to run the program under.
set -u
results=$1 suite=$2 program=$3
export CMOCKA_MESSAGE_OUTPUT=tap

# build/tests/unit/base/test_str is unit/base/test_str, tests/lint/check_text.py is lint/check_text
name=${program#*tests/unit/}
[ "$name" != "$program" ] || name=${program##*/}
name=${name%.*}
log=$results/$suite/$name.log
mkdir -p "$(dirname "$log")"
case $program in
*.sh) set -- sh "$program" ;;
*.py) set -- python3 "$program" ;;
*) set -- "$program" ;;
esac

# What is mounted is each program's own, so that one sees what it left and not what its neighbour does.
own=
[ "$(id -u)" != 0 ] || ! unshare -m true 2>/dev/null || own="unshare -m"
start=$(date +%s)
# shellcheck disable=SC2086 # commands with arguments
timeout -k 10 "${XB_TEST_TIMEOUT:-600}" $own ${XB_TEST_WRAPPER:-} "$@" >"$log" 2>&1 </dev/null
status=$?
seconds=$(($(date +%s) - start))
# The second line of `times` is the children's: user and system time as 1m2.345s
times >"$log.times"
cpu=$(awk 'NR == 2 { split($1 " " $2, t, /[ms ]+/); printf "%.0f", t[1] * 60 + t[2] + t[3] * 60 + t[4] }' \
	"$log.times")
rm -f "$log.times"

said() {
	awk -v name="$suite/$name" -v status=$status -v log_file="$log" -v seconds="$seconds" -v cpu="$cpu" \
		-v out="$results/$suite/$name.count" '
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
			printf "  %-4s %s: %d passed%s%s (%d s, %d s of processors)\n",
				failed ? "FAIL" : "ok", name, passed,
				failed ? ", " failed " failed" : "", skipped ? ", " skipped " skipped" : "",
				seconds, cpu
			printf "%s%s", skips, fails
			if (failed) print "  --- the end of " log_file ":"
			exit failed != 0
		}' "$log" || tail -n 40 "$log" | sed 's/^/  | /'
}
said >"$log.said"
flock "$results" cat "$log.said"
rm -f "$log.said"
exit 0
