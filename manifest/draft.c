/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/draft.h"

#include <errno.h>
#include <string.h>

#include "base/json.h"
#include "manifest/media.h"

/* What xb_index_write() writes for no entries; a text of JSON cannot hold it. */
#define NO_ENTRIES "\"manifests\":[]"

static void entry_clear(struct xb_draft_entry *entry)
{
	xb_descriptor_clear(&entry->descriptor);
	free(entry->text);
	free(entry->source);
}

void xb_draft_entries_clear(struct xb_draft_entries *entries)
{
	for (size_t i = 0; i < entries->len; i++)
		entry_clear(&entries->items[i]);
	xb_array_clear(entries);
}

void xb_draft_entries_add(struct xb_draft_entries *entries, const struct xb_descriptor *d,
			  const char *text, const char *source)
{
	struct xb_draft_entry *entry = xb_array_push(entries);

	xb_descriptor_copy(&entry->descriptor, d);
	entry->text = xb_strdup(text);
	entry->source = xb_strdup(source);
}

void xb_draft_clear(struct xb_draft *draft)
{
	xb_index_clear(&draft->head);
	xb_draft_entries_clear(&draft->entries);
	free(draft->original);
	*draft = (struct xb_draft){ 0 };
}

/* ---- the bytes of entries ----------------------------------------------------------------- */

/* A document that has been parsed: what is looked for here is there, and strings end. */
struct scan {
	const char *data;
	size_t len, at;
};

static char look(const struct scan *s)
{
	return s->at < s->len ? s->data[s->at] : '\0';
}

static void skip_space(struct scan *s)
{
	while (s->at < s->len && strchr(" \t\r\n", s->data[s->at]) != NULL)
		s->at++;
}

static struct xb_view take_string(struct scan *s)
{
	size_t start = ++s->at;

	while (s->at < s->len && s->data[s->at] != '"')
		s->at += s->data[s->at] == '\\' ? 2 : 1;
	return (struct xb_view){ s->data + start, s->at++ - start };
}

/* Any value, with what is inside of it. */
static struct xb_view take_value(struct scan *s)
{
	size_t start = s->at, depth = 0;

	while (s->at < s->len) {
		char c = look(s);

		if (depth == 0 && s->at > start && strchr(",]} \t\r\n", c) != NULL)
			break;
		if (c == '"')
			(void)take_string(s);
		else
			s->at++;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		if (depth == 0 && (c == '"' || c == '}' || c == ']'))
			break;
	}
	return (struct xb_view){ s->data + start, s->at - start };
}

/* Go behind the key `key` of the document's object and its colon; false where it is not. */
static bool find_member(struct scan *s, const char *key)
{
	bool found = false;

	skip_space(s);
	while (!found && s->at < s->len && look(s) != '}') {
		s->at++; /* '{' or ',' */
		skip_space(s);
		if (look(s) != '"')
			break;
		found = xb_view_is(take_string(s), key);
		skip_space(s);
		s->at++; /* ':' */
		skip_space(s);
		if (!found)
			(void)take_value(s);
		skip_space(s);
	}
	return found;
}

/* Give the entries the bytes that they have in the document; whether all have got theirs. */
static bool slice(struct xb_view text, struct xb_draft_entries *entries)
{
	struct scan s = { text.data, text.len, 0 };
	size_t count = 0;

	if (!find_member(&s, "manifests") || look(&s) != '[')
		return entries->len == 0;
	s.at++;
	skip_space(&s);
	while (look(&s) == '{' && count < entries->len) {
		entries->items[count++].text = xb_view_dup(take_value(&s));
		skip_space(&s);
		s.at += look(&s) == ',';
		skip_space(&s);
	}
	return count == entries->len && look(&s) == ']';
}

static void take_entries(struct xb_draft *draft)
{
	struct xb_descriptors *manifests = &draft->head.manifests;

	for (size_t i = 0; i < manifests->len; i++)
		xb_draft_entries_add(&draft->entries, &manifests->items[i], NULL, NULL);
	xb_descriptors_clear(manifests);
}

