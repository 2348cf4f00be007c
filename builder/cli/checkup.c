/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/checkup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/owner.h"
#include "base/proc.h"
#include "builder/cache/means.h"
#include "builder/cache/store.h"
#include "builder/cli/container.h"
#include "builder/sandbox/cgroup.h"
#include "builder/sandbox/prepare.h"
#include "builder/sandbox/sandbox.h"
#include "platforms/host.h"
#include "platforms/tiny.h"

/* Below this much room a build of any size is likely to fail. */
#define LITTLE_ROOM   (UINT64_C(1) << 30)
#define LITTLE_INODES UINT64_C(20000)
#define MAX_MAP	      4096

const char *xb_condition_name(enum xb_condition condition)
{
	static const char *const names[] = {
		[XB_CONDITION_OK] = "ok",
		[XB_CONDITION_LIMITED] = "limited",
		[XB_CONDITION_REFUSED] = "refused",
	};

	return names[condition];
}

void xb_checkup_clear(struct xb_checkup *checkup)
{
	for (size_t i = 0; i < checkup->checks.len; i++) {
		free(checkup->checks.items[i].name);
		free(checkup->checks.items[i].text);
		free(checkup->checks.items[i].hint);
	}
	xb_array_clear(&checkup->checks);
}

/* What is at work. */
struct checking {
	const struct xb_checkup_request *request;
	struct xb_checkup *checkup;
	struct xb_platform host;
	struct xb_store *store; /* NULL: it could not be opened */
};

static void checking_clear(struct checking *c)
{
	xb_store_free(c->store);
}

/* Add a row that is fine; `text` is taken. */
static struct xb_checked *add(struct checking *c, const char *name, char *text)
{
	struct xb_checked *row = xb_array_push(&c->checkup->checks);

	*row = (struct xb_checked){ .name = xb_strdup(name), .text = text };
	return row;
}

/* Add a row of what failed. */
static void add_error(struct checking *c, const char *name, enum xb_condition condition,
		      struct xb_error *err)
{
	struct xb_checked *row = add(c, name, XB_STEAL(err->message));

	row->condition = condition;
	row->hint = XB_STEAL(err->hint);
}

/* ---- the machine ------------------------------------------------------------------------------
 */

static void check_kernel(struct checking *c)
{
	struct utsname name;

	if (uname(&name) == 0)
		(void)add(c, "kernel",
			  xb_format("%s %s, %s", name.sysname, name.release,
				    xb_platform_name(&c->host).text));
}

/* How many ids there are in this process's user namespace. */
static uint64_t count_ids(void)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(MAX_MAP);
	uint64_t count = 0;
	struct xb_view map, line;

	(void)xb_file_read("/proc/self/uid_map", &text, NULL);
	map = xb_str_view(&text);
	while (xb_view_split(&map, '\n', &line)) {
		uint32_t inside, outside, n;

		if (sscanf(line.data, "%" SCNu32 " %" SCNu32 " %" SCNu32, &inside, &outside, &n) ==
		    3)
			count += n;
	}
	return count;
}

static bool check_root(struct checking *c)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	uid_t before = geteuid();
	const char *how;

	if (xb_proc_become_root(&err) < 0) {
		add_error(c, "root", XB_CONDITION_REFUSED, &err);
		return false;
	}
	how = xb_owner_recorded() ? "; owners of files are recorded" : "";
	(void)add(c, "root",
		  before == 0 ? xb_format("this process is root, of %" PRIu64 " ids%s", count_ids(),
					  how)
			      : xb_format("user %u is root of a namespace of %" PRIu64 " ids%s",
					  (unsigned)before, count_ids(), how));
	return true;
}

static void check_trees(struct checking *c)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r = xb_store_open(c->request->root, &c->store, &err);
	struct xb_checked *row;

	if (r == 0)
		r = xb_means_copies(c->store, &err);
	if (r < 0) {
		add_error(c, "store", XB_CONDITION_REFUSED, &err);
		return;
	}
	row = add(c, "store", xb_format("%s, with overlays", c->request->root));
	if (r == 0)
		return;
	free(row->text);
	row->text = xb_means_notice(c->store);
	row->condition = XB_CONDITION_LIMITED;
	row->hint =
		xb_strdup("put the store on a local file system such as ext4 or xfs: --root DIR");
}

static void check_room(struct checking *c)
{
	struct statvfs fs;
	uint64_t bytes;
	struct xb_checked *row;

	if (statvfs(c->request->root, &fs) < 0)
		return;
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	row = add(c, "room",
		  xb_format("%.1f GiB and %" PRIu64 " files can be added there",
			    (double)bytes / (double)(1 << 30), (uint64_t)fs.f_favail));
	/* file systems without a number of inodes say 0 of 0 */
	if (bytes >= LITTLE_ROOM && (fs.f_files == 0 || fs.f_favail >= LITTLE_INODES))
		return;
	row->condition = XB_CONDITION_LIMITED;
	row->hint = xb_strdup("`xbuild cache prune` removes what no image needs");
}

static void check_walls(struct checking *c)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct xb_checked *row;

	if (version > 0) {
		(void)add(c, "walls",
			  xb_format("Landlock %ld around what reads foreign bytes", version));
		return;
	}
	row = add(c, "walls",
		  xb_strdup("what reads foreign bytes is confined by seccomp alone, there is no "
			    "Landlock"));
	row->condition = XB_CONDITION_LIMITED;
	row->hint = xb_strdup("a kernel with CONFIG_SECURITY_LANDLOCK, and landlock among lsm=");
}

