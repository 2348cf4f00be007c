/* SPDX-License-Identifier: Apache-2.0 */
/* The store: cache du, ls, prune, check. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/size.h"
#include "builder/cache/inventory.h"
#include "builder/cache/prune.h"
#include "builder/cache/store.h"
#include "builder/cache/verify.h"
#include "builder/cli/cache_filter.h"
#include "builder/cli/command.h"
#include "builder/cli/options.h"
#include "builder/cli/report.h"

#define MICROSECONDS 1000000

struct cache_options {
	const char *root;
	const char *format;
	const char *keep;
	const char *max_used;
	struct xb_strv filters;
	bool all;
	bool dry_run;
	bool force;
	bool repair;
	bool verbose;
	bool help;
};

#define AT(member) offsetof(struct cache_options, member)

static const struct xb_option option_table[] = {
	{ "all", 'a', XB_OPTION_FLAG, AT(all), NULL,
	  "prune: also the steps of named images, and caches of RUN --mount" },
	{ "dry-run", 0, XB_OPTION_FLAG, AT(dry_run), NULL, "prune: only say what would go" },
	{ "filter", 0, XB_OPTION_LIST, AT(filters), "KEY=VALUE",
	  "prune, ls: until=24h, unused-for=24h, type=step, id=PREFIX" },
	{ "force", 'f', XB_OPTION_FLAG, AT(force), NULL, "prune: as it does anyway, do not ask" },
	{ "format", 0, XB_OPTION_TEXT, AT(format), "json", "du, ls, prune, check: as JSON" },
	{ "keep-storage", 0, XB_OPTION_TEXT, AT(keep), "SIZE",
	  "prune: stop where no more than this is left" },
	{ "max-used-space", 0, XB_OPTION_TEXT, AT(max_used), "SIZE", "the same" },
	{ "repair", 0, XB_OPTION_FLAG, AT(repair), NULL,
	  "check: remove what is wrong, mend the rest" },
	{ "verbose", 0, XB_OPTION_FLAG, AT(verbose), NULL, "prune: say of each item that it goes" },
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

static bool as_json(const struct cache_options *options)
{
	return options->format != NULL;
}

/* Bytes as people read them, in the units of `du -h`. */
static void print_size(uint64_t bytes)
{
	static const char units[] = "KMGTP";
	double value = (double)bytes / 1024;
	size_t unit = 0;

	while (value >= 1024 && unit + 2 < sizeof(units)) {
		value /= 1024;
		unit++;
	}
	(void)printf("%9.1f%c", value, units[unit]);
}

/* ---- du ------------------------------------------------------------------------------------- */

/* What du adds up. */
struct sum {
	const char *name;
	uint64_t count;
	struct xb_room room;
	uint64_t reclaimable;
};

enum { BLOBS, SNAPSHOTS, FETCHED, CACHES, CONTEXTS, REST, TOTAL, SUMS };

static void add_to(struct sum *sum, const struct xb_room *room, bool reclaimable)
{
	sum->count++;
	sum->room.bytes += room->bytes;
	sum->room.inodes += room->inodes;
	sum->reclaimable += reclaimable ? room->bytes : 0;
}

static size_t sum_of(enum xb_item_kind kind)
{
	static const size_t sums[XB_ITEM_KINDS] = {
		[XB_ITEM_STEP] = SNAPSHOTS,  [XB_ITEM_BASE] = SNAPSHOTS,
		[XB_ITEM_FETCHED] = FETCHED, [XB_ITEM_BLOB] = BLOBS,
		[XB_ITEM_CACHE] = CACHES,    [XB_ITEM_CONTEXT] = CONTEXTS,
		[XB_ITEM_BUSY] = SNAPSHOTS,
	};

	return sums[kind];
}

static void sum_up(const struct xb_inventory *inventory, struct sum *sums)
{
	for (size_t i = 0; i < inventory->items.len; i++) {
		const struct xb_item *item = &inventory->items.items[i];
		bool loose = item->hold == XB_HELD_NOT;

		if (item->tree.inodes > 0)
			add_to(&sums[sum_of(item->kind)], &item->tree, loose);
		if (item->packed.inodes > 0)
			add_to(&sums[BLOBS], &item->packed, loose && !item->blob_needed);
	}
	add_to(&sums[REST], &inventory->rest, false);
	for (size_t i = 0; i < TOTAL; i++) {
		sums[TOTAL].count += sums[i].count;
		sums[TOTAL].room.bytes += sums[i].room.bytes;
		sums[TOTAL].room.inodes += sums[i].room.inodes;
		sums[TOTAL].reclaimable += sums[i].reclaimable;
	}
}

