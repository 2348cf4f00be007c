#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Snapshots: more layers than an overlay takes.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

# Each step changes a file of its own, replaces one that all have, and removes what the one before made.
deep_dockerfile() { # STEPS
	echo "FROM tiny"
	echo "RUN mkdir -p /d/kept && echo old > /d/kept/opaque && ln /d/kept/opaque /d/kept/other"
	i=1
	while [ "$i" -le "$1" ]; do
		case $((i % 20)) in
		0) echo "RUN test ! -e /d/gone$((i - 2)) && test -e /d/gone$((i - 1)) && rm /d/gone$((i - 1)) &&" \
			"echo $i >> /d/list && echo $i > /d/now && rm -rf /d/kept && mkdir /d/kept && echo $i > /d/kept/f$i" ;;
		19) echo "COPY --chmod=600 some /d/gone$i" ;;
		*) echo "COPY some /d/copied$i" ;;
		esac
		i=$((i + 1))
	done
}

many_layers() {
	mkdir -p deep
	echo some >deep/some
	deep_dockerfile 1200 >deep/Dockerfile
	sed -i 's/^FROM tiny$/FROM tiny AS work/' deep/Dockerfile
	printf 'FROM scratch\nCOPY --from=work /d /\n' >>deep/Dockerfile
	build --platform linux/amd64 -o type=local,dest=deep.out deep
	same "$(wc -l <deep.out/list)" 60
	same "$(cat deep.out/now)" 1200
	same "$(ls deep.out/kept)" f1200
	same "$(find deep.out -name "copied*" | wc -l)" 1080
	same "$(find deep.out -name "gone*" | wc -l)" 0
}

# As many layers in a base: unpacked, run on, read.
deep_base() {
	mkdir -p base
	echo some >base/some
	deep_dockerfile 600 >base/Dockerfile
	build --platform linux/amd64 -o type=oci,dest=base.layout,tar=false,name=deep base
	manifest=base.layout/blobs/$(index_digest base.layout | tr : /)
	same "$(jq '.layers | length' "$manifest")" 602
	fresh
	dockerfile on <<-'EOF'
		FROM deep AS work
		RUN echo more >> /d/list && ls /d | wc -l > /count && rm /d/copied1
		FROM scratch
		COPY --from=work /d /count /
	EOF
	build --platform linux/amd64 --build-context "deep=oci-layout://$W/base.layout:deep" \
		-o type=local,dest=on.out on
	same "$(wc -l <on.out/list)" 31
	same "$(tail -n 1 on.out/list)" more
	same "$(cat on.out/count)" $((540 + 3))
	same "$(ls on.out/kept)" f600
	[ ! -e on.out/copied1 ] || fail "a removed file is there"
}

t "a thousand steps and more, one on the other" many_layers
t "a base of 600 layers" deep_base
finish
