/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/parity.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "builder/cli/options.h"

void xb_parity_clear(struct xb_parity *parity)
{
	xb_strv_clear(&parity->fresh_stages);
	xb_annotate_clear(&parity->annotate);
}

/* ---- --allow-mismatch ---------------------------------------------------------------------- */

static int allow(struct xb_view name, struct xb_plan_allow *ret, struct xb_error *err)
{
	static const struct {
		const char *name;
		size_t offset;
	} kinds[] = {
		{ "shadowed-arg", offsetof(struct xb_plan_allow, shadowed_arg) },
		{ "stage-platform", offsetof(struct xb_plan_allow, stage_platform) },
		{ "pinned-target", offsetof(struct xb_plan_allow, pinned_target) },
		{ "digest-pin", offsetof(struct xb_plan_allow, digest_pin) },
		{ "base-platform", offsetof(struct xb_plan_allow, base_platform) },
	};

	for (size_t i = 0; i < XB_COUNT(kinds); i++) {
		if (!xb_view_is(name, kinds[i].name))
			continue;
		*(bool *)((char *)ret + kinds[i].offset) = true;
		return 0;
	}
	return xb_error_usage(
		err,
		"shadowed-arg, stage-platform, pinned-target, digest-pin and base-platform "
		"can be allowed",
		"--allow-mismatch %.*s is not known", XB_VIEW_ARGS(name));
}

static int read_mismatches(const struct xb_parity_options *options, struct xb_parity *ret,
			   struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; i < options->mismatches->len; i++) {
		struct xb_view rest = xb_view(options->mismatches->items[i]);
		struct xb_view name;

		while (r == 0 && xb_view_split(&rest, ',', &name))
			r = allow(xb_view_trim(name), &ret->allow, err);
	}
	return r;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static int read_filters(const struct xb_parity_options *options, struct xb_parity *ret,
			struct xb_error *err)
{
	for (size_t i = 0; i < options->filters->len; i++) {
		struct xb_view rest = xb_view(options->filters->items[i]);
		struct xb_view name;

		while (xb_view_split(&rest, ',', &name)) {
			if (xb_view_trim(name).len == 0)
				return xb_error_usage(err,
						      "name stages: --no-cache-filter NAME,NAME",
						      "--no-cache-filter %s: an empty name",
						      options->filters->items[i]);
			xb_strv_push_view(&ret->fresh_stages, xb_view_trim(name));
		}
	}
	return 0;
}

static int read_annotations(const struct xb_parity_options *options, struct xb_parity *ret,
			    struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < options->annotations->len; i++)
		r = xb_annotate_parse(options->annotations->items[i], &ret->annotate, err);
	return r;
}

/* ---- what is off ---------------------------------------------------------------------------- */

static int no_attestation(const char *option, const char *value, struct xb_error *err)
{
	return xb_error_usage(err, "drop it, or write --provenance=false and --sbom=false",
			      "%s%s: attestations are not made", option, value);
}

/* Only what switches an attestation off. */
static int read_switch(const char *option, const char *value, struct xb_error *err)
{
	bool on = true;

	if (value == NULL || (xb_option_bool(value, &on) == 0 && !on))
		return 0;
	return no_attestation(option, value, err);
}

static int read_attestation(const char *text, struct xb_error *err)
{
	struct xb_view rest = xb_view(text), field, name;
	bool off = false, on = true;

	while (xb_view_split(&rest, ',', &field)) {
		xb_autofree char *value = NULL;

		(void)xb_view_split(&field, '=', &name);
		value = xb_view_dup(field);
		if (xb_view_is(name, "disabled"))
			off = field.data == NULL || (xb_option_bool(value, &on) == 0 && on);
	}
	return off ? 0 : no_attestation("--attest ", text, err);
}

static int read_attestations(const struct xb_parity_options *options, struct xb_parity *ret,
			     struct xb_error *err)
{
	int r = read_switch("--provenance=", options->provenance, err);

	(void)ret;
	if (r == 0)
		r = read_switch("--sbom=", options->sbom, err);
	for (size_t i = 0; r == 0 && i < options->attestations->len; i++)
		r = read_attestation(options->attestations->items[i], err);
	return r;
}

static int read_builder(const struct xb_parity_options *options, struct xb_parity *ret,
			struct xb_error *err)
{
	const char *name = options->builder;

	(void)ret;
	if (name == NULL || *name == '\0' || strcmp(name, "default") == 0)
		return 0;
	return xb_error_usage(err, "drop --builder",
			      "--builder %s: xbuild builds by itself, there are no "
			      "builders to choose from",
			      name);
}

/* ---- build arguments ------------------------------------------------------------------------ */

static int read_build_args(const struct xb_parity_options *options, struct xb_parity *ret,
			   struct xb_error *err)
{
	const char *multi = xb_env_get(options->build_args, XB_VIEW("BUILDKIT_MULTI_PLATFORM"));
	const char *inline_cache =
		xb_env_get(options->build_args, XB_VIEW("BUILDKIT_INLINE_CACHE"));
	bool ignored;

	ret->hostname = xb_env_get(options->build_args, XB_VIEW("BUILDKIT_SANDBOX_HOSTNAME"));
	ret->cache_ns = xb_env_get(options->build_args, XB_VIEW("BUILDKIT_CACHE_MOUNT_NS"));
	ret->has_index = multi != NULL && *multi != '\0';
	if (ret->has_index && xb_option_bool(multi, &ret->index) < 0)
		return xb_error_usage(err, "give 1 or 0", "BUILDKIT_MULTI_PLATFORM=%s", multi);
	if (inline_cache != NULL && *inline_cache != '\0' &&
	    xb_option_bool(inline_cache, &ignored) < 0)
		return xb_error_usage(err, "give 1 or 0", "BUILDKIT_INLINE_CACHE=%s", inline_cache);
	if (ret->hostname != NULL && *ret->hostname == '\0')
		ret->hostname = NULL;
	if (ret->hostname != NULL && strlen(ret->hostname) > XB_HOSTNAME_MAX)
		return xb_error_usage(err, "give a shorter name",
				      "BUILDKIT_SANDBOX_HOSTNAME: longer than %d bytes",
				      XB_HOSTNAME_MAX);
	return 0;
}

int xb_parity_read(const struct xb_parity_options *options, struct xb_parity *ret,
		   struct xb_error *err)
{
	static int (*const readers[])(const struct xb_parity_options *, struct xb_parity *,
				      struct xb_error *) = {
		read_mismatches,   read_filters, read_annotations,
		read_attestations, read_builder, read_build_args,
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < XB_COUNT(readers); i++)
		r = readers[i](options, ret, err);
	return r;
}

int xb_parity_index(const struct xb_parity *parity, size_t count, bool *ret, struct xb_error *err)
{
	if (parity->has_index && !parity->index && count > 1)
		return xb_error_usage(
			err, "drop BUILDKIT_MULTI_PLATFORM, or build for one platform",
			"BUILDKIT_MULTI_PLATFORM=0: %zu platforms are several", count);
	*ret = parity->has_index ? parity->index : count > 1;
	return 0;
}
