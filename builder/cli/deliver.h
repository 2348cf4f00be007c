/* SPDX-License-Identifier: Apache-2.0 */
/** The end of a build: from the results of its steps to images, outputs and the user's files. */
#ifndef XB_BUILDER_CLI_DELIVER_H
#define XB_BUILDER_CLI_DELIVER_H

#include "builder/cli/request.h"
#include "builder/solve/form.h"
#include "builder/solve/solve.h"

/**
 * The forms of layers that the outputs want, each once, that of the first output with an image
 * first. None when neither an output nor a name nor --iidfile wants an image: then no layer is
 * packed.
 */
void xb_deliver_forms(const struct xb_build_request *request, struct xb_forms *ret);
/** Whether an output holds the files of the targets and not their layers. */
bool xb_deliver_files(const struct xb_build_request *request);
/** Whether an image stays in the store or goes to a file: it is not only pushed. */
bool xb_deliver_keeps(const struct xb_build_request *request);
/**
 * Write documents, outputs, push those that are pushed, and write the files of --metadata-file and
 * --iidfile. Targets that may fail and have no result are left out, with a warning. `own_files` as
 * in struct xb_output_source. `ret` gets the digest of the first output's image; it stays empty
 * where there is no image. The files of outputs that were there already are appended to `ret_kept`.
 */
int xb_deliver(struct xb_build_request *request, const struct xb_results *results, bool own_files,
	       struct xb_digest *ret, struct xb_strv *ret_kept, struct xb_error *err);
/** Print that digest to standard output, unless an output went there. */
void xb_deliver_print(const struct xb_build_request *request, const struct xb_digest *digest);

#endif
