/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/device.h"

#include <errno.h>
#include <stdlib.h>

#include "base/csv.h"

static int invalid(const char *text, const char *why, struct xb_error *err)
{
	(void)xb_error_set(err, -EINVAL, "--device=%s: %s", text, why);
	(void)xb_error_hint(err, "write --device=NAME or --device=NAME,required");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

static int read_bool(struct xb_view text, bool *ret)
{
	static const char *const yes[] = { "1", "t", "T", "true", "True", "TRUE" };
	static const char *const no[] = { "0", "f", "F", "false", "False", "FALSE" };

	for (size_t i = 0; i < XB_COUNT(yes); i++) {
		*ret = xb_view_is(text, yes[i]);
		if (*ret || xb_view_is(text, no[i]))
			return 0;
	}
	return -EINVAL;
}

static int set_name(struct xb_view name, struct xb_device_request *device)
{
	if (device->name != NULL)
		return -EINVAL;
	device->name = xb_view_dup(name);
	return 0;
}

/* A device's own name may hold "=": what is no key of ours is a name, once. */
static int read_field(struct xb_view field, struct xb_device_request *device)
{
	struct xb_view rest = field, key;

	(void)xb_view_split(&rest, '=', &key);
	if (xb_view_eq_nocase(key, XB_VIEW("required"))) {
		device->required = true;
		return rest.data == NULL ? 0 : read_bool(rest, &device->required);
	}
	if (xb_view_eq_nocase(key, XB_VIEW("name")) && rest.data != NULL)
		return set_name(rest, device);
	return set_name(field, device);
}

int xb_device_parse(const char *text, struct xb_device_request *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	xb_auto_device struct xb_device_request device = { 0 };
	struct xb_view rest = xb_view(text);
	int r;

	while ((r = xb_csv_next(&rest, &field)) > 0) {
		if (read_field(xb_str_view(&field), &device) < 0)
			return invalid(text, "neither a name nor \"required\"", err);
	}
	if (r < 0)
		return invalid(text, "a quote that does not end", err);
	if (device.name == NULL || device.name[0] == '\0')
		return invalid(text, "no name", err);
	*ret = device;
	device = (struct xb_device_request){ 0 };
	return 0;
}

void xb_device_clear(struct xb_device_request *device)
{
	free(device->name);
	*device = (struct xb_device_request){ 0 };
}
