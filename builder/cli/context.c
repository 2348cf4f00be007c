/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/context.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/url.h"
#include "builder/fetch/archive.h"
#include "builder/fetch/git.h"
#include "builder/fetch/http.h"
#include "builder/plan/fetch.h"

#define KEEP_GIT_DIR "BUILDKIT_CONTEXT_KEEP_GIT_DIR"

/* What a Dockerfile that nobody named is called; the second, where there is none of the first. */
static const char *const default_names[] = { "Dockerfile", "dockerfile" };

/* What is being opened. */
struct opening {
	const struct xb_context_request *request;
	const char *operand; /* the context, as given */
	const char *file;    /* -f, or NULL */
	bool read;	     /* the Dockerfile was read */
	struct xb_opened *ret;
};

void xb_opened_clear(struct xb_opened *opened)
{
	xb_context_free(opened->context);
	xb_str_clear(&opened->text);
	free(opened->name);
	*opened = XB_OPENED_INIT;
}

static char *shown(const char *url)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_url_append_shown(&text, url);
	return xb_str_steal(&text);
}

/* ---- the tree ------------------------------------------------------------------------------ */

static bool is_host_path(const char *file)
{
	return file != NULL && file[0] == '/';
}

/* The other name that a Dockerfile of the path `file` may have, malloc()ed, or NULL. */
static char *other_name(const char *file)
{
	const char *slash = strrchr(file, '/');
	const char *name = slash != NULL ? slash + 1 : file;

	if (strcmp(name, default_names[0]) != 0)
		return NULL;
	return xb_format("%.*s%s", (int)(name - file), file, default_names[1]);
}

/* The file of -f inside a context that is no directory of this machine; NULL: it has none there. */
static const char *inside(const struct opening *o)
{
	if (o->read || is_host_path(o->file))
		return NULL;
	return o->file != NULL ? o->file : default_names[0];
}

/* The context is a tree of the store. */
static int open_tree(const struct opening *o, const struct xb_snapshot *snapshot,
		     struct xb_error *err)
{
	xb_autofree char *name = shown(o->operand);
	xb_auto_fd int dirfd = -1;
	int r = xb_snapshot_open(o->request->store, snapshot, &dirfd, err);

	if (r < 0)
		return r;
	return xb_context_open_tree(XB_STEAL_FD(dirfd), name,
				    !o->read && inside(o) == NULL ? o->file : NULL, inside(o),
				    &o->ret->context, err);
}

/* A Dockerfile alone: nothing can be copied. The snapshot goes with this process's lease. */
static int open_empty(const struct opening *o, struct xb_error *err)
{
	struct xb_snapshot snapshot;
	int r = xb_snapshot_begin(o->request->store, &snapshot, err);

	return r < 0 ? r : open_tree(o, &snapshot, err);
}

static int open_git(struct opening *o, struct xb_error *err)
{
	const struct xb_context_request *request = o->request;
	struct xb_fetch_options options = *request->fetch;
	const char *keep = xb_env_get(request->build_args, XB_VIEW(KEEP_GIT_DIR));
	const char *epoch = xb_env_get(request->build_args, XB_VIEW("SOURCE_DATE_EPOCH"));
	xb_auto_git_url struct xb_git_url url = { 0 };
	struct xb_fetched fetched;
	int r = xb_git_url_parse(o->operand, &url, err);

	if (keep != NULL &&
	    (strcasecmp(keep, "true") == 0 || strcasecmp(keep, "t") == 0 || strcmp(keep, "1") == 0))
		options.git_dir = XB_FETCH_GIT_DIR_KEEP;
	/* so that the same commit gives the same layers */
	if (epoch != NULL && *epoch != '\0' && url.mtime == XB_GIT_MTIME_UNSAID)
		url.mtime = XB_GIT_MTIME_COMMIT;
	if (r >= 0)
		r = xb_fetch_git(request->store, &url, &options, &fetched, err);
	if (r < 0)
		return r;
	o->ret->time = fetched.time;
	return open_tree(o, &fetched.snapshot, err);
}

