/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the tests of git sources share: a server on the loopback with repositories (git_server.py,
 * git_repos.sh), a store for each test, and fetches that have to work or to fail.
 */
#ifndef XB_TESTS_UNIT_FETCH_GIT_FIXTURE_H
#define XB_TESTS_UNIT_FETCH_GIT_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "builder/cache/prune.h"
#include "builder/fetch/git.h"
#include "builder/fetch/git_child.h"
#include "builder/fetch/git_ref.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

/* For 127.0.0.1, by itself. */
#define MAKE_CERTIFICATE                                                                           \
	"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "            \
	"-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem "   \
	"2>/dev/null"
#define TOKEN "hunter2-is-the-token"

/* The server and the repositories are made once; each test has a store of its own. */
static char base[256];
static struct xb_proc server = XB_PROC_NONE;
static int server_in = -1;
static unsigned ports[4];

static struct xb_store *store;
static struct xb_fetch_options options;
static struct xb_str told = { .max = 1 << 20 };

/** Run a shell command in the directory of the repositories; its output, trimmed. */
static inline char *sh(const char *format, ...)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_proc_status status = { 0 };
	xb_autofree char *line = NULL;
	va_list args;

	va_start(args, format);
	line = xb_vformat(format, args);
	va_end(args);
	xb_autofree char *whole = xb_format("cd '%s' && %s", base, line);
	char *argv[] = { (char[]){ "sh" }, (char[]){ "-ec" }, whole, NULL };

	if (xb_proc_run(argv, XB_VIEW(""), &out, &status, &err) < 0 || status.exit_code != 0)
		fail_msg("%s: status %d", line, status.exit_code);
	return xb_view_dup(xb_view_trim(xb_str_view(&out)));
}

static inline void start_server(void)
{
	xb_autofree char *log = xb_format("%s/log", base);
	char *argv[] = { (char[]){ "python3" },
			 (char[]){ "tests/unit/builder/fetch/git_server.py" }, base, log, NULL };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int in[2], out[2];
	FILE *from;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	const struct xb_proc_spec spec = {
		.path = "python3",
		.argv = argv,
		.fds = (struct xb_proc_fd[]){ { in[0], 0 }, { out[1], 1 }, { 2, 2 } },
		.fd_count = 3,
	};

	if (xb_proc_spawn(&spec, &server, &err) < 0)
		fail_msg("%s", err.message);
	(void)close(in[0]);
	(void)close(out[1]);
	server_in = in[1];
	from = fdopen(out[0], "r");
	assert_non_null(from);
	assert_int_equal(fscanf(from, "%u %u %u %u", &ports[0], &ports[1], &ports[2], &ports[3]),
			 4);
	(void)fclose(from);
}

static inline int group_setup(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	(void)setenv("XB_CANARY", "never seen by git", 1);
	(void)snprintf(base, sizeof(base), "%s/xb-git-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(base) == NULL)
		return -1;
	free(sh(MAKE_CERTIFICATE));
	start_server();
	xb_autofree char *cwd = realpath(".", NULL);

	free(sh("sh '%s/tests/unit/builder/fetch/git_repos.sh' '%s' http://127.0.0.1:%u/smart 2>&1",
		cwd, base, ports[0]));
	free(sh("printf 'Basic %%s' \"$(printf x-access-token:" TOKEN " | base64 -w0)\" "
		">authorization"));
	return 0;
}

static inline int group_teardown(void **state)
{
	struct xb_proc_status status;

	(void)state;
	(void)close(server_in);
	(void)xb_proc_wait(&server, &status, NULL);
	return scratch_run((const char *[]){ "rm", "-rf", base, NULL }) == 0 ? 0 : -1;
}

static inline void progress(void *context, struct xb_view line)
{
	(void)context;
	(void)xb_str_append_view(&told, line);
	(void)xb_str_putc(&told, '\n');
}

static inline int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	options = (struct xb_fetch_options){ .cancel_fd = -1, .progress = progress };
	xb_str_reset(&told);
	free(sh(": >log; rm -f hacked"));
	return xb_store_open(scratch_path("store"), &store, NULL);
}

