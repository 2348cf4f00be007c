/* SPDX-License-Identifier: Apache-2.0 */
/* Archives: what they consist of, read by xbuild again and by skopeo. */
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

#define EMPTY_ID "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

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
	assert_int_equal(xb_export_oci(layout, &d, &tags, &e, NULL), 0);
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
	assert_int_equal(xb_export_oci(layout, &d, &tags, &e, NULL), 0);
	unpack(&e, "unpacked");
	assert_int_equal(xb_layout_open(scratch_path("unpacked"), &again, NULL), 0);
	assert_int_equal(xb_image_load(XB_PLACE_OF(again), NULL, &amd64, &image, NULL), 0);
}

static void a_docker_archive_reads_back(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image();
	xb_auto_descriptor struct xb_descriptor taken = XB_DESCRIPTOR_INIT;
	xb_auto_strv struct xb_strv tags = names_of("app", "registry.example/app:1.4");
	xb_auto_export struct xb_export e = { 0 };
	xb_auto_layout struct xb_layout *to = NULL;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int dir = -1;

	(void)state;
	assert_int_equal(xb_export_docker(layout, &d, &tags, &e, NULL), 0);
	unpack(&e, "unpacked");
	dir = open(scratch_path("unpacked"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_layout_create(scratch_path("to"), &to, NULL), 0);
	if (xb_import_docker(to, dir, "docker.io/library/app:latest", false, &taken, &err) < 0)
		fail_msg("%s", err.message);
	/* the layers, the config, and by these the manifest, have kept their bytes */
	assert_string_equal(taken.digest.text, d.digest.text);
	assert_int_equal(xb_image_find(XB_PLACE_OF(to), &taken, &amd64, &image, NULL), 0);
	assert_int_equal(xb_image_check_layers(XB_PLACE_OF(to), &image, NULL), 0);
	xb_descriptor_clear(&taken);
	assert_int_equal(xb_import_docker(to, dir, NULL, false, &taken, NULL), 0);
	xb_descriptor_clear(&taken);
	assert_int_equal(xb_import_docker(to, dir, "other", false, &taken, &err), -ENOENT);
	assert_non_null(strstr(err.message, "docker.io/library/other:latest"));
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
	assert_int_equal(xb_export_docker(layout, &index, &tags, &e, &err), -EINVAL);
	assert_int_equal(err.fault, XB_FAULT_USAGE);
	assert_non_null(err.hint);
	assert_int_equal(e.len, 0);
}

/* What a Docker archive names is looked for below its directory, and must be what it says. */
static void hostile_docker_archives(void **state)
{
	static const char *const documents[] = {
		"{}",
		"[]",
		"[1]",
		"[{\"Layers\":[]}]",
		"[{\"Config\":\"../secret\",\"Layers\":[]}]",
		"[{\"Config\":\"/etc/passwd\",\"Layers\":[]}]",
		"[{\"Config\":\"fifo\",\"Layers\":[]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[\"../secret\"]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[\"link\"]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[\"fifo\"]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[\"c.json\"]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[1]}]",
	};
	xb_auto_fd int dir = -1;

	(void)state;
	scratch_write("secret", "{}");
	assert_int_equal(mkdir(scratch_path("d"), 0755), 0);
	assert_int_equal(symlink("../secret", scratch_path("d/link")), 0);
	assert_int_equal(mkfifo(scratch_path("d/fifo"), 0600), 0);
	scratch_write("d/c.json", "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
				  "\"type\":\"layers\",\"diff_ids\":[\"sha256:e3b0c44298fc1c149afb"
				  "f4c8996fb92427ae41e4649b934ca495991b7852b855\"]}}");
	dir = open(scratch_path("d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < XB_COUNT(documents); i++) {
		xb_auto_descriptor struct xb_descriptor taken = XB_DESCRIPTOR_INIT;

		scratch_write("d/manifest.json", documents[i]);
		if (xb_import_docker(layout, dir, NULL, false, &taken, NULL) >= 0)
			fail_msg("%s was taken", documents[i]);
	}
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

		assert_int_equal(xb_export_oci(layout, &d, &tags, &e, &err), -EINVAL);
		assert_non_null(strstr(err.message, bad[i]));
		assert_int_equal(xb_export_docker(layout, &d, &tags, &e, NULL), -EINVAL);
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
	assert_int_equal(xb_export_docker(layout, &d, &tags, &e, NULL), 0);
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
	assert_int_equal(xb_export_oci(layout, &d, &tags, &e, NULL), -ENOENT);
	assert_int_equal(xb_export_docker(layout, &d, &tags, &e, NULL), -ENOENT);
}

/* Layers of an archive are known by their first bytes; several images need a name. */
static void kinds_of_layers(void **state)
{
	static const char config[] = "{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{"
				     "\"type\":\"layers\",\"diff_ids\":[\"" EMPTY_ID
				     "\",\"" EMPTY_ID "\",\"" EMPTY_ID "\"]}}";
	static const char image[] = "{\"Config\":\"c.json\",\"RepoTags\":[\"a:1\",\"NO NAME\"],"
				    "\"Layers\":[\"gz\",\"zst\",\"tar\"]}";
	xb_autofree char *both = xb_format("[{\"RepoTags\":1},%s]", image);
	xb_auto_descriptor struct xb_descriptor taken = XB_DESCRIPTOR_INIT;
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int dir = -1;

	(void)state;
	assert_int_equal(mkdir(scratch_path("d"), 0755), 0);
	scratch_write("d/c.json", config);
	scratch_write("d/gz", "\x1f\x8b...");
	scratch_write("d/zst", "\x28\xb5\x2f\xfd...");
	scratch_write("d/tar", "");
	scratch_write("d/manifest.json", both);
	dir = open(scratch_path("d"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_import_docker(layout, dir, NULL, false, &taken, &err), -ENOENT);
	assert_non_null(strstr(err.message, "2 images"));
	assert_int_equal(xb_import_docker(layout, dir, "a:2", false, &taken, NULL), -ENOENT);
	assert_int_equal(xb_import_docker(layout, dir, "A", false, &taken, NULL), -EINVAL);
	assert_int_equal(xb_import_docker(layout, dir, "a:1", true, &taken, NULL), 0);
	assert_int_equal(xb_image_read_manifest(XB_PLACE_OF(layout), &taken, &m, NULL), 0);
	assert_string_equal(m.layers.items[0].media_type, XB_MEDIA_OCI_LAYER_GZIP);
	assert_string_equal(m.layers.items[1].media_type, XB_MEDIA_OCI_LAYER_ZSTD);
	assert_string_equal(m.layers.items[2].media_type, XB_MEDIA_OCI_LAYER);
	assert_int_equal(unlink(scratch_path("d/manifest.json")), 0);
	assert_int_equal(xb_import_docker(layout, dir, NULL, false, &taken, &err), -ENOENT);
	assert_non_null(strstr(err.message, "manifest.json"));
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
	assert_int_equal(xb_export_oci(layout, &d, &tags, &e, NULL), 0);
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
	assert_int_equal(xb_export_docker(layout, &d, &tags, &e, NULL), 0);
	judge("docker-archive", &e);
}

/* And the other way: what skopeo writes as a Docker archive, xbuild reads. */
static void skopeos_docker_archive_is_read(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT, taken = XB_DESCRIPTOR_INIT;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	xb_autofree char *from = xb_format("oci:%s:t", scratch_path("l"));
	xb_autofree char *to = xb_format("docker-archive:%s:a/b:1", scratch_path("a.tar"));
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int dir = -1;

	(void)state;
	need("skopeo", have_skopeo());
	d = make_image();
	assert_int_equal(xb_layout_tag(layout, &d, "t", false, NULL), 0);
	run((const char *[]){ "skopeo", "--insecure-policy", "copy", "-q", from, to, NULL });
	assert_int_equal(mkdir(scratch_path("u"), 0755), 0);
	run((const char *[]){ "tar", "-C", scratch_path("u"), "-xf", scratch_path("a.tar"), NULL });
	dir = open(scratch_path("u"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (xb_import_docker(layout, dir, "a/b:1", false, &taken, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(xb_image_find(XB_PLACE_OF(layout), &taken, &amd64, &image, NULL), 0);
	assert_int_equal(xb_image_check_layers(XB_PLACE_OF(layout), &image, NULL), 0);
	assert_int_equal(image.manifest.layers.len, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_oci_archive_is_a_layout),
		TEST(without_tags_there_is_one_entry),
		TEST(a_docker_archive_reads_back),
		TEST(an_index_is_no_docker_archive),
		TEST(hostile_docker_archives),
		TEST(names_that_are_none),
		TEST(docker_names_have_tags),
		TEST(incomplete_images_are_not_exported),
		TEST(kinds_of_layers),
		TEST(skopeo_reads_the_oci_archive),
		TEST(skopeo_reads_the_docker_archive),
		TEST(skopeos_docker_archive_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
