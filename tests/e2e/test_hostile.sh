#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a hostile context, Dockerfile or step tries, and that nothing but the sources decides a digest.
. "$(dirname "$0")/lib.sh"
need root userns overlay setfattr
tiny_base
fresh
CANARY=$W/canary
mkdir -p "$CANARY/dir"
for file in "$CANARY/secret" "$CANARY/dir/f"; do echo "the canary's bytes 91823" >"$file"; done

canary_state() { find "$CANARY" -printf '%p %i %m %u %n %s %T@ %C@\n'; }
canary_state >"$W/canary.before"
canary_unchanged() { canary_state | cmp - "$W/canary.before"; }

context_links() {
	mkdir -p "$W/links/sub"
	(
		cd "$W/links" || exit
		ln -s ../canary up && ln -s "$CANARY" abs && ln -s ../../canary sub/up2
		ln -s ../canary/secret f1 && ln -s "$CANARY/secret" f2 && ln -s up/dir chain
		ln -s sub/../../canary/secret weird && ln -s b a && ln -s a b
		ln -s "/proc/self/root$CANARY" magic && ln -s /proc/self/cwd/../canary cwd && ln -s . self
		mkfifo fifo
		echo in >sub/inside
		ln -s /sub/inside inside
	)
	for source in up abs sub/up2 f1 f2 up/secret abs/secret chain chain/f weird a magic magic/secret cwd/secret \
		self/../../canary ../canary /../canary sub/../../canary/secret 'u*'; do
		printf 'FROM tiny\nCOPY %s /out/\n' "$source" >"$W/links.df"
		exits 3 timeout 600 "$XBUILD" build --root "$STORE" -f "$W/links.df" \
			--build-context "tiny=oci-layout://$TINY:tiny" "$W/links"
		printf 'FROM tiny\nRUN --mount=type=bind,source=%s,target=/m cat /m/* /m\n' "$source" >"$W/links.df"
		exits 3 timeout 600 "$XBUILD" build --root "$STORE" -f "$W/links.df" \
			--build-context "tiny=oci-layout://$TINY:tiny" "$W/links"
	done
	# a pattern does not look behind links: it matches nothing, which is a warning
	printf 'FROM tiny\nCOPY . /all\nCOPY inside self/self/sub /in/\nCOPY */secret /none/\n' >"$W/links.df"
	timeout 600 "$XBUILD" build --root "$STORE" -f "$W/links.df" -o "type=local,dest=$W/links.out" \
		--build-context "tiny=oci-layout://$TINY:tiny" "$W/links"
	[ ! -e "$W/links.out/none/secret" ] || fail "a pattern followed a link"
	same "$(readlink "$W/links.out/all/up")" ../canary
	same "$(cat "$W/links.out/in/inside")" in
	! grep -r "canary's bytes" "$STORE/snapshots" "$W/links.out/all/sub" || fail "the canary was read"
	canary_unchanged
}

links_in_images() {
	dockerfile "$W/inside" <<-EOF
		FROM tiny
		RUN ln -s / /x && ln -s $CANARY /y && ln -s ../../../../..$CANARY /z
		WORKDIR /x$CANARY/n
		WORKDIR /y/m
		WORKDIR /z/k
		COPY Dockerfile /y/
		COPY Dockerfile /x$CANARY/secret
		RUN rm -rf /y/* && echo x > /z/x
		FROM tiny
		COPY --from=0 /y/ /y
	EOF
	build "$W/inside"
	canary_unchanged
}

# Each line of output that says BAD is something that a step must not be able to do.
step_walls() {
	dockerfile "$W/walls" <<-'EOF'
		FROM tiny
		RUN grep -q 'CapBnd:.00000000a80425fb' /proc/self/status || echo BAD bounding set; \
		    grep -q 'CapInh:.0000000000000000' /proc/self/status || echo BAD inheritable; \
		    grep -q 'CapAmb:.0000000000000000' /proc/self/status || echo BAD ambient; \
		    grep -q 'Seccomp:.2' /proc/self/status || echo BAD no seccomp; \
		    env | grep -E 'FROM_OUTSIDE' && echo BAD environment; \
		    [ "$(id -G)" = 0 ] || echo BAD groups; \
		    [ "$(ls /proc/self/fd | wc -l)" -le 4 ] || echo BAD descriptors; true
		RUN for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper; do \
		        (echo x > $f) 2>/dev/null && echo BAD wrote $f; done; \
		    for f in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/latency_stats; do \
		        head -c1 $f 2>/dev/null | grep -q . && echo BAD read $f; done; \
		    for d in /proc/acpi /proc/scsi /sys/firmware; do ls $d 2>/dev/null | grep . && echo BAD $d; done; \
		    mkdir /sys/fs/cgroup/x 2>/dev/null && echo BAD cgroup; \
		    for p in /proc/[0-9]*/exe; do (echo x > $p) 2>/dev/null && echo BAD wrote $p; done; true
		RUN mknod /b b 8 0 2>/dev/null && head -c1 /b 2>/dev/null && echo BAD disk; \
		    mknod /m c 1 1 2>/dev/null && head -c1 /m 2>/dev/null && echo BAD memory; rm -f /b /m; \
		    mount -t tmpfs x /tmp 2>/dev/null && echo BAD mount; true
	EOF
	sha256sum "$XBUILD" >"$W/program"
	FROM_OUTSIDE=1 setpriv --groups 4,20,100 "$XBUILD" build --root "$STORE" --no-cache --progress=plain \
		--platform "$1" --build-context "tiny=oci-layout://$TINY:tiny" "$W/walls" 2>"$W/err"
	cat "$W/err"
	! grep -E '^#[0-9]+ [0-9.]+ .*BAD' "$W/err" || fail "a wall is missing"
	sha256sum -c "$W/program"
}
native_walls() { step_walls linux/amd64; }
emulated_walls() {
	both_platforms
	step_walls linux/arm64
}

