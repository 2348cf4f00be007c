/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/annotations.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"

void xb_annotations_clear(struct xb_annotations *a)
{
	for (size_t i = 0; i < a->len; i++) {
		free(a->items[i].name);
		free(a->items[i].value);
	}
	xb_array_clear(a);
}

static struct xb_annotation *find(const struct xb_annotations *a, const char *name)
{
	for (size_t i = 0; i < a->len; i++)
		if (strcmp(a->items[i].name, name) == 0)
			return &a->items[i];
	return NULL;
}

static void append(struct xb_annotations *a, const char *name, const char *value)
{
	struct xb_annotation *added = xb_array_push(a);

	added->name = xb_strdup(name);
	added->value = xb_strdup(value);
}

const char *xb_annotations_get(const struct xb_annotations *a, const char *name)
{
	const struct xb_annotation *found = find(a, name);

	return found != NULL ? found->value : NULL;
}

void xb_annotations_set(struct xb_annotations *a, const char *name, const char *value)
{
	struct xb_annotation *found = find(a, name);
	char *copy;

	if (found == NULL) {
		append(a, name, value);
		return;
	}
	copy = xb_strdup(value); /* `value` may be the old one */
	free(found->value);
	found->value = copy;
}

bool xb_annotations_unset(struct xb_annotations *a, const char *name)
{
	struct xb_annotation *found = find(a, name);
	size_t behind;

	if (found == NULL)
		return false;
	free(found->name);
	free(found->value);
	behind = a->len - (size_t)(found - a->items) - 1;
	memmove(found, found + 1, behind * sizeof(*found));
	a->len--;
	return true;
}

void xb_annotations_copy(struct xb_annotations *a, const struct xb_annotations *from)
{
	xb_annotations_clear(a);
	for (size_t i = 0; i < from->len; i++)
		append(a, from->items[i].name, from->items[i].value);
}

int xb_annotations_from_json(const json_t *object, const char *key, struct xb_annotations *ret,
			     struct xb_error *err)
{
	json_t *members = NULL, *value;
	const char *name;
	int r = xb_json_get_object(object, key, &members, err);

	if (r < 0)
		return r;
	json_object_foreach(members, name, value)
	{
		if (!json_is_string(value))
			return xb_error_set(err, -EBADMSG, "a value of %s is not a string", key);
		append(ret, name, json_string_value(value));
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	const struct xb_annotation *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

json_t *xb_annotations_to_json(const struct xb_annotations *a)
{
	xb_autofree const struct xb_annotation **sorted = xb_calloc(a->len + 1, sizeof(*sorted));
	json_t *object;

	if (a->len == 0)
		return NULL;
	for (size_t i = 0; i < a->len; i++)
		sorted[i] = &a->items[i];
	qsort(sorted, a->len, sizeof(*sorted), compare_names);
	object = json_object();
	for (size_t i = 0; i < a->len; i++)
		xb_json_set_string(object, sorted[i]->name, sorted[i]->value);
	return object;
}
