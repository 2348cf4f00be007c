/* SPDX-License-Identifier: Apache-2.0 */
/* What words of a Dockerfile mean: ARG of both scopes, the automatic arguments, ENV, proxies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/plan/path.h"
#include "builder/plan/scope.h"
#include "tests/unit/builder/plan/fixture.h"

static void test_global_argument(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "ARG TAG=1\nARG NAME=img-$TAG\n"
				   "FROM $NAME:${TAG}\n"
				   "RUN none\n"
				   "ARG TAG\n"
				   "RUN some\n";
	const struct xb_plan *plan = plan_of(f, text);

	assert_string_equal(plan->steps[0].base.name, "img-1:1");
	/* it is not there in the stage until it is asked for */
	assert_null(env_of(step_of(plan, "RUN none"), "TAG"));
	assert_string_equal(env_of(step_of(plan, "RUN some"), "TAG"), "1");
	assert_null(env_of(step_of(plan, "RUN some"), "NAME"));

	xb_strv_push(&f->args, "TAG=2");
	plan = plan_of(f, text);
	assert_string_equal(plan->steps[0].base.name, "img-2:2");
	assert_string_equal(env_of(step_of(plan, "RUN some"), "TAG"), "2");
	assert_int_equal(plan->warnings.len, 0);
}

/* A stage's own default wins over the global scope, and --build-arg over both. */
static void test_defaults(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "ARG A=global\nFROM base\nARG A=stage\nARG B\nRUN x\n";

	assert_string_equal(env_of(step_of(plan_of(f, text), "RUN"), "A"), "stage");
	assert_null(env_of(step_of(f->plan, "RUN"), "B"));
	xb_strv_push(&f->args, "A=given");
	xb_strv_push(&f->args, "B=");
	assert_string_equal(env_of(step_of(plan_of(f, text), "RUN"), "A"), "given");
	assert_string_equal(env_of(step_of(f->plan, "RUN"), "B"), "");
}

/* ARG without a value leaves the value that an earlier one gave. */
static void test_declared_twice(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM base\nARG A=1\nARG A\nRUN one\n"
						"ARG A=2\nRUN two\n");

	assert_string_equal(env_of(step_of(plan, "RUN one"), "A"), "1");
	assert_string_equal(env_of(step_of(plan, "RUN two"), "A"), "2");
}

/* As in `docker build`: ARG holds from its line to the end of its stage, and in stages on it. */
static void test_scope_of_an_argument(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM base AS a\nRUN before\nARG A=1\nRUN after\n"
						"FROM a AS b\nRUN child\n"
						"FROM base AS c\nRUN other\n"
						"FROM b\nCOPY --from=c / /\n");

	assert_null(env_of(step_of(plan, "RUN before"), "A"));
	assert_string_equal(env_of(step_of(plan, "RUN after"), "A"), "1");
	assert_string_equal(env_of(step_of(plan, "RUN child"), "A"), "1");
	assert_null(env_of(step_of(plan, "RUN other"), "A"));
}

static void test_automatic_arguments(void **state)
{
	struct fixture *f = *state;
	static const struct {
		const char *name;
		const char *value;
	} expected[] = {
		{ "BUILDPLATFORM", "linux/amd64" },
		{ "BUILDOS", "linux" },
		{ "BUILDARCH", "amd64" },
		{ "BUILDVARIANT", "" },
		{ "TARGETPLATFORM", "linux/arm/v6" },
		{ "TARGETOS", "linux" },
		{ "TARGETARCH", "arm" },
		{ "TARGETVARIANT", "v6" },
		{ "TARGETSTAGE", "default" },
	};
	const struct xb_plan *plan;

	set_platforms(f, "linux/arm/v6");
	/* before the first FROM, a bare ARG of one is no fault, and changes nothing */
	plan = plan_of(f, "ARG TARGETARCH\nARG BUILDPLATFORM\n"
			  "FROM --platform=$BUILDPLATFORM tool-$TARGETARCH$TARGETVARIANT AS t\n"
			  "RUN none\n"
			  "ARG BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT\n"
			  "ARG TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT TARGETSTAGE\n"
			  "RUN all\n"
			  "FROM base\nCOPY --from=t / /\n");
	assert_int_equal(count_steps(plan, "FROM tool-armv6"), 1);
	for (size_t i = 0; i < XB_COUNT(expected); i++) {
		assert_null(env_of(step_of(plan, "RUN none"), expected[i].name));
		assert_string_equal(env_of(step_of(plan, "RUN all"), expected[i].name),
				    expected[i].value);
	}
}

