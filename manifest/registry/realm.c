/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/realm.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

void xb_realm_clear(struct xb_realm *realm)
{
	xb_http_url_clear(&realm->url);
	free(realm->host);
	*realm = (struct xb_realm){ 0 };
}

/*
 * Domains below which strangers get names, at whatever depth: nobody is of one site there.
 * Two-letter domains with a short or well-known name before them (co.uk, or.jp, gouv.fr) are found
 * by is_national(). What is missing here joins strangers' hosts to one site, what is here too much
 * costs a --registry-realm.
 */
static const char *const shared[] = {
	"amazonaws.com",
	"appspot.com",
	"azure.com",
	"azurecr.io",
	"azurewebsites.net",
	"cloudapp.net",
	"cloudfront.net",
	"aliyuncs.com",
	"digitaloceanspaces.com",
	"duckdns.org",
	"dyndns.org",
	"fly.dev",
	"github.io",
	"gitlab.io",
	"googleusercontent.com",
	"herokuapp.com",
	"jfrog.io",
	"myqcloud.com",
	"netlify.app",
	"ngrok.app",
	"ngrok.io",
	"ngrok-free.app",
	"nip.io",
	"on.aws",
	"ondigitalocean.app",
	"onrender.com",
	"ovh.net",
	"pages.dev",
	"pkg.dev",
	"run.app",
	"scw.cloud",
	"sslip.io",
	"ts.net",
	"trycloudflare.com",
	"vercel.app",
	"vultrcr.com",
	"web.app",
	"windows.net",
	"workers.dev",
	"xip.io",
};

/* What stands in front of two-letter domains and is longer than three letters. */
static const char *const national[] = { "asso", "firm", "gouv", "info", "nhs", "police", "sch" };

/* Token servers of other names than their registries, of the same company. */
static const struct {
	const char *below; /* the registry is of this domain */
	const char *realm;
} pairs[] = {
	{ "dhi.io", "auth.docker.io" },
	{ "scw.cloud", "api.scaleway.com" },
};

/* "host[:port]" without its port, and without the dot at the end that a name may have. */
static struct xb_view name_of(const char *host)
{
	struct xb_view name = xb_view(host);
	const char *colon = strrchr(host, ':');

	if (colon != NULL && strchr(colon, ']') == NULL)
		name.len = (size_t)(colon - host);
	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	return name;
}

/* An address, or what may be read as one: nobody registers a top-level domain of digits. */
static bool is_address(struct xb_view name)
{
	return name.len == 0 || name.data[0] == '[' ||
	       isdigit((unsigned char)name.data[name.len - 1]);
}

/* The last `labels` labels; the empty view when there are fewer. */
static struct xb_view last_labels(struct xb_view name, unsigned labels)
{
	size_t at = name.len;

	for (; at > 0; at--) {
		if (name.data[at - 1] == '.' && --labels == 0)
			break;
	}
	if (at == 0 && labels > 1)
		return (struct xb_view){ 0 };
	return xb_view_sub(name, at, name.len);
}

static bool is_among(struct xb_view name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (xb_view_eq_nocase(name, xb_view(names[i])))
			return true;
	}
	return false;
}

/* Whether "x.yy" is where a country lets people register names, as co.uk. */
static bool is_national(struct xb_view domain)
{
	ptrdiff_t dot = xb_view_find(domain, '.');
	struct xb_view first = xb_view_sub(domain, 0, dot > 0 ? (size_t)dot : 0);

	return domain.len - first.len == strlen(".uk") &&
	       (first.len <= 3 || is_among(first, national, XB_COUNT(national)));
}

/* The domain that somebody has registered, or the empty view for none. */
static struct xb_view site_of(struct xb_view name)
{
	struct xb_view site;

	if (is_address(name) || xb_view_find(name, '.') < 0)
		return (struct xb_view){ 0 };
	site = last_labels(name, 2);
	if (is_among(site, shared, XB_COUNT(shared)))
		return (struct xb_view){ 0 };
	return is_national(site) ? last_labels(name, 3) : site;
}

bool xb_realm_same_site(const char *host, const char *realm_host)
{
	struct xb_view name = name_of(host), realm = name_of(realm_host);
	struct xb_view site = site_of(name);

	if (name.len == 0)
		return false;
	return xb_view_eq_nocase(name, realm) ||
	       (site.len > 0 && xb_view_eq_nocase(site, site_of(realm)));
}

static bool is_pair(const char *host, const char *realm_host)
{
	struct xb_view name = name_of(host), realm = name_of(realm_host);

	for (size_t i = 0; i < XB_COUNT(pairs); i++) {
		if (xb_view_eq_nocase(last_labels(name, 2), xb_view(pairs[i].below)) &&
		    xb_view_eq_nocase(realm, xb_view(pairs[i].realm)))
			return true;
	}
	return false;
}

/* "host[:port]" of an origin, "https://host:443": the port that goes without saying is left out. */
static char *host_of(const struct xb_http_url *url)
{
	const char *host = strstr(url->origin, "://") + 3;
	const char *usual = url->tls ? ":443" : ":80";
	size_t len = strlen(host);

	if (len > strlen(usual) && strcmp(host + len - strlen(usual), usual) == 0)
		len -= strlen(usual);
	return xb_view_dup((struct xb_view){ host, len });
}

static int refuse(const struct xb_registry_endpoint *endpoint, const char *why,
		  struct xb_error *err)
{
	(void)xb_error_set(err, -EACCES, "the token server that %s names %s", endpoint->host, why);
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EACCES;
}

static int check_scheme(const struct xb_registry_hosts *hosts,
			const struct xb_registry_endpoint *endpoint, const struct xb_realm *realm,
			struct xb_error *err)
{
	bool plain = strncmp(endpoint->url, "http://", strlen("http://")) == 0;

	if (realm->url.tls)
		return 0;
	if (!plain)
		return refuse(endpoint, "is spoken to by http, without TLS", err);
	if (xb_view_eq_nocase(name_of(endpoint->host), name_of(realm->host)) ||
	    xb_registry_hosts_is_plain(hosts, realm->host))
		return 0;
	(void)refuse(endpoint, "is another host, and spoken to by http, without TLS", err);
	return xb_error_hint(err, "--plain-http %s allows that", realm->host);
}

int xb_realm_read(const struct xb_registry_hosts *hosts,
		  const struct xb_registry_endpoint *endpoint, const char *text,
		  struct xb_realm *ret, struct xb_error *err)
{
	xb_auto_realm struct xb_realm realm = { 0 };
	int r;

	if (text == NULL || xb_http_url_parse(text, &realm.url, NULL) < 0)
		return refuse(endpoint, "has no URL of https", err);
	if (realm.url.user != NULL)
		return refuse(endpoint, "has a user name in its URL", err);
	realm.host = host_of(&realm.url);
	r = check_scheme(hosts, endpoint, &realm, err);
	if (r < 0)
		return r;
	realm.trusted = xb_realm_same_site(endpoint->host, realm.host) ||
			is_pair(endpoint->host, realm.host) ||
			xb_registry_hosts_allows_realm(hosts, endpoint->host, realm.host);
	realm.tls = xb_registry_hosts_tls(hosts, realm.host);
	/* a registry whose certificate nobody looks at has a token server like that, on its host */
	if (xb_view_eq_nocase(name_of(endpoint->host), name_of(realm.host)))
		realm.tls.insecure = realm.tls.insecure || endpoint->tls.insecure;
	*ret = realm;
	realm = (struct xb_realm){ 0 };
	return 0;
}
