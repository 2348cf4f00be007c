#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every kind of output is read by other people's tools and holds the same tree.
. "$(dirname "$0")/lib.sh"
need root userns overlay skopeo umoci buildah
tiny_base
fresh

dockerfile "$W/src" <<'EOF'
FROM tiny
RUN mkdir -p /d/sub /opaque && echo a > /d/a && ln /d/a /d/sub/b && ln -s a /d/link && mkfifo /d/fifo \
 && chown 12:34 /d/a /d/sub && chmod 2775 /d/sub && chmod 4711 /bin/busybox && touch -d @1234567890 /d/old \
 && touch "/d/with space" "/d/ünïcode" && dd if=/dev/zero of=/d/sparse bs=1 count=1 seek=10000000 2>/dev/null \
 && touch /opaque/gone
RUN rm -rf /opaque && mkdir /opaque && touch /opaque/new && rm /d/old && mv /d/sub /d/moved
COPY --chown=5:6 . /copied/
EOF
echo data >"$W/src/file"
: >"$W/src/empty"
setfattr -n user.note -v kept "$W/src/file" 2>/dev/null
LONG=$(printf '%0200d' 0)
mkdir -p "$W/src/$LONG/$LONG"
: >"$W/src/$LONG/$LONG/end"

outputs() {
	build --platform linux/amd64 -t example/app:1 \
		-o "type=oci,dest=$W/layout,tar=false,name=app" -o "type=oci,dest=$W/oci.tar,name=app" \
		-o "type=docker,dest=$W/docker.tar" -o "type=tar,dest=$W/root.tar" -o "type=local,dest=$W/local" \
		"$W/src" || {
		# One output at a time, as the builder may take only one.
		for output in "oci,dest=$W/layout,tar=false,name=app" "oci,dest=$W/oci.tar,name=app" \
			"docker,dest=$W/docker.tar" "tar,dest=$W/root.tar" "local,dest=$W/local"; do
			build --platform linux/amd64 -t example/app:1 -o "type=$output" "$W/src"
		done
	}
	tool tree "$W/local" >"$W/local.tree"
	grep -q '^d/moved d2775 12:34 ' "$W/local.tree"
	grep -q '^copied/file -.* 5:6 ' "$W/local.tree"
	! grep -q '^opaque/gone\|^d/old\|^d/sub' "$W/local.tree"
}

same_tree() { # DIR
	tool tree "$1" >"$W/other.tree"
	diff "$W/local.tree" "$W/other.tree" | head -n 40
	cmp -s "$W/local.tree" "$W/other.tree" || fail "the trees differ"
}

layout() {
	tool verify "$W/layout" app
	same "$(jq -r '[.manifests[].annotations["io.containerd.image.name"]] | sort | join(" ")' "$W/layout/index.json")" \
		"docker.io/example/app:1 docker.io/library/app:latest" "names for containerd"
	umoci unpack --image "$W/layout:app" "$W/umoci"
	same_tree "$W/umoci/rootfs"
}

archive() {
	skopeo copy --insecure-policy "oci-archive:$W/oci.tar:app" "oci:$W/from-archive:app"
	tool verify "$W/from-archive" app
	mkdir "$W/opened" && tar -C "$W/opened" -xf "$W/oci.tar"
	tool verify "$W/opened" app
	same "$(index_digest "$W/opened")" "$(index_digest "$W/layout")" "layout and archive"
}

docker() {
	skopeo inspect --insecure-policy "docker-archive:$W/docker.tar"
	skopeo copy --insecure-policy "docker-archive:$W/docker.tar" "oci:$W/from-docker:app"
	umoci unpack --image "$W/from-docker:app" "$W/umoci-docker"
	same_tree "$W/umoci-docker/rootfs"
	tar -xOf "$W/docker.tar" manifest.json | jq -e '.[0].RepoTags | index("example/app:1") or
		index("docker.io/example/app:1")'
}

root_tar() {
	mkdir "$W/from-tar"
	tar -C "$W/from-tar" --xattrs '--xattrs-include=*' --numeric-owner -xpf "$W/root.tar"
	same_tree "$W/from-tar"
}

whole_index() {
	both_platforms
	build --platform "$PLATFORMS" -o "type=oci,dest=$W/two,tar=false,name=two" "$W/src"
	skopeo inspect --insecure-policy --raw "oci:$W/two:two" >"$W/raw.json"
	same "$(jq -r '[.manifests[].platform | .os + "/" + .architecture] | sort | join(",")' "$W/raw.json")" \
		"$PLATFORMS" "the platforms that skopeo sees"
	skopeo copy --insecure-policy --all --preserve-digests "oci:$W/two:two" "oci:$W/two-copy:two"
	same "$(index_digest "$W/two-copy")" "$(index_digest "$W/two")" "a copy by skopeo"
}

