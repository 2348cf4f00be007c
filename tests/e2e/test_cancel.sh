#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stopped at any moment, a build leaves no mount, no process and no half result.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

dockerfile "$W/slow" <<'EOF'
FROM tiny
RUN echo first > /first
RUN echo half > /half; echo now-it-runs; sleep 86399.5; echo never
EOF

state() {
	find "$STORE/snapshots" "$STORE/ingest" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}
mounts() { grep -c . /proc/self/mountinfo; }
processes() { pgrep -f 'sleep 86399.5' | wc -l; }

stopped_by() { # SIGNAL STATUS PLATFORM
	printf 'FROM tiny\nRUN echo first > /first\n' >"$W/slow/First"
	build --platform "$3" -f "$W/slow/First" "$W/slow"
	snapshots=$(state) mounted=$(mounts)
	status=$(tool interrupt "$1" now-it-runs "$XBUILD" build --root "$STORE" --progress=plain \
		--build-context "tiny=oci-layout://$TINY:tiny" --platform "$3" \
		-o "type=oci,dest=$W/never,tar=false" "$W/slow")
	same "$status" "$2" "exit status after $1"
	sleep 0.3
	same "$(processes)" 0 "processes left after $1"
	same "$(mounts)" "$mounted" "mounts left after $1"
	[ ! -e "$W/never/index.json" ] || fail "a half result was written"
}

interrupted() {
	stopped_by SIGINT 130 linux/amd64
	same "$(state)" "$snapshots" "snapshots left"
}
terminated() {
	stopped_by SIGTERM 130 linux/amd64
	same "$(state)" "$snapshots" "snapshots left"
}
emulated() {
	both_platforms
	stopped_by SIGINT 130 linux/arm64
	same "$(state)" "$snapshots" "snapshots left"
}
killed() {
	stopped_by SIGKILL -9 linux/amd64
	# What a killed build left is taken away by the next that meets it.
	build --platform linux/amd64 -f "$W/slow/First" "$W/slow"
	[ -z "$(find "$STORE/ingest" -mindepth 1 2>/dev/null)" ] || fail "half-written blobs are left"
}
twice() {
	sed 's/sleep.*/true/' "$W/slow/Dockerfile" >"$W/slow/Quick"
	build --platform linux/amd64 -f "$W/slow/Quick" -o "type=local,dest=$W/after" "$W/slow"
	same "$(cat "$W/after/half")" half
}

t "Ctrl-C: exit 130, nothing left" interrupted
t "SIGTERM: the same" terminated
t "Ctrl-C in an emulated step" emulated
t "kill -9: no process, no mount; the store stays usable" killed
t "the next build works" twice
finish
