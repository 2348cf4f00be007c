/* SPDX-License-Identifier: Apache-2.0 */
/* Files from URLs: what is in the tree, what is asked for again, what the store remembers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "builder/fetch/http.h"
#include "tests/unit/base/http_server.h"
#include "tests/unit/builder/cache/fixture.h"

/* what a step does not say is zero */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define SECRET	  "s3cret"
#define OK(more)  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" more "\r\nhello"
#define OLD	  "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define LATER	  "Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n"
#define SAME	  "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\n\r\n"
#define HELLO_256 "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HELLO_384                                                                                  \
	"sha384:59e1748777448c69de6b800d7a33bbfb9ff1b463e44354c3553bcdb9c666fa90"                  \
	"125a3c79f90397bdf5f6a13de828684f"
#define HELLO_512                                                                                  \
	"sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca7"                  \
	"2323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043"

/* A server, a store, and what a fetch is asked with. */
struct bench {
	struct server server;
	struct xb_store *store;
	struct xb_fetch_options options;
	struct xb_error err;
	struct xb_fetched got;
};

static void bench_open(struct bench *b, const struct server_step *script)
{
	memset(b, 0, sizeof(*b));
	server_start(&b->server, script);
	b->store = open_store();
	b->options.cancel_fd = -1;
}

static void bench_close(struct bench *b)
{
	xb_error_clear(&b->err);
	xb_store_free(b->store);
	server_finish(&b->server);
}

static int fetch(struct bench *b, const char *path)
{
	xb_autofree char *url = xb_format("http://127.0.0.1:%u%s", b->server.ports[0], path);

	xb_error_clear(&b->err);
	return xb_fetch_http(b->store, url, &b->options, &b->got, &b->err);
}

static void fetch_well(struct bench *b, const char *path)
{
	int r = fetch(b, path);

	if (r < 0)
		fail_msg("%d: %s", r, b->err.message);
}

static struct stat look_at(struct bench *b)
{
	xb_auto_fd int dir = -1;
	struct stat st;

	check(xb_snapshot_open(b->store, &b->got.snapshot, &dir, &b->err), &b->err);
	assert_int_equal(fstatat(dir, b->got.name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void a_file_has_name_mode_time_and_digest(void **state)
{
	static const struct server_step script[] = { { OK(OLD), "GET /a/foo.txt?x=1 " },
						     { OK("") },
						     { NULL } };
	struct bench b;
	struct stat st;

	(void)state;
	bench_open(&b, script);
	fetch_well(&b, "/a/foo.txt?x=1#y");
	st = look_at(&b);
	assert_string_equal(b.got.name, "foo.txt");
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mtime, 784111777);
	assert_int_equal(b.got.time, 784111777);
	assert_string_equal(b.got.content.text, HELLO_256);
	assert_string_equal(b.got.revision, "");
	assert_false(b.got.cached);

	b.options.name = "other";
	fetch_well(&b, "/bar");
	st = look_at(&b);
	assert_string_equal(b.got.name, "other");
	assert_int_equal(st.st_mtime, 0);
	assert_int_equal(b.got.time, -1);
	bench_close(&b);
}

static void names_come_from_the_path(void **state)
{
	static const struct server_step script[] = {
		{ OK("") },
		{ OK("") },
		{ OK("") },
		{ OK("") },
		{ OK("") },
		{ OK("") },
		{ OK("Content-Disposition: attachment; filename=\"../../x\"\r\n") },
		{ NULL }
	};
	static const char *const cases[][2] = {
		{ "", "__unnamed__" },
		{ "/", "__unnamed__" },
		{ "/a/b/", "b" },
		{ "/a%20b", "a b" },
		{ "/x/..%2f..%2fpasswd", "passwd" },
		{ "/a%0ab", "a%0ab" },
		{ "/n", "n" },
	};
	struct bench b;

	(void)state;
	bench_open(&b, script);
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		fetch_well(&b, cases[i][0]);
		assert_string_equal(b.got.name, cases[i][1]);
		assert_int_equal(look_at(&b).st_size, 5);
	}
	bench_close(&b);
}

static void names_that_no_file_can_have(void **state)
{
	static const struct server_step script[] = { { NULL } };
	static const char *const names[] = { "", ".", "..", "a/b", "a\nb" };
	xb_autofree char *path = xb_alloc(300);
	struct bench b;

	(void)state;
	bench_open(&b, script);
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		b.options.name = names[i];
		assert_int_equal(fetch(&b, "/x"), -EINVAL);
		assert_int_equal(b.err.fault, XB_FAULT_SOURCE);
	}
	b.options.name = NULL;
	memset(path, 'x', 299);
	path[0] = '/';
	path[299] = '\0';
	assert_int_equal(fetch(&b, path), -EINVAL);
	bench_close(&b);
}

