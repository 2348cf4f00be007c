#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Options, build arguments and documents as `docker buildx build` has them: what a user sees of each.
. "$(dirname "$0")/lib.sh"
need userns overlay jq
tiny_base
fresh

# of a layout: the document of a digest; the manifest or index; the config of its only image
blob() { cat "$1/blobs/sha256/${2#sha256:}"; }
root_of() { blob "$1" "$(index_digest "$1")"; }
config_of() { blob "$1" "$(root_of "$1" | jq -r '.config.digest')"; }

history_text() {
	dockerfile "$W/history" <<-'EOF'
		FROM tiny
		ARG A=1 B
		ENV E="f g" \
		  F=h
		ARG E2=$E
		LABEL l="a b"
		WORKDIR /w//x/
		RUN echo  one
		RUN ["echo", "two"]
		RUN <<-SH
			echo three
		SH
		COPY file <<doc /c/
		text
		doc
		ADD --chown=1:2 --chmod=0640 file /d
		EXPOSE 80 53/udp 8000-8001
		VOLUME ["/v", "/w x"]
		USER 1:2
		STOPSIGNAL SIGTERM
		SHELL ["/bin/sh", "-ec"]
		HEALTHCHECK --interval=1m30s --timeout=2.5s --start-period=0s --retries=3 CMD true a
		ENTRYPOINT ["/e", "q\"x", "ä"]
		CMD run it
		MAINTAINER me
		ONBUILD RUN x
	EOF
	echo f >"$W/history/file"
	build -o "type=oci,dest=$W/history.oci,tar=false" "$W/history"
	config_of "$W/history.oci" | jq -r '.history[] | select(.comment == "buildkit.dockerfile.v0") |
		"\(.empty_layer // false) \(.created_by)"' >"$W/history.got"
	cat >"$W/history.wanted" <<'EOF'
true ARG A=1 B
true ENV E=f g F=h
true ARG E2=f g
true LABEL l=a b
false WORKDIR /w//x/
false RUN |3 A=1 B= E2=f g /bin/sh -c echo  one # buildkit
false RUN |3 A=1 B= E2=f g echo two # buildkit
false RUN |3 A=1 B= E2=f g /bin/sh -c echo three
 # buildkit
false COPY file <<doc /c/ # buildkit
false ADD --chown=1:2 --chmod=0640 file /d # buildkit
true EXPOSE [53/udp 80/tcp 8000/tcp 8001/tcp]
true VOLUME [/v /w x]
true USER 1:2
true STOPSIGNAL SIGTERM
true SHELL [/bin/sh -ec]
true HEALTHCHECK {Test:[CMD-SHELL true a] Interval:1m30s Timeout:2.5s StartPeriod:0s StartInterval:0s Retries:3}
true ENTRYPOINT ["/e" "q\"x" "ä"]
true CMD ["/bin/sh" "-ec" "run it"]
true MAINTAINER me
EOF
	diff "$W/history.wanted" "$W/history.got"
	same "$(config_of "$W/history.oci" | jq -c '[.config.ArgsEscaped, .config.WorkingDir]')" '[true,"/w//x/"]'
}

annotations() {
	dockerfile "$W/annotate" <<-'EOF'
		FROM tiny
		COPY Dockerfile /
	EOF
	build --annotation plain=1 --annotation "manifest-descriptor:d=2" -o "type=oci,dest=$W/a1,tar=false" "$W/annotate"
	same "$(root_of "$W/a1" | jq -c .annotations)" '{"plain":"1"}'
	same "$(jq -r '.manifests[0].annotations.d' "$W/a1/index.json")" 2
	exits 2 build --annotation index:a=b "$W/annotate"
	says "index:a" "without an index"
	exits 2 build --annotation 'manifest[linux/s390x]:a=b' "$W/annotate"
	says "there is no image for this platform"
	exits 2 build --annotation layer:a=b "$W/annotate"
	says 'unknown type "layer"'
	build --build-arg BUILDKIT_MULTI_PLATFORM=1 --annotation index:a=b --annotation index-descriptor:c=d \
		-o "type=oci,dest=$W/a2,tar=false" "$W/annotate"
	same "$(root_of "$W/a2" | jq -c '[.annotations, (.manifests | length)]')" '[{"a":"b"},1]'
	same "$(jq -r '.manifests[0].annotations.c' "$W/a2/index.json")" d
}

