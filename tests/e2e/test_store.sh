#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The store under kills, failing calls, a full disk, damage, and many builds at once: the next build
# gives the right result, and nothing is left behind.
. "$(dirname "$0")/lib.sh"
fresh

mkdir "$W/ctx"
echo one >"$W/ctx/one"
echo two >"$W/ctx/two"
dockerfile "$W/ctx" <<'EOF'
FROM scratch AS first
COPY . /all/
FROM scratch
COPY --from=first /all/o* /some/
WORKDIR /work
EOF

make_image() { "$XBUILD" build -q --root "$STORE" -t a:1 "$W/ctx"; }
RIGHT=$(make_image) || RIGHT=

entries() { find "$1" -mindepth 1 -maxdepth 1 | wc -l; }

# The next build is right, and the store holds what its records name and no more.
recovers() {
	same "$(make_image)" "$RIGHT" "the digest after $1"
	same "$(entries "$STORE/ingest")$(entries "$STORE/leases")" 00 "left after $1"
	same "$(find "$STORE" -maxdepth 1 -name '.*' ! -path "$STORE" | wc -l)" 0 "left after $1"
	same "$(entries "$STORE/snapshots")" 3 "snapshots after $1"
	"$XBUILD" cache check --root "$STORE" >"$W/check" || fail "after $1: $(cat "$W/check")"
}

# None of these is made by the dynamic loader, so that each number is a place in xbuild.
CALLS="mkdirat openat2 renameat unlinkat write pwrite64 ftruncate fsync fdatasync syncfs flock fcntl fchmod
	getdents64"

# with_fault WHAT CALLS N COMMAND...: each Nth of these calls gets WHAT
with_fault() {
	what=$1 calls=$2 n=$3
	shift 3
	# LeakSanitizer does not work below a tracer
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o /dev/null -e "inject=$calls:$what:when=$n" "$@" \
		>"$W/out" 2>"$W/err"
}

# A traced program has no use of newuidmap's rights, so only root can be traced.
strace_works() {
	has root || skip "only root can be traced" root
	strace -qq -o /dev/null true 2>/dev/null || skip "no process can be traced here" trace
}

killed() {
	strace_works
	killed=0
	for call in $CALLS; do
		for n in 1 2 3 5 8 13; do
			fresh
			with_fault signal=KILL "$call" $n \
				"$XBUILD" build -q --root "$STORE" -t a:1 "$W/ctx" || killed=$((killed + 1))
			recovers "a kill at $call $n"
			remove "$STORE"
		done
	done
	[ $killed -ge 40 ] || fail "only $killed builds were killed"
}

sync_fails() {
	strace_works
	failed=0 n=1
	while [ $n -le 12 ]; do
		fresh
		status=0
		with_fault error=EIO fsync,fdatasync,syncfs $n \
			"$XBUILD" build -q --root "$STORE" -t a:1 "$W/ctx" || status=$?
		case $status in
		0) same "$(cat "$W/out")" "$RIGHT" "the digest" ;;
		8) failed=$((failed + 1)) && says "Input/output error" ;;
		*) cat "$W/err" && fail "exit status $status at sync $n" ;;
		esac
		recovers "a failed sync $n"
		n=$((n + 1))
	done
	[ $failed -ge 6 ] || fail "only $failed of 12 builds noticed"
}

at_once() {
	fresh
	i=0 pids=
	while [ $i -lt 8 ]; do
		"$XBUILD" build --progress=plain --root "$STORE" -t "a:$i" "$W/ctx" \
			>"$W/digest.$i" 2>"$W/log.$i" &
		pids="$pids $!" i=$((i + 1))
	done
	for pid in $pids; do wait "$pid"; done
	for log in "$W"/digest.*; do same "$(cat "$log")" "$RIGHT" "$log"; done
	same "$(sed -n 's/^\([0-9]*\) steps run.*/\1/p' "$W"/log.* | awk '{ n += $1 } END { print n }')" 3 \
		"steps run by eight builds"
	recovers "eight builds"
}

build_ten_times() {
	n=0
	while [ $n -lt 10 ]; do
		[ "$(make_image)" = "$RIGHT" ] || return 1
		n=$((n + 1))
	done
}

pruned_meanwhile() {
	fresh
	build_ten_times &
	one=$!
	build_ten_times &
	two=$!
	while kill -0 "$one" 2>/dev/null; do
		"$XBUILD" cache prune --all --root "$STORE" >/dev/null
		"$XBUILD" cache check --root "$STORE" >"$W/check" || fail "$(cat "$W/check")"
		sleep 0.02
	done
	wait "$one"
	wait "$two"
	recovers "prune beside builds"
}

