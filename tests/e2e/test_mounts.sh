#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# RUN --mount: what a step sees, what stays, and what must not.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

secret() { # FILE: 32 random bytes, as base64
	head -c 32 /dev/urandom | base64 -w0 >"$1"
}

files() { # DIR: names of all files below it
	(cd "$1" && find . ! -type d | sort | paste -sd' ' -)
}

binds() {
	dockerfile "$W/bind" <<-'EOF'
		FROM tiny AS made
		RUN mkdir -p /d/e && echo x > /d/e/x && ln -s ../e/x /d/e/link && chown 7:8 /d/e/x
		FROM tiny
		RUN --mount=target=/context test "$(cat /context/file)" = context && ! test -e /context/no && \
			! echo > /context/new 2>/dev/null && test "$(stat -c %u /context/file)" = 0
		RUN --mount=source=sub,target=/a/b/c ls /a/b/c > /listing && test "$(stat -c %a /a/b/c)" = 750
		RUN --mount=from=made,source=/d/e,target=/e cat /e/link > /linked && test "$(stat -c %u:%g /e/x)" = 7:8
		RUN --mount=from=made,source=/d/e/link,target=/one cat /one >> /linked
		RUN --mount=from=made,target=/all test -x /all/bin/busybox
		RUN --mount=from=named,target=/n cat /n/name > /named
		RUN --mount=from=scratch,target=/empty test -z "$(ls -A /empty)"
		WORKDIR /app
		RUN --mount=source=file,target=here cat /app/here > /relative
	EOF
	mkdir -m 750 "$W/bind/sub"
	mkdir "$W/named"
	echo context >"$W/bind/file"
	echo no | tee "$W/bind/no" >"$W/bind/sub/no"
	echo in >"$W/bind/sub/in"
	echo named >"$W/named/name"
	printf 'no\n**/no\n' >"$W/bind/.dockerignore"
	chmod 644 "$W/bind/file"
	build --platform "$PLATFORMS" --build-context "named=$W/named" -o "type=oci,dest=$W/bind.out,tar=false" \
		"$W/bind"
	build --platform linux/amd64 --build-context "named=$W/named" -o "type=local,dest=$W/bind.files" "$W/bind"
	same "$(cat "$W/bind.files/listing" "$W/bind.files/linked" "$W/bind.files/named" \
		"$W/bind.files/relative" | paste -sd' ' -)" "in x x named context"
	for gone in context a e one all n empty work/here; do
		[ ! -e "$W/bind.files/$gone" ] || fail "/$gone is in the image"
	done
}

# A change in what is bound runs the step again; one beside it does not.
bind_keys() {
	build --platform linux/amd64 --build-context "named=$W/named" -o type=cacheonly "$W/bind" 2>"$W/err"
	says "0 steps run"
	echo other >"$W/bind/sub/in"
	build --platform linux/amd64 --build-context "named=$W/named" -o "type=local,dest=$W/bind.again" \
		"$W/bind" 2>"$W/err"
	same "$(cat "$W/bind.again/listing")" in
	grep -q 'source=sub' "$W/err" || fail "the step with the changed directory did not run"
	echo more >"$W/bind/no"
	build --platform linux/amd64 --build-context "named=$W/named" -o type=cacheonly "$W/bind" 2>"$W/err"
	says "0 steps run"
}

writable() {
	dockerfile "$W/rw" <<-'EOF'
		FROM tiny AS made
		RUN mkdir /d && echo x > /d/x
		FROM tiny
		RUN --mount=target=/c,rw echo new > /c/new && rm /c/file && ls -A /c > /seen
		RUN --mount=from=made,source=d,target=/d,rw rm /d/x && echo > /d/y && ls /d >> /seen
		RUN --mount=from=made,source=d,target=/d ls /d >> /seen
		RUN --mount=from=made,target=/d,readwrite echo > /d/z && ls -A /d/z >> /seen
	EOF
	echo file >"$W/rw/file"
	build -o "type=local,dest=$W/rw.files" --platform linux/amd64 "$W/rw"
	same "$(paste -sd' ' "$W/rw.files/seen")" "Dockerfile new y x /d/z"
	same "$(files "$W/rw")" "./Dockerfile ./file" "the context"
	[ ! -e "$W/rw.files/d" ] || fail "the mount point is in the image"
}

