#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A registry that fails: through a proxy that refuses a fifth of all requests and cuts a tenth of all
# transfers, and killed at each request of a push, what is asked for arrives whole or not at all.
# XB_FLAKY_ROUNDS is how many pushes and pulls there are (3), XB_FLAKY_STRIDE from which request to which
# the kills go (3); `make campaign-registry` takes 100 and 1.
. "$(dirname "$0")/lib.sh"
need docker-registry skopeo python3 jq
ROUNDS=${XB_FLAKY_ROUNDS:-3}
STRIDE=${XB_FLAKY_STRIDE:-3}
TWO=linux/amd64,linux/arm64

serve_registry plain
DIRECT=localhost:$(cat "$W/plain.port")

# proxy OPTION...: a new proxy before the registry, REG is its address.
proxy() {
	: >"$W/proxy.log"
	: >"$W/proxy.port"
	python3 "$E2E/flaky.py" "$(cat "$W/plain.port")" "$W/proxy.log" "$@" >"$W/proxy.port" &
	PROXY=$!
	until [ -s "$W/proxy.port" ]; do sleep 0.02; done
	REG=localhost:$(cat "$W/proxy.port")
}
end_proxy() {
	kill "$PROXY"
	wait "$PROXY" || :
}

# image NUMBER: a context of which each platform has a layer of its own and one that all share
image() {
	mkdir -p "$W/app"
	printf 'FROM scratch\nARG TARGETARCH\nCOPY shared /\nCOPY own-$TARGETARCH /own\n' >"$W/app/Dockerfile"
	for name in shared own-amd64 own-arm64; do
		{ echo "$1 $name" && head -c 400000 /dev/urandom; } >"$W/app/$name"
	done
}
push() { "$XBUILD" build --root "$W/store" --progress=plain --platform $TWO -t "$1" --push "$W/app"; }
# whole NAME DIGEST: the registry has this image under the name, and all of it
whole() {
	rm -rf "$W/out"
	skopeo copy -q --all --src-tls-verify=false "docker://$DIRECT/$1" "oci:$W/out:1"
	same "$(index_digest "$W/out" 1)" "$2" "digest of $1"
	tool verify "$W/out" 1
}

refused_and_cut() {
	proxy --fail 20 --cut 10 --seed 7
	i=0
	while [ $((i += 1)) -le "$ROUNDS" ]; do
		image $i
		digest=$(push "$REG/flaky:$i") || fail "push $i"
		whole "flaky:$i" "$digest"
		rm -rf "$W/pulled"
		same "$("$XBUILD" pull --root "$W/pulled" "$REG/flaky:$i")" "$digest" "pull $i"
		"$XBUILD" cache check --root "$W/pulled" >/dev/null
	done
	end_proxy
	grep -q refused "$W/proxy.log" || fail "nothing was refused"
	[ "$ROUNDS" -lt 10 ] || grep -q 'cut$' "$W/proxy.log" || fail "nothing was cut"
	echo "$(grep -c . "$W/proxy.log") requests, $(grep -cE 'refused|hung up' "$W/proxy.log") refused, \
$(grep -c 'cut$' "$W/proxy.log") cut" | tee "$W/tally"
}

# killed before|after: the program is killed at each of its requests; the same command then goes on
killed() {
	n=1
	kills=0
	image "$1"
	push "$DIRECT/before-$1:tag" >"$W/digest"
	old=$(cat "$W/digest")
	image "$1 again"
	while :; do
		proxy --hold $n --when "$1"
		rm -rf "$W/plain.data/docker/registry/v2/repositories/app" # each round sends all of it
		skopeo copy -q --all --src-tls-verify=false --dest-tls-verify=false \
			"docker://$DIRECT/before-$1:tag" "docker://$DIRECT/app:tag"
		push "$REG/app:tag" >"$W/digest" 2>"$W/err" &
		pid=$!
		until grep -q 'held$' "$W/proxy.log" || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
		if ! grep -q 'held$' "$W/proxy.log"; then
			wait $pid || fail "$(cat "$W/err")"
			end_proxy
			break
		fi
		kill -9 $pid
		wait $pid || :
		end_proxy
		now=$(skopeo inspect --tls-verify=false --raw "docker://$DIRECT/app:tag" | sha256sum | cut -c1-64)
		whole app:tag "sha256:$now"
		new=$(push "$DIRECT/app:tag") || fail "the push after a kill at request $n"
		[ "sha256:$now" = "$old" ] || [ "sha256:$now" = "$new" ] || fail "the tag means something else"
		whole app:tag "$new"
		kills=$((kills + 1))
		n=$((n + STRIDE))
	done
	[ $kills -ge 5 ] || fail "only $kills kills"
	echo "$1: killed at $kills requests" >>"$W/tally"
}
killed_before() { killed before; }
killed_after() { killed after; }

t "what a registry refuses and what is cut is sent and fetched all the same" refused_and_cut
t "killed before any request is answered, the tag is the old or the new one" killed_before
t "killed when a request has taken effect, the tag is the old or the new one" killed_after
[ ! -s "$W/tally" ] || sed 's/^/# /' "$W/tally"
finish
