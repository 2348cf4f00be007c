# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For the tests that run xbuild as users do. Source it, then:
#
#	need root userns overlay	# the whole file needs these
#	t "what a user sees" function	# one test; the function runs in a subshell under set -eu
#	finish
#
# A test that cannot run calls `skip WHY WHAT`; what XB_REQUIRE lists (root, userns, overlay, binfmt,
# cgroup, net, trace, loop, seccomp, x86_64, evil; tools are programs and libraries) may not be missing:
# such a skip is a failure. Speaks TAP.
#
# XBUILD	the program (absolute path; default build/xbuild)
# $W		a scratch directory of this file, removed at its end unless XB_KEEP is set
# $TINY		an OCI layout with the image `tiny` (busybox) for linux/amd64 and, where it can be
#		had, linux/arm64

E2E=$(cd "$(dirname "$0")" && pwd)
SRC=$(cd "$E2E/../.." && pwd)
XBUILD=${XBUILD:-$SRC/build/xbuild}
CACHE=${XB_E2E_CACHE:-$SRC/build/e2e}
export SOURCE_DATE_EPOCH=1700000000
export LC_ALL=C TZ=UTC
umask 022

COUNT=0
FAILED=0
# Not mktemp: image names may not have capital letters, and some tools make names of paths.
W=${TMPDIR:-/tmp}/xb-e2e.$$.$(date +%s%N)
mkdir "$W" || exit 1
TINY=$W/tiny

clean_up() {
	status=$?
	if [ -n "${XB_KEEP:-}" ]; then
		echo "# kept: $W"
	else
		remove "$W"
	fi
	[ -n "$FINISHED" ] || echo "not ok $((COUNT + 1)) - ended early with status $status"
}
FINISHED=
trap clean_up EXIT
trap 'exit 130' INT TERM

# Plain users' trees hold files of subordinate ids: only root, or their owner's namespace, removes them.
remove() {
	chmod -R u+rwX "$@" 2>/dev/null
	rm -rf "$@" 2>/dev/null || has root || unshare --map-root-user --map-auto rm -rf "$@"
}

required() {
	case ",${XB_REQUIRE:-}," in *",$1,"*) return 0 ;; esac
	return 1
}

has() {
	case $1 in
	root) [ "$(id -u)" = 0 ] ;;
	userns) unshare -Ur true 2>/dev/null ;;
	overlay) mkdir -p "$W/.o/l" "$W/.o/u" "$W/.o/w" "$W/.o/m" && unshare -Urm mount -t overlay -o \
		"userxattr,lowerdir=$W/.o/l,upperdir=$W/.o/u,workdir=$W/.o/w" none "$W/.o/m" 2>/dev/null ;;
	binfmt) unshare -Urm mount -t binfmt_misc none /proc/sys/fs/binfmt_misc 2>/dev/null &&
		command -v qemu-aarch64-static >/dev/null ;;
	net) command -v apt-get >/dev/null && getent hosts deb.debian.org >/dev/null ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

# need WHAT...: end the file, as a skip or a failure, unless all of it is there.
need() {
	for what in "$@"; do
		has "$what" && continue
		COUNT=1
		kind=tools
		case $what in root | userns | overlay | binfmt | net) kind=$what ;; esac
		if required "$kind"; then
			echo "not ok 1 - $what is missing, but XB_REQUIRE asks for it"
		else
			echo "ok 1 - $(basename "$0" .sh) # SKIP no $what here"
		fi
		required "$kind" && FAILED=1
		finish
	done
}

# within a test: skip WHY WHAT, WHAT as in XB_REQUIRE
skip() {
	if required "$2"; then
		echo "XB_REQUIRE asks for $2: $1"
		exit 1
	fi
	echo "$1" >"$W/.skip"
	exit 77
}