static int du_json(const struct sum *sums, uint64_t tags, struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();

	xb_json_set_u64(object, "images", tags);
	for (size_t i = 0; i < SUMS; i++) {
		json_t *part = json_object();

		xb_json_set_u64(part, "count", sums[i].count);
		xb_json_set_u64(part, "bytes", sums[i].room.bytes);
		xb_json_set_u64(part, "inodes", sums[i].room.inodes);
		xb_json_set_u64(part, "reclaimable", sums[i].reclaimable);
		xb_json_set_new(object, sums[i].name, part);
	}
	return xb_report_json(object, err);
}

static int du(struct xb_store *store, const struct cache_options *options, struct xb_error *err)
{
	xb_auto_inventory struct xb_inventory inventory = { 0 };
	struct sum sums[SUMS] = {
		[BLOBS] = { .name = "blobs" },	     [SNAPSHOTS] = { .name = "snapshots" },
		[FETCHED] = { .name = "fetched" },   [CACHES] = { .name = "caches" },
		[CONTEXTS] = { .name = "contexts" }, [REST] = { .name = "rest" },
		[TOTAL] = { .name = "total" },
	};
	int r = xb_inventory_take(store, &inventory, err);

	if (r < 0)
		return r;
	sum_up(&inventory, sums);
	if (as_json(options))
		return du_json(sums, inventory.tags, err);
	(void)printf("%-10s %8s %10s %10s %12s\n", "KIND", "COUNT", "SIZE", "INODES",
		     "RECLAIMABLE");
	for (size_t i = 0; i < SUMS; i++) {
		(void)printf("%-10s %8" PRIu64 " ", sums[i].name, sums[i].count);
		print_size(sums[i].room.bytes);
		(void)printf(" %10" PRIu64 "   ", sums[i].room.inodes);
		print_size(sums[i].reclaimable);
		(void)putchar('\n');
	}
	(void)printf("images     %8" PRIu64 "\n", inventory.tags);
	return 0;
}

/* ---- ls ------------------------------------------------------------------------------------- */

static const char *const holds[] = {
	[XB_HELD_NOT] = "no", [XB_HELD_TAG] = "tag", [XB_HELD_PROCESS] = "build"
};

static json_t *item_json(const struct xb_item *item)
{
	xb_auto_str struct xb_str used = XB_STR_INIT(64);
	struct xb_room room = xb_item_room(item);
	json_t *object = json_object();

	(void)xb_clock_format(item->used / MICROSECONDS, &used);
	xb_json_set_string(object, "id", item->id);
	xb_json_set_string(object, "type", xb_item_kind_name(item->kind));
	xb_json_set_u64(object, "bytes", room.bytes);
	xb_json_set_u64(object, "inodes", room.inodes);
	xb_json_set_string(object, "lastUsed", xb_str_text(&used));
	xb_json_set_string(object, "inUse", holds[item->hold]);
	xb_json_set_string(object, "title", item->title);
	xb_json_set_string(object, "snapshot",
			   item->snapshot.id[0] != '\0' ? item->snapshot.id : NULL);
	xb_json_set_string(object, "blob", item->blob);
	xb_json_set_string(object, "tags", item->tags);
	return object;
}

static void print_item(const struct xb_item *item)
{
	const char *hex = strrchr(item->id, ':');
	xb_auto_str struct xb_str used = XB_STR_INIT(64);
	xb_auto_str struct xb_str title = XB_STR_INIT(XB_STR_OWN);

	(void)xb_clock_format(item->used / MICROSECONDS, &used);
	(void)xb_str_append_quoted(&title, xb_view(item->title));
	(void)printf("%-12.12s  %-10s ", hex != NULL ? hex + 1 : item->id,
		     xb_item_kind_name(item->kind));
	print_size(xb_item_room(item).bytes);
	(void)printf("  %s  %-5s  %s%s%s%s\n", xb_str_text(&used), holds[item->hold],
		     xb_str_text(&title), item->tags != NULL ? " (" : "",
		     item->tags != NULL ? item->tags : "", item->tags != NULL ? ")" : "");
}

