/* SPDX-License-Identifier: Apache-2.0 */
/* Which sources are git repositories and what they say: BuildKit's vectors, and hostile ones. */
#include "builder/dockerfile/giturl.h"
#include "tests/unit/builder/dockerfile/data.h"
#include "tests/unit/corpora.h"

static const char *text_or_empty(const char *text)
{
	return text != NULL ? text : "";
}

/* A member that a vector may lack. */
static void check_text(const json_t *v, const char *key, const char *got)
{
	const char *want = data_string(v, key);

	if (strcmp(text_or_empty(want), text_or_empty(got)) != 0)
		fail_msg("%s: %s is \"%s\", not \"%s\"", data_string(v, "input"), key,
			 text_or_empty(got), text_or_empty(want));
}

static void check_parse(const json_t *v)
{
	static const char *const mtimes[] = { "", "checkout", "commit" };
	xb_auto_git_url struct xb_git_url url = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	const char *input = data_string(v, "input");
	int r = xb_git_url_parse(input, &url, &err);

	if (data_string(v, "error") != NULL) {
		assert_int_equal(r, -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		return;
	}
	if (r != json_is_true(json_object_get(v, "git")))
		fail_msg("%s: %d %s", input, r, text_or_empty(err.message));
	if (r == 0)
		return;
	check_text(v, "remote", url.remote);
	check_text(v, "shortName", url.name);
	check_text(v, "ref", url.ref);
	check_text(v, "subDir", url.subdir);
	check_text(v, "checksum", url.commit);
	check_text(v, "mTime", mtimes[url.mtime]);
	assert_int_equal(url.local_like,
			 json_is_true(json_object_get(v, "indistinguishableFromLocal")));
	assert_int_equal(url.fetch_by_commit, json_is_true(json_object_get(v, "fetchByCommit")));
}

static void check_fragment(const json_t *v)
{
	/* a vector does not say which of both ways it was made */
	const char *input = data_string(v, "input");
	const char *want = data_string(v, "fragment_form");
	bool fits = false;

	for (int with_subdir = 0; with_subdir < 2; with_subdir++) {
		xb_auto_str struct xb_str got = XB_STR_INIT(XB_STR_OWN);

		assert_int_equal(xb_git_url_fragment(input, with_subdir != 0, &got),
				 json_is_true(json_object_get(v, "is_git")));
		fits = fits || strcmp(xb_str_text(&got), want) == 0;
	}
	if (!fits)
		fail_msg("%s is not %s", input, want);
}

static void check_url(const json_t *v)
{
	xb_auto_git_address struct xb_git_address a = { 0 };
	const json_t *opts = json_object_get(v, "opts");

	if (json_is_true(json_object_get(v, "error"))) {
		assert_true(xb_git_address_parse(data_string(v, "input"), &a, NULL) <= 0);
		return;
	}
	assert_int_equal(xb_git_address_parse(data_string(v, "input"), &a, NULL), 1);
	check_text(v, "scheme", xb_git_scheme_name(a.scheme));
	check_text(v, "host", a.host);
	check_text(v, "path", a.path);
	if (opts != NULL) {
		xb_autofree char *fragment =
			xb_format("%s:%s", data_string(opts, "Ref"), data_string(opts, "Subdir"));

		assert_string_equal(a.fragment, fragment);
	}
}

static void check_commit(const json_t *v)
{
	assert_int_equal(xb_git_is_commit(xb_view(data_string(v, "input"))),
			 json_is_true(json_object_get(v, "is_sha")));
}

static void test_vectors(void **state)
{
	static const struct {
		const char *kind;
		void (*check)(const json_t *v);
	} kinds[] = {
		{ "parse", check_parse },
		{ "to-fragment", check_fragment },
		{ "url", check_url },
		{ "commit-sha", check_commit },
	};
	xb_auto_json json_t *vectors = corpora_vectors("git-urls");
	size_t done = 0, i;
	json_t *v;

	(void)state;
	json_array_foreach(vectors, i, v)
	{
		for (size_t k = 0; k < XB_COUNT(kinds); k++) {
			if (strcmp(data_string(v, "kind"), kinds[k].kind) != 0)
				continue;
			kinds[k].check(v);
			done++;
		}
	}
	assert_true(done > 40);
	assert_int_equal(done, json_array_size(vectors));
}

static void test_what_is_git(void **state)
{
	static const struct {
		const char *text;
		int is;
	} examples[] = {
		{ "http://127.0.0.1:80/.git", 1 },
		{ "HTTPS://example.com/a.git", 1 },
		{ "https://example.com/a%2egit", 1 },
		{ "https://example.com/a.git?ref=x#x", 1 },
		{ "https://example.com/a.gitx", 0 },
		{ "https://example.com/a?x=.git", 0 },
		{ "https://example.com/#a.git", 0 },
		{ "https://ex ample.com/file", 0 },
		{ "https://ex ample.com/file.git", -EINVAL },
		{ "git://example.com/anything", 1 },
		{ "ssh://git@[::1]:22/x", 1 },
		{ "ssh://git@host:notaport/x", -EINVAL },
		{ "me@host:x", 1 },
		{ "me@host:", 1 },
		{ "me@host", 0 },
		{ "me@ho_st:x", 0 },
		{ "a/me@host:x", 0 },
		{ "file:///etc", 0 },
		{ "ext::sh -c touch", 0 },
		{ "./me@host:x", 0 },
		{ "--upload-pack=touch", 0 },
		{ "github.com/a/b", 1 },
		{ "github.com", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_git_url struct xb_git_url url = { 0 };
		int r = xb_git_url_parse(examples[i].text, &url, NULL);

		if (r != examples[i].is)
			fail_msg("%s: %d", examples[i].text, r);
	}
}

static void test_hostile(void **state)
{
	static const char *const examples[] = {
		"git://-oProxyCommand=x/y",
		"ssh://-oProxyCommand=x/y",
		"ssh://-x@host/y",
		"-x@host:y",
		"me@-host:y",
		"me@host:--upload-pack=x",
		"https://host/a.git#--upload-pack=touch",
		"https://host/a.git#-c x",
		"https://host/a.git?ref=-x",
		"https://host/a.git?ref=%0a",
		"https://host/a.git#%00",
		"https://host/a%0d.git",
		"https://host/a\n.git",
		"https://host/a\x1b[31m.git",
		"git://ho\x01st/a",
		"me@host:a\tb",
		"https://ho$st/a.git",
		"https:///a.git",
		"https://host:99999/a.git",
		"https://[::1/a.git",
		"https://[]/a.git",
		"https://host/a%2.git",
		"https://%zz@host/a.git",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_git_url struct xb_git_url url = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = xb_git_url_parse(examples[i], &url, &err);

		if (r != -EINVAL || err.fault != XB_FAULT_SOURCE || err.message == NULL)
			fail_msg("%s: %d", examples[i], r);
	}
}

static void test_queries(void **state)
{
	static const struct {
		const char *query;
		const char *error; /* part of it; NULL: it is right */
	} examples[] = {
		{ "?", NULL },
		{ "?&&", NULL },
		{ "?tag=a&ref=refs/tags/a#refs/tags/a", NULL },
		{ "?tag=refs/tags/a", NULL },
		{ "?subdir=x#:x", NULL },
		{ "?commit=ab&checksum=ab", NULL },
		{ "?keep-git-dir=F&submodules=True&fetch-by-commit", NULL },
		{ "?tag=a#b", "ref conflicts" },
		{ "?branch=a#refs/tags/a", "ref conflicts" },
		{ "?ref=a#b", "ref conflicts" },
		{ "?subdir=x#:y", "subdir conflicts" },
		{ "?commit=ab&checksum=cd", "commit conflicts" },
		{ "?ref=a&ref=a", "several values" },
		{ "?ref=", "no value" },
		{ "?tag", "no value" },
		{ "?=a", "unexpected query" },
		{ "?keep-git-dir=yes", "neither true nor false" },
		{ "?ref=%g0", "escape" },
		{ "?ref=a;tag=b", "';'" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_autofree char *text = xb_format("https://host/a.git%s", examples[i].query);
		xb_auto_git_url struct xb_git_url url = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = xb_git_url_parse(text, &url, &err);

		if ((examples[i].error == NULL) != (r == 1) ||
		    (r < 0 && strstr(err.message, examples[i].error) == NULL))
			fail_msg("%s: %d %s", text, r, text_or_empty(err.message));
	}
}

static void test_parts(void **state)
{
	xb_auto_git_url struct xb_git_url url = { 0 };

	(void)state;
	assert_int_equal(xb_git_url_parse("HTTP://us%40er:p%3Aw@Host:8080/a b/c.git?submodules=0"
					  "#a%20b:/x/../y/./z/",
					  &url, NULL),
			 1);
	assert_int_equal(url.address.scheme, XB_GIT_HTTP);
	assert_string_equal(url.address.user, "us@er");
	assert_string_equal(url.address.password, "p:w");
	assert_string_equal(url.address.host, "Host:8080");
	assert_string_equal(url.address.path, "/a b/c.git");
	assert_string_equal(url.remote, "http://us%40er:p%3Aw@Host:8080/a%20b/c.git");
	assert_string_equal(url.ref, "a b");
	assert_string_equal(url.subdir, "y/z");
	assert_int_equal(url.submodules, XB_GIT_OFF);
	assert_true(url.unencrypted);
}

/* "#ref:../../.." is the whole repository. */
static void test_subdirs(void **state)
{
	static const struct {
		const char *said;
		const char *clean;
	} examples[] = {
		{ "../../..", "" }, { "/", "" },    { "a/../../b", "b" },
		{ "a//b/", "a/b" }, { "./a", "a" }, { "..a/...", "..a/..." },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_str struct xb_str got = XB_STR_INIT(XB_STR_OWN);

		xb_git_subdir(examples[i].said, &got);
		assert_string_equal(xb_str_text(&got), examples[i].clean);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_what_is_git),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_queries),
		cmocka_unit_test(test_parts),	cmocka_unit_test(test_subdirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
