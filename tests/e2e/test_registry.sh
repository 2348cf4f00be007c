#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Registries: what is pushed others copy with all platforms, what others push is built from, and
# no tag loses a platform by accident. The registry is Debian's docker-registry, on loopback.
. "$(dirname "$0")/lib.sh"
need userns overlay docker-registry skopeo python3 curl
tiny_base

serve_registry plain
REG=localhost:$(cat "$W/plain.port")
serve_registry second
REG2=localhost:$(cat "$W/second.port")

# requests METHOD PATH: how often that was asked for
requests() { grep -c "\"$1 $2" "$W/plain.log" || :; }
# remote_digest NAME: what a tag means, by another client
remote_digest() { skopeo inspect --tls-verify=false --raw "docker://$1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'; }
# platforms_of NAME
platforms_of() {
	skopeo inspect --tls-verify=false --raw "docker://$1" |
		jq -r '[.manifests[].platform.architecture] | sort | join(" ")'
}

head -c 300000 /dev/urandom >"$W/data"
dockerfile "$W/app" <<'EOF'
FROM scratch
ARG TARGETARCH
COPY data /data-$TARGETARCH
EOF
mv "$W/data" "$W/app/data"
TWO=linux/amd64,linux/arm64
build_app() { "$XBUILD" build --root "$W/store" --progress=plain "$@" "$W/app"; }

pushed() {
	build_app --platform $TWO -t "$REG/team/app:1" --push >"$W/digest" 2>"$W/err"
	says "$REG/team/app:1: (none) -> $(cat "$W/digest") +linux/amd64 +linux/arm64"
	same "$(remote_digest "$REG/team/app:1")" "$(cat "$W/digest")" "digest of the tag"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG/team/app:1" "oci:$W/copied:1"
	same "$(index_digest "$W/copied")" "$(cat "$W/digest")" "digest after skopeo's copy"
}

again() {
	before=$(requests PUT /v2/team/app/blobs)
	[ "$before" -gt 0 ] || fail "no blob was sent at all"
	build_app --platform $TWO -t "$REG/team/app:1" --push
	same "$(requests PUT /v2/team/app/blobs)" "$before" "blobs sent a second time"
}

built_from() {
	skopeo copy -q --all --dest-tls-verify=false "oci:$TINY:tiny" "docker://$REG/lib/tiny:1"
	dockerfile "$W/from" <<-EOF
		FROM $REG/lib/tiny:1
		RUN echo made > /made
		COPY --from=$REG/team/app:1 /data-* /
	EOF
	"$XBUILD" build --root "$W/store2" --progress=plain --platform linux/amd64 \
		-o "type=local,dest=$W/files" -o "type=registry,name=$REG/team/made" "$W/from"
	same "$(cat "$W/files/made")" made
	cmp "$W/files/data-amd64" "$W/app/data"
	[ "$(requests POST '/v2/team/made/blobs/uploads/?mount=sha256:[0-9a-f]*&from=lib/tiny')" -ge 1 ] ||
		fail "the base's layers were not mounted"
	skopeo copy -q --src-tls-verify=false "docker://$REG/team/made" "oci:$W/made:1"
}

by_digest() {
	digest=$(remote_digest "$REG/lib/tiny:1")
	echo "FROM $REG/lib/tiny@$digest" >"$W/from/Dockerfile"
	"$XBUILD" build --root "$W/store2" --platform linux/amd64 -o type=cacheonly "$W/from"
	echo "FROM $REG/lib/tiny@sha256:$(printf %064d 7)" >"$W/from/Dockerfile"
	exits 3 "$XBUILD" build --root "$W/store2" --platform linux/amd64 -o type=cacheonly "$W/from"
	says 404 "FROM $REG/lib/tiny@"
}

not_lost() {
	before=$(remote_digest "$REG/team/app:1")
	exits 7 build_app --platform linux/amd64 -t "$REG/team/app:new" -t "$REG/team/app:1" --push
	says "$REG/team/app:1 has an image for linux/arm64 now and would lose it" "--allow-drop"
	same "$(remote_digest "$REG/team/app:1")" "$before" "the tag"
	build_app -q --platform linux/amd64 -t "$REG/team/app:1" --push --allow-drop --dry-run 2>"$W/err"
	says "$REG/team/app:1: $before -> " " -linux/arm64"
	same "$(remote_digest "$REG/team/app:1")" "$before" "the tag after --dry-run"
	! skopeo inspect --tls-verify=false "docker://$REG/team/app:new" || fail "a tag has moved"
	build_app --platform linux/amd64 -t "$REG/team/app:1" --push --allow-drop
	[ "$(remote_digest "$REG/team/app:1")" != "$before" ] || fail "--allow-drop moved nothing"
	build_app --platform $TWO -t "$REG/team/app:1" --push
	same "$(platforms_of "$REG/team/app:1")" "amd64 arm64"
}

without_tag() {
	build_app --platform $TWO >"$W/digest" \
		-o "type=image,\"name=$REG/team/nameless\",push-by-digest=true,name-canonical=true,push=true"
	same "$(remote_digest "$REG/team/nameless@$(cat "$W/digest")")" "$(cat "$W/digest")"
	! curl -sf "http://$REG/v2/team/nameless/manifests/latest" || fail "a tag was made"
}

store_and_back() {
	build_app --platform $TWO -t "$REG/kept:1" >"$W/digest"
	"$XBUILD" push --root "$W/store" "$REG/kept:1" >"$W/said" 2>"$W/err"
	says "(none) -> $(cat "$W/digest") +linux/amd64 +linux/arm64"
	says "blobs: " " moved (0.6 MB), "
	same "$(cat "$W/said")" "$(cat "$W/digest")"
	"$XBUILD" pull --root "$W/store3" "$REG/kept:1" >"$W/said"
	same "$(cat "$W/said")" "$(cat "$W/digest")"
	"$XBUILD" images --root "$W/store3" | grep -q "^$REG/kept:1 .*linux/amd64.*linux/arm64" || fail "it is not in the store"
	"$XBUILD" cache check --root "$W/store3"
	build_app --platform linux/arm64 -t "$REG/kept:1"
	exits 7 "$XBUILD" push --root "$W/store" "$REG/kept:1"
	says "would lose" linux/amd64
	exits 8 "$XBUILD" push --root "$W/store" "$REG/none:1"
	exits 6 "$XBUILD" pull --root "$W/store3" localhost:1/none:1
	exits 3 "$XBUILD" pull --root "$W/store3" "$REG/none:1"
}

copied() {
	digest=$(remote_digest "$REG/team/app:1")
	"$XBUILD" manifest copy --root "$W/store3" "$REG/team/app:1" "$REG/other/app:2" >"$W/said"
	same "$(cat "$W/said")" "$digest"
	same "$(remote_digest "$REG/other/app:2")" "$digest"
	same "$(requests PUT /v2/other/app/blobs)" 0 "blobs sent within one registry"
	"$XBUILD" manifest copy --root "$W/store3" "$REG2/a:1" "$REG/x:1" 2>"$W/err" && fail "there is no such image"
	"$XBUILD" manifest copy --root "$W/store3" "$REG/team/app:1" "$REG2/far/app:1"
	same "$(remote_digest "$REG2/far/app:1")" "$digest"
	"$XBUILD" manifest copy --root "$W/store3" "$REG2/far/app:1" "oci:$W/near:1"
	same "$(index_digest "$W/near" 1)" "$digest"
	tool verify "$W/near" 1
	"$XBUILD" manifest copy --root "$W/store3" "oci:$W/near:1" "$REG2/back:1"
	same "$(remote_digest "$REG2/back:1")" "$digest"
	[ -z "$(ls -A "$W/store3/ingest")" ] || fail "something was left in the store"
	exits 7 "$XBUILD" manifest copy --root "$W/store3" "oci:$TINY:tiny@$(tiny_amd64)" "$REG2/far/app:1"
	says "would lose" linux/arm64
}
tiny_amd64() { "$XBUILD" manifest inspect --root "$W/store3" "oci:$TINY:tiny" | awk '$1 == "linux/amd64" { print $2 }'; }

# remote.example does not exist: what is built is what its mirror holds, and nothing else is asked
mirrored() {
	cat >"$W/registries.conf" <<-EOF
		[[registry]]
		prefix = "remote.example/lib"
		location = "remote.example/lib"
		[[registry.mirror]]
		location = "$REG2/none"
		insecure = true
		[[registry.mirror]]
		location = "$REG/lib"
		insecure = true
	EOF
	skopeo copy -q --all --dest-tls-verify=false "oci:$TINY:tiny" "docker://$REG/lib/tiny:mirrored"
	dockerfile "$W/mirror" <<-EOF
		FROM remote.example/lib/tiny:mirrored
		RUN echo made > /made
	EOF
	CONTAINERS_REGISTRIES_CONF=$W/registries.conf "$XBUILD" build --root "$W/store4" --progress=plain \
		--platform linux/amd64 -o "type=local,dest=$W/mirrored" "$W/mirror"
	same "$(cat "$W/mirrored/made")" made
	grep -q 'GET /v2/none/tiny/manifests/mirrored\|HEAD /v2/none/tiny/manifests/mirrored' "$W/second.log" ||
		fail "the first mirror was not asked first"
	printf 'FROM remote.example/lib/tiny:none\n' >"$W/mirror/Dockerfile"
	CONTAINERS_REGISTRIES_CONF=$W/registries.conf exits 6 "$XBUILD" build --root "$W/store4" \
		--platform linux/amd64 -o type=cacheonly "$W/mirror"
	says remote.example
}

# What buildah pushes is built from, and what is pushed here buildah pulls and pushes on as it is.
round_trip() {
	has buildah || skip "buildah is not installed" tools
	set -- --root "$W/b" --runroot "$W/br" --storage-driver vfs
	for arch in amd64 arm64; do
		mkdir -p "$W/trip"
		echo "$arch" >"$W/trip/arch"
		printf 'FROM scratch\nCOPY arch /arch\n' >"$W/trip/Dockerfile"
		buildah "$@" bud -q --isolation chroot --arch $arch --manifest trip "$W/trip"
	done
	buildah "$@" manifest push -q --all --tls-verify=false trip "docker://$REG/trip/theirs:1"
	printf 'FROM %s/trip/theirs:1\nCOPY more /more\n' "$REG" >"$W/trip/Dockerfile"
	echo more >"$W/trip/more"
	"$XBUILD" build --root "$W/store5" --progress=plain --platform $TWO -t "$REG/trip/ours:1" --push \
		-o "type=local,dest=$W/tripped" "$W/trip" >"$W/digest"
	same "$(cat "$W/tripped/linux_arm64/arch")" arm64
	same "$(cat "$W/tripped/linux_amd64/arch")" amd64
	for arch in amd64 arm64; do
		buildah "$@" pull -q --tls-verify=false --arch $arch "docker://$REG/trip/ours:1" >"$W/id"
		where=$(buildah "$@" from "$(cat "$W/id")")
		root=$(buildah "$@" mount "$where")
		same "$(cat "$root/arch" "$root/more")" "$(printf '%s\nmore' $arch)"
		buildah "$@" rm "$where" >/dev/null
	done
	buildah "$@" manifest create back >/dev/null
	buildah "$@" manifest add --all --tls-verify=false back "docker://$REG/trip/ours:1" >/dev/null
	buildah "$@" manifest push -q --all --tls-verify=false back "docker://$REG2/trip/back:1"
	members() { skopeo inspect --tls-verify=false --raw "docker://$1" | jq -c '[.manifests[].digest] | sort'; }
	same "$(members "$REG2/trip/back:1")" "$(members "$REG/trip/ours:1")" "manifests that buildah pushed on"
	same "$(remote_digest "$REG/trip/ours:1")" "$(cat "$W/digest")"
}

inspected() {
	"$XBUILD" manifest inspect --root "$W/store3" "$REG/team/app:1" >"$W/table"
	grep -q "^linux/arm64 .*sha256:.* 1 .*0\.3 MB" "$W/table" || fail "$(cat "$W/table")"
	same "$("$XBUILD" manifest inspect --raw --root "$W/store3" "$REG/team/app:1" | sha256sum | cut -c1-64)" \
		"$(remote_digest "$REG/team/app:1" | cut -c8-)"
}

misused() {
	exits 2 build_app --push
	says "no name" "-t REGISTRY/NAME:TAG"
	exits 2 build_app --push -t "$REG/team/app@sha256:$(printf %064d 0)"
	exits 2 build_app -o "type=registry,push-by-digest=true,name=$REG/team/app:1"
	says "gives no tag"
	exits 6 build_app --push -t "localhost:1/team/app:1"
	says "localhost:1"
}

t "what is pushed others copy, all platforms of it" pushed
t "what is there is not sent again" again
t "images of a registry are built from, and mounted when their layers are pushed" built_from
t "a base by digest is that, or an error" by_digest
t "no tag loses a platform unless that is allowed" not_lost
t "an image is pushed without a tag" without_tag
t "images of the store are pushed and pulled" store_and_back
t "images are copied between registries and layouts as they are" copied
t "an image comes from the first mirror that has it" mirrored
t "buildah's images are built from, and it carries ours on as they are" round_trip
t "images anywhere are looked at" inspected
t "mistakes are told before anything is built" misused
finish
