/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/xattrs.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/owner.h"

/* The name by which calls that take no descriptor find dirfd/name without following a link. */
struct target {
	char *path; /* NULL: the open file `fd` itself */
	int fd;
};

static void target_clear(struct target *t)
{
	free(t->path);
}

static struct target target_of(int dirfd, const char *name)
{
	struct target t = { .fd = dirfd };

	if (name[0] != '\0')
		t.path = xb_format("/proc/self/fd/%d/%s", dirfd, name);
	return t;
}

static ssize_t list_names(const struct target *t, char *names, size_t size)
{
	return t->path != NULL ? llistxattr(t->path, names, size) : flistxattr(t->fd, names, size);
}

static ssize_t get_value(const struct target *t, const char *name, void *value, size_t size)
{
	return t->path != NULL ? lgetxattr(t->path, name, value, size)
			       : fgetxattr(t->fd, name, value, size);
}

void xb_xattrs_clear(struct xb_xattrs *list)
{
	for (size_t i = 0; i < list->len; i++) {
		free(list->items[i].name);
		free(list->items[i].value);
	}
	xb_array_clear(list);
}

bool xb_xattr_kept(const char *name)
{
	static const char *const kept[] = { "security.capability", "system.posix_acl_access",
					    "system.posix_acl_default" };

	for (size_t i = 0; i < XB_COUNT(kept); i++)
		if (strcmp(name, kept[i]) == 0)
			return true;
	/* a pax record ends its keyword with '=' */
	return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0 &&
	       strncmp(name, XB_OWNER_PREFIX, strlen(XB_OWNER_PREFIX)) != 0 &&
	       strchr(name, '=') == NULL;
}

void xb_xattrs_add(struct xb_xattrs *list, struct xb_view name, struct xb_view value)
{
	struct xb_xattr *a = NULL;

	for (size_t i = 0; i < list->len && a == NULL; i++)
		if (xb_view_is(name, list->items[i].name))
			a = &list->items[i];
	if (a == NULL) {
		a = xb_array_push(list);
		a->name = xb_view_dup(name);
	}
	free(a->value);
	a->value = xb_view_dup(value);
	a->len = value.len;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct xb_xattr *)a)->name, ((const struct xb_xattr *)b)->name);
}

/* Turn a version 3 capability of our root into version 2; false: it is somebody else's. */
static bool capability_to_v2(struct xb_xattr *a)
{
	struct vfs_ns_cap_data cap;

	if (a->len != XATTR_CAPS_SZ_3)
		return true;
	memcpy(&cap, a->value, sizeof(cap));
	if ((le32toh(cap.magic_etc) & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3)
		return true;
	if (le32toh(cap.rootid) != 0)
		return false;
	cap.magic_etc = htole32((le32toh(cap.magic_etc) & ~(uint32_t)VFS_CAP_REVISION_MASK) |
				VFS_CAP_REVISION_2);
	memcpy(a->value, &cap, XATTR_CAPS_SZ_2);
	a->len = XATTR_CAPS_SZ_2;
	return true;
}

static int read_value(const struct target *t, const char *name, struct xb_xattrs *list,
		      struct xb_error *err)
{
	xb_autofree char *value = xb_alloc(XATTR_SIZE_MAX);
	ssize_t n = get_value(t, name, value, XATTR_SIZE_MAX);

	if (n < 0 && (errno == ENODATA || errno == EOVERFLOW))
		return 0; /* gone meanwhile; a capability of an id that is not mapped here */
	if (n < 0)
		return xb_error_errno(err, -errno, "reading attribute %s", name);
	if (xb_owner_recorded() && xb_owner_is_record(name, (struct xb_view){ value, (size_t)n }))
		return 0;
	xb_xattrs_add(list, xb_view(name), (struct xb_view){ value, (size_t)n });
	if (strcmp(name, "security.capability") == 0 &&
	    !capability_to_v2(&list->items[list->len - 1])) {
		free(list->items[list->len - 1].name);
		free(list->items[list->len - 1].value);
		list->len--;
	}
	return 0;
}

int xb_xattrs_read(int dirfd, const char *name, struct xb_xattrs *ret, struct xb_error *err)
{
	XB_CLEANUP(target_clear) struct target t = target_of(dirfd, name);
	xb_autofree char *names = NULL;
	ssize_t n = list_names(&t, NULL, 0);
	int r = 0;

	if (n == 0 || (n < 0 && errno == ENOTSUP))
		return 0;
	if (n > 0) {
		names = xb_alloc(XATTR_LIST_MAX);
		n = list_names(&t, names, XATTR_LIST_MAX);
	}
	if (n < 0)
		return xb_error_errno(err, -errno, "listing attributes");
	for (const char *p = names; r >= 0 && p < names + n; p += strlen(p) + 1)
		if (xb_xattr_kept(p))
			r = read_value(&t, p, ret, err);
	if (r < 0) {
		xb_xattrs_clear(ret);
		return r;
	}
	if (ret->len > 1)
		qsort(ret->items, ret->len, sizeof(*ret->items), compare);
	return 0;
}

/* Links and nodes have the record of their owner in its place. */
static bool is_taken(const struct target *t, const char *name)
{
	return t->path != NULL && xb_owner_recorded() && strcmp(name, "security.capability") == 0;
}

int xb_xattrs_write(int dirfd, const char *name, const struct xb_xattrs *list, struct xb_error *err)
{
	XB_CLEANUP(target_clear) struct target t = target_of(dirfd, name);
	int refused = 0;

	for (size_t i = 0; i < list->len; i++) {
		const struct xb_xattr *a = &list->items[i];
		int r;

		if (is_taken(&t, a->name))
			continue;
		r = t.path != NULL ? lsetxattr(t.path, a->name, a->value, a->len, 0)
				   : fsetxattr(t.fd, a->name, a->value, a->len, 0);

		if (r == 0)
			continue;
		if (errno != EPERM && errno != ENOTSUP)
			return xb_error_errno(err, -errno, "setting attribute %s", a->name);
		refused++;
	}
	return refused;
}
