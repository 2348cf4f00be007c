/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/publish.h"

#include <errno.h>

#include "manifest/image.h"
#include "manifest/index.h"
#include "manifest/manifest.h"
#include "manifest/media.h"

static void move_clear(struct xb_tag_move *move)
{
	free(move->name);
	free(move->tag);
	xb_descriptor_clear(&move->before);
	xb_strv_clear(&move->gained);
	xb_strv_clear(&move->lost);
}

void xb_tag_moves_clear(struct xb_tag_moves *moves)
{
	for (size_t i = 0; i < moves->len; i++)
		move_clear(&moves->items[i]);
	xb_array_clear(moves);
}

void xb_tag_moves_add(struct xb_tag_moves *moves, struct xb_place *place, const char *name,
		      const char *tag)
{
	struct xb_tag_move *move = xb_array_push(moves);

	*move = (struct xb_tag_move){ .place = place, .name = xb_strdup(name) };
	move->tag = xb_strdup(tag);
}

/* ---- looking ------------------------------------------------------------------------------ */

/* The platforms of an image or an index, normalised, each once. */
static int platforms_of(struct xb_place *place, const struct xb_descriptor *root,
			struct xb_strv *ret, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors images = { 0 };
	int r = xb_image_list(place, root, &images, err);

	for (size_t i = 0; r == 0 && i < images.len; i++) {
		struct xb_platform platform = images.items[i].platform;

		xb_platform_normalise(&platform);
		if (xb_strv_find(ret, xb_platform_name(&platform).text) < 0)
			xb_strv_push(ret, xb_platform_name(&platform).text);
	}
	return r;
}

/* Append what is in `a` and not in `b`. */
static void difference(const struct xb_strv *a, const struct xb_strv *b, struct xb_strv *ret)
{
	for (size_t i = 0; i < a->len; i++) {
		if (xb_strv_find(b, a->items[i]) < 0)
			xb_strv_push(ret, a->items[i]);
	}
}

/* What the tag means now; nothing where there is no such tag. */
static int look_before(struct xb_tag_move *move, struct xb_strv *platforms, struct xb_error *err)
{
	xb_auto_error struct xb_error fault = XB_ERROR_INIT;
	int r;

	xb_descriptor_clear(&move->before);
	r = move->place->ops->resolve(move->place, move->tag, &move->before, &fault);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = platforms_of(move->place, &move->before, platforms, &fault);
	if (r == 0)
		return 0;
	xb_error_move(err, &fault);
	return xb_error_wrap(err, r, "looking what %s means now", move->name);
}

static int look(struct xb_tag_move *move, const struct xb_strv *after, struct xb_error *err)
{
	xb_auto_strv struct xb_strv before = XB_STRV_INIT;
	int r = move->tag != NULL ? look_before(move, &before, err) : 0;

	xb_strv_clear(&move->gained);
	xb_strv_clear(&move->lost);
	difference(after, &before, &move->gained);
	difference(&before, after, &move->lost);
	return r;
}

int xb_publish_look(struct xb_tag_moves *moves, struct xb_place *from,
		    const struct xb_descriptor *root, struct xb_error *err)
{
	xb_auto_strv struct xb_strv after = XB_STRV_INIT;
	int r = platforms_of(from, root, &after, err);

	for (size_t i = 0; r == 0 && i < moves->len; i++)
		r = look(&moves->items[i], &after, err);
	return r;
}

/* What a tag would lose although it may not. */
static void list_lost(const struct xb_tag_move *move, const struct xb_publish_options *options,
		      struct xb_strv *ret)
{
	static const struct xb_strv none;

	if (!options->allow_drop)
		difference(&move->lost, options->may_lose != NULL ? options->may_lose : &none, ret);
}

static int check_lost(const struct xb_tag_move *move, const struct xb_publish_options *options,
		      struct xb_error *err)
{
	xb_auto_strv struct xb_strv list = XB_STRV_INIT;
	xb_autofree char *lost = NULL;

	list_lost(move, options, &list);
	if (list.len == 0)
		return 0;
	lost = xb_strv_join(&list, ", ");
	(void)xb_error_set(err, -EPERM,
			   "%s has an image for %s now and would lose it: no tag was moved",
			   move->name, lost);
	(void)xb_error_hint(err, "build for %s as well, or say --allow-drop", lost);
	return xb_error_fault(err, XB_FAULT_PROOF);
}

static int check_expected(const struct xb_tag_move *move, const struct xb_digest *expected,
			  struct xb_error *err)
{
	if (expected == NULL || xb_digest_eq(&move->before.digest, expected))
		return 0;
	(void)xb_error_set(
		err, -EAGAIN, "%s meant %s and means %s now: somebody else moved it meanwhile",
		move->name, expected->text,
		xb_digest_empty(&move->before.digest) ? "nothing" : move->before.digest.text);
	(void)xb_error_hint(err, "run the command again: it then starts from what is there");
	return xb_error_fault(err, XB_FAULT_PROOF);
}

int xb_publish_check(const struct xb_tag_moves *moves, const struct xb_publish_options *options,
		     struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < moves->len; i++) {
		r = check_expected(&moves->items[i], options->expected, err);
		if (r == 0)
			r = check_lost(&moves->items[i], options, err);
	}
	return r;
}

static void print_platforms(const struct xb_strv *platforms, char sign, struct xb_str *text)
{
	for (size_t i = 0; i < platforms->len; i++)
		(void)xb_str_printf(text, " %c%s", sign, platforms->items[i]);
}