/* The command line wins over automatic values, in FROM too. */
static void test_automatic_arguments_given(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	xb_strv_push(&f->args, "TARGETARCH=mine");
	plan = plan_of(f, "FROM base-$TARGETARCH\nARG TARGETARCH TARGETOS\nRUN x\n");
	assert_string_equal(plan->steps[0].base.name, "base-mine");
	assert_string_equal(env_of(step_of(plan, "RUN"), "TARGETARCH"), "mine");
	assert_string_equal(env_of(step_of(plan, "RUN"), "TARGETOS"), "linux");
	(void)plan_of(f, "FROM base-$TARGETARCH\nRUN x\n");
	assert_int_equal(f->plan->warnings.len, 0);
}

static void test_stage_argument(void **state)
{
	struct fixture *f = *state;

	/* the last stage is meant by its name, too */
	(void)plan_of(f, "FROM base AS one\nFROM base AS last\nARG TARGETSTAGE\nRUN x\n");
	assert_string_equal(env_of(step_of(f->plan, "RUN"), "TARGETSTAGE"), "last");
	f->target = "app";
	(void)plan_of(f, "FROM base AS app\nARG TARGETSTAGE\nRUN x\nFROM base\nRUN y\n");
	assert_string_equal(env_of(step_of(f->plan, "RUN"), "TARGETSTAGE"), "app");
}

/* A default for TARGETARCH would build every platform as that one: refused where it differs. */
static void test_shadowed_automatic_arguments(void **state)
{
	struct fixture *f = *state;

	(void)plan_of(f, "FROM base\nARG TARGETARCH=amd64\nRUN x\n");
	(void)plan_of(f, "ARG BUILDPLATFORM=linux/amd64\nFROM base\nARG BUILDARCH=386\nRUN x\n");
	set_platforms(f, "linux/amd64,linux/arm64");
	plan_fails(f, "FROM base\nARG TARGETARCH=amd64\nCOPY a-$TARGETARCH /a\n",
		   "Dockerfile:2:5: the default \"amd64\" of TARGETARCH would hide its value "
		   "\"arm64\"",
		   XB_FAULT_PROOF);
	assert_non_null(f->err.hint);
	plan_fails(f, "ARG TARGETPLATFORM=linux/amd64\nFROM base\nCOPY a /a\n",
		   "Dockerfile:1:5: the default \"linux/amd64\" of TARGETPLATFORM", XB_FAULT_PROOF);
	/* what is said on the command line is meant */
	xb_strv_push(&f->args, "TARGETARCH=amd64");
	(void)plan_of(f, "FROM base\nARG TARGETARCH=amd64\nCOPY a-$TARGETARCH /a\n");
}

/* ENV, the base image and ARG fill one set of variables; the config's are its own. */
static void test_the_later_of_env_and_arg(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	f->base_config = "{\"Env\":[\"FROM_BASE=base\",\"PATH=/bin\"]}";
	xb_strv_push(&f->args, "A=arg");
	xb_strv_push(&f->args, "FROM_BASE=arg");
	plan = plan_of(f, "FROM base AS a\nENV A=env\nARG A\nARG FROM_BASE=default\nARG U\n"
			  "COPY $A-$FROM_BASE /x\nRUN x\nENV A=last\nRUN y\n"
			  "FROM a\nRUN z\n");
	assert_list(step_of(plan, "COPY")->copy.sources, "arg-arg");
	/* each name is there once; an argument without a value is none */
	assert_list(step_of(plan, "RUN x")->run.env, "FROM_BASE=arg|PATH=/bin|A=arg");
	assert_list(step_of(plan, "RUN y")->run.env, "FROM_BASE=arg|PATH=/bin|A=last");
	assert_strv(&config_of(plan)->env, "FROM_BASE=base|PATH=/bin|A=last");
	/* a new stage begins with what the config of the one below says */
	assert_list(step_of(plan, "RUN z")->run.env, "FROM_BASE=base|PATH=/bin|A=last");
	assert_string_equal(plan->targets[0].history[7].created_by,
			    "RUN |3 A=last FROM_BASE=arg U= /bin/sh -c y # buildkit");
}