annotations_of_outputs() {
	build --annotation all=1 --annotation who=build --iidfile "$W/o.iid" \
		-o "type=oci,dest=$W/o1,tar=false,annotation.who=one,annotation-manifest-descriptor.d=2" \
		-o "type=oci,dest=$W/o2,tar=false" -o "type=oci,dest=$W/o3,tar=false,annotation-manifest[linux/amd64].p=3" \
		--platform linux/amd64 "$W/annotate"
	same "$(root_of "$W/o1" | jq -cS .annotations)" '{"all":"1","who":"one"}'
	same "$(jq -r '.manifests[0].annotations.d' "$W/o1/index.json")" 2
	same "$(root_of "$W/o2" | jq -cS .annotations)" '{"all":"1","who":"build"}'
	same "$(root_of "$W/o3" | jq -cS .annotations)" '{"all":"1","p":"3","who":"build"}'
	# what the build is said to have given is what its first output holds
	same "$(cat "$W/o.iid")" "$(index_digest "$W/o1")"
	exits 2 build -o "type=oci,dest=$W/o4,annotation-index.a=b" "$W/annotate"
	says "index:a" "without an index"
	exits 2 build -o "type=oci,dest=$W/o4,annotation-layer.a=b" "$W/annotate"
	says "annotation[-TYPE]"
}

annotations_of_platforms() {
	both_platforms
	build --platform "$PLATFORMS" --annotation 'manifest[linux/arm64]:a=arm' --annotation a=all \
		--annotation 'index,manifest-descriptor:i=x' -o "type=oci,dest=$W/a3,tar=false" "$W/annotate"
	root_of "$W/a3" | jq -e '.annotations.i == "x" and all(.manifests[]; .annotations.i == "x")'
	for arch in amd64=all arm64=arm; do
		digest=$(root_of "$W/a3" | jq -r --arg a "${arch%=*}" '.manifests[] | select(.platform.architecture == $a).digest')
		same "$(blob "$W/a3" "$digest" | jq -r .annotations.a)" "${arch#*=}"
	done
}

no_cache_filter() {
	dockerfile "$W/filter" <<-'EOF'
		FROM tiny AS one
		RUN cat /proc/sys/kernel/random/uuid > /one
		FROM tiny AS two
		RUN cat /proc/sys/kernel/random/uuid > /two
		FROM scratch
		COPY --from=one /one /
		COPY --from=two /two /
	EOF
	build -o "type=local,dest=$W/f1" "$W/filter"
	build -o "type=local,dest=$W/f2" "$W/filter"
	diff -r "$W/f1" "$W/f2"
	build --no-cache-filter TWO -o "type=local,dest=$W/f3" "$W/filter"
	cmp "$W/f1/one" "$W/f3/one"
	! cmp -s "$W/f1/two" "$W/f3/two" || fail "the stage was not run again"
	exits 0 build --no-cache-filter thre "$W/filter"
	says "--no-cache-filter thre: there is no stage of that name"
}

