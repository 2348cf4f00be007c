/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blobs that are sent. One PUT takes the whole, if it can; what was cut is looked into before
 * anything is sent again, since a request that failed here may have been carried out there.
 */
#include <errno.h>
#include <string.h>

#include "manifest/registry/answer.h"
#include "manifest/registry/upload.h"

/* Bytes by which an upload has to get on for its tries to count afresh. */
#define PROGRESS ((uint64_t)64 << 10)
/* The largest pieces that are tried when all at once is too much; and the smallest. */
#define LARGEST_PIECE  ((uint64_t)16 << 20)
#define SMALLEST_PIECE ((uint64_t)256 << 10)

/* Sessions after the first that are begun since one ended with a refusal. */
enum { MAX_REFUSED = 1 };

/* A blob on its way. */
struct job {
	struct xb_upload upload;
	const struct xb_reference *ref;
	struct xb_registry_tries tries;
	uint64_t piece;	  /* bytes of a request; 0: all that is left */
	uint64_t best;	  /* the most that the registry ever had */
	unsigned refused; /* sessions that it would not finish */
};

static void job_clear(struct job *job)
{
	xb_upload_clear(&job->upload);
}

static bool is_success(int status)
{
	return status >= 200 && status < 300;
}

/* What the registry calls the blob has to be what it is. */
static int check_taken(const struct job *job, const struct xb_http_response *response,
		       struct xb_error *err)
{
	struct xb_digest named = { "" };
	const struct xb_digest *own = &job->upload.blob->digest;
	int r = xb_registry_digest(&response->headers, &named, err);

	if (r <= 0 || xb_digest_eq(&named, own) ||
	    !xb_view_eq(xb_digest_algorithm(&named), xb_digest_algorithm(own)))
		return r < 0 ? r : 0;
	(void)xb_error_set(err, -EPROTO, "%s: it took it for %s", response->url, named.text);
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EPROTO;
}

/* All that is left goes with the request that finishes, unless it goes in pieces. */
static bool is_last(const struct job *job)
{
	return job->piece == 0 || job->upload.offset == job->upload.blob->size;
}

static uint64_t piece_end(const struct job *job)
{
	const struct xb_upload *u = &job->upload;
	uint64_t piece = job->piece < u->minimum ? u->minimum : job->piece;
	uint64_t left = u->blob->size - u->offset;

	return u->offset + (piece < left ? piece : left);
}

static void note_progress(struct job *job)
{
	if (job->upload.offset < job->best + PROGRESS)
		return;
	job->best = job->upload.offset;
	job->tries = (struct xb_registry_tries){ 0 };
	job->refused = 0;
}

static void new_session(struct job *job)
{
	xb_upload_cancel(&job->upload);
	job->upload.offset = 0;
}

/* It is too much for one request: smaller pieces, as far as the registry takes them. 0: no use. */
static int use_smaller_pieces(struct job *job)
{
	uint64_t piece = job->piece == 0 ? LARGEST_PIECE : job->piece / 2;

	while (piece >= job->upload.blob->size)
		piece /= 2;
	if (piece < SMALLEST_PIECE || piece < job->upload.minimum)
		return 0;
	job->piece = piece;
	new_session(job);
	return 1;
}

/* Whether the blob is there after all: the answer that said so was lost. */
static int look(struct job *job, struct xb_error *err)
{
	bool there = false;
	int r = xb_registry_has_blob(job->upload.registry, job->ref, job->upload.blob, &there, err);

	return r < 0 ? r : there;
}

/* Find out what the registry has: 0 when the upload goes on, 1 when the blob is there. */
static int find_out(struct job *job, bool last, struct xb_error *err)
{
	int r = last ? look(job, err) : 0;

	if (r != 0)
		return r;
	r = xb_upload_ask(&job->upload, err);
	if (r == 0)
		new_session(job);
	else if (r > 0)
		note_progress(job);
	return r < 0 ? r : 0;
}

/* A refusal that another session may not meet: this one is gone, or holds other bytes. */
static bool is_of_session(const struct xb_http_response *response)
{
	return response->status == 400 || response->status == 404 || response->status == 409 ||
	       response->status == 416;
}

