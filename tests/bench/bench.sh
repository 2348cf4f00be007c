#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Measure builds, xbuild and (where installed) buildah in the same run, native platform alone for both;
# wall seconds, the best of XB_BENCH_RUNS (3). Ratios mean something, seconds depend on the machine.
. "$(dirname "$0")/../e2e/lib.sh"
# shellcheck disable=SC2034 # read by what is sourced
{
	E2E=$SRC/tests/e2e
	COUNT=0 FINISHED=1
}
need userns overlay jq
tiny_base
RUNS=${XB_BENCH_RUNS:-3}

dockerfile "$W/run" <<EOF
FROM tiny
$(for i in $(seq 20); do echo "RUN echo $i > /file$i"; done)
EOF
dockerfile "$W/copy" <<'EOF'
FROM tiny
COPY tree /tree
EOF
mkdir "$W/copy/tree"
i=0
while [ $i -lt 40 ]; do
	mkdir "$W/copy/tree/$i"
	head -c 2500000 /dev/urandom | base64 | split -a 3 -b 65536 - "$W/copy/tree/$i/f"
	i=$((i + 1))
done
echo "# copy: $(find "$W/copy/tree" -type f | wc -l) files, $(du -sm "$W/copy/tree" | cut -f1) MB"

now() { date +%s%N; }
ms() { # COMMAND...
	from=$(now)
	"$@" >"$W/log" 2>&1 || { cat "$W/log"; exit 1; }
	echo $((($(now) - from) / 1000000))
}
by_xbuild() { "$XBUILD" build --root "$W/x" --build-context "tiny=oci-layout://$TINY:tiny" \
	-o "type=oci,dest=$W/x.tar" "$W/$1"; }
by_buildah() { buildah --root "$W/b" --runroot "$W/br" bud --layers --isolation chroot --pull-never -q \
	-t bench "$W/$1" && buildah --root "$W/b" --runroot "$W/br" push -q bench "oci-archive:$W/b.tar"; }
empty_xbuild() { remove "$W/x" "$W/x.tar"; }
empty_buildah() {
	buildah --root "$W/b" --runroot "$W/br" rmi -a -f >/dev/null 2>&1
	remove "$W/b" "$W/b.tar"
	skopeo copy -q --insecure-policy --override-arch "$(dpkg --print-architecture)" "oci:$TINY:tiny" \
		"containers-storage:[overlay@$W/b+$W/br]localhost/tiny:latest"
}
touch_one() { echo "$(now)" >"$W/copy/tree/0/faaa"; }

best() { # HOW WHAT BEFORE
	best=
	for _ in $(seq "$RUNS"); do
		"$3"
		took=$(ms "by_$1" "$2")
		[ -n "$best" ] && [ "$best" -le "$took" ] || best=$took
	done
	printf '%8s' "$(awk "BEGIN { printf \"%.2f\", $best / 1000 }")"
}

tools=xbuild
has buildah && has skopeo && tools="xbuild buildah"
printf '%-34s' "seconds"
for tool in $tools; do printf '%8s' "$tool"; done
echo
row() { # NAME WHAT BEFORE: before is a function prefix or a plain function
	printf '%-34s' "$1"
	for tool in $tools; do
		case $3 in
		empty) best "$tool" "$2" "empty_$tool" ;;
		*) best "$tool" "$2" "$3" ;;
		esac
	done
	echo
}
row "20 x RUN echo, empty store" run empty
row "20 x RUN echo, unchanged" run true
row "COPY of many files, empty store" copy empty
row "COPY of many files, unchanged" copy true
row "COPY of many files, one changed" copy touch_one
