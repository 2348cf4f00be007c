/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/prepare.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "builder/sandbox/record.h"
#include "builder/sandbox/sandbox.h"
#include "emulation/binfmt.h"
#include "emulation/guard.h"

static int add_guard(struct xb_sandbox_spec *spec, const struct xb_emulator *emulator,
		     const struct xb_sandbox_request *request, struct xb_error *err)
{
	int fd = xb_guard_carry(emulator->path, err);
	int r = fd < 0 ? fd
		       : xb_guard_lines(xb_arch_of_platform(request->host), emulator->arch,
					XB_INIT_GUARD, &spec->binfmt, err);

	if (r < 0)
		return r;
	spec->emulator_fd = fd;
	spec->guard = xb_strdup(xb_platform_name(request->platform).text);
	return 0;
}

static int add_emulator(struct xb_sandbox_spec *spec, const struct xb_emulator *emulator,
			const struct xb_sandbox_request *request, struct xb_error *err)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_BINFMT_LINE_MAX);
	xb_autofree char *name = xb_format("xbuild-%s", emulator->arch->qemu);
	bool guarded = !request->strategy->no_guard;
	int r = xb_binfmt_line(emulator->arch, name, guarded ? XB_INIT_EMULATOR : emulator->path,
			       &line, err);

	if (r < 0)
		return r;
	spec->private_userns = true;
	xb_strv_push(&spec->binfmt, xb_str_text(&line));
	return guarded ? add_guard(spec, emulator, request, err) : 0;
}

/* Devices that Docker gives a privileged container, those that this machine has. */
static void add_devices(struct xb_sandbox_spec *spec)
{
	static const char *const names[] = { "/dev/kmsg",  "/dev/cuse",	   "/dev/fuse",
					     "/dev/kvm",   "/dev/net/tun", "/dev/loop-control",
					     "/dev/loop0", "/dev/loop1",   "/dev/loop2",
					     "/dev/loop3", "/dev/loop4",   "/dev/loop5",
					     "/dev/loop6", "/dev/loop7" };

	for (size_t i = 0; i < XB_COUNT(names); i++) {
		struct xb_sandbox_mount *mount;
		struct stat st;

		if (stat(names[i], &st) < 0 || (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
			continue;
		mount = xb_sandbox_spec_mount(spec, XB_SANDBOX_BIND, names[i]);
		mount->source = xb_strdup(names[i]);
		mount->device = true;
	}
}

/* All that this process may do. */
static int own_capabilities(uint64_t *ret, struct xb_error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return xb_error_errno(err, -errno, "asking for capabilities");
	*ret = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	return 0;
}

static int take_walls_away(struct xb_sandbox_spec *spec, struct xb_error *err)
{
	spec->insecure = true;
	add_devices(spec);
	return own_capabilities(&spec->capabilities, err);
}

char *xb_sandbox_reason(const struct xb_platform *platform, const struct xb_platform *host,
			const struct xb_strategy_options *options)
{
	xb_auto_strategy_decision struct xb_strategy_decision decision = XB_STRATEGY_DECISION_INIT;
	struct xb_strategy_options asking = *options;

	asking.emulators.no_version = false;
	xb_strategy_decide(platform, host, &asking, &decision);
	return XB_STEAL(decision.reason);
}

int xb_sandbox_prepare(struct xb_sandbox_spec *spec, const struct xb_sandbox_request *request,
		       struct xb_error *err)
{
	xb_auto_strategy_decision struct xb_strategy_decision decision = XB_STRATEGY_DECISION_INIT;
	int r = 0;

	xb_strategy_decide(request->platform, request->host, request->strategy, &decision);
	if (decision.strategy == XB_STRATEGY_IMPOSSIBLE)
		return xb_strategy_error(&decision, request->platform, err);
	if (decision.strategy == XB_STRATEGY_EMULATED)
		r = add_emulator(spec, &decision.emulator, request, err);
	spec->network = request->no_network ? XB_SANDBOX_NET_NONE : XB_SANDBOX_NET_HOST;
	if (r == 0)
		r = request->insecure ? take_walls_away(spec, err)
				      : xb_sandbox_default_seccomp(spec, err);
	if (r == 0)
		r = xb_sandbox_network_files(spec, request->hosts, err);
	return r;
}
