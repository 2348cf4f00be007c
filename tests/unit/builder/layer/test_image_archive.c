/* SPDX-License-Identifier: Apache-2.0 */
/* Image archives read in place: what was written reads back, what others wrote too, and what is
 * not an archive, or damaged, is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "builder/layer/image_archive.h"
#include "manifest/image.h"
#include "manifest/media.h"
#include "manifest/place_layout.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#define EMPTY_ID "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define CONFIG                                                                                     \
	"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\","            \
	"\"diff_ids\":[\"" EMPTY_ID "\"]}}"

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

/* An image whose only layer is `text`, in the layout. */
static struct xb_descriptor make_image(const char *text)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	struct xb_digest digest;

	config.platform = amd64;
	assert_int_equal(xb_layout_add_bytes(layout, xb_view(text), false, &digest, NULL), 0);
	*xb_array_push(&config.diff_ids) = digest;
	xb_descriptor_init(xb_array_push(&layers), XB_MEDIA_OCI_LAYER, &digest, strlen(text));
	assert_int_equal(xb_image_write(layout, &config, &layers, NULL, 0, &d, NULL), 0);
	return d;
}

static void write_export(const struct xb_export *files, const char *name)
{
	xb_auto_fd int fd = open(scratch_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(xb_archive_write(files, XB_PLACE_OF(layout), fd, NULL), 0);
}

static void write_oci(const struct xb_descriptor *root, const char *tag, const char *name)
{
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_export struct xb_export files = { 0 };

	xb_strv_push(&tags, tag);
	assert_int_equal(xb_export_oci(XB_PLACE_OF(layout), root, &tags, &files, NULL), 0);
	write_export(&files, name);
}

/* Whether all of the only image is there and is what its digests say. */
static bool is_whole(struct xb_archive *archive, const char *tag)
{
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	struct xb_place *place = xb_archive_place(archive);
	int r = place->ops->resolve(place, tag, &root, NULL);

	if (r == 0)
		r = xb_image_blobs(place, &root, &blobs, NULL);
	for (size_t i = 0; r == 0 && i < blobs.len; i++) {
		xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_STR_OWN);

		r = place->ops->read(place, &blobs.items[i], XB_STR_OWN, &bytes, NULL);
	}
	return r == 0 && blobs.len > 2;
}

static void what_was_written_reads_back(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image("layer");
	xb_auto_descriptor struct xb_descriptor other = XB_DESCRIPTOR_INIT;
	xb_auto_archive struct xb_archive *archive = NULL;
	xb_auto_image struct xb_image image = XB_IMAGE_INIT;
	struct xb_place *place;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	write_oci(&d, "1.4", "a.tar");
	assert_int_equal(xb_archive_open(scratch_path("a.tar"), &archive, NULL), 0);
	place = xb_archive_place(archive);
	assert_true(is_whole(archive, "1.4"));
	assert_true(is_whole(archive, NULL));
	assert_true(is_whole(archive, ""));
	assert_int_equal(place->ops->resolve(place, "2", &other, &err), -ENOENT);
	assert_non_null(strstr(err.message, "1.4"));
	assert_int_equal(xb_image_load(place, d.digest.text, &amd64, &image, NULL), 0);
	/* a config is no image, even by its digest */
	assert_int_equal(
		place->ops->resolve(place, image.manifest.config.digest.text, &other, NULL),
		-EBADMSG);
}

/* The same images give the same bytes. */
static void archives_are_reproducible(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image("layer");
	xb_auto_str struct xb_str a = XB_STR_INIT(XB_STR_OWN), b = XB_STR_INIT(XB_STR_OWN);

	(void)state;
	write_oci(&d, "1", "a.tar");
	write_oci(&d, "1", "b.tar");
	assert_int_equal(xb_file_read(scratch_path("a.tar"), &a, NULL), 0);
	assert_int_equal(xb_file_read(scratch_path("b.tar"), &b, NULL), 0);
	assert_true(xb_view_eq(xb_str_view(&a), xb_str_view(&b)));
}

static void a_docker_archive_reads_back(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image("layer"), got = XB_DESCRIPTOR_INIT;
	xb_auto_strv struct xb_strv tags = XB_STRV_INIT;
	xb_auto_export struct xb_export files = { 0 };
	xb_auto_archive struct xb_archive *archive = NULL, *again = NULL, *none = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_place *place;

	(void)state;
	xb_strv_push(&tags, "app");
	xb_strv_push(&tags, "registry.example/app:1.4");
	assert_int_equal(xb_export_docker(XB_PLACE_OF(layout), &d, &tags, &files, NULL), 0);
	write_export(&files, "d.tar");
	assert_int_equal(xb_archive_open_docker(scratch_path("d.tar"),
						"docker.io/library/app:latest", &archive, NULL),
			 0);
	place = xb_archive_place(archive);
	assert_true(is_whole(archive, "whatever"));
	/* the layers, the config, and by these the manifest, have kept their bytes */
	assert_int_equal(place->ops->resolve(place, NULL, &got, NULL), 0);
	assert_string_equal(got.digest.text, d.digest.text);
	assert_int_equal(xb_archive_open_docker(scratch_path("d.tar"), NULL, &again, NULL), 0);
	assert_int_equal(xb_archive_open_docker(scratch_path("d.tar"), "other", &none, &err),
			 -ENOENT);
	assert_non_null(strstr(err.message, "docker.io/library/other:latest"));
}

