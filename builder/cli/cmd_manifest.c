/* SPDX-License-Identifier: Apache-2.0 */
/* Tools for images and indexes, wherever they are. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "builder/cli/archive_target.h"
#include "builder/cli/command.h"
#include "builder/cli/manifest_tool.h"

#define AT(member) offsetof(struct xb_manifest_options, member)

/* Rows that several tables have. */
#define COMMON_ROWS                                                                                \
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },                               \
		XB_REGISTRY_OPTION_ROWS(xb_manifest_options, registries),                          \
		{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },                      \
	{                                                                                          \
		0                                                                                  \
	}
#define PUBLISH_ROWS                                                                               \
	{ "allow-drop",	  0,	XB_OPTION_FLAG,                                                    \
	  AT(allow_drop), NULL, "let the tag lose platforms that it has now" },                    \
	{                                                                                          \
		"dry-run", 0, XB_OPTION_FLAG, AT(dry_run), NULL,                                   \
			"write nothing: print what would become of the tag"                        \
	}
#define ANNOTATION_ROW                                                                             \
	{                                                                                          \
		"annotation", 0, XB_OPTION_LIST, AT(annotations), "[TYPE:]NAME=VALUE",             \
			"annotation; TYPE: manifest, index, manifest-descriptor, index-descriptor" \
	}

static const struct xb_option inspect_table[] = {
	{ "raw", 0, XB_OPTION_FLAG, AT(raw), NULL, "print the document as it is" },
	{ "format", 0, XB_OPTION_TEXT, AT(format), "TEMPLATE",
	  "print fields: {{.Name}}, {{.Manifest.Digest}}, {{json .Image}}" },
	COMMON_ROWS,
};

static const struct xb_option rm_table[] = {
	PUBLISH_ROWS,
	COMMON_ROWS,
};

static const struct xb_option copy_table[] = {
	{ "platform", 0, XB_OPTION_LIST, AT(platforms), "LIST",
	  "of an index these platforms alone, with what is not of any" },
	{ "all", 'a', XB_OPTION_FLAG, AT(all), NULL, "all platforms, as without --platform" },
	PUBLISH_ROWS,
	COMMON_ROWS,
};

static const struct xb_option create_table[] = {
	ANNOTATION_ROW,
	{ "no-index-labels", 0, XB_OPTION_FLAG, AT(no_index_labels), NULL,
	  "do not annotate the index with labels that all platforms have alike" },
	PUBLISH_ROWS,
	COMMON_ROWS,
};

static const struct xb_option add_table[] = {
	ANNOTATION_ROW,
	PUBLISH_ROWS,
	COMMON_ROWS,
};

static const struct xb_option annotate_table[] = {
	ANNOTATION_ROW,
	{ "os", 0, XB_OPTION_TEXT, AT(os), "OS", "operating system of the member" },
	{ "arch", 0, XB_OPTION_TEXT, AT(arch), "ARCH", "its architecture" },
	{ "variant", 0, XB_OPTION_TEXT, AT(variant), "VARIANT", "its architecture's variant" },
	{ "os-version", 0, XB_OPTION_TEXT, AT(os_version), "VERSION",
	  "its operating system's version" },
	{ "os-features", 0, XB_OPTION_LIST, AT(os_features), "FEATURE[,FEATURE...]",
	  "what it needs of its operating system" },
	PUBLISH_ROWS,
	COMMON_ROWS,
};

static void tool_clear(struct xb_manifest_tool *tool)
{
	xb_registry_flags_clear(&tool->options.registries);
	xb_strv_clear(&tool->options.platforms);
	xb_strv_clear(&tool->options.annotations);
	xb_strv_clear(&tool->options.os_features);
	xb_strv_clear(&tool->operands);
	xb_registries_clear(&tool->registries);
	xb_store_free(tool->store);
	xb_stop_free(tool->stop);
}

int xb_manifest_tool_open(struct xb_manifest_tool *tool, const char *name, enum xb_named_use use,
			  struct xb_named_image *ret, struct xb_error *err)
{
	if (use == XB_NAMED_CREATE && tool->options.dry_run)
		use = XB_NAMED_FORESEE;
	return xb_named_image_open(name, use, tool->store, &tool->registries, ret, err);
}

void xb_manifest_tool_notes(const struct xb_strv *notes)
{
	for (size_t i = 0; i < notes->len; i++)
		(void)fprintf(stderr, "%s\n", notes->items[i]);
}

/* An archive has no tags that move: it becomes another file. */
static int write_archive(const struct xb_named_image *to, struct xb_tag_moves *moves,
			 struct xb_place *from, const struct xb_descriptor *root,
			 const struct xb_publish_options *options, struct xb_error *err)
{
	int r = xb_publish_look(moves, from, root, err);

	if (r == 0)
		r = xb_publish_check(moves, options, err);
	return r < 0 ? r : xb_archive_target_write(to, from, root, options->copy.cancelled, err);
}

