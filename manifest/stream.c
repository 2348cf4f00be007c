/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

/* What is on the way at once: enough that neither side waits for each piece of the other's. */
#define PIPE_SIZE ((size_t)1 << 20)
#define PUMP_SIZE ((size_t)256 << 10)

/* ---- files -------------------------------------------------------------------------------- */

static ssize_t read_file(void *context, uint64_t offset, void *data, size_t size,
			 struct xb_error *err)
{
	const int *fd = context;
	ssize_t n;

	do
		n = pread(*fd, data, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? xb_error_errno(err, -errno, "reading a blob") : n;
}

struct xb_blob_source xb_blob_source_file(int *fd)
{
	return (struct xb_blob_source){ .context = fd, .read = read_file };
}

int xb_blob_pump(const struct xb_blob_source *source, const struct xb_blob_sink *sink,
		 struct xb_error *err)
{
	xb_autofree char *buffer = xb_alloc(PUMP_SIZE);
	uint64_t offset = 0;

	for (;;) {
		ssize_t n = source->read(source->context, offset, buffer, PUMP_SIZE, err);
		int r = n > 0 ? sink->write(sink->context, buffer, (size_t)n, err) : (int)n;

		if (n <= 0 || r < 0)
			return r;
		offset += (uint64_t)n;
	}
}

/* What the digest is of the bytes that pass by. */
struct hashed {
	const struct xb_blob_sink *sink;
	struct xb_hasher *hasher;
};

static int hash_write(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct hashed *h = context;

	xb_hasher_add(h->hasher, data, len);
	return h->sink->write(h->sink->context, data, len, err);
}

int xb_blob_pump_verified(const struct xb_blob_source *source, const struct xb_digest *digest,
			  const char *where, const struct xb_blob_sink *sink, struct xb_error *err)
{
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new_like(digest);
	struct hashed hashed = { sink, hasher };
	const struct xb_blob_sink between = { .context = &hashed, .write = hash_write };
	int r = xb_blob_pump(source, &between, err);
	struct xb_digest got;

	if (r < 0)
		return r;
	got = xb_hasher_finish(hasher);
	if (xb_digest_eq(&got, digest))
		return 0;
	return xb_error_set(err, -EBADMSG, "blob %s of %s: its bytes have the digest %s",
			    digest->text, where, got.text);
}

/* ---- pipes -------------------------------------------------------------------------------- */

/* The bytes [start, start + len) of the blob are in the ring; the reader is at `start`. */
struct xb_pipe {
	xb_pipe_fill fill;
	void *context;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *ring; /* PIPE_SIZE bytes */
	uint64_t start;
	size_t len;
	uint64_t given; /* where the filling side is since its last start */
	bool stop;	/* the reader wants no more */
	bool done;	/* `fill` has returned `status` */
	int status;
	struct xb_error error;
};

struct xb_pipe *xb_pipe_new(xb_pipe_fill fill, void *context)
{
	struct xb_pipe *pipe = xb_calloc(1, sizeof(*pipe));

