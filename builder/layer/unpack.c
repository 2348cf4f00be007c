/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: start the confined child and believe what little it says. */
#include "builder/layer/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/proc.h"
#include "builder/layer/parents.h"
#include "builder/layer/taritem.h"
#include "builder/layer/tarwrite.h"
#include "builder/layer/wire.h"
#include "manifest/media.h"

/* Honest layers shrink to a half or a tenth; small ones may hold a large file of one byte. */
#define DEFAULT_UNPACKED ((uint64_t)4 << 30)
#define DEFAULT_RATIO	 100
#define DEFAULT_ENTRIES	 UINT64_C(2000000)
#define DEFAULT_MEMORY	 ((uint64_t)512 << 20)

/* AddressSanitizer reserves terabytes of addresses. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_MEMORY 0
#else
#define LIMIT_MEMORY 1
#endif

void xb_unpack_report_clear(struct xb_unpack_report *report)
{
	xb_strv_clear(&report->warnings);
	*report = XB_UNPACK_REPORT_INIT;
}

static void set_limits(struct xb_wire_request *request, const struct xb_unpack_limits *limits,
		       uint64_t blob_size)
{
	static const struct xb_unpack_limits none;
	uint64_t by_ratio =
		blob_size > UINT64_MAX / DEFAULT_RATIO ? UINT64_MAX : blob_size * DEFAULT_RATIO;

	if (limits == NULL)
		limits = &none;
	request->max_size = limits->unpacked;
	if (request->max_size == 0)
		request->max_size = by_ratio > DEFAULT_UNPACKED ? by_ratio : DEFAULT_UNPACKED;
	request->max_count = limits->entries != 0 ? limits->entries : DEFAULT_ENTRIES;
	request->memory = limits->memory != 0 ? limits->memory : DEFAULT_MEMORY;
	if (!LIMIT_MEMORY)
		request->memory = 0;
}

static int check_blob(int fd, uint64_t *ret_size, struct xb_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "looking at a blob");
	if (!S_ISREG(st.st_mode))
		return xb_error_set(err, -EINVAL, "a blob that is not a regular file");
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int write_request(const struct xb_wire_request *request, struct xb_error *err)
{
	xb_auto_fd int fd = xb_memfd_new("unpack-request", err);
	int r = fd < 0 ? fd : xb_write_all(fd, request, sizeof(*request), err);

	if (r >= 0)
		r = xb_memfd_seal(fd, err);
	return r < 0 ? r : XB_STEAL_FD(fd);
}

static int describe_end(const struct xb_proc_status *status, struct xb_error *err)
{
	if (status->signal != 0)
		(void)xb_error_set(err, -EBADMSG, "the unpacker was ended by signal %d",
				   status->signal);
	else
		(void)xb_error_set(err, -EBADMSG, "the unpacker ended with status %d and no answer",
				   status->exit_code);
	/* it answers of every archive, however bad: this is not the source's fault */
	(void)xb_error_fault(err, XB_FAULT_INTERNAL);
	return -EBADMSG;
}

/* Start the child, wait for its answer and its end. */
static int converse(const struct xb_wire_request *request, int blob_fd, int dest_fd,
		    struct xb_wire_answer *ret, struct xb_error *err)
{
	char name[] = XB_UNPACK_NAME, *argv[] = { name, NULL }, *envp[] = { NULL };
	xb_auto_fd int request_fd = write_request(request, err);
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_WIRE_ANSWER);
	xb_auto_proc struct xb_proc child = XB_PROC_NONE;
	struct xb_proc_status status;
	int ends[2];
	int r;

	if (request_fd < 0)
		return request_fd;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	{
		xb_auto_fd int from_child = ends[0];
		xb_auto_fd int to_parent = ends[1];
		const struct xb_proc_fd fds[] = {
			{ request_fd, XB_WIRE_REQUEST },
			{ blob_fd, XB_WIRE_BLOB },
			{ to_parent, XB_WIRE_ANSWER },
			{ dest_fd, XB_WIRE_DEST },
		};
		const struct xb_proc_spec spec = {
			.path = xb_proc_self_path(),
			.argv = argv,
			.envp = envp,
			.fds = fds,
			.fd_count = dest_fd >= 0 ? XB_COUNT(fds) : XB_COUNT(fds) - 1,
		};

		r = xb_proc_spawn(&spec, &child, err);
		if (r < 0)
			return r;
		xb_cleanup_fd(&to_parent);
		r = xb_file_read_fd(from_child, &bytes, err);
	}
	if (r >= 0)
		r = xb_proc_wait(&child, &status, err);
	if (r < 0)
		return r;
	if (bytes.len == 0)
		return describe_end(&status, err);
	return xb_wire_decode(xb_str_view(&bytes), ret, err);
}

/* Have a request carried out; returns the answer's code. */
static int run(const struct xb_wire_request *request, int blob_fd, int dest_fd,
	       struct xb_unpack_report *report, struct xb_error *err)
{
	XB_CLEANUP(xb_wire_answer_clear) struct xb_wire_answer answer = { 0 };
	int r = converse(request, blob_fd, dest_fd, &answer, err);

	if (r < 0)
		return r;
	if (answer.code < 0 && err != NULL) {
		xb_error_clear(err);
		xb_error_move(err, &answer.error);
	}
	if (report != NULL && answer.code >= 0) {
		xb_unpack_report_clear(report);
		report->entries = answer.entries;
		report->tar_size = answer.tar_size;
		report->newest = answer.newest;
		report->warnings = answer.warnings;
		answer.warnings = XB_STRV_INIT;
	}
	return answer.code;
}

