/* SPDX-License-Identifier: Apache-2.0 */
/* Archives: what they consist of, as unpacked and as skopeo reads them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "manifest/archive.h"
#include "manifest/image.h"
#include "manifest/media.h"
#include "manifest/place_layout.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };

static struct xb_layout *layout;

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	return xb_layout_create(scratch_path("l"), &layout, NULL);
}

static int teardown(void **state)
{
	xb_layout_free(XB_STEAL(layout));
	return scratch_teardown(state);
}

static void run(const char *const *argv)
{
	if (scratch_run(argv) != 0)
		fail_msg("%s %s failed", argv[0], argv[1]);
}

/* Digest of a file of the scratch directory, and its size. */
static struct xb_digest digest_of(const char *name, uint64_t *ret_size)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_file_read(scratch_path(name), &text, NULL), 0);
	*ret_size = text.len;
	return xb_digest_of(xb_str_text(&text), text.len);
}

static void add_file(const char *name, const struct xb_digest *digest, uint64_t size)
{
	xb_auto_fd int fd = open(scratch_path(name), O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(xb_layout_add_fd(layout, fd, digest, size, false, NULL), 0);
}

/* Add a real layer, a tar of one file, compressed as told. */
static void add_layer(const char *name, enum xb_media_compression compression,
		      struct xb_image_config *config, struct xb_descriptors *layers)
{
	xb_autofree char *tar = xb_format("%s.tar", name);
	uint64_t size = 0;
	struct xb_digest digest;

	scratch_write(name, name);
	run((const char *[]){ "tar", "-C", scratch, "-cf", scratch_path(tar), name, NULL });
	*xb_array_push(&config->diff_ids) = digest_of(tar, &size);
	if (compression == XB_MEDIA_GZIP) {
		run((const char *[]){ "gzip", "-nf", scratch_path(tar), NULL });
		free(tar);
		tar = xb_format("%s.tar.gz", name);
	}
	digest = digest_of(tar, &size);
	add_file(tar, &digest, size);
	xb_descriptor_init(xb_array_push(layers), xb_media_layer(compression, false), &digest,
			   size);
}

static struct xb_descriptor make_image(void)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	config.platform = amd64;
	xb_strv_push(&config.env, "PATH=/bin");
	add_layer("one", XB_MEDIA_PLAIN, &config, &layers);
	add_layer("two", XB_MEDIA_GZIP, &config, &layers);
	xb_image_config_add_history(&config, "2026-01-02T03:04:05Z", "COPY one", NULL, false);
	xb_image_config_add_history(&config, "2026-01-02T03:04:05Z", "COPY two", NULL, false);
	assert_int_equal(xb_image_write(layout, &config, &layers, NULL, false, &d, NULL), 0);
	return d;
}

