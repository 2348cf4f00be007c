/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/packages.h"

#include <stdlib.h>
#include <string.h>

void xb_packages_clear(struct xb_packages *packages)
{
	for (size_t i = 0; i < packages->list.len; i++) {
		free(packages->list.items[i].name);
		free(packages->list.items[i].version);
	}
	xb_array_clear(&packages->list);
	*packages = (struct xb_packages){ 0 };
}

/* A paragraph being read. */
struct paragraph {
	struct xb_view name;
	struct xb_view version;
	struct xb_view status; /* empty: it has none, as in status.d */
	struct xb_view size;   /* in KiB of dpkg's, in bytes of apk's */
};

static bool is_installed(const struct paragraph *p)
{
	struct xb_view rest = p->status, word = { NULL, 0 };

	if (p->name.len == 0 || p->version.len == 0)
		return false;
	while (rest.len > 0 && xb_view_split(&rest, ' ', &word))
		;
	return p->status.len == 0 || xb_view_is(word, "installed");
}

static void add(struct xb_packages *packages, const struct paragraph *p, uint64_t unit)
{
	struct xb_package *package;
	uint64_t size = 0;

	if (!is_installed(p))
		return;
	(void)xb_view_parse_u64(p->size, UINT64_MAX / 1024, &size);
	package = xb_array_push(&packages->list);
	package->name = xb_view_dup(p->name);
	package->version = xb_view_dup(p->version);
	package->size = size * unit;
}

/* "Name: value"; what follows in lines that begin with a blank is of no interest. */
static bool take_field(struct xb_view line, const char *name, struct xb_view *ret)
{
	size_t len = strlen(name);

	if (line.len <= len || !xb_view_starts(line, xb_view(name)) || line.data[len] != ':')
		return false;
	*ret = xb_view_trim(xb_view_sub(line, len + 1, line.len));
	return true;
}

static void read_dpkg(struct xb_view text, struct xb_packages *packages)
{
	struct paragraph p = { 0 };
	struct xb_view line;

	while (text.data != NULL && xb_view_split(&text, '\n', &line)) {
		if (line.len == 0) {
			add(packages, &p, 1024);
			p = (struct paragraph){ 0 };
			continue;
		}
		(void)(take_field(line, "Package", &p.name) ||
		       take_field(line, "Version", &p.version) ||
		       take_field(line, "Status", &p.status) ||
		       take_field(line, "Installed-Size", &p.size));
	}
	add(packages, &p, 1024);
}

static void read_apk(struct xb_view text, struct xb_packages *packages)
{
	struct paragraph p = { 0 };
	struct xb_view line;

	while (text.data != NULL && xb_view_split(&text, '\n', &line)) {
		if (line.len == 0) {
			add(packages, &p, 1);
			p = (struct paragraph){ 0 };
			continue;
		}
		(void)(take_field(line, "P", &p.name) || take_field(line, "V", &p.version) ||
		       take_field(line, "I", &p.size));
	}
	add(packages, &p, 1);
}

static struct xb_view text_of(const struct xb_image_tree *tree, const char *path)
{
	const struct xb_image_node *node;

	return xb_image_tree_find(tree, NULL, path, true, &node) == 0
		       ? xb_image_node_file(node)->text
		       : (struct xb_view){ NULL, 0 };
}

static int compare(const void *a, const void *b)
{
	const struct xb_package *one = a, *other = b;
	int order = strcmp(one->name, other->name);

	return order != 0 ? order : strcmp(one->version, other->version);
}

void xb_packages_read(const struct xb_image_tree *tree, struct xb_packages *ret)
{
	const struct xb_image_node *dir;

	*ret = (struct xb_packages){ 0 };
	read_dpkg(text_of(tree, "/var/lib/dpkg/status"), ret);
	if (xb_image_tree_find(tree, NULL, "/var/lib/dpkg/status.d", true, &dir) == 0)
		for (size_t i = 0; i < xb_image_node_count(dir); i++)
			read_dpkg(xb_image_node_file(xb_image_node_at(dir, i))->text, ret);
	read_apk(text_of(tree, "/lib/apk/db/installed"), ret);
	/* where /lib is a link it is the same file */
	if (xb_image_tree_find(tree, NULL, "/lib", false, &dir) == 0 &&
	    xb_image_node_file(dir)->kind == XB_IMAGE_DIRECTORY)
		read_apk(text_of(tree, "/usr/lib/apk/db/installed"), ret);
	ret->unread = xb_image_tree_find(tree, NULL, "/var/lib/rpm", true, &dir) == 0 ||
		      xb_image_tree_find(tree, NULL, "/usr/lib/sysimage/rpm", true, &dir) == 0;
	if (ret->list.len > 1)
		qsort(ret->list.items, ret->list.len, sizeof(ret->list.items[0]), compare);
}
