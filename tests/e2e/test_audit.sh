#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The audit: what in an image is not for its platform, or does not find what it needs, is named.
. "$(dirname "$0")/lib.sh"
need userns overlay jq cc
tiny_base
fresh

# audit STATUS ARGUMENT...: the JSON answer is $W/answer
audit() {
	wanted=$1
	shift
	got=0
	"$XBUILD" audit --root "$STORE" --format json "$@" >"$W/answer" 2>"$W/err" || got=$?
	cat "$W/err" "$W/answer"
	[ "$got" = "$wanted" ] || fail "audit ended with $got, not $wanted"
}

# found RULE PATH TEXT: a finding, and what its message says
found() {
	jq -e --arg rule "$1" --arg path "$2" --arg text "$3" \
		'[.images[].findings[] | select(.rule == $rule and (.path // "") == $path)] |
		length == 1 and (.[0].message | contains($text))' "$W/answer" >/dev/null ||
		fail "no finding $1 of $2 says: $3"
}

none() { # RULE PATH
	jq -e --arg rule "$1" --arg path "$2" \
		'[.images[].findings[] | select(.rule == $rule and (.path // "") == $path)] | length == 0' \
		"$W/answer" >/dev/null || fail "$1 of $2 is found"
}

# A program with a library of its own, and all that it is loaded with, below $W/root.
programs() {
	[ ! -d "$W/root" ] || return 0
	mkdir -p "$W/src" "$W/root/usr/bin" "$W/root/opt/lib" "$W/root/etc"
	cat >"$W/src/one.c" <<-'CODE'
		int old(void) { return 1; }
	CODE
	cat >"$W/src/two.c" <<-'CODE'
		int old(void) { return 1; }
		int new(void) { return 2; }
	CODE
	printf 'V_1 { global: old; local: *; };\n' >"$W/src/one.map"
	printf 'V_1 { global: old; };\nV_2 { global: new; local: *; } V_1;\n' >"$W/src/two.map"
	printf 'int old(void);\nint new(void);\nint main(void) { return old() + new() - 3; }\n' >"$W/src/main.c"
	for n in one two; do
		mkdir -p "$W/src/$n"
		cc -shared -fPIC -o "$W/src/$n/libown.so.1" "$W/src/$n.c" -Wl,-soname,libown.so.1 \
			"-Wl,--version-script,$W/src/$n.map"
	done
	cc -o "$W/root/usr/bin/program" "$W/src/main.c" "$W/src/two/libown.so.1" \
		-Wl,-rpath,'$ORIGIN/../../opt/lib'
	cp "$W/src/two/libown.so.1" "$W/root/opt/lib/"
	ldd "$W/root/usr/bin/program" | sed -n 's|.*[[:space:]]\(/[^ ]*\) (0x.*|\1|p' | grep -v libown >"$W/src/libs"
	while read -r lib; do
		mkdir -p "$W/root$(dirname "$lib")"
		cp -L "$lib" "$W/root$lib"
	done <"$W/src/libs"
	printf 'root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n' >"$W/root/etc/passwd"
	printf 'root:x:0:\nuser:x:1000:\nstaff:x:50:user\n' >"$W/root/etc/group"
}

# image DIR COMMAND <<EOF: build a Dockerfile on a copy of those programs that COMMAND changed
image() {
	programs
	rm -rf "$1"
	mkdir "$1"
	cp -a "$W/root" "$1/root"
	(cd "$1/root" && eval "$2")
	cat >"$1/Dockerfile"
	"$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t "$1:1" "$1" >/dev/null
}

as_it_should_be() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	image good : <<-'EOF'
		FROM scratch
		COPY root /
		ENTRYPOINT ["program"]
	EOF
	audit 0 good:1
	jq -e '.errors == 0 and .warnings == 0 and .images[0].platform == "linux/amd64"' "$W/answer" >/dev/null ||
		fail "something was found"
	"$XBUILD" audit --root "$STORE" good:1 >"$W/table"
	grep -q '^linux/amd64 sha256:[0-9a-f]* *: [0-9]* files, 0 errors, 0 warnings' "$W/table" || fail "$(cat "$W/table")"
}

missing() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	image nolib 'rm opt/lib/*' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	audit 7 nolib:1
	found library-missing /usr/bin/program libown.so.1
	image noloader 'rm -f lib64/ld-linux* lib/*/ld-linux*' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	audit 7 noloader:1
	found interpreter-missing /usr/bin/program /lib64/ld-linux-x86-64.so.2
	image older "cp '$W/src/one/libown.so.1' opt/lib/" <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	audit 7 older:1
	found version-missing /usr/bin/program "version V_2 of libown.so.1 not found; the image's goes up to V_1"
	# what is not executable is a library to somebody at most
	image idle 'rm opt/lib/*; chmod -x usr/bin/program' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	audit 0 idle:1
	jq -e '.warnings == 1' "$W/answer" >/dev/null || fail "one warning"
}

