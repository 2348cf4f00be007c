/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checksums: equal for equal content however it came about, different for every difference that a
 * COPY would show; nothing outside the root is read, nothing ignored is opened, nothing blocks.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "builder/context/context.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#define scratch_test(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

static struct xb_context *open_context(const char *rules)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_context *context = NULL;

	if (rules != NULL)
		scratch_write("c/.dockerignore", rules);
	if (xb_context_open(scratch_path("c"), NULL, &context, &err) < 0)
		fail_msg("%s", err.message);
	return context;
}

static struct xb_digest checksum_in(const struct xb_context *context, const char *path,
				    const struct xb_checksum_options *options)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_digest digest;

	if (xb_context_checksum(xb_context_dirfd(context), context, path, options, &digest, &err) <
	    0)
		fail_msg("%s: %s", path, err.message);
	return digest;
}

/* Of c/tree, without rules. */
static struct xb_digest checksum(const struct xb_checksum_options *options)
{
	xb_auto_context struct xb_context *context = open_context(NULL);

	return checksum_in(context, "tree", options);
}

static struct xb_digest checksum_of(const char *path)
{
	xb_auto_context struct xb_context *context = open_context(NULL);

	return checksum_in(context, path, NULL);
}

/* Whether a watch has seen something; it is then forgotten. */
static bool can_be_read(int watch)
{
	char events[4096];

	return read(watch, events, sizeof(events)) > 0;
}

static void make_tree(void)
{
	assert_int_equal(mkdir(scratch_path("c"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("c/tree"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("c/tree/dir"), 0755), 0);
	scratch_write("c/tree/file", "text");
	scratch_write("c/tree/dir/other", "other text");
	assert_int_equal(symlink("file", scratch_path("c/tree/link")), 0);
	assert_int_equal(mkfifo(scratch_path("c/tree/fifo"), 0644), 0);
}

/* Changes that must show, each undone before the next. */

static void change_data(void)
{
	scratch_write("c/tree/file", "tex7");
}
static void append_data(void)
{
	scratch_write("c/tree/file", "text\n");
}
static void change_mode(void)
{
	assert_int_equal(chmod(scratch_path("c/tree/file"), 0755), 0);
}
static void set_setuid(void)
{
	assert_int_equal(chmod(scratch_path("c/tree/file"), 04644), 0);
}
static void change_dir_mode(void)
{
	assert_int_equal(chmod(scratch_path("c/tree/dir"), 0700), 0);
}
static void rename_file(void)
{
	assert_int_equal(rename(scratch_path("c/tree/file"), scratch_path("c/tree/file2")), 0);
}
static void move_file(void)
{
	assert_int_equal(rename(scratch_path("c/tree/file"), scratch_path("c/tree/dir/file")), 0);
}
static void add_empty(void)
{
	scratch_write("c/tree/dir/empty", "");
}
static void add_dir(void)
{
	assert_int_equal(mkdir(scratch_path("c/tree/dir/new"), 0755), 0);
}
static void remove_file(void)
{
	assert_int_equal(unlink(scratch_path("c/tree/dir/other")), 0);
}
static void retarget_link(void)
{
	assert_int_equal(unlink(scratch_path("c/tree/link")), 0);
	assert_int_equal(symlink("fil", scratch_path("c/tree/link")), 0);
}
static void link_becomes_file(void)
{
	assert_int_equal(unlink(scratch_path("c/tree/link")), 0);
	scratch_write("c/tree/link", "file");
}
static void fifo_becomes_file(void)
{
	assert_int_equal(unlink(scratch_path("c/tree/fifo")), 0);
	scratch_write("c/tree/fifo", "");
}
static void link_hard(void)
{
	assert_int_equal(link(scratch_path("c/tree/file"), scratch_path("c/tree/twin")), 0);
}
static void copy_instead(void)
{
	scratch_write("c/tree/twin", "text");
}
static void set_xattr(void)
{
	assert_int_equal(setxattr(scratch_path("c/tree/file"), "user.name", "value", 5, 0), 0);
}
static void set_xattr_otherwise(void)
{
	assert_int_equal(setxattr(scratch_path("c/tree/file"), "user.name", "valuf", 5, 0), 0);
}
static void set_dir_xattr(void)
{
	assert_int_equal(setxattr(scratch_path("c/tree/dir"), "user.name", "value", 5, 0), 0);
}

static void every_difference_shows(void **state)
{
	static void (*const changes[])(void) = {
		change_data,   append_data,	    rename_file,       move_file, change_mode,
		set_setuid,    change_dir_mode,	    add_empty,	       add_dir,	  remove_file,
		retarget_link, link_becomes_file,   fifo_becomes_file, link_hard, copy_instead,
		set_xattr,     set_xattr_otherwise, set_dir_xattr,
	};
	struct xb_digest seen[XB_COUNT(changes) + 1];

	(void)state;
	make_tree();
	seen[0] = checksum(NULL);
	for (size_t i = 0; i < XB_COUNT(changes); i++) {
		assert_int_equal(
			scratch_run((const char *[]){ "rm", "-rf", scratch_path("c"), NULL }), 0);
		make_tree();
		changes[i]();
		seen[i + 1] = checksum(NULL);
		for (size_t k = 0; k <= i; k++) {
			if (xb_digest_eq(&seen[k], &seen[i + 1]))
				fail_msg("changes %zu and %zu look the same", k, i + 1);
		}
	}
}

static void times_and_order_of_creation_do_not_show(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 2 } };
	struct xb_digest before;
	struct xb_digest after;

	(void)state;
	make_tree();
	for (int i = 0; i < 100; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "c/tree/dir/f%d", i);
		scratch_write(name, name);
	}
	before = checksum(NULL);
	assert_int_equal(rename(scratch_path("c"), scratch_path("old")), 0);
	make_tree();
	for (int i = 99; i >= 0; i--) {
		char name[64];

		(void)snprintf(name, sizeof(name), "c/tree/dir/f%d", i);
		scratch_write(name, name);
		assert_int_equal(utimensat(scratch_fd, name, times, 0), 0);
	}
	after = checksum(NULL);
	assert_true(xb_digest_eq(&before, &after));
}