int xb_manifest_tool_publish(const struct xb_manifest_tool *tool, struct xb_named_image *to,
			     struct xb_place *from, const struct xb_descriptor *root,
			     const struct xb_publish_options *how, struct xb_error *err)
{
	struct xb_publish_options options = *how;
	xb_auto_tag_moves struct xb_tag_moves moves = { 0 };
	xb_auto_str struct xb_str notes = XB_STR_INIT(XB_STR_OWN);
	int r;

	options.allow_drop |= tool->options.allow_drop;
	options.copy.cancelled = xb_stop_flag(tool->stop);
	xb_tag_moves_add(&moves, to->place, to->name, to->tag);
	if (tool->options.dry_run)
		r = xb_publish_look(&moves, from, root, err);
	else if (to->path != NULL)
		r = write_archive(to, &moves, from, root, &options, err);
	else
		r = xb_publish(&moves, from, root, &options, err);
	if (r < 0)
		return r;
	xb_publish_print(&moves, root, &notes);
	(void)fputs(xb_str_text(&notes), stderr);
	(void)printf("%s\n", root->digest.text);
	return 0;
}

/* ---- the command -------------------------------------------------------------------------- */

static const struct {
	const char *name;
	const struct xb_option *table;
	size_t least, most; /* operands */
	const char *synopsis;
	int (*run)(struct xb_manifest_tool *tool, struct xb_error *err);
} tools[] = {
	{ "create", create_table, 2, SIZE_MAX, "xbuild manifest create [OPTIONS] NEW MEMBER…",
	  xb_manifest_tool_create },
	{ "add", add_table, 2, SIZE_MAX, "xbuild manifest add [OPTIONS] IMAGE MEMBER…",
	  xb_manifest_tool_add },
	{ "annotate", annotate_table, 1, 2,
	  "xbuild manifest annotate [OPTIONS] IMAGE [DIGEST|PLATFORM]", xb_manifest_tool_annotate },
	{ "rm", rm_table, 2, SIZE_MAX, "xbuild manifest rm [OPTIONS] IMAGE DIGEST|PLATFORM…",
	  xb_manifest_tool_rm },
	{ "inspect", inspect_table, 1, 1, "xbuild manifest inspect [OPTIONS] IMAGE",
	  xb_manifest_tool_inspect },
	{ "copy", copy_table, 2, 2, "xbuild manifest copy [OPTIONS] IMAGE TARGET",
	  xb_manifest_tool_copy },
	{ "push", copy_table, 1, 2, "xbuild manifest push [OPTIONS] IMAGE [TARGET]",
	  xb_manifest_tool_copy },
};

static int run_tool(const struct xb_invocation *invocation, size_t which, struct xb_error *err)
{
	XB_CLEANUP(tool_clear) struct xb_manifest_tool tool = { 0 };
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	const char *root;
	int r = xb_options_parse(tools[which].table, invocation->argv + 1, false, &tool.options,
				 &tool.operands, err);

	if (r == 0 && tool.options.help) {
		xb_options_help(tools[which].table, &text);
		(void)printf("%s\n\n%s", tools[which].synopsis, xb_str_text(&text));
		return 0;
	}
	if (r == 0 &&
	    (tool.operands.len < tools[which].least || tool.operands.len > tools[which].most))
		return xb_error_usage(err, tools[which].synopsis, "wrong number of operands");
	root = tool.options.root != NULL ? tool.options.root : invocation->default_root;
	tool.registries.cancel_fd = invocation->stop_fd;
	tool.stop = xb_stop_new(invocation->stop_fd);
	if (r == 0)
		r = xb_registries_init(&tool.registries, &tool.options.registries, err);
	if (r == 0)
		r = xb_store_open(root, &tool.store, err);
	if (r == 0)
		xb_registries_supply(&tool.registries, tool.store);
	if (r == 0)
		r = tools[which].run(&tool, err);
	/* what is wrong with documents is of the place that has them; a registry's says so itself
	 */
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_STORE);
	return r;
}

int xb_cmd_manifest(const struct xb_invocation *invocation, struct xb_error *err)
{
	const char *name = invocation->argv[0];

	for (size_t i = 0; name != NULL && i < XB_COUNT(tools); i++) {
		if (strcmp(name, tools[i].name) == 0)
			return run_tool(invocation, i, err);
	}
	return xb_error_usage(
		err, "the tools are create, add, annotate, rm, inspect, copy and push",
		"manifest: %s", name != NULL ? "no such tool" : "which tool is not said");
}
