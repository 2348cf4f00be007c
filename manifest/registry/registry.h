/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Registries: documents and blobs of the OCI distribution API, read and written.
 *
 * What always holds:
 * - What a function gives has been checked: a document is of the digest and media type that were
 *   asked for or that the registry named, a blob of its descriptor's size and digest.
 * - Bytes of documents are kept as they are.
 * - What may pass (a cut connection, 408, 429, 5xx) is tried again after a growing, random pause,
 * or the one that Retry-After names; who is told to slow down (429) slows down for all threads.
 * - Reading asks the mirrors first and the registry itself last; writing knows only the latter.
 * - Whom to be is auth.h's part, where and how to speak with it hosts.h's.
 * - A registry's own words are part of the error that its answer means.
 *
 * One struct xb_registry serves a whole run: all threads may call all functions at once; each uses
 * a connection of its own, and connections are kept.
 *
 * Errors of all functions, fault registry where nothing else is said: -ENOENT (fault source),
 * -EACCES (fault source), -EPROTO and -EBADMSG (answers and documents that cannot be right),
 * -EFBIG, -EREMOTEIO (statuses), those of xb_http_perform(), -ECANCELED (fault interrupted).
 *
 * Source: OCI distribution-spec 1.1. Decision 0033.
 */
#ifndef XB_MANIFEST_REGISTRY_REGISTRY_H
#define XB_MANIFEST_REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "manifest/descriptor.h"
#include "manifest/reference.h"
#include "manifest/registry/credentials.h"
#include "manifest/registry/hosts.h"
#include "manifest/stream.h"

/** All registries of a run. */
struct xb_registry;

/** What it works with; all is borrowed until xb_registry_free(). Starts as
 *  XB_REGISTRY_OPTIONS_INIT. */
struct xb_registry_options {
	const struct xb_registry_hosts *hosts;
	struct xb_credentials *credentials; /**< NULL: be nobody */
	int cancel_fd;			    /**< readable once all has to end, or -1 */
	unsigned attempts; /**< how often a request is tried without getting on; 0: 7 */
	unsigned pause_ms; /**< about how long the first pause is; 0: 250 */
};

#define XB_REGISTRY_OPTIONS_INIT ((struct xb_registry_options){ .cancel_fd = -1 })

/** Make one; no connection is made yet. */
int xb_registry_new(const struct xb_registry_options *options, struct xb_registry **ret,
		    struct xb_error *err);
/** Close all connections; no thread may be in it. NULL is left alone. */
void xb_registry_free(struct xb_registry *registry);

XB_DEFINE_CLEANUP(xb_registry_cleanup, struct xb_registry, xb_registry_free)
#define xb_auto_registry XB_CLEANUP(xb_registry_cleanup)

/**
 * What `ref` (domain, path, and a digest or else a tag) is at its registry, without reading it:
 * media type, digest, size. The size is the registry's word.
 */
int xb_registry_head(struct xb_registry *registry, const struct xb_reference *ref,
		     struct xb_descriptor *ret, struct xb_error *err);
/**
 * Read the document that `ref` (its digest, or else its tag) names: `bytes`, empty and of a maximum
 * of XB_MAX_MANIFEST (manifest.h) or more, gets it as it was sent, `ret` its descriptor. Its type
 * is one of an image's index or manifest, and the same in header and document.
 */
int xb_registry_get_manifest(struct xb_registry *registry, const struct xb_reference *ref,
			     struct xb_str *bytes, struct xb_descriptor *ret, struct xb_error *err);
/**
 * Write a document of at most XB_MAX_MANIFEST bytes under the tag of `ref`, or else under its
 * digest; where `ref` has a digest it has to be the bytes'. One with a subject is listed among
 * what refers to it, by the registry or else under the tag that stands for that list.
 */
int xb_registry_put_manifest(struct xb_registry *registry, const struct xb_reference *ref,
			     const char *media_type, struct xb_view bytes, struct xb_error *err);
/** Delete what `ref` names: its tag alone where it has one, else the document of its digest. */
int xb_registry_delete_manifest(struct xb_registry *registry, const struct xb_reference *ref,
				struct xb_error *err);
/** Append all tags of the repository of `ref`, in the registry's order. -EFBIG above a million. */
int xb_registry_tags(struct xb_registry *registry, const struct xb_reference *ref,
		     struct xb_strv *ret, struct xb_error *err);
/**
 * Append what refers to the document of `ref`'s digest, of `artifact_type` or (NULL) of any: by the
 * referrers API, or where the registry does not have it by the tag that stands for it. None is no
 * error.
 */
int xb_registry_referrers(struct xb_registry *registry, const struct xb_reference *ref,
			  const char *artifact_type, struct xb_descriptors *ret,
			  struct xb_error *err);

/** Whether the repository of `ref` has a blob. -EPROTO: it has one of another size. */
int xb_registry_has_blob(struct xb_registry *registry, const struct xb_reference *ref,
			 const struct xb_descriptor *blob, bool *ret, struct xb_error *err);
/**
 * Read a blob of the repository of `ref` into `sink`: what was written is right when this returns
 * 0. A transfer that is cut goes on where it was. -EBADMSG: another digest than it should have.
 */
int xb_registry_get_blob(struct xb_registry *registry, const struct xb_reference *ref,
			 const struct xb_descriptor *blob, const struct xb_blob_sink *sink,
			 struct xb_error *err);
/**
 * Write a blob to the repository of `ref`; it is there when this returns 0. What is there already
 * is the caller's to ask for. An upload that was cut goes on where the registry says.
 */
int xb_registry_put_blob(struct xb_registry *registry, const struct xb_reference *ref,
			 const struct xb_descriptor *blob, const struct xb_blob_source *source,
			 struct xb_error *err);
/**
 * Have the registry take a blob over from its repository `from_path` into that of `ref`; whether it
 * did is in `*ret_mounted`. That it did not, for whatever reason of its own, is no error.
 */
int xb_registry_mount_blob(struct xb_registry *registry, const struct xb_reference *ref,
			   const char *from_path, const struct xb_descriptor *blob,
			   bool *ret_mounted, struct xb_error *err);

#endif
