/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/cache_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "manifest/reference.h"

/* A tag of a registry has at most 128 characters; that of a part has 36 more than the cache's. */
#define LONGEST_TAG 92

void xb_cache_specs_clear(struct xb_cache_specs *specs)
{
	for (size_t i = 0; i < specs->len; i++) {
		free(specs->items[i].text);
		free(specs->items[i].where);
		free(specs->items[i].tag);
		free(specs->items[i].digest);
	}
	xb_array_clear(specs);
}

bool xb_cache_specs_want_all(const struct xb_cache_specs *specs)
{
	bool all = false;

	for (size_t i = 0; i < specs->len; i++)
		all |= specs->items[i].all;
	return all;
}

bool xb_cache_specs_want_inline(const struct xb_cache_specs *specs)
{
	bool found = false;

	for (size_t i = 0; i < specs->len; i++)
		found |= specs->items[i].type == XB_CACHE_INLINE;
	return found;
}

/* What is read, and for which of the two options. */
struct reading {
	struct xb_cache_spec *spec;
	bool to;
};

static int usage(const struct reading *r, const char *what, struct xb_error *err)
{
	(void)xb_error_set(err, -EINVAL, "--cache-%s %s: %s", r->to ? "to" : "from", r->spec->text,
			   what);
	(void)xb_error_hint(err, r->to ? "write type=registry,ref=NAME, type=local,dest=DIR or "
					 "type=inline, with mode=min|max"
				       : "write type=registry,ref=NAME or type=local,src=DIR");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static const char *set_type(const struct reading *r, struct xb_view value)
{
	static const char *const names[] = {
		[XB_CACHE_REGISTRY] = "registry",
		[XB_CACHE_LOCAL] = "local",
		[XB_CACHE_INLINE] = "inline",
	};

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (xb_view_is(value, names[i])) {
			r->spec->type = (enum xb_cache_type)i;
			return NULL;
		}
	}
	return "type= is registry, local or inline; others are not supported";
}

static const char *set_text(char **member, struct xb_view value)
{
	free(*member);
	*member = xb_view_dup(value);
	return value.len > 0 ? NULL : "a value is empty";
}

static const char *set_where(const struct reading *r, struct xb_view value)
{
	return set_text(&r->spec->where, value);
}

static const char *set_tag(const struct reading *r, struct xb_view value)
{
	return set_text(&r->spec->tag, value);
}

static const char *set_digest(const struct reading *r, struct xb_view value)
{
	struct xb_digest digest;

	if (xb_digest_parse(value, &digest, NULL) < 0)
		return "digest= is no digest";
	return set_text(&r->spec->digest, value);
}

static const char *set_mode(const struct reading *r, struct xb_view value)
{
	r->spec->all = xb_view_is(value, "max");
	return r->spec->all || xb_view_is(value, "min") ? NULL : "mode= is min or max";
}

static bool is_true(struct xb_view value)
{
	return xb_view_is(value, "true") || xb_view_is(value, "1");
}

static bool is_false(struct xb_view value)
{
	return xb_view_is(value, "false") || xb_view_is(value, "0");
}

static const char *set_ignore_error(const struct reading *r, struct xb_view value)
{
	r->spec->ignore_error = is_true(value);
	return is_true(value) || is_false(value) ? NULL : "ignore-error= is true or false";
}

/* What a cache always is. */
static const char *set_form(const struct reading *r, struct xb_view value)
{
	(void)r;
	return is_true(value) ? NULL
			      : "a cache is an OCI artifact: oci-mediatypes= and image-manifest= "
				"are true";
}

/* With another compression a hit would give another digest than carrying out the step. */
static const char *set_compression(const struct reading *r, struct xb_view value)
{
	(void)r;
	return xb_view_is(value, "gzip")
		       ? NULL
		       : "caches hold layers as images have them by default, in gzip; "
			 "other forms are made of them as of what was built here";
}

/* As there is one form of a layer, it is in it already. */
static const char *set_force(const struct reading *r, struct xb_view value)
{
	(void)r;
	return is_true(value) || is_false(value) ? NULL : "force-compression= is true or false";
}

