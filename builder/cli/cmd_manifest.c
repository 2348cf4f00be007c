/* SPDX-License-Identifier: Apache-2.0 */
/* Tools for images and indexes, wherever they are: manifest inspect, copy. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "builder/cli/command.h"
#include "builder/cli/image.h"
#include "manifest/image.h"
#include "manifest/publish.h"

struct manifest_options {
	const char *root;
	struct xb_registry_flags registries;
	bool raw;
	bool allow_drop;
	bool dry_run;
	bool help;
};

#define AT(member) offsetof(struct manifest_options, member)

static const struct xb_option inspect_table[] = {
	{ "raw", 0, XB_OPTION_FLAG, AT(raw), NULL, "print the document as it is" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(manifest_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

static const struct xb_option copy_table[] = {
	{ "allow-drop", 0, XB_OPTION_FLAG, AT(allow_drop), NULL,
	  "let the tag lose platforms that it has now" },
	{ "dry-run", 0, XB_OPTION_FLAG, AT(dry_run), NULL,
	  "copy nothing: print what would become of the tag" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(manifest_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

/* A command on its way. */
struct tool {
	struct manifest_options options;
	struct xb_strv operands;
	struct xb_registries registries;
	struct xb_store *store;
};

static void tool_clear(struct tool *tool)
{
	xb_registry_flags_clear(&tool->options.registries);
	xb_strv_clear(&tool->operands);
	xb_registries_clear(&tool->registries);
	xb_store_free(tool->store);
}

/* ---- inspect ------------------------------------------------------------------------------ */

static int print_raw(struct xb_place *place, const struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = place->ops->read(place, root, XB_MAX_MANIFEST, &text, err);

	if (r == 0)
		(void)fwrite(text.data, 1, text.len, stdout);
	return r;
}

static int print_image(struct xb_place *place, const struct xb_descriptor *image,
		       struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest manifest = XB_MANIFEST_INIT;
	uint64_t size = image->size;
	int r = xb_image_read_manifest(place, image, &manifest, err);

	if (r < 0)
		return r;
	size += manifest.config.size;
	for (size_t i = 0; i < manifest.layers.len; i++)
		size += manifest.layers.items[i].size;
	(void)printf("%-20s %s %6zu %10.1f MB\n", xb_platform_name(&image->platform).text,
		     image->digest.text, manifest.layers.len, (double)size / 1e6);
	return 0;
}

static int print_table(const struct xb_named_image *image, const struct xb_descriptor *root,
		       struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors images = { 0 };
	int r = xb_image_list(image->place, root, &images, err);

	if (r < 0)
		return r;
	(void)printf("%s\n%s %s\n\n", image->name, root->media_type, root->digest.text);
	(void)printf("%-20s %-71s %6s %13s\n", "PLATFORM", "DIGEST", "LAYERS", "SIZE");
	for (size_t i = 0; r == 0 && i < images.len; i++)
		r = print_image(image->place, &images.items[i], err);
	return r;
}

static int inspect(struct tool *tool, struct xb_error *err)
{
	xb_auto_named_image struct xb_named_image image = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	int r = xb_named_image_open(tool->operands.items[0], tool->store, &tool->registries, &image,
				    err);

	if (r == 0)
		r = image.place->ops->resolve(image.place, image.tag, &root, err);
	if (r < 0)
		return r;
	return tool->options.raw ? print_raw(image.place, &root, err)
				 : print_table(&image, &root, err);
}

/* ---- copy --------------------------------------------------------------------------------- */

static int publish(const struct tool *tool, struct xb_tag_moves *moves, struct xb_place *from,
		   const struct xb_descriptor *root, struct xb_error *err)
{
	const struct xb_publish_options how = { .allow_drop = tool->options.allow_drop };
	xb_auto_str struct xb_str notes = XB_STR_INIT(XB_STR_OWN);
	int r = tool->options.dry_run ? xb_publish_look(moves, from, root, err)
				      : xb_publish(moves, from, root, &how, err);

	if (r < 0)
		return r;
	xb_publish_print(moves, root, &notes);
	(void)fputs(xb_str_text(&notes), stderr);
	(void)printf("%s\n", root->digest.text);
	return 0;
}

static int copy(struct tool *tool, struct xb_error *err)
{
	xb_auto_named_image struct xb_named_image from = { 0 };
	xb_auto_named_image struct xb_named_image to = { 0 };
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_tag_moves struct xb_tag_moves moves = { 0 };
	int r = xb_named_image_open(tool->operands.items[0], tool->store, &tool->registries, &from,
				    err);

	if (r == 0)
		r = xb_named_image_create(tool->operands.items[1], &tool->registries, &to, err);
	if (r == 0)
		r = from.place->ops->resolve(from.place, from.tag, &root, err);
	if (r < 0)
		return r;
	xb_annotations_clear(&root.annotations); /* its names where it was */
	xb_tag_moves_add(&moves, to.place, to.name, to.tag);
	return publish(tool, &moves, from.place, &root, err);
}

/* ---- the command -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const struct xb_option *table;
	size_t operands;
	const char *synopsis;
	int (*run)(struct tool *tool, struct xb_error *err);
} tools[] = {
	{ "inspect", inspect_table, 1, "xbuild manifest inspect [OPTIONS] IMAGE", inspect },
	{ "copy", copy_table, 2, "xbuild manifest copy [OPTIONS] IMAGE TARGET", copy },
};

static int run_tool(const struct xb_invocation *invocation, size_t which, struct xb_error *err)
{
	XB_CLEANUP(tool_clear) struct tool tool = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const char *root;
	int r = xb_options_parse(tools[which].table, invocation->argv + 1, false, &tool.options,
				 &tool.operands, err);

	if (r == 0 && tool.options.help) {
		xb_options_help(tools[which].table, &text);
		(void)printf("%s\n\n%s", tools[which].synopsis, xb_str_text(&text));
		return 0;
	}
	if (r == 0 && tool.operands.len != tools[which].operands)
		return xb_error_usage(err, tools[which].synopsis, "wrong number of operands");
	root = tool.options.root != NULL ? tool.options.root : invocation->default_root;
	tool.registries.cancel_fd = invocation->stop_fd;
	if (r == 0)
		r = xb_registries_init(&tool.registries, &tool.options.registries, err);
	if (r == 0)
		r = xb_store_open(root, &tool.store, err);
	return r < 0 ? r : tools[which].run(&tool, err);
}

int xb_cmd_manifest(const struct xb_invocation *invocation, struct xb_error *err)
{
	const char *name = invocation->argv[0];

	for (size_t i = 0; name != NULL && i < XB_COUNT(tools); i++) {
		if (strcmp(name, tools[i].name) == 0)
			return run_tool(invocation, i, err);
	}
	return xb_error_usage(err, "xbuild manifest inspect IMAGE, or copy IMAGE TARGET",
			      "manifest: %s",
			      name != NULL ? "no such tool" : "which tool is not said");
}
