/* SPDX-License-Identifier: Apache-2.0 */
/* What a walk over the stages met of things that can be given, and the outline made of it. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "builder/dockerfile/uses.h"

enum use_kind { USE_ARG, USE_INHERITED, USE_FROM, USE_SECRET, USE_AGENT, USE_CACHE };

struct use {
	enum use_kind kind;
	size_t stage; /* XB_NO_STAGE: the global scope */
	const struct xb_instruction *instruction;
	char *name;
	char *value;
	bool required;
	struct xb_strv names; /* what an argument of the global scope is made of */
	size_t older;	      /* the definition that it is made of itself, or XB_NO_STAGE */
	size_t next;	      /* of the same stage, XB_NO_STAGE: the last */
};

struct use_list XB_ARRAY(struct use);

struct xb_uses {
	struct use_list all;
	struct xb_map *globals; /* name -> 1 + index of the definition that is in force */
	size_t *first;		/* by stage */
	size_t *last;
};

struct xb_uses *xb_uses_new(size_t stage_count)
{
	struct xb_uses *uses = xb_calloc(1, sizeof(*uses));

	uses->globals = xb_map_new();
	uses->first = xb_calloc(stage_count, sizeof(*uses->first));
	uses->last = xb_calloc(stage_count, sizeof(*uses->last));
	for (size_t i = 0; i < stage_count; i++)
		uses->first[i] = uses->last[i] = XB_NO_STAGE;
	return uses;
}

void xb_uses_free(struct xb_uses *uses)
{
	if (uses == NULL)
		return;
	for (size_t i = 0; i < uses->all.len; i++) {
		free(uses->all.items[i].name);
		free(uses->all.items[i].value);
		xb_strv_clear(&uses->all.items[i].names);
	}
	xb_array_clear(&uses->all);
	xb_map_free(uses->globals);
	free(uses->first);
	free(uses->last);
	free(uses);
}

static struct use *add(struct xb_uses *uses, size_t stage, enum use_kind kind,
		       const struct xb_instruction *instruction, const char *name)
{
	size_t index = uses->all.len;
	struct use *use = xb_array_push(&uses->all);

	use->kind = kind;
	use->stage = stage;
	use->instruction = instruction;
	use->name = xb_strdup(name);
	use->next = XB_NO_STAGE;
	use->older = XB_NO_STAGE;
	if (stage == XB_NO_STAGE)
		return use;
	if (uses->last[stage] == XB_NO_STAGE)
		uses->first[stage] = index;
	else
		uses->all.items[uses->last[stage]].next = index;
	uses->last[stage] = index;
	return use;
}

void xb_uses_arg(struct xb_uses *uses, size_t stage, const struct xb_instruction *instruction,
		 const char *name, const char *value, const struct xb_strv *names, bool inherited)
{
	struct use *use = add(uses, stage, inherited ? USE_INHERITED : USE_ARG, instruction, name);
	uintptr_t index;

	use->value = xb_strdup(value);
	if (stage != XB_NO_STAGE)
		return;
	xb_strv_copy(&use->names, names);
	index = (uintptr_t)xb_map_set(uses->globals, xb_view(name), (void *)uses->all.len);
	if (index > 0 && xb_strv_find(names, name) >= 0)
		use->older = index - 1;
}

