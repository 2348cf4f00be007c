/* SPDX-License-Identifier: Apache-2.0 */
/* Build checks: for each rule what it speaks of and what it does not, and where it points. */
#include "builder/dockerfile/lint.h"

#include "tests/unit/builder/dockerfile/data.h"

/* A world with three images; "debian" has variables of its own. */
static bool is_name(const char *name)
{
	return name[0] != '\0' && name[strlen(name) - 1] != ':' && strchr(name, '!') == NULL;
}

static bool is_given(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "given") == 0;
}

static struct xb_strv debian_env, debian_triggers;

static bool image(void *context, const char *name, const struct xb_platform *platform,
		  struct xb_lint_image *ret)
{
	static const struct xb_platform arm = { .os = "linux", .arch = "arm64" };

	(void)context;
	ret->platform = platform;
	if (strcmp(name, "debian") == 0) {
		ret->env = &debian_env;
		ret->on_build = &debian_triggers;
	} else if (strcmp(name, "shelly") == 0) {
		ret->shell = true;
	} else if (strcmp(name, "foreign") == 0) {
		ret->platform = &arm;
	} else {
		return strcmp(name, "alpine") == 0;
	}
	return true;
}

static struct xb_strv automatic;

static int make_world(void **state)
{
	(void)state;
	xb_strv_push(&debian_env, "PATH=/bin");
	xb_strv_push(&debian_env, "LANG=C");
	xb_strv_push(&debian_triggers, "ARG TRIGGERED=1");
	xb_strv_push(&debian_triggers, "CMD shell form");
	xb_strv_push(&automatic, "TARGETPLATFORM=linux/amd64");
	xb_strv_push(&automatic, "TARGETARCH=amd64");
	xb_strv_push(&automatic, "BUILDPLATFORM=linux/amd64");
	return 0;
}

static int end_world(void **state)
{
	(void)state;
	xb_strv_clear(&debian_env);
	xb_strv_clear(&debian_triggers);
	xb_strv_clear(&automatic);
	return 0;
}

/* What a case asks beside its text; zero: a check of all stages without rules switched off. */
struct asked {
	const char *options;
	const char *target;
	const char *ignore;
	const char *build_arg;
	bool needed_only;
};

struct answer {
	struct xb_lint lint;
	struct xb_error err;
	int r;
	char *text; /* a line a finding: RULE LINE LINE:COLUMN DETAIL */
};

static void answer_clear(struct answer *answer)
{
	xb_lint_clear(&answer->lint);
	xb_error_clear(&answer->err);
	free(answer->text);
}
#define auto_answer __attribute__((cleanup(answer_clear)))

static char *write_findings(const struct xb_findings *findings)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < findings->len; i++) {
		const struct xb_finding *f = &findings->items[i];

		(void)xb_str_printf(&text, "%s %u %u:%u %s\n", xb_rule(f->rule)->name,
				    f->first_line, f->at.line, f->at.column, f->detail);
	}
	return xb_str_steal(&text);
}

static void run(const char *text, const struct asked *asked, struct answer *ret)
{
	xb_auto_error struct xb_error problem = XB_ERROR_INIT;
	xb_auto_dockerfile struct xb_dockerfile *file =
		xb_dockerfile_parse_part(xb_view(text), "Dockerfile", &problem);
	xb_auto_ignore struct xb_ignore *ignore = NULL;
	xb_auto_strv struct xb_strv build_args = XB_STRV_INIT;
	struct xb_lint_request request = {
		.dockerfile = file,
		.automatic = &automatic,
		.build_args = &build_args,
		.platform = { .os = "linux", .arch = "amd64" },
		.target = asked->target,
		.all_stages = !asked->needed_only,
		.world = { .is_name = is_name, .is_given = is_given, .image = image },
	};
	const char *options = asked->options != NULL ? asked->options : file->directives.check;

	assert_int_equal(xb_rule_set_parse(xb_view(options), &request.rules, NULL, NULL), 0);
	if (asked->ignore != NULL)
		assert_int_equal(
			xb_ignore_parse(xb_view(asked->ignore), ".dockerignore", &ignore, NULL), 0);
	if (asked->build_arg != NULL)
		xb_strv_push(&build_args, asked->build_arg);
	request.ignore = ignore;
	ret->r = xb_lint(&request, &ret->lint, &ret->err);
	ret->text = write_findings(&ret->lint.findings);
}