static int ls(struct xb_store *store, const struct cache_options *options, struct xb_error *err)
{
	xb_auto_inventory struct xb_inventory inventory = { 0 };
	xb_auto_cache_filter struct xb_cache_filter filter = { 0 };
	xb_auto_json json_t *array = json_array();
	int r = xb_cache_filter_read(&options->filters, &filter, err);

	if (r >= 0)
		r = xb_inventory_take(store, &inventory, err);
	if (r >= 0)
		r = xb_inventory_tags(store, &inventory, err);
	if (r < 0)
		return r;
	if (!as_json(options))
		(void)printf("%-12s  %-10s %10s  %-20s  %-5s  %s\n", "ID", "TYPE", "SIZE",
			     "LAST USED", "HELD", "WHAT (TAGS)");
	for (size_t i = 0; i < inventory.items.len; i++) {
		const struct xb_item *item = &inventory.items.items[i];

		if (!xb_cache_filter_takes(&filter, item))
			continue;
		if (as_json(options))
			(void)json_array_append_new(array, item_json(item));
		else
			print_item(item);
	}
	return as_json(options) ? xb_report_json(array, err) : 0;
}

/* ---- prune ---------------------------------------------------------------------------------- */

static void say_gone(void *context, const struct xb_item *item, uint64_t bytes)
{
	(void)context;
	(void)bytes;
	print_item(item);
}

static void list_gone(void *context, const struct xb_item *item, uint64_t bytes)
{
	(void)bytes;
	(void)json_array_append_new(context, item_json(item));
}

static int prune_json(const struct xb_store_pruned *pruned, bool dry_run, json_t *items,
		      struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();

	xb_json_set_new(object, "dryRun", json_boolean(dry_run));
	xb_json_set_u64(object, "records", pruned->records);
	xb_json_set_u64(object, "blobs", pruned->blobs);
	xb_json_set_u64(object, "snapshots", pruned->snapshots);
	xb_json_set_u64(object, "caches", pruned->caches);
	xb_json_set_u64(object, "bytes", pruned->bytes);
	xb_json_set_u64(object, "left", pruned->left);
	xb_json_set_new(object, "items", json_incref(items));
	return xb_report_json(object, err);
}

static void print_pruned(const struct xb_store_pruned *pruned, bool dry_run)
{
	(void)printf("%s %" PRIu64 " steps, %" PRIu64 " blobs, %" PRIu64 " snapshots, %" PRIu64
		     " caches: %.1f MB\n",
		     dry_run ? "would remove" : "removed", pruned->records, pruned->blobs,
		     pruned->snapshots, pruned->caches, (double)pruned->bytes / 1e6);
}

static int read_size(const char *option, const char *text, uint64_t *ret, struct xb_error *err)
{
	if (text == NULL || xb_size_parse(xb_view(text), ret) >= 0)
		return 0;
	(void)xb_error_set(err, -EINVAL, "%s %s is not a size", option, text);
	(void)xb_error_hint(err, "as in 500M, 20G or 20GB");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int prune(struct xb_store *store, const struct cache_options *options, struct xb_error *err)
{
	xb_auto_cache_filter struct xb_cache_filter filter = { 0 };
	xb_auto_json json_t *items = json_array();
	struct xb_store_pruned pruned;
	struct xb_prune what = { .all = options->all, .dry_run = options->dry_run };
	int r = xb_cache_filter_read(&options->filters, &filter, err);

	if (r >= 0)
		r = read_size("--keep-storage", options->keep, &what.keep, err);
	if (r >= 0)
		r = read_size("--max-used-space", options->max_used, &what.keep, err);
	what.kinds = filter.kinds;
	what.ids = &filter.ids;
	what.unused_for = filter.unused_for;
	what.context = items;
	if (as_json(options))
		what.visit = list_gone;
	else if (options->verbose || options->dry_run)
		what.visit = say_gone;
	if (r >= 0)
		r = xb_store_prune_some(store, &what, &pruned, err);
	if (r < 0)
		return r;
	if (as_json(options))
		return prune_json(&pruned, options->dry_run, items, err);
	print_pruned(&pruned, options->dry_run);
	return 0;
}

/* ---- check ---------------------------------------------------------------------------------- */

/* What a repair does with a thing of this kind; with most, that. */
static const char *remedy_of(const char *kind)
{
	static const struct {
		const char *kind;
		const char *remedy;
	} remedies[] = {
		{ "database", "set aside as xbuild.db-damaged; images stay, step records and "
			      "history are lost" },
		{ "index", "made anew; the old one is index.json-damaged" },
	};

	for (size_t i = 0; i < XB_COUNT(remedies); i++) {
		if (strcmp(kind, remedies[i].kind) == 0)
			return remedies[i].remedy;
	}
	return "removed";
}

static void say_flaw(void *context, const struct xb_flaw *flaw)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)context;
	(void)xb_str_append_quoted(&text, xb_view(flaw->what));
	(void)printf("%s %s: %s", flaw->kind, flaw->name, xb_str_text(&text));
	if (flaw->repaired)
		(void)printf(" (%s)", remedy_of(flaw->kind));
	(void)printf("\n");
}

