#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/pitfalls.md: each mistake there is caught, with the message that the page shows.
. "$(dirname "$0")/lib.sh"
need userns overlay jq cc
tiny_base
fresh

PITFALLS=$SRC/docs/pitfalls

# What the mistakes are made with: programs of two machines, and one that is linked dynamically.
AMD64=/bin/busybox
ARM64=$CACHE/busybox-arm64
LOADER=/lib64/ld-linux-x86-64.so.2
DYNAMIC=$W/dynamic
printf 'int main(void) { return 0; }\n' >"$W/main.c"
cc -o "$DYNAMIC" "$W/main.c"
export AMD64 ARM64 LOADER DYNAMIC

# The lines that the page shows of a mistake: those indented by eight blanks below its heading.
shown() {
	awk -v name="$1" '/^## / { inside = 0 } $0 ~ "\\(pitfalls/" name "/Dockerfile\\)" { inside = 1 }
		inside && /^        / { sub(/^        /, ""); print }' "$SRC/docs/pitfalls.md"
}

# What differs from run to run and from machine to machine is left out on both sides.
leveled() { sed -E 's/sha256:[0-9a-f]+/sha256:…/g; s/[0-9]+ files/N files/; s/: qemu-[^ ]* [0-9.]+/: qemu/; s/pid [0-9]+/pid N/g' "$@"; }

caught() { # NAME
	both_platforms
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	rm -rf "$W/p" && mkdir "$W/p"
	cp "$PITFALLS/$1/Dockerfile" "$W/p/"
	[ ! -f "$PITFALLS/$1/files" ] || (cd "$W/p" && eval "$(cat "$PITFALLS/$1/files")")
	eval "set -- $1 $(cat "$PITFALLS/$1/options")"
	name=$1
	shift
	"$XBUILD" build --root "$STORE" -q -t pitfall:1 --build-context "base=oci-layout://$TINY:tiny" "$@" "$W/p" \
		>"$W/out" 2>"$W/err" || :
	leveled "$W/err" >"$W/said"
	cat "$W/said"
	shown "$name" | leveled >"$W/shown"
	[ -s "$W/shown" ] || fail "the page shows nothing of $name"
	while IFS= read -r line; do
		grep -qF -e "$line" "$W/said" || fail "$name does not say: $line"
	done <"$W/shown"
}

count=0
for dir in "$PITFALLS"/*/; do
	name=$(basename "$dir")
	count=$((count + 1))
	eval "caught_$count() { caught $name; }"
	t "$name" "caught_$count"
done

enough() { [ "$count" -ge 20 ] || fail "there are $count"; }
t "at least twenty of them" enough
finish
