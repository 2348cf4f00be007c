#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tools for indexes: made, changed and copied on registries, layouts, archives and the store, as
# skopeo and buildah see them afterwards.
. "$(dirname "$0")/lib.sh"
need docker-registry skopeo python3 jq curl

serve_registry plain
REG=localhost:$(cat "$W/plain.port")
serve_registry second
REG2=localhost:$(cat "$W/second.port")
ROOT=$W/store

manifest() { tool=$1; shift; "$XBUILD" manifest "$tool" --root "$ROOT" "$@"; }
# raw NAME: a document as another client gets it
raw() { skopeo inspect --tls-verify=false --raw "$1"; }
# platforms NAME: of an index, by another client
platforms() {
	raw "$1" | jq -r '[.manifests[].platform | .os + "/" + .architecture + (if .variant then "/" + .variant
		else "" end)] | join(" ")'
}
digest_of() { raw "$1" | sha256sum | sed 's/^\([0-9a-f]*\).*/sha256:\1/'; }
# entry NAME PLATFORM-ARCH: the digest of an index's entry
entry() { raw "$1" | jq -r --arg a "$2" '[.manifests[] | select(.platform.architecture == $a)][0].digest'; }
requests() { grep -c "\"$1 $2" "$W/plain.log" || :; }

# images LAYOUT [LABEL]: `all` is an index of amd64 and arm64, each with an attestation and beside an
# artifact; `amd64`, `arm64`, `arm`, `other` (arm64 again) are images. LABEL tells its bytes apart.
python3 - "$W/src" <<'PY'
import hashlib, json, os, sys
path = sys.argv[1]
os.makedirs(path + "/blobs/sha256")
V = "application/vnd.oci.image."
def add(data, kind):
    data = data if isinstance(data, bytes) else json.dumps(data, indent=1).encode()
    h = hashlib.sha256(data).hexdigest()
    open(f"{path}/blobs/sha256/{h}", "wb").write(data)
    return {"mediaType": kind, "digest": "sha256:" + h, "size": len(data)}
def image(arch, text, variant=None):
    layer = add(text.encode() * 1000, V + "layer.v1.tar")
    config = {"architecture": arch, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
              "config": {"Labels": {"org.opencontainers.image.title": "Demo", "own": arch,
                                    "org.opencontainers.image.version": text}}}
    if variant:
        config["variant"] = variant
    config = add(config, V + "config.v1+json")
    return add({"schemaVersion": 2, "mediaType": V + "manifest.v1+json", "config": config, "layers": [layer]},
               V + "manifest.v1+json")
def attestation(of):
    layer = add(b"{}", "application/vnd.in-toto+json")
    config = add({"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers",
                  "diff_ids": [layer["digest"]]}, "of": of}, V + "config.v1+json")
    d = add({"schemaVersion": 2, "mediaType": V + "manifest.v1+json", "config": config, "layers": [layer]},
            V + "manifest.v1+json")
    return {**d, "annotations": {"vnd.docker.reference.digest": of, "vnd.docker.reference.type": "attestation-manifest"},
            "platform": {"architecture": "unknown", "os": "unknown"}}
def entry(d, arch, **more):
    return {**d, "platform": {"architecture": arch, "os": "linux", **more}}
def index(entries):
    return add({"schemaVersion": 2, "mediaType": V + "index.v1+json", "manifests": entries}, V + "index.v1+json")
amd64, arm64, other, arm = image("amd64", "1"), image("arm64", "1"), image("arm64", "2"), image("arm", "1", "v7")
artifact = add({"schemaVersion": 2, "mediaType": V + "manifest.v1+json", "artifactType": "application/x.sbom",
                "config": add(b"{}", "application/vnd.oci.empty.v1+json"), "layers": [add(b"sbom", "text/plain")]},
               V + "manifest.v1+json")
full = index([entry(amd64, "amd64"), entry(arm64, "arm64", variant="v8"), attestation(amd64["digest"]),
              attestation(arm64["digest"]), {**artifact, "artifactType": "application/x.sbom"}])
