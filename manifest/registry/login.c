/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/login.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/http.h"
#include "base/http_url.h"
#include "manifest/registry/auth.h"
#include "manifest/registry/auth_file.h"
#include "manifest/registry/helper.h"
#include "manifest/registry/secret.h"
#include "manifest/registry/words.h"

int xb_login_domain(const char *text, char **ret_domain, struct xb_error *err)
{
	static const char *const schemes[] = { "https://", "http://" };
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-:[]";
	xb_autofree char *domain = xb_strdup(text != NULL ? text : XB_HUB);
	char *host = domain;

	for (char *c = domain; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	for (size_t i = 0; i < XB_COUNT(schemes); i++) {
		if (strncmp(host, schemes[i], strlen(schemes[i])) == 0)
			host += strlen(schemes[i]);
	}
	while (host[0] != '\0' && host[strlen(host) - 1] == '/')
		host[strlen(host) - 1] = '\0';
	if (xb_auth_file_is_hub(host)) {
		*ret_domain = xb_strdup(XB_HUB);
		return 0;
	}
	if (host[0] == '\0' || strspn(host, allowed) != strlen(host))
		return xb_error_usage(err, "a host, with its port: registry.example.com:5000",
				      "%s is not the host of a registry", text);
	*ret_domain = xb_strdup(host);
	return 0;
}

/* Asking /v2/, which is of no repository. */
struct check {
	struct xb_auth *auth;
	struct xb_http *http;
	const struct xb_registry_endpoint *endpoint;
	int cancel_fd;
};

static const struct xb_auth_scope no_repository = { 0 };

static int ask(const struct check *check, const char *authorization,
	       struct xb_http_response *response, struct xb_error *err)
{
	xb_autofree char *url = xb_format("%s/", check->endpoint->url);
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;

	request.url = url;
	request.authorization = authorization;
	request.tls = &check->endpoint->tls;
	request.cancel_fd = check->cancel_fd;
	return xb_http_perform(check->http, &request, response, err);
}

static int judge(const struct check *check, const struct xb_http_response *response,
		 struct xb_error *err)
{
	if (response->status >= 200 && response->status < 300)
		return 0;
	if (response->status == 401 || response->status == 403)
		return xb_auth_refuse(check->auth, check->endpoint, &no_repository, response, err);
	return xb_registry_refuse(response, err);
}

static int run_check(const struct check *check, bool *ret_asked, struct xb_error *err)
{
	xb_auto_http_response struct xb_http_response first = XB_HTTP_RESPONSE_INIT;
	xb_auto_http_response struct xb_http_response second = XB_HTTP_RESPONSE_INIT;
	xb_auto_auth_value char *value = NULL;
	int r = ask(check, NULL, &first, err);

	*ret_asked = r == 0 && first.status == 401;
	if (r < 0)
		return r;
	if (first.status != 401)
		return judge(check, &first, err);
	r = xb_auth_answer(check->auth, check->http, check->endpoint, &no_repository, &first, NULL,
			   &value, err);
	if (r == 0)
		r = ask(check, value, &second, err);
	return r < 0 ? r : judge(check, &second, err);
}

int xb_login_check(const struct xb_registry_hosts *hosts, const char *domain,
		   const struct xb_credential *credential, int cancel_fd, bool *ret_asked,
		   struct xb_error *err)
{
	xb_auto_credentials struct xb_credentials *credentials = xb_credentials_new();
	xb_auto_registry_endpoints struct xb_registry_endpoints endpoints = { 0 };
	xb_auto_auth struct xb_auth *auth = NULL;
	xb_auto_http struct xb_http *http = NULL;
	int r = xb_registry_hosts_find(hosts, domain, "", &endpoints, err);

	if (r == 0)
		r = xb_http_new(&http, err);
	if (r < 0)
		return r;
	xb_credentials_put(credentials, domain, credential);
	auth = xb_auth_new(&(struct xb_auth_options){
		.hosts = hosts, .credentials = credentials, .cancel_fd = cancel_fd });
	return run_check(&(struct check){ .auth = auth,
					  .http = http,
					  .endpoint = &endpoints.items[endpoints.len - 1],
					  .cancel_fd = cancel_fd },
			 ret_asked, err);
}

/* A file of credentials that is being changed. */
struct change {
	char *path; /* where a link has led to */
	char *name; /* the last component of it, borrowed */
	int directory;
	json_t *file;
};

static void change_clear(struct change *change)
{
	free(change->path);
	xb_cleanup_fd(&change->directory); /* and the lock goes with it */
	xb_secret_json_free(change->file);
}

/* Where a link leads to; the file need not be there. */
static int resolve(const char *path, char **ret, struct xb_error *err)
{
	struct stat st;
	char *real = realpath(path, NULL);

	if (real == NULL && errno == ENOENT && lstat(path, &st) < 0)
		real = xb_strdup(path);
	if (real == NULL)
		return xb_error_errno(err, -errno, "following %s", path);
	*ret = real;
	return 0;
}

static int open_directory(struct change *change, struct xb_error *err)
{
	char *slash = strrchr(change->path, '/');
	xb_autofree char *directory =
		slash == NULL		? xb_strdup(".")
		: slash == change->path ? xb_strdup("/")
					: xb_view_dup((struct xb_view){
						  change->path, (size_t)(slash - change->path) });
	int r = xb_mkdir_all(directory, 0700, err);

	change->name = slash != NULL ? slash + 1 : change->path;
	if (r < 0)
		return r;
	change->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (change->directory < 0)
		return xb_error_errno(err, -errno, "%s", directory);
	/* the directory, since the file itself will be another one */
	do
		r = flock(change->directory, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? xb_error_errno(err, -errno, "locking %s", directory) : 0;
}

static int change_begin(struct change *change, struct xb_error *err)
{
	xb_autofree char *path = xb_credentials_path();
	int r;

	if (path == NULL)
		return xb_error_set(err, -ENOENT,
				    "no place for credentials: HOME and DOCKER_CONFIG are not set");
	r = resolve(path, &change->path, err);
	if (r == 0)
		r = open_directory(change, err);
	if (r == 0)
		r = xb_auth_file_read(change->path, &change->file, err);
	if (r == 0 && change->file == NULL)
		change->file = json_object();
	return r;
}

static int change_end(const struct change *change, struct xb_error *err)
{
	xb_auto_secret_str struct xb_str text = XB_STR_INIT(2 * XB_MAX_AUTH_FILE);
	int r = xb_json_write_pretty(change->file, &text, err);

	if (r < 0)
		return r;
	return xb_file_replace_at(change->directory, change->name, xb_str_text(&text), text.len,
				  true, err);
}

static const char *helper_of(const struct change *change, const char *domain)
{
	const char *helper = xb_auth_file_helper(change->file, domain, NULL);

	if (helper == NULL)
		helper = xb_auth_file_store(change->file);
	return helper != NULL && helper[0] != '\0' ? helper : NULL;
}

static json_t *make_entry(const struct xb_credential *credential)
{
	json_t *entry = json_object();
	xb_auto_secret char *plain = xb_format("%s:%s", credential->username, credential->password);
	xb_auto_secret_str struct xb_str encoded = XB_STR_INIT(XB_MAX_AUTH_FILE);

	xb_http_base64(xb_view(plain), &encoded);
	xb_json_set_string(entry, "auth", xb_str_text(&encoded));
	return entry;
}

/* Put an entry among "auths", which is made where it is missing. */
static int set_entry(json_t *file, const char *domain, json_t *entry, struct xb_error *err)
{
	json_t *auths = NULL;
	int r = xb_json_get_object(file, "auths", &auths, err);

	if (r < 0) {
		json_decref(entry);
		return r;
	}
	if (auths == NULL) {
		auths = json_object();
		xb_json_set_new(file, "auths", auths);
	}
	(void)xb_auth_file_remove(file, domain);
	xb_json_set_new(auths, xb_auth_file_server(domain), entry);
	return 0;
}

static int keep(struct change *change, const char *domain, const struct xb_credential *credential,
		char **ret_where, struct xb_error *err)
{
	const char *helper = helper_of(change, domain);
	json_t *entry;
	int r;

	if (helper != NULL) {
		r = xb_helper_store(helper, xb_auth_file_server(domain), credential, err);
		if (r < 0)
			return r;
		*ret_where = xb_format("docker-credential-%s", helper);
		/* an empty one: docker lists its logins by them */
		entry = json_object();
	} else {
		*ret_where = xb_strdup(change->path);
		entry = make_entry(credential);
	}
	r = set_entry(change->file, domain, entry, err);
	return r < 0 ? r : change_end(change, err);
}

static int failed(const struct change *change, int r, struct xb_error *err)
{
	(void)xb_error_fault(err, XB_FAULT_REGISTRY);
	if (change->path == NULL)
		return r;
	return xb_error_wrap(err, r, "keeping credentials in %s", change->path);
}

int xb_login_keep(const char *domain, const struct xb_credential *credential, char **ret_where,
		  struct xb_error *err)
{
	XB_CLEANUP(change_clear) struct change change = { .directory = -1 };
	xb_autofree char *where = NULL;
	int r = change_begin(&change, err);

	if (r == 0)
		r = keep(&change, domain, credential, &where, err);
	if (r < 0)
		return failed(&change, r, err);
	*ret_where = XB_STEAL(where);
	return 0;
}

static int forget(struct change *change, const char *domain, bool *ret_any, struct xb_error *err)
{
	const char *helper = helper_of(change, domain);
	int r = 0;

	if (helper != NULL)
		r = xb_helper_erase(helper, xb_auth_file_server(domain), err);
	if (r < 0)
		return r;
	*ret_any = xb_auth_file_remove(change->file, domain);
	return *ret_any ? change_end(change, err) : 0;
}

int xb_login_forget(const char *domain, bool *ret_any, struct xb_error *err)
{
	XB_CLEANUP(change_clear) struct change change = { .directory = -1 };
	int r = change_begin(&change, err);

	*ret_any = false;
	if (r == 0)
		r = forget(&change, domain, ret_any, err);
	return r < 0 ? failed(&change, r, err) : 0;
}
