/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/legs.h"

#include <errno.h>
#include <string.h>

void xb_legs_clear(struct xb_legs *legs)
{
	for (size_t i = 0; i < legs->len; i++)
		xb_leg_clear(&legs->items[i]);
	xb_array_clear(legs);
}

/* ---- are they of one build? ---------------------------------------------------------------- */

static int refuse(struct xb_error *err, const char *hint)
{
	(void)xb_error_hint(err, "%s", hint);
	(void)xb_error_fault(err, XB_FAULT_PROOF);
	return -EINVAL;
}

static int check_revision(const struct xb_leg *a, const struct xb_leg *b, struct xb_error *err)
{
	if (strcmp(a->revision, b->revision) == 0)
		return 0;
	(void)xb_error_set(err, -EINVAL, "%s is of revision %s, and %s of %s", a->name, a->revision,
			   b->name, b->revision);
	return refuse(err, "build all legs from one revision, and remove results of earlier ones");
}

static int check_clock(const struct xb_leg *a, const struct xb_leg *b, struct xb_error *err)
{
	if (a->epoch == b->epoch)
		return 0;
	(void)xb_error_set(err, -EINVAL, "%s has the clock %llu, and %s %llu", a->name,
			   (unsigned long long)a->epoch, b->name, (unsigned long long)b->epoch);
	return refuse(err, "give all legs the same SOURCE_DATE_EPOCH, such as the commit's time");
}

static bool same_platforms(const struct xb_leg *a, const struct xb_leg *b)
{
	if (a->platforms.len != b->platforms.len)
		return false;
	for (size_t i = 0; i < a->platforms.len; i++) {
		const struct xb_leg_platform *x = &a->platforms.items[i];
		const struct xb_leg_platform *y = &b->platforms.items[i];

		if (!xb_platform_eq(&x->platform, &y->platform) || x->optional != y->optional)
			return false;
	}
	return true;
}

static char *platforms_of(const struct xb_leg *leg)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < leg->platforms.len; i++)
		(void)xb_str_printf(&text, "%s%s%s", i > 0 ? "," : "",
				    xb_platform_name(&leg->platforms.items[i].platform).text,
				    leg->platforms.items[i].optional ? "?" : "");
	return xb_str_steal(&text);
}

static int check_platforms(const struct xb_leg *a, const struct xb_leg *b, struct xb_error *err)
{
	xb_autofree char *of_a = platforms_of(a);
	xb_autofree char *of_b = platforms_of(b);

	if (same_platforms(a, b))
		return 0;
	(void)xb_error_set(err, -EINVAL, "%s is a leg of %s, and %s one of %s", a->name, of_a,
			   b->name, of_b);
	return refuse(err, "give all legs the same --platform, and each its own --leg");
}

static bool same_annotations(const struct xb_annotations *a, const struct xb_annotations *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++) {
		const char *value = xb_annotations_get(b, a->items[i].name);

		if (value == NULL || strcmp(value, a->items[i].value) != 0)
			return false;
	}
	return true;
}

static int check_source(const struct xb_leg *a, const struct xb_leg *b, struct xb_error *err)
{
	const char *what = NULL;

	if (!xb_digest_eq(&a->dockerfile, &b->dockerfile))
		what = "Dockerfiles";
	else if (!xb_digest_eq(&a->arguments, &b->arguments))
		what = "build arguments or options";
	else if (a->index.wanted != b->index.wanted || a->index.docker != b->index.docker ||
		 a->index.unlabelled != b->index.unlabelled ||
		 !same_annotations(&a->index.own, &b->index.own) ||
		 !same_annotations(&a->index.descriptor, &b->index.descriptor))
		what = "annotations or media types of the index";
	if (what == NULL)
		return 0;
	(void)xb_error_set(err, -EINVAL, "%s and %s were built with different %s", a->name, b->name,
			   what);
	return refuse(err, "give all legs the same options but --leg, --result and outputs");
}

/* "1.4" of "1.4.2". */
static struct xb_view family(const char *version)
{
	size_t end = strcspn(version, ".");

	if (version[end] == '.')
		end += 1 + strcspn(version + end + 1, ".");
	return (struct xb_view){ version, end };
}