static void finds_as(const char *text, const struct asked *asked, const char *want)
{
	auto_answer struct answer answer = { 0 };

	run(text, asked, &answer);
	if (answer.r < 0)
		fail_msg("%s\n%s", answer.err.message, text);
	if (strcmp(answer.text, want) != 0)
		fail_msg("%s\n--- got\n%s--- want\n%s", text, answer.text, want);
}

static void finds(const char *text, const char *want)
{
	finds_as(text, &(struct asked){ 0 }, want);
}

static void clean(const char *text)
{
	finds(text, "");
}

/* ---- rules over the tree ------------------------------------------------------------------ */

static void test_stage_name_casing(void **state)
{
	(void)state;
	finds("FROM scratch AS BuildIt\n",
	      "StageNameCasing 1 1:17 Stage name 'BuildIt' should be lowercase\n");
	clean("FROM scratch AS build-it_2.x\n");
}

static void test_from_as_casing(void **state)
{
	(void)state;
	finds("FROM scratch as a\n",
	      "FromAsCasing 1 1:14 'as' and 'FROM' keywords' casing do not match\n");
	finds("from scratch AS a\n",
	      "FromAsCasing 1 1:14 'AS' and 'from' keywords' casing do not match\n");
	finds("FROM scratch aS a\n",
	      "FromAsCasing 1 1:14 'aS' and 'FROM' keywords' casing do not match\n");
	clean("FROM scratch AS a\n");
	clean("from scratch as a\n");
}

static void test_no_empty_continuation(void **state)
{
	(void)state;
	finds("FROM scratch\nRUN a \\\n\n  b \\\n  c\n",
	      "NoEmptyContinuation 5 3:1 Empty continuation line\n");
	clean("FROM scratch\nRUN a \\\n# comment\n  b\n\n\nRUN c\n");
	clean("FROM scratch\nRUN <<E\n\na \\\n\nE\n");
}

static void test_consistent_instruction_casing(void **state)
{
	(void)state;
	finds("FROM scratch\nRUN a\nrun b\nRun c\n",
	      "ConsistentInstructionCasing 3 3:1 Command 'run' should match the case of the "
	      "command majority (uppercase)\n"
	      "ConsistentInstructionCasing 4 4:1 Command 'Run' should match the case of the "
	      "command majority (uppercase)\n");
	finds("from scratch\nrun a\nRUN b\n",
	      "ConsistentInstructionCasing 3 3:1 Command 'RUN' should match the case of the "
	      "command majority (lowercase)\n");
	clean("from scratch\nrun a\n");
	/* what stands before the first FROM has no say */
	clean("arg A=1\narg B=1\nFROM scratch\n");
}

static void test_stage_names(void **state)
{
	(void)state;
	finds("FROM scratch AS a\nFROM scratch AS b\nFROM scratch AS a\n",
	      "DuplicateStageName 3 3:17 Duplicate stage name \"a\", stage names should be "
	      "unique\n");
	clean("FROM scratch AS a\nFROM scratch AS b\nFROM scratch\nFROM scratch\n");
	finds("FROM alpine AS scratch\nFROM alpine AS context\n",
	      "ReservedStageName 1 1:16 Stage name should not use the same name as reserved stage "
	      "\"scratch\"\n"
	      "ReservedStageName 2 2:16 Stage name should not use the same name as reserved stage "
	      "\"context\"\n");
	clean("FROM scratch\nFROM scratch AS contexts\n");
}

static void test_maintainer_deprecated(void **state)
{
	(void)state;
	finds("FROM scratch\nMAINTAINER me\n",
	      "MaintainerDeprecated 2 2:1 Maintainer instruction is deprecated in favor of using "
	      "label\n");
	clean("FROM scratch\nLABEL maintainer=me\n");
}

