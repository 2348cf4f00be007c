#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Layers in the form that each output asks for, as other people's tools read them.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

dockerfile "$W/app" <<'EOF'
FROM tiny
COPY data /data/
RUN echo made > /made
EOF
mkdir "$W/app/data"
seq 1 300000 >"$W/app/data/numbers"
head -c 700000 /dev/urandom >"$W/app/data/noise"

blob() { echo "$1/blobs/$(echo "$2" | tr : /)"; }
types() { # LAYOUT: the media types of the image's layers, the base's first
	jq -r '.layers[].mediaType' "$(blob "$1" "$(index_digest "$1")")"
}
layers() { jq -r '.layers[].digest' "$(blob "$1" "$(index_digest "$1")")"; }
diff_ids() { jq -c '.rootfs.diff_ids' "$(blob "$1" "$(jq -r .config.digest "$(blob "$1" "$(index_digest "$1")")")")"; }
OCI=application/vnd.oci.image.layer.v1.tar

several_at_once() {
	build -o "type=oci,dest=$W/gzip,tar=false" -o "type=oci,dest=$W/zstd,tar=false,compression=zstd" \
		-o "type=oci,dest=$W/plain,tar=false,compression=uncompressed" \
		-o "type=oci,dest=$W/best,tar=false,compression-level=12" "$W/app" >"$W/digest"
	same "$(cat "$W/digest")" "$(index_digest "$W/gzip")" "the digest is the first output's"
	base=$(types "$W/gzip" | head -n 1)
	same "$(types "$W/gzip" | tail -n 2 | sort -u)" $OCI+gzip
	same "$(types "$W/zstd" | tail -n 2 | sort -u)" $OCI+zstd
	same "$(types "$W/plain" | tail -n 2 | sort -u)" $OCI
	# the base's layers are as they were, and the trees are the same
	for form in zstd plain best; do
		same "$(types "$W/$form" | head -n 1)" "$base"
		same "$(layers "$W/$form" | head -n 1)" "$(layers "$W/gzip" | head -n 1)"
		same "$(diff_ids "$W/$form")" "$(diff_ids "$W/gzip")"
	done
	[ "$(layers "$W/best" | tail -n 2)" != "$(layers "$W/gzip" | tail -n 2)" ] || fail "no other level"
	for layer in $(layers "$W/plain" | tail -n 2); do
		same "$(sha256sum <"$(blob "$W/plain" "$layer")" | cut -d' ' -f1)" "${layer#sha256:}"
		tar -tf "$(blob "$W/plain" "$layer")" >/dev/null
	done
}
read_by_zstd() {
	has zstd || skip "no zstd" tools
	for n in 2 3; do
		id=$(diff_ids "$W/zstd" | jq -r ".[$((n - 1))]")
		same "sha256:$(zstd -dcq <"$(blob "$W/zstd" "$(layers "$W/zstd" | sed -n ${n}p)")" | sha256sum |
			cut -d' ' -f1)" "$id"
	done
}
read_by_skopeo() {
	has skopeo || skip "no skopeo" tools
	for form in gzip zstd plain best; do
		skopeo copy -q "oci:$W/$form" "dir:$W/$form.dir"
	done
}
the_same_again() {
	build -o "type=oci,dest=$W/zstd2,tar=false,compression=zstd" "$W/app" 2>"$W/err"
	same "$(index_digest "$W/zstd2")" "$(index_digest "$W/zstd")"
	! grep -q '^#[0-9]* \[' "$W/err" || fail "a step ran again"
	# another store gives the same bytes
	old=$STORE
	fresh
	build -o "type=oci,dest=$W/zstd3,tar=false,compression=zstd" "$W/app"
	same "$(index_digest "$W/zstd3")" "$(index_digest "$W/zstd")"
	# with no other form there is none in the store
	for layer in $(layers "$W/gzip" | tail -n 2); do
		[ ! -e "$(blob "$STORE" "$layer")" ] || fail "gzip was made for nobody"
	done
	STORE=$old
}
forced() {
	build -o "type=oci,dest=$W/forced,tar=false,compression=zstd,force-compression=true" "$W/app"
	same "$(types "$W/forced" | sort -u)" $OCI+zstd
	same "$(diff_ids "$W/forced")" "$(diff_ids "$W/gzip")"
	same "$(layers "$W/forced" | tail -n 2)" "$(layers "$W/zstd" | tail -n 2)"
	has zstd || return 0
	same "sha256:$(zstd -dcq <"$(blob "$W/forced" "$(layers "$W/forced" | head -n 1)")" | sha256sum |
		cut -d' ' -f1)" "$(diff_ids "$W/gzip" | jq -r '.[0]')"
}
docker_types() {
	build -o "type=oci,dest=$W/docker,tar=false,oci-mediatypes=false" "$W/app"
	same "$(jq -r '.manifests[0].mediaType' "$W/docker/index.json")" \
		application/vnd.docker.distribution.manifest.v2+json
	same "$(types "$W/docker" | sort -u)" application/vnd.docker.image.rootfs.diff.tar.gzip
	same "$(layers "$W/docker")" "$(layers "$W/gzip")"
	has skopeo || return 0
	skopeo inspect --raw "oci:$W/docker" >/dev/null
}
docker_archive() {
	build -o "type=docker,dest=$W/load.tar,compression=uncompressed" "$W/app"
	tar -xOf "$W/load.tar" manifest.json | jq -e '.[0].Layers | length == 3' >/dev/null
	exits 2 build -o "type=docker,dest=$W/load2.tar,compression=zstd" "$W/app"
	says 'docker load does not take'
	exits 2 build -o "type=oci,dest=$W/e,compression=estargz" "$W/app"
	says 'estargz is not made'
}
files_alone() {
	fresh
	dockerfile "$W/files" <<-'EOF2'
		FROM scratch
		COPY data /data/
	EOF2
	cp -r "$W/app/data" "$W/files/"
	same "$(build -o "type=local,dest=$W/files.out" -o "type=tar,dest=$W/files.tar" "$W/files")" "" "a digest"
	cmp "$W/files.out/data/numbers" "$W/app/data/numbers"
	tar -tf "$W/files.tar" >/dev/null
	# nothing was packed: no blob has the size of the noise
	[ -z "$(find "$STORE/blobs" -type f -size +300k)" ] || fail "layers were packed"
	# a name wants an image
	build -t named:1 -o "type=local,dest=$W/files.out2" "$W/files" >"$W/digest"
	grep -q '^sha256:' "$W/digest" || fail "no digest"
	build -o "type=oci,dest=$W/files.oci,tar=false" "$W/files" >"$W/digest"
	same "$(cat "$W/digest")" "$(index_digest "$W/files.oci")"
}

t "several forms in one build" several_at_once
t "zstd reads them" read_by_zstd
t "skopeo reads them" read_by_skopeo
t "again, and elsewhere: the same bytes, and no others" the_same_again
t "force-compression: the base's layers, too" forced
t "oci-mediatypes=false" docker_types
t "docker archives; what cannot be had is refused" docker_archive
t "files alone: nothing is packed" files_alone
finish
