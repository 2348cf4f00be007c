#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Caches outside of the store: another store finds all steps done and gives the same digests; writers
# of other platforms, and many at once, lose nothing; what is damaged is one warning and no more.
. "$(dirname "$0")/lib.sh"
need userns overlay docker-registry skopeo python3 jq curl
tiny_base

serve_registry plain
REG=localhost:$(cat "$W/plain.port")
# The cache has to tell when a step was carried out, and what it gave: steps here give something else
# each time.
unset SOURCE_DATE_EPOCH

dockerfile "$W/app" <<'EOF2'
FROM tiny AS tools
RUN mkdir /tools && echo tool > /tools/tool && cat /proc/sys/kernel/random/uuid > /tools/when
COPY data /tools/data
FROM tiny
WORKDIR /srv
RUN echo one > /one && rm /bin/true && mkdir -p /dir/sub && cat /proc/sys/kernel/random/uuid > /dir/sub/when
RUN rm -r /dir/sub && echo two > /dir/two
COPY --from=tools /tools /tools
RUN cat /tools/tool /dir/two /proc/sys/kernel/random/uuid > /both && test ! -e /bin/true
EOF2
head -c 200000 /dev/urandom >"$W/app/data"
dockerfile "$W/leg" <<'EOF2'
FROM scratch
ARG LEG
COPY data /data-$LEG
EOF2
echo data >"$W/leg/data"

# app ARGUMENT...: build, with standard error in $W/err; the digest on standard output
app() { build "$@" "$W/app" 2>"$W/err" || { cat "$W/err"; exit 1; }; }
leg() { number=$1; shift; build -q -o type=cacheonly --build-arg "LEG=$number" "$@" "$W/leg"; }
# none_ran: no step was carried out by the build that wrote $W/err
none_ran() { says "0 steps run"; }
says_not() { ! grep -qiF -e "$1" "$W/err" || fail "standard error says: $1"; }
# parts: the tags of a cache in the registry
parts() { curl -sf "http://$REG/v2/$1/tags/list" | jq -r '.tags[]' | grep -c "$2"; }
# holds LAYOUT PLATFORM: how many records the whole has for it
holds() {
	whole=$(index_digest "$1" latest | cut -d: -f2)
	sheet=$(jq -r --arg a "$2" '.manifests[] | select(.platform.architecture == $a).digest' "$1/blobs/sha256/$whole" | cut -d: -f2)
	list=$(jq -r .config.digest "$1/blobs/sha256/$sheet" | cut -d: -f2)
	jq '.records | length' "$1/blobs/sha256/$list"
}

directory() {
	fresh
	app --cache-to "type=local,dest=$W/kept,mode=max" -t app -o "type=oci,dest=$W/first.tar" >"$W/digest"
	says "cache $W/kept: 10 records, 10 of them new"
	fresh
	app --cache-from "type=local,src=$W/kept" -t app -o "type=oci,dest=$W/again.tar" >"$W/digest2"
	none_ran
	same "$(cat "$W/digest2")" "$(cat "$W/digest")" digest
	cmp "$W/first.tar" "$W/again.tar"
	app --cache-from "type=local,src=$W/none" -t app >"$W/digest2"
	none_ran
	says_not warning # what is in the store is not looked for elsewhere
	"$XBUILD" cache check --root "$STORE"
}

registry() {
	fresh
	app --cache-to "type=registry,ref=$REG/team/cache:app,mode=max" -t "$REG/team/app" --push >"$W/digest"
	fresh
	app --cache-from "$REG/team/cache:app" -t "$REG/team/app" --push >"$W/digest2"
	none_ran
	same "$(cat "$W/digest2")" "$(cat "$W/digest")" digest
	app --no-cache --cache-from "$REG/team/cache:app" -t app >"$W/digest2"
	[ "$(cat "$W/digest2")" != "$(cat "$W/digest")" ] || fail "--no-cache has used the cache"
	fresh
	app --no-cache-filter tools --cache-from "$REG/team/cache:app" -t app >"$W/digest2"
	says "RUN mkdir /tools"
	[ "$(cat "$W/digest2")" != "$(cat "$W/digest")" ] || fail "--no-cache-filter has used the cache"
	app --cache-to "$REG/team/dry" -t "$REG/team/app:dry" --push --dry-run
	same "$(curl -s "http://$REG/v2/team/dry/tags/list" | jq -r '.errors[0].code')" NAME_UNKNOWN "--dry-run"
}