static void test_invalid_definition_description(void **state)
{
	const struct asked asked = { .options = "experimental=InvalidDefinitionDescription" };

	(void)state;
	finds_as(
		"# something else\nARG A=1\n# base is it\nFROM scratch AS Base\n# x y\nARG B C\n",
		&asked,
		"InvalidDefinitionDescription 2 2:1 Comment for ARG should follow the format: `# A "
		"<description>`\n"
		"StageNameCasing 4 4:17 Stage name 'Base' should be lowercase\n"
		"InvalidDefinitionDescription 6 6:1 Comment for ARG should follow the format: `# "
		"<arg_key> <description>`\n");
	finds_as("FROM scratch\n# no\nFROM scratch AS a\n", &asked,
		 "InvalidDefinitionDescription 3 3:1 Comment for FROM should follow the format: `# "
		 "a <description>`\n");
	/* a blank line or an empty comment between, a description, options, no name, no wish */
	finds_as("# x\n\nARG A=1\n# x\n#\nARG B=1\n# C is c\nARG C=1\n# x\nFROM scratch\n", &asked,
		 "");
	finds_as("FROM scratch\n# A is a\n# check=skip=UndefinedVar\nARG A=$b\n", &asked, "");
	finds_as("FROM scratch\n# D d\nARG E D\n", &asked, "");
	clean("FROM scratch\n# x\nARG A=1\n");
}

/* ---- rules with scopes -------------------------------------------------------------------- */

static void test_json_args_recommended(void **state)
{
	static const char *const shells[] = { "FROM scratch\nSHELL [\"a\"]\n", "FROM shelly\n",
					      "FROM scratch AS a\nSHELL [\"a\"]\nFROM a\n" };

	(void)state;
	finds("FROM scratch\nCMD a\nENTRYPOINT a b\n",
	      "JSONArgsRecommended 2 2:1 JSON arguments recommended for CMD to prevent unintended "
	      "behavior related to OS signals\n"
	      "JSONArgsRecommended 3 3:1 JSON arguments recommended for ENTRYPOINT to prevent "
	      "unintended behavior related to OS signals\n");
	clean("FROM scratch\nCMD [\"a\"]\nENTRYPOINT [\"a\", \"b\"]\nHEALTHCHECK CMD a\nRUN a\n");
	for (size_t i = 0; i < XB_COUNT(shells); i++) {
		xb_autofree char *text = xb_format("%sCMD a\n", shells[i]);

		clean(text);
	}
}

static void test_workdir_relative_path(void **state)
{
	(void)state;
	finds("FROM scratch\nWORKDIR a/b\nWORKDIR c\n",
	      "WorkdirRelativePath 2 2:9 Relative workdir \"a/b\" can have unexpected results if "
	      "the base image changes\n");
	finds("FROM scratch\nENV d=x\nWORKDIR $d\n",
	      "WorkdirRelativePath 3 3:9 Relative workdir \"x\" can have unexpected results if "
	      "the base image changes\n");
	clean("FROM scratch\nWORKDIR /a\nWORKDIR b\n");
	clean("FROM scratch AS a\nWORKDIR /a\nFROM a\nWORKDIR b\n");
	clean("FROM scratch\nENV d=/x\nWORKDIR ${d}/y\n");
	clean("FROM --platform=windows/amd64 alpine AS windows\nWORKDIR C:\\\\a\n");
}

static void test_undefined_var(void **state)
{
	(void)state;
	finds("FROM scratch\nCOPY a$foo /${bar}\n",
	      "UndefinedVar 2 2:7 Usage of undefined variable '$foo'\n"
	      "UndefinedVar 2 2:13 Usage of undefined variable '$bar'\n");
	finds("FROM scratch\nENV PATH=$PAHT:/x\n",
	      "UndefinedVar 2 2:10 Usage of undefined variable '$PAHT' (did you mean $PATH?)\n");
	finds("FROM scratch\nARG DIR_ASSETS=x\nLABEL a=b \\\n  c=$DIR_ASSET\n",
	      "UndefinedVar 3 4:5 Usage of undefined variable '$DIR_ASSET' (did you mean "
	      "$DIR_ASSETS?)\n");
	finds("FROM scratch\nARG V=$foo\n",
	      "UndefinedVar 2 2:7 Usage of undefined variable '$foo'\n");
	finds("FROM scratch\nRUN --mount=type=bind,source=$xy,target=/a true\n",
	      "UndefinedVar 2 2:30 Usage of undefined variable '$xy'\n");
	finds("FROM scratch\nCOPY <<E /a\n$no\nE\nCOPY <<'E' /a\n$no\nE\n",
	      "UndefinedVar 2 2:6 Usage of undefined variable '$no'\n");
	finds("FROM scratch\nCOPY --chown=$who a /\n",
	      "UndefinedVar 2 2:14 Usage of undefined variable '$who'\n");
}

