/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

/*
 * The code last given in this thread, for xb_error_fault() and its kin when the caller wants no
 * sentence (err == NULL): they must still return a negative errno, or a failure would look like
 * success.
 */
static _Thread_local int last_code = -EIO;

static int code_of(const struct xb_error *err)
{
	return err != NULL ? err->code : last_code;
}

/* Take over `message` as the sentence of a fresh error. */
static int error_start(struct xb_error *err, int r, char *message)
{
	xb_error_clear(err);
	err->code = r;
	err->message = message;
	return r;
}

static void replace(char **place, char *text)
{
	free(*place);
	*place = text;
}

void xb_error_clear(struct xb_error *err)
{
	if (err == NULL)
		return;
	free(err->message);
	free(err->excerpt);
	free(err->hint);
	*err = XB_ERROR_INIT;
}

int xb_error_set(struct xb_error *err, int r, const char *format, ...)
{
	char *message;
	va_list args;

	last_code = r;
	if (err == NULL)
		return r;
	va_start(args, format);
	message = xb_vformat(format, args);
	va_end(args);
	return error_start(err, r, message);
}

int xb_error_errno(struct xb_error *err, int r, const char *format, ...)
{
	xb_autofree char *sentence = NULL;
	char buffer[128];
	va_list args;

	last_code = r;
	if (err == NULL)
		return r;
	va_start(args, format);
	sentence = xb_vformat(format, args);
	va_end(args);
	return error_start(err, r,
			   xb_format("%s: %s", sentence, strerror_r(-r, buffer, sizeof(buffer))));
}

int xb_error_wrap(struct xb_error *err, int r, const char *format, ...)
{
	xb_autofree char *sentence = NULL;
	char buffer[128];
	va_list args;

	last_code = r;
	if (err == NULL)
		return r;
	va_start(args, format);
	sentence = xb_vformat(format, args);
	va_end(args);
	/* A callee that said nothing: its errno stands in for the missing sentence. */
	if (err->message == NULL)
		return error_start(
			err, r,
			xb_format("%s: %s", sentence, strerror_r(-r, buffer, sizeof(buffer))));
	err->code = r;
	replace(&err->message, xb_format("%s: %s", sentence, err->message));
	return r;
}

int xb_error_fault(struct xb_error *err, enum xb_fault fault)
{
	if (err != NULL && err->fault == XB_FAULT_NONE)
		err->fault = fault;
	return code_of(err);
}

int xb_error_usage(struct xb_error *err, const char *hint, const char *format, ...)
{
	xb_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = xb_vformat(format, args);
	va_end(args);
	(void)xb_error_set(err, -EINVAL, "%s", message);
	(void)xb_error_fault(err, XB_FAULT_USAGE);
	(void)xb_error_hint(err, "%s", hint);
	return -EINVAL;
}

int xb_error_hint(struct xb_error *err, const char *format, ...)
{
	va_list args;

	if (err == NULL || err->hint != NULL)
		return code_of(err);
	va_start(args, format);
	err->hint = xb_vformat(format, args);
	va_end(args);
	return err->code;
}

int xb_error_excerpt(struct xb_error *err, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return last_code;
	va_start(args, format);
	replace(&err->excerpt, xb_vformat(format, args));
	va_end(args);
	return err->code;
}

bool xb_error_is_passing(int r)
{
	static const int codes[] = { -EMFILE, -ENFILE, -ENOMEM, -EIO,
				     -ENOSPC, -EDQUOT, -EINTR,	-ESTALE };

	for (size_t i = 0; i < XB_COUNT(codes); i++) {
		if (codes[i] == r)
			return true;
	}
	return false;
}

void xb_error_move(struct xb_error *to, struct xb_error *from)
{
	if (to != NULL)
		*to = *from;
	else
		xb_error_clear(from);
	*from = XB_ERROR_INIT;
}
