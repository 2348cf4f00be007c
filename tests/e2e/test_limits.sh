#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a step may use and do: --ulimit, --shm-size, --resource, --allow, RUN --security and --device.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

here() { build --platform linux/amd64 "$@"; }

# Groups of ours anywhere on the machine, but those of builders at work on another test's store.
groups() {
	find /sys/fs/cgroup -name 'xbuild-*' -type d 2>/dev/null | while read -r group; do
		builder=${group##*/xbuild-}
		words=$(tr '\0' ' ' 2>/dev/null <"/proc/${builder%%-*}/cmdline") || words=
		case $words in
		*"build "*"$W"* | "") ;;
		*"build "*) continue ;;
		esac
		[ ! -d "$group" ] || echo "$group"
	done
}

gone() { [ -z "$(groups)" ]; }

# The groups of the builder with this process id.
groups_of() { find /sys/fs/cgroup -name "xbuild-$1-*" -type d 2>/dev/null; }

need_groups() {
	dockerfile "$W/try" <<-'EOF'
		FROM tiny
		RUN true
	EOF
	here --resource pids=100 -o type=cacheonly "$W/try" >/dev/null 2>&1 || skip "no control group here" cgroup
}

process_limits() {
	dockerfile "$W/p" <<-'EOF'
		FROM tiny AS made
		RUN ulimit -n > /limits && ulimit -Hn >> /limits && ulimit -c >> /limits && \
			df -k /dev/shm | tail -1 | awk '{ print $2 }' >> /limits
		USER 1000:1000
		RUN test "$(ulimit -n)" -lt 200 || test "$(ulimit -Hn)" != 456
		FROM scratch
		COPY --from=made /limits /
	EOF
	here --ulimit nofile=123:456 --ulimit core=0 --shm-size 128m -o "type=local,dest=$W/p.out" "$W/p" 2>"$W/err"
	same "$(paste -sd' ' "$W/p.out/limits")" "123 456 0 131072"
	here --ulimit nofile=100 --ulimit core=0 --ulimit nofile=123:456 --shm-size 134217728 -o type=cacheonly "$W/p" \
		2>"$W/err"
	says "0 steps run"
	here --ulimit nofile=124:456 -o type=cacheonly "$W/p" 2>"$W/err"
	grep -q '^3 steps run\|^[1-9] steps run' "$W/err" || fail "other limits, and nothing ran"
	here --shm-size 64k -o "type=local,dest=$W/p.small" "$W/p" 2>"$W/err"
	same "$(tail -1 "$W/p.small/limits")" 64
}

bad_options() {
	for bad in "--ulimit nofile" "--ulimit as=1" "--ulimit nofile=2:1" "--ulimit nofile=1:99999999999999" "--shm-size x" \
		"--shm-size -1" "--resource memory" "--resource memory=0" "--resource bogus=1" "--resource memory-swap=1g" \
		"--resource cpuset-cpus=b" "--allow everything" "--allow device=" "--allow device=a,b"; do
		# shellcheck disable=SC2086
		exits 2 here $bad -o type=cacheonly "$W/p"
		says "${bad% *}" hint:
	done
}

memory() {
	need_groups
	dockerfile "$W/m" <<-'EOF'
		FROM tiny
		RUN x=0123456789; while :; do x=$x$x; done
	EOF
	exits 4 here --resource memory=50m -o type=cacheonly "$W/m"
	says "Dockerfile:2:1: killed: out of memory (limit 50M)"
	dockerfile "$W/m" <<-'EOF'
		FROM tiny
		RUN (x=0123456789; while :; do x=$x$x; done); echo went on; exit 3
	EOF
	exits 4 here --resource memory=1024k --resource memory=50M -o type=cacheonly "$W/m"
	says "exit status 3; a process of it was killed: out of memory (limit 50M)" "went on"
	[ -z "$(groups)" ] || fail "left: $(groups)"
}

