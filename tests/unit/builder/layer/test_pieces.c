/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of layers: the same bytes whoever compresses them, and few new ones after a change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/file.h"
#include "builder/layer/codec.h"
#include "builder/layer/pack.h"
#include "tests/unit/scratch.h"

#define BLOB "blob"

static void shell(const char *command)
{
	xb_autofree char *line = xb_format("cd '%s' && %s", scratch, command);

	if (scratch_run((const char *[]){ "sh", "-c", line, NULL }) != 0)
		fail_msg("failed: %s", command);
}

/* A tree of small files, some middle ones, large text and noise. */
static void make_tree(void)
{
	shell("mkdir t t/d && cd t && for i in $(seq 400); do seq $i 900 >d/f$i; done && "
	      "seq 1 500000 >large && head -c 3000000 /dev/urandom >noise && "
	      "head -c 300000 /dev/urandom >middle && find . -exec touch -d @1000000000 {} +");
}

/* What was compressed, as a blob in a file. */
struct known {
	struct xb_digest piece;
	uint64_t at;
	size_t len;
	uint32_t check;
};
struct memory {
	pthread_mutex_t lock;
	struct known known[512];
	size_t known_count;
	struct known made[512];
	size_t made_count;
	size_t found;
	bool spoil;
};

static size_t find(void *context, const struct xb_digest *piece, void *out, size_t cap,
		   uint32_t *ret_check)
{
	struct memory *m = context;
	xb_auto_fd int fd = openat(scratch_fd, "old." BLOB, O_RDONLY | O_CLOEXEC);

	for (size_t i = 0; i < m->known_count; i++) {
		const struct known *k = &m->known[i];

		if (!xb_digest_eq(&k->piece, piece) || k->len > cap)
			continue;
		assert_int_equal(pread(fd, out, k->len, (off_t)k->at), k->len);
		if (m->spoil)
			((char *)out)[k->len / 2] ^= 1;
		(void)pthread_mutex_lock(&m->lock);
		m->found++;
		(void)pthread_mutex_unlock(&m->lock);
		*ret_check = k->check;
		return k->len;
	}
	return 0;
}

static void made(void *context, const struct xb_digest *piece, uint64_t at, size_t len,
		 uint32_t check)
{
	struct memory *m = context;

	assert_true(m->made_count < XB_COUNT(m->made));
	m->made[m->made_count++] = (struct known){ *piece, at, len, check };
}

