/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/array.h"
#include "builder/layer/survey.h"

/* As the kernel has it. */
#define MAX_LINKS 40
/* Deeper trees are no honest image's: walks are recursive. */
#define MAX_DEPTH 500
/* Bytes of a path with the links on it. */
#define MAX_WAY ((size_t)64 << 10)

struct xb_image_node {
	const char *name;
	struct xb_image_node *parent; /* the root's is itself */
	struct xb_image_file *file;
	struct XB_ARRAY(struct xb_image_node *) children; /* of a directory, in byte order */
	size_t depth;
	size_t layer; /* that put it there last */
};

struct facts XB_ARRAY(struct xb_facts *);

struct xb_image_tree {
	struct xb_arena *arena; /* names, nodes, files */
	struct xb_image_node *root;
	struct facts facts; /* all that files have: they own memory */
	size_t layers;
};

/* ---- nodes ---------------------------------------------------------------------------------- */

static struct xb_image_file *new_file(struct xb_image_tree *tree, enum xb_image_kind kind)
{
	struct xb_image_file *file = xb_arena_alloc(tree->arena, 1, sizeof(*file));

	file->kind = kind;
	file->layer = tree->layers;
	return file;
}

/* A directory that nobody told of, but that something is in. */
static struct xb_image_file *implied_directory(struct xb_image_tree *tree)
{
	struct xb_image_file *file = new_file(tree, XB_IMAGE_DIRECTORY);

	file->mode = 0755;
	file->implied = true;
	return file;
}

struct xb_image_tree *xb_image_tree_new(void)
{
	struct xb_image_tree *tree = xb_calloc(1, sizeof(*tree));

	tree->arena = xb_arena_new();
	tree->root = xb_arena_alloc(tree->arena, 1, sizeof(*tree->root));
	tree->root->name = "";
	tree->root->parent = tree->root;
	tree->root->file = implied_directory(tree);
	tree->root->file->names = 1;
	return tree;
}

/* Children are arrays of their own; so whatever leaves the tree gives them back. */
static void forget_children(struct xb_image_node *node)
{
	for (size_t i = 0; i < node->children.len; i++) {
		struct xb_image_node *child = node->children.items[i];

		forget_children(child);
		child->file->names--;
	}
	xb_array_clear(&node->children);
}

void xb_image_tree_free(struct xb_image_tree *tree)
{
	if (tree == NULL)
		return;
	forget_children(tree->root);
	for (size_t i = 0; i < tree->facts.len; i++)
		xb_facts_clear(tree->facts.items[i]);
	xb_array_clear(&tree->facts);
	xb_arena_free(tree->arena);
	free(tree);
}

