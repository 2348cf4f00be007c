#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Print what this machine offers to tests, as a list for XB_REQUIRE: what is here must be used, so that
# a test cannot skip itself by mistake. Only root is asked for anything.
[ "$(id -u)" = 0 ] || exit 0
list=root
if unshare -Ur true 2>/dev/null; then
	list=$list,userns
	dir=$(mktemp -d)
	mkdir "$dir/lower" "$dir/upper" "$dir/work" "$dir/at"
	unshare -Urm mount -t overlay -o \
		"userxattr,lowerdir=$dir/lower,upperdir=$dir/upper,workdir=$dir/work" none "$dir/at" \
		2>/dev/null && list=$list,overlay
	unshare -Urm mount -t binfmt_misc none "$dir/at" 2>/dev/null && list=$list,binfmt
	rm -rf "$dir"
fi
# Control groups: version 1, or a root of version 2 that hands its controllers down already.
groups=/sys/fs/cgroup
if [ -d $groups/pids ] && [ -d $groups/memory ] && [ -d $groups/cpu ]; then
	groups=$groups/pids
elif ! grep -qw memory $groups/cgroup.subtree_control 2>/dev/null ||
	! grep -qw pids $groups/cgroup.subtree_control || ! grep -qw cpu $groups/cgroup.subtree_control; then
	groups=/nonexistent
fi
mkdir "$groups/xb-try-$$" 2>/dev/null && rmdir "$groups/xb-try-$$" && list=$list,cgroup
! strace -qq -o /dev/null true 2>/dev/null || list=$list,trace
! [ -e /dev/loop-control ] || list=$list,loop
[ "$(uname -m)" != x86_64 ] || list=$list,x86_64
echo "$list"
