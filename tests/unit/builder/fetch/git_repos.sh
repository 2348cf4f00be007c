#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# git_repos.sh DIR PREFIX: the repositories that the tests fetch, bare, as DIR/NAME.git; PREFIX is the
# URL that one of their submodules is named by.
set -eu

dir=$1
prefix=$2
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null HOME=/nonexistent LC_ALL=C
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@example.com
export GIT_AUTHOR_DATE='1600000000 +0000' GIT_COMMITTER_DATE='1600000001 +0000'
mkdir -p "$dir"
cd "$dir"

begin() { # NAME [OPTIONS]
	name=$1
	shift
	git -c init.defaultBranch=main init -q "$@" "work-$name"
	cd "work-$name"
}
commit() {
	git add -A
	git commit -q --allow-empty -m "$1"
}
end() {
	git config uploadpack.allowAnySHA1InWant false
	git update-server-info
	cd ..
	mv "work-$name/.git" "$name.git"
	rm -rf "work-$name"
	git -C "$name.git" config core.bare true
}
# an object of any form: store TYPE <bytes
store() { git hash-object -t "$1" -w --literally --stdin; }
bytes() { printf '%s' "$1" | sed 's/../\\x&/g' | xargs -0 printf '%b'; }
# commit_tree TREE: the branch main is that tree
commit_tree() { git update-ref refs/heads/main "$(git commit-tree -m x "$1")"; }

common() {
	echo one >file
	mkdir -p docs/deep
	echo doc >docs/page
	echo deep >docs/deep/page
	printf '#!/bin/sh\n' >run
	chmod 755 run
	ln -s /etc/passwd link
	ln -s docs alias
	commit one
	git tag v1
	echo two >file
	commit two
	git tag -a -m annotated v2
	git checkout -q -b feature
	echo feature >file
	commit feature
	git update-ref refs/pull/1/head HEAD
	git checkout -q main
	git branch both v1
	git tag both
}

begin main
common
end
begin sha256 --object-format=sha256
common
end

begin lib
echo lib >lib.txt
commit lib
lib=$(git rev-parse HEAD)
end

begin middle
git update-index --add --cacheinfo "160000,$lib,deps/lib"
printf '[submodule "the lib"]\n\tpath = deps/lib\n\turl = ../lib.git\n' >.gitmodules
echo middle >middle.txt
git add .gitmodules middle.txt
git commit -q -m middle
middle=$(git rev-parse HEAD)
end

# module NAME PATH URL COMMIT [CALLED]: a repository with one submodule
module() {
	begin "$1"
	git update-index --add --cacheinfo "160000,$4,$2"
	printf '[submodule "%s"]\n\tpath = %s\n\turl = %s\n' "${5:-a/sub.module}" "$2" "$3" >.gitmodules
	echo "$1" >file
	git add .gitmodules file
	git commit -q -m "$1"
	end
}
module super sub/middle "$prefix/middle.git" "$middle"
module name sub ../lib.git "$lib" m/../../x
module local sub "$dir/lib.git" "$lib"
module scheme sub "file://$dir/lib.git" "$lib"
module ext sub "ext::sh -c touch% $dir/hacked" "$lib"
module dash sub -uhacked "$lib"
module token sub "https://user:hunter2@127.0.0.1:1/lib.git" "$lib"

begin none
git update-index --add --cacheinfo "160000,$lib,sub"
printf '[submodule "x"]\n\tpath = sub\n\turl = ../nowhere.git\n\tupdate = none\n' >.gitmodules
git add .gitmodules
git commit -q -m none
end

begin command
git update-index --add --cacheinfo "160000,$lib,sub"
printf '[submodule "x"]\n\tpath = sub\n\turl = ../lib.git\n\tupdate = "!touch %s/hacked"\n' "$dir" >.gitmodules
git add .gitmodules
git commit -q -m command
end

begin unknown
git update-index --add --cacheinfo "160000,$lib,sub"
git commit -q -m unknown
end

# filters and conversions that only a configuration could start
begin attributes
printf '* filter=lfs diff=lfs merge=lfs\nfile text eol=crlf\n' >.gitattributes
echo line >file
echo 'version https://git-lfs.github.com/spec/v1' >big
git -c filter.lfs.clean=cat -c filter.lfs.smudge=cat add -A
git commit -q -m attributes
end

# names that no checkout may write
evil() { # NAME MODE ENTRY-NAME OBJECT-TEXT
	begin "$1"
	object=$(printf '%s' "$4" | store blob)
	tree=$({ printf '%s %s\0' "$2" "$3"; bytes "$object"; } | store tree)
	commit_tree "$tree"
	end
}
evil dotgit 100644 .git 'gitdir: /'
evil slash 100644 ../escaped x
evil dotdot 100644 .. x
evil absolute 100644 /tmp/escaped x

# a link where .gitmodules should be
begin linked
link=$(printf 'file' | store blob)
tree=$({
	printf '120000 .gitmodules\0'
	bytes "$link"
	printf '160000 sub\0'
	bytes "$lib"
} | store tree)
commit_tree "$tree"
end

# the same name as a link and as a directory with a submodule below it
begin twice
link=$(printf '/' | store blob)
gitlink=$({ printf '160000 sub\0'; bytes "$lib"; } | store tree)
modules=$(printf '[submodule "x"]\n\tpath = a/sub\n\turl = ../lib.git\n' | store blob)
tree=$({
	printf '100644 .gitmodules\0'
	bytes "$modules"
	printf '120000 a\0'
	bytes "$link"
	printf '40000 a\0'
	bytes "$gitlink"
} | store tree)
commit_tree "$tree"
end

# what a repository on the server's side may hold
mkdir -p main.git/hooks
for hook in post-checkout post-update post-upload-pack pre-receive; do
	printf '#!/bin/sh\ntouch "%s/hacked"\n' "$dir" >main.git/hooks/$hook
	chmod 755 main.git/hooks/$hook
done
