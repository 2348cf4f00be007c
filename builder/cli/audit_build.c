/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/audit_build.h"

#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "builder/cache/place.h"
#include "builder/cli/audit.h"
#include "builder/cli/report.h"

enum mode { AUDIT_OFF, AUDIT_WARN, AUDIT_ERROR };

static int read_mode(const struct xb_build_request *request, enum mode *ret, struct xb_error *err)
{
	static const char *const names[] = { "off", "warn", "error" };
	const char *text = request->options.audit;

	*ret = AUDIT_OFF;
	for (size_t i = 0; text != NULL && i < XB_COUNT(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum mode)i;
			return 0;
		}
	}
	return text == NULL ? 0
			    : xb_error_usage(err, "error, warn or off",
					     "--audit does not take '%s'", text);
}

int xb_audit_build_check(const struct xb_build_request *request, struct xb_error *err)
{
	enum mode mode;

	return read_mode(request, &mode, err);
}

/* ---- what is allowed ------------------------------------------------------------------------ */

/* --audit-allow, or the context's own file; none is no error. */
static int read_allow(const struct xb_build_request *request, struct xb_str *text,
		      const char **ret_name, struct xb_error *err)
{
	const char *path = request->options.audit_allow;
	int r;

	*ret_name = path != NULL ? path : XB_AUDIT_ALLOW_FILE;
	if (path != NULL) {
		r = xb_file_read(path, text, err);
		return r < 0 ? xb_error_fault(err, XB_FAULT_USAGE) : 0;
	}
	if (request->context == NULL)
		return 0;
	r = xb_file_read_at(xb_context_dirfd(request->context), XB_AUDIT_ALLOW_FILE, text, NULL);
	if (r == -ENOENT || r >= 0)
		return 0;
	(void)xb_error_errno(err, r, "reading %s of the build context", XB_AUDIT_ALLOW_FILE);
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

/* ---- what was clean before ------------------------------------------------------------------ */

static void name_of(const struct xb_descriptor *root, struct xb_view allow, char ret[32])
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();
	struct xb_digest digest;

	xb_hasher_field(h, XB_VIEW("audit " XB_VERSION));
	xb_hasher_field(h, xb_view(root->digest.text));
	xb_hasher_field(h, allow);
	digest = xb_hasher_finish(h);
	memcpy(ret, xb_digest_hex(&digest), 31);
	ret[31] = '\0';
}

static bool was_clean(const struct xb_store *store, const char *name)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(16);

	return xb_file_read_at(xb_store_contexts(store), name, &text, NULL) >= 0 &&
	       xb_view_is(xb_str_view(&text), "clean\n");
}

/* ---- the audit ------------------------------------------------------------------------------ */

static int verdict(const struct xb_audits *audits, enum mode mode, struct xb_error *err)
{
	size_t errors = xb_audits_count(audits, XB_AUDIT_ERROR);

	if (errors == 0 || mode != AUDIT_ERROR)
		return 0;
	(void)xb_error_set(err, -EPROTO,
			   "the audit of the result has %zu error%s: nothing of it was published",
			   errors, errors == 1 ? "" : "s");
	(void)xb_error_hint(err,
			    "see above; what is known and wanted goes into %s, or --audit=warn",
			    XB_AUDIT_ALLOW_FILE);
	return xb_error_fault(err, XB_FAULT_PROOF);
}

static int audit(const struct xb_build_request *request, const struct xb_descriptor *root,
		 enum mode mode, struct xb_error *err)
{
	struct xb_store_place place = xb_store_place(request->store);
	xb_auto_str struct xb_str allow = XB_STR_INIT(XB_MAX_AUDIT_ALLOW);
	xb_auto_audits struct xb_audits audits = { 0 };
	const struct xb_unpack_limits limits = { .unpacked = request->max_layer };
	struct xb_audit_request what = {
		.from = { .place = &place.place,
			  .scratch = xb_store_dirfd(request->store),
			  .limits = &limits },
	};
	char name[32];
	int r = read_allow(request, &allow, &what.allow_name, err);

	if (r < 0)
		return r;
	name_of(root, xb_str_view(&allow), name);
	if (was_clean(request->store, name))
		return 0;
	what.allow = xb_str_text(&allow);
	r = xb_audits_make(&what, root, &audits, err);
	if (r < 0)
		return xb_error_wrap(err, r, "auditing the result");
	if (xb_audits_count(&audits, XB_AUDIT_ERROR) + xb_audits_count(&audits, XB_AUDIT_WARNING) ==
	    0)
		(void)xb_file_replace_at(xb_store_contexts(request->store), name, "clean\n", 6,
					 false, NULL);
	else
		xb_audits_print(&audits, XB_AUDIT_WARNING, stderr);
	return verdict(&audits, mode, err);
}

int xb_audit_build(const struct xb_build_request *request, const struct xb_descriptor *root,
		   struct xb_error *err)
{
	enum mode mode;
	int r = read_mode(request, &mode, err);

	if (r < 0 || mode == AUDIT_OFF)
		return r;
	if (root != NULL)
		return audit(request, root, mode, err);
	xb_report_warning("--audit: no image is made, and what goes to files is not audited");
	return 0;
}
