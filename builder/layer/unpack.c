/* SPDX-License-Identifier: Apache-2.0 */
/* The parent's side: start the confined child and believe what little it says. */
#include "builder/layer/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
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
	xb_strv_clear(&report->hidden);
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

/* A child at work. */
struct xb_unpack_job {
	struct xb_proc child;
	int from_child;
	int growth;	  /* what is known of the blob's size goes here; -1: it does not grow */
	uint64_t waiting; /* the newest size, when it has not been told yet; 0: none */
	uint64_t told;	  /* the size that the child knows */
};

#define JOB_NONE ((struct xb_unpack_job){ XB_PROC_NONE, -1, -1, 0, 0 })

/* Bytes of which it is worth telling a child that they have come: it wakes up for them. */
#define WORTH_TELLING ((uint64_t)256 << 10)

static void job_clear(struct xb_unpack_job *job)
{
	xb_proc_clear(&job->child);
	xb_cleanup_fd(&job->from_child);
	xb_cleanup_fd(&job->growth);
}

/* What the child has of its own beside the request. */
struct descriptors {
	int blob;
	int dest;   /* -1: none */
	int growth; /* likewise */
	int scratch;
};

/* A program that does not ask whether it is the child would do here what brought us here, and so
 * on without end. */
static int check_self(struct xb_error *err)
{
	int r;

	if (!xb_unpack_wanted(program_invocation_name))
		return 0;
	r = xb_error_set(err, -ELOOP,
			 "this program was started as " XB_UNPACK_NAME
			 " and does not know it: its main() has to ask xb_unpack_wanted()");
	(void)xb_error_fault(err, XB_FAULT_INTERNAL);
	return r;
}

static int spawn(const struct xb_wire_request *request, const struct descriptors *given,
		 int to_parent, struct xb_proc *child, struct xb_error *err)
{
	char name[] = XB_UNPACK_NAME, *argv[] = { name, NULL }, *envp[] = { NULL };
	xb_auto_fd int request_fd = write_request(request, err);
	struct xb_proc_fd fds[6] = {
		{ request_fd, XB_WIRE_REQUEST },
		{ given->blob, XB_WIRE_BLOB },
		{ to_parent, XB_WIRE_ANSWER },
	};
	struct xb_proc_spec spec = {
		.path = xb_proc_self_path(),
		.argv = argv,
		.envp = envp,
		.fds = fds,
		.fd_count = 3,
	};

	if (request_fd < 0)
		return request_fd;
	if (given->dest >= 0)
		fds[spec.fd_count++] = (struct xb_proc_fd){ given->dest, XB_WIRE_DEST };
	if (given->growth >= 0)
		fds[spec.fd_count++] = (struct xb_proc_fd){ given->growth, XB_WIRE_GROWTH };
	if (given->scratch >= 0)
		fds[spec.fd_count++] = (struct xb_proc_fd){ given->scratch, XB_WIRE_SCRATCH };
	return xb_proc_spawn(&spec, child, err);
}

static int start(const struct xb_wire_request *request, const struct descriptors *given,
		 struct xb_unpack_job *job, struct xb_error *err)
{
	int ends[2];
	int r = check_self(err);

	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	job->from_child = ends[0];
	xb_auto_fd int to_parent = ends[1];

	return spawn(request, given, to_parent, &job->child, err);
}

/* Wait for the child's answer and its end. */
static int hear(struct xb_unpack_job *job, struct xb_wire_answer *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_WIRE_ANSWER);
	struct xb_proc_status status;
	int r = xb_file_read_fd(job->from_child, &bytes, err);

	if (r >= 0)
		r = xb_proc_wait(&job->child, &status, err);
	if (r < 0)
		return r;
	if (bytes.len == 0)
		return describe_end(&status, err);
	return xb_wire_decode(xb_str_view(&bytes), ret, err);
}

/* The code of the answer, whose error and report go to the caller. */
static int conclude(struct xb_unpack_job *job, struct xb_unpack_report *report,
		    struct xb_error *err)
{
	XB_CLEANUP(xb_wire_answer_clear) struct xb_wire_answer answer = { 0 };
	int r = hear(job, &answer, err);

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
		report->hidden = answer.hidden;
		answer.warnings = XB_STRV_INIT;
		answer.hidden = XB_STRV_INIT;
	}
	return answer.code;
}

/* Have a request carried out with these; returns the answer's code. */
static int run_with(const struct xb_wire_request *request, const struct descriptors *given,
		    struct xb_unpack_report *report, struct xb_error *err)
{
	XB_CLEANUP(job_clear) struct xb_unpack_job job = JOB_NONE;
	int r = start(request, given, &job, err);

	return r < 0 ? r : conclude(&job, report, err);
}

static int run(const struct xb_wire_request *request, int blob_fd, int dest_fd,
	       struct xb_unpack_report *report, struct xb_error *err)
{
	const struct descriptors given = { blob_fd, dest_fd, -1, -1 };