# Each file of the store with one byte changed, in its beginning, middle and end.
damaged() {
	fresh
	make_image >/dev/null
	cp -a "$STORE" "$W/whole"
	find "$W/whole" -type f -size +0 ! -name ballast ! -path '*/snapshots/*' -printf '%P %s\n' |
		while read -r file size; do
			for at in 0 $((size / 2)) $((size - 1)); do
				remove "$STORE"
				rm -rf "$W/image"
				cp -a "$W/whole" "$STORE"
				byte=$(od -An -tu1 -j "$at" -N 1 "$STORE/$file")
				printf "\\$(printf %o $((byte ^ 1)))" |
					dd of="$STORE/$file" bs=1 seek="$at" conv=notrunc status=none
				status=0
				got=$("$XBUILD" build -q --root "$STORE" -o "type=oci,dest=$W/image,tar=false" \
					"$W/ctx" 2>"$W/err") || status=$?
				if [ $status = 0 ]; then
					same "$got" "$RIGHT" "the digest with $file changed at $at"
					tool verify "$W/image" >/dev/null
				else
					[ -s "$W/err" ] && [ $status -lt 126 ] ||
						fail "$file changed at $at: exit status $status"
					echo "$file at $at: $(head -n 1 "$W/err")"
				fi
			done
		done
}

