#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Git sources that mean harm, seen from outside: which programs run, what is written where, and
# where credentials turn up. What git sources are good for is in test_remote.sh.
. "$(dirname "$0")/lib.sh"
need userns overlay python3 git openssl
tiny_base
fresh

# ---- a server with repositories, and something that nobody may touch -----------------------------

REPOS=$W/repos
mkdir -p "$REPOS" "$W/canary"
mkfifo "$W/server.in"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=127.0.0.1 \
	-keyout "$REPOS/key.pem" -out "$REPOS/cert.pem" 2>/dev/null
python3 "$SRC/tests/unit/builder/fetch/git_server.py" "$REPOS" "$W/requests" \
	<"$W/server.in" >"$W/ports" 2>"$W/server.err" &
SERVER=$!
exec 9>"$W/server.in" # it ends when this does
trap 'exec 9>&-; wait $SERVER; clean_up' EXIT
until [ -s "$W/ports" ] || ! kill -0 $SERVER; do sleep 0.05; done
read -r PORT _ _ <"$W/ports"
URL=http://127.0.0.1:$PORT
sh "$SRC/tests/unit/builder/fetch/git_repos.sh" "$REPOS" "$URL/smart" >"$W/repos.log" 2>&1 || cat "$W/repos.log"
printf 'Basic %s' "$(printf 'x-access-token:tok3n-of-the-test' | base64 -w0)" >"$REPOS/authorization"

echo "the canary's bytes 55271" >"$W/canary/secret"
canary_state() { find "$W/canary" "$REPOS/main.git" -printf '%p %i %m %u %n %s %T@\n'; }
canary_state >"$W/canary.before"
canary_unchanged() {
	canary_state | cmp - "$W/canary.before"
	! find "$W" /tmp "$PWD" -xdev -maxdepth 4 -name 'hacked*' -newer "$W/canary.before" 2>/dev/null | grep . || fail "something was executed"
}

# ---- hostile URLs --------------------------------------------------------------------------------

# Which programs a command executes, without their directories.
traced() { # COMMAND...
	rm -f "$W/trace"
	ASAN_OPTIONS=detect_leaks=0 timeout 600 strace -f -qq -e trace=execve,execveat -e signal=none -o "$W/trace" "$@"
}

# git's own programs and xbuild (again, as the process that becomes git or unpacks) are all there is.
only_git() {
	grep -v ' = -1 ' "$W/trace" | sed -n 's/^[0-9]* *execve[at]*([^"]*"\([^"]*\)".*/\1/p' | sort -u >"$W/programs"
	[ -s "$W/programs" ] || fail "no trace"
	! grep -v -e '/git$' -e '/git-core/git[a-z-]*$' -e '^/proc/self/' -e "^$XBUILD\$" -e '/newuidmap$' \
		-e '/newgidmap$' "$W/programs" || fail "another program ran"
}

strace_works() {
	has strace || skip "no strace" tools
	strace -qq -o /dev/null true 2>/dev/null || skip "no process can be traced here" trace
}

# Ends by itself, with an error of the source's; `build` is a function, which strace cannot start.
refused() { # CONTEXT [OPTION...]
	got=0
	traced "$XBUILD" build --root "$STORE" --progress=plain \
		--build-context "tiny=oci-layout://$TINY:tiny" "$@" 2>"$W/err" || got=$?
	case $got in
	2 | 3 | 6) ;;
	*) cat "$W/err"; fail "exit status $got: $*" ;;
	esac
	only_git
	! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$W/err" || fail "control bytes in messages: $*"
}

