/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/pinning.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/cli/options.h"
#include "builder/cli/report.h"
#include "builder/solve/remote.h"
#include "builder/solve/roots.h"
#include "manifest/reference.h"

static const char *name_of(const struct xb_pinning *pinning)
{
	return pinning->file != NULL ? pinning->file : XB_PINS_FILE;
}

static int no_file(const struct xb_pinning *pinning, struct xb_error *err)
{
	xb_error_clear(err);
	(void)xb_error_set(err, -ENOENT, "there is no %s", name_of(pinning));
	(void)xb_error_hint(err, "`xbuild lock` with the same options writes it");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_pinning_read(const struct xb_pinning *pinning, struct xb_pins *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_PINS);
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r = pinning->file != NULL
			? xb_file_read(pinning->file, &text, &fault)
			: xb_context_read(pinning->context, XB_PINS_FILE, &text, &fault);

	if (r == -ENOENT)
		return no_file(pinning, err);
	if (r >= 0)
		r = xb_pins_parse(xb_str_view(&text), ret, &fault);
	if (r >= 0)
		return 0;
	(void)xb_error_fault(&fault, XB_FAULT_SOURCE);
	xb_error_move(err, &fault);
	return xb_error_wrap(err, r, "%s", name_of(pinning));
}

int xb_pinning_write(const struct xb_pinning *pinning, const struct xb_pins *pins,
		     struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int dirfd = pinning->file != NULL ? AT_FDCWD : xb_context_dirfd(pinning->context);
	const char *name = name_of(pinning);
	int r = xb_pins_write(pins, &text, err);

	if (r == 0)
		r = xb_file_replace_at(dirfd, name, text.data, text.len, true, err);
	/* it is for everybody to read, as the files beside it */
	if (r == 0 && fchmodat(dirfd, name, 0644, 0) < 0)
		r = xb_error_errno(err, -errno, "setting its mode");
	return r < 0 ? xb_error_wrap(err, r, "writing %s", name) : 0;
}

/* The reference that a user's spelling of it means; NULL where it is none. */
static char *normal_reference(const char *text)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	if (xb_reference_parse(xb_view(text), &ref, NULL) < 0)
		return NULL;
	xb_reference_complete(&ref);
	return xb_reference_format(&ref);
}

int xb_pinning_drop(struct xb_pins *pins, const struct xb_strv *updates, struct xb_strv *renewed,
		    struct xb_error *err)
{
	for (size_t i = 0; i < updates->len; i++) {
		const char *name = updates->items[i];
		xb_autofree char *reference = normal_reference(name);

		if (reference != NULL && xb_pins_remove(pins, reference))
			xb_strv_push(renewed, reference);
		else if (!xb_pins_remove(pins, name))
			return xb_error_usage(err, "name an image or a URL that the file has",
					      "--update %s: " XB_PINS_FILE " has no such entry",
					      name);
	}
	return 0;
}

/* ---- what is fetched ----------------------------------------------------------------------- */

static bool is_fetch(const struct xb_step *step)
{
	return step->kind == XB_STEP_FETCH;
}

static void add_name(struct xb_strv *names, const struct xb_step *step)
{
	if (xb_strv_find(names, step->fetch.shown) < 0)
		xb_strv_push(names, step->fetch.shown);
}

int xb_pinning_apply(struct xb_plan *plan, struct xb_pins *pins, struct xb_error *err)
{
	xb_auto_strv struct xb_strv missing = XB_STRV_INIT;
	xb_autofree char *names = NULL;

	for (size_t i = 0; i < plan->step_count; i++) {
		struct xb_step *step = &plan->steps[i];
		struct xb_pin_fetch *pin =
			is_fetch(step) ? xb_pins_fetch(pins, step->fetch.shown) : NULL;

		if (pin != NULL) {
			pin->used = true;
			if (step->fetch.checksum == NULL)
				step->fetch.checksum =
					xb_arena_dup(plan->arena, xb_view(pin->checksum));
		} else if (is_fetch(step) && step->fetch.checksum == NULL) {
			add_name(&missing, step);
		}
	}
	if (missing.len == 0)
		return 0;
	names = xb_strv_join(&missing, ", ");
	return xb_roots_not_pinned(names, err);
}

void xb_pinning_tell_unused(const struct xb_pins *pins)
{
	xb_auto_strv struct xb_strv unused = XB_STRV_INIT;

	for (size_t i = 0; i < pins->images.len; i++) {
		if (!pins->images.items[i].used)
			xb_strv_push(&unused, pins->images.items[i].reference);
	}
	for (size_t i = 0; i < pins->fetches.len; i++) {
		if (!pins->fetches.items[i].used)
			xb_strv_push(&unused, pins->fetches.items[i].url);
	}
	for (size_t i = 0; i < unused.len; i++) {
		xb_autofree char *text = xb_format(
			"%s of " XB_PINS_FILE " is not used by this build", unused.items[i]);

		xb_report_warning(text);
	}
}

static int fetch_one(const struct xb_step *step, struct xb_store *store,
		     const struct xb_fetch_options *how, struct xb_pins *pins, struct xb_error *err)
{
	struct xb_fetched fetched;
	int r = xb_fetch_described(store, &step->fetch, how, &fetched, err);

	if (r == 0)
		xb_pins_set_fetch(pins, step->fetch.shown,
				  step->fetch.git ? fetched.revision : fetched.content.text);
	return r;
}

int xb_pinning_fetch(const struct xb_plan *plan, struct xb_store *store,
		     const struct xb_fetch_options *how, struct xb_pins *known,
		     struct xb_pins *pins, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];
		const struct xb_pin_fetch *pin;

		if (!is_fetch(step) || step->fetch.checksum != NULL)
			continue;
		pin = xb_pins_fetch(known, step->fetch.shown);
		if (pin != NULL)
			xb_pins_set_fetch(pins, pin->url, pin->checksum);
		else
			r = fetch_one(step, store, how, pins, err);
	}
	return r;
}

int xb_pinning_check_offline(const struct xb_plan *plan, struct xb_store *store,
			     const struct xb_fetch_options *how, struct xb_error *err)
{
	xb_auto_strv struct xb_strv missing = XB_STRV_INIT;
	xb_autofree char *names = NULL;

	for (size_t i = 0; i < plan->step_count; i++) {
		const struct xb_step *step = &plan->steps[i];
		struct xb_fetched fetched;

		if (is_fetch(step) &&
		    xb_fetch_described(store, &step->fetch, how, &fetched, NULL) == -ENETUNREACH)
			add_name(&missing, step);
	}
	if (missing.len == 0)
		return 0;
	names = xb_strv_join(&missing, ", ");
	return xb_fetch_offline(names, err);
}