# Also where blobs are copied without being read for anything else.
damaged_and_archived() {
	fresh
	make_image >/dev/null
	# a layer: documents are written anew when they are damaged
	blob=$(for f in "$STORE"/blobs/sha256/*; do gzip -t <"$f" 2>/dev/null && echo "$f"; done | head -n 1)
	"$XBUILD" build -q --root "$STORE" -o "type=oci,dest=$W/a.tar" "$W/ctx" >/dev/null
	printf 'x' | dd of="$blob" bs=1 seek=30 conv=notrunc status=none
	exits 8 "$XBUILD" build -q --root "$STORE" -o "type=oci,dest=$W/b.tar" "$W/ctx"
	says "$(basename "$blob")"
	says "cache check --repair"
	[ ! -e "$W/b.tar" ] || fail "an archive was left"
	exits 8 "$XBUILD" cache check --repair --root "$STORE"
	same "$("$XBUILD" build -q --root "$STORE" -o "type=oci,dest=$W/b.tar" "$W/ctx")" "$RIGHT" "the digest"
	cmp "$W/a.tar" "$W/b.tar" || fail "the archive is another"
}

full_disk() {
	has root || skip "only root can mount a small disk" root
	mkdir "$W/disk"
	mount -t tmpfs -o size=3m none "$W/disk" || skip "no tmpfs to be had" root
	STORE=$W/disk/store
	status=0
	full_disk_steps || status=$?
	umount "$W/disk"
	return $status
}

full_disk_steps() (
	set -eu
	make_image >/dev/null
	dockerfile "$W/big" <<'EOF'
FROM scratch
COPY noise /
EOF
	dd if=/dev/urandom of="$W/big/noise" bs=1M count=1 status=none
	"$XBUILD" build -q --root "$STORE" "$W/big"
	dd if=/dev/urandom of="$W/big/noise" bs=1M count=1 status=none
	exits 8 "$XBUILD" build -q --root "$STORE" --cache-limit none "$W/big"
	says "No space left" "cache prune"
	cat /dev/zero >"$W/disk/filler" 2>/dev/null || :
	"$XBUILD" cache prune --root "$STORE"
	"$XBUILD" build -q --root "$STORE" "$W/big"
	same "$(make_image)" "$RIGHT" "the digest after prune"
)

# small_disk FUNCTION: run it with $STORE on a disk of 8 MB
small_disk() {
	has root || skip "only root can mount a small disk" root
	mkdir -p "$W/small"
	mount -t tmpfs -o size=8m none "$W/small" || skip "no tmpfs to be had" root
	STORE=$W/small/store
	status=0
	(set -eu && "$1") || status=$?
	mount -o remount,rw "$W/small"
	umount "$W/small"
	return $status
}

noisy() { # a build whose layer is new, and a megabyte
	dockerfile "$W/noisy" <<'EOF'
FROM scratch
COPY noise /
EOF
	dd if=/dev/urandom of="$W/noisy/noise" bs=1M count=1 status=none
	"$XBUILD" build -q --root "$STORE" "$@" "$W/noisy"
}

kept_small() { small_disk kept_small_steps; }
kept_small_steps() {
	make_image >/dev/null
	for n in 1 2 3 4 5 6 7 8 9 10; do
		noisy >/dev/null || fail "build $n of more than the disk holds"
	done
	"$XBUILD" images --root "$STORE" | grep -q '^a:1' || fail "a tag is gone"
	XBUILD_CACHE_LIMIT=3M noisy >/dev/null
	bytes=$(cache_says .total.bytes du)
	[ "$bytes" -le 6291456 ] || fail "$bytes bytes with a limit of 3 MB and a step of 2"
	exits 2 noisy --cache-limit much
	same "$(make_image)" "$RIGHT" "the digest"
	"$XBUILD" cache check --root "$STORE"
}

tried_again() { small_disk tried_again_steps; }
# The bound is not reached, but what is there leaves no room.
tried_again_steps() {
	make_image >/dev/null
	noisy >/dev/null
	head -c 4300k /dev/zero >"$W/small/filler"
	noisy --cache-limit 1g >/dev/null || fail "no room was made"
	exits 8 noisy --cache-limit none
}

read_only() { small_disk read_only_steps; }
read_only_steps() {
	make_image >/dev/null
	mount -o remount,ro "$W/small"
	exits 8 make_image
	says "Read-only file system"
	mount -o remount,rw "$W/small"
	same "$(make_image)" "$RIGHT" "the digest"
}

full_output() { small_disk full_output_steps; }
# Only the archive is on the small disk.
full_output_steps() {
	dockerfile "$W/wide" <<'EOF'
FROM scratch
COPY noise /
EOF
	head -c 9M /dev/urandom >"$W/wide/noise"
	printf old >"$W/small/x.tar"
	exits 8 "$XBUILD" build -q --root "$W/wide.store" -o "type=oci,dest=$W/small/x.tar" "$W/wide"
	says "No space left" "$W/small/x.tar"
	same "$(cat "$W/small/x.tar")" old "the archive that was there"
	same "$(ls "$W/small")" x.tar "the directory"
	head -c 1M /dev/urandom >"$W/wide/noise"
	"$XBUILD" build -q --root "$W/wide.store" -o "type=oci,dest=$W/small/x.tar" "$W/wide"
	tar -tf "$W/small/x.tar" >/dev/null || fail "the archive that had room"
	rm -rf "$W/wide.store"
}

few_descriptors() {
	fresh
	make_image >/dev/null
	command -v prlimit >/dev/null || skip "no prlimit here" tools
	for n in 8 12 16 24 32; do
		status=0
		prlimit --nofile=$n "$XBUILD" build -q --root "$STORE" -t a:1 "$W/ctx" \
			>"$W/out" 2>"$W/err" || status=$?
		if [ $status = 0 ]; then
			same "$(cat "$W/out")" "$RIGHT" "the digest with $n descriptors"
		else
			[ -s "$W/err" ] && [ $status -lt 126 ] || fail "$n descriptors: status $status"
		fi
		fresh_status=0
		prlimit --nofile=$n "$XBUILD" build -q --no-cache --root "$STORE" "$W/ctx" \
			>"$W/out" 2>"$W/err" || fresh_status=$?
		[ $fresh_status -lt 126 ] || fail "$n descriptors: status $fresh_status"
	done
	recovers "builds with few descriptors"
}

# Two years in the future, and back.
clock_jumps() {
	command -v faketime >/dev/null || skip "no faketime here" tools
	fresh
	same "$(faketime -f +700d "$XBUILD" build -q --root "$STORE" -t a:1 "$W/ctx")" "$RIGHT" "digest"
	same "$(make_image)" "$RIGHT" "the digest today"
	same "$(cache_says '[.[] | select(.lastUsed > (now + 3600 | todate))] | length' ls)" 0 \
		"things used in the future"
	"$XBUILD" rmi --root "$STORE" a:1
	"$XBUILD" cache prune --root "$STORE"
	recovers "a clock that jumped"
}

others_cannot_look() {
	has root || skip "only root can become another user" root
	fresh
	(umask 0 && make_image >/dev/null)
	same "$(find "$STORE" -maxdepth 0 -perm /077 | wc -l)" 0 "the store is open to others"
	! setpriv --reuid=65534 --clear-groups ls "$STORE" >/dev/null 2>&1 || fail "another user looks in"
	chown 65534 "$STORE"
	exits 8 "$XBUILD" build -q --root "$STORE" "$W/ctx"
	says "another user"
}

# `xbuild cache` as JSON, a value of it
cache_says() { # FILTER COMMAND...
	filter=$1
	shift
	"$XBUILD" cache "$@" --format json --root "$STORE" | jq -r "$filter"
}

counted_as_du_does() {
	fresh
	make_image >/dev/null
	blocks=$(du -s --block-size=1 "$STORE" | cut -f1)
	inodes=$(du -s --inodes "$STORE" | cut -f1)
	said=$(cache_says .total.bytes du)
	# a process that looks has a lease, the shared memory of the database, and the root is not its own
	[ $((said - blocks)) -ge -65536 ] && [ $((said - blocks)) -le 65536 ] ||
		fail "du says $blocks bytes, xbuild cache du $said"
	said=$(cache_says .total.inodes du)
	[ $((said - inodes)) -ge -4 ] && [ $((said - inodes)) -le 4 ] ||
		fail "du says $inodes inodes, xbuild cache du $said"
	same "$(cache_says .images du)" 1 "images"
	same "$(cache_says '[.[] | select(.type == "step")] | length' ls)" 4 "steps"
	"$XBUILD" cache ls --root "$STORE" | grep -F 'COPY --from=first /all/o* /some/' | grep -qF '(a:1)' ||
		fail "ls does not say what made a layer, or what holds it"
}

pruned_in_parts() {
	fresh
	make_image >/dev/null
	"$XBUILD" rmi --root "$STORE" a:1
	# WORKDIR has two: one under its own key, which names that of what it stands on
	same "$(cache_says .records prune --dry-run)" 4 "records that would go"
	same "$(cache_says .records prune --filter unused-for=1h)" 0 "records not used for an hour"
	same "$(cache_says .records prune --keep-storage 1g)" 0 "records beyond a gigabyte"
	same "$(cache_says .records prune --filter type=cachemount)" 0 "records that are caches"
	id=$(cache_says '[.[] | select(.title | test("WORKDIR"))][0].id' ls)
	same "$(cache_says .records prune --filter "id=$id")" 1 "the record of that id"
	same "$(cache_says .records prune --max-used-space 1)" 3 "records"
	exits 2 "$XBUILD" cache prune --filter until=soon --root "$STORE"
	says "until=24h"
	same "$(make_image)" "$RIGHT" "the digest afterwards"
}

found_and_repaired() {
	fresh
	make_image >/dev/null
	"$XBUILD" cache check --root "$STORE"
	blob=$(find "$STORE/blobs/sha256" -type f -size +2 | head -n 1)
	[ -n "$blob" ] || blob=$(find "$STORE/blobs/sha256" -type f | head -n 1)
	printf 'x' | dd of="$blob" conv=notrunc status=none
	exits 8 "$XBUILD" cache check --root "$STORE" >"$W/out"
	grep -qF "blob sha256:$(basename "$blob")" "$W/out" || fail "the damaged blob is not named"
	says "--repair"
	exits 8 "$XBUILD" cache check --repair --root "$STORE"
	"$XBUILD" cache check --root "$STORE"
	same "$(make_image)" "$RIGHT" "the digest afterwards"
	recovers "a repair"
}

# What is not content can be lost without the images: their names are in two places.
index_and_database_repaired() {
	fresh
	make_image >/dev/null
	"$XBUILD" build -q --root "$STORE" -t kept:1 -t kept:2 "$W/ctx" >/dev/null
	"$XBUILD" rmi --root "$STORE" kept:2
	printf 'x' | dd of="$STORE/xbuild.db" conv=notrunc status=none
	exits 8 "$XBUILD" build -q --root "$STORE" "$W/ctx"
	says "cache check --repair"
	echo '{' >"$STORE/index.json"
	exits 8 "$XBUILD" cache check --repair --root "$STORE" >"$W/out"
	grep -q '^database xbuild.db: .*set aside as xbuild.db-damaged.*are lost' "$W/out" || fail "$(cat "$W/out")"
	grep -q '^index index.json: .*made anew' "$W/out" || fail "$(cat "$W/out")"
	"$XBUILD" cache check --root "$STORE"
	"$XBUILD" images --root "$STORE" | grep -q kept:1 || fail "the name is gone"
	! "$XBUILD" images --root "$STORE" | grep -q kept:2 || fail "a name that was removed is back"
	"$XBUILD" cache prune --all --root "$STORE"
	"$XBUILD" cache check --root "$STORE"
	same "$(make_image)" "$RIGHT" "the digest afterwards"
}

t "a build killed at any call leaves a store that the next uses as it is" killed
t "a failing sync fails the build, and the next one is right" sync_fails
t "eight builds of the same at once run each step once" at_once
t "pruning beside builds disturbs none" pruned_meanwhile
t "a changed byte in any file of the store is healed or reported" damaged
t "a damaged blob gets into no archive" damaged_and_archived
t "a full disk is said so, pruned, and used again" full_disk
t "a store is kept within its bound" kept_small
t "a full disk is given room once" tried_again
t "an archive that the disk has no room for leaves the one before" full_output
t "a read-only store is said so" read_only
t "few file descriptors are an error at most" few_descriptors
t "a clock that jumps does no harm" clock_jumps
t "the store is nobody else's" others_cannot_look
t "cache du and ls say what is there, as du counts it" counted_as_du_does
t "cache prune takes what its filters say" pruned_in_parts
t "cache check finds a damaged blob and repairs the store" found_and_repaired
t "a damaged index.json and a damaged database are repaired" index_and_database_repaired
finish