tmpfs() {
	dockerfile "$W/tmpfs" <<-'EOF'
		FROM tiny
		RUN mkdir /t && echo below > /t/below
		RUN --mount=type=tmpfs,target=/t,size=1m test -z "$(ls /t)" && echo > /t/x && \
			! dd if=/dev/zero of=/t/big bs=1k count=2000 2>/dev/null
		RUN --mount=type=bind,source=file,target=/t/in/file --mount=type=tmpfs,target=/t cat /t/in/file > /order
	EOF
	echo ordered >"$W/tmpfs/file"
	build --platform linux/amd64 -o "type=local,dest=$W/tmpfs.files" "$W/tmpfs"
	same "$(cat "$W/tmpfs.files/order")" ordered
	same "$(files "$W/tmpfs.files/t")" ./below
}

caches() {
	dockerfile "$W/cache" <<-'EOF'
		FROM tiny AS seed
		RUN mkdir /s && echo seed > /s/seed
		FROM tiny
		ARG RUN
		RUN --mount=type=cache,target=/c echo "$RUN $(uname -m)" >> /c/log && cat /c/log > /log
		RUN --mount=type=cache,id=one,target=/c,mode=0700,uid=7,gid=8 stat -c %a:%u:%g /c > /mode && echo "$RUN" >> /c/log && cat /c/log > /one
		RUN --mount=type=cache,id=two,target=/c,from=seed,source=/s echo "$RUN" >> /c/seed && cat /c/seed > /seed
	EOF
	for run in 1 2; do
		build --platform linux/amd64 --build-arg "RUN=$run" -o "type=local,dest=$W/cache.$run" "$W/cache"
	done
	same "$(paste -sd' ' "$W/cache.2/log")" "1 x86_64 2 x86_64"
	same "$(cat "$W/cache.2/mode" "$W/cache.2/one" "$W/cache.2/seed" | paste -sd' ' -)" "700:7:8 1 2 seed 1 2"
	[ ! -e "$W/cache.2/c" ] || fail "the mount point is in the image"
}

# A cache that no id names is each platform's own; one with an id is everybody's.
cache_platforms() {
	both_platforms
	build --platform linux/arm64 --build-arg RUN=3 -o "type=local,dest=$W/cache.3" "$W/cache"
	same "$(paste -sd' ' "$W/cache.3/log")" "3 aarch64"
	same "$(paste -sd' ' "$W/cache.3/one")" "1 2 3"
}

# Two steps at once: counted are those that find another one in the cache.
sharing() {
	for how in shared private locked; do
		# where they do not exclude each other, each waits for the other
		nap="sleep 2"
		[ $how != shared ] || nap="n=0; until [ \$(ls /c | wc -l) = 2 ] || [ \$n = 60 ]; do sleep 1; n=\$((n+1)); done"
		dockerfile "$W/sharing" <<-EOF
			FROM tiny AS a
			RUN --mount=type=cache,id=$how,target=/c,sharing=$how echo > /c/a; $nap; ls /c | wc -l > /n; [ $how = shared ] || rm /c/a
			FROM tiny AS b
			RUN --mount=type=cache,id=$how,target=/c,sharing=$how echo > /c/b; $nap; ls /c | wc -l > /n; [ $how = shared ] || rm /c/b
			FROM scratch
			COPY --from=a /n /a
			COPY --from=b /n /b
		EOF
		build --platform linux/amd64 -j 4 -o "type=local,dest=$W/sharing.$how" "$W/sharing"
	done
	same "$(cat "$W/sharing.private/a" "$W/sharing.private/b" | paste -sd' ' -)" "1 1" private
	same "$(cat "$W/sharing.locked/a" "$W/sharing.locked/b" | paste -sd' ' -)" "1 1" locked
	same "$(cat "$W/sharing.shared/a" "$W/sharing.shared/b" | sort -r | head -n 1)" 2 shared
}

