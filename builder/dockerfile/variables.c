/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/variables.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

/* Edits between a name and what it was meant to be. */
#define NEAR 2
/* A longer name is nobody's misspelling. */
#define NEAR_MAX 128
/* Characters that may be compared for the sake of suggestions in the life of a scope: their number
 * would grow with the square of the file else. */
#define NEAR_STEPS ((size_t)20 << 20)

/* A name and what it stands for. One that is taken back stays, without a meaning. */
struct variable {
	char *name;
	char *value; /* NULL: it has none */
	bool declared;
};

/* What a variable was before a change. */
struct change {
	struct variable *variable;
	char *value; /* what it was, when it was changed */
	bool valued; /* it was changed */
	bool declared;
};

struct variables XB_ARRAY(struct variable *);
struct changes XB_ARRAY(struct change);

struct xb_variables {
	struct xb_map *names;
	struct variables all;
	struct changes changes;
	size_t steps;
};

struct xb_variables *xb_variables_new(void)
{
	struct xb_variables *v = xb_calloc(1, sizeof(*v));

	v->names = xb_map_new();
	return v;
}

void xb_variables_free(struct xb_variables *v)
{
	if (v == NULL)
		return;
	for (size_t i = 0; i < v->changes.len; i++)
		free(v->changes.items[i].value);
	xb_array_clear(&v->changes);
	for (size_t i = 0; i < v->all.len; i++) {
		free(v->all.items[i]->value);
		free(v->all.items[i]->name);
		free(v->all.items[i]);
	}
	xb_array_clear(&v->all);
	xb_map_free(v->names);
	free(v);
}

static struct variable *find(struct xb_variables *v, struct xb_view name)
{
	struct variable *variable = xb_map_get(v->names, name);

	if (variable != NULL)
		return variable;
	variable = xb_calloc(1, sizeof(*variable));
	variable->name = xb_view_dup(name);
	(void)xb_map_set(v->names, name, variable);
	*xb_array_push(&v->all) = variable;
	return variable;
}

void xb_variables_set(struct xb_variables *v, struct xb_view name, const char *value)
{
	struct variable *variable = find(v, name);
	struct change *change = xb_array_push(&v->changes);

	*change = (struct change){ .variable = variable, .declared = variable->declared };
	variable->declared = true;
	if (value == NULL)
		return;
	change->valued = true;
	change->value = variable->value;
	variable->value = xb_strdup(value);
}

void xb_variables_set_all(struct xb_variables *v, const struct xb_strv *pairs)
{
	for (size_t i = 0; pairs != NULL && i < pairs->len; i++) {
		struct xb_view value = xb_view(pairs->items[i]), name;

		(void)xb_view_split(&value, '=', &name);
		xb_variables_set(v, name, value.data != NULL ? value.data : "");
	}
}

const char *xb_variables_get(const struct xb_variables *v, struct xb_view name)
{
	const struct variable *variable = xb_map_get(v->names, name);

	return variable != NULL ? variable->value : NULL;
}

bool xb_variables_has(const struct xb_variables *v, struct xb_view name)
{
	const struct variable *variable = xb_map_get(v->names, name);

	return variable != NULL && variable->declared;
}

bool xb_variables_lookup(void *context, struct xb_view name, const char **ret_value)
{
	const char *value = xb_variables_get(context, name);

	if (value == NULL)
		return false;
	*ret_value = value;
	return true;
}

size_t xb_variables_mark(const struct xb_variables *v)
{
	return v->changes.len;
}

void xb_variables_undo(struct xb_variables *v, size_t mark)
{
	while (v->changes.len > mark) {
		struct change *change = &v->changes.items[--v->changes.len];
		struct variable *variable = change->variable;

		variable->declared = change->declared;
		if (!change->valued)
			continue;
		free(variable->value);
		variable->value = XB_STEAL(change->value);
	}
}

/* ---- suggestions -------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions and changes of characters that make one name of the other, at most NEAR +
 * 1; a row of the table at a time. */
static size_t distance(struct xb_view a, struct xb_view b)
{
	size_t row[NEAR_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			size_t same = corner + (a.data[i - 1] == b.data[j - 1] ? 0 : 1);

			corner = row[j];
			row[j] = least(same, least(row[j], row[j - 1]) + 1);
		}
	}
	return least(row[b.len], NEAR + 1);
}

static bool comparable(struct xb_view a, struct xb_view b)
{
	size_t more = a.len > b.len ? a.len - b.len : b.len - a.len;

	return b.len <= NEAR_MAX && more <= NEAR;
}

const char *xb_variables_nearest(struct xb_variables *v, struct xb_view name, bool valued)
{
	const char *nearest = NULL;
	size_t best = NEAR + 1;

	for (size_t i = 0; name.len <= NEAR_MAX && i < v->all.len; i++) {
		const struct variable *variable = v->all.items[i];
		struct xb_view other = xb_view(variable->name);
		size_t d;

		if (v->steps > NEAR_STEPS)
			return NULL;
		v->steps++;
		if (valued ? variable->value == NULL : !variable->declared)
			continue;
		if (!comparable(name, other))
			continue;
		v->steps += name.len * other.len;
		d = distance(name, other);
		if (d >= best)
			continue;
		best = d;
		nearest = variable->name;
	}
	return nearest;
}