static void what_no_layer_holds_does_not_show(void **state)
{
	struct xb_digest before;
	struct xb_digest after;

	(void)state;
	make_tree();
	before = checksum(NULL);
	assert_int_equal(setxattr(scratch_path("c/tree/file"), "user.overlay.opaque", "y", 1, 0),
			 0);
	/* only the machine's root may; who may not has nothing to be left out */
	(void)setxattr(scratch_path("c/tree/file"), "trusted.x", "y", 1, 0);
	(void)mknod(scratch_path("c/tree/whiteout"), S_IFCHR, makedev(0, 0));
	after = checksum(NULL);
	assert_true(xb_digest_eq(&before, &after));
}

/* It is copied as an empty file. */
static void a_socket_shows(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct xb_digest before;
	struct xb_digest after;

	(void)state;
	make_tree();
	before = checksum(NULL);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		       scratch_path("c/tree/socket"));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	(void)close(fd);
	after = checksum(NULL);
	assert_false(xb_digest_eq(&before, &after));
}

static void owners_show_when_asked_for(void **state)
{
	const struct xb_checksum_options owner = { .owner = true };
	struct xb_digest plain;
	struct xb_digest owned;
	struct xb_digest after;

	(void)state;
	make_tree();
	/* also refused to the root of a namespace with one id */
	need("root", chown(scratch_path("c/tree/file"), 5, 0) == 0);
	assert_int_equal(chown(scratch_path("c/tree/file"), 0, 0), 0);
	plain = checksum(NULL);
	owned = checksum(&owner);
	assert_int_equal(chown(scratch_path("c/tree/file"), 5, 0), 0);
	after = checksum(NULL);
	assert_true(xb_digest_eq(&plain, &after));
	after = checksum(&owner);
	assert_false(xb_digest_eq(&owned, &after));
	assert_int_equal(chown(scratch_path("c/tree/file"), 0, 0), 0);
	assert_int_equal(lchown(scratch_path("c/tree/link"), 0, 5), 0);
	after = checksum(&owner);
	assert_false(xb_digest_eq(&owned, &after));
}

