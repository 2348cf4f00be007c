/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/shape.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/array.h"
#include "base/map.h"

/* As the kernel has it. */
#define MAX_LINKS 40
/* Bounds on what rosters of others make of memory and stack: names, and how deep they lie. */
#define MAX_NODES 500000
#define MAX_DEPTH 500

struct xb_shape_node {
	struct xb_shape_node *parent; /* the root's is itself */
	enum xb_roster_kind kind;
	bool attributes;
	bool has_content;
	unsigned depth;
	/* Layers are counted from 1 on; 0: none. */
	unsigned written; /* the layer whose own it is, as the unpacker notes it */
	unsigned timed;	  /* the last one that said a directory's time */
	unsigned touched; /* the last one that put something into it, or took something out */
	struct stat st;
	struct xb_view link; /* of a symlink */
	struct xb_view content;
	struct xb_map *children; /* of a directory; NULL: none yet */
};

struct xb_shape {
	struct XB_ARRAY(struct xb_shape_node *) nodes; /* all, also those that went */
	struct XB_ARRAY(struct xb_str) rosters;
	struct xb_shape_node *root;
	unsigned layer; /* the one that is being put on top */
	size_t size;
};

/* ---- nodes ---------------------------------------------------------------------------------- */

static struct xb_shape_node *new_node(struct xb_shape *shape, struct xb_shape_node *parent,
				      enum xb_roster_kind kind)
{
	struct xb_shape_node *node = xb_calloc(1, sizeof(*node));

	*xb_array_push(&shape->nodes) = node;
	shape->size += 2 * sizeof(*node);
	node->kind = kind;
	node->parent = parent != NULL ? parent : node;
	node->depth = parent != NULL ? parent->depth + 1 : 0;
	return node;
}

struct xb_shape *xb_shape_new(void)
{
	struct xb_shape *shape = xb_calloc(1, sizeof(*shape));

	shape->root = new_node(shape, NULL, XB_ROSTER_DIRECTORY);
	return shape;
}

void xb_shape_free(struct xb_shape *shape)
{
	if (shape == NULL)
		return;
	for (size_t i = 0; i < shape->nodes.len; i++) {
		xb_map_free(shape->nodes.items[i]->children);
		free(shape->nodes.items[i]);
	}
	xb_array_clear(&shape->nodes);
	for (size_t i = 0; i < shape->rosters.len; i++)
		xb_str_clear(&shape->rosters.items[i]);
	xb_array_clear(&shape->rosters);
	free(shape);
}

static bool is_directory(const struct xb_shape_node *node)
{
	return node->kind == XB_ROSTER_DIRECTORY;
}

static struct xb_shape_node *find_child(const struct xb_shape_node *dir, struct xb_view name)
{
	return dir->children != NULL ? xb_map_get(dir->children, name) : NULL;
}

static void touch(const struct xb_shape *shape, struct xb_shape_node *dir)
{
	dir->touched = shape->layer;
}

static void set_child(struct xb_shape *shape, struct xb_shape_node *dir, struct xb_view name,
		      struct xb_shape_node *child)
{
	if (dir->children == NULL)
		dir->children = xb_map_new();
	(void)xb_map_set(dir->children, name, child);
	shape->size += 2 * name.len;
	touch(shape, dir);
}

static void remove_child(const struct xb_shape *shape, struct xb_shape_node *dir,
			 struct xb_view name)
{
	(void)xb_map_remove(dir->children, name);
	touch(shape, dir);
}

static int cannot_tell(struct xb_error *err, const char *why)
{
	return xb_error_set(err, -ENOTSUP, "a roster does not tell enough: %s", why);
}

static int add_child(struct xb_shape *shape, struct xb_shape_node *dir, struct xb_view name,
		     enum xb_roster_kind kind, struct xb_shape_node **ret, struct xb_error *err)
{
	if (shape->nodes.len >= MAX_NODES || dir->depth >= MAX_DEPTH)
		return cannot_tell(err, "a tree too large");
	*ret = new_node(shape, dir, kind);
	set_child(shape, dir, name, *ret);
	return 0;
}

/* ---- paths ---------------------------------------------------------------------------------- */

/* A way through the tree. Links make it longer. */
struct way {
	struct xb_str text; /* what is left of it */
	struct xb_shape_node *at;
	unsigned links;
};

static void way_clear(struct way *way)
{
	xb_str_clear(&way->text);
}

static void follow(struct way *way, const struct xb_shape *shape, struct xb_view target,
		   struct xb_view rest)
{
	struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	/* `rest` lies in the text that goes */
	xb_str_append_view(&text, target);
	xb_str_putc(&text, '/');
	xb_str_append_view(&text, rest);
	xb_str_clear(&way->text);
	way->text = text;
	way->links++;
	if (target.len > 0 && target.data[0] == '/')
		way->at = shape->root;
}