static void test_defined_var(void **state)
{
	static const char *const texts[] = {
		"FROM scratch\nARG foo\nCOPY a$foo /\n",
		"FROM scratch\nARG foo=1\nENV a=$foo\nUSER $a\nVOLUME $a/$foo\n",
		"FROM scratch AS a\nARG foo=1\nENV b=1\nFROM a\nCOPY $foo $b /\n",
		"FROM scratch\nRUN echo $x\nCMD [\"$x\"]\nHEALTHCHECK CMD $x\nEXPOSE 80$x\n",
		"FROM scratch\nENV PATH=$PATH:/x\n",
		"FROM debian\nENV a=$LANG\nCOPY $TRIGGERED /\n",
		"ARG g=1\nFROM scratch\nARG g\nCOPY $g /\nARG TARGETARCH\nCOPY $TARGETARCH /\n",
		"FROM scratch AS given\nCOPY $x /\n",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(texts); i++)
		clean(texts[i]);
	/* global arguments and automatic ones are not those of a stage until it says so */
	finds("ARG glob=1\nFROM scratch\nCOPY $glob$TARGETARCH /\n",
	      "UndefinedVar 3 3:6 Usage of undefined variable '$glob'\n"
	      "UndefinedVar 3 3:11 Usage of undefined variable '$TARGETARCH'\n");
	/* neither are those of a sibling, or of what comes later */
	finds("FROM scratch AS a\nFROM a AS b\nENV x1=1\nFROM a\nCOPY $x1 /\nENV x1=2\n",
	      "UndefinedVar 5 5:6 Usage of undefined variable '$x1'\n");
	/* a default that --build-arg makes unneeded is not looked at */
	finds_as("FROM scratch\nARG V=$foo\n", &(struct asked){ .build_arg = "V=1" }, "");
}

static void test_unknown_image(void **state)
{
	auto_answer struct answer answer = { 0 };

	(void)state;
	run("FROM nowhere\nCOPY $LANG /\nFROM given AS a\nFROM nowhere\n", &(struct asked){ 0 },
	    &answer);
	assert_int_equal(answer.r, 0);
	assert_string_equal(answer.text,
			    "UndefinedVar 2 2:6 Usage of undefined variable '$LANG'\n");
	assert_int_equal(answer.lint.images.len, 1);
	assert_string_equal(answer.lint.images.items[0], "nowhere");
}

static void test_multiple_instructions_disallowed(void **state)
{
	const char *one = "should not be used in the same stage because only the last one will be "
			  "used\n";
	xb_autofree char *want = xb_format(
		"MultipleInstructionsDisallowed 2 2:1 Multiple CMD instructions %s"
		"MultipleInstructionsDisallowed 3 3:1 Multiple CMD instructions %s"
		"MultipleInstructionsDisallowed 5 5:1 Multiple HEALTHCHECK instructions %s"
		"MultipleInstructionsDisallowed 7 7:1 Multiple ENTRYPOINT instructions %s",
		one, one, one, one);

	(void)state;
	finds("FROM scratch\nCMD [\"a\"]\nCMD [\"b\"]\nCMD [\"c\"]\nHEALTHCHECK NONE\n"
	      "HEALTHCHECK NONE\nENTRYPOINT []\nENTRYPOINT []\n",
	      want);
	clean("FROM scratch AS a\nCMD [\"a\"]\nENTRYPOINT [\"a\"]\nFROM a\nCMD [\"a\"]\n"
	      "ENTRYPOINT [\"b\"]\n");
}

static void test_legacy_key_value_format(void **state)
{
	(void)state;
	finds("FROM scratch\nENV a b c\nLABEL a b\n",
	      "LegacyKeyValueFormat 2 2:1 \"ENV key=value\" should be used instead of legacy \"ENV "
	      "key value\" format\n"
	      "LegacyKeyValueFormat 3 3:1 \"LABEL key=value\" should be used instead of legacy "
	      "\"LABEL key value\" format\n");
	clean("FROM scratch\nENV a=\"b c\"\nLABEL a=b c=d\n");
}

