/* SPDX-License-Identifier: Apache-2.0 */
/* Git sources, fetched from a server on the loopback: what comes, and what is not asked for twice.
 */
#include "tests/unit/builder/fetch/git_fixture.h"

static void test_references(void **state)
{
	static const struct {
		const char *rest;
		const char *rev;
		const char *file;
	} examples[] = {
		{ "main.git", "main", "two\n" },
		{ "main.git#HEAD", "main", "two\n" },
		{ "main.git#v1", "v1", "one\n" },
		{ "main.git#refs/tags/v1", "v1", "one\n" },
		{ "main.git?tag=v2", "v2", "two\n" },
		{ "main.git#feature", "feature", "feature\n" },
		{ "main.git?branch=feature", "feature", "feature\n" },
		{ "main.git#heads/feature", "feature", "feature\n" },
		{ "main.git#refs/pull/1/head", "feature", "feature\n" },
		{ "main.git#both", "refs/heads/both", "one\n" },
		{ "main.git#refs/tags/both", "refs/tags/both", "two\n" },
		{ "sha256.git", "main", "two\n" },
		{ "sha256.git#v1", "v1", "one\n" },
	};
	static const char *const kinds[] = { "smart", "dumb", "old" };

	(void)state;
	for (size_t k = 0; k < XB_COUNT(kinds); k++) {
		for (size_t i = 0; i < XB_COUNT(examples); i++) {
			struct xb_fetched f = fetch(kinds[k], examples[i].rest);
			xb_autofree char *repo = xb_view_dup((struct xb_view){
				examples[i].rest, strcspn(examples[i].rest, ".") });

			has_text(&f, "file", examples[i].file);
			is_revision(&f, repo, examples[i].rev);
			assert_int_equal(f.time, 1600000001);
			assert_string_equal(f.name, "");
		}
	}
}

static void test_git_protocol(void **state)
{
	xb_autofree char *text = xb_format("git://127.0.0.1:%u/main.git?subdir=docs#v1", ports[2]);
	xb_autofree char *none = xb_format("git://127.0.0.1:%u/none-such", ports[2]);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched f = { 0 };

	(void)state;
	if (try_url(text, &f, &err) < 0)
		fail_msg("%s", err.message);
	has_text(&f, "page", "doc\n");
	is_revision(&f, "main", "v1");
	assert_true(try_url(none, &f, &err) < 0);
}

static void test_https(void **state)
{
	xb_autofree char *text = xb_format("https://127.0.0.1:%u/smart/main.git#v1", ports[3]);
	xb_autofree char *cert = xb_format("%s/cert.pem", base);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched f = { 0 };

	(void)state;
	assert_int_equal(try_url(text, &f, &err), -EKEYREJECTED);
	assert_int_equal(err.fault, XB_FAULT_REGISTRY);
	xb_error_clear(&err);
	(void)unsetenv("GIT_SSL_CAINFO");
	assert_int_equal(setenv("SSL_CERT_FILE", cert, 1), 0);
	if (try_url(text, &f, &err) < 0)
		fail_msg("%s\n%s", err.message, err.excerpt);
	(void)unsetenv("SSL_CERT_FILE");
	has_text(&f, "file", "one\n");
}

static void test_files(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
	} entries[] = {
		{ ".", S_IFDIR | 0755 },
		{ "file", S_IFREG | 0644 },
		{ "run", S_IFREG | 0755 },
		{ "docs/deep", S_IFDIR | 0755 },
		{ "docs/deep/page", S_IFREG | 0644 },
		{ "link", S_IFLNK | 0777 },
	};
	mode_t mask = umask(0077);
	struct xb_fetched f = fetch("smart", "main.git");

	(void)state;
	(void)umask(mask);
	for (size_t i = 0; i < XB_COUNT(entries); i++) {
		struct stat st = look(&f, entries[i].name);

		assert_int_equal(st.st_mode, entries[i].mode);
		assert_int_equal(st.st_uid, geteuid());
		assert_true(st.st_mtime > 1600000001 + 1000);
	}
	assert_false(is_there(&f, ".git"));
	assert_false(f.cached);
}