/* A directory that a layer does not mention and that is made on the way. */
static int make_directory(struct xb_shape *shape, struct way *way, struct xb_view name,
			  struct xb_error *err)
{
	int r = add_child(shape, way->at, name, XB_ROSTER_DIRECTORY, &way->at, err);

	if (r < 0)
		return r;
	way->at->st.st_mode = S_IFDIR | 0755;
	touch(shape, way->at);
	return 0;
}

/* One component of the way, which is in `way->text` and followed by `rest`. */
static int step(struct xb_shape *shape, struct way *way, struct xb_view name, struct xb_view rest,
		bool make, struct xb_error *err)
{
	struct xb_shape_node *child;

	if (name.len == 0 || xb_view_is(name, "."))
		return 0;
	if (xb_view_is(name, "..")) {
		way->at = way->at->parent;
		return 0;
	}
	child = find_child(way->at, name);
	if (child == NULL && !make)
		return -ENOENT;
	if (child == NULL)
		return way->links > 0 ? cannot_tell(err, "a directory behind a link")
				      : make_directory(shape, way, name, err);
	if (child->kind == XB_ROSTER_NODE)
		return cannot_tell(err, "a path through a device");
	if (child->kind == XB_ROSTER_SYMLINK) {
		if (way->links >= MAX_LINKS || child->link.len + rest.len >= PATH_MAX)
			return cannot_tell(err, "too many links");
		follow(way, shape, child->link, rest);
		return 1;
	}
	if (!is_directory(child))
		return make ? cannot_tell(err, "a path through a file") : -ENOTDIR;
	way->at = child;
	return 0;
}

/*
 * The directory that `path` leads to, links followed inside the tree. With `make` it is made;
 * without, -ENOENT and -ENOTDIR tell that there is none.
 */
static int find_directory(struct xb_shape *shape, struct xb_view path, bool make,
			  struct xb_shape_node **ret, struct xb_error *err)
{
	XB_CLEANUP(way_clear)
	struct way way = { .text = XB_STR_INIT(XB_STR_OWN), .at = shape->root };
	struct xb_view rest, name;
	int r = 0;

	xb_str_append_view(&way.text, path);
	rest = xb_str_view(&way.text);
	while (r == 0 && xb_view_split(&rest, '/', &name)) {
		r = step(shape, &way, name, rest, make, err);
		if (r > 0) {
			rest = xb_str_view(&way.text);
			r = 0;
		}
	}
	if (r == 0)
		*ret = way.at;
	return r;
}

/* `path` as its directory and its last component. */
static struct xb_view split_last(struct xb_view path, struct xb_view *ret_parent)
{
	size_t at = path.len;

	while (at > 0 && path.data[at - 1] != '/')
		at--;
	*ret_parent = xb_view_sub(path, 0, at > 0 ? at - 1 : 0);
	return xb_view_sub(path, at, path.len - at);
}

/* ---- what hides ----------------------------------------------------------------------------- */

static void prune_contents(struct xb_shape *shape, struct xb_shape_node *dir);

/* As xb_prune(): what this layer wrote stays, and the directories around it. */
static void prune(struct xb_shape *shape, struct xb_shape_node *dir, struct xb_view name)
{
	struct xb_shape_node *node = find_child(dir, name);

	if (is_directory(node))
		prune_contents(shape, node);
	if (node->written != shape->layer && (!is_directory(node) || xb_shape_is_empty(node)))
		remove_child(shape, dir, name);
}

static int add_name(void *context, const char *key, void *value)
{
	(void)value;
	xb_strv_push(context, key);
	return 0;
}

/* Depth is bounded where nodes are made. */
static void prune_contents(struct xb_shape *shape, struct xb_shape_node *dir)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;

	if (dir->children == NULL)
		return;
	(void)xb_map_each(dir->children, add_name, &names);
	for (size_t i = 0; i < names.len; i++)
		prune(shape, dir, xb_view(names.items[i]));
}

static int add_hiding(struct xb_shape *shape, const struct xb_roster_entry *e, struct xb_error *err)
{
	struct xb_shape_node *dir = NULL;
	struct xb_view path = e->name;
	struct xb_view name = { NULL, 0 };
	int r;

	if (e->kind == XB_ROSTER_WHITEOUT)
		name = split_last(e->name, &path);
	r = find_directory(shape, path, false, &dir, err);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return r;
	if (e->kind == XB_ROSTER_OPAQUE)
		prune_contents(shape, dir);
	else if (find_child(dir, name) != NULL)
		prune(shape, dir, name);
	return 0;
}

/* ---- what is there -------------------------------------------------------------------------- */

static void set_stat(struct xb_shape_node *node, const struct xb_roster_entry *e)
{
	node->st.st_mode = (is_directory(node) ? S_IFDIR : S_IFREG) | e->mode;
	node->st.st_uid = e->uid;
	node->st.st_gid = e->gid;
	node->st.st_mtim = (struct timespec){ .tv_sec = e->mtime, .tv_nsec = e->mtime_ns };
	node->attributes = e->attributes;
}

