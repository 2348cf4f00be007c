/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/audit.h"

#include <errno.h>

#include "builder/cli/loaded_image.h"

void xb_audits_clear(struct xb_audits *audits)
{
	for (size_t i = 0; i < audits->images.len; i++) {
		struct xb_audited *image = &audits->images.items[i];

		xb_image_findings_clear(&image->findings);
		xb_audit_allow_free(image->allow);
		xb_array_clear(&image->layers);
	}
	xb_array_clear(&audits->images);
}

size_t xb_audits_count(const struct xb_audits *audits, enum xb_audit_grade grade)
{
	size_t count = 0;

	for (size_t i = 0; i < audits->images.len; i++)
		count += xb_image_findings_count(&audits->images.items[i].findings, grade);
	return count;
}

static bool is_wanted(const struct xb_audit_request *request, const struct xb_platform *platform)
{
	if (request->platforms == NULL || request->platforms->len == 0)
		return true;
	for (size_t i = 0; i < request->platforms->len; i++)
		if (xb_platform_eq(&request->platforms->items[i], platform))
			return true;
	return false;
}

static int read_allow(const struct xb_audit_request *request, const struct xb_image_config *config,
		      struct xb_audit_allow *allow, struct xb_error *err)
{
	const char *label = xb_annotations_get(&config->labels, XB_AUDIT_ALLOW_LABEL);
	int r = 0;

	if (request->allow != NULL)
		r = xb_audit_allow_add(allow, xb_view(request->allow), request->allow_name, err);
	if (r == 0 && label != NULL)
		r = xb_audit_allow_add(allow, xb_view(label), "label " XB_AUDIT_ALLOW_LABEL, err);
	return r;
}

static int count_name(void *context, const struct xb_image_node *node)
{
	size_t *count = context;

	(void)node;
	++*count;
	return 0;
}

static int audit_one(const struct xb_audit_request *request, const struct xb_descriptor *d,
		     struct xb_audited *ret, struct xb_error *err)
{
	xb_auto_loaded_image struct xb_loaded_image image = { 0 };
	int r = xb_loaded_image_read(&request->from, d, &image, err);

	ret->allow = xb_audit_allow_new();
	if (r == 0)
		r = read_allow(request, &image.config, ret->allow, err);
	if (r < 0)
		return r;
	ret->platform = image.platform;
	ret->digest = image.digest;
	for (size_t i = 0; i < image.manifest.layers.len; i++)
		*xb_array_push(&ret->layers) = image.manifest.layers.items[i].digest;
	(void)xb_image_tree_each(image.tree, count_name, &ret->files);
	xb_image_audit(image.tree, &ret->platform, &image.config, ret->allow, &ret->findings);
	return 0;
}

static int none_wanted(const struct xb_descriptors *images, struct xb_error *err)
{
	xb_auto_str struct xb_str names = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < images->len; i++)
		xb_str_printf(&names, "%s%s", i > 0 ? ", " : "",
			      xb_platform_name(&images->items[i].platform).text);
	(void)xb_error_set(err, -ENOENT, "no image of the platforms that are wanted; it has %s",
			   images->len > 0 ? xb_str_text(&names) : "none");
	return xb_error_fault(err, XB_FAULT_PLATFORM);
}

int xb_audits_make(const struct xb_audit_request *request, const struct xb_descriptor *root,
		   struct xb_audits *ret, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors images = { 0 };
	int r = xb_image_list(request->from.place, root, &images, err);

	for (size_t i = 0; r == 0 && i < images.len; i++) {
		if (!is_wanted(request, &images.items[i].platform))
			continue;
		(void)xb_array_push(&ret->images);
		ret->images.items[ret->images.len - 1] = (struct xb_audited){ 0 };
		r = audit_one(request, &images.items[i], &ret->images.items[ret->images.len - 1],
			      err);
	}
	return r == 0 && ret->images.len == 0 ? none_wanted(&images, err) : r;
}