control=$(printf 'https://example.invalid/a\033[31m.git')
return=$(printf 'http://127.0.0.1:%s/smart/main.git#v1\rx' "$PORT")
hostile_urls() {
	strace_works
	for url in "--upload-pack=touch hacked" "-uhacked.git" "ext::sh -c touch% hacked" "ext::sh -c touch% hacked.git" \
		"file://$REPOS/main.git" "ssh://-oProxyCommand=touch%20hacked/x.git" "git@-oProxyCommand=x:y.git" \
		"ssh://git@127.0.0.1:1/x" "git://127.0.0.1:1/--upload-pack=x" "fd::17/x.git" "transport::http://x/y.git" \
		"$URL/smart/main.git#--upload-pack=touch hacked" "$URL/smart/main.git#-c x" "$URL/smart/main.git#v1:link" \
		"$URL/smart/main.git#v1:alias" "$URL/smart/main.git?ref=-x" \
		"$URL/smart/main.git?ref=v1^{}" "$URL/smart/main.git?subdir=/etc" "$URL/smart/dotgit.git" \
		"$URL/smart/slash.git" "$URL/smart/dotdot.git" "$URL/smart/absolute.git" "$URL/smart/local.git" \
		"$URL/smart/scheme.git" "$URL/smart/ext.git" "$URL/smart/dash.git" "$URL/smart/command.git" \
		"$URL/smart/name.git" "$URL/smart/unknown.git" "$URL/smart/linked.git#main" "$URL/echo/main.git" \
		"$control" "$return"; do
		refused "$url"
		mkdir -p "$W/hostile"
		printf 'FROM scratch\nADD ["%s", "/x/"]\n' "$url" >"$W/hostile/Dockerfile"
		refused "$W/hostile"
		printf 'FROM scratch\nCOPY --from=other . /x/\n' >"$W/hostile/Dockerfile"
		refused --build-context "other=$url" "$W/hostile"
	done
	canary_unchanged
}

# Not even where all goes well: hooks on both sides, filters, a subdirectory that leads up.
nothing_else_runs() {
	strace_works
	dockerfile "$W/good" <<-EOF
		FROM scratch
		ADD $URL/smart/main.git /main
		ADD --keep-git-dir=true $URL/smart/super.git /super
		ADD $URL/smart/attributes.git /attributes
		ADD $URL/smart/twice.git /twice
		ADD $URL/dumb/sha256.git#v1:../../../.. /dumb
	EOF
	traced "$XBUILD" build --root "$STORE" --progress=plain -o "type=local,dest=$W/good.out" "$W/good"
	only_git
	same "$(cat "$W/good.out/super/sub/middle/deps/lib/lib.txt" "$W/good.out/twice/a/sub/lib.txt")" "lib
lib"
	same "$(readlink "$W/good.out/main/link")" /etc/passwd
	same "$(cat "$W/good.out/dumb/file")" one
	! find "$W/good.out" -path '*/hooks/*' | grep . || fail "hooks in a checkout"
	canary_unchanged
}

# ---- credentials ---------------------------------------------------------------------------------

printf 'tok3n-of-the-test' >"$W/token"
printf 'p4ss-of-the-test' >"$W/password"

# Options are given in the order of xbuild's own command line.
private() { # OPTION...
	build --metadata-file "$W/private.json" -o "type=oci,dest=$W/private.oci" "$@" >"$W/private.txt" 2>&1
}

credentials() {
	dockerfile "$W/private" <<-EOF
		FROM scratch
		ADD $URL/private/main.git /main
	EOF
	exits 3 build "$W/private"
	says GIT_AUTH_TOKEN
	private --secret "id=GIT_AUTH_TOKEN,src=$W/token" "$W/private"
	tool scan "$W/token" "$STORE" "$W/private.json" "$W/private.oci" "$W/private.txt"
	# as a context
	printf 'FROM scratch\nCOPY file /\n' >"$W/Dockerfile.private"
	private --secret "id=GIT_AUTH_TOKEN.127.0.0.1:$PORT,src=$W/token" -f "$W/Dockerfile.private" "$URL/private/main.git#v1"
	tool scan "$W/token" "$STORE" "$W/private.json" "$W/private.oci" "$W/private.txt"
	# on no command line, where everybody on the machine sees it; what its environment has is git's alone
	strace_works
	traced -s 65536 -v "$XBUILD" build --root "$STORE" --secret "id=GIT_AUTH_TOKEN,src=$W/token" \
		-o "type=oci,dest=$W/private.oci" -f "$W/Dockerfile.private" "$URL/private/main.git#feature"
	sed 's/, \["[A-Z_a-z]*=.*//; s/, 0x[0-9a-f]* .*//' "$W/trace" >"$W/trace.args"
	grep -q ls-remote "$W/trace.args" || fail "no command lines in the trace"
	tool scan "$W/token" "$W/trace.args"
}