tags = {"amd64": amd64, "arm64": arm64, "other": other, "arm": arm, "all": full,
        "nested": index([full, entry(arm, "arm", variant="v7")]), "lie": index([entry(amd64, "s390x")])}
deep = full
for _ in range(4):
    deep = index([deep])
tags["deep"] = deep
both = json.loads(open(f"{path}/blobs/sha256/{full['digest'][7:]}").read())
tags["both"] = add({**both, "layers": []}, V + "index.v1+json")
tags["twice"] = add(b'{"schemaVersion":2,"manifests":[],"manifests":[]}', V + "index.v1+json")
tags["nojson"] = add(b'{"schemaVersion":2,', V + "index.v1+json")
tags["size"] = index([{**entry(amd64, "amd64"), "size": amd64["size"] + 1}])
tags["gone"] = index([{**entry(amd64, "amd64"), "digest": "sha256:" + 64 * "7"}])
open(path + "/oci-layout", "w").write('{"imageLayoutVersion":"1.0.0"}')
json.dump({"schemaVersion": 2, "manifests": [{**d, "annotations": {"org.opencontainers.image.ref.name": t}}
           for t, d in tags.items()]}, open(path + "/index.json", "w"))
PY
SRC_IMAGES=oci:$W/src

created() {
	manifest create "$REG/app:1" "$SRC_IMAGES:amd64" "$SRC_IMAGES:arm64" >"$W/digest" 2>"$W/err"
	says "$REG/app:1: (none) -> $(cat "$W/digest") +linux/amd64 +linux/arm64"
	same "$(digest_of "docker://$REG/app:1")" "$(cat "$W/digest")"
	same "$(platforms "docker://$REG/app:1")" "linux/amd64 linux/arm64"
	same "$(entry "docker://$REG/app:1" arm64)" "$(index_digest "$W/src" arm64)"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG/app:1" "oci:$W/copied:1"
	tool verify "$W/copied" 1
}

flattened() {
	manifest create "oci:$W/flat:1" "$SRC_IMAGES:nested"
	same "$(platforms "oci:$W/flat:1")" "linux/amd64 linux/arm64/v8 unknown/unknown unknown/unknown / linux/arm/v7"
	exits 2 manifest create "oci:$W/none:1" "$SRC_IMAGES:all" "$SRC_IMAGES:other"
	says "linux/arm64" "is there twice" "$(index_digest "$W/src" arm64) of $SRC_IMAGES:all" \
		"$(index_digest "$W/src" other) of $SRC_IMAGES:other"
	exits 5 manifest create "oci:$W/none:1" "$SRC_IMAGES:lie"
	says "linux/s390x" "linux/amd64"
	[ ! -e "$W/none" ] || fail "something was made"
}

# What nobody touched keeps its bytes: each line of this entry, as the other tool wrote it.
kept() {
	manifest copy "$SRC_IMAGES:all" "$REG/edit:1"
	before=$(digest_of "docker://$REG/edit:1")
	raw "docker://$REG/edit:1" >"$W/before"
	blobs=$(requests GET /v2/edit/blobs)
	manifest add "$REG/edit:1" "$SRC_IMAGES:other" 2>"$W/err"
	says "$(index_digest "$W/src" other) takes the place of $(index_digest "$W/src" arm64)" "the attestation"
	raw "docker://$REG/edit:1" >"$W/after"
	python3 - "$W/before" "$W/after" <<-'PY'
		import json, sys
		before, after = (open(name).read() for name in sys.argv[1:])
		decoder = json.JSONDecoder()
		kept = 0
		for entry in json.loads(before)["manifests"]:
		    at = before.index('"digest": "%s"' % entry["digest"])
		    at = before.rindex("{", 0, at)
		    _, end = decoder.raw_decode(before, at)
		    kept += before[at:end] in after
		assert kept == 3, kept  # amd64, its attestation, the artifact
		assert len(json.loads(after)["manifests"]) == 4
	PY
	same "$(requests GET /v2/edit/blobs)" "$blobs" "blobs that were read"
	same "$(entry "docker://$REG/edit:1" arm64)" "$(index_digest "$W/src" other)"
	manifest add "$REG/edit:1" "$SRC_IMAGES:arm"
	same "$(platforms "docker://$REG/edit:1")" "linux/amd64 linux/arm64 unknown/unknown / linux/arm/v7"
	exits 2 manifest add "$REG/app:1@$before" "$SRC_IMAGES:arm"
	says "needs a tag"
}