# Two caches in either order, locked: no step waits for ever.
no_deadlock() {
	dockerfile "$W/deadlock" <<-'EOF'
		FROM tiny AS a
		RUN --mount=type=cache,id=x,target=/x,sharing=locked --mount=type=cache,id=y,target=/y,sharing=locked sleep 1
		FROM tiny AS b
		RUN --mount=type=cache,id=y,target=/x,sharing=locked --mount=type=cache,id=x,target=/y,sharing=locked sleep 1
		FROM tiny AS c
		RUN --mount=type=cache,id=x,target=/x,sharing=locked --mount=type=cache,id=x,target=/y echo > /x/f && test -f /y/f
		FROM scratch
		COPY --from=a /bin /a
		COPY --from=b /bin /b
		COPY --from=c /bin /c
	EOF
	timeout 600 "$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/amd64 -j 4 -o type=cacheonly "$W/deadlock"
}

# A cache belongs to nobody but the steps: it is pruned with --all, and not while a step uses it.
prune() {
	"$XBUILD" cache prune --root "$STORE"
	[ -n "$(ls "$STORE/caches")" ] || fail "prune without --all removes caches"
	dockerfile "$W/inuse" <<-'EOF'
		FROM tiny
		RUN --mount=type=cache,id=inuse,target=/c echo here > /c/f; echo waiting; until test -e /c/go; do sleep 0.1; done; cat /c/f > /f
	EOF
	build --platform linux/amd64 -o "type=local,dest=$W/inuse.files" "$W/inuse" 2>"$W/inuse.log" &
	building=$!
	soon grep -q 'waiting$' "$W/inuse.log"
	"$XBUILD" cache prune --all --root "$STORE"
	touch "$(dirname "$(find "$STORE/caches" -name f)")/go"
	wait $building
	same "$(cat "$W/inuse.files/f")" here
	same "$(ls "$STORE/caches" | wc -l)" 1 caches
	"$XBUILD" cache prune --all --root "$STORE"
	same "$(ls "$STORE/caches" | wc -l)" 0 caches
}

write_secret_file() {
	dockerfile "$1" <<-'EOF'
		FROM tiny
		RUN --mount=type=secret,id=s test "$(stat -c %a:%u:%g /run/secrets/s)" = 400:0:0 && sha256sum < /run/secrets/s > /sum
		RUN --mount=type=secret,id=s,target=/x/y,mode=0440,uid=5,gid=6 test "$(stat -c %a:%u:%g /x/y)" = 440:5:6 && cat /x/y
		RUN --mount=type=secret,id=s,env=SECRET printf %s "$SECRET" | sha256sum > /envsum; ! test -e /run/secrets/s; env
		RUN --mount=type=secret,id=s,target=/both,env=SECRET test "$(cat /both)" = "$SECRET"; echo "a $SECRET b $SECRET"
		RUN --mount=type=secret,id=s set -x; cat /run/secrets/s >&2; : "$(cat /run/secrets/s)"
		RUN --mount=type=secret,id=s ulimit -c unlimited 2>/dev/null; cd /tmp; sh -c 'read x < /run/secrets/s; kill -SEGV $$'; ls /tmp
		RUN --mount=type=secret,id=none test ! -e /run/secrets/none
		RUN --mount=type=secret,id=s cp /run/secrets/s /dev/shm/copy && ! echo > /run/secrets/s 2>/dev/null
		RUN --mount=type=secret,id=s,env=SECRET <<END
		test "$(cat /run/secrets/s 2>/dev/null || echo "$SECRET")" = "$SECRET" && export && set
		END
		RUN --mount=type=secret,id=s,env=SECRET ["/bin/sh", "-c", "exec tr a-z A-Z <<E >/dev/null\n$SECRET\nE\n"]
		RUN --mount=type=secret,id=s --mount=type=secret,id=s,target=/again --mount=type=tmpfs,target=/t cp /again /t/ && cmp /t/again /run/secrets/s
		RUN --mount=type=secret,id=s --mount=type=cache,target=/c cp /run/secrets/s /dev/shm/ && ln -s /run/secrets/s /c/link && ln -s /run/secrets/s /link
		USER 7:7
		RUN --mount=type=secret,id=s,uid=7 cat /run/secrets/s; ! test -r /run/secrets/none; cd /tmp; sh -c 'read x < /run/secrets/s; kill -ABRT $$'; true
	EOF
}

