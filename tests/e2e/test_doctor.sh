#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What works on a machine is tried and told; what is taken away is named, and never waited for.
. "$(dirname "$0")/lib.sh"
need userns overlay jq

# doctor COMMAND...: its answer is $W/answer, its status $status
doctor() {
	status=0
	"$@" --format json >"$W/answer" || status=$?
	jq -e . "$W/answer" >/dev/null || fail "no answer, status $status"
}
condition() { jq -r --arg of "$1" '.machine[], .platforms[] | select((.name // .platform) == $of) | .condition' "$W/answer"; }
text() { jq -r --arg of "$1" '.machine[], .platforms[] | select((.name // .platform) == $of) | .text + " " + .hint' "$W/answer"; }
own() { jq -r '.platforms[0].platform' "$W/answer"; }

all_is_tried() {
	doctor "$XBUILD" doctor --root "$W/store"
	same "$status" 0
	same "$(jq -r .works "$W/answer")" true
	same "$(jq -r '[.machine[].name] | join(" ")' "$W/answer")" "kernel root store room walls limits"
	same "$(jq '.platforms | length' "$W/answer")" 15
	same "$(condition "$(own)")" ok
	# nothing is left in the store
	same "$(find "$W/store/snapshots" -mindepth 1 2>/dev/null | wc -l)" 0
	"$XBUILD" doctor --root "$W/store" >"$W/table"
	grep -q "^ok  *$(own)  *native: host is $(own); ran in [0-9]* ms\$" "$W/table"
}

each_emulator_runs_a_program() {
	has binfmt || skip "no emulators here" binfmt
	doctor "$XBUILD" doctor --root "$W/store"
	for platform in $(jq -r '.platforms[] | select(.text | startswith("emulated")) | .platform' "$W/answer"); do
		same "$(condition "$platform")" ok "$platform: $(text "$platform")"
	done
	[ "$(jq '[.platforms[] | select(.condition == "ok")] | length' "$W/answer")" -ge 8 ] || fail "few platforms work"
}

a_bad_emulator_is_named() {
	doctor "$XBUILD" doctor --root "$W/store" --emulator linux/s390x=/nowhere/qemu
	same "$status" 0
	same "$(condition linux/s390x)" refused
	text linux/s390x | grep -q /nowhere/qemu
	exits 2 "$XBUILD" doctor --emulator nonsense
	exits 2 "$XBUILD" doctor --format yaml
	exits 2 "$XBUILD" doctor here there
}

a_plain_user() {
	user_ready
	doctor as_user "$USER_HOME/bin/xbuild" doctor --root "$USER_HOME/store"
	same "$status" 0
	text root | grep -q "^user $(id -u xbtest) is root of a namespace of 6553[67] ids"
	same "$(condition "$(own)")" ok
}

without_subordinate_ids() {
	has root || skip "only root can become another user" root
	mkdir "$W/nobody" && chown 65534:65534 "$W/nobody" && chmod 755 "$W"
	cp "$XBUILD" "$W/xbuild-nobody"
	doctor setpriv --reuid=65534 --regid=65534 --clear-groups "$W/xbuild-nobody" doctor --root "$W/nobody/store"
	same "$status" 0
	same "$(condition root)" ok
	text root | grep -q "^user 65534 is root of a namespace of 1 ids; owners of files are recorded"
	same "$(condition "$(own)")" ok
}

# Taken away, in which row it shows, as what, and what is said: docs/platforms.md has the same table.
refusals() {
	cat <<-'EOF'
		unshare EPERM root refused making a mount namespace: Operation not permitted.*container needs
		mount EPERM root refused cutting the mounts off.*container needs
		fsopen ENOSYS store limited a copy of its parent's tree.*opening the overlay file system
		fsmount EPERM store limited a copy of its parent's tree.*mounting an overlay
		open_tree EPERM own refused binding /dev/null: Operation not permitted.*container needs leave
		move_mount EPERM own refused attaching a mount: Operation not permitted.*container needs leave
		mount_setattr ENOSYS own refused attributes of the mount.*needs Linux 5.12
		pivot_root EPERM own refused pivoting to the step's root.*container needs leave
		seccomp EPERM own refused loading the seccomp filter.*container needs leave
		landlock_create_ruleset ENOSYS walls limited seccomp alone.*CONFIG_SECURITY_LANDLOCK
		openat2 ENOSYS own refused mounting on /dev.*needs Linux
		close_range ENOSYS own refused closing descriptors.*needs Linux 5.12
		sethostname EPERM own refused setting the host name.*container needs leave
		setgroups EPERM own refused supplementary groups.*container needs leave
		capset EPERM own refused setting capabilities.*container needs leave
		umount2 EPERM own refused leaving the machine's root.*container needs leave
		memfd_create EPERM own refused making the memory file xbuild-init: Operation not permitted
		pidfd_open EPERM own refused starting a step
		clone3 ENOSYS own ok native
		mknodat EPERM own ok native
	EOF
}

what_is_taken_away_is_named() {
	has root || skip "only root takes calls away" root
	[ "$(uname -m)" = x86_64 ] || skip "the numbers of calls are those of x86_64" x86_64
	refusals >list
	while read -r call error row wanted pattern; do
		doctor python3 "$E2E/tools.py" deny "$call" "$error" "$XBUILD" doctor --root "$W/store"
		[ "$row" != own ] || row=$(own)
		same "$(condition "$row")" "$wanted" "$call $error: $(text "$row")"
		text "$row" | grep -q "$pattern" || fail "$call $error: $(text "$row")"
	done <list
	[ "$(wc -l <list)" -ge 12 ]
}

t "everything is tried, and nothing is left" all_is_tried
t "a program of each emulated platform runs" each_emulator_runs_a_program
t "a bad emulator, bad arguments" a_bad_emulator_is_named
t "a plain user" a_plain_user
t "a user without subordinate ids" without_subordinate_ids
t "what is taken away is named" what_is_taken_away_is_named
finish
