#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Here-documents, ONBUILD, --network and the flags of COPY and ADD: what they make of a tree.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

documents() {
	dockerfile "$W/documents" <<'EOF'
FROM tiny AS build
ARG name=world
WORKDIR /d
RUN <<SCRIPT
greeting=Hello
echo "$greeting $name" > script
SCRIPT
RUN <<SCRIPT
#!/bin/sh -e
echo "$0" > executed
test -r /dev/pipes/SCRIPT
SCRIPT
RUN cat <<ONE > one; cat <<-TWO > two
one $name
ONE
	two
	TWO
RUN ["/bin/sh", "-c", "test ! -e /dev/pipes"]
COPY --chmod=0751 --chown=7:8 file <<said <<'raw' inline/
"$name" \$name
said
$name
raw
FROM scratch
COPY --from=build /d /
EOF
	echo context >"$W/documents/file"
	build -o "type=local,dest=$W/documents.out" "$W/documents"
	cd "$W/documents.out" || exit
	same "$(cat script)" "Hello world"
	same "$(cat executed)" /dev/pipes/SCRIPT
	same "$(cat one two | paste -sd' ' -)" "one world two"
	same "$(cat inline/file inline/said inline/raw | paste -sd' ' -)" "context \"world\" \$name \$name"
	same "$(stat -c %a inline/said inline/file | paste -sd' ' -)" "751 751"
}

network() {
	dockerfile "$W/network" <<-'EOF'
		FROM tiny
		RUN --network=none ls /sys/class/net > /none
		RUN --network=host ls /sys/class/net > /host
	EOF
	build -o "type=local,dest=$W/network.out" "$W/network"
	same "$(cat "$W/network.out/none")" lo "devices without a network"
	same "$(cat "$W/network.out/host")" "$(ls /sys/class/net)" "devices of the host"
	exits 3 build --network=none "$W/network"
	says "Dockerfile:3" "--network=none" "^"
}

triggers() {
	dockerfile "$W/onbuild" <<-'EOF'
		FROM tiny
		ONBUILD COPY . /src/
		ONBUILD RUN <<x
		cat /src/file > /built
		x
		RUN test ! -e /src
	EOF
	echo nothing >"$W/onbuild/file"
	build -o "type=oci,dest=$W/onbuild.oci,tar=false,name=base" "$W/onbuild"
	dockerfile "$W/child" <<-'EOF'
		FROM onbuild AS child
		RUN test -s /built
		FROM child
		RUN test -s /built && echo own > /src/file
	EOF
	echo child >"$W/child/file"
	build --build-context "onbuild=oci-layout://$W/onbuild.oci:base" -o "type=local,dest=$W/child.out" "$W/child"
	same "$(cat "$W/child.out/built")" child
	same "$(cat "$W/child.out/src/file")" own "triggers ran again"
	rm "$W/child/file"
	exits 4 build --build-context "onbuild=oci-layout://$W/onbuild.oci:base" "$W/child"
	says "ONBUILD of onbuild:1:1" "RUN <<x"
}

