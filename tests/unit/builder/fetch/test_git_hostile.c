/* SPDX-License-Identifier: Apache-2.0 */
/* Git sources that mean harm, credentials that are not to get out, and the walls around git. */
#include "tests/unit/builder/fetch/git_fixture.h"

static void test_submodules_that_are_refused(void **state)
{
	static const char *const repos[] = { "local", "scheme", "ext", "dash" };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(repos); i++) {
		xb_autofree char *rest = xb_format("%s.git", repos[i]);
		xb_autofree char *off = xb_format("%s.git?submodules=false", repos[i]);
		xb_auto_error struct xb_error why = XB_ERROR_INIT;

		refuse_as("smart", rest, -ENOTSUP, XB_FAULT_SOURCE, &why);
		assert_non_null(strstr(why.hint, "submodules=0"));
		(void)fetch("smart", off);
	}
	refuse("smart", "unknown.git", -EBADMSG);
	refuse("smart", "command.git", -EBADMSG);
	refuse("smart", "name.git", -EBADMSG);
	refuse("smart", "linked.git?ref=main", -EBADMSG);
	refuse_as("smart", "token.git", -ECONNREFUSED, XB_FAULT_REGISTRY, &err);
	assert_null(strstr(err.message, "hunter2"));
	assert_null(strstr(err.excerpt, "hunter2"));
}

/* What no checkout may write: the tree is refused, or what is written stays in its place. */
static void test_hostile_trees(void **state)
{
	static const char *const repos[] = { "dotgit", "slash", "dotdot", "absolute" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(repos); i++) {
		xb_autofree char *rest = xb_format("%s.git", repos[i]);
		xb_autofree char *text = url_of("smart", rest);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_fetched f = { 0 };

		if (try_url(text, &f, &err) == 0)
			fail_msg("%s was checked out", text);
		if (err.fault != XB_FAULT_SOURCE)
			fail_msg("%s: fault %d: %s", text, err.fault, err.message);
	}
	assert_int_not_equal(access("/tmp/escaped", F_OK), 0);
	/* of two entries of one name git takes one: here the directory, and not the link to / */
	struct xb_fetched f = fetch("smart", "twice.git");

	assert_true(S_ISDIR(look(&f, "a").st_mode));
	has_text(&f, "a/sub/lib.txt", "lib\n");
	assert_int_not_equal(access("/sub", F_OK), 0);
	free(sh("! find '%s/store' -name 'escaped*' | grep .", scratch));
}

static void test_attributes_start_nothing(void **state)
{
	struct xb_fetched f = fetch("smart", "attributes.git");

	(void)state;
	has_text(&f, "big", "version https://git-lfs.github.com/spec/v1\n");
	/* conversions of git's own are done, as BuildKit's git does them */
	has_text(&f, "file", "line\r\n");
}

static bool secret(void *context, const char *id, struct xb_view *ret)
{
	const char *const *pair = context;

	if (strcmp(pair[0], id) != 0)
		return false;
	*ret = xb_view(pair[1]);
	return true;
}

/* Everything that was said. */
static void says_no_secret(const struct xb_error *err, const char *text)
{
	assert_null(strstr(err->message, text));
	assert_true(err->excerpt == NULL || strstr(err->excerpt, text) == NULL);
	assert_true(err->hint == NULL || strstr(err->hint, text) == NULL);
	assert_null(strstr(xb_str_text(&told), text));
}

static void test_credentials(void **state)
{
	xb_autofree char *with_host = xb_format("GIT_AUTH_TOKEN.127.0.0.1:%u", ports[0]);
	xb_autofree char *header_host = xb_format("GIT_AUTH_HEADER.127.0.0.1:%u", ports[0]);
	xb_autofree char *header = sh("cat authorization");
	xb_autofree char *in_url = xb_format(
		"http://x-access-token:" TOKEN "@127.0.0.1:%u/private/main.git#v1", ports[0]);
	const char *good[][2] = {
		{ "GIT_AUTH_TOKEN", TOKEN "\n" },
		{ with_host, TOKEN },
		{ "GIT_AUTH_HEADER", header },
		{ header_host, header },
	};
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched f;

	(void)state;
	refuse_as("private", "main.git", -EACCES, XB_FAULT_SOURCE, &err);
	assert_non_null(strstr(err.hint, "GIT_AUTH_TOKEN"));
	options.secret = secret;
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		options.context = good[i];
		f = fetch("private", i % 2 == 0 ? "main.git#v1" : "main.git#v2");
		has_text(&f, "file", i % 2 == 0 ? "one\n" : "two\n");
	}
	options.secret = NULL;
	xb_error_clear(&err);
	if (try_url(in_url, &f, &err) < 0)
		fail_msg("%s", err.message);
	/* nothing of it is kept */
	free(sh("! grep -rF -e " TOKEN " -e '%s' '%s/store'", header + strlen("Basic "), scratch));
}