static void test_times_of_commit(void **state)
{
	struct xb_fetched f = fetch("smart", "main.git?mtime=commit");
	struct xb_fetched plain;

	(void)state;
	assert_int_equal(look(&f, ".").st_mtime, 1600000001);
	assert_int_equal(look(&f, "docs").st_mtime, 1600000001);
	assert_int_equal(look(&f, "docs/deep/page").st_mtime, 1600000001);
	assert_int_equal(look(&f, "link").st_mtime, 1600000001);
	plain = fetch("smart", "main.git?mtime=checkout");
	assert_false(plain.cached);
	assert_true(look(&plain, "file").st_mtime > 1600000001 + 1000);
}

static void test_second_fetch(void **state)
{
	struct xb_fetched first = fetch("smart", "main.git#v1");
	struct xb_fetched again;
	xb_autofree char *by_id = xb_format("main.git#%s", first.revision);

	(void)state;
	assert_true(requests("POST") > 0);
	free(sh(": >log"));
	again = fetch("smart", "main.git#v1");
	assert_true(again.cached);
	assert_string_equal(again.snapshot.id, first.snapshot.id);
	assert_string_equal(again.content.text, first.content.text);
	assert_string_equal(again.revision, first.revision);
	assert_int_equal(again.time, first.time);
	/* the name had to be looked up, and nothing else */
	assert_int_equal(requests("GET /smart/main.git/info/refs"), 1);
	free(sh(": >log"));
	again = fetch("smart", by_id);
	assert_true(again.cached);
	assert_string_equal(again.snapshot.id, first.snapshot.id);
	assert_int_equal(requests("."), 0);
	/* the same commit by another name */
	again = fetch("smart", "main.git#refs/heads/both");
	assert_true(again.cached);
}

static void test_branch_that_moves(void **state)
{
	xb_autofree char *before = sh("git -C lib.git rev-parse main");
	xb_autofree char *after = NULL;
	struct xb_fetched f = fetch("smart", "lib.git");

	(void)state;
	assert_string_equal(f.revision, before);
	after = sh("git -C lib.git -c user.name=a -c user.email=b commit-tree -p main -m new "
		   "'main^{tree}'");
	free(sh("git -C lib.git update-ref refs/heads/main %s", after));
	f = fetch("smart", "lib.git");
	assert_false(f.cached);
	assert_string_equal(f.revision, after);
	free(sh("git -C lib.git update-ref refs/heads/main %s", before));
	f = fetch("smart", "lib.git");
	assert_true(f.cached);
	assert_string_equal(f.revision, before);
}

static void test_ids(void **state)
{
	xb_autofree char *inner = sh("git -C main.git rev-parse main^{commit}~1");
	xb_autofree char *tag = sh("git -C main.git rev-parse v2");
	xb_autofree char *by_inner = xb_format("main.git#%s", inner);
	xb_autofree char *by_tag = xb_format("main.git#%s", tag);
	xb_autofree char *short_id = xb_format("main.git#%.10s", inner);
	static const char *const kinds[] = { "smart", "dumb", "old" };
	struct xb_fetched f;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		f = fetch(kinds[i], by_inner);
		assert_string_equal(f.revision, inner);
		has_text(&f, "file", "one\n");
		f = fetch(kinds[i], by_tag);
		is_revision(&f, "main", "v2");
		refuse(kinds[i], short_id, -ENOENT);
		refuse(kinds[i], "main.git#nosuch", -ENOENT);
		refuse(kinds[i], "main.git?tag=feature", -ENOENT);
		refuse(kinds[i], "nosuch.git", -ENOENT);
	}
	refuse("smart", "main.git#0123456789012345678901234567890123456789", -ENOENT);
	refuse("old", "main.git#0123456789012345678901234567890123456789", -ENOENT);
}