	pipe->fill = fill;
	pipe->context = context;
	pipe->ring = xb_alloc(PIPE_SIZE);
	(void)pthread_mutex_init(&pipe->lock, NULL);
	(void)pthread_cond_init(&pipe->changed, NULL);
	return pipe;
}

/* Copy between the ring and plain memory; `at` counts from the blob's start. */
static void ring_put(struct xb_pipe *pipe, uint64_t at, const char *data, size_t len)
{
	size_t i = (size_t)(at % PIPE_SIZE);
	size_t first = len < PIPE_SIZE - i ? len : PIPE_SIZE - i;

	memcpy(pipe->ring + i, data, first);
	memcpy(pipe->ring, data + first, len - first);
}

static void ring_get(const struct xb_pipe *pipe, uint64_t at, char *data, size_t len)
{
	size_t i = (size_t)(at % PIPE_SIZE);
	size_t first = len < PIPE_SIZE - i ? len : PIPE_SIZE - i;

	memcpy(data, pipe->ring + i, first);
	memcpy(data + first, pipe->ring, len - first);
}

/* How many of `len` bytes at `given` the reader has seen already, after a restart. */
static size_t already_read(const struct xb_pipe *pipe, size_t len)
{
	uint64_t known = pipe->start + pipe->len;

	if (pipe->given >= known)
		return 0;
	return known - pipe->given < len ? (size_t)(known - pipe->given) : len;
}

/* Under the lock: put what fits, waiting while nothing does. Returns how much, or -ECANCELED. */
static ssize_t put_some(struct xb_pipe *pipe, const char *data, size_t len)
{
	size_t room;

	while (pipe->len == PIPE_SIZE && !pipe->stop)
		(void)pthread_cond_wait(&pipe->changed, &pipe->lock);
	if (pipe->stop)
		return -ECANCELED;
	room = PIPE_SIZE - pipe->len;
	if (len > room)
		len = room;
	ring_put(pipe, pipe->start + pipe->len, data, len);
	pipe->len += len;
	pipe->given += len;
	(void)pthread_cond_signal(&pipe->changed);
	return (ssize_t)len;
}

static int pipe_write(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct xb_pipe *pipe = context;
	const char *next = data;
	size_t known;
	ssize_t n = 0;

	(void)pthread_mutex_lock(&pipe->lock);
	known = already_read(pipe, len);
	pipe->given += known;
	for (size_t at = known; n >= 0 && at < len; at += (size_t)n) {
		n = put_some(pipe, next + at, len - at);
		if (n < 0)
			break;
	}
	(void)pthread_mutex_unlock(&pipe->lock);
	if (n >= 0)
		return 0;
	(void)xb_error_set(err, -ECANCELED, "interrupted");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}

/* The bytes are a blob's, so those that come again are those that came. */
static int pipe_restart(void *context, struct xb_error *err)
{
	struct xb_pipe *pipe = context;

	(void)err;
	(void)pthread_mutex_lock(&pipe->lock);
	pipe->given = 0;
	(void)pthread_mutex_unlock(&pipe->lock);
	return 0;
}

static void *run(void *argument)
{
	struct xb_pipe *pipe = argument;
	const struct xb_blob_sink sink = { pipe, pipe_write, pipe_restart };
	struct xb_error error = XB_ERROR_INIT;
	int status = pipe->fill(pipe->context, &sink, &error);

	(void)pthread_mutex_lock(&pipe->lock);
	pipe->done = true;
	pipe->status = status;
	pipe->error = error;
	(void)pthread_cond_signal(&pipe->changed);
	(void)pthread_mutex_unlock(&pipe->lock);
	return NULL;
}

static int pipe_start(struct xb_pipe *pipe, struct xb_error *err)
{
	int r = pthread_create(&pipe->thread, NULL, run, pipe);

	if (r != 0)
		return xb_error_errno(err, -r, "starting a thread");
	pipe->running = true;
	return 0;
}

/* End the thread; the pipe is then as if it had never run. */
static void pipe_stop(struct xb_pipe *pipe)
{
	if (!pipe->running)
		return;
	(void)pthread_mutex_lock(&pipe->lock);
	pipe->stop = true;
	(void)pthread_cond_signal(&pipe->changed);
	(void)pthread_mutex_unlock(&pipe->lock);
	(void)pthread_join(pipe->thread, NULL);
	xb_error_clear(&pipe->error);
	pipe->running = pipe->stop = pipe->done = false;
	pipe->start = pipe->given = 0;
	pipe->len = 0;
}

/* Under the lock: wait for bytes or the end; returns how many there are, 0, or fill's error. */
static ssize_t wait_for_bytes(struct xb_pipe *pipe, struct xb_error *err)
{
	while (pipe->len == 0 && !pipe->done)
		(void)pthread_cond_wait(&pipe->changed, &pipe->lock);
	if (pipe->len == 0 && pipe->status < 0) {
		xb_error_move(err, &pipe->error);
		return pipe->status;
	}
	return (ssize_t)pipe->len;
}

/* Under the lock: drop `len` bytes that were read. */
static void consume(struct xb_pipe *pipe, size_t len)
{
	pipe->start += len;
	pipe->len -= len;
	(void)pthread_cond_signal(&pipe->changed);
}

/* Under the lock: pass over bytes until the reader's offset is the next; as wait_for_bytes(). */
static ssize_t seek_to(struct xb_pipe *pipe, uint64_t offset, struct xb_error *err)
{
	ssize_t n = wait_for_bytes(pipe, err);

	while (n > 0 && pipe->start < offset) {
		uint64_t behind = offset - pipe->start;

		consume(pipe, behind < pipe->len ? (size_t)behind : pipe->len);
		n = wait_for_bytes(pipe, err);
	}
	return n;
}

static ssize_t pipe_read(void *context, uint64_t offset, void *data, size_t size,
			 struct xb_error *err)
{
	struct xb_pipe *pipe = context;
	ssize_t n;

	if (pipe->running && offset < pipe->start)
		pipe_stop(pipe);
	if (!pipe->running && (n = pipe_start(pipe, err)) < 0)
		return n;
	(void)pthread_mutex_lock(&pipe->lock);
	n = seek_to(pipe, offset, err);
	if (n > 0) {
		if ((size_t)n > size)
			n = (ssize_t)size;
		ring_get(pipe, pipe->start, data, (size_t)n);
		consume(pipe, (size_t)n);
	}
	(void)pthread_mutex_unlock(&pipe->lock);
	return n;
}

struct xb_blob_source xb_pipe_source(struct xb_pipe *pipe)
{
	return (struct xb_blob_source){ .context = pipe, .read = pipe_read };
}

void xb_pipe_free(struct xb_pipe *pipe)
{
	if (pipe == NULL)
		return;
	pipe_stop(pipe);
	xb_error_clear(&pipe->error);
	(void)pthread_cond_destroy(&pipe->changed);
	(void)pthread_mutex_destroy(&pipe->lock);
	free(pipe->ring);
	free(pipe);
}
