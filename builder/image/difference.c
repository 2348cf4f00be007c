/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/difference.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "builder/image/fold.h"
#include "builder/image/packages.h"

/* The size of code stands out when it is so many times the other's, and at least so large. */
#define STANDS_OUT_TIMES 4
#define STANDS_OUT_BYTES ((uint64_t)256 << 10)

/* A name with what it is compared by. */
struct named {
	char *key;
	const struct xb_image_node *node;
};

struct names XB_ARRAY(struct named);

/* A comparison on its way. */
struct comparing {
	const struct xb_compared *sides[2];
	bool foreign; /* the platforms differ */
	bool times;
	struct xb_differences *ret;
};

static void clear_list(struct xb_difference *items, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		free(items[i].name);
		free(items[i].first);
		free(items[i].second);
	}
}

void xb_differences_clear(struct xb_differences *d)
{
	clear_list(d->files.items, d->files.len);
	clear_list(d->packages.items, d->packages.len);
	clear_list(d->config.items, d->config.len);
	xb_array_clear(&d->files);
	xb_array_clear(&d->packages);
	xb_array_clear(&d->config);
	*d = (struct xb_differences){ 0 };
}

const char *xb_differs_name(enum xb_differs what)
{
	static const char *const names[XB_DIFFERS_KINDS] = { "only-first", "only-second", "type",
							     "mode",	   "owner",	  "link",
							     "content",	   "size",	  "time" };

	return names[what];
}

/* ---- files ---------------------------------------------------------------------------------- */

static void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->len; i++)
		free(names->items[i].key);
	xb_array_clear(names);
}

struct gathering {
	const struct comparing *c;
	const struct xb_compared *side;
	struct names *to;
};

static int gather(void *context, const struct xb_image_node *node)
{
	const struct gathering *g = context;
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN), key = XB_STR_INIT(XB_STR_OWN);
	struct named *named;

	xb_image_node_path(node, &path);
	if (g->c->foreign)
		xb_fold_path(xb_str_view(&path), g->side->platform, &key);
	else
		xb_str_append_view(&key, xb_str_view(&path));
	named = xb_array_push(g->to);
	*named = (struct named){ .node = node };
	named->key = xb_str_steal(&key);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	const struct named *one = a, *other = b;

	return strcmp(one->key, other->key);
}

static void gather_all(const struct comparing *c, size_t side, struct names *ret)
{
	struct gathering g = { c, c->sides[side], ret };

	(void)xb_image_tree_each(c->sides[side]->tree, gather, &g);
	qsort(ret->items, ret->len, sizeof(ret->items[0]), by_key);
}

static char *path_of(const struct xb_image_node *node)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	xb_image_node_path(node, &path);
	return xb_str_steal(&path);
}

static const char *kind_of(const struct xb_image_file *file)
{
	static const char *const names[] = { "file",	     "directory",
					     "link",	     "character device",
					     "block device", "fifo" };

	return names[file->kind];
}

/* Takes `first` and `second`. */
static void tell(const struct comparing *c, enum xb_differs what, const struct xb_image_node *node,
		 char *first, char *second)
{
	*xb_array_push(&c->ret->files) = (struct xb_difference){
		.what = what, .name = path_of(node), .first = first, .second = second
	};
}

static void tell_only(const struct comparing *c, size_t side, const struct xb_image_node *node)
{
	char *kind = xb_strdup(kind_of(xb_image_node_file(node)));

	if (side == 0)
		tell(c, XB_DIFFERS_ONLY_FIRST, node, kind, NULL);
	else
		tell(c, XB_DIFFERS_ONLY_SECOND, node, NULL, kind);
}

/* Code or an archive of it on both sides, each for its own machine. */
static bool is_code(const struct comparing *c, const struct xb_image_file *a,
		    const struct xb_image_file *b)
{
	if (!c->foreign || a->facts == NULL || b->facts == NULL || a->facts->kind != b->facts->kind)
		return false;
	return a->facts->kind == XB_FACTS_ELF || a->facts->kind == XB_FACTS_AR ||
	       a->facts->kind == XB_FACTS_PE || a->facts->kind == XB_FACTS_MACHO;
}

/* What package managers and the linker write about the files of a platform, and have to. */
static bool is_record(const struct comparing *c, const struct xb_image_node *node)
{
	static const char *const records[] = {
		"/var/lib/dpkg/info/*", "/var/lib/dpkg/status*", "/var/lib/dpkg/available*",
		"/lib/apk/db/*",	"/usr/lib/apk/db/*",	 "/etc/ld.so.cache",
		"/var/log/dpkg.log",	"/var/log/apt/*",	 "/var/cache/ldconfig/*",
		"/var/lib/dpkg/arch",	"/etc/apk/arch",
	};
	xb_autofree char *path = c->foreign ? path_of(node) : NULL;

	for (size_t i = 0; path != NULL && i < XB_COUNT(records); i++)
		if (fnmatch(records[i], path, 0) == 0)
			return true;
	return false;
}

