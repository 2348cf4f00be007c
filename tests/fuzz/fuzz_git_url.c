/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Git sources. What is taken is fit to be given to git: no control byte, no dash where an option
 * could be meant; and its fragment form is a git source that says the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/giturl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	if (text == NULL)
		return;
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			abort();
	}
}

static void check_url(const struct xb_git_url *url)
{
	const struct xb_git_address *a = &url->address;

	check_text(url->remote);
	check_text(url->ref);
	check_text(url->subdir);
	check_text(url->commit);
	check_text(a->host);
	check_text(a->path);
	check_text(a->user);
	check_text(a->password);
	if (a->host[0] == '-' || a->host[0] == '\0' || a->remote[0] == '-' ||
	    (a->scheme == XB_GIT_SSH && a->user != NULL && a->user[0] == '-') ||
	    (url->ref != NULL && url->ref[0] == '-'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_autofree char *text = xb_view_dup((struct xb_view){ (const char *)data, size });
	xb_auto_git_url struct xb_git_url url = { 0 };
	xb_auto_git_url struct xb_git_url again = { 0 };
	xb_auto_str struct xb_str form = XB_STR_INIT(XB_STR_OWN);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r;

	if (size > 0 && memchr(data, 0, size) != NULL)
		return 0;
	r = xb_git_url_parse(text, &url, &err);
	if (r < 0 && (err.message == NULL || err.fault != XB_FAULT_SOURCE))
		abort();
	if (xb_git_url_fragment(text, false, &form) != (r > 0))
		abort();
	if (r <= 0)
		return 0;
	check_url(&url);
	/* a reference with a '%', '?' or ':' reads otherwise in the fragment */
	if (url.ref != NULL && strpbrk(url.ref, "%:?") != NULL)
		return 0;
	if (xb_git_url_parse(xb_str_text(&form), &again, NULL) != 1 ||
	    strcmp(url.remote, again.remote) != 0)
		abort();
	return 0;
}
