#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Snapshots: more layers than an overlay takes, and copies that are made once for all platforms.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

# Each step changes a file of its own, replaces one that all have, and removes what the one before made.
deep_dockerfile() { # STEPS
	echo "FROM tiny"
	echo "RUN mkdir -p /d/kept && echo old > /d/kept/opaque && ln /d/kept/opaque /d/kept/other"
	i=1
	while [ "$i" -le "$1" ]; do
		case $((i % 20)) in
		0) echo "RUN test ! -e /d/gone$((i - 2)) && test -e /d/gone$((i - 1)) && rm /d/gone$((i - 1)) &&" \
			"echo $i >> /d/list && echo $i > /d/now && rm -rf /d/kept && mkdir /d/kept && echo $i > /d/kept/f$i" ;;
		19) echo "COPY --chmod=600 some /d/gone$i" ;;
		*) echo "COPY some /d/copied$i" ;;
		esac
		i=$((i + 1))
	done
}

many_layers() {
	mkdir -p deep
	echo some >deep/some
	deep_dockerfile 1200 >deep/Dockerfile
	sed -i 's/^FROM tiny$/FROM tiny AS work/' deep/Dockerfile
	printf 'FROM scratch\nCOPY --from=work /d /\n' >>deep/Dockerfile
	build --platform linux/amd64 -o type=local,dest=deep.out deep
	same "$(wc -l <deep.out/list)" 60
	same "$(cat deep.out/now)" 1200
	same "$(ls deep.out/kept)" f1200
	same "$(find deep.out -name "copied*" | wc -l)" 1080
	same "$(find deep.out -name "gone*" | wc -l)" 0
}

# As many layers in a base: unpacked, run on, read.
deep_base() {
	mkdir -p base
	echo some >base/some
	deep_dockerfile 600 >base/Dockerfile
	build --platform linux/amd64 -o type=oci,dest=base.layout,tar=false,name=deep base
	manifest=base.layout/blobs/$(index_digest base.layout | tr : /)
	same "$(jq '.layers | length' "$manifest")" 602
	fresh
	dockerfile on <<-'EOF'
		FROM deep AS work
		RUN echo more >> /d/list && ls /d | wc -l > /count && rm /d/copied1
		FROM scratch
		COPY --from=work /d /count /
	EOF
	build --platform linux/amd64 --build-context "deep=oci-layout://$W/base.layout:deep" \
		-o type=local,dest=on.out on
	same "$(wc -l <on.out/list)" 31
	same "$(tail -n 1 on.out/list)" more
	same "$(cat on.out/count)" $((540 + 3))
	same "$(ls on.out/kept)" f600
	[ ! -e on.out/copied1 ] || fail "a removed file is there"
}

# A plain user's namespace links and merges what belongs to its ids.
deep_as_user() {
	user_ready
	mkdir -p "$USER_HOME/deep"
	echo some >"$USER_HOME/deep/some"
	deep_dockerfile 240 | sed 's/^FROM tiny$/FROM tiny AS work/' >"$USER_HOME/deep/Dockerfile"
	printf 'FROM scratch\nCOPY --from=work /d /\n' >>"$USER_HOME/deep/Dockerfile"
	cp -r "$TINY" "$USER_HOME/tiny"
	chown -R xbtest: "$USER_HOME"
	as_user "$USER_HOME/bin/xbuild" build --root "$USER_HOME/store" --progress=plain --platform linux/amd64 \
		--build-context "tiny=oci-layout://$USER_HOME/tiny:tiny" -o "type=local,dest=$USER_HOME/out" \
		"$USER_HOME/deep"
	same "$(wc -l <"$USER_HOME/out/list")" 12
	same "$(ls "$USER_HOME/out/kept")" f240
	same "$(find "$USER_HOME/out" -name 'copied*' | wc -l)" 216
}

layers_of() { # LAYOUT PLATFORM: the digests, bottom first
	index=$1/blobs/$(index_digest "$1" | tr : /)
	manifest=$(jq -r --arg a "$2" '.manifests[] | select(.platform.architecture == $a).digest' "$index")
	jq -r '.layers[].digest' "$1/blobs/$(echo "$manifest" | tr : /)"
}

# The layer is one, its work is done once, and another base does not make it again.
once_for_all() {
	both_platforms
	fresh
	dockerfile once <<-'EOF'
		FROM tiny
		WORKDIR /srv/app
		COPY . .
		COPY --chown=5:6 some /bin/some
	EOF
	echo some >once/some
	build --platform "$PLATFORMS" -o type=oci,dest=once.layout,tar=false once 2>log
	same "$(layers_of once.layout amd64 | tail -n 2)" "$(layers_of once.layout arm64 | tail -n 2)"
	[ "$(grep -c 'CACHED' log)" -ge 2 ] || fail "copied for each platform: $(cat log)"
	sed -i 's/^FROM tiny$/FROM tiny\nRUN echo other > \/other/' once/Dockerfile
	build --platform linux/amd64 -o type=oci,dest=other.layout,tar=false --progress=rawjson once 2>log
	[ "$(jq -r '.layers[].digest' "other.layout/blobs/$(index_digest other.layout | tr : /)" | tail -n 1)" = \
		"$(layers_of once.layout amd64 | tail -n 1)" ] || fail "other bytes under another base"
}