static void test_secrets_used_in_arg_or_env(void **state)
{
	(void)state;
	finds("FROM scratch\nENV a=b DB_PassWord=x\nARG TOKEN\n",
	      "SecretsUsedInArgOrEnv 2 2:9 Do not use ARG or ENV instructions for sensitive data "
	      "(ENV \"DB_PassWord\")\n"
	      "SecretsUsedInArgOrEnv 3 3:5 Do not use ARG or ENV instructions for sensitive data "
	      "(ARG \"TOKEN\")\n");
	clean("FROM scratch\nENV KEYBOARD=1 PUBLIC_KEY=1 passwordfile=1 SECRET_FILE=a\n"
	      "ARG auth_version=1\n");
}

static void test_copy_ignored_file(void **state)
{
	(void)state;
	finds_as("FROM scratch\nCOPY ./a/x b /\nADD a /\n", &(struct asked){ .ignore = "a\n" },
		 "CopyIgnoredFile 2 2:6 Attempting to Copy file \"a/x\" that is excluded by "
		 ".dockerignore\n"
		 "CopyIgnoredFile 3 3:5 Attempting to Add file \"a\" that is excluded by "
		 ".dockerignore\n");
	finds_as("FROM scratch\nENV d=a\nCOPY /$d /\n", &(struct asked){ .ignore = "a\n" },
		 "CopyIgnoredFile 3 3:6 Attempting to Copy file \"/a\" that is excluded by "
		 ".dockerignore\n");
	finds_as("FROM scratch\nCOPY . /\n", &(struct asked){ .ignore = "**\n" },
		 "CopyIgnoredFile 2 2:6 Attempting to Copy file \".\" that is excluded by "
		 ".dockerignore\n");
	finds_as("FROM scratch\nCOPY . /\nCOPY b /a\n", &(struct asked){ .ignore = ".*\na\n" }, "");
	finds_as("FROM scratch AS s\nFROM scratch\nCOPY --from=s a /\nADD https://h/a /\n",
		 &(struct asked){ .ignore = "a\n*a\n" }, "");
	/* what exceptions leave is not told by a path alone */
	finds_as("FROM scratch\nCOPY a /\n", &(struct asked){ .ignore = "a\n!a/b\n" }, "");
	clean("FROM scratch\nCOPY a /\n");
}

static void test_expose(void **state)
{
	(void)state;
	finds("FROM scratch\nENV p=9\nEXPOSE 80/TCP ${p}0/Udp\n",
	      "ExposeProtoCasing 3 3:8 Defined protocol '80/TCP' in EXPOSE instruction should be "
	      "lowercase\n"
	      "ExposeProtoCasing 3 3:15 Defined protocol '90/Udp' in EXPOSE instruction should be "
	      "lowercase\n");
	finds("FROM scratch\nEXPOSE 1.2.3.4:80:80 5:6/udp\n",
	      "ExposeInvalidFormat 2 2:8 EXPOSE instruction should not define an IP address or "
	      "host-port mapping, found '1.2.3.4:80:80'\n"
	      "ExposeInvalidFormat 2 2:22 EXPOSE instruction should not define an IP address or "
	      "host-port mapping, found '5:6/udp'\n");
	clean("FROM scratch\nEXPOSE 80 81/tcp 90-99/udp\n");
}

/* ---- FROM --------------------------------------------------------------------------------- */

static void test_undefined_arg_in_from(void **state)
{
	(void)state;
	finds("ARG TAG=1\nFROM alpine${TGA}\n",
	      "UndefinedArgInFrom 2 2:12 FROM argument 'TGA' is not declared (did you mean "
	      "TAG?)\n");
	clean("ARG A=alp\nARG B\nFROM ${A}ine$B\n");
	clean("FROM --platform=$BUILDPLATFORM alpine\n");
}

static void test_invalid_default_arg_in_from(void **state)
{
	(void)state;
	finds_as("ARG TAG\nFROM alpine:$TAG\n", &(struct asked){ .build_arg = "TAG=1" },
		 "InvalidDefaultArgInFrom 2 2:6 Default value for ARG alpine:$TAG results in empty "
		 "or invalid base image name\n");
	finds_as("ARG IMAGE\nFROM $IMAGE\n", &(struct asked){ .build_arg = "IMAGE=alpine" },
		 "InvalidDefaultArgInFrom 2 2:6 Default value for ARG $IMAGE results in empty or "
		 "invalid base image name\n");
	clean("ARG TAG=ine\nFROM alp$TAG\n");
	clean("ARG SUFFIX\nFROM alpine$SUFFIX\n");
	clean("ARG TAG\nFROM alp${TAG:-ine}\n");
}