static void an_unchanged_file_is_not_sent_again(void **state)
{
	static const struct server_step script[] = {
		{ OK("ETag: \"1\"\r\n" OLD LATER), "!If-" },
		{ SAME, "If-None-Match: \"1\"|!If-Modified-Since" },
		{ "HTTP/1.1 304 Not Modified\r\n\r\n", "If-None-Match: \"1\"" },
		/* a server that knows tags and not what to do with them */
		{ "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\nETag: W/\"1\"\r\n\r\n", NULL,
		  TAIL_SILENT },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nETag: \"2\"\r\n\r\nnew" },
		{ SAME, "If-None-Match: \"2\"" },
		{ NULL },
	};
	struct bench b;
	struct xb_fetched first;

	(void)state;
	bench_open(&b, script);
	fetch_well(&b, "/f");
	first = b.got;
	for (int i = 0; i < 3; i++) {
		fetch_well(&b, "/f");
		assert_true(b.got.cached);
		assert_string_equal(b.got.snapshot.id, first.snapshot.id);
		assert_true(xb_digest_eq(&b.got.content, &first.content));
		assert_int_equal(b.got.time, 784111777);
		assert_string_equal(b.got.name, "f");
	}
	fetch_well(&b, "/f");
	assert_false(b.got.cached);
	assert_false(xb_digest_eq(&b.got.content, &first.content));
	assert_int_equal(b.got.time, -1);
	fetch_well(&b, "/f");
	assert_true(b.got.cached);
	bench_close(&b);
}

static void a_date_does_where_it_tells_versions_apart(void **state)
{
	static const struct server_step script[] = {
		{ OK(OLD LATER) },
		{ SAME, "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT" },
		{ OK(OLD "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n") },
		{ OK(""), "!If-" },
		{ OK(""), "!If-" },
		{ NULL },
	};
	struct bench b;

	(void)state;
	bench_open(&b, script);
	fetch_well(&b, "/f");
	fetch_well(&b, "/f");
	assert_true(b.got.cached);
	for (int i = 0; i < 3; i++) {
		fetch_well(&b, "/g");
		assert_false(b.got.cached);
	}
	bench_close(&b);
}

static void fresh_asks_without_conditions(void **state)
{
	static const struct server_step script[] = { { OK("ETag: \"1\"\r\n") },
						     { OK("ETag: \"1\"\r\n"), "!If-" },
						     { NULL } };
	struct bench b;

	(void)state;
	bench_open(&b, script);
	fetch_well(&b, "/f");
	b.options.fresh = true;
	b.options.checksum = HELLO_256;
	fetch_well(&b, "/f");
	assert_false(b.got.cached);
	bench_close(&b);
}

