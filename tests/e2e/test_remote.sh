#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What comes from elsewhere: ADD of URLs and git repositories, contexts and named contexts from
# them and from standard input, SOURCE_DATE_EPOCH by what they say.
. "$(dirname "$0")/lib.sh"
need userns overlay python3
tiny_base
fresh

WWW=$W/www
mkdir -p "$WWW/untimed" "$WWW/private" "$W/empty"
python3 "$E2E/web.py" "$WWW" "$W/requests" >"$W/port" 2>"$W/web.err" &
WEB=$!
trap 'kill $WEB 2>/dev/null; clean_up' EXIT
until [ -s "$W/port" ] || ! kill -0 $WEB; do sleep 0.05; done
HOST=127.0.0.1:$(cat "$W/port")
URL=http://$HOST

file() { # PATH TIME: the file's content is its standard input
	cat >"$WWW/$1"
	touch -d "@$2" "$WWW/$1"
}
echo one | file one.txt 1600000001
echo two | file two.txt 1600000002

# got PATH: how often the whole of it was sent
got() { grep -c "^GET /$1 200 " "$W/requests" || :; }
forget() { : >"$W/requests"; }
# files OUT: the modes, owners, times and names of a build's files
files() { (cd "$1" && find . -mindepth 1 ! -type d -printf '%m %U:%G %T@ %P\n' | sed 's/\.0* / /' | sort -k 4); }

# ---- ADD -----------------------------------------------------------------------------------------

added() {
	dockerfile "$W/add" <<-EOF
		FROM scratch
		ARG FROM=$URL
		ADD $URL/one.txt /
		ADD \$FROM/one.txt /renamed
		ADD --chmod=644 --chown=7:8 $URL/two.txt /owned/
		ADD local $URL/two.txt other /mixed/
		ADD $URL/moved/one.txt /moved/
	EOF
	echo local >"$W/add/local"
	echo other >"$W/add/other"
	touch -d @1500000000 "$W/add/local" "$W/add/other"
	build -o "type=local,dest=$W/added" "$W/add"
	# owners are those of an image, which -o type=local gives as root alone
	! has root || same "$(files "$W/added")" "644 0:0 1500000000 mixed/local
644 0:0 1500000000 mixed/other
600 0:0 1600000002 mixed/two.txt
600 0:0 1600000001 moved/one.txt
600 0:0 1600000001 one.txt
644 7:8 1600000002 owned/two.txt
600 0:0 1600000001 renamed"
	same "$(cat "$W/added/renamed" "$W/added/mixed/two.txt")" "one
two"
	same "$(got one.txt)" 2 "how often one.txt was sent (as such, and as moved)"
	same "$(got two.txt)" 1 "how often two.txt was sent"
}

asked_again() {
	forget
	build "$W/add" 2>"$W/err"
	says "0 steps run"
	same "$(got one.txt)" 0 "how often one.txt was sent"
	grep -q "^GET /one.txt 304 " "$W/requests" || fail "nobody asked whether it has changed"
	echo two | file two.txt 1600000003
	build "$W/add" 2>"$W/err"
	says "0 steps run"
	echo TWO | file two.txt 1600000002
	build -o "type=local,dest=$W/changed" "$W/add"
	same "$(cat "$W/changed/owned/two.txt")" TWO
	echo two | file two.txt 1600000002
}

ordered() {
	dockerfile "$W/order" <<-EOF
		FROM scratch
		ADD dir/two.txt $URL/two.txt /a/
		ADD $URL/two.txt dir/two.txt /b/
	EOF
	mkdir -p "$W/order/dir"
	echo local >"$W/order/dir/two.txt"
	build -o "type=local,dest=$W/ordered" "$W/order"
	same "$(cat "$W/ordered/a/two.txt" "$W/ordered/b/two.txt")" "two
local"
}

