#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# xbuild doctor IMAGE: an index that is not what it says is told, with what would mend it.
. "$(dirname "$0")/lib.sh"
need userns overlay jq
tiny_base
fresh

# doctor STATUS ARGUMENT...: the answer is $W/answer
doctor() {
	wanted=$1
	shift
	got=0
	"$XBUILD" doctor --root "$STORE" --format json "$@" >"$W/answer" 2>"$W/err" || got=$?
	cat "$W/err" "$W/answer"
	[ "$got" = "$wanted" ] || fail "doctor ended with $got, not $wanted"
}

found() { # RULE TEXT: one finding, whose place or message says this
	jq -e --arg rule "$1" --arg text "$2" '[.findings[] | select(.rule == $rule and
		((.message | contains($text)) or (.where | contains($text))) and (.remedy | length > 0))] | length == 1' \
		"$W/answer" >/dev/null || fail "no $1 says $2"
}

# A layout with an image of two platforms, $W/whole; their files differ.
whole() {
	[ ! -d "$W/whole" ] || return 0
	mkdir -p make/linux_amd64 make/linux_arm64
	echo one >make/linux_amd64/file
	echo two >make/linux_arm64/file
	dockerfile make <<-'EOF'
		FROM scratch
		ARG TARGETARCH
		COPY linux_$TARGETARCH /
		CMD ["/file"]
	EOF
	"$XBUILD" build -q --root "$STORE" --platform linux/amd64,linux/arm64 -o type=oci,tar=false,dest="$W/whole" make >/dev/null
}

blob() { echo "$1/blobs/sha256/${2#sha256:}"; }
root_of() { jq -r '.manifests[0].digest' "$1/index.json"; }
child() { # LAYOUT NUMBER
	jq -r --argjson n "$2" '.manifests[$n].digest' "$(blob "$1" "$(root_of "$1")")"
}

# changed LAYOUT FILTER: a copy of the whole layout whose index went through jq
changed() {
	whole
	rm -rf "$1"
	cp -a "$W/whole" "$1"
	jq -c "$2" "$(blob "$1" "$(root_of "$1")")" >"$1/new"
	digest=sha256:$(sha256sum <"$1/new" | cut -d ' ' -f 1)
	size=$(stat -c %s "$1/new")
	mv "$1/new" "$(blob "$1" "$digest")"
	jq -c --arg digest "$digest" --argjson size "$size" \
		'.manifests[0].digest = $digest | .manifests[0].size = $size' "$1/index.json" >"$1/index.new"
	mv "$1/index.new" "$1/index.json"
}

healthy() {
	whole
	doctor 0 "oci:$W/whole"
	jq -e '(.findings | length) == 0 and .documents == 5 and .layers == 2' "$W/answer" >/dev/null || fail "it is whole"
	"$XBUILD" doctor --root "$STORE" "oci:$W/whole" >"$W/table"
	grep -q '0 errors, 0 warnings$' "$W/table" || fail "$(cat "$W/table")"
}

missing() {
	whole
	rm -rf m && cp -a whole m
	gone=$(child m 1)
	rm "$(blob m "$gone")"
	doctor 7 "oci:$W/m"
	found child-missing "linux/arm64 $gone"
	rm -rf m && cp -a whole m
	layer=$(jq -r '.layers[0].digest' "$(blob m "$(child m 0)")")
	rm "$(blob m "$layer")"
	doctor 7 "oci:$W/m"
	found layer-missing "layer $layer is not there"
	rm -rf m && cp -a whole m
	config=$(jq -r '.config.digest' "$(blob m "$(child m 0)")")
	rm "$(blob m "$config")"
	doctor 7 "oci:$W/m"
	found config-missing "linux/amd64"
	rm -rf m && cp -a whole m
	printf ' ' >>"$(blob m "$(child m 0)")"
	doctor 7 "oci:$W/m"
	found child-damaged "linux/amd64"
}

labels() {
	changed l '.manifests[1].platform.architecture = "s390x"'
	doctor 7 "oci:$W/l"
	found platform-mismatch "its config is for linux/arm64"
	changed l '.manifests[1].platform.variant = "v9"'
	doctor 0 "oci:$W/l"
	found platform-variant "its config is for linux/arm64"
	changed l 'del(.manifests[1].platform)'
	doctor 0 "oci:$W/l"
	found platform-unlabelled "does not say"
	changed l '.manifests += [.manifests[1] | .platform.variant = "v8"]'
	doctor 7 "oci:$W/l"
	found platform-duplicate "the same platform as $(child l 1)"
	changed l '.manifests[1].digest = .manifests[0].digest | .manifests[1].size = .manifests[0].size'
	doctor 7 "oci:$W/l"
	found image-identical "it is the image for linux/amd64"
	changed l '.manifests = []'
	doctor 7 "oci:$W/l"
	found index-empty "no entry"
}

attestations() {
	changed a '.manifests += [.manifests[0] | .platform = {"os": "unknown", "architecture": "unknown"} |
		.annotations = {"vnd.docker.reference.type": "attestation-manifest",
			"vnd.docker.reference.digest": "sha256:0000000000000000000000000000000000000000000000000000000000000000"}]'
	doctor 0 "oci:$W/a"
	found attestation-orphaned "which the index has not"
	changed a '.manifests += [.manifests[0] | .platform = {"os": "unknown", "architecture": "unknown"} |
		.annotations = {"vnd.docker.reference.type": "attestation-manifest",
			"vnd.docker.reference.digest": .digest}]'
	doctor 0 "oci:$W/a"
	jq -e '(.findings | length) == 0' "$W/answer" >/dev/null || fail "an attestation of an image that is there"
}

deep() {
	whole
	doctor 7 --deep "oci:$W/whole"
	jq -e '[.findings[] | select(.rule == "command-access")] | length == 2' "$W/answer" >/dev/null || fail "files were not looked at"
	exits 2 "$XBUILD" doctor --root "$STORE" --deep
	exits 2 "$XBUILD" doctor --root "$STORE" a b
	exits 8 "$XBUILD" doctor --root "$STORE" "oci:$W/nowhere"
}

t "an index that is as it should be has no findings" healthy
t "children, configs and layers that are not there, or are damaged" missing
t "labels that contradict configs, platforms twice, identical images" labels
t "attestations of what is not there" attestations
t "with --deep the files are looked at" deep
finish