static void test_credentials_that_are_wrong(void **state)
{
	const char *wrong[] = { "GIT_AUTH_TOKEN", "s3cret-and-wrong" };
	const char *broken[] = { "GIT_AUTH_TOKEN", "a\nX-Evil: b" };
	xb_autofree char *encoded = sh("printf x-access-token:s3cret-and-wrong | base64 -w0");
	xb_auto_error struct xb_error denied = XB_ERROR_INIT;
	xb_auto_error struct xb_error echoed = XB_ERROR_INIT;
	xb_auto_error struct xb_error injected = XB_ERROR_INIT;

	(void)state;
	options.secret = secret;
	options.context = wrong;
	refuse_as("private", "main.git", -EACCES, XB_FAULT_SOURCE, &denied);
	says_no_secret(&denied, "s3cret");
	/* a server that says what it got, with an escape sequence */
	refuse_as("echo", "main.git", -EIO, XB_FAULT_REGISTRY, &echoed);
	assert_non_null(strstr(echoed.message, "you sent"));
	assert_non_null(strstr(echoed.message, "xxxxx"));
	says_no_secret(&echoed, "s3cret");
	says_no_secret(&echoed, encoded);
	says_no_secret(&echoed, "\x1b");
	options.context = broken;
	refuse_as("private", "main.git", -EINVAL, XB_FAULT_SOURCE, &injected);
	assert_int_equal(requests("X-Evil"), 0);
}

/* Fetch what has submodules at the first port, from a port; how often each port saw the token. */
static void fetch_super(unsigned port, const char *id, long *ret_source, long *ret_submodule)
{
	const char *token[] = { id, TOKEN };
	xb_autofree char *url = xb_format("http://127.0.0.1:%u/smart/super.git", ports[port]);
	xb_autofree char *source = xb_format("^%u .*super.git.* Basic ", port);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched f;

	options.secret = secret;
	options.context = token;
	if (try_url(url, &f, &err) < 0)
		fail_msg("%s", err.message);
	has_text(&f, "sub/middle/deps/lib/lib.txt", "lib\n");
	assert_true(requests("^0 .*middle.git") > 0);
	assert_true(requests("^0 .*lib.git") > 0);
	*ret_source = requests(source);
	*ret_submodule = requests("^0 .*\\(middle\\|lib\\).git.* Basic ");
}

/* Who writes .gitmodules does not get a token that names no host. */
static void test_token_and_submodules_elsewhere(void **state)
{
	long source, submodule;

	(void)state;
	fetch_super(1, "GIT_AUTH_TOKEN", &source, &submodule);
	assert_true(source > 0);
	assert_int_equal(submodule, 0);
}

static void test_token_and_own_submodules(void **state)
{
	long source, submodule;

	(void)state;
	fetch_super(0, "GIT_AUTH_TOKEN", &source, &submodule);
	assert_true(source > 0);
	assert_true(submodule > 0);
}

/* What names the host is for it, wherever the source is. */
static void test_token_of_the_submodules_host(void **state)
{
	xb_autofree char *id = xb_format("GIT_AUTH_TOKEN.127.0.0.1:%u", ports[0]);
	long source, submodule;

	(void)state;
	fetch_super(1, id, &source, &submodule);
	assert_int_equal(source, 0);
	assert_true(submodule > 0);
}

static void test_redirects(void **state)
{
	const char *token[] = { "GIT_AUTH_TOKEN", TOKEN };
	struct xb_fetched f = fetch("moved", "main.git#v1");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	has_text(&f, "file", "one\n");
	assert_true(requests("^1 ") > 0);
	free(sh(": >log"));
	options.secret = secret;
	options.context = token;
	refuse_as("moved", "main.git#feature", -EPERM, XB_FAULT_SOURCE, &err);
	assert_int_equal(requests("^1 "), 0);
}