/* All words of an ENV see the environment as it was before it; those of an ARG what came before. */
static void test_env_sees_what_was_before(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base\nENV abc=hello\nENV abc=bye def=$abc\nENV ghi=$abc\n");

	assert_string_equal(xb_env_get(&config_of(plan)->env, XB_VIEW("abc")), "bye");
	assert_string_equal(xb_env_get(&config_of(plan)->env, XB_VIEW("def")), "hello");
	assert_string_equal(xb_env_get(&config_of(plan)->env, XB_VIEW("ghi")), "bye");
	plan = plan_of(f, "FROM base\nARG a=1\nARG a=2 b=$a\nRUN x\n");
	assert_string_equal(env_of(step_of(plan, "RUN"), "b"), "2");
}

static void test_env_of_a_run(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM base\nARG B=1\nENV A=2\nRUN x\n"
						"FROM scratch AS empty\nENV C=3\n"
						"FROM empty\nCOPY --from=0 / /\nRUN y\n");

	assert_list(step_of(plan, "RUN x")->run.env,
		    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|B=1|A=2");
	assert_list(step_of(plan, "RUN y")->run.env,
		    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|C=3");
	assert_string_equal(step_of(plan, "RUN x")->run.cwd, "/");
	assert_string_equal(step_of(plan, "RUN x")->run.user, "");
}

static void test_words_that_are_expanded(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base\nENV D=dir U=me S=9 P=80 N=name\n"
			   "WORKDIR /$D\nUSER $U\nSTOPSIGNAL $S\nEXPOSE $P\nVOLUME /$D\n"
			   "LABEL $N=$D\n"
			   "COPY --chown=$U:$U --chmod=07${S:+5}5 $D ${U} /$N/\n"
			   "RUN echo $D\nCMD echo $D\n");
	const struct xb_image_config *c = config_of(plan);

	assert_string_equal(c->working_dir, "/dir");
	assert_string_equal(c->user, "me");
	assert_string_equal(c->stop_signal, "9");
	assert_strv(&c->exposed_ports, "80/tcp");
	assert_strv(&c->volumes, "/dir");
	assert_string_equal(xb_annotations_get(&c->labels, "name"), "dir");
	assert_string_equal(step_of(plan, "COPY")->copy.chown, "me:me");
	assert_int_equal(step_of(plan, "COPY")->copy.mode, 0755);
	assert_list(step_of(plan, "COPY")->copy.sources, "dir|me");
	assert_string_equal(step_of(plan, "COPY")->copy.destination, "/name/");
	/* the shell's business */
	assert_list(step_of(plan, "RUN")->run.argv, "/bin/sh|-c|echo $D");
	assert_strv(&c->cmd, "/bin/sh|-c|echo $D");
}