# chain FLAG: a program whose library needs another one, in a directory that only the program knows
chain() {
	echo 'int b(void) { return 0; }' >"$W/src/b.c"
	echo 'int b(void); int a(void) { return b(); }' >"$W/src/a.c"
	echo 'int a(void); int main(void) { return a(); }' >"$W/src/chain.c"
	cc -shared -fPIC -o opt/lib/libb.so "$W/src/b.c" -Wl,-soname,libb.so
	cc -shared -fPIC -o opt/lib/liba.so "$W/src/a.c" -Lopt/lib -lb -Wl,-soname,liba.so
	cc -o usr/bin/chain "$W/src/chain.c" -Lopt/lib -la -Wl,-rpath-link,opt/lib \
		-Wl,-rpath,'$ORIGIN/../../opt/lib' "-Wl,$1"
}

# What the linker of this machine says of the program is what the audit says.
indirectly() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	image inherited 'chain --disable-new-dtags' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	inherited/root/usr/bin/chain || fail "DT_RPATH is for libraries of libraries"
	audit 0 inherited:1
	none library-missing /usr/bin/chain
	image own 'chain --enable-new-dtags' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	! own/root/usr/bin/chain 2>/dev/null || fail "DT_RUNPATH is for the program's own libraries"
	audit 7 own:1
	found library-missing /usr/bin/chain 'it is loaded with liba.so, which needs libb.so, which is nowhere'
	image gone 'chain --disable-new-dtags; rm opt/lib/libb.so' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	audit 7 gone:1
	found library-missing /usr/bin/chain 'it is loaded with liba.so, which needs libb.so, which is nowhere'
}

# Where the linker looks: in the order and the places that ld.so(8) has.
places() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	for where in usr/lib lib usr/lib/x86_64-linux-gnu usr/local/lib/own; do
		image placed "mkdir -p $where etc/ld.so.conf.d && mv opt/lib/* $where/ && \
			printf 'include /etc/ld.so.conf.d/*.conf\n' >etc/ld.so.conf && \
			printf '# own\n/usr/local/lib/own\n' >etc/ld.so.conf.d/own.conf" <<-'EOF'
			FROM scratch
			COPY root /
		EOF
		audit 0 placed:1
	done
	image environment 'mkdir srv && mv opt/lib/* srv/' <<-'EOF'
		FROM scratch
		COPY root /
		ENV LD_LIBRARY_PATH=/srv
	EOF
	audit 0 environment:1
	image nowhere 'mkdir srv && mv opt/lib/* srv/' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	audit 7 nowhere:1
}

