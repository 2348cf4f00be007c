/* SPDX-License-Identifier: Apache-2.0 */
/* A layer in another form: its tar is taken out, by a confined child, and packed again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/stat.h>

#include "base/digest.h"
#include "builder/layer/pack.h"
#include "builder/layer/unpack.h"
#include "manifest/media.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

static int open_file(const char *name, int flags)
{
	int fd = openat(scratch_fd, name, flags | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* Pack the tar "tar" into the file "blob". */
static struct xb_layer_info pack_tar(const struct xb_pack_options *options)
{
	xb_auto_fd int tar = open_file("tar", O_RDONLY);
	xb_auto_fd int out = open_file("blob", O_WRONLY | O_CREAT | O_TRUNC);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_layer_info info;

	/* wherever its position is */
	assert_int_equal(lseek(tar, 7, SEEK_SET), 7);
	if (xb_tar_pack(tar, options, out, &info, &err) < 0)
		fail_msg("%s", err.message);
	return info;
}

/* Write the tar of the file "blob" to "out"; returns what that gives. */
static int decode(const struct xb_unpack_layer *layer, const struct xb_unpack_limits *limits,
		  struct xb_error *err)
{
	xb_auto_fd int blob = open_file("blob", O_RDONLY);
	xb_auto_fd int out = open_file("out", O_WRONLY | O_CREAT | O_TRUNC);

	return xb_layer_decode(blob, layer, out, limits, err);
}

static struct xb_unpack_layer layer_of(const struct xb_layer_info *info)
{
	return (struct xb_unpack_layer){ info->media_type, info->size, info->digest, info->diff_id,
					 false };
}

static void make_tar(void)
{
	shell("mkdir d && seq 1 400000 >d/text && head -c 1500000 /dev/urandom >d/noise && "
	      "truncate -s 3M d/zeros && tar -cf tar d");
}

static void every_form_comes_back(void **state)
{
	static const struct {
		enum xb_compression compression;
		int level;
	} forms[] = {
		{ XB_COMPRESSION_NONE, 0 }, { XB_COMPRESSION_GZIP, 1 },	 { XB_COMPRESSION_GZIP, 9 },
		{ XB_COMPRESSION_ZSTD, 1 }, { XB_COMPRESSION_ZSTD, 12 },
	};
	struct xb_digest tar = { 0 };

	(void)state;
	make_tar();
	for (size_t i = 0; i < XB_COUNT(forms); i++) {
		const struct xb_pack_options options = { .epoch = -1,
							 .compression = forms[i].compression,
							 .level = forms[i].level };
		struct xb_layer_info info = pack_tar(&options);
		struct xb_unpack_layer layer = layer_of(&info);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct stat st;

		if (decode(&layer, NULL, &err) < 0)
			fail_msg("form %zu: %s", i, err.message);
		shell("cmp tar out");
		assert_int_equal(stat(scratch_path("blob"), &st), 0);
		assert_int_equal(info.size, st.st_size);
		assert_int_equal(stat(scratch_path("tar"), &st), 0);
		assert_int_equal(info.tar_size, st.st_size);
		/* the tar is the same thing in each form */
		if (i == 0)
			tar = info.diff_id;
		assert_true(xb_digest_eq(&info.diff_id, &tar));
	}
}

/* Blobs of gzip's and zstd's own making, of many members and frames. */
static void others_blobs_are_read(void **state)
{
	static const struct {
		const char *command;
		const char *media;
	} rows[] = {
		{ "gzip -c tar >blob", XB_MEDIA_OCI_LAYER_GZIP },
		{ "{ head -c 99999 tar | gzip -1; tail -c +100000 tar | gzip -9; } >blob",
		  XB_MEDIA_OCI_LAYER_GZIP },
		{ "zstd -qc tar >blob", XB_MEDIA_OCI_LAYER_ZSTD },
		{ "{ head -c 1 tar | zstd -q; tail -c +2 tar | zstd -q -15; } >blob",
		  XB_MEDIA_OCI_LAYER_ZSTD },
		{ "cp tar blob", XB_MEDIA_OCI_LAYER },
	};

	(void)state;
	make_tar();
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		struct xb_unpack_layer layer = { .media_type = rows[i].media };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct stat st;

		shell(rows[i].command);
		assert_int_equal(stat(scratch_path("blob"), &st), 0);
		layer.size = (uint64_t)st.st_size;
		if (decode(&layer, NULL, &err) < 0)
			fail_msg("%s: %s", rows[i].command, err.message);
		shell("cmp tar out");
	}
}