static void test_errors_of_expansion(void **state)
{
	struct fixture *f = *state;

	plan_fails(f, "FROM base\nWORKDIR ${X:?no X}\n", "Dockerfile:2:9: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nENV A=1 B=${X\n", "Dockerfile:2:", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nENV $X=1\n", "Dockerfile:2:5: a name must not be empty",
		   XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nEXPOSE nine\n", "Dockerfile:2:8: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nVOLUME /v $X\n", "Dockerfile:2:11: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nRUN []\n", "Dockerfile:2:1: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nSTOPSIGNAL SIGNONE\n", "Dockerfile:2:12: ", XB_FAULT_SOURCE);
	plan_fails(f, "FROM base\nCOPY --chmod=9 a b\n", "Dockerfile:2:6: ", XB_FAULT_SOURCE);
	plan_fails(f, "ARG A=${B:?no B}\nFROM base\n", "Dockerfile:1:", XB_FAULT_SOURCE);
}

static void test_unused_build_argument(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "ARG G\nFROM base\nARG S\nRUN x\n";

	xb_strv_push(&f->args, "G=1");
	xb_strv_push(&f->args, "S=1");
	xb_strv_push(&f->args, "SOURCE_DATE_EPOCH=1");
	xb_strv_push(&f->args, "BUILDKIT_INLINE_CACHE=1");
	xb_strv_push(&f->args, "https_proxy=http://proxy");
	assert_int_equal(plan_of(f, text)->warnings.len, 0);
	xb_strv_push(&f->args, "MISSPELT=1");
	assert_strv(&plan_of(f, text)->warnings,
		    "the build argument MISSPELT is not used by any ARG");
}

/* Proxies reach a RUN without being asked for, and nothing that is kept. */
static void test_proxies(void **state)
{
	struct fixture *f = *state;
	static const char text[] = "FROM base\nENV no_proxy=mine\nRUN x\n";
	const struct xb_plan *plan;

	assert_list(step_of(plan_of(f, text), "RUN")->run.proxy, "");
	xb_strv_push(&f->args, "HTTP_PROXY=http://user:secret@proxy");
	xb_strv_push(&f->args, "no_proxy=theirs");
	plan = plan_of(f, text);
	assert_list(step_of(plan, "RUN")->run.proxy, "HTTP_PROXY=http://user:secret@proxy|"
						     "http_proxy=http://user:secret@proxy|"
						     "NO_PROXY=theirs");
	assert_null(env_of(step_of(plan, "RUN"), "HTTP_PROXY"));
	for (size_t i = 0; i < plan->targets[0].history_count; i++)
		assert_null(strstr(plan->targets[0].history[i].created_by, "secret"));
	assert_string_equal(xb_env_get(&config_of(plan)->env, XB_VIEW("no_proxy")), "mine");
	assert_int_equal(config_of(plan)->env.len, 2);
	/* nor what is printed */
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);
	json_t *json = xb_plan_to_json(plan);
	char *text_of = json_dumps(json, 0);

	xb_plan_print(plan, &shown);
	assert_null(strstr(xb_str_text(&shown), "secret"));
	assert_null(strstr(text_of, "secret"));
	free(text_of);
	json_decref(json);
	/* one that is asked for is an argument as any other */
	plan = plan_of(f, "FROM base\nARG HTTP_PROXY\nRUN x\n");
	assert_string_equal(env_of(step_of(plan, "RUN"), "HTTP_PROXY"), "http://user:secret@proxy");
}

static void test_scope_lookup(void **state)
{
	xb_auto_vars struct xb_vars vars = { 0 };
	struct xb_vars nothing = { 0 };
	struct fixture *f = *state;
	struct xb_word word = { .text = "$A$B$C", .at = { 1, 1, 1 } };
	xb_auto_str struct xb_str out = XB_STR_INIT(1024);
	xb_auto_strv struct xb_strv words = XB_STRV_INIT;

	(void)plan_of(f, "FROM base\n");
	xb_vars_set(&vars, XB_VIEW("A"), XB_VIEW("first"));
	xb_vars_set(&vars, XB_VIEW("B"), XB_VIEW("b"));
	xb_vars_set(&vars, XB_VIEW("A"), XB_VIEW("a "));
	assert_int_equal(xb_scope_expand(&vars, f->file, &word, &out, NULL), 0);
	assert_string_equal(xb_str_text(&out), "a b");
	assert_int_equal(xb_scope_expand_split(&vars, f->file, &word, &words, NULL), 0);
	assert_strv(&words, "a|b");
	xb_str_reset(&out);
	assert_int_equal(xb_scope_expand(&nothing, f->file, &word, &out, NULL), 0);
	assert_string_equal(xb_str_text(&out), "");
}

