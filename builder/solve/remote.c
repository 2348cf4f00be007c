/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/remote.h"

#include <errno.h>
#include <fcntl.h>

#include "base/file.h"
#include "builder/fetch/archive.h"
#include "builder/fetch/git.h"
#include "builder/fetch/http.h"
#include "builder/layer/unpack.h"

static const enum xb_fetch_git_dir git_dirs[] = {
	[XB_GIT_UNSAID] = XB_FETCH_GIT_DIR_AS_URL,
	[XB_GIT_OFF] = XB_FETCH_GIT_DIR_DROP,
	[XB_GIT_ON] = XB_FETCH_GIT_DIR_KEEP,
};

static int fetch_git(struct xb_store *store, const char *text,
		     const struct xb_fetch_options *options, struct xb_fetched *ret,
		     struct xb_error *err)
{
	xb_auto_git_url struct xb_git_url url = { 0 };
	int r = xb_git_url_parse(text, &url, err);

	return r < 0 ? r : xb_fetch_git(store, &url, options, ret, err);
}

int xb_fetch_described(struct xb_store *store, const struct xb_step_fetch *fetch,
		       const struct xb_fetch_options *how, struct xb_fetched *ret,
		       struct xb_error *err)
{
	struct xb_fetch_options options = *how;

	options.name = fetch->name;
	options.checksum = fetch->checksum;
	options.git_dir = git_dirs[fetch->keep_git_dir];
	return fetch->git ? fetch_git(store, fetch->url, &options, ret, err)
			  : xb_fetch_http(store, fetch->url, &options, ret, err);
}

int xb_fetch_archive_time(struct xb_store *store, const struct xb_fetched *fetched,
			  const struct xb_fetch_options *how, int64_t *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(0);
	struct xb_fetched unpacked;
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	xb_auto_fd int tree = -1;
	xb_auto_fd int file = -1;
	int r = xb_snapshot_open(store, &fetched->snapshot, &tree, err);

	*ret = -1;
	if (r == 0)
		file = xb_open_in_root(tree, fetched->name, O_RDONLY, 0, err);
	if (r < 0 || file < 0)
		return r < 0 ? r : file;
	r = xb_archive_is(file, err);
	if (r > 0)
		r = xb_fetch_archive(store, file, how, &text, &unpacked, &cause);
	if (r > 0)
		*ret = unpacked.time;
	if (r < 0 && cause.code != 0)
		xb_error_move(err, &cause);
	return r < 0 ? r : 0;
}

int xb_fetch_time(struct xb_store *store, const struct xb_step_fetch *fetch,
		  const struct xb_fetch_options *how, int64_t *ret, struct xb_error *err)
{
	struct xb_fetched fetched;
	int r = xb_fetch_described(store, fetch, how, &fetched, err);

	if (r < 0)
		return r;
	*ret = fetched.time;
	if (fetch->git || fetched.time >= 0)
		return 0;
	return xb_fetch_archive_time(store, &fetched, how, ret, err);
}

bool xb_fetch_secret(void *secrets, const char *id, struct xb_view *ret)
{
	const struct xb_secret *secret = secrets != NULL ? xb_secrets_find(secrets, id) : NULL;

	if (secret == NULL)
		return false;
	*ret = xb_str_view(&secret->data);
	return true;
}