by_buildah() {
	set -- --root "$W/buildah/root" --runroot "$W/buildah/run" --storage-driver vfs
	container=$(buildah "$@" from --name judged --signature-policy "$W/policy.json" "oci:$W/layout:app")
	mounted=$(buildah "$@" mount "$container")
	[ -f "$mounted/copied/file" ] || fail "buildah's tree lacks a file"
	same "$(cat "$mounted/copied/file")" data
	same "$(buildah "$@" inspect --format '{{.OCIv1.Architecture}}' "$container")" amd64
	buildah "$@" umount "$container" >/dev/null
	buildah "$@" rm "$container" >/dev/null
}
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$W/policy.json"

in_store() {
	build --platform linux/amd64 -t kept:1 "$W/src"
	"$XBUILD" run --root "$STORE" kept:1 cat /copied/file >"$W/said"
	same "$(cat "$W/said")" data
	skopeo inspect --insecure-policy --raw "oci:$STORE" >/dev/null 2>&1 || jq -e '.manifests | length > 0' "$STORE/index.json"
}

# -t names images; files of an image are none, as with buildx.
files_have_no_name() {
	for out in "type=local,dest=$W/nameless" "type=tar,dest=$W/nameless.tar" type=cacheonly; do
		build --platform linux/amd64 -t nameless:1 -o "$out" "$W/src"
		! "$XBUILD" images --root "$STORE" | grep nameless || fail "$out: it has a name"
	done
	[ -d "$W/nameless" ] && [ -f "$W/nameless.tar" ]
	build --platform linux/amd64 -t nameless:1 -o "type=local,dest=$W/nameless" -o type=image "$W/src"
	"$XBUILD" images --root "$STORE" | grep -q nameless:1 || fail "the image has no name"
}

docker_one_platform() {
	both_platforms
	exits 2 build --platform "$PLATFORMS" -o "type=docker,dest=$W/never.tar" "$W/src"
	[ ! -e "$W/never.tar" ] || fail "it left a file"
}

# The files of several platforms: a directory for each, unless the user wants them together.
platforms() {
	dockerfile "$W/each" <<-'EOF'
		FROM scratch
		ARG TARGETARCH
		COPY file /for/$TARGETARCH
	EOF
	echo x >"$W/each/file"
	two() { build --platform linux/amd64,linux/arm/v6 "$@" "$W/each"; }
	two -o "type=tar,dest=$W/each.tar" -o "type=local,dest=$W/each.out" \
		-o "type=local,dest=$W/together,platform-split=false"
	same "$(tar -tf "$W/each.tar" | paste -sd' ')" \
		"linux_amd64/ linux_amd64/for/ linux_amd64/for/amd64 linux_arm_v6/ linux_arm_v6/for/ linux_arm_v6/for/arm"
	same "$(cd "$W/each.out" && find . -type f | sort | paste -sd' ')" "./linux_amd64/for/amd64 ./linux_arm_v6/for/arm"
	same "$(cd "$W/together" && find . -type f | sort | paste -sd' ')" "./for/amd64 ./for/arm"
	build -o "type=tar,dest=-,platform-split=true" --platform linux/amd64 "$W/each" | tar -t | grep -qx linux_amd64/for/amd64
	exits 2 two -o "type=tar,dest=-,platform-split=false"
	sed -i 's|/for/.*|/same|' "$W/each/Dockerfile"
	exits 2 two -o "type=local,dest=$W/same,platform-split=false"
	says "same is there for more than one platform"
}

