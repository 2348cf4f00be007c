/* SPDX-License-Identifier: Apache-2.0 */
/* The child's side: walls first, then the foreign bytes, then one answer. */
#include "builder/layer/unpack_child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/owner.h"
#include "builder/layer/apply.h"
#include "builder/layer/hidden.h"
#include "builder/layer/roster.h"
#include "builder/layer/survey.h"
#include "builder/layer/tarread.h"

/* Blob, result and destination, a parent, a file, and room for walks. */
#define MAX_FILES 64

bool xb_unpack_wanted(const char *argv0)
{
	return argv0 != NULL && strcmp(argv0, XB_UNPACK_NAME) == 0;
}

static int new_decoder(const struct xb_wire_request *request, int blob_fd, struct xb_decoder **ret,
		       struct xb_error *err)
{
	const struct xb_decode_options options = {
		.fd = blob_fd,
		.grows = request->grows != 0,
		.growth = XB_WIRE_GROWTH,
		.coding = request->coding,
		.max_size = request->max_size,
		.digest = request->digest,
		.content = request->content,
	};

	return xb_decoder_new(&options, ret, err);
}

static int serve_is_archive(const struct xb_wire_request *request, int blob_fd)
{
	xb_auto_decoder struct xb_decoder *decoder = NULL;
	xb_auto_tar_reader struct xb_tar_reader *tar = NULL;
	struct xb_tar_item item;

	/* whatever is wrong with it: then it is not an archive */
	if (new_decoder(request, blob_fd, &decoder, NULL) < 0)
		return 0;
	tar = xb_tar_reader_new(
		&(struct xb_tar_input){ .next = xb_decoder_next, .context = decoder });
	return xb_tar_next(tar, &item, NULL) > 0;
}

static int serve_tree(const struct xb_wire_request *request, int blob_fd, int dest_fd,
		      struct xb_wire_answer *answer, struct xb_error *err)
{
	const struct xb_apply_options options = {
		.root = dest_fd,
		.whiteouts = request->task == XB_WIRE_LAYER,
		.alone = request->alone != 0,
		.keep_root = request->task != XB_WIRE_LAYER,
		.plain = request->task == XB_WIRE_TARFILE,
		.uid = request->uid,
		.gid = request->gid,
		.max_size = request->max_size,
		.max_count = request->max_count,
	};
	xb_auto_decoder struct xb_decoder *decoder = NULL;
	xb_auto_tar_reader struct xb_tar_reader *tar = NULL;
	xb_auto_apply struct xb_apply *apply = xb_apply_new(&options);
	int r = new_decoder(request, blob_fd, &decoder, err);

	if (r < 0)
		return r;
	tar = xb_tar_reader_new(
		&(struct xb_tar_input){ .next = xb_decoder_next, .context = decoder });
	r = xb_apply_all(apply, tar, err);
	/* the digests cover what follows the tar's end too */
	if (r >= 0)
		r = xb_decoder_drain(decoder, err);
	if (r < 0)
		return r;
	answer->entries = xb_apply_count(apply);
	answer->tar_size = xb_decoder_size(decoder);
	answer->newest = xb_apply_newest(apply);
	xb_strv_copy(&answer->warnings, xb_apply_warnings(apply));
	xb_strv_copy(&answer->hidden, xb_apply_hidden(apply));
	return 0;
}

/* Both digests are checked at the end: until then the bytes are nothing to rely on. */
static int serve_decode(const struct xb_wire_request *request, int blob_fd, int dest_fd,
			struct xb_wire_answer *answer, struct xb_error *err)
{
	xb_auto_decoder struct xb_decoder *decoder = NULL;
	const void *data;
	size_t len;
	int r = new_decoder(request, blob_fd, &decoder, err);

	while (r >= 0 && (r = xb_decoder_next(decoder, &data, &len, err)) > 0)
		r = xb_write_all(dest_fd, data, len, err);
	if (r >= 0)
		answer->tar_size = xb_decoder_size(decoder);
	return r;
}

