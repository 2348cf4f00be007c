#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A step that changes a cache while another is given a part of it (CVE-2024-23651).
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

SWAPS=${XB_SWAPS:-100000}

# What the other build mounts is a directory one moment, the next a link to the machine's files.
cache_source() {
	mkdir -p "$W/canary" "$W/swapping" "$W/mounting"
	echo host >"$W/canary/host"
	cc -O2 -static -o "$W/swapping/swap" "$E2E/swap.c" || skip "no static programs here" tools
	dockerfile "$W/swapping" <<-EOF
		FROM tiny
		COPY swap /
		RUN --mount=type=cache,id=c,target=/c mkdir -p /c/sub /c$W/canary && ln -s $W/canary /c/link && \\
			echo > /c/sub/inside && echo > /c$W/canary/inside
		RUN --mount=type=cache,id=c,target=/c echo ready && while ! test -e /c/go; do sleep 0.1; done; \\
			/swap /c/sub /c/link $SWAPS && echo > /c/done
	EOF
	: >"$W/swap.err"
	build --platform linux/amd64 -o type=cacheonly "$W/swapping" 2>>"$W/swap.err" &
	swapper=$!
	until grep -q '^#[0-9]* [0-9.]* ready' "$W/swap.err"; do
		kill -0 $swapper || fail "$(cat "$W/swap.err")"
		sleep 0.1
	done
	printf 'FROM tiny\nRUN --mount=type=cache,id=c,target=/c echo > /c/go\n' >"$W/mounting/Dockerfile"
	build --platform linux/amd64 -o type=cacheonly "$W/mounting"
	echo 'FROM tiny' >"$W/mounting/Dockerfile"
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		echo "RUN --mount=type=cache,id=c,source=sub,target=/m : $i; test -e /m/inside && ! test -e /m/host" \
			>>"$W/mounting/Dockerfile"
	done
	rounds=0
	while kill -0 $swapper 2>/dev/null; do
		build --no-cache --platform linux/amd64 -o type=cacheonly "$W/mounting" 2>"$W/err" || fail "$(cat "$W/err")"
		rounds=$((rounds + 1))
	done
	wait $swapper || fail "$(cat "$W/swap.err")"
	echo "$rounds rounds of 20 mounts during $SWAPS swaps"
	[ $rounds -gt 0 ] || fail "nothing was mounted meanwhile"
	same "$(cat "$W/canary/host" && ls "$W/canary")" "host
host" "the machine's files"
}

t "a cache whose part is swapped for a link while it is mounted" cache_source
finish
