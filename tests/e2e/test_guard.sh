#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guard: programs of the machine do not run in steps for another platform, and who tried is named.
. "$(dirname "$0")/lib.sh"
need userns overlay
tiny_base
fresh

# the machine's own busybox, where the image's is a foreign one
leak() { # DIR <<EOF
	dockerfile "$1"
	cp /bin/busybox "$1/leaked"
}
guarded() { # DIR ARGUMENT...
	dir=$1
	shift
	"$XBUILD" build --root "$STORE" --progress=plain --build-context "tiny=oci-layout://$TINY:tiny" \
		--platform linux/arm64 "$@" "$dir"
}

named() {
	both_platforms
	leak plain <<-'EOF'
		FROM tiny
		COPY leaked /opt/busybox-leaked
		RUN /opt/busybox-leaked true
	EOF
	exits 4 guarded plain
	says '/opt/busybox-leaked' 'linux/amd64' 'linux/arm64' '/opt/busybox-leaked true'
}

swallowed() {
	both_platforms
	leak swallowed <<-'EOF'
		FROM tiny
		COPY leaked /opt/busybox-leaked
		RUN echo begun; sh -c '/opt/busybox-leaked true; echo status $?' ; true
	EOF
	exits 4 guarded swallowed
	says '/opt/busybox-leaked' 'status 126' 'started by: '
}

by_others() {
	both_platforms
	for user in 'USER 1000' 'USER 0' 'ENV X=1'; do
		leak others <<-EOF
			FROM tiny
			COPY leaked /opt/busybox-leaked
			RUN printf '#!/opt/busybox-leaked sh\necho ran\n' > /opt/script && chmod 755 /opt/script
			$user
			RUN /opt/script; true
		EOF
		exits 4 guarded others
		says '/opt/busybox-leaked'
	done
}

in_a_chroot() {
	both_platforms
	leak chrooted <<-'EOF'
		FROM tiny
		COPY leaked /tree/busybox-leaked
		RUN chroot /tree /busybox-leaked true; true
	EOF
	exits 4 guarded chrooted
	says 'leaked'
}

off() {
	both_platforms
	exits 0 guarded plain --guard=off
	exits 4 guarded plain
	exits 2 guarded plain --guard=maybe
}

nobody_else() {
	both_platforms
	leak fine <<-'EOF'
		FROM tiny
		RUN echo "#!/bin/sh" > /s && echo "exit 126" >> /s && chmod 755 /s && if /s; then false; fi
		RUN test "$(uname -m)" = aarch64 && (true | cat) && chroot / /bin/true && cp /bin/busybox /busybox-b && /busybox-b true
	EOF
	exits 0 guarded fine
	leak native <<-'EOF'
		FROM tiny
		COPY leaked /opt/busybox-leaked
		RUN /opt/busybox-leaked true
	EOF
	build --platform linux/amd64 native
}

t "a program of the machine is refused and named" named
t "also where its failure is swallowed" swallowed
t "by scripts, by any user" by_others
t "in a chroot" in_a_chroot
t "the guard can be turned off, and a result without it is no result with it" off
t "nobody else is refused" nobody_else
finish
