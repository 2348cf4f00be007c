/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/resources.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/size.h"

/* The kernel's defaults and bounds. */
#define DEFAULT_PERIOD 100000
#define DEFAULT_SHARES 1024
#define MAX_WEIGHT     10000
#define DEFAULT_WEIGHT 100
#define MAX_SHARES     262144
#define MAX_CPU	       8192 /* as BuildKit bounds a set's members */

void xb_resources_clear(struct xb_resources *resources)
{
	free(resources->cpuset_cpus);
	free(resources->cpuset_mems);
	*resources = (struct xb_resources){ 0 };
}

/* ---- reading ------------------------------------------------------------------------------ */

static int read_memory(struct xb_view text, void *ret)
{
	uint64_t *size = ret;

	return xb_size_parse(text, size) < 0 || *size == 0 ? -EINVAL : 0;
}

static int read_swap(struct xb_view text, void *ret)
{
	if (!xb_view_is(text, "-1"))
		return read_memory(text, ret);
	*(uint64_t *)ret = UINT64_MAX;
	return 0;
}

static int read_number(struct xb_view text, void *ret)
{
	uint64_t *number = ret;

	return xb_view_parse_u64(text, INT64_MAX, number) < 0 || *number == 0 ? -EINVAL : 0;
}

/* Whether `text` is a member of a set: "3" or "0-3". */
static bool is_member(struct xb_view text)
{
	struct xb_view rest = xb_view_trim(text), first;
	uint64_t low, high;

	(void)xb_view_split(&rest, '-', &first);
	if (xb_view_parse_u64(xb_view_trim(first), MAX_CPU, &low) < 0)
		return false;
	return rest.data == NULL ||
	       (xb_view_parse_u64(xb_view_trim(rest), MAX_CPU, &high) == 0 && low <= high);
}

static int read_set(struct xb_view text, void *ret)
{
	struct xb_view rest = text, member;
	char **set = ret;

	while (xb_view_split(&rest, ',', &member)) {
		if (!is_member(member))
			return -EINVAL;
	}
	if (text.len == 0)
		return -EINVAL;
	free(*set);
	*set = xb_view_dup(text);
	return 0;
}

static const struct key {
	const char *name;
	size_t offset;
	int (*read)(struct xb_view text, void *ret);
	const char *form;
} keys[] = {
	{ "memory", offsetof(struct xb_resources, memory), read_memory, "a size such as 2g" },
	{ "memory-swap", offsetof(struct xb_resources, memory_swap), read_swap,
	  "a size such as 4g, or -1" },
	{ "cpu-shares", offsetof(struct xb_resources, cpu_shares), read_number, "a whole number" },
	{ "cpu-period", offsetof(struct xb_resources, cpu_period), read_number, "microseconds" },
	{ "cpu-quota", offsetof(struct xb_resources, cpu_quota), read_number, "microseconds" },
	{ "cpuset-cpus", offsetof(struct xb_resources, cpuset_cpus), read_set,
	  "a set such as 0-3 or 0,1" },
	{ "cpuset-mems", offsetof(struct xb_resources, cpuset_mems), read_set,
	  "a set such as 0-3 or 0,1" },
	{ "pids", offsetof(struct xb_resources, pids), read_number, "a whole number" },
};

static const struct key *find_key(struct xb_view name)
{
	for (size_t i = 0; i < XB_COUNT(keys); i++) {
		if (xb_view_is(name, keys[i].name))
			return &keys[i];
	}
	return NULL;
}

