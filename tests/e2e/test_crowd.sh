#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sixteen builds of overlapping Dockerfiles at once on one store, beside a loop of prunes: all succeed with
# the right digests, and the store is sound. `make check-tsan` runs it under ThreadSanitizer.
. "$(dirname "$0")/lib.sh"
need root overlay
tiny_base
cc -O2 -o "$W/meddle" "$SRC/tests/crash/meddle.c" || exit 1
export MEDDLE="$W/meddle" XBUILD XB_E2E_CACHE="$CACHE"

crowds() {
	"$MEDDLE" count 0 true || skip "no process can be traced here" trace
	python3 "$SRC/tests/crash/crash.py" crowd --times "${XB_CROWDS:-3}" --work "$W/crash"
}

t "sixteen builds beside prunes" crowds
finish
