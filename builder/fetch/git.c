/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "builder/cache/cachedir.h"
#include "builder/cache/keylock.h"
#include "builder/cache/record.h"
#include "builder/fetch/git_checkout.h"
#include "builder/fetch/git_ref.h"
#include "builder/fetch/git_run.h"

/* How long to sleep between two looks at a fetch of the same that is under way elsewhere. */
#define LOCK_MS 100

/* One fetch; what is not owned is borrowed from the caller. */
struct job {
	struct xb_store *store;
	const struct xb_git_url *url;
	const struct xb_fetch_options *options;
	struct xb_cachedir *hosts; /* where host keys are kept: owned, or NULL */
	char *known_hosts;	   /* owned, or NULL */
	char *subdir;		   /* owned, cleaned */
	struct xb_strv checks;	   /* owned */
	bool keep_git_dir;
	bool submodules;
	bool commit_times;
};

static void job_clear(struct job *job)
{
	xb_cachedir_free(job->hosts);
	free(job->known_hosts);
	free(job->subdir);
	xb_strv_clear(&job->checks);
}

/* What URL and options say together. */
static void job_init(struct job *job)
{
	const struct xb_git_url *url = job->url;
	xb_auto_str struct xb_str subdir = XB_STR_INIT(XB_STR_OWN);

	if (url->subdir != NULL)
		xb_git_subdir(url->subdir, &subdir);
	job->subdir = xb_str_steal(&subdir);
	if (url->commit != NULL)
		xb_strv_push(&job->checks, url->commit);
	if (job->options->checksum != NULL)
		xb_strv_push(&job->checks, job->options->checksum);
	job->keep_git_dir = job->options->git_dir == XB_FETCH_GIT_DIR_KEEP ||
			    (job->options->git_dir == XB_FETCH_GIT_DIR_AS_URL &&
			     url->keep_git_dir == XB_GIT_ON);
	job->keep_git_dir = job->keep_git_dir && job->subdir[0] == '\0';
	job->submodules = url->submodules != XB_GIT_OFF;
	job->commit_times = url->mtime == XB_GIT_MTIME_COMMIT;
}

