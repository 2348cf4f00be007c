/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/reference.h"

#include <errno.h>
#include <string.h>

#include "manifest/document.h"

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN  "index.docker.io"
#define OFFICIAL       "library/"

void xb_reference_clear(struct xb_reference *ref)
{
	free(ref->domain);
	free(ref->path);
	free(ref->tag);
	*ref = XB_REFERENCE_INIT;
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_lower(c) || is_upper(c) || is_digit(c);
}

static struct xb_view from(struct xb_view view, size_t at)
{
	return xb_view_sub(view, at, view.len);
}

/* alpha-numeric [ alpha-numeric or "-" … alpha-numeric ] */
static bool label_valid(struct xb_view label)
{
	if (label.len == 0 || !is_alnum(label.data[0]) || !is_alnum(label.data[label.len - 1]))
		return false;
	for (size_t i = 0; i < label.len; i++)
		if (!is_alnum(label.data[i]) && label.data[i] != '-')
			return false;
	return true;
}

static bool host_valid(struct xb_view host)
{
	struct xb_view label;

	if (host.len == 0)
		return false;
	while (xb_view_split(&host, '.', &label))
		if (!label_valid(label))
			return false;
	return true;
}

/* The length of "[IPv6 address]" at the start, 0 when there is none. */
static size_t bracketed(struct xb_view text)
{
	ptrdiff_t end = xb_view_find(text, ']');

	if (text.len == 0 || text.data[0] != '[' || end < 2)
		return 0;
	for (size_t i = 1; i < (size_t)end; i++)
		if (text.data[i] == '\0' || strchr("0123456789abcdefABCDEF:", text.data[i]) == NULL)
			return 0;
	return (size_t)end + 1;
}

/* host[:port] */
static bool domain_valid(struct xb_view domain)
{
	size_t host = bracketed(domain);
	ptrdiff_t colon;

	if (host == 0) {
		colon = xb_view_find(domain, ':');
		host = colon >= 0 ? (size_t)colon : domain.len;
		if (!host_valid(xb_view_sub(domain, 0, host)))
			return false;
	}
	if (host == domain.len)
		return true;
	if (domain.data[host] != ':' || host + 1 == domain.len)
		return false;
	for (size_t i = host + 1; i < domain.len; i++)
		if (!is_digit(domain.data[i]))
			return false;
	return true;
}

/* The length of the separator inside a path component at `at`: ".", "_", "__" or any run of "-". */
static size_t separator(struct xb_view text, size_t at)
{
	size_t end = at;

	if (text.data[at] == '.')
		return 1;
	if (text.data[at] == '_')
		return at + 1 < text.len && text.data[at + 1] == '_' ? 2 : 1;
	while (end < text.len && text.data[end] == '-')
		end++;
	return end - at;
}

static bool component_valid(struct xb_view text)
{
	size_t at = 0;

	while (at < text.len) {
		size_t start = at, gap;

		while (at < text.len && (is_lower(text.data[at]) || is_digit(text.data[at])))
			at++;
		if (at == start)
			return false;
		if (at == text.len)
			return true;
		gap = separator(text, at);
		if (gap == 0)
			return false;
		at += gap;
	}
	return false;
}

static bool path_valid(struct xb_view path)
{
	struct xb_view component;

	if (path.len == 0)
		return false;
	while (xb_view_split(&path, '/', &component))
		if (!component_valid(component))
			return false;
	return true;
}

static bool tag_valid(struct xb_view tag)
{
	if (tag.len == 0 || tag.len > 128 || tag.data[0] == '.' || tag.data[0] == '-')
		return false;
	for (size_t i = 0; i < tag.len; i++)
		if (!is_alnum(tag.data[i]) && tag.data[i] != '_' && tag.data[i] != '.' &&
		    tag.data[i] != '-')
			return false;
	return true;
}

/* A reference cut at its marks, nothing checked yet. */
struct pieces {
	struct xb_view domain, path, tag, digest;
	bool has_domain, has_tag, has_digest;
};

