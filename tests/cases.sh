#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build other projects' test cases with xbuild and let their judge compare the results: XB_CORPORA is a
# directory with build-cases/ and run_cases.py. Further arguments go to the judge (--select GLOB, …).
# Its last line is "N passed, N failed, N skipped". Images that cases want published go to the store.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
xbuild=${XBUILD:-$here/../build/xbuild}
demo=${XB_DEMO_DIR:-$here/../build/demo}
[ -f "${XB_CORPORA:-}/run_cases.py" ] || { echo "cases: set XB_CORPORA to a directory with run_cases.py" >&2; exit 2; }
XBUILD=$xbuild sh "$here/../docs/examples/debian-base/make-base.sh" "$demo/base:bookworm-slim"
base=localhost/debian:bookworm
root=$(mktemp -d "${TMPDIR:-/tmp}/xb-cases.XXXXXX")
trap 'rm -rf "$root"' EXIT
python3 "$XB_CORPORA/run_cases.py" --cases "$XB_CORPORA/build-cases" --base "$base" --jobs 2 --timeout 120 \
	--skip-needs "${XB_SKIP_NEEDS:-ssh}" --json "$demo/cases.json" --lint "$xbuild build --check {flags} {context}" \
	--publish "skopeo copy -q --insecure-policy oci-archive:{archive} oci:$root/store:{ref}" --ref-prefix case- \
	--build "$xbuild build --root $root/store --build-context $base=oci-layout://$demo/base:bookworm-slim \
{flags} -o type=oci,dest={out} {context}" "$@"