copy_flags() {
	mkdir -p "$W/flags/a/b/c" "$W/flags/p"
	echo 1 >"$W/flags/a/b/c/x.txt"
	echo 2 >"$W/flags/a/b/y.md"
	echo 3 >"$W/flags/a/run"
	chmod 700 "$W/flags/a/run"
	tar -C "$W/flags" -czf "$W/flags/p/a.tar.gz" a
	dockerfile "$W/flags" <<-'EOF'
		FROM scratch
		COPY --exclude=**/*.md --exclude=b/c a /excluded/
		COPY --parents a/b/c/x.txt a/./b/*.md /parents/
		COPY --parents none* /nothing/
		COPY --chmod=go=rX a /mode/
		ADD --unpack=false p/a.tar.gz /packed/
		ADD --unpack p/a.tar.gz /unpacked/
	EOF
	build -o "type=local,dest=$W/flags.out" "$W/flags"
	cd "$W/flags.out" || exit
	find . -type f | sort >"$W/flags.list"
	cat >"$W/flags.expected" <<-'EOF'
		./excluded/run
		./mode/b/c/x.txt
		./mode/b/y.md
		./mode/run
		./packed/a.tar.gz
		./parents/a/b/c/x.txt
		./parents/b/y.md
		./unpacked/a/b/c/x.txt
		./unpacked/a/b/y.md
		./unpacked/a/run
	EOF
	diff "$W/flags.expected" "$W/flags.list"
	[ -d nothing ] || fail "the destination of nothing is not there"
	same "$(stat -c %a mode/run mode/b mode/b/y.md | paste -sd' ' -)" "755 755 644"
}

# What is not copied cannot change the result.
precise() {
	dockerfile "$W/flags" <<-'EOF'
		FROM scratch
		COPY --parents a/b/c/x.txt /parents/
		COPY --exclude=**/*.md --exclude=b/c a /excluded/
	EOF
	build "$W/flags" 2>"$W/err"
	echo changed >"$W/flags/a/b/y.md"
	build "$W/flags" 2>"$W/err"
	same "$(grep -c CACHED "$W/err")" 2 "steps from the cache"
	echo changed >"$W/flags/a/run"
	build "$W/flags" 2>"$W/err"
	same "$(grep -c CACHED "$W/err")" 1 "steps from the cache"
}

# A linked layer is the same on every base, and no link of the base leads it elsewhere.
linked() {
	dockerfile "$W/link" <<-'EOF'
		ARG N
		FROM tiny AS base
		ARG N
		RUN mkdir -p /real && ln -s real /alias && echo $N > /n
		FROM base AS linked
		COPY --link file /alias/file
		FROM base AS plain
		COPY file /alias/file
	EOF
	echo linked >"$W/link/file"
	build --target linked --build-arg N=1 -o "type=local,dest=$W/link.out" "$W/link"
	[ -d "$W/link.out/alias" ] && [ ! -L "$W/link.out/alias" ] || fail "a link of the base was followed"
	[ ! -e "$W/link.out/real/file" ] || fail "a link of the base was followed"
	build --target plain --build-arg N=1 -o "type=local,dest=$W/plain.out" "$W/link"
	same "$(cat "$W/plain.out/real/file")" linked
	build --target linked --build-arg N=2 "$W/link" 2>"$W/err"
	cat "$W/err"
	grep -q 'CACHED.*COPY --link' "$W/err" || grep -A1 'COPY --link' "$W/err" | grep -q CACHED ||
		fail "the linked layer was made again on another base"
}

named() {
	mkdir -p "$W/named/dir/sub" "$W/named/c"
	echo given >"$W/named/dir/sub/out"
	chmod 711 "$W/named/dir/sub"
	dockerfile "$W/named/c" <<-'EOF'
		ARG SOURCE_DATE_EPOCH=1234567890
		FROM nonesuch AS stage
		RUN exit 1
		FROM stage AS direct
		COPY Dockerfile /
		FROM scratch
		COPY --from=stage /sub/o* /
	EOF
	build --build-context "stage=$W/named/dir" -o "type=local,dest=$W/named.out" "$W/named/c"
	same "$(cat "$W/named.out/out")" given
	(
		unset SOURCE_DATE_EPOCH
		build --build-context "stage=$W/named/dir" --target direct \
			-o "type=oci,dest=$W/direct,tar=false,name=direct" "$W/named/c"
	)
	tool verify "$W/direct" direct
	config=$(jq -r .config.digest "$W/direct/blobs/$(index_digest "$W/direct" | tr : /)") || config=
	build --build-context "stage=$W/named/dir" --target direct -o "type=local,dest=$W/direct.out" "$W/named/c"
	same "$(cat "$W/direct.out/sub/out")" given
	same "$(stat -c %a "$W/direct.out/sub")" 711
	case $config in
	sha256:*) same "$(jq -r .created "$W/direct/blobs/$(echo "$config" | tr : /)")" 2009-02-13T23:31:30Z ;;
	esac
}

t "here-documents are scripts, programs and files" documents
t "--network of one command" network
t "triggers of a base run once, behind its FROM" triggers
t "flags of COPY and ADD" copy_flags
t "what a COPY leaves out does not count" precise
t "COPY --link does not depend on what is below" linked
t "a directory takes the place of a stage; the time of a global argument" named
finish
