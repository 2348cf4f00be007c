/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "builder/sandbox/cgroup_places.h"

/* What our groups' names begin with. */
#define PREFIX "xbuild-"
/* The group that the builder itself moves into, when it must leave the one above the steps'. */
#define BUILDER PREFIX "builder"
/* The kernel's small files. */
#define MAX_FILE ((size_t)1 << 20)
/* The last process of a group may still be on its way out: how long to wait for it, in ms. */
#define REMOVE_MS 2000
/* A name may be another builder's, of the same number in another pid namespace. */
#define MOST_TRIES 64

/* A hierarchy that steps get a group in. */
struct hierarchy {
	bool v2;
	char *path; /* of the group that the steps' are made in */
	int fd;
	unsigned controllers; /* mask of 1 << XB_CONTROLLER_x: those that are here */
	unsigned needed;      /* mask: those that limit something */
};

struct xb_cgroups {
	const struct xb_resources *resources;
	struct hierarchy items[XB_CONTROLLER_COUNT];
	size_t len;
	struct xb_strv made; /* groups that opening has made, in order */
	int left;	     /* v2: the group that the builder has moved out of; -1: none */
	_Atomic unsigned next;
};

struct xb_cgroup {
	struct xb_cgroups *cgroups;
	char name[64];
	int fds[XB_CONTROLLER_COUNT]; /* its directories, locked; -1: not made */
};

/* ---- files of a group --------------------------------------------------------------------- */

static int write_value(int group, const char *file, const char *value)
{
	xb_auto_fd int fd = openat(group, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : write(fd, value, strlen(value));

	return n < 0 ? -errno : 0;
}

static bool read_value(int group, const char *file, struct xb_str *ret)
{
	xb_str_reset(ret);
	return xb_file_read_at(group, file, ret, NULL) == 0;
}

/* The number that stands behind `key` in a file of "key number" lines. */
static uint64_t read_event(int group, const char *file, const char *key)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_FILE);
	struct xb_view rest, line, word;
	uint64_t number = 0;

	if (!read_value(group, file, &text))
		return 0;
	rest = xb_str_view(&text);
	while (xb_view_split(&rest, '\n', &line)) {
		if (xb_view_split(&line, ' ', &word) && xb_view_is(word, key))
			(void)xb_view_parse_u64(line, UINT64_MAX, &number);
	}
	return number;
}

/* Whether the group holds this process and no other. */
static bool alone_in(int group)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_FILE);
	xb_autofree char *own = xb_format("%d", getpid());

	return read_value(group, "cgroup.procs", &text) &&
	       xb_view_is(xb_view_trim(xb_str_view(&text)), own);
}