fork_bomb() {
	need_groups
	dockerfile "$W/f" <<-'EOF'
		FROM tiny
		RUN f() { f & f & wait; }; f; exit 9
	EOF
	exits 4 timeout 600 "$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/amd64 --resource pids=40 -o type=cacheonly "$W/f"
	says "exit status 9; it came to its limit of 40 processes"
	[ -z "$(groups)" ] || fail "left: $(groups)"
}

# A step that waits; $BUILDER is its builder and $GROUP a directory of its group.
waiting_step() {
	dockerfile "$W/w" <<-EOF
		FROM tiny
		RUN echo $(date +%s%N) && sleep 300
	EOF
	: >"$W/err"
	here "$@" -o type=cacheonly "$W/w" 2>>"$W/err" &
	soon grep -q "^#[0-9]* [0-9.]* [0-9]\{19\}" "$W/err"
	BUILDER=$(pgrep -f -- "^$XBUILD build --root $STORE .*$W/w\$")
	GROUP=$(groups_of "$BUILDER" | head -1)
	[ -n "$GROUP" ] || fail "the step has no group"
}

from_outside() {
	need_groups
	waiting_step --resource cpu-quota=50000 --resource cpu-shares=512 --resource memory=99m --resource pids=77
	seen=$(for group in $(groups_of "$BUILDER"); do
		cat "$group/cpu.max" "$group/cpu.cfs_quota_us" "$group/memory.max" "$group/memory.limit_in_bytes" \
			"$group/pids.max" 2>/dev/null || :
	done | sort | paste -sd' ')
	case $seen in
	"103809024 50000 77" | "103809024 50000 100000 77") ;;
	*) fail "the groups say $seen" ;;
	esac
	grep -q sleep "/proc/$(head -1 "$GROUP/cgroup.procs")/cmdline" || fail "the step is not in its group"
	kill -TERM "$BUILDER"
	wait || :
	[ -z "$(groups)" ] || fail "left: $(groups)"
}

killed_builder() {
	need_groups
	waiting_step --resource pids=77
	kill -KILL "$BUILDER"
	wait || :
	soon gone
}

# Nobody is left to remove the group: the next build with limits does.
killed_builder_and_init() {
	need_groups
	waiting_step --resource pids=77
	init=$(pgrep -P "$BUILDER" | head -1)
	kill -STOP "$BUILDER"
	kill -KILL "$init"
	kill -KILL "$BUILDER"
	wait || :
	soon sh -c "test -z \"\$(cat '$GROUP/cgroup.procs')\""
	here --resource pids=100 -o type=cacheonly "$W/try"
	[ -z "$(groups)" ] || fail "left: $(groups)"
}

# Limits of the machine's use are no part of a key.
resource_keys() {
	need_groups
	here --no-cache -o type=cacheonly "$W/try" 2>"$W/err"
	here --resource memory=1g -o type=cacheonly "$W/try" 2>"$W/err"
	says "0 steps run"
}

parent_group() {
	has root || skip "groups below the root are root's" root
	need_groups
	waiting_step --cgroup-parent /xb-e2e/below --resource pids=9
	case $GROUP in
	*/xb-e2e/below/xbuild-*) ;;
	*) fail "not below its parent: $GROUP" ;;
	esac
	kill -TERM "$BUILDER"
	wait || :
	[ -z "$(find /sys/fs/cgroup -name xb-e2e -type d)" ] || fail "the parent is left"
}

no_group() {
	has root || skip "only root can take the groups away" root
	dockerfile "$W/n" <<-'EOF'
		FROM tiny
		RUN true
	EOF
	# shellcheck disable=SC2016
	exits 5 unshare -m sh -c 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"' sh "$XBUILD" build --root "$STORE" \
		--build-context "tiny=oci-layout://$TINY:tiny" --resource memory=1g -o type=cacheonly "$W/n"
	says "no control group" "systemd-run --user --scope"
	grep -q "steps run" "$W/err" && fail "it was built without its limits"
	return 0
}