void xb_publish_print(const struct xb_tag_moves *moves, const struct xb_descriptor *root,
		      struct xb_str *text)
{
	for (size_t i = 0; i < moves->len; i++) {
		const struct xb_tag_move *move = &moves->items[i];
		const struct xb_digest *before = &move->before.digest;

		(void)xb_str_printf(text, "%s: %s -> %s", move->name,
				    xb_digest_empty(before) ? "(none)" : before->text,
				    root->digest.text);
		print_platforms(&move->gained, '+', text);
		print_platforms(&move->lost, '-', text);
		(void)xb_str_puts(text, "\n");
	}
}

/* ---- doing -------------------------------------------------------------------------------- */

/* Whether the move before it goes to the same place, which has then been dealt with. */
static bool same_place_before(const struct xb_tag_moves *moves, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (moves->items[k].place == moves->items[i].place)
			return true;
	}
	return false;
}

static int check_child(struct xb_place *place, const struct xb_descriptor *child,
		       struct xb_error *err)
{
	bool there = false;
	int r = place->ops->has(place, child, &there, err);

	if (r == 0 && !there) {
		(void)xb_error_set(err, -EREMOTEIO, "%s took %s and does not have it now",
				   place->name, child->digest.text);
		r = xb_error_fault(err, XB_FAULT_REGISTRY);
	}
	return r;
}

/* Read the root again and ask for what it names; `text` gets its bytes. */
static int read_back(struct xb_place *place, const struct xb_descriptor *root, struct xb_str *text,
		     struct xb_error *err)
{
	xb_auto_index struct xb_index index = XB_INDEX_INIT;
	int r = place->ops->read(place, root, XB_MAX_MANIFEST, text, err);

	if (r == 0 && xb_media_kind(root->media_type) == XB_MEDIA_INDEX)
		r = xb_index_parse(xb_str_view(text), root->media_type, &index, err);
	for (size_t i = 0; r == 0 && i < index.manifests.len; i++)
		r = check_child(place, &index.manifests.items[i], err);
	return r < 0 ? xb_error_wrap(err, r, "reading back what was sent") : 0;
}

static int send(const struct xb_tag_moves *moves, struct xb_place *from,
		const struct xb_descriptor *root, const struct xb_transfer_options *options,
		struct xb_str *text, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < moves->len; i++) {
		if (same_place_before(moves, i))
			continue;
		xb_str_truncate(text, 0);
		r = xb_copy_image(moves->items[i].place, from, root, options, err);
		if (r == 0)
			r = read_back(moves->items[i].place, root, text, err);
	}
	return r;
}

static int move_tag(struct xb_tag_move *move, const struct xb_descriptor *root,
		    struct xb_view bytes, struct xb_error *err)
{
	xb_auto_descriptor struct xb_descriptor now = XB_DESCRIPTOR_INIT;
	int r;

	if (move->tag == NULL) {
		move->moved = true;
		return 0;
	}
	r = move->place->ops->tag(move->place, move->tag, root, bytes, err);
	if (r < 0)
		return xb_error_wrap(err, r, "tagging %s", move->name);
	move->moved = true;
	r = move->place->ops->resolve(move->place, move->tag, &now, err);
	if (r < 0)
		return xb_error_wrap(err, r, "looking at %s after it was tagged", move->name);
	if (xb_digest_eq(&now.digest, &root->digest))
		return 0;
	(void)xb_error_set(err, -EAGAIN,
			   "%s was tagged as %s and means %s now: somebody else moved it",
			   move->name, root->digest.text, now.digest.text);
	return xb_error_fault(err, XB_FAULT_PROOF);
}

/* After an error between tags: which have moved. Nothing is said when there is one tag, or none
 * has. */
static int tell_half(const struct xb_tag_moves *moves, int r, struct xb_error *err)
{
	xb_auto_str struct xb_str moved = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str left = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < moves->len; i++) {
		struct xb_str *list = moves->items[i].moved ? &moved : &left;

		(void)xb_str_printf(list, "%s%s", list->len > 0 ? ", " : "", moves->items[i].name);
	}
	if (moves->len < 2 || moved.len == 0)
		return r;
	return xb_error_wrap(err, r, "moved: %s; not moved: %s", xb_str_text(&moved),
			     left.len > 0 ? xb_str_text(&left) : "none");
}

static int move_tags(struct xb_tag_moves *moves, const struct xb_descriptor *root,
		     struct xb_view bytes, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < moves->len; i++)
		r = move_tag(&moves->items[i], root, bytes, err);
	return r < 0 ? tell_half(moves, r, err) : 0;
}

static int look_and_check(struct xb_tag_moves *moves, struct xb_place *from,
			  const struct xb_descriptor *root,
			  const struct xb_publish_options *options, struct xb_error *err)
{
	int r = xb_publish_look(moves, from, root, err);

	return r < 0 ? r : xb_publish_check(moves, options, err);
}

int xb_publish(struct xb_tag_moves *moves, struct xb_place *from, const struct xb_descriptor *root,
	       const struct xb_publish_options *options, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_MANIFEST);
	int r = look_and_check(moves, from, root, options, err);

	if (r == 0)
		r = send(moves, from, root, &options->copy, &text, err);
	if (r == 0)
		r = look_and_check(moves, from, root, options, err);
	return r < 0 ? r : move_tags(moves, root, xb_str_view(&text), err);
}
