/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/ground.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/owner.h"
#include "base/str.h"
#include "builder/solve/owner.h"

void xb_ground_clear(struct xb_ground *ground)
{
	for (size_t i = 0; i < ground->dirs.len; i++)
		free(ground->dirs.items[i].name);
	xb_array_clear(&ground->dirs);
	xb_strv_clear(&ground->warnings);
}

/* What the kernel does with such a name is not worth thinking about. */
static bool is_plain_name(struct xb_view name)
{
	return !xb_view_is(name, ".") && !xb_view_is(name, "..");
}

/* Go on into `name`, noting it: as xb_sight_enter(). */
static int step_into(struct xb_sight *place, const char *name, struct xb_ground *ground)
{
	struct xb_ground_dir *found;
	struct stat st;
	int r = xb_sight_enter(place, name, &st);

	if (r <= 0)
		return r;
	found = xb_array_push(&ground->dirs);
	*found = (struct xb_ground_dir){ .name = xb_strdup(name), .st = st };
	return 1;
}

bool xb_ground_find(const struct xb_sight *root, const char *destination, struct xb_ground *ret,
		    struct xb_sight *ret_place)
{
	struct xb_view rest = xb_view(destination);
	struct xb_view part;
	bool missing = false;

	if (xb_sight_copy(root, ret_place) < 0)
		return false;
	while (xb_view_split(&rest, '/', &part)) {
		xb_autofree char *name = xb_view_dup(part);
		int r;

		if (part.len == 0)
			continue;
		if (!is_plain_name(part))
			return false;
		r = missing ? 0 : step_into(ret_place, name, ret);
		if (r < 0)
			return false;
		missing = r == 0;
	}
	ret->complete = !missing;
	return true;
}

/* Lists of users, as a sight has them. */
struct lists {
	const struct xb_sight *root;
	bool doubtful;
};

static int read_list(void *context, const char *path, struct xb_str *text)
{
	struct lists *lists = context;
	int r = xb_sight_read(lists->root, path + 1, text);

	lists->doubtful = lists->doubtful || r < 0;
	return r;
}

bool xb_ground_own(const struct xb_sight *root, const char *owner, struct xb_ground *ret)
{
	struct lists lists = { .root = root };
	const struct xb_owner_files files = { read_list, &lists };

	/* a number, or root, is the same in every tree */
	if (xb_owner_resolve(NULL, owner, &ret->uid, &ret->gid, NULL, NULL) >= 0)
		return true;
	ret->named =
		xb_owner_resolve(&files, owner, &ret->uid, &ret->gid, &ret->warnings, NULL) >= 0;
	return ret->named && !lists.doubtful;
}

void xb_ground_hash(const struct xb_ground *ground, struct xb_hasher *h)
{
	xb_hasher_number(h, ground->complete);
	xb_hasher_number(h, ground->dirs.len);
	for (size_t i = 0; i < ground->dirs.len; i++) {
		const struct stat *st = &ground->dirs.items[i].st;
		bool innermost = i + 1 == ground->dirs.len;

		xb_hasher_number(h, st->st_mode);
		xb_hasher_number(h, st->st_uid);
		xb_hasher_number(h, st->st_gid);
		xb_hasher_number(h, innermost ? 0 : (uint64_t)st->st_mtim.tv_sec);
		xb_hasher_number(h, innermost ? 0 : (uint64_t)st->st_mtim.tv_nsec);
	}
	if (!ground->named)
		return;
	xb_hasher_number(h, ground->uid);
	xb_hasher_number(h, ground->gid);
}

static int make_one(int *dir, const struct xb_ground_dir *wanted)
{
	int fd;

	if (mkdirat(*dir, wanted->name, 0700) < 0)
		return -errno;
	fd = openat(*dir, wanted->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	xb_cleanup_fd(dir);
	*dir = fd;
	if (xb_owner_set(fd, "", wanted->st.st_uid, wanted->st.st_gid) < 0 ||
	    fchmod(fd, wanted->st.st_mode & 07777) < 0)
		return -errno;
	return 0;
}

/* Innermost first: each time is set when nothing more is made inside. */
static int set_times(const struct xb_ground *ground, int dir)
{
	xb_auto_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = ground->dirs.len; i > 0; i--) {
		const struct timespec time = ground->dirs.items[i - 1].st.st_mtim;
		int up;

		if (fd < 0 || futimens(fd, (const struct timespec[]){ time, time }) < 0)
			return -errno;
		up = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		xb_cleanup_fd(&fd);
		fd = up;
	}
	return 0;
}

int xb_ground_make(const struct xb_ground *ground, int root, struct xb_error *err)
{
	xb_auto_fd int dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : 0;

	for (size_t i = 0; r == 0 && i < ground->dirs.len; i++)
		r = make_one(&dir, &ground->dirs.items[i]);
	if (r == 0)
		r = set_times(ground, dir);
	return r < 0 ? xb_error_errno(err, r, "making the directories on the way") : 0;
}

int xb_ground_unmake(const struct xb_ground *ground, int root, struct xb_error *err)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < ground->dirs.len; i++)
		xb_str_printf(&path, "%s%s", i > 0 ? "/" : "", ground->dirs.items[i].name);
	for (size_t i = ground->dirs.len; i > 0; i--) {
		if (unlinkat(root, xb_str_text(&path), AT_REMOVEDIR) < 0)
			return errno == ENOTEMPTY ? 0
						  : xb_error_errno(err, -errno,
								   "removing %s, which got nothing",
								   xb_str_text(&path));
		if (i > 1)
			xb_str_truncate(&path,
					path.len - strlen(ground->dirs.items[i - 1].name) - 1);
	}
	return 0;
}
