#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What differs between the platforms of an image, and between two images.
. "$(dirname "$0")/lib.sh"
need userns overlay jq
tiny_base
fresh

# diff STATUS ARGUMENT...: the JSON answer is $W/answer
diff_json() {
	wanted=$1
	shift
	got=0
	"$XBUILD" diff --root "$STORE" --format json "$@" >"$W/answer" 2>"$W/err" || got=$?
	cat "$W/err" "$W/answer"
	[ "$got" = "$wanted" ] || fail "diff ended with $got, not $wanted"
}

# differs LIST WHAT NAME FIRST SECOND: a row of the only pair
differs() {
	jq -e --arg list "$1" --arg what "$2" --arg name "$3" --arg first "$4" --arg second "$5" \
		'[.pairs[0][$list][] | select(.what == $what and .name == $name and
			(.first // "") == $first and (.second // "") == $second)] | length == 1' "$W/answer" >/dev/null ||
		fail "$1: no $2 of $3: $4, $5"
}

counts() { # LIST NUMBER
	jq -e --arg list "$1" --argjson number "$2" '.pairs[0][$list] | length == $number' "$W/answer" >/dev/null ||
		fail "$1 has not $2"
}

one() { # DIR TAG: build it for amd64
	"$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t "$2" "$1" >/dev/null
}

status_file() { # VERSION NAME...
	version=$1
	shift
	for name in "$@"; do
		printf 'Package: %s\nStatus: install ok installed\nVersion: %s\nInstalled-Size: 10\n\n' "$name" "$version"
	done
	printf 'Package: removed\nStatus: deinstall ok config-files\nVersion: 1\n\n'
}

two_images() {
	mkdir -p a/root/etc a/root/var/lib/dpkg
	printf 'alike\n' >a/root/etc/alike
	printf 'one\n' >a/root/etc/content
	printf 'x\n' >a/root/etc/mode
	printf 'x\n' >a/root/etc/owner
	ln -s alike a/root/etc/link
	printf 'x\n' >a/root/etc/gone
	printf 'x\n' >a/root/etc/type
	status_file 1.0 dropped kept updated >a/root/var/lib/dpkg/status
	dockerfile a <<-'EOF'
		FROM scratch
		COPY root /
		COPY --chown=5:6 root/etc/owner /etc/owner
		ENV A=1
		LABEL version=1
		USER 5
	EOF
	cp -a a b
	printf 'two\n' >b/root/etc/content
	chmod 755 b/root/etc/mode
	rm b/root/etc/gone b/root/etc/type
	mkdir b/root/etc/type
	ln -sf content b/root/etc/link
	printf 'x\n' >b/root/etc/new
	{ status_file 1.0 kept new; status_file 2.0 updated; } >b/root/var/lib/dpkg/status
	sed -i 's/5:6/5:7/; s/A=1/A=2/; s/USER 5/USER 6/' b/Dockerfile
	one a a:1
	one b b:1
	diff_json 0 a:1 b:1
	differs files only-first /etc/gone file ''
	differs files only-second /etc/new '' file
	differs files type /etc/type file directory
	differs files mode /etc/mode 0644 0755
	differs files owner /etc/owner 5:6 5:7
	differs files link /etc/link alike content
	differs files content /etc/content '4 bytes' '4 bytes'
	differs packages only-first dropped 1.0 ''
	differs packages only-second new '' 1.0
	differs packages content updated 1.0 2.0
	counts packages 3
	jq -e '.pairs[0].config[] | select(.name == "env" and (.first | endswith("A=1")) and (.second | endswith("A=2")))' \
		"$W/answer" >/dev/null || fail "the environment"
	differs config content user 5 6
	counts config 2
	# with the file of dpkg's itself
	counts files 8
	exits 7 "$XBUILD" diff --root "$STORE" --exit-code a:1 b:1
	"$XBUILD" diff --root "$STORE" a:1 b:1 >"$W/table"
	grep -q '^  /etc/mode: 0644 and 0755$' "$W/table" || fail "$(cat "$W/table")"
	# names of others' images are no terminal's commands
	"$XBUILD" tag --root "$STORE" a:1 same:1
	diff_json 0 --exit-code a:1 same:1
	jq -e '.differs == false' "$W/answer" >/dev/null || fail "the same image differs"
	exits 2 "$XBUILD" diff --root "$STORE" a:1
	says 'name another image'
	exits 2 "$XBUILD" diff --root "$STORE"
}

dates() {
	mkdir -p t/root
	printf 'x\n' >t/root/file
	touch -d @1000000000 t/root/file
	dockerfile t <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	"$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t t:1 t >/dev/null
	touch -d @1100000000 t/root/file
	"$XBUILD" build -q --no-cache --root "$STORE" --platform linux/amd64 -t t:2 t >/dev/null
	diff_json 0 --exit-code t:1 t:2
	diff_json 7 --exit-code --times t:1 t:2
	differs files time /file 1000000000 1100000000
}

platforms() {
	both_platforms
	dockerfile p <<-'EOF'
		FROM tiny
		ARG TARGETARCH
		COPY $TARGETARCH /
		ENV LIB=/usr/lib/x
	EOF
	for arch in amd64 arm64; do
		triplet=x86_64-linux-gnu
		[ $arch = amd64 ] || triplet=aarch64-linux-gnu
		mkdir -p "p/$arch/usr/lib/$triplet" "p/$arch/opt"
		printf 'the same\n' >"p/$arch/usr/lib/$triplet/data"
		ln -s "/usr/lib/$triplet/data" "p/$arch/opt/data"
		printf '%s\n' "$arch" >"p/$arch/opt/says"
	done
	printf 'x\n' >p/arm64/opt/extra
	build -q --platform linux/amd64,linux/arm64 -t p:1 p >/dev/null
	diff_json 0 p:1
	# busybox is code on both sides, and directories are called alike
	differs files content /opt/says '6 bytes' '6 bytes'
	differs files only-second /opt/extra '' file
	counts files 2
	jq -e '.pairs[0].code >= 1 and .pairs[0].first.platform == "linux/amd64"' "$W/answer" >/dev/null || fail "no code"
	one a only:1
	diff_json 0 --exit-code --platform linux/amd64 p:1 p:1
	diff_json 7 --exit-code p:1 only:1
	jq -e '[.pairs[] | select(.alone != null)] | length == 1 and .[0].platform == "linux/arm64"' "$W/answer" >/dev/null ||
		fail "a platform that only one has"
}

t "two images: files, packages and config that differ" two_images
t "times count only where that is asked for" dates
t "two platforms of an image, without the names of their architectures" platforms
finish
