/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/index_tags.h"

#include <errno.h>
#include <string.h>

#include "manifest/document.h"

static const char *tag_of(const struct xb_descriptor *d)
{
	return xb_annotations_get(&d->annotations, XB_ANNOTATION_REF_NAME);
}

/* The names that there are, for a message, as far as a line of text goes. */
static char *list_names(const struct xb_index *index)
{
	enum { MOST = 16 };
	struct xb_str s = XB_STR_INIT(XB_STR_OWN);
	size_t count = 0;

	for (size_t i = 0; i < index->manifests.len && count < MOST; i++) {
		const char *tag = tag_of(&index->manifests.items[i]);
		xb_autofree char *shown = tag != NULL ? xb_document_quote(tag) : NULL;

		if (shown != NULL)
			(void)xb_str_printf(&s, "%s%s", count++ > 0 ? ", " : "", shown);
	}
	if (count == 0)
		(void)xb_str_puts(&s, "none");
	return xb_str_steal(&s);
}

int xb_index_no_tag(const struct xb_index *index, const char *where, const char *name,
		    struct xb_error *err)
{
	xb_autofree char *names = list_names(index), *shown = NULL;

	if (name == NULL)
		return xb_error_set(err, -ENOENT,
				    "%s holds %zu images and none is tagged latest (there is: %s)",
				    where, index->manifests.len, names);
	shown = xb_document_quote(name);
	return xb_error_set(err, -ENOENT, "%s holds no image \"%s\" (there is: %s)", where, shown,
			    names);
}

/*
 * The entry whose annotation `key` is `name`, NULL when there is none; -EEXIST when two entries of
 * different content have it.
 */
static int find_annotated(const struct xb_index *index, const char *where, const char *key,
			  const char *name, const struct xb_descriptor **ret, struct xb_error *err)
{
	*ret = NULL;
	for (size_t i = 0; i < index->manifests.len; i++) {
		const struct xb_descriptor *d = &index->manifests.items[i];
		const char *value = xb_annotations_get(&d->annotations, key);

		if (value == NULL || strcmp(value, name) != 0)
			continue;
		if (*ret == NULL) {
			*ret = d;
		} else if (!xb_digest_eq(&(*ret)->digest, &d->digest)) {
			xb_autofree char *shown = xb_document_quote(name);

			(void)xb_error_set(err, -EEXIST, "%s holds two images named \"%s\"", where,
					   shown);
			return xb_error_hint(err, "name one by its digest: %s or %s",
					     (*ret)->digest.text, d->digest.text);
		}
	}
	return 0;
}

static int find_tag(const struct xb_index *index, const char *where, const char *name,
		    const struct xb_descriptor **ret, struct xb_error *err)
{
	int r = find_annotated(index, where, XB_ANNOTATION_REF_NAME, name, ret, err);

	if (r < 0 || *ret != NULL)
		return r;
	return find_annotated(index, where, XB_ANNOTATION_CONTAINERD_NAME, name, ret, err);
}

const struct xb_descriptor *xb_index_find_digest(const struct xb_index *index,
						 const struct xb_digest *digest)
{
	for (size_t i = 0; i < index->manifests.len; i++)
		if (xb_digest_eq(&index->manifests.items[i].digest, digest))
			return &index->manifests.items[i];
	return NULL;
}

int xb_index_find(const struct xb_index *index, const char *where, const char *name,
		  const struct xb_descriptor **ret, struct xb_error *err)
{
	struct xb_digest digest;
	int r = 0;

	if (name != NULL && xb_digest_parse(xb_view(name), &digest, NULL) == 0)
		*ret = xb_index_find_digest(index, &digest);
	else if (name == NULL && index->manifests.len == 1)
		*ret = &index->manifests.items[0];
	else
		r = find_tag(index, where, name != NULL ? name : "latest", ret, err);
	return r == 0 && *ret == NULL ? xb_index_no_tag(index, where, name, err) : r;
}

/* tagging */

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/*
 * annotations.md: components of letters and digits with "-", ".", "_", ":", "@", "+" or "--"
 * between, and "/" between components. Close to it: marks only between letters and digits, which
 * allows every image reference.
 */
static bool tag_valid(const char *tag)
{
	size_t len = strlen(tag);

	if (len == 0 || len > 1024 || !is_alnum(tag[0]) || !is_alnum(tag[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(tag[i]) && strchr("-._:@+/", tag[i]) == NULL)
			return false;
	return true;
}

int xb_index_check_tag(const char *tag, struct xb_error *err)
{
	xb_autofree char *shown = NULL;

	if (tag_valid(tag))
		return 0;
	shown = xb_document_quote(tag);
	return xb_error_set(err, -EINVAL, "\"%s\" cannot be a tag of an image layout", shown);
}

static void remove_entry(struct xb_descriptors *v, size_t at)
{
	xb_descriptor_clear(&v->items[at]);
	memmove(&v->items[at], &v->items[at + 1], (v->len - at - 1) * sizeof(*v->items));
	v->len--;
}

/* Index of the first entry tagged `tag` from `from` on, or the number of entries. */
static size_t find_tagged(const struct xb_descriptors *v, const char *tag, size_t from)
{
	for (; from < v->len; from++) {
		const char *name = tag_of(&v->items[from]);

		if (name != NULL && strcmp(name, tag) == 0)
			break;
	}
	return from;
}

/* Remove every entry tagged `tag` from `from` on; returns whether there was one. */
static bool remove_tagged(struct xb_descriptors *v, const char *tag, size_t from)
{
	bool removed = false;

	while ((from = find_tagged(v, tag, from)) < v->len) {
		remove_entry(v, from);
		removed = true;
	}
	return removed;
}

void xb_index_set_tag(struct xb_index *index, const struct xb_descriptor *descriptor,
		      const char *tag)
{
	size_t at = find_tagged(&index->manifests, tag, 0);
	struct xb_descriptor *entry;

	if (at < index->manifests.len) {
		entry = &index->manifests.items[at];
		xb_descriptor_copy(entry, descriptor);
	} else {
		entry = xb_descriptors_add(&index->manifests, descriptor);
	}
	xb_annotations_set(&entry->annotations, XB_ANNOTATION_REF_NAME, tag);
	(void)remove_tagged(&index->manifests, tag, at + 1);
}

bool xb_index_remove_tag(struct xb_index *index, const char *tag)
{
	return remove_tagged(&index->manifests, tag, 0);
}
