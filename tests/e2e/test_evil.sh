#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds on hostile images, as root and as a plain user: nothing outside the root is touched or read, nothing
# is used up, what is refused is refused with a word, honest images work. Needs the set at XB_EVIL; minutes.
. "$(dirname "$0")/lib.sh"
need root userns overlay python3 zstd /bin/busybox
SET=${XB_EVIL:-/nonexistent}

unpacked() {
	[ -f "$SET/layouts.tar.zst" ] || skip "no hostile set (XB_EVIL)" evil
	tar -C "$W" --zstd -xf "$SET/layouts.tar.zst"
	chmod -R a+rX "$W/layouts"
	# A case more would not be built at all.
	jq -r '.cases[].id' "$SET/cases.json" | sort >"$W/ids"
	sed -n 's/^\([a-z0-9-]*\) .*/\1/p' "$E2E/evil.txt" | sort | cmp - "$W/ids"
}

one_case() { # runs in a subshell of its own, see t()
	scratch=$(mktemp -d "$W/case.XXXXXX")
	chmod 777 "$scratch"
	status=0
	# shellcheck disable=SC2086 # $AS is a command
	python3 "$E2E/evil.py" "$SET/cases.json" "$W/layouts" "$ID" "$FORMS" "$PROGRAM" /bin/busybox "$scratch" \
		$AS || status=$?
	rm -rf "$scratch"
	return $status
}

all_cases() { # WHO FORMS-TO-LEAVE-OUT
	while read -r ID FORMS; do
		case $ID in \#* | '') continue ;; esac
		FORMS=$(echo "$FORMS" | tr , '\n' | grep -v -E "^($2)=" | paste -sd, -)
		t "$ID as $1" one_case
	done <"$E2E/evil.txt"
}

user_ready
t "the set has the cases of the table" unpacked
if [ -f "$W/ids" ]; then
	PROGRAM=$XBUILD AS=
	all_cases root none
	PROGRAM=$USER_HOME/bin/xbuild
	AS="setpriv --reuid=xbtest --regid=$(id -g xbtest) --clear-groups env -i PATH=$PATH HOME=$USER_HOME"
	all_cases "a plain user" "from|export"
fi
finish
