/* SPDX-License-Identifier: Apache-2.0 */
/* Image layouts: blobs whole or not there, tags replaced one at a time, hostile files refused. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "manifest/layout.h"
#include "manifest/manifest.h"
#include "manifest/media.h"
#include "tests/unit/scratch.h"

#define INDEX_TEXT "{\"schemaVersion\":2,\"manifests\":[]}"
#define MANIFEST_TEXT                                                                              \
	"{\"schemaVersion\":2,\"mediaType\":\"" XB_MEDIA_DOCKER_MANIFEST                           \
	"\",\"config\":{\"mediaType\":\"a/b\",\"digest\":\"sha256:"                                \
	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":0},"          \
	"\"layers\":[]}"

/* A fresh layout in the scratch directory. */
static struct xb_layout *fresh(const char *name)
{
	struct xb_layout *layout = NULL;
	struct xb_error err = XB_ERROR_INIT;

	if (xb_layout_create(scratch_path(name), &layout, &err) < 0)
		fail_msg("%s", err.message);
	return layout;
}

/* Path of a blob, below the scratch directory. */
static const char *blob_path(const char *layout, const struct xb_digest *digest)
{
	static char path[512];

	(void)snprintf(path, sizeof(path), "%s/blobs/%.*s/%s", scratch_path(layout),
		       XB_VIEW_ARGS(xb_digest_algorithm(digest)), xb_digest_hex(digest));
	return path;
}

static size_t count_entries(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		count++;
	(void)closedir(dir);
	return count - 2;
}

static struct xb_descriptor add(struct xb_layout *layout, const char *text)
{
	struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest;

	assert_int_equal(xb_layout_add_bytes(layout, xb_view(text), false, &digest, NULL), 0);
	xb_descriptor_init(&d, XB_MEDIA_OCI_INDEX, &digest, strlen(text));
	return d;
}

static void a_new_layout_is_one(void **state)
{
	xb_auto_layout struct xb_layout *made = fresh("deep/down/out");
	xb_auto_layout struct xb_layout *opened = NULL, *again = NULL, *at = NULL;
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	(void)state;
	assert_int_equal(xb_layout_open(scratch_path("deep/down/out"), &opened, NULL), 0);
	assert_int_equal(xb_layout_create(scratch_path("deep/down/out"), &again, NULL), 0);
	assert_int_equal(xb_layout_open_at(scratch_fd, "deep/down/out", &at, NULL), 0);
	assert_int_equal(xb_layout_index(opened, &index, NULL), 0);
	assert_int_equal(index.manifests.len, 0);
	assert_string_equal(xb_layout_path(opened), scratch_path("deep/down/out"));
	assert_string_equal(xb_layout_path(at), scratch_path("deep/down/out"));
}

static void what_is_no_layout(void **state)
{
	xb_auto_layout struct xb_layout *layout = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_layout_open(scratch_path("nowhere"), &layout, &err), -ENOENT);
	assert_int_equal(mkdir(scratch_path("d"), 0755), 0);
	assert_int_equal(xb_layout_open(scratch_path("d"), &layout, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "oci-layout"));
	scratch_write("d/oci-layout", "{\"imageLayoutVersion\":\"2.0.0\"}");
	assert_int_equal(xb_layout_open(scratch_path("d"), &layout, &err), -EBADMSG);
	scratch_write("d/oci-layout", "nonsense");
	assert_int_equal(xb_layout_open(scratch_path("d"), &layout, &err), -EBADMSG);
	assert_null(layout);
}

/* An output never goes into somebody's home directory by mistake. */
static void a_directory_with_other_things_is_refused(void **state)
{
	xb_auto_layout struct xb_layout *layout = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(mkdir(scratch_path("home"), 0755), 0);
	scratch_write("home/notes", "x");
	assert_int_equal(xb_layout_create(scratch_path("home"), &layout, &err), -EEXIST);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_int_equal(count_entries(scratch_path("home")), 1);
}

