/* SPDX-License-Identifier: Apache-2.0 */
/* What comes from elsewhere: ADD of URLs and git repositories, named contexts, SOURCE_DATE_EPOCH.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/plan/fetch.h"
#include "tests/unit/builder/plan/fixture.h"

#define SHA "sha256:d0b425e00e15a0d36b9b361f02bab63563aed6cb4665083905386c55d5b679fa"

static void test_names(void **state)
{
	static const struct {
		const char *url;
		const char *name;
	} cases[] = {
		{ "https://h/a/b.tar.gz", "b.tar.gz" }, { "https://h/a/", "a" },
		{ "https://h/a%20b?c=/d#/e", "a b" },	{ "https://h/a%2Fb", "b" },
		{ "https://h", "__unnamed__" },		{ "https://h/", "__unnamed__" },
		{ "https://h//", "__unnamed__" },	{ "https://h?x=/y", "__unnamed__" },
		{ "https://h/..", "__unnamed__" },	{ "https://h/%2e%2E", "__unnamed__" },
		{ "https://h/a%0", "__unnamed__" },	{ "https://h/a%00b", "__unnamed__" },
		{ "https://h/a%zz", "__unnamed__" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *name = xb_fetch_file_name(cases[i].url);

		assert_string_equal(name, cases[i].name);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		const char *source;
		enum xb_source_form form;
	} cases[] = {
		{ "https://h/x", XB_FORM_FILE },
		{ "http://h/x.git/y", XB_FORM_FILE },
		{ "https://h/x.git", XB_FORM_GIT },
		{ "git@h:x", XB_FORM_GIT },
		{ "ssh://h/x", XB_FORM_GIT },
		{ "git://h/x", XB_FORM_GIT },
		{ "github.com/a/b", XB_FORM_PATH },
		{ "x.git", XB_FORM_PATH },
		{ "dir/https://h/x", XB_FORM_PATH },
		{ "HTTPS://h/x", XB_FORM_PATH },
		{ "", XB_FORM_PATH },
		{ "ftp://h/x", XB_FORM_PATH },
	};

	enum xb_source_form form = XB_FORM_PATH;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {

		assert_int_equal(xb_source_form_of(cases[i].source, &form, NULL), 0);
		if (form != cases[i].form)
			fail_msg("%s", cases[i].source);
	}
	assert_int_equal(xb_source_context_form("github.com/a/b", &form, NULL), 0);
	assert_int_equal(form, XB_FORM_GIT);
	assert_int_equal(xb_source_context_form("https://h/x", &form, NULL), 0);
	assert_int_equal(form, XB_FORM_FILE);
	assert_int_equal(xb_source_context_form("./x", &form, NULL), 0);
	assert_int_equal(form, XB_FORM_PATH);
}

/* The order of the sources is kept, and what they say is what the step says. */
static void test_add(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM scratch\nARG H=https://u:pw@example.com\n"
						"ADD a $H/x.tar b ${H}/r.git#v1:sub /dest/\n");
	const struct xb_step *add = step_of(plan, "ADD a");
	const struct xb_step *file = &plan->steps[xb_step_input(add, 2)];
	const struct xb_step *git = &plan->steps[xb_step_input(add, 3)];

	assert_int_equal(plan->step_count, 3);
	assert_int_equal(xb_step_input_count(add), 4);
	assert_list(add->copy.sources, "a|b");
	assert_int_equal(add->copy.fetch_count, 2);
	assert_int_equal(add->copy.fetches[0].before, 1);
	assert_int_equal(add->copy.fetches[1].before, 2);
	assert_string_equal(add->copy.fetches[0].path, "x.tar");
	assert_string_equal(add->copy.fetches[1].path, ".");
	assert_true(add->copy.unpack);
	assert_false(add->copy.fetches[0].unpack);
	assert_int_equal(file->kind, XB_STEP_FETCH);
	assert_string_equal(file->fetch.url, "https://u:pw@example.com/x.tar");
	assert_string_equal(file->fetch.name, "x.tar");
	assert_false(file->fetch.git);
	assert_true(git->fetch.git);
	assert_int_equal(git->fetch.keep_git_dir, XB_GIT_UNSAID);
	assert_string_equal(plan->targets[0].history[1].created_by,
			    "ADD a https://example.com/x.tar b "
			    "https://example.com/r.git#v1:sub /dest/ # buildkit");
}

/* Passwords are in the URLs that are fetched and nowhere else. */
static void test_credentials(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM away-git\n"
						"ADD https://u:hush@example.com/x.tar /\n");
	xb_auto_json json_t *json = xb_plan_to_json(plan);
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_json_write(json, &text, NULL), 0);
	xb_plan_print(plan, &text);
	assert_null(strstr(xb_str_text(&text), "hush"));
	assert_null(strstr(xb_str_text(&text), "u:pw"));
	assert_non_null(strstr(xb_str_text(&text), "https://example.com/x.tar"));
	for (size_t i = 0; i < plan->targets[0].history_count; i++)
		assert_null(strstr(plan->targets[0].history[i].created_by, "hush"));
}