removed() {
	exits 5 manifest rm "$REG/edit:1" linux/s390x
	says "the index has no linux/s390x (there is: linux/amd64, linux/arm64, linux/arm/v7)"
	manifest rm --dry-run "$REG/edit:1" linux/arm/v7 2>"$W/err"
	says " -linux/arm/v7"
	same "$(platforms "docker://$REG/edit:1")" "linux/amd64 linux/arm64 unknown/unknown / linux/arm/v7"
	manifest rm "$REG/edit:1" linux/arm/v7 "$(entry "docker://$REG/edit:1" amd64)" 2>"$W/err"
	says "the attestation" "goes with its image" "-linux/amd64 -linux/arm/v7"
	same "$(platforms "docker://$REG/edit:1")" "linux/arm64 /"
	exits 2 manifest rm "$REG/edit:1" arm64 "$(raw "docker://$REG/edit:1" | jq -r '.manifests[1].digest')"
	says "nothing would be left"
	exits 2 manifest rm "$SRC_IMAGES:amd64" amd64
	says "not an index" "manifest create"
}

annotated() {
	manifest create "oci:$W/notes:1" "$SRC_IMAGES:all" --annotation index:a=1 --annotation manifest-descriptor:b=2 \
		--annotation 'manifest-descriptor[linux/arm64]:b=3' --annotation index-descriptor:d=4
	raw "oci:$W/notes:1" | jq -e '.annotations.a == "1" and .manifests[0].annotations.b == "2" and
		.manifests[1].annotations.b == "3" and (.manifests[2].annotations | has("b") | not) and
		.manifests[1].platform.variant == "v8"'
	jq -e '.manifests[0].annotations.d == "4"' "$W/notes/index.json"
	manifest annotate "oci:$W/notes:1" --annotation 'manifest[linux/amd64]:c=5' 2>"$W/err"
	says "the attestation" "goes with its image $(index_digest "$W/src" amd64)"
	new=$(entry "oci:$W/notes:1" amd64)
	[ "$new" != "$(index_digest "$W/src" amd64)" ] || fail "the manifest is the same"
	jq -e '.annotations.c == "5"' "$W/notes/blobs/sha256/${new#*:}"
	same "$(entry "oci:$W/notes:1" arm64)" "$(index_digest "$W/src" arm64)"
	jq -e '.manifests | length == 1 and .[0].annotations.d == "4"' "$W/notes/index.json"
	manifest annotate --variant v9 --os-features one,two --annotation manifest-descriptor:e=6 "oci:$W/notes:1" arm64
	raw "oci:$W/notes:1" | jq -e '.manifests[1] | .platform.variant == "v9" and
		.platform["os.features"] == ["one", "two"] and .annotations.e == "6" and .annotations.b == "3"'
	raw "oci:$W/notes:1" | jq -e '.manifests[0].annotations | has("e") | not'
	exits 5 manifest annotate --arch s390x "oci:$W/notes:1" linux/arm64/v9
	says "linux/s390x" "its config says linux/arm64"
	exits 2 manifest annotate --variant v6 "oci:$W/notes:1"
	exits 2 manifest annotate --annotation 'manifest[linux/mips]:x=y' "oci:$W/notes:1"
	exits 2 manifest annotate --annotation index-descriptor:x=y "$REG/app:1"
}

