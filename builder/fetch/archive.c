/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "builder/cache/record.h"
#include "builder/fetch/shared.h"
#include "builder/layer/decode.h"
#include "builder/layer/taritem.h"
#include "builder/layer/tarwrite.h"
#include "builder/layer/unpack.h"

#define KEY_PREFIX "archive:"

enum { BUFFER = 256 << 10 };

/* Bytes that are read once, from something that may be waited for. */
struct input {
	int fd;
	int cancel_fd;
	char data[BUFFER];
	size_t len;
};

/* Wait until there is something to read; files are always ready. */
static int wait_for(const struct input *in, struct xb_error *err)
{
	struct pollfd fds[] = { { .fd = in->fd, .events = POLLIN },
				{ .fd = in->cancel_fd, .events = POLLIN } };
	int r;

	do
		r = poll(fds, XB_COUNT(fds), -1);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return xb_error_errno(err, -errno, "waiting for input");
	return fds[1].revents != 0 ? xb_fetch_interrupted(err) : 0;
}

/* Fill the buffer with up to `size` bytes; fewer only at the end. */
static int fill(struct input *in, size_t size, struct xb_error *err)
{
	in->len = 0;
	while (in->len < size) {
		int r = wait_for(in, err);
		ssize_t n;

		if (r < 0)
			return r;
		n = read(in->fd, in->data + in->len, size - in->len);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0) {
			r = xb_error_errno(err, -errno, "reading a context");
			return xb_error_fault(err, XB_FAULT_SOURCE), r;
		}
		if (n == 0)
			break;
		in->len += (size_t)n;
	}
	return 0;
}

/* As BuildKit and docker have it: what is compressed is meant to be an archive. */
static bool begins_as_archive(const struct input *in)
{
	if (xb_coding_detect(in->data, in->len) != XB_CODING_PLAIN)
		return true;
	return in->len == XB_TAR_BLOCK && xb_tar_block_valid(in->data);
}

/* Not an archive: everything is text. */
static int read_text(struct input *in, struct xb_str *ret, struct xb_error *err)
{
	int r = 0;

	while (r >= 0 && in->len > 0) {
		r = xb_str_append(ret, in->data, in->len);
		if (r < 0) {
			(void)xb_error_set(err, r,
					   "it is no archive, and too long for a "
					   "Dockerfile");
			(void)xb_error_fault(err, XB_FAULT_SOURCE);
			return r;
		}
		r = fill(in, BUFFER, err);
	}
	return r;
}

/* One unpacking. */
struct unpacking {
	struct xb_store *store;
	const struct xb_fetch_options *options;
	struct xb_snapshot snapshot;
	struct xb_digest content;
	char key[XB_RECORD_KEY_SIZE];
	int spool; /* the whole archive, a file without a name */
};

static void unpacking_clear(struct unpacking *u)
{
	if (u->snapshot.id[0] != '\0')
		xb_snapshot_discard(u->store, &u->snapshot);
	xb_cleanup_fd(&u->spool);
}