/* The keys, and which of the two options and which types have them. */
static const struct key {
	const char *name;
	bool from, to;
	unsigned types; /* a set of 1 << type */
	const char *(*set)(const struct reading *r, struct xb_view value);
} keys[] = {
	{ "type", true, true, ~0U, set_type },
	{ "ref", true, true, 1U << XB_CACHE_REGISTRY | 1U << XB_CACHE_INLINE, set_where },
	{ "src", true, false, 1U << XB_CACHE_LOCAL, set_where },
	{ "dest", false, true, 1U << XB_CACHE_LOCAL, set_where },
	{ "tag", true, true, 1U << XB_CACHE_LOCAL, set_tag },
	{ "digest", true, false, 1U << XB_CACHE_LOCAL, set_digest },
	{ "mode", false, true, 1U << XB_CACHE_REGISTRY | 1U << XB_CACHE_LOCAL, set_mode },
	{ "ignore-error", true, true, ~0U, set_ignore_error },
	{ "oci-mediatypes", false, true, ~0U, set_form },
	{ "image-manifest", false, true, ~0U, set_form },
	{ "compression", false, true, ~0U, set_compression },
	{ "force-compression", false, true, ~0U, set_force },
};

static const char *set_field(const struct reading *r, struct xb_view key, struct xb_view value)
{
	for (size_t i = 0; i < XB_COUNT(keys); i++) {
		if (!xb_view_is(key, keys[i].name) || !(r->to ? keys[i].to : keys[i].from))
			continue;
		return (keys[i].types & 1U << r->spec->type) != 0
			       ? keys[i].set(r, value)
			       : "a key that this type does not have (type= comes first)";
	}
	return "a key that is not known";
}

static const char *check_ref(const struct reading *r)
{
	xb_auto_reference struct xb_reference ref = XB_REFERENCE_INIT;

	if (xb_reference_parse(xb_view(r->spec->where), &ref, NULL) < 0)
		return "ref= is no reference to a repository";
	if (r->to && !xb_digest_empty(&ref.digest))
		return "what is written gets a digest, and cannot be given one";
	return r->to && ref.tag != NULL && strlen(ref.tag) > LONGEST_TAG
		       ? "the tag is too long: parts of a cache have longer ones"
		       : NULL;
}

/* What only shows once all fields are read. */
static const char *check(const struct reading *r)
{
	const struct xb_cache_spec *spec = r->spec;

	if (spec->type == XB_CACHE_LOCAL)
		return spec->where != NULL ? NULL : r->to ? "dest= is missing" : "src= is missing";
	if (spec->type == XB_CACHE_INLINE && r->to)
		return spec->where != NULL ? "what is in the image has no ref=" : NULL;
	return spec->where == NULL ? "ref= is missing" : check_ref(r);
}

static int parse_fields(const struct reading *r, struct xb_error *err)
{
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(r->spec->text);
	int more;

	while ((more = xb_csv_next(&rest, &field)) > 0) {
		struct xb_view value = xb_str_view(&field);
		struct xb_view key;
		const char *problem;

		(void)xb_view_split(&value, '=', &key);
		problem = set_field(r, key, value);
		if (problem != NULL)
			return usage(r, problem, err);
	}
	return more < 0 ? usage(r, "a quote does not end", err) : 0;
}

static int parse(const char *text, bool to, struct xb_cache_specs *specs, struct xb_error *err)
{
	const struct reading r = { xb_array_push(specs), to };
	const char *problem;
	int result = 0;

	r.spec->text = xb_strdup(text);
	if (strchr(text, '=') == NULL)
		r.spec->where = xb_strdup(text);
	else
		result = parse_fields(&r, err);
	if (result < 0)
		return result;
	problem = check(&r);
	return problem != NULL ? usage(&r, problem, err) : 0;
}

int xb_cache_from_parse(const char *text, struct xb_cache_specs *specs, struct xb_error *err)
{
	return parse(text, false, specs, err);
}

int xb_cache_to_parse(const char *text, struct xb_cache_specs *specs, struct xb_error *err)
{
	return parse(text, true, specs, err);
}