/* A program called git that says what it got: none of our environment, and walls. */
static void test_program(void **state)
{
	xb_autofree char *path = xb_strdup(getenv("PATH"));
	xb_auto_error struct xb_error old = XB_ERROR_INIT;
	xb_auto_error struct xb_error none = XB_ERROR_INIT;
	xb_autofree char *bin = xb_format("%s/bin", scratch);
	xb_autofree char *seen = xb_format("%s/bin/seen", scratch);

	(void)state;
	assert_int_equal(mkdir(bin, 0755), 0);
	scratch_write("bin/git",
		      "#!/bin/sh\n(set >\"${0%/*}/seen\") 2>/dev/null\necho git version 2.30.9\n");
	assert_int_equal(chmod(scratch_path("bin/git"), 0755), 0);
	(void)setenv("PATH", bin, 1);
	refuse_as("smart", "main.git", -ENOTSUP, XB_FAULT_SOURCE, &old);
	assert_non_null(strstr(old.hint, "2.31"));
	(void)setenv("PATH", "/nonexistent", 1);
	refuse_as("smart", "main.git", -ENOTSUP, XB_FAULT_SOURCE, &none);
	assert_non_null(strstr(none.hint, "install git"));
	(void)setenv("PATH", path, 1);
	/* it could not write where it lies */
	assert_int_not_equal(access(seen, F_OK), 0);
	assert_int_equal(requests("."), 0);
}

static void test_walls(void **state)
{
	xb_autofree char *script = xb_format(
		"%s/canary; cat '%s/canary' && echo readable; (: >'%s/new') && echo writable; "
		"cat /proc/self/environ && echo proc; echo \"$XB_CANARY\"; grep . "
		"/proc/self/status; umask; true",
		"true", scratch, scratch);
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	struct xb_proc_status status;

	(void)state;
	scratch_write("canary", "secret\n");
	char *argv[] = { (char[]){ "/proc/self/exe" }, NULL };
	const char *const words[] = { XB_GIT_NAME, "-r",   "/usr",    "-r",	"/bin",
				      "-r",	   "/lib", "-r",      "/lib64", "-C",
				      "/",	   "--",   "/bin/sh", "-c" };
	xb_auto_strv struct xb_strv args = XB_STRV_INIT;
	xb_auto_proc struct xb_proc child = XB_PROC_NONE;
	int ends[2];

	(void)argv;
	for (size_t i = 0; i < XB_COUNT(words); i++)
		xb_strv_push(&args, words[i]);
	xb_strv_push(&args, script);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	const struct xb_proc_spec spec = {
		.path = xb_proc_self_path(),
		.argv = xb_strv_argv(&args),
		.envp = (char *[]){ NULL },
		.fds = (struct xb_proc_fd[]){ { ends[1], 1 } },
		.fd_count = 1,
	};

	assert_int_equal(xb_proc_spawn(&spec, &child, NULL), 0);
	(void)close(ends[1]);
	assert_int_equal(xb_file_read_fd(ends[0], &out, NULL), 0);
	(void)close(ends[0]);
	assert_int_equal(xb_proc_wait(&child, &status, NULL), 0);
	assert_int_equal(status.exit_code, 0);
	assert_string_equal(xb_str_text(&out), "\n0022\n");
}

static void test_schemes(void **state)
{
	static const struct {
		const char *url;
		int code;
	} examples[] = {
		{ "ssh://git@127.0.0.1:1/x", -EACCES },	   { "git@127.0.0.1:x", -EACCES },
		{ "ssh://git:pw@127.0.0.1:1/x", -EINVAL }, { "git://me@127.0.0.1:1/x", -EINVAL },
		{ "git://127.0.0.1:1/x", -ECONNREFUSED },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_fetched f = { 0 };
		int r = try_url(examples[i].url, &f, &err);

		if (r != examples[i].code)
			fail_msg("%s: %d %s", examples[i].url, r, err.message);
		assert_true(r != -EACCES || strstr(err.hint, "--ssh") != NULL);
	}
}

static const struct CMUnitTest tests[] = {
	git_test(test_submodules_that_are_refused),
	git_test(test_hostile_trees),
	git_test(test_attributes_start_nothing),
	git_test(test_credentials),
	git_test(test_credentials_that_are_wrong),
	git_test(test_token_and_submodules_elsewhere),
	git_test(test_token_and_own_submodules),
	git_test(test_token_of_the_submodules_host),
	git_test(test_redirects),
	git_test(test_program),
	git_test(test_walls),
	git_test(test_schemes),
};

git_main(tests)