int xb_draft_parse(struct xb_view text, const char *media_type, struct xb_draft *ret,
		   struct xb_error *err)
{
	xb_auto_draft struct xb_draft draft = { 0 };
	int r = xb_index_parse(text, media_type, &draft.head, err);

	if (r < 0)
		return r;
	if (draft.head.manifests.len > XB_MAX_DRAFT)
		return xb_error_set(err, -E2BIG, "image index: %zu entries; at most %d are taken",
				    draft.head.manifests.len, XB_MAX_DRAFT);
	take_entries(&draft);
	/* a key may be spelt with escapes, which nobody does */
	if (!slice(text, &draft.entries))
		return xb_error_set(err, -EBADMSG, "image index: its entries cannot be told apart");
	if (draft.head.media_type == NULL)
		draft.head.media_type = xb_strdup(media_type);
	draft.original = xb_view_dup(text);
	*ret = draft;
	draft = (struct xb_draft){ 0 };
	return 0;
}

static int write_entries(const struct xb_draft *draft, struct xb_str *s, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < draft->entries.len; i++) {
		const struct xb_draft_entry *entry = &draft->entries.items[i];
		xb_auto_json json_t *object = NULL;

		if (i > 0)
			(void)xb_str_putc(s, ',');
		if (entry->text != NULL) {
			(void)xb_str_puts(s, entry->text);
			continue;
		}
		object = xb_descriptor_to_json(&entry->descriptor);
		r = xb_json_write(object, s, err);
	}
	return r;
}

int xb_draft_write(const struct xb_draft *draft, struct xb_str *s, struct xb_error *err)
{
	xb_auto_str struct xb_str head = XB_STR_INIT(s->max);
	const char *gap;
	int r;

	if (!draft->changed && draft->original != NULL) {
		(void)xb_str_puts(s, draft->original);
	} else {
		r = xb_index_write(&draft->head, &head, err);
		if (r < 0)
			return r;
		gap = strstr(xb_str_text(&head), NO_ENTRIES) + strlen(NO_ENTRIES) - 1;
		(void)xb_str_append(s, head.data, (size_t)(gap - head.data));
		r = write_entries(draft, s, err);
		if (r < 0)
			return r;
		(void)xb_str_puts(s, gap);
	}
	if (xb_str_overflowed(s))
		return xb_error_set(err, -EFBIG, "the image index would be too large");
	return 0;
}

/* ---- finding ------------------------------------------------------------------------------ */

bool xb_draft_is_image(const struct xb_draft_entry *entry)
{
	const struct xb_descriptor *d = &entry->descriptor;

	return d->has_platform && !xb_descriptor_is_attestation(d) &&
	       xb_media_kind(d->media_type) == XB_MEDIA_MANIFEST;
}

static struct xb_platform platform_of(const struct xb_draft_entry *entry)
{
	struct xb_platform platform = entry->descriptor.platform;

	xb_platform_normalise(&platform);
	return platform;
}

static bool same_platform(const struct xb_draft_entry *a, const struct xb_draft_entry *b)
{
	struct xb_platform x = platform_of(a), y = platform_of(b);

	return xb_draft_is_image(a) && xb_draft_is_image(b) && xb_platform_eq(&x, &y);
}

static bool same_digest(const struct xb_draft_entry *a, const struct xb_draft_entry *b)
{
	return xb_digest_eq(&a->descriptor.digest, &b->descriptor.digest);
}

/* Whether an entry is what was asked for; parts that were not given may be any. */
static bool fits(const struct xb_draft_entry *entry, const struct xb_platform *wanted)
{
	struct xb_platform platform = platform_of(entry);

	if (!xb_draft_is_image(entry))
		return false;
	if (wanted->os_version[0] == '\0')
		platform.os_version[0] = '\0';
	if (wanted->os_features[0] == '\0')
		platform.os_features[0] = '\0';
	return xb_platform_eq(&platform, wanted);
}

static int nothing_found(const struct xb_draft *draft, const char *name, struct xb_error *err)
{
	xb_auto_descriptors struct xb_descriptors all = { 0 };
	xb_auto_str struct xb_str there = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < draft->entries.len; i++)
		(void)xb_descriptors_add(&all, &draft->entries.items[i].descriptor);
	xb_descriptors_platforms(&all, &there);
	(void)xb_error_set(err, -ENOENT, "the index has no %s (there is: %s)", name,
			   xb_str_text(&there));
	return xb_error_fault(err, XB_FAULT_PLATFORM);
}