# The store, and from one registry to another, whose blobs it must be sent.
elsewhere() {
	manifest create store:list:1 "$REG/app:1" "$SRC_IMAGES:arm"
	"$XBUILD" images --root "$ROOT" | grep -q "^list:1 .*linux/arm/v7"
	manifest rm list:1 linux/amd64
	same "$(manifest inspect list:1 | awk '/^linux/ { print $1 }' | xargs)" "linux/arm64 linux/arm/v7"
	manifest create "$REG2/both:1" "$REG/app:1" list:1
	same "$(platforms "docker://$REG2/both:1")" "linux/amd64 linux/arm64 linux/arm/v7"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG2/both:1" "oci:$W/both:1"
	tool verify "$W/both" 1
	manifest create "$REG/again:1" "$REG/app:1" --annotation index:a=b
	same "$(requests PUT /v2/again/blobs)" 0 "blobs sent within one registry"
	"$XBUILD" cache check --root "$ROOT"
	[ -z "$(ls -A "$ROOT/ingest")" ] || fail "something was left in the store"
}

malformed() {
	cp "$W/src/index.json" "$W/index.before"
	for tag in both twice nojson size gone deep; do
		for to in "oci:$W/never:1" "$REG/never:1"; do
			status=0
			manifest create "$to" "$SRC_IMAGES:amd64" "$SRC_IMAGES:$tag" 2>"$W/err" || status=$?
			[ $status = 8 ] || fail "$tag: status $status: $(cat "$W/err")"
			same "$(grep -c error: "$W/err")" 1 "errors of $tag"
			says "member $SRC_IMAGES:$tag"
		done
		exits 8 manifest add "$SRC_IMAGES:all" "$SRC_IMAGES:$tag"
		exits 8 manifest rm "$SRC_IMAGES:$tag" linux/amd64
		cmp "$W/index.before" "$W/src/index.json"
	done
	[ ! -e "$W/never" ] || fail "a layout was made"
	! curl -sf "http://$REG/v2/never/tags/list" || fail "something was sent"
}

# Archives are read where they are, and replaced whole.
archives() {
	manifest create "oci-archive:$W/a.tar:1" "$SRC_IMAGES:amd64" "$SRC_IMAGES:arm64" 2>"$W/err"
	says "oci-archive:$W/a.tar:1: (none) -> "
	manifest create "oci-archive:$W/a.tar:2" "oci-archive:$W/a.tar:1" "$SRC_IMAGES:arm" --annotation index-descriptor:x=y
	first=$(manifest inspect --raw "oci-archive:$W/a.tar:1" | sha256sum)
	manifest add "oci-archive:$W/a.tar:2" "$SRC_IMAGES:other"
	same "$(manifest inspect --raw "oci-archive:$W/a.tar:1" | sha256sum)" "$first" "the other image"
	mkdir "$W/unpacked"
	tar -C "$W/unpacked" -xf "$W/a.tar"
	tool verify "$W/unpacked" 1
	tool verify "$W/unpacked" 2
	jq -e '.manifests | length == 2 and .[1].annotations.x == "y"' "$W/unpacked/index.json"
	same "$(platforms "oci:$W/unpacked:2")" "linux/amd64 linux/arm64 linux/arm/v7"
	skopeo copy -q --all "oci-archive:$W/a.tar:2" "oci:$W/from-archive:1"
	manifest copy "oci-archive:$W/a.tar:2" "$REG/archive:1"
	same "$(platforms "docker://$REG/archive:1")" "linux/amd64 linux/arm64 linux/arm/v7"
	manifest copy "$REG/archive:1" "oci-archive:$W/b.tar"
	manifest copy "$REG/archive:1" "oci-archive:$W/c.tar"
	cmp "$W/b.tar" "$W/c.tar"
	exits 7 manifest copy "$SRC_IMAGES:amd64" "oci-archive:$W/b.tar"
	says "would lose"
	exits 2 manifest copy "$SRC_IMAGES:amd64" "oci-archive:$W/a.tar"
	cmp "$W/b.tar" "$W/c.tar"
	head -c 3000 "$W/a.tar" >"$W/cut.tar"
	exits 8 manifest inspect "oci-archive:$W/cut.tar:1"
	gzip -k "$W/c.tar"
	exits 2 manifest inspect "oci-archive:$W/c.tar.gz"
	says "decompress it first"
	[ "$(find "$W" -maxdepth 1 -name '*.partial' | wc -l)" = 0 ] || fail "something was left"
}

