/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "base/file.h"
#include "base/str.h"

#define MAX_DATABASE ((size_t)10 << 20)
/* The last id is (uid_t)-1, which means "none" to the kernel. */
#define MAX_ID (UINT32_MAX - 1)

static int read_in_root(void *context, const char *path, struct xb_str *text)
{
	const int *rootfd = context;
	xb_auto_fd int fd =
		xb_open_in_root(*rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fd < 0 ? fd : -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r = xb_file_read_fd(fd, text, NULL);
	return r < 0 ? r : 1;
}

struct xb_owner_files xb_owner_files_of(const int *rootfd)
{
	return (struct xb_owner_files){ read_in_root, (void *)(uintptr_t)rootfd };
}

/*
 * Find the line of /etc/passwd or /etc/group that begins with `name`, and read its third field and,
 * with `ret_second`, its fourth. Returns 1 when found, 0 when not.
 */
static int find_line(const struct xb_owner_files *files, const char *path, struct xb_view name,
		     uint64_t *ret_first, uint64_t *ret_second)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_DATABASE);
	struct xb_view rest;
	struct xb_view line;

	if (files == NULL || files->read(files->context, path, &text) <= 0)
		return 0;
	rest = xb_str_view(&text);
	while (xb_view_split(&rest, '\n', &line)) {
		struct xb_view fields[4] = { { NULL, 0 } };

		for (size_t i = 0; i < 4 && xb_view_split(&line, ':', &fields[i]); i++)
			continue;
		if (!xb_view_eq(fields[0], name) ||
		    xb_view_parse_u64(fields[2], MAX_ID, ret_first) < 0)
			continue;
		if (ret_second == NULL || xb_view_parse_u64(fields[3], MAX_ID, ret_second) == 0)
			return 1;
	}
	return 0;
}

/*
 * Whether `text` is a number, or, as BuildKit has it, root or nothing, which are 0 whatever the
 * image says; numbers that are no id are an error, lest they become root's.
 */
static int read_id(struct xb_view text, uint64_t *ret, struct xb_error *err)
{
	size_t digits = 0;

	if (text.len == 0 || xb_view_is(text, "root")) {
		*ret = 0;
		return 1;
	}
	while (digits < text.len && text.data[digits] >= '0' && text.data[digits] <= '9')
		digits++;
	if (digits < text.len)
		return 0;
	if (xb_view_parse_u64(text, MAX_ID, ret) == 0)
		return 1;
	(void)xb_error_set(err, -ERANGE, "%.*s is too large for an owner", XB_VIEW_ARGS(text));
	(void)xb_error_hint(err, "give a number below 4294967295");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

/*
 * As BuildKit has it, a user that the image does not know is root, and such a group is the one that
 * the user alone would have; unlike there, it is said. Where there is no tree at all, BuildKit does
 * not guess either.
 */
static int unknown(bool tree, const char *what, struct xb_view name, const char *file,
		   uint64_t instead, struct xb_strv *warnings, struct xb_error *err)
{
	if (tree) {
		xb_strv_printf(warnings,
			       "no %s called %.*s in the image's %s: %" PRIu64
			       " is taken. Give a number, or create the %s in an earlier RUN",
			       what, XB_VIEW_ARGS(name), file, instead, what);
		return 0;
	}
	(void)xb_error_set(err, -ENOENT, "no %s can be called %.*s in an empty tree", what,
			   XB_VIEW_ARGS(name));
	(void)xb_error_hint(err, "give a number");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

int xb_owner_resolve(const struct xb_owner_files *files, const char *text, uid_t *ret_uid,
		     gid_t *ret_gid, struct xb_strv *warnings, struct xb_error *err)
{
	struct xb_view group = xb_view(text);
	struct xb_view user;
	uint64_t uid = 0;
	uint64_t gid = 0;
	int r;

	(void)xb_view_split(&group, ':', &user);
	r = read_id(user, &uid, err);
	gid = uid;
	if (r == 0 && find_line(files, "/etc/passwd", user, &uid, &gid) == 0) {
		uid = gid = 0;
		r = unknown(files != NULL, "user", user, "/etc/passwd", 0, warnings, err);
	}
	if (r < 0)
		return r;
	r = group.data != NULL ? read_id(group, &gid, err) : 1;
	if (r == 0 && find_line(files, "/etc/group", group, &gid, NULL) == 0)
		r = unknown(files != NULL, "group", group, "/etc/group", gid, warnings, err);
	if (r < 0)
		return r;
	*ret_uid = (uid_t)uid;
	*ret_gid = (gid_t)gid;
	return 0;
}