/* The store is 0700 and holds other things; its files are for its owner alone. */
static void a_store_is_private(void **state)
{
	xb_auto_layout struct xb_layout *layout = NULL;
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_fd int fd = -1;
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(scratch_path("store"), 0700), 0);
	scratch_write("store/xbuild.db", "x");
	fd = open(scratch_path("store"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_layout_create_at(fd, &layout, NULL), 0);
	d = add(layout, "bytes");
	assert_int_equal(stat(blob_path("store", &d.digest), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(scratch_path("store/index.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(scratch_path("store/blobs"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
}

static void an_output_is_readable(void **state)
{
	mode_t mask = umask(022);
	xb_auto_layout struct xb_layout *layout = fresh("out");
	xb_auto_descriptor struct xb_descriptor d = add(layout, "bytes");
	struct stat st;

	(void)state;
	(void)umask(mask);
	assert_int_equal(stat(blob_path("out", &d.digest), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(stat(scratch_path("out/index.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(stat(scratch_path("out/oci-layout"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void a_blob_reads_back(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor d = add(layout, "hello");
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_fd int fd = -1;

	(void)state;
	assert_true(xb_layout_blob_exists(layout, &d.digest, 5));
	assert_false(xb_layout_blob_exists(layout, &d.digest, 6));
	assert_int_equal(xb_layout_blob_open(layout, &d.digest, 5, &fd, NULL), 0);
	assert_int_equal(xb_str_puts(&text, ">"), 0);
	assert_int_equal(xb_layout_blob_read(layout, &d, 5, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), ">hello");
	assert_int_equal(xb_layout_blob_read(layout, &d, 4, &text, NULL), -EFBIG);
	assert_string_equal(xb_str_text(&text), ">hello");
}

/* Sizes and digests are checked on every read, also of what we wrote ourselves. */
static void changed_blobs_are_found(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor d = add(layout, "hello");
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = -1;
	FILE *f = fopen(blob_path("l", &d.digest), "r+e");

	(void)state;
	assert_non_null(f);
	assert_true(fputs("hellO", f) >= 0);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(xb_layout_blob_read(layout, &d, 100, &text, &err), -EBADMSG);
	assert_non_null(strstr(err.message, d.digest.text));
	assert_int_equal(text.len, 0);
	assert_true(fputs("!", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(xb_layout_blob_read(layout, &d, 100, &text, &err), -EBADMSG);
	assert_int_equal(xb_layout_blob_open(layout, &d.digest, 5, &fd, &err), -EBADMSG);
	assert_int_equal(fd, -1);
}

/* A corrupt blob of another size is replaced when the real one is stored again. */
static void a_short_blob_is_replaced(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor d = add(layout, "hello"), again;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	assert_int_equal(truncate(blob_path("l", &d.digest), 0), 0);
	again = add(layout, "hello");
	assert_int_equal(xb_layout_blob_read(layout, &again, 100, &text, NULL), 0);
	assert_int_equal(count_entries(scratch_path("l/blobs/sha256")), 1);
}

/* After a power cut a document may have its size and not its bytes. */
static void a_damaged_blob_is_replaced(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor d = add(layout, "hello"), again;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);

	(void)state;
	assert_int_equal(truncate(blob_path("l", &d.digest), 0), 0);
	assert_int_equal(truncate(blob_path("l", &d.digest), 5), 0);
	again = add(layout, "hello");
	assert_int_equal(xb_layout_blob_read(layout, &again, 100, &text, NULL), 0);
}

static void links_and_fifos_are_refused(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	struct xb_digest digest = xb_digest_of("secret", 6), empty = { 0 };
	xb_auto_fd int fd = -1;
	uint64_t size = 0;

	(void)state;
	scratch_write("secret", "secret");
	assert_int_equal(xb_layout_blob_open(layout, &digest, 6, &fd, NULL), -ENOENT);
	assert_int_equal(symlink("../../../secret", blob_path("l", &digest)), 0);
	assert_int_equal(xb_layout_blob_open(layout, &digest, 6, &fd, NULL), -ELOOP);
	assert_int_equal(unlink(blob_path("l", &digest)), 0);
	assert_int_equal(mkfifo(blob_path("l", &digest), 0600), 0);
	assert_int_equal(xb_layout_blob_open(layout, &digest, 0, &fd, NULL), -EBADMSG);
	assert_int_equal(xb_layout_blob_size(layout, &digest, &size, NULL), -EBADMSG);
	assert_int_equal(xb_layout_blob_open(layout, &empty, 0, &fd, NULL), -EBADMSG);
}

/* blobs -> / does not lead out of the layout. */
static void a_linked_directory_does_not_lead_out(void **state)
{
	xb_auto_layout struct xb_layout *inner = NULL, *evil = NULL, *outside = fresh("real");
	xb_auto_descriptor struct xb_descriptor d = add(outside, "hello");
	xb_auto_fd int fd = -1;
	int r;

	(void)state;
	assert_int_equal(mkdir(scratch_path("evil"), 0755), 0);
	scratch_write("evil/oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	assert_int_equal(symlink("../real/blobs", scratch_path("evil/blobs")), 0);
	assert_int_equal(xb_layout_open(scratch_path("evil"), &evil, NULL), 0);
	r = xb_layout_blob_open(evil, &d.digest, 5, &fd, NULL);
	assert_int_equal(r, -EXDEV);
	assert_int_equal(xb_layout_open_at(xb_layout_dirfd(evil), "../real", &inner, NULL), -EXDEV);
}

static void expected_bytes_and_no_others(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	struct xb_digest digest = xb_digest_of("hello", 5);
	static const struct {
		const char *bytes;
		uint64_t size;
		int written, committed;
	} rows[] = {
		{ "hello", 5, 0, 0 },	      { "hello", 6, 0, -EBADMSG },
		{ "hell", 5, 0, -EBADMSG },   { "hellO", 5, 0, -EBADMSG },
		{ "hello!", 5, -EBADMSG, 0 },
	};

	(void)state;
	for (size_t i = XB_COUNT(rows); i > 0; i--) {
		const char *bytes = rows[i - 1].bytes;
		xb_auto_blob_writer struct xb_blob_writer *w = NULL;

		assert_false(xb_layout_blob_exists(layout, &digest, 5));
		assert_int_equal(xb_blob_writer_new(layout, &digest, rows[i - 1].size, &w, NULL),
				 0);
		assert_int_equal(xb_blob_writer_write(w, bytes, strlen(bytes), NULL),
				 rows[i - 1].written);
		if (rows[i - 1].written == 0)
			assert_int_equal(xb_blob_writer_commit(w, true, NULL, NULL, NULL),
					 rows[i - 1].committed);
	}
	assert_true(xb_layout_blob_exists(layout, &digest, 5));
	assert_int_equal(count_entries(scratch_path("l/blobs/sha256")), 1);
}

static void sha512_has_its_own_directory(void **state)
{
	static const char text[] =
		"sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d"
		"36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af"
		"927da3e";
	xb_auto_layout struct xb_layout *layout = fresh("l"), *other = fresh("m");
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;
	struct xb_digest digest;

	(void)state;
	assert_int_equal(xb_digest_parse(XB_VIEW(text), &digest, NULL), 0);
	assert_int_equal(xb_blob_writer_new(layout, &digest, 0, &w, NULL), 0);
	assert_int_equal(xb_blob_writer_commit(w, false, NULL, NULL, NULL), 0);
	assert_true(xb_layout_blob_exists(layout, &digest, 0));
	assert_int_equal(xb_layout_add_blob(other, layout, &digest, 0, true, NULL), 0);
	assert_true(xb_layout_blob_exists(other, &digest, 0));
}

/* Without a commit nothing stays, not even while the writer lives. */
static void an_unfinished_blob_leaves_nothing(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_blob_writer struct xb_blob_writer *w = NULL;

	(void)state;
	assert_int_equal(xb_blob_writer_new(layout, NULL, 0, &w, NULL), 0);
	assert_int_equal(xb_blob_writer_write(w, "abc", 3, NULL), 0);
	xb_blob_writer_free(XB_STEAL(w));
	assert_int_equal(count_entries(scratch_path("l/blobs/sha256")), 0);
}

static void files_become_blobs(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	struct xb_digest digest = xb_digest_of("file bytes", 10);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_fd int fd = -1;

	(void)state;
	scratch_write("f", "file bytes");
	fd = open(scratch_path("f"), O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	assert_int_equal(xb_layout_add_fd(layout, fd, &digest, 10, true, NULL), 0);
	assert_int_equal(xb_layout_add_fd(layout, fd, &digest, 10, true, NULL), 0);
	xb_descriptor_init(&d, "a/b", &digest, 10);
	assert_int_equal(xb_layout_blob_read(layout, &d, 100, &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "file bytes");
}

static void blobs_are_verified_when_copied(void **state)
{
	xb_auto_layout struct xb_layout *from = fresh("from"), *to = fresh("to");
	xb_auto_descriptor struct xb_descriptor d = add(from, "hello");
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	FILE *f = fopen(blob_path("from", &d.digest), "r+e");

	(void)state;
	assert_true(fputs("hellO", f) >= 0);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(xb_layout_add_blob(to, from, &d.digest, 5, false, &err), -EBADMSG);
	assert_false(xb_layout_blob_exists(to, &d.digest, 5));
	rewind(f);
	assert_true(fputs("hello", f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(xb_layout_add_blob(to, from, &d.digest, 5, false, &err), 0);
	assert_true(xb_layout_blob_exists(to, &d.digest, 5));
}

static void assert_resolves(struct xb_layout *layout, const char *name,
			    const struct xb_descriptor *wanted)
{
	xb_auto_descriptor struct xb_descriptor found = XB_DESCRIPTOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_layout_resolve(layout, name, &found, &err) < 0)
		fail_msg("%s", err.message);
	assert_string_equal(found.digest.text, wanted->digest.text);
}

static void tags(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor a = add(layout, "a"), b = add(layout, "b");
	xb_auto_descriptor struct xb_descriptor found = XB_DESCRIPTOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(xb_layout_resolve(layout, NULL, &found, &err), -ENOENT);
	assert_int_equal(xb_layout_tag(layout, &a, "one", true, NULL), 0);
	assert_resolves(layout, NULL, &a);
	assert_resolves(layout, "one", &a);
	assert_resolves(layout, a.digest.text, &a);
	assert_int_equal(xb_layout_tag(layout, &b, "docker.io/library/x:1.0", false, NULL), 0);
	assert_resolves(layout, "docker.io/library/x:1.0", &b);
	assert_int_equal(xb_layout_resolve(layout, NULL, &found, &err), -ENOENT);
	assert_int_equal(xb_layout_tag(layout, &b, "latest", false, NULL), 0);
	assert_resolves(layout, NULL, &b);
	assert_int_equal(xb_layout_tag(layout, &b, "one", false, NULL), 0);
	assert_resolves(layout, "one", &b);
	assert_int_equal(xb_layout_resolve(layout, "two", &found, &err), -ENOENT);
	assert_non_null(strstr(err.message, "one, docker.io/library/x:1.0, latest"));
	assert_int_equal(xb_layout_untag(layout, "one", false, NULL), 0);
	assert_int_equal(xb_layout_untag(layout, "one", false, NULL), -ENOENT);
	assert_resolves(layout, "latest", &b);
}

/* Entries that others made keep all they have, and each name stays once. */
static void tagging_keeps_other_entries(void **state)
{
	static const char before[] =
		"{\"schemaVersion\":2,\"manifests\":["
		"{\"mediaType\":\"a/b\",\"digest\":\"sha256:"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":0,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"keep\"},\"urls\":[\"u\"],"
		"\"x\":1},"
		"{\"mediaType\":\"a/b\",\"digest\":\"sha256:"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":0,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}},"
		"{\"mediaType\":\"c/d\",\"digest\":\"sha256:"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"size\":0,"
		"\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}}],\"y\":{}}";
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor a = add(layout, "a");
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	(void)state;
	scratch_write("l/index.json", before);
	assert_int_equal(xb_layout_tag(layout, &a, "t", false, NULL), 0);
	assert_int_equal(xb_layout_tag(layout, &a, NULL, false, NULL), 0);
	assert_int_equal(xb_layout_index(layout, &index, NULL), 0);
	assert_int_equal(index.manifests.len, 2);
	assert_string_equal(index.manifests.items[0].extra, "{\"urls\":[\"u\"],\"x\":1}");
	assert_string_equal(index.extra, "{\"y\":{}}");
	assert_true(xb_digest_eq(&index.manifests.items[1].digest, &a.digest));
}

static void nameless_entries(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor a = add(layout, "a");
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	(void)state;
	assert_int_equal(xb_layout_tag(layout, &a, NULL, false, NULL), 0);
	assert_int_equal(xb_layout_tag(layout, &a, NULL, false, NULL), 0);
	assert_int_equal(xb_layout_index(layout, &index, NULL), 0);
	assert_int_equal(index.manifests.len, 1);
	assert_resolves(layout, NULL, &a);
}

static void two_images_of_one_name(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor found = XB_DESCRIPTOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	scratch_write(
		"l/index.json",
		"{\"schemaVersion\":2,\"manifests\":["
		"{\"mediaType\":\"a/b\",\"digest\":\"sha256:"
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
		"\"size\":0,\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}},"
		"{\"mediaType\":\"a/b\",\"digest\":\"sha256:"
		"c86f7763873b6c0aae22d963bab59b4f5debbed6685761b5951584f6efb0633b\","
		"\"size\":0,\"annotations\":{\"org.opencontainers.image.ref.name\":\"t\"}}]}");
	assert_int_equal(xb_layout_resolve(layout, "t", &found, &err), -EEXIST);
	assert_non_null(strstr(err.hint, "sha256:c86f"));
	assert_null(found.media_type);
}

static void tags_that_cannot_be(void **state)
{
	static const char *const bad[] = { "", "a b", "-a", "a/", "a\n", "\033[1m", "ä", "a\"b" };
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor a = add(layout, "a");

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++)
		assert_int_equal(xb_layout_tag(layout, &a, bad[i], false, NULL), -EINVAL);
}

/* A digest that index.json does not list is found by what the document says of itself. */
static void documents_by_digest(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor index = add(layout, INDEX_TEXT);
	xb_auto_descriptor struct xb_descriptor other = add(layout, "no document");
	xb_auto_descriptor struct xb_descriptor manifest = add(layout, MANIFEST_TEXT);
	xb_auto_descriptor struct xb_descriptor found = XB_DESCRIPTOR_INIT;
	struct xb_digest missing = xb_digest_of("missing", 7);

	(void)state;
	assert_int_equal(xb_layout_resolve(layout, index.digest.text, &found, NULL), 0);
	assert_string_equal(found.media_type, XB_MEDIA_OCI_INDEX);
	assert_int_equal(found.size, strlen(INDEX_TEXT));
	xb_descriptor_clear(&found);
	assert_int_equal(xb_layout_resolve(layout, manifest.digest.text, &found, NULL), 0);
	assert_string_equal(found.media_type, XB_MEDIA_DOCKER_MANIFEST);
	xb_descriptor_clear(&found);
	assert_int_equal(xb_layout_resolve(layout, other.digest.text, &found, NULL), -EBADMSG);
	assert_int_equal(xb_layout_resolve(layout, missing.text, &found, NULL), -ENOENT);
}

/* No index.json is an empty one; a bad one is never written over. */
static void missing_and_bad_indexes(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor a = add(layout, "a");
	xb_auto_descriptor struct xb_descriptor found = XB_DESCRIPTOR_INIT;
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(100);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(unlink(scratch_path("l/index.json")), 0);
	assert_int_equal(xb_layout_index(layout, &index, NULL), 0);
	assert_int_equal(index.manifests.len, 0);
	assert_int_equal(xb_layout_tag(layout, &a, "t", false, NULL), 0);
	assert_resolves(layout, "t", &a);
	scratch_write("l/index.json", "nonsense");
	assert_int_equal(xb_layout_resolve(layout, "t", &found, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "index.json"));
	assert_int_equal(xb_layout_tag(layout, &a, "t", false, NULL), -EBADMSG);
	assert_int_equal(xb_layout_untag(layout, "t", false, NULL), -EBADMSG);
	assert_int_equal(xb_file_read(scratch_path("l/index.json"), &text, NULL), 0);
	assert_string_equal(xb_str_text(&text), "nonsense");
}

/* Like a FIFO for a blob: one for index.json never blocks. */
static void a_fifo_for_an_index(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_index struct xb_index index = XB_INDEX_INIT;

	(void)state;
	assert_int_equal(unlink(scratch_path("l/index.json")), 0);
	assert_int_equal(mkfifo(scratch_path("l/index.json"), 0600), 0);
	assert_true(xb_layout_index(layout, &index, NULL) < 0);
	assert_int_equal(unlink(scratch_path("l/index.json")), 0);
	scratch_write("secret", INDEX_TEXT);
	assert_int_equal(symlink("../secret", scratch_path("l/index.json")), 0);
	assert_true(xb_layout_index(layout, &index, NULL) < 0);
}

/* An index that no reader would take is not written. */
static void an_index_has_a_limit(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor a = add(layout, "a");
	xb_autofree char *value = xb_alloc(XB_MAX_MANIFEST);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	memset(value, 'x', XB_MAX_MANIFEST - 1);
	value[XB_MAX_MANIFEST - 1] = '\0';
	xb_annotations_set(&a.annotations, "big", value);
	assert_int_equal(xb_layout_tag(layout, &a, "t", false, &err), -EFBIG);
	xb_annotations_clear(&a.annotations);
	assert_int_equal(xb_layout_tag(layout, &a, "t", false, NULL), 0);
}

enum { TAGGERS = 8, TAGS_EACH = 20 };

struct tagger {
	struct xb_layout *layout;
	const struct xb_descriptor *descriptor;
	int number;
};

static void *tag_many(void *arg)
{
	const struct tagger *t = arg;

	for (int i = 0; i < TAGS_EACH; i++) {
		xb_autofree char *tag = xb_format("t%d-%d", t->number, i);

		if (xb_layout_tag(t->layout, t->descriptor, tag, false, NULL) < 0)
			return arg;
	}
	return NULL;
}

/* Nobody's tag is lost when many are set at the same time. */
static void tags_at_the_same_time(void **state)
{
	xb_auto_layout struct xb_layout *layout = fresh("l");
	xb_auto_descriptor struct xb_descriptor a = add(layout, "a");
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	struct tagger taggers[TAGGERS];
	pthread_t threads[TAGGERS];
	void *failed = NULL;

	(void)state;
	for (int i = 0; i < TAGGERS; i++) {
		taggers[i] = (struct tagger){ layout, &a, i };
		assert_int_equal(pthread_create(&threads[i], NULL, tag_many, &taggers[i]), 0);
	}
	for (int i = 0; i < TAGGERS; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(xb_layout_index(layout, &index, NULL), 0);
	assert_int_equal(index.manifests.len, TAGGERS * TAGS_EACH);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_layout_is_one),
		TEST(what_is_no_layout),
		TEST(a_directory_with_other_things_is_refused),
		TEST(a_store_is_private),
		TEST(an_output_is_readable),
		TEST(a_blob_reads_back),
		TEST(changed_blobs_are_found),
		TEST(a_short_blob_is_replaced),
		TEST(a_damaged_blob_is_replaced),
		TEST(links_and_fifos_are_refused),
		TEST(a_linked_directory_does_not_lead_out),
		TEST(expected_bytes_and_no_others),
		TEST(sha512_has_its_own_directory),
		TEST(an_unfinished_blob_leaves_nothing),
		TEST(files_become_blobs),
		TEST(blobs_are_verified_when_copied),
		TEST(tags),
		TEST(tagging_keeps_other_entries),
		TEST(nameless_entries),
		TEST(two_images_of_one_name),
		TEST(tags_that_cannot_be),
		TEST(documents_by_digest),
		TEST(missing_and_bad_indexes),
		TEST(a_fifo_for_an_index),
		TEST(an_index_has_a_limit),
		TEST(tags_at_the_same_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
