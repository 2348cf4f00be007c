#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A user without subordinate ids gets what root gets: owners that the file system cannot hold are recorded.
. "$(dirname "$0")/lib.sh"
need root userns overlay
tiny_base
fresh

# A base whose files belong to many.
mkdir -p "$W/base"
(
	cd "$W/base" || exit
	mkdir -p etc var/group home/app
	printf 'root:x:0:0::/:/bin/sh\napp:x:1000:50::/home/app:/bin/sh\n' >etc/passwd
	echo secret >etc/shadow
	ln -s shadow etc/link
	mkfifo etc/fifo
	chown 0:42 etc/shadow
	chown -h 5:6 etc/link
	chown 7:8 etc/fifo
	chown 1000:50 home/app
	chgrp 50 var/group && chmod 2775 var/group
	# what looks like a record is none when it comes from elsewhere
	python3 -c 'import os
os.setxattr("etc/passwd", "user.xbuild.owner", b"1:1")
os.setxattr("etc/passwd", "user.kept", b"1")'
	tar --xattrs --xattrs-include="user.*" -cf "$W/owned.tar" .
)
dockerfile "$W/owned" <<'EOF'
FROM tiny
ADD owned.tar /
EOF
cp "$W/owned.tar" "$W/owned/"
build --platform "$PLATFORMS" -o "type=oci,dest=$W/base.oci,tar=false,name=owned" "$W/owned"

NOBODY=$W/nobody
mkdir -p "$NOBODY"
cp "$XBUILD" "$NOBODY/xbuild"
chown -R 65534:65534 "$NOBODY"
chmod 755 "$W"

nobody_build() { # OUT DIRECTORY [ARGUMENT...]
	out=$1 dir=$2
	shift 2
	setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PATH" LC_ALL=C HOME="$NOBODY" \
		SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" "$NOBODY/xbuild" build --root "$NOBODY/store" --progress=plain \
		--build-context "base=oci-layout://$W/base.oci:owned" --platform "$PLATFORMS" \
		-o "type=oci,dest=$out,tar=false,name=app" "$@" "$dir"
}

# same_as_root DIRECTORY: built by root, by nobody and below unshare -r, the index is one.
same_as_root() {
	set -- "$W/$1"
	build --build-context "base=oci-layout://$W/base.oci:owned" --platform "$PLATFORMS" \
		-o "type=oci,dest=$1.root,tar=false,name=app" "$1"
	nobody_build "$NOBODY/$(basename "$1")" "$1"
	same "$(index_digest "$NOBODY/$(basename "$1")")" "$(index_digest "$1.root")" "digest of nobody and root"
	unshare -Ur "$XBUILD" build --root "$W/one-id" --progress=plain \
		--build-context "base=oci-layout://$W/base.oci:owned" --platform "$PLATFORMS" \
		-o "type=oci,dest=$1.one,tar=false,name=app" "$1"
	same "$(index_digest "$1.one")" "$(index_digest "$1.root")" "digest of unshare -r and root"
	# as in a container
	setpriv --bounding-set=-sys_admin --inh-caps=-all "$XBUILD" build --root "$W/bound" --progress=plain \
		--build-context "base=oci-layout://$W/base.oci:owned" --platform "$PLATFORMS" \
		-o "type=oci,dest=$1.bound,tar=false,name=app" "$1"
	same "$(index_digest "$1.bound")" "$(index_digest "$1.root")" "digest of root without CAP_SYS_ADMIN and with it"
}

dockerfile "$W/copied" <<'EOF'
FROM base AS one
RUN touch /var/group/x && mkdir /var/group/y && ln -s a /var/group/l && mkfifo /var/group/p && touch /var/group/y/z
RUN echo more >>/etc/shadow && mv /etc/link /etc/moved && chmod 700 /home/app && chmod u+s /bin/busybox
COPY --chown=3:4 file /d/
ADD --chown=9:10 owned.tar /again/
RUN mv /again/etc/fifo /again/f && ln /again/f /again/g && mv /again/etc/link /again/k && rm -r /again/var
FROM base
WORKDIR /w
COPY --from=one / /all/
RUN --mount=type=cache,target=/c,uid=5,gid=6 --mount=type=bind,from=one,target=/one touch /c/x && cat /one/d/file >/e
EOF
echo file >"$W/copied/file"
cp "$W/owned.tar" "$W/copied/"

copied() { same_as_root copied; }
given() { same_as_root given; }