/* Byte order, the shorter first of two that begin alike. */
static int compare(struct xb_view a, struct xb_view b)
{
	int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where a directory has a name, or would have it. */
static size_t place_of(const struct xb_image_node *dir, struct xb_view name, bool *ret_there)
{
	size_t low = 0, high = dir->children.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(xb_view(dir->children.items[middle]->name), name);

		*ret_there = order == 0;
		if (order == 0)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_there = false;
	return low;
}

static struct xb_image_node *child_of(const struct xb_image_node *dir, struct xb_view name)
{
	bool there = false;
	size_t at = place_of(dir, name, &there);

	return there ? dir->children.items[at] : NULL;
}

static struct xb_image_node *add_child(struct xb_image_tree *tree, struct xb_image_node *dir,
				       struct xb_view name)
{
	struct xb_image_node *node = xb_arena_alloc(tree->arena, 1, sizeof(*node));
	bool there = false;
	size_t at = place_of(dir, name, &there);

	node->name = xb_arena_dup(tree->arena, name);
	node->parent = dir;
	node->depth = dir->depth + 1;
	(void)xb_array_push(&dir->children);
	memmove(&dir->children.items[at + 1], &dir->children.items[at],
		(dir->children.len - 1 - at) * sizeof(dir->children.items[0]));
	dir->children.items[at] = node;
	return node;
}

static void remove_child(struct xb_image_node *dir, struct xb_view name)
{
	bool there = false;
	size_t at = place_of(dir, name, &there);
	struct xb_image_node *node;

	if (!there)
		return;
	node = dir->children.items[at];
	forget_children(node);
	node->file->names--;
	dir->children.len--;
	memmove(&dir->children.items[at], &dir->children.items[at + 1],
		(dir->children.len - at) * sizeof(dir->children.items[0]));
}

/* ---- finding -------------------------------------------------------------------------------- */

/* What is left of a path, the links on the way put in front. */
struct way {
	struct xb_str left;
	unsigned links;
};

static void way_clear(struct way *way)
{
	xb_str_clear(&way->left);
}

static bool is_dir(const struct xb_image_node *node)
{
	return node->file->kind == XB_IMAGE_DIRECTORY;
}

/* Take the first component off; false when there is none. */
static bool take_name(struct way *way, struct xb_str *name)
{
	struct xb_view rest = xb_str_view(&way->left), one = { NULL, 0 };

	while (one.len == 0 && xb_view_split(&rest, '/', &one))
		;
	if (one.len == 0)
		return false;
	xb_str_reset(name);
	xb_str_append_view(name, one);
	/* what follows it, a slash at its end included: that says that it is a directory */
	rest.len = (size_t)(way->left.data + way->left.len - (one.data + one.len));
	rest.data = one.data + one.len;
	memmove(way->left.data, rest.data, rest.len);
	xb_str_truncate(&way->left, rest.len);
	return true;
}

/* Put a link's target in front of what is left. */
static int follow_link(struct way *way, const char *target)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	if (++way->links > MAX_LINKS)
		return -ELOOP;
	xb_str_printf(&text, "%s%s", target, xb_str_text(&way->left));
	xb_str_reset(&way->left);
	xb_str_append_view(&way->left, xb_str_view(&text));
	return xb_str_overflowed(&way->left) ? -ENAMETOOLONG : 0;
}

/* One step from `at`, which is a directory. */
static int step(const struct xb_image_tree *tree, const struct xb_image_node **at,
		struct xb_view name, bool follow, struct way *way)
{
	const struct xb_image_node *next;

	if (xb_view_is(name, "."))
		return 0;
	if (xb_view_is(name, "..")) {
		*at = (*at)->parent;
		return 0;
	}
	next = child_of(*at, name);
	if (next == NULL)
		return -ENOENT;
	if (next->file->kind != XB_IMAGE_SYMLINK || (!follow && way->left.len == 0)) {
		*at = next;
		return 0;
	}
	if (next->file->link[0] == '/')
		*at = tree->root;
	return follow_link(way, next->file->link);
}

int xb_image_tree_find(const struct xb_image_tree *tree, const struct xb_image_node *from,
		       const char *path, bool follow, const struct xb_image_node **ret)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);
	XB_CLEANUP(way_clear) struct way way = { .left = XB_STR_INIT(MAX_WAY) };
	const struct xb_image_node *at = from != NULL && path[0] != '/' ? from : tree->root;
	int r = 0;

	xb_str_puts(&way.left, path);
	while (r == 0 && take_name(&way, &name))
		r = is_dir(at) ? step(tree, &at, xb_str_view(&name), follow, &way) : -ENOTDIR;
	if (r == 0 && way.left.len > 0 && !is_dir(at))
		r = -ENOTDIR;
	if (r == 0)
		*ret = at;
	return r;
}

/* ---- adding --------------------------------------------------------------------------------- */

static struct xb_view parent_of(struct xb_view path, struct xb_view *ret_name)
{
	size_t slash = path.len;

	while (slash > 0 && path.data[slash - 1] != '/')
		slash--;
	*ret_name = xb_view_sub(path, slash, path.len);
	return xb_view_sub(path, 0, slash > 0 ? slash - 1 : 0);
}

/* The directory of `path`, whose components are made where nobody told of them. */
static int open_parent(struct xb_image_tree *tree, struct xb_view path, bool make,
		       struct xb_image_node **ret, struct xb_view *ret_name)
{
	struct xb_view parent = parent_of(path, ret_name), one;
	struct xb_image_node *at = tree->root;

