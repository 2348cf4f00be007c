/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "builder/cache/prune.h"
#include "builder/cache/store.h"
#include "builder/cli/command.h"
#include "builder/cli/options.h"

struct cache_options {
	const char *root;
	bool all;
	bool help;
};

static const struct xb_option option_table[] = {
	{ "all", 'a', XB_OPTION_FLAG, offsetof(struct cache_options, all), NULL,
	  "prune: also the steps of named images, and caches of RUN --mount" },
	{ "root", 0, XB_OPTION_TEXT, offsetof(struct cache_options, root), "DIR", "the store" },
	{ "help", 'h', XB_OPTION_FLAG, offsetof(struct cache_options, help), NULL, "this text" },
	{ 0 },
};

static int du(struct xb_store *store, const struct cache_options *options, struct xb_error *err)
{
	struct xb_store_usage usage;
	int r = xb_store_usage(store, &usage, err);

	(void)options;
	if (r < 0)
		return r;
	(void)printf("images     %8" PRIu64 "\n"
		     "steps      %8" PRIu64 "\n"
		     "blobs      %8" PRIu64 " %10.1f MB\n"
		     "snapshots  %8" PRIu64 " %10.1f MB\n"
		     "caches     %8" PRIu64 " %10.1f MB\n",
		     usage.tags, usage.records, usage.blobs, (double)usage.blob_bytes / 1e6,
		     usage.snapshots, (double)usage.snapshot_bytes / 1e6, usage.caches,
		     (double)usage.cache_bytes / 1e6);
	return 0;
}

static int prune(struct xb_store *store, const struct cache_options *options, struct xb_error *err)
{
	struct xb_store_pruned pruned;
	int r = xb_store_prune(store, options->all, &pruned, err);

	if (r < 0)
		return r;
	(void)printf("removed %" PRIu64 " steps, %" PRIu64 " blobs, %" PRIu64 " snapshots, %" PRIu64
		     " caches: %.1f MB\n",
		     pruned.records, pruned.blobs, pruned.snapshots, pruned.caches,
		     (double)pruned.bytes / 1e6);
	return 0;
}

static const struct {
	const char *name;
	int (*run)(struct xb_store *, const struct cache_options *, struct xb_error *);
} verbs[] = {
	{ "du", du },
	{ "prune", prune },
};

int xb_cmd_cache(const struct xb_invocation *invocation, struct xb_error *err)
{
	struct cache_options options = { 0 };
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_options_parse(option_table, invocation->argv, false, &options, &operands, err);

	if (r < 0)
		return r;
	if (options.help) {
		xb_options_help(option_table, &text);
		(void)printf("xbuild cache du|prune [OPTIONS]\n\n%s", xb_str_text(&text));
		return 0;
	}
	for (size_t i = 0; operands.len == 1 && i < XB_COUNT(verbs); i++) {
		xb_auto_store struct xb_store *store = NULL;

		if (strcmp(operands.items[0], verbs[i].name) != 0)
			continue;
		r = xb_store_open(options.root != NULL ? options.root : invocation->default_root,
				  &store, err);
		return r < 0 ? r : verbs[i].run(store, &options, err);
	}
	(void)xb_error_set(err, -EINVAL, "xbuild cache: name what to do");
	(void)xb_error_hint(err, "xbuild cache du|prune");
	return xb_error_fault(err, XB_FAULT_USAGE);
}