void xb_uses_from(struct xb_uses *uses, size_t stage, const struct xb_strv *names)
{
	for (size_t i = 0; i < names->len; i++)
		(void)add(uses, stage, USE_FROM, NULL, names->items[i]);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* A secret is called by its source, which is another word for its id, else by the file that it
 * becomes. */
static const char *secret_name(const struct xb_mount *mount)
{
	if (mount->source != NULL && mount->source[0] != '\0')
		return mount->source;
	if (mount->id != NULL && mount->id[0] != '\0')
		return mount->id;
	return mount->target != NULL ? base_name(mount->target) : "";
}

static bool given(const char *text)
{
	return text != NULL && text[0] != '\0';
}

void xb_uses_mount(struct xb_uses *uses, size_t stage, const struct xb_instruction *instruction,
		   const struct xb_mount *mount)
{
	const char *target = mount->target != NULL ? mount->target : "";

	if (mount->type == XB_MOUNT_SECRET)
		add(uses, stage, USE_SECRET, instruction, secret_name(mount))->required =
			mount->required;
	else if (mount->type == XB_MOUNT_SSH)
		add(uses, stage, USE_AGENT, instruction, given(mount->id) ? mount->id : "default")
			->required = mount->required;
	else if (mount->type == XB_MOUNT_CACHE)
		(void)add(uses, stage, USE_CACHE, instruction,
			  given(mount->id) ? mount->id : target);
}

/* ---- the outline -------------------------------------------------------------------------- */

/* An outline that is being made: what is in it already, by kind and name. */
struct making {
	const struct xb_uses *uses;
	struct xb_outline *outline;
	struct xb_map *args;
	struct xb_map *mounts[USE_CACHE + 1];
	struct xb_map *followed; /* global names whose own names were looked at */
};

static struct xb_outline_item *item(struct xb_outline_items *items, const struct use *use)
{
	struct xb_outline_item *item = xb_array_push(items);

	item->name = xb_strdup(use->name);
	item->value = xb_strdup(use->value);
	item->required = use->required;
	item->at = use->instruction->at;
	return item;
}

static void add_arg(struct making *m, const struct use *use)
{
	if (xb_map_set(m->args, xb_view(use->name), m) == NULL)
		item(&m->outline->args, use)->description =
			xb_outline_describe(use->instruction, use->name);
}

static const struct use *find_global(const struct xb_uses *uses, struct xb_view name)
{
	uintptr_t index = (uintptr_t)xb_map_get(uses->globals, name);

	return index > 0 ? &uses->all.items[index - 1] : NULL;
}

/* What a global argument is made of; its older definitions only where it is made of them. */
static void add_names(const struct xb_uses *uses, const struct use *use, struct xb_strv *ret)
{
	while (use != NULL) {
		xb_strv_append(ret, &use->names);
		use = use->older != XB_NO_STAGE ? &uses->all.items[use->older] : NULL;
	}
}

/* An argument that is used: of the stage itself, or of the global scope with what it is made of. */
static void add_used(struct making *m, const struct xb_map *own, const char *name)
{
	xb_auto_strv struct xb_strv waiting = XB_STRV_INIT;

	xb_strv_push(&waiting, name);
	for (size_t i = 0; i < waiting.len; i++) {
		struct xb_view next = xb_view(waiting.items[i]);
		const struct use *mine = xb_map_get(own, next);
		const struct use *global = find_global(m->uses, next);

		if (mine != NULL) {
			add_arg(m, mine);
		} else if (global != NULL && xb_map_set(m->followed, next, m) == NULL) {
			add_names(m->uses, global, &waiting);
			add_arg(m, global);
		}
	}
}

static void add_mount(struct making *m, const struct use *use)
{
	struct xb_outline_items *lists[] = { [USE_SECRET] = &m->outline->secrets,
					     [USE_AGENT] = &m->outline->agents,
					     [USE_CACHE] = &m->outline->caches };

	if (xb_map_set(m->mounts[use->kind], xb_view(use->name), m) == NULL)
		(void)item(lists[use->kind], use);
}

static void add_stage(struct making *m, size_t stage)
{
	xb_auto_map struct xb_map *own = xb_map_new();
	const struct use *all = m->uses->all.items;

	for (size_t i = m->uses->first[stage]; i != XB_NO_STAGE; i = all[i].next)
		if (all[i].kind == USE_ARG)
			(void)xb_map_set(own, xb_view(all[i].name), (void *)(uintptr_t)&all[i]);
	for (size_t i = m->uses->first[stage]; i != XB_NO_STAGE; i = all[i].next) {
		if (all[i].kind >= USE_SECRET)
			add_mount(m, &all[i]);
		else
			add_used(m, own, all[i].name);
	}
}

static int compare(const void *a, const void *b)
{
	const struct xb_outline_item *x = a, *y = b;

	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void sort(struct xb_outline_items *items)
{
	if (items->len > 0)
		qsort(items->items, items->len, sizeof(*items->items), compare);
}

static void make(struct making *m, size_t target, const bool *needed)
{
	for (size_t i = target + 1; i-- > 0;)
		if (needed[i])
			add_stage(m, i);
	sort(&m->outline->args);
	sort(&m->outline->secrets);
	sort(&m->outline->agents);
	sort(&m->outline->caches);
}

void xb_uses_outline(const struct xb_uses *uses, const struct xb_stage *target, size_t index,
		     const bool *needed, struct xb_outline *ret)
{
	struct making m = {
		.uses = uses, .outline = ret, .args = xb_map_new(), .followed = xb_map_new()
	};

	for (size_t k = 0; k < XB_COUNT(m.mounts); k++)
		m.mounts[k] = xb_map_new();
	ret->name = xb_strdup(target->name);
	if (target->name != NULL)
		ret->description = xb_outline_describe(target->from, target->name);
	make(&m, index, needed);
	for (size_t k = 0; k < XB_COUNT(m.mounts); k++)
		xb_map_free(m.mounts[k]);
	xb_map_free(m.args);
	xb_map_free(m.followed);
}
