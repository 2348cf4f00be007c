/* SPDX-License-Identifier: Apache-2.0 */
/* The store's names: images, tag, rmi. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "builder/cache/store.h"
#include "builder/cache/tag.h"
#include "builder/cli/command.h"
#include "builder/cli/options.h"
#include "manifest/image.h"
#include "manifest/place_layout.h"

struct name_options {
	const char *root;
	bool help;
};

static const struct xb_option option_table[] = {
	{ "root", 0, XB_OPTION_TEXT, offsetof(struct name_options, root), "DIR", "the store" },
	{ "help", 'h', XB_OPTION_FLAG, offsetof(struct name_options, help), NULL, "this text" },
	{ 0 },
};

/* Read options and exactly `min`..`max` operands, and open the store. Returns 1 after help. */
static int start(const struct xb_invocation *invocation, const char *synopsis, size_t min,
		 size_t max, struct xb_strv *operands, struct xb_store **ret, struct xb_error *err)
{
	struct name_options options = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_options_parse(option_table, invocation->argv, false, &options, operands, err);

	if (r < 0)
		return r;
	if (options.help) {
		xb_options_help(option_table, &text);
		(void)printf("%s\n\n%s", synopsis, xb_str_text(&text));
		return 1;
	}
	if (operands->len < min || operands->len > max) {
		(void)xb_error_set(err, -EINVAL, "wrong number of operands");
		(void)xb_error_hint(err, "%s", synopsis);
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	return xb_store_open(options.root != NULL ? options.root : invocation->default_root, ret,
			     err);
}

/* Bytes of an image's layers, each blob once. */
static int size_of(const struct xb_layout *layout, const struct xb_descriptor *root,
		   uint64_t *ret_size, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors blobs = { 0 };
	int r = xb_image_blobs(XB_PLACE_OF(layout), root, &blobs, err);

	*ret_size = 0;
	for (size_t i = 0; i < blobs.len; i++)
		*ret_size += blobs.items[i].size;
	return r;
}

static int print_image(const struct xb_layout *layout, const struct xb_tag *tag,
		       struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors manifests = { 0 };
	xb_auto_str struct xb_str platforms = XB_STR_INIT(XB_STR_OWN);
	uint64_t size = 0;
	int r = xb_image_list(XB_PLACE_OF(layout), &tag->descriptor, &manifests, err);

	if (r == 0)
		r = size_of(layout, &tag->descriptor, &size, err);
	if (r < 0)
		return xb_error_wrap(err, r, "image %s", tag->name);
	for (size_t i = 0; i < manifests.len; i++)
		(void)xb_str_printf(&platforms, "%s%s", i > 0 ? "," : "",
				    xb_platform_name(&manifests.items[i].platform).text);
	(void)printf("%-40s %.19s %8.1f MB  %s\n", tag->name, tag->descriptor.digest.text,
		     (double)size / 1e6, xb_str_text(&platforms));
	return 0;
}

int xb_cmd_images(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_auto_store struct xb_store *store = NULL;
	xb_auto_layout struct xb_layout *layout = NULL;
	xb_auto_tags struct xb_tags tags = { 0 };
	int r = start(invocation, "xbuild images [OPTIONS]", 0, 0, &operands, &store, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = xb_tag_list(store, &tags, err);
	if (r == 0)
		r = xb_layout_open_at(xb_store_dirfd(store), ".", &layout, err);
	if (r == 0)
		(void)printf("%-40s %-19s %11s  %s\n", "NAME", "DIGEST", "SIZE", "PLATFORMS");
	for (size_t i = 0; r == 0 && i < tags.len; i++)
		r = print_image(layout, &tags.items[i], err);
	return r;
}

int xb_cmd_tag(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_auto_store struct xb_store *store = NULL;
	xb_auto_descriptor struct xb_descriptor image = XB_DESCRIPTOR_INIT;
	int r = start(invocation, "xbuild tag [OPTIONS] SOURCE TARGET", 2, 2, &operands, &store,
		      err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = xb_tag_get(store, operands.items[0], &image, err);
	if (r == 0)
		r = xb_tag_set(store, operands.items[1], &image, err);
	return r;
}

int xb_cmd_rmi(const struct xb_invocation *invocation, struct xb_error *err)
{
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_auto_store struct xb_store *store = NULL;
	int r = start(invocation, "xbuild rmi [OPTIONS] NAME…", 1, SIZE_MAX, &operands, &store,
		      err);

	if (r != 0)
		return r < 0 ? r : 0;
	for (size_t i = 0; r == 0 && i < operands.len; i++)
		r = xb_tag_remove(store, operands.items[i], err);
	return r;
}
