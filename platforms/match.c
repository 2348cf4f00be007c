/* SPDX-License-Identifier: Apache-2.0 */
/* Which images serve where a platform is wanted: the matching part of platforms/platform.h. */
#include <stdio.h>
#include <string.h>

#include "platforms/platform.h"

/* A variant "v9.5" in numbers; major is -1 when it is not of that form. */
struct level {
	int major;
	int minor;
};

static int digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : -1;
}

static struct level level_of(const char *variant)
{
	const struct level none = { -1, 0 };
	struct level level = none;

	if (variant[0] != 'v' || digit(variant[1]) < 0)
		return none;
	level.major = digit(variant[1]);
	if (variant[2] == '\0')
		return level;
	if (variant[2] != '.' || digit(variant[3]) < 0 || variant[4] != '\0')
		return none;
	level.minor = digit(variant[3]);
	return level;
}

static void set(struct xb_platform *p, const char *arch, int major, int minor)
{
	(void)snprintf(p->arch, sizeof(p->arch), "%s", arch);
	(void)snprintf(p->variant, sizeof(p->variant), "v%d", major);
	if (minor > 0)
		(void)snprintf(p->variant, sizeof(p->variant), "v%d.%d", major, minor);
	xb_platform_normalise(p);
}

/* amd64/v3 -> v2 -> plain amd64 -> 386 */
static bool step_amd64(struct xb_platform *p)
{
	int major = level_of(p->variant).major;

	if (major > 1) {
		set(p, "amd64", major - 1, 0);
		return true;
	}
	(void)snprintf(p->arch, sizeof(p->arch), "386");
	p->variant[0] = '\0';
	return true;
}

/* arm/v8 -> v7 -> v6 -> v5 */
static bool step_arm(struct xb_platform *p)
{
	int major = level_of(p->variant).major;

	if (major <= 5)
		return false;
	set(p, "arm", major - 1, 0);
	return true;
}

/*
 * arm64/v9.2 -> v9.1 -> v9 -> v8.7 -> … -> v8.1 -> plain arm64 -> arm/v8. Version 9.x contains
 * version 8.(x+5); the last of the eighth is 8.9.
 */
static bool step_arm64(const struct xb_platform *wanted, struct xb_platform *p)
{
	struct level level = level_of(p->variant);
	int minor = level_of(wanted->variant).minor + 5;

	if (level.major >= 8 && level.minor > 0)
		set(p, "arm64", level.major, level.minor - 1);
	else if (level.major == 9)
		set(p, "arm64", 8, minor < 9 ? minor : 9);
	else
		set(p, "arm", 8, 0);
	return true;
}

/* Turn `p` into the next best after itself. */
static bool step_down(const struct xb_platform *wanted, struct xb_platform *p)
{
	if (strcmp(p->arch, "amd64") == 0)
		return step_amd64(p);
	if (strcmp(p->arch, "arm64") == 0)
		return step_arm64(wanted, p);
	if (strcmp(p->arch, "arm") == 0)
		return step_arm(p);
	return false;
}

bool xb_platform_fallback(const struct xb_platform *wanted, size_t index, struct xb_platform *ret)
{
	struct xb_platform normal = *wanted;
	struct xb_platform p;

	xb_platform_normalise(&normal);
	p = normal;
	for (size_t i = 0; i < index; i++)
		if (!step_down(&normal, &p))
			return false;
	*ret = p;
	return true;
}

/* The first three numbers: "10.0.17763" of "10.0.17763.2114". */
static struct xb_view windows_release(const char *version)
{
	size_t len = 0;
	int dots = 0;

	while (version[len] != '\0' && (version[len] != '.' || ++dots < 3))
		len++;
	return (struct xb_view){ version, len };
}

static bool versions_agree(const struct xb_platform *wanted, const struct xb_platform *offered)
{
	if (wanted->os_version[0] == '\0' || offered->os_version[0] == '\0')
		return true;
	if (strcmp(wanted->os, "windows") != 0)
		return strcmp(wanted->os_version, offered->os_version) == 0;
	return xb_view_eq(windows_release(wanted->os_version),
			  windows_release(offered->os_version));
}

static bool has_feature(const char *list, struct xb_view feature)
{
	struct xb_view rest = xb_view(list);
	struct xb_view item;

	while (rest.len > 0 && xb_view_split(&rest, ',', &item))
		if (xb_view_eq(item, feature))
			return true;
	return false;
}

/* Whether system, version and features of `offered` will do; both are normalised. */
static bool systems_agree(const struct xb_platform *wanted, const struct xb_platform *offered)
{
	struct xb_view rest = xb_view(offered->os_features);
	struct xb_view feature;

	if (strcmp(wanted->os, offered->os) != 0 || !versions_agree(wanted, offered))
		return false;
	while (rest.len > 0 && xb_view_split(&rest, ',', &feature))
		if (!has_feature(wanted->os_features, feature))
			return false;
	return true;
}

int xb_platform_rank(const struct xb_platform *wanted, const struct xb_platform *offered)
{
	struct xb_platform normal = *wanted;
	struct xb_platform offer = *offered;
	struct xb_platform p;
	int rank = 0;

	xb_platform_normalise(&normal);
	xb_platform_normalise(&offer);
	if (!systems_agree(&normal, &offer))
		return -1;
	p = normal;
	do {
		if (strcmp(p.arch, offer.arch) == 0 && strcmp(p.variant, offer.variant) == 0)
			return rank;
		rank++;
	} while (step_down(&normal, &p));
	return -1;
}

bool xb_platform_match_strict(const struct xb_platform *wanted, const struct xb_platform *offered)
{
	return xb_platform_rank(wanted, offered) == 0;
}

int xb_platform_rank_os(const struct xb_platform *wanted, const struct xb_platform *offered)
{
	struct xb_platform normal = *wanted;
	struct xb_platform offer = *offered;

	xb_platform_normalise(&normal);
	xb_platform_normalise(&offer);
	if (!systems_agree(&normal, &offer))
		return -1;
	return strcmp(normal.arch, offer.arch) == 0 && strcmp(normal.variant, offer.variant) == 0
		       ? 0
		       : 1;
}