static int open_file(const struct xb_context_request *request, const struct xb_fetched *fetched,
		     struct xb_error *err)
{
	xb_auto_fd int tree = -1;
	int r = xb_snapshot_open(request->store, &fetched->snapshot, &tree, err);

	return r < 0 ? r : xb_open_in_root(tree, fetched->name, O_RDONLY, 0, err);
}

/*
 * Read what is an archive or a Dockerfile: returns 1 with the archive's tree, or 0 with the
 * Dockerfile read, unless that is somewhere else.
 */
static int read_either(struct opening *o, int fd, struct xb_fetched *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_DOCKERFILE);
	int r = xb_fetch_archive(o->request->store, fd, o->request->fetch, &text, ret, err);

	if (r != 0 || o->read || is_host_path(o->file))
		return r;
	o->read = true;
	return xb_str_append_view(&o->ret->text, xb_str_view(&text));
}

static int open_http(struct opening *o, struct xb_error *err)
{
	const struct xb_context_request *request = o->request;
	struct xb_fetch_options options = *request->fetch;
	struct xb_fetched file;
	struct xb_fetched unpacked;
	xb_auto_fd int fd = -1;
	int r;

	options.name = XB_FETCH_CONTEXT;
	r = xb_fetch_http(request->store, o->operand, &options, &file, err);
	if (r < 0)
		return r;
	o->ret->time = file.time;
	fd = open_file(request, &file, err);
	r = fd < 0 ? fd : read_either(o, fd, &unpacked, err);
	if (r > 0 && file.time < 0)
		o->ret->time = unpacked.time;
	return r < 0 ? r : open_tree(o, r > 0 ? &unpacked.snapshot : &file.snapshot, err);
}

