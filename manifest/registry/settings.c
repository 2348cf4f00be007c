/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/settings.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "manifest/registry/toml.h"

void xb_registry_location_clear(struct xb_registry_location *location)
{
	free(location->url);
	free(location->host);
	free(location->path);
	free(location->ca_file);
	free(location->cert_file);
	free(location->key_file);
	*location = (struct xb_registry_location){ 0 };
}

void xb_registry_rule_clear(struct xb_registry_rule *rule)
{
	free(rule->prefix);
	xb_registry_location_clear(&rule->location);
	for (size_t i = 0; i < rule->mirrors.len; i++)
		xb_registry_location_clear(&rule->mirrors.items[i]);
	xb_array_clear(&rule->mirrors);
	*rule = (struct xb_registry_rule){ 0 };
}

void xb_registry_rules_clear(struct xb_registry_rules *rules)
{
	for (size_t i = 0; i < rules->len; i++)
		xb_registry_rule_clear(&rules->items[i]);
	xb_array_clear(rules);
}

static int of_file(const char *path, int r, struct xb_error *err)
{
	(void)xb_error_fault(err, XB_FAULT_REGISTRY);
	return xb_error_wrap(err, r, "settings of registries in %s", path);
}

/* 1 with `*ret`, 0 without such a file. */
static int read_toml(const char *path, json_t **ret, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_MAX_TOML);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_file_read(path, &text, &cause);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r == 0)
		r = xb_toml_parse(xb_str_view(&text), ret, &cause);
	if (r == 0)
		return 1;
	(void)xb_error_set(err, r, "%s", cause.message);
	return r;
}

/* registries.conf */

/* "host[:port][/path]", which other forms of the file have with a scheme in front. */
static int read_location(const json_t *table, struct xb_registry_location *ret,
			 struct xb_error *err)
{
	const char *text = NULL;
	struct xb_view rest, host;
	int r = xb_json_get_string(table, "location", &text, err);

	if (r == 0)
		r = xb_json_get_bool(table, "insecure", &ret->insecure, err);
	if (r < 0 || text == NULL || text[0] == '\0')
		return r;
	if (strstr(text, "://") != NULL)
		return xb_error_set(err, -EBADMSG, "the location %s has a scheme", text);
	rest = xb_view(text);
	while (rest.len > 0 && rest.data[rest.len - 1] == '/')
		rest.len--;
	(void)xb_view_split(&rest, '/', &host);
	ret->host = xb_view_dup(host);
	ret->path = xb_view_dup(rest);
	return 0;
}

/* Mirrors for digests alone are of no use to who does not know yet what a tag means. */
static bool is_for_all(const json_t *registry, const json_t *mirror)
{
	const char *when = json_string_value(json_object_get(mirror, "pull-from-mirror"));

	if (json_is_true(json_object_get(registry, "mirror-by-digest-only")))
		return false;
	return when == NULL || when[0] == '\0' || strcmp(when, "all") == 0;
}

static int read_mirrors(const json_t *table, struct xb_registry_locations *ret,
			struct xb_error *err)
{
	json_t *mirrors = NULL, *mirror;
	size_t i;
	int r = xb_json_get_array(table, "mirror", &mirrors, err);

	json_array_foreach(mirrors, i, mirror)
	{
		struct xb_registry_location location = { 0 };

		if (r < 0)
			return r;
		r = read_location(mirror, &location, err);
		if (r == 0 && location.host == NULL)
			r = xb_error_set(err, -EBADMSG, "a mirror has no location");
		if (r == 0 && is_for_all(table, mirror))
			*xb_array_push(ret) = location;
		else
			xb_registry_location_clear(&location);
	}
	return r;
}