static void test_unpack(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM scratch\nADD --unpack=true https://h/x a /d/\n"
			   "ADD --unpack=false https://h/y a /d/\n");

	assert_true(step_of(plan, "ADD --unpack=true")->copy.fetches[0].unpack);
	assert_true(step_of(plan, "ADD --unpack=true")->copy.unpack);
	assert_false(step_of(plan, "ADD --unpack=false")->copy.fetches[0].unpack);
	assert_false(step_of(plan, "ADD --unpack=false")->copy.unpack);
}

/* One fetch, whoever needs it; another checksum is another fetch. */
static void test_equal_fetches_once(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	set_platforms(f, "linux/amd64,linux/arm64");
	plan = plan_of(f, "FROM base AS a\nADD https://h/x /\n"
			  "FROM base\nADD https://h/x /y\nCOPY --from=a /x /\n");
	assert_int_equal(count_steps(plan, "fetch https://h/x"), 1);
	assert_int_equal(count_steps(plan, "ADD"), 4);
	plan = plan_of(f, "FROM base\nADD https://h/x /\nADD --checksum=" SHA " https://h/x /\n");
	assert_int_equal(count_steps(plan, "fetch https://h/x"), 2);
}

static void test_flags_of_add(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan =
		plan_of(f, "FROM scratch\nENV D=" SHA "\nADD --checksum=$D https://h/x /\n"
			   "ADD --keep-git-dir --checksum=0123abc https://h/r.git /\n"
			   "ADD --keep-git-dir=false https://h/s.git /\n");

	assert_string_equal(step_of(plan, "fetch https://h/x")->fetch.checksum, SHA);
	assert_string_equal(step_of(plan, "fetch https://h/r.git")->fetch.checksum, "0123abc");
	assert_int_equal(step_of(plan, "fetch https://h/r.git")->fetch.keep_git_dir, XB_GIT_ON);
	assert_int_equal(step_of(plan, "fetch https://h/s.git")->fetch.keep_git_dir, XB_GIT_OFF);
}

static void test_bad_sources(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "COPY https://h/x /", "Dockerfile:2:6: COPY takes no source" },
		{ "COPY git@h:x /", "Dockerfile:2:6: COPY takes no source" },
		{ "ADD --checksum=md5:00 https://h/x /", "Dockerfile:2:5: \"md5:00\" is not a d" },
		{ "ADD --checksum=sha256:00 https://h/x /", "Dockerfile:2:5: " },
		{ "ADD --checksum=" SHA " https://h/r.git /", "Dockerfile:2:5: " },
		{ "ADD --checksum=" SHA " https://h/x https://h/y /", "Dockerfile:2:5: --checks" },
		{ "ADD --checksum=" SHA " https://h/x y /", "Dockerfile:2:5: --checksum is for" },
		{ "ADD --checksum=" SHA " y /", "Dockerfile:2:5: --checksum is for" },
		{ "ADD --keep-git-dir https://h/r.git?keep-git-dir=0 /",
		  "Dockerfile:2:20: --keep-git-dir is other" },
		{ "ADD --checksum=00 https://h/r.git?checksum=11 /",
		  "Dockerfile:2:19: --checksum=00 is other" },
		{ "ADD https://h/r.git?nonsense=1 /", "Dockerfile:2:5: " },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *text = xb_format("FROM scratch\n%s\n", cases[i].text);

		plan_fails(f, text, cases[i].message, XB_FAULT_SOURCE);
	}
}

/* A named context that is elsewhere is fetched by a step, if anything needs it. */
static void test_named_contexts(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan = plan_of(f, "FROM away\nCOPY --from=away-git x /\n"
						"RUN --mount=from=away,target=/m true\n");
	const struct xb_step *from = step_of(plan, "FROM away");
	const struct xb_step *copy = step_of(plan, "COPY --from=away-git");
	const struct xb_step *run = step_of(plan, "RUN");
	const struct xb_step *tar = step_of(plan, "fetch https://example.com/away.tar");
	const struct xb_step *git = step_of(plan, "fetch https://example.com/r.git#main");

	assert_ptr_equal(&plan->steps[xb_step_input(from, 1)], tar);
	assert_list(from->copy.sources, ".");
	assert_ptr_equal(&plan->steps[xb_step_input(copy, 1)], git);
	assert_ptr_equal(&plan->steps[xb_step_input(run, 1)], tar);
	assert_string_equal(tar->fetch.name, "context");
	assert_true(git->fetch.git);
	plan = plan_of(f, "FROM away AS unused\nFROM base\n");
	assert_int_equal(count_steps(plan, "fetch"), 0);
}

/* ---- SOURCE_DATE_EPOCH --------------------------------------------------------------------- */

