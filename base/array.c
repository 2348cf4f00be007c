/* SPDX-License-Identifier: Apache-2.0 */
#include "base/array.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"

enum { ARRAY_FIRST_CAPACITY = 8 };

void *xb_array_grow(void *items, size_t *cap, size_t needed, size_t size)
{
	size_t grown = *cap < ARRAY_FIRST_CAPACITY ? ARRAY_FIRST_CAPACITY : *cap;
	char *bytes = items;

	if (needed > *cap) {
		while (grown < needed)
			grown = grown > SIZE_MAX / 2 ? needed : grown * 2;
		bytes = xb_realloc(items, grown, size);
		memset(bytes + *cap * size, 0, (grown - *cap) * size);
		*cap = grown;
	} else if (needed > 0) {
		/* An element taken off the end leaves its bytes behind. */
		memset(bytes + (needed - 1) * size, 0, size);
	}
	return bytes;
}

void xb_strv_clear(struct xb_strv *v)
{
	for (size_t i = 0; i < v->len; i++)
		free(v->items[i]);
	xb_array_clear(v);
}

void xb_strv_take(struct xb_strv *v, char *text)
{
	if (text == NULL)
		xb_die("a vector of strings was given none");
	v->items = xb_array_grow(v->items, &v->cap, v->len + 2, sizeof(*v->items));
	v->items[v->len++] = text;
}

void xb_strv_push(struct xb_strv *v, const char *text)
{
	xb_strv_take(v, xb_strdup(text));
}

void xb_strv_push_view(struct xb_strv *v, struct xb_view text)
{
	xb_strv_take(v, xb_view_dup(text));
}

void xb_strv_printf(struct xb_strv *v, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	xb_strv_take(v, xb_vformat(format, args));
	va_end(args);
}

void xb_strv_append(struct xb_strv *v, const struct xb_strv *from)
{
	size_t len = from->len; /* `from` may be `v` */

	for (size_t i = 0; i < len; i++)
		xb_strv_push(v, from->items[i]);
}

void xb_strv_copy(struct xb_strv *v, const struct xb_strv *from)
{
	if (v == from)
		return;
	xb_strv_clear(v);
	xb_strv_append(v, from);
}

void xb_strv_remove(struct xb_strv *v, size_t index)
{
	if (index >= v->len)
		xb_die("no string %zu in a vector of %zu", index, v->len);
	free(v->items[index]);
	/* The NULL at the end moves with the rest. */
	memmove(&v->items[index], &v->items[index + 1], (v->len - index) * sizeof(*v->items));
	v->len--;
}

bool xb_strv_eq(const struct xb_strv *a, const struct xb_strv *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

ptrdiff_t xb_strv_find(const struct xb_strv *v, const char *text)
{
	for (size_t i = 0; i < v->len; i++)
		if (strcmp(v->items[i], text) == 0)
			return (ptrdiff_t)i;
	return -1;
}

static int compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void xb_strv_sort(struct xb_strv *v)
{
	if (v->len > 1)
		qsort(v->items, v->len, sizeof(*v->items), compare_strings);
}

char *xb_strv_join(const struct xb_strv *v, const char *separator)
{
	struct xb_str text = XB_STR_INIT(SIZE_MAX);

	for (size_t i = 0; i < v->len; i++) {
		(void)xb_str_puts(&text, i > 0 ? separator : "");
		(void)xb_str_puts(&text, v->items[i]);
	}
	return xb_str_steal(&text);
}

char *const *xb_strv_argv(const struct xb_strv *v)
{
	static char *const none[] = { NULL };

	return v->items != NULL ? v->items : none;
}

/* Whether `entry` is "name=...". */
static bool env_is(const char *entry, struct xb_view name)
{
	return strncmp(entry, name.data != NULL ? name.data : "", name.len) == 0 &&
	       entry[name.len] == '=';
}

static ptrdiff_t env_find(const struct xb_strv *env, struct xb_view name)
{
	/* No name holds one; else "A=b" would be found in "A=b=c". */
	if (xb_view_find(name, '=') >= 0)
		return -1;
	for (size_t i = 0; i < env->len; i++)
		if (env_is(env->items[i], name))
			return (ptrdiff_t)i;
	return -1;
}

const char *xb_env_get(const struct xb_strv *env, struct xb_view name)
{
	ptrdiff_t at = env_find(env, name);

	return at >= 0 ? env->items[at] + name.len + 1 : NULL;
}

void xb_env_set(struct xb_strv *env, struct xb_view name, struct xb_view value)
{
	struct xb_str entry = XB_STR_INIT(SIZE_MAX);
	ptrdiff_t at = env_find(env, name);

	(void)xb_str_append_view(&entry, name);
	(void)xb_str_putc(&entry, '=');
	(void)xb_str_append_view(&entry, value);
	if (at < 0) {
		xb_strv_take(env, xb_str_steal(&entry));
		return;
	}
	free(env->items[at]);
	env->items[at] = xb_str_steal(&entry);
}

bool xb_env_unset(struct xb_strv *env, struct xb_view name)
{
	ptrdiff_t at = env_find(env, name);

	if (at < 0)
		return false;
	xb_strv_remove(env, (size_t)at);
	return true;
}