	while (parent.len > 0 && xb_view_split(&parent, '/', &one)) {
		struct xb_image_node *next = child_of(at, one);
		const struct xb_image_node *found = next;

		if (next == NULL && !make)
			return -ENOENT;
		if (next == NULL) {
			next = add_child(tree, at, one);
			next->file = implied_directory(tree);
			next->file->names = 1;
			next->layer = tree->layers;
			found = next;
		} else if (next->file->kind == XB_IMAGE_SYMLINK) {
			int r = xb_image_tree_find(tree, at, next->file->link, true, &found);

			if (r < 0)
				return r;
		}
		if (!is_dir(found))
			return -ENOTDIR;
		at = (struct xb_image_node *)(uintptr_t)found;
		if (at->depth >= MAX_DEPTH)
			return -ELOOP;
	}
	*ret = at;
	return 0;
}

/* Hide what lower layers have; what is not there is hidden already. */
static void hide(struct xb_image_tree *tree, const struct xb_roster_entry *e)
{
	struct xb_image_node *dir = NULL;
	struct xb_view name = { NULL, 0 };
	const struct xb_image_node *found;
	xb_autofree char *path = xb_format("/%.*s", XB_VIEW_ARGS(e->name));

	if (e->kind == XB_ROSTER_WHITEOUT) {
		if (open_parent(tree, e->name, false, &dir, &name) == 0)
			remove_child(dir, name);
		return;
	}
	if (xb_image_tree_find(tree, NULL, path, true, &found) == 0 && is_dir(found))
		forget_children((struct xb_image_node *)(uintptr_t)found);
}

static enum xb_image_kind kind_of(const struct xb_survey_entry *s)
{
	switch (s->entry.kind) {
	case XB_ROSTER_DIRECTORY:
		return XB_IMAGE_DIRECTORY;
	case XB_ROSTER_SYMLINK:
		return XB_IMAGE_SYMLINK;
	case XB_ROSTER_NODE:
		return s->node == 'c'	? XB_IMAGE_CHARDEV
		       : s->node == 'b' ? XB_IMAGE_BLOCKDEV
					: XB_IMAGE_FIFO;
	default:
		return XB_IMAGE_FILE;
	}
}

static int fill_facts(struct xb_image_tree *tree, struct xb_view bytes, struct xb_image_file *file,
		      struct xb_error *err)
{
	struct xb_facts *facts;
	int r;

	if (bytes.len == 0)
		return 0;
	facts = xb_arena_alloc(tree->arena, 1, sizeof(*facts));
	r = xb_survey_facts(bytes, tree->arena, facts, err);
	if (r < 0)
		return r;
	*xb_array_push(&tree->facts) = facts;
	file->facts = facts;
	return 0;
}

static int make_file(struct xb_image_tree *tree, const struct xb_survey_entry *s,
		     struct xb_image_file **ret, struct xb_error *err)
{
	const struct xb_roster_entry *e = &s->entry;
	struct xb_image_file *file = new_file(tree, kind_of(s));

	file->mode = e->mode;
	file->uid = e->uid;
	file->gid = e->gid;
	file->mtime = e->mtime;
	file->mtime_ns = e->mtime_ns;
	file->attributes = e->attributes;
	file->device_major = s->device_major;
	file->device_minor = s->device_minor;
	file->digest = s->digest;
	if (e->kind == XB_ROSTER_FILE)
		file->size = s->size;
	if (e->kind == XB_ROSTER_SYMLINK)
		file->link = xb_arena_dup(tree->arena, e->link);
	if (e->has_content)
		file->text =
			(struct xb_view){ xb_arena_dup(tree->arena, e->content), e->content.len };
	*ret = file;
	return fill_facts(tree, s->facts, file, err);
}

/* Give a name to a file, in the place of what had it. A directory keeps what is in it. */
static void set(struct xb_image_tree *tree, struct xb_image_node *dir, struct xb_view name,
		struct xb_image_file *file)
{
	struct xb_image_node *node = child_of(dir, name);

	if (node == NULL) {
		node = add_child(tree, dir, name);
	} else {
		if (!is_dir(node) || file->kind != XB_IMAGE_DIRECTORY)
			forget_children(node);
		node->file->names--;
	}
	node->file = file;
	node->layer = tree->layers;
	file->names++;
}

