/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "base/file.h"
#include "builder/sandbox/sandbox.h"

enum { MAX_RESOLV_CONF = 1 << 20 };

static struct xb_sandbox_mount *add_file(struct xb_sandbox_spec *spec, const char *path)
{
	struct xb_sandbox_mount *m = xb_sandbox_spec_mount(spec, XB_SANDBOX_FILE, path);

	/* A change would be lost with the step: better an error than a surprise. */
	m->read_only = true;
	return m;
}

static void add_hosts(struct xb_sandbox_spec *spec, const struct xb_strv *extra)
{
	struct xb_sandbox_mount *m = add_file(spec, "/etc/hosts");

	(void)xb_str_printf(&m->content,
			    "127.0.0.1\tlocalhost %s\n"
			    "::1\tlocalhost ip6-localhost ip6-loopback\n",
			    spec->hostname != NULL ? spec->hostname : "");
	for (size_t i = 0; extra != NULL && i < extra->len; i++)
		(void)xb_str_printf(&m->content, "%s\n", extra->items[i]);
}

int xb_sandbox_network_files(struct xb_sandbox_spec *spec, const struct xb_strv *extra,
			     struct xb_error *err)
{
	xb_auto_str struct xb_str resolv = XB_STR_INIT(MAX_RESOLV_CONF);
	int r = 0;

	if (spec->network != XB_SANDBOX_NET_NONE)
		r = xb_file_read("/etc/resolv.conf", &resolv, err);
	if (r == -ENOENT)
		xb_error_clear(err);
	else if (r < 0)
		return r;
	add_hosts(spec, extra);
	return xb_str_append_view(&add_file(spec, "/etc/resolv.conf")->content,
				  xb_str_view(&resolv));
}
