/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/call.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "builder/cli/answer.h"
#include "builder/cli/report.h"

/* ---- the option --------------------------------------------------------------------------- */

/* What is to be done about a word that is not known. */
#define HINT "use --call=check, outline, targets or build, and ,format=json"

static int read_kind(struct xb_view word, struct xb_call *ret, struct xb_error *err)
{
	static const struct {
		const char *name;
		enum xb_call_kind kind;
	} kinds[] = { { "build", XB_CALL_BUILD },
		      { "check", XB_CALL_CHECK },
		      { "lint", XB_CALL_CHECK },
		      { "outline", XB_CALL_OUTLINE },
		      { "targets", XB_CALL_TARGETS } };

	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		if (!xb_view_is(word, kinds[i].name))
			continue;
		ret->kind = kinds[i].kind;
		return 0;
	}
	return xb_error_usage(err, HINT, "--call %.*s is not known", XB_VIEW_ARGS(word));
}

static int read_field(struct xb_view field, struct xb_call *ret, struct xb_error *err)
{
	struct xb_view value = field, key;

	(void)xb_view_split(&value, '=', &key);
	if (value.data == NULL)
		return read_kind(key, ret, err);
	if (xb_view_is(key, "format")) {
		ret->json = xb_view_is(value, "json");
		if (ret->json || xb_view_is(value, "text") || xb_view_is(value, "txt"))
			return 0;
	}
	if (xb_view_is(key, "ignorestatus")) {
		ret->ignore_status = xb_view_is(value, "true") || xb_view_is(value, "1");
		if (ret->ignore_status || xb_view_is(value, "false") || xb_view_is(value, "0"))
			return 0;
	}
	return xb_error_usage(err, HINT, "--call: %.*s is not known", XB_VIEW_ARGS(field));
}

int xb_call_parse(const char *text, bool check, struct xb_call *ret, struct xb_error *err)
{
	struct xb_call call = { .kind = check ? XB_CALL_CHECK : XB_CALL_BUILD };
	struct xb_view rest = xb_view(text), field;

	while (text != NULL && xb_view_split(&rest, ',', &field)) {
		int r = read_field(field, &call, err);

		if (r < 0)
			return r;
	}
	if (check && call.kind != XB_CALL_CHECK)
		return xb_error_usage(err, HINT, "--check and --call %s ask for different things",
				      text);
	*ret = call;
	return 0;
}

/* ---- the answer --------------------------------------------------------------------------- */

/* An image that is not at hand is looked for when it is needed, and says nothing of the file. */
static bool is_source_fault(const struct xb_error *err, const struct xb_check *check)
{
	return err->code != 0 && (check->lint.images.len == 0 || err->fault != XB_FAULT_REGISTRY);
}

static void note_unknown(const struct xb_check *check)
{
	for (size_t i = 0; i < check->lint.images.len; i++) {
		xb_autofree char *text =
			xb_format("the image %s is not at hand: variables that it sets count as "
				  "undefined",
				  check->lint.images.items[i]);

		xb_report_warning(text);
	}
	for (size_t i = 0; i < check->unknown.len; i++) {
		xb_autofree char *text =
			xb_format("the check options name %s, which is no rule of this version",
				  check->unknown.items[i]);

		xb_report_warning(text);
	}
}

static void print_check(const struct xb_build_request *request, const struct xb_check *check,
			const struct xb_error *fault)
{
	size_t count = check->lint.findings.len;

	if (count > 0)
		(void)printf("Check complete, %zu warning%s been found!\n\n", count,
			     count == 1 ? " has" : "s have");
	else if (fault->code == 0)
		(void)printf("Check complete, no warnings found.\n");
	xb_check_show(request->dockerfile, &check->lint.findings, "", stdout);
	(void)fflush(stdout);
	note_unknown(check);
}

static int answer_check(struct xb_build_request *request, const struct xb_call *call,
			struct xb_error *planned, struct xb_error *err)
{
	xb_auto_check struct xb_check check = { 0 };
	struct xb_error *fault = &check.fault;
	int r = xb_check_run(request, true, &check, NULL, err);

	if (r < 0)
		return r;
	if (fault->code == 0 && is_source_fault(planned, &check))
		xb_error_move(fault, planned);
	if (call->json)
		xb_answer_check(request, &check, fault);
	else
		print_check(request, &check, fault);
	if (call->ignore_status)
		return 0;
	if (fault->code == 0)
		return check.lint.findings.len > 0 ? XB_FAULT_SOURCE : 0;
	if (call->json)
		return xb_report_status(fault);
	xb_error_move(err, fault);
	return err->code;
}

static int answer_outline(const struct xb_build_request *request, const struct xb_call *call,
			  struct xb_error *err)
{
	xb_auto_check struct xb_check check = { 0 };
	xb_auto_outline struct xb_outline outline = { 0 };
	int r = xb_check_run(request, false, &check, &outline, err);

	if (r == 0 && check.fault.code < 0) {
		xb_error_move(err, &check.fault);
		r = err->code;
	}
	if (r < 0)
		return r;
	if (call->json)
		xb_answer_outline(request, &outline);
	else
		xb_answer_print_outline(&outline);
	return 0;
}

static int answer_targets(const struct xb_build_request *request, const struct xb_call *call)
{
	if (call->json)
		xb_answer_targets(request->dockerfile);
	else
		xb_answer_print_targets(request->dockerfile);
	return 0;
}

int xb_call_answer(const struct xb_invocation *invocation, struct xb_build_request *request,
		   const struct xb_call *call, struct xb_error *err)
{
	xb_auto_error struct xb_error planned = XB_ERROR_INIT;

	(void)xb_build_request_plan(invocation, request, &planned);
	if (request->dockerfile == NULL ||
	    (request->dockerfile->part && call->kind != XB_CALL_CHECK)) {
		xb_error_move(err, &planned);
		return err->code;
	}
	if (call->kind == XB_CALL_CHECK)
		return answer_check(request, call, &planned, err);
	if (call->kind == XB_CALL_OUTLINE)
		return answer_outline(request, call, err);
	return answer_targets(request, call);
}