# fetched REPOSITORY: how often a layer was fetched from there; lists of records are blobs, too
fetched() { grep -c "GET /v2/$1/blobs/" "$W/plain.log" || :; }

lazily() {
	fresh
	app --cache-to "type=registry,ref=$REG/lazy/cache,mode=max" -t "$REG/lazy/app" --push >"$W/digest"
	fresh
	app --cache-from "$REG/lazy/cache" -t "$REG/lazy/other" --push >"$W/digest2"
	none_ran
	same "$(cat "$W/digest2")" "$(cat "$W/digest")" digest
	# the list of records, and the two layers whose files another step copies: its key is of their content
	same "$(fetched lazy/cache)" 3 "blobs fetched for a push"
	[ "$(grep -c '"POST /v2/lazy/other/blobs/uploads/?mount=.*from=lazy/cache .* 201 ' "$W/plain.log")" -ge 4 ] ||
		fail "layers were not mounted from the cache"
	# what was found in one cache goes to another one, from there
	app --cache-from "$REG/lazy/cache" --cache-to "type=registry,ref=$REG/lazy/second,mode=max" -o type=cacheonly
	none_ran
	says "cache $REG/lazy/second: 7 records"
	# an image that stays has all of its layers, and nothing else is fetched
	app --cache-from "$REG/lazy/cache" -t kept
	none_ran
	"$XBUILD" cache check --root "$STORE"
	"$XBUILD" manifest copy --root "$STORE" kept "oci:$W/lazy:1"
	tool verify "$W/lazy" 1
}

# The registry says that it has the layers, and gives something else.
late_damage() {
	fresh
	app --cache-to "type=registry,ref=$REG/late/cache,mode=max" -o type=cacheonly
	fresh
	curl -sf "http://$REG/v2/late/cache/manifests/latest" -H 'Accept: application/vnd.oci.image.index.v1+json' |
		jq -r '.manifests[].digest' | while read -r sheet; do
		curl -sf "http://$REG/v2/late/cache/manifests/$sheet" -H 'Accept: application/vnd.oci.image.manifest.v1+json'
	done | jq -r '.layers[].digest' | cut -d: -f2 | while read -r layer; do
		file=$W/plain.data/docker/registry/v2/blobs/sha256/$(printf %.2s "$layer")/$layer/data
		head -c "$(wc -c <"$file")" /dev/zero >"$file.new" && mv "$file.new" "$file"
	done
	app --cache-from "$REG/late/cache" -t app >"$W/digest"
	cat "$W/err"
	says "once more, without layers that caches have and do not give" "7 steps run"
	"$XBUILD" cache check --root "$STORE"
}

trees() {
	fresh
	app --cache-to "type=local,dest=$W/trees,mode=max" -t app -o "type=local,dest=$W/files" -o "type=oci,compression=zstd,dest=$W/zstd.tar"
	fresh
	app --cache-from "type=local,src=$W/trees" -t app -o "type=local,dest=$W/files2" -o "type=oci,compression=zstd,dest=$W/zstd2.tar"
	none_ran
	diff -r "$W/files" "$W/files2"
	cmp "$W/zstd.tar" "$W/zstd2.tar"
	# a step that runs on what came from the cache
	cp -r "$W/app" "$W/more"
	echo 'RUN test ! -e /bin/true && test ! -e /dir/sub && cat /both /tools/data > /all' >>"$W/more/Dockerfile"
	build --cache-from "type=local,src=$W/trees" -t more "$W/more" 2>"$W/err"
	says "1 steps run"
	fresh
	build --cache-from "type=local,src=$W/trees" -t more "$W/more" 2>"$W/err"
	says "1 steps run"
}

least() {
	fresh
	app --cache-to "type=local,dest=$W/least" -t app >"$W/digest"
	says "cache $W/least: 7 records"
	fresh
	app --cache-from "type=local,src=$W/least" -t app >"$W/digest2"
	says "4 steps run" "RUN mkdir /tools"
}

in_image() {
	export SOURCE_DATE_EPOCH=1700000000
	fresh
	app --cache-to type=inline -t "$REG/team/in" --push >"$W/digest"
	app -t "$REG/team/without" --push >"$W/without"
	[ "$(cat "$W/without")" != "$(cat "$W/digest")" ] || fail "nothing was put into the image"
	fresh
	app --cache-from "type=registry,ref=$REG/team/in" --cache-to type=inline -t app >"$W/digest2"
	says "4 steps run" "RUN mkdir /tools"
	fresh
	app --cache-from "type=registry,ref=$REG/team/without" -t app
	says "neither a cache of xbuild's nor an image with one" "7 steps run"
}

# config_of LAYOUT: the config of its only image
config_of() {
	blobs=$1/blobs/sha256
	cat "$blobs/$(jq -r .config.digest "$blobs/$(index_digest "$1" | cut -d: -f2)" | cut -d: -f2)"
}

# A base's records are not those of what is built on it.
not_inherited() {
	export SOURCE_DATE_EPOCH=1700000000
	fresh
	leg 1 --cache-to type=inline -o "type=oci,tar=false,dest=$W/inherit"
	[ "$(config_of "$W/inherit" | jq '."vnd.xbuild.cache.v1".records | length')" = 1 ] ||
		fail "no record in the image"
	dockerfile "$W/on" <<-EOF2
		FROM base
		LABEL of=mine
	EOF2
	build -o "type=oci,tar=false,dest=$W/on.oci" --build-context "base=oci-layout://$W/inherit" "$W/on"
	same "$(config_of "$W/on.oci" | jq '."vnd.xbuild.cache.v1"')" null
}

# What buildx writes is an index of layers and of a config of its own.
buildkits() {
	rm -rf "$W/buildkit"
	fresh
	leg 1 -o "type=oci,tar=false,dest=$W/buildkit"
	python3 - "$W/buildkit" <<'EOF2'
import hashlib, json, os, sys
top = sys.argv[1]
blobs = os.path.join(top, 'blobs/sha256')
def write(value, media):
    data = json.dumps(value).encode()
    digest = hashlib.sha256(data).hexdigest()
    open(os.path.join(blobs, digest), 'wb').write(data)
    return {'mediaType': media, 'digest': 'sha256:' + digest, 'size': len(data)}
config = write({'layers': [], 'records': []}, 'application/vnd.buildkit.cacheconfig.v0')
root = write({'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.index.v1+json', 'manifests': [config]},
             'application/vnd.oci.image.index.v1+json')
root['annotations'] = {'org.opencontainers.image.ref.name': 'latest'}
json.dump({'schemaVersion': 2, 'manifests': [root]}, open(os.path.join(top, 'index.json'), 'w'))
EOF2
	before=$(index_digest "$W/buildkit" latest)
	build -t leg --build-arg LEG=2 --cache-from "type=local,src=$W/buildkit" "$W/leg" 2>"$W/err"
	cat "$W/err"
	says "1 steps run"
	same "$(grep -ci "warning.*neither a cache of xbuild's nor an image" "$W/err")" 1 "warnings"
	exits 2 leg 3 --cache-to "type=local,dest=$W/buildkit"
	says "no cache of xbuild's, and is not overwritten"
	same "$(index_digest "$W/buildkit" latest)" "$before"
}

as_a_user() {
	export SOURCE_DATE_EPOCH=1700000000
	user_ready
	cp -r "$W/leg" "$USER_HOME/leg"
	chown -R xbtest: "$USER_HOME"
	for root in one two; do
		as_user "$USER_HOME/bin/xbuild" build --root "$USER_HOME/$root" -o type=cacheonly --build-arg LEG=u \
			--cache-from "type=local,src=$USER_HOME/cache" --cache-to "type=local,dest=$USER_HOME/cache" "$USER_HOME/leg" 2>"$W/err" || fail "$(cat "$W/err")"
	done
	cat "$W/err"
	none_ran
	same "$(stat -c %U "$USER_HOME/cache/index.json")" xbtest "the owner of the cache"
}

two_platforms() {
	both_platforms
	fresh
	app --platform linux/amd64 --cache-to "$REG/team/cache:two" -o type=cacheonly
	fresh
	app --platform linux/arm64 --cache-to "$REG/team/cache:two" -o type=cacheonly
	fresh
	app --platform "$PLATFORMS" --cache-from "$REG/team/cache:two" -t app >"$W/digest"
	says "7 steps run" # what is not in the results: mode=min
	skopeo inspect --raw --tls-verify=false "docker://$REG/team/cache:two" | jq -r '.manifests[].platform.architecture' | sort | paste -sd' ' >"$W/said"
	same "$(cat "$W/said")" "amd64 arm64"
	before=$(skopeo inspect --raw --tls-verify=false "docker://$REG/team/cache:two" | jq -r '.manifests[] | select(.platform.architecture == "amd64").digest')
	echo "RUN true" | cat "$W/app/Dockerfile" - >"$W/app/Dockerfile.more"
	app -f "$W/app/Dockerfile.more" --platform linux/arm64 --cache-from "$REG/team/cache:two" --cache-to "$REG/team/cache:two" -o type=cacheonly
	after=$(skopeo inspect --raw --tls-verify=false "docker://$REG/team/cache:two" | jq -r '.manifests[] | select(.platform.architecture == "amd64").digest')
	same "$after" "$before" "the other platform's manifest"
}

# crowd CACHE-TO CACHE-FROM: eight writers at once, each with a step of its own, in a store of its own
crowd() {
	pids=
	for i in 1 2 3 4 5 6 7 8; do
		(
			fresh
			leg "$i" --cache-to "$1"
		) 2>"$W/err.$i" &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid" || fail "$(cat "$W"/err.*)"
	done
	fresh
	for i in 1 2 3 4 5 6 7 8; do
		build -o type=cacheonly --build-arg "LEG=$i" --cache-from "$2" "$W/leg" 2>"$W/err"
		none_ran
	done
	# the next one that has something to add gathers what they have left
	leg 9 --cache-to "$1"
}

crowd_registry() {
	crowd "type=registry,ref=$REG/team/cache:crowd" "type=registry,ref=$REG/team/cache:crowd"
	same "$(parts team/cache '^crowd\.xb-')" 1 "parts that are left"
}
crowd_directory() {
	crowd "type=local,dest=$W/crowd" "type=local,src=$W/crowd"
	same "$(holds "$W/crowd" amd64)" 9 "records of the whole"
	same "$(jq '.manifests | length' "$W/crowd/index.json")" 2 "names in the directory"
}

# damage FILTER: change the list of records of a copy of a good cache, and see one warning and a good build
damage() {
	rm -rf "$W/bad"
	cp -r "$W/good" "$W/bad"
	python3 - "$W/bad" "$1" <<'EOF2'
import hashlib, json, os, sys
top, what = sys.argv[1:]
blobs = os.path.join(top, 'blobs/sha256')
def read(d): return json.load(open(os.path.join(blobs, d.split(':')[1])))
def write(data):
    if not isinstance(data, bytes): data = json.dumps(data).encode()
    digest = hashlib.sha256(data).hexdigest()
    open(os.path.join(blobs, digest), 'wb').write(data)
    return {'digest': 'sha256:' + digest, 'size': len(data)}
index = json.load(open(os.path.join(top, 'index.json')))
names = index['manifests']
root = read(names[0]['digest'])
sheet = read(root['manifests'][0]['digest'])
records = read(sheet['config']['digest'])
raw = None
if what == 'text': raw = b'{"version":1,"records":['
if what == 'version': records['version'] = 2
if what == 'config': sheet['config']['mediaType'] = 'application/vnd.buildkit.cacheconfig.v0'
else: sheet['config'].update(write(raw if raw is not None else records))
if what == 'other': del root['artifactType']
root['manifests'][0].update(write(sheet))
if what == 'layers':
    for layer in sheet['layers']:
        name = os.path.join(blobs, layer['digest'].split(':')[1])
        data = bytearray(open(name, 'rb').read())
        data[len(data) // 2] ^= 1
        os.unlink(name)
        open(name, 'wb').write(data)
if what == 'gone':
    for layer in sheet['layers']: os.unlink(os.path.join(blobs, layer['digest'].split(':')[1]))
for name in names: name.update(write(root))
if what == 'index': open(os.path.join(top, 'index.json'), 'w').write('[')
else: json.dump(index, open(os.path.join(top, 'index.json'), 'w'))
EOF2
	fresh
	build -t leg --build-arg LEG=1 --cache-from "type=local,src=$W/bad" "$W/leg" 2>"$W/err"
	same "$(grep -ci "warning.*--cache-from type=local,src=$W/bad: " "$W/err")" 1 "warnings for $1"
	says "1 steps run"
}

damaged() {
	fresh
	leg 1 --cache-to "type=local,dest=$W/good"
	# what else can be wrong with a list of records the unit tests know
	for what in version config other layers gone index; do
		damage "$what"
	done
	# and it is not written to what cannot be read
	damage text
	before=$(index_digest "$W/bad")
	exits 8 leg 1 --cache-to "type=local,dest=$W/bad"
	"$XBUILD" cache check --root "$STORE"
	says "writing the cache $W/bad" "JSON"
	same "$(index_digest "$W/bad")" "$before" "a cache that cannot be read"
}

refused() {
	fresh
	exits 2 build --cache-to type=gha "$W/app"
	says "--cache-to type=gha"
	exits 2 build --cache-to type=local "$W/app"
	says "dest= is missing"
	exits 2 build --cache-to "type=local,dest=$W/z,compression=zstd" "$W/app"
	exits 2 build --cache-from "type=registry" "$W/app"
	exits 2 build --cache-to "type=inline,mode=max" "$W/app"
	app -t "$REG/team/app:own" --push
	before=$(skopeo inspect --raw --tls-verify=false "docker://$REG/team/app:own" | sha256sum)
	exits 2 build -t app --cache-to "$REG/team/app:own" "$W/app"
	says "no cache of xbuild's, and is not overwritten"
	same "$(skopeo inspect --raw --tls-verify=false "docker://$REG/team/app:own" | sha256sum)" "$before"
	exits 6 build -t app --cache-to localhost:1/cache "$W/app"
	says "localhost:1"
	app -t app --cache-to "type=registry,ref=localhost:1/cache,ignore-error=true"
	says "warning: --cache-to"
	app -t app --cache-from localhost:1/cache --no-cache-filter tools
}

interrupted() {
	fresh
	app -t app >"$W/digest"
	for i in 1 2 3 4 5 6; do
		timeout -s KILL "0.0$((i * 2))" "$XBUILD" build --root "$STORE" -q --build-context "tiny=oci-layout://$TINY:tiny" \
			-t app --cache-to "type=local,dest=$W/cut,mode=max" "$W/app" || :
		[ ! -e "$W/cut/index.json" ] || jq -e '.manifests' "$W/cut/index.json" >"$W/said"
	done
	for i in 1 2 3 4 5 6 7 8; do
		timeout -s KILL "0.0$i" "$XBUILD" build --root "$STORE" -q --build-context "tiny=oci-layout://$TINY:tiny" \
			-t app --cache-to "type=registry,ref=$REG/team/cut,mode=max" "$W/app" || :
	done
	app -t app --cache-to "type=registry,ref=$REG/team/cut,mode=max"
	same "$(parts team/cut '^latest\.xb-')" 1 "parts that are left"
	app -t app --cache-to "type=local,dest=$W/cut,mode=max"
	fresh
	app --cache-from "$REG/team/cut" -t app >"$W/digest2"
	none_ran
	says_not warning
	same "$(cat "$W/digest2")" "$(cat "$W/digest")" digest
	fresh
	app --cache-from "type=local,src=$W/cut" -t app >"$W/digest2"
	none_ran
	says_not warning
	same "$(cat "$W/digest2")" "$(cat "$W/digest")" digest
}

t "a directory: another store finds all steps done, with the same digest" directory
t "a registry: likewise; --no-cache and --no-cache-filter" registry
t "layers in a registry stay there until something needs them" lazily
t "layers that turn out to be damaged: the build goes on without them" late_damage
t "trees, other compressions and further steps on what came from a cache" trees
t "mode=min holds what is in the result" least
t "inline: in the image" in_image
t "inline: not inherited from a base" not_inherited
t "what BuildKit wrote is told apart, and left alone" buildkits
t "a plain user: a directory is the user's" as_a_user
t "two platforms from two writers; the other one's manifest stays" two_platforms
t "eight writers at once lose nothing: a registry" crowd_registry
t "eight writers at once lose nothing: a directory" crowd_directory
t "what is damaged is one warning, and the build goes on" damaged
t "what is refused, and what is not overwritten" refused
t "a writer that is killed leaves a cache that can be read and written" interrupted
finish