build_arguments() {
	dockerfile "$W/args" <<-'EOF'
		FROM tiny
		ARG GIVEN
		ARG UNSET=fallback
		RUN --mount=type=cache,target=/c,id=shared echo x >> /c/log; cp /c/log /log
		RUN echo "$GIVEN $UNSET $http_proxy $HTTP_PROXY" > /args; hostname > /hostname
		LABEL a=b
	EOF
	GIVEN=environment build --build-arg GIVEN --build-arg UNSET --build-arg HTTP_PROXY=http://p:1 --label empty --label a=given \
		--build-arg BUILDKIT_SANDBOX_HOSTNAME=box --build-arg BUILDKIT_INLINE_CACHE=1 \
		--build-arg BUILDKIT_BUILD_NAME=n --build-arg BUILDKIT_CACHE_MOUNT_NS=one \
		-o "type=oci,dest=$W/args.oci,tar=false" -o "type=local,dest=$W/args.out" "$W/args" 2>"$W/err"
	! grep -q "not used" "$W/err" || fail "a builder's argument is said to be unused"
	same "$(cat "$W/args.out/args")" "environment fallback http://p:1 http://p:1"
	same "$(cat "$W/args.out/hostname")" box
	same "$(cat "$W/args.out/log")" x
	same "$(config_of "$W/args.oci" | jq -c .config.Labels)" '{"a":"given","empty":""}'
	! config_of "$W/args.oci" | grep -q p:1 || fail "the proxy is in the config"
	# another name space has caches of its own, the same one has not
	build --no-cache --build-arg BUILDKIT_CACHE_MOUNT_NS=two -o "type=local,dest=$W/ns2" "$W/args"
	same "$(cat "$W/ns2/log")" x
	build --no-cache --build-arg BUILDKIT_CACHE_MOUNT_NS=one -o "type=local,dest=$W/ns1" "$W/args"
	same "$(paste -sd' ' "$W/ns1/log")" "x x"
	exits 0 build --build-arg MISSPELT=1 --build-arg BUILDKIT_MISSPELT=1 "$W/args"
	says "MISSPELT is not used by any ARG" "BUILDKIT_MISSPELT is not used by any ARG"
	exits 2 build --build-arg BUILDKIT_MULTI_PLATFORM=0 --platform linux/amd64,linux/arm64 "$W/args"
	says "BUILDKIT_MULTI_PLATFORM=0"
}

other_options() {
	dockerfile "$W/other" <<-'EOF'
		FROM tiny
		COPY Dockerfile /
	EOF
	build --load --pull --provenance=false --sbom=false --attest type=provenance,disabled=true --builder default \
		-t loaded:1 -o "type=oci,dest=$W/loaded.tar" "$W/other"
	"$XBUILD" images --root "$STORE" | grep -q loaded
	test -s "$W/loaded.tar"
	exits 2 build --provenance=mode=max "$W/other"
	says "attestations are not made"
	exits 2 build --sbom=true "$W/other"
	exits 2 build --attest type=sbom "$W/other"
	exits 2 build --builder remote "$W/other"
	says "--builder remote"
	exits 2 build --push "$W/other"
	exits 2 build --allow-mismatch=everything "$W/other"
	says "shadowed-arg"
}

syntax() {
	mkdir -p "$W/syntax"
	for ok in docker/dockerfile:1 docker.io/docker/dockerfile:1.7-labs docker/dockerfile-upstream:master; do
		printf '# syntax=%s\nFROM scratch\nCOPY Dockerfile /\n' "$ok" >"$W/syntax/Dockerfile"
		build "$W/syntax"
	done
	printf '#!/bin/x\r\n# syntax=evil/x:1\r\nFROM scratch\r\nCOPY Dockerfile /\r\n' >"$W/syntax/Dockerfile"
	exits 3 build "$W/syntax"
	says "Dockerfile:2:10" "evil/x:1" "not built in" "BUILDKIT_SYNTAX"
	build --build-arg BUILDKIT_SYNTAX=docker/dockerfile:1 "$W/syntax"
	exits 2 build --build-arg BUILDKIT_SYNTAX=evil/y "$W/syntax"
	says "BUILDKIT_SYNTAX=evil/y"
	printf '# escape=`\n# escape=`\nFROM scratch\n' >"$W/syntax/Dockerfile"
	exits 3 build "$W/syntax"
	says "only one escape parser directive"
	printf '\357\273\277# escape=`\r\nFROM tiny\r\nRUN echo a`\r\n  b > /x\r\n' >"$W/syntax/Dockerfile"
	build -o "type=local,dest=$W/syntax.out" "$W/syntax"
	same "$(cat "$W/syntax.out/x")" "a b"
}

