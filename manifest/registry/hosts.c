/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/hosts.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* What is said of a host, or of all (host NULL). Strings are owned. */
struct setting {
	char *host; /* "host[:port]" in lower case */
	char *first;
	char *second;
};
struct settings XB_ARRAY(struct setting);

struct xb_registry_hosts {
	struct settings plain;
	struct settings ca;    /* first: the file */
	struct settings cert;  /* first: the certificate, second: its key */
	struct settings realm; /* first: the token server's host */
};

/* Docker Hub's references have the domain docker.io, its API is elsewhere. */
#define HUB	 "docker.io"
#define HUB_HOST "registry-1.docker.io"

static void settings_clear(struct settings *settings)
{
	for (size_t i = 0; i < settings->len; i++) {
		free(settings->items[i].host);
		free(settings->items[i].first);
		free(settings->items[i].second);
	}
	xb_array_clear(settings);
}

void xb_registry_hosts_free(struct xb_registry_hosts *hosts)
{
	if (hosts == NULL)
		return;
	settings_clear(&hosts->plain);
	settings_clear(&hosts->ca);
	settings_clear(&hosts->cert);
	settings_clear(&hosts->realm);
	free(hosts);
}

void xb_registry_endpoints_clear(struct xb_registry_endpoints *endpoints)
{
	for (size_t i = 0; i < endpoints->len; i++) {
		free(endpoints->items[i].host);
		free(endpoints->items[i].domain);
		free(endpoints->items[i].url);
		free(endpoints->items[i].path);
		free(endpoints->items[i].ns);
	}
	xb_array_clear(endpoints);
}

static char *lower_dup(struct xb_view text)
{
	char *copy = xb_view_dup(text);

	for (char *c = copy; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* A host name or address with an optional port, in what a reference may have and nothing else. */
static bool is_host(struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (!isalnum((unsigned char)text.data[i]) &&
		    (text.data[i] == '\0' || strchr(".-:[]", text.data[i]) == NULL))
			return false;
	}
	return text.len > 0;
}

/* The host of "HOST=rest", which `rest` then leaves out; none when there is no '='. */
static struct xb_view take_host(struct xb_view *rest)
{
	ptrdiff_t equals = xb_view_find(*rest, '=');
	struct xb_view host = { 0 };

	if (equals < 0)
		return host;
	host = xb_view_sub(*rest, 0, (size_t)equals);
	*rest = xb_view_sub(*rest, (size_t)equals + 1, rest->len);
	return host;
}

static struct setting *add(struct settings *settings, struct xb_view host)
{
	struct setting *setting = xb_array_push(settings);

	setting->host = host.len > 0 ? lower_dup(host) : NULL;
	return setting;
}

static int check_file(const char *path, struct xb_error *err)
{
	if (access(path, R_OK) == 0)
		return 0;
	(void)xb_error_errno(err, -errno, "%s", path);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int read_plain(struct xb_registry_hosts *hosts, const char *value, struct xb_error *err)
{
	if (!is_host(xb_view(value)))
		return xb_error_usage(err, "a host, with its port: --plain-http=registry.lan:5000",
				      "--plain-http %s is not a host", value);
	(void)add(&hosts->plain, xb_view(value));
	return 0;
}

static int read_ca(struct xb_registry_hosts *hosts, const char *value, struct xb_error *err)
{
	struct xb_view rest = xb_view(value);
	struct xb_view host = take_host(&rest);
	struct setting *setting;
	int r;

	/* a '=' may also be one of a file's name */
	if (!is_host(host)) {
		rest = xb_view(value);
		host = (struct xb_view){ 0 };
	}
	setting = add(&hosts->ca, host);
	setting->first = xb_view_dup(rest);
	r = check_file(setting->first, err);
	return r < 0 ? xb_error_wrap(err, r, "--registry-ca") : 0;
}

static int read_cert(struct xb_registry_hosts *hosts, const char *value, struct xb_error *err)
{
	struct xb_view rest = xb_view(value), cert = { 0 };
	struct xb_view host = take_host(&rest);
	struct setting *setting;
	int r;

	(void)xb_view_split(&rest, ',', &cert);
	if (!is_host(host) || cert.len == 0)
		return xb_error_usage(err, "--registry-cert=HOST=CERT,KEY",
				      "--registry-cert %s has no host or no file", value);
	setting = add(&hosts->cert, host);
	setting->first = xb_view_dup(cert);
	setting->second = rest.len > 0 ? xb_view_dup(rest) : NULL;
	r = check_file(setting->first, err);
	if (r == 0 && setting->second != NULL)
		r = check_file(setting->second, err);
	return r < 0 ? xb_error_wrap(err, r, "--registry-cert") : 0;
}

static int read_realm(struct xb_registry_hosts *hosts, const char *value, struct xb_error *err)
{
	struct xb_view rest = xb_view(value);
	struct xb_view host = take_host(&rest);

	if (!is_host(host) || !is_host(rest))
		return xb_error_usage(err,
				      "--registry-realm=registry.example.com=login.example.net",
				      "--registry-realm %s is not HOST=HOST", value);
	add(&hosts->realm, host)->first = lower_dup(rest);
	return 0;
}

static int read_all(struct xb_registry_hosts *hosts, const struct xb_strv *values,
		    int (*read)(struct xb_registry_hosts *, const char *, struct xb_error *),
		    struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && values != NULL && i < values->len; i++)
		r = read(hosts, values->items[i], err);
	return r;
}

int xb_registry_hosts_load(const struct xb_registry_hosts_options *options,
			   struct xb_registry_hosts **ret, struct xb_error *err)
{
	xb_auto_registry_hosts struct xb_registry_hosts *hosts = xb_calloc(1, sizeof(*hosts));
	int r = read_all(hosts, options->plain_http, read_plain, err);

	if (r == 0)
		r = read_all(hosts, options->ca, read_ca, err);
	if (r == 0)
		r = read_all(hosts, options->cert, read_cert, err);
	if (r == 0)
		r = read_all(hosts, options->realms, read_realm, err);
	if (r < 0)
		return r;
	*ret = XB_STEAL(hosts);
	return 0;
}

/* The last that is said of `host`, or what is said of all where `general`; NULL: nothing. */
static const struct setting *find(const struct settings *settings, const char *host, bool general)
{
	const struct setting *found = NULL;

	for (size_t i = 0; i < settings->len; i++) {
		const struct setting *setting = &settings->items[i];

		if (setting->host != NULL ? strcasecmp(setting->host, host) == 0
					  : general && (found == NULL || found->host == NULL))
			found = setting;
	}
	return found;
}

/* Whether it is this machine, at a port that is not that of https. */
static bool is_loopback(const char *host)
{
	static const char *const names[] = { "localhost", "127.", "[::1]" };
	const char *port = strrchr(host, ':');

	if (port != NULL && strcmp(port, ":443") == 0)
		return false;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(host, names[i], len) != 0)
			continue;
		/* "localhost.example.com" and "127.example.com" are others */
		if (i == 1 ? strspn(host, "0123456789.") == strcspn(host, ":")
			   : host[len] == '\0' || host[len] == ':')
			return true;
	}
	return false;
}