daemons() {
	dockerfile "$W/daemons" <<-EOF
		FROM tiny
		RUN i=0; while [ \$i -lt 200 ]; do (sleep 97531.$$ &) ; i=\$((i+1)); done; echo started
	EOF
	timeout 600 "$XBUILD" build --root "$STORE" --progress=plain --no-cache \
		--build-context "tiny=oci-layout://$TINY:tiny" "$W/daemons"
	same "$(pgrep -c -f "sleep 97531[.]$$" || :)" 0 "processes left"
}

outputs_closed() {
	build "$W/daemons" | head -n 0
	exits 1 sh -c '"$@" >/dev/full' sh "$XBUILD" build --root "$STORE" \
		--build-context "tiny=oci-layout://$TINY:tiny" "$W/daemons"
	# Nobody can be told, but the build ends by itself: by a status, not by a signal.
	closed=0
	build "$W/daemons" >&- 2>&- || closed=$?
	[ "$closed" -le 1 ] || fail "exit status $closed with both outputs closed"
	build "$W/daemons"
}

# ---- determinism ----

many_files() { # DIR
	dockerfile "$1" <<-'EOF'
		FROM tiny AS made
		RUN for i in $(seq 1 60); do mkdir -p /d/$((i%7)); echo $i > /d/$((i%7))/f$i; done; \
		    ln /d/1/f1 /d/2/hard; mkfifo /d/fifo; ln -s nowhere /d/link; chmod 4755 /d/1/f8; \
		    truncate -s 5M /d/sparse; printf x | dd of=/d/sparse bs=1 seek=3000000 conv=notrunc
		COPY many /many
		COPY --chmod=640 many/1 /one
		COPY many/2 many/3 /two/
		ADD archive.tar.gz /tar/
		WORKDIR /w/x/y
		FROM tiny
		COPY --from=made /d /d
		COPY --from=made /many /many2
		COPY . /all
		RUN rm -rf /d/3 && mv /d/4 /d/44 && date > /dev/null
		USER app
		RUN touch /tmp/mine
	EOF
	mkdir -p "$1/many/sub/deep"
	for i in $(seq 1 120); do echo "$i" >"$1/many/$i"; done
	truncate -s 3M "$1/many/sparse"
	printf y | dd of="$1/many/sparse" bs=1 seek=1500000 conv=notrunc
	head -c 1000000 /dev/zero >"$1/many/zeros"
	ln "$1/many/1" "$1/many/hard"
	ln -s ../1 "$1/many/sub/l"
	setfattr -n user.foo -v bar "$1/many/5"
	tar -C "$1/many" -czf "$1/archive.tar.gz" 1 2 sub
	touch -d 2033-01-01 "$1/many/9"
	chmod -R a+rX "$1"
}

digest_by() { # WAY COMMAND...: the digest that this way of building gives, from an empty store
	way=$1
	shift
	rm -rf "$W/way" "$USER_HOME/way"
	"$@" --progress=quiet --platform "$PLATFORMS" --build-context "tiny=oci-layout://$TINY:tiny" . >"$W/digest"
	echo "$(cat "$W/digest") $way"
	[ -n "${wanted:-}" ] || wanted=$(cat "$W/digest")
	same "$(cat "$W/digest")" "$wanted" "$way"
}

same_digest() {
	user_ready
	many_files "$W/det"
	chmod a+rx "$W"
	by_root="$XBUILD build --root $W/way"
	by_user="as_user $USER_HOME/bin/xbuild build --root $USER_HOME/way"
	cd "$W/det" || exit
	# shellcheck disable=SC2086 # commands with arguments
	{
		digest_by root $by_root
		digest_by user $by_user
		digest_by "one job" $by_root -j 1
		digest_by "eight jobs" $by_root -j 8
		digest_by "another time zone" env TZ=Asia/Tokyo $by_root
		digest_by "another locale" env LC_ALL=C.UTF-8 LANG=tr_TR.UTF-8 $by_root
		digest_by "few descriptors" prlimit --nofile=256 $by_root
		(umask 077 && digest_by "umask 077" $by_root)
		(umask 0 && digest_by "umask 0" $by_user)
		# In a namespace of its own, so that no test's end leaves it mounted.
		mkdir -p "$W/tmpfs"
		digest_by "store on tmpfs" unshare -m sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$W/tmpfs" \
			"$XBUILD" build --root "$W/tmpfs/store"
		# Other order of directories, other times.
		mkdir "$W/det2"
		for file in many archive.tar.gz Dockerfile; do
			cp -dR --preserve=mode,links,xattr "$file" "$W/det2/"
		done
		cd "$W/det2" || exit
		digest_by "context copied in another order" $by_root
	}
}

t "links of the context lead nowhere" context_links
t "links of an image stay in the image" links_in_images
t "what a step may not do" native_walls
t "what an emulated step may not do" emulated_walls
t "a step's daemons end with it" daemons
t "closed and full outputs" outputs_closed
t "who builds, where and when does not change the digest" same_digest
finish
