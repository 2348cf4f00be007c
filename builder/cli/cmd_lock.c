/* SPDX-License-Identifier: Apache-2.0 */
/* `xbuild lock`: write down what a build's bases and fetched things are. */
#include <stdio.h>
#include <string.h>

#include "builder/cli/request.h"

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(xb_build_option_table, &text);
	(void)printf("xbuild lock [OPTIONS] PATH\n\n"
		     "Write to PATH/" XB_PINS_FILE " what the images, files and repositories are "
		     "that a build with these\noptions takes from elsewhere. What is there already "
		     "stays, unless --update names it; what\nno instruction uses goes. "
		     "`build --locked` takes what it says, and nothing else.\n\n%s",
		     xb_str_text(&text));
	return 0;
}

/* Platforms of an image that this command was not asked about stay as long as the image does. */
static void keep_platforms(const struct xb_pins *before, struct xb_pins *now)
{
	for (size_t i = 0; i < before->images.len; i++) {
		const struct xb_pin_image *old = &before->images.items[i];
		const struct xb_pin_image *pin = xb_pins_image(now, old->reference);

		if (pin == NULL || !xb_digest_eq(&pin->digest, &old->digest))
			continue;
		for (size_t k = 0; k < old->platforms.len; k++) {
			const struct xb_pin_platform *platform = &old->platforms.items[k];

			if (xb_pin_platform_digest(pin, platform->platform) == NULL)
				xb_pins_set_image(now, old->reference, pin->names.items[0],
						  &old->digest, platform->platform,
						  &platform->digest);
		}
	}
}

static void tell(const char *name, const char *before, const char *now)
{
	if (before == NULL || now == NULL || strcmp(before, now) != 0)
		(void)fprintf(stderr, "%s: %s -> %s\n", name, before != NULL ? before : "(none)",
			      now != NULL ? now : "(none)");
}

/* A line for each thing that is another one now. */
static void tell_changes(struct xb_pins *before, struct xb_pins *now)
{
	for (size_t i = 0; i < now->images.len; i++) {
		const struct xb_pin_image *pin = &now->images.items[i];
		const struct xb_pin_image *old = xb_pins_image(before, pin->reference);

		tell(pin->reference, old != NULL ? old->digest.text : NULL, pin->digest.text);
	}
	for (size_t i = 0; i < now->fetches.len; i++) {
		const struct xb_pin_fetch *pin = &now->fetches.items[i];
		const struct xb_pin_fetch *old = xb_pins_fetch(before, pin->url);

		tell(pin->url, old != NULL ? old->checksum : NULL, pin->checksum);
	}
	for (size_t i = 0; i < before->images.len; i++) {
		const struct xb_pin_image *old = &before->images.items[i];

		if (xb_pins_image(now, old->reference) == NULL)
			tell(old->reference, old->digest.text, NULL);
	}
	for (size_t i = 0; i < before->fetches.len; i++) {
		const struct xb_pin_fetch *old = &before->fetches.items[i];

		if (xb_pins_fetch(now, old->url) == NULL)
			tell(old->url, old->checksum, NULL);
	}
}

static int lock(struct xb_build_request *request, struct xb_pins *before, struct xb_error *err)
{
	xb_auto_pins struct xb_pins now = { 0 };
	struct xb_pinning pinning = xb_build_request_pinning(request);
	int r;

	xb_sources_pin(request->sources, &now);
	r = xb_build_request_pin_fetches(request, &now, err);
	if (r < 0)
		return r;
	keep_platforms(before, &now);
	r = xb_pinning_write(&pinning, &now, err);
	if (r == 0 && !request->options.quiet)
		tell_changes(before, &now);
	return r;
}

/* What was there before, for comparison; a file that is not there has nothing. */
static int read_before(const struct xb_build_request *request, struct xb_pins *ret,
		       struct xb_error *err)
{
	struct xb_pinning pinning = xb_build_request_pinning(request);
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r = xb_pinning_read(&pinning, ret, &fault);

	if (r < 0 && fault.fault == XB_FAULT_USAGE)
		return 0;
	if (r < 0)
		xb_error_move(err, &fault);
	return r;
}

int xb_cmd_lock(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_build_request struct xb_build_request request = { 0 };
	xb_auto_pins struct xb_pins before = { 0 };
	int r = xb_build_request_read(invocation, &request, err);

	if (r == 0 && request.options.help)
		return print_help();
	if (r == 0 && request.options.locked)
		return xb_error_usage(err, "xbuild lock [--update NAME] PATH",
				      "lock writes what --locked reads");
	request.locking = true;
	if (r == 0)
		r = xb_build_request_plan(invocation, &request, err);
	if (r == 0)
		r = read_before(&request, &before, err);
	return r < 0 ? r : lock(&request, &before, err);
}
