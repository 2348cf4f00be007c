#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measure builds, xbuild and (where installed) buildah in the same run: makes a tiny base image in a
# scratch directory and hands over to bench.py, which says what the environment can ask for.
. "$(dirname "$0")/../e2e/lib.sh"
# shellcheck disable=SC2034 # read by what is sourced
{
	BENCH=$E2E
	E2E=$SRC/tests/e2e
	COUNT=0 FINISHED=1
}
need root userns overlay jq python3
tiny_base
export XBUILD XB_BENCH_WORK="$W/bench" XB_BENCH_TINY="$TINY" XB_BENCH_PLATFORMS="$PLATFORMS"
export XB_BENCH_TOOLS="${XB_BENCH_TOOLS:-$SRC/build/tests/bench}"
XB_BENCH_EMULATOR=$(command -v qemu-aarch64-static)
export XB_BENCH_EMULATOR
# where a plain user can be had, some of it is measured as one
if has newuidmap; then
	user_ready
	cp "$XB_BENCH_TOOLS/measure" "$USER_HOME/bin"
	XB_BENCH_USER_HOME=$USER_HOME
	export XB_BENCH_USER_HOME
fi
mkdir "$XB_BENCH_WORK"
if has docker-registry && has skopeo; then
	serve_registry registry
	XB_BENCH_REGISTRY=localhost:$(cat "$W/registry.port")
	export XB_BENCH_REGISTRY XB_BENCH_REGISTRY_DATA="$W/registry.data"
fi
python3 "$BENCH/bench.py"
