#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is written for CI systems: it is read as YAML, its scripts are run, and what they give is what one
# machine gives. Names that mean something to shells, YAML or GitHub come through as they are.
. "$(dirname "$0")/lib.sh"
need userns overlay python3 jq git
PYTHON=
for python in python3 /usr/bin/python3; do
	"$python" -c 'import yaml' 2>/dev/null && PYTHON=${PYTHON:-$python}
done
need "${PYTHON:-python3-yaml}"
tiny_base
unset SOURCE_DATE_EPOCH

dockerfile "$W/run/source" <<'DOCKERFILE'
FROM --platform=$BUILDPLATFORM tiny AS build
RUN --network=none echo shared >/made
FROM tiny
ARG TARGETARCH
ARG WORD
COPY --from=build /made /made
RUN --network=none echo "$WORD for $TARGETARCH" >/own
DOCKERFILE
(
	cd "$W/run/source" || exit 1
	git init -q
	git add .
	git -c user.name=n -c user.email=n@example.org commit -qm one
) || exit 1
mkdir "$W/bin"
ln -s "$XBUILD" "$W/bin/xbuild"
export PATH="$W/bin:$PATH"
TWO=linux/amd64,linux/arm64

# ci SYSTEM ARGUMENT...: from within the sources
ci() { (cd "$W/run/source" && "$XBUILD" ci "$@" --build-context "tiny=oci-layout://$TINY:tiny" --root "$W/store.plan"); }

one_machine() {
	both_platforms
	(
		cd "$W/run/source" || exit 1
		SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
		export SOURCE_DATE_EPOCH
		"$XBUILD" build --root "$W/store.whole" --platform $TWO --build-arg "WORD=it's \"\$HOME\"" \
			--build-context "tiny=oci-layout://$TINY:tiny" .
	) >"$W/whole"
}

# carried_out SYSTEM: what it writes gives the same digest
carried_out() {
	both_platforms
	ci "$1" --platform $TWO --build-arg "WORD=it's \"\$HOME\"" -t app:1 . >"$W/$1"
	mkdir "$W/run.$1"
	cp -r "$W/run/source" "$W/run.$1/source"
	same "$("$PYTHON" "$E2E/ci.py" "$1" "$W/$1" "$W/run.$1")" "$(cat "$W/whole")" "digest"
	same "$(ls "$W/run.$1/merging/image.tar")" "$W/run.$1/merging/image.tar"
}
on_github() { carried_out github; }
on_gitlab() { carried_out gitlab; }
elsewhere() { carried_out json; }

# shares PLATFORMS OPTIONS EXPECTED: legs as "runner: platform=how ...; ..."
shares() {
	# shellcheck disable=SC2086
	ci json --platform "$1" $2 -f "$W/Dockerfile" . >"$W/json"
	same "$(jq -r '[.legs[] | (.runner | join("+")) + ":" + ([.platforms[] | " " + .platform + "=" + .how] | join(""))]
		| join("; ")' "$W/json")" "$3"
}

shared_out() {
	printf 'FROM scratch AS s\nCOPY . /x\nFROM s\nRUN ["/x"]\n' >"$W/Dockerfile"
	shares linux/amd64 "" "linux/amd64: linux/amd64=native"
	shares $TWO "" "linux/amd64: linux/amd64=native; linux/arm64: linux/arm64=native"
	shares linux/arm/v7,linux/386,linux/amd64,linux/arm64 "" \
		"linux/arm64: linux/arm/v7=compat linux/arm64=native; linux/amd64: linux/386=compat linux/amd64=native"
	same "$(jq -c '[.legs[] | [.name, .emulator]]' "$W/json")" '[["linux-arm-v7",true],["linux-386",true]]'
	shares linux/s390x,linux/amd64,linux/riscv64? "" \
		"linux/amd64: linux/s390x=emulated; linux/amd64: linux/amd64=native; linux/amd64: linux/riscv64=emulated"
	same "$(jq -c '[.legs[].optional]' "$W/json")" '[false,false,true]'
	shares linux/s390x,linux/arm64 "--runner linux/s390x=self-hosted,s390x --runner=linux/arm64=arm" \
		"self-hosted+s390x: linux/s390x=native; arm: linux/arm64=native"
	# what copies onto nothing is the same for all platforms
	same "$(jq -c .shared "$W/json")" '[{"stage":"s","steps":1}]' "stages that are shared"
	same "$(jq -c .platforms "$W/json")" '["linux/s390x","linux/arm64"]'
	# nothing of the platform runs: no other machine is needed
	printf 'FROM --platform=$BUILDPLATFORM scratch AS b\nCOPY . /x\nRUN ["/x"]\nFROM scratch\nCOPY --from=b /x /x\n' >"$W/Dockerfile"
	shares linux/amd64,linux/arm64,linux/s390x "" "linux/amd64: linux/amd64=native linux/arm64=idle linux/s390x=idle"
	same "$(jq -c .shared "$W/json")" '[]' "stages that are shared by one leg"
	printf 'FROM --platform=$BUILDPLATFORM scratch AS b\nCOPY . /x\nRUN ["/x"]\nFROM scratch\nCOPY --from=b /x /x\nRUN ["/x/y"]\n' >"$W/Dockerfile"
	shares $TWO "" "linux/amd64: linux/amd64=native; linux/arm64: linux/arm64=native"
	same "$(jq -c .shared "$W/json")" '[{"stage":"b","steps":2},{"stage":"stage-1","steps":1}]'
	ci github --platform $TWO -f "$W/Dockerfile" . | grep -q "^# Stages that several legs build, each for itself: b (2 steps), stage-1 (1 step)$"
}

