#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A few rounds of `make campaign-crash`, always the same ones: builds killed at a system call, failing
# calls, power cuts. What is looked at afterwards: tests/crash/crash.py.
. "$(dirname "$0")/lib.sh"
need root overlay
tiny_base
cc -O2 -o "$W/meddle" "$SRC/tests/crash/meddle.c" || exit 1
export MEDDLE="$W/meddle" XBUILD XB_E2E_CACHE="$CACHE"

traced() { "$MEDDLE" count 0 true || skip "no process can be traced here" trace; }

crash() {
	python3 "$SRC/tests/crash/crash.py" "$@" --work "$W/crash"
}

kills() { traced && crash kill --times 60; }

# How a call is made to fail depends on the processor's registers.
faults() {
	[ "$(uname -m)" = x86_64 ] || skip "calls are made to fail on x86_64 only" x86_64
	traced && crash fail --times 30
}

# Each call by which a document is opened fails once, for a prune that has to know what tags need.
blind_prune() {
	[ "$(uname -m)" = x86_64 ] || skip "calls are made to fail on x86_64 only" x86_64
	traced
	fresh
	dockerfile "$W/blind" <<-'EOF'
		FROM tiny
		COPY Dockerfile /
	EOF
	build -q -t a:1 --platform linux/amd64 "$W/blind"
	n=1 failed=0
	while [ $n -le 400 ]; do
		MEDDLE_REPORT=$W/report MEDDLE_PROGRAM=$XBUILD MEDDLE_ERROR=2 ASAN_OPTIONS=detect_leaks=0 \
			"$MEDDLE" fail $n "$XBUILD" cache prune --all --root "$STORE" || failed=$((failed + 1))
		case $(cat "$W/report") in *'call -1 '*) break ;; esac
		"$XBUILD" cache check --root "$STORE" || fail "a prune whose call $n failed: $(cat "$W/report")"
		n=$((n + 1))
	done
	[ $n -gt 100 ] && [ $failed -gt 20 ] || fail "$failed of $n failed"
}

cuts() {
	command -v mkfs.ext4 >/dev/null && [ -e /dev/loop-control ] || skip "no loop devices, or no ext4" loop
	traced && crash cut --times 12
}

t "builds killed at any system call" kills
t "failing system calls" faults
t "a prune that cannot read what a tag needs" blind_prune
t "power cuts" cuts
finish