	return run_with(request, &given, report, err);
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

static int make_request(enum xb_wire_task task, const struct xb_unpack_layer *layer,
			const struct xb_unpack_limits *limits, struct xb_wire_request *ret,
			struct xb_error *err)
{
	*ret = (struct xb_wire_request){
		.size = sizeof(*ret),
		.task = task,
		.digest = layer->digest,
		.content = layer->diff_id,
		.alone = layer->alone,
		.uid = -1,
		.gid = -1,
	};
	set_limits(ret, limits, layer->size);
	return coding_of(layer->media_type, &ret->coding, err);
}

static int check_size(int blob_fd, const struct xb_unpack_layer *layer, struct xb_error *err)
{
	uint64_t size = 0;
	int r = check_blob(blob_fd, &size, err);

	return r < 0 || size == layer->size
		       ? r
		       : xb_error_set(err, -EBADMSG, "the blob has %llu bytes and not %llu",
				      (unsigned long long)size, (unsigned long long)layer->size);
}

static int run_layer(enum xb_wire_task task, int blob_fd, const struct xb_unpack_layer *layer,
		     int dest_fd, const struct xb_unpack_limits *limits,
		     struct xb_unpack_report *report, struct xb_error *err)
{
	struct xb_wire_request request;
	int r = make_request(task, layer, limits, &request, err);

	if (r >= 0)
		r = check_size(blob_fd, layer, err);
	if (r >= 0)
		r = run(&request, blob_fd, dest_fd, report, err);
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

int xb_layer_hide(int dest_fd, const struct xb_strv *hidden, struct xb_error *err)
{
	struct xb_wire_request request = { .size = sizeof(request), .task = XB_WIRE_HIDE };
	xb_auto_fd int names = xb_memfd_new("hidden", err);
	int r = names;

	for (size_t i = 0; r >= 0 && i < hidden->len; i++)
		r = xb_write_all(names, hidden->items[i], strlen(hidden->items[i]) + 1, err);
	if (r >= 0)
		r = xb_memfd_seal(names, err);
	set_limits(&request, NULL, 0);
	if (r >= 0)
		r = run(&request, names, dest_fd, NULL, err);
	if (r >= 0)
		return 0;
	xb_error_fault(err, XB_FAULT_STORE);
	return r;
}

/* A socket, since a child that has ended must not end this process by a signal. */
static int start_growing(const struct xb_wire_request *request, int blob_fd, int dest_fd,
			 struct xb_unpack_job *job, struct xb_error *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return xb_error_errno(err, -errno, "making a pair of sockets");
	job->growth = ends[0];
	xb_auto_fd int to_child = ends[1];
	const struct descriptors given = { blob_fd, dest_fd, to_child, -1 };

	return start(request, &given, job, err);
}

/* Whoever writes the blob hashes what it writes: the child must not be able to change it. */
static int open_for_reading(int fd, struct xb_error *err)
{
	char path[64];
	int copy;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	copy = open(path, O_RDONLY | O_CLOEXEC);
	return copy < 0 ? xb_error_errno(err, -errno, "opening a blob for reading") : copy;
}

int xb_layer_unpack_begin(int blob_fd, const struct xb_unpack_layer *layer, int dest_fd,
			  const struct xb_unpack_limits *limits, struct xb_unpack_job **ret,
			  struct xb_error *err)
{
	xb_auto_unpack_job struct xb_unpack_job *job = xb_alloc(sizeof(*job));
	xb_auto_fd int reader = open_for_reading(blob_fd, err);
	struct xb_wire_request request;
	int r = reader;

	*job = JOB_NONE;
	if (r >= 0)
		r = make_request(XB_WIRE_LAYER, layer, limits, &request, err);
	request.grows = 1;
	if (r >= 0 && xb_digest_empty(&layer->digest))
		r = xb_error_set(err, -EINVAL, "a layer without a digest cannot be checked");
	if (r >= 0)
		r = start_growing(&request, reader, dest_fd, job, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(job);
	return 0;
}

static void tell_size(struct xb_unpack_job *job, int flags)
{
	ssize_t n;

	do
		n = send(job->growth, &job->waiting, sizeof(job->waiting), MSG_NOSIGNAL | flags);
	while (n < 0 && errno == EINTR);
	/* a child that has ended says why when it is asked */
	if (n < 0 && errno == EAGAIN)
		return;
	job->told = job->waiting;
	job->waiting = 0;
}

void xb_layer_unpack_grown(struct xb_unpack_job *job, uint64_t size)
{
	job->waiting = size;
	if (size > 0 && (job->told == 0 || size - job->told >= WORTH_TELLING))
		tell_size(job, MSG_DONTWAIT);
}

int xb_layer_unpack_finish(struct xb_unpack_job *job, struct xb_unpack_report *report,
			   struct xb_error *err)
{
	int r;

	if (job->waiting > 0)
		tell_size(job, 0);
	xb_cleanup_fd(&job->growth);
	r = conclude(job, report, err);
	if (r >= 0)
		return 0;
	xb_error_fault(err, XB_FAULT_STORE);
	return r;
}

void xb_unpack_job_free(struct xb_unpack_job *job)
{
	if (job == NULL)
		return;
	job_clear(job);
	free(job);
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

int xb_layer_survey(int blob_fd, const struct xb_unpack_layer *layer, bool digests, int scratch_fd,
		    int out_fd, const struct xb_unpack_limits *limits, struct xb_error *err)
{
	const struct descriptors given = { blob_fd, out_fd, -1, scratch_fd };
	struct xb_wire_request request;
	int r = make_request(XB_WIRE_SURVEY, layer, limits, &request, err);

	request.digests = digests;
	if (r >= 0)
		r = check_size(blob_fd, layer, err);
	if (r >= 0)
		r = run_with(&request, &given, NULL, err);
	if (r >= 0)
		return 0;
	xb_error_fault(err, XB_FAULT_STORE);
	return r;
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