bool xb_registry_hosts_is_plain(const struct xb_registry_hosts *hosts, const char *host)
{
	if (find(&hosts->plain, host, false) != NULL)
		return true;
	return is_loopback(host) && find(&hosts->ca, host, false) == NULL &&
	       find(&hosts->cert, host, false) == NULL;
}

struct xb_http_tls xb_registry_hosts_tls(const struct xb_registry_hosts *hosts, const char *host)
{
	const struct setting *ca = find(&hosts->ca, host, true);
	const struct setting *cert = find(&hosts->cert, host, false);

	return (struct xb_http_tls){
		.ca_file = ca != NULL ? ca->first : NULL,
		.cert_file = cert != NULL ? cert->first : NULL,
		.key_file = cert != NULL ? cert->second : NULL,
	};
}

bool xb_registry_hosts_allows_realm(const struct xb_registry_hosts *hosts, const char *host,
				    const char *realm_host)
{
	for (size_t i = 0; i < hosts->realm.len; i++) {
		if (strcasecmp(hosts->realm.items[i].host, host) == 0 &&
		    strcasecmp(hosts->realm.items[i].first, realm_host) == 0)
			return true;
	}
	return false;
}

int xb_registry_hosts_find(const struct xb_registry_hosts *hosts, const char *domain,
			   const char *path, struct xb_registry_endpoints *ret,
			   struct xb_error *err)
{
	bool hub = strcmp(domain, HUB) == 0;
	struct xb_registry_endpoint *origin = xb_array_push(ret);

	(void)err;
	origin->host = hub ? xb_strdup(HUB_HOST) : lower_dup(xb_view(domain));
	origin->domain = hub ? xb_strdup(HUB) : xb_strdup(origin->host);
	origin->url = xb_format("%s://%s/v2",
				xb_registry_hosts_is_plain(hosts, origin->host) ? "http" : "https",
				origin->host);
	origin->path = xb_strdup(path);
	origin->tls = xb_registry_hosts_tls(hosts, origin->host);
	return 0;
}
