#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Whole builds in seconds: a Dockerfile with most instructions, for two platforms, on a busybox base.
# Also run with the program under AddressSanitizer.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

dockerfile "$W/sink" <<'EOF'
# Most of what a Dockerfile can say
ARG BASE=tiny
ARG GREETING="from outside"

FROM --platform=$BUILDPLATFORM tiny AS native
RUN cat /proc/sys/kernel/random/uuid > /id; uname -m > /machine

FROM tiny AS never
RUN echo "a stage that nothing needs" && exit 1

FROM ${BASE} AS work
ARG GREETING
ARG TARGETPLATFORM TARGETOS TARGETARCH BUILDPLATFORM
ENV A=1 B="two words" \
    C=$A-3
RUN echo "$GREETING|$TARGETPLATFORM|$TARGETOS|$TARGETARCH|$A|$B|$C" > /said && uname -m > /machine
RUN ["/bin/sh", "-c", "echo exec form > /exec"]
SHELL ["/bin/sh", "-ec"]
RUN echo strict > /strict; test -s /strict
WORKDIR /srv/app
COPY one.txt two.txt ./
COPY --chown=1000:50 --chmod=640 *.txt /owned/
COPY --chown=app:staff dir /srv/dir
COPY --from=native /machine /id /built/
ADD tree.tar.gz /added/
RUN mkdir deep && ln one.txt deep/hard && ln -s ../one.txt deep/soft && mkfifo deep/fifo \
 && chmod 4755 two.txt && chown 7:8 deep && rm -rf /srv/dir/gone && touch -d @1500000000 deep/old
USER app:staff
RUN id > /tmp/id && test "$(pwd)" = /srv/app

FROM tiny
ARG VERSION=1
COPY --from=work / /
ENV PATH=/opt/bin:$PATH MODE=run
LABEL version=$VERSION "with space"="a \"quoted\" value"
EXPOSE 80 53/udp
VOLUME ["/data", "/cache"]
WORKDIR /srv
WORKDIR app
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=5s --timeout=2s --retries=4 CMD test -f /said
USER 1000
ENTRYPOINT ["/bin/sh", "-c"]
CMD ["cat /machine"]
EOF
cd "$W/sink" || exit 1
echo one >one.txt
echo two >two.txt
echo secret >three.txt
mkdir -p dir/gone dir/kept dir/node_modules
echo x >dir/gone/file
echo y >dir/kept/file
echo z >dir/node_modules/file
printf '%s\n' 'three.txt' '**/node_modules' >.dockerignore
mkdir -p unpacked/sub
echo added >unpacked/sub/file
tar -C unpacked -czf tree.tar.gz sub
rm -rf unpacked
chmod 600 two.txt
cd "$W" || exit 1

two_platforms() {
	build --platform "$PLATFORMS" -o "type=oci,dest=$W/out,tar=false,name=sink" "$W/sink"
	tool verify "$W/out" sink >"$W/platforms"
	same "$(sort "$W/platforms" | paste -sd, -)" "$PLATFORMS" "the platforms of the index"
}

unpack() { # LAYOUT TAG ARCH DIR: by other people's tools
	skopeo copy -q --insecure-policy --override-arch "$3" "oci:$1:$2" "oci:$4.one:x"
	umoci unpack --image "$4.one:x" "$4" >/dev/null 2>&1
}

result() {
	has skopeo && has umoci || skip "skopeo and umoci are not installed" tools
	has root || skip "only root unpacks owners" root
	for arch in $(echo "$PLATFORMS" | sed 's/linux\///g; s/,/ /g'); do
		root=$W/unpacked-$arch/rootfs
		unpack "$W/out" sink "$arch" "$W/unpacked-$arch"
		machine=x86_64
		[ "$arch" = amd64 ] || machine=aarch64
		same "$(cat "$root/machine")" $machine "the machine that steps for $arch saw"
		same "$(cat "$root/said")" "from outside|linux/$arch|linux|$arch|1|two words|-3"
		same "$(cat "$root/built/machine")" "$(uname -m)" "the machine of a BUILDPLATFORM stage"
		same "$(cat "$root/exec")" "exec form"
		same "$(cat "$root/tmp/id")" "uid=1000(app) gid=50(staff) groups=50(staff)"
		same "$(stat -c '%u:%g %a' "$root/owned/one.txt" "$root/srv/app/two.txt" "$root/srv/app/deep" \
			"$root/srv/dir/kept/file" | paste -sd' ' -)" "1000:50 640 0:0 4755 7:8 755 1000:50 644"
		same "$(stat -c %i "$root/srv/app/one.txt")" "$(stat -c %i "$root/srv/app/deep/hard")" "hard link"
		same "$(readlink "$root/srv/app/deep/soft")" ../one.txt
		[ -p "$root/srv/app/deep/fifo" ] || fail "the FIFO is gone"
		same "$(stat -c %Y "$root/srv/app/deep/old")" 1500000000 "an old time"
		same "$(cat "$root/added/sub/file")" added
		for absent in owned/three.txt srv/dir/gone srv/dir/node_modules proc/version etc/resolv.conf; do
			[ ! -e "$root/$absent" ] || fail "$absent is in the image for $arch"
		done
		[ "$(find "$root" -newermt "@$((SOURCE_DATE_EPOCH + 1))" | wc -l)" = 0 ] || fail "times are not clamped"
	done
}

stage_once() {
	both_platforms
	has root || skip "needs the unpacked images" root
	same "$(cat "$W/unpacked-amd64/rootfs/built/id")" "$(cat "$W/unpacked-arm64/rootfs/built/id")" \
		"a stage on BUILDPLATFORM ran more than once"
}

