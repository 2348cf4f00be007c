/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/overlay.h"
#include "builder/sandbox/init.h"

/* The root has no device nodes that work: what a foreign image, or a step with CAP_MKNOD, calls
 * /x may be the machine's disk. Nodes can be made, and come out in the layer. */
static unsigned root_attributes(const struct xb_sandbox_spec *spec)
{
	return spec->insecure ? 0 : MOUNT_ATTR_NODEV;
}

/* The parts that the step's root is put together from. */
struct parts {
	const struct xb_sandbox_spec *spec;
	struct xb_strv empty;
	int *lowers;	    /* with one more at each end for the stubs */
	size_t lower_count; /* without those; at least 1, as an overlay needs one */
	int upper, work;
	int memory; /* of the stage: for stubs and a scratch upper too */
	int stubs;  /* a directory of it */
};

/* Where the stubs' layer goes. Below everything it changes nothing else; but there the image's
 * layers may hide it (a whiteout, an opaque directory), and then it has to be above. */
enum stub_layer { STUBS_NONE, STUBS_LOWEST, STUBS_TOP, STUB_LAYERS };

static int open_directory(const char *path, int *ret, struct xb_error *err)
{
	*ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? xb_error_errno(err, -errno, "opening %s", path) : 0;
}

static int open_in_memory(int memory, const char *name, int *ret, struct xb_error *err)
{
	if (mkdirat(memory, name, 0755) < 0)
		return xb_error_errno(err, -errno, "making a directory in memory");
	*ret = openat(memory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? xb_error_errno(err, -errno, "opening a directory in memory") : 0;
}

/*
 * A file system in memory. It is attached above "/", where no path of this process leads (its root
 * is what lies below): attached, because kernels before 6.15 take a layer, or clone a mount, from
 * nothing else.
 */
static int open_memory(int *ret, struct xb_error *err)
{
	static const struct init_option options[] = { { "mode", "0755" } };
	xb_auto_fd int top = -1;
	int r;

	*ret = init_mount_new("tmpfs", options, XB_COUNT(options),
			      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
	if (*ret < 0)
		return *ret;
	r = open_directory("/", &top, err);
	return r < 0 ? r : init_mount_attach(*ret, top, err);
}

static int open_upper(struct parts *p, struct xb_error *err)
{
	int r;

	if (p->spec->upper != NULL) {
		r = open_directory(p->spec->upper, &p->upper, err);
		return r < 0 ? r : open_directory(p->spec->work, &p->work, err);
	}
	if (!p->spec->scratch_upper)
		return 0;
	r = open_in_memory(p->memory, "upper", &p->upper, err);
	return r < 0 ? r : open_in_memory(p->memory, "work", &p->work, err);
}

static int open_parts(struct parts *p, struct xb_error *err)
{
	const struct xb_strv *lowers = &p->spec->lowers;
	int r = open_in_memory(p->memory, "stubs", &p->stubs, err);

	p->lower_count = lowers->len > 0 ? lowers->len : 1;
	p->lowers = xb_calloc(p->lower_count + 2, sizeof(*p->lowers));
	if (r >= 0 && lowers->len == 0)
		r = open_in_memory(p->memory, "nothing", &p->lowers[1], err);
	for (size_t i = 0; r >= 0 && i < lowers->len; i++)
		r = open_directory(lowers->items[i], &p->lowers[i + 1], err);
	return r < 0 ? r : open_upper(p, err);
}

/* The step's root as a detached mount. */
static int make_view(struct parts *p, enum stub_layer stubs, struct xb_error *err)
{
	struct xb_overlay o = {
		.lowers = p->lowers + 1,
		.lower_count = p->lower_count,
		.upper = p->upper,
		.work = p->work,
		/* Killed half-way a step runs again; done, the builder syncs its snapshot. */
		.lose_on_crash = p->upper >= 0,
		.attributes = root_attributes(p->spec),
	};

	if (stubs == STUBS_TOP) {
		p->lowers[0] = p->stubs;
		o.lowers--;
	} else if (stubs == STUBS_LOWEST) {
		p->lowers[o.lower_count + 1] = p->stubs;
	}
	o.lower_count += stubs != STUBS_NONE;
	if (o.lower_count == 1 && o.upper < 0)
		return init_mount_clone(o.lowers[0], "", o.attributes | MOUNT_ATTR_RDONLY, false,
					err);
	return xb_overlay_mount(&o, err);
}

static void add_place(struct init_places *places, const char *path, bool directory, bool exact)
{
	struct init_place *place = xb_array_push(places);

	place->path = xb_strdup(path);
	place->directory = directory;
	place->exact = exact;
}

static int add_mount_place(const struct init_outside *outside, size_t i,
			   const struct xb_sandbox_mount *m, struct init_places *places,
			   struct xb_error *err)
{
	struct stat st = { .st_mode = m->kind == XB_SANDBOX_FILE ? S_IFREG : S_IFDIR };

	if (m->kind == XB_SANDBOX_BIND && fstat(outside->binds[i], &st) < 0)
		return xb_error_errno(err, -errno, "the mount at %s", m->target);
	add_place(places, m->target, S_ISDIR(st.st_mode), false);
	return 0;
}

/* Everything that will be mounted, init_mounts_make()'s order: the three that every step has, the
 * specification's mounts, then the stubs that it only wants to see. */
static int list_places(const struct xb_sandbox_spec *spec, const struct init_outside *outside,
		       struct init_places *places, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; i < INIT_OWN_MOUNTS; i++)
		add_place(places, init_own_paths[i], true, true);
	for (size_t i = 0; r >= 0 && i < spec->mounts.len; i++)
		r = add_mount_place(outside, i, &spec->mounts.items[i], places, err);
	for (size_t i = 0; i < spec->stubs.len; i++) {
		const char *path = spec->stubs.items[i];
		size_t len = strlen(path);

		add_place(places, path, len > 0 && path[len - 1] == '/', false);
	}
	return r;
}

/* An overlay with `volatile` leaves a mark in its work directory, so that nobody uses what a crash
 * may have left; a view that was only looked at is made again. */
static void forget_view(int work)
{
	if (work < 0)
		return;
	(void)unlinkat(work, "work/incompat/volatile/dirty", 0);
	(void)unlinkat(work, "work/incompat/volatile", AT_REMOVEDIR);
	(void)unlinkat(work, "work/incompat", AT_REMOVEDIR);
}

static bool is_empty(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	int entries = 0;

	/* "." and "..", and one to know */
	while (dir != NULL && entries < 3 && readdir(dir) != NULL)
		entries++;
	if (dir != NULL)
		(void)closedir(dir);
	return entries == 2;
}

/* Make the view in one way; returns how many places it lacks. */
static int try_view(struct parts *p, enum stub_layer how, struct init_places *places, int *ret_view,
		    struct xb_error *err)
{
	/* closed first: two overlays must not share an upper directory */
	xb_cleanup_fd(ret_view);
	forget_view(p->work);
	*ret_view = make_view(p, how, err);
	if (*ret_view < 0)
		return xb_error_wrap(err, *ret_view, "putting the step's root together");
	return init_stubs_find(*ret_view, places, err);
}

/*
 * Nearly every image lacks some of the mount points, and an overlay that can be written to takes
 * long to make. So all are made in advance, below everything, where those that the image has hide
 * them. What is still missing then lies behind a link or a whiteout of the image, and one has to
 * look first, with an empty directory of stubs: a stub in the place of a link must never lie above
 * it.
 */
static int guess_view(struct parts *p, struct init_places *places, int *ret_view,
		      struct xb_error *err)
{
	bool made = init_stubs_make(-1, p->stubs, places, NULL) >= 0;
	int missing = made ? try_view(p, STUBS_LOWEST, places, ret_view, err) : 1;
	int r;

	if (missing <= 0)
		return missing;
	xb_cleanup_fd(&p->stubs);
	r = open_in_memory(p->memory, "stubs-again", &p->stubs, err);
	return r < 0 ? r : try_view(p, STUBS_NONE, places, ret_view, err);
}

/* Make the view, with stubs when something has no mount point otherwise. */
static int make_complete_view(struct parts *p, struct init_places *places, struct xb_error *err)
{
	bool guess = p->upper >= 0 && is_empty(p->upper) && init_stubs_can_guess(places);
	xb_auto_fd int view = -1;
	int missing = guess ? guess_view(p, places, &view, err)
			    : try_view(p, STUBS_NONE, places, &view, err);

	for (int how = STUBS_LOWEST; missing > 0 && how < STUB_LAYERS; how++) {
		int r = how == STUBS_LOWEST ? init_stubs_make(view, p->stubs, places, err) : 0;

		if (r < 0)
			return r;
		missing = try_view(p, (enum stub_layer)how, places, &view, err);
	}
	return missing < 0 ? missing : XB_STEAL_FD(view);
}

/* The step works in this directory, whatever the file system around it is mounted for. What is
 * locked in a user namespace stays. */
static void lift(int view, bool insecure)
{
	static const unsigned long flags[] = { MOUNT_ATTR_NOSUID, MOUNT_ATTR_NOEXEC,
					       MOUNT_ATTR_NODEV };

	for (size_t i = 0; i < XB_COUNT(flags) - !insecure; i++) {
		struct mount_attr attr = { .attr_clr = flags[i] };

		(void)mount_setattr(view, "", AT_EMPTY_PATH, &attr, sizeof(attr));
	}
}

/* The directory that is the step's root itself, as a mount with all mount points in it. */
static int make_plain_view(const struct xb_sandbox_spec *spec, struct init_places *places,
			   struct xb_error *err)
{
	xb_auto_fd int tree = -1;
	xb_auto_fd int view = -1;
	int r = open_directory(spec->tree, &tree, err);

	if (r < 0)
		return r;
	view = init_mount_clone(tree, "", root_attributes(spec), false, err);
	if (view < 0)
		return view;
	lift(view, spec->insecure);
	r = init_stubs_find(view, places, err);
	if (r > 0)
		r = init_points_make(view, spec->points, places, err);
	return r < 0 ? r : XB_STEAL_FD(view);
}

/* Which mount `path` relative to `dirfd` lies in; 0: unknown. */
static uint64_t mount_id(int dirfd, const char *path)
{
	struct statx stx;

	if (statx(dirfd, path, AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_MNT_ID, &stx) < 0)
		return 0;
	return stx.stx_mnt_id;
}

/* The machine's root now lies above the new one, at ".", and what was attached to it lies above
 * that. ".." at the root leads to whatever is on top, so it tells when all of that is gone. */
static int leave_old_root(int root, struct xb_error *err)
{
	enum { MOST_LAYERS = 64 };
	uint64_t own = mount_id(root, "");

	for (int i = 0; mount_id(AT_FDCWD, "/..") != own; i++) {
		if (own == 0 || i == MOST_LAYERS)
			return xb_error_set(err, -EXDEV, "the machine's root is still in reach");
		if (umount2(".", MNT_DETACH) < 0)
			return xb_error_errno(err, -errno, "leaving the machine's root");
	}
	return chdir("/") < 0 ? xb_error_errno(err, -errno, "entering /") : 0;
}

/*
 * Both the memory above "/" and what lies on that leave together with the machine's root when they
 * hang below a directory of it: each mount that is taken away alone waits for all processors. Where
 * there is no such directory they go one by one.
 */
static void hang_below(int memory)
{
	xb_auto_fd int proc = -1;

	if (open_directory("/proc", &proc, NULL) >= 0)
		(void)init_mount_attach(memory, proc, NULL);
}

/* Make the mount `root`, attached above "/", the root of this process, and leave the old one. */
static int pivot(int root, struct xb_error *err)
{
	char cwd[64];
	int r;

	if (fchdir(root) < 0)
		return xb_error_errno(err, -errno, "entering the step's root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return xb_error_errno(err, -errno, "pivoting to the step's root");
	r = leave_old_root(root, err);
	if (r >= 0 && (getcwd(cwd, sizeof(cwd)) == NULL || strcmp(cwd, "/") != 0))
		return xb_error_set(err, -EXDEV, "the step's root is not where it should be");
	return r;
}

static int attach_root(int view, struct xb_error *err)
{
	xb_auto_fd int top = -1;
	int r = open_directory("/", &top, err);

	return r < 0 ? r : init_mount_attach(view, top, err);
}

int init_root_begin(const struct xb_sandbox_spec *spec, struct init_outside *outside,
		    struct init_stage *ret, struct xb_error *err)
{
	int r;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return xb_error_errno(err, -errno, "making the mounts private");
	r = open_memory(&ret->memory, err);
	if (r >= 0)
		r = open_in_memory(ret->memory, "files", &ret->files, err);
	return r < 0 ? r : init_mounts_begin(spec, outside, ret, err);
}

int init_root_enter(const struct xb_sandbox_spec *spec, struct init_outside *outside,
		    const struct init_stage *stage, struct xb_error *err)
{
	struct parts p = { .spec = spec, .upper = -1, .work = -1, .memory = stage->memory };
	struct init_places places = { 0 };
	int view;
	int r = open_parts(&p, err);

	if (r >= 0)
		r = list_places(spec, outside, &places, err);
	if (r < 0)
		return r;
	view = spec->tree != NULL ? make_plain_view(spec, &places, err)
				  : make_complete_view(&p, &places, err);
	if (view < 0)
		return view;
	r = attach_root(view, err);
	if (r >= 0)
		r = init_mounts_make(spec, outside, view, stage, &places, err);
	if (r < 0)
		return r;
	hang_below(stage->memory);
	return pivot(view, err);
}