static void find_digest(const struct xb_draft *draft, const struct xb_digest *digest,
			struct xb_draft_places *ret)
{
	for (size_t i = 0; i < draft->entries.len; i++) {
		if (xb_digest_eq(&draft->entries.items[i].descriptor.digest, digest))
			*xb_array_push(ret) = i;
	}
}

static int find_platform(const struct xb_draft *draft, const char *name,
			 struct xb_draft_places *ret, struct xb_error *err)
{
	static const struct xb_platform defaults = { .os = "linux" };
	const struct xb_draft_entry *items = draft->entries.items;
	struct xb_platform wanted;
	int r = xb_platform_parse(xb_view(name), &defaults, &wanted, err);

	if (r < 0)
		return xb_error_fault(err, XB_FAULT_USAGE);
	for (size_t i = 0; i < draft->entries.len; i++) {
		if (fits(&items[i], &wanted))
			*xb_array_push(ret) = i;
	}
	for (size_t i = 1; i < ret->len; i++) {
		if (same_platform(&items[ret->items[0]], &items[ret->items[i]]))
			continue;
		(void)xb_error_set(err, -EEXIST, "%s is said of %s and of %s", name,
				   items[ret->items[0]].descriptor.digest.text,
				   items[ret->items[i]].descriptor.digest.text);
		(void)xb_error_hint(err, "give the digest of one");
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	return 0;
}

int xb_draft_find(const struct xb_draft *draft, const char *name, struct xb_draft_places *ret,
		  struct xb_error *err)
{
	struct xb_digest digest;
	int r = 0;