/* Make the archive's members in a directory, as unpacking its tar would. */
static void unpack(const struct xb_export *e, const char *dir)
{
	assert_int_equal(mkdir(scratch_path(dir), 0755), 0);
	for (size_t i = 0; i < e->len; i++) {
		const struct xb_export_file *file = &e->items[i];
		xb_autofree char *name = xb_format("%s/%s", dir, file->name);
		xb_auto_fd int to = -1, from = -1;

		if (file->source == XB_EXPORT_DIRECTORY) {
			assert_int_equal(mkdir(scratch_path(name), 0755), 0);
			continue;
		}
		to = open(scratch_path(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
		assert_true(to >= 0);
		if (file->source == XB_EXPORT_MEMORY) {
			assert_int_equal(xb_write_all(to, file->data, file->size, NULL), 0);
			continue;
		}
		assert_int_equal(xb_layout_blob_open(layout, &file->blob, file->size, &from, NULL),
				 0);
		assert_int_equal(xb_copy_data(from, to, file->size, NULL), 0);
	}
}

static struct xb_strv names_of(const char *a, const char *b)
{
	struct xb_strv v = XB_STRV_INIT;

	if (a != NULL)
		xb_strv_push(&v, a);
	if (b != NULL)
		xb_strv_push(&v, b);
	return v;
}

static void an_oci_archive_is_a_layout(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image();
	xb_auto_strv struct xb_strv tags = names_of("hello", "registry.example/app:1.4");
	xb_auto_export struct xb_export e = { 0 };
	xb_auto_layout struct xb_layout *again = NULL;
	static const char *const names[] = { "hello", "1.4", "registry.example/app:1.4" };

	(void)state;
	assert_int_equal(xb_export_oci(XB_PLACE_OF(layout), &d, &tags, &e, NULL), 0);
	assert_string_equal(e.items[0].name, "blobs/");
	assert_string_equal(e.items[1].name, "blobs/sha256/");
	assert_string_equal(e.items[e.len - 1].name, "oci-layout");
	unpack(&e, "unpacked");
	assert_int_equal(xb_layout_open(scratch_path("unpacked"), &again, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		xb_auto_image struct xb_image image = XB_IMAGE_INIT;

		assert_int_equal(xb_image_load(XB_PLACE_OF(again), names[i], &amd64, &image, NULL),
				 0);
		assert_string_equal(image.descriptor.digest.text, d.digest.text);
	}
}

static void without_tags_there_is_one_entry(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image();
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_export struct xb_export e = { 0 };
	xb_auto_layout struct xb_layout *again = NULL;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;

	(void)state;
	assert_int_equal(xb_export_oci(XB_PLACE_OF(layout), &d, &tags, &e, NULL), 0);
	unpack(&e, "unpacked");
	assert_int_equal(xb_layout_open(scratch_path("unpacked"), &again, NULL), 0);
	assert_int_equal(xb_image_load(XB_PLACE_OF(again), NULL, &amd64, &image, NULL), 0);
}

static void an_index_is_no_docker_archive(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image(), index = XB_DESCRIPTOR_INIT;
	xb_auto_descriptors struct xb_descriptors v = { 0 };
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_export struct xb_export e = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	(void)xb_descriptors_add(&v, &d);
	assert_int_equal(xb_image_write_index(layout, &v, NULL, false, &index, NULL), 0);
	assert_int_equal(xb_export_docker(XB_PLACE_OF(layout), &index, &tags, &e, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_non_null(err.hint);
	assert_int_equal(e.len, 0);
}

static void names_that_are_none(void **state)
{
	static const char *const bad[] = { "a b:c", "x/Y", "a:" };
	xb_auto_descriptor struct xb_descriptor d = make_image();

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_strv struct xb_strv tags = names_of(bad[i], NULL);
		xb_auto_export struct xb_export e = { 0 };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(xb_export_oci(XB_PLACE_OF(layout), &d, &tags, &e, &err), -EINVAL);
		assert_non_null(strstr(err.message, bad[i]));
		assert_int_equal(xb_export_docker(XB_PLACE_OF(layout), &d, &tags, &e, NULL),
				 -EINVAL);
		assert_int_equal(e.len, 0);
	}
}

/* A name with a digest: docker knows it by its tag alone. */
static void docker_names_have_tags(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image();
	xb_autofree char *pinned = xb_format("app@%s", d.digest.text);
	xb_auto_strv struct xb_strv tags = names_of(pinned, "docker.io/library/app:2");
	xb_auto_export struct xb_export e = { 0 };
	const struct xb_export_file *manifest;

	(void)state;
	assert_int_equal(xb_export_docker(XB_PLACE_OF(layout), &d, &tags, &e, NULL), 0);
	manifest = &e.items[e.len - 2];
	assert_string_equal(manifest->name, "manifest.json");
	assert_int_equal(manifest->size, strlen(manifest->data));
	assert_non_null(strstr(manifest->data, "\"RepoTags\":[\"app:latest\",\"app:2\"]"));
}

static void incomplete_images_are_not_exported(void **state)
{
	struct xb_digest digest = xb_digest_of("missing", 7);
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_export struct xb_export e = { 0 };

	(void)state;
	xb_descriptor_init(&d, XB_MEDIA_OCI_MANIFEST, &digest, 7);
	assert_int_equal(xb_export_oci(XB_PLACE_OF(layout), &d, &tags, &e, NULL), -ENOENT);
	assert_int_equal(xb_export_docker(XB_PLACE_OF(layout), &d, &tags, &e, NULL), -ENOENT);
}

/* outside judges */

static void judge(const char *kind, const struct xb_export *e)
{
	xb_autofree char *from = xb_format("%s:%s", kind, scratch_path("a.tar"));
	xb_autofree char *to = xb_format("oci:%s:t", scratch_path("judged"));
	xb_auto_layout struct xb_layout *judged = NULL;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;

	unpack(e, "unpacked");
	run((const char *[]){ "tar", "-C", scratch_path("unpacked"), "-cf", scratch_path("a.tar"),
			      ".", NULL });
	run((const char *[]){ "skopeo", "--insecure-policy", "copy", "-q", from, to, NULL });
	assert_int_equal(xb_layout_open(scratch_path("judged"), &judged, NULL), 0);
	assert_int_equal(xb_image_load(XB_PLACE_OF(judged), "t", &amd64, &image, NULL), 0);
	assert_int_equal(image.manifest.layers.len, 2);
	assert_string_equal(xb_env_get(&image.config.env, XB_VIEW("PATH")), "/bin");
}

static bool have_skopeo(void)
{
	return scratch_run((const char *[]){ "sh", "-c", "command -v skopeo >/dev/null", NULL }) ==
	       0;
}

static void skopeo_reads_the_oci_archive(void **state)
{
	xb_auto_strv struct xb_strv tags = names_of("hello:1", NULL);
	xb_auto_export struct xb_export e = { 0 };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	(void)state;
	need("skopeo", have_skopeo());
	d = make_image();
	assert_int_equal(xb_export_oci(XB_PLACE_OF(layout), &d, &tags, &e, NULL), 0);
	judge("oci-archive", &e);
}

/* Its layers, plain and gzip, are named as blobs. */
static void skopeo_reads_the_docker_archive(void **state)
{
	xb_auto_strv struct xb_strv tags = names_of("hello:1", NULL);
	xb_auto_export struct xb_export e = { 0 };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;

	(void)state;
	need("skopeo", have_skopeo());
	d = make_image();
	assert_int_equal(xb_export_docker(XB_PLACE_OF(layout), &d, &tags, &e, NULL), 0);
	judge("docker-archive", &e);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_oci_archive_is_a_layout),    TEST(without_tags_there_is_one_entry),
		TEST(an_index_is_no_docker_archive), TEST(names_that_are_none),
		TEST(docker_names_have_tags),	     TEST(incomplete_images_are_not_exported),
		TEST(skopeo_reads_the_oci_archive),  TEST(skopeo_reads_the_docker_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