/* The keys of ssh's hosts, remembered by the store for all remotes. */
static int open_hosts(struct job *job, struct xb_error *err)
{
	static const struct xb_cachedir_seed seed;
	int fd;
	int r;

	if (job->options->ssh_agent == NULL)
		return 0;
	r = xb_cachedir_take(job->store, "git ssh hosts", XB_CACHEDIR_SHARED, &seed, &job->hosts,
			     err);
	if (r < 0)
		return r;
	fd = openat(xb_cachedir_fd(job->hosts), "known_hosts",
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return xb_error_errno(err, -errno, "keeping host keys of ssh");
	xb_cleanup_fd(&fd);
	job->known_hosts = xb_format("%s/known_hosts", xb_cachedir_path(job->hosts));
	return 0;
}

/*
 * What decides the tree. Without .git that is the commit, whatever name or remote led to it; with
 * it also the name and the remote, which stand there.
 */
static struct xb_digest content_of(const struct job *job, const struct xb_git *git,
				   const struct xb_git_target *target)
{
	bool known = target->commit[0] != '\0' && !job->keep_git_dir;
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();

	xb_hasher_field(h, XB_VIEW("git checkout 1"));
	xb_hasher_field(h, xb_view(known ? target->commit : target->object));
	xb_hasher_field(h, xb_view(job->subdir));
	xb_hasher_number(h, job->submodules);
	xb_hasher_number(h, job->commit_times);
	xb_hasher_number(h, job->keep_git_dir);
	if (job->keep_git_dir) {
		xb_hasher_field(h, xb_view(target->ref));
		xb_hasher_field(h, xb_view(git->url));
	}
	return xb_hasher_finish(h);
}

static void fill(const struct xb_record *record, const struct xb_digest *content,
		 struct xb_fetched *ret)
{
	*ret = (struct xb_fetched){ .snapshot = record->snapshot, .content = *content };
}

/* A record's note: commit, the object that led to it, the commit's time. */
static void write_note(struct xb_record *record, const struct xb_git_target *target, int64_t time)
{
	(void)snprintf(record->note, sizeof(record->note), "%s %s %lld", target->commit,
		       target->object, (long long)time);
}

/* Take what a record says: 1, or 0 when there is none. */
static int find(const struct job *job, const char *key, const struct xb_digest *content,
		struct xb_git_target *target, struct xb_fetched *ret, struct xb_error *err)
{
	struct xb_record record;
	long long time;
	int r = xb_record_get(job->store, key, &record, err);

	if (r <= 0)
		return r;
	fill(&record, content, ret);
	if (sscanf(record.note, "%64s %*64s %lld", ret->revision, &time) != 2)
		return 0;
	memcpy(target->commit, ret->revision, sizeof(target->commit));
	ret->time = time;
	ret->cached = true;
	return 1;
}

static int take_lock(const struct job *job, const char *key, struct xb_keylock **ret,
		     struct xb_error *err)
{
	for (;;) {
		xb_auto_error struct xb_error busy = XB_ERROR_INIT;
		int r = xb_keylock_take(job->store, key, false, ret, &busy);

		if (r != -EAGAIN) {
			if (r < 0)
				xb_error_move(err, &busy);
			return r;
		}
		r = xb_git_wait(job->options, LOCK_MS, err);
		if (r < 0)
			return r;
	}
}

/* Check out, once more if a repository of the store had to be made anew. */
static int check_out(const struct job *job, struct xb_git *git, struct xb_git_target *target,
		     struct xb_record *record, int64_t *ret_time, struct xb_error *err)
{
	const struct xb_git_checkout wanted = {
		.store = job->store,
		.known_hosts = job->known_hosts,
		.subdir = job->subdir,
		.keep_git_dir = job->keep_git_dir,
		.submodules = job->submodules,
		.commit_times = job->commit_times,
	};
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_git_check_out(git, &wanted, target, &record->snapshot, ret_time, &cause);

	if (r == -EAGAIN) {
		xb_error_clear(&cause);
		r = xb_git_check_out(git, &wanted, target, &record->snapshot, ret_time, &cause);
	}
	if (r < 0)
		xb_error_move(err, &cause);
	return r;
}

static int make(const struct job *job, struct xb_git *git, const char *key,
		const struct xb_digest *content, struct xb_git_target *target,
		struct xb_fetched *ret, struct xb_error *err)
{
	struct xb_record record = { .created = xb_clock_now() };
	int64_t time = -1;
	int r = check_out(job, git, target, &record, &time, err);

	if (r < 0)
		return r;
	(void)snprintf(record.key, sizeof(record.key), "%s", key);
	write_note(&record, target, time);
	r = xb_git_check(target, &job->checks, err);
	if (r == 0)
		r = xb_record_put(job->store, &record, err);
	if (r < 0) {
		xb_snapshot_discard(job->store, &record.snapshot);
		return r;
	}
	fill(&record, content, ret);
	memcpy(ret->revision, target->commit, sizeof(ret->revision));
	ret->time = time;
	return 0;
}

/* The checkout of a target, from the store or made. */
static int get(const struct job *job, struct xb_git *git, struct xb_git_target *target,
	       struct xb_fetched *ret, struct xb_error *err)
{
	struct xb_digest content = content_of(job, git, target);
	xb_autofree char *key = xb_format("git:%s", xb_digest_hex(&content));
	xb_auto_keylock struct xb_keylock *lock = NULL;
	int r = find(job, key, &content, target, ret, err);

	if (r == 0)
		r = take_lock(job, key, &lock, err);
	if (r == 0 && lock != NULL)
		r = find(job, key, &content, target, ret, err);
	if (r > 0)
		r = xb_git_check(target, &job->checks, err);
	else if (r == 0 && job->options->offline)
		r = xb_fetch_offline(git->shown, err);
	else if (r == 0)
		r = make(job, git, key, &content, target, ret, err);
	return r;
}

int xb_fetch_git(struct xb_store *store, const struct xb_git_url *url,
		 const struct xb_fetch_options *options, struct xb_fetched *ret,
		 struct xb_error *err)
{
	XB_CLEANUP(job_clear)
	struct job job = { .store = store, .url = url, .options = options };
	xb_auto_git struct xb_git git = { 0 };
	xb_auto_git_target struct xb_git_target target = { 0 };
	struct xb_fetched fetched;
	int r;

	job_init(&job);
	r = open_hosts(&job, err);
	if (r == 0)
		r = xb_git_open(&git, &url->address, xb_git_schemes(url->address.scheme, options),
				job.known_hosts, options, err);
	if (r == 0 && options->offline &&
	    (url->ref == NULL || !xb_git_is_commit(xb_view(url->ref))))
		r = xb_fetch_offline(git.shown, err);
	if (r == 0)
		r = xb_git_resolve(&git, url, &job.checks, &target, err);
	if (r == 0)
		r = get(&job, &git, &target, &fetched, err);
	if (r < 0)
		return r;
	*ret = fetched;
	return 0;
}