# Each of xbuild's own errors: refused with its place and the option that allows it, and allowed.
mismatches() {
	allowed() { # WORD PLACE STATUS PLATFORM [OPTION...]; the Dockerfile comes from standard input
		word=$1 place=$2 status=$3 platform=$4
		shift 4
		dockerfile "$W/mismatch"
		exits "$status" build --platform "$platform" "$@" "$W/mismatch"
		says "$place" "--allow-mismatch=$word"
		rm -rf "$W/mismatch.oci"
		build --platform "$platform" --allow-mismatch="$word" "$@" -o "type=oci,dest=$W/mismatch.oci,tar=false" "$W/mismatch"
	}
	two=linux/amd64,linux/arm64
	allowed shadowed-arg Dockerfile:2:5 7 $two <<-'EOF'
		FROM scratch
		ARG TARGETARCH=amd64
		LABEL arch=$TARGETARCH
		COPY Dockerfile /
	EOF
	for i in 0 1; do
		manifest=$(root_of "$W/mismatch.oci" | jq -r ".manifests[$i].digest")
		config=$(blob "$W/mismatch.oci" "$manifest" | jq -r .config.digest)
		same "$(blob "$W/mismatch.oci" "$config" | jq -r .config.Labels.arch)" amd64
	done
	allowed stage-platform Dockerfile:3:6 7 $two <<-'EOF'
		FROM scratch AS a
		COPY Dockerfile /
		FROM --platform=linux/amd64 a
		COPY Dockerfile /x
	EOF
	allowed pinned-target Dockerfile:1:1 7 $two <<-'EOF'
		FROM --platform=linux/amd64 tiny
		RUN echo x > /x
	EOF
	same "$(root_of "$W/mismatch.oci" | jq -r '[.manifests[].platform.architecture] | join(" ")')" "amd64 arm64"
	tool tiny "$W/single" tiny linux/amd64=/bin/busybox
	allowed base-platform Dockerfile:1:6 5 linux/arm64 --build-context "single=oci-layout://$W/single:tiny" <<-'EOF'
		FROM single
		RUN uname -m > /x
	EOF
	same "$(config_of "$W/mismatch.oci" | jq -r .architecture)" arm64
	pinned=single@$(index_digest "$W/single")
	allowed digest-pin Dockerfile:1:6 5 linux/arm64 --build-context "$pinned=oci-layout://$W/single:tiny" <<-EOF
		FROM $pinned
		COPY Dockerfile /
	EOF
}

circles() {
	dockerfile "$W/circle" <<-'EOF'
		FROM tiny AS a
		COPY --from=b / /
		FROM tiny AS b
		RUN --mount=from=a,target=/a true
	EOF
	exits 3 build "$W/circle"
	says "Dockerfile:4:5" "circle: a needs b needs a" "^"
	dockerfile "$W/circle" <<-'EOF'
		FROM tiny AS a
		COPY --from=b / /
		FROM tiny AS b
		RUN true
		FROM a
	EOF
	exits 3 build "$W/circle"
	says "Dockerfile:2:6" "begins in line 3"
}

# A document a million lines long, from the command line: parsed and dumped, an instruction a line.
a_million_lines() {
	mkdir -p "$W/million"
	{
		echo FROM scratch
		yes 'LABEL a=bc' | head -n 1000000
	} >"$W/million/Dockerfile"
	"$XBUILD" dump dockerfile "$W/million" | grep -c '"instruction":"LABEL"' >"$W/count"
	same "$(cat "$W/count")" 1000000
}

t "history and config read as BuildKit's" history_text
t "--annotation at its four levels" annotations
t "--annotation for platforms" annotations_of_platforms
t "annotations of one output" annotations_of_outputs
t "--no-cache-filter runs stages again" no_cache_filter
t "build arguments of BuildKit, the environment, proxies; --label" build_arguments
t "options that have nothing to do, and those that are refused" other_options
t "syntax directives, BUILDKIT_SYNTAX, escape, CRLF" syntax
t "--allow-mismatch: xbuild's own errors, both ways" mismatches
t "stages in a circle and stages to come" circles
t "a million lines" a_million_lines
finish
