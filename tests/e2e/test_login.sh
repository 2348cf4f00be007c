#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Logging in to and out of a registry that asks who is there: docker-registry, with and without TLS.
. "$(dirname "$0")/lib.sh"

need docker-registry python3 openssl

export HOME="$W/home" DOCKER_CONFIG='' REGISTRY_AUTH_FILE='' XDG_RUNTIME_DIR='' XDG_CONFIG_HOME=''
export no_proxy=127.0.0.1,localhost
mkdir "$HOME"
FILE=$HOME/.docker/config.json

# start_registry NAME [tls [CA]]: one that wants user:s3cret, and a certificate of CA
start_registry() {
	[ -z "${2:-}" ] || tls="  tls: { certificate: $W/reg.crt, key: $W/reg.key${3:+, clientcas: [ $3 ]} }"
	serve_registry "$1" "${2:+$tls
}auth: { htpasswd: { realm: test, path: $W/htpasswd } }"
}

make_certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
		-subj /CN=ca -days 2
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout reg.key -out reg.csr -subj /CN=reg
	echo subjectAltName=DNS:localhost >ext
	openssl x509 -req -in reg.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out reg.crt
}

# bcrypt, which is the only thing that docker-registry takes
python3 -W ignore -c 'import crypt
print("user:" + crypt.crypt("s3cret", crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))' >"$W/htpasswd"
(cd "$W" && make_certificates) >"$W/openssl.log" 2>&1
start_registry plain
start_registry tls tls
start_registry mutual tls "$W/ca.pem"
PLAIN=127.0.0.1:$(cat "$W/plain.port")
TLS=localhost:$(cat "$W/tls.port")
MUTUAL=localhost:$(cat "$W/mutual.port")

login() {
	printf 's3cret\n' | "$XBUILD" login -u user --password-stdin "$@"
}

# fails STATUS WORDS COMMAND...: it ends with the status, and says the words
fails() {
	wanted=$1 words=$2
	shift 2
	status=0
	"$@" >out 2>&1 || status=$?
	cat out
	[ $status = "$wanted" ] && grep -qF -- "$words" out && ! grep -qF s3cret out
}

good_password() {
	login "$PLAIN" | tee out
	grep -qF "user at $PLAIN: kept in $FILE" out
	[ "$(stat -c %a "$FILE")" = 600 ] && [ "$(stat -c %a "$HOME/.docker")" = 700 ]
	[ "$(jq -r ".auths[\"$PLAIN\"].auth" "$FILE" | base64 -d)" = user:s3cret ]
	[ "$(ls -A "$HOME/.docker")" = config.json ]
}
t "a good password is kept" good_password

bad_password() {
	cp "$FILE" before
	wrong() { echo wr0ng | "$XBUILD" login -u user --password-stdin "$PLAIN"; }
	fails 6 "UNAUTHORIZED" wrong
	! grep -q wr0ng out
	nobody() { login -u nobody "$PLAIN"; }
	fails 6 "standard input" nobody
	cmp before "$FILE"
}
t "a password that the registry refuses is not kept" bad_password

others_stay() {
	mkdir -p real && rm -rf "$HOME/.docker" && mkdir "$HOME/.docker"
	cat >real/config.json <<-END
		{"HttpHeaders": {"X-A": "b"}, "auths": {"other.example": {"auth": "eDp5"}}, "detachKeys": "ctrl-e", "n": 1.5}
	END
	chmod 644 real/config.json
	ln -s "$W/real/config.json" "$FILE"
	login "$PLAIN"
	[ -L "$FILE" ] && [ "$(stat -c %a real/config.json)" = 600 ]
	jq -e '.HttpHeaders["X-A"] == "b" and .detachKeys == "ctrl-e" and .n == 1.5 and
		.auths["other.example"].auth == "eDp5" and (.auths | length) == 2' "$FILE"
	"$XBUILD" logout "https://$PLAIN/" | grep -qF "$PLAIN: forgotten"
	[ -L "$FILE" ]
	jq -e '.auths == {"other.example": {"auth": "eDp5"}} and .n == 1.5' "$FILE"
	"$XBUILD" logout "$PLAIN" | grep -qF "nothing to forget"
}
t "what else is in the file stays, where a link leads to" others_stay

broken_file() {
	mkdir -p config
	echo '{"auths": "s3cret"' >config/config.json
	cp config/config.json before
	export DOCKER_CONFIG="$W/config"
	broken() { login "$PLAIN"; }
	fails 6 "$W/config/config.json" broken
	cmp before config/config.json
}
t "a file that cannot be understood is left alone" broken_file

command_line() {
	fails 2 "--password-stdin" "$XBUILD" login -u user -p s3cret "$PLAIN"
	fails 2 "--password-stdin" "$XBUILD" login -u user --password=s3cret "$PLAIN"
	fails 2 "no terminal to ask for it on" "$XBUILD" login -u user "$PLAIN" </dev/null
	fails 2 "no terminal to ask for it on" "$XBUILD" login --password-stdin "$PLAIN" </dev/null
	fails 2 "not the host of a registry" "$XBUILD" login -u user "$PLAIN/name" </dev/null
	empty() { : | "$XBUILD" login -u user --password-stdin "$PLAIN"; }
	fails 2 "nothing came" empty
}
t "a password is not taken from the command line" command_line

terminal() {
	python3 - "$XBUILD" "$PLAIN" <<-'END'
		import os, pty, sys
		pid, fd = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], [sys.argv[1], "login", sys.argv[2]])
		seen = b""
		def until(words):
		    global seen
		    while words not in seen:
		        seen += os.read(fd, 1000)
		until(b"User name: ")
		os.write(fd, b"user\n")
		until(b"Password: ")
		os.write(fd, b"s3cret\n")
		until(b"kept in")
		assert os.waitpid(pid, 0)[1] == 0
		assert b"s3cret" not in seen, seen
	END
}
t "a terminal is asked, and does not show the password" terminal