static int coding_of(const char *media_type, enum xb_coding *ret, struct xb_error *err)
{
	static const enum xb_coding codings[] = {
		[XB_MEDIA_PLAIN] = XB_CODING_PLAIN,
		[XB_MEDIA_GZIP] = XB_CODING_GZIP,
		[XB_MEDIA_ZSTD] = XB_CODING_ZSTD,
	};
	const struct xb_media *media = xb_media_lookup(media_type);

	if (media->kind != XB_MEDIA_LAYER)
		return xb_error_set(err, -ENOTSUP, "%s is not the type of a layer",
				    media_type != NULL ? media_type : "nothing");
	*ret = codings[media->compression];
	return 0;
}

static int run_layer(enum xb_wire_task task, int blob_fd, const struct xb_unpack_layer *layer,
		     int dest_fd, const struct xb_unpack_limits *limits,
		     struct xb_unpack_report *report, struct xb_error *err)
{
	struct xb_wire_request request = {
		.size = sizeof(request),
		.task = task,
		.digest = layer->digest,
		.content = layer->diff_id,
		.uid = -1,
		.gid = -1,
	};
	uint64_t size = 0;
	int r = coding_of(layer->media_type, &request.coding, err);

	if (r >= 0)
		r = check_blob(blob_fd, &size, err);
	if (r >= 0 && size != layer->size)
		r = xb_error_set(err, -EBADMSG, "the blob has %llu bytes and not %llu",
				 (unsigned long long)size, (unsigned long long)layer->size);
	if (r >= 0) {
		set_limits(&request, limits, size);
		r = run(&request, blob_fd, dest_fd, report, err);
	}
	if (r >= 0)
		return 0;
	xb_error_fault(err, XB_FAULT_STORE);
	return r;
}

int xb_layer_unpack(int blob_fd, const struct xb_unpack_layer *layer, int dest_fd,
		    const struct xb_unpack_limits *limits, struct xb_unpack_report *report,
		    struct xb_error *err)
{
	return run_layer(XB_WIRE_LAYER, blob_fd, layer, dest_fd, limits, report, err);
}

int xb_layer_decode(int blob_fd, const struct xb_unpack_layer *layer, int out_fd,
		    const struct xb_unpack_limits *limits, struct xb_error *err)
{
	return run_layer(XB_WIRE_DECODE, blob_fd, layer, out_fd, limits, NULL, err);
}

int xb_layer_list(int blob_fd, const struct xb_unpack_layer *layer, int out_fd,
		  const struct xb_unpack_limits *limits, struct xb_error *err)
{
	return run_layer(XB_WIRE_LIST, blob_fd, layer, out_fd, limits, NULL, err);
}

int xb_archive_is(int fd, struct xb_error *err)
{
	struct xb_wire_request request = { .size = sizeof(request), .task = XB_WIRE_IS_ARCHIVE };
	char block[XB_TAR_BLOCK];
	struct stat st;
	ssize_t n;
	int r;

	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "looking at a file");
	if (!S_ISREG(st.st_mode))
		return 0;
	do
		n = pread(fd, block, sizeof(block), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return xb_error_errno(err, -errno, "reading the start of a file");
	request.coding = xb_coding_detect(block, (size_t)n);
	if (request.coding == XB_CODING_PLAIN)
		return n == XB_TAR_BLOCK && xb_tar_block_valid(block);
	set_limits(&request, NULL, (uint64_t)st.st_size);
	r = run(&request, fd, -1, NULL, err);
	return r < 0 ? xb_error_wrap(err, r, "looking into a file") : r;
}

/* Extract what is at `fd`, however it is compressed, into `dest_fd`. */
static int extract(int fd, int dest_fd, struct xb_wire_request *request,
		   const struct xb_unpack_limits *limits, struct xb_unpack_report *report,
		   struct xb_error *err)
{
	char start[8];
	uint64_t size;
	ssize_t n = pread(fd, start, sizeof(start), 0);
	int r;

	if (n < 0)
		return xb_error_errno(err, -errno, "reading an archive");
	r = check_blob(fd, &size, err);
	if (r < 0)
		return r;
	request->size = sizeof(*request);
	request->coding = xb_coding_detect(start, (size_t)n);
	set_limits(request, limits, size);
	return run(request, fd, dest_fd, report, err);
}

int xb_archive_extract(int archive_fd, int root_fd, const char *path,
		       const struct xb_archive_options *options, struct xb_unpack_report *report,
		       struct xb_error *err)
{
	const struct xb_parents parents = {
		.mode = 0755,
		.uid = options->uid >= 0 ? (uid_t)options->uid : 0,
		.gid = options->gid >= 0 ? (gid_t)options->gid : 0,
		.epoch = options->epoch,
	};
	struct xb_wire_request request = {
		.task = XB_WIRE_ARCHIVE,
		.uid = options->uid,
		.gid = options->gid,
	};
	xb_auto_fd int dest = xb_parents_make(root_fd, path, &parents, err);
	int r = dest < 0 ? dest : extract(archive_fd, dest, &request, options->limits, report, err);

	if (r >= 0)
		return 0;
	xb_error_wrap(err, r, "extracting an archive");
	xb_error_fault(err, XB_FAULT_SOURCE);
	return r;
}

int xb_unpack_tarfile(int fd, int dest_fd, struct xb_error *err)
{
	/* images are their blobs and some documents, not millions of files; but blobs are large */
	static const struct xb_unpack_limits limits = { .unpacked = INT64_MAX, .entries = 100000 };
	struct xb_wire_request request = { .task = XB_WIRE_TARFILE, .uid = -1, .gid = -1 };
	int r = extract(fd, dest_fd, &request, &limits, NULL, err);

	if (r >= 0)
		return 0;
	xb_error_fault(err, XB_FAULT_SOURCE);
	return r;
}