unpacked() {
	mkdir -p "$W/pack/sub"
	echo packed >"$W/pack/sub/f"
	tar -C "$W/pack" -czf "$WWW/p.tar.gz" sub
	dockerfile "$W/unpack" <<-EOF
		FROM scratch
		ADD $URL/p.tar.gz /as-it-is/
		ADD --unpack=true $URL/p.tar.gz /unpacked/
	EOF
	build -o "type=local,dest=$W/unpacked" "$W/unpack"
	same "$(cat "$W/unpacked/unpacked/sub/f")" packed
	cmp "$W/unpacked/as-it-is/p.tar.gz" "$WWW/p.tar.gz"
}

once_for_all_platforms() {
	both_platforms
	forget
	fresh
	dockerfile "$W/multi" <<-EOF
		FROM tiny AS a
		ADD $URL/one.txt /a
		FROM tiny
		ADD $URL/one.txt /b
		COPY --from=a /a /
	EOF
	build --platform "$PLATFORMS" -o "type=oci,dest=$W/multi.out,tar=false" "$W/multi"
	same "$(got one.txt)" 1 "how often it was sent"
}

checked() {
	sum=sha256:$(sha256sum "$WWW/one.txt" | cut -d' ' -f1)
	printf 'FROM scratch\nENV S=%s\nADD --checksum=$S %s/one.txt /\n' "$sum" "$URL" >"$W/empty/good"
	build -f "$W/empty/good" "$W/empty"
	forget
	build -f "$W/empty/good" "$W/empty"
	same "$(cat "$W/requests")" "" "what was asked for although the checksum says it all"
	printf 'FROM scratch\nADD --checksum=%s %s/two.txt /\n' "$sum" "$URL" >"$W/empty/bad"
	exits 3 build -f "$W/empty/bad" "$W/empty"
	says "bad:2:1" "$sum" "$(sha256sum "$WWW/two.txt" | cut -d' ' -f1)"
	printf 'FROM scratch\nADD %s/none.txt /\n' "$URL" >"$W/empty/none"
	exits 3 build -f "$W/empty/none" "$W/empty"
	says "none:2:1" "404"
}

# ---- contexts ------------------------------------------------------------------------------------

make_context() {
	[ ! -d "$W/ctx" ] || return 0
	dockerfile "$W/ctx" <<-EOF
		FROM scratch
		COPY . /c/
	EOF
	mkdir -p "$W/ctx/sub"
	printf 'FROM scratch\nCOPY keep /other\n' >"$W/ctx/sub/other"
	echo keep >"$W/ctx/keep"
	echo drop >"$W/ctx/drop"
	printf 'drop\n.dockerignore\n' >"$W/ctx/.dockerignore"
	tar -C "$W/ctx" -cf "$WWW/ctx.tar" .
	for how in gzip bzip2 xz zstd; do
		$how -qkf "$WWW/ctx.tar"
	done
	cp "$W/ctx/Dockerfile" "$WWW/df"
}
names() { (cd "$1" && find . -type f -printf '%P\n' | sort | paste -sd' '); }

from_archives() {
	make_context
	for end in '' .gz .bz2 .xz .zst; do
		rm -rf "$W/ctx.out"
		build -o "type=local,dest=$W/ctx.out" "$URL/ctx.tar$end"
		same "$(names "$W/ctx.out")" "c/Dockerfile c/keep c/sub/other" "ctx.tar$end"
		rm -rf "$W/ctx.out"
		build -o "type=local,dest=$W/ctx.out" - <"$WWW/ctx.tar$end"
		same "$(names "$W/ctx.out")" "c/Dockerfile c/keep c/sub/other" "standard input, ctx.tar$end"
	done
	rm -rf "$W/ctx.out"
	build -f sub/other -o "type=local,dest=$W/ctx.out" "$URL/ctx.tar"
	same "$(names "$W/ctx.out")" other
	exits 3 build -f sub/missing "$URL/ctx.tar"
	says "sub/missing"
}