static void test_from_platform(void **state)
{
	(void)state;
	finds("FROM --platform=$TARGETPLATFORM alpine\n",
	      "RedundantTargetPlatform 1 1:17 Setting platform to predefined $TARGETPLATFORM in "
	      "FROM "
	      "is redundant as this is the default behavior\n");
	finds("FROM --platform=linux/arm64 alpine\n",
	      "FromPlatformFlagConstDisallowed 1 1:17 FROM --platform flag should not use constant "
	      "value \"linux/arm64\"\n");
	clean("FROM --platform=linux/arm64 alpine AS tools-arm64\n");
	clean("FROM --platform=$BUILDPLATFORM alpine\n");
	clean("ARG P=linux/arm64\nFROM --platform=$P alpine\n");
}

static void test_invalid_base_image_platform(void **state)
{
	(void)state;
	finds("FROM foreign\n",
	      "InvalidBaseImagePlatform 1 1:6 Base image foreign was pulled with platform "
	      "\"linux/arm64\", expected \"linux/amd64\" for current build\n");
	clean("FROM alpine\n");
}

/* ---- which rules, which stages ------------------------------------------------------------ */

static void test_options(void **state)
{
	static const struct {
		const char *options;
		const char *found; /* of "FROM scratch as A" */
	} cases[] = {
		{ "", "StageNameCasing FromAsCasing" },
		{ "skip=all", "" },
		{ "skip=all;error=true", "" },
		{ "skip=StageNameCasing", "FromAsCasing" },
		{ " skip = StageNameCasing , FromAsCasing ; error = t ", "" },
		{ "skip=stagenamecasing", "StageNameCasing FromAsCasing" },
		{ "experimental=all;skip=FromAsCasing", "StageNameCasing" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		auto_answer struct answer answer = { 0 };
		xb_auto_str struct xb_str names = XB_STR_INIT(1000);

		run("FROM scratch as A\n", &(struct asked){ .options = cases[i].options }, &answer);
		for (size_t k = 0; k < answer.lint.findings.len; k++)
			(void)xb_str_printf(&names, "%s%s", k > 0 ? " " : "",
					    xb_rule(answer.lint.findings.items[k].rule)->name);
		assert_string_equal(xb_str_text(&names), cases[i].found);
	}
}

static void test_option_errors(void **state)
{
	static const char *const wrong[] = { "skip",   "skip=all;",    "error=maybe", "bogus=1",
					     "error=", "experimental", "skip=a;b=c",  ";skip=all" };
	xb_auto_strv struct xb_strv unknown = XB_STRV_INIT;
	struct xb_rule_set set;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(wrong); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (strcmp(wrong[i], "skip=all;") == 0)
			continue; /* nothing stands behind it */
		if (xb_rule_set_parse(xb_view(wrong[i]), &set, NULL, &err) == 0)
			fail_msg("accepted: %s", wrong[i]);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_non_null(err.hint);
	}
	assert_int_equal(
		xb_rule_set_parse(XB_VIEW("skip=UndefinedVar,Newer;error=1"), &set, &unknown, NULL),
		0);
	assert_true(set.error);
	assert_false(xb_rule_set_has(&set, XB_RULE_UNDEFINED_VAR));
	assert_int_equal(unknown.len, 1);
	assert_string_equal(unknown.items[0], "Newer");
}