in_urls() {
	dockerfile "$W/private" <<-EOF
		FROM scratch
		ADD http://us3r:p4ss-of-the-test@127.0.0.1:$PORT/private/main.git#v2 /main
		ADD --keep-git-dir=true http://us3r:p4ss-of-the-test@127.0.0.1:$PORT/smart/main.git#v2 /kept
	EOF
	got=0
	private "$W/private" || got=$?
	same "$got" 3 "exit status"
	tool scan "$W/password" "$STORE" "$W/private.txt"
	printf 'Basic %s' "$(printf 'us3r:p4ss-of-the-test' | base64 -w0)" >"$REPOS/authorization"
	private "$W/private"
	printf 'Basic %s' "$(printf 'x-access-token:tok3n-of-the-test' | base64 -w0)" >"$REPOS/authorization"
	# the Dockerfile is the user's own; neither what is kept nor what is shown has it
	tool scan "$W/password" "$STORE" "$W/private.json" "$W/private.oci" "$W/private.txt"
	got=0
	private "http://us3r:p4ss-of-the-test@127.0.0.1:$PORT/echo/main.git" || got=$?
	same "$got" 6 "exit status"
	tool scan "$W/password" "$STORE" "$W/private.txt"
}

# ---- ssh -----------------------------------------------------------------------------------------

start_sshd() {
	rm -f "$W/ssh/host" "$W/ssh/host.pub"
	ssh-keygen -q -t ed25519 -N '' -f "$W/ssh/host"
	/usr/sbin/sshd -D -e -f "$W/ssh/config" 2>"$W/ssh/log" &
	SSHD=$!
	until grep -q listening "$W/ssh/log" || ! kill -0 "$SSHD"; do sleep 0.05; done
}
stop_sshd() {
	kill "$SSHD"
	wait "$SSHD" || :
}