scripts() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	image scripts 'mkdir -p usr/share; for d in usr/bin usr/share; do
		printf "#!/usr/bin/perl -w\n" >$d/script; printf "#!/usr/bin/program\r\n" >$d/crlf
		printf "#!/usr/bin/program\n" >$d/good; chmod 755 $d/*; done
		printf "#!/usr/bin/perl\n" >usr/share/idle' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	audit 7 scripts:1
	found script-interpreter /usr/bin/script /usr/bin/perl
	found script-line /usr/bin/crlf 'carriage return'
	none script-interpreter /usr/bin/good
	none script-interpreter /usr/share/idle
	jq -e '.errors == 2 and .warnings == 2' "$W/answer" >/dev/null || fail "those in PATH are errors, others warnings"
}

commands() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	image command : <<-'EOF'
		FROM scratch
		COPY root /
		ENTRYPOINT ["server"]
	EOF
	audit 7 command:1
	found command-missing "" "ENTRYPOINT: server is not in the image's PATH"
	image access 'chmod 700 usr/bin' <<-'EOF'
		FROM scratch
		COPY root /
		USER user:staff
		CMD ["/usr/bin/program"]
	EOF
	audit 7 access:1
	found command-access /usr/bin/program 'CMD: user 1000 may not pass /usr/bin (mode 0700'
	image groups 'chmod 750 usr/bin/program' <<-'EOF'
		FROM scratch
		COPY --chown=0:50 root /
		USER user
		WORKDIR /usr
		CMD ["bin/program"]
	EOF
	audit 0 groups:1
	image nobody : <<-'EOF'
		FROM scratch
		COPY root /
		USER service
		CMD ["program"]
	EOF
	audit 7 nobody:1
	found user-unknown "" "USER service: /etc/passwd"
	image health : <<-'EOF'
		FROM scratch
		COPY root /
		CMD ["program"]
		HEALTHCHECK CMD ["/usr/bin/curl", "http://localhost"]
	EOF
	audit 7 health:1
	found command-missing "" 'HEALTHCHECK: /usr/bin/curl is not in the image'
}

other_machine() {
	both_platforms
	dockerfile swapped <<-'EOF'
		FROM tiny
		COPY busybox /usr/local/bin/
		CMD ["busybox-copied"]
	EOF
	cp /bin/busybox swapped/busybox
	"$XBUILD" build -q --root "$STORE" --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/amd64,linux/arm64 -t swapped:1 -o type=oci,dest="$W/swapped.tar" -o type=image swapped
	audit 7 --platform linux/arm64 swapped:1
	found elf-machine /usr/local/bin/busybox 'the file is for amd64'
	found elf-machine /usr/local/bin/busybox 'the image for linux/arm64'
	audit 7 "oci-archive:$W/swapped.tar"
	jq -e '[.images[] | .platform] == ["linux/amd64", "linux/arm64"] and
		([.images[0].findings[] | select(.rule == "elf-machine")] | length) == 0' "$W/answer" >/dev/null ||
		fail "amd64 is as it should be"
	audit 5 --platform linux/s390x swapped:1
	says 'it has linux/amd64, linux/arm64'
	"$XBUILD" audit --root "$STORE" --format sarif swapped:1 >"$W/sarif" || :
	jq -e '.version == "2.1.0" and (.runs[0].results[] | select(.ruleId == "elf-machine") |
		.level == "error" and .locations[0].physicalLocation.artifactLocation.uri == "usr/local/bin/busybox") and
		([.runs[0].tool.driver.rules[].id] | index("library-missing"))' "$W/sarif" >/dev/null || fail "$(cat "$W/sarif")"
}

allowed() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	image known 'rm opt/lib/*' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	printf '# known\n/usr/bin/* library-missing a plugin brings it\n' >allow
	audit 0 --allow allow known:1
	jq -e '[.images[0].findings[].allowed] == ["a plugin brings it"]' "$W/answer" >/dev/null || fail "no reason"
	printf '/usr/bin/* other-rule why not\n' >allow
	audit 7 --allow allow known:1
	printf '/usr/bin/* library-missing\n' >allow
	audit 3 --allow allow known:1
	says 'allow:1'
	image labelled 'rm opt/lib/*' <<-'EOF'
		FROM scratch
		COPY root /
		LABEL io.xbuild.audit.allow="/usr/bin/program * it is brought by hand"
	EOF
	audit 0 labelled:1
	exits 2 "$XBUILD" audit --root "$STORE" --format yaml known:1
	exits 2 "$XBUILD" audit --root "$STORE"
}

in_builds() {
	[ "$(uname -m)" = x86_64 ] || skip "made for x86_64" x86_64
	image plain 'rm opt/lib/*' <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	exits 7 "$XBUILD" build -q --root "$STORE" --platform linux/amd64 --audit=error -t never:1 \
		-o type=oci,dest="$W/never.tar" plain
	says 'library-missing' '/usr/bin/program' 'it needs libown.so.1' '.xbuild-audit'
	[ ! -e "$W/never.tar" ] || fail "an output was written"
	"$XBUILD" images --root "$STORE" | grep never && fail "a tag was set"
	"$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t plain:2 --audit=warn plain 2>"$W/err"
	says 'library-missing'
	"$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t plain:2 plain 2>"$W/err"
	[ ! -s "$W/err" ] || fail "nobody asked for it: $(cat "$W/err")"
	printf '/usr/bin/program library-missing it is mounted\n' >plain/.xbuild-audit
	"$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t plain:2 --audit=error plain 2>"$W/err"
	printf '/other * no\n' >allow
	exits 7 "$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t plain:2 --audit=error --audit-allow allow plain
	# an image that was clean stays so; another one is looked at
	image clean : <<-'EOF'
		FROM scratch
		COPY root /
	EOF
	for again in 1 2; do
		"$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t clean:2 --audit=error clean 2>"$W/err"
		[ ! -s "$W/err" ] || fail "$again: $(cat "$W/err")"
	done
	rm clean/root/opt/lib/*
	exits 7 "$XBUILD" build -q --root "$STORE" --platform linux/amd64 -t clean:2 --audit=error clean
	exits 2 "$XBUILD" build -q --root "$STORE" -t clean:2 --audit=maybe clean
}

t "an image in which everything finds what it needs has no findings" as_it_should_be
t "missing linkers, libraries and versions of symbols are named" missing
t "libraries that libraries of a program need are the program's" indirectly
t "libraries are found where the linker looks" places
t "scripts whose interpreter is not there, or ends with a carriage return" scripts
t "what the image is to start is there, and its user may start it" commands
t "a program of another platform is named with both, wherever the image is" other_machine
t "what is allowed is no error, and has a reason" allowed
t "a build whose result the audit refuses publishes nothing" in_builds
finish