static char *size_of(const struct xb_image_file *file)
{
	return xb_format("%llu bytes", (unsigned long long)file->size);
}

static bool stands_out(uint64_t a, uint64_t b)
{
	uint64_t large = a > b ? a : b, small = a > b ? b : a;

	return large >= STANDS_OUT_BYTES && large / STANDS_OUT_TIMES >= small;
}

/* Whether the data of two regular files differs in a way that counts. */
static bool compare_data(const struct comparing *c, const struct xb_image_node *node,
			 const struct xb_image_file *a, const struct xb_image_file *b)
{
	if (xb_digest_eq(&a->digest, &b->digest))
		return false;
	if (is_record(c, node)) {
		c->ret->code++;
		return false;
	}
	if (!is_code(c, a, b)) {
		tell(c, XB_DIFFERS_CONTENT, node, size_of(a), size_of(b));
		return true;
	}
	c->ret->code++;
	if (!stands_out(a->size, b->size))
		return false;
	tell(c, XB_DIFFERS_SIZE, node, size_of(a), size_of(b));
	return true;
}

/* A link's target, as paths are compared. */
static char *target_of(const struct comparing *c, size_t side, const struct xb_image_file *file)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	if (file->kind != XB_IMAGE_SYMLINK)
		xb_str_printf(&out, "%u:%u", file->device_major, file->device_minor);
	else if (c->foreign)
		xb_fold_path(xb_view(file->link), c->sides[side]->platform, &out);
	else
		xb_str_puts(&out, file->link);
	return xb_str_steal(&out);
}

static bool compare_links(const struct comparing *c, const struct xb_image_node *node,
			  const struct xb_image_file *a, const struct xb_image_file *b)
{
	xb_autofree char *one = target_of(c, 0, a), *other = target_of(c, 1, b);

	if (strcmp(one, other) == 0)
		return false;
	tell(c, XB_DIFFERS_LINK, node, xb_strdup(a->link != NULL ? a->link : one),
	     xb_strdup(b->link != NULL ? b->link : other));
	return true;
}

static bool compare_status(const struct comparing *c, const struct xb_image_node *node,
			   const struct xb_image_file *a, const struct xb_image_file *b)
{
	bool differs = false;

	if (a->mode != b->mode && a->kind != XB_IMAGE_SYMLINK) {
		tell(c, XB_DIFFERS_MODE, node, xb_format("%04o", a->mode),
		     xb_format("%04o", b->mode));
		differs = true;
	}
	if (a->uid != b->uid || a->gid != b->gid) {
		tell(c, XB_DIFFERS_OWNER, node, xb_format("%u:%u", a->uid, a->gid),
		     xb_format("%u:%u", b->uid, b->gid));
		differs = true;
	}
	if (c->times && a->mtime != b->mtime) {
		tell(c, XB_DIFFERS_TIME, node, xb_format("%lld", (long long)a->mtime),
		     xb_format("%lld", (long long)b->mtime));
		differs = true;
	}
	return differs;
}

static void compare_files(const struct comparing *c, const struct xb_image_node *first,
			  const struct xb_image_node *second)
{
	const struct xb_image_file *a = xb_image_node_file(first), *b = xb_image_node_file(second);
	bool differs;

	if (a->kind != b->kind) {
		tell(c, XB_DIFFERS_TYPE, first, xb_strdup(kind_of(a)), xb_strdup(kind_of(b)));
		return;
	}
	differs = compare_status(c, first, a, b);
	if (a->kind == XB_IMAGE_FILE)
		differs = compare_data(c, first, a, b) || differs;
	else if (a->kind != XB_IMAGE_DIRECTORY && a->kind != XB_IMAGE_FIFO)
		differs = compare_links(c, first, a, b) || differs;
	c->ret->same += !differs;
}

static void compare_trees(const struct comparing *c)
{
	XB_CLEANUP(names_clear) struct names first = { 0 };
	XB_CLEANUP(names_clear) struct names second = { 0 };
	size_t i = 0, k = 0;

	gather_all(c, 0, &first);
	gather_all(c, 1, &second);
	while (i < first.len || k < second.len) {
		int order = i == first.len    ? 1
			    : k == second.len ? -1
					      : strcmp(first.items[i].key, second.items[k].key);

		if (order == 0)
			compare_files(c, first.items[i].node, second.items[k].node);
		else if (order < 0)
			tell_only(c, 0, first.items[i].node);
		else
			tell_only(c, 1, second.items[k].node);
		i += order <= 0;
		k += order >= 0;
	}
}

/* ---- packages ------------------------------------------------------------------------------- */

/* Debian builds a package again for one architecture as "+b1": its source is the same. */
static size_t version_len(const struct comparing *c, const char *version)
{
	size_t len = strlen(version), at = len;

	while (c->foreign && at > 0 && version[at - 1] >= '0' && version[at - 1] <= '9')
		at--;
	return at >= 2 && at < len && version[at - 1] == 'b' && version[at - 2] == '+' ? at - 2
										       : len;
}