static int open_spool(struct unpacking *u, struct xb_error *err)
{
	xb_auto_fd int dir = -1;
	int r = xb_snapshot_begin(u->store, &u->snapshot, err);

	if (r >= 0)
		r = xb_snapshot_open_work(u->store, &u->snapshot, &dir, err);
	if (r < 0)
		return r;
	u->spool = openat(dir, "archive", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (u->spool < 0 || unlinkat(dir, "archive", 0) < 0)
		return xb_fetch_disk_error(err, -errno);
	return 0;
}

/* What comes through a pipe has no end that is known before. */
static int too_large(uint64_t max, struct xb_error *err)
{
	(void)xb_error_set(err, -EFBIG, "the archive has more than %" PRIu64 " bytes", max);
	(void)xb_error_hint(err, "raise --max-layer-size if it is meant to be so large");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

/* Copy the input to the spool and hash it: it may be a pipe, or change while it is read. */
static int spool(struct unpacking *u, struct input *in, struct xb_error *err)
{
	xb_auto_hasher struct xb_hasher *hasher = xb_hasher_new();
	uint64_t max = u->options->max_size != 0 ? u->options->max_size : XB_MAX_ARCHIVE;
	uint64_t size = 0;
	int r = open_spool(u, err);

	while (r >= 0 && in->len > 0) {
		size += in->len;
		if (size > max)
			return too_large(max, err);
		xb_hasher_add(hasher, in->data, in->len);
		r = xb_write_all(u->spool, in->data, in->len, NULL);
		if (r < 0)
			return xb_fetch_disk_error(err, r);
		r = fill(in, BUFFER, err);
	}
	if (r < 0)
		return r;
	u->content = xb_hasher_finish(hasher);
	(void)snprintf(u->key, sizeof(u->key), KEY_PREFIX "%s", xb_digest_hex(&u->content));
	return 0;
}

static void give(const struct unpacking *u, const struct xb_record *record, bool cached,
		 struct xb_fetched *ret)
{
	uint64_t newest;

	*ret = (struct xb_fetched){
		.snapshot = record->snapshot,
		.content = u->content,
		.time = -1,
		.cached = cached,
	};
	if (xb_view_parse_u64(xb_view(record->note), INT64_MAX, &newest) >= 0)
		ret->time = (int64_t)newest;
}

static int unpack(struct unpacking *u, int64_t *ret_newest, struct xb_error *err)
{
	const struct xb_unpack_limits limits = { .unpacked = u->options->max_size };
	struct xb_archive_options how = XB_ARCHIVE_OPTIONS_INIT;
	xb_auto_unpack_report struct xb_unpack_report report = XB_UNPACK_REPORT_INIT;
	xb_auto_fd int dir = -1;
	int r = xb_snapshot_open(u->store, &u->snapshot, &dir, err);

	if (r < 0)
		return r;
	how.uid = how.gid = 0;
	how.limits = &limits;
	r = xb_archive_extract(u->spool, dir, ".", &how, &report, err);
	for (size_t i = 0; r >= 0 && u->options->progress != NULL && i < report.warnings.len; i++)
		u->options->progress(u->options->context, xb_view(report.warnings.items[i]));
	*ret_newest = report.newest;
	return r;
}

static int keep(struct unpacking *u, int64_t newest, struct xb_record *ret, struct xb_error *err)
{
	struct xb_record record = {
		.snapshot = u->snapshot,
		.diff_id = u->content,
		.created = xb_clock_now(),
	};
	int r = xb_snapshot_commit(u->store, &u->snapshot, err);

	memcpy(record.key, u->key, sizeof(record.key));
	if (newest >= 0)
		(void)snprintf(record.note, sizeof(record.note), "%lld", (long long)newest);
	if (r >= 0)
		r = xb_record_put(u->store, &record, err);
	if (r < 0)
		return r;
	u->snapshot.id[0] = '\0';
	*ret = record;
	return 0;
}

/* What the store has, or else what unpacking gives. The same bytes always give the same. */
static int find_or_unpack(struct unpacking *u, struct xb_fetched *ret, struct xb_error *err)
{
	xb_auto_keylock struct xb_keylock *lock = NULL;
	struct xb_record record = { 0 };
	int64_t newest = -1;
	int64_t since;
	int r = xb_fetch_turn(u->store, u->key, u->options->cancel_fd, &lock, &since, err);

	if (r >= 0 && !u->options->fresh)
		r = xb_record_get(u->store, u->key, &record, err);
	if (r > 0)
		give(u, &record, true, ret);
	if (r != 0)
		return r;
	r = unpack(u, &newest, err);
	if (r >= 0)
		r = keep(u, newest, &record, err);
	if (r < 0)
		return r;
	give(u, &record, false, ret);
	return 1;
}

int xb_fetch_archive(struct xb_store *store, int fd, const struct xb_fetch_options *options,
		     struct xb_str *ret_text, struct xb_fetched *ret, struct xb_error *err)
{
	XB_CLEANUP(unpacking_clear)
	struct unpacking u = { .store = store, .options = options, .spool = -1 };
	xb_autofree struct input *in = xb_calloc(1, sizeof(*in));
	int r;

	in->fd = fd;
	in->cancel_fd = options->cancel_fd;
	r = fill(in, XB_TAR_BLOCK, err);
	if (r < 0)
		return r;
	if (!begins_as_archive(in))
		return read_text(in, ret_text, err);
	r = spool(&u, in, err);
	return r < 0 ? r : find_or_unpack(&u, ret, err);
}
