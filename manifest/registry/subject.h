/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What refers to another document (its `subject`) and is put where there is no referrers API: the
 * tag that stands for it has to be kept by whoever writes. For the modules of manifest/registry/
 * only. Source: OCI distribution-spec 1.1, "Pushing Manifests with Subject".
 */
#ifndef XB_MANIFEST_REGISTRY_SUBJECT_H
#define XB_MANIFEST_REGISTRY_SUBJECT_H

#include "base/error.h"
#include "base/str.h"
#include "manifest/descriptor.h"
#include "manifest/registry/hosts.h"
#include "manifest/registry/registry.h"

/** The tag that stands for the referrers of a digest: "sha256-…". malloc()ed. */
char *xb_registry_referrers_tag(const struct xb_digest *subject);

/**
 * The subject of a document, and the descriptor by which its referrers list it (both empty on
 * entry). Returns 1, or 0 where it has none or cannot be read.
 */
int xb_registry_subject(const char *media_type, struct xb_view bytes, struct xb_digest *ret_subject,
			struct xb_descriptor *ret_entry);

/**
 * Add `entry` to the index under the tag of `subject` unless it is there, and see that it stays:
 * -EAGAIN when others replace it again and again.
 */
int xb_registry_refer(struct xb_registry *registry, const struct xb_reference *ref,
		      const struct xb_registry_endpoint *endpoint, const struct xb_digest *subject,
		      const struct xb_descriptor *entry, struct xb_error *err);

#endif