static int cannot(const struct xb_survey_entry *s, int r, struct xb_error *err)
{
	xb_auto_str struct xb_str name = XB_STR_INIT(XB_STR_OWN);

	xb_str_append_quoted(&name, s->entry.name);
	(void)xb_error_errno(err, r, "layer: putting %s there", xb_str_text(&name));
	return r;
}

static int put_entry(struct xb_image_tree *tree, const struct xb_survey_entry *s,
		     struct xb_error *err)
{
	const struct xb_image_node *target = NULL;
	struct xb_image_node *dir = NULL;
	struct xb_image_file *file = NULL;
	struct xb_view name = { NULL, 0 };
	int r;

	if (s->entry.name.len == 0) {
		r = make_file(tree, s, &file, err);
		if (r == 0) {
			file->names = 1;
			tree->root->file = file;
		}
		return r;
	}
	r = open_parent(tree, s->entry.name, true, &dir, &name);
	if (r == 0 && s->entry.kind == XB_ROSTER_HARDLINK) {
		xb_autofree char *path = xb_format("/%.*s", XB_VIEW_ARGS(s->entry.link));

		r = xb_image_tree_find(tree, NULL, path, false, &target);
		if (r == 0 && is_dir(target))
			r = -EPERM;
	}
	if (r < 0)
		return cannot(s, r, err);
	if (target != NULL)
		file = target->file;
	else
		r = make_file(tree, s, &file, err);
	if (r == 0)
		set(tree, dir, name, file);
	return r;
}

static bool hides(const struct xb_survey_entry *s)
{
	return s->entry.kind == XB_ROSTER_WHITEOUT || s->entry.kind == XB_ROSTER_OPAQUE;
}

/* What a layer hides is of the layers below, wherever its tar says so. */
static int add_pass(struct xb_image_tree *tree, struct xb_view rest, bool hiding,
		    struct xb_error *err)
{
	struct xb_survey_entry s;
	int r = xb_survey_begin(&rest, err);

	while (r >= 0 && (r = xb_survey_next(&rest, &s, err)) > 0) {
		if (hides(&s) != hiding)
			continue;
		if (hiding)
			hide(tree, &s.entry);
		else
			r = put_entry(tree, &s, err);
	}
	return r;
}

int xb_image_tree_add(struct xb_image_tree *tree, struct xb_view survey, struct xb_error *err)
{
	int r = add_pass(tree, survey, true, err);

	if (r >= 0)
		r = add_pass(tree, survey, false, err);
	tree->layers++;
	if (r >= 0)
		return 0;
	(void)xb_error_fault(err, XB_FAULT_STORE);
	return r == -EBADMSG ? r : -EBADMSG;
}

/* ---- looking -------------------------------------------------------------------------------- */

const struct xb_image_node *xb_image_tree_root(const struct xb_image_tree *tree)
{
	return tree->root;
}

const struct xb_image_file *xb_image_node_file(const struct xb_image_node *node)
{
	return node->file;
}

const char *xb_image_node_name(const struct xb_image_node *node)
{
	return node->name;
}

const struct xb_image_node *xb_image_node_parent(const struct xb_image_node *node)
{
	return node->parent;
}

size_t xb_image_node_count(const struct xb_image_node *dir)
{
	return dir->children.len;
}

const struct xb_image_node *xb_image_node_at(const struct xb_image_node *dir, size_t index)
{
	return dir->children.items[index];
}

void xb_image_node_path(const struct xb_image_node *node, struct xb_str *out)
{
	if (node->parent != node && node->parent->parent != node->parent)
		xb_image_node_path(node->parent, out);
	xb_str_putc(out, '/');
	xb_str_puts(out, node->name);
}

static int visit_all(const struct xb_image_node *node,
		     int (*visit)(void *context, const struct xb_image_node *node), void *context)
{
	int r = visit(context, node);

	for (size_t i = 0; r == 0 && i < node->children.len; i++)
		r = visit_all(node->children.items[i], visit, context);
	return r;
}

int xb_image_tree_each(const struct xb_image_tree *tree,
		       int (*visit)(void *context, const struct xb_image_node *node), void *context)
{
	return visit_all(tree->root, visit, context);
}
