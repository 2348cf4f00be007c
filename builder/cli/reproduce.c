/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/reproduce.h"

#include <fnmatch.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"

void xb_divergence_clear(struct xb_divergence *d)
{
	free(d->instruction);
	free(d->field);
	xb_differences_clear(&d->in_layer);
	*d = (struct xb_divergence){ 0 };
}

const char *xb_divergence_cause(const char *path)
{
	static const struct {
		const char *pattern, *cause;
	} known[] = {
		{ "*.pyc",
		  "Python writes the time of the source into it: PYTHONDONTWRITEBYTECODE=1, or "
		  "compile with --invalidation-mode unchecked-hash" },
		{ "/var/cache/ldconfig/aux-cache",
		  "ldconfig writes inodes into it: rm it in the same RUN" },
		{ "/var/log/*", "logs have the time in them: rm them in the same RUN" },
		{ "/var/lib/apt/lists/*",
		  "lists of packages change on the mirror: rm them in the same "
		  "RUN, and name versions" },
		{ "/var/lib/dpkg/status*",
		  "another version of a package was installed: name versions" },
		{ "/etc/machine-id", "it is random: truncate it in the same RUN" },
		{ "/etc/shadow*",
		  "it has the day of the last change: SOURCE_DATE_EPOCH is heeded by "
		  "newer versions of useradd" },
		{ "/etc/ssh/ssh_host_*", "keys are random, and belong into no image" },
		{ "*.gz", "gzip writes the time into it: gzip -n" },
		{ "*.tar", "tar writes times and the order of the directory: --sort=name --mtime" },
		{ "*.a", "ar writes times: ar D" },
		{ "*.jar", "jar writes times" },
		{ "*.zip", "zip writes times: TZ=UTC and times set before" },
		{ "*/.cache/*", "caches are not for images: use RUN --mount=type=cache" },
	};

	for (size_t i = 0; i < XB_COUNT(known); i++)
		if (fnmatch(known[i].pattern, path, 0) == 0)
			return known[i].cause;
	return NULL;
}

/* An image's documents. */
struct documents {
	struct xb_manifest manifest;
	struct xb_image_config config;
};

static void documents_clear(struct documents *d)
{
	xb_manifest_clear(&d->manifest);
	xb_image_config_clear(&d->config);
}

static int read_documents(const struct xb_image_source *from, const struct xb_descriptor *d,
			  struct documents *ret, struct xb_error *err)
{
	int r = xb_image_read_manifest(from->place, d, &ret->manifest, err);

	return r < 0 ? r : xb_image_read_config(from->place, &ret->manifest, &ret->config, err);
}

/* The instruction that made layer number `layer`. */
static char *instruction_of(const struct xb_image_config *config, size_t layer)
{
	for (size_t i = 0, at = 0; i < config->history.len; i++) {
		const struct xb_history *h = &config->history.items[i];

		if (h->empty_layer)
			continue;
		if (at++ == layer)
			return h->created_by != NULL ? xb_strdup(h->created_by) : NULL;
	}
	return NULL;
}

/* The first layer that differs; SIZE_MAX: none. */
static size_t first_layer(const struct documents *a, const struct documents *b)
{
	size_t least = a->config.diff_ids.len < b->config.diff_ids.len ? a->config.diff_ids.len
								       : b->config.diff_ids.len;

	for (size_t i = 0; i < least; i++)
		if (!xb_digest_eq(&a->config.diff_ids.items[i], &b->config.diff_ids.items[i]))
			return i;
	return a->config.diff_ids.len != b->config.diff_ids.len ? least : SIZE_MAX;
}

/* One layer as a tree, without those below it. */
static int load_layer(const struct xb_image_source *from, const struct documents *d, size_t layer,
		      struct xb_image_tree **ret, struct xb_error *err)
{
	xb_auto_manifest struct xb_manifest alone = XB_MANIFEST_INIT;

	if (layer < d->manifest.layers.len)
		(void)xb_descriptors_add(&alone.layers, &d->manifest.layers.items[layer]);
	return xb_image_tree_load(from, &alone, &d->config.diff_ids.items[layer], alone.layers.len,
				  ret, err);
}

static int compare_layers(const struct xb_image_source *first, const struct documents *a,
			  const struct xb_image_source *second, const struct documents *b,
			  struct xb_divergence *ret, struct xb_error *err)
{
	xb_auto_image_tree struct xb_image_tree *one = NULL, *other = NULL;
	int r = load_layer(first, a, ret->layer, &one, err);

	if (r == 0)
		r = load_layer(second, b, ret->layer, &other, err);
	if (r < 0)
		return r;
	xb_differences_find(&(struct xb_compared){ one, &a->config, &ret->platform },
			    &(struct xb_compared){ other, &b->config, &ret->platform }, true,
			    &ret->in_layer);
	return 0;
}

/* The first line of the configs, as text for people, that differs. */
static char *first_line(const struct documents *a, const struct documents *b, struct xb_error *err)
{
	xb_auto_str struct xb_str one = XB_STR_INIT(XB_STR_OWN), other = XB_STR_INIT(XB_STR_OWN);
	struct xb_view left, right, x, y;

	if (xb_image_config_write(&a->config, &one, err) < 0 ||
	    xb_image_config_write(&b->config, &other, err) < 0)
		return NULL;
	left = xb_str_view(&one);
	right = xb_str_view(&other);
	while (xb_view_split(&left, ',', &x) && xb_view_split(&right, ',', &y))
		if (!xb_view_eq(x, y))
			return xb_format("%.*s and %.*s", XB_VIEW_ARGS(x), XB_VIEW_ARGS(y));
	return NULL;
}

int xb_divergence_find(const struct xb_image_source *first, const struct xb_descriptor *one,
		       const struct xb_image_source *second, const struct xb_descriptor *other,
		       struct xb_divergence *ret, struct xb_error *err)
{
	XB_CLEANUP(documents_clear) struct documents a = { 0 };
	XB_CLEANUP(documents_clear) struct documents b = { 0 };
	int r = 0;

	ret->platform = one->platform;
	ret->differs = !xb_digest_eq(&one->digest, &other->digest);
	if (!ret->differs)
		return 0;
	r = read_documents(first, one, &a, err);
	if (r == 0)
		r = read_documents(second, other, &b, err);
	if (r < 0)
		return r;
	ret->layer = first_layer(&a, &b);
	ret->field = first_line(&a, &b, err);
	if (ret->layer == SIZE_MAX)
		return 0;
	ret->instruction = instruction_of(&a.config, ret->layer);
	return ret->layer < a.config.diff_ids.len && ret->layer < b.config.diff_ids.len
		       ? compare_layers(first, &a, second, &b, ret, err)
		       : 0;
}