static inline int teardown(void **state)
{
	xb_autofree char *hacked = xb_format("%s/hacked", base);

	xb_store_free(store);
	store = NULL;
	xb_str_clear(&told);
	/* whatever a test is about: nothing of a repository was executed */
	if (access(hacked, F_OK) == 0)
		return -1;
	return scratch_teardown(state);
}

/** Lines of the server's log that match. */
static inline long requests(const char *pattern)
{
	xb_autofree char *count = sh("grep -c '%s' log || true", pattern);

	return strtol(count, NULL, 10);
}

static inline char *url_of(const char *kind, const char *rest)
{
	return xb_format("http://127.0.0.1:%u/%s/%s", ports[0], kind, rest);
}

static inline int try_url(const char *text, struct xb_fetched *ret, struct xb_error *err)
{
	xb_auto_git_url struct xb_git_url url = { 0 };

	assert_int_equal(xb_git_url_parse(text, &url, NULL), 1);
	return xb_fetch_git(store, &url, &options, ret, err);
}

/** Fetch "KIND/REST", which has to work. */
static inline struct xb_fetched fetch(const char *kind, const char *rest)
{
	xb_autofree char *text = url_of(kind, rest);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched fetched = { 0 };

	if (try_url(text, &fetched, &err) < 0)
		fail_msg("%s: %s\n%s", text, err.message, err.excerpt != NULL ? err.excerpt : "");
	return fetched;
}

/** Fetch "KIND/REST", which has to fail like this. */
static inline void refuse_as(const char *kind, const char *rest, int code, enum xb_fault fault,
			     struct xb_error *err)
{
	xb_autofree char *text = url_of(kind, rest);
	struct xb_fetched fetched = { 0 };
	int r = try_url(text, &fetched, err);

	if (r != code || err->fault != fault || err->message == NULL)
		fail_msg("%s: %d, fault %d: %s", text, r, err->fault,
			 err->message != NULL ? err->message : "it worked");
}

static inline void refuse(const char *kind, const char *rest, int code)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	refuse_as(kind, rest, code, XB_FAULT_SOURCE, &err);
}

/** The path of a file of a checkout; the caller's. */
static inline char *path_in(const struct xb_fetched *f, const char *name)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	xb_snapshot_path(store, &f->snapshot, &path);
	(void)xb_str_printf(&path, "/%s", name);
	return xb_str_steal(&path);
}

static inline void has_text(const struct xb_fetched *f, const char *name, const char *want)
{
	xb_autofree char *path = path_in(f, name);
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_file_read(path, &text, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(xb_str_text(&text), want);
}

static inline struct stat look(const struct xb_fetched *f, const char *name)
{
	xb_autofree char *path = path_in(f, name);
	struct stat st;

	if (lstat(path, &st) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static inline bool is_there(const struct xb_fetched *f, const char *name)
{
	xb_autofree char *path = path_in(f, name);
	struct stat st;

	return lstat(path, &st) == 0;
}

/** rev-parse in a repository of the server's. */
static inline void is_revision(const struct xb_fetched *f, const char *repo, const char *rev)
{
	xb_autofree char *want = sh("git -C %s.git rev-parse '%s^{commit}'", repo, rev);

	assert_string_equal(f->revision, want);
}

/** A test of a group with group_setup() and group_teardown(). */
#define git_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/** main(): the tests, or the process that becomes git. */
#define git_main(tests)                                                                            \
	int main(int argc, char **argv)                                                            \
	{                                                                                          \
		if (argc > 0 && xb_git_child_wanted(argv[0]))                                      \
			return xb_git_child_main(argc, argv);                                      \
		return cmocka_run_group_tests(tests, group_setup, group_teardown);                 \
	}

#endif