from_dockerfiles() {
	make_context
	build -o "type=local,dest=$W/df.out" "$URL/df"
	same "$(names "$W/df.out")" c/context "a Dockerfile from a URL"
	build -o "type=local,dest=$W/in.out" - <"$WWW/df"
	same "$(names "$W/in.out")" "" "a Dockerfile on standard input has no context"
	rm -rf "$W/in.out"
	build -f - -o "type=local,dest=$W/in.out" "$W/ctx" <"$W/ctx/sub/other"
	same "$(names "$W/in.out")" other "-f - with a directory"
	rm -rf "$W/in.out"
	build -f - -o "type=local,dest=$W/in.out" "$URL/ctx.tar" <"$W/ctx/sub/other"
	same "$(names "$W/in.out")" other "-f - with a URL"
	rm -rf "$W/in.out"
	build -f "$URL/df" -o "type=local,dest=$W/in.out" "$W/ctx"
	same "$(names "$W/in.out")" "c/Dockerfile c/keep c/sub/other" "-f with a URL"
	exits 2 build -f x - <"$WWW/df"
	says "-f x"
	exits 2 build -f - - <"$WWW/df"
	exits 3 build "$URL/none"
	says "404"
	head -c 3000 "$WWW/ctx.tar.gz" | head -c 100 >"$WWW/cut.tar.gz"
	exits 3 build "$URL/cut.tar.gz"
}

named() {
	make_context
	dockerfile "$W/named" <<-'EOF'
		FROM away AS files
		FROM tiny
		COPY --from=away context /copied
		COPY --from=files /context /from
		RUN --mount=from=away,target=/m cp /m/context /mounted
	EOF
	build --build-context "away=$URL/one.txt" --build-context "unused=$URL/none" \
		-o "type=local,dest=$W/named.out" "$W/named"
	same "$(cat "$W/named.out/copied" "$W/named.out/from" "$W/named.out/mounted")" "one
one
one"
	exits 2 build --build-context "away=gopher://x" "$W/named"
}

# NAME::PLATFORM stands for the name in stages of that platform, before NAME.
named_for_a_platform() {
	dockerfile "$W/split" <<-'EOF'
		FROM nonesuch AS tools
		COPY gone $typo/
		FROM scratch
		COPY --from=tools / /
	EOF
	mkdir -p "$W/for-arm" "$W/for-all"
	echo arm >"$W/for-arm/what"
	echo all >"$W/for-all/what"
	build --platform linux/arm64,linux/s390x --build-context "tools::linux/arm64=$W/for-arm" \
		--build-context "tools=$W/for-all" -o "type=local,dest=$W/split.out" "$W/split"
	same "$(cat "$W/split.out/linux_arm64/what" "$W/split.out/linux_s390x/what")" "arm
all"
	build --check --platform linux/arm64 --build-context "tools::linux/arm64=$W/for-arm" "$W/split" >"$W/out"
	same "$(cat "$W/out")" "Check complete, no warnings found."
	exits 6 build --platform linux/s390x --build-context "tools::linux/arm64=$W/for-arm" "$W/split"
	says "nonesuch for linux/s390x"
}

# ---- git -----------------------------------------------------------------------------------------

git_repository() {
	has git || skip "no git" tools
	[ ! -d "$W/repo" ] || return 0
	export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
	export GIT_AUTHOR_DATE=@1650000000 GIT_COMMITTER_DATE=@1650000000 GIT_CONFIG_GLOBAL=/dev/null
	git init -q -b main "$W/repo"
	mkdir -p "$W/repo/sub"
	printf 'FROM scratch\nCOPY . /c/\n' >"$W/repo/Dockerfile"
	printf 'FROM scratch\nCOPY . /s/\n' >"$W/repo/sub/Dockerfile"
	echo v1 >"$W/repo/file"
	git -C "$W/repo" add .
	git -C "$W/repo" commit -qm one
	git -C "$W/repo" tag v1
	echo v2 >"$W/repo/file"
	git -C "$W/repo" commit -qam two
	git clone -q --bare "$W/repo" "$WWW/r.git"
	git -C "$WWW/r.git" update-server-info
}