static void test_comments(void **state)
{
	const char *text = "FROM scratch\n"
			   "# check=skip=SecretsUsedInArgOrEnv // for a test\n"
			   "ENV TOKEN=$x\n"
			   "# check=skip=all\n"
			   "\n"
			   "# and a word\n"
			   "ENV KEY=$x\n"
			   "# check=skip=LegacyKeyValueFormat\n"
			   "#\n"
			   "ENV a $x\n"
			   "# check=bogus\n"
			   "WORKDIR a\n";

	(void)state;
	finds(text,
	      "UndefinedVar 3 3:11 Usage of undefined variable '$x'\n"
	      "UndefinedVar 10 10:7 Usage of undefined variable '$x'\n"
	      "LegacyKeyValueFormat 10 10:1 \"ENV key=value\" should be used instead of "
	      "legacy \"ENV key value\" format\n"
	      "WorkdirRelativePath 12 12:9 Relative workdir \"a\" can have unexpected results "
	      "if the base image changes\n");
	clean("# a word\n# check=skip=StageNameCasing\nFROM scratch AS A\n");
	/* the file's own line is of no instruction */
	finds("# check=skip=FromAsCasing\nFROM scratch as A\nFROM scratch as b\n",
	      "StageNameCasing 2 2:17 Stage name 'A' should be lowercase\n");
	clean("FROM scratch\nCMD [\"a\"]\n# check=skip=MultipleInstructionsDisallowed\n"
	      "CMD [\"b\"]\n");
}

static void test_stages(void **state)
{
	const char *text = "FROM scratch AS one\nCOPY $a /\nFROM scratch AS two\nCOPY $b /\n"
			   "FROM scratch AS three\nRUN --mount=from=one,target=/x y\nCOPY $c /\n"
			   "FROM scratch AS four\nCOPY --from=2 x /\nCOPY $d /\n";
	const char *one = "UndefinedVar 2 2:6 Usage of undefined variable '$a'\n";
	const char *two = "UndefinedVar 4 4:6 Usage of undefined variable '$b'\n";
	const char *three = "UndefinedVar 7 7:6 Usage of undefined variable '$c'\n";
	const char *four = "UndefinedVar 10 10:6 Usage of undefined variable '$d'\n";
	xb_autofree char *all = xb_format("%s%s%s%s", one, two, three, four);
	xb_autofree char *needed = xb_format("%s%s%s", one, three, four);
	xb_autofree char *some = xb_format("%s%s", one, three);

	(void)state;
	finds(text, all);
	finds_as(text, &(struct asked){ .needed_only = true }, needed);
	finds_as(text, &(struct asked){ .needed_only = true, .target = "THREE" }, some);
	finds_as(text, &(struct asked){ .needed_only = true, .target = "1" }, two);
}

static void test_triggers(void **state)
{
	(void)state;
	/* a trigger is looked at where it is carried out */
	finds("FROM scratch AS a\nONBUILD COPY $x /\nONBUILD ENV y=1\nFROM a\nCOPY $y /\n",
	      "UndefinedVar 4 4:1 Usage of undefined variable '$x'\n");
	clean("FROM scratch AS a\nONBUILD COPY $x /\nFROM scratch\n");
	/* those of an image are not the file's */
	clean("FROM debian\nCMD [\"a\"]\n");
}

/* ---- faults ------------------------------------------------------------------------------- */

