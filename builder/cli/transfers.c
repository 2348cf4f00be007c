/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/transfers.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/json.h"
#include "manifest/media.h"

#define NS_PER_SECOND 1e9
#define MB	      1e6
/* "sha256:" and as much of the hexadecimal number as people compare. */
#define SHORT_DIGEST 19
#define PICTURE_NS   100000000U
#define LINE_NS	     5000000000U

/* A blob that is on its way. */
struct moving {
	struct xb_digest digest;
	uint64_t size, bytes;
	uint64_t started, told; /* when something was last said of it */
};

struct xb_transfers {
	enum xb_progress_mode mode;
	pthread_mutex_t lock; /* over all that follows, and standard error */
	struct moving_blobs XB_ARRAY(struct moving) moving;
	size_t live; /* lines of the picture that is on the terminal now */
	uint64_t drawn;
	size_t there, mounted, moved;
	uint64_t bytes;
};

struct xb_transfers *xb_transfers_new(enum xb_progress_mode mode)
{
	struct xb_transfers *t = xb_calloc(1, sizeof(*t));

	t->mode = mode;
	(void)pthread_mutex_init(&t->lock, NULL);
	return t;
}

static double seconds(uint64_t since, uint64_t now)
{
	return now > since ? (double)(now - since) / NS_PER_SECOND : 0.0;
}

static struct moving *find(struct xb_transfers *t, const struct xb_descriptor *what)
{
	for (size_t i = 0; i < t->moving.len; i++) {
		if (xb_digest_eq(&t->moving.items[i].digest, &what->digest))
			return &t->moving.items[i];
	}
	return NULL;
}

static struct moving *find_or_add(struct xb_transfers *t, const struct xb_descriptor *what,
				  uint64_t now)
{
	struct moving *m = find(t, what);

	if (m != NULL)
		return m;
	m = xb_array_push(&t->moving);
	*m = (struct moving){
		.digest = what->digest,
		.size = what->size,
		.started = now,
		.told = now,
	};
	return m;
}

/* ---- ways of showing it ------------------------------------------------------------------- */

static void erase(struct xb_transfers *t)
{
	if (t->live > 0)
		(void)fprintf(stderr, "\033[%zuA\033[J", t->live);
	t->live = 0;
}

static void line(const struct moving *m, uint64_t now)
{
	(void)fprintf(stderr, " %7.1fs %.*s %.1f of %.1f MB\n", seconds(m->started, now),
		      SHORT_DIGEST, m->digest.text, (double)m->bytes / MB, (double)m->size / MB);
}

static void draw(struct xb_transfers *t, uint64_t now)
{
	erase(t);
	for (size_t i = 0; i < t->moving.len; i++)
		line(&t->moving.items[i], now);
	t->live = t->moving.len;
	t->drawn = now;
	(void)fflush(stderr);
}

/* `way` NULL: it is still on its way. */
static void json(const struct xb_descriptor *what, uint64_t bytes, const char *way)
{
	xb_auto_json json_t *object = json_object();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_json_set_string(object, "event", "transfer");
	xb_json_set_string(object, "digest", what->digest.text);
	xb_json_set_string(object, "mediaType", what->media_type);
	xb_json_set_u64(object, "size", what->size);
	xb_json_set_u64(object, "bytes", bytes);
	xb_json_set_string(object, "way", way);
	if (xb_json_write(object, &text, NULL) == 0)
		(void)fprintf(stderr, "%s\n", xb_str_text(&text));
}

/* ---- what is told ------------------------------------------------------------------------- */

static void show_moving(struct xb_transfers *t, const struct xb_descriptor *what, struct moving *m,
			uint64_t now)
{
	if (t->mode == XB_PROGRESS_TTY && now - t->drawn >= PICTURE_NS)
		draw(t, now);
	if (t->mode == XB_PROGRESS_PLAIN && now - m->told >= LINE_NS) {
		line(m, now);
		m->told = now;
	}
	if (t->mode == XB_PROGRESS_RAWJSON && now - m->told >= PICTURE_NS) {
		json(what, m->bytes, NULL);
		m->told = now;
	}
}

static void moving(void *context, const struct xb_descriptor *what, uint64_t bytes)
{
	struct xb_transfers *t = context;
	uint64_t now = xb_clock_monotonic();
	struct moving *m;

	(void)pthread_mutex_lock(&t->lock);
	m = find_or_add(t, what, now);
	m->bytes = bytes;
	show_moving(t, what, m, now);
	(void)pthread_mutex_unlock(&t->lock);
}

static bool is_document(const struct xb_descriptor *what)
{
	enum xb_media_kind kind = xb_media_kind(what->media_type);

	return kind == XB_MEDIA_INDEX || kind == XB_MEDIA_MANIFEST;
}

static void count(struct xb_transfers *t, const struct xb_descriptor *what,
		  enum xb_transfer_way way)
{
	t->there += way == XB_TRANSFER_THERE;
	t->mounted += way == XB_TRANSFER_MOUNTED;
	t->moved += way == XB_TRANSFER_MOVED;
	t->bytes += way == XB_TRANSFER_MOVED ? what->size : 0;
}

/* Forget a blob that has arrived; its line stays. */
static void arrive(struct xb_transfers *t, struct moving *m)
{
	uint64_t now = xb_clock_monotonic();
	bool picture = t->mode == XB_PROGRESS_TTY;

	if (picture)
		erase(t);
	if (picture || t->mode == XB_PROGRESS_PLAIN)
		(void)fprintf(stderr, " %7.1fs %.*s %.1f MB\n", seconds(m->started, now),
			      SHORT_DIGEST, m->digest.text, (double)m->size / MB);
	*m = t->moving.items[--t->moving.len];
	if (picture)
		draw(t, now);
}

static void done(void *context, const struct xb_descriptor *what, enum xb_transfer_way way)
{
	static const char *const names[] = {
		[XB_TRANSFER_THERE] = "there",
		[XB_TRANSFER_MOUNTED] = "mounted",
		[XB_TRANSFER_MOVED] = "moved",
	};
	struct xb_transfers *t = context;
	struct moving *m;

	(void)pthread_mutex_lock(&t->lock);
	m = find(t, what);
	if (t->mode == XB_PROGRESS_RAWJSON)
		json(what, way == XB_TRANSFER_MOVED ? what->size : 0, names[way]);
	if (m != NULL)
		arrive(t, m);
	if (!is_document(what))
		count(t, what, way);
	(void)pthread_mutex_unlock(&t->lock);
}

struct xb_transfer_watch xb_transfers_watch(struct xb_transfers *transfers)
{
	if (transfers->mode == XB_PROGRESS_QUIET)
		return (struct xb_transfer_watch){ 0 };
	return (struct xb_transfer_watch){ .context = transfers, .moving = moving, .done = done };
}

void xb_transfers_free(struct xb_transfers *transfers)
{
	struct xb_transfers *t = transfers;

	if (t == NULL)
		return;
	erase(t);
	if ((t->mode == XB_PROGRESS_PLAIN || t->mode == XB_PROGRESS_TTY) &&
	    t->there + t->mounted + t->moved > 0)
		(void)fprintf(stderr,
			      "blobs: %zu moved (%.1f MB), %zu mounted, %zu already there\n",
			      t->moved, (double)t->bytes / MB, t->mounted, t->there);
	xb_array_clear(&t->moving);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}