static void checksums_are_compared(void **state)
{
	static const struct server_step script[] = {
		{ OK("ETag: \"1\"\r\n") }, { OK("") }, { OK("") },
		{ SAME, "If-None-Match" }, { OK("") }, { NULL }
	};
	static const char *const good[] = { HELLO_256, HELLO_384, HELLO_512 };
	static const char wrong[] =
		"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	static const char *const paths[] = { "/a", "/b", "/c" };
	struct bench b;

	(void)state;
	bench_open(&b, script);
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		b.options.checksum = good[i];
		fetch_well(&b, paths[i]);
		assert_string_equal(b.got.content.text, HELLO_256);
		assert_false(b.got.cached);
	}
	/* what the store has with this checksum needs no network, whatever the algorithm */
	for (size_t i = 0; i < XB_COUNT(good); i++) {
		b.options.checksum = good[i];
		fetch_well(&b, "/a");
		assert_true(b.got.cached);
	}
	b.options.checksum = wrong;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fetch(&b, i == 0 ? "/a" : "/new"), -EBADMSG);
		assert_int_equal(b.err.fault, XB_FAULT_SOURCE);
		assert_non_null(strstr(b.err.message, HELLO_256));
		assert_non_null(strstr(b.err.message, wrong));
	}
	assert_int_equal(count_in("store/snapshots"), 3);
	bench_close(&b);
}

static void checksums_that_are_none(void **state)
{
	static const struct server_step script[] = { { NULL } };
	static const char *const texts[] = {
		"md5:7e55db001d319a94b0b713529a756623",
		"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		"unknown:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
		"sha256:2cf24dba",
		"sha256:",
		":",
		"sha256:2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824",
	};
	struct bench b;

	(void)state;
	bench_open(&b, script);
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		b.options.checksum = texts[i];
		assert_int_equal(fetch(&b, "/a"), -EINVAL);
		assert_int_equal(b.err.fault, XB_FAULT_SOURCE);
		assert_non_null(strstr(b.err.message, "checksum"));
	}
	bench_close(&b);
}

/* credentials */

static bool find_secret(void *context, const char *id, struct xb_view *ret)
{
	const char *const *pair = context;

	if (strcmp(pair[0], id) != 0)
		return false;
	*ret = xb_view(pair[1]);
	return true;
}

static void secrets_of_the_host_are_sent(void **state)
{
	static const struct server_step script[] = {
		{ OK(""), "uthorization: Bearer " SECRET "\r\n" },
		{ OK(""), "uthorization: Basic " SECRET "\r\n" },
		{ OK(""), "!uthorization" },
		{ "HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:{1}/x\r\n\r\n", "uthorization" },
		{ OK(""), "!uthorization", .port = 1 },
		{ NULL },
	};
	static const char *const pairs[][2] = {
		{ "HTTP_AUTH_TOKEN_127.0.0.1", SECRET "\n" },
		{ "HTTP_AUTH_HEADER_127.0.0.1", "Basic " SECRET "\r\n" },
		{ "HTTP_AUTH_TOKEN_localhost", SECRET },
		{ "HTTP_AUTH_TOKEN_127.0.0.1", SECRET },
	};
	union {
		const char *const *from;
		void *to;
	} context;
	struct bench b;

	(void)state;
	bench_open(&b, script);
	b.options.secret = find_secret;
	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		context.from = pairs[i];
		b.options.context = context.to;
		fetch_well(&b, i == 3 ? "/other" : "/f");
	}
	bench_close(&b);
}

/* Whether a file below the store holds the secret. */
static bool store_holds(const char *text)
{
	return scratch_run((const char *[]){ "grep", "-rqF", text, scratch_path("store"), NULL }) ==
	       0;
}

static void no_credentials_are_kept_or_shown(void **state)
{
	static const struct server_step script[] = {
		{ OK("ETag: \"1\"\r\n"), "uthorization: Basic dTpzM2NyZXQ=" },
		{ "HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n" },
		{ NULL },
	};
	struct bench b;
	xb_autofree char *url = NULL;

	(void)state;
	bench_open(&b, script);
	url = xb_format("http://u:" SECRET "@127.0.0.1:%u/f", b.server.ports[0]);
	check(xb_fetch_http(b.store, url, &b.options, &b.got, &b.err), &b.err);
	assert_true(store_holds("hello"));
	assert_false(store_holds(SECRET));
	assert_int_equal(xb_fetch_http(b.store, url, &b.options, &b.got, &b.err), -EACCES);
	assert_null(strstr(b.err.message, SECRET));
	assert_non_null(strstr(b.err.hint, "HTTP_AUTH_TOKEN_127.0.0.1"));
	bench_close(&b);
}