/* What to do about a request that did not work: 0 to go on, 1 when the blob is there. */
static int mend(struct job *job, bool last, int r, struct xb_upload_answer *answer,
		struct xb_error *err)
{
	struct xb_http_response *response = &answer->response;
	int next;

	if (r >= 0 && response->status == 413 && use_smaller_pieces(job))
		return 0;
	if (r >= 0 && is_of_session(response) && ++job->refused <= MAX_REFUSED) {
		xb_error_clear(err);
		if (response->status == 416)
			return find_out(job, last, err);
		next = last ? look(job, err) : 0;
		if (next == 0)
			new_session(job);
		return next;
	}
	next = xb_registry_again(job->upload.registry, &answer->request, &job->tries, r, response,
				 err);
	if (next > 0)
		return find_out(job, last, err);
	if (next == 0 && r >= 0)
		r = xb_registry_fail(job->upload.registry, &answer->request, response, err);
	return next < 0 ? next : r;
}

/* One request: 1 when the blob is there, 0 to go on. */
static int advance(struct job *job, struct xb_error *err)
{
	XB_CLEANUP(xb_upload_answer_clear)
	struct xb_upload_answer answer = { .response = XB_HTTP_RESPONSE_INIT };
	struct xb_upload *u = &job->upload;
	bool last;
	int r;

	if (u->location == NULL) {
		r = xb_upload_open(u, NULL, NULL, err);
		if (r != 0)
			return r;
	}
	last = is_last(job);
	r = last ? xb_upload_finish(u, &answer, err)
		 : xb_upload_send(u, piece_end(job), &answer, err);
	if (r < 0 || !is_success(answer.response.status))
		return mend(job, last, r, &answer, err);
	if (last) {
		r = check_taken(job, &answer.response, err);
		return r < 0 ? r : 1;
	}
	r = xb_upload_sent(u, &answer.response, err);
	if (r >= 0)
		note_progress(job);
	return r;
}

static int job_begin(struct job *job, struct xb_registry_endpoints *endpoints, struct xb_error *err)
{
	return xb_registry_origin(job->upload.registry, job->ref, endpoints, &job->upload.endpoint,
				  err);
}

int xb_registry_put_blob(struct xb_registry *registry, const struct xb_reference *ref,
			 const struct xb_descriptor *blob, const struct xb_blob_source *source,
			 struct xb_error *err)
{
	xb_auto_registry_endpoints struct xb_registry_endpoints endpoints = { 0 };
	XB_CLEANUP(job_clear)
	struct job job = { .upload = { .registry = registry, .blob = blob, .source = source },
			   .ref = ref };
	int r = job_begin(&job, &endpoints, err);

	while (r == 0)
		r = advance(&job, err);
	if (r > 0)
		return 0;
	if (r != -ECANCELED)
		xb_upload_cancel(&job.upload);
	return xb_error_wrap(err, r, "writing blob %s to %s/%s", blob->digest.text, ref->domain,
			     ref->path);
}

int xb_registry_mount_blob(struct xb_registry *registry, const struct xb_reference *ref,
			   const char *from_path, const struct xb_descriptor *blob,
			   bool *ret_mounted, struct xb_error *err)
{
	xb_auto_registry_endpoints struct xb_registry_endpoints endpoints = { 0 };
	xb_auto_str struct xb_str query = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error own = XB_ERROR_INIT;
	XB_CLEANUP(job_clear)
	struct job job = { .upload = { .registry = registry, .blob = blob }, .ref = ref };
	int r = job_begin(&job, &endpoints, err);

	if (r < 0)
		return r;
	(void)xb_str_printf(&query, "mount=%s&from=", blob->digest.text);
	xb_registry_query(&query, from_path);
	r = xb_upload_open(&job.upload, xb_str_text(&query), from_path, &own);
	/* it does not want to, or has no such thing: the blob is sent, then */
	if (r == -EACCES || r == -ENOENT || r == -EREMOTEIO)
		r = 0;
	if (r == 0)
		xb_upload_cancel(&job.upload);
	if (r < 0) {
		if (err != NULL)
			xb_error_move(err, &own);
		return xb_error_wrap(err, r, "mounting blob %s into %s/%s", blob->digest.text,
				     ref->domain, ref->path);
	}
	*ret_mounted = r > 0;
	return 0;
}