static void test_checksums(void **state)
{
	xb_autofree char *commit = sh("git -C main.git rev-parse v2^{commit}");
	xb_autofree char *tag = sh("git -C main.git rev-parse v2");
	xb_autofree char *good = xb_format("main.git?commit=%.7s#v2", commit);
	xb_autofree char *by_tag = xb_format("main.git?checksum=%s#v2", tag);
	xb_autofree char *other = xb_format("main.git?commit=%s#v1", commit);
	xb_autofree char *id = xb_format("main.git?commit=00#%s", commit);
	xb_autofree char *direct = xb_format("main.git?fetch-by-commit&commit=%s#renamed", commit);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched f = fetch("smart", good);

	(void)state;
	is_revision(&f, "main", "v2");
	f = fetch("smart", by_tag);
	is_revision(&f, "main", "v2");
	refuse_as("smart", other, -EBADMSG, XB_FAULT_SOURCE, &err);
	assert_non_null(strstr(err.message, commit));
	refuse("smart", id, -EBADMSG);
	refuse("smart", "main.git?commit=xyz", -EINVAL);
	refuse("smart", "main.git?fetch-by-commit", -EINVAL);
	refuse("smart", "main.git?fetch-by-commit&commit=abc", -EINVAL);
	free(sh(": >log"));
	f = fetch("smart", direct);
	is_revision(&f, "main", "v2");
	/* as the option says it, beside what the URL says */
	options.checksum = "00";
	refuse("smart", good, -EBADMSG);
	options.checksum = commit;
	f = fetch("smart", good);
	assert_true(f.cached);
}

static void test_names_that_are_none(void **state)
{
	static const char *const names[] = {
		"a..b",	  "a%20b", "a~1", "a%5E{}",	 "x%40{1}", "a*",    "a%3Fb",
		"a.lock", "/a",	   "a/",  "a//b",	 ".a",	    "a%5Cb", "@",
		"a.",	  "main:", "[a]", "refs/heads/", "a%7Eb",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		xb_autofree char *rest = xb_format("main.git?ref=%s", names[i]);

		refuse("smart", rest, -EINVAL);
	}
	assert_int_equal(requests("."), 0);
}

static void test_subdirectories(void **state)
{
	struct xb_fetched f = fetch("smart", "main.git#v1:docs");

	(void)state;
	has_text(&f, "page", "doc\n");
	has_text(&f, "deep/page", "deep\n");
	assert_false(is_there(&f, "file"));
	assert_false(is_there(&f, "docs"));
	assert_int_equal(look(&f, "deep").st_mode, S_IFDIR | 0755);
	f = fetch("smart", "main.git?subdir=/docs/deep/../deep/");
	has_text(&f, "page", "deep\n");
	/* leads nowhere but to the whole repository */
	f = fetch("smart", "main.git#v1:../../..");
	has_text(&f, "file", "one\n");
	/* .git is kept of whole repositories alone */
	f = fetch("smart", "main.git?keep-git-dir#main:docs");
	assert_false(is_there(&f, ".git"));
	refuse("smart", "main.git#v1:nosuch", -ENOENT);
	refuse("smart", "main.git#v1:file", -ENOTDIR);
	refuse("smart", "main.git#v1:alias", -ENOTDIR);
	refuse("smart", "main.git#v1:link", -ENOTDIR);
	refuse("smart", "main.git#v1:alias/deep", -ENOTDIR);
}

static void test_submodules(void **state)
{
	struct xb_fetched f = fetch("smart", "super.git");

	(void)state;
	has_text(&f, "file", "super\n");
	has_text(&f, "sub/middle/middle.txt", "middle\n");
	has_text(&f, "sub/middle/deps/lib/lib.txt", "lib\n");
	assert_false(is_there(&f, "sub/middle/.git"));
	f = fetch("smart", "super.git?submodules=0");
	has_text(&f, "file", "super\n");
	assert_false(is_there(&f, "sub/middle/middle.txt"));
	f = fetch("smart", "super.git?subdir=sub/middle/deps");
	has_text(&f, "lib/lib.txt", "lib\n");
	/* update = none */
	f = fetch("smart", "none.git");
	assert_int_equal(look(&f, "sub").st_mode, S_IFDIR | 0755);
	assert_non_null(strstr(xb_str_text(&told), "left out"));
}