static void what_is_not_the_layer_is_refused(void **state)
{
	static const struct {
		const char *command; /* what is done to the blob, a gzip of "tar" */
		int r;
	} rows[] = {
		{ "truncate -s -1 blob", -EBADMSG },
		{ "truncate -s 0 blob", -EBADMSG },
		{ "printf x >>blob", -EBADMSG },
		{ "gzip -c d/text >blob", -EBADMSG },
		{ "zstd -qfc tar >blob", -EBADMSG },
		{ "cp tar blob", -EBADMSG },
		{ "printf '\\377' | dd of=blob bs=1 seek=40000 conv=notrunc status=none",
		  -EBADMSG },
		{ "head -c 100 /dev/zero | gzip >>blob", -EBADMSG },
	};
	const struct xb_pack_options options = { .epoch = -1 };
	struct xb_layer_info info;

	(void)state;
	make_tar();
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		/* the size is the right one, or nothing else would be looked at; digest or not */
		for (int known = 0; known < 2; known++) {
			struct xb_unpack_layer layer;
			xb_auto_error struct xb_error err = XB_ERROR_INIT;
			struct stat st;
			int r;

			info = pack_tar(&options);
			shell(rows[i].command);
			assert_int_equal(stat(scratch_path("blob"), &st), 0);
			layer = layer_of(&info);
			layer.size = (uint64_t)st.st_size;
			if (known == 0)
				layer.digest = (struct xb_digest){ 0 };
			r = decode(&layer, NULL, &err);
			if (r != rows[i].r)
				fail_msg("%s: %d", rows[i].command, r);
			assert_int_equal(err.fault, XB_FAULT_STORE);
		}
	}
}

static void sizes_are_held_to(void **state)
{
	const struct xb_pack_options options = { .epoch = -1 };
	const struct xb_unpack_limits limits = { .unpacked = 1 << 20 };
	xb_auto_error struct xb_error large = XB_ERROR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_layer_info info;
	struct xb_unpack_layer layer;
	struct stat st;

	(void)state;
	make_tar();
	info = pack_tar(&options);
	layer = layer_of(&info);
	assert_int_equal(decode(&layer, &limits, &large), -EFBIG);
	assert_non_null(strstr(large.hint, "--max-layer-size"));
	assert_int_equal(stat(scratch_path("out"), &st), 0);
	assert_true(st.st_size <= 2 << 20);
	layer.size++;
	assert_int_equal(decode(&layer, NULL, &err), -EBADMSG);
}

static void the_type_says_how_it_is_compressed(void **state)
{
	const struct xb_pack_options options = { .epoch = -1 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_layer_info info;
	struct xb_unpack_layer layer;

	(void)state;
	make_tar();
	info = pack_tar(&options);
	layer = layer_of(&info);
	layer.media_type = XB_MEDIA_OCI_CONFIG;
	assert_int_equal(decode(&layer, NULL, &err), -ENOTSUP);
	assert_non_null(strstr(err.message, XB_MEDIA_OCI_CONFIG));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_form_comes_back, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(others_blobs_are_read, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(what_is_not_the_layer_is_refused, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(sizes_are_held_to, scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(the_type_says_how_it_is_compressed, scratch_setup,
						scratch_teardown),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests_name("builder/layer recode", tests, NULL, NULL);
}