/* Remove a group once it is empty. */
static void remove_group(int base, const char *name)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < REMOVE_MS; i++) {
		if (unlinkat(base, name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			break;
		(void)nanosleep(&pause, NULL);
	}
}

static int open_group(int base, const char *name)
{
	return openat(base, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* ---- where groups can be made ------------------------------------------------------------- */

static int impossible(struct xb_error *err)
{
	(void)xb_error_hint(err, "start xbuild in a group of its own (systemd-run --user --scope "
				 "-p Delegate=yes xbuild …), or name a writable one with "
				 "--cgroup-parent; a container needs /sys/fs/cgroup writable");
	return xb_error_fault(err, XB_FAULT_PLATFORM);
}

static int no_controller(enum xb_controller controller, struct xb_error *err)
{
	(void)xb_error_set(err, -ENOTSUP, "no control group has the controller %s here",
			   xb_controller_name(controller));
	return impossible(err);
}

/* A new group of v1's cpuset has no processors and no memory, and nothing can run in it: it gets
 * those of the group above. */
static int inherit_sets(const struct hierarchy *h, int above, int group)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	xb_auto_str struct xb_str value = XB_STR_INIT(MAX_FILE);
	int r = 0;

	if (h->v2 || (h->controllers >> XB_CONTROLLER_CPUSET & 1) == 0)
		return 0;
	for (size_t i = 0; r == 0 && i < XB_COUNT(files); i++)
		r = read_value(above, files[i], &value)
			    ? write_value(group, files[i], xb_str_text(&value))
			    : -EIO;
	return r;
}

/* Let the children of a v2 group have controllers. */
static int enable(int group, unsigned controllers)
{
	xb_auto_str struct xb_str enabled = XB_STR_INIT(MAX_FILE);
	int r = 0;

	if (!read_value(group, "cgroup.subtree_control", &enabled))
		return -EACCES;
	for (unsigned c = 0; r == 0 && c < XB_CONTROLLER_COUNT; c++) {
		const char *name = xb_controller_name((enum xb_controller)c);
		xb_autofree char *word = xb_format("+%s", name);

		if ((controllers >> c & 1) != 0 && !xb_cgroup_has_word(xb_str_view(&enabled), name))
			r = write_value(group, "cgroup.subtree_control", word);
	}
	return r;
}

/* A v2 group with processes in it cannot have children with controllers: the builder goes into a
 * child of its own, if nobody else is there. */
static int move_out(struct xb_cgroups *cgroups, const char *path, int group)
{
	xb_auto_fd int child = -1;
	int r;

	if (!alone_in(group))
		return -EBUSY;
	if (mkdirat(group, BUILDER, 0755) < 0 && errno != EEXIST)
		return -errno;
	child = open_group(group, BUILDER);
	r = child < 0 ? -errno : write_value(child, "cgroup.procs", "0");
	if (r < 0)
		return r;
	xb_strv_printf(&cgroups->made, "%s/%s", path, BUILDER);
	cgroups->left = fcntl(group, F_DUPFD_CLOEXEC, 0);
	return 0;
}

/* Whether children with the controllers can be made in the group `path`; opens it. */
static int try_base(struct xb_cgroups *cgroups, struct hierarchy *h, const char *path, bool move)
{
	xb_auto_fd int group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (group < 0 || faccessat(group, ".", W_OK, AT_EACCESS) < 0)
		return -errno;
	if (h->v2)
		r = enable(group, h->needed);
	if (r == -EBUSY && move) {
		r = move_out(cgroups, path, group);
		if (r == 0)
			r = enable(group, h->needed);
	}
	if (r < 0)
		return r;
	h->path = xb_strdup(path);
	h->fd = XB_STEAL_FD(group);
	return 0;
}

/* Make the group `path` in the group open at `above`, unless it is there. */
static int make_group(struct xb_cgroups *cgroups, const struct hierarchy *h, int above,
		      const char *path)
{
	xb_auto_fd int group = -1;

	if (mkdir(path, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	xb_strv_push(&cgroups->made, path);
	group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return group < 0 ? -errno : inherit_sets(h, above, group);
}

/* Make what is missing of the group below `mount` that the user has named, and pass the controllers
 * down to it. */
static int make_parent(struct xb_cgroups *cgroups, const struct hierarchy *h, const char *mount,
		       const char *parent, char **ret)
{
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(parent), name;
	int r = 0;

	(void)xb_str_puts(&path, mount);
	while (r >= 0 && xb_view_split(&rest, '/', &name)) {
		xb_auto_fd int above = open(xb_str_text(&path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (name.len == 0 || xb_view_is(name, "."))
			continue;
		r = above < 0 ? -errno : h->v2 ? enable(above, h->needed) : 0;
		(void)xb_str_printf(&path, "/%.*s", XB_VIEW_ARGS(name));
		if (r == 0)
			r = make_group(cgroups, h, above, xb_str_text(&path));
	}
	*ret = xb_str_steal(&path);
	return r;
}

/* A controller that the v2 group `path` has not been given itself, though it is needed. */
static int no_delegation(const struct hierarchy *h, const char *path, struct xb_error *err)
{
	xb_auto_str struct xb_str list = XB_STR_INIT(MAX_FILE);
	xb_auto_fd int group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!h->v2 || group < 0 || !read_value(group, "cgroup.controllers", &list))
		return 0;
	for (unsigned c = 0; c < XB_CONTROLLER_COUNT; c++) {
		const char *name = xb_controller_name((enum xb_controller)c);

		if ((h->needed >> c & 1) == 0 || xb_cgroup_has_word(xb_str_view(&list), name))
			continue;
		(void)xb_error_set(err, -ENOTSUP,
				   "the control group %s has not been given the controller %s",
				   path, name);
		(void)xb_error_hint(err, "under systemd: Delegate=%s for user@.service", name);
		return xb_error_fault(err, XB_FAULT_PLATFORM);
	}
	return 0;
}

static int find_base(struct xb_cgroups *cgroups, struct hierarchy *h,
		     const struct xb_cgroup_mount *mount, const char *parent, struct xb_error *err)
{
	xb_autofree char *named = NULL;
	int r;

	if (parent != NULL) {
		r = make_parent(cgroups, h, mount->path, parent, &named);
		if (r == 0)
			r = try_base(cgroups, h, named, false);
	} else {
		r = try_base(cgroups, h, mount->own, true);
		if (r < 0 && strcmp(mount->own, mount->path) != 0 &&
		    try_base(cgroups, h, mount->path, false) == 0)
			r = 0;
	}
	if (r == 0 || no_delegation(h, named != NULL ? named : mount->own, err) < 0)
		return r;
	(void)xb_error_errno(err, r, "no control group can be made below %s",
			     named != NULL ? named : mount->own);
	return impossible(err);
}

/* ---- which hierarchies are used ----------------------------------------------------------- */

/* The hierarchy of a mount in the list, added when it is new. */
static struct hierarchy *add_hierarchy(struct xb_cgroups *cgroups, struct xb_cgroup_mount *mounts,
				       struct xb_cgroup_mount *mount)
{
	struct hierarchy *h;

	for (size_t i = 0; i < cgroups->len; i++) {
		if (strcmp(mounts[i].path, mount->path) == 0)
			return &cgroups->items[i];
	}
	h = &cgroups->items[cgroups->len];
	*h = (struct hierarchy){ .v2 = mount->v2, .fd = -1 };
	mounts[cgroups->len++] = *mount;
	*mount = (struct xb_cgroup_mount){ 0 };
	return h;
}

/* Where a controller is: v2's own list says whether it is there, and not with v1. */
static bool find_controller(const struct xb_cgroup_places *places, const char *name,
			    struct xb_cgroup_mount *ret)
{
	xb_auto_str struct xb_str list = XB_STR_INIT(MAX_FILE);
	xb_auto_cgroup_mount struct xb_cgroup_mount v2 = { 0 };
	xb_auto_fd int root = -1;

	if (xb_cgroup_find_v2(places, &v2)) {
		root = open(v2.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root >= 0 && read_value(root, "cgroup.controllers", &list) &&
		    xb_cgroup_has_word(xb_str_view(&list), name)) {
			*ret = v2;
			v2 = (struct xb_cgroup_mount){ 0 };
			return true;
		}
	}
	return xb_cgroup_find_v1(places, name, ret);
}

static void add_controller(struct hierarchy *h, enum xb_controller c, bool needed)
{
	h->controllers |= 1U << c;
	h->needed |= needed ? 1U << c : 0;
}

static int add_controllers(struct xb_cgroups *cgroups, const struct xb_cgroup_places *places,
			   struct xb_cgroup_mount *mounts, bool all, struct xb_error *err)
{
	for (unsigned i = 0; i < XB_CONTROLLER_COUNT; i++) {
		enum xb_controller c = (enum xb_controller)i;
		xb_auto_cgroup_mount struct xb_cgroup_mount mount = { 0 };
		bool needed = xb_resources_need(cgroups->resources, c);

		if (!needed && !all)
			continue;
		if (find_controller(places, xb_controller_name(c), &mount))
			add_controller(add_hierarchy(cgroups, mounts, &mount), c, needed);
		else if (needed)
			return no_controller(c, err);
	}
	return 0;
}

static int find_bases(struct xb_cgroups *cgroups, const struct xb_cgroup_places *places,
		      const char *parent, struct xb_error *err)
{
	struct xb_cgroup_mount mounts[XB_CONTROLLER_COUNT] = { 0 };
	/* With a parent alone the step is to be in it wherever that group is. */
	int r = add_controllers(cgroups, places, mounts, parent != NULL, err);

	if (r == 0 && cgroups->len == 0) {
		(void)xb_error_set(err, -ENOTSUP, "no control groups are mounted here");
		r = impossible(err);
	}
	for (size_t i = 0; r == 0 && i < cgroups->len; i++)
		r = find_base(cgroups, &cgroups->items[i], &mounts[i], parent, err);
	for (size_t i = 0; i < XB_CONTROLLER_COUNT; i++)
		xb_cgroup_mount_clear(&mounts[i]);
	return r;
}

/* ---- what others have left ---------------------------------------------------------------- */

/* A group whose directory nobody has locked has no builder any more. */
static void reap(const struct hierarchy *h, const char *name)
{
	xb_auto_fd int group = open_group(h->fd, name);

	if (group < 0 || flock(group, LOCK_EX | LOCK_NB) < 0)
		return;
	(void)write_value(group, "cgroup.kill", "1");
	(void)unlinkat(h->fd, name, AT_REMOVEDIR);
}

static void reap_all(const struct hierarchy *h)
{
	xb_auto_fd int fd = open_group(h->fd, ".");
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (dir == NULL)
		return;
	fd = -1; /* the directory stream's now */
	while ((e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 &&
		    strcmp(e->d_name, BUILDER) != 0)
			reap(h, e->d_name);
	}
	(void)closedir(dir);
}

static int try_one(struct xb_cgroups *cgroups, struct xb_error *err)
{
	xb_auto_cgroup struct xb_cgroup *cgroup = NULL;

	for (size_t i = 0; i < cgroups->len; i++)
		reap_all(&cgroups->items[i]);
	return xb_cgroup_new(cgroups, &cgroup, err);
}

static int read_places(struct xb_str *mounts, struct xb_str *own, struct xb_error *err)
{
	int r = xb_file_read("/proc/self/mountinfo", mounts, err);

	return r < 0 ? r : xb_file_read("/proc/self/cgroup", own, err);
}

/* It would lead out of the hierarchy. */
static int check_parent(const char *parent, struct xb_error *err)
{
	struct xb_view rest = xb_view(parent), name;

	while (parent != NULL && xb_view_split(&rest, '/', &name)) {
		if (!xb_view_is(name, ".."))
			continue;
		(void)xb_error_set(err, -EINVAL, "--cgroup-parent %s: \"..\" is not allowed",
				   parent);
		(void)xb_error_hint(err, "give a path from the root of the hierarchies");
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	return 0;
}

int xb_cgroups_open(const struct xb_cgroup_places *places, const struct xb_resources *resources,
		    const char *parent, struct xb_cgroups **ret, struct xb_error *err)
{
	xb_auto_cgroups struct xb_cgroups *cgroups = xb_calloc(1, sizeof(*cgroups));
	xb_auto_str struct xb_str mounts = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str own = XB_STR_INIT(XB_STR_OWN);
	struct xb_cgroup_places machine;
	int r = check_parent(parent, err);

	cgroups->resources = resources;
	cgroups->left = -1;
	if (r == 0 && places == NULL) {
		r = read_places(&mounts, &own, err);
		machine = (struct xb_cgroup_places){ xb_str_view(&mounts), xb_str_view(&own) };
		places = &machine;
	}
	if (r == 0)
		r = find_bases(cgroups, places, parent, err);
	if (r == 0)
		r = try_one(cgroups, err);
	if (r < 0)
		return xb_error_wrap(err, r, "limiting what steps use");
	*ret = XB_STEAL(cgroups);
	return 0;
}

/* Back into the group that it was started in, which then must not pass controllers down. */
static void move_back(struct xb_cgroups *cgroups)
{
	for (unsigned c = 0; c < XB_CONTROLLER_COUNT; c++) {
		xb_autofree char *word =
			xb_format("-%s", xb_controller_name((enum xb_controller)c));

		(void)write_value(cgroups->left, "cgroup.subtree_control", word);
	}
	(void)write_value(cgroups->left, "cgroup.procs", "0");
	xb_cleanup_fd(&cgroups->left);
}

void xb_cgroups_free(struct xb_cgroups *cgroups)
{
	if (cgroups == NULL)
		return;
	if (cgroups->left >= 0)
		move_back(cgroups);
	for (size_t i = 0; i < cgroups->len; i++) {
		xb_cleanup_fd(&cgroups->items[i].fd);
		free(cgroups->items[i].path);
	}
	/* the last made is the deepest; one that others use meanwhile stays */
	for (size_t i = cgroups->made.len; i > 0; i--)
		(void)rmdir(cgroups->made.items[i - 1]);
	xb_strv_clear(&cgroups->made);
	free(cgroups);
}

/* ---- a step's group ----------------------------------------------------------------------- */

static int refused(const char *file, const char *value, int r, struct xb_error *err)
{
	if (r == -ENOENT) {
		(void)xb_error_set(err, r, "this kernel's control groups have no %s", file);
		return xb_error_fault(err, XB_FAULT_PLATFORM);
	}
	(void)xb_error_errno(err, r, "setting %s to %s", file, value);
	if (r == -EINVAL || r == -ERANGE || r == -ENOSPC || r == -EBUSY) {
		(void)xb_error_hint(err, "the machine does not have that, or takes no such value");
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	return impossible(err);
}

static int apply(const struct xb_cgroups *cgroups, const struct hierarchy *h, int group,
		 struct xb_error *err)
{
	struct xb_cgroup_settings settings = { 0 };
	int r = 0;

	for (unsigned c = 0; c < XB_CONTROLLER_COUNT; c++) {
		if ((h->needed >> c & 1) != 0)
			xb_resources_settings(cgroups->resources, (enum xb_controller)c, h->v2,
					      &settings);
	}
	r = inherit_sets(h, h->fd, group);
	if (r < 0)
		r = xb_error_errno(err, r, "giving a control group its processors");
	for (size_t i = 0; r == 0 && i < settings.len; i++) {
		const struct xb_cgroup_setting *s = &settings.items[i];

		r = write_value(group, s->file, s->value);
		if (r < 0)
			r = refused(s->file, s->value, r, err);
	}
	xb_cgroup_settings_clear(&settings);
	return r;
}

/* Make a directory of the group's name and lock it. Who reaps may have been faster: -EAGAIN. */
static int make_locked(int base, const char *name)
{
	xb_auto_fd int group = -1;

	if (mkdirat(base, name, 0755) < 0)
		return errno == EEXIST ? -EAGAIN : -errno;
	group = open_group(base, name);
	if (group < 0 || flock(group, LOCK_EX | LOCK_NB) < 0 ||
	    faccessat(base, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return -EAGAIN;
	return XB_STEAL_FD(group);
}

static int make_all(struct xb_cgroup *cgroup)
{
	const struct xb_cgroups *cgroups = cgroup->cgroups;

	for (size_t i = 0; i < cgroups->len; i++) {
		cgroup->fds[i] = make_locked(cgroups->items[i].fd, cgroup->name);
		if (cgroup->fds[i] < 0)
			return cgroup->fds[i];
	}
	return 0;
}

static void remove_all(struct xb_cgroup *cgroup)
{
	for (size_t i = 0; i < cgroup->cgroups->len; i++) {
		if (cgroup->fds[i] < 0)
			continue;
		(void)write_value(cgroup->fds[i], "cgroup.kill", "1");
		remove_group(cgroup->cgroups->items[i].fd, cgroup->name);
		xb_cleanup_fd(&cgroup->fds[i]);
	}
}

static int make_named(struct xb_cgroup *cgroup, struct xb_error *err)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < MOST_TRIES; i++) {
		(void)snprintf(cgroup->name, sizeof(cgroup->name), PREFIX "%d-%u", getpid(),
			       atomic_fetch_add(&cgroup->cgroups->next, 1));
		r = make_all(cgroup);
		if (r < 0)
			remove_all(cgroup);
	}
	if (r == 0)
		return 0;
	(void)xb_error_errno(err, r, "making a control group below %s",
			     cgroup->cgroups->items[0].path);
	return impossible(err);
}

int xb_cgroup_new(struct xb_cgroups *cgroups, struct xb_cgroup **ret, struct xb_error *err)
{
	xb_auto_cgroup struct xb_cgroup *cgroup = xb_calloc(1, sizeof(*cgroup));
	int r;

	cgroup->cgroups = cgroups;
	for (size_t i = 0; i < XB_COUNT(cgroup->fds); i++)
		cgroup->fds[i] = -1;
	r = make_named(cgroup, err);
	for (size_t i = 0; r == 0 && i < cgroups->len; i++)
		r = apply(cgroups, &cgroups->items[i], cgroup->fds[i], err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(cgroup);
	return 0;
}

void xb_cgroup_paths(const struct xb_cgroup *cgroup, struct xb_strv *ret)
{
	for (size_t i = 0; i < cgroup->cgroups->len; i++)
		xb_strv_printf(ret, "%s/%s", cgroup->cgroups->items[i].path, cgroup->name);
}

struct xb_cgroup_events xb_cgroup_events(const struct xb_cgroup *cgroup)
{
	struct xb_cgroup_events events = { 0 };

	for (size_t i = 0; i < cgroup->cgroups->len; i++) {
		const struct hierarchy *h = &cgroup->cgroups->items[i];
		int fd = cgroup->fds[i];

		if ((h->needed >> XB_CONTROLLER_MEMORY & 1) != 0)
			events.oom_kills += read_event(
				fd, h->v2 ? "memory.events" : "memory.oom_control", "oom_kill");
		if ((h->needed >> XB_CONTROLLER_PIDS & 1) != 0)
			events.refused += read_event(fd, "pids.events", "max");
	}
	return events;
}

void xb_cgroup_free(struct xb_cgroup *cgroup)
{
	if (cgroup == NULL)
		return;
	remove_all(cgroup);
	free(cgroup);
}
