#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# xbuild reproduce: two builds in different conditions, and where their results part.
. "$(dirname "$0")/lib.sh"
need userns overlay jq
tiny_base

# reproduce STATUS DIR ARGUMENT...: the JSON answer is $W/answer
reproduce() {
	wanted=$1
	dir=$2
	shift 2
	got=0
	"$XBUILD" reproduce -q --format json --build-context "tiny=oci-layout://$TINY:tiny" --platform linux/amd64 "$@" "$dir" \
		>"$W/answer" 2>"$W/err" || got=$?
	cat "$W/err" "$W/answer"
	[ "$got" = "$wanted" ] || fail "reproduce ended with $got, not $wanted"
}

is() { jq -e "$1" "$W/answer" >/dev/null || fail "not so: $1"; }

the_same() {
	dockerfile same <<-'EOF'
		FROM tiny
		COPY file /
		RUN echo text >/made && mkdir /dir && ln -s made /dir/link
	EOF
	echo x >same/file
	export TMPDIR="$W/tmp"
	mkdir "$TMPDIR"
	reproduce 0 same
	is '.[0].same and .[0].platform == "linux/amd64"'
	# without a clock from outside there is one for both builds
	(unset SOURCE_DATE_EPOCH && reproduce 0 same)
	same "$(ls "$TMPDIR")" "" "what is left behind"
	both_platforms
	"$XBUILD" reproduce -q --build-context "tiny=oci-layout://$TINY:tiny" --platform linux/amd64,linux/arm64 same >"$W/table"
	grep -qx 'linux/arm64: the same' "$W/table" || fail "$(cat "$W/table")"
}

differences() {
	dockerfile time <<-'EOF'
		FROM tiny
		RUN echo always >/first
		RUN date +%s%N >/when; echo x >/not
	EOF
	reproduce 7 time
	is '.[0].layer == 3 and (.[0].instruction | contains("date +%s%N"))'
	is '[.[0].files[] | select(.path == "/when" and .field == "content")] | length == 1'
	is '[.[0].files[] | select(.path == "/not")] | length == 0'
	dockerfile random <<-'EOF'
		FROM tiny
		RUN mkdir -p /etc && head -c 16 /dev/urandom >/etc/machine-id; chmod 60$(( $(date +%s) % 2 * 4 )) /etc/machine-id
	EOF
	reproduce 7 random
	is '[.[0].files[] | select(.path == "/etc/machine-id" and (.cause | contains("random")))] | length >= 1'
	# the zone and the locale of whoever builds are nothing to a step
	dockerfile zone <<-'EOF'
		FROM tiny
		RUN echo "$TZ $LC_ALL" >/zone; hostname >/host; nproc >/dev/null; umask >/umask
	EOF
	reproduce 0 zone
}

refusals() {
	exits 2 "$XBUILD" reproduce -t a:1 same
	exits 2 "$XBUILD" reproduce -o type=oci,dest=x same
	exits 2 "$XBUILD" reproduce --format yaml same
	dockerfile bad <<-'EOF'
		FROM tiny
		RUN false
	EOF
	exits 4 "$XBUILD" reproduce -q --build-context "tiny=oci-layout://$TINY:tiny" --platform linux/amd64 bad
	says 'the first build failed'
}

t "what is reproducible is the same, and nothing is left behind" the_same
t "the first layer that differs, its instruction, and the files and fields" differences
t "what cannot be compared is refused" refusals
finish