evil() {
	printf 'FROM scratch\nARG A B C D E F\nCOPY . /x\n' >"$W/Dockerfile"
	a='${{ secrets.TOKEN }} ${{ github.token }}'
	b="it's \"quoted\" \$(id) \`id\` \\ \$HOME"
	c=$(printf 'two\n  lines: - x\n#not a comment')
	d=$(printf 'tab\tbell\a caf\303\251 \342\200\250 \360\237\230\200')
	e='--push'
	f=''
	ci github --platform linux/amd64 -f "$W/Dockerfile" --build-arg "A=$a" --build-arg "B=$b" --build-arg "C=$c" --build-arg "D=$d" \
		--build-arg "E=$e" --label "F=$f" --setup 'echo "${{ secrets.X }}"' . >"$W/evil.yml"
	! grep -E '\$\{\{ *(secrets\.(TOKEN|X)|github\.token)' "$W/evil.yml" || fail "GitHub would put a secret there"
	"$PYTHON" "$E2E/ci.py" words "$W/evil.yml" >"$W/words"
	same "$(jq -r 'index("A='"$a"'") != null' "$W/words")" true "an expression"
	same "$(jq -r --arg x "B=$b" 'index($x) != null' "$W/words")" true "quotes"
	same "$(jq -r --arg x "C=$c" 'index($x) != null' "$W/words")" true "lines"
	same "$(jq -r --arg x "D=$d" 'index($x) != null' "$W/words")" true "other characters"
	same "$(jq -r --arg x "E=$e" 'index($x) != null' "$W/words")" true "what looks like an option"
	same "$(jq -r 'index("--push")' "$W/words")" null
	for system in github gitlab; do
		ci $system --platform linux/amd64 -f "$W/Dockerfile" --build-arg "D=$d" --build-arg "C=$c" . >"$W/yml"
		"$PYTHON" -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' "$W/yml"
		same "$(LC_ALL=C grep -c '[^ -~]' "$W/yml")" 0 "lines with other than printable ASCII"
	done
}

pushing() {
	printf 'FROM scratch\nCOPY . /x\n' >"$W/Dockerfile"
	ci github --platform $TWO -f "$W/Dockerfile" -t ghcr.io/me/app:1 -t ghcr.io/me/app:latest -t localhost:5000/app:1 --push \
		--plain-http localhost:5000 --allow-drop --no-index-labels --jobs 3 . >"$W/yml"
	"$PYTHON" -c '
import sys, yaml
d = yaml.safe_load(open(sys.argv[1]))
legs, merge = d["jobs"]["leg"], d["jobs"]["merge"]
assert legs["permissions"] == merge["permissions"] == {"contents": "read", "packages": "write"}
logins = [s["run"].split()[-1] for s in merge["steps"] if s.get("name") == "Log in"]
assert logins == ["ghcr.io", "localhost:5000"], logins
run = [s for s in merge["steps"] if s.get("name") == "Merge"][0]["run"]
assert "--allow-drop" in run and run.count("--no-index-labels") == 1 and "--plain-http localhost:5000" in run and "--jobs" not in run, run
build = [s for s in legs["steps"] if s.get("name") == "Build"][0]["run"]
assert "--allow-drop" not in build and build.count("--no-index-labels") == 1 and "--plain-http localhost:5000" in build and "--jobs 3" in build, build
' "$W/yml"
}

misused() {
	printf 'FROM scratch\nCOPY . /x\n' >"$W/Dockerfile"
	exits 2 ci
	says "xbuild ci github|gitlab|json"
	exits 2 ci jenkins .
	exits 2 ci github --runner 'linux/arm64=${{x}}' .
	says "not a label"
	exits 2 ci github --runner linux/arm64 .
	exits 2 ci github --runner 'linux/a b=x' .
	exits 2 ci github --leg linux/amd64 --result x .
	exits 2 ci github -f - .
	says "standard input"
	exits 2 ci github -o type=local,dest=x .
	says "no files"
	exits 2 ci github --no-such .
	"$XBUILD" ci --help | grep -q -- --runner
}

t "one machine builds all" one_machine
t "a GitHub workflow gives the digest of one machine" on_github
t "a GitLab pipeline gives the digest of one machine" on_gitlab
t "commands for other systems give the digest of one machine" elsewhere
t "platforms are shared out by what runs them" shared_out
t "names that mean something elsewhere come through as they are" evil
t "registries: permissions, log-ins, options of legs and of the merge" pushing
t "mistakes are told" misused
finish
