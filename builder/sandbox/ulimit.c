/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/ulimit.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/resource.h>

/* All that docker knows: RLIMIT_AS is not among them. */
static const struct {
	const char *name;
	uint32_t resource;
} names[] = {
	{ "core", RLIMIT_CORE },	 { "cpu", RLIMIT_CPU },
	{ "data", RLIMIT_DATA },	 { "fsize", RLIMIT_FSIZE },
	{ "locks", RLIMIT_LOCKS },	 { "memlock", RLIMIT_MEMLOCK },
	{ "msgqueue", RLIMIT_MSGQUEUE }, { "nice", RLIMIT_NICE },
	{ "nofile", RLIMIT_NOFILE },	 { "nproc", RLIMIT_NPROC },
	{ "rss", RLIMIT_RSS },		 { "rtprio", RLIMIT_RTPRIO },
	{ "rttime", RLIMIT_RTTIME },	 { "sigpending", RLIMIT_SIGPENDING },
	{ "stack", RLIMIT_STACK },
};

const char *xb_ulimit_name(uint32_t resource)
{
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (names[i].resource == resource)
			return names[i].name;
	}
	return "limit";
}

static int invalid(const char *text, const char *why, struct xb_error *err)
{
	(void)xb_error_set(err, -EINVAL, "--ulimit %s: %s", text, why);
	(void)xb_error_hint(err, "write NAME=SOFT[:HARD], as in nofile=1024:4096");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int read_value(struct xb_view text, uint64_t *ret)
{
	*ret = UINT64_MAX;
	return xb_view_is(text, "-1") ? 0 : xb_view_parse_u64(text, INT64_MAX, ret);
}

/* Read "SOFT[:HARD]". */
static int read_values(struct xb_view text, struct xb_sandbox_rlimit *ret)
{
	struct xb_view soft;

	(void)xb_view_split(&text, ':', &soft);
	if (read_value(soft, &ret->soft) < 0)
		return -EINVAL;
	ret->hard = ret->soft;
	return text.data != NULL ? read_value(text, &ret->hard) : 0;
}

static bool find_resource(struct xb_view name, uint32_t *ret)
{
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (!xb_view_is(name, names[i].name))
			continue;
		*ret = names[i].resource;
		return true;
	}
	return false;
}

static void put(struct xb_sandbox_rlimits *limits, const struct xb_sandbox_rlimit *limit)
{
	for (size_t i = 0; i < limits->len; i++) {
		if (limits->items[i].resource == limit->resource) {
			limits->items[i] = *limit;
			return;
		}
	}
	*xb_array_push(limits) = *limit;
}

int xb_ulimit_parse(const char *text, struct xb_sandbox_rlimits *limits, struct xb_error *err)
{
	struct xb_sandbox_rlimit limit = { 0 };
	struct xb_view rest = xb_view(text);
	struct xb_view name;

	(void)xb_view_split(&rest, '=', &name);
	if (rest.data == NULL)
		return invalid(text, "no value", err);
	if (!find_resource(name, &limit.resource))
		return invalid(text, "no such limit", err);
	if (read_values(rest, &limit) < 0)
		return invalid(text, "no whole number or -1", err);
	if (limit.soft > limit.hard)
		return invalid(text, "the soft limit is above the hard limit", err);
	put(limits, &limit);
	return 0;
}

static int refuse(const struct xb_sandbox_rlimit *wanted, const struct rlimit *own, int r,
		  struct xb_error *err)
{
	const char *name = xb_ulimit_name(wanted->resource);

	(void)xb_error_errno(err, r, "--ulimit %s: the hard limit cannot be raised", name);
	if (own->rlim_max == RLIM_INFINITY)
		(void)xb_error_hint(err, "give a lower limit");
	else
		(void)xb_error_hint(err, "%s=%" PRIu64 " and less need no right to raise it", name,
				    (uint64_t)own->rlim_max);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

/* Only trying tells: it is a matter of rights, and for some limits of the kernel's settings. */
static int try(const struct xb_sandbox_rlimit *wanted, struct xb_error *err)
{
	__rlimit_resource_t resource = (__rlimit_resource_t)wanted->resource;
	struct rlimit own, raised;

	if (getrlimit(resource, &own) < 0)
		return xb_error_errno(err, -errno, "asking for a limit");
	if (wanted->hard <= own.rlim_max)
		return 0;
	raised = (struct rlimit){ .rlim_cur = own.rlim_cur, .rlim_max = wanted->hard };
	if (setrlimit(resource, &raised) < 0)
		return refuse(wanted, &own, -errno, err);
	return setrlimit(resource, &own) < 0 ? xb_error_errno(err, -errno, "setting a limit") : 0;
}

int xb_ulimit_check(const struct xb_sandbox_rlimits *limits, struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < limits->len; i++)
		r = try(&limits->items[i], err);
	return r;
}