static int add_directory(struct xb_shape *shape, struct xb_shape_node *dir, struct xb_view name,
			 const struct xb_roster_entry *e, struct xb_error *err)
{
	struct xb_shape_node *node = name.len > 0 ? find_child(dir, name) : shape->root;
	int r = 0;

	if (node == NULL || !is_directory(node))
		r = add_child(shape, dir, name, XB_ROSTER_DIRECTORY, &node, err);
	if (r < 0)
		return r;
	node->written = shape->layer;
	node->timed = shape->layer;
	set_stat(node, e);
	return 0;
}

static int add_hardlink(struct xb_shape *shape, struct xb_shape_node *dir, struct xb_view name,
			const struct xb_roster_entry *e, struct xb_error *err)
{
	struct xb_shape_node *target_dir = NULL;
	struct xb_shape_node *target = NULL;
	struct xb_shape_node *node = NULL;
	struct xb_view path, last = split_last(e->link, &path);
	int r = find_directory(shape, path, false, &target_dir, err);

	if (r == -ENOTSUP)
		return r;
	if (r == 0)
		target = find_child(target_dir, last);
	if (target == NULL || is_directory(target) || target->kind == XB_ROSTER_NODE)
		return cannot_tell(err, "a hard link to what is not there");
	r = add_child(shape, dir, name, target->kind, &node, err);
	if (r < 0)
		return r;
	target->written = shape->layer;
	node->written = shape->layer;
	node->link = target->link;
	node->has_content = target->has_content;
	node->content = target->content;
	return 0;
}

static int add_other(struct xb_shape *shape, struct xb_shape_node *dir, struct xb_view name,
		     const struct xb_roster_entry *e, struct xb_error *err)
{
	struct xb_shape_node *node = NULL;
	int r = add_child(shape, dir, name, e->kind, &node, err);

	if (r < 0)
		return r;
	/* the unpacker does not note nodes */
	node->written = e->kind != XB_ROSTER_NODE ? shape->layer : 0;
	node->link = e->link;
	node->has_content = e->has_content;
	node->content = e->content;
	return 0;
}

static int add_plain(struct xb_shape *shape, const struct xb_roster_entry *e, struct xb_error *err)
{
	struct xb_view path, name = split_last(e->name, &path);
	const struct xb_shape_node *there;
	struct xb_shape_node *dir = NULL;
	int r = find_directory(shape, path, true, &dir, err);

	if (r < 0)
		return r;
	there = name.len > 0 ? find_child(dir, name) : shape->root;
	if (there != NULL && there->written == shape->layer)
		return cannot_tell(err, "a layer with a name twice");
	if (e->kind == XB_ROSTER_DIRECTORY)
		return add_directory(shape, dir, name, e, err);
	if (e->kind == XB_ROSTER_HARDLINK)
		return add_hardlink(shape, dir, name, e, err);
	return add_other(shape, dir, name, e, err);
}

int xb_shape_add(struct xb_shape *shape, struct xb_str *roster, struct xb_error *err)
{
	struct xb_str *text = xb_array_push(&shape->rosters);
	struct xb_roster_entry e;
	struct xb_view rest;
	int r;

	*text = *roster;
	*roster = XB_STR_INIT(XB_MAX_ROSTER);
	rest = xb_str_view(text);
	shape->size += rest.len;
	shape->layer++;
	r = xb_roster_begin(&rest, err);
	while (r >= 0 && (r = xb_roster_next(&rest, &e, err)) > 0)
		r = e.kind == XB_ROSTER_WHITEOUT || e.kind == XB_ROSTER_OPAQUE
			    ? add_hiding(shape, &e, err)
			    : add_plain(shape, &e, err);
	return r;
}

/* ---- looking -------------------------------------------------------------------------------- */

size_t xb_shape_size(const struct xb_shape *shape)
{
	return shape->size;
}

const struct xb_shape_node *xb_shape_root(const struct xb_shape *shape)
{
	return shape->root;
}

const struct xb_shape_node *xb_shape_child(const struct xb_shape_node *dir, const char *name)
{
	return find_child(dir, xb_view(name));
}

bool xb_shape_is_empty(const struct xb_shape_node *dir)
{
	return dir->children == NULL || xb_map_len(dir->children) == 0;
}

enum xb_roster_kind xb_shape_kind(const struct xb_shape_node *node)
{
	return node->kind;
}

bool xb_shape_has_attributes(const struct xb_shape_node *node)
{
	return node->attributes;
}

bool xb_shape_stat(const struct xb_shape_node *dir, struct stat *ret)
{
	*ret = dir->st;
	return dir->timed > 0 && dir->timed >= dir->touched;
}

bool xb_shape_content(const struct xb_shape_node *file, struct xb_view *ret)
{
	*ret = file->content;
	return file->has_content;
}