static int read_registry(const json_t *table, struct xb_registry_rule *ret, struct xb_error *err)
{
	const char *prefix = NULL;
	int r = xb_json_get_string(table, "prefix", &prefix, err);

	if (r == 0)
		r = xb_json_get_bool(table, "blocked", &ret->blocked, err);
	if (r == 0)
		r = read_location(table, &ret->location, err);
	if (r == 0)
		r = read_mirrors(table, &ret->mirrors, err);
	if (r < 0)
		return r;
	if (prefix == NULL || prefix[0] == '\0')
		prefix = json_string_value(json_object_get(table, "location"));
	if (prefix == NULL || prefix[0] == '\0')
		return xb_error_set(err, -EBADMSG, "a registry has neither prefix nor location");
	ret->prefix = xb_strdup(prefix);
	return 0;
}

static void add_rule(struct xb_registry_rules *rules, struct xb_registry_rule *rule)
{
	for (size_t i = 0; i < rules->len; i++) {
		if (strcmp(rules->items[i].prefix, rule->prefix) == 0) {
			xb_registry_rule_clear(&rules->items[i]);
			rules->items[i] = *rule;
			return;
		}
	}
	*xb_array_push(rules) = *rule;
}

int xb_registry_rules_read(const char *path, struct xb_registry_rules *rules, struct xb_error *err)
{
	xb_auto_json json_t *file = NULL;
	json_t *registries = NULL, *registry;
	size_t i;
	int r = read_toml(path, &file, err);

	if (r <= 0)
		return r < 0 ? of_file(path, r, err) : 0;
	r = xb_json_get_array(file, "registry", &registries, err);
	json_array_foreach(registries, i, registry)
	{
		struct xb_registry_rule rule = { 0 };

		if (r == 0)
			r = read_registry(registry, &rule, err);
		if (r == 0)
			add_rule(rules, &rule);
		else
			xb_registry_rule_clear(&rule);
	}
	return r < 0 ? of_file(path, r, err) : 0;
}

/* The names in a directory that end in `end`, sorted; none when there is no such directory. */
static void list(const char *directory, const char *end, struct xb_strv *ret)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;

	if (dir == NULL)
		return;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.' && xb_view_ends(xb_view(entry->d_name), xb_view(end)))
			xb_strv_push(ret, entry->d_name);
	}
	(void)closedir(dir);
	xb_strv_sort(ret);
}

/* The user's and the machine's directory of settings. */
static char *user_directory(void)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");

	if (config != NULL && config[0] != '\0')
		return xb_strdup(config);
	return home != NULL && home[0] != '\0' ? xb_format("%s/.config", home) : NULL;
}

static int load_drop_ins(const char *directory, struct xb_registry_rules *rules,
			 struct xb_error *err)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;
	int r = 0;

	list(directory, ".conf", &names);
	for (size_t i = 0; r == 0 && i < names.len; i++) {
		xb_autofree char *path = xb_format("%s/%s", directory, names.items[i]);

		r = xb_registry_rules_read(path, rules, err);
	}
	return r;
}

int xb_registry_rules_load(struct xb_registry_rules *rules, struct xb_error *err)
{
	static const char machine[] = "/etc/containers/registries.conf";
	const char *named = getenv("CONTAINERS_REGISTRIES_CONF");
	xb_autofree char *directory = user_directory();
	xb_autofree char *own =
		directory != NULL ? xb_format("%s/containers/registries.conf", directory) : NULL;
	xb_autofree char *drop_ins = own != NULL ? xb_format("%s.d", own) : NULL;
	int r;

	if (named != NULL && named[0] != '\0')
		r = xb_registry_rules_read(named, rules, err);
	else if (own != NULL && access(own, F_OK) == 0)
		r = xb_registry_rules_read(own, rules, err);
	else
		r = xb_registry_rules_read(machine, rules, err);
	if (r == 0)
		r = load_drop_ins("/etc/containers/registries.conf.d", rules, err);
	if (r == 0 && drop_ins != NULL)
		r = load_drop_ins(drop_ins, rules, err);
	return r;
}

