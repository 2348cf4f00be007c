#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# make-base.sh LAYOUT[:TAG] [PLATFORM...]: make a Debian base image in an OCI layout directory.
#
# Nothing is done when LAYOUT was made from the same recipe before. Works as root, and as a plain user
# with subordinate ids. PLATFORM: linux/amd64 and linux/arm64 unless given.
#
# XBUILD          the program (default: xbuild)
# XB_SUITE        Debian release (default: bookworm)
# XB_MIRROR       Debian mirror (default: what apt on this machine uses, else deb.debian.org)
# XB_BASE_WORK    where intermediate files are kept (default: LAYOUT.work)
# XB_ROOT         the store that xbuild works in (default: XB_BASE_WORK/store)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
xbuild=${XBUILD:-xbuild}
suite=${XB_SUITE:-bookworm}
[ $# -ge 1 ] || { sed -n '3,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }
layout=${1%%:*}
tag=${1#"$layout"}
tag=${tag#:}
tag=${tag:-$suite-slim}
shift
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64
work=${XB_BASE_WORK:-$layout.work}
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-1700000000}"

die() { echo "make-base: $*" >&2; exit 1; }

# Debian's name of a platform's architecture.
debian_arch() {
	case $1 in
	linux/386) echo i386 ;;
	linux/arm/v5) echo armel ;;
	linux/arm | linux/arm/v7) echo armhf ;;
	linux/ppc64le) echo ppc64el ;;
	linux/mips64le) echo mips64el ;;
	linux/amd64 | linux/arm64 | linux/riscv64 | linux/s390x) echo "${1#linux/}" ;;
	*) die "Debian has no architecture for $1" ;;
	esac
}

# The machine's own sources of this suite, one "site release" a line.
machine_sources() {
	command -v apt-get >/dev/null || return 0
	# shellcheck disable=SC2016 # apt expands these
	apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' 2>/dev/null |
		awk -v suite="$suite" '$1 ~ /^https?:/ && $3 == "main" &&
			($2 == suite || $2 == suite "-updates" || $2 == suite "-security") {
				print $1, $2 }' | sort -u
}

sources=$(machine_sources)
mirror=${XB_MIRROR:-$(echo "$sources" | awk -v suite="$suite" '$2 == suite { print $1; exit }')}
mirror=${mirror:-http://deb.debian.org/debian}

prepare_apt() {
	mkdir -p "$1/apt.conf.d"
	{
		echo "deb $mirror $suite main"
		echo "$sources" | awk -v suite="$suite" 'NF && $2 != suite { print "deb", $1, $2, "main" }'
	} >"$1/sources.list"
	{
		echo 'Acquire::Languages "none";'
		# A frozen mirror works in the image as it works on this machine.
		! command -v apt-config >/dev/null ||
			apt-config dump | grep -E '^Acquire::Check-(Valid-Until|Date) ' || :
	} >"$1/apt.conf.d/90image"
}

# stage1 ARCH FILE: debootstrap's first stage as a tar, without what is this machine's.
stage1() {
	dir=$work/stage1-$1
	rm -rf "$dir"
	# "lxc": device nodes cannot be made in a user namespace, and an image needs none.
	container=lxc debootstrap --foreign --arch="$1" --variant=minbase "$suite" "$dir" "$mirror" \
		>"$work/debootstrap-$1.log" 2>&1 ||
		{ tail -n 20 "$work/debootstrap-$1.log" >&2; die "debootstrap for $1 failed"; }
	tar -C "$dir" --sort=name --numeric-owner --exclude='./dev/*' --exclude=./etc/resolv.conf \
		--exclude=./etc/hostname -cf "$2.part" .
	mv "$2.part" "$2"
	rm -rf "$dir"
}

if [ "${1:-}" = --stage1 ]; then # called by ourselves, inside a user namespace
	mkdir -p "$work"
	stage1 "$2" "$3"
	exit
fi

mkdir -p "$work/context"
work=$(cd "$work" && pwd)
rm -rf "$work/context/apt" "$work/context/dpkg.cfg.d"
prepare_apt "$work/context/apt"
cp -R "$here/Dockerfile" "$here/dpkg.cfg.d" "$work/context/"

recipe=$({
	echo "$suite $mirror $tag $SOURCE_DATE_EPOCH $*"
	cd "$work/context"
	cat Dockerfile dpkg.cfg.d/* apt/sources.list apt/apt.conf.d/*
} | sha256sum | cut -d' ' -f1)
if [ -f "$layout/index.json" ] && [ "$(cat "$layout.recipe" 2>/dev/null)" = "$recipe" ]; then
	echo "make-base: $layout:$tag is there already" >&2
	exit 0
fi

command -v debootstrap >/dev/null || die "install debootstrap"

unpack() { # PLATFORM, unless it was unpacked before
	arch=$(debian_arch "$1")
	file=$work/context/stage1-$(echo "${1#linux/}" | tr -d /).tar
	[ ! -f "$file" ] || [ "$(cat "$file.from" 2>/dev/null)" != "$mirror $suite $arch" ] || return 0
	echo "make-base: unpacking Debian $suite for $1" >&2
	if [ "$(id -u)" = 0 ]; then
		stage1 "$arch" "$file"
	else
		XB_BASE_WORK=$work unshare --map-root-user --map-auto --mount \
			sh "$0" "$layout:$tag" --stage1 "$arch" "$file"
	fi
	echo "$mirror $suite $arch" >"$file.from"
}

platforms=
children=
for platform in "$@"; do
	platforms=$platforms,$platform
	unpack "$platform" &
	children="$children $!"
done
failed=
for child in $children; do
	wait "$child" || failed=yes
done
[ -z "$failed" ] || die "not every platform could be unpacked"

rm -rf "$layout" "$layout.recipe"
"$xbuild" build --root "${XB_ROOT:-$work/store}" --platform "${platforms#,}" \
	--build-arg SOURCE_DATE_EPOCH="$SOURCE_DATE_EPOCH" \
	-o "type=oci,dest=$layout,tar=false,name=$tag" "$work/context"
echo "$recipe" >"$layout.recipe"