user_group() {
	user_ready
	mkdir -p "$W/user/c"
	cp -r "$TINY" "$W/user/tiny"
	printf 'FROM tiny\nRUN true\n' >"$W/user/c/Dockerfile"
	chown -R xbtest: "$W/user"
	exits 5 as_user "$USER_HOME/bin/xbuild" build --build-context "tiny=oci-layout://$W/user/tiny:tiny" \
		--resource pids=100 -o type=cacheonly "$W/user/c"
	says "no control group can be made" "Delegate=yes"
	# as systemd gives them: a group of the user's own
	for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
		[ -e "$group/cgroup.procs" ] && mkdir "$group/xb-user" 2>/dev/null || continue
		for set in cpuset.cpus cpuset.mems; do
			[ ! -e "$group/$set" ] || cat "$group/$set" >"$group/xb-user/$set"
		done
		chown -R xbtest: "$group/xb-user"
	done
	built=0
	as_user "$USER_HOME/bin/xbuild" build --build-context "tiny=oci-layout://$W/user/tiny:tiny" \
		--cgroup-parent xb-user --resource pids=100 -o type=cacheonly "$W/user/c" 2>"$W/err" || built=$?
	find /sys/fs/cgroup -depth -path '*/xb-user*' -type d -exec rmdir {} +
	cat "$W/err"
	[ "$built" = 0 ] || skip "no group for a plain user: $(grep error: "$W/err")" cgroup
	says "1 steps run"
}

insecure() {
	dockerfile "$W/i" <<-'EOF'
		FROM tiny
		RUN mkdir /mnt
		RUN --security=insecure mount -t tmpfs none /mnt && echo x > /mnt/x && umount /mnt
		RUN --security=insecure grep -q '^Seccomp:.*0$' /proc/self/status && test -r /proc/timer_list -o ! -e /proc/timer_list
		USER 1000
		RUN --security=insecure grep '^Cap[EA]' /proc/self/status | sort -u -k2 | wc -l | grep -q '^1$'
		RUN --security=sandbox ! mount -t tmpfs none /mnt && grep -q '^CapBnd.*00000000a80425fb' /proc/self/status
	EOF
	exits 3 here -o type=cacheonly "$W/i"
	says "Dockerfile:3:5: the build has not been allowed security.insecure" "hint: add --allow security.insecure"
	exits 3 here --allow network.host --allow device -o type=cacheonly "$W/i"
	here --allow network.host --allow security.insecure -o "type=oci,dest=$W/i.out,tar=false" "$W/i"
	dockerfile "$W/i" <<-'EOF'
		FROM tiny
		RUN --security=none true
	EOF
	exits 3 here --allow security.insecure -o type=cacheonly "$W/i"
	says 'Dockerfile:2:5: invalid value of --security: "none"'
	says "hint: give sandbox or insecure"
}

# The words are no part of the image, and what insecure steps mount leaves nothing behind.
insecure_is_clean() {
	dockerfile "$W/ic" <<-'EOF'
		FROM tiny AS a
		RUN --security=insecure mkdir /d && mount -t tmpfs none /d && echo > /d/x
		FROM scratch
		COPY --from=a /d /d/
	EOF
	before=$(cat /proc/self/mountinfo)
	here --allow security.insecure -o "type=local,dest=$W/ic.out" "$W/ic"
	same "$(cat /proc/self/mountinfo)" "$before" "the machine's mounts"
	same "$(find "$W/ic.out" | wc -l)" 2 "files of the result"
}

insecure_emulated() {
	both_platforms
	dockerfile "$W/ie" <<-'EOF'
		FROM tiny
		RUN mkdir /mnt && test "$(uname -m)" = aarch64
		RUN --security=insecure mount -t tmpfs none /mnt && ulimit -n && test "$(ulimit -Hn)" = 222
		USER 5
		RUN --security=insecure mount -t tmpfs none /mnt
	EOF
	build --platform linux/arm64 --allow security.insecure --ulimit nofile=111:222 -o type=cacheonly "$W/ie"
}