static int open_stdin(struct opening *o, struct xb_error *err)
{
	struct xb_fetched unpacked;
	int r = read_either(o, STDIN_FILENO, &unpacked, err);

	if (r < 0)
		return xb_error_wrap(err, r, "reading standard input");
	if (r > 0) {
		o->ret->time = unpacked.time;
		return open_tree(o, &unpacked.snapshot, err);
	}
	if (o->file == NULL)
		return open_empty(o, err);
	(void)xb_error_set(err, -EINVAL, "standard input is a Dockerfile, and -f %s is another",
			   o->file);
	(void)xb_error_hint(err, "leave out -f, or give an archive on standard input");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int open_directory(struct opening *o, struct xb_error *err)
{
	xb_autofree char *beside = xb_format("%s/%s", o->operand, default_names[0]);
	const char *host = o->read ? NULL : o->file != NULL ? o->file : beside;

	return xb_context_open(o->operand, host, &o->ret->context, err);
}

/* ---- the Dockerfile ------------------------------------------------------------------------ */

/* -f https://… */
static int fetch_dockerfile(struct opening *o, struct xb_error *err)
{
	const struct xb_context_request *request = o->request;
	struct xb_fetch_options options = *request->fetch;
	struct xb_fetched fetched;
	xb_auto_fd int fd = -1;
	int r = xb_fetch_http(request->store, o->file, &options, &fetched, err);

	if (r < 0)
		return r;
	fd = open_file(request, &fetched, err);
	return fd < 0 ? fd : xb_file_read_fd(fd, &o->ret->text, err);
}

/* Read standard input to its end, unless the build is to stop: nobody else looks at signals now. */
static int read_stdin(struct opening *o, struct xb_error *err)
{
	struct pollfd fds[] = { { .fd = STDIN_FILENO, .events = POLLIN },
				{ .fd = o->request->fetch->cancel_fd, .events = POLLIN } };
	char buffer[4096];

	for (;;) {
		int r = poll(fds, XB_COUNT(fds), -1);
		ssize_t n;

		if (r > 0 && fds[1].revents != 0) {
			(void)xb_error_set(err, -ECANCELED, "interrupted");
			return xb_error_fault(err, XB_FAULT_INTERRUPTED);
		}
		n = r < 0 ? r : read(STDIN_FILENO, buffer, sizeof(buffer));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xb_error_errno(err, -errno, "reading standard input");
		if (n == 0)
			return 0;
		if (xb_str_append(&o->ret->text, buffer, (size_t)n) < 0)
			return xb_error_set(err, -EFBIG, "standard input is more than %zu bytes",
					    o->ret->text.max);
	}
}

/* A Dockerfile that lies neither in the context nor beside it is read first. */
static int read_apart(struct opening *o, struct xb_error *err)
{
	int r = 0;

	if (o->file == NULL)
		return 0;
	o->read = strcmp(o->file, "-") == 0 || xb_fetch_is_http(o->file);
	if (strcmp(o->file, "-") == 0)
		r = read_stdin(o, err);
	else if (o->read)
		r = fetch_dockerfile(o, err);
	return r;
}

static int read_file(struct opening *o, bool host, const char *path, struct xb_error *err)
{
	return host ? xb_file_read(path, &o->ret->text, err)
		    : xb_context_read(o->ret->context, path, &o->ret->text, err);
}

/*
 * Read the Dockerfile of a path, or the one that has the other name where there is none of the
 * first. `*ret_name` is the path of what was read, malloc()ed; if nothing was, the first.
 */
static int read_either_name(struct opening *o, bool host, const char *path, char **ret_name,
			    struct xb_error *err)
{
	xb_autofree char *other = other_name(path);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = read_file(o, host, path, &cause);

	if (r == -ENOENT && other != NULL && read_file(o, host, other, NULL) == 0) {
		*ret_name = XB_STEAL(other);
		return 0;
	}
	*ret_name = xb_strdup(path);
	if (r < 0 && err != NULL)
		xb_error_move(err, &cause);
	return r;
}

static int read_dockerfile(struct opening *o, bool directory, struct xb_error *err)
{
	const char *path = o->file != NULL ? o->file : default_names[0];
	bool host = o->file != NULL && (directory || is_host_path(o->file));
	xb_autofree char *name = NULL;
	int r = 0;

	if (o->read)
		name = xb_strdup(path);
	else
		r = read_either_name(o, host, path, &name, err);
	o->ret->name =
		directory && o->file == NULL ? xb_format("%s/%s", o->operand, name) : shown(name);
	return r;
}

/* ---- all together -------------------------------------------------------------------------- */

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* How the operand is opened; NULL for what is nothing that exists. */
static int (*opener_of(const char *operand, struct xb_error *err))(struct opening *,
								   struct xb_error *)
{
	xb_auto_git_url struct xb_git_url url = { 0 };
	int r;

	if (strcmp(operand, "-") == 0)
		return open_stdin;
	if (is_directory(operand))
		return open_directory;
	r = xb_git_url_parse(operand, &url, err);
	if (r != 0)
		return r > 0 ? open_git : NULL;
	return xb_fetch_is_http(operand) ? open_http : open_directory;
}

bool xb_context_is_remote(const char *operand, const char *file)
{
	return opener_of(operand, NULL) != open_directory ||
	       (file != NULL && xb_fetch_is_http(file));
}

static int open_all(struct opening *o, struct xb_error *err)
{
	int (*opener)(struct opening *, struct xb_error *) = opener_of(o->operand, err);
	xb_autofree char *name = shown(o->operand);
	int r = opener == NULL ? -EINVAL : opener(o, err);

	if (r == 0)
		return 0;
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return xb_error_wrap(err, r, "build context %s", name);
}

static int no_dockerfile(int r, const char *file, struct xb_error *err)
{
	xb_autofree char *name = shown(file);

	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	(void)xb_error_hint(err, "name the Dockerfile with -f PATH");
	return xb_error_wrap(err, r, "reading the Dockerfile %s", name);
}

int xb_context_find(const struct xb_context_request *request, struct xb_opened *ret,
		    struct xb_error *err)
{
	struct opening o = {
		.request = request,
		.operand = request->operand,
		.file = request->file,
		.ret = ret,
	};
	int r = read_apart(&o, err);

	if (r < 0)
		return no_dockerfile(r, o.file, err);
	r = open_all(&o, err);
	if (r < 0)
		return r;
	r = read_dockerfile(&o, opener_of(o.operand, NULL) == open_directory, err);
	return r < 0 ? no_dockerfile(r, ret->name, err) : 0;
}