/* The bytes of the prefix that a name has, 0: it has not. */
static size_t match(const char *prefix, const char *domain, const char *name)
{
	size_t len = strlen(prefix);

	if (prefix[0] == '*' && prefix[1] == '.')
		return xb_view_ends(xb_view(domain), xb_view(prefix + 1)) ? 1 : 0;
	if (strncasecmp(prefix, name, len) != 0)
		return 0;
	return name[len] == '/' || name[len] == '\0' || prefix[len - 1] == '/' ? len : 0;
}

const struct xb_registry_rule *xb_registry_rules_find(const struct xb_registry_rules *rules,
						      const char *domain, const char *path)
{
	xb_autofree char *name = xb_format("%s/%s", domain, path);
	const struct xb_registry_rule *found = NULL;
	size_t longest = 0;

	for (size_t i = 0; i < rules->len; i++) {
		size_t len = match(rules->items[i].prefix, domain, name);

		if (len > longest) {
			longest = len;
			found = &rules->items[i];
		}
	}
	return found;
}

/* certs.d */

/* The file of `directory` that ends in `end`, `first` before others, malloc()ed, or NULL. */
static char *file_of(const char *directory, const char *first, const char *end)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;

	list(directory, end, &names);
	if (names.len == 0)
		return NULL;
	return xb_format("%s/%s", directory,
			 xb_strv_find(&names, first) >= 0 ? first : names.items[0]);
}

/* A path that is relative to the file that has it. */
static char *path_of(const char *directory, const char *path)
{
	return path[0] == '/' ? xb_strdup(path) : xb_format("%s/%s", directory, path);
}

/* "ca": a file, or several of which one is taken. */
static int read_ca(const json_t *table, const char *directory, struct xb_registry_location *ret,
		   struct xb_error *err)
{
	const json_t *ca = json_object_get(table, "ca");

	if (json_is_array(ca) && json_array_size(ca) == 1)
		ca = json_array_get(ca, 0);
	if (ca == NULL)
		return 0;
	if (!json_is_string(ca))
		return xb_error_set(err, -EBADMSG, "ca is not the name of one file");
	free(ret->ca_file);
	ret->ca_file = path_of(directory, json_string_value(ca));
	return 0;
}

/* "client": a file with certificate and key, or a pair of them in an array in an array. */
static int read_client(const json_t *table, const char *directory, struct xb_registry_location *ret,
		       struct xb_error *err)
{
	const json_t *client = json_object_get(table, "client");
	const char *cert, *key = NULL;

	if (client == NULL)
		return 0;
	if (json_is_array(client) && json_array_size(client) == 1)
		client = json_array_get(client, 0);
	if (json_is_array(client) && json_array_size(client) == 2) {
		key = json_string_value(json_array_get(client, 1));
		client = json_array_get(client, 0);
	}
	cert = json_string_value(client);
	if (cert == NULL)
		return xb_error_set(err, -EBADMSG, "client is not one certificate and its key");
	free(ret->cert_file);
	free(ret->key_file);
	ret->cert_file = path_of(directory, cert);
	ret->key_file = key != NULL && key[0] != '\0' ? path_of(directory, key) : NULL;
	return 0;
}

/* "https://host[:port][/path]", with "/v2" behind it unless the path is the whole of it. */
static int read_server(const char *text, bool whole, struct xb_registry_location *ret,
		       struct xb_error *err)
{
	const char *host = strstr(text, "://");
	struct xb_view rest, name;

	if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0) {
		if (host != NULL)
			return xb_error_set(err, -EBADMSG, "%s is not of http or https", text);
		rest = xb_view(text);
	} else {
		rest = xb_view(host + 3);
	}
	while (rest.len > 0 && rest.data[rest.len - 1] == '/')
		rest.len--;
	(void)xb_view_split(&rest, '/', &name);
	if (name.len == 0 || xb_view_find(name, '@') >= 0)
		return xb_error_set(err, -EBADMSG, "a URL without a host, or with a user name");
	ret->host = xb_view_dup(name);
	ret->url = xb_format(
		"%s://%.*s%s%.*s%s", strncmp(text, "http://", 7) == 0 ? "http" : "https",
		XB_VIEW_ARGS(name), rest.len > 0 ? "/" : "", XB_VIEW_ARGS(rest),
		whole || xb_view_is(rest, "v2") || xb_view_ends(rest, XB_VIEW("/v2")) ? "" : "/v2");
	return 0;
}

