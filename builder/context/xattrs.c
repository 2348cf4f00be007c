/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/xattrs.h"

#include <endian.h>
#include <errno.h>
#include <linux/limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/array.h"
#include "base/owner.h"

static bool is_kept(const char *name)
{
	return (strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0 &&
		strncmp(name, XB_OWNER_PREFIX, strlen(XB_OWNER_PREFIX)) != 0) ||
	       strcmp(name, "security.capability") == 0 ||
	       strncmp(name, "system.posix_acl_", 17) == 0;
}

static int list_kept(int fd, struct xb_strv *names)
{
	xb_autofree char *list = NULL;
	ssize_t n = flistxattr(fd, NULL, 0); /* mostly none: no buffer then */

	if (n == 0)
		return 0;
	if (n > 0) {
		list = xb_alloc(XATTR_LIST_MAX);
		n = flistxattr(fd, list, XATTR_LIST_MAX);
	}
	if (n < 0)
		return errno == ENOTSUP || errno == ENOSYS ? 0 : -errno;
	for (const char *name = list; name < list + n; name += strlen(name) + 1) {
		if (is_kept(name))
			xb_strv_push(names, name);
	}
	xb_strv_sort(names);
	return 0;
}

int xb_xattrs_encode(int fd, struct xb_str *ret)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	xb_autofree char *value = NULL;
	int r = list_kept(fd, &names);

	for (size_t i = 0; r >= 0 && i < names.len; i++) {
		uint64_t length;
		ssize_t n;

		if (value == NULL)
			value = xb_alloc(XATTR_SIZE_MAX);
		n = fgetxattr(fd, names.items[i], value, XATTR_SIZE_MAX);
		if (n < 0 && errno == ENODATA) /* gone meanwhile */
			continue;
		if (n < 0)
			return -errno;
		length = htobe64((uint64_t)n);
		xb_str_append(ret, names.items[i], strlen(names.items[i]) + 1);
		xb_str_append(ret, &length, sizeof(length));
		xb_str_append(ret, value, (size_t)n);
	}
	return xb_str_overflowed(ret) ? -EFBIG : r;
}