# What skopeo calls a Docker archive is one, and the other way round.
docker_archives() {
	skopeo copy -q "$SRC_IMAGES:amd64" "docker-archive:$W/d.tar:app/demo:1"
	same "$(manifest inspect "docker-archive:$W/d.tar" | awk '/^linux/ { print $1 }')" linux/amd64
	manifest create "$REG/from-docker:1" "docker-archive:$W/d.tar:app/demo:1" "$SRC_IMAGES:arm64"
	same "$(platforms "docker://$REG/from-docker:1")" "linux/amd64 linux/arm64"
	skopeo copy -q --all --src-tls-verify=false "docker://$REG/from-docker:1" "oci:$W/from-docker:1"
	tool verify "$W/from-docker" 1
	manifest copy "$SRC_IMAGES:arm64" "docker-archive:$W/e.tar:app/demo:2"
	same "$(skopeo inspect "docker-archive:$W/e.tar:app/demo:2" | jq -r '.Architecture')" arm64
	exits 2 manifest copy "$SRC_IMAGES:all" "docker-archive:$W/f.tar:app/demo:2"
	[ ! -e "$W/f.tar" ] || fail "a file was made"
	exits 8 manifest inspect "docker-archive:$W/d.tar:other"
	exits 8 manifest inspect "docker-archive:$W/a.tar"
	exits 8 manifest inspect "oci-archive:$W/d.tar"
	says "docker-archive:FILE"
}

# The index of two platforms of three, between two registries; layers of the others are not read.
some_copied() {
	manifest copy "$SRC_IMAGES:nested" "$REG/three:1"
	same "$(digest_of "docker://$REG/three:1")" "$(index_digest "$W/src" nested)"
	blobs=$(find "$ROOT/blobs" -type f | wc -l)
	manifest copy --platform linux/arm64,linux/arm/v7 "$REG/three:1" "$REG2/two:1" >"$W/digest"
	same "$(platforms "docker://$REG2/two:1")" "linux/arm64/v8 unknown/unknown / linux/arm/v7"
	same "$(digest_of "docker://$REG2/two:1")" "$(cat "$W/digest")"
	same "$(entry "docker://$REG2/two:1" arm64)" "$(index_digest "$W/src" arm64)"
	same "$(find "$ROOT/blobs" -type f | wc -l)" "$blobs" "blobs of the store"
	manifest copy --platform linux/arm64 --platform amd64 "$SRC_IMAGES:all" "oci:$W/same:1"
	same "$(index_digest "$W/same")" "$(index_digest "$W/src" all)" "all platforms that there are"
	manifest copy --platform amd64 "$SRC_IMAGES:all" "oci:$W/less:1"
	same "$(platforms "oci:$W/less:1")" "linux/amd64 unknown/unknown /"
	exits 5 manifest copy --platform linux/s390x "$REG/three:1" "$REG2/none:1"
	exits 7 manifest copy --platform amd64 "$REG/three:1" "$REG2/two:1"
	says "would lose"
}

pushed() {
	manifest create "store:$REG/pushed:1" "$SRC_IMAGES:amd64" "$SRC_IMAGES:arm64"
	! curl -sf "http://$REG/v2/pushed/tags/list" || fail "it was pushed"
	manifest push --dry-run "$REG/pushed:1" 2>"$W/err"
	says "$REG/pushed:1: (none) -> " "+linux/amd64"
	manifest push "$REG/pushed:1"
	manifest push "store:$REG/pushed:1" "$REG2/pushed:2"
	same "$(digest_of "docker://$REG/pushed:1")" "$(digest_of "docker://$REG2/pushed:2")"
	exits 2 manifest push "$SRC_IMAGES:all"
}