tls() {
	stranger() { login "$TLS"; }
	# a certificate is not asked for here, and http is no answer to a server that speaks TLS
	fails 6 "--registry-ca" stranger
	fails 6 "certificate" with_other_ca
	wrong_name() { login --registry-ca ca.pem --registry-ca "127.0.0.1:${TLS#*:}=ca.pem" "127.0.0.1:${TLS#*:}"; }
	fails 6 "certificate" wrong_name
	login --registry-ca "$TLS=ca.pem" "$TLS" | grep -qF "user at $TLS"
	fails 2 "No such file" "$XBUILD" login --registry-ca nowhere.pem "$TLS"
}
with_other_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout other.key -out other.pem \
		-subj /CN=other -days 2 2>/dev/null
	login --registry-ca "$TLS=other.pem" "$TLS"
}
t "TLS by the certificates that are given, and no other" tls

certs_d() {
	export XDG_CONFIG_HOME="$W/xdg"
	mkdir -p "xdg/docker/certs.d/$TLS" "xdg/containers/certs.d/$MUTUAL"
	cp ca.pem "xdg/docker/certs.d/$TLS/ca.crt"
	login "$TLS" | grep -qF "user at $TLS"
	# a registry that wants a certificate of ours, too
	without() { login --registry-ca ca.pem --registry-ca "$MUTUAL=ca.pem" "$MUTUAL"; }
	fails 6 "$MUTUAL" without
	login --registry-ca "$MUTUAL=ca.pem" --registry-cert "$MUTUAL=reg.crt,reg.key" "$MUTUAL"
	cp ca.pem "xdg/containers/certs.d/$MUTUAL/ca.crt"
	cp reg.crt "xdg/containers/certs.d/$MUTUAL/client.cert"
	cp reg.key "xdg/containers/certs.d/$MUTUAL/client.key"
	login "$MUTUAL" | grep -qF "user at $MUTUAL"
}
t "TLS by the machine's certs.d, with a certificate of our own" certs_d

helper() {
	mkdir -p bin config2
	cat >bin/docker-credential-test <<-END
		#!/bin/sh
		echo "\$1" >>$W/helper.log
		case \$1 in
		store) cat >$W/kept ;;
		get) cat $W/kept ;;
		erase) rm $W/kept ;;
		esac
	END
	chmod +x bin/docker-credential-test
	echo '{"credsStore": "test"}' >config2/config.json
	export DOCKER_CONFIG="$W/config2" PATH="$W/bin:$PATH"
	login "$PLAIN" | grep -qF "kept in docker-credential-test"
	[ "$(jq -r .Secret kept)" = s3cret ] && ! grep -q 's3cret\|dXNlcjpzM2NyZXQ' config2/config.json
	jq -e ".credsStore == \"test\" and .auths[\"$PLAIN\"] == {}" config2/config.json
	"$XBUILD" logout "$PLAIN" | grep -qF forgotten
	[ ! -e kept ] && jq -e '.auths == {}' config2/config.json
}
t "a credential helper keeps it" helper

elsewhere() {
	mkdir -p run/containers config3
	echo "{\"auths\": {\"$PLAIN\": {\"auth\": \"eDp5\"}}}" >run/containers/auth.json
	export XDG_RUNTIME_DIR="$W/run" DOCKER_CONFIG="$W/config3"
	login "$PLAIN"
	"$XBUILD" logout "$PLAIN" >out 2>&1
	grep -qF "still credentials for $PLAIN in $W/run/containers/auth.json" out
	export REGISTRY_AUTH_FILE="$W/run/containers/auth.json"
	"$XBUILD" logout "$PLAIN" >out 2>&1
	! grep -q still out
	jq -e '.auths == {}' "$REGISTRY_AUTH_FILE"
}
t "what another file has is told" elsewhere

# A build pushes to a registry by TLS and builds from it, with a password that shows up nowhere.
builds() {
	export DOCKER_CONFIG="$W/config4"
	image=$TLS/team/app:1
	try() { "$XBUILD" build --root "$W/store" --progress=plain --registry-ca "$TLS=$W/ca.pem" "$@"; }
	dockerfile made <<-END
		FROM scratch
		COPY Dockerfile /
	END
	dockerfile from <<-END
		FROM $image
		COPY Dockerfile /from
	END
	fails 6 "there are no credentials for it" try --push -t "$image" made
	fails 6 "there are no credentials for it" try -o type=cacheonly from
	login "$TLS" --registry-ca "$TLS=$W/ca.pem"
	try --platform linux/amd64,linux/arm64 --push -t "$image" made >out 2>&1
	try --platform linux/arm64 -o type=local,dest=files from >>out 2>&1
	cmp files/Dockerfile made/Dockerfile
	fails 6 "it wants TLS" "$XBUILD" build --root "$W/store" --push -t "$image" made
	! grep -qF s3cret out
	! grep -rqF -e s3cret -e "$(printf user:s3cret | base64)" store
}
t "builds push and pull with it, by TLS" builds

finish
