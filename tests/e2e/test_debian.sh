#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The example of the README on real Debian bases that xbuild makes itself: as root, again from an empty
# store, and as a plain user. Needs the package mirror; takes minutes.
. "$(dirname "$0")/lib.sh"
need root userns overlay binfmt net debootstrap jq
DEMO=${XB_DEMO_DIR:-$SRC/build/demo}
BASE=$DEMO/base
user_ready
binfmt_state >"$W/binfmt.before"

bases() {
	XBUILD=$XBUILD sh "$SRC/docs/examples/debian-base/make-base.sh" "$BASE:bookworm-slim"
	tool verify "$BASE" bookworm-slim >"$W/platforms"
	same "$(sort "$W/platforms" | paste -sd, -)" linux/amd64,linux/arm64
	# A place that a plain user can read, wherever the source tree is.
	cp -R "$BASE" "$W/base"
	cp -R "$SRC/docs/examples/hello" "$W/hello"
	chmod -R a+rX "$W/base" "$W/hello"
}

hello() { # OUT COMMAND...: build the example with this xbuild command
	out=$1
	shift
	"$@" --progress=plain --platform linux/amd64,linux/arm64 \
		--build-context "debian:bookworm-slim=oci-layout://$W/base:bookworm-slim" \
		-o "type=oci,dest=$out,tar=false,name=hello" "$W/hello"
}

by_root() {
	fresh
	echo "$STORE" >"$W/store"
	hello "$W/out" "$XBUILD" build --root "$STORE"
	tool verify "$W/out" hello
	has skopeo || return 0
	skopeo inspect --insecure-policy --raw "oci:$W/out:hello" >"$W/raw.json"
	same "$(jq -r '[.manifests[].platform | .os + "/" + .architecture] | sort | join(",")' "$W/raw.json")" \
		linux/amd64,linux/arm64 "what skopeo lists"
}

elf_files() {
	has skopeo && has umoci || skip "skopeo and umoci are not installed" tools
	for arch in amd64 arm64; do
		skopeo copy -q --insecure-policy --override-arch $arch "oci:$W/out:hello" "oci:$W/$arch:x"
		umoci unpack --image "$W/$arch:x" "$W/tree-$arch" >/dev/null
		tool elf "$W/tree-$arch/rootfs" >"$W/elf"
		[ "$(wc -l <"$W/elf")" -gt 100 ] || fail "only $(wc -l <"$W/elf") ELF files"
		grep -q "^$arch usr/local/bin/hello$" "$W/elf"
		! grep -v "^$arch " "$W/elf" || fail "files of another architecture in linux/$arch"
	done
}

prints() {
	STORE=$(cat "$W/store")
	"$XBUILD" run --root "$STORE" --platform linux/amd64 "oci:$W/out:hello" >"$W/amd64.said"
	"$XBUILD" run --root "$STORE" --platform linux/arm64 "oci:$W/out:hello" >"$W/arm64.said"
	cat "$W/amd64.said" "$W/arm64.said"
	grep -q 'compiled for amd64, running on x86_64, zlib 1\.' "$W/amd64.said"
	grep -q 'compiled for arm64, running on aarch64, zlib 1\.' "$W/arm64.said"
}

second() {
	STORE=$(cat "$W/store")
	before=$(index_digest "$W/out")
	hello "$W/second" "$XBUILD" build --root "$STORE" 2>"$W/err"
	same "$(index_digest "$W/second")" "$before"
	grep -q '^0 steps run' "$W/err" || fail "steps ran again: $(cat "$W/err")"
}

by_user() {
	hello "$USER_HOME/out" as_user "$USER_HOME/bin/xbuild" build --root "$USER_HOME/store"
	same "$(index_digest "$USER_HOME/out")" "$(index_digest "$W/out")" \
		"a plain user with an empty store gets another index"
}

# A package with capabilities, by programs that become other users; apt's own caches differ by time.
installs() { # OUT COMMAND...
	out=$1
	shift
	"$@" --progress=plain --platform linux/amd64 --build-context "base=oci-layout://$W/base:bookworm-slim" \
		-o "type=oci,dest=$out,tar=false,name=ping" "$W/ping"
}

without_ids() {
	dockerfile "$W/ping" <<-'EOF'
		FROM base
		RUN apt-get update && apt-get install -y --no-install-recommends iputils-ping && useradd -m app && \
			rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/ldconfig/aux-cache /var/cache/apt/*
		RUN getcap /bin/ping /usr/bin/ping >/caps
	EOF
	mkdir "$W/nobody"
	cp "$XBUILD" "$W/nobody/xbuild"
	chown -R 65534:65534 "$W/nobody"
	chmod 755 "$W"
	installs "$W/ping.root" "$XBUILD" build --root "$W/ping.store"
	installs "$W/nobody/out" setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PATH" LC_ALL=C \
		HOME="$W/nobody" SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$W/nobody/xbuild" build --root "$W/nobody/store"
	same "$(index_digest "$W/nobody/out")" "$(index_digest "$W/ping.root")" "index of nobody and root"
}

unchanged() { binfmt_state | cmp - "$W/binfmt.before"; }

t "xbuild makes Debian bases for two platforms" bases
t "the example builds for two platforms" by_root
t "every ELF file is of its image's platform" elf_files
t "each image prints its architecture" prints
t "a second build runs no step" second
t "a plain user, from an empty store: the same digest" by_user
t "apt-get install without subordinate ids" without_ids
t "the machine's binfmt_misc is as before" unchanged
finish