static void test_epoch_of_the_context(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	xb_strv_push(&f->args, "SOURCE_DATE_EPOCH=context");
	f->context_time = 77;
	plan = plan_of(f, "FROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n");
	assert_int_equal(plan->epoch, 77);
	/* what a step sees is the number */
	assert_string_equal(env_of(step_of(plan, "RUN"), "SOURCE_DATE_EPOCH"), "77");
	/* a directory has no time: the argument is as if it had not been given */
	f->context_time = -1;
	plan = plan_of(f, "FROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n");
	assert_int_equal(plan->epoch, -1);
	assert_non_null(strstr(step_of(plan, "RUN")->run.env[0], "PATH="));
}

static void test_epoch_of_a_named_context(void **state)
{
	struct fixture *f = *state;

	f->time = 88;
	assert_int_equal(plan_of(f, "ARG SOURCE_DATE_EPOCH=away\nFROM base\n")->epoch, 88);
	assert_string_equal(f->timed, "http https://example.com/away.tar");
	assert_int_equal(plan_of(f, "ARG SOURCE_DATE_EPOCH=away-git\nFROM base\n")->epoch, 88);
	assert_string_equal(f->timed, "git https://u:pw@example.com/r.git#main");
	/* neither a directory nor an image has one */
	assert_int_equal(plan_of(f, "ARG SOURCE_DATE_EPOCH=dir\nFROM base\n")->epoch, -1);
	assert_int_equal(plan_of(f, "ARG SOURCE_DATE_EPOCH=given\nFROM base\n")->epoch, -1);
}

static void test_epoch_of_a_stage(void **state)
{
	struct fixture *f = *state;
	const struct xb_plan *plan;

	f->time = 99;
	plan = plan_of(f, "ARG SOURCE_DATE_EPOCH=Src\nARG B=scratch\n"
			  "FROM $B AS src\nARG V=1\nADD --checksum=" SHA " https://h/x-$V.tar /\n"
			  "FROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n");
	assert_int_equal(plan->epoch, 99);
	assert_string_equal(f->timed, "http https://h/x-1.tar");
	assert_string_equal(env_of(step_of(plan, "RUN"), "SOURCE_DATE_EPOCH"), "99");
	/* a file without a time leaves it unset */
	f->time = -1;
	plan = plan_of(f, "ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD git@h:r /\n"
			  "FROM base\nARG SOURCE_DATE_EPOCH\nRUN x\n");
	assert_int_equal(plan->epoch, -1);
	assert_string_equal(f->timed, "git git@h:r");
	assert_non_null(strstr(step_of(plan, "RUN")->run.env[0], "PATH="));
	/* --build-arg wins, and then nobody asks for anything */
	f->timed[0] = '\0';
	xb_strv_push(&f->args, "SOURCE_DATE_EPOCH=5");
	plan = plan_of(f, "ARG SOURCE_DATE_EPOCH=src\nFROM scratch AS src\nADD git@h:r /\n"
			  "FROM base\n");
	assert_int_equal(plan->epoch, 5);
	assert_string_equal(f->timed, "");
}

static void test_epoch_of_unfit_stages(void **state)
{
	static const struct {
		const char *stage;
		const char *message;
	} cases[] = {
		{ "FROM base AS s\nADD git@h:r /", "Dockerfile:2:1: the stage that" },
		{ "FROM scratch AS s\nCOPY a /", "Dockerfile:3:1: the stage that" },
		{ "FROM scratch AS s", "Dockerfile:2:1: the stage that" },
		{ "FROM scratch AS s\nADD a /", "Dockerfile:3:5: the stage that" },
		{ "FROM scratch AS s\nADD git@h:r git@h:s /", "Dockerfile:3:1: the stage that" },
		{ "FROM scratch AS s\nADD git@h:r /\nADD git@h:s /", "Dockerfile:4:1: the stage" },
		{ "FROM scratch AS s\nADD --checksum=1 https://h/x /", "Dockerfile:3:5: \"1\"" },
		{ "FROM scratch AS other", "Dockerfile:1:23: invalid SOURCE_DATE_EPOCH: s" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *text =
			xb_format("ARG SOURCE_DATE_EPOCH=s\n%s\nFROM base\n", cases[i].stage);

		plan_fails(f, text, cases[i].message, XB_FAULT_SOURCE);
	}
	f->time = -2;
	plan_fails(f, "ARG SOURCE_DATE_EPOCH=s\nFROM scratch AS s\nADD git@h:r /\nFROM base\n",
		   "no such host", XB_FAULT_REGISTRY);
	xb_strv_push(&f->args, "SOURCE_DATE_EPOCH=soon");
	plan_fails(f, "FROM base\n", "invalid SOURCE_DATE_EPOCH: soon", XB_FAULT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_kinds),
		plan_test(test_add),
		plan_test(test_credentials),
		plan_test(test_unpack),
		plan_test(test_equal_fetches_once),
		plan_test(test_flags_of_add),
		plan_test(test_bad_sources),
		plan_test(test_named_contexts),
		plan_test(test_epoch_of_the_context),
		plan_test(test_epoch_of_a_named_context),
		plan_test(test_epoch_of_a_stage),
		plan_test(test_epoch_of_unfit_stages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
