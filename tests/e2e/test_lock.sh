#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a build takes from elsewhere: each name asked for once, nothing at all with --offline, and with
# --locked what xbuild.lock says.
. "$(dirname "$0")/lib.sh"
need userns overlay docker-registry skopeo python3 curl
tiny_base

serve_registry plain
REG=localhost:$(cat "$W/plain.port")
TWO=linux/amd64,linux/arm64
skopeo copy -q --all --dest-tls-verify=false "oci:$TINY:tiny" "docker://$REG/lib/one:1"
fresh
dockerfile "$W/two" <<EOF
FROM tiny
COPY two /two
EOF
echo two >"$W/two/two"
build -q --platform linux/amd64,linux/arm64 -t "$REG/lib/two:1" --push "$W/two" >"$W/said"
skopeo copy -q --all --dest-tls-verify=false "oci:$TINY:tiny" "docker://$REG/lib/spare:1"

mkdir "$W/www"
echo one >"$W/www/one.txt"
python3 "$E2E/web.py" "$W/www" "$W/requests" >"$W/port" 2>"$W/web.err" &
WEB=$!
trap 'kill $WEB; stop_registries; clean_up' EXIT
until [ -s "$W/port" ] || ! kill -0 $WEB; do sleep 0.05; done
URL=http://127.0.0.1:$(cat "$W/port")

