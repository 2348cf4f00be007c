/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/hosts.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "manifest/registry/settings.h"

/* What is said of a host, or of all (host NULL). Strings are owned. */
struct setting {
	char *host; /* "host[:port]" in lower case */
	char *first;
	char *second;
};
struct settings XB_ARRAY(struct setting);

/* What certs.d has for a host; not moved once it is there, since endpoints borrow of it. */
struct certs {
	char *host;
	bool found;
	struct xb_registry_rule rule;
	struct xb_error failure;
};

/* The machine's files, each read when it is first wanted. */
struct files {
	pthread_mutex_t lock; /* of all below; what has been read does not change any more */
	bool loaded;
	struct xb_error failure; /* of `rules` */
	struct xb_registry_rules rules;
	struct XB_ARRAY(struct certs *) certs;
};

struct xb_registry_hosts {
	struct files *files; /* NULL: they do not count */
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

static struct files *files_new(void)
{
	struct files *files = xb_calloc(1, sizeof(*files));

	(void)pthread_mutex_init(&files->lock, NULL);
	return files;
}

static void files_free(struct files *files)
{
	if (files == NULL)
		return;
	for (size_t i = 0; i < files->certs.len; i++) {
		struct certs *certs = files->certs.items[i];

		free(certs->host);
		xb_registry_rule_clear(&certs->rule);
		xb_error_clear(&certs->failure);
		free(certs);
	}
	xb_array_clear(&files->certs);
	xb_registry_rules_clear(&files->rules);
	xb_error_clear(&files->failure);
	(void)pthread_mutex_destroy(&files->lock);
	free(files);
}

void xb_registry_hosts_free(struct xb_registry_hosts *hosts)
{
	if (hosts == NULL)
		return;
	settings_clear(&hosts->plain);
	settings_clear(&hosts->ca);
	settings_clear(&hosts->cert);
	settings_clear(&hosts->realm);
	files_free(hosts->files);
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
	hosts->files = options->no_files ? NULL : files_new();
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
	static const char *const names[] = { "localhost", "[::1]" };
	size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

	if (strcmp(host + strnlen(host, len), ":443") == 0)
		return false;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		if (len == strlen(names[i]) && strncasecmp(host, names[i], len) == 0)
			return true;
	}
	/* "127.example.com" is another */
	return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

static const struct certs *certs_in(struct files *files, const char *host)
{
	struct certs *certs;

	for (size_t i = 0; i < files->certs.len; i++) {
		if (strcasecmp(files->certs.items[i]->host, host) == 0)
			return files->certs.items[i];
	}
	certs = xb_calloc(1, sizeof(*certs));
	certs->host = xb_strdup(host);
	/* a host of a file of settings, too, becomes part of a path */
	if (is_host(xb_view(host)) && strstr(host, "..") == NULL)
		certs->found = xb_registry_certs_read(host, &certs->rule, &certs->failure) > 0;
	*xb_array_push(&files->certs) = certs;
	return certs;
}

/* What certs.d has for a host, with whether it could be read; NULL when no files count. */
static const struct certs *certs_of(const struct xb_registry_hosts *hosts, const char *host)
{
	const struct certs *certs;

	if (hosts->files == NULL)
		return NULL;
	(void)pthread_mutex_lock(&hosts->files->lock);
	certs = certs_in(hosts->files, host);
	(void)pthread_mutex_unlock(&hosts->files->lock);
	return certs;
}

/* Its certificates: of the host itself, not those of its mirrors. */
static const struct xb_registry_location *location_of(const struct xb_registry_hosts *hosts,
						      const char *host)
{
	const struct certs *certs = certs_of(hosts, host);

	return certs != NULL && certs->found ? &certs->rule.location : NULL;
}

bool xb_registry_hosts_is_plain(const struct xb_registry_hosts *hosts, const char *host)
{
	const struct xb_registry_location *location;

	if (find(&hosts->plain, host, false) != NULL)
		return true;
	if (!is_loopback(host) || find(&hosts->ca, host, false) != NULL ||
	    find(&hosts->cert, host, false) != NULL)
		return false;
	location = location_of(hosts, host);
	return location == NULL || (location->ca_file == NULL && location->cert_file == NULL);
}

struct xb_http_tls xb_registry_hosts_tls(const struct xb_registry_hosts *hosts, const char *host)
{
	const struct setting *ca = find(&hosts->ca, host, true);
	const struct setting *cert = find(&hosts->cert, host, false);
	const struct xb_registry_location *location = location_of(hosts, host);
	struct xb_http_tls tls = { 0 };

