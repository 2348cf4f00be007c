#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a hostile context, base image or step may want to see of the machine: many shapes of links in COPY,
# ADD, mounts and the working directory, files that are ignored, and triggers of a base.
. "$(dirname "$0")/lib.sh"
need root userns overlay jq
tiny_base
fresh
CANARY=$W/canary
mkdir -p "$CANARY/dir/deep"
head -c 32 /dev/urandom >"$W/needle"
for file in secret dir/f dir/deep/f; do cp "$W/needle" "$CANARY/$file"; done
canary_state() { find "$CANARY" -printf '%p %i %m %u %n %s %T@ %C@\n'; }
canary_state >"$W/canary.before"

# Nothing of the canary is in any place, plain, decompressed or encoded, and it is as it was.
untouched() {
	tool scan "$W/needle" "$@"
	canary_state | cmp - "$W/canary.before"
}

# tries FILE CONTEXT: what the build says does not matter, but that it ends, and by a status.
tries() {
	got=0
	timeout 600 "$XBUILD" build --root "$STORE" --progress=plain --platform linux/amd64 -f "$1" -o "type=oci,dest=$W/tried,tar=false" \
		--build-context "tiny=oci-layout://$TINY:tiny" --build-context "named=$2" "$2" 2>>"$W/tries.log" || got=$?
	[ "$got" -lt 100 ] || fail "exit status $got: $(cat "$1")"
}

# 40 links to the canary, each of another shape; the list of their names in $W/shapes.
shapes() {
	up=../../../../../../../../../..
	set -- "$CANARY" "$CANARY/" "$CANARY/." "$CANARY/secret" "$CANARY/dir" "$CANARY/dir/../secret" "/$CANARY" "//$CANARY//secret" \
		../canary ../canary/secret ./../canary ../../"$(basename "$W")"/canary "$up$CANARY" "$up$CANARY/secret" \
		sub/../../canary sub/../../canary/secret sub/back/../canary sub/back/canary self/../../canary self/self/../../canary/secret \
		"/proc/self/root$CANARY" "/proc/self/root$CANARY/secret" /proc/self/cwd/../canary /proc/self/cwd \
		/proc/1/root"$CANARY" /proc/self/fd/0 /proc/self/fd/3 /proc/self/fd/4 /proc/self/exe /dev/stdin \
		one two/secret three/dir/f "one/../canary" / .. ../.. "$up" "$W" "$W/ctx/../canary/secret"
	mkdir -p "$W/ctx/sub"
	n=0
	for target; do
		n=$((n + 1))
		ln -s "$target" "$W/ctx/shape$n"
		echo "shape$n"
	done >"$W/shapes"
	ln -s ../.. "$W/ctx/sub/back"
	ln -s . "$W/ctx/self"
	ln -s two "$W/ctx/one"
	ln -s three "$W/ctx/two"
	ln -s ../canary "$W/ctx/three"
	same "$(wc -l <"$W/shapes")" 40 "shapes"
	printf 'FROM tiny\nCOPY . /all\nADD . /added\nCOPY --from=named . /named\n' >"$W/all.df"
	tries "$W/all.df" "$W/ctx"
	same "$got" 0 "links are copied as links"
	while read -r shape; do
		for line in "COPY $shape /o/" "COPY $shape/* /o/" "ADD $shape/secret /o/" "COPY --parents $shape/./dir /o/" \
			"COPY --link $shape/dir/f /o" "COPY --from=named $shape /o/" \
			"RUN --mount=target=/m,source=$shape cp -r /m /o"; do
			echo "$line"
		done | sed 's/^/FROM tiny\n/' | split -l 2 - "$W/df."
		for file in "$W"/df.*; do
			tries "$file" "$W/ctx"
			rm "$file"
		done
	done <"$W/shapes"
	untouched "$STORE" "$W/tried" "$W/tries.log"
}