static void check_cgroups(struct checking *c)
{
	const struct xb_resources resources = { .pids = 1000, .memory = UINT64_C(1) << 30 };
	xb_auto_cgroups struct xb_cgroups *cgroups = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (xb_cgroups_open(NULL, &resources, NULL, &cgroups, &err) < 0)
		add_error(c, "limits", XB_CONDITION_LIMITED, &err);
	else
		(void)add(c, "limits", xb_strdup("--resource: steps can have control groups"));
}

/* ---- platforms --------------------------------------------------------------------------------
 */

static int run_program(struct checking *c, const struct xb_arch *arch, const struct xb_tiny *tiny,
		       struct xb_snapshot *scratch, struct xb_error *err)
{
	const struct xb_platform platform = xb_arch_platform(arch);
	const struct xb_sandbox_request request = {
		.platform = &platform,
		.host = &c->host,
		.strategy = c->request->strategy,
		.no_network = true,
	};
	static const struct xb_strv nothing = XB_STRV_INIT;
	const struct xb_sandbox_io io = { -1, -1, -1 };
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;
	xb_auto_sandbox struct xb_sandbox *sandbox = NULL;
	struct xb_sandbox_result result = { 0 };
	struct xb_sandbox_mount *program;
	unsigned char file[XB_TINY_SIZE];
	int r;

	xb_tiny_make(tiny, arch, file);
	xb_sandbox_spec_init(&spec);
	program = xb_sandbox_spec_mount(&spec, XB_SANDBOX_FILE, "/trial");
	program->mode = 0755;
	(void)xb_str_append(&program->content, file, sizeof(file));
	xb_strv_push(&spec.argv, "/trial");
	r = c->store != NULL ? xb_container_root(c->store, &nothing, scratch, &spec, err)
			     : xb_error_set(err, -ENOENT, "there is no store to work in");
	if (r == 0)
		r = xb_sandbox_prepare(&spec, &request, err);
	if (r == 0)
		r = xb_sandbox_start(&spec, &io, &sandbox, err);
	if (r == 0)
		r = xb_sandbox_wait(sandbox, &result, err);
	if (r < 0 || result.exit_code == XB_TINY_STATUS)
		return r;
	return xb_error_set(err, -EIO, "a program that ends with status %d ended with %s %d",
			    XB_TINY_STATUS, result.signal != 0 ? "signal" : "status",
			    result.signal != 0 ? result.signal : result.exit_code);
}

/* Run a program of `arch` as a step would, and say how. */
static void check_platform(struct checking *c, const struct xb_arch *arch,
			   const struct xb_tiny *tiny)
{
	xb_auto_strategy_decision struct xb_strategy_decision decision = XB_STRATEGY_DECISION_INIT;
	const struct xb_platform platform = xb_arch_platform(arch);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_snapshot scratch = { 0 };
	struct xb_checked *row;
	uint64_t start;
	int r = 0;

	xb_strategy_decide(&platform, &c->host, c->request->strategy, &decision);
	row = add(c, tiny->platform,
		  xb_format("%s: %s", xb_strategy_name(decision.strategy), decision.reason));
	row->platform = true;
	start = xb_clock_monotonic();
	if (decision.strategy == XB_STRATEGY_IMPOSSIBLE)
		(void)xb_error_hint(&err, "%s", decision.hint);
	else
		r = run_program(c, arch, tiny, &scratch, &err);
	row->nanoseconds = xb_clock_monotonic() - start;
	if (c->store != NULL)
		xb_snapshot_discard(c->store, &scratch);
	if (r < 0) {
		xb_autofree char *how = row->text;

		row->text = xb_format("%s; %s", how, err.message);
	}
	if (r < 0 || decision.strategy == XB_STRATEGY_IMPOSSIBLE) {
		row->condition = XB_CONDITION_REFUSED;
		row->hint = XB_STEAL(err.hint);
		row->nanoseconds = 0;
	} else if (xb_platform_eq(&platform, &c->host)) {
		c->checkup->works = true;
	}
}

/* The machine's own first. */
static void check_platforms(struct checking *c)
{
	for (int own = 1; own >= 0; own--) {
		for (size_t i = 0; xb_arch_at(i) != NULL; i++) {
			const struct xb_arch *arch = xb_arch_at(i);
			const struct xb_platform platform = xb_arch_platform(arch);
			const struct xb_tiny *tiny = xb_tiny_find(xb_platform_name(&platform).text);

			if (tiny != NULL && xb_platform_eq(&platform, &c->host) == (own == 1))
				check_platform(c, arch, tiny);
		}
	}
}

int xb_checkup_run(const struct xb_checkup_request *request, struct xb_checkup *ret,
		   struct xb_error *err)
{
	XB_CLEANUP(checking_clear) struct checking c = { .request = request, .checkup = ret };
	int r = xb_platform_host(&c.host, err);

	if (r < 0)
		return r;
	check_kernel(&c);
	/* without it nothing else can be tried */
	if (!check_root(&c))
		return 0;
	check_trees(&c);
	check_room(&c);
	check_walls(&c);
	check_cgroups(&c);
	check_platforms(&c);
	return 0;
}
