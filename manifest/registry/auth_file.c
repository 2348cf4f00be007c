/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/auth_file.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/array.h"
#include "base/file.h"
#include "manifest/registry/secret.h"

/* Other names of Docker Hub's host in such files. */
static const char *const hub_names[] = { XB_HUB, "index.docker.io", "registry-1.docker.io" };

bool xb_auth_file_is_hub(const char *name)
{
	for (size_t i = 0; i < XB_COUNT(hub_names); i++) {
		if (strcmp(name, hub_names[i]) == 0)
			return true;
	}
	return strcmp(name, "index.docker.io/v1") == 0;
}

const char *xb_auth_file_server(const char *domain)
{
	return strcmp(domain, XB_HUB) == 0 ? XB_HUB_SERVER : domain;
}

static int parse(struct xb_view text, json_t **ret, struct xb_error *err)
{
	xb_auto_secret_json json_t *file = NULL;

	/* the parser's own words may be those of a secret */
	if (xb_json_parse(text, XB_MAX_AUTH_FILE, &file, NULL) < 0 || !json_is_object(file))
		return xb_error_set(err, -EBADMSG, "it is not a JSON object");
	*ret = XB_STEAL(file);
	return 0;
}

int xb_auth_file_read(const char *path, json_t **ret_file, struct xb_error *err)
{
	xb_auto_secret_str struct xb_str text = XB_STR_INIT(XB_MAX_AUTH_FILE);
	xb_auto_error struct xb_error cause = XB_ERROR_INIT;
	int r = xb_file_read(path, &text, &cause);

	*ret_file = NULL;
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	/* an empty file is what some tools make of one that has lost its last entry */
	if (r == 0 && xb_view_trim(xb_str_view(&text)).len == 0)
		return 0;
	if (r == 0)
		r = parse(xb_str_view(&text), ret_file, &cause);
	if (r == 0)
		return 0;
	(void)xb_error_set(err, r, "credentials of %s: %s", path, cause.message);
	return xb_error_fault(err, XB_FAULT_REGISTRY), r;
}

/* A key of the file as a reference has it: no scheme, no "/v1/" behind a host. */
static struct xb_view plain_key(const char *key)
{
	static const char *const schemes[] = { "https://", "http://" };
	struct xb_view rest = xb_view(key), host;
	bool url = false;

	for (size_t i = 0; i < XB_COUNT(schemes); i++) {
		if (xb_view_starts(rest, xb_view(schemes[i]))) {
			rest = xb_view_sub(rest, strlen(schemes[i]), rest.len);
			url = true;
		}
	}
	while (rest.len > 0 && rest.data[rest.len - 1] == '/')
		rest.len--;
	host = rest;
	if (xb_view_find(rest, '/') >= 0)
		host.len = (size_t)xb_view_find(rest, '/');
	if (url || xb_view_is(xb_view_sub(rest, host.len, rest.len), "/v1") ||
	    xb_view_is(xb_view_sub(rest, host.len, rest.len), "/v2"))
		return host;
	return rest;
}

/* The member of `object` whose key means `wanted`; what is spelled the same comes first. */
static json_t *member_of(json_t *object, const char *wanted, const char **ret_key)
{
	json_t *exact = json_object_get(object, wanted), *value;
	const char *key;

	*ret_key = wanted;
	if (exact != NULL)
		return exact;
	json_object_foreach(object, key, value)
	{
		*ret_key = key;
		if (xb_view_eq_nocase(plain_key(key), xb_view(wanted)))
			return value;
	}
	return NULL;
}

/* What may be written for a repository, the longest first, and all names of the host at last. */
static void make_keys(const char *domain, const char *path, struct xb_strv *keys)
{
	xb_autofree char *key = xb_format("%s/%s", domain, path != NULL ? path : "");
	char *slash;

	while ((slash = strrchr(key, '/')) != NULL) {
		if (slash[1] != '\0')
			xb_strv_push(keys, key);
		*slash = '\0';
	}
	xb_strv_push(keys, domain);
	for (size_t i = 0; strcmp(domain, XB_HUB) == 0 && i < XB_COUNT(hub_names); i++)
		xb_strv_push(keys, hub_names[i]);
}

