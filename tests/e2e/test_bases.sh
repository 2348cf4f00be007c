#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Bases from registries: what no step needs the bytes of is not fetched, what is needed is fetched
# once, and images whose layers were left in a registry are whole all the same.
. "$(dirname "$0")/lib.sh"
need userns overlay docker-registry skopeo python3 curl
tiny_base

serve_registry plain
REG=localhost:$(cat "$W/plain.port")
serve_registry second
REG2=localhost:$(cat "$W/second.port")
TWO=linux/amd64,linux/arm64

skopeo copy -q --all --dest-tls-verify=false "oci:$TINY:tiny" "docker://$REG/lib/tiny:1"
# The digests of all layers of the base, and the most of them for one platform.
raw() { curl -sf -H 'Accept: application/vnd.oci.image.index.v1+json' \
	-H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REG/v2/lib/tiny/manifests/$1"; }
raw 1 | jq -r '.manifests[].digest' | while read -r manifest; do
	raw "$manifest" | jq -r '.layers[].digest'
done | sort -u >"$W/layers"
[ -s "$W/layers" ] || { echo "the base has no layers" >&2; exit 1; }

# fetched: how often layers of the base were asked for, all together, since the last `forget`
fetched() { tail -n "+$(($(cat "$W/seen") + 1))" "$W/plain.log" | grep -c -F -f "$W/gets" || :; }
forget() { wc -l <"$W/plain.log" >"$W/seen"; }
sed 's|^|"GET /v2/lib/tiny/blobs/|' "$W/layers" >"$W/gets"
forget
# in_store STORE: how many layers of the base the store has
in_store() {
	n=0
	while read -r digest; do
		[ ! -e "$1/blobs/sha256/${digest#sha256:}" ] || n=$((n + 1))
	done <"$W/layers"
	echo $n
}
build_at() {
	store=$1
	shift
	"$XBUILD" build --root "$W/$store" --progress=plain "$@"
}

echo data >"$W/file"
dockerfile "$W/meta" <<EOF
FROM $REG/lib/tiny:1
LABEL a=b
COPY --link file /a/file
EOF
cp "$W/file" "$W/meta/"

nothing_fetched() {
	forget
	build_at one --platform $TWO -t "$REG/team/meta:1" -o type=registry "$W/meta" >"$W/digest"
	same "$(fetched)" 0 "layers fetched"
	same "$(in_store "$W/one")" 0 "layers in the store"
	[ "$(grep -c 'POST /v2/team/meta/blobs/uploads/?mount=' "$W/plain.log")" -ge 1 ] || fail "nothing was mounted"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG/team/meta:1" "oci:$W/meta.copy:1"
	same "$(index_digest "$W/meta.copy")" "$(cat "$W/digest")" "digest after skopeo's copy"
}

# Looked at, checked, pruned around, pushed here and there, exported.
kept_without() {
	forget
	build_at two --platform $TWO -t kept:1 "$W/meta" >"$W/digest"
	same "$(in_store "$W/two")" 0 "layers in the store"
	"$XBUILD" cache check --root "$W/two"
	"$XBUILD" cache check --root "$W/two" --repair
	"$XBUILD" cache prune --root "$W/two" --all
	"$XBUILD" cache check --root "$W/two"
	"$XBUILD" images --root "$W/two" | grep -q '^kept:1 .*linux/amd64,linux/arm64' || fail "it is not listed"
	"$XBUILD" tag --root "$W/two" kept:1 "$REG/team/kept:1"
	"$XBUILD" push --root "$W/two" "$REG/team/kept:1"
	same "$(fetched)" 0 "layers fetched until here"
	"$XBUILD" tag --root "$W/two" kept:1 "$REG2/far/kept:1"
	"$XBUILD" push --root "$W/two" "$REG2/far/kept:1"
	same "$(in_store "$W/two")" 0 "layers in the store after they went through"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG2/far/kept:1" "oci:$W/far.copy:1"
	same "$(index_digest "$W/far.copy")" "$(cat "$W/digest")"
	"$XBUILD" manifest copy --root "$W/two" kept:1 "oci:$W/out:1"
	tool verify "$W/out" 1
}

exported() {
	build_at three --platform $TWO -o "type=oci,dest=$W/three.tar" "$W/meta" >"$W/digest"
	mkdir "$W/three.d"
	tar -xf "$W/three.tar" -C "$W/three.d"
	same "$(index_digest "$W/three.d")" "$(cat "$W/digest")"
	tool verify "$W/three.d"
	same "$(in_store "$W/three")" "$(wc -l <"$W/layers")" "layers in the store"
}

run_fetches_once() {
	dockerfile "$W/run" <<-EOF
		FROM $REG/lib/tiny:1 AS a
		RUN echo a > /a
		FROM $REG/lib/tiny:1 AS b
		RUN echo b > /b
		FROM $REG/lib/tiny:1
		COPY --from=a /a /
		COPY --from=b /b /
		RUN cat /a /b > /c
	EOF
	forget
	build_at four --platform linux/amd64 -o "type=local,dest=$W/run.files" "$W/run" &
	first=$!
	build_at four --platform linux/amd64 -o "type=local,dest=$W/run.files2" "$W/run"
	wait $first
	same "$(cat "$W/run.files/c")" "a
b"
	cmp "$W/run.files/c" "$W/run.files2/c"
	same "$(fetched)" "$(in_store "$W/four")" "times that layers were fetched"
	[ "$(fetched)" -ge 1 ] || fail "nothing was fetched"
}

# of_registry DIGEST: the file of a blob
of_registry() {
	hex=${1#sha256:}
	echo "$W/plain.data/docker/registry/v2/blobs/sha256/$(echo "$hex" | cut -c1-2)/$hex/data"
}

# Only what needs the bytes fails, and says which and where.
lost() {
	build_at five --platform linux/amd64 -t lost:1 "$W/meta"
	while read -r digest; do
		mv "$(of_registry "$digest")" "$W/lost.$digest"
	done <"$W/layers"
	build_at five --platform linux/amd64 -t lost:2 "$W/meta"
	exits 3 build_at five --platform linux/amd64 -o "type=local,dest=$W/none" "$W/meta"
	says "fetching the blob sha256:" "$REG/lib/tiny" 404
	exits 3 "$XBUILD" run --root "$W/five" lost:1 true
	says "fetching the blob sha256:"
	"$XBUILD" cache check --root "$W/five"
	while read -r digest; do
		mv "$W/lost.$digest" "$(of_registry "$digest")"
	done <"$W/layers"
	"$XBUILD" run --root "$W/five" lost:1 cat /a/file >"$W/said"
	same "$(cat "$W/said")" data
}

# proxy OPTION...: a proxy before the registry; PROXIED is its address.
proxy() {
	: >"$W/proxy.log"
	: >"$W/proxy.port"
	python3 "$E2E/flaky.py" "$(cat "$W/plain.port")" "$W/proxy.log" "$@" >"$W/proxy.port" &
	PROXY=$!
	until [ -s "$W/proxy.port" ]; do sleep 0.02; done
	PROXIED=localhost:$(cat "$W/proxy.port")
}
end_proxy() {
	kill "$PROXY"
	wait "$PROXY" || :
}
dockerfile "$W/from" <<'EOF'
ARG REG
FROM $REG/lib/tiny:1
RUN echo made > /made
EOF
from() { build_at "$1" --platform linux/amd64 --build-arg "REG=$2" -o "type=local,dest=$W/from.files" "$W/from"; }

# Killed or interrupted when its Nth request has been sent: the store is whole, and the next build gets the rest.
stopped() {
	kills=0
	for signal in KILL INT; do
		for n in 1 2 4 5; do
			proxy --hold $n --when after
			"$XBUILD" build --root "$W/stopped" --progress=plain --platform linux/amd64 \
				--build-arg "REG=$PROXIED" -o type=cacheonly "$W/from" 2>"$W/err" &
			pid=$!
			until grep -q 'held$' "$W/proxy.log" || ! kill -0 $pid 2>/dev/null; do sleep 0.01; done
			! grep -q 'held$' "$W/proxy.log" || kills=$((kills + 1))
			kill -$signal $pid 2>/dev/null || :
			[ $signal = KILL ] || kill -TERM $pid 2>/dev/null || :
			wait $pid || :
			end_proxy
			"$XBUILD" cache check --root "$W/stopped"
			[ -z "$(ls -A "$W/stopped/ingest")" ] || fail "something is left"
			from stopped "$REG"
			same "$(cat "$W/from.files/made")" made
			rm -rf "$W/stopped"
		done
	done
	[ $kills -ge 6 ] || fail "only $kills times was something stopped"
}

# What is refused and cut comes all the same.
flaky() {
	for seed in 1 2 3; do
		proxy --fail 20 --cut 30 --seed $seed
		from flaky "$PROXIED"
		end_proxy
		same "$(cat "$W/from.files/made")" made
		"$XBUILD" cache check --root "$W/flaky"
		rm -rf "$W/flaky"
	done
}

t "a base that no step needs is not fetched, and mounted when it is pushed" nothing_fetched
t "an image of the store whose layers are elsewhere is whole" kept_without
t "an archive has all layers" exported
t "layers are fetched once, however many steps and builds need them" run_fetches_once
t "a build that is stopped while layers come leaves a whole store" stopped
t "layers come from a registry that fails" flaky
t "what is gone from the registry is missed by those who need it" lost
finish