config() {
	has skopeo || skip "skopeo is not installed" tools
	skopeo inspect --insecure-policy --config --raw --override-arch amd64 "oci:$W/out:sink" >"$W/config.json"
	cat "$W/config.json"
	for test in \
		'.config.Env == ["PATH=/opt/bin:/usr/local/bin:/usr/bin:/bin", "TINY=yes", "MODE=run"]' \
		'.config.Labels == {"version": "1", "with space": "a \"quoted\" value"}' \
		'.config.ExposedPorts | keys == ["53/udp", "80/tcp"]' \
		'.config.Volumes | keys == ["/cache", "/data"]' \
		'.config.WorkingDir == "/srv/app"' \
		'.config.StopSignal == "SIGQUIT"' \
		'.config.User == "1000"' \
		'.config.Entrypoint == ["/bin/sh", "-c"]' \
		'.config.Cmd == ["cat /machine"]' \
		'.config.Healthcheck.Test == ["CMD-SHELL", "test -f /said"]' \
		'.config.Healthcheck.Retries == 4' \
		'.config.Healthcheck.Interval == 5000000000' \
		'.os == "linux" and .architecture == "amd64"' \
		'.created == "2023-11-14T22:13:20Z"'; do
		jq -e "$test" "$W/config.json" >/dev/null || fail "config: $test"
	done
}

again() {
	before=$(index_digest "$W/out")
	build --platform "$PLATFORMS" -o "type=oci,dest=$W/again,tar=false,name=sink" "$W/sink"
	# The image holds a random number that one of its steps drew.
	same "$(index_digest "$W/again")" "$before" "a second build ran its steps again"
}

afresh() {
	dockerfile "$W/pure" <<-'EOF'
		FROM tiny
		RUN for i in $(seq 300); do echo $i > /f$i; done; date > /dev/null; mkdir -p /x/y; touch /x/y/z
		COPY --chmod=755 one.txt /usr/local/bin/one
		RUN rm -rf /tmp /bin/xargs; rm /f7; mkdir /tmp; echo new > /f8
	EOF
	echo one >"$W/pure/one.txt"
	for i in 1 2; do
		fresh
		touch "$W/pure/one.txt"
		build --platform "$PLATFORMS" -o "type=oci,dest=$W/pure.$i,tar=false,name=pure" "$W/pure"
	done
	same "$(index_digest "$W/pure.1")" "$(index_digest "$W/pure.2")" "two builds from empty stores"
}

run_it() {
	"$XBUILD" run --root "$STORE" --platform linux/amd64 "oci:$W/out:sink" >"$W/said"
	same "$(cat "$W/said")" x86_64
	[ "$PLATFORMS" = linux/amd64 ] && return
	"$XBUILD" run --root "$STORE" --platform linux/arm64 "oci:$W/out:sink" >"$W/said"
	same "$(cat "$W/said")" aarch64
}

standard_output() {
	build -q --platform linux/amd64 -o "type=oci,dest=$W/quiet,tar=false" "$W/pure" >"$W/stdout"
	grep -qxE 'sha256:[0-9a-f]{64}' "$W/stdout" || fail "standard output is not the digest: $(cat "$W/stdout")"
	same "$(cat "$W/stdout")" "$(index_digest "$W/quiet")"
}

plan() {
	"$XBUILD" plan --root "$STORE" --build-context "tiny=oci-layout://$TINY:tiny" --platform "$PLATFORMS" \
		--format json "$W/sink" >"$W/plan.json"
	jq -e . "$W/plan.json" >/dev/null
	! grep -q 'nothing needs' "$W/plan.json" || fail "the plan has a stage that nothing needs"
	"$XBUILD" plan --root "$STORE" --build-context "tiny=oci-layout://$TINY:tiny" --platform "$PLATFORMS" \
		"$W/sink" >"$W/plan.txt"
	cat "$W/plan.txt"
	[ "$PLATFORMS" = linux/amd64 ] || grep -qi emulated "$W/plan.txt" || fail "no step is emulated"
}

hidden() {
	dockerfile "$W/leak" <<-'EOF'
		FROM tiny
		RUN test ! -e /proc/sys/fs/binfmt_misc/register
		RUN ls /proc/self/fd && test "$(ls /proc/self/fd | wc -l)" -le 4
		RUN test -c /dev/null && echo x > /dev/null && test -s /etc/resolv.conf && test "$(id -u)" = 0
		RUN ! cat /proc/kcore > /dev/null 2>&1 && test "$(cat /proc/1/comm)" != systemd
	EOF
	build --platform "$PLATFORMS" -o "type=local,dest=$W/leaked" "$W/leak"
	[ ! -e "$W/leaked/proc/version" ] && [ ! -e "$W/leaked/etc/resolv.conf" ] || fail "a mount point has content"
}

binfmt_state >"$W/binfmt.before"
grep -c . /proc/self/mountinfo >"$W/mounts.before"
t "one Dockerfile, an index with an image for each platform" two_platforms
t "trees hold what the instructions say" result
t "a stage on BUILDPLATFORM runs once" stage_once
t "the config holds what the instructions say" config
t "a second identical build runs no step" again
t "two builds from empty stores give the same index" afresh
t "xbuild run prints each platform's machine" run_it
t "standard output is the digest alone" standard_output
t "the plan says what runs where" plan
t "a step sees its own /proc, /dev and descriptors" hidden

unchanged() {
	binfmt_state | cmp - "$W/binfmt.before"
	same "$(grep -c . /proc/self/mountinfo)" "$(cat "$W/mounts.before")" "mounts"
}
t "the machine's binfmt_misc and mounts are as before" unchanged
finish
