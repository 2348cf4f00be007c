/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/layer/press.h"

#include <errno.h>

#include "base/file.h"
#include "base/str.h"
#include "builder/layer/codec.h"

/* Pieces on their way at once, with a crew: enough to keep some processors busy, and a bound of the
 * memory that one layer takes (each has room for two forms of a piece). */
#define DEPTH 6
/* A piece that is smaller is compressed sooner than looked for. */
#define MEMORABLE ((size_t)32 << 10)

/* Where a piece is; the packing thread's own. */
enum stage {
	FILLING,     /* it is empty, or being filled */
	COMPRESSING, /* the crew may have it */
	WRITING	     /* the crew may have it; one piece at a time, in their order */
};

/* A piece and what becomes of it. Only `task` may be looked at while the crew has it. */
struct piece {
	struct xb_task task; /* first: the crew knows nothing else */
	struct xb_press *press;
	enum stage stage;
	char *in;
	size_t len;
	void *state; /* the codec's */
	char *out;
	size_t out_cap;
	size_t out_len;		 /* 0: compressing failed */
	struct xb_digest digest; /* empty: not worth remembering */
};

struct xb_press {
	const struct xb_codec *codec;
	const struct xb_pack_memory *memory;
	struct xb_crew *crew;
	const atomic_bool *cancelled;
	struct xb_str name; /* of the codec at this level */
	int level;
	int fd;
	bool compress;
	struct piece ring[DEPTH];
	unsigned depth;
	unsigned at;	       /* the piece being filled */
	struct piece *writing; /* the one at the stage of that name, or NULL */
	struct xb_hasher *tar_hash;
	struct xb_hasher *blob_hash; /* of whoever writes, as what follows */
	struct xb_error cause;	     /* why writing failed, if `written` is negative */
	int written;
	uint64_t tar_size;
	uint64_t size;
};