no_trace() { # SECRET-FILE WHERE...
	tool scan "$@"
}

secrets() {
	write_secret_file "$W/secret"
	secret "$W/secret.txt"
	mkdir "$W/temporary"
	TMPDIR=$W/temporary build --platform "$PLATFORMS" --secret "id=s,src=$W/secret.txt" \
		-o "type=oci,dest=$W/secret.out,tar=false" "$W/secret" 2>"$W/secret.log"
	build --platform linux/amd64 --secret "id=s,src=$W/secret.txt" -o "type=local,dest=$W/secret.files" "$W/secret"
	same "$(cat "$W/secret.files/sum")" "$(sha256sum <"$W/secret.txt")" "the secret in a step"
	same "$(cat "$W/secret.files/envsum")" "$(sha256sum <"$W/secret.txt")" "the secret in a variable"
	grep -q 'a \*\*\* b \*\*\*' "$W/secret.log" || fail "the secret is not masked"
	mkdir "$W/planted"
	base64 "$W/secret.txt" -w0 | gzip >"$W/planted/file"
	! no_trace "$W/secret.txt" "$W/planted" || fail "the scan does not see a planted secret"
	same "$(find "$W/temporary" -type f)" "" "temporary files"
	no_trace "$W/secret.txt" "$STORE" "$W/secret.out" "$W/secret.files" "$W/secret.log"
	[ ! -e "$W/secret.files/run/secrets" ] || fail "/run/secrets is in the image"
	[ ! -e "$W/secret.files/x" ] || fail "/x is in the image"
	# another secret of that name: nothing runs again
	secret "$W/secret.other"
	SECRET_VARIABLE=$(cat "$W/secret.other") build --platform linux/amd64 \
		--secret id=s,env=SECRET_VARIABLE -o type=cacheonly "$W/secret" 2>"$W/err"
	says "0 steps run"
}

failing_secret() {
	dockerfile "$W/failing" <<-'EOF'
		FROM tiny
		RUN --mount=type=secret,id=s,required cat /run/secrets/s; cp /run/secrets/s /kept; echo; printf '%s\n' "$(cat /run/secrets/s)" >&2; exit 3
	EOF
	exits 4 build --platform linux/amd64 --secret "id=s,src=$W/secret.txt" "$W/failing"
	cp "$W/err" "$W/failing.log"
	says "***"
	no_trace "$W/secret.txt" "$STORE" "$W/failing.log"
	exits 4 build --progress=rawjson --platform linux/amd64 --secret "id=s,src=$W/secret.txt" "$W/failing"
	cp "$W/err" "$W/failing.log"
	no_trace "$W/secret.txt" "$W/failing.log"
}

killed_secret() {
	dockerfile "$W/killed" <<-'EOF'
		FROM tiny
		RUN --mount=type=secret,id=s,target=/s echo waiting; sleep 60
	EOF
	build --platform linux/amd64 --secret "id=s,src=$W/secret.txt" "$W/killed" 2>"$W/killed.log" &
	pid=$!
	until grep -q 'waiting$' "$W/killed.log"; do sleep 0.1; done
	for process in $(ps -o pid= --ppid "$pid") $pid; do kill -9 "$process" || :; done
	wait $pid || :
	no_trace "$W/secret.txt" "$STORE" "$W/killed.log"
	"$XBUILD" cache du --root "$STORE"
}

missing_secret() {
	exits 3 build --platform linux/amd64 "$W/failing"
	says "secret s: not found" "--secret id=s,src=FILE" "Dockerfile:2"
}

usage_errors() {
	exits 2 build --secret "src=$W/secret.txt" "$W/failing"
	says "id= is missing"
	exits 2 build --secret "id=s,src=$W/nosuchfile" "$W/failing"
	says "nosuchfile"
	exits 2 build --secret "id=s,source=$W/secret.txt,colour=red" "$W/failing"
	says "a key that is not known"
	exits 2 env -u SSH_AUTH_SOCK "$XBUILD" build --ssh default "$W/failing"
	says "SSH_AUTH_SOCK is not set"
	exits 2 build --ssh "default=$W/secret.txt" "$W/failing"
	says "files of keys are not read"
}