static void a_directory_is_its_contents(void **state)
{
	const struct xb_checksum_options self = { .self = true };
	struct xb_digest plain;
	struct xb_digest whole;
	struct xb_digest after;

	(void)state;
	make_tree();
	plain = checksum(NULL);
	whole = checksum(&self);
	assert_int_equal(chmod(scratch_path("c/tree"), 0700), 0);
	after = checksum(NULL);
	assert_true(xb_digest_eq(&plain, &after));
	after = checksum(&self);
	assert_false(xb_digest_eq(&whole, &after));
}

static void the_name_of_the_source_does_not_count(void **state)
{
	const struct xb_checksum_options no_follow = { .no_follow = true };
	xb_auto_context struct xb_context *context = NULL;
	struct xb_digest file;
	struct xb_digest twin;
	struct xb_digest link;

	(void)state;
	make_tree();
	scratch_write("c/twin", "text");
	context = open_context(NULL);
	file = checksum_in(context, "tree/file", NULL);
	twin = checksum_in(context, "twin", NULL);
	assert_true(xb_digest_eq(&file, &twin));
	link = checksum_in(context, "tree/link", NULL);
	assert_true(xb_digest_eq(&file, &link));
	link = checksum_in(context, "tree/link", &no_follow);
	assert_false(xb_digest_eq(&file, &link));
}

static void ignored_files_do_not_show(void **state)
{
	xb_auto_context struct xb_context *with = NULL;
	xb_auto_context struct xb_context *without = NULL;
	struct xb_digest before;
	struct xb_digest after;

	(void)state;
	make_tree();
	scratch_write("c/tree/dir/kept.txt", "kept");
	without = open_context("tree/dir\n!tree/dir/*.txt\nempty\n!empty/none\n");
	before = checksum_in(without, ".", NULL);
	scratch_write("c/tree/dir/other", "changed");
	scratch_write("c/tree/dir/more", "more");
	assert_int_equal(mkdir(scratch_path("c/empty"), 0755), 0);
	scratch_write("c/empty/file", "ignored");
	after = checksum_in(without, ".", NULL);
	assert_true(xb_digest_eq(&before, &after));
	scratch_write("c/tree/dir/kept.txt", "changed");
	after = checksum_in(without, ".", NULL);
	assert_false(xb_digest_eq(&before, &after));

	/* a directory entered for the sake of one file has its own metadata all the same */
	before = after;
	assert_int_equal(chmod(scratch_path("c/tree/dir"), 0700), 0);
	after = checksum_in(without, ".", NULL);
	assert_false(xb_digest_eq(&before, &after));
	with = open_context("nothing\n");
	before = checksum_in(with, "tree", NULL);
	assert_false(xb_digest_eq(&before, &after));
}