# The same where the links are in another stage, and at the destination.
stages() {
	set -- / .. ../../../../../../../.. "$CANARY" "$CANARY/secret" "../../../../../../../../..$CANARY" "/proc/1/root$CANARY" \
		"/proc/self/root$CANARY" /proc/self/cwd "/x$CANARY" /dev/fd/3
	for target; do
		for rest in "" "$CANARY" "$CANARY/secret" /secret /dir/f; do
			dockerfile "$W/stage" <<-EOF
				FROM tiny AS evil
				RUN ln -s / /x && ln -s $target /y
				FROM evil
				WORKDIR /x$CANARY/n
				WORKDIR /y/made/by/workdir
				COPY Dockerfile /y$rest
				COPY Dockerfile /y$rest/
				ADD archive.tar /y/archive/
				RUN echo x > /y/written; rm -rf /y$rest/*; true
				FROM tiny
				COPY --from=evil /y$rest /o/
			EOF
			[ -e "$W/stage/archive.tar" ] || tar -C "$W/stage" -cf "$W/stage/archive.tar" Dockerfile
			tries "$W/stage/Dockerfile" "$W/stage"
		done
	done
	untouched "$STORE" "$W/tried" "$W/tries.log"
}

# Mounts whose source or target leads through links, of a base and of a cache.
mounts() {
	cat /proc/self/mountinfo >"$W/mounts.before"
	set -- / .. "../../../../../../../..$CANARY" "$CANARY" "$CANARY/dir" "$CANARY/secret" "$CANARY/new" "/x$CANARY" "/proc/1/root$CANARY" \
		"/proc/self/root$CANARY" "/proc/self/cwd" /proc /proc/self /proc/1/ns /sys /dev /dev/fd /dev/shm /run "$W"
	head -c 32 /dev/urandom | base64 >"$W/given"
	for target; do
		for mount in "type=bind,from=evil,source=/y,target=/m" "type=bind,from=evil,target=/y/t" \
			"type=cache,id=shapes,target=/y/t" "type=cache,id=seeded,from=evil,source=/y,target=/m" \
			"type=cache,id=turned,source=y,target=/m" "type=tmpfs,target=/y/t" "type=secret,id=s,target=/y/t" \
			"type=secret,id=s,target=/y" "type=ssh,target=/y/t"; do
			dockerfile "$W/mount" <<-EOF
				FROM tiny AS evil
				RUN ln -s / /x && ln -s $target /y
				RUN --mount=type=cache,id=turned,target=/c ln -sfn $target /c/y
				FROM evil
				RUN --mount=$mount ls /m /y/t; cp -r /m /o; echo x > /m/written; echo x > /y/t/written; rm -rf /m/* /y/t/*; true
			EOF
			got=0
			timeout 600 "$XBUILD" build --root "$STORE" --progress=plain --platform linux/amd64 --secret "id=s,src=$W/given" \
				--build-context "tiny=oci-layout://$TINY:tiny" -o type=cacheonly "$W/mount" 2>>"$W/tries.log" || got=$?
			[ "$got" -lt 100 ] || fail "exit status $got: $mount, $target"
		done
	done
	cmp "$W/mounts.before" /proc/self/mountinfo
	untouched "$STORE" "$W/tries.log"
}

# A file that is ignored is never opened, however it is ignored and asked for.
ignored() {
	strace -qq -o /dev/null true 2>/dev/null || skip "no process can be traced here" trace
	mkdir -p "$W/ign/a/b"
	cp "$W/needle" "$W/ign/a/b/hidden.txt"
	ln "$W/ign/a/b/hidden.txt" "$W/ign/a/hidden-too.txt"
	ln -s a/b/hidden.txt "$W/ign/link"
	ln -s a "$W/ign/dirlink"
	echo seen >"$W/ign/seen"
	dockerfile "$W/ign" <<-'EOF'
		FROM tiny
		COPY . /all
		COPY see? /o/
		ADD s* /star/
		COPY --parents **/see* /p/
		RUN --mount=target=/m ls -R /m
	EOF
	count=0
	# Each line ignores both names of the file; ';' stands for the end of a line.
	while read -r rules; do
		echo "$rules" | tr ';' '\n' >"$W/ign/.dockerignore"
		count=$((count + 1))
		rm -f "$W/trace"
		ASAN_OPTIONS=detect_leaks=0 timeout 600 strace -f -qq -e trace=open,openat,openat2,creat,readlink -o "$W/trace" "$XBUILD" build \
			--root "$STORE" --platform linux/amd64 --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" "$W/ign" \
			2>"$W/err" || { cat "$W/err"; fail "the build with: $rules"; }
		[ -s "$W/trace" ] || fail "nothing was traced"
		! grep -E '"[^"]*hidden(-too)?\.txt"' "$W/trace" || fail "it was opened: $rules"
	done <<-'EOF'
		a
		a/
		/a
		./a
		a/**
		a/*
		**/hidden*
		**/*hidden*
		**/hidden*.txt
		**/*.txt
		**/hid?en*
		**/[h]idden*
		**/[^x]idden*
		**/hidden[.x-z]*;**/hidden-*
		a/b/hidden.txt;a/hidden-too.txt
		a/b;a/hidden-too.txt
		a/*/hidden.txt;a/hidden-too.txt
		*/b;*/hidden-too.txt
		**/b;**/hidden-too.txt
		a/../a
		x/../a
		/./a
		*;!seen
		**;!seen
		*;!s*
		a;!a/c
		a;!**/seen
		!a;a
		a/*;!a/none
		#comment;;a
		  a  
		*/*
		**/**/hidden*
	EOF
	[ "$count" -ge 30 ] || fail "$count patterns"
	untouched "$STORE" "$W/err"
}

# A trigger comes with an image of others: what stands there is whatever they wrote.
triggers() {
	printf 'FROM tiny\nRUN echo base > /b\n' | dockerfile "$W/base"
	build --platform linux/amd64 -o "type=oci,dest=$W/base.oci,tar=false,name=base" "$W/base"
	printf 'FROM hostile\nRUN true\n' | dockerfile "$W/user"
	head -c 30 /dev/urandom | base64 >"$W/given"
	by_trigger() { # LINE ARGUMENT...: a build of the user's where the base has this trigger
		tool trigger "$W/base.oci" "$1"
		shift
		build --platform linux/amd64 --build-context "hostile=oci-layout://$W/base.oci:base" \
			--secret "id=s,src=$W/given" "$@" "$W/user"
	}
	by_trigger "RUN echo ran > /ran" -o "type=local,dest=$W/ran"
	same "$(cat "$W/ran/ran")" ran
	for line in "RUN --security=insecure id" "RUN --mount=target=/m --security=insecure id"; do
		exits 3 by_trigger "$line"
		says "ONBUILD of hostile" "--allow security.insecure"
	done
	for line in "FROM tiny" "from tiny" "MAINTAINER me" "ONBUILD RUN true" NOPE "RUN --nope true" "RUN x
RUN y" "COPY ../../../..$CANARY/secret /x" "ADD $CANARY/secret /x"; do
		exits 3 by_trigger "$line"
		says "ONBUILD of hostile"
	done
	canary_state | cmp - "$W/canary.before"
}

t "40 links of the context lead nowhere, whoever follows them" shapes
t "links of a stage and of a destination stay in it" stages
t "mounts through links stay in the trees that they are of" mounts
t "what is ignored is never opened" ignored
t "triggers of a base may not do more than the user's own lines" triggers
finish
