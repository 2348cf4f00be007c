/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/vars.h"

#include <stdint.h>
#include <string.h>

/* Few names are found sooner by looking at each than by way of an index. */
#define FEW 16

void xb_vars_clear(struct xb_vars *vars)
{
	xb_strv_clear(&vars->items);
	xb_map_free(vars->index);
	*vars = (struct xb_vars){ 0 };
}

static bool is_named(const char *entry, struct xb_view name)
{
	return strncmp(entry, name.data != NULL ? name.data : "", name.len) == 0 &&
	       entry[name.len] == '=';
}

/* The place of a name, from 1; 0: it is not there. */
static size_t find(const struct xb_vars *vars, struct xb_view name)
{
	if (vars->index != NULL)
		return (size_t)(uintptr_t)xb_map_get(vars->index, name);
	if (xb_view_find(name, '=') >= 0)
		return 0;
	for (size_t i = 0; i < vars->items.len; i++) {
		if (is_named(vars->items.items[i], name))
			return i + 1;
	}
	return 0;
}

static void remember(struct xb_vars *vars, struct xb_view name, size_t place)
{
	(void)xb_map_set(vars->index, name, (void *)(uintptr_t)place);
}

static void make_index(struct xb_vars *vars)
{
	vars->index = xb_map_new();
	for (size_t i = 0; i < vars->items.len; i++) {
		struct xb_view rest = xb_view(vars->items.items[i]);
		struct xb_view name;

		(void)xb_view_split(&rest, '=', &name);
		remember(vars, name, i + 1);
	}
}

const char *xb_vars_get(const struct xb_vars *vars, struct xb_view name)
{
	size_t place = find(vars, name);

	return place > 0 ? vars->items.items[place - 1] + name.len + 1 : NULL;
}

void xb_vars_set(struct xb_vars *vars, struct xb_view name, struct xb_view value)
{
	size_t place = find(vars, name);
	char *entry = xb_format("%.*s=%.*s", XB_VIEW_ARGS(name), XB_VIEW_ARGS(value));

	if (place > 0) {
		free(vars->items.items[place - 1]);
		vars->items.items[place - 1] = entry;
		return;
	}
	xb_strv_take(&vars->items, entry);
	if (vars->index != NULL)
		remember(vars, name, vars->items.len);
	else if (vars->items.len > FEW)
		make_index(vars);
}

void xb_vars_unset(struct xb_vars *vars, struct xb_view name)
{
	size_t place = find(vars, name);

	if (place == 0)
		return;
	xb_strv_remove(&vars->items, place - 1);
	if (vars->index == NULL)
		return;
	xb_map_free(vars->index);
	make_index(vars);
}

void xb_vars_set_all(struct xb_vars *vars, const struct xb_strv *env)
{
	for (size_t i = 0; i < env->len; i++) {
		struct xb_view rest = xb_view(env->items[i]);
		struct xb_view name;

		(void)xb_view_split(&rest, '=', &name);
		xb_vars_set(vars, name, rest);
	}
}

void xb_set_add(struct xb_strv *set, struct xb_map **index, const char *item)
{
	if (*index == NULL) {
		*index = xb_map_new();
		for (size_t i = 0; i < set->len; i++)
			(void)xb_map_set(*index, xb_view(set->items[i]), set);
	}
	if (xb_map_set(*index, xb_view(item), set) == NULL)
		xb_strv_push(set, item);
}
