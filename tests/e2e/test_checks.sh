#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Build checks as users meet them: --check, warnings of a build, what makes it fail, --call.
. "$(dirname "$0")/lib.sh"
need jq
fresh
# xb STATUS ARGUMENT...: on scratch alone: a check has no need of namespaces, images or steps. What it
# answers is in $W/out, what it says in $W/err.
xb() {
	wanted=$1
	shift
	got=0
	"$XBUILD" build --root "$STORE" "$@" >"$W/out" 2>"$W/err" || got=$?
	cat "$W/out" "$W/err"
	[ "$got" = "$wanted" ] || fail "exit status $got, not $wanted: $*"
}
# The findings alone, as RULE LINE.
rules() { sed -n 's/^\([A-Za-z]*\): .* (line \([0-9]*\))$/\1 \2/p' "$W/out" | paste -sd, -; }
# line TEXT: the answer has this line.
line() { grep -qxF -e "$1" "$W/out" || fail "no line: $1"; }

check() {
	dockerfile "$W/check" <<-'EOF'
		FROM scratch AS one
		COPY $foo /
		FROM scratch AS two
		WORKDIR app
	EOF
	xb 3 --check "$W/check"
	same "$(rules)" "UndefinedVar 2,WorkdirRelativePath 4"
	grep -qF "Check complete, 2 warnings have been found!" "$W/out"
	grep -qF "$W/check/Dockerfile:2:6" "$W/out"
	# the caret stands below the variable
	same "$(grep -A1 -F 'COPY $foo' "$W/out" | tail -1)" "        |      ^"
	grep -qF "https://docs.docker.com/go/dockerfile/rule/undefined-var/" "$W/out"
	same "$(cat "$W/err")" ""
	xb 3 --call=check --target one "$W/check"
	same "$(rules)" "UndefinedVar 2"
	xb 0 --call=check,ignorestatus=true "$W/check"
	printf '#!/bin/x\n# check=skip=all\nFROM scratch as A\n' >"$W/check/Dockerfile"
	xb 0 --check "$W/check"
	same "$(cat "$W/out")" "Check complete, no warnings found."
	xb 3 --check --build-arg BUILDKIT_DOCKERFILE_CHECK=skip=FromAsCasing "$W/check"
	same "$(rules)" "StageNameCasing 3"
}

check_json() {
	dockerfile "$W/json" <<-'EOF'
		FROM scratch
		COPY ignored /
		maintainer me
		BADCMD
	EOF
	printf 'ignored\n' >"$W/json/.dockerignore"
	xb 3 --call=check,format=json --platform linux/amd64,linux/arm64 "$W/json"
	same "$(jq -r '.warnings[].ruleName' "$W/out" | paste -sd, -)" MaintainerDeprecated
	same "$(jq -r '.buildError.location.ranges[0].start.line' "$W/out")" 4
	sed -i '$d' "$W/json/Dockerfile"
	xb 3 --call=check,format=json --platform linux/amd64,linux/arm64 "$W/json"
	same "$(jq -r '.warnings[] | .ruleName + " " + (.location.ranges[0].start.line | tostring)' \
		"$W/out" | paste -sd, -)" \
		"CopyIgnoredFile 2,ConsistentInstructionCasing 3,MaintainerDeprecated 3"
	same "$(jq -r .buildError "$W/out")" null
	same "$(jq -r '.sources[0].data' "$W/out" | base64 -d)" "$(cat "$W/json/Dockerfile")"
}

# What would make the build fail is told behind what is found before it.
check_faults() {
	dockerfile "$W/faults" <<-'EOF'
		FROM scratch AS Bad
		BADCMD
	EOF
	xb 3 --check "$W/faults"
	same "$(rules)" "StageNameCasing 1"
	says "Dockerfile:2:1: unknown instruction: BADCMD" "did you mean"
	printf 'FROM --platform=$BULIDPLATFORM scratch\n' >"$W/faults/Dockerfile"
	xb 3 --check "$W/faults"
	same "$(rules)" "UndefinedArgInFrom 1"
	says "empty platform value" "did you mean BUILDPLATFORM?"
	printf '# check=skip=everything;bogus=1\nFROM scratch\n' >"$W/faults/Dockerfile"
	xb 3 --check "$W/faults"
	says 'invalid check option "bogus=1"'
	xb 3 "$W/faults"
	printf '# check=skip=NoSuchRule\nFROM nowhere/image\nCOPY $LANGUAGE /\n' >"$W/faults/Dockerfile"
	xb 3 --check "$W/faults"
	same "$(rules)" "UndefinedVar 3"
	says "NoSuchRule, which is no rule" "nowhere/image is not at hand"
	xb 2 --check --call=outline "$W/faults"
	xb 2 --call=everything "$W/faults"
	says "--call everything is not known" "targets"
}

