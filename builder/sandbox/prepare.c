/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/sandbox/prepare.h"

#include "builder/sandbox/sandbox.h"
#include "emulation/binfmt.h"

static int add_emulator(struct xb_sandbox_spec *spec, const struct xb_emulator *emulator,
			struct xb_error *err)
{
	xb_auto_str struct xb_str line = XB_STR_INIT(XB_BINFMT_LINE_MAX);
	xb_autofree char *name = xb_format("xbuild-%s", emulator->arch->qemu);
	int r = xb_binfmt_line(emulator->arch, name, emulator->path, &line, err);

	if (r < 0)
		return r;
	spec->private_userns = true;
	xb_strv_push(&spec->binfmt, xb_str_text(&line));
	return 0;
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
		r = add_emulator(spec, &decision.emulator, err);
	spec->network = request->no_network ? XB_SANDBOX_NET_NONE : XB_SANDBOX_NET_HOST;
	if (r == 0)
		r = xb_sandbox_default_seccomp(spec, err);
	if (r == 0)
		r = xb_sandbox_network_files(spec, request->hosts, err);
	return r;
}