/* What is said of a host, or at the top of the file of the registry itself. */
static int read_host(const json_t *table, const char *server, const char *directory,
		     struct xb_registry_location *ret, struct xb_error *err)
{
	bool whole = false;
	int r = xb_json_get_bool(table, "override_path", &whole, err);

	if (json_object_get(table, "header") != NULL)
		return xb_error_set(err, -EBADMSG, "headers of a host are not had here");
	if (r == 0)
		r = xb_json_get_bool(table, "skip_verify", &ret->insecure, err);
	if (r == 0)
		r = read_ca(table, directory, ret, err);
	if (r == 0)
		r = read_client(table, directory, ret, err);
	if (r == 0 && server != NULL)
		r = read_server(server, whole, ret, err);
	return r;
}

/* A host that may be asked for documents and for blobs. */
static bool can_pull(const json_t *table)
{
	const json_t *list_of = json_object_get(table, "capabilities"), *one;
	bool pull = list_of == NULL, resolve = list_of == NULL;
	size_t i;

	json_array_foreach(list_of, i, one)
	{
		const char *word = json_string_value(one);

		pull = pull || (word != NULL && strcmp(word, "pull") == 0);
		resolve = resolve || (word != NULL && strcmp(word, "resolve") == 0);
	}
	return pull && resolve;
}

static int read_hosts_toml(const json_t *file, const char *directory, struct xb_registry_rule *ret,
			   struct xb_error *err)
{
	const char *server = NULL, *name;
	json_t *hosts = NULL, *table;
	int r = xb_json_get_string(file, "server", &server, err);

	if (r == 0)
		r = xb_json_get_object(file, "host", &hosts, err);
	if (r == 0)
		r = read_host(file, server, directory, &ret->location, err);
	json_object_foreach(hosts, name, table)
	{
		struct xb_registry_location mirror = { .with_ns = true };

		if (r < 0)
			return r;
		r = json_is_object(table) ? read_host(table, name, directory, &mirror, err)
					  : xb_error_set(err, -EBADMSG, "host is not a table");
		if (r == 0 && can_pull(table))
			*xb_array_push(&ret->mirrors) = mirror;
		else
			xb_registry_location_clear(&mirror);
	}
	return r;
}

static int read_directory(const char *directory, struct xb_registry_rule *ret, struct xb_error *err)
{
	xb_autofree char *path = xb_format("%s/hosts.toml", directory);
	xb_auto_json json_t *file = NULL;
	int r = read_toml(path, &file, err);

	if (r < 0)
		return of_file(path, r, err);
	/* as in containerd, the certificates beside a hosts.toml do not count */
	if (r > 0) {
		r = read_hosts_toml(file, directory, ret, err);
		return r < 0 ? of_file(path, r, err) : 0;
	}
	ret->location.ca_file = file_of(directory, "ca.crt", ".crt");
	ret->location.cert_file = file_of(directory, "client.cert", ".cert");
	ret->location.key_file = file_of(directory, "client.key", ".key");
	return 0;
}

int xb_registry_certs_read(const char *host, struct xb_registry_rule *ret, struct xb_error *err)
{
	static const char *const programs[] = { "containers", "docker", "containerd" };
	xb_autofree char *own = user_directory();
	const char *const roots[] = { own, "/etc" };

	for (size_t i = 0; i < XB_COUNT(roots) * XB_COUNT(programs); i++) {
		const char *root = roots[i / XB_COUNT(programs)];
		xb_autofree char *directory = NULL;
		int r;

		if (root == NULL)
			continue;
		directory =
			xb_format("%s/%s/certs.d/%s", root, programs[i % XB_COUNT(programs)], host);
		if (access(directory, F_OK) < 0)
			continue;
		r = read_directory(directory, ret, err);
		return r < 0 ? r : 1;
	}
	return 0;
}