/* Threat 41. */
static void ignored_files_are_never_opened(void **state)
{
	static const char *const rules[] = {
		"secret.txt",
		"/secret.txt",
		"./secret.txt",
		"*.txt",
		"**/*.txt",
		"sec*",
		"secret.???",
		"[s]ecret.txt",
		"secret*",
		"**/secret.txt",
		"s?cret.txt",
		"*",
		"**",
		"*secret*",
		"secret.txt/",
		" secret.txt ",
		"a\nsecret.txt",
		"#x\nsecret.txt",
		"!x\nsecret.txt",
		"[a-z]*.txt",
		"[^x]ecret.txt",
		"secret\\.txt",
		"*.t*t",
		"x/../secret.txt",
		"//secret.txt",
		"*\n!tree",
		"secret.txt\n!*.md",
		"**/sec*.txt",
		"?ecret.txt",
		"secret.txt\nsecret.txt",
	};
	xb_auto_fd int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	(void)state;
	make_tree();
	scratch_write("c/secret.txt", "canary");
	assert_int_equal(symlink("secret.txt", scratch_path("c/alias")), 0);
	assert_int_equal(symlink("../secret.txt", scratch_path("c/tree/alias")), 0);
	assert_true(inotify_add_watch(watch, scratch_path("c/secret.txt"), IN_OPEN | IN_ACCESS) >=
		    0);
	for (size_t i = 0; i < XB_COUNT(rules); i++) {
		static const char *const sources[] = { "secret.txt", "alias",	    "tree/alias",
						       "s*",	     "*",	    "./secret.txt",
						       "tree/*",     "/secret.txt", "tree/..",
						       "." };
		xb_auto_context struct xb_context *context = open_context(rules[i]);

		for (size_t k = 0; k < XB_COUNT(sources); k++) {
			xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
			struct xb_digest digest;
			int fd = xb_context_dirfd(context);

			(void)xb_context_expand(fd, context, sources[k], &paths, NULL);
			assert_int_equal(xb_strv_find(&paths, "secret.txt"), -1);
			xb_strv_push(&paths, sources[k]);
			for (size_t p = 0; p < paths.len; p++)
				(void)xb_context_checksum(fd, context, paths.items[p], NULL,
							  &digest, NULL);
		}
		if (can_be_read(watch))
			fail_msg("opened under the rules \"%s\"", rules[i]);
	}
	/* the watch sees what it is there for */
	assert_int_equal(unlink(scratch_path("c/.dockerignore")), 0);
	(void)checksum(NULL);
	assert_false(can_be_read(watch));
	(void)checksum_of("alias");
	assert_true(can_be_read(watch));
}

/* Threat 39: no link shape leads to the file beside the context. */
static void no_link_leads_out_of_the_context(void **state)
{
	static const char *const targets[] = {
		"../canary/secret",
		"../canary",
		"..",
		"../..",
		"../../../../../../../..",
		"/canary",
		"ABS/canary/secret",
		"ABS/canary",
		"ABS",
		"/..",
		"/../canary/secret",
		"./../canary/secret",
		"tree/../../canary/secret",
		"tree/../../canary",
		"//canary/secret",
		"../c/../canary/secret",
		"tree/dir/../../../canary/secret",
		"/proc/self/cwd/canary",
		"/proc/self/root",
		"/proc/self/fd/3",
		"/dev/fd/3",
		"up/canary/secret",
		"up/up/canary/secret",
		"abs/canary/secret",
		"chain1",
		"tree/up/canary/secret",
		".//..//canary//secret",
		"../canary/./secret",
		"../canary/../canary/secret",
		"/proc/1/root",
		"...",
		"../canary/secret/",
		"../canary/",
		"../",
		"self",
		"/",
		"/.",
		"tree/../..",
		"abs",
		"up",
	};
	xb_auto_context struct xb_context *context = NULL;
	xb_auto_fd int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	(void)state;
	assert_true(XB_COUNT(targets) >= 40);
	make_tree();
	assert_int_equal(mkdir(scratch_path("canary"), 0755), 0);
	scratch_write("canary/secret", "canary");
	assert_int_equal(symlink("..", scratch_path("c/up")), 0);
	assert_int_equal(symlink("../..", scratch_path("c/tree/up")), 0);
	assert_int_equal(symlink(scratch, scratch_path("c/abs")), 0);
	assert_int_equal(symlink("chain2", scratch_path("c/chain1")), 0);
	assert_int_equal(symlink("tree/up/canary/secret", scratch_path("c/chain2")), 0);
	assert_int_equal(symlink("self", scratch_path("c/self")), 0);
	for (size_t i = 0; i < XB_COUNT(targets); i++) {
		char name[64];
		char target[4096];

		(void)snprintf(name, sizeof(name), "c/l%zu", i);
		(void)snprintf(target, sizeof(target), "%s%s",
			       strncmp(targets[i], "ABS", 3) == 0 ? scratch : "",
			       targets[i] + (strncmp(targets[i], "ABS", 3) == 0 ? 3 : 0));
		assert_int_equal(symlink(target, scratch_path(name)), 0);
	}
	assert_true(inotify_add_watch(watch, scratch_path("canary"),
				      IN_OPEN | IN_ACCESS | IN_ISDIR) >= 0);
	assert_true(inotify_add_watch(watch, scratch_path("canary/secret"), IN_OPEN | IN_ACCESS) >=
		    0);
	context = open_context(NULL);
	for (size_t i = 0; i < XB_COUNT(targets); i++) {
		static const char *const tails[] = { "",   "/",		"/secret", "/canary/secret",
						     "/*", "/canary/*", "/.." };
		int fd = xb_context_dirfd(context);

		for (size_t k = 0; k < XB_COUNT(tails); k++) {
			xb_auto_strv struct xb_strv paths = XB_STRV_INIT;
			xb_auto_str struct xb_str text = XB_STR_INIT(4096);
			xb_autofree char *source = xb_format("l%zu%s", i, tails[k]);
			struct xb_digest digest;

			(void)xb_context_expand(fd, context, source, &paths, NULL);
			xb_strv_push(&paths, source);
			for (size_t p = 0; p < paths.len; p++) {
				(void)xb_context_checksum(fd, context, paths.items[p], NULL,
							  &digest, NULL);
				(void)xb_context_read(context, paths.items[p], &text, NULL);
			}
			assert_null(strstr(xb_str_text(&text), "canary"));
		}
	}
	if (can_be_read(watch))
		fail_msg("something outside the context was opened");
}