git_contexts() {
	git_repository
	build -o "type=local,dest=$W/git.out" "$URL/r.git"
	same "$(names "$W/git.out")" "c/Dockerfile c/file c/sub/Dockerfile"
	same "$(cat "$W/git.out/c/file")" v2
	rm -rf "$W/git.out"
	build -o "type=local,dest=$W/git.out" "$URL/r.git#v1"
	same "$(cat "$W/git.out/c/file")" v1
	rm -rf "$W/git.out"
	build -o "type=local,dest=$W/git.out" "$URL/r.git?tag=v1&subdir=sub"
	same "$(names "$W/git.out")" "s/Dockerfile"
	rm -rf "$W/git.out"
	build --build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1 -o "type=local,dest=$W/git.out" "$URL/r.git"
	[ -d "$W/git.out/c/.git" ] || fail "no .git"
	exits 3 build "$URL/r.git#none"
	says none
}

git_epoch() {
	git_repository
	unset SOURCE_DATE_EPOCH
	build --build-arg SOURCE_DATE_EPOCH=context -o "type=oci,dest=$W/ge.out,tar=false" "$URL/r.git"
	same "$(epoch_of "$W/ge.out")" 1650000000
	printf 'ARG SOURCE_DATE_EPOCH=s\nFROM scratch AS s\nADD %s/r.git /\nFROM scratch\nCOPY named /\n' \
		"$URL" >"$W/empty/staged"
	build -f "$W/empty/staged" -o "type=oci,dest=$W/gs.out,tar=false" "$W/empty"
	same "$(epoch_of "$W/gs.out")" 1650000000
}

git_added() {
	git_repository
	commit=$(git -C "$W/repo" rev-parse v1)
	dockerfile "$W/addgit" <<-EOF
		FROM scratch
		ADD $URL/r.git#v1 /plain
		ADD --keep-git-dir=true --checksum=$commit $URL/r.git#v1 /kept
		ADD $URL/r.git#:sub $URL/one.txt /sub/
	EOF
	build -o "type=local,dest=$W/addgit.out" "$W/addgit"
	same "$(names "$W/addgit.out/plain")" "Dockerfile file sub/Dockerfile"
	same "$(cat "$W/addgit.out/kept/file")" v1
	same "$(git -c safe.directory='*' -C "$W/addgit.out/kept" rev-parse HEAD)" "$commit"
	same "$(names "$W/addgit.out/sub")" "Dockerfile one.txt"
	printf 'FROM scratch\nADD --checksum=%s %s/r.git /\n' "$commit" "$URL" >"$W/empty/bad"
	exits 3 build -f "$W/empty/bad" "$W/empty"
	says "bad:2:1" "$commit"
}

git_named() {
	git_repository
	printf 'FROM r AS x\nFROM scratch\nCOPY --from=r file /a\nCOPY --from=x /file /b\n' >"$W/empty/named"
	build --build-context "r=$URL/r.git#v1" -f "$W/empty/named" -o "type=local,dest=$W/gitnamed" "$W/empty"
	same "$(cat "$W/gitnamed/a" "$W/gitnamed/b")" "v1
v1"
}

# ---- SOURCE_DATE_EPOCH ---------------------------------------------------------------------------

epoch_of() { # OCI layout: the time of its only image
	blob() { cat "$1/blobs/sha256/${2#sha256:}"; }
	manifest=$(index_digest "$1")
	config=$(blob "$1" "$manifest" | jq -r .config.digest)
	date -d "$(blob "$1" "$config" | jq -r .created)" +%s
}