/* The same whether they are few, which are looked through, or many, which have an index. */
static void test_many_variables(void **state)
{
	xb_auto_vars struct xb_vars vars = { 0 };
	xb_auto_vars struct xb_vars copy = { 0 };

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 1000; i++) {
			xb_autofree char *name = xb_format("N%u", i);
			xb_autofree char *value = xb_format("%u=%u", i, round);

			assert_true((xb_vars_get(&vars, xb_view(name)) == NULL) == (round == 0));
			xb_vars_set(&vars, xb_view(name), xb_view(value));
			assert_string_equal(xb_vars_get(&vars, xb_view(name)), value);
			assert_null(xb_vars_get(&vars, xb_view("N")));
		}
	}
	assert_int_equal(vars.items.len, 1000);
	assert_string_equal(vars.items.items[999], "N999=999=1");
	assert_null(xb_vars_get(&vars, XB_VIEW("N999=999")));
	xb_vars_set_all(&copy, &vars.items);
	assert_true(xb_strv_eq(&copy.items, &vars.items));
}

static void assert_path(char *path, const char *expected)
{
	assert_string_equal(path, expected);
	free(path);
}

static void test_paths(void **state)
{
	static const struct {
		const char *base;
		const char *path;
		const char *clean;
		const char *destination;
	} cases[] = {
		{ "/", "", "/", "/" },
		{ "/", ".", "/", "/" },
		{ "/", "a", "/a", "/a" },
		{ "/", "a/", "/a", "/a/" },
		{ "/w", "", "/w", "/w/" },
		{ "/w", ".", "/w", "/w/" },
		{ "/w", "./", "/w", "/w/" },
		{ "/w", "a/.", "/w/a", "/w/a/" },
		{ "/w", "a/..", "/w", "/w" },
		{ "/w", "..", "/", "/" },
		{ "/w/x", "..", "/w", "/w" },
		{ "/w", "../../../etc/passwd", "/etc/passwd", "/etc/passwd" },
		{ "/w", "/../..//etc/./passwd/", "/etc/passwd", "/etc/passwd/" },
		{ "/w", "//a///b", "/a/b", "/a/b" },
		{ "/w", "a/../b", "/w/b", "/w/b" },
		{ "/w", "...", "/w/...", "/w/..." },
		{ "/w", "a..", "/w/a..", "/w/a.." },
		{ "/w", ".a", "/w/.a", "/w/.a" },
		{ "/w", " a ", "/w/ a ", "/w/ a " },
		{ "", "a", "/a", "/a" },
		{ "w", "a", "/w/a", "/w/a" },
		{ "/w/../v", "a", "/v/a", "/v/a" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		assert_path(xb_plan_path(cases[i].base, cases[i].path), cases[i].clean);
		assert_path(xb_plan_destination(cases[i].base, cases[i].path),
			    cases[i].destination);
		/* a clean path stays as it is */
		assert_path(xb_plan_path("/else", cases[i].clean), cases[i].clean);
		assert_path(xb_plan_destination("/else", cases[i].destination),
			    cases[i].destination);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_global_argument),
		plan_test(test_defaults),
		plan_test(test_declared_twice),
		plan_test(test_scope_of_an_argument),
		plan_test(test_automatic_arguments),
		plan_test(test_automatic_arguments_given),
		plan_test(test_stage_argument),
		plan_test(test_shadowed_automatic_arguments),
		plan_test(test_the_later_of_env_and_arg),
		plan_test(test_env_sees_what_was_before),
		plan_test(test_env_of_a_run),
		plan_test(test_words_that_are_expanded),
		plan_test(test_errors_of_expansion),
		plan_test(test_unused_build_argument),
		plan_test(test_proxies),
		plan_test(test_scope_lookup),
		plan_test(test_many_variables),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