# What names the target needs is warned of; other stages are a check's matter.
warnings() {
	has userns || skip "a build needs user namespaces" userns
	has overlay || skip "a build needs overlay mounts" overlay
	dockerfile "$W/warnings" <<-'EOF'
		FROM scratch AS unused
		ENV TOKEN=x
		FROM scratch
		COPY file /
		ENV a b
	EOF
	: >"$W/warnings/file"
	xb 0 --progress=plain "$W/warnings"
	says "xbuild: warning: LegacyKeyValueFormat: " "Dockerfile:5:1" "ENV a b" "legacy-key-value-format"
	! grep -q SecretsUsed "$W/err" || fail "a stage that is not needed is warned of"
	xb 0 --progress=rawjson "$W/warnings"
	grep '"rule"' "$W/err" | jq -e '.event == "warning" and .rule == "LegacyKeyValueFormat" and
		.line == 5 and .column == 1 and (.url | length > 0) and (.text | length > 0)'
	xb 0 -q "$W/warnings"
	same "$(cat "$W/err")" ""
	sed -i '1i # check=error=true' "$W/warnings/Dockerfile"
	xb 3 --progress=plain "$W/warnings"
	says "warning: LegacyKeyValueFormat" "lint violation found for rules: LegacyKeyValueFormat"
	same "$(cat "$W/out")" ""
	# a comment above the instruction is enough
	sed -i 's/^ENV a b/# check=skip=LegacyKeyValueFormat\n&/' "$W/warnings/Dockerfile"
	xb 0 --progress=plain "$W/warnings"
	xb 3 --check "$W/warnings"
	same "$(rules)" "SecretsUsedInArgOrEnv 3"
}

call() {
	dockerfile "$W/call" <<-'EOF'
		# FLAVOUR is what it tastes of
		ARG FLAVOUR=sweet
		# all makes everything
		FROM scratch AS all
		ARG FLAVOUR
		RUN --mount=type=secret,id=key,required true
		FROM scratch AS last
	EOF
	xb 0 --call=outline --target all --build-arg FLAVOUR=sour "$W/call"
	line "FLAVOUR     sour    is what it tastes of"
	line "key      true"
	xb 0 --call=outline,format=json --platform linux/amd64,linux/arm64 "$W/call"
	same "$(jq -c '[.name, .args, .secrets]' "$W/out")" '["last",null,null]'
	xb 0 --call=targets "$W/call"
	line "all            makes everything"
	xb 0 --call=targets,format=json "$W/call"
	same "$(jq -c '[.targets[] | [.name, .default, .base]]' "$W/out")" \
		'[["all",null,"scratch"],["last",true,"scratch"]]'
	xb 3 --call=outline --target nothing "$W/call"
	says nothing
	echo COPPY >>"$W/call/Dockerfile"
	xb 3 --call=targets "$W/call"
	says "Dockerfile:8"
	same "$(cat "$W/out")" ""
}

# No namespaces, no store, no subordinate ids are needed to ask.
plain_user() {
	user_ready
	dockerfile "$USER_HOME/check" <<-'EOF'
		FROM scratch as a
	EOF
	chmod -R a+rX "$USER_HOME"
	chmod a+x "$W"
	got=0
	as_user env -u SOURCE_DATE_EPOCH setpriv --no-new-privs "$USER_HOME/bin/xbuild" build --check "$USER_HOME/check" \
		>"$W/out" || got=$?
	same "$got" 3
	same "$(rules)" "FromAsCasing 1"
}

t "a check finds what there is, in all stages or those of a target" check
t "a check answers in JSON, for several platforms too" check_json
t "a check tells what would make the build fail" check_faults
t "a build warns with place, rule and page, and fails where it is asked to" warnings
t "outlines and targets, as tables and as JSON" call
t "a check needs no namespace" plain_user
finish
