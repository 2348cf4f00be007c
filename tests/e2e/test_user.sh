#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A plain user with subordinate ids gets what root gets, with nothing registered on the machine.
. "$(dirname "$0")/lib.sh"
need root userns overlay newuidmap
tiny_base
fresh
user_ready

dockerfile "$W/src" <<'EOF'
FROM tiny AS made
RUN mkdir -p /d && echo a > /d/a && chown -R 1000:50 /d && chmod 4755 /bin/busybox && uname -m > /machine
COPY --chown=7:8 file /d/
RUN rm /bin/xargs && rm -rf /home && ln /d/a /d/b
USER app
RUN id -u > /tmp/id
FROM tiny
COPY --from=made / /
RUN cat /d/file && test "$(stat -c %u:%g /d/file)" = 7:8
EOF
echo file >"$W/src/file"

user_build() { # OUT
	as_user "$USER_HOME/bin/xbuild" build --root "$USER_HOME/store" --progress=plain \
		--build-context "tiny=oci-layout://$TINY:tiny" --platform "$PLATFORMS" \
		-o "type=oci,dest=$1,tar=false,name=app" "$W/src"
}

same_digest() {
	build --platform "$PLATFORMS" -o "type=oci,dest=$W/by-root,tar=false,name=app" "$W/src"
	user_build "$USER_HOME/out"
	tool verify "$USER_HOME/out" app
	same "$(index_digest "$USER_HOME/out")" "$(index_digest "$W/by-root")" "index digest of user and root"
}

nested() { # as root in a user namespace of its own: one id only
	dockerfile "$W/one-id" <<-'EOF'
		FROM tiny
		RUN echo fine > /fine && id -u > /id
	EOF
	unshare -Ur "$XBUILD" build --root "$W/nested" --progress=plain --platform linux/amd64 \
		--build-context "tiny=oci-layout://$TINY:tiny" -o "type=local,dest=$W/n" "$W/one-id"
	same "$(cat "$W/n/fine" "$W/n/id" | paste -sd' ' -)" "fine 0"
}

runs() {
	as_user "$USER_HOME/bin/xbuild" run --root "$USER_HOME/store" --platform linux/amd64 \
		"oci:$USER_HOME/out:app" cat /machine >"$W/said"
	same "$(cat "$W/said")" x86_64
}

no_registrations() {
	# Also where the machine does have emulators registered, what the build used is its own.
	binfmt_state >"$W/binfmt.after"
	cmp "$W/binfmt.before" "$W/binfmt.after"
}

binfmt_state >"$W/binfmt.before"
t "a plain user's index has root's digest" same_digest
t "a plain user runs the image" runs
t "inside unshare -r" nested
t "the machine's binfmt_misc is as before" no_registrations
finish