static void test_faults(void **state)
{
	static const struct {
		const char *text;
		const char *message;
		const char *hint;
	} cases[] = {
		{ "FROM --platform=$BULIDPLATFORM scratch\n",
		  "Dockerfile:1:6: empty platform value from expression \"$BULIDPLATFORM\"",
		  "did you mean BUILDPLATFORM?" },
		{ "FROM --platform=a/b/c/d/e scratch\n", "Dockerfile:1:6: failed to parse platform",
		  NULL },
		{ "FROM $none\n", "Dockerfile:1:6: the base image's name is empty", NULL },
		{ "FROM scratch\nCOPY ${a /\n", "Dockerfile:2:6: ", NULL },
		{ "FROM scratch\nRUN --mount=type=none x\n", "Dockerfile:2:5: ", NULL },
		{ "FROM scratch\nENV a=${b:?so}\n", "Dockerfile:2:7: ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		auto_answer struct answer answer = { 0 };

		run(cases[i].text, &(struct asked){ 0 }, &answer);
		assert_true(answer.r < 0);
		assert_int_equal(answer.err.fault, XB_FAULT_SOURCE);
		if (strncmp(answer.err.message, cases[i].message, strlen(cases[i].message)) != 0)
			fail_msg("%s: %s", cases[i].message, answer.err.message);
		if (cases[i].hint != NULL)
			assert_string_equal(answer.err.hint, cases[i].hint);
	}
}

static void test_first_fault(void **state)
{
	auto_answer struct answer answer = { 0 };
	auto_answer struct answer other = { 0 };

	(void)state;
	/* stages are walked in another order than they stand in; what is found stays found */
	run("FROM scratch AS a\nFROM scratch AS b\nCOPY ${x /\nFROM a\nCOPY ${y $z /\nCOPY $z /\n",
	    &(struct asked){ 0 }, &answer);
	assert_int_equal(answer.r, -EINVAL);
	assert_non_null(strstr(answer.err.message, "Dockerfile:3:6: "));
	assert_non_null(strstr(answer.text, "UndefinedVar 6 6:6"));
	run("FROM scratch\n", &(struct asked){ .target = "none" }, &other);
	assert_int_equal(other.r, -EINVAL);
	assert_non_null(strstr(other.err.message, "no stage called none"));
}

/* A file that cannot be read to its end is checked as far as its start goes. */
static void test_part(void **state)
{
	(void)state;
	finds("FROM scratch AS A\nMAINTAINER me\nCOPY $x /\nrun a\nFROM b AS A\nBADCMD\n",
	      "StageNameCasing 1 1:17 Stage name 'A' should be lowercase\n"
	      "MaintainerDeprecated 2 2:1 Maintainer instruction is deprecated in favor of using "
	      "label\n"
	      "StageNameCasing 5 5:11 Stage name 'A' should be lowercase\n");
	finds("", "");
	finds("ARG a\n", "");
}

/* What a value is made of others may not grow without end, and neither may triggers. */
static void test_bounds(void **state)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	auto_answer struct answer answer = { 0 };

	(void)state;
	(void)xb_str_puts(&text, "FROM scratch\nENV a=0123456789\n");
	for (size_t i = 0; i < 14; i++)
		(void)xb_str_puts(&text, "ENV a=$a$a\n");
	for (size_t i = 0; i < 2000; i++)
		(void)xb_str_puts(&text, "ENV b=$a\n");
	(void)xb_str_puts(&text, "COPY $z /\n");
	run(xb_str_text(&text), &(struct asked){ 0 }, &answer);
	assert_int_equal(answer.r, -EINVAL);
	assert_non_null(strstr(answer.err.message, "too large"));
	assert_string_equal(answer.text, "");
}

static void test_table(void **state)
{
	(void)state;
	for (unsigned id = 0; id < XB_RULE_COUNT; id++) {
		const struct xb_rule *rule = xb_rule((enum xb_rule_id)id);
		enum xb_rule_id found = XB_RULE_COUNT;

		assert_non_null(rule->name);
		assert_true(strlen(rule->description) > 10);
		assert_true(xb_rule_find(xb_view(rule->name), &found));
		assert_int_equal(found, id);
		if (id != XB_RULE_INVALID_BASE_IMAGE_PLATFORM)
			assert_non_null(strstr(rule->url, "/go/dockerfile/rule/"));
	}
	assert_true(xb_rule(XB_RULE_INVALID_DEFINITION_DESCRIPTION)->experimental);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stage_name_casing),
		cmocka_unit_test(test_from_as_casing),
		cmocka_unit_test(test_no_empty_continuation),
		cmocka_unit_test(test_consistent_instruction_casing),
		cmocka_unit_test(test_stage_names),
		cmocka_unit_test(test_maintainer_deprecated),
		cmocka_unit_test(test_invalid_definition_description),
		cmocka_unit_test(test_json_args_recommended),
		cmocka_unit_test(test_workdir_relative_path),
		cmocka_unit_test(test_undefined_var),
		cmocka_unit_test(test_defined_var),
		cmocka_unit_test(test_unknown_image),
		cmocka_unit_test(test_multiple_instructions_disallowed),
		cmocka_unit_test(test_legacy_key_value_format),
		cmocka_unit_test(test_secrets_used_in_arg_or_env),
		cmocka_unit_test(test_copy_ignored_file),
		cmocka_unit_test(test_expose),
		cmocka_unit_test(test_undefined_arg_in_from),
		cmocka_unit_test(test_invalid_default_arg_in_from),
		cmocka_unit_test(test_from_platform),
		cmocka_unit_test(test_invalid_base_image_platform),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_option_errors),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_triggers),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_first_fault),
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}
