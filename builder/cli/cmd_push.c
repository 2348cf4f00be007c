/* SPDX-License-Identifier: Apache-2.0 */
/* Images between the store and registries: push, pull. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "builder/cache/place.h"
#include "builder/cache/tag.h"
#include "builder/cli/command.h"
#include "builder/cli/registries.h"
#include "builder/cli/stop.h"
#include "builder/cli/transfers.h"
#include "manifest/publish.h"
#include "manifest/registry/place.h"

struct transfer_options {
	const char *root;
	const char *progress;
	struct xb_registry_flags registries;
	bool allow_drop;
	bool dry_run;
	bool quiet;
	bool help;
};

#define AT(member) offsetof(struct transfer_options, member)

#define PROGRESS_ROWS                                                                              \
	{                                                                                          \
		"progress",   0,      XB_OPTION_TEXT,                                              \
		AT(progress), "MODE", "auto, plain, tty, quiet or rawjson"                         \
	},                                                                                         \
	{                                                                                          \
		"quiet", 'q', XB_OPTION_FLAG, AT(quiet), NULL, "print the digests alone"           \
	}

static const struct xb_option push_table[] = {
	{ "allow-drop", 0, XB_OPTION_FLAG, AT(allow_drop), NULL,
	  "let tags lose platforms that they have now" },
	{ "dry-run", 0, XB_OPTION_FLAG, AT(dry_run), NULL,
	  "push nothing: print what would become of each tag" },
	PROGRESS_ROWS,
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(transfer_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

static const struct xb_option pull_table[] = {
	PROGRESS_ROWS,
	{ "root", 0, XB_OPTION_TEXT, AT(root), "DIR", "the store" },
	XB_REGISTRY_OPTION_ROWS(transfer_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

/* A command on its way. */
struct transfer {
	struct transfer_options options;
	struct xb_strv names;
	struct xb_registries registries;
	struct xb_store *store;
	struct xb_transfers *transfers;
	struct xb_stop *stop;
};

static void transfer_clear(struct transfer *t)
{
	xb_registry_flags_clear(&t->options.registries);
	xb_strv_clear(&t->names);
	xb_transfers_free(t->transfers);
	xb_registries_clear(&t->registries);
	xb_store_free(t->store);
	xb_stop_free(t->stop);
}

/* Read options and names, and open the store. Returns 1 after help. */
static int start(const struct xb_invocation *invocation, const struct xb_option *table,
		 const char *synopsis, struct transfer *t, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	enum xb_progress_mode mode = XB_PROGRESS_QUIET;
	const char *root;
	int r = xb_options_parse(table, invocation->argv, false, &t->options, &t->names, err);

	if (r < 0)
		return r;
	if (t->options.help) {
		xb_options_help(table, &text);
		(void)printf("%s\n\n%s", synopsis, xb_str_text(&text));
		return 1;
	}
	if (t->names.len == 0)
		return xb_error_usage(err, synopsis, "no image is named");
	if (!t->options.quiet)
		r = xb_progress_mode(t->options.progress, &mode, err);
	if (r < 0)
		return r;
	t->transfers = xb_transfers_new(mode);
	root = t->options.root != NULL ? t->options.root : invocation->default_root;
	t->registries.cancel_fd = invocation->stop_fd;
	t->stop = xb_stop_new(invocation->stop_fd);
	r = xb_registries_init(&t->registries, &t->options.registries, err);
	if (r == 0)
		r = xb_store_open(root, &t->store, err);
	if (r == 0)
		xb_registries_supply(&t->registries, t->store);
	return r;
}

/* The repository that `name` is in; `ref` gets the whole reference. */
static int open_place(struct transfer *t, const char *name, struct xb_reference *ref,
		      struct xb_place **ret, struct xb_error *err)
{
	struct xb_registry *registry = NULL;
	int r = xb_reference_parse(xb_view(name), ref, err);

	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_USAGE);
		return r;
	}
	xb_reference_complete(ref);
	r = xb_registries_open(&t->registries, &registry, err);
	if (r == 0)
		*ret = xb_registry_place_new(registry, ref);
	return r;
}

