/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Surveys of layers, one over the other: what begins like one begins a new layer. All that comes
 * out is looked at, and found by its path.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "builder/image/audit.h"
#include "builder/image/tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct xb_view magic = XB_VIEW("xbuild-survey 1\n");

/* Everything has a path, and what is no link is what its path leads to. */
static int look(void *context, const struct xb_image_node *node)
{
	const struct xb_image_tree *tree = context;
	const struct xb_image_node *found = NULL;
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	xb_image_node_path(node, &path);
	if (xb_image_tree_find(tree, NULL, xb_str_text(&path), false, &found) < 0 || found != node)
		__builtin_trap();
	if (xb_image_node_file(node)->names == 0)
		__builtin_trap();
	return 0;
}

static void audit(const struct xb_image_tree *tree)
{
	struct xb_platform platform = { .os = "linux", .arch = "arm64" };
	struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_image_findings struct xb_image_findings findings = { 0 };

	xb_image_config_set(&config.user, "daemon");
	xb_strv_push(&config.cmd, "sh");
	xb_image_audit(tree, &platform, &config, NULL, &findings);
	xb_image_config_clear(&config);
}

/* Where the next layer begins behind the start of this one. */
static size_t length_of(struct xb_view rest)
{
	size_t at = 1;

	while (at < rest.len && !xb_view_starts(xb_view_sub(rest, at, rest.len - at), magic))
		at++;
	return at < rest.len ? at : rest.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_image_tree *tree = xb_image_tree_new();
	struct xb_view rest = { (const char *)data, size };
	int r = 0;

	while (r == 0 && rest.len > 0) {
		struct xb_error err = XB_ERROR_INIT;
		struct xb_view layer = xb_view_sub(rest, 0, length_of(rest));

		r = xb_image_tree_add(tree, layer, &err);
		if ((r < 0) != (err.message != NULL))
			__builtin_trap();
		xb_error_clear(&err);
		rest = xb_view_sub(rest, layer.len, rest.len - layer.len);
	}
	if (r == 0) {
		(void)xb_image_tree_each(tree, look, tree);
		audit(tree);
	}
	xb_image_tree_free(tree);
	return 0;
}
