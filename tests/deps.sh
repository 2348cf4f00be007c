#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh PACKAGE...: install the Debian packages of these that are missing; nothing when none is.
set -eu
missing=
for package in "$@"; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || state=
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command -v apt-get >/dev/null || {
	echo "deps: this needs Debian's apt-get; install by hand:$missing" >&2
	exit 1
}
run=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || {
		echo "deps: run as root, or install sudo; missing:$missing" >&2
		exit 1
	}
	run="sudo"
fi
echo "deps: installing$missing"
export DEBIAN_FRONTEND=noninteractive
# One emulator package suffices: a configuration that registers emulators on the machine is neither
# needed nor wanted, so recommendations stay away.
# shellcheck disable=SC2086 # lists of words
{
	$run apt-get -q update >/dev/null || echo "deps: apt-get update failed; trying what is known" >&2
	$run apt-get -q -y --no-install-recommends install $missing >/dev/null
}