mirrored() {
	dockerfile "$W/mirror" <<-'EOF'
		FROM scratch
		ARG TARGETARCH
		COPY $TARGETARCH common /
	EOF
	mkdir -p "$W/mirror/amd64/only" "$W/mirror/arm64" "$W/mirror/common/d" "$W/kept"
	echo a >"$W/mirror/amd64/only/a"
	echo b >"$W/mirror/arm64/b"
	echo c >"$W/mirror/common/d/c"
	echo precious >"$W/kept/file"
	out=$W/mirror.out
	litter() { # DIR: what the result does not have, and what has another kind there
		mkdir -p "$1/old/deep" "$1/d" "$1/d/c"
		echo old >"$1/old/deep/file"
		echo old >"$1/only"
		ln -s "$W/kept" "$1/d/link"
	}
	litter "$out"
	build --platform linux/amd64 -o "type=local,dest=$out,mode=delete" "$W/mirror"
	same "$(cd "$out" && find . | sort | tr '\n' ' ')" ". ./d ./d/c ./only ./only/a "
	same "$(cat "$W/kept/file")" precious "what a link names"
	# each platform in its directory: nothing else is left beside them, or in them
	mkdir -p "$out/linux_amd64" "$out/linux_s390x"
	litter "$out/linux_amd64"
	build --platform linux/amd64,linux/arm64 -o "type=local,dest=$out,mode=delete" "$W/mirror"
	same "$(cd "$out" && find . -type f | sort | tr '\n' ' ')" \
		"./linux_amd64/d/c ./linux_amd64/only/a ./linux_arm64/b ./linux_arm64/d/c "
	# by default what is there stays
	echo mine >"$out/linux_arm64/mine"
	build --platform linux/amd64,linux/arm64 -o "type=local,dest=$out,mode=copy" "$W/mirror"
	same "$(cat "$out/linux_arm64/mine")" mine
	exits 2 build -o "type=tar,dest=$W/x.tar,mode=delete" "$W/mirror"
	exits 2 build -o "type=local,dest=$out,mode=mirror" "$W/mirror"
}

# A build that gives the same leaves the archive, but not one that anybody has changed.
left_alone() {
	mkdir -p "$W/left"
	printf 'FROM scratch\nCOPY f /f\n' >"$W/left/Dockerfile"
	echo one >"$W/left/f"
	left() { build -o "type=oci,dest=$W/left.tar" "$W/left" 2>"$W/left.log" || { cat "$W/left.log"; return 1; }; }
	left
	good=$(sha256sum <"$W/left.tar") inode=$(stat -c %i "$W/left.tar") time=$(stat -c %.Y "$W/left.tar")
	left
	grep -q "left.tar is unchanged and left as it is" "$W/left.log"
	same "$(stat -c %i "$W/left.tar")" "$inode"
	# for make, a target that was made is newer than what it was made from
	[ "$(stat -c %.Y "$W/left.tar")" != "$time" ]
	touch -r "$W/left.tar" "$W/left.time"
	printf x | dd of="$W/left.tar" bs=1 seek=700 conv=notrunc status=none
	touch -r "$W/left.time" "$W/left.tar"
	left
	! grep -q "left as it is" "$W/left.log"
	same "$(sha256sum <"$W/left.tar")" "$good" "an archive that was damaged"
	echo two >"$W/left/f"
	left
	[ "$(sha256sum <"$W/left.tar")" != "$good" ]
	rm "$W/left.tar"
	left
	tar -tf "$W/left.tar" >/dev/null
}

# What is no file is written to and stays what it is; so does a link, whose file is replaced.
no_files() {
	mkdir -p "$W/special"
	printf 'FROM scratch\nCOPY f /f\n' >"$W/special/Dockerfile"
	echo one >"$W/special/f"
	special() { build --platform linux/amd64 -o "$1,dest=$2" "$W/special"; }
	special type=tar "$W/special.tar"
	mknod "$W/null" c 1 3
	mkfifo "$W/pipe"
	: >"$W/target"
	ln -s target "$W/tolink"
	for type in tar oci docker; do
		special type=$type "$W/null"
		[ -c "$W/null" ] || fail "type=$type: the device is gone"
		special type=$type "$W/tolink"
		[ -h "$W/tolink" ] || fail "type=$type: the link is gone"
		tar -tf "$W/target" >/dev/null
	done
	cat "$W/pipe" >"$W/piped" &
	special type=tar "$W/pipe"
	wait $!
	[ -p "$W/pipe" ] || fail "the pipe is gone"
	cmp "$W/piped" "$W/special.tar"
	special type=tar /dev/stdout | cmp - "$W/special.tar"
	mkdir "$W/taken"
	exits 8 special type=tar "$W/taken"
	says "Is a directory"
	same "$(find "$W" -maxdepth 1 -name '*.partial')" ""
}

t "every output is written" outputs
t "platforms have directories of their own" platforms
t "umoci unpacks the layout into the tree of type=local" layout
t "skopeo reads the OCI archive, which is the layout" archive
t "type=docker: skopeo reads it, umoci finds the same tree" docker
t "type=tar unpacks into the same tree" root_tar
t "skopeo lists and copies an index with all platforms" whole_index
t "buildah starts from the layout" by_buildah
t "without -o the result is in the store, under its tag" in_store
t "without an image no name is set" files_have_no_name
t "type=docker takes one platform" docker_one_platform
t "type=local,mode=delete: what is not in the result goes" mirrored
t "an archive that is what it would be is left, and no other" left_alone
t "devices, pipes and links are not replaced" no_files
finish
