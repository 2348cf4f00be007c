#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is kept of builds: what they made, what became of their steps, what these said.
. "$(dirname "$0")/lib.sh"
tiny_base
need userns overlay
fresh

dockerfile "$W/ctx" <<'EOF'
FROM tiny
RUN echo said by one; echo to both >&2
RUN --mount=type=secret,id=s cat /run/secrets/s; echo
EOF
dockerfile "$W/bad" <<'EOF'
FROM tiny
RUN echo about to fail; exit 3
RUN echo never
EOF
dockerfile "$W/slow" <<'EOF'
FROM tiny
RUN echo waiting; sleep 60
EOF
dockerfile "$W/loud" <<'EOF'
FROM tiny
RUN seq 1 100000
EOF
echo not-to-be-seen >"$W/secret"
build --no-cache -t kept:1 --secret "id=s,src=$W/secret" "$W/ctx" >"$W/digest" 2>/dev/null

history() { "$XBUILD" history "$@" --root "$STORE"; }
# A value of the last build
last() { history inspect --format json | jq -r "$1"; }

# Start a build that waits in a step; $pid is the builder itself.
begin_slow() {
	"$XBUILD" build -q --root "$STORE" --build-context "tiny=oci-layout://$TINY:tiny" "$W/slow" \
		>/dev/null 2>&1 &
	pid=$!
	until "$XBUILD" cache ls --root "$STORE" | grep -q busy; do sleep 0.1; done
}

a_build_is_kept() {
	same "$(last .status)" "done" "status"
	same "$(last .digest)" "$(cat "$W/digest")" "digest"
	same "$(last '.tags | join(" ")')" kept:1 "tags"
	same "$(last .context)" "$W/ctx" "context"
	same "$(last '[.steps[] | select(.status == "done")] | length')" 2 "steps done"
	[ "$(last '[.steps[] | select(.nanoseconds > 0 and .layerBytes > 0)] | length')" = 2 ] ||
		fail "steps without time or size: $(last .steps)"
	history | grep -q 'done .*kept:1' || fail "ls does not show it"
	history inspect | grep -q 'done .*RUN echo said by one' || fail "inspect does not show the step"
}

logs_are_kept_without_secrets() {
	history logs >"$W/log"
	grep -q '^#[0-9]* said by one$' "$W/log" && grep -q '^#[0-9]* to both$' "$W/log" ||
		fail "the log lacks lines: $(cat "$W/log")"
	! grep -q not-to-be-seen "$W/log" || fail "a secret is in the log"
	! grep -qr not-to-be-seen "$STORE"/xbuild.db* || fail "a secret is in the database"
}

an_unchanged_build_is_cached() {
	build -t kept:1 --secret "id=s,src=$W/secret" "$W/ctx" >/dev/null 2>&1
	same "$(last .ran)" 0 "steps run"
	same "$(last .cached)" 2 "steps cached"
	same "$(history logs)" "" "log of what did not run"
}

a_failed_build_is_kept() {
	exits 4 build -q "$W/bad"
	same "$(last .status)" failed "status"
	last .error | grep -q 'exit status 3' || fail "the error is not kept"
	same "$(last '[.steps[] | select(.status == "failed")] | length')" 1 "failed steps"
	same "$(last .digest)" null "digest"
	history logs | grep -q 'about to fail' || fail "its log is not kept"
}

an_interrupted_build_is_kept() {
	begin_slow
	kill -TERM $pid
	status=0
	wait $pid || status=$?
	same "$status" 130 "exit status"
	same "$(last .status)" interrupted "status"
}

a_killed_build_leaves_nothing() {
	before=$(history | wc -l)
	begin_slow
	kill -KILL $pid
	wait $pid || :
	same "$(history | wc -l)" "$before" "builds"
	"$XBUILD" cache check --root "$STORE"
}

logs_are_bounded() {
	build -q "$W/loud" >/dev/null
	size=$(history logs --step "$(last '.steps | length - 1')" | wc -c)
	[ "$size" -gt 8000 ] && [ "$size" -le 16384 ] || fail "$size bytes of log"
	history logs | tail -n 1 | grep -q '100000$' || fail "the end is missing"
}

credentials_are_not_kept() {
	exits 6 build -q "https://user:pass-word@127.0.0.1:9/x.tar" || :
	! grep -q pass-word "$STORE"/xbuild.db* || fail "a password is in the database"
}

# What the database says of a build may be anything: somebody's file, a disk's mistake.
odd_descriptions_are_shown() {
	python3 - "$STORE/xbuild.db" <<-'EOF'
		import json, sqlite3, sys
		odd = ["", "{", "[]", "null", "7", '"text"', "{}", "\0{}", "{" * 5000, '{"a":' * 5000,
		       '{"steps":7,"tags":"x","nanoseconds":"y","status":["z"],"started":{}}',
		       '{"steps":[1,null,"a",{"title":7,"nanoseconds":-1,"layerBytes":1e99}],"tags":[1,null,{}]}',
		       '{"nanoseconds":99999999999999999999,"ran":-5,"cached":18446744073709551615}',
		       json.dumps({"status": "\x1b[2J", "context": "\x1b]0;x\x07", "error": "a\r\nb", "digest": "\x9b1m",
		                   "tags": ["\x1b[1m"], "steps": [{"title": "\x1b[2J\u202e", "status": "\x1b[m"}]})]
		db = sqlite3.connect(sys.argv[1])
		for i, what in enumerate(odd):
		    db.execute("insert into build (id, what) values (?, ?)", (f"{i:032x}", what))
		    seq = db.execute("select max(seq) from build").fetchone()[0]
		    for step in (0, 3, -1, 2**62):
		        db.execute("insert into log values (?, ?, ?)", (seq, step, "\x1b[2Jlog\n\r" + "x" * 9999))
		db.commit()
	EOF
	for i in 0 1 2 3 4 5 6 7 8 9 a b c d; do
		id=$(printf '%032x' "0x$i")
		for form in "inspect $id" "logs $id" "logs --step 3 $id" "inspect --format json $id"; do
			# shellcheck disable=SC2086 # several words
			history $form >"$W/odd" || fail "history $form"
			! grep -q "$(printf '\033')" "$W/odd" || fail "history $form: an escape reached the terminal"
		done
	done
	history >"$W/odd"
	! grep -q "$(printf '\033')" "$W/odd" || fail "an escape reached the terminal"
	history --format json | jq -e 'length >= 14' >/dev/null || fail "$(history --format json)"
	history rm --all
	build -t kept:1 --secret "id=s,src=$W/secret" "$W/ctx" >/dev/null 2>&1
}

builds_are_removed() {
	exits 8 "$XBUILD" history inspect zz --root "$STORE"
	exits 2 "$XBUILD" history rm --root "$STORE"
	id=$(last .id)
	history rm "$id"
	! history | grep -q "$(printf %.12s "$id")" || fail "$id is still there"
	history rm --all
	same "$(history --format json)" "[]" "builds"
}

t "a build is kept with what it made" a_build_is_kept
t "what steps said is kept, secrets are not" logs_are_kept_without_secrets
t "an unchanged build is kept as cached" an_unchanged_build_is_cached
t "a failed build is kept" a_failed_build_is_kept
t "an interrupted build is kept" an_interrupted_build_is_kept
t "a killed build leaves nothing half done" a_killed_build_leaves_nothing
t "logs are bounded" logs_are_bounded
t "credentials are not kept" credentials_are_not_kept
t "descriptions that are none are shown all the same" odd_descriptions_are_shown
t "builds are removed" builds_are_removed
finish
