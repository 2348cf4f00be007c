/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source: the lookup of moby/sys/user GetExecUser(), which Docker's USER follows; the primary
 * group is among the supplementary ones, as containerd has it since CVE-2022-36109.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "builder/sandbox/init.h"

/* Most bytes of a passwd or group file that are read: real ones have some thousand lines. */
#define MAX_ACCOUNTS ((size_t)10 << 20)
/* Ids above are refused by Docker as well. */
#define MAX_ID UINT64_C(2147483647)

enum { FIELDS = 7 };

/* A line of passwd or group, cut at its colons. */
struct entry {
	struct xb_view fields[FIELDS];
	size_t count;
};

enum { NAME = 0, ID = 2, GROUP_MEMBERS = 3, USER_GROUP = 3, USER_HOME = 5 };

static int open_accounts(int root, const char *path, struct xb_error *err)
{
	struct stat st;
	xb_auto_fd int fd = xb_open_in_root(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, err);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "%s in the image", path);
	if (!S_ISREG(st.st_mode))
		return xb_error_set(err, -EINVAL, "%s in the image is not a regular file", path);
	return XB_STEAL_FD(fd);
}

/* A missing file is an empty one. */
static int read_accounts(int root, const char *path, struct xb_str *text, struct xb_error *err)
{
	xb_auto_fd int fd = -1;
	int r;

	fd = open_accounts(root, path, err);
	if (fd == -ENOENT || fd == -ENOTDIR) {
		xb_error_clear(err);
		return 0;
	}
	if (fd < 0)
		return fd;
	r = xb_file_read_fd(fd, text, err);
	return r < 0 ? xb_error_wrap(err, r, "%s in the image", path) : 0;
}

static bool next_entry(struct xb_view *rest, struct entry *ret)
{
	struct xb_view line;

	if (!xb_view_split(rest, '\n', &line))
		return false;
	*ret = (struct entry){ 0 };
	while (ret->count < FIELDS && xb_view_split(&line, ':', &ret->fields[ret->count]))
		ret->count++;
	return true;
}

static bool number(struct xb_view text, uint64_t *ret)
{
	return xb_view_parse_u64(text, MAX_ID, ret) == 0;
}

/* The first line whose name is `wanted`, else the first whose number it is. */
static bool find_entry(const struct xb_str *text, struct xb_view wanted, struct entry *ret)
{
	struct xb_view rest = xb_str_view(text);
	uint64_t wanted_id, id;
	bool numeric = number(wanted, &wanted_id);
	bool found = false;
	struct entry e;

	while (next_entry(&rest, &e)) {
		if (e.count <= ID || !number(e.fields[ID], &id))
			continue;
		if (xb_view_eq(e.fields[NAME], wanted)) {
			*ret = e;
			return true;
		}
		if (!found && numeric && id == wanted_id) {
			*ret = e;
			found = true;
		}
	}
	return found;
}

static int unknown(const char *what, struct xb_view name, struct xb_error *err)
{
	(void)xb_error_set(err, -ENOENT, "no %s \"%.*s\" in the image", what, XB_VIEW_ARGS(name));
	return xb_error_hint(err, "create it in an earlier step, or give its number");
}

static int find_user(const struct xb_str *passwd, struct xb_view wanted, struct init_user *user,
		     struct xb_view *ret_name, struct xb_error *err)
{
	struct entry e;
	uint64_t id = 0, gid = 0;

	if (!find_entry(passwd, wanted, &e)) {
		if (!number(wanted, &id))
			return unknown("user", wanted, err);
		user->uid = (uid_t)id;
		user->home = xb_strdup(id == 0 ? "/root" : "/");
		return 0;
	}
	(void)number(e.fields[ID], &id);
	if (e.count > USER_GROUP)
		(void)number(e.fields[USER_GROUP], &gid);
	user->uid = (uid_t)id;
	user->gid = (gid_t)gid;
	user->home = e.count > USER_HOME && e.fields[USER_HOME].len > 0
			     ? xb_view_dup(e.fields[USER_HOME])
			     : xb_strdup("/");
	*ret_name = e.fields[NAME];
	return 0;
}

static int find_group(const struct xb_str *groups, struct xb_view wanted, struct init_user *user,
		      struct xb_error *err)
{
	struct entry e;
	uint64_t id = 0;

	if (find_entry(groups, wanted, &e))
		(void)number(e.fields[ID], &id);
	else if (!number(wanted, &id))
		return unknown("group", wanted, err);
	user->gid = (gid_t)id;
	return 0;
}

static void add_gid(struct init_user *user, gid_t gid)
{
	for (size_t i = 0; i < user->gids.len; i++) {
		if (user->gids.items[i] == gid)
			return;
	}
	*xb_array_push(&user->gids) = gid;
}

/* The groups that name the user as a member. */
static void find_memberships(const struct xb_str *groups, struct xb_view name,
			     struct init_user *user)
{
	struct xb_view rest = xb_str_view(groups);
	struct entry e;

	while (next_entry(&rest, &e)) {
		struct xb_view members, member;
		uint64_t id;

		if (e.count <= GROUP_MEMBERS || !number(e.fields[ID], &id))
			continue;
		members = e.fields[GROUP_MEMBERS];
		while (xb_view_split(&members, ',', &member)) {
			if (member.len > 0 && xb_view_eq(member, name))
				add_gid(user, (gid_t)id);
		}
	}
}

static int find_in(const struct xb_str *passwd, const struct xb_str *groups, struct xb_view text,
		   struct init_user *user, struct xb_error *err)
{
	struct xb_view rest = text, name = { NULL, 0 }, wanted_user, wanted_group = { NULL, 0 };
	int r;

	(void)xb_view_split(&rest, ':', &wanted_user);
	if (rest.data != NULL)
		wanted_group = rest;
	if (wanted_user.len == 0)
		wanted_user = XB_VIEW("0");
	r = find_user(passwd, wanted_user, user, &name, err);
	if (r >= 0 && wanted_group.len > 0)
		r = find_group(groups, wanted_group, user, err);
	if (r < 0)
		return r;
	add_gid(user, user->gid);
	if (wanted_group.len == 0 && name.len > 0)
		find_memberships(groups, name, user);
	return 0;
}

int init_user_find(int root, const char *text, struct init_user *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str passwd = XB_STR_INIT(MAX_ACCOUNTS);
	xb_auto_str struct xb_str groups = XB_STR_INIT(MAX_ACCOUNTS);
	struct init_user user = { 0 };
	int r = read_accounts(root, "/etc/passwd", &passwd, err);

	if (r >= 0)
		r = read_accounts(root, "/etc/group", &groups, err);
	if (r >= 0)
		r = find_in(&passwd, &groups, xb_view(text), &user, err);
	if (r < 0) {
		init_user_clear(&user);
		return xb_error_fault(err, XB_FAULT_STEP);
	}
	*ret = user;
	return 0;
}

void init_user_clear(struct init_user *user)
{
	free(user->home);
	xb_array_clear(&user->gids);
	*user = (struct init_user){ 0 };
}
