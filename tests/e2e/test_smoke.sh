#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Smoke tests: commands that each image passes before anything of it is published.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

dockerfile "$W/src" <<'EOF'
FROM tiny
RUN mkdir /work && chown 1000 /work && printf '#!/bin/sh\necho app on $(uname -m)\nexit ${1:-0}\n' > /bin/app && \
	chmod 755 /bin/app
ENV GREETING=hello
WORKDIR /work
USER 1000
EOF

smoke() { # ARGUMENT...: into the layout $W/out
	rm -rf "$W/out"
	build --platform "$PLATFORMS" -o "type=oci,tar=false,dest=$W/out,name=app" "$@" "$W/src" 2>"$W/err"
}

each_platform_passes() {
	smoke --smoke 'app && test "$GREETING $(id -u) $PWD" = "hello 1000 /work"'
	count=$(grep -c '^smoke test of linux/.* passed in' "$W/err")
	same "$count" "$(echo "$PLATFORMS" | tr , '\n' | wc -l)"
	tool verify "$W/out" app
}

what_fails_is_not_published() {
	exits 7 "$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform "$PLATFORMS" -t app:new -o "type=oci,tar=false,dest=$W/never,name=app" --smoke true \
		--smoke 'for i in $(seq 50); do echo line $i; done; app 3' "$W/src"
	says 'smoke test of linux/amd64: for i in' 'exit status 3' 'line 50' 'app on x86_64' 'nothing was published'
	grep -q 'line 30$' "$W/err" && fail "more than the last lines are shown"
	[ ! -e "$W/never" ] || fail "a result was written"
	"$XBUILD" images --root "$STORE" >images
	grep -q app images && fail "a tag was set"
	return 0
}

one_platform() {
	both_platforms
	smoke --smoke '[linux/arm64]test "$(uname -m)" = aarch64' --smoke '[linux/amd64]test "$(uname -m)" = x86_64'
	same "$(grep -c 'passed in' "$W/err")" 2
}

the_image_does_not_change() {
	smoke
	without=$(index_digest "$W/out")
	smoke --smoke 'echo more > /work/more && cat /work/more'
	same "$(index_digest "$W/out")" "$without"
	smoke --smoke 'test ! -e /work/more' --snapshots=copy
	same "$(index_digest "$W/out")" "$without"
	same "$(find "$STORE/snapshots" -mindepth 1 -maxdepth 1 -name '*.new' | wc -l)" 0
}

it_has_no_network() {
	smoke --smoke 'test "$(ip -o link | grep -vc "lo:")" = 0'
}

it_is_ended() {
	exits 7 smoke_run --smoke-timeout 1s --smoke 'echo begun; sleep 86398'
	says 'takes longer than --smoke-timeout' 'begun'
	# a process that keeps the output ends with the command
	smoke --smoke 'sleep 86398 & echo done'
	no_sleep || fail "a process is left"
	smoke_raw --smoke 'sleep 86398' 2>"$W/err" &
	xbuild=$!
	soon sleeps
	kill -TERM $xbuild
	status=0
	wait $xbuild || status=$?
	same "$status" 130
	soon no_sleep
	soon no_sleep
}
sleeps() { pgrep -xf 'sleep 86398' >/dev/null; }
no_sleep() { ! pgrep -xf 'sleep 86398' >/dev/null; }
smoke_run() { (smoke_raw "$@"); }
smoke_raw() { exec "$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" "$@" "$W/src"; }

bad_words() {
	exits 2 smoke_run --smoke '[linux/arm64 true'
	exits 2 smoke_run --smoke '[linux/s390x]true'
	says 'that platform is not built'
	exits 2 smoke_run --smoke ' '
	exits 2 smoke_run --smoke true --smoke-timeout soon
	exits 2 smoke_run --smoke healthcheck
}

t "each platform passes, as the image's user in its directory" each_platform_passes
t "what fails is not published" what_fails_is_not_published
t "a command for one platform" one_platform
t "the image does not change" the_image_does_not_change
t "there is no network" it_has_no_network
t "a command that does not end is ended" it_is_ended
t "bad words are told" bad_words
finish