/* failures */

static void failures_leave_nothing_and_say_what_to_do(void **state)
{
	static const struct server_step script[] = {
		{ "HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" },
		{ "HTTP/1.1 200 OK\r\n\r\n", NULL, TAIL_ENDLESS },
		{ "HTTP/1.1 304 Not Modified\r\n\r\n" },
		{ "HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n" },
		{ NULL },
	};
	static const struct {
		int r;
		enum xb_fault fault;
	} cases[] = {
		{ -ENOENT, XB_FAULT_SOURCE },  { -EFBIG, XB_FAULT_SOURCE },
		{ -EFBIG, XB_FAULT_SOURCE },   { -EPROTO, XB_FAULT_REGISTRY },
		{ -EPERM, XB_FAULT_REGISTRY },
	};
	struct bench b;

	(void)state;
	bench_open(&b, script);
	b.options.max_size = 50;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		assert_int_equal(fetch(&b, "/f"), cases[i].r);
		assert_int_equal(b.err.fault, cases[i].fault);
		assert_non_null(strstr(b.err.message, "http://127.0.0.1:"));
		assert_true(cases[i].r != -EFBIG || b.err.hint != NULL);
	}
	assert_int_equal(count_in("store/snapshots"), 0);
	bench_close(&b);
}

static void no_network_is_told_as_such(void **state)
{
	static const struct server_step script[] = { { NULL } };
	struct bench b;
	unsigned port;
	xb_autofree char *url = NULL;

	(void)state;
	bench_open(&b, script);
	(void)close(server_listen(&port));
	url = xb_format("http://127.0.0.1:%u/f", port);
	assert_int_equal(xb_fetch_http(b.store, url, &b.options, &b.got, &b.err), -ECONNREFUSED);
	assert_int_equal(b.err.fault, XB_FAULT_REGISTRY);
	assert_non_null(strstr(b.err.hint, "--checksum"));
	bench_close(&b);
}

static void a_fetch_is_cancelled(void **state)
{
	static const struct server_step script[] = { { "", NULL, TAIL_SILENT }, { NULL } };
	xb_auto_fd int cancel = eventfd(1, EFD_CLOEXEC);
	struct bench b;

	(void)state;
	bench_open(&b, script);
	b.options.cancel_fd = cancel;
	assert_int_equal(fetch(&b, "/f"), -ECANCELED);
	assert_int_equal(b.err.fault, XB_FAULT_INTERRUPTED);
	/* it may have been before the server saw it */
	server_stop(&b.server);
	xb_error_clear(&b.err);
	xb_store_free(b.store);
}

/* two at once */

struct other {
	struct bench *bench;
	pthread_barrier_t *begin; /* NULL: at once */
	pthread_t thread;
	struct xb_fetched got;
	int r;
};

static void *fetch_too(void *context)
{
	struct other *other = context;
	xb_autofree char *url = xb_format("http://127.0.0.1:%u/f", other->bench->server.ports[0]);

	if (other->begin != NULL)
		(void)pthread_barrier_wait(other->begin);
	other->r =
		xb_fetch_http(other->bench->store, url, &other->bench->options, &other->got, NULL);
	return NULL;
}