epochs() {
	unset SOURCE_DATE_EPOCH
	mkdir -p "$W/aged"
	printf 'FROM tiny\nARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH >/epoch\n' >"$W/aged/Dockerfile"
	touch -d @1400000000 "$W/aged/Dockerfile"
	echo new >"$W/aged/new"
	touch -d @1400000007 "$W/aged/new"
	tar -C "$W/aged" -cf "$WWW/untimed/aged.tar" Dockerfile new
	file aged.tar 1600000009 <"$WWW/untimed/aged.tar"
	for case in untimed/aged.tar=1400000007 aged.tar=1600000009; do
		rm -rf "$W/aged.out"
		build --build-arg SOURCE_DATE_EPOCH=context -o "type=oci,dest=$W/aged.out,tar=false" \
			"$URL/${case%=*}"
		same "$(epoch_of "$W/aged.out")" "${case#*=}" "${case%=*}"
	done
	dockerfile "$W/staged" <<-EOF
		ARG SOURCE_DATE_EPOCH=src
		FROM scratch AS src
		ADD $URL/one.txt /
		FROM tiny
		ARG SOURCE_DATE_EPOCH
		RUN test "\$SOURCE_DATE_EPOCH" = 1600000001
	EOF
	build -o "type=oci,dest=$W/staged.out,tar=false" "$W/staged"
	same "$(epoch_of "$W/staged.out")" 1600000001
	printf 'ARG SOURCE_DATE_EPOCH=src\nFROM scratch\nCOPY Dockerfile /\n' >"$W/staged/Dockerfile"
	build --build-context "src=$URL/untimed/aged.tar" -o "type=oci,dest=$W/st.out,tar=false" "$W/staged"
	same "$(epoch_of "$W/st.out")" 1400000007
	exits 3 build "$W/staged"
	says "SOURCE_DATE_EPOCH" "Dockerfile:1"
}

# ---- what must not happen ------------------------------------------------------------------------

# The password goes to the server and stands nowhere else.
secret_urls() {
	fresh
	echo private | file private/p 1600000001
	tar -C "$W/aged" -cf "$WWW/private/c.tar" Dockerfile new
	forget
	dockerfile "$W/hush" <<-EOF
		FROM tiny
		ADD http://user:s3cr1t@$HOST/private/p /
		ADD http://user:s3cr1t@$HOST/private/none /
	EOF
	exits 3 build "$W/hush" >"$W/out" 2>&1
	cat "$W/err" >>"$W/out"
	sed -i '/none/d' "$W/hush/Dockerfile"
	build -o "type=oci,dest=$W/hush.out,tar=false" "$W/hush" >>"$W/out" 2>&1
	build --progress rawjson "$W/hush" >>"$W/out" 2>&1
	build -f - "http://user:s3cr1t@$HOST/private/c.tar" <"$W/hush/Dockerfile" >>"$W/out" 2>&1
	"$XBUILD" plan --root "$STORE" --format json --build-context "tiny=oci-layout://$TINY:tiny" \
		"$W/hush" >>"$W/out" 2>&1
	printf 'FROM http://user:s3cr1t@x/y\n' >"$W/empty/from"
	build -f "$W/empty/from" "$W/empty" >>"$W/out" 2>&1 || :
	grep -q "GET /private/p 200 user:s3cr1t" "$W/requests" || fail "the credentials were not sent"
	! grep -n s3cr1t "$W/out" || fail "the password was shown"
	! grep -rl s3cr1t "$STORE" "$W/hush.out" || fail "the password was kept"
	grep -q private "$W/out" || fail "nothing was shown at all"
}

# What a server sends in gzip of its own accord is what is in it, also for the checksum and the limit.
zipped() {
	fresh
	mkdir -p "$WWW/zipped"
	echo plain | file zipped/plain 1600000001
	head -c 3000000 /dev/zero | file zipped/zeros 1600000001
	sum=$(sha256sum "$WWW/zipped/plain" | cut -d' ' -f1)
	dockerfile "$W/zip" <<-EOF
		FROM scratch
		ADD --checksum=sha256:$sum $URL/zipped/plain /
		ADD $URL/moved/zipped/zeros /
	EOF
	build -o "type=local,dest=$W/zip.out" "$W/zip"
	cmp "$W/zip.out/plain" "$WWW/zipped/plain"
	cmp "$W/zip.out/zeros" "$WWW/zipped/zeros"
	forget
	sed -i '/plain/d' "$W/zip/Dockerfile"
	build -o "type=local,dest=$W/zip.out" "$W/zip"
	same "$(got zipped/zeros)" 0 "sent though it has not changed"
	fresh
	exits 3 build --max-layer-size 1M "$W/zip"
	says "more than 1048576 bytes"
}