static int check_builder(const struct xb_leg *a, const struct xb_leg *b, struct xb_strv *warnings,
			 struct xb_error *err)
{
	if (!xb_view_eq(family(a->version), family(b->version))) {
		(void)xb_error_set(err, -EINVAL, "%s was built by xbuild %s, and %s by %s", a->name,
				   a->version, b->name, b->version);
		return refuse(err, "use one version of xbuild for all legs");
	}
	if (strcmp(a->version, b->version) != 0)
		xb_strv_printf(warnings,
			       "%s was built by xbuild %s, and %s by %s: one machine might give "
			       "another digest",
			       a->name, a->version, b->name, b->version);
	else if (!same_annotations(&a->libraries, &b->libraries))
		xb_strv_printf(warnings,
			       "%s and %s were compressed by different versions of libraries: one "
			       "machine might give another digest",
			       a->name, b->name);
	return 0;
}

static int check_pair(const struct xb_leg *a, const struct xb_leg *b, struct xb_strv *warnings,
		      struct xb_error *err)
{
	static int (*const checks[])(const struct xb_leg *, const struct xb_leg *,
				     struct xb_error *) = {
		check_revision,
		check_clock,
		check_platforms,
		check_source,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < XB_COUNT(checks); i++)
		r = checks[i](a, b, err);
	return r == 0 ? check_builder(a, b, warnings, err) : r;
}

/* ---- are they all? ------------------------------------------------------------------------- */

/* The leg that has an image for a declared platform, after `after` (NULL: from the first); NULL. */
static const struct xb_leg *leg_of(const struct xb_legs *legs, size_t platform,
				   const struct xb_leg *after, const struct xb_descriptor **ret)
{
	for (size_t l = after != NULL ? (size_t)(after - legs->items) + 1 : 0; l < legs->len; l++) {
		const struct xb_leg *leg = &legs->items[l];

		for (size_t i = 0; i < leg->manifests.len; i++) {
			const struct xb_descriptor *d = &leg->manifests.items[i];

			if (xb_leg_declared(leg, &d->platform) != (ptrdiff_t)platform)
				continue;
			*ret = d;
			return leg;
		}
	}
	return NULL;
}

static int check_once(const struct xb_legs *legs, size_t platform, struct xb_strv *missing,
		      struct xb_strv *warnings, struct xb_error *err)
{
	const struct xb_leg_platform *declared = &legs->items[0].platforms.items[platform];
	struct xb_platform_name name = xb_platform_name(&declared->platform);
	const struct xb_descriptor *d;
	const struct xb_leg *first = leg_of(legs, platform, NULL, &d);
	const struct xb_leg *second = first != NULL ? leg_of(legs, platform, first, &d) : NULL;

	if (second != NULL) {
		(void)xb_error_set(err, -EINVAL, "%s and %s both have an image for %s", first->name,
				   second->name, name.text);
		return refuse(err, "give each platform to one leg");
	}
	if (first == NULL && declared->optional)
		xb_strv_printf(warnings, "no leg has an image for %s: it is left out", name.text);
	else if (first == NULL)
		xb_strv_push(missing, name.text);
	return 0;
}

static int check_complete(const struct xb_legs *legs, struct xb_strv *warnings,
			  struct xb_error *err)
{
	xb_auto_strv struct xb_strv missing = XB_STRV_INIT;
	xb_autofree char *names = NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < legs->items[0].platforms.len; i++)
		r = check_once(legs, i, &missing, warnings, err);
	if (r < 0 || missing.len == 0)
		return r;
	names = xb_strv_join(&missing, ", ");
	(void)xb_error_set(err, -EINVAL, "no leg has an image for %s", names);
	return refuse(err, "give the results of all legs; one that failed left none");
}

int xb_legs_check(const struct xb_legs *legs, const char *revision, struct xb_strv *warnings,
		  struct xb_error *err)
{
	const struct xb_leg *first = &legs->items[0];
	int r = 0;

	if (revision != NULL && strcmp(first->revision, revision) != 0) {
		(void)xb_error_set(err, -EINVAL, "%s is of revision %s, and %s is asked for",
				   first->name, first->revision, revision);
		return refuse(err, "build the legs again, or remove results of earlier builds");
	}
	for (size_t i = 1; r == 0 && i < legs->len; i++)
		r = check_pair(first, &legs->items[i], warnings, err);
	return r == 0 ? check_complete(legs, warnings, err) : r;
}

void xb_legs_manifests(const struct xb_legs *legs, struct xb_descriptors *ret)
{
	for (size_t i = 0; i < legs->items[0].platforms.len; i++) {
		const struct xb_descriptor *d = NULL;

		if (leg_of(legs, i, NULL, &d) != NULL)
			(void)xb_descriptors_add(ret, d);
	}
}