/* The directory `d` as an archive, its members in the order that tar finds them in. */
static void pack(void)
{
	run((const char *[]){ "tar", "-C", scratch_path("d"), "-cf", scratch_path("d.tar"), ".",
			      NULL });
}

static int open_docker(const char *name, struct xb_error *err)
{
	xb_auto_archive struct xb_archive *archive = NULL;
	int r = xb_archive_open_docker(scratch_path("d.tar"), name, &archive, err);

	return r == 0 && !is_whole(archive, NULL) ? -EBADMSG : r;
}

/* What a Docker archive names is looked for in it, and must be what it says. */
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
		"[{\"Config\":\"c.json\",\"Layers\":[\"loop\"]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[\"fifo\"]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[\"c.json\"]}]",
		"[{\"Config\":\"c.json\",\"Layers\":[1]}]",
	};

	(void)state;
	scratch_write("secret", "");
	assert_int_equal(mkdir(scratch_path("d"), 0755), 0);
	assert_int_equal(symlink("../secret", scratch_path("d/link")), 0);
	assert_int_equal(symlink("loop", scratch_path("d/loop")), 0);
	assert_int_equal(mkfifo(scratch_path("d/fifo"), 0600), 0);
	scratch_write("d/c.json", CONFIG);
	for (size_t i = 0; i < XB_COUNT(documents); i++) {
		scratch_write("d/manifest.json", documents[i]);
		pack();
		if (open_docker(NULL, NULL) >= 0)
			fail_msg("%s was taken", documents[i]);
	}
}

/* Docker has written one layer for equal ones, and links for the others. */
static void links_between_layers(void **state)
{
	(void)state;
	assert_int_equal(mkdir(scratch_path("d"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("d/one"), 0755), 0);
	assert_int_equal(mkdir(scratch_path("d/two"), 0755), 0);
	scratch_write("d/one/layer.tar", "");
	assert_int_equal(symlink("../one/layer.tar", scratch_path("d/two/layer.tar")), 0);
	assert_int_equal(link(scratch_path("d/one/layer.tar"), scratch_path("d/hard")), 0);
	scratch_write("d/c.json", CONFIG);
	scratch_write("d/manifest.json",
		      "[{\"Config\":\"c.json\",\"Layers\":[\"two/layer.tar\"]}]");
	pack();
	assert_int_equal(open_docker(NULL, NULL), 0);
	scratch_write("d/manifest.json", "[{\"Config\":\"./c.json\",\"Layers\":[\"hard\"]}]");
	pack();
	assert_int_equal(open_docker(NULL, NULL), 0);
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
	xb_auto_archive struct xb_archive *archive = NULL;
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_manifest struct xb_manifest m = XB_MANIFEST_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_place *place;

	(void)state;
	assert_int_equal(mkdir(scratch_path("d"), 0755), 0);
	scratch_write("d/c.json", config);
	scratch_write("d/gz", "\x1f\x8b...");
	scratch_write("d/zst", "\x28\xb5\x2f\xfd...");
	scratch_write("d/tar", "");
	scratch_write("d/manifest.json", both);
	pack();
	assert_int_equal(open_docker(NULL, &err), -ENOENT);
	assert_non_null(strstr(err.message, "2 images"));
	assert_int_equal(open_docker("a:2", NULL), -ENOENT);
	assert_int_equal(open_docker("A", NULL), -EINVAL);
	assert_int_equal(xb_archive_open_docker(scratch_path("d.tar"), "a:1", &archive, NULL), 0);
	place = xb_archive_place(archive);
	assert_int_equal(place->ops->resolve(place, NULL, &d, NULL), 0);
	assert_int_equal(xb_image_read_manifest(place, &d, &m, NULL), 0);
	assert_string_equal(m.layers.items[0].media_type, XB_MEDIA_OCI_LAYER_GZIP);
	assert_string_equal(m.layers.items[1].media_type, XB_MEDIA_OCI_LAYER_ZSTD);
	assert_string_equal(m.layers.items[2].media_type, XB_MEDIA_OCI_LAYER);
	assert_int_equal(unlink(scratch_path("d/manifest.json")), 0);
	pack();
	assert_int_equal(open_docker(NULL, &err), -ENOENT);
	assert_non_null(strstr(err.message, "manifest.json"));
}

/* A cut anywhere is an error, of opening or of reading; a changed byte of a blob too. */
static void damaged_archives(void **state)
{
	xb_auto_descriptor struct xb_descriptor d = make_image("a layer of some bytes");
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_STR_OWN);
	size_t whole = 0;
	char *at;

	(void)state;
	write_oci(&d, "1", "a.tar");
	assert_int_equal(xb_file_read(scratch_path("a.tar"), &bytes, NULL), 0);
	for (size_t len = 0; len < bytes.len; len += 256) {
		xb_auto_archive struct xb_archive *archive = NULL;

		assert_int_equal(truncate(scratch_path("a.tar"), 0), 0);
		scratch_write("a.tar", "");
		{
			xb_auto_fd int fd = open(scratch_path("a.tar"), O_WRONLY | O_CLOEXEC);

			assert_int_equal(xb_write_all(fd, bytes.data, len, NULL), 0);
		}
		whole += xb_archive_open(scratch_path("a.tar"), &archive, NULL) == 0 &&
			 is_whole(archive, "1");
	}
	/* only the blocks of zeros at its end may be missing */
	assert_in_range(whole, 1, 4);
	at = memmem(bytes.data, bytes.len, "a layer of some", 15);
	assert_non_null(at);
	*at = 'A';
	{
		xb_auto_fd int fd = open(scratch_path("a.tar"), O_WRONLY | O_CLOEXEC | O_TRUNC);
		xb_auto_archive struct xb_archive *archive = NULL;

		assert_int_equal(xb_write_all(fd, bytes.data, bytes.len, NULL), 0);
		assert_int_equal(xb_archive_open(scratch_path("a.tar"), &archive, NULL), 0);
		assert_false(is_whole(archive, "1"));
	}
}