# lines: how much the registry was asked since `forget`; asked PATTERN: how often for this
forget() { wc -l <"$W/plain.log" >"$W/seen"; }
since() { tail -n "+$(($(cat "$W/seen") + 1))" "$W/plain.log"; }
asked() { since | grep -c "\"$1" || :; }
digest_of() { skopeo inspect --tls-verify=false --raw "docker://$1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'; }
# move NAME: let the tag mean another image, of the same platforms
move() {
	dockerfile "$W/other" <<-EOF
		FROM $REG/lib/spare:1
		LABEL other=$1-$(date +%N)
	EOF
	"$XBUILD" build -q --root "$W/mover" --platform $TWO -t "$REG/lib/$1:1" --push "$W/other"
}
build_at() {
	store=$1
	shift
	"$XBUILD" build --root "$W/$store" --progress=plain "$@"
}

# A stage that the target does not need is not asked for; each name is, once, whatever its platforms.
dockerfile "$W/app" <<EOF
ARG VERSION=1
FROM $REG/lib/unused:1 AS unused
FROM --platform=\$BUILDPLATFORM $REG/lib/one:\$VERSION AS tools
RUN echo made > /made
FROM $REG/lib/two:1
COPY --link --from=tools /made /made
COPY --link --from=$REG/lib/one:1 /etc/passwd /users
LABEL a=b
EOF

asked_once() {
	forget
	build_at once --platform $TWO -o type=cacheonly "$W/app"
	same "$(asked "GET /v2/lib/one/manifests/1 ")" 1 "times that the tag of one was asked for"
	same "$(asked "GET /v2/lib/two/manifests/1 ")" 1 "times that the tag of two was asked for"
	same "$(asked ".* /v2/lib/unused/")" 0 "times that a stage nobody needs was asked for"
	forget
	build_at once --platform $TWO -o type=cacheonly "$W/app"
	same "$(asked "GET ")" 2 "requests of the second time: the tags"
}

offline() {
	build_at near --platform $TWO -t app:1 "$W/app"
	forget
	build_at near --platform $TWO -t app:2 --offline "$W/app" >"$W/digest"
	same "$(since | wc -l)" 0 "requests of a build that is offline"
	exits 6 build_at far --platform linux/amd64 --offline -o type=cacheonly "$W/app"
	says "--offline, and not in the store: " "$REG/lib/one:1" "$REG/lib/two:1" "xbuild pull"
	# the layers of two were never needed
	exits 6 build_at near --platform linux/arm64 --offline -o "type=oci,dest=$W/none.tar" "$W/app"
	says "fetching the blob sha256:" "$REG/lib/two"
	"$XBUILD" pull --root "$W/near" "$REG/lib/two:1"
	build_at near --platform linux/arm64 --offline -o "type=oci,dest=$W/all.tar" "$W/app"
	same "$(asked ".* /v2/lib/one/")" 0 "requests for one"
	exits 2 build_at near --platform linux/amd64 --offline --push -t "$REG/x:1" "$W/app"
	says "--offline"
}

offline_fetches() {
	dockerfile "$W/fetch" <<-EOF
		FROM scratch
		ADD $URL/one.txt /
	EOF
	exits 6 build_at near --offline -o type=cacheonly "$W/fetch"
	says "--offline, and not in the store: $URL/one.txt"
	build_at near -o type=cacheonly "$W/fetch"
	: >"$W/requests"
	build_at near --offline -o "type=local,dest=$W/fetched" "$W/fetch"
	same "$(cat "$W/fetched/one.txt" "$W/requests")" one "the file, and nothing asked for"
}

pinned_is_not_asked_for() {
	digest=$(digest_of "$REG/lib/two:1")
	dockerfile "$W/pinned" <<-EOF
		FROM $REG/lib/two@$digest
		LABEL a=b
	EOF
	build_at once --platform linux/amd64 -o type=cacheonly "$W/pinned"
	forget
	build_at once --platform linux/amd64 -o type=cacheonly "$W/pinned"
	same "$(since | wc -l)" 0 "requests for what has a digest and is known"
	build_at once --pull --platform linux/amd64 -o type=cacheonly "$W/pinned"
	same "$(asked "GET /v2/lib/two/manifests/$digest ")" 1 "requests with --pull"
}

lock() { "$XBUILD" lock --root "$W/locks" --platform $TWO "$@" "$W/app"; }
locked() { build_at "$1" --platform $TWO --locked -o type=cacheonly "$W/app"; }

written() {
	exits 2 locked locks
	says "there is no xbuild.lock" "xbuild lock"
	lock 2>"$W/err"
	says "$REG/lib/one:1: (none) -> $(digest_of "$REG/lib/one:1")" "$REG/lib/two:1: (none) -> "
	same "$(jq -r '.version, (.images | keys | join(" ")), .images["'"$REG/lib/two:1"'"].digest' "$W/app/xbuild.lock")" \
		"1
$REG/lib/one:1 $REG/lib/two:1
$(digest_of "$REG/lib/two:1")"
	same "$(jq -r '.images["'"$REG/lib/two:1"'"].platforms | keys | join(" ")' "$W/app/xbuild.lock")" "linux/amd64 linux/arm64"
	cp "$W/app/xbuild.lock" "$W/first.lock"
	same "$(lock 2>&1)" "" "what is said when nothing changes"
	cmp "$W/first.lock" "$W/app/xbuild.lock"
	# from another store, the same bytes
	"$XBUILD" lock --root "$W/other.locks" --platform $TWO --lock-file "$W/second.lock" "$W/app" 2>"$W/err"
	cmp "$W/first.lock" "$W/second.lock"
	locked fresh
}

# The tag moves; the build stays where it was until the lock file is updated.
holds() {
	before=$(digest_of "$REG/lib/two:1")
	build_at a --platform $TWO --locked -t app:1 "$W/app" >"$W/before"
	move two
	[ "$(digest_of "$REG/lib/two:1")" != "$before" ] || fail "the tag has not moved"
	build_at b --platform $TWO --locked -t app:1 "$W/app" >"$W/after"
	same "$(cat "$W/after")" "$(cat "$W/before")" "what is built after the tag has moved"
	lock
	cmp "$W/first.lock" "$W/app/xbuild.lock"
	lock --update "$REG/lib/two:1" 2>"$W/err"
	says "$REG/lib/two:1: $before -> $(digest_of "$REG/lib/two:1")"
	! grep -q "lib/one" "$W/err" || fail "one was looked at anew as well"
	build_at b --platform $TWO --locked -t app:1 "$W/app" >"$W/after"
	[ "$(cat "$W/after")" != "$(cat "$W/before")" ] || fail "the new image is not used"
	exits 2 lock --update "$REG/lib/none:1"
	says "has no such entry"
}

refused() {
	cp "$W/app/xbuild.lock" "$W/good.lock"
	jq 'del(.images[])' "$W/good.lock" >"$W/app/xbuild.lock"
	exits 7 locked c
	says "--locked, and not in xbuild.lock: " "$REG/lib/one:1" "$REG/lib/two:1" "xbuild lock"
	jq 'del(.images[].platforms["linux/arm64"])' "$W/good.lock" >"$W/app/xbuild.lock"
	exits 7 locked c
	says "--locked, and not in xbuild.lock: $REG/lib/" "for linux/arm64"
	jq '.images["'"$REG/lib/two:1"'"].platforms["linux/arm64"] |= "sha256:" + ("0" * 64)' "$W/good.lock" >"$W/app/xbuild.lock"
	exits 7 locked c
	says "and xbuild.lock says sha256:000"
	jq '.images["'"$REG/lib/two:1"'"].digest |= "sha256:" + ("0" * 64)' "$W/good.lock" >"$W/app/xbuild.lock"
	exits 3 locked c
	says "the registry no longer has what xbuild.lock says: $REG/lib/two:1" "--update"
	jq '.images["'"$REG/lib/spare:1"'"] = .images["'"$REG/lib/two:1"'"]' "$W/good.lock" >"$W/app/xbuild.lock"
	locked c 2>"$W/err"
	says "$REG/lib/spare:1 of xbuild.lock is not used by this build"
	cp "$W/good.lock" "$W/app/xbuild.lock"
	echo '{"version": 2}' >"$W/app/xbuild.lock"
	exits 3 locked c
	says "it is of version 2"
	echo '{"version": 1, "images": {"debian": {}}}' >"$W/app/xbuild.lock"
	exits 3 locked c
	says "xbuild.lock: images: debian" "docker.io/library/debian:latest"
	cp "$W/good.lock" "$W/app/xbuild.lock"
}

fetches() {
	"$XBUILD" lock --root "$W/locks" "$W/fetch" 2>"$W/err"
	sum=$(sha256sum "$W/www/one.txt" | cut -c1-64)
	says "$URL/one.txt: (none) -> sha256:$sum"
	same "$(jq -r '.fetched["'"$URL/one.txt"'"]' "$W/fetch/xbuild.lock")" "sha256:$sum"
	build_at c --locked -o type=cacheonly "$W/fetch"
	echo changed >"$W/www/one.txt"
	exits 3 build_at d --locked -o type=cacheonly "$W/fetch"
	says "the checksum is sha256:" "and not sha256:$sum"
	echo '{"version": 1}' >"$W/fetch/xbuild.lock"
	exits 7 build_at d --locked -o type=cacheonly "$W/fetch"
	says "--locked, and not in xbuild.lock: $URL/one.txt"
}

# A repository: offline what the whole id of a commit names, locked what its branch was.
git_repository() {
	has git || skip "no git" tools
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b GIT_CONFIG_GLOBAL=/dev/null
	[ ! -d "$W/repo" ] || return 0
	git init -q -b main "$W/repo"
	git clone -q --bare "$W/repo" "$W/www/r.git" 2>/dev/null
	git_commit one
	sources main
}
sources() { # REFERENCE
	dockerfile "$W/sources" <<-EOF
		FROM scratch
		ADD $URL/r.git#$1 /source
	EOF
}
git_commit() { # TEXT: the branch goes on
	echo "$1" >"$W/repo/file"
	git -C "$W/repo" add .
	git -C "$W/repo" commit -qm "$1"
	git -C "$W/repo" push -q "$W/www/r.git" main
	git -C "$W/www/r.git" update-server-info
}
git_head() { git -C "$W/repo" rev-parse HEAD; }
# built STORE OPTION...: what the file of the repository holds in this build
built() {
	store=$1
	shift
	rm -rf "$W/source"
	build_at "$store" "$@" -o "type=local,dest=$W/source" "$W/sources" >&2
	cat "$W/source/source/file"
}

git_offline() {
	git_repository
	commit=$(git_head)
	same "$(built gits)" one
	# what a branch is now nobody knows
	exits 6 build_at gits --offline -o type=cacheonly "$W/sources"
	says "--offline, and not in the store: $URL/r.git#main"
	sources "$commit"
	exits 6 build_at nogits --offline -o type=cacheonly "$W/sources"
	says "--offline, and not in the store: $URL/r.git#$commit"
	same "$(built nogits)" one
	: >"$W/requests"
	same "$(built nogits --offline)" one "the file of a build that is offline"
	same "$(cat "$W/requests")" "" "requests of a build that is offline"
	sources main
}

git_locked() {
	git_repository
	before=$(git_head)
	"$XBUILD" lock --root "$W/gits" "$W/sources" 2>"$W/err"
	says "$URL/r.git#main: (none) -> $before"
	same "$(jq -c .fetched "$W/sources/xbuild.lock")" "{\"$URL/r.git#main\":\"$before\"}"
	same "$(built newgits --locked)" one
	git_commit two
	exits 3 build_at gits --locked -o type=cacheonly "$W/sources"
	says "$before" "refs/heads/main is commit $(git_head)"
	same "$(built gits)" two "the file of a build that is not locked"
	"$XBUILD" lock --root "$W/gits" --update "$URL/r.git#main" "$W/sources" 2>"$W/err"
	says "$URL/r.git#main: $before -> $(git_head)"
	same "$(built gits --locked)" two
	echo '{"version": 1}' >"$W/sources/xbuild.lock"
	exits 7 build_at gits --locked -o type=cacheonly "$W/sources"
	says "--locked, and not in xbuild.lock: $URL/r.git#main"
}

t "each name is asked for once, and only what the target needs" asked_once
t "offline nothing is asked for, and all that is missing is named" offline
t "offline, what was fetched before will do" offline_fetches
t "what is pinned by its digest and known is not asked for" pinned_is_not_asked_for
t "a lock file says what everything is, in the same bytes each time" written
t "a locked build stays as it is when tags move, until the lock file is updated" holds
t "a locked build refuses what is not in the lock file or not as it says" refused
t "files from URLs are locked, too" fetches
t "offline, a commit that was fetched before will do" git_offline
t "a locked build refuses a branch that has moved" git_locked
finish