	if (xb_digest_parse(xb_view(name), &digest, NULL) == 0)
		find_digest(draft, &digest, ret);
	else
		r = find_platform(draft, name, ret, err);
	if (r == 0 && ret->len == 0)
		r = nothing_found(draft, name, err);
	return r;
}

/* ---- changing ----------------------------------------------------------------------------- */

void xb_draft_touch(struct xb_draft *draft, size_t at)
{
	free(draft->entries.items[at].text);
	draft->entries.items[at].text = NULL;
	draft->changed = true;
}

static void cut(struct xb_draft *draft, size_t at)
{
	struct xb_draft_entries *entries = &draft->entries;

	entry_clear(&entries->items[at]);
	memmove(&entries->items[at], &entries->items[at + 1],
		(entries->len - at - 1) * sizeof(*entries->items));
	entries->len--;
	draft->changed = true;
}

/* Whether `entry` says that it is an attestation of the image `digest`. */
static bool attests(const struct xb_draft_entry *entry, const char *digest)
{
	const char *of =
		xb_annotations_get(&entry->descriptor.annotations, XB_ANNOTATION_REFERENCE_DIGEST);

	return of != NULL && strcmp(of, digest) == 0 &&
	       xb_descriptor_is_attestation(&entry->descriptor);
}

static bool holds_digest(const struct xb_draft *draft, const struct xb_digest *digest)
{
	bool found = false;

	for (size_t i = 0; i < draft->entries.len; i++)
		found |= xb_digest_eq(&draft->entries.items[i].descriptor.digest, digest);
	return found;
}

void xb_draft_forget(struct xb_draft *draft, const struct xb_digest *digest, struct xb_strv *notes)
{
	if (holds_digest(draft, digest))
		return;
	for (size_t i = draft->entries.len; i-- > 0;) {
		if (!attests(&draft->entries.items[i], digest->text))
			continue;
		xb_strv_printf(notes, "the attestation %s goes with its image %s",
			       draft->entries.items[i].descriptor.digest.text, digest->text);
		cut(draft, i);
	}
}

void xb_draft_remove(struct xb_draft *draft, size_t at, struct xb_strv *notes)
{
	const struct xb_digest digest = draft->entries.items[at].descriptor.digest;

	cut(draft, at);
	xb_draft_forget(draft, &digest, notes);
}

static const char *shown_source(const struct xb_draft_entry *entry)
{
	return entry->source != NULL ? entry->source : "the index";
}

int xb_draft_check(const struct xb_draft_entries *entries, struct xb_error *err)
{
	for (size_t i = 0; i < entries->len; i++) {
		for (size_t k = 0; k < i; k++) {
			const struct xb_draft_entry *a = &entries->items[k],
						    *b = &entries->items[i];

			if (!same_platform(a, b) || same_digest(a, b))
				continue;
			(void)xb_error_set(err, -EEXIST, "%s is there twice: %s of %s and %s of %s",
					   xb_platform_name(&b->descriptor.platform).text,
					   a->descriptor.digest.text, shown_source(a),
					   b->descriptor.digest.text, shown_source(b));
			(void)xb_error_hint(err, "an index names one image for each platform: give "
						 "one of them by its digest, or leave one out");
			return xb_error_fault(err, XB_FAULT_USAGE);
		}
	}
	return 0;
}

/* The first entry from `from` on that `entry` takes the place of, or the number of entries. */
static size_t find_rival(const struct xb_draft *draft, const struct xb_draft_entry *entry,
			 size_t from)
{
	while (from < draft->entries.len && !same_platform(&draft->entries.items[from], entry))
		from++;
	return from;
}

static void insert(struct xb_draft *draft, size_t at, const struct xb_draft_entry *entry)
{
	struct xb_draft_entries *entries = &draft->entries;
	struct xb_draft_entry added;

	xb_draft_entries_add(entries, &entry->descriptor, entry->text, entry->source);
	added = entries->items[entries->len - 1];
	memmove(&entries->items[at + 1], &entries->items[at],
		(entries->len - 1 - at) * sizeof(*entries->items));
	entries->items[at] = added;
	draft->changed = true;
}

/* Whether the very entry is there, and alone. */
static bool is_there(const struct xb_draft *draft, const struct xb_draft_entry *entry)
{
	size_t at;

	if (!xb_draft_is_image(entry))
		return holds_digest(draft, &entry->descriptor.digest);
	at = find_rival(draft, entry, 0);
	return at < draft->entries.len && same_digest(&draft->entries.items[at], entry) &&
	       find_rival(draft, entry, at + 1) == draft->entries.len;
}

static void join_entry(struct xb_draft *draft, const struct xb_draft_entry *entry,
		       struct xb_strv *notes)
{
	size_t at = find_rival(draft, entry, 0), rival;

	if (is_there(draft, entry))
		return;
	insert(draft, at, entry);
	while ((rival = find_rival(draft, entry, at + 1)) < draft->entries.len) {
		xb_strv_printf(notes, "%s: %s takes the place of %s",
			       xb_platform_name(&entry->descriptor.platform).text,
			       entry->descriptor.digest.text,
			       draft->entries.items[rival].descriptor.digest.text);
		xb_draft_remove(draft, rival, notes);
	}
}

void xb_draft_join(struct xb_draft *draft, const struct xb_draft_entries *entries,
		   struct xb_strv *notes)
{
	for (size_t i = 0; i < entries->len; i++)
		join_entry(draft, &entries->items[i], notes);
}

static bool is_among(const struct xb_draft_places *places, size_t at)
{
	bool found = false;

	for (size_t i = 0; i < places->len; i++)
		found |= places->items[i] == at;
	return found;
}

void xb_draft_keep(struct xb_draft *draft, const struct xb_draft_places *keep)
{
	xb_auto_strv struct xb_strv silent = XB_STRV_INIT;
	struct xb_digests XB_ARRAY(struct xb_digest) gone = { 0 };

	/* from the end, so that places in front stay what they are */
	for (size_t i = draft->entries.len; i-- > 0;) {
		if (!xb_draft_is_image(&draft->entries.items[i]) || is_among(keep, i))
			continue;
		*xb_array_push(&gone) = draft->entries.items[i].descriptor.digest;
		cut(draft, i);
	}
	for (size_t i = 0; i < gone.len; i++)
		xb_draft_forget(draft, &gone.items[i], &silent);
	xb_array_clear(&gone);
}