over_ssh() {
	has root || skip "sshd here is root's" root
	[ -x /usr/sbin/sshd ] || skip "no sshd" tools
	mkdir -p "$W/ssh" /run/sshd
	port=$(python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
	ssh-keygen -q -t ed25519 -N '' -f "$W/ssh/key"
	cat >"$W/ssh/config" <<-EOF
		ListenAddress 127.0.0.1
		Port $port
		HostKey $W/ssh/host
		AuthorizedKeysFile $W/ssh/key.pub
		StrictModes no
		PasswordAuthentication no
		KbdInteractiveAuthentication no
		PermitRootLogin prohibit-password
		PidFile none
	EOF
	start_sshd
	ssh-agent -D -a "$W/ssh/agent" >"$W/ssh/agent.log" &
	agent=$!
	trap 'kill $agent; kill $SSHD' EXIT
	until [ -S "$W/ssh/agent" ]; do sleep 0.05; done
	dockerfile "$W/ssh/src" <<-EOF
		FROM scratch
		ADD ssh://root@127.0.0.1:$port$REPOS/main.git?subdir=docs#v1 /
	EOF
	fresh
	exits 3 build "$W/ssh/src"
	says "--ssh default"
	exits 3 build --ssh "default=$W/ssh/agent" "$W/ssh/src"
	says "Permission denied" "ssh-add"
	SSH_AUTH_SOCK=$W/ssh/agent ssh-add -q "$W/ssh/key"
	build --ssh "default=$W/ssh/agent" -o "type=local,dest=$W/ssh/out" "$W/ssh/src"
	same "$(cat "$W/ssh/out/page")" doc
	# a host that has another key all of a sudden
	stop_sshd
	start_sshd
	printf 'FROM scratch\nADD ssh://root@127.0.0.1:%s%s/lib.git /\n' "$port" "$REPOS" >"$W/ssh/src/Dockerfile"
	exits 6 build --ssh "default=$W/ssh/agent" "$W/ssh/src"
	says "host key verification failed" "prune -a"
	"$XBUILD" cache prune -a --root "$STORE"
	build --ssh "default=$W/ssh/agent" "$W/ssh/src"
	same "$(grep -sc ":$port" ~/.ssh/known_hosts || :)" "$([ ! -f ~/.ssh/known_hosts ] || echo 0)" "lines in the user's known_hosts"
}

# ---- the user's machine --------------------------------------------------------------------------

# What the user has configured for git is for the user's own work.
users_configuration() {
	mkdir -p "$W/home"
	cat >"$W/home/.gitconfig" <<-EOF
		[core]
			hooksPath = $W/home/hooks
			fsmonitor = touch $W/hacked-fsmonitor
			sshCommand = touch $W/hacked-ssh
		[url "$URL/nowhere/"]
			insteadOf = $URL/smart/
		[protocol]
			allow = always
		[filter "lfs"]
			smudge = touch $W/hacked-filter
			process = touch $W/hacked-process
	EOF
	mkdir -p "$W/home/hooks"
	printf '#!/bin/sh\ntouch "%s/hacked-hook"\n' "$W" >"$W/home/hooks/post-checkout"
	chmod 755 "$W/home/hooks/post-checkout"
	dockerfile "$W/configured" <<-EOF
		FROM scratch
		ADD $URL/smart/attributes.git?ref=main#refs/heads/main /x
		ADD $URL/smart/main.git?ref=main /y
	EOF
	sed -i 's/#refs.heads.main//' "$W/configured/Dockerfile"
	fresh
	(
		export HOME="$W/home" GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.hooksPath GIT_CONFIG_VALUE_0="$W/home/hooks"
		export GIT_SSH_COMMAND="touch $W/hacked-env" GIT_EXEC_PATH=/nonexistent GIT_DIR=/nonexistent GIT_TRACE=2
		export GIT_ALLOW_PROTOCOL=none GIT_ASKPASS="$W/home/hooks/post-checkout"
		build -o "type=local,dest=$W/configured.out" "$W/configured"
	)
	same "$(cat "$W/configured.out/y/file")" two
	canary_unchanged
}

plain_user() {
	user_ready
	dockerfile "$W/user.src" <<-EOF
		FROM scratch
		ADD $URL/smart/super.git /super
		ADD --keep-git-dir=true --chown=7:8 $URL/smart/sha256.git#v1 /kept
	EOF
	for run in 1 2; do
		as_user "$USER_HOME/bin/xbuild" build --root "$USER_HOME/store" --progress=plain \
			-o "type=oci,dest=$USER_HOME/out$run,tar=false" "$W/user.src"
	done
	fresh
	build -o "type=oci,dest=$W/root.out,tar=false" "$W/user.src"
	tool verify "$USER_HOME/out1"
	same "$(index_digest "$USER_HOME/out1")" "$(index_digest "$USER_HOME/out2")" "digests of both builds"
	as_user "$USER_HOME/bin/xbuild" build --root "$USER_HOME/store" --progress=plain \
		-o "type=local,dest=$USER_HOME/files" "$W/user.src"
	same "$(cat "$USER_HOME/files/super/sub/middle/deps/lib/lib.txt")" lib
	same "$(cat "$USER_HOME/files/kept/file")" one
}

counted() {
	fresh
	dockerfile "$W/count" <<-EOF
		FROM scratch
		ADD $URL/smart/main.git#v1 /
	EOF
	build "$W/count"
	: >"$W/requests"
	build "$W/count" 2>"$W/err"
	says "0 steps run"
	# to ask where a name leads is one request in protocol 2; to fetch is another
	same "$(grep -c POST "$W/requests")" 1 "how many requests were sent"
	"$XBUILD" cache du --root "$STORE" >"$W/du"
	cat "$W/du"
	"$XBUILD" cache prune -a --root "$STORE"
	same "$(find "$STORE/caches" "$STORE/snapshots" -mindepth 1 -maxdepth 1 | wc -l)" 0 "what is left"
}

no_program() {
	mkdir -p "$W/path"
	for program in newuidmap newgidmap; do
		! has $program || ln -sf "$(command -v $program)" "$W/path/$program"
	done
	fresh
	exits 3 env PATH="$W/path" "$XBUILD" build --root "$STORE" "$URL/smart/main.git"
	says "no git program" "install git"
}

t "hostile URLs run nothing but git" hostile_urls
t "nothing but git runs where all is well" nothing_else_runs
t "tokens are used and turn up nowhere" credentials
t "passwords of URLs are used and turn up nowhere" in_urls
t "ssh: the agent's keys, and hosts that keep theirs" over_ssh
t "the user's own configuration has no part in it" users_configuration
t "a plain user gets the same" plain_user
t "what is kept is counted and collected" counted
t "without a git program the error says so" no_program
finish
