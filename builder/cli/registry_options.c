/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/registry_options.h"

void xb_registry_flags_clear(struct xb_registry_flags *flags)
{
	xb_strv_clear(&flags->plain_http);
	xb_strv_clear(&flags->ca);
	xb_strv_clear(&flags->cert);
	xb_strv_clear(&flags->realms);
}

void xb_registry_access_clear(struct xb_registry_access *access)
{
	xb_registry_hosts_free(access->hosts);
	xb_credentials_free(access->credentials);
	*access = (struct xb_registry_access){ 0 };
}

int xb_registry_access_open(const struct xb_registry_flags *flags, struct xb_registry_access *ret,
			    struct xb_error *err)
{
	const struct xb_registry_hosts_options options = {
		.plain_http = &flags->plain_http,
		.ca = &flags->ca,
		.cert = &flags->cert,
		.realms = &flags->realms,
	};
	int r = xb_registry_hosts_load(&options, &ret->hosts, err);

	if (r < 0)
		return r;
	ret->credentials = xb_credentials_new();
	return 0;
}

struct xb_registry_options xb_registry_access_options(const struct xb_registry_access *access,
						      int cancel_fd)
{
	struct xb_registry_options options = XB_REGISTRY_OPTIONS_INIT;

	options.hosts = access->hosts;
	options.credentials = access->credentials;
	options.cancel_fd = cancel_fd;
	return options;
}