static void unreadable_files_are_named(void **state)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_context struct xb_context *context = NULL;
	struct xb_digest digest;

	(void)state;
	need("plain user", geteuid() != 0); /* nothing is unreadable to root */
	make_tree();
	assert_int_equal(chmod(scratch_path("c/tree/file"), 0), 0);
	context = open_context(NULL);
	assert_int_equal(xb_context_checksum(xb_context_dirfd(context), context, "tree", NULL,
					     &digest, &err),
			 -EACCES);
	assert_non_null(strstr(err.message, "tree/file"));
	assert_int_equal(err.fault, XB_FAULT_SOURCE);
}

/* Directories below each other until no path can name them. */
static void depth_costs_nothing(void **state)
{
	struct rlimit old;
	struct rlimit few = { .rlim_cur = 64 };
	int fd;

	(void)state;
	make_tree();
	fd = open(scratch_path("c/tree"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 3000; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "deeper", 0755), 0);
		next = openat(fd, "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		(void)close(fd);
		fd = next;
	}
	(void)close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	(void)checksum(NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

static void twenty_thousand_files_are_one_sum(void **state)
{
	struct xb_digest before;
	struct xb_digest after;

	(void)state;
	make_tree();
	for (int d = 0; d < 200; d++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "c/tree/d%d", d);
		assert_int_equal(mkdir(scratch_path(name), 0755), 0);
		for (int f = 0; f < 100; f++) {
			(void)snprintf(name, sizeof(name), "c/tree/d%d/f%d", d, f);
			scratch_write(name, name);
		}
	}
	before = checksum(NULL);
	after = checksum(NULL);
	assert_true(xb_digest_eq(&before, &after));
	scratch_write("c/tree/d199/f99", "another");
	after = checksum(NULL);
	assert_false(xb_digest_eq(&before, &after));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(every_difference_shows),
		scratch_test(times_and_order_of_creation_do_not_show),
		scratch_test(what_no_layer_holds_does_not_show),
		scratch_test(a_socket_shows),
		scratch_test(owners_show_when_asked_for),
		scratch_test(a_directory_is_its_contents),
		scratch_test(the_name_of_the_source_does_not_count),
		scratch_test(ignored_files_do_not_show),
		scratch_test(ignored_files_are_never_opened),
		scratch_test(no_link_leads_out_of_the_context),
		scratch_test(unreadable_files_are_named),
		scratch_test(depth_costs_nothing),
		scratch_test(twenty_thousand_files_are_one_sum),
	};

	return cmocka_run_group_tests_name("builder/context checksum", tests, NULL, NULL);
}