t() {
	COUNT=$((COUNT + 1))
	rm -f "$W/.skip"
	start=$(date +%s)
	# Not within a condition: that would switch off `set -e` in the function.
	(
		set -eu
		cd "$W"
		"$2"
	) >"$W/.log" 2>&1
	status=$?
	if [ $status = 0 ]; then
		echo "ok $COUNT - $1 ($(($(date +%s) - start)) s)"
	elif [ $status = 77 ] && [ -f "$W/.skip" ]; then
		echo "ok $COUNT - $1 # SKIP $(cat "$W/.skip")"
	else
		FAILED=1
		sed 's/^/#   /' "$W/.log" | tail -n "${XB_LOG_LINES:-60}"
		echo "not ok $COUNT - $1"
	fi
}

finish() {
	FINISHED=1
	echo "1..$COUNT"
	exit "$FAILED"
}

fail() {
	echo "FAILED: $*"
	exit 1
}

# exits STATUS COMMAND...: the command ends with this status; standard error is kept in $W/err.
exits() {
	wanted=$1
	shift
	got=0
	"$@" 2>"$W/err" || got=$?
	cat "$W/err"
	[ "$got" = "$wanted" ] || fail "exit status $got, not $wanted: $*"
}

# says TEXT...: each text stands in $W/err.
says() {
	for text in "$@"; do
		grep -qiF -e "$text" "$W/err" || fail "standard error does not say: $text"
	done
}

# soon COMMAND...: it succeeds before long; how long that may take a busy machine's say is.
soon() {
	tries=1200
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail "waited in vain: $*"
		sleep 0.1
	done
}

# heeds PID: whether it is xbuild by now, and SIGTERM (bit 14) no longer simply ends it.
heeds() {
	[ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$XBUILD")" ] &&
		sed -n 's/^Sig\(Blk\|Cgt\):[[:space:]]*//p' "/proc/$1/status" |
		grep -q '[4-7c-f][0-9a-f]\{3\}$'
}

over() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }

# gives_up PID WHAT: xbuild, which waits in the background, ends as it should when it is told to.
gives_up() {
	soon heeds "$1"
	# until it waits; a machine that needs longer finds less
	sleep 0.3
	! over "$1" || fail "$2: it did not wait"
	kill -TERM "$1"
	soon over "$1"
	status=0
	wait "$1" || status=$?
	same "$status" 130 "$2: exit status"
}

same() {
	[ "$1" = "$2" ] || fail "${3:-not the same}: '$1' and '$2'"
}

tool() { python3 "$E2E/tools.py" "$@"; }

# A store of this test's own, in which nothing is cached yet.
fresh() {
	STORE=$W/store.$(date +%s%N)
	mkdir -m 700 "$STORE"
}

# build ARGUMENT...: xbuild build with this file's tiny image and the store $STORE.
build() {
	"$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" "$@"
}

# dockerfile DIR <<EOF: write DIR/Dockerfile, making DIR.
dockerfile() {
	mkdir -p "$1"
	cat >"$1/Dockerfile"
}

index_digest() { # LAYOUT [TAG]
	jq -r --arg tag "${2:-}" '[.manifests[] | select($tag == "" or
		.annotations["org.opencontainers.image.ref.name"] == $tag)][0].digest' "$1/index.json"
}

# busybox for arm64 comes from the package mirror, once; nothing where that cannot be reached.
fetch_arm64_busybox() {
	[ ! -x "$CACHE/busybox-arm64" ] || return 0
	has net || return 1
	mkdir -p "$CACHE"
	(
		# Other tests begin at the same moment; the first of them fetches for all.
		flock 8
		[ -x "$CACHE/busybox-arm64" ] || download_arm64_busybox
	) 8>"$CACHE/lock"
}

