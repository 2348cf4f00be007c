/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries at random, with links that lead everywhere, against a model of the tree in memory. The
 * model says which entries must fail, and what the tree must be in the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/layer/unpack.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

#include "tests/unit/builder/layer/trees.h"

#include "tests/unit/builder/layer/tars.h"

enum { MAX_NODES = 4000, MAX_LINKS = 40 };

/* A file, link or directory; several names may share one `body`. */
struct node {
	char type;	/* 'd', 'f' or 'l' */
	char text[300]; /* contents or target */
};

struct name {
	int parent; /* index of a directory's name; the root is 0, its own parent */
	char text[16];
	int node;
	bool gone;
};

struct model {
	struct node nodes[MAX_NODES];
	struct name names[MAX_NODES];
	int node_count, name_count;
	int links; /* followed in the current resolution */
};

static int model_child(const struct model *m, int dir, const char *text)
{
	for (int i = 1; i < m->name_count; i++)
		if (!m->names[i].gone && m->names[i].parent == dir &&
		    strcmp(m->names[i].text, text) == 0)
			return i;
	return -1;
}

static char model_type(const struct model *m, int name)
{
	return m->nodes[m->names[name].node].type;
}

static int model_add(struct model *m, int dir, const char *text, int node)
{
	struct name *n = &m->names[m->name_count];

	assert_true(m->name_count < MAX_NODES);
	n->parent = dir;
	n->node = node;
	n->gone = false;
	(void)snprintf(n->text, sizeof(n->text), "%.15s", text);
	return m->name_count++;
}

static int model_node(struct model *m, char type, const char *text)
{
	struct node *n = &m->nodes[m->node_count];

	assert_true(m->node_count < MAX_NODES);
	n->type = type;
	(void)snprintf(n->text, sizeof(n->text), "%s", text);
	return m->node_count++;
}

static void model_remove(struct model *m, int name)
{
	m->names[name].gone = true;
	for (int i = 1; i < m->name_count; i++)
		if (!m->names[i].gone && m->names[i].parent == name)
			model_remove(m, i);
}

/* The directory that `path` leads to from `dir`, links followed; -1 when there is none. */
static int model_resolve(struct model *m, int dir, const char *path, bool make)
{
	struct xb_view rest = xb_view(path), piece;

	if (path[0] == '/')
		dir = 0;
	while (dir >= 0 && xb_view_split(&rest, '/', &piece)) {
		char text[300];
		int child;

		if (piece.len == 0 || xb_view_is(piece, "."))
			continue;
		if (xb_view_is(piece, "..")) {
			dir = m->names[dir].parent;
			continue;
		}
		(void)snprintf(text, sizeof(text), "%.*s", XB_VIEW_ARGS(piece));
		child = model_child(m, dir, text);
		if (child < 0 && make)
			child = model_add(m, dir, text, model_node(m, 'd', ""));
		if (child < 0 || model_type(m, child) == 'f')
			return -1;
		if (model_type(m, child) == 'd') {
			dir = child;
		} else {
			if (++m->links > MAX_LINKS)
				return -1;
			dir = model_resolve(m, dir, m->nodes[m->names[child].node].text, make);
		}
	}
	return dir;
}

/* The directory of an entry and its last component. */
static int model_parent(struct model *m, const char *path, bool make, const char **ret_base)
{
	const char *slash = strrchr(path, '/');
	char dir[300] = "";

	*ret_base = slash != NULL ? slash + 1 : path;
	if (slash != NULL)
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	m->links = 0;
	return model_resolve(m, 0, dir, make);
}

static bool model_link(struct model *m, int dir, const char *base, int there, const char *target)
{
	const char *target_base;
	int target_dir = model_parent(m, target, false, &target_base);
	int to = target_dir >= 0 ? model_child(m, target_dir, target_base) : -1;

	if (to < 0 || model_type(m, to) == 'd')
		return false;
	if (there >= 0 && m->names[there].node == m->names[to].node)
		return true;
	if (there >= 0)
		model_remove(m, there);
	/* it may have been in the directory that was replaced */
	if (m->names[to].gone)
		return false;
	model_add(m, dir, base, m->names[to].node);
	return true;
}

/* Apply an entry: whether it must succeed. */
static bool model_apply(struct model *m, char type, const char *path, const char *text)
{
	const char *base;
	int dir = model_parent(m, path, true, &base);
	int there = dir >= 0 ? model_child(m, dir, base) : -1;

	if (dir < 0)
		return false;
	if (type == 'h')
		return model_link(m, dir, base, there, text);
	if (type == 'd' && there >= 0 && model_type(m, there) == 'd')
		return true;
	if (there >= 0)
		model_remove(m, there);
	model_add(m, dir, base, model_node(m, type, text));
	return true;
}

