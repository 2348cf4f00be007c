/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/limits.h"

#include <errno.h>
#include <string.h>

#include "base/csv.h"
#include "base/size.h"
#include "builder/sandbox/ulimit.h"

/* What docker leaves as it is. */
#define MAX_SHM_SIZE ((uint64_t)INT64_MAX)

int xb_limits_read(const struct xb_limit_options *options, struct xb_sandbox_limits *limits,
		   struct xb_error *err)
{
	const char *shm = options->shm_size;
	int r = 0;

	if (shm != NULL && xb_size_parse(xb_view(shm), &limits->shm_size) < 0)
		return xb_error_usage(err, "give a size such as 128m", "--shm-size %s is no size",
				      shm);
	for (size_t i = 0; r == 0 && i < options->ulimits->len; i++)
		r = xb_ulimit_parse(options->ulimits->items[i], &limits->rlimits, err);
	if (r == 0)
		r = xb_ulimit_check(&limits->rlimits, err);
	for (size_t i = 0; r == 0 && i < options->resources->len; i++)
		r = xb_resources_parse(options->resources->items[i], &limits->resources, err);
	return r < 0 ? r : xb_resources_check(&limits->resources, err);
}

void xb_granted_clear(struct xb_granted *granted)
{
	for (size_t i = 0; i < granted->devices.len; i++) {
		free(granted->devices.items[i].name);
		free(granted->devices.items[i].alias);
	}
	xb_array_clear(&granted->devices);
	xb_cdi_free(granted->cdi);
	*granted = (struct xb_granted){ 0 };
}

/* Read "NAME[,alias=NAME]" behind "device=". */
static int read_device(const char *text, struct xb_view rest, struct xb_granted *granted,
		       struct xb_error *err)
{
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	struct xb_device_grant *grant = xb_array_push(&granted->devices);
	int r = xb_csv_next(&rest, &field);

	grant->name = xb_view_dup(xb_str_view(&field));
	while (r > 0 && (r = xb_csv_next(&rest, &field)) > 0) {
		if (!xb_view_starts(xb_str_view(&field), XB_VIEW("alias=")))
			return xb_error_usage(err, "write device=NAME[,alias=NAME]",
					      "--allow %s: not an alias", text);
		free(grant->alias);
		grant->alias = xb_view_dup(xb_view_sub(xb_str_view(&field), 6, SIZE_MAX));
	}
	if (r < 0 || grant->name[0] == '\0')
		return xb_error_usage(err, "write device=NAME[,alias=NAME]", "--allow %s: no name",
				      text);
	return 0;
}

int xb_granted_read(const struct xb_strv *allowed, struct xb_granted *granted, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < allowed->len; i++) {
		const char *text = allowed->items[i];

		if (strcmp(text, "security.insecure") == 0)
			granted->insecure = true;
		else if (strcmp(text, "device") == 0)
			granted->all_devices = true;
		else if (strncmp(text, "device=", 7) == 0)
			r = read_device(text, xb_view(text + 7), granted, err);
		else if (strcmp(text, "network.host") != 0)
			return xb_error_usage(
				err,
				"what can be allowed is security.insecure, network.host, "
				"device and device=NAME",
				"--allow %s is not known", text);
	}
	return r;
}

/* ---- devices ------------------------------------------------------------------------------ */

/* The name that the machine has for what a Dockerfile calls `name`; `*ret_granted` when --allow has
 * named it so. */
static const char *real_name(const struct xb_granted *granted, const char *name, bool *ret_granted)
{
	for (size_t i = 0; i < granted->devices.len; i++) {
		const struct xb_device_grant *grant = &granted->devices.items[i];

		if (grant->alias == NULL || strcmp(grant->alias, name) != 0)
			continue;
		*ret_granted = true;
		return grant->name;
	}
	*ret_granted = granted->all_devices;
	return name;
}

/* Whether --allow device=… stands for this device of the machine. */
static bool is_granted(const struct xb_granted *granted, const char *device)
{
	bool found = false;

	for (size_t i = 0; !found && i < granted->devices.len; i++) {
		xb_auto_strv struct xb_strv names = XB_STRV_INIT;

		xb_cdi_find(granted->cdi, granted->devices.items[i].name, &names);
		found = granted->devices.items[i].alias == NULL &&
			xb_strv_find(&names, device) >= 0;
	}
	return found || xb_cdi_is_open(granted->cdi, device);
}

static int missing(const struct xb_granted *granted, const char *name, struct xb_error *err)
{
	(void)xb_error_set(err, -ENODEV, "the required device %s is not on this machine", name);
	(void)xb_error_hint(err, "%s",
			    xb_cdi_has_yaml(granted->cdi)
				    ? "xbuild reads CDI specifications in JSON, and there are some "
				      "in YAML: have them written as JSON"
				    : "describe it in /etc/cdi/NAME.json, as CDI has it");
	return -ENODEV;
}

static int forbidden(const char *device, struct xb_error *err)
{
	(void)xb_error_set(err, -EPERM, "the device %s is not allowed", device);
	(void)xb_error_hint(err, "add --allow device=%s, or --allow device for all", device);
	return -EPERM;
}

static int find_devices(void *context, const char *name, bool required, struct xb_strv *ret,
			struct xb_error *err)
{
	struct xb_granted *granted = context;
	bool allowed;
	const char *real = real_name(granted, name, &allowed);
	int r = granted->cdi == NULL ? xb_cdi_load(NULL, &granted->cdi, err) : 0;

	if (r < 0)
		return r;
	xb_cdi_find(granted->cdi, real, ret);
	if (ret->len == 0)
		return required ? missing(granted, real, err) : 0;
	for (size_t i = 0; !allowed && i < ret->len; i++) {
		if (!is_granted(granted, ret->items[i]))
			return forbidden(ret->items[i], err);
	}
	return 0;
}

struct xb_plan_grants xb_granted_for_plan(struct xb_granted *granted)
{
	return (struct xb_plan_grants){
		.insecure = granted->insecure,
		.context = granted,
		.devices = find_devices,
	};
}
