#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Stopped at any moment, a build leaves no mount, no process and no half result.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

# what the steps of this run wait with, and of no other
NAP=86399.$$
dockerfile "$W/slow" <<EOF
FROM tiny
RUN echo first > /first
RUN echo half > /half; echo now-it-runs; sleep $NAP; echo never
EOF

state() {
	find "$STORE/snapshots" "$STORE/ingest" -mindepth 1 -maxdepth 1 2>/dev/null | wc -l
}
mounts() { grep -c . /proc/self/mountinfo; }
no_process() { ! pgrep -f "sleep $NAP" >/dev/null; }
unmounted() { [ "$(mounts)" = "$mounted" ]; }

stopped_by() { # SIGNAL STATUS PLATFORM
	printf 'FROM tiny\nRUN echo first > /first\n' >"$W/slow/First"
	build --platform "$3" -f "$W/slow/First" "$W/slow"
	snapshots=$(state) mounted=$(mounts)
	status=$(tool interrupt "$1" now-it-runs "$XBUILD" build --root "$STORE" --progress=plain \
		--build-context "tiny=oci-layout://$TINY:tiny" --platform "$3" \
		-o "type=oci,dest=$W/never,tar=false" "$W/slow")
	same "$status" "$2" "exit status after $1"
	soon no_process
	soon unmounted
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

storm_files() { # DIR
	dockerfile "$1" <<-EOF
		FROM tiny AS made
		ARG N
		RUN echo \$N > /1; seq 1 20000 > /seq; sleep 0.2
		COPY data /data
		RUN mkdir /d && cp /seq /d/seq && (sleep $NAP & ) ; true
		COPY data Dockerfile /d/
		RUN sleep 0.2; rm /1; echo 3 > /3
		COPY --chown=3:4 Dockerfile /other
		FROM tiny
		ARG N
		RUN echo \$N > /last; sleep 0.3
		COPY --from=made /d /d
		RUN cat /d/seq /last > /all
		COPY --from=made / /made
		RUN rm -rf /made/bin
		COPY Dockerfile /
	EOF
	head -c 3000000 /dev/urandom >"$1/data"
	chmod -R a+rX "$1"
}

storm() { # STORE OUT COMMAND...: random moments, then the digest that an undisturbed store gives
	stormed=$1 result=$2
	shift 2
	SEED=${XB_STORM_SEED:-$(date +%N | sed 's/^0*//')}
	echo "seed $SEED"
	set -- "$@" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" --platform "$PLATFORMS" \
		--build-arg N=ROUND -o "type=oci,dest=$result,tar=false" "$W/storm"
	unshare -m --propagation private python3 "$E2E/storm.py" "${XB_STORM:-12}" "$SEED" "$stormed" "$@"
	soon no_process
}

digest_after() { # STORE
	build --root "$1" --platform "$PLATFORMS" --build-arg N=0 -o "type=oci,dest=$1.out,tar=false" "$W/storm"
	index_digest "$1.out"
}

root_storm() {
	has root || skip "mount namespaces without a user namespace need root" root
	storm_files "$W/storm"
	storm "$W/stormed" "$W/storm.out" "$XBUILD" build --root "$W/stormed"
	same "$(digest_after "$W/stormed")" "$(digest_after "$W/calm")" "digest after the storm"
}

user_storm() {
	user_ready
	storm_files "$W/storm"
	chmod a+rx "$W"
	printf '#!/bin/sh\nexec setpriv --reuid=xbtest --regid=%s --clear-groups env -i PATH="%s" HOME="%s" \\\n' \
		"$(id -g xbtest)" "$PATH" "$USER_HOME" >"$W/as-user"
	printf 'SOURCE_DATE_EPOCH=%s "%s/bin/xbuild" "$@"\n' "$SOURCE_DATE_EPOCH" "$USER_HOME" >>"$W/as-user"
	chmod 755 "$W/as-user"
	storm "$USER_HOME/stormed" "$USER_HOME/storm.out" "$W/as-user" build --root "$USER_HOME/stormed"
}

# Ctrl-C at a shell on a terminal stops what runs in the shell, not the shell.
on_a_terminal() {
	status=$(tool terminal '# =echo $((40+2)); sleep 600,42=^C,# =exit 7' "$XBUILD" run --root "$STORE" "oci:$TINY:tiny" sh)
	same "$status" 7 "exit status"
}

# Minutes of compressing, of which a block of zstd or a piece of gzip is the most that is waited for.
while_packing() {
	dockerfile "$W/pack" <<-'EOF'
		FROM scratch
		COPY data /
	EOF
	seq 1 30000000 >"$W/pack/data"
	fresh
	for form in zstd,compression-level=19 gzip,compression-level=12; do
		status=$(tool interrupt SIGINT PACKING "$XBUILD" build --root "$STORE" --progress=plain \
			-o "type=oci,dest=$W/packed,compression=$form" "$W/pack" 2>"$W/took")
		same "$status" 130 "exit status"
		cat "$W/took"
		# all of it takes minutes
		[ "$(sed -n 's/^took \([0-9]*\) ms.*/\1/p' "$W/took")" -lt 20000 ] || fail "it went on packing"
		[ ! -e "$W/packed" ] || fail "an output was written"
	done
	echo small >"$W/pack/data"
	build -o "type=oci,dest=$W/packed,compression=zstd" "$W/pack"
	[ -z "$(find "$STORE/ingest" -mindepth 1 2>/dev/null)" ] || fail "half-written blobs are left"
}

while_writing() {
	dockerfile "$W/write" <<-'EOF'
		FROM scratch
		COPY data /
	EOF
	seq 1 40000000 >"$W/write/data"
	fresh
	build -o type=cacheonly "$W/write"
	for out in type=tar,dest=$W/written "type=tar,dest=$W/written -o type=local,dest=$W/written.d"; do
		# shellcheck disable=SC2086 # several words
		status=$(tool interrupt SIGINT CACHED "$XBUILD" build --root "$STORE" --progress=plain \
			-o $out "$W/write")
		same "$status" 130 "exit status"
		[ -z "$(find "$W" -maxdepth 1 -name 'written*' -type f)" ] || fail "an output was written"
	done
}

# A named pipe that nobody reads is waited for: by outputs, and by files that tell of them.
while_nobody_reads() {
	dockerfile "$W/piped" <<-'EOF'
		FROM scratch
		COPY Dockerfile /
	EOF
	mkfifo "$W/pipe"
	for out in "-o type=tar,dest=$W/pipe" "-o type=oci,dest=$W/pipe" "-o type=oci,dest=$W/pipe.tar --metadata-file $W/pipe" \
		"-o type=oci,dest=$W/pipe.tar --iidfile $W/pipe"; do
		# shellcheck disable=SC2086 # several words
		"$XBUILD" build --root "$STORE" -q --platform linux/amd64 $out "$W/piped" &
		gives_up $! "$out"
		[ -p "$W/pipe" ] || fail "the pipe is gone"
	done
}

t "Ctrl-C: exit 130, nothing left" interrupted
t "Ctrl-C within xbuild run on a terminal is the program's" on_a_terminal
t "SIGTERM: the same" terminated
t "Ctrl-C in an emulated step" emulated
t "Ctrl-C while a layer is packed" while_packing
t "Ctrl-C while an output is written" while_writing
t "Ctrl-C while nobody reads a pipe" while_nobody_reads
t "kill -9: no process, no mount; the store stays usable" killed
t "the next build works" twice
t "stopped at random moments" root_storm
t "stopped at random moments, a plain user" user_storm
finish