ssh() {
	has ssh-agent || skip "no ssh-agent here" tools
	has cc || skip "no compiler here" tools
	mkdir -p "$W/ssh"
	cc -static -o "$W/ssh/ask" "$E2E/agent.c" || skip "no static programs here" tools
	ssh-keygen -q -t ed25519 -N '' -f "$W/ssh.key"
	eval "$(ssh-agent -a "$W/agent.sock")" >/dev/null
	ssh-add -q "$W/ssh.key"
	dockerfile "$W/ssh" <<-'EOF'
		FROM tiny
		COPY ask /bin/
		RUN --mount=type=ssh ask 11 19 11 > /default && echo "$SSH_AUTH_SOCK" > /where
		RUN --mount=type=ssh,id=other,target=/a/sock,mode=0660,uid=5,gid=6 stat -c %a:%u:%g /a/sock > /mode && ask 11 >> /mode
		RUN --mount=type=ssh,id=none test -z "$SSH_AUTH_SOCK"
		USER 1000:1000
		RUN --mount=type=ssh,uid=1000 ask 11 > /tmp/user
		RUN --mount=type=ssh ! ask 11 2>/dev/null
	EOF
	build --platform linux/amd64 --ssh default --ssh "other=$W/agent.sock" -o "type=local,dest=$W/ssh.files" "$W/ssh" \
		2>"$W/err" || { cat "$W/err"; kill "$SSH_AGENT_PID"; fail "the build"; }
	keys=$(ssh-add -l | wc -l)
	kill "$SSH_AGENT_PID"
	same "$keys" 1 "keys of the agent afterwards"
	same "$(cat "$W/ssh.files/default" "$W/ssh.files/where" | paste -sd' ' -)" \
		"answer 12 answer 5 answer 12 /run/buildkit/ssh_agent.0"
	same "$(cat "$W/ssh.files/mode" "$W/ssh.files/tmp/user" | paste -sd' ' -)" "660:5:6 answer 12 answer 12"
	[ ! -e "$W/ssh.files/run/buildkit" ] || fail "the socket's directory is in the image"
}

required_ssh() {
	dockerfile "$W/nossh" <<-'EOF'
		FROM tiny
		RUN --mount=type=ssh,required true
	EOF
	exits 3 build --platform linux/amd64 "$W/nossh"
	says "no SSH agent called default" "--ssh default"
}

# Links in sources and targets lead nowhere but inside the trees that they are in.
hostile_links() {
	mkdir -p "$W/canary/dir"
	echo unchanged >"$W/canary/file"
	for source in "$W/canary" "../../../../../../../..$W/canary" /proc/self/root/etc; do
		dockerfile "$W/hostile" <<-EOF
			FROM tiny AS evil
			RUN mkdir -p /x && ln -s $source /x/source && ln -s $W/canary/dir /x/target && ln -s $W/canary/file /x/file
			FROM evil
			RUN --mount=type=cache,target=/x/target/a echo > /x/target/a/c
			RUN --mount=type=tmpfs,target=/x/target/b echo > /x/target/b/t
			RUN --mount=type=bind,target=/x/target/c ls /x/target/c
			RUN --mount=type=secret,id=s,target=/x/file cat /x/file
			RUN --mount=type=cache,id=swap,target=/c rm -rf /c/sub && ln -s $source /c/sub
			RUN rm -rf $W && mkdir -p $W && ln -s /x/target $W/link
		EOF
		build --platform linux/amd64 --secret "id=s,src=$W/secret.txt" -o type=cacheonly "$W/hostile"
		for mount in "type=bind,from=evil,source=/x/source,target=/m" "type=cache,id=swap,source=sub,target=/m" \
			"type=cache,id=new,from=evil,source=/x/source,target=/m" "type=bind,source=source,target=/m"; do
			ln -sfn "$source" "$W/hostile/source"
			printf 'FROM tiny AS evil\nRUN mkdir -p /x && ln -s %s /x/source\nFROM tiny\nRUN --mount=%s cat /m/file && exit 9\n' \
				"$source" "$mount" >"$W/hostile/Dockerfile"
			got=0
			build --platform linux/amd64 "$W/hostile" 2>"$W/err" || got=$?
			[ $got != 0 ] && ! grep -q 'status 9' "$W/err" || fail "$mount shows files of the machine"
		done
	done
	same "$(files "$W/canary")" ./file "the canary's files"
	same "$(cat "$W/canary/file")" unchanged
	same "$(ls -A "$W/canary/dir")" "" "the canary's directory"
}

