#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Machines and stores that take no overlays: steps work on copies, and what they make is the same.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base

# One step for each kind of change, so that each has a layer to compare.
write_changes() { # DIR
	mkdir -p "$1/more"
	echo one >"$1/one"
	echo two >"$1/more/two"
	dockerfile "$1" <<-'EOF'
		FROM tiny AS other
		RUN echo other > /of-other
		RUN rm /of-other && echo second > /of-other
		FROM tiny AS made
		RUN mkdir -p /d/sub/deep /e /l && echo a > /d/a && echo b > /d/sub/b && echo c > /d/sub/deep/c && \
			echo e > /e/e && ln -s a /d/link && ln /d/a /l/first && ln /d/a /l/second && mkfifo /d/fifo
		# removed, replaced, and made anew
		RUN rm /d/a && rm -r /d/sub/deep && echo again > /d/a
		RUN rm -r /e && echo file > /e && rm /d/fifo && mkdir /d/fifo && echo in > /d/fifo/in
		RUN rm -r /d/sub && mkdir /d/sub && echo only > /d/sub/only && rm /e && mkdir /e
		# only what is said of files
		RUN touch -d '2001-02-03 04:05:06' /d/link /d/sub/only /d/sub && chmod 4711 /bin/busybox && chown 7:8 /l/first
		RUN chmod 1777 /e && chmod 755 /bin/busybox && touch -h -d '2002-02-02 00:00:00' /d/link
		# moved, linked, written to
		RUN rm /d/link && mv /d /g && echo more >> /l/second && mv /g/sub/only /g/sub/moved
		RUN mkdir -p /tmp && mv /g /tmp/g && mkdir /g && mv /tmp/g/* /g/ && rmdir /tmp/g && ln /g/a /g/again
		# nothing, and what leaves nothing
		RUN true
		RUN echo x > /gone && rm /gone && cat /l/second > /dev/null
		RUN : >> /l/second && : >> /g/sub/moved && chmod 4711 /l/first && chmod 644 /l/first
		# what is mounted leaves nothing, wherever it is
		RUN --mount=type=cache,target=/var/cache/of/this --mount=type=tmpfs,target=/made/for/it \
			echo x > /var/cache/of/this/x && echo y > /made/for/it/y && ls /proc/self/fd > /dev/null && echo z > /made/z
		RUN --mount=type=bind,from=other,source=/,target=/other,rw --mount=type=bind,source=more,target=/in/more \
			cat /in/more/two /other/of-other > /two && echo lost > /other/lost && rm /other/bin/busybox
		# copies: on nothing, over something, into what is there
		WORKDIR /place/here
		COPY one .
		COPY --chown=3:4 more /g/
		COPY one /l/first
		COPY --from=other / /e
		ADD --chmod=600 one /place/here/one
		RUN --mount=type=bind,from=other,target=/l2 cat /l2/of-other /place/here/one > /all && rm /place/here/one
		FROM scratch AS bare
		COPY --from=made / /
		RUN rm /all
		FROM made
		COPY --from=bare /g /of-bare
	EOF
	sed -i 's/^\t//' "$1/Dockerfile"
}

# The layers are those of an overlay, one by one, and so is the index.
layers_of() { # LAYOUT
	jq -r '.layers[].digest' "$1/blobs/$(index_digest "$1" | tr : /)"
}

build_by() { # MEANS LAYOUT ARGUMENT...
	means=$1
	layout=$2
	shift 2
	build --snapshots="$means" --platform linux/amd64 -o "type=oci,tar=false,dest=$layout,name=x" "$@"
}

same_layers() {
	write_changes changes
	fresh
	build_by overlay by.overlay changes
	fresh
	build_by copy by.copy changes 2>err
	grep -q "works on a copy of its parent's tree, as was asked for" err || fail "nobody says that trees are copied"
	layers_of by.overlay >overlay.layers
	layers_of by.copy >copy.layers
	diff overlay.layers copy.layers
	same "$(index_digest by.copy)" "$(index_digest by.overlay)"
	[ "$(wc -l <copy.layers)" -ge 20 ] || fail "too few layers"
	"$XBUILD" cache check --root "$STORE"
	leaves_nothing "$STORE"
}

# No copy, list or work directory is left of a step.
leaves_nothing() { # STORE
	same "$(find "$1/snapshots" -mindepth 2 -maxdepth 2 ! -name fs)" ""
	same "$(ls "$1/ingest")" ""
}

# What was begun by one means goes on by the other.
both_in_one_store() {
	fresh
	sed '/^COPY one/,$d' changes/Dockerfile >half
	cp half changes/half
	build_by copy half.copy -f changes/half changes
	build_by overlay all.both changes 2>err
	[ "$(grep -c CACHED err)" -ge 10 ] || fail "copies were not found again"
	same "$(index_digest all.both)" "$(index_digest by.overlay)"
	fresh
	build_by overlay half.overlay -f changes/half changes
	same "$(index_digest half.overlay)" "$(index_digest half.copy)"
	build_by copy all.both changes
	same "$(index_digest all.both)" "$(index_digest by.overlay)"
}

refuse_ready() {
	has root || skip "only root can set such rules" root
	[ -x refuse ] || cc -O2 -o refuse "$E2E/refuse.c"
}

# A machine that refuses to mount overlays: found out, said, and no hindrance.
refused_mounts() {
	refuse_ready
	fresh
	exits 0 ./refuse "$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/amd64 -o type=oci,tar=false,dest=by.refused,name=x changes
	says "an overlay cannot be used in $STORE" "Operation not permitted"
	same "$(index_digest by.refused)" "$(index_digest by.overlay)"
	exits 0 build_by auto by.auto changes
	same "$(index_digest by.auto)" "$(index_digest by.overlay)"
	exits 2 ./refuse "$XBUILD" build --root "$STORE" --snapshots=none --build-context "tiny=oci-layout://$TINY:tiny" changes
	fresh
	exits 5 ./refuse "$XBUILD" build --root "$STORE" --snapshots=overlay --progress=plain \
		--build-context "tiny=oci-layout://$TINY:tiny" changes
	says "overlay" "Operation not permitted"
}

plain_user() {
	user_ready
	refuse_ready
	cp -r changes "$TINY" "$USER_HOME/"
	chown -R xbtest: "$USER_HOME"
	tiny=tiny=oci-layout://$USER_HOME/tiny:tiny
	as_user env SOURCE_DATE_EPOCH=1700000000 "$USER_HOME/bin/xbuild" build --root "$USER_HOME/store.o" --snapshots=overlay \
		--build-context "$tiny" --platform linux/amd64 -o "type=oci,tar=false,dest=$USER_HOME/o,name=x" "$USER_HOME/changes"
	same "$(index_digest "$USER_HOME/o")" "$(index_digest by.overlay)" "a user's layers are others"
	./refuse setpriv --reuid=xbtest --regid="$(id -g xbtest)" --clear-groups env HOME="$USER_HOME" "$USER_HOME/bin/xbuild" \
		build --root "$USER_HOME/store.c" --progress=plain --build-context "$tiny" --platform linux/amd64 \
		-o "type=oci,tar=false,dest=$USER_HOME/c,name=x" "$USER_HOME/changes" 2>err || { cat err; exit 1; }
	grep -q "an overlay cannot be used" err || fail "nobody says that trees are copied"
	same "$(index_digest "$USER_HOME/c")" "$(index_digest "$USER_HOME/o")"
}

# A script whose mounts go with it, for stores on file systems of their own.
inside_mount() { # SCRIPT
	has root || skip "only root can mount" root
	unshare -m sh -euc "mkdir -p mnt && $1" || fail "in a mount namespace: $1"
}

on_tmpfs() {
	export XBUILD TINY
	inside_mount 'mount -t tmpfs none mnt && mkdir -m 700 mnt/store &&
		"$XBUILD" build --root mnt/store --snapshots=copy --build-context "tiny=oci-layout://$TINY:tiny" \
			--platform linux/amd64 -o type=oci,tar=false,dest=by.tmpfs,name=x changes'
	same "$(index_digest by.tmpfs)" "$(index_digest by.overlay)"
}

# A file system without attributes, as some that are reached over a network.
without_attributes() {
	export XBUILD TINY
	inside_mount 'mount -t ramfs none mnt && mkdir -m 700 mnt/store && : >mnt/f &&
		! setfattr -n user.x -v 1 mnt/f 2>/dev/null &&
		"$XBUILD" build --root mnt/store --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
			--platform linux/amd64 -o type=oci,tar=false,dest=by.ramfs,name=x changes 2>err || { cat err; exit 1; }
		"$XBUILD" cache check --root mnt/store && [ -e mnt/store/snapshots.marks ]'
	grep -q "an overlay cannot be used" err || fail "nobody says that trees are copied"
	same "$(index_digest by.ramfs)" "$(index_digest by.overlay)"
}

# An overlay takes no whiteouts: the store's snapshots have marks of their own, and keep to copies.
on_overlay() {
	export XBUILD TINY
	mkdir -p low up wrk
	inside_mount 'mount -t overlay -o lowerdir=low,upperdir=up,workdir=wrk none mnt && mkdir -m 700 mnt/store &&
		"$XBUILD" build --root mnt/store --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
			--platform linux/amd64 -o type=oci,tar=false,dest=by.nested,name=x changes 2>err || { cat err; exit 1; }
		"$XBUILD" cache check --root mnt/store
		"$XBUILD" build --root mnt/store --no-cache --snapshots=overlay --build-context "tiny=oci-layout://$TINY:tiny" \
			--platform linux/amd64 changes 2>err2 && exit 1; cat err2'
	grep -q "an overlay cannot be used" err || fail "nobody says that trees are copied"
	same "$(index_digest by.nested)" "$(index_digest by.overlay)"
	grep -q "marks that no overlay knows" err2 || fail "an overlay is used"
	# where overlays could be used, that store still goes on with copies
	cp -a up/store moved
	exits 0 "$XBUILD" build --root moved --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/amd64 -o type=oci,tar=false,dest=by.moved,name=x -f changes/half changes
	echo "RUN ls /e > /listed" >>changes/half
	exits 0 "$XBUILD" build --root moved --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/amd64 -o type=oci,tar=false,dest=by.moved,name=x -f changes/half changes
	says "its snapshots were begun without"
	fresh
	build_by overlay by.half -f changes/half changes
	same "$(index_digest by.moved)" "$(index_digest by.half)"
}

# Another architecture's step has a user namespace of its own.
emulated() {
	both_platforms
	dockerfile emulated <<-'EOF'
		FROM tiny
		RUN mkdir /d && uname -m > /d/machine && rm /bin/busybox && echo x > /d/x
		COPY one /d/
	EOF
	cp changes/one emulated/
	fresh
	build --snapshots=overlay --platform "$PLATFORMS" -o type=oci,tar=false,dest=em.overlay,name=x emulated
	fresh
	build --snapshots=copy --platform "$PLATFORMS" -o type=oci,tar=false,dest=em.copy,name=x emulated
	same "$(index_digest em.copy)" "$(index_digest em.overlay)"
}

run_an_image() {
	fresh
	dockerfile run <<-'EOF'
		FROM tiny
		RUN echo x > /x
	EOF
	build --platform linux/amd64 -t made run
	same "$("$XBUILD" run --root "$STORE" --snapshots=copy made sh -c \
		'echo written > /f && cat /f && test -d /proc/self && test -w /dev/null')" written
	leaves_nothing "$STORE"
	same "$(find "$STORE/snapshots" -name f)" ""
}

# What a step may not leave: a name or a device that stands for a removed file.
refused_files() {
	fresh
	dockerfile refused <<-'EOF'
		FROM tiny
		RUN mknod /gone c 0 0
	EOF
	exits 4 build --snapshots=copy refused
	says "a device 0/0 stands for a removed file"
	dockerfile refused <<-'EOF'
		FROM tiny
		RUN mkdir /d && echo x > /d/.wh.file
	EOF
	exits 4 build --snapshots=copy refused
	says "names that begin with .wh."
	same "$(find "$STORE/snapshots" -name .wh.file)" ""
}

# Killed in the middle of a copy or of a step, and a disk that is full.
ended_in_the_middle() {
	fresh
	dockerfile slow <<-'EOF'
		FROM tiny
		RUN echo begun && sleep 60
	EOF
	"$XBUILD" build --root "$STORE" --snapshots=copy --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		slow 2>"$W/slow.err" &
	pid=$!
	for _ in $(seq 200); do
		grep -q begun "$W/slow.err" && break
		sleep 0.05
	done
	kill -9 "$pid"
	wait "$pid" || :
	build_by copy by.killed changes
	same "$(index_digest by.killed)" "$(index_digest by.overlay)"
	leaves_nothing "$STORE"
}

full_disk() {
	export XBUILD TINY
	dockerfile full <<-'EOF'
		FROM tiny
		RUN head -c 3000000 /dev/zero > /big
		RUN head -c 12000000 /dev/zero > /big
	EOF
	inside_mount 'mount -t tmpfs -o size=16m none mnt && mkdir -m 700 mnt/store &&
		status=0 && "$XBUILD" build --root mnt/store --snapshots=copy --progress=plain \
			--build-context "tiny=oci-layout://$TINY:tiny" full 2>err || status=$?
		ls mnt/store/snapshots/*/work && exit 1
		test "$status" != 0'
}

t "layers of copies are those of overlays" same_layers
t "one store takes both, in turn" both_in_one_store
t "a machine that refuses overlays is found out" refused_mounts
t "a plain user on such a machine" plain_user
t "a store on a tmpfs" on_tmpfs
t "a store on a file system without attributes" without_attributes
t "a store on an overlay" on_overlay
t "steps of another architecture" emulated
t "xbuild run" run_an_image
t "what stands for removed files is no file" refused_files
t "what is killed leaves nothing" ended_in_the_middle
t "a full disk leaves nothing" full_disk
finish