/* In a kept repository. */
static char *git_in(const struct xb_fetched *f, const char *where, const char *command)
{
	xb_autofree char *path = path_in(f, where);

	return sh("git -c safe.directory='*' -C '%s' %s", path, command);
}

static void git_says(const struct xb_fetched *f, const char *where, const char *command,
		     const char *want)
{
	xb_autofree char *got = git_in(f, where, command);

	if (strcmp(got, want) != 0)
		fail_msg("git %s: \"%s\", not \"%s\"", command, got, want);
}

static void test_kept_git_dir(void **state)
{
	xb_autofree char *url = url_of("smart", "main.git");
	xb_autofree char *with_user = xb_format(
		"http://user:hunter2@127.0.0.1:%u/smart/main.git?keep-git-dir=1#v2", ports[0]);
	xb_autofree char *tag = sh("git -C main.git rev-parse v2");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched f = { 0 };

	(void)state;
	if (try_url(with_user, &f, &err) < 0)
		fail_msg("%s", err.message);
	is_revision(&f, "main", "v2");
	git_says(&f, ".", "rev-parse HEAD", f.revision);
	git_says(&f, ".", "rev-parse refs/tags/v2", tag);
	git_says(&f, ".", "status --porcelain", "");
	git_says(&f, ".", "log --format=%s", "two");
	git_says(&f, ".", "config remote.origin.url", url);
	git_says(&f, ".", "fsck --connectivity-only", "");
	has_text(&f, "file", "two\n");
	free(sh("! grep -r hunter2 '%s/store'", scratch));
	free(sh("! find '%s/store' -name '*.sample' | grep .", scratch));
	f = fetch("smart", "main.git?keep-git-dir&branch=feature");
	git_says(&f, ".", "rev-parse refs/heads/feature", f.revision);
	/* the option against the URL */
	options.git_dir = XB_FETCH_GIT_DIR_DROP;
	f = fetch("smart", "main.git?keep-git-dir");
	assert_false(is_there(&f, ".git"));
	options.git_dir = XB_FETCH_GIT_DIR_KEEP;
	f = fetch("smart", "sha256.git#v1");
	git_says(&f, ".", "rev-parse HEAD", f.revision);
	git_says(&f, ".", "status --porcelain", "");
	free(sh("test ! -e '%s/store/snapshots/%s/fs/.git/shallow'", scratch, f.snapshot.id));
}

static void test_kept_git_dir_with_submodules(void **state)
{
	xb_autofree char *lib = sh("git -C lib.git rev-parse main");
	struct xb_fetched f = fetch("smart", "super.git?keep-git-dir");

	(void)state;
	git_says(&f, "sub/middle/deps/lib", "rev-parse HEAD", lib);
	git_says(&f, "sub/middle/deps/lib", "status --porcelain", "");
	git_says(&f, "sub/middle", "status --porcelain", "");
	git_says(&f, ".", "status --porcelain", "");
	has_text(&f, "sub/middle/.git", "gitdir: ../../.git/modules/a%2fsub.module\n");
}

static void *cancel_soon(void *fd)
{
	const struct timespec pause = { .tv_nsec = 300000000 };

	(void)nanosleep(&pause, NULL);
	assert_int_equal(write(*(int *)fd, "x", 1), 1);
	return NULL;
}

static void test_cancel(void **state)
{
	xb_autofree char *text = url_of("hang", "main.git");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_fetched f = { 0 };
	uint64_t start = xb_clock_monotonic();
	pthread_t thread;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	options.cancel_fd = ends[0];
	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &ends[1]), 0);
	assert_int_equal(try_url(text, &f, &err), -ECANCELED);
	(void)pthread_join(thread, NULL);
	assert_int_equal(err.fault, XB_FAULT_INTERRUPTED);
	assert_true(xb_clock_monotonic() - start < UINT64_C(50000000000));
	/* its helper, which speaks HTTP, has gone with it */
	free(sh("for i in $(seq 300); do pgrep -f '[g]it-remote-http.*:%u/hang' || exit 0; "
		"sleep 0.2; done; exit 1",
		ports[0]));
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void *fetch_main(void *ret)
{
	*(struct xb_fetched *)ret = fetch("smart", "main.git#v1");
	return NULL;
}