# What all images say alike the index says, too, unless it is told otherwise.
labelled() {
	manifest create "oci:$W/labels:1" "$SRC_IMAGES:amd64" "$SRC_IMAGES:arm64"
	raw "oci:$W/labels:1" | jq -e '.annotations == {"org.opencontainers.image.title": "Demo",
		"org.opencontainers.image.version": "1"}'
	manifest create "oci:$W/labels:2" "$SRC_IMAGES:amd64" "$SRC_IMAGES:other" \
		--annotation index:org.opencontainers.image.title=Mine
	raw "oci:$W/labels:2" | jq -e '.annotations == {"org.opencontainers.image.title": "Mine"}'
	manifest create --no-index-labels "oci:$W/labels:3" "$SRC_IMAGES:amd64" "$SRC_IMAGES:arm64"
	raw "oci:$W/labels:3" | jq -e 'has("annotations") | not'
	mkdir -p "$W/app"
	cat >"$W/app/Dockerfile" <<-'EOF'
		FROM scratch
		ARG TARGETARCH
		COPY Dockerfile /$TARGETARCH
		LABEL org.opencontainers.image.title=Built org.opencontainers.image.description=$TARGETARCH other=1
	EOF
	"$XBUILD" build -q --root "$ROOT" --platform linux/amd64,linux/arm64 -o "type=oci,tar=false,dest=$W/built" "$W/app"
	raw "oci:$W/built" | jq -e '.annotations == {"org.opencontainers.image.title": "Built"}'
	"$XBUILD" build -q --root "$ROOT" --platform linux/amd64,linux/arm64 --no-index-labels \
		-o "type=oci,tar=false,dest=$W/plain" "$W/app"
	raw "oci:$W/plain" | jq -e 'has("annotations") | not'
	for arch in amd64 arm64; do
		"$XBUILD" build -q --root "$ROOT" --platform linux/amd64,linux/arm64 --leg linux/$arch --revision 1 \
			--result "$W/$arch.json" -o "type=oci,tar=false,dest=$W/leg-$arch" "$W/app"
	done
	same "$("$XBUILD" merge --root "$ROOT.merge" -t merged:1 "$W/arm64.json" "$W/amd64.json" 2>/dev/null)" \
		"$(index_digest "$W/built")" "digest of the merge"
}

formatted() {
	same "$(manifest inspect --format '{{.Manifest.Digest}}' "$SRC_IMAGES:all")" "$(index_digest "$W/src" all)"
	same "$(manifest inspect --format '{{ .Name }}\t{{.Manifest.MediaType}}{{.Manifest.Nothing}}' "$SRC_IMAGES:amd64")" \
		"$(printf '%s\tapplication/vnd.oci.image.manifest.v1+json' "$SRC_IMAGES:amd64")"
	manifest inspect --format '{{json .Manifest}}' "$SRC_IMAGES:all" | jq -e '.manifests | length == 5'
	manifest inspect --format '{{json .Image}}' "$SRC_IMAGES:all" | jq -e '.["linux/amd64"].architecture == "amd64"'
	same "$(manifest inspect --format '{{.image.architecture}}' "$SRC_IMAGES:arm64")" arm64
	for bad in '{{.Manifst}}' '{{range .Manifest.Manifests}}{{end}}' '{{.Name' '{{}}'; do
		exits 2 manifest inspect --format "$bad" "$SRC_IMAGES:all"
	done
}

judged_by_buildah() {
	command -v buildah >/dev/null || skip "buildah is not installed" tools
	has root || skip "buildah's storage is root's" root
	buildah --root "$W/bs" --runroot "$W/br" --storage-driver vfs manifest inspect --tls-verify=false "docker://$REG/app:1" |
		jq -e '[.manifests[].platform.architecture] == ["amd64", "arm64"]'
}

t "an index is made of images, and others copy it" created
t "indexes as members are flattened; a platform twice and a lie are errors" flattened
t "one platform is replaced and all else keeps its bytes" kept
t "platforms and digests are removed, attestations with them" removed
t "annotations on all four levels, and platforms" annotated
t "the store, and between registries" elsewhere
t "some platforms are copied between registries" some_copied
t "an index of the store is pushed" pushed
t "labels that all platforms have alike annotate the index" labelled
t "fields are printed as a template says" formatted
t "archives are read in place and replaced whole" archives
t "Docker archives are read and written" docker_archives
t "malformed documents are one error, and nothing is stored" malformed
t "buildah reads what was made" judged_by_buildah
finish