static int check_level(const struct xb_codec *codec, int level, struct xb_error *err)
{
	if (level >= 0 && level <= codec->max_level)
		return 0;
	(void)xb_error_set(err, -EINVAL, "compression level %d is not in 1..%d", level,
			   codec->max_level);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_press_new(const struct xb_pack_options *options, int out_fd, struct xb_press **ret,
		 struct xb_error *err)
{
	const struct xb_codec *codec = xb_codec_of(options->compression);
	struct xb_press *press;
	int r = check_level(codec, options->level, err);

	if (r < 0)
		return r;
	press = xb_calloc(1, sizeof(*press));
	press->codec = codec;
	press->level = options->level == 0 ? codec->default_level : options->level;
	press->fd = out_fd;
	press->compress = codec->open != NULL && out_fd >= 0;
	press->crew = press->compress ? options->crew : NULL;
	press->memory = press->compress ? options->memory : NULL;
	press->cancelled = options->cancelled;
	press->depth = press->crew != NULL ? DEPTH : 1;
	press->name = XB_STR_INIT(XB_STR_OWN);
	xb_codec_name(codec, press->level, &press->name);
	press->tar_hash = xb_hasher_new();
	press->blob_hash = xb_hasher_new();
	press->cause = (struct xb_error)XB_ERROR_INIT;
	*ret = press;
	return 0;
}

void xb_press_free(struct xb_press *press)
{
	if (press == NULL)
		return;
	for (unsigned i = 0; i < press->depth; i++) {
		struct piece *piece = &press->ring[i];

		if (piece->stage != FILLING)
			xb_crew_wait(press->crew, &piece->task);
		if (piece->state != NULL)
			press->codec->close(piece->state);
		free(piece->in);
		free(piece->out);
	}
	xb_hasher_free(press->tar_hash);
	xb_hasher_free(press->blob_hash);
	xb_error_clear(&press->cause);
	xb_str_clear(&press->name);
	free(press);
}

size_t xb_press_len(const struct xb_press *press)
{
	return press->ring[press->at].len;
}

char *xb_press_room(struct xb_press *press, uint64_t wanted, size_t *ret_len)
{
	struct piece *piece = &press->ring[press->at];
	size_t left = press->codec->piece - piece->len;

	if (piece->in == NULL)
		piece->in = xb_alloc(press->codec->piece);
	*ret_len = wanted < left ? (size_t)wanted : left;
	return piece->in + piece->len;
}

/* ---- compressing: what the crew does ------------------------------------------------------- */

/* Get the piece's compressed form from what was made before; false where it is not to be had. */
static bool remember(struct piece *piece)
{
	const struct xb_press *press = piece->press;
	xb_auto_hasher struct xb_hasher *h = NULL;
	uint32_t check;

	piece->digest = (struct xb_digest){ 0 };
	if (press->memory == NULL || piece->len < MEMORABLE)
		return false;
	h = xb_hasher_new();
	xb_hasher_field(h, xb_str_view(&press->name));
	xb_hasher_add(h, piece->in, piece->len);
	piece->digest = xb_hasher_finish(h);
	piece->out_len = press->memory->find(press->memory->context, &piece->digest, piece->out,
					     piece->out_cap, &check);
	return piece->out_len > 0 && xb_codec_check(piece->out, piece->out_len) == check;
}

static bool is_cancelled(const struct xb_press *press)
{
	return press->cancelled != NULL && atomic_load(press->cancelled);
}

static void compress(struct xb_task *task)
{
	struct piece *piece = (struct piece *)task;
	const struct xb_codec *codec = piece->press->codec;

	/* pieces that nobody has begun are waited for, too */
	if (is_cancelled(piece->press))
		return;
	if (piece->state == NULL)
		piece->state = codec->open(piece->press->level);
	if (piece->state == NULL)
		return;
	if (piece->out == NULL) {
		piece->out_cap = codec->bound(piece->state, codec->piece);
		piece->out = xb_alloc(piece->out_cap);
	}
	if (!remember(piece))
		piece->out_len = codec->compress(piece->state, piece->in, piece->len, piece->out,
						 piece->out_cap, piece->press->cancelled);
}

/* ---- writing: in the order of the pieces, each by whoever of the crew is free ---------------- */

static void write_piece(struct xb_task *task)
{
	struct piece *piece = (struct piece *)task;
	struct xb_press *press = piece->press;

	xb_hasher_add(press->blob_hash, piece->out, piece->out_len);
	press->written = xb_write_all(press->fd, piece->out, piece->out_len, &press->cause);
}

/* Wait for the piece that is being written, if there is one; it is empty then. */
static int settle(struct xb_press *press, struct xb_error *err)
{
	struct piece *piece = press->writing;

	if (piece == NULL)
		return 0;
	xb_crew_wait(press->crew, &piece->task);
	press->writing = NULL;
	piece->stage = FILLING;
	piece->len = 0;
	if (press->written < 0)
		xb_error_move(err, &press->cause);
	return press->written;
}

/* ---- what the thread that packs does ------------------------------------------------------- */

static int cancelled(struct xb_error *err)
{
	(void)xb_error_set(err, -ECANCELED, "cancelled");
	return xb_error_fault(err, XB_FAULT_INTERRUPTED);
}

/* Wait for a piece, if it is being compressed, and have it written; nothing is being written. */
static int collect(struct xb_press *press, struct piece *piece, struct xb_error *err)
{
	if (piece->stage != COMPRESSING)
		return 0;
	xb_crew_wait(press->crew, &piece->task);
	piece->stage = FILLING;
	if (is_cancelled(press))
		return cancelled(err);
	if (piece->out_len == 0)
		return xb_error_set(err, -EIO, "compressing a layer failed");
	if (!xb_digest_empty(&piece->digest))
		press->memory->made(press->memory->context, &piece->digest, press->size,
				    piece->out_len, xb_codec_check(piece->out, piece->out_len));
	press->size += piece->out_len;
	press->writing = piece;
	piece->stage = WRITING;
	piece->task.run = write_piece;
	xb_crew_submit_first(press->crew, &piece->task);
	return 0;
}

/* Go on to the next place, which is that of the piece being written: while this one is being
 * filled, the oldest of those that are compressed is written. */
static int turn(struct xb_press *press, struct xb_error *err)
{
	struct piece *next, *oldest;
	int r;

	press->at = (press->at + 1) % press->depth;
	next = &press->ring[press->at];
	oldest = &press->ring[(press->at + 1) % press->depth];
	r = settle(press, err);
	if (r == 0)
		r = collect(press, oldest, err);
	/* with one place only, they are the same */
	return r == 0 && next->stage == WRITING ? settle(press, err) : r;
}

/* A piece of a tar that is not compressed, or that is hashed only. */
static int pass_through(struct xb_press *press, struct piece *piece, struct xb_error *err)
{
	size_t len = piece->len;

	piece->len = 0;
	if (press->fd < 0)
		return 0;
	press->size += len;
	return xb_write_all(press->fd, piece->in, len, err);
}

int xb_press_cut(struct xb_press *press, struct xb_error *err)
{
	struct piece *piece = &press->ring[press->at];

	if (is_cancelled(press))
		return cancelled(err);
	if (piece->len == 0)
		return 0;
	if (press->compress) {
		piece->press = press;
		piece->out_len = 0;
		piece->stage = COMPRESSING;
		piece->task.run = compress;
		xb_crew_submit(press->crew, &piece->task);
	}
	xb_hasher_add(press->tar_hash, piece->in, piece->len);
	press->tar_size += piece->len;
	return press->compress ? turn(press, err) : pass_through(press, piece, err);
}

int xb_press_filled(struct xb_press *press, size_t len, struct xb_error *err)
{
	struct piece *piece = &press->ring[press->at];

	piece->len += len;
	return piece->len == press->codec->piece ? xb_press_cut(press, err) : 0;
}

int xb_press_finish(struct xb_press *press, struct xb_layer_info *ret, struct xb_error *err)
{
	int r = xb_press_cut(press, err);

	for (unsigned i = 0; r == 0 && i < press->depth; i++) {
		r = settle(press, err);
		if (r == 0)
			r = collect(press, &press->ring[(press->at + i) % press->depth], err);
	}
	if (r == 0)
		r = settle(press, err);
	if (r < 0)
		return r;
	ret->diff_id = xb_hasher_finish(press->tar_hash);
	ret->digest = press->compress ? xb_hasher_finish(press->blob_hash) : ret->diff_id;
	ret->size = press->size;
	ret->tar_size = press->tar_size;
	ret->media_type = xb_media_layer(press->codec->media, false);
	return 0;
}
