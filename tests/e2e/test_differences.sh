#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What BuildKit does where one might expect something else: xbuild does the same (docs/compatibility.md).
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

# files DIR: the paths below it, sorted, in one line
files() { (cd "$1" && find . -mindepth 1 | sort | sed 's|^\./||' | paste -sd' '); }

patterns_match_nothing() {
	dockerfile "$W/nothing" <<-'EOF'
		FROM scratch
		COPY no* *.none /nowhere/
		COPY Dockerfile no* /there/
	EOF
	build -o "$W/nothing.out" "$W/nothing" 2>"$W/err"
	same "$(files "$W/nothing.out")" "there there/Dockerfile"
	says "nothing is copied: no* matches no file"
	printf 'FROM scratch\nCOPY Dockerfile none /\n' >"$W/nothing/Dockerfile"
	exits 3 build "$W/nothing"
	says "none: no such file"
	printf 'FROM scratch\nCOPY none/* /\n' >"$W/nothing/Dockerfile"
	exits 3 build "$W/nothing"
}

files_follow_each_other() {
	dockerfile "$W/several" <<-'EOF'
		FROM tiny AS base
		RUN mkdir /there
		COPY a b /there
		COPY a b /file
		COPY [ab] <<c /other
		text
		c
		FROM scratch
		COPY --from=base /there /there
		COPY --from=base /file /other /
	EOF
	echo a >"$W/several/a"
	echo b >"$W/several/b"
	build -o "$W/several.out" "$W/several" 2>"$W/err"
	same "$(files "$W/several.out")" "file other there there/a there/b"
	same "$(cat "$W/several.out/file" "$W/several.out/other" | paste -sd' ')" "b text"
	says "only the last is there"
}

unknown_owners() {
	has root || skip "no root here" root
	dockerfile "$W/owners" <<-'EOF'
		FROM tiny AS base
		COPY --chown=nobody-here Dockerfile /user
		COPY --chown=7 Dockerfile /number
		COPY --chown=7: Dockerfile /empty
		USER nobody-here
		WORKDIR /made
		FROM scratch
		COPY --from=base /user /number /empty /
		COPY --from=base /made /made
	EOF
	build -o "type=tar,dest=$W/owners.tar" "$W/owners" 2>"$W/err"
	same "$(tar --numeric-owner -tvf "$W/owners.tar" | awk '{ print $6 $2 }' | sort | paste -sd' ')" \
		"empty7/0 made/0/0 number7/7 user0/0"
	says "no user called nobody-here"
	sed -i 's/nobody-here/4294967295/' "$W/owners/Dockerfile"
	exits 3 build "$W/owners"
}

sockets() {
	dockerfile "$W/sockets" <<-'EOF'
		FROM scratch
		COPY . /
	EOF
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$W/sockets/socket"
	build -o "$W/sockets.out" "$W/sockets"
	[ -f "$W/sockets.out/socket" ] && [ ! -s "$W/sockets.out/socket" ]
}

last_of_env_and_arg() {
	dockerfile "$W/last" <<-'EOF'
		FROM tiny AS base
		ENV A=env B=env
		ARG A=arg B C=1 D=$C
		RUN echo "$A $B $C $D" > /first
		ENV A=again
		RUN echo "$A" > /second
		ARG A
		FROM base
		RUN echo "$A" > /third
	EOF
	build -o "type=oci,dest=$W/last.oci,tar=false" -o "type=tar,dest=$W/last.tar" "$W/last"
	same "$(tar -xOf "$W/last.tar" first second third | paste -sd' ')" "arg env 1 1 again again"
	build --build-arg A=given -o "type=tar,dest=$W/last.tar" "$W/last"
	same "$(tar -xOf "$W/last.tar" first second third | paste -sd' ')" "given env 1 1 again again"
}

empty_operands() {
	dockerfile "$W/empty" <<-'EOF'
		FROM tiny
		ARG NONE
		WORKDIR /w
		USER 5
		USER $NONE
		WORKDIR $NONE
		RUN pwd > here; id -u >> here
		CMD
	EOF
	build -o "type=oci,dest=$W/empty.oci,tar=false" -o "type=tar,dest=$W/empty.tar" "$W/empty"
	same "$(tar -xOf "$W/empty.tar" w/here | paste -sd' ')" "/w 0"
	digest=$(index_digest "$W/empty.oci")
	config=$(jq -r .config.digest "$W/empty.oci/blobs/$(echo "$digest" | tr : /)")
	same "$(jq -c '.config | [.User, .WorkingDir, .Cmd]' "$W/empty.oci/blobs/$(echo "$config" | tr : /)")" \
		'[null,"/w",["/bin/sh","-c",""]]'
}

nothing_below() {
	dockerfile "$W/below" <<-'EOF'
		FROM scratch
		RUN --mount=from=tiny,source=/bin,target=/bin echo a > /b
	EOF
	build -o "$W/below.out" "$W/below"
	same "$(files "$W/below.out")" "b"
	printf 'FROM scratch\nRUN echo a\n' >"$W/below/Dockerfile"
	exits 4 build "$W/below"
	says "Dockerfile:2" "/bin/sh"
}

t "patterns may match nothing, names may not" patterns_match_nothing
t "files that go to one name follow each other" files_follow_each_other
t "an owner that the image does not know is root, and said" unknown_owners
t "an empty file stands for a socket" sockets
t "of ENV and ARG the last one counts" last_of_env_and_arg
t "USER, WORKDIR and CMD may be empty" empty_operands
t "a command may run on nothing but its mounts" nothing_below
finish