static struct xb_layer_info pack_as(const char *name, enum xb_compression compression,
				    struct xb_crew *crew, struct memory *memory)
{
	const struct xb_pack_memory remember = { memory, find, made };
	const struct xb_pack_options options = { .epoch = -1,
						 .compression = compression,
						 .crew = crew,
						 .memory = memory != NULL ? &remember : NULL };
	xb_auto_fd int dir = openat(scratch_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	xb_auto_fd int out =
		openat(scratch_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_layer_info info;

	if (xb_layer_pack(dir, &options, out, &info, &err) < 0)
		fail_msg("%s", err.message);
	return info;
}

/* What was made becomes what is known. */
static void turn(struct memory *m)
{
	memcpy(m->known, m->made, sizeof(m->made));
	m->known_count = m->made_count;
	m->made_count = m->found = 0;
	shell("mv new." BLOB " old." BLOB);
}

static void a_crew_changes_no_byte(void **state)
{
	static const enum xb_compression ways[] = { XB_COMPRESSION_GZIP, XB_COMPRESSION_ZSTD };

	(void)state;
	make_tree();
	for (size_t i = 0; i < XB_COUNT(ways); i++) {
		struct xb_layer_info alone = pack_as("alone", ways[i], NULL, NULL);

		for (unsigned threads = 0; threads < 5; threads += 2) {
			xb_auto_crew struct xb_crew *crew = NULL;
			struct xb_layer_info info;

			assert_int_equal(xb_crew_new(threads, &crew, NULL), 0);
			info = pack_as("together", ways[i], crew, NULL);
			shell("cmp alone together");
			assert_string_equal(info.digest.text, alone.digest.text);
			assert_string_equal(info.diff_id.text, alone.diff_id.text);
		}
	}
}

static void only_what_changed_is_compressed_again(void **state)
{
	static const struct {
		const char *change;
		size_t fresh; /* most pieces that may be new */
	} steps[] = {
		{ "true", 0 },
		{ "cd t && seq 7 >d/f200 && touch -d @1000000000 d/f200", 2 },
		{ "cd t && seq 7000 >d/a-new-one && touch -d @1000000000 d/a-new-one d", 3 },
		{ "cd t && rm d/f100 && touch -d @1000000000 d", 2 },
		{ "cd t && printf x | dd of=large bs=1 seek=1500000 conv=notrunc 2>/dev/null && "
		  "touch -d @1000000000 large",
		  1 },
		{ "cd t && touch -d @1000000001 large", 1 },
	};
	xb_auto_crew struct xb_crew *crew = NULL;
	struct memory *m = xb_calloc(1, sizeof(*m));

	(void)state;
	(void)pthread_mutex_init(&m->lock, NULL);
	assert_int_equal(xb_crew_new(2, &crew, NULL), 0);
	make_tree();
	pack_as("new." BLOB, XB_COMPRESSION_GZIP, crew, m);
	assert_int_equal(m->found, 0);
	assert_true(m->made_count > 8);
	for (size_t i = 0; i < XB_COUNT(steps); i++) {
		turn(m);
		shell(steps[i].change);
		pack_as("new." BLOB, XB_COMPRESSION_GZIP, crew, m);
		if (m->made_count - m->found > steps[i].fresh)
			fail_msg("%s: %zu of %zu pieces were compressed again", steps[i].change,
				 m->made_count - m->found, m->made_count);
		pack_as("fresh", XB_COMPRESSION_GZIP, NULL, NULL);
		shell("cmp fresh new." BLOB);
	}
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

static void decayed_pieces_are_not_used(void **state)
{
	struct memory *m = xb_calloc(1, sizeof(*m));

	(void)state;
	(void)pthread_mutex_init(&m->lock, NULL);
	make_tree();
	pack_as("new." BLOB, XB_COMPRESSION_GZIP, NULL, m);
	turn(m);
	m->spoil = true;
	pack_as("new." BLOB, XB_COMPRESSION_GZIP, NULL, m);
	assert_int_equal(m->found, m->made_count);
	shell("cmp old." BLOB " new." BLOB);
	(void)pthread_mutex_destroy(&m->lock);
	free(m);
}

static void noise_is_stored_and_text_is_not(void **state)
{
	struct xb_layer_info info;

	(void)state;
	shell("mkdir t && head -c 5000000 /dev/urandom >t/noise");
	info = pack_as("noise.gz", XB_COMPRESSION_GZIP, NULL, NULL);
	assert_true(info.size > 5000000 && info.size < 5002000);
	shell("gzip -dc noise.gz | tar -xO noise | cmp - t/noise");
	/* six bits of noise in each byte, and the same noise again and again */
	shell("rm t/noise && head -c 3000000 /dev/urandom | base64 >t/text");
	info = pack_as("text.gz", XB_COMPRESSION_GZIP, NULL, NULL);
	assert_true(info.size < info.tar_size * 78 / 100);
	shell("rm t/text && head -c 500 /dev/urandom >bit && "
	      "for i in $(seq 4000); do cat bit; done >t/again");
	info = pack_as("again.gz", XB_COMPRESSION_GZIP, NULL, NULL);
	assert_true(info.size < info.tar_size / 20);
}

static void only_a_digest_is_wanted(void **state)
{
	struct xb_layer_info packed, counted;
	const struct xb_pack_options options = { .epoch = -1 };
	xb_auto_fd int dir = -1;

	(void)state;
	make_tree();
	packed = pack_as("packed", XB_COMPRESSION_GZIP, NULL, NULL);
	dir = openat(scratch_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_layer_pack(dir, &options, -1, &counted, NULL), 0);
	assert_string_equal(counted.diff_id.text, packed.diff_id.text);
	assert_int_equal(counted.tar_size, packed.tar_size);
}

/* ---- slow levels ---------------------------------------------------------------------------- */

/* A level at which a piece takes its time is compressed a block at a time: no byte may show it. */
static void slow_levels_give_the_library_s_frames(void **state)
{
	const struct xb_codec *codec = xb_codec_of(XB_COMPRESSION_ZSTD);
	static const char *const made[] = {
		"seq 1 90000 >in", "head -c 600000 /dev/urandom >in", "truncate -s 1M in",
		"printf x >in",	   "truncate -s 131072 in",	      "truncate -s 131073 in"
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(made); i++) {
		xb_auto_str struct xb_str in = XB_STR_INIT(2 << 20);
		xb_autofree char *out = xb_alloc(3 << 20);
		void *context = codec->open(19);
		size_t n;

		shell(made[i]);
		assert_int_equal(xb_file_read(scratch_path("in"), &in, NULL), 0);
		n = codec->compress(context, in.data, in.len, out, 3 << 20, NULL);
		codec->close(context);
		assert_int_equal(xb_file_replace_at(scratch_fd, "out", out, n, false, NULL), 0);
		shell("zstd -q -19 --single-thread --check in -o whole -f && cmp whole out && "
		      "zstd -q -dc out | cmp - in && rm in");
	}
}

/* How much a piece at the highest level comes to while `cancelled` stands as it does. */
static size_t compress_piece(const struct xb_codec *codec, const struct xb_str *text, char *out,
			     size_t cap, const atomic_bool *cancelled)
{
	void *context = codec->open(codec->max_level);
	size_t n = codec->compress(context, text->data, codec->piece, out, cap, cancelled);

	codec->close(context);
	return n;
}

/* A piece whose compressing takes long looks again and again whether it is still wanted. */
static void a_slow_piece_is_given_up(void **state)
{
	static const enum xb_compression all[] = { XB_COMPRESSION_ZSTD, XB_COMPRESSION_GZIP };
	const atomic_bool wanted = false;
	const atomic_bool cancelled = true;
	xb_auto_str struct xb_str text = XB_STR_INIT(8 << 20);
	xb_autofree char *out = xb_alloc(8 << 20);

	(void)state;
	shell("seq 1 1000000 >text");
	assert_int_equal(xb_file_read(scratch_path("text"), &text, NULL), 0);
	for (size_t i = 0; i < XB_COUNT(all); i++) {
		const struct xb_codec *codec = xb_codec_of(all[i]);

		assert_true(compress_piece(codec, &text, out, 8 << 20, &wanted) > 0);
		assert_int_equal(compress_piece(codec, &text, out, 8 << 20, &cancelled), 0);
	}
}

/* So is a layer, whichever its compression. */
static void packing_ends_when_it_is_cancelled(void **state)
{
	atomic_bool cancelled = true;
	const struct xb_pack_options options = { .epoch = -1,
						 .compression = XB_COMPRESSION_ZSTD,
						 .level = 19,
						 .cancelled = &cancelled };
	xb_auto_fd int dir = -1;
	xb_auto_fd int out = xb_memfd_new("out", NULL);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_layer_info info;

	(void)state;
	shell("mkdir t && seq 1 100000 >t/text");
	dir = openat(scratch_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_layer_pack(dir, &options, out, &info, &err), -ECANCELED);
	assert_int_equal(err.fault, XB_FAULT_INTERRUPTED);
}

/* Pieces are written by whoever is free; that it failed is told all the same, with its reason. */
static void a_full_disk_is_told(void **state)
{
	xb_auto_crew struct xb_crew *crew = NULL;
	xb_auto_fd int dir = -1;
	xb_auto_fd int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	make_tree();
	dir = openat(scratch_fd, "t", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(xb_crew_new(2, &crew, NULL), 0);
	for (int with = 0; with < 2; with++) {
		const struct xb_pack_options options = { .epoch = -1, .crew = with ? crew : NULL };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_layer_info info;

		assert_int_equal(xb_layer_pack(dir, &options, full, &info, &err), -ENOSPC);
		assert_non_null(strstr(err.message, "No space left"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_crew_changes_no_byte, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(only_what_changed_is_compressed_again,
						scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(decayed_pieces_are_not_used, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(noise_is_stored_and_text_is_not, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(only_a_digest_is_wanted, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(slow_levels_give_the_library_s_frames,
						scratch_setup, scratch_teardown),
		cmocka_unit_test_setup_teardown(a_slow_piece_is_given_up, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(packing_ends_when_it_is_cancelled, scratch_setup,
						scratch_teardown),
		cmocka_unit_test_setup_teardown(a_full_disk_is_told, scratch_setup,
						scratch_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