download_arm64_busybox() {
	mkdir -p "$CACHE/apt/lists/partial" "$CACHE/apt/cache/archives/partial"
	set -- -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::status=/dev/null \
		-o "Dir::State::lists=$CACHE/apt/lists" -o "Dir::Cache=$CACHE/apt/cache" \
		-o APT::Sandbox::User=root -o "Dir::Etc::sourceparts=/etc/apt/sources.list.d"
	(
		cd "$CACHE/apt" || exit 1
		apt-get -q "$@" update || :
		apt-get -q "$@" download busybox-static || exit 1
		dpkg-deb -x busybox-static_*_arm64.deb root &&
			cp "$(find root -path '*bin/busybox' -type f)" "$CACHE/busybox-arm64.part" &&
			mv "$CACHE/busybox-arm64.part" "$CACHE/busybox-arm64"
	) >"$CACHE/apt/log" 2>&1 8>&-
	status=$?
	[ $status != 0 ] || rm -rf "$CACHE/apt"
	return $status
}

# Make the tiny base; $PLATFORMS says which platforms it has.
tiny_base() {
	need /bin/busybox jq
	PLATFORMS=linux/amd64
	set -- "linux/amd64=/bin/busybox"
	if has binfmt && fetch_arm64_busybox; then
		PLATFORMS=linux/amd64,linux/arm64
		set -- "$@" "linux/arm64=$CACHE/busybox-arm64"
	fi
	tool tiny "$TINY" tiny "$@" || { echo "# no tiny base"; exit 1; }
}

both_platforms() {
	[ "$PLATFORMS" = linux/amd64,linux/arm64 ] || skip "no emulated platform here" binfmt
}

# user_ready: an account `xbtest` with subordinate ids, for tests as a plain user; as_user runs there.
user_ready() {
	has root || skip "only root can become another user" root
	has userns || skip "no user namespaces" userns
	has newuidmap || skip "newuidmap is not installed" userns
	(
		flock 8 # tests that run beside this one want it too
		id xbtest >/dev/null 2>&1 || useradd --system --home-dir /nonexistent --shell /bin/sh xbtest
		for file in subuid subgid; do
			grep -q '^xbtest:' /etc/$file 2>/dev/null || echo 'xbtest:2000000000:65536' >>/etc/$file
		done
	) 8</etc/passwd
	USER_HOME=$W/user
	mkdir -p "$USER_HOME/bin"
	cp "$XBUILD" "$USER_HOME/bin/xbuild"
	chown -R xbtest: "$USER_HOME"
}

as_user() {
	setpriv --reuid=xbtest --regid="$(id -g xbtest)" --clear-groups env -i PATH="$PATH" LC_ALL=C \
		HOME="$USER_HOME" SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" ASAN_OPTIONS="${ASAN_OPTIONS:-}" \
		UBSAN_OPTIONS="${UBSAN_OPTIONS:-}" "$@"
}

# What the machine shows of its own emulators; must be the same before and after.
binfmt_state() {
	for entry in /proc/sys/fs/binfmt_misc/*; do
		echo "$entry"
		case $entry in
		*/register | *'*') ;;
		*) cat "$entry" ;;
		esac
	done
}

# serve_registry NAME [YAML]: start Debian's docker-registry on a port of its own choice on loopback, with
# these members of its configuration's `http` and then others; waits until it listens. Its port goes to
# $W/NAME.port, its log to $W/NAME.log; it ends with the file.
serve_registry() {
	cat >"$W/$1.yml" <<-EOF
		version: 0.1
		log: { level: info }
		storage: { filesystem: { rootdirectory: $W/$1.data }, delete: { enabled: true } }
		http:
		  addr: 127.0.0.1:0
	EOF
	printf '%s\n' "${2:-}" >>"$W/$1.yml"
	: >"$W/$1.log"
	# its settings can come from REGISTRY_ variables, and Podman has one of that name
	env -u REGISTRY_AUTH_FILE docker-registry serve "$W/$1.yml" >"$W/$1.log" 2>&1 &
	echo $! >>"$W/registries"
	trap 'stop_registries; clean_up' EXIT
	until sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$W/$1.log" | grep . >"$W/$1.port"; do
		kill -0 $! || fail "$(cat "$W/$1.log")"
		sleep 0.05
	done
}

stop_registries() {
	while read -r pid; do
		kill "$pid" 2>/dev/null
	done <"$W/registries"
}