# A base of two layers with a link, users of its own and directories of all kinds, as a layout.
odd_base() {
	dockerfile odd <<-'EOF'
		FROM tiny
		RUN mkdir -p /usr/share/x /srv/full /opt && chmod 2750 /opt && ln -s usr/share /share && echo x > /srv/full/f
		RUN echo me:x:12:34::/:/bin/sh >> /etc/passwd && rm -r /srv/full && mkdir /srv/full && touch -d @99 /usr /srv /etc
	EOF
	build --platform "$PLATFORMS" -o type=oci,dest=odd.layout,tar=false,name=odd odd
	dockerfile listed <<-'EOF'
		FROM odd
		COPY . /opt/new/
		WORKDIR /srv/app
		COPY --chown=me some .
		COPY some /srv/full/
		COPY some /usr/share/x/
		WORKDIR /opt
	EOF
	echo some >listed/some
}

on_odd_base() { # DEST; more options before it
	SOURCE_DATE_EPOCH=1700000000 build --platform "$PLATFORMS" --build-context "odd=oci-layout://$W/odd.layout:odd" \
		-o "type=oci,dest=$1,tar=false" "$2"
}

snapshots_of() { # KIND
	"$XBUILD" cache ls --root "$STORE" | sed -n "/$1/p" | wc -l
}

# The same bytes whether the base was unpacked or only listed, and nothing is unpacked for it.
listed_base() {
	odd_base
	fresh
	on_odd_base listed.layout listed
	same "$(snapshots_of 'layer of a base image$')" 0 "unpacked layers of bases"
	fresh
	dockerfile unpacks <<-'EOF'
		FROM odd
		RUN true
	EOF
	on_odd_base unpacks.layout unpacks
	[ "$(snapshots_of 'layer of a base image$')" -gt 0 ] || fail "the base was not unpacked"
	on_odd_base unpacked.layout listed
	same "$(index_digest listed.layout)" "$(index_digest unpacked.layout)"
	same "$(snapshots_of 'lists')" 0 "rosters of an unpacked base"
	printf 'COPY some /share/new/\n' >>listed/Dockerfile
	on_odd_base unpacked.layout listed
	fresh
	on_odd_base listed.layout listed
	same "$(index_digest listed.layout)" "$(index_digest unpacked.layout)" "through a link"
}

trees_in() { find "$1/snapshots" -mindepth 1 -maxdepth 1 | wc -l; }

# The layer of a copy is packed without a copy, and is the same; a tree is there when it is wanted.
packed_without_tree() {
	fresh
	mkdir -p bare/app/src/deep bare/app/empty bare/app/secret
	printf 'FROM scratch\nCOPY --chown=3:4 --chmod=g-w app /opt/app/\n' >bare/Dockerfile
	printf 'app/secret\n!app/secret/not\n' >bare/.dockerignore
	for f in src/a src/deep/b secret/is secret/not; do echo "$f" >bare/app/$f; done
	ln bare/app/src/a bare/app/src/also_a
	ln -s ../a bare/app/src/deep/link
	truncate -s 300000 bare/app/src/sparse
	build -o type=oci,dest=bare.layout,tar=false bare
	same "$(trees_in "$STORE")" 0 "trees without use"
	# with the tree, in another store, the image is the same; and in this one it is there when asked for
	build -o type=oci,dest=bare.layout2,tar=false --root "$W/bare.store" -o type=local,dest=bare.out2 bare
	same "$(trees_in "$W/bare.store")" 1
	same "$(index_digest bare.layout2)" "$(index_digest bare.layout)"
	build -o type=local,dest=bare.out bare
	same "$(trees_in "$STORE")" 1
	same "$(tool tree bare.out | sha256sum)" "$(tool tree bare.out2 | sha256sum)"
	same "$(find bare.out -type f -o -type l | sort | tr '\n' ' ')" \
		"bare.out/opt/app/secret/not bare.out/opt/app/src/a bare.out/opt/app/src/also_a bare.out/opt/app/src/deep/b bare.out/opt/app/src/deep/link bare.out/opt/app/src/sparse "
	printf 'FROM tiny\nCOPY app /opt/app/\n' >bare/Dockerfile
	build -o type=oci,dest=bare.tar bare
	printf 'RUN test "$(cat /opt/app/src/deep/b)" = src/deep/b && ls -l /opt/app/src/a | grep -q root\n' >>bare/Dockerfile
	build -o type=oci,dest=bare.tar bare 2>log || fail "$(cat log)"
	# nothing to copy, and what no layer can hold: as ever
	mkdir -p bare/none && : >bare/app/.wh.x
	printf 'FROM tiny\nCOPY none /some/where/\n' >bare/Dockerfile
	build -o type=oci,dest=none.tar bare
	printf 'FROM scratch\nCOPY app /\n' >bare/Dockerfile
	! build -o type=oci,dest=none.tar bare 2>log || fail "took .wh.x"
	grep -q 'cannot be kept in a layer' log
	"$XBUILD" cache check --root "$STORE"
}

t "a thousand steps and more, one on the other" many_layers
t "a base of 600 layers" deep_base
t "a deep stack as a plain user" deep_as_user
t "a copy is made once for all platforms" once_for_all
t "a base that is only copied onto is listed, not unpacked" listed_base
t "a copy whose tree nobody wants is packed without one" packed_without_tree
finish