static ptrdiff_t find_last(struct xb_view view, char c)
{
	for (size_t i = view.len; i > 0; i--)
		if (view.data[i - 1] == c)
			return (ptrdiff_t)(i - 1);
	return -1;
}

static struct pieces cut(struct xb_view text)
{
	struct pieces p = { 0 };
	ptrdiff_t at = xb_view_find(text, '@'), colon, slash;
	size_t last;

	if (at >= 0) {
		p.has_digest = true;
		p.digest = from(text, (size_t)at + 1);
		text = xb_view_sub(text, 0, (size_t)at);
	}
	/* a colon behind the last slash starts the tag, one before it a port */
	last = (size_t)(find_last(text, '/') + 1);
	colon = xb_view_find(from(text, last), ':');
	if (colon >= 0) {
		p.has_tag = true;
		p.tag = from(text, last + (size_t)colon + 1);
		text = xb_view_sub(text, 0, last + (size_t)colon);
	}
	slash = xb_view_find(text, '/');
	if (slash >= 0 && domain_valid(xb_view_sub(text, 0, (size_t)slash))) {
		p.has_domain = true;
		p.domain = xb_view_sub(text, 0, (size_t)slash);
		text = from(text, (size_t)slash + 1);
	}
	p.path = text;
	return p;
}

static bool has_upper(struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++)
		if (is_upper(text.data[i]))
			return true;
	return false;
}

static int check_pieces(const struct pieces *p, struct xb_error *err)
{
	int r;

	if (p->path.len == 0 && !p->has_domain)
		return xb_error_set(err, -EINVAL, "it has no name");
	if (!path_valid(p->path)) {
		r = xb_error_set(err, -EINVAL, "its name is not of the form of an image name");
		if (has_upper(p->path))
			(void)xb_error_hint(err, "the name of an image is written in lower case");
		return r;
	}
	if (p->has_tag && !tag_valid(p->tag))
		return xb_error_set(err, -EINVAL, "its tag is not of the form of a tag");
	if (p->path.len > XB_MAX_REFERENCE_PATH)
		return xb_error_set(err, -ENAMETOOLONG, "its name is longer than %d bytes",
				    XB_MAX_REFERENCE_PATH);
	return 0;
}

static int parse_exact(struct xb_view text, struct xb_reference *ret, struct xb_error *err)
{
	struct pieces p = cut(text);
	struct xb_digest digest = { 0 };
	int r = check_pieces(&p, err);

	if (r < 0)
		return r;
	if (p.has_digest) {
		r = xb_digest_parse(p.digest, &digest, err);
		if (r < 0)
			return r;
	}
	ret->domain = p.has_domain ? xb_view_dup(p.domain) : NULL;
	ret->path = xb_view_dup(p.path);
	ret->tag = p.has_tag ? xb_view_dup(p.tag) : NULL;
	ret->digest = digest;
	return 0;
}

/* Name the reference in an error, cut to a length that a line can hold. */
static int wrap(struct xb_view text, int r, struct xb_error *err)
{
	xb_autofree char *whole = xb_view_dup(xb_view_sub(text, 0, 300));
	xb_autofree char *shown = xb_document_quote(whole);

	return xb_error_wrap(err, r, "image reference \"%s\"", shown);
}

int xb_reference_parse_exact(struct xb_view text, struct xb_reference *ret, struct xb_error *err)
{
	int r = parse_exact(text, ret, err);

	return r < 0 ? wrap(text, r, err) : 0;
}

bool xb_reference_is_identifier(struct xb_view text)
{
	if (text.len != 64)
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_digit(text.data[i]) && !(text.data[i] >= 'a' && text.data[i] <= 'f'))
			return false;
	return true;
}

/* Whether the first component of what a user writes is meant as a domain. */
static bool means_domain(struct xb_view first)
{
	return xb_view_is(first, "localhost") || xb_view_find(first, '.') >= 0 ||
	       xb_view_find(first, ':') >= 0 || has_upper(first);
}

