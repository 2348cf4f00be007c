/* SPDX-License-Identifier: Apache-2.0 */
/* Which token servers a registry's credentials may go to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "manifest/registry/realm.h"

/* what a row does not say is zero */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const struct {
	const char *host;
	const char *realm;
	bool same;
} sites[] = {
	{ "ghcr.io", "ghcr.io", true },
	{ "GHCR.io", "ghcr.IO", true },
	{ "registry-1.docker.io", "auth.docker.io", true },
	{ "registry.gitlab.com", "gitlab.com", true },
	{ "registry.example.com:5050", "gitlab.example.com", true },
	{ "registry.example.com", "registry.example.com:8443", true },
	{ "a.b.c.example.com", "d.example.com", true },
	{ "registry.example.co.uk", "auth.example.co.uk", true },
	{ "my.azurecr.io", "my.azurecr.io", true },
	{ "docker.elastic.co", "docker-auth.elastic.co", true },
	{ "127.0.0.1:5000", "127.0.0.1:5001", true },
	{ "[::1]:5000", "[::1]:5001", true },
	{ "localhost:5000", "localhost", true },
	{ "registry.example.com.", "auth.example.com", true },
	{ "registry", "registry:5001", true },
	/* others */
	{ "registry.example.com", "example.org", false },
	{ "registry.example.com", "registry.example.com.evil.org", false },
	{ "registry.example.com", "evilexample.com", false },
	{ "example.com", "com", false },
	{ "example.co.uk", "evil.co.uk", false },
	{ "example.com.au", "evil.com.au", false },
	{ "example.gouv.fr", "evil.gouv.fr", false },
	{ "my.azurecr.io", "evil.azurecr.io", false },
	{ "my.jfrog.io", "evil.jfrog.io", false },
	{ "me.github.io", "you.github.io", false },
	{ "1.dkr.ecr.us-east-1.amazonaws.com", "evil.s3.us-east-1.amazonaws.com", false },
	{ "us-docker.pkg.dev", "evil.pkg.dev", false },
	{ "127.0.0.1:5000", "127.0.0.2:5000", false },
	{ "10.0.0.1", "20.0.0.1", false },
	{ "[::1]:5000", "[::2]:5000", false },
	{ "localhost:5000", "127.0.0.1:5000", false },
	{ "registry", "auth", false },
	{ "registry.local", "evil.local", false },
	{ "", "", false },
};

static void all_sites(void **state)
{
	(void)state;
	for (size_t i = 0; i < XB_COUNT(sites); i++) {
		if (xb_realm_same_site(sites[i].host, sites[i].realm) != sites[i].same)
			fail_msg("%s and %s", sites[i].host, sites[i].realm);
		/* and the other way round */
		if (xb_realm_same_site(sites[i].realm, sites[i].host) != sites[i].same)
			fail_msg("%s and %s", sites[i].realm, sites[i].host);
	}
}

static const struct {
	const char *host;
	bool plain;
	const char *realm;
	int r;
	bool trusted;
	const char *seen; /* its host */
} realms[] = {
	{ "registry-1.docker.io", false, "https://auth.docker.io/token", 0, true,
	  "auth.docker.io" },
	{ "ghcr.io", false, "https://ghcr.io:443/token?x=y", 0, true, "ghcr.io" },
	{ "rg.fr-par.scw.cloud", false, "https://api.scaleway.com/tokens", 0, true,
	  "api.scaleway.com" },
	{ "dhi.io", false, "https://auth.docker.io/token", 0, true, "auth.docker.io" },
	{ "docker.io.evil.org", false, "https://auth.docker.io/token", 0, false, "auth.docker.io" },
	{ "registry.example.com", false, "https://evil.org/token", 0, false, "evil.org" },
	{ "registry.example.com", false, "https://login.example.net:8443/", 0, true,
	  "login.example.net:8443" },
	{ "registry.example.com", false, "https://login.example.net/", 0, false,
	  "login.example.net" },
	/* not spoken to at all */
	{ "registry.example.com", false, "http://registry.example.com/token", -EACCES },
	{ "registry.example.com", false, "http://plain.lan/token", -EACCES },
	{ "registry.example.com", false, "https://u:p@registry.example.com/token", -EACCES },
	{ "registry.example.com", false, "/token", -EACCES },
	{ "registry.example.com", false, "", -EACCES },
	{ "registry.example.com", false, NULL, -EACCES },
	{ "registry.example.com", false, "file:///etc/passwd", -EACCES },
	{ "registry.example.com", false, "https:///token", -EACCES },
	{ "registry.example.com", false, "https://registry.example.com/\ntoken", -EACCES },
	/* by http only when the registry is, and to it or who else may */
	{ "plain.lan", true, "http://plain.lan/token", 0, true, "plain.lan" },
	{ "127.0.0.1:5000", true, "http://127.0.0.1:5001/token", 0, true, "127.0.0.1:5001" },
	{ "127.0.0.1:5000", true, "http://plain.lan/token", 0, false, "plain.lan" },
	{ "127.0.0.1:5000", true, "http://auth.lan/token", -EACCES },
	{ "plain.lan", true, "https://plain.lan/token", 0, true, "plain.lan" },
};

static struct xb_registry_hosts *load(void)
{
	xb_auto_strv struct xb_strv plain = XB_STRV_INIT, allowed = XB_STRV_INIT;
	struct xb_registry_hosts *hosts = NULL;

	xb_strv_push(&plain, "plain.lan");
	xb_strv_push(&allowed, "registry.example.com=login.example.net:8443");
	assert_int_equal(
		xb_registry_hosts_load(&(struct xb_registry_hosts_options){ .plain_http = &plain,
									    .realms = &allowed,
									    .no_files = true },
				       &hosts, NULL),
		0);
	return hosts;
}

static void check_realm(const struct xb_registry_hosts *hosts, size_t i)
{
	xb_auto_realm struct xb_realm realm = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *host = xb_strdup(realms[i].host);
	xb_autofree char *url =
		xb_format("http%s://%s/v2", realms[i].plain ? "" : "s", realms[i].host);
	const struct xb_registry_endpoint endpoint = { .host = host, .url = url };
	int r = xb_realm_read(hosts, &endpoint, realms[i].realm, &realm, &err);

	if (r != realms[i].r)
		fail_msg("%s: %d, %s", realms[i].realm, r, err.message);
	if (r < 0) {
		assert_int_equal(err.fault, XB_FAULT_REGISTRY);
		assert_null(strstr(err.message, "u:p"));
		return;
	}
	assert_string_equal(realm.host, realms[i].seen);
	if (realm.trusted != realms[i].trusted)
		fail_msg("%s for %s", realms[i].realm, realms[i].host);
}

static void all_realms(void **state)
{
	xb_auto_registry_hosts struct xb_registry_hosts *hosts = load();

	(void)state;
	for (size_t i = 0; i < XB_COUNT(realms); i++)
		check_realm(hosts, i);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_sites),
		cmocka_unit_test(all_realms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
