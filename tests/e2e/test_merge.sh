#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Legs and their merge: what two machines make of some platforms each is, joined by a third, what one
# machine makes of all; a leg moves no tag, and results that do not belong together are refused.
. "$(dirname "$0")/lib.sh"
need userns overlay docker-registry skopeo python3 jq git
tiny_base

serve_registry plain
REG=localhost:$(cat "$W/plain.port")
serve_registry second
REG2=localhost:$(cat "$W/second.port")
TWO=linux/amd64,linux/arm64

# What a tag means, by another client; nothing where there is none.
remote_digest() { skopeo inspect --tls-verify=false --raw "docker://$1" 2>/dev/null | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'; }
tags_of() { curl -s "http://$REG/v2/$1/tags/list" | jq -r '.tags // [] | join(" ")'; }

dockerfile "$W/app" <<'DOCKERFILE'
FROM tiny
ARG TARGETARCH
COPY file /file
RUN --network=none echo "for $TARGETARCH" >/made
DOCKERFILE
echo data >"$W/app/file"
git -C "$W/app" init -q
git -C "$W/app" add .
git -C "$W/app" -c user.name=n -c user.email=n@example.org commit -qm one
COMMIT=$(git -C "$W/app" rev-parse HEAD)
ANNOTATIONS="--annotation index:org.example.what=whole --annotation manifest-descriptor[linux/arm64]:org.example.which=arm"

# leg NAME PLATFORMS ARGUMENT...: a leg on a machine of its own.
leg() {
	name=$1
	platforms=$2
	shift 2
	# shellcheck disable=SC2086 # words of their own
	"$XBUILD" build --root "$W/store.$name" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform $TWO --leg "$platforms" --result "$W/legs/$name.json" $ANNOTATIONS "$@" "$W/app"
}
merge() { "$XBUILD" merge --root "$W/store.merge" "$@"; }
mkdir "$W/legs"

one_machine() {
	both_platforms
	# shellcheck disable=SC2086
	"$XBUILD" build --root "$W/store.whole" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform $TWO $ANNOTATIONS -t "$REG/whole:1" --push "$W/app" >"$W/whole"
}

by_registry() {
	both_platforms
	leg amd linux/amd64 -t "$REG/team/app:1" -t "$REG/team/app:latest" --push
	leg arm linux/arm64 -t "$REG/team/app:1" --push
	same "$(tags_of team/app)" "" "tags after the legs"
	same "$(jq -r .revision "$W/legs/arm.json")" "$COMMIT"
	same "$(jq -c .places "$W/legs/amd.json")" "[{\"repository\":\"$REG/team/app\"}]"
	merge --dry-run -t "$REG/team/app:1" --push "$W/legs/arm.json" "$W/legs/amd.json" >"$W/said" 2>"$W/err"
	says "$REG/team/app:1: (none) -> $(cat "$W/whole") +linux/amd64 +linux/arm64"
	same "$(tags_of team/app)" "" "tags after --dry-run"
	merge -t "$REG/team/app:1" -t "$REG/other/app:2" --push "$W/legs/arm.json" "$W/legs/amd.json" >"$W/said"
	same "$(cat "$W/said")" "$(cat "$W/whole")" "digest of the merge"
	same "$(remote_digest "$REG/team/app:1")" "$(cat "$W/whole")"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG/other/app:2" "oci:$W/copied:2"
	same "$(index_digest "$W/copied")" "$(cat "$W/whole")"
	cp -r "$W/legs" "$W/pushed"
	# nothing of the images went over the machine that merged
	same "$(find "$W/store.merge/blobs" -type f | wc -l)" 1 "files in the store of the merge"
}

by_layout() {
	both_platforms
	rm -rf "$W/legs"/* "$W/store.merge"
	leg amd linux/amd64 -t app:1 -o "type=oci,dest=$W/legs/amd,tar=false"
	leg arm linux/arm64 -t app:1 -o "type=oci,dest=$W/legs/arm/,tar=false"
	same "$(jq '[.manifests[].annotations | values] | length' "$W/legs/arm/index.json")" 1 "annotated entries"
	! grep -q ref.name "$W/legs/amd/index.json" || fail "the leg's layout has a name"
	# as artifacts travel from machine to machine
	mv "$W/legs" "$W/elsewhere"
	(cd "$W/elsewhere" && merge -t app:1 -o "type=oci,dest=$W/merged,tar=false" -o "type=oci,dest=$W/merged.tar" amd.json arm.json >"$W/said")
	mv "$W/elsewhere" "$W/legs"
	same "$(cat "$W/said")" "$(cat "$W/whole")" "digest of the merge"
	same "$(index_digest "$W/merged" 1)" "$(cat "$W/whole")"
	tool verify "$W/merged" 1
	same "$(skopeo inspect --raw "oci-archive:$W/merged.tar:1" | sha256sum | cut -c1-64)" "$(cut -c8- "$W/whole")"
	# an archive that stays as it is does not keep what comes behind it from being written
	merge -t app:1 -o "type=oci,dest=$W/merged.tar" -o "type=oci,dest=$W/again.tar" "$W/legs/amd.json" "$W/legs/arm.json"
	cmp "$W/merged.tar" "$W/again.tar"
	merge -t app:1 "$W/legs/amd.json" "$W/legs/arm.json"
	"$XBUILD" images --root "$W/store.merge" | grep -q "^app:1 .*linux/amd64.*linux/arm64" || fail "it is not in the store"
	"$XBUILD" cache check --root "$W/store.merge"
}

# A base whose layers stay where they are until somebody needs them: another registry does.
base_elsewhere() {
	both_platforms
	skopeo copy -q --all --dest-tls-verify=false "oci:$TINY:tiny" "docker://$REG/lib/tiny:1"
	printf 'FROM %s/lib/tiny:1\nLABEL a=b\nCOPY --link file /\n' "$REG" >"$W/app/Elsewhere"
	mkdir "$W/lazy"
	"$XBUILD" build --root "$W/store.lazy" -f "$W/app/Elsewhere" --platform $TWO "$W/app" >"$W/lazy/digest"
	"$XBUILD" build --root "$W/store.lazy1" -f "$W/app/Elsewhere" --platform $TWO --leg linux/amd64 -t "$REG/lazy:1" --push \
		--result "$W/lazy/amd.json" "$W/app"
	"$XBUILD" build --root "$W/store.lazy2" -f "$W/app/Elsewhere" --platform $TWO --leg linux/arm64 -o "type=oci,dest=$W/lazy/arm.tar" \
		--result "$W/lazy/arm.json" "$W/app"
	same "$(merge -q -t "$REG2/far:1" --push "$W/lazy"/*.json)" "$(cat "$W/lazy/digest")" "digest of the merge"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG2/far:1" "oci:$W/lazy/copied:1"
	tool verify "$W/lazy/copied" 1
	# legs that were held to what a lock file says, and one that was not
	"$XBUILD" lock --root "$W/store.lazy" -f "$W/app/Elsewhere" --platform $TWO "$W/app"
	for arch in amd64 arm64; do
		"$XBUILD" build --root "$W/store.lazy" -f "$W/app/Elsewhere" --platform $TWO --leg linux/$arch --locked \
			--result "$W/lazy/$arch.locked" -o "type=oci,dest=$W/lazy/$arch.tar" "$W/app"
	done
	same "$(merge -q -t locked "$W/lazy"/*.locked)" "$(cat "$W/lazy/digest")" "digest of the merge with a lock"
	exits 7 merge -q -t locked "$W/lazy/amd64.locked" "$W/lazy/arm.json"
	says "different build arguments or options"
	rm "$W/app/xbuild.lock"
	merge --root "$W/store.all" -t far:1 "$W/lazy"/*.json
	"$XBUILD" cache check --root "$W/store.all"
	"$XBUILD" run --root "$W/store.all" far:1 cat /file >"$W/said"
	same "$(cat "$W/said")" data
}

by_archive() {
	both_platforms
	mkdir "$W/archives"
	for arch in amd64 arm64; do
		leg $arch linux/$arch -t app:1 --result "$W/archives/$arch.json" -o "type=oci,dest=$W/archives/$arch.tar"
	done
	same "$(jq -c .places "$W/archives/arm64.json")" '[{"archive":"arm64.tar"}]'
	same "$(merge -t "$REG/archives:1" --push "$W/archives"/*.json)" "$(cat "$W/whole")" "digest of the merge"
	same "$(remote_digest "$REG/archives:1")" "$(cat "$W/whole")"
	# bytes that are not those of their digest, within an archive of the same size
	layer=$(tar -xOf "$W/archives/arm64.tar" "blobs/sha256/$(jq -r '.manifests[0].digest' "$W/archives/arm64.json" | cut -c8-)" |
		jq -r '.layers[-1] | .digest[7:]')
	offset=$(python3 -c 'import sys, tarfile; print(tarfile.open(sys.argv[1]).getmember("blobs/sha256/" + sys.argv[2]).offset_data)' \
		"$W/archives/arm64.tar" "$layer")
	printf x | dd of="$W/archives/arm64.tar" bs=1 seek=$((offset + 20)) conv=notrunc status=none
	! merge --root "$W/store.archives" -t "$REG/damaged:2" --push "$W/archives"/*.json 2>"$W/err" || fail "it was merged"
	says "$layer"
	same "$(tags_of damaged)" "" "tags"
	truncate -s 3000 "$W/archives/arm64.tar"
	! merge -t "$REG/damaged:2" --push "$W/archives"/*.json 2>"$W/err" || fail "it was merged"
	says arm64.json arm64.tar
	ln -s /etc/passwd "$W/archives/link"
	jq '.places[0].archive = "link"' "$W/archives/arm64.json" >"$W/archives/arm.json"
	exits 7 merge -t x "$W/archives/amd64.json" "$W/archives/arm.json"
	same "$(tags_of damaged)" "" "tags"
}

# What a merge copies is shown as other copies are, and ends with Ctrl-C.
watched() {
	both_platforms
	merge --root "$W/store.watched" --progress=plain -t app:1 "$W/legs/amd.json" "$W/legs/arm.json" 2>"$W/err"
	says "blobs: " " moved ("
	merge --root "$W/store.quiet" -q -t app:1 "$W/legs/amd.json" "$W/legs/arm.json" 2>"$W/err"
	same "$(cat "$W/err")" ""
	mkfifo "$W/unread"
	"$XBUILD" merge --root "$W/store.unread" -q -t app:1 -o "type=oci,dest=$W/unread" "$W/legs/amd.json" "$W/legs/arm.json" &
	merging=$!
	soon heeds $merging
	sleep 0.3
	# others may use the store meanwhile
	timeout 100 "$XBUILD" images --root "$W/store.unread"
	gives_up $merging "a merge"
}

# refused STATUS RESULT...: the merge fails, and no tag moves.
refused() {
	status=$1
	shift
	before=$(remote_digest "$REG/team/app:1")
	exits "$status" merge -t "$REG/team/app:1" --push "$@"
	same "$(remote_digest "$REG/team/app:1")" "$before" "the tag after a merge that failed"
}
# altered NAME FILTER: the result of the leg for arm64 with something changed, beside its layout.
altered() { jq "$2" "$W/legs/arm.json" >"$W/legs/$1.json"; }

not_together() {
	both_platforms
	refused 7 "$W/legs/amd.json"
	says "no leg has an image for linux/arm64" "the results of all legs"
	refused 7 "$W/legs/amd.json" "$W/legs/amd.json" "$W/legs/arm.json"
	says "both have an image for linux/amd64"
	altered revision '.revision = "v2"'
	refused 7 "$W/legs/amd.json" "$W/legs/revision.json"
	says "amd.json is of revision $COMMIT, and" "revision.json of v2"
	refused 7 --revision v3 "$W/legs/amd.json" "$W/legs/arm.json"
	says "and v3 is asked for"
	altered clock '.sourceDateEpoch = 5'
	refused 7 "$W/legs/amd.json" "$W/legs/clock.json"
	says "has the clock 1700000000, and" "SOURCE_DATE_EPOCH"
	altered file ".dockerfile = \"sha256:$(printf %064d 5)\""
	refused 7 "$W/legs/amd.json" "$W/legs/file.json"
	says "built with different Dockerfiles"
	altered set '.platforms += ["linux/s390x"]'
	refused 7 "$W/legs/amd.json" "$W/legs/set.json"
	says "is a leg of linux/amd64,linux/arm64, and" linux/s390x
	altered version '.builder.xbuild = "9.1.0"'
	refused 7 "$W/legs/amd.json" "$W/legs/version.json"
	says "by 9.1.0" "one version of xbuild"
	altered library '.builder.libraries.gzip = "libdeflate 0.1"'
	merge --dry-run --push -t "$REG/new:1" "$W/legs/amd.json" "$W/legs/library.json" 2>"$W/err"
	says "warning:" "different versions of libraries"
}

not_what_it_says() {
	both_platforms
	altered digest ".manifests[0].digest = \"sha256:$(printf %064d 5)\""
	refused 7 "$W/legs/amd.json" "$W/legs/digest.json"
	says "digest.json: arm: the image for linux/arm64" "$(printf %064d 5)"
	jq ".manifests[0].digest = \"sha256:$(printf %064d 5)\"" "$W/pushed/arm.json" >"$W/pushed/digest.json"
	refused 3 "$W/pushed/amd.json" "$W/pushed/digest.json"
	says "digest.json: $REG/team/app: the image for linux/arm64"
	altered label ".manifests = ($(jq -c .manifests "$W/legs/amd.json") | .[0].platform.architecture = \"arm64\") | .places[0].layout = \"amd\""
	refused 5 "$W/legs/amd.json" "$W/legs/label.json"
	says "linux/arm64" "its config says linux/amd64"
	altered path '.places[0].layout = "../legs/arm"'
	refused 7 "$W/legs/amd.json" "$W/legs/path.json"
	says "leads out of the directory"
	altered member '.more = 1'
	refused 7 "$W/legs/amd.json" "$W/legs/member.json"
	says "members that are not known"
	altered format '.xbuildLeg = 3'
	refused 7 "$W/legs/amd.json" "$W/legs/format.json"
	says "of version 3, and this xbuild reads them up to 2"
	head -c 300 "$W/legs/arm.json" >"$W/legs/cut.json"
	refused 7 "$W/legs/amd.json" "$W/legs/cut.json"
	says "cut.json: not valid JSON"
	refused 2 "$W/legs/amd.json" "$W/legs/none.json"
	says none.json "No such file"
	ln -s /etc "$W/legs/link"
	altered link '.places[0].layout = "link"'
	refused 7 "$W/legs/amd.json" "$W/legs/link.json"
	blob=$(jq -r '.manifests[0].digest' "$W/legs/arm.json" | cut -c8-)
	layer=$(jq -r '.layers[-1].digest' "$W/legs/arm/blobs/sha256/$blob" | cut -c8-)
	cp -r "$W/legs/arm" "$W/legs/rotten"
	tr '\000-\377' '\001-\377\000' <"$W/legs/arm/blobs/sha256/$layer" >"$W/legs/rotten/blobs/sha256/$layer"
	altered rotten '.places[0].layout = "rotten"'
	exits 8 merge --root "$W/store.rotten" -t app:1 "$W/legs/amd.json" "$W/legs/rotten.json"
	says "$layer"
	! "$XBUILD" images --root "$W/store.rotten" | grep app || fail "it was named"
}

# form_build NAME ARGUMENT...: COPY alone for $ALL, with the output's keys $FORM and more options $MORE
form_build() {
	name=$1
	shift
	# shellcheck disable=SC2086 # words of their own
	"$XBUILD" build --root "$W/store.forms" -q -f "$W/app/Forms" --platform "$ALL" $MORE "$@" \
		-o "type=oci,dest=$W/forms/$name,tar=false$FORM" "$W/app"
}
# in_form PLATFORMS [PLATFORMS]: these legs, and the whole
in_form() {
	rm -rf "$W/forms"
	mkdir "$W/forms"
	form_build whole >"$W/forms/digest"
	form_build a --leg "$1" --result "$W/forms/a.json"
	[ $# = 1 ] || form_build b --leg "$2" --result "$W/forms/b.json"
	same "$(merge -q -t forms "$W/forms"/*.json)" "$(cat "$W/forms/digest")" "digest of the merge"
}

forms() {
	# shellcheck disable=SC2016 # it is the Dockerfile's
	printf 'FROM scratch\nARG TARGETPLATFORM\nCOPY file /$TARGETPLATFORM\n' >"$W/app/Forms"
	ALL=linux/riscv64,linux/amd64,linux/arm/v7,linux/386,linux/arm64
	FORM='' MORE=''
	in_form linux/arm/v7,linux/386,linux/arm64 linux/riscv64,linux/amd64
	FORM=,compression=zstd,compression-level=7 MORE="--label a=b"
	in_form linux/arm64,linux/386 linux/riscv64,linux/amd64,linux/arm/v7
	FORM=,oci-mediatypes=false,annotation.x=y MORE=''
	in_form linux/arm64,linux/386 linux/riscv64,linux/amd64,linux/arm/v7
	FORM=',annotation-index.x=y,annotation-manifest-descriptor[linux/386].z=1' MORE="--annotation index-descriptor:u=v"
	in_form linux/arm64,linux/386 linux/riscv64,linux/amd64,linux/arm/v7
	FORM='' MORE="--cache-to type=inline"
	in_form linux/arm64,linux/386 linux/riscv64,linux/amd64,linux/arm/v7
	# labels that all have alike annotate the index, unless the build says that they do not
	LABELS="--label org.opencontainers.image.version=1.4"
	MORE=$LABELS
	in_form linux/arm64,linux/386 linux/riscv64,linux/amd64,linux/arm/v7
	same "$(jq -c '[.xbuildLeg, .index.labels]' "$W/forms/a.json")" '[1,null]'
	labelled=$(cat "$W/forms/digest")
	MORE="$LABELS --no-index-labels"
	in_form linux/arm64,linux/386 linux/riscv64,linux/amd64,linux/arm/v7
	same "$(jq -c '[.xbuildLeg, .index.labels]' "$W/forms/a.json")" '[2,false]'
	[ "$(cat "$W/forms/digest")" != "$labelled" ] || fail "the index has its annotations all the same"
	# as an older version left it: then the merge has to be told
	for leg in a b; do
		jq '.xbuildLeg = 1 | del(.index.labels)' "$W/forms/$leg.json" >"$W/forms/$leg.old"
	done
	same "$(merge -q -t forms "$W/forms"/*.old)" "$labelled" "digest of a merge that was not told"
	same "$(merge -q --no-index-labels -t forms "$W/forms"/*.old)" "$(cat "$W/forms/digest")"
	exits 7 merge -q -t forms "$W/forms/a.old" "$W/forms/b.json"
	says "annotations or media types of the index"
	# one platform: no index, unless one is asked for
	ALL=linux/arm64 FORM='' MORE=''
	in_form linux/arm64
	same "$(jq -r .index "$W/forms/a.json")" null
	MORE="--build-arg BUILDKIT_MULTI_PLATFORM=1"
	in_form linux/arm64
	same "$(jq -r .index.mediaType "$W/forms/a.json")" application/vnd.oci.image.index.v1+json
}

failing() {
	both_platforms
	[ -e "$W/legs/arm.json" ] || fail "there is no result of before"
	printf 'FROM tiny\nRUN false\n' >"$W/app/Fails"
	exits 4 leg arm linux/arm64 -f "$W/app/Fails" -o "type=oci,dest=$W/legs/arm,tar=false"
	[ ! -e "$W/legs/arm.json" ] || fail "a leg that failed left the result of an earlier one"
}

as_plain_user() {
	both_platforms
	user_ready
	cp -r "$TINY" "$USER_HOME/tiny"
	cp -r "$W/app" "$USER_HOME/app"
	mkdir "$USER_HOME/legs"
	chown -R xbtest: "$USER_HOME"
	for arch in amd64 arm64; do
		# shellcheck disable=SC2086
		as_user "$USER_HOME/bin/xbuild" build --build-context "tiny=oci-layout://$USER_HOME/tiny:tiny" --platform $TWO \
			--leg linux/$arch --result "$USER_HOME/legs/$arch.json" --root "$USER_HOME/store.$arch" $ANNOTATIONS \
			-o "type=oci,dest=$USER_HOME/legs/$arch,tar=false" "$USER_HOME/app"
	done
	as_user "$USER_HOME/bin/xbuild" merge --root "$USER_HOME/store" -t app:1 -o "type=oci,dest=$USER_HOME/out.tar" \
		"$USER_HOME/legs/amd64.json" "$USER_HOME/legs/arm64.json" >"$W/said"
	same "$(cat "$W/said")" "$(cat "$W/whole")" "digest of the merge"
}

# Files that tell of a build may be devices or pipes: these are written to, never replaced.
told_to_devices() {
	has root || skip "only root makes devices" root
	mknod "$W/null" c 1 3
	mkfifo "$W/pipe"
	printf 'FROM scratch\nCOPY file /\n' >"$W/app/Devices"
	cat "$W/pipe" >"$W/read" &
	"$XBUILD" build --root "$W/store.forms" -f "$W/app/Devices" --platform linux/arm64 --iidfile "$W/null" \
		--metadata-file "$W/pipe" -o type=cacheonly "$W/app"
	wait $!
	jq -e 'type == "object"' "$W/read"
	"$XBUILD" build --root "$W/store.forms" -f "$W/app/Devices" --platform linux/arm64 --result "$W/null" \
		-o "type=oci,dest=$W/devices,tar=false" "$W/app"
	[ -c "$W/null" ] && [ -p "$W/pipe" ] || fail "a device or a pipe was replaced"
	: >"$W/told"
	ln -s told "$W/link"
	"$XBUILD" build --root "$W/store.forms" -f "$W/app/Devices" --platform linux/arm64 --iidfile "$W/link" -t x "$W/app" >"$W/said"
	same "$(cat "$W/told")" "$(cat "$W/said")" "the digest where the link leads"
	same "$(stat -c %a "$W/told")" 644
}

one_fails() {
	both_platforms
	"$XBUILD" build --root "$W/store.amd" --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/amd64,linux/s390x? --leg linux/amd64 --result "$W/legs/most.json" \
		-o "type=oci,dest=$W/legs/most,tar=false" "$W/app"
	merge -t app:most "$W/legs/most.json" 2>"$W/err"
	says "no leg has an image for linux/s390x: it is left out"
}

misused() {
	exits 2 "$XBUILD" build --root "$W/s" --leg linux/arm64 --platform $TWO "$W/app"
	says "--result FILE"
	exits 2 leg x linux/s390x --push -t "$REG/x"
	says "not among those of --platform"
	exits 2 leg x linux/amd64
	says "have to be somewhere" "--push"
	exits 2 leg x linux/amd64 --load -t "$REG/x"
	says "type=image of a leg"
	exits 2 leg x linux/amd64 -o "type=oci,dest=$W/legs.tar"
	says "is not beside the result"
	exits 2 leg x linux/amd64 -o "type=oci,dest=-"
	exits 2 leg x linux/amd64 -o "type=docker,dest=$W/legs/x.tar"
	says "type=docker of a leg"
	exits 2 leg x linux/amd64 -o "type=oci,dest=$W/other,tar=false"
	says "is not beside the result"
	exits 2 env -u SOURCE_DATE_EPOCH "$XBUILD" build --root "$W/s" --platform linux/amd64 --result "$W/legs/x.json" \
		--build-context "tiny=oci-layout://$TINY:tiny" --push -t "$REG/x" "$W/app"
	says "a leg needs a clock" "git log -1"
	mkdir "$W/nowhere"
	cp "$W/app/Dockerfile" "$W/nowhere"
	exits 2 "$XBUILD" build --root "$W/s" --platform linux/amd64 --result "$W/legs/x.json" --push -t "$REG/x" "$W/nowhere"
	says "--revision"
	[ ! -e "$W/legs/x.json" ] || fail "there is a result"
	exits 2 merge
	says "no result"
	exits 2 merge -o type=local,dest=x "$W/legs/amd.json"
	exits 2 merge -o type=oci,dest=x,compression=zstd "$W/legs/amd.json"
	says "those that the legs made"
}

t "one machine builds all" one_machine
t "two legs and a merge, by a registry, give the digest of one machine" by_registry
t "two legs and a merge, by layouts, give the digest of one machine" by_layout
t "a merge shows what it copies, and can be stopped" watched
t "a base whose layers are in a registry, and a merge into another" base_elsewhere
t "two legs and a merge, by archives; damage is noticed" by_archive
t "legs that do not belong together are refused, and no tag moves" not_together
t "results that are not what they say are refused, and nothing is named" not_what_it_says
t "a platform that may fail may be missing" one_fails
t "a merge as a plain user" as_plain_user
t "several platforms a leg, in any order, form and number" forms
t "a leg that fails leaves no result" failing
t "what tells of a build goes to devices, pipes and links as they are" told_to_devices
t "mistakes are told before anything is built" misused
finish