static int refuse_key(const char *text, struct xb_error *err)
{
	xb_auto_str struct xb_str all = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < XB_COUNT(keys); i++)
		(void)xb_str_printf(&all, "%s%s", i > 0 ? ", " : "", keys[i].name);
	(void)xb_error_set(err, -EINVAL, "--resource %s: no KEY=VALUE with a key that is known",
			   text);
	(void)xb_error_hint(err, "the keys are %s", xb_str_text(&all));
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_resources_parse(const char *text, struct xb_resources *resources, struct xb_error *err)
{
	struct xb_view rest = xb_view(text), name;
	const struct key *key;

	(void)xb_view_split(&rest, '=', &name);
	key = rest.data != NULL ? find_key(name) : NULL;
	if (key == NULL)
		return refuse_key(text, err);
	if (key->read(rest, (char *)resources + key->offset) == 0)
		return 0;
	(void)xb_error_set(err, -EINVAL, "--resource %s: not a value of %s", text, key->name);
	(void)xb_error_hint(err, "give %s", key->form);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_resources_check(const struct xb_resources *resources, struct xb_error *err)
{
	if (resources->memory_swap == 0 || resources->memory_swap == UINT64_MAX ||
	    (resources->memory > 0 && resources->memory_swap >= resources->memory))
		return 0;
	(void)xb_error_set(err, -EINVAL,
			   "--resource memory-swap is memory and swap together, but less than "
			   "memory, or that is not given");
	(void)xb_error_hint(err, "give --resource memory=… as well, and no more than memory-swap");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

/* ---- what it is in a control group -------------------------------------------------------- */

static const char *const controller_names[] = {
	[XB_CONTROLLER_CPU] = "cpu",
	[XB_CONTROLLER_CPUSET] = "cpuset",
	[XB_CONTROLLER_MEMORY] = "memory",
	[XB_CONTROLLER_PIDS] = "pids",
};

const char *xb_controller_name(enum xb_controller controller)
{
	return controller_names[controller];
}

bool xb_resources_need(const struct xb_resources *r, enum xb_controller controller)
{
	switch (controller) {
	case XB_CONTROLLER_CPU:
		return r->cpu_shares != 0 || r->cpu_period != 0 || r->cpu_quota != 0;
	case XB_CONTROLLER_CPUSET:
		return r->cpuset_cpus != NULL || r->cpuset_mems != NULL;
	case XB_CONTROLLER_MEMORY:
		return r->memory != 0 || r->memory_swap != 0;
	case XB_CONTROLLER_PIDS:
		return r->pids != 0;
	case XB_CONTROLLER_COUNT:
		break;
	}
	return false;
}

bool xb_resources_any(const struct xb_resources *resources)
{
	bool any = false;

	for (unsigned c = 0; c < XB_CONTROLLER_COUNT; c++)
		any = any || xb_resources_need(resources, (enum xb_controller)c);
	return any;
}

void xb_cgroup_settings_clear(struct xb_cgroup_settings *settings)
{
	for (size_t i = 0; i < settings->len; i++)
		free(settings->items[i].value);
	xb_array_clear(settings);
}

static void add_text(struct xb_cgroup_settings *settings, const char *file, const char *value)
{
	if (value != NULL)
		*xb_array_push(settings) =
			(struct xb_cgroup_setting){ .file = file, .value = xb_strdup(value) };
}

static void add(struct xb_cgroup_settings *settings, const char *file, uint64_t value)
{
	if (value != 0)
		*xb_array_push(settings) =
			(struct xb_cgroup_setting){ .file = file,
						    .value = xb_format("%" PRIu64, value) };
}

static uint64_t weight_of(uint64_t shares)
{
	uint64_t weight =
		shares > MAX_SHARES ? MAX_WEIGHT : shares * DEFAULT_WEIGHT / DEFAULT_SHARES;

	if (shares == 0)
		return 0;
	return weight == 0 ? 1 : weight > MAX_WEIGHT ? MAX_WEIGHT : weight;
}

static void cpu_settings(const struct xb_resources *r, bool v2, struct xb_cgroup_settings *ret)
{
	xb_autofree char *quota =
		r->cpu_quota != 0 ? xb_format("%" PRIu64, r->cpu_quota) : xb_strdup("max");
	xb_autofree char *max = xb_format("%s %" PRIu64, quota,
					  r->cpu_period != 0 ? r->cpu_period : DEFAULT_PERIOD);

	if (v2) {
		add(ret, "cpu.weight", weight_of(r->cpu_shares));
		add_text(ret, "cpu.max", r->cpu_quota != 0 || r->cpu_period != 0 ? max : NULL);
		return;
	}
	add(ret, "cpu.shares", r->cpu_shares);
	add(ret, "cpu.cfs_period_us", r->cpu_period);
	add(ret, "cpu.cfs_quota_us", r->cpu_quota);
}

static void memory_settings(const struct xb_resources *r, bool v2, struct xb_cgroup_settings *ret)
{
	add(ret, v2 ? "memory.max" : "memory.limit_in_bytes", r->memory);
	if (r->memory_swap == 0)
		return;
	if (r->memory_swap == UINT64_MAX)
		add_text(ret, v2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
			 v2 ? "max" : "-1");
	else if (!v2)
		add(ret, "memory.memsw.limit_in_bytes", r->memory_swap);
	else if (r->memory_swap == r->memory)
		add_text(ret, "memory.swap.max", "0");
	else
		add(ret, "memory.swap.max", r->memory_swap - r->memory);
}

void xb_resources_settings(const struct xb_resources *resources, enum xb_controller controller,
			   bool v2, struct xb_cgroup_settings *ret)
{
	switch (controller) {
	case XB_CONTROLLER_CPU:
		cpu_settings(resources, v2, ret);
		break;
	case XB_CONTROLLER_CPUSET:
		add_text(ret, "cpuset.cpus", resources->cpuset_cpus);
		add_text(ret, "cpuset.mems", resources->cpuset_mems);
		break;
	case XB_CONTROLLER_MEMORY:
		memory_settings(resources, v2, ret);
		break;
	case XB_CONTROLLER_PIDS:
		add(ret, "pids.max", resources->pids);
		break;
	case XB_CONTROLLER_COUNT:
		break;
	}
}