static void what_many_want_at_once_is_fetched_once(void **state)
{
	enum { THREADS = 6 };
	/* nothing to ask with later: only the lock keeps them from asking again */
	static const struct server_step script[] = { { OK(""), .delay_ms = 2000 }, { NULL } };
	struct other others[THREADS];
	pthread_barrier_t begin;
	struct bench b;
	unsigned cached = 0;

	(void)state;
	bench_open(&b, script);
	assert_int_equal(pthread_barrier_init(&begin, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++) {
		others[i] = (struct other){ .bench = &b, .begin = &begin };
		assert_int_equal(pthread_create(&others[i].thread, NULL, fetch_too, &others[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(others[i].thread, NULL), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(others[i].r, 0);
		assert_string_equal(others[i].got.snapshot.id, others[0].got.snapshot.id);
		cached += others[i].got.cached;
	}
	assert_int_equal(cached, THREADS - 1);
	(void)pthread_barrier_destroy(&begin);
	bench_close(&b);
}

static void waiting_for_another_is_cancelled(void **state)
{
	static const struct server_step script[] = { { "", NULL, TAIL_SILENT }, { NULL } };
	xb_auto_fd int cancel_other = eventfd(0, EFD_CLOEXEC);
	xb_auto_fd int cancel = eventfd(1, EFD_CLOEXEC);
	struct bench mine, b;
	struct other other = { .bench = &b };

	(void)state;
	bench_open(&b, script);
	b.options.cancel_fd = cancel_other;
	mine = b;
	mine.options.cancel_fd = cancel;
	assert_int_equal(pthread_create(&other.thread, NULL, fetch_too, &other), 0);
	while (count_in("store/locks") < 2)
		(void)usleep(1000);
	assert_int_equal(fetch(&mine, "/f"), -ECANCELED);
	assert_int_equal(mine.err.fault, XB_FAULT_INTERRUPTED);
	xb_error_clear(&mine.err);
	assert_int_equal(eventfd_write(cancel_other, 1), 0);
	assert_int_equal(pthread_join(other.thread, NULL), 0);
	assert_int_equal(other.r, -ECANCELED);
	server_stop(&b.server);
	xb_store_free(b.store);
}

static void prune_takes_what_nobody_holds(void **state)
{
	static const struct server_step script[] = { { OK("ETag: \"1\"\r\n") },
						     { OK("ETag: \"1\"\r\n"), "!If-None" },
						     { NULL } };
	struct xb_store_pruned pruned;
	struct bench b;

	(void)state;
	bench_open(&b, script);
	fetch_well(&b, "/f");
	check(xb_store_prune(b.store, false, &pruned, &b.err), &b.err);
	assert_int_equal(pruned.snapshots, 0);
	xb_store_free(b.store);
	b.store = open_store();
	check(xb_store_prune(b.store, false, &pruned, &b.err), &b.err);
	assert_int_equal(pruned.snapshots, 1);
	assert_int_equal(pruned.records, 1);
	fetch_well(&b, "/f");
	bench_close(&b);
}

static void count_lines(void *context, struct xb_view line)
{
	assert_true(line.len > 0);
	++*(unsigned *)context;
}

static void a_slow_fetch_tells_how_far_it_is(void **state)
{
	static const struct server_step script[] = {
		{ OK("") },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n", NULL, TAIL_DRIP },
		{ NULL },
	};
	unsigned lines = 0;
	struct bench b;

	(void)state;
	bench_open(&b, script);
	b.options.progress = count_lines;
	b.options.context = &lines;
	fetch_well(&b, "/quick");
	assert_int_equal(lines, 0);
	fetch_well(&b, "/f");
	assert_true(lines >= 1);
	assert_int_equal(look_at(&b).st_size, 15);
	bench_close(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(a_file_has_name_mode_time_and_digest),
		scratch_test(names_come_from_the_path),
		scratch_test(names_that_no_file_can_have),
		scratch_test(an_unchanged_file_is_not_sent_again),
		scratch_test(a_date_does_where_it_tells_versions_apart),
		scratch_test(fresh_asks_without_conditions),
		scratch_test(checksums_are_compared),
		scratch_test(checksums_that_are_none),
		scratch_test(secrets_of_the_host_are_sent),
		scratch_test(no_credentials_are_kept_or_shown),
		scratch_test(failures_leave_nothing_and_say_what_to_do),
		scratch_test(no_network_is_told_as_such),
		scratch_test(a_fetch_is_cancelled),
		scratch_test(what_many_want_at_once_is_fetched_once),
		scratch_test(waiting_for_another_is_cancelled),
		scratch_test(prune_takes_what_nobody_holds),
		scratch_test(a_slow_fetch_tells_how_far_it_is),
	};

	(void)setenv("no_proxy", "127.0.0.1,localhost", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