user_insecure() {
	user_ready
	mkdir -p "$W/user/i"
	cp -r "$TINY" "$W/user/tiny2"
	printf 'FROM tiny\nRUN --security=insecure mkdir /mnt && mount -t tmpfs none /mnt && umount /mnt\n' >"$W/user/i/Dockerfile"
	chown -R xbtest: "$W/user"
	as_user "$USER_HOME/bin/xbuild" build --allow security.insecure --build-context \
		"tiny=oci-layout://$W/user/tiny2:tiny" -o type=cacheonly "$W/user/i"
}

# What a foreign base brings is asked for as if the user had written it.
triggers() {
	dockerfile "$W/tb" <<-'EOF'
		FROM tiny
		ONBUILD RUN --security=insecure true
	EOF
	here -o "type=oci,dest=$W/tb.out,tar=false,name=base" "$W/tb"
	dockerfile "$W/t" <<-'EOF'
		FROM hostile
		RUN true
	EOF
	exits 3 here --build-context "hostile=oci-layout://$W/tb.out" -o type=cacheonly "$W/t"
	says "ONBUILD of hostile:1:5: the build has not been allowed security.insecure"
	here --build-context "hostile=oci-layout://$W/tb.out" --allow security.insecure -o type=cacheonly "$W/t"
	sed -i s/insecure/insecure\ --device=x.org\\/y,required/ "$W/tb/Dockerfile"
	here -o "type=oci,dest=$W/tb2.out,tar=false,name=base" "$W/tb"
	exits 3 here --build-context "hostile=oci-layout://$W/tb2.out" --allow security.insecure -o type=cacheonly "$W/t"
	says "ONBUILD of hostile:1:" "the required device x.org/y is not on this machine"
}