# Nobody listens there: that is told soon, and where it is wanted.
refused() {
	printf 'FROM scratch\nADD http://127.0.0.1:1/x /\n' >"$W/empty/refused"
	start=$(date +%s)
	exits 6 build --progress=plain -f "$W/empty/refused" "$W/empty"
	# five attempts would pause for 7.5 s at the least
	[ $(($(date +%s) - start)) -lt 7 ] || fail "it took too long"
	says "refused:2:1: http://127.0.0.1:1/x" "2 | ADD http://127.0.0.1:1/x /"
}

stopped() {
	fresh
	printf 'FROM scratch\nADD %s/slow/file /\n' "$URL" >"$W/empty/slow"
	status=$(tool interrupt SIGINT "of 1073.7 MB" "$XBUILD" build --root "$STORE" --progress=plain \
		-f "$W/empty/slow" "$W/empty")
	same "$status" 130
	same "$(find "$STORE/snapshots" "$STORE/ingest" -mindepth 1 -maxdepth 1 | wc -l)" 0 "left in the store"
	status=$(tool interrupt SIGTERM "of 1073.7 MB" "$XBUILD" build --root "$STORE" "$URL/slow/file")
	same "$status" 130 "exit status while the context comes"
	same "$(find "$STORE/snapshots" "$STORE/ingest" -mindepth 1 -maxdepth 1 | wc -l)" 0 "left in the store"
	# nobody writes to this one
	mkfifo "$W/quiet"
	exec 9<>"$W/quiet"
	"$XBUILD" build --root "$STORE" -f - "$W/empty" <"$W/quiet" 2>"$W/err" &
	waiting=$!
	soon heeds $waiting
	kill -TERM $waiting
	status=0
	wait $waiting || status=$?
	same "$status" 130 "exit status while standard input is read"
}

# What was fetched is the store's like anything else.
pruned() {
	fresh
	build "$W/add"
	"$XBUILD" cache prune --root "$STORE" --all
	"$XBUILD" cache du --root "$STORE" >"$W/du"
	same "$(awk '/^(blobs|snapshots|fetched|caches)/ { n++; left += $2 } END { print n, left }' "$W/du")" \
		"4 0" "kinds of things, and how many are left"
	forget
	build "$W/add"
	same "$(got one.txt)" 2 "how often one.txt was sent again"
}

as_plain_user() {
	user_ready
	make_context
	cp -r "$W/empty" "$USER_HOME/empty"
	printf 'FROM scratch\nADD %s/one.txt /\n' "$URL" >"$USER_HOME/empty/Dockerfile"
	chown -R xbtest: "$USER_HOME"
	as_user "$USER_HOME/bin/xbuild" -o "type=tar,dest=$USER_HOME/out.tar" "$USER_HOME/empty"
	tar -tvf "$USER_HOME/out.tar" --numeric-owner | grep -q -- '-rw------- 0/0 .* one.txt' ||
		fail "one.txt is not what it should be"
	as_user "$USER_HOME/bin/xbuild" plan "$URL/ctx.tar" >"$W/plan"
	grep -q "COPY . /c/" "$W/plan" || fail "no plan"
}

t "ADD of URLs: names, modes, owners, times" added
t "what has not changed is asked for and not sent; what has is built again" asked_again
t "paths and URLs are copied in their order" ordered
t "archives from URLs are unpacked when asked" unpacked
t "a URL is fetched once for all platforms and stages" once_for_all_platforms
t "checksums" checked
t "contexts from archives: URLs, standard input" from_archives
t "Dockerfiles from URLs and standard input" from_dockerfiles
t "named contexts from URLs" named
t "named contexts for one platform" named_for_a_platform
t "contexts from git" git_contexts
t "ADD of git repositories" git_added
t "named contexts from git" git_named
t "SOURCE_DATE_EPOCH of contexts, stages, named contexts" epochs
t "SOURCE_DATE_EPOCH of git repositories" git_epoch
t "passwords of URLs are shown and kept nowhere" secret_urls
t "a body that comes in gzip" zipped
t "a connection that is refused" refused
t "a download that is stopped leaves nothing" stopped
t "what was fetched can be pruned" pruned
t "a plain user" as_plain_user
kill $WEB
finish