# What programs give away, as root and as a user.
dockerfile "$W/given" <<'EOF'
FROM base
RUN chown -R 1000:50 /home && chown -h 3:4 /etc/link && chown 5:42 /etc/shadow && chown 1:2 /etc/fifo
RUN touch /x /y && chown 7:8 /x && ln -s x /l && chown -h 9:9 /l && mv /l /renamed && chown :12 /y && ln /y /z
RUN chmod 6755 /bin/busybox && chown 1 /bin/busybox && mkdir -m 2775 /sg && chown :50 /sg && mkdir -p /sg/b && touch /sg/b/c
RUN cd /etc && chown 0:0 fifo shadow && chown 4000000000:4000000001 passwd
RUN mkdir -p /r/bin && cp /bin/busybox /r/bin/ && ln -s /bin/busybox /r/bin/chown && touch /r/f && chroot /r /bin/chown 70:71 /f
RUN ! chown 1 /nowhere && ! chown 1 /x/y && ! chown -h 1 "" && chown 1:1 /proc/self/fd/0 || true
USER app
RUN id -u >/home/app/id && id -g >>/home/app/id && touch /home/app/f && ln -s q /home/app/ln && mkdir /home/app/d
RUN ! chown 0 /home/app/f && ! chown :60 /home/app/f && ! chown app /x && chown app:50 /home/app/f
USER 0:5
RUN id -g >/g && touch /g5
USER root
RUN chown 6 /etc/shadow && stat -c %u:%g /etc/shadow /etc/link /x /home/app >/seen && cp -a /etc/shadow /copied
RUN tar -c -f /t -C / etc/shadow etc/link etc/fifo && mkdir /u && tar -x -f /t -C /u && rm /t
RUN su app -s /bin/sh -c 'id -u; id -g; test -O /home/app/f && ! chown 0 /home/app/f' >/by-app && touch /by-root
RUN mkdir -m 2777 /pub && chgrp 50 /pub && mkdir -m 777 /open && chown 8:9 /open && su app -s /bin/sh -c 'umask 027; cd /open; \
	echo a >/pub/f; echo b >f; echo c >>f; mkdir d /pub/d; ln -s q l; mkfifo p; set -C; echo e >excl; touch /home/app/g; ln f h; mv f i'
EOF

# Whatever programs do to become others, the kernel's own answers to root are the measure.
becoming() {
	dockerfile "$W/becoming" <<-'EOF'
		FROM base
		COPY ids /ids
		RUN mkdir -m 1777 /all && /ids /all >/said && grep -q '^setresuid 0' /said && grep -q '^setresuid -1 1' /said
	EOF
	cc -O1 -static -o "$W/becoming/ids" "$E2E/ids.c" || skip "no static programs here" tools
	PLATFORMS=linux/amd64
	same_as_root becoming
}

# Where trees are copied, and stacked.
copies() {
	nobody_build "$NOBODY/copied.copies" "$W/copied" --root "$NOBODY/copies" --snapshots=copy
	same "$(index_digest "$NOBODY/copied.copies")" "$(index_digest "$W/copied.root")"
	nobody_build "$NOBODY/given.copies" "$W/given" --root "$NOBODY/copies" --snapshots=copy
	same "$(index_digest "$NOBODY/given.copies")" "$(index_digest "$W/given.root")"
}

# An image is run as it was built.
runs() {
	setpriv --reuid=65534 --regid=65534 --clear-groups env -i PATH="$PATH" HOME="$NOBODY" "$NOBODY/xbuild" run \
		--root "$NOBODY/store" --platform linux/amd64 "oci:$NOBODY/given:app" \
		sh -c 'stat -c %u:%g /x /etc/shadow; chown 5:6 /x; stat -c %u:%g /x; su app -s /bin/sh -c "id -u"' >"$W/said"
	same "$(paste -sd' ' "$W/said")" "7:8 6:0 5:6 1000"
}

stores_are_of_one_kind() {
	dockerfile "$W/kind" <<-'EOF'
		FROM base
		RUN echo fine >/fine
	EOF
	exits 8 unshare -Ur "$XBUILD" build --root "$STORE" --build-context "base=oci-layout://$W/base.oci:owned" \
		-o type=cacheonly "$W/kind" 2>"$W/err"
	grep -q "belong to subordinate ids" "$W/err"
	grep -q -- "--root" "$W/err"
	cp -a "$W/one-id" "$W/turned"
	exits 8 "$XBUILD" build --root "$W/turned" --build-context "base=oci-layout://$W/base.oci:owned" \
		-o type=cacheonly "$W/kind" 2>"$W/err"
	grep -q "were made without subordinate ids" "$W/err"
}

files_are_the_users() {
	nobody_build "$NOBODY/unused" "$W/copied" -o "type=local,dest=$NOBODY/files"
	[ "$(find "$NOBODY/files" -path "*/all/etc/shadow" | wc -l)" -ge 1 ]
	same "$(find "$NOBODY/files" ! -user 65534 | wc -l)" 0
	same "$(python3 -c 'import os, sys
for top, dirs, files in os.walk(sys.argv[1]):
    for name in dirs + files:
        path = os.path.join(top, name)
        print(*[a for a in os.listxattr(path, follow_symlinks=False) if "xbuild" in a or "capability" in a])
' "$NOBODY/files" | sort -u)" "" "attributes of files of type=local"
}

t "bases, copies and what commands make" copied
t "what commands give away" given
t "how programs become others" becoming
t "where trees are copied" copies
t "a program of such an image" runs
t "a store of the other kind is refused" stores_are_of_one_kind
t "files of type=local belong to whoever builds" files_are_the_users
finish