/* ---- push --------------------------------------------------------------------------------- */

static int no_digest(const char *name, struct xb_error *err)
{
	return xb_error_usage(err, "give the name of a tag, as `xbuild images` lists them",
			      "%s: a digest cannot be chosen", name);
}

static int push(struct transfer *t, const char *name, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_tag_moves struct xb_tag_moves moves = { 0 };
	xb_auto_str struct xb_str notes = XB_STR_INIT(XB_STR_OWN);
	xb_auto_place struct xb_place *to = NULL;
	const struct xb_publish_options how = {
		.copy = { xb_stop_flag(t->stop), xb_transfers_watch(t->transfers) },
		.allow_drop = t->options.allow_drop,
	};
	struct xb_store_place from = xb_store_place(t->store);
	xb_autofree char *whole = NULL;
	int r = xb_tag_get(t->store, name, &root, err);

	if (r == 0)
		r = open_place(t, name, &ref, &to, err);
	if (r == 0 && ref.tag == NULL)
		r = no_digest(name, err);
	if (r < 0)
		return r;
	whole = xb_reference_format(&ref);
	xb_tag_moves_add(&moves, to, whole, ref.tag);
	r = t->options.dry_run ? xb_publish_look(&moves, &from.place, &root, err)
			       : xb_publish(&moves, &from.place, &root, &how, err);
	if (r < 0)
		return r;
	xb_publish_print(&moves, &root, &notes);
	if (!t->options.quiet || t->options.dry_run)
		(void)fputs(xb_str_text(&notes), stderr);
	(void)printf("%s\n", root.digest.text);
	return 0;
}

int xb_cmd_push(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(transfer_clear) struct transfer t = { 0 };
	int r = start(invocation, push_table, "xbuild push [OPTIONS] NAME…", &t, err);

	if (r == 1)
		return 0;
	for (size_t i = 0; r == 0 && i < t.names.len; i++) {
		r = push(&t, t.names.items[i], err);
		if (r < 0)
			return xb_error_wrap(err, r, "pushing %s", t.names.items[i]);
	}
	return r;
}

/* ---- pull --------------------------------------------------------------------------------- */

static int pull(struct transfer *t, const char *name, struct xb_error *err)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;
	xb_auto_descriptor struct xb_descriptor root = XB_DESCRIPTOR_INIT;
	xb_auto_place struct xb_place *remote = NULL;
	struct xb_store_place to = xb_store_place(t->store);
	struct xb_store_place from;
	const struct xb_transfer_options how = {
		.cancelled = xb_stop_flag(t->stop),
		.watch = xb_transfers_watch(t->transfers),
	};
	int r = open_place(t, name, &ref, &remote, err);

	if (r < 0)
		return r;
	from = xb_store_place_before(t->store, remote);
	r = remote->ops->resolve(remote, xb_digest_empty(&ref.digest) ? ref.tag : ref.digest.text,
				 &root, err);
	if (r == 0)
		r = xb_copy_image(&to.place, &from.place, &root, &how, err);
	if (r == 0)
		r = xb_tag_set(t->store, name, &root, err);
	if (r == 0)
		(void)printf("%s\n", root.digest.text);
	return r;
}

int xb_cmd_pull(const struct xb_invocation *invocation, struct xb_error *err)
{
	XB_CLEANUP(transfer_clear) struct transfer t = { 0 };
	int r = start(invocation, pull_table, "xbuild pull [OPTIONS] NAME…", &t, err);

	if (r == 1)
		return 0;
	for (size_t i = 0; r == 0 && i < t.names.len; i++) {
		r = pull(&t, t.names.items[i], err);
		if (r < 0)
			return xb_error_wrap(err, r, "pulling %s", t.names.items[i]);
	}
	return r;
}