static int parse_familiar(struct xb_view text, struct xb_reference *ret, struct xb_error *err)
{
	xb_autofree char *whole = NULL;
	struct xb_view domain = XB_VIEW(DEFAULT_DOMAIN), rest = text;
	ptrdiff_t slash = xb_view_find(text, '/');
	const char *official = "";

	if (xb_reference_is_identifier(text)) {
		(void)xb_error_set(err, -EINVAL, "64 hexadecimal digits are no name");
		return xb_error_hint(err, "an image is named by its digest as NAME@sha256:%.*s",
				     XB_VIEW_ARGS(text));
	}
	if (slash >= 0 && means_domain(xb_view_sub(text, 0, (size_t)slash))) {
		domain = xb_view_sub(text, 0, (size_t)slash);
		rest = from(text, (size_t)slash + 1);
		if (xb_view_is(domain, LEGACY_DOMAIN))
			domain = XB_VIEW(DEFAULT_DOMAIN);
	}
	if (xb_view_is(domain, DEFAULT_DOMAIN) && xb_view_find(rest, '/') < 0)
		official = OFFICIAL;
	if (!domain_valid(domain))
		return xb_error_set(err, -EINVAL, "its host name is not of the form of one");
	if (rest.len == 0)
		return xb_error_set(err, -EINVAL, "it has no name");
	whole = xb_format("%.*s/%s%.*s", XB_VIEW_ARGS(domain), official, XB_VIEW_ARGS(rest));
	return parse_exact(xb_view(whole), ret, err);
}

int xb_reference_parse(struct xb_view text, struct xb_reference *ret, struct xb_error *err)
{
	enum { LONGEST = 2048 }; /* domain, path, tag and sha512 with room to spare */
	int r;

	if (text.len == 0)
		return xb_error_set(err, -EINVAL, "an image reference is empty");
	if (text.len > LONGEST)
		return wrap(text, xb_error_set(err, -ENAMETOOLONG, "longer than %d bytes", LONGEST),
			    err);
	if (memchr(text.data, '\0', text.len) != NULL)
		return wrap(text, xb_error_set(err, -EINVAL, "it holds a zero byte"), err);
	r = parse_familiar(text, ret, err);
	return r < 0 ? wrap(text, r, err) : 0;
}

void xb_reference_complete(struct xb_reference *ref)
{
	if (ref->tag == NULL && xb_digest_empty(&ref->digest))
		ref->tag = xb_strdup("latest");
}

/* A name with the tag and the digest of `ref`. */
static char *with_tag(const char *name, const struct xb_reference *ref)
{
	bool pinned = !xb_digest_empty(&ref->digest);

	return xb_format("%s%s%s%s%s", name, ref->tag != NULL ? ":" : "",
			 ref->tag != NULL ? ref->tag : "", pinned ? "@" : "",
			 pinned ? ref->digest.text : "");
}

char *xb_reference_name(const struct xb_reference *ref)
{
	return xb_format("%s%s%s", ref->domain != NULL ? ref->domain : "",
			 ref->domain != NULL ? "/" : "", ref->path);
}

char *xb_reference_format(const struct xb_reference *ref)
{
	xb_autofree char *name = xb_reference_name(ref);

	return with_tag(name, ref);
}

char *xb_reference_familiar(const struct xb_reference *ref)
{
	struct xb_view path = xb_view(ref->path), rest;
	xb_autofree char *name = NULL, *whole = NULL;
	xb_auto_reference struct xb_reference again = XB_REFERENCE_INIT;

	if (ref->domain == NULL || strcmp(ref->domain, DEFAULT_DOMAIN) != 0)
		return xb_reference_format(ref);
	rest = from(path, strlen(OFFICIAL));
	if (xb_view_starts(path, XB_VIEW(OFFICIAL)) && xb_view_find(rest, '/') < 0)
		path = rest;
	name = xb_view_dup(path);
	whole = with_tag(name, ref);
	/* the short form of docker.io/a.b/c, say, would mean another registry: then it stays long
	 */
	if (xb_reference_parse(xb_view(whole), &again, NULL) < 0 ||
	    strcmp(again.domain, ref->domain) != 0 || strcmp(again.path, ref->path) != 0)
		return xb_reference_format(ref);
	return XB_STEAL(whole);
}
