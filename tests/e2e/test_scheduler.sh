#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs in which order, what a failure stops, and whom a build waits for.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

dockerfile "$W/three" <<'EOF'
FROM tiny AS bad
RUN sleep 3; echo bad-runs; exit 5
RUN echo never-one > /never
FROM tiny AS worse
RUN echo worse-runs; exit 6
FROM tiny AS good
RUN sleep 4; echo good-runs > /good; cat /good
FROM tiny
COPY --from=bad /never /
COPY --from=worse / /worse
COPY --from=good /good /
EOF

keep_going() {
	exits 4 build --jobs 3 --keep-going -o "type=local,dest=$W/kept" "$W/three"
	# all that can be done is done, each failure is shown, the first decides
	says 'good-runs' 'exit status 5' 'exit status 6'
	grep 'xbuild: error:' "$W/err" | tail -n 1 | grep -q 'exit status 6' || fail "the first comes last"
	! grep -q '^#.*never-one$' "$W/err" || fail "what needs a failed step was run"
	[ ! -e "$W/kept" ] || fail "an output was written"
}
stops_at_once() {
	exits 4 build --jobs 3 --no-cache -o "type=local,dest=$W/kept" "$W/three"
	says 'exit status 6'
	! grep -qe '^#.* good-runs$' -e 'exit status 5' "$W/err" || fail "others were not stopped"
}

dockerfile "$W/arch" <<'EOF'
FROM scratch
ARG TARGETARCH
COPY $TARGETARCH /arch
EOF
echo amd64 >"$W/arch/amd64"

architectures() { # LAYOUT
	jq -r '.manifests[].platform.architecture' "$1/blobs/$(index_digest "$1" | tr : /)"
}

may_fail() {
	exits 0 build --platform "linux/amd64,linux/s390x?" -o "type=oci,dest=$W/may,tar=false" \
		-o "type=local,dest=$W/may.d" "$W/arch"
	says 'warning: linux/s390x failed and is left out' 's390x'
	# an index all the same, and directories as for two platforms
	same "$(architectures "$W/may")" amd64
	same "$(cat "$W/may.d/linux_amd64/arch")" amd64
	exits 3 build --platform "linux/amd64,linux/s390x" -o "type=oci,dest=$W/may2,tar=false" "$W/arch"
	[ ! -e "$W/may2/index.json" ] || fail "half a result was written"
	# named twice, it must not fail
	exits 3 build --platform "linux/amd64,linux/s390x,linux/s390x?" "$W/arch"
	# nothing would be left
	exits 3 build --platform "linux/s390x?,linux/arm64?" "$W/arch"
}

dockerfile "$W/base" <<'EOF'
FROM tiny
COPY Dockerfile /
EOF

has_no_base() {
	exits 0 build --platform "linux/s390x?,linux/amd64" -o "type=oci,dest=$W/base.out,tar=false" "$W/base"
	says 'warning: linux/s390x is left out'
	same "$(architectures "$W/base.out")" amd64
	exits 5 build --platform "linux/s390x?" "$W/base"
}

dockerfile "$W/wait" <<'EOF'
FROM tiny
RUN --mount=type=cache,target=/c echo it-runs; until test -e /c/go; do sleep 0.1; done; date +%s%N > /when
EOF
dockerfile "$W/go" <<'EOF'
FROM tiny
RUN --mount=type=cache,target=/c touch /c/go
EOF

waits() {
	"$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		-o "type=local,dest=$W/wait.1" "$W/wait" 2>"$W/wait.err" &
	first=$!
	soon grep -q ' it-runs$' "$W/wait.err"
	build -o "type=local,dest=$W/wait.2" "$W/wait" 2>"$W/err" &
	second=$!
	soon grep -q "WAITING for process" "$W/err"
	build -o type=cacheonly "$W/go"
	wait "$first"
	wait "$second"
	says 'which has been at the same step for'
	grep -q "WAITING for process $first," "$W/err" || fail "not the process: $first"
	same "$(cat "$W/wait.1/when")" "$(cat "$W/wait.2/when")" "ran twice"
}

dockerfile "$W/paths" <<'EOF'
FROM tiny AS short
RUN echo short > /short
FROM tiny AS long
RUN echo long-1 > /1
RUN echo long-2 > /2
RUN echo long-3 > /3
FROM tiny AS middle
RUN echo middle-1 > /1
RUN echo middle-2 > /2
FROM scratch
COPY --from=short /short /
COPY --from=middle /2 /m
COPY --from=long /3 /
EOF

longest_first() {
	build --jobs 1 -o type=cacheonly "$W/paths" 2>"$W/err"
	order=$(sed -n 's/^#[0-9]* \[.*RUN echo \([a-z]*-*[0-9]*\) .*/\1/p' "$W/err" | tr '\n' ' ')
	case $order in
	"long-1 "*) ;;
	*) fail "$order" ;;
	esac
	# the short one waits until it is the longest that is left
	case $order in
	*"short "*"long-2 "* | *"short "*"middle-1 "*) fail "$order" ;;
	esac
}

t "--keep-going: all that can be done, all errors, the first one's status" keep_going
t "without it the first failure stops the others" stops_at_once
t "a platform with ? may fail and is left out with a warning" may_fail
t "so may one for which there is no base" has_no_base
t "a build that waits says for whom" waits
t "the longest path is begun first" longest_first
finish
