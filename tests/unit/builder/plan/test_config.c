/* SPDX-License-Identifier: Apache-2.0 */
/* What instructions make of an image's config and of its history. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/plan/fixture.h"

/* The config of the only target of `text`. */
static const struct xb_image_config *config_for(struct fixture *f, const char *text)
{
	return config_of(plan_of(f, text));
}

static void test_inherited(void **state)
{
	struct fixture *f = *state;
	const struct xb_image_config *c;

	f->base_config = "{\"User\":\"me\",\"WorkingDir\":\"/srv\",\"Env\":[\"A=1\"],"
			 "\"Entrypoint\":[\"/e\"],\"Cmd\":[\"c\"],\"Labels\":{\"l\":\"1\"},"
			 "\"ExposedPorts\":{\"1/tcp\":{}},\"Volumes\":{\"/v\":{}},"
			 "\"StopSignal\":\"SIGINT\",\"Shell\":[\"/bin/bash\",\"-c\"],"
			 "\"Healthcheck\":{\"Test\":[\"CMD\",\"h\"]}}";
	c = config_for(f, "FROM base AS b\nRUN x\nFROM b\nRUN y\n");
	assert_string_equal(c->user, "me");
	assert_string_equal(c->working_dir, "/srv");
	/* a PATH is always there */
	assert_strv(&c->env,
		    "A=1|PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_strv(&c->entrypoint, "/e");
	assert_strv(&c->cmd, "c");
	assert_string_equal(xb_annotations_get(&c->labels, "l"), "1");
	assert_strv(&c->exposed_ports, "1/tcp");
	assert_strv(&c->volumes, "/v");
	assert_string_equal(c->stop_signal, "SIGINT");
	assert_strv(&c->healthcheck.test, "CMD|h");
	/* and what they mean for a step */
	assert_list(step_of(f->plan, "RUN x")->run.argv, "/bin/bash|-c|x");
	assert_string_equal(step_of(f->plan, "RUN y")->run.cwd, "/srv");
	assert_string_equal(step_of(f->plan, "RUN y")->run.user, "me");
	assert_list(step_of(f->plan, "RUN y")->run.env,
		    "A=1|PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
}

static void test_from_scratch(void **state)
{
	struct fixture *f = *state;
	const struct xb_image_config *c = config_for(f, "FROM scratch\nCOPY a /\n");

	assert_string_equal(c->working_dir, "/");
	assert_strv(&c->env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	assert_string_equal(c->platform.os, "linux");
	assert_string_equal(c->platform.arch, "amd64");
	assert_false(c->has_cmd);
	assert_int_equal(c->history.len, 0);
}

/* A new ENTRYPOINT takes no arguments from the base's CMD, but from one of its own stage. */
static void test_entrypoint_and_cmd(void **state)
{
	static const struct {
		const char *text;
		const char *entrypoint; /* NULL: none */
		const char *cmd;
	} cases[] = {
		{ "FROM base\n", "/base", "basecmd" },
		{ "FROM base\nENTRYPOINT [\"/new\"]\n", "/new", NULL },
		{ "FROM base\nENTRYPOINT [\"/new\"]\nCMD [\"c\"]\n", "/new", "c" },
		{ "FROM base\nCMD [\"c\"]\nENTRYPOINT [\"/new\"]\n", "/new", "c" },
		{ "FROM base\nCMD [\"c\"]\n", "/base", "c" },
		{ "FROM base AS a\nCMD [\"c\"]\nFROM a\nENTRYPOINT [\"/new\"]\n", "/new", NULL },
		{ "FROM base\nENTRYPOINT []\n", "", NULL },
		{ "FROM base\nENTRYPOINT [\"/new\"]\nCMD []\n", "/new", "" },
		{ "FROM base\nENTRYPOINT top -b\n", "/bin/sh|-c|top -b", NULL },
		{ "FROM base\nSHELL [\"/bin/ksh\", \"-ec\"]\nCMD top  -b\n", "/base",
		  "/bin/ksh|-ec|top  -b" },
		{ "FROM base\nCMD a\nCMD b\n", "/base", "/bin/sh|-c|b" },
	};
	struct fixture *f = *state;

	f->base_config = "{\"Entrypoint\":[\"/base\"],\"Cmd\":[\"basecmd\"]}";
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		const struct xb_image_config *c = config_for(f, cases[i].text);

		assert_int_equal(c->has_entrypoint, cases[i].entrypoint != NULL);
		assert_int_equal(c->has_cmd, cases[i].cmd != NULL);
		assert_strv(&c->entrypoint, cases[i].entrypoint != NULL ? cases[i].entrypoint : "");
		assert_strv(&c->cmd, cases[i].cmd != NULL ? cases[i].cmd : "");
	}
}

static void test_workdir(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	f->base_config = "{\"WorkingDir\":\"/base\"}";
	plan = plan_of(f, "FROM base\nWORKDIR a\nRUN one\nUSER 5\nWORKDIR ../b//c/\nRUN two\n"
			  "WORKDIR /x\nCOPY f g/\n");
	assert_string_equal(config_of(plan)->working_dir, "/x");
	assert_string_equal(step_of(plan, "RUN one")->run.cwd, "/base/a");
	assert_string_equal(step_of(plan, "RUN two")->run.cwd, "/base/b/c");
	assert_string_equal(step_of(plan, "WORKDIR a")->workdir.path, "/base/a");
	assert_string_equal(step_of(plan, "WORKDIR a")->workdir.user, "");
	assert_string_equal(step_of(plan, "WORKDIR ../b")->workdir.user, "5");
	assert_string_equal(step_of(plan, "COPY")->copy.destination, "/x/g/");
	/* the root is there already: no layer */
	plan = plan_of(f, "FROM base\nWORKDIR /\nRUN x\n");
	assert_string_equal(config_of(plan)->working_dir, "/");
	assert_int_equal(plan->step_count, 2);
	assert_string_equal(plan->targets[0].history[0].created_by, "WORKDIR /");
	assert_true(plan->targets[0].history[0].step == XB_STEP_NONE);
}

static void test_user(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM base\nUSER me:us\nRUN x\nUSER 0\nRUN y\n");

	assert_string_equal(step_of(plan, "RUN x")->run.user, "me:us");
	assert_string_equal(step_of(plan, "RUN y")->run.user, "0");
	assert_string_equal(config_of(plan)->user, "0");
}

static void test_shell(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM base AS a\nSHELL [\"/bin/bash\",\"-o\",\"pipefail\",\"-c\"]\n"
			   "RUN a | b\nRUN [\"/bin/c\", \"d e\"]\n"
			   "FROM a\nRUN f\n");

	assert_list(step_of(plan, "RUN a")->run.argv, "/bin/bash|-o|pipefail|-c|a | b");
	assert_list(step_of(plan, "RUN [")->run.argv, "/bin/c|d e");
	assert_list(step_of(plan, "RUN f")->run.argv, "/bin/bash|-o|pipefail|-c|f");
	assert_strv(&config_of(plan)->shell, "/bin/bash|-o|pipefail|-c");
	/* the shell form without a command is the empty command */
	plan = plan_of(f, "FROM base\nRUN\n");
	assert_list(step_of(plan, "RUN")->run.argv, "/bin/sh|-c|");
}

static void test_sets(void **state)
{
	struct fixture *f = *state;
	const struct xb_image_config *c =
		config_for(f, "FROM base\nEXPOSE 80 53/UDP 8000-8002\nEXPOSE 80/tcp\n"
			      "VOLUME /a /b\nVOLUME [\" /c d\\t\"]\nVOLUME /a\n"
			      "LABEL a=1 b=\"two words\"\nLABEL a=3\nSTOPSIGNAL SIGTERM\n"
			      "MAINTAINER Some Body <a@b>\n");

	assert_strv(&c->exposed_ports, "53/udp|80/tcp|8000/tcp|8001/tcp|8002/tcp");
	assert_strv(&c->volumes, "/a|/b|/c d");
	assert_string_equal(xb_annotations_get(&c->labels, "a"), "3");
	assert_string_equal(xb_annotations_get(&c->labels, "b"), "two words");
	assert_string_equal(c->stop_signal, "SIGTERM");
	assert_string_equal(c->author, "Some Body <a@b>");
}

static void test_labels_of_the_command_line(void **state)
{
	struct fixture *f = *state;
	const struct xb_image_config *c;

	xb_strv_push(&f->labels, "a=given");
	xb_strv_push(&f->labels, "c=x=y");
	c = config_for(f, "FROM base\nLABEL a=1 b=2\n");
	assert_string_equal(xb_annotations_get(&c->labels, "a"), "given");
	assert_string_equal(xb_annotations_get(&c->labels, "b"), "2");
	assert_string_equal(xb_annotations_get(&c->labels, "c"), "x=y");
}

static void test_healthcheck(void **state)
{
	struct fixture *f = *state;
	const struct xb_image_config *c =
		config_for(f, "FROM base\nHEALTHCHECK --interval=5m --timeout=3s --retries=2 "
			      "--start-period=1s --start-interval=2s CMD curl -f x || exit 1\n");

	assert_true(c->has_healthcheck);
	assert_strv(&c->healthcheck.test, "CMD-SHELL|curl -f x || exit 1");
	assert_true(c->healthcheck.interval == 300000000000ULL);
	assert_true(c->healthcheck.timeout == 3000000000ULL);
	assert_true(c->healthcheck.start_period == 1000000000ULL);
	assert_true(c->healthcheck.start_interval == 2000000000ULL);
	assert_true(c->healthcheck.retries == 2);
	c = config_for(f,
		       "FROM base\nHEALTHCHECK --retries=2 CMD x\nHEALTHCHECK CMD [\"a\",\"b\"]\n");
	assert_strv(&c->healthcheck.test, "CMD|a|b");
	assert_true(c->healthcheck.retries == 0);
	c = config_for(f, "FROM base\nHEALTHCHECK NONE\n");
	assert_strv(&c->healthcheck.test, "NONE");
}

/* What the platform of an image is, its index says too: a variant that only was implied is named.
 */
static void test_platform_of_the_config(void **state)
{
	struct fixture *f = *state;
	const struct xb_image_config *c;

	set_platforms(f, "linux/arm/v7");
	c = config_for(f, "FROM base\nCOPY a /\n");
	assert_string_equal(c->platform.arch, "arm");
	assert_string_equal(c->platform.variant, "v7");
	c = config_for(f, "FROM scratch\nCOPY a /\n");
	assert_string_equal(c->platform.variant, "v7");
}

static void test_history(void **state)
{
	static const struct {
		const char *created_by;
		bool layer;
	} expected[] = {
		{ "ARG A=1 B", false },
		{ "ENV E=f g", false },
		{ "WORKDIR /w/x", true },
		{ "RUN |2 A=1 B= /bin/sh -c make  all # buildkit", true },
		{ "RUN |2 A=1 B= make all # buildkit", true },
		{ "COPY a b c/ # buildkit", true },
		{ "COPY --chown=1:2 --chmod=755 a /b # buildkit", true },
		{ "COPY a <<doc /c/ # buildkit", true },
		{ "ADD a /b # buildkit", true },
		{ "USER me", false },
		{ "EXPOSE [53/udp 80/tcp]", false },
		{ "VOLUME [/v]", false },
		{ "LABEL a=b c=d e", false },
		{ "STOPSIGNAL 9", false },
		{ "SHELL [/bin/bash -c]", false },
		{ "HEALTHCHECK {Test:[CMD-SHELL x] Interval:1h1m1.5s Timeout:20ms "
		  "StartPeriod:1m0s StartInterval:0s Retries:3}",
		  false },
		{ "HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s "
		  "StartInterval:0s Retries:0}",
		  false },
		{ "MAINTAINER me", false },
		{ "ENTRYPOINT [\"/a\" \"\\\"q\\\" \\\\ \\t\\x01 ä\"]", false },
		{ "CMD [\"/bin/bash\" \"-c\" \"b c\"]", false },
	};
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(
		f, "FROM base AS one\nARG A=1 B\nENV E=\"f g\"\nWORKDIR /w/x\nRUN make  all\n"
		   "RUN [\"make\", \"all\"]\n"
		   "FROM one\nCOPY a b c/\nCOPY --chown=1:2 --chmod=755 a /b\n"
		   "COPY --link a <<doc /c/\ntext\ndoc\nADD a /b\nUSER me\n"
		   "EXPOSE 80 53/udp\nVOLUME /v\nLABEL a=b c=\"d e\"\nSTOPSIGNAL 9\n"
		   "SHELL [\"/bin/bash\", \"-c\"]\n"
		   "HEALTHCHECK --interval=1h1m1.5s --timeout=20ms --start-period=60s --retries=3 "
		   "CMD x\nHEALTHCHECK NONE\nMAINTAINER me\n"
		   "ENTRYPOINT [\"/a\", \"\\\"q\\\" \\\\ \\t\\u0001 ä\"]\nCMD b c\n"
		   "ONBUILD RUN x\n");
	const struct xb_plan_target *t = &plan->targets[0];

	assert_int_equal(t->history_count, XB_COUNT(expected));
	for (size_t i = 0; i < XB_COUNT(expected); i++) {
		assert_string_equal(t->history[i].created_by, expected[i].created_by);
		assert_int_equal(t->history[i].step != XB_STEP_NONE, expected[i].layer);
	}
	/* the base's own is not repeated */
	assert_int_equal(t->config.history.len, 1);
}

/* There is an entry with a layer for each layer that is added, in their order. */
static void test_history_agrees_with_layers(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM base AS one\nRUN a\nENV x=y\nCOPY b /\n"
						"FROM one AS two\nWORKDIR /c\nRUN a\n"
						"FROM two\nADD d /\nCMD e\n");
	const struct xb_plan_target *t = &plan->targets[0];
	size_t tip = t->step;

	for (size_t i = t->history_count; i-- > 0;) {
		if (t->history[i].step == XB_STEP_NONE)
			continue;
		assert_int_equal(t->history[i].step, tip);
		tip = plan->steps[tip].parent;
	}
	assert_int_equal(plan->steps[tip].kind, XB_STEP_BASE);
}

/* A config is JSON: bytes that are no text cannot be in it. In a command they can. */
static void test_bytes_that_are_no_text(void **state)
{
	static const char *const texts[] = {
		"ENV A=\xff\n", "LABEL \xff=a\n", "VOLUME /\xff\n",    "WORKDIR /\xff\n",
		"USER \xff\n",	"CMD \xff\n",	  "ENTRYPOINT \xff\n", "HEALTHCHECK CMD \xff\n",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		xb_autofree char *text = xb_format("FROM base\n%s", texts[i]);

		plan_fails(f, text, "Dockerfile:2:1: this is not UTF-8", XB_FAULT_SOURCE);
	}
	xb_strv_push(&f->args, "A=\xff");
	plan_fails(f, "FROM base\nARG A\nVOLUME /$A\n", "Dockerfile:3:1: this is not UTF-8",
		   XB_FAULT_SOURCE);
	(void)plan_of(f, "FROM base\nARG A\nRUN printf '\xff'\nCOPY \xff /\n");
	xb_strv_push(&f->labels, "\xff=a");
	plan_fails(f, "FROM base\n", "--label", XB_FAULT_USAGE);
}

static void test_titles(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(
		f, "FROM base AS app\nENV a=b\nRUN one \\\n  two\nRUN printf '\x1b[31m\xff'\n"
		   "RUN x\xc3\xa9"
		   "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
		   "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\xc3\xa9\xc3\xa9\xc3\xa9\n");

	assert_string_equal(plan->steps[0].title, "[linux/amd64 app] FROM base");
	assert_string_equal(plan->steps[1].title, "[linux/amd64 app 2/4] RUN one   two");
	/* nothing of a Dockerfile moves a terminal's cursor */
	assert_string_equal(plan->steps[2].title,
			    "[linux/amd64 app 3/4] RUN printf '\\x1b[31m\\xff'");
	/* a long one is cut between characters */
	assert_non_null(strstr(plan->steps[3].title, "…"));
	assert_null(strstr(plan->steps[3].title, "\\x"));
	assert_true(strlen(plan->steps[3].title) < 160);
	plan = plan_of(f, "FROM base AS app\nCOPY --from=a\x1b[1m / /\n");
	assert_null(strchr(plan->steps[1].title, '\x1b'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_inherited),
		plan_test(test_from_scratch),
		plan_test(test_entrypoint_and_cmd),
		plan_test(test_workdir),
		plan_test(test_user),
		plan_test(test_shell),
		plan_test(test_sets),
		plan_test(test_labels_of_the_command_line),
		plan_test(test_healthcheck),
		plan_test(test_platform_of_the_config),
		plan_test(test_history),
		plan_test(test_history_agrees_with_layers),
		plan_test(test_bytes_that_are_no_text),
		plan_test(test_titles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
