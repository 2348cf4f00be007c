/* SPDX-License-Identifier: Apache-2.0 */
#include "base/owner.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"

#define RECORD	   XB_OWNER_PREFIX "owner"
#define CAPABILITY "security.capability"

enum {
	MAX_MAP = 64 << 10,
	MAX_TARGET = 64 + 4096,
	MAX_RECORD = sizeof("4294967295:4294967295"),
	/* as many ids as images use, nobody (65534) being the last */
	ENOUGH_IDS = 65535,
};

static const uint32_t mark = 0x776f6278; /* "xbow" */

/* -1: not looked up yet */
static atomic_int recorded = -1;

/* ---- the ids of this process -------------------------------------------------------------- */

static bool maps_enough(const char *path)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_MAP);
	struct xb_view rest, line;
	uint64_t sum = 0;

	if (xb_file_read(path, &text, NULL) < 0)
		return true; /* a kernel without user namespaces, or no /proc */
	rest = xb_str_view(&text);
	while (xb_view_split(&rest, '\n', &line)) {
		xb_autofree char *copy = xb_view_dup(line);
		unsigned inside, outside, count;

		if (sscanf(copy, "%u %u %u", &inside, &outside, &count) == 3)
			sum += count;
	}
	return sum >= ENOUGH_IDS;
}

void xb_owner_detect(void)
{
	bool enough = maps_enough("/proc/self/uid_map") && maps_enough("/proc/self/gid_map");

	atomic_store(&recorded, enough ? 0 : 1);
}

bool xb_owner_recorded(void)
{
	if (atomic_load(&recorded) < 0)
		xb_owner_detect();
	return atomic_load(&recorded) == 1;
}

/* ---- records ------------------------------------------------------------------------------ */

/* How calls that take paths find the file. A path of /proc leads to what is open, be it a link;
 * one that ends with a name must not be followed. */
struct target {
	char path[MAX_TARGET];
	bool follow;
};

static int target_of(int dirfd, const char *name, struct target *ret)
{
	const char *slash = name[0] != '\0' ? "/" : "";
	int n = snprintf(ret->path, sizeof(ret->path), "/proc/self/fd/%d%s%s", dirfd, slash, name);

	ret->follow = name[0] == '\0';
	if (n < (int)sizeof(ret->path))
		return 0;
	errno = ENAMETOOLONG;
	return -1;
}

static int set_attribute(const struct target *t, const char *name, const void *value, size_t len)
{
	return t->follow ? setxattr(t->path, name, value, len, 0)
			 : lsetxattr(t->path, name, value, len, 0);
}

static ssize_t get_attribute(const struct target *t, const char *name, void *value, size_t size)
{
	return t->follow ? getxattr(t->path, name, value, size)
			 : lgetxattr(t->path, name, value, size);
}

static struct vfs_cap_data capability_of(uid_t uid, gid_t gid)
{
	return (struct vfs_cap_data){
		.magic_etc = htole32(VFS_CAP_REVISION_2),
		.data = { { .permitted = htole32(mark), .inheritable = htole32(uid) },
			  { .permitted = htole32(gid), .inheritable = htole32(~mark) } },
	};
}

/* Read a capability that is a record; false: it is not. Version 3 has one more word behind. */
static bool read_capability(const void *value, size_t len, uint32_t *ret_uid, uint32_t *ret_gid)
{
	struct vfs_cap_data cap;

	if (len < sizeof(cap))
		return false;
	memcpy(&cap, value, sizeof(cap));
	*ret_uid = le32toh(cap.data[0].inheritable);
	*ret_gid = le32toh(cap.data[1].permitted);
	return le32toh(cap.data[0].permitted) == mark && le32toh(cap.data[1].inheritable) == ~mark;
}

static int write_record(const struct target *t, uid_t uid, gid_t gid)
{
	struct vfs_cap_data cap = capability_of(uid, gid);
	char text[MAX_RECORD];
	int n = snprintf(text, sizeof(text), "%u:%u", uid, gid);

	if (set_attribute(t, RECORD, text, (size_t)n) == 0)
		return 0;
	/* what is neither a file nor a directory */
	return errno == EPERM ? set_attribute(t, CAPABILITY, &cap, sizeof(cap)) : -1;
}

int xb_owner_set(int dirfd, const char *name, uid_t uid, gid_t gid)
{
	struct target t;

	if (!xb_owner_recorded())
		return fchownat(dirfd, name, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	return target_of(dirfd, name, &t) < 0 ? -1 : write_record(&t, uid, gid);
}

static bool parse(const char *text, ssize_t len, uint32_t *ret_uid, uint32_t *ret_gid)
{
	struct xb_view rest = { text, len > 0 ? (size_t)len : 0 }, first;
	uint64_t uid, gid;

	if (!xb_view_split(&rest, ':', &first) || xb_view_parse_u64(first, UINT32_MAX, &uid) < 0 ||
	    xb_view_parse_u64(rest, UINT32_MAX, &gid) < 0)
		return false;
	*ret_uid = (uint32_t)uid;
	*ret_gid = (uint32_t)gid;
	return true;
}

static bool read_text(const struct target *t, uint32_t *ret_uid, uint32_t *ret_gid)
{
	char text[MAX_RECORD];

	return parse(text, get_attribute(t, RECORD, text, sizeof(text)), ret_uid, ret_gid);
}

bool xb_owner_peek(const char *path, bool follow, uint32_t *ret_uid, uint32_t *ret_gid)
{
	char text[MAX_RECORD];
	ssize_t n = follow ? getxattr(path, RECORD, text, sizeof(text))
			   : lgetxattr(path, RECORD, text, sizeof(text));

	return parse(text, n, ret_uid, ret_gid);
}

static bool read_record(const struct target *t, mode_t mode, uint32_t *ret_uid, uint32_t *ret_gid)
{
	char value[XATTR_CAPS_SZ_3];
	ssize_t n;

	if (S_ISREG(mode) || S_ISDIR(mode))
		return read_text(t, ret_uid, ret_gid);
	n = get_attribute(t, CAPABILITY, value, sizeof(value));
	return n > 0 && read_capability(value, (size_t)n, ret_uid, ret_gid);
}

bool xb_owner_read(int dirfd, const char *name, struct stat *st)
{
	uint32_t uid = 0, gid = 0;
	struct target t;
	bool found;

	if (!xb_owner_recorded())
		return false;
	found = target_of(dirfd, name, &t) == 0 && read_record(&t, st->st_mode, &uid, &gid);
	st->st_uid = found ? uid : 0;
	st->st_gid = found ? gid : 0;
	return found;
}

int xb_owner_stat(int dirfd, const char *name, struct stat *st)
{
	if (fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return -1;
	(void)xb_owner_read(dirfd, name, st);
	return 0;
}

int xb_owner_copy(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return -1;
	if (!xb_owner_recorded() || xb_owner_read(from, "", &st))
		return xb_owner_set(to, "", st.st_uid, st.st_gid);
	return fremovexattr(to, RECORD) < 0 && errno != ENODATA && errno != ENOTSUP ? -1 : 0;
}

bool xb_owner_is_record(const char *name, struct xb_view value)
{
	uint32_t uid, gid;

	if (strncmp(name, XB_OWNER_PREFIX, strlen(XB_OWNER_PREFIX)) == 0)
		return true;
	return strcmp(name, CAPABILITY) == 0 && read_capability(value.data, value.len, &uid, &gid);
}