static void model_list(const struct model *m, int dir, const char *path, struct xb_strv *out)
{
	for (int i = 1; i < m->name_count; i++) {
		const struct name *n = &m->names[i];
		xb_autofree char *below = NULL;

		if (n->gone || n->parent != dir)
			continue;
		below = xb_format("%s/%s", path, n->text);
		xb_strv_printf(out, "%s %c %s", below, m->nodes[n->node].type,
			       m->nodes[n->node].text);
		if (model_type(m, i) == 'd')
			model_list(m, i, below, out);
	}
}

static void real_list(int dir, const char *path, struct xb_strv *out)
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		xb_autofree char *below = xb_format("%s/%s", path, e->d_name);
		char text[300] = "";
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		assert_int_equal(fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW), 0);
		if (S_ISLNK(st.st_mode)) {
			assert_true(readlinkat(dir, e->d_name, text, sizeof(text) - 1) > 0);
		} else {
			xb_auto_fd int fd =
				openat(dir, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

			if (S_ISREG(st.st_mode))
				assert_true(read(fd, text, sizeof(text) - 1) >= 0);
			else
				real_list(fd, below, out);
		}
		xb_strv_printf(out, "%s %c %s", below,
			       S_ISLNK(st.st_mode)   ? 'l'
			       : S_ISREG(st.st_mode) ? 'f'
						     : 'd',
			       text);
	}
	(void)closedir(d);
}

static void random_path(struct rng *rng, char path[100], bool link)
{
	static const char *const pieces[] = { "a", "b", "c", "..", ".", "out" };
	unsigned depth = 1 + rng_below(rng, 3);

	path[0] = '\0';
	if (link && rng_below(rng, 3) == 0)
		(void)strcat(path, "/");
	for (unsigned i = 0; i < depth; i++) {
		if (i > 0)
			(void)strcat(path, "/");
		(void)strcat(path, pieces[rng_below(rng, link ? XB_COUNT(pieces) : 3)]);
	}
}

/* One sequence: a tar of entries that the model has take place, the last perhaps refused. */
static void sequence(struct model *m, struct rng *rng, unsigned *entries)
{
	auto_tar struct tar t = TAR_INIT;
	bool fails = false;
	struct model *before = malloc(sizeof(*before));

	assert_non_null(before);
	memset(m, 0, sizeof(*m));
	model_node(m, 'd', "");
	m->name_count = 1;
	for (int i = 0; i < 40 && !fails; i++) {
		static const char types[] = "ddfflllh";
		char type = types[rng_below(rng, sizeof(types) - 1)];
		char path[100], text[100];

		random_path(rng, path, false);
		random_path(rng, text, type == 'l');
		if (type == 'f')
			(void)snprintf(text, sizeof(text), "%u", rng_below(rng, 100000));
		if (type == 'd')
			text[0] = '\0';
		memcpy(before, m, sizeof(*m));
		fails = !model_apply(m, type, path, text);
		if (fails && rng_below(rng, 20) > 0) {
			memcpy(m, before, sizeof(*m));
			fails = false;
			continue;
		}
		(*entries)++;
		if (type == 'd')
			tar_dir(&t, path);
		else if (type == 'f')
			tar_file(&t, path, text);
		else
			tar_link(&t, type == 'l' ? XB_TAR_SYMLINK : XB_TAR_HARDLINK, path, text);
	}
	free(before);
	assert_int_equal(mkdirat(scratch_fd, "root", 0755), 0);
	{
		xb_auto_fd int root = openat(scratch_fd, "root", O_RDONLY | O_CLOEXEC);
		xb_auto_strv struct xb_strv expected = XB_STRV_INIT, found = XB_STRV_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = tar_apply(&t, XB_WIRE_LAYER, root, NULL, &err);

		if ((r < 0) != fails)
			fail_msg("%s", r < 0 ? err.message : "it was taken");
		if (!fails) {
			model_list(m, 0, "", &expected);
			real_list(root, "", &found);
			xb_strv_sort(&expected);
			xb_strv_sort(&found);
			for (size_t i = 0; i < expected.len && i < found.len; i++)
				assert_string_equal(expected.items[i], found.items[i]);
			assert_int_equal(expected.len, found.len);
		}
	}
	assert_int_equal(xb_remove_tree_at(scratch_fd, "root", NULL), 0);
}

static void the_tree_is_the_models(void **state)
{
	(void)state;
	need("root", trees_root);

	struct model *m = malloc(sizeof(*m));
	struct rng rng = { 20240601 };
	unsigned entries = 0;

	assert_non_null(m);
	assert_int_equal(mkdirat(scratch_fd, "out", 0755), 0);
	scratch_write("out/a", "outside\n");
	while (entries < 10000)
		sequence(m, &rng, &entries);
	free(m);
	{
		xb_auto_fd int out = openat(scratch_fd, "out", O_RDONLY | O_CLOEXEC);
		xb_auto_strv struct xb_strv found = XB_STRV_INIT;

		real_list(out, "", &found);
		assert_int_equal(found.len, 1);
		assert_string_equal(found.items[0], "/a f outside\n");
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_tree_is_the_models, scratch_setup,
						scratch_teardown),
	};

	(void)argc;
	TREES_MAIN_BEGIN(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