static void test_two_at_once(void **state)
{
	struct xb_fetched both[2] = { 0 };
	pthread_t threads[2];

	(void)state;
	options.progress = NULL; /* it is not made for two threads */
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fetch_main, &both[i]), 0);
	for (size_t i = 0; i < 2; i++)
		(void)pthread_join(threads[i], NULL);
	assert_string_equal(both[0].snapshot.id, both[1].snapshot.id);
	assert_int_equal(both[0].cached + both[1].cached, 1);
	free(sh("test \"$(ls '%s/store/snapshots' | wc -l)\" = 1", scratch));
}

static void test_damaged_repository(void **state)
{
	struct xb_fetched f = fetch("smart", "main.git#v1");
	struct xb_fetched again;

	(void)state;
	/* what a power cut may leave of files that were not synced */
	free(sh("cd '%s'/store/caches && find . -name '*.pack' -o -path '*/objects/[0-9a-f]*/*' "
		"-type f | "
		"while read -r o; do chmod u+w \"$o\"; : >\"$o\"; done",
		scratch));
	again = fetch("smart", "main.git#v2");
	has_text(&again, "file", "two\n");
	assert_true(strstr(xb_str_text(&told), "made anew") != NULL);
	has_text(&f, "file", "one\n");
}

/* A fetch that was killed leaves locks and halves of packs. */
static void test_leftovers(void **state)
{
	(void)state;
	(void)fetch("smart", "main.git#v1");
	free(sh("cd '%s'/store/caches/*/fs/git && touch shallow.lock objects/pack/tmp_pack_abc",
		scratch));
	(void)fetch("smart", "main.git#v2");
	free(sh("! find '%s/store/caches' -name 'tmp_*' -o -name shallow.lock | grep .", scratch));
}

static void test_collection(void **state)
{
	struct xb_store_usage usage;
	struct xb_store_pruned pruned;
	struct xb_fetched f = fetch("smart", "main.git#v1");

	(void)state;
	assert_int_equal(xb_store_usage(store, &usage, NULL), 0);
	assert_int_equal(usage.caches, 1);
	assert_int_equal(usage.snapshots, 1);
	assert_int_equal(usage.records, 1);
	/* held by this process */
	assert_int_equal(xb_store_prune(store, false, &pruned, NULL), 0);
	assert_true(is_there(&f, "file"));
	xb_store_free(store);
	assert_int_equal(xb_store_open(scratch_path("store"), &store, NULL), 0);
	assert_int_equal(xb_store_prune(store, true, &pruned, NULL), 0);
	assert_int_equal(pruned.snapshots, 1);
	assert_int_equal(pruned.caches, 1);
	assert_false(is_there(&f, "file"));
	f = fetch("smart", "main.git#v1");
	assert_false(f.cached);
}

static void test_names_of_references(void **state)
{
	static const char *const good[] = { "main", "a/b", "v1.0", "refs/heads/x-y", "a@b", "é" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(good); i++)
		assert_true(xb_git_is_ref(xb_view(good[i])));
	assert_false(xb_git_is_ref(xb_view("")));
	assert_false(xb_git_is_ref(xb_view("-x")));
	assert_false(xb_git_is_ref(xb_view("a\x7f")));
}

static const struct CMUnitTest tests[] = {
	git_test(test_references),
	git_test(test_git_protocol),
	git_test(test_https),
	git_test(test_files),
	git_test(test_times_of_commit),
	git_test(test_second_fetch),
	git_test(test_branch_that_moves),
	git_test(test_ids),
	git_test(test_checksums),
	git_test(test_names_that_are_none),
	git_test(test_subdirectories),
	git_test(test_submodules),
	git_test(test_kept_git_dir),
	git_test(test_kept_git_dir_with_submodules),
	git_test(test_cancel),
	git_test(test_two_at_once),
	git_test(test_damaged_repository),
	git_test(test_leftovers),
	git_test(test_collection),
	git_test(test_names_of_references),
};

git_main(tests)
