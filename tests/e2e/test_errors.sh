#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What goes wrong is said where it went wrong, with one thing to try, and the right exit status.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

usage() {
	exits 2 "$XBUILD" build --no-such-option "$W"
	says --no-such-option
	exits 2 "$XBUILD" build --root "$STORE"
	exits 2 build --platform not-a/plat/form/at/all "$W"
	exits 2 build -o type=nothing "$W"
	exits 2 "$XBUILD" plan --format nothing "$W"
}

no_dockerfile() {
	mkdir -p "$W/empty"
	exits 3 build "$W/empty"
	says Dockerfile
	exits 3 build "$W/nowhere"
	says nowhere
}

syntax() {
	dockerfile "$W/syntax" <<-'EOF'
		FROM tiny
		RUN echo fine
		COPPY a b
	EOF
	exits 3 build "$W/syntax"
	says "Dockerfile:3" "COPPY a b" "^"
	printf 'FROM tiny\nRUN ["unfinished"' >"$W/syntax/Dockerfile"
	printf 'RUN echo\n' >"$W/syntax/Dockerfile"
	exits 3 build "$W/syntax"
	says "Dockerfile:1"
}

unsupported() {
	dockerfile "$W/unsupported" <<-'EOF'
		FROM tiny
		RUN --no-such-flag=insecure echo x
	EOF
	exits 3 build "$W/unsupported"
	says "Dockerfile:2" "no-such-flag" "^"
}

no_source() {
	dockerfile "$W/nosource" <<-'EOF'
		FROM tiny
		COPY missing.txt /
	EOF
	exits 3 build "$W/nosource"
	says "Dockerfile:2" missing.txt
	dockerfile "$W/nosource" <<-'EOF'
		FROM tiny
		COPY --from=nostage /x /
	EOF
	got=0
	build "$W/nosource" 2>"$W/err" || got=$?
	[ $got != 0 ] || fail "a stage that is not there was copied from"
	says nostage
}

step_fails() { # PLATFORM WORD
	dockerfile "$W/step" <<-'EOF'
		FROM tiny AS base
		FROM base AS breaks
		RUN for i in $(seq 1 30); do echo "line $i"; done; \
		    echo to-stderr >&2; exit 37
	EOF
	exits 4 build --platform "$1" -o "type=oci,dest=$W/failed,tar=false" "$W/step"
	says "$1" breaks "Dockerfile:3" "exit 37" "37" "line 30" to-stderr "$2"
	[ ! -e "$W/failed/index.json" ] || fail "a failed build left an index"
}
native_step() { step_fails linux/amd64 native; }
emulated_step() {
	both_platforms
	step_fails linux/arm64 emulated
	grep -q 'emulated: qemu-[a-z0-9-]* [0-9]' "$W/err" || fail "the emulator's version is not told"
}

summary_lines() {
	! build --platform linux/amd64 "$W/step" >"$W/out" 2>"$W/err" || fail "it was built"
	# The step's own output is shown once while it runs; the summary repeats its end, not all of it.
	[ "$(grep -c 'line 30$' "$W/err")" -ge 1 ] || fail "the last lines are missing"
}

killed_step() {
	dockerfile "$W/killed" <<-'EOF'
		FROM tiny
		RUN kill -KILL $$
	EOF
	exits 4 build "$W/killed"
	says KILL
}

not_found() {
	dockerfile "$W/notfound" <<-'EOF'
		FROM tiny
		RUN ["/no/such/program"]
	EOF
	exits 4 build "$W/notfound"
	says /no/such/program
}

no_platform() {
	dockerfile "$W/pure" <<-'EOF'
		FROM tiny
		RUN true
	EOF
	# The base has no image for it.
	got=0
	build --platform linux/s390x "$W/pure" 2>"$W/err" || got=$?
	cat "$W/err"
	[ $got = 5 ] || fail "exit status $got, not 5"
	says s390x
}

sibling() {
	both_platforms
	dockerfile "$W/sibling" <<-'EOF'
		FROM tiny
		RUN test "$(uname -m)" = x86_64
	EOF
	exits 4 build --platform "$PLATFORMS" -o "type=oci,dest=$W/sib,tar=false" "$W/sibling"
	says linux/arm64
	[ ! -e "$W/sib/index.json" ] || fail "one of two platforms failed, and an index was written"
}

bad_store() {
	exits 8 "$XBUILD" build --root /proc/no/store --build-context "tiny=oci-layout://$TINY:tiny" "$W/pure"
	says /proc/no/store
}

corrupt_base() {
	cp -R "$TINY" "$W/corrupt"
	layer=$(find "$W/corrupt/blobs" -type f -size +100k | head -n 1)
	printf X | dd of="$layer" bs=1 seek=5000 conv=notrunc 2>/dev/null
	fresh
	got=0
	for platform in $(echo "$PLATFORMS" | tr , ' '); do
		"$XBUILD" build --root "$STORE" --build-context "tiny=oci-layout://$W/corrupt:tiny" \
			--platform "$platform" "$W/pure" 2>>"$W/err" || got=$?
	done
	cat "$W/err"
	[ $got != 0 ] && [ $got != 1 ] || fail "a base with a wrong byte was used (status $got)"
	says "$(basename "$layer" | cut -c 1-12)"
}

one_hint() {
	exits 3 build "$W/syntax"
	[ "$(wc -l <"$W/err")" -le 12 ] || fail "an error of $(wc -l <"$W/err") lines"
}

# All bases at once, and what can be built.
gaps() {
	tool tiny two two linux/386=/bin/busybox linux/arm/v7=/bin/busybox
	tool tiny one one linux/amd64=/bin/busybox
	dockerfile gaps <<-'EOF'
		FROM two AS made
		RUN --mount=from=one,target=/m true
		FROM two
		COPY --from=made / /
	EOF
	set -- --build-context two=oci-layout://two:two --build-context one=oci-layout://one:one gaps
	exits 5 build --platform linux/amd64,linux/arm/v7,linux/s390x "$@"
	says 'image one for linux/arm/v7' 'two: linux/amd64 as linux/386, linux/arm/v7 there, linux/s390x missing' \
		'one: linux/amd64 there, linux/arm/v7 missing, linux/s390x missing' 'all is there for --platform linux/amd64'
	exits 5 "$XBUILD" plan --root "$STORE" --platform linux/arm64 "$@"
	says 'two: linux/arm64 as linux/arm' 'one: linux/arm64 missing'
	grep -q 'all is there' "$W/err" && fail "nothing can be built, and it says something can"
	return 0
}

t "usage: exit 2" usage
t "no Dockerfile, no context: exit 3" no_dockerfile
t "a wrong instruction: exit 3, with line and caret" syntax
t "an unknown flag of an instruction is an error, never ignored" unsupported
t "sources that are not there" no_source
t "a failing step: exit 4 and a summary" native_step
t "a failing step under emulation says so" emulated_step
t "the summary has the last lines of the output" summary_lines
t "a step that a signal ends" killed_step
t "a program that is not there" not_found
t "a platform that the base lacks: exit 5" no_platform
t "one failing platform fails the build" sibling
t "a store that cannot be made: exit 8" bad_store
t "a base whose bytes are not what its digest says" corrupt_base
t "errors are short" one_hint
t "bases that lack a platform are told at once" gaps
finish