/* As there: what is written is good for something once this has ended well. */
static int serve_account(const struct xb_wire_request *request, int blob_fd, int dest_fd,
			 struct xb_wire_answer *answer, struct xb_error *err)
{
	const struct xb_roster_limits limits = {
		.max_size = request->max_size,
		.max_count = request->max_count,
	};
	xb_auto_decoder struct xb_decoder *decoder = NULL;
	xb_auto_tar_reader struct xb_tar_reader *tar = NULL;
	int r = new_decoder(request, blob_fd, &decoder, err);

	if (r < 0)
		return r;
	tar = xb_tar_reader_new(
		&(struct xb_tar_input){ .next = xb_decoder_next, .context = decoder });
	r = request->task == XB_WIRE_LIST
		    ? xb_roster_write(tar, &limits, dest_fd, &answer->entries, err)
		    : xb_survey_write(tar, &limits, request->digests != 0, XB_WIRE_SCRATCH, dest_fd,
				      &answer->entries, err);
	if (r >= 0)
		r = xb_decoder_drain(decoder, err);
	if (r >= 0)
		answer->tar_size = xb_decoder_size(decoder);
	return r;
}

static int serve_hide(int names_fd, int dest_fd, struct xb_error *err)
{
	xb_auto_str struct xb_str names = XB_STR_INIT(XB_MAX_HIDDEN);
	int r = xb_file_read_fd(names_fd, &names, err);

	return r < 0 ? r : xb_hidden_remove(dest_fd, xb_str_view(&names), err);
}

int xb_unpack_serve(const struct xb_wire_request *request, int blob_fd, int dest_fd,
		    struct xb_wire_answer *answer, struct xb_error *err)
{
	if (request->task == XB_WIRE_IS_ARCHIVE)
		answer->code = serve_is_archive(request, blob_fd);
	else if (request->task == XB_WIRE_DECODE)
		answer->code = serve_decode(request, blob_fd, dest_fd, answer, err);
	else if (request->task == XB_WIRE_HIDE)
		answer->code = serve_hide(blob_fd, dest_fd, err);
	else if (request->task == XB_WIRE_LIST || request->task == XB_WIRE_SURVEY)
		answer->code = serve_account(request, blob_fd, dest_fd, answer, err);
	else
		answer->code = serve_tree(request, blob_fd, dest_fd, answer, err);
	return answer->code;
}

static int read_request(struct xb_wire_request *request, struct xb_error *err)
{
	ssize_t n = xb_read_full(XB_WIRE_REQUEST, request, sizeof(*request), err);

	if (n < 0)
		return (int)n;
	if ((size_t)n != sizeof(*request) || request->size != sizeof(*request))
		return xb_error_set(err, -EINVAL, "this command is xbuild's own");
	return 0;
}

/* Whether the destination is a directory to write in. */
static bool is_tree(enum xb_wire_task task)
{
	return task != XB_WIRE_IS_ARCHIVE && task != XB_WIRE_DECODE && task != XB_WIRE_LIST &&
	       task != XB_WIRE_SURVEY;
}

static int confine(const struct xb_wire_request *request, struct xb_error *err)
{
	const struct xb_confine walls = {
		.writable_dir = is_tree(request->task) ? XB_WIRE_DEST : -1,
		.memory = request->memory,
		.file_size = request->max_size,
		.open_files = MAX_FILES,
		.set_owners = true,
	};

	return xb_confine_apply(&walls, err);
}

int xb_unpack_main(void)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_WIRE_ANSWER);
	struct xb_wire_answer answer = { 0 };
	struct xb_wire_request request;
	int r;

	/* a builder that was killed wants no more of it */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(0);
	xb_owner_detect(); /* behind the walls there is no /proc to be read */
	r = read_request(&request, &answer.error);
	if (r >= 0)
		r = confine(&request, &answer.error);
	if (r >= 0)
		r = xb_unpack_serve(&request, XB_WIRE_BLOB, XB_WIRE_DEST, &answer, &answer.error);
	answer.code = r;
	xb_wire_encode(&answer, &bytes);
	r = xb_write_all(XB_WIRE_ANSWER, bytes.data, bytes.len, NULL);
	/* not exit(): what runs there (a leak check, say) needs calls that the walls refuse */
	_exit(r < 0 ? 1 : 0);
}