static bool same_version(const struct comparing *c, const char *a, const char *b)
{
	size_t len = version_len(c, a);

	return len == version_len(c, b) && memcmp(a, b, len) == 0;
}

static void tell_package(const struct comparing *c, enum xb_differs what, const char *name,
			 const char *first, const char *second)
{
	*xb_array_push(&c->ret->packages) = (struct xb_difference){
		.what = what,
		.name = xb_strdup(name),
		.first = first != NULL ? xb_strdup(first) : NULL,
		.second = second != NULL ? xb_strdup(second) : NULL,
	};
}

static void compare_packages(const struct comparing *c)
{
	xb_auto_packages struct xb_packages first = { 0 }, second = { 0 };
	size_t i = 0, k = 0;

	xb_packages_read(c->sides[0]->tree, &first);
	xb_packages_read(c->sides[1]->tree, &second);
	c->ret->package_counts[0] = first.list.len;
	c->ret->package_counts[1] = second.list.len;
	c->ret->unread = first.unread || second.unread;
	while (i < first.list.len || k < second.list.len) {
		const struct xb_package *a = i < first.list.len ? &first.list.items[i] : NULL;
		const struct xb_package *b = k < second.list.len ? &second.list.items[k] : NULL;
		int order = a == NULL ? 1 : b == NULL ? -1 : strcmp(a->name, b->name);

		if (order < 0)
			tell_package(c, XB_DIFFERS_ONLY_FIRST, a->name, a->version, NULL);
		else if (order > 0)
			tell_package(c, XB_DIFFERS_ONLY_SECOND, b->name, NULL, b->version);
		else if (!same_version(c, a->version, b->version))
			tell_package(c, XB_DIFFERS_CONTENT, a->name, a->version, b->version);
		i += order <= 0;
		k += order >= 0;
	}
}

/* ---- config --------------------------------------------------------------------------------- */

static void compare_text(const struct comparing *c, const char *name, const char *first,
			 const char *second)
{
	xb_auto_str struct xb_str one = XB_STR_INIT(XB_STR_OWN), other = XB_STR_INIT(XB_STR_OWN);

	first = first != NULL ? first : "";
	second = second != NULL ? second : "";
	if (c->foreign) {
		xb_fold_text(xb_view(first), c->sides[0]->platform, &one);
		xb_fold_text(xb_view(second), c->sides[1]->platform, &other);
	} else {
		xb_str_puts(&one, first);
		xb_str_puts(&other, second);
	}
	if (strcmp(xb_str_text(&one), xb_str_text(&other)) == 0)
		return;
	*xb_array_push(&c->ret->config) = (struct xb_difference){
		.what = XB_DIFFERS_CONTENT,
		.name = xb_strdup(name),
		.first = xb_strdup(first),
		.second = xb_strdup(second),
	};
}

static void compare_list(const struct comparing *c, const char *name, const struct xb_strv *first,
			 const struct xb_strv *second)
{
	xb_autofree char *one = xb_strv_join(first, "\n"), *other = xb_strv_join(second, "\n");

	compare_text(c, name, one, other);
}

static char *labels_of(const struct xb_image_config *config)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < config->labels.len; i++)
		xb_str_printf(&out, "%s%s=%s", i > 0 ? "\n" : "", config->labels.items[i].name,
			      config->labels.items[i].value);
	return xb_str_steal(&out);
}

static void compare_configs(const struct comparing *c)
{
	const struct xb_image_config *a = c->sides[0]->config, *b = c->sides[1]->config;
	xb_autofree char *labels = labels_of(a), *others = labels_of(b);

	compare_list(c, "entrypoint", &a->entrypoint, &b->entrypoint);
	compare_list(c, "cmd", &a->cmd, &b->cmd);
	compare_list(c, "env", &a->env, &b->env);
	compare_text(c, "user", a->user, b->user);
	compare_text(c, "working directory", a->working_dir, b->working_dir);
	compare_list(c, "exposed ports", &a->exposed_ports, &b->exposed_ports);
	compare_list(c, "volumes", &a->volumes, &b->volumes);
	compare_text(c, "labels", labels, others);
	compare_text(c, "stop signal", a->stop_signal, b->stop_signal);
	compare_list(c, "health check", &a->healthcheck.test, &b->healthcheck.test);
	compare_list(c, "shell", &a->shell, &b->shell);
	compare_list(c, "triggers", &a->on_build, &b->on_build);
}

void xb_differences_find(const struct xb_compared *first, const struct xb_compared *second,
			 bool times, struct xb_differences *ret)
{
	struct comparing c = {
		.sides = { first, second },
		.foreign = strcmp(first->platform->arch, second->platform->arch) != 0,
		.times = times,
		.ret = ret,
	};

	*ret = (struct xb_differences){ 0 };
	compare_trees(&c);
	compare_packages(&c);
	compare_configs(&c);
}