	if (location != NULL)
		tls = (struct xb_http_tls){ .ca_file = location->ca_file,
					    .cert_file = location->cert_file,
					    .key_file = location->key_file };
	if (ca != NULL)
		tls.ca_file = ca->first;
	if (cert != NULL) {
		tls.cert_file = cert->first;
		tls.key_file = cert->second;
	}
	return tls;
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

static int copy_error(const struct xb_error *from, struct xb_error *to)
{
	(void)xb_error_set(to, from->code, "%s", from->message);
	return xb_error_fault(to, from->fault), from->code;
}

/* The rule of registries.conf for a repository; `*ret` is NULL for none. */
static int rule_of(const struct xb_registry_hosts *hosts, const char *domain, const char *path,
		   const struct xb_registry_rule **ret, struct xb_error *err)
{
	struct files *files = hosts->files;

	*ret = NULL;
	if (files == NULL)
		return 0;
	(void)pthread_mutex_lock(&files->lock);
	if (!files->loaded)
		(void)xb_registry_rules_load(&files->rules, &files->failure);
	files->loaded = true;
	(void)pthread_mutex_unlock(&files->lock);
	if (files->failure.code < 0)
		return copy_error(&files->failure, err);
	*ret = xb_registry_rules_find(&files->rules, domain, path);
	if (*ret == NULL || !(*ret)->blocked)
		return 0;
	(void)xb_error_set(err, -EPERM, "%s/%s: registries.conf blocks %s", domain, path,
			   (*ret)->prefix);
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EPERM;
}

/* What is asked for. */
struct wanted {
	const char *domain;
	const char *path;
	const char *prefix; /* of the rule that holds, or NULL */
};

/* What the repository is called behind a host that stands in the place of a prefix. */
static char *rewrite(const struct wanted *wanted, const char *path)
{
	xb_autofree char *name = xb_format("%s/%s", wanted->domain, wanted->path);
	const char *rest = name;

	if (wanted->prefix == NULL || path == NULL || wanted->prefix[0] == '*')
		return xb_strdup(wanted->path);
	rest += strlen(wanted->prefix);
	rest += strspn(rest, "/");
	return xb_format("%s%s%s", path, path[0] != '\0' && rest[0] != '\0' ? "/" : "", rest);
}

/* Where the registry of a reference is, unless the files say something else. */
static const char *host_of(const char *domain)
{
	return strcmp(domain, HUB) == 0 ? HUB_HOST : domain;
}

/* Add an endpoint: `location` (NULL: none) says what is not as for every host. */
static struct xb_registry_endpoint *add_endpoint(const struct xb_registry_hosts *hosts,
						 const struct wanted *wanted,
						 const struct xb_registry_location *location,
						 struct xb_registry_endpoints *ret)
{
	static const struct xb_registry_location nothing = { 0 };
	const struct xb_registry_location *l = location != NULL ? location : &nothing;
	const char *domain = l->host != NULL ? l->host : wanted->domain;
	struct xb_registry_endpoint *endpoint = xb_array_push(ret);

	endpoint->host = lower_dup(xb_view(l->url != NULL ? domain : host_of(domain)));
	endpoint->domain =
		strcmp(endpoint->host, HUB_HOST) == 0 ? xb_strdup(HUB) : xb_strdup(endpoint->host);
	endpoint->url = l->url != NULL ? xb_strdup(l->url)
				       : xb_format("%s://%s/v2",
						   xb_registry_hosts_is_plain(hosts, endpoint->host)
							   ? "http"
							   : "https",
						   endpoint->host);
	endpoint->path = rewrite(wanted, l->host != NULL ? l->path : NULL);
	endpoint->tls = xb_registry_hosts_tls(hosts, endpoint->host);
	endpoint->tls.insecure = l->insecure;
	if (l->ca_file != NULL && find(&hosts->ca, endpoint->host, true) == NULL)
		endpoint->tls.ca_file = l->ca_file;
	if (l->cert_file != NULL && find(&hosts->cert, endpoint->host, false) == NULL) {
		endpoint->tls.cert_file = l->cert_file;
		endpoint->tls.key_file = l->key_file;
	}
	return endpoint;
}

static void add_mirrors(const struct xb_registry_hosts *hosts, const struct wanted *wanted,
			const struct xb_registry_rule *rule, struct xb_registry_endpoints *ret)
{
	for (size_t i = 0; i < rule->mirrors.len; i++) {
		const struct xb_registry_location *location = &rule->mirrors.items[i];
		struct xb_registry_endpoint *endpoint = add_endpoint(hosts, wanted, location, ret);

		endpoint->mirror = true;
		if (location->with_ns)
			endpoint->ns = xb_strdup(wanted->domain);
	}
}

int xb_registry_hosts_find(const struct xb_registry_hosts *hosts, const char *domain,
			   const char *path, struct xb_registry_endpoints *ret,
			   struct xb_error *err)
{
	const struct certs *certs = certs_of(hosts, domain);
	const struct xb_registry_rule *rule = NULL;
	struct wanted wanted = { .domain = domain, .path = path };
	int r = certs != NULL && certs->failure.code < 0 ? copy_error(&certs->failure, err)
							 : rule_of(hosts, domain, path, &rule, err);

	if (r < 0)
		return r;
	/* a hosts.toml is about this registry, a rule about all that has some prefix */
	if (certs != NULL && certs->found &&
	    (certs->rule.mirrors.len > 0 || certs->rule.location.host != NULL))
		rule = &certs->rule;
	if (rule != NULL) {
		wanted.prefix = rule->prefix;
		add_mirrors(hosts, &wanted, rule, ret);
	}
	(void)add_endpoint(hosts, &wanted, rule != NULL ? &rule->location : NULL, ret);
	return 0;
}