static void what_is_no_archive(void **state)
{
	xb_auto_archive struct xb_archive *archive = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(mkdir(scratch_path("d"), 0755), 0);
	assert_int_equal(xb_archive_open(scratch_path("none"), &archive, NULL), -ENOENT);
	assert_int_equal(xb_archive_open(scratch_path("d"), &archive, NULL), -EINVAL);
	scratch_write("d/file", "");
	pack();
	assert_int_equal(xb_archive_open(scratch_path("d.tar"), &archive, &err), -EBADMSG);
	assert_non_null(strstr(err.hint, "docker-archive"));
	run((const char *[]){ "gzip", "-f", scratch_path("d.tar"), NULL });
	assert_int_equal(xb_archive_open(scratch_path("d.tar.gz"), &archive, NULL), -EINVAL);
	/* one name twice: two readers could take two different files */
	pack();
	run((const char *[]){ "tar", "-C", scratch_path("d"), "-rf", scratch_path("d.tar"),
			      "./file", NULL });
	assert_int_equal(xb_archive_open(scratch_path("d.tar"), &archive, &err), -EBADMSG);
	assert_non_null(strstr(err.message, "twice"));
}

static bool have_skopeo(void)
{
	return scratch_run((const char *[]){ "sh", "-c", "command -v skopeo >/dev/null", NULL }) ==
	       0;
}

static void skopeos_archives_are_read(void **state)
{
	xb_autofree char *from = xb_format("oci:%s:t", scratch_path("l"));
	xb_autofree char *docker = xb_format("docker-archive:%s:a/b:1", scratch_path("d.tar"));
	xb_autofree char *oci = xb_format("oci-archive:%s:t", scratch_path("o.tar"));
	xb_auto_descriptor struct xb_descriptor d = make_image("");
	xb_auto_archive struct xb_archive *archive = NULL;

	(void)state;
	need("skopeo", have_skopeo());
	assert_int_equal(xb_layout_tag(layout, &d, "t", false, NULL), 0);
	run((const char *[]){ "skopeo", "--insecure-policy", "copy", "-q", from, docker, NULL });
	assert_int_equal(open_docker("a/b:1", NULL), 0);
	run((const char *[]){ "skopeo", "--insecure-policy", "copy", "-q", from, oci, NULL });
	assert_int_equal(xb_archive_open(scratch_path("o.tar"), &archive, NULL), 0);
	assert_true(is_whole(archive, "t"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_reads_back),
		TEST(archives_are_reproducible),
		TEST(a_docker_archive_reads_back),
		TEST(hostile_docker_archives),
		TEST(links_between_layers),
		TEST(kinds_of_layers),
		TEST(damaged_archives),
		TEST(what_is_no_archive),
		TEST(skopeos_archives_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
