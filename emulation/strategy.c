/* SPDX-License-Identifier: Apache-2.0 */
#include "emulation/strategy.h"

#include <errno.h>
#include <string.h>

#include "emulation/binfmt.h"
#include "platforms/host.h"

const char *xb_strategy_name(enum xb_strategy strategy)
{
	static const char *const names[] = {
		[XB_STRATEGY_NATIVE] = "native",
		[XB_STRATEGY_COMPAT] = "compat",
		[XB_STRATEGY_EMULATED] = "emulated",
		[XB_STRATEGY_IMPOSSIBLE] = "impossible",
	};

	return names[strategy];
}

void xb_strategy_decision_clear(struct xb_strategy_decision *d)
{
	free(d->reason);
	free(d->hint);
	xb_emulator_clear(&d->emulator);
	*d = XB_STRATEGY_DECISION_INIT;
}

static void impossible(struct xb_strategy_decision *d, const struct xb_error *err)
{
	d->strategy = XB_STRATEGY_IMPOSSIBLE;
	d->reason = xb_strdup(err->message != NULL ? err->message : "no way is known");
	d->hint = xb_strdup(err->hint);
}

/* "qemu-aarch64-static 7.2.22 from /usr/bin" */
static char *describe_emulator(const struct xb_emulator *e)
{
	const char *slash = strrchr(e->path, '/');
	int directory = slash > e->path ? (int)(slash - e->path) : 1;

	return xb_format("%s%s%s from %.*s", slash + 1, e->version[0] != '\0' ? " " : "",
			 e->version, directory, e->path);
}

static void emulate(const struct xb_platform *target, const struct xb_platform *host,
		    const struct xb_strategy_options *options, struct xb_strategy_decision *d)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	int r;

	if (options->no_emulation) {
		(void)xb_error_set(&err, -ENOTSUP, "host is %s and emulation is switched off",
				   xb_platform_name(host).text);
		(void)xb_error_hint(&err, "leave out --no-emulation, or build on a %s machine",
				    xb_platform_name(target).text);
		impossible(d, &err);
		return;
	}
	if (options->elsewhere) {
		d->strategy = XB_STRATEGY_EMULATED;
		d->reason = xb_format("host is %s", xb_platform_name(host).text);
		return;
	}
	r = xb_emulator_find(target, host, &options->emulators, &d->emulator, &err);
	if (r == 0)
		r = xb_binfmt_probe(&err);
	if (r < 0) {
		xb_emulator_clear(&d->emulator);
		impossible(d, &err);
		return;
	}
	d->strategy = XB_STRATEGY_EMULATED;
	d->reason = describe_emulator(&d->emulator);
}

void xb_strategy_decide(const struct xb_platform *target, const struct xb_platform *host,
			const struct xb_strategy_options *options, struct xb_strategy_decision *ret)
{
	struct xb_platform_name name = xb_platform_name(host);
	enum xb_native native = xb_native_by_name(host, target);

	xb_strategy_decision_clear(ret);
	if (native == XB_NATIVE_YES) {
		ret->strategy = XB_STRATEGY_NATIVE;
		ret->reason = xb_format("host is %s", name.text);
		return;
	}
	if (native == XB_NATIVE_COMPAT && !xb_emulator_is_overridden(target, &options->emulators) &&
	    (options->elsewhere || xb_native_here(host, target) == XB_NATIVE_COMPAT)) {
		ret->strategy = XB_STRATEGY_COMPAT;
		ret->reason = xb_format("host is %s, whose kernel runs 32-bit programs", name.text);
		return;
	}
	emulate(target, host, options, ret);
}

int xb_strategy_error(const struct xb_strategy_decision *d, const struct xb_platform *target,
		      struct xb_error *err)
{
	(void)xb_error_set(err, -ENOTSUP, "%s cannot run here: %s", xb_platform_name(target).text,
			   d->reason);
	if (d->hint != NULL)
		(void)xb_error_hint(err, "%s", d->hint);
	(void)xb_error_fault(err, XB_FAULT_PLATFORM);
	return -ENOTSUP;
}