/* "user:password" in base64. */
static int decode(const char *text, struct xb_credential *ret)
{
	size_t len = strlen(text);
	/* EVP_DecodeBlock() takes whole groups, and gives three bytes for each */
	xb_auto_secret char *plain = xb_calloc(len / 4 * 3 + 1, 1);
	char *colon;

	if (len == 0 || len % 4 != 0 || len > XB_MAX_AUTH_FILE ||
	    EVP_DecodeBlock((unsigned char *)plain, (const unsigned char *)text, (int)len) < 0)
		return -EBADMSG;
	colon = strchr(plain, ':');
	if (colon == NULL)
		return -EBADMSG;
	ret->username = xb_view_dup((struct xb_view){ plain, (size_t)(colon - plain) });
	ret->password = xb_strdup(colon + 1);
	explicit_bzero(colon, strlen(colon));
	return 0;
}

static char *dup_text(const char *text)
{
	return text != NULL && text[0] != '\0' ? xb_strdup(text) : NULL;
}

/* Fill `ret` from an entry of "auths"; an entry may be empty. */
static int read_entry(const json_t *entry, struct xb_credential *ret)
{
	const char *auth = NULL, *user = NULL, *password = NULL, *identity = NULL, *registry = NULL;
	const struct {
		const char *name;
		const char **member;
	} members[] = {
		{ "auth", &auth },
		{ "username", &user },
		{ "password", &password },
		{ "identitytoken", &identity },
		{ "registrytoken", &registry },
	};
	int r = json_is_object(entry) ? 0 : -EBADMSG;

	for (size_t i = 0; r == 0 && i < XB_COUNT(members); i++)
		r = xb_json_get_string(entry, members[i].name, members[i].member, NULL);
	if (r < 0)
		return r;
	ret->identity_token = dup_text(identity);
	ret->registry_token = dup_text(registry);
	if (auth != NULL && auth[0] != '\0')
		return decode(auth, ret);
	ret->username = dup_text(user);
	ret->password = dup_text(password);
	return 0;
}

int xb_auth_file_find(const json_t *file, const char *domain, const char *path,
		      struct xb_credential *ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv keys = XB_STRV_INIT;
	json_t *auths = NULL;
	int r = xb_json_get_object(file, "auths", &auths, err);

	make_keys(domain, path, &keys);
	for (size_t i = 0; r == 0 && i < keys.len && xb_credential_is_empty(ret); i++) {
		const char *key = NULL;
		const json_t *entry = member_of(auths, keys.items[i], &key);

		xb_credential_clear(ret);
		if (entry != NULL)
			r = read_entry(entry, ret);
		if (r < 0)
			r = xb_error_set(err, r, "the entry of %s cannot be understood", key);
	}
	if (r < 0 || xb_credential_is_empty(ret))
		xb_credential_clear(ret);
	return r;
}

bool xb_auth_file_remove(json_t *file, const char *domain)
{
	xb_auto_strv struct xb_strv keys = XB_STRV_INIT;
	json_t *auths = json_object_get(file, "auths");
	const char *key;
	bool any = false;

	make_keys(domain, NULL, &keys);
	for (size_t i = 0; i < keys.len; i++) {
		while (member_of(auths, keys.items[i], &key) != NULL) {
			(void)json_object_del(auths, key);
			any = true;
		}
	}
	return any;
}

const char *xb_auth_file_helper(const json_t *file, const char *domain, const char *path)
{
	xb_auto_strv struct xb_strv keys = XB_STRV_INIT;
	json_t *helpers = json_object_get(file, "credHelpers");
	const char *helper = NULL, *key;

	make_keys(domain, path, &keys);
	for (size_t i = 0; helper == NULL && i < keys.len; i++)
		helper = json_string_value(member_of(helpers, keys.items[i], &key));
	return helper;
}

const char *xb_auth_file_store(const json_t *file)
{
	const char *store = json_string_value(json_object_get(file, "credsStore"));

	return store != NULL && store[0] != '\0' ? store : NULL;
}
