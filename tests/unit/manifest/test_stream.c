/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of a blob's bytes: what is put in comes out, in spite of restarts, seeks and errors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "manifest/stream.h"

/* What the filling side does. */
struct script {
	size_t size;	 /* bytes of the blob */
	size_t piece;	 /* bytes a write */
	size_t break_at; /* start anew once, after so many bytes; 0: not */
	size_t fail_at;	 /* fail after so many bytes; 0: not */
	unsigned fills;	 /* how often it was begun */
};

static char byte_at(uint64_t i)
{
	return (char)(i * 2654435761u >> 13);
}

static int give(const struct xb_blob_sink *sink, uint64_t from, size_t len, struct xb_error *err)
{
	xb_autofree char *data = xb_alloc(len + 1);

	for (size_t i = 0; i < len; i++)
		data[i] = byte_at(from + i);
	return sink->write(sink->context, data, len, err);
}

static int fill(void *context, const struct xb_blob_sink *sink, struct xb_error *err)
{
	struct script *s = context;
	bool broken = s->break_at == 0;
	int r = 0;

	s->fills++;
	for (size_t at = 0; r == 0 && at < s->size; at += s->piece) {
		size_t left = s->size - at;

		if (s->fail_at != 0 && at >= s->fail_at)
			return xb_error_set(err, -EIO, "the well is dry");
		if (!broken && at >= s->break_at) {
			broken = true;
			at = 0;
			left = s->size;
			r = sink->restart(sink->context, err);
		}
		if (r == 0)
			r = give(sink, at, left < s->piece ? left : s->piece, err);
	}
	return r;
}

/* Read from `offset` to the end, comparing; returns the offset of the end, or the error. */
static int64_t read_on(const struct xb_blob_source *source, uint64_t offset, struct xb_error *err)
{
	static char buffer[70001];
	ssize_t n;

	while ((n = source->read(source->context, offset, buffer, sizeof(buffer), err)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			assert_int_equal(buffer[i], byte_at(offset + (uint64_t)i));
		offset += (uint64_t)n;
	}
	return n < 0 ? n : (int64_t)offset;
}

static void a_pipe_gives_what_is_put_in(void **state)
{
	const struct script scripts[] = {
		{ .size = 0, .piece = 1 },
		{ .size = 1, .piece = 1 },
		{ .size = 5000001, .piece = 4096 },
		{ .size = 5000001, .piece = 3000000 },
		{ .size = 5000001, .piece = 99991, .break_at = 3000000 },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(scripts); i++) {
		struct script s = scripts[i];
		xb_auto_pipe struct xb_pipe *pipe = xb_pipe_new(fill, &s);
		struct xb_blob_source source = xb_pipe_source(pipe);

		assert_int_equal(read_on(&source, 0, NULL), s.size);
		assert_int_equal(s.fills, 1);
	}
}

static void a_step_back_begins_anew(void **state)
{
	struct script s = { .size = 3000000, .piece = 10000 };
	xb_auto_pipe struct xb_pipe *pipe = xb_pipe_new(fill, &s);
	struct xb_blob_source source = xb_pipe_source(pipe);
	char byte;

	(void)state;
	assert_int_equal(source.read(source.context, 2000000, &byte, 1, NULL), 1);
	assert_int_equal(byte, byte_at(2000000));
	assert_int_equal(read_on(&source, 1999999, NULL), s.size);
	assert_int_equal(s.fills, 2);
	assert_int_equal(read_on(&source, 0, NULL), s.size);
}

static void an_error_comes_out_after_the_bytes(void **state)
{
	struct script s = { .size = 3000000, .piece = 10000, .fail_at = 2000000 };
	xb_auto_pipe struct xb_pipe *pipe = xb_pipe_new(fill, &s);
	struct xb_blob_source source = xb_pipe_source(pipe);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	assert_int_equal(read_on(&source, 0, &err), -EIO);
	assert_string_equal(err.message, "the well is dry");
}

static void a_reader_may_leave(void **state)
{
	struct script s = { .size = 30000000, .piece = 10000 };
	struct xb_pipe *pipe = xb_pipe_new(fill, &s);
	struct xb_blob_source source = xb_pipe_source(pipe);
	char byte;

	(void)state;
	assert_int_equal(source.read(source.context, 5, &byte, 1, NULL), 1);
	xb_pipe_free(pipe);
	xb_pipe_free(xb_pipe_new(fill, &s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pipe_gives_what_is_put_in),
		cmocka_unit_test(a_step_back_begins_anew),
		cmocka_unit_test(an_error_comes_out_after_the_bytes),
		cmocka_unit_test(a_reader_may_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