# build with $W/cdi as the machine's /run/cdi
with_devices() {
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/cdi && cp "$1"/* /run/cdi && shift && exec "$@"' sh \
		"$W/cdi" "$XBUILD" build --root "$STORE" --progress=plain --platform linux/amd64 \
		--build-context "tiny=oci-layout://$TINY:tiny" "$@"
}

devices() {
	has root || skip "only root can describe devices" root
	mkdir -p "$W/cdi" "$W/shown"
	echo shown >"$W/shown/file"
	cat >"$W/cdi/v.json" <<-EOF
		{"cdiVersion": "0.6.0", "kind": "v.com/d", "devices": [
		 {"name": "a", "containerEdits": {"env": ["DEVICE=a"], "additionalGids": [77],
		  "deviceNodes": [{"path": "/dev/sub/nothing", "hostPath": "/dev/null"}],
		  "mounts": [{"hostPath": "$W/shown", "containerPath": "/shown", "options": ["ro"]}],
		  "hooks": [{"hookName": "createContainer", "path": "/bin/no"}]}},
		 {"name": "b", "annotations": {"org.mobyproject.buildkit.device.autoallow": "true"},
		  "containerEdits": {"env": ["DEVICE=b"]}}]}
	EOF
	dockerfile "$W/d" <<-'EOF'
		FROM tiny AS made
		RUN --device=v.com/d=a test "$DEVICE" = a && echo x > /dev/sub/nothing && test -c /dev/sub/nothing && \
			cp /shown/file /file && ! touch /shown/x && id -G | grep -qw 77
		RUN --device=v.com/d=b --device=not.there/x test "$DEVICE" = b
		RUN test -z "$DEVICE" && ! test -e /dev/sub
		FROM scratch
		COPY --from=made /file /
	EOF
	exits 3 with_devices -o type=cacheonly "$W/d"
	says "Dockerfile:2:5: the device v.com/d=a is not allowed" "add --allow device=v.com/d=a"
	exits 3 with_devices --allow device=v.com/d=b -o type=cacheonly "$W/d"
	for allow in device device=v.com/d device=v.com/d=a; do
		with_devices --no-cache --allow "$allow" -o "type=local,dest=$W/d.out" "$W/d" 2>"$W/err"
		same "$(cat "$W/d.out/file")" shown
	done
	cat "$W/err"
	says "the createContainer hook /bin/no of the device v.com/d=a is not run"
	# shellcheck disable=SC2016
	printf 'FROM tiny\nRUN --device=mine test "$DEVICE" = a\n' >"$W/d/Dockerfile"
	with_devices --allow device=v.com/d=a,alias=mine -o type=cacheonly "$W/d"
	printf 'FROM tiny\nRUN --device=name=v.com/d=c,required true\n' >"$W/d/Dockerfile"
	exits 3 with_devices --allow device -o type=cacheonly "$W/d"
	says "Dockerfile:2:5: the required device v.com/d=c is not on this machine"
	printf 'FROM tiny\nRUN --device=v.com/d,wanted true\n' >"$W/d/Dockerfile"
	exits 3 with_devices --allow device -o type=cacheonly "$W/d"
	says "Dockerfile:2:5: --device=v.com/d,wanted"
}

# One line for each range: the answer and the range.
one_by_one() { awk '{ for (i = 2; i <= NF; i++) print $1, $i }' | sort; }

# Each system call, in each way to make it, as the kernel answers it in a step.
calls() {
	case $(uname -m) in
	x86_64) ;;
	*) skip "the list of calls is that of amd64" x86_64 ;;
	esac
	mkdir -p "$W/calls"
	cc -O2 -static -o "$W/calls/calls" "$E2E/calls.c" || skip "no static programs here" tools
	"$W/calls/calls" native >/dev/null || skip "the kernel has no seccomp listeners" seccomp
	dockerfile "$W/calls" <<-'EOF'
		FROM tiny AS made
		COPY calls /
		RUN for abi in native i386 x32; do /calls $abi > /$abi; done; /calls type > /typed < /dev/null
		FROM scratch
		COPY --from=made /native /i386 /x32 /typed /
	EOF
	here -o "type=local,dest=$W/calls.out" "$W/calls"
	for abi in native i386 x32; do
		sed -n "s/^$abi //p" "$E2E/calls.txt" | one_by_one >"$W/wanted"
		one_by_one <"$W/calls.out/$abi" >"$W/got"
		diff "$W/wanted" "$W/got" || fail "other answers than the profile's: $abi"
	done
	same "$(cat "$W/calls.out/typed")" EPERM
}

# The emulator is a program of the machine and makes its calls under the same filter.
emulated_calls() {
	both_platforms
	cross=aarch64-linux-gnu-gcc
	has $cross || skip "no compiler for arm64 here" tools
	mkdir -p "$W/emulated"
	$cross -static -o "$W/emulated/calls" "$E2E/calls.c" || skip "no static programs for arm64 here" tools
	dockerfile "$W/emulated" <<-'EOF'
		FROM tiny AS made
		COPY calls /
		RUN /calls type > /said < /dev/null && ! unshare -r true 2>> /said && ! mount -t tmpfs none /bin 2>> /said && \
			grep '^Seccomp:' /proc/self/status >> /said
		FROM scratch
		COPY --from=made /said /
	EOF
	build --platform linux/arm64 -o "type=local,dest=$W/emulated.out" "$W/emulated"
	cat "$W/emulated.out/said"
	same "$(head -1 "$W/emulated.out/said")" EPERM
	same "$(grep -ci "permi" "$W/emulated.out/said")" 2
}

t "process limits and /dev/shm are as asked for, and part of the key" process_limits
t "options that are wrong" bad_options
t "a step that wants too much memory ends with the reason" memory
t "a fork bomb ends with the reason" fork_bomb
t "the machine sees the limits, and afterwards no group" from_outside
t "a killed builder leaves no group" killed_builder
t "what builder and xbuild-init left, both killed, the next build removes" killed_builder_and_init
t "limits of the machine's use are no part of a key" resource_keys
t "--cgroup-parent" parent_group
t "no group to be had: nothing is built, and the error says what helps" no_group
t "a plain user, without a group and with one" user_group
t "RUN --security=insecure, refused and allowed" insecure
t "an insecure step leaves nothing" insecure_is_clean
t "RUN --security=insecure under an emulator" insecure_emulated
t "RUN --security=insecure of a plain user" user_insecure
t "ONBUILD of a base obeys the same rules" triggers
t "RUN --device" devices
t "every system call is answered as the profile says" calls
t "an emulator is under the same filter" emulated_calls
finish