# What a step does to its mount points is not followed by whoever cleans up (there is nobody).
stub_swap() {
	mkdir -p "$W/canary/keep"
	dockerfile "$W/stubs" <<-EOF
		FROM tiny
		RUN --mount=type=cache,target=/stub/dir/keep umount /stub/dir/keep 2>/dev/null; mv /stub/dir /stub/moved 2>/dev/null; ln -s $W/canary /stub/dir 2>/dev/null; true
		RUN --mount=type=tmpfs,target=/other/keep true
	EOF
	build --platform linux/amd64 -o "type=local,dest=$W/stubs.files" "$W/stubs"
	[ -d "$W/canary/keep" ] || fail "the canary is gone"
	[ ! -e "$W/stubs.files/other" ] || fail "a mount point is in the image"
}

plain_user() {
	user_ready
	write_secret_file "$W/user-secret"
	cp -r "$W/user-secret" "$W/cache" "$W/rw" "$USER_HOME/"
	cp "$W/secret.txt" "$USER_HOME/"
	chown -R xbtest: "$USER_HOME"
	user_build() {
		as_user "$USER_HOME/bin/xbuild" build --root "$USER_HOME/store" --progress=plain \
			--build-context "tiny=oci-layout://$TINY:tiny" "$@"
	}
	user_build --platform "$PLATFORMS" --secret "id=s,src=$USER_HOME/secret.txt" \
		-o "type=oci,dest=$USER_HOME/out,tar=false" "$USER_HOME/user-secret" 2>"$W/user.log" ||
		{ cat "$W/user.log"; fail "the build"; }
	same "$(index_digest "$USER_HOME/out")" "$(index_digest "$W/secret.out")" "index digest of user and root"
	no_trace "$W/secret.txt" "$USER_HOME/store" "$USER_HOME/out" "$W/user.log"
	for run in 1 2; do
		user_build --platform linux/amd64 --build-arg "RUN=$run" -o "type=local,dest=$USER_HOME/c$run" \
			"$USER_HOME/cache"
	done
	same "$(cat "$USER_HOME/c2/mode" "$USER_HOME/c2/one" "$USER_HOME/c2/seed" | paste -sd' ' -)" "700:7:8 1 2 seed 1 2"
	user_build --platform linux/amd64 -o "type=local,dest=$USER_HOME/r" "$USER_HOME/rw"
	same "$(paste -sd' ' "$USER_HOME/r/seen")" "Dockerfile new y x /d/z"
}

no_mounts() {
	cmp "$W/mounts.before" /proc/self/mountinfo
}

cat /proc/self/mountinfo >"$W/mounts.before"
t "bind mounts show the context, stages, named contexts, and leave nothing" binds
t "what is bound is part of the key, what is beside it is not" bind_keys
t "what is written to a bind mount is lost" writable
t "tmpfs has its size, and outer mounts come first" tmpfs
t "caches live on from build to build, with mode, owner and seed" caches
t "a cache without an id is of one platform" cache_platforms
t "caches are shared, private or locked" sharing
t "locked caches in any order do not block each other" no_deadlock
t "caches are pruned when nobody uses them" prune
t "secrets are where they are asked for, and nowhere else" secrets
t "the log of a failure does not have the secret" failing_secret
t "a killed build leaves nothing of the secret" killed_secret
t "a required secret that is missing" missing_secret
t "--secret and --ssh that cannot be" usage_errors
t "an SSH agent answers what it shall" ssh
t "a required agent that is missing" required_ssh
t "hostile links lead nowhere" hostile_links
t "mount points of a step's making are not followed" stub_swap
t "all of it as a plain user" plain_user
t "no mount is left" no_mounts
finish
