/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/context/lookahead.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include "base/str.h"

enum stage { WAITING, READING, DONE };

struct xb_asked {
	struct xb_asked *next; /* of those that wait; guarded as `stage` is */
	enum stage stage;
	int parent;
	char *name;
	bool good; /* `listing` is what there is */
	struct xb_listing listing;
};

struct xb_lookahead {
	pthread_mutex_t lock;	/* guards all below but the threads, and `next` and `stage` */
	pthread_cond_t work;	/* something waits, or `ending` */
	pthread_cond_t done;	/* something was read */
	struct xb_asked *first; /* the one that the walk will want next */
	bool ending;
	unsigned asked; /* the walk's own */
	unsigned count;
	pthread_t threads[];
};

void xb_listing_clear(struct xb_listing *listing)
{
	xb_cleanup_fd(&listing->fd);
	xb_names_clear(&listing->names);
	free(listing->stats);
	*listing = XB_LISTING_INIT;
}

static void asked_free(struct xb_asked *asked)
{
	xb_cleanup_fd(&asked->parent);
	free(asked->name);
	xb_listing_clear(&asked->listing);
	free(asked);
}

/* ---- what the threads do -------------------------------------------------------------------- */

static bool read_ahead(struct xb_asked *asked)
{
	struct xb_listing *l = &asked->listing;

	l->fd = openat(asked->parent, asked->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->fd < 0 || fstat(l->fd, &l->st) < 0 ||
	    xb_names_of(l->fd, XB_LOOKAHEAD_ENTRIES, &l->names) < 0)
		return false;
	l->stats = xb_calloc(l->names.len + 1, sizeof(*l->stats));
	for (size_t i = 0; i < l->names.len; i++)
		if (fstatat(l->fd, l->names.items[i], &l->stats[i], AT_SYMLINK_NOFOLLOW) < 0)
			l->stats[i].st_mode = 0;
	return true;
}

/* Read the first that waits, with the lock released meanwhile. */
static void read_first(struct xb_lookahead *l)
{
	struct xb_asked *asked = l->first;

	l->first = asked->next;
	asked->stage = READING;
	(void)pthread_mutex_unlock(&l->lock);
	asked->good = read_ahead(asked);
	(void)pthread_mutex_lock(&l->lock);
	asked->stage = DONE;
	(void)pthread_cond_signal(&l->done);
}

static void *help(void *argument)
{
	struct xb_lookahead *l = argument;

	(void)pthread_mutex_lock(&l->lock);
	while (!l->ending) {
		if (l->first != NULL)
			read_first(l);
		else
			(void)pthread_cond_wait(&l->work, &l->lock);
	}
	(void)pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* ---- what the walk does --------------------------------------------------------------------- */

struct xb_lookahead *xb_lookahead_new(unsigned threads)
{
	struct xb_lookahead *l = xb_calloc(1, sizeof(*l) + threads * sizeof(l->threads[0]));
	sigset_t all, before;

	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->work, NULL);
	(void)pthread_cond_init(&l->done, NULL);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	while (l->count < threads && pthread_create(&l->threads[l->count], NULL, help, l) == 0)
		l->count++;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (l->count > 0)
		return l;
	xb_lookahead_free(l);
	return NULL;
}

void xb_lookahead_free(struct xb_lookahead *l)
{
	if (l == NULL)
		return;
	(void)pthread_mutex_lock(&l->lock);
	l->ending = true;
	(void)pthread_cond_broadcast(&l->work);
	(void)pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < l->count; i++)
		(void)pthread_join(l->threads[i], NULL);
	(void)pthread_cond_destroy(&l->work);
	(void)pthread_cond_destroy(&l->done);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

struct xb_asked *xb_lookahead_ask(struct xb_lookahead *l, int parent, const char *name,
				  struct xb_asked *after)
{
	struct xb_asked *asked, **place;
	int own;

	if (l->asked == XB_LOOKAHEAD_ASKED)
		return NULL;
	own = fcntl(parent, F_DUPFD_CLOEXEC, 0);
	if (own < 0)
		return NULL;
	asked = xb_calloc(1, sizeof(*asked));
	asked->parent = own;
	asked->name = xb_strdup(name);
	asked->listing = XB_LISTING_INIT;
	l->asked++;
	(void)pthread_mutex_lock(&l->lock);
	place = after != NULL && after->stage == WAITING ? &after->next : &l->first;
	asked->next = *place;
	*place = asked;
	(void)pthread_cond_signal(&l->work);
	(void)pthread_mutex_unlock(&l->lock);
	return asked;
}

/* Take it off the list, if nobody has begun it. */
static bool take_back(struct xb_lookahead *l, const struct xb_asked *asked)
{
	struct xb_asked **at = &l->first;

	if (asked->stage != WAITING)
		return false;
	while (*at != asked)
		at = &(*at)->next;
	*at = asked->next;
	return true;
}

bool xb_lookahead_take(struct xb_lookahead *l, struct xb_asked *asked, struct xb_listing *ret)
{
	bool good;

	(void)pthread_mutex_lock(&l->lock);
	good = !take_back(l, asked);
	while (good && asked->stage != DONE)
		(void)pthread_cond_wait(&l->done, &l->lock);
	(void)pthread_mutex_unlock(&l->lock);
	l->asked--;
	good = good && asked->good;
	if (good && ret != NULL) {
		*ret = asked->listing;
		asked->listing = XB_LISTING_INIT;
	}
	asked_free(asked);
	return good;
}