static void list_flaw(void *context, const struct xb_flaw *flaw)
{
	json_t *object = json_object();

	xb_json_set_string(object, "kind", flaw->kind);
	xb_json_set_string(object, "name", flaw->name);
	xb_json_set_string(object, "what", flaw->what);
	xb_json_set_new(object, "repaired", json_boolean(flaw->repaired));
	(void)json_array_append_new(context, object);
}

static int check_json(const struct xb_verified *verified, json_t *flaws, struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();

	xb_json_set_u64(object, "blobs", verified->blobs);
	xb_json_set_u64(object, "bytes", verified->bytes);
	xb_json_set_u64(object, "records", verified->records);
	xb_json_set_u64(object, "tags", verified->tags);
	xb_json_set_new(object, "flaws", json_incref(flaws));
	return xb_report_json(object, err);
}

static int check_verdict(const struct xb_verified *verified, bool repair, struct xb_error *err)
{
	if (verified->flaws == 0)
		return 0;
	(void)xb_error_set(err, -EUCLEAN,
			   "%" PRIu64 " things are wrong in the store, %" PRIu64 " of them mended",
			   verified->flaws, verified->repaired);
	if (!repair)
		(void)xb_error_hint(err, "`xbuild cache check --repair` mends that");
	else if (verified->repaired < verified->flaws)
		(void)xb_error_hint(err, "what is left does no harm: nothing uses it");
	return xb_error_fault(err, XB_FAULT_STORE);
}

static int check(struct xb_store *store, const struct cache_options *options, struct xb_error *err)
{
	xb_auto_json json_t *flaws = json_array();
	struct xb_verified verified;
	const struct xb_verify what = {
		.repair = options->repair,
		.visit = as_json(options) ? list_flaw : say_flaw,
		.context = flaws,
	};
	int r = xb_store_verify(store, &what, &verified, err);

	if (r < 0)
		return r;
	if (as_json(options))
		r = check_json(&verified, flaws, err);
	else
		(void)printf("%" PRIu64 " blobs (%.1f MB), %" PRIu64 " records, %" PRIu64
			     " images: %" PRIu64 " wrong\n",
			     verified.blobs, (double)verified.bytes / 1e6, verified.records,
			     verified.tags, verified.flaws);
	return r < 0 ? r : check_verdict(&verified, options->repair, err);
}

/* ---- the command ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	int (*run)(struct xb_store *, const struct cache_options *, struct xb_error *);
} verbs[] = {
	{ "du", du },
	{ "ls", ls },
	{ "prune", prune },
	{ "check", check },
};

static int check_options(const struct cache_options *options, struct xb_error *err)
{
	if (options->format == NULL || strcmp(options->format, "json") == 0)
		return 0;
	(void)xb_error_set(err, -EINVAL, "--format %s is not known", options->format);
	(void)xb_error_hint(err, "leave it out, or use json");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int print_help(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(option_table, &text);
	(void)printf("xbuild cache du|ls|prune|check [OPTIONS]\n\n%s", xb_str_text(&text));
	return 0;
}

static int run(const struct xb_invocation *invocation, struct cache_options *options,
	       struct xb_error *err)
{
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	int r = xb_options_parse(option_table, invocation->argv, false, options, &operands, err);

	if (r < 0 || options->help)
		return r < 0 ? r : print_help();
	r = check_options(options, err);
	if (r < 0)
		return r;
	for (size_t i = 0; operands.len == 1 && i < XB_COUNT(verbs); i++) {
		xb_auto_store struct xb_store *store = NULL;

		if (strcmp(operands.items[0], verbs[i].name) != 0)
			continue;
		r = (options->repair && verbs[i].run == check ? xb_store_open_mending
							      : xb_store_open)(
			options->root != NULL ? options->root : invocation->default_root, &store,
			err);
		return r < 0 ? r : verbs[i].run(store, options, err);
	}
	(void)xb_error_set(err, -EINVAL, "xbuild cache: name what to do");
	(void)xb_error_hint(err, "xbuild cache du|ls|prune|check");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_cmd_cache(const struct xb_invocation *invocation, struct xb_error *err)
{
	struct cache_options options = { 0 };
	int r = run(invocation, &options, err);

	xb_strv_clear(&options.filters);
	return r;
}
