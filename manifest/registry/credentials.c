/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/credentials.h"

#include <pthread.h>
#include <string.h>

#include "base/array.h"
#include "manifest/registry/auth_file.h"
#include "manifest/registry/helper.h"
#include "manifest/registry/secret.h"

/* A file, read when the first answer is asked for. */
struct source {
	char *path;
	json_t *file; /* NULL: there is none */
};
struct sources XB_ARRAY(struct source);

/* An answer that is known already. */
struct answer {
	char *domain;
	char *path; /* "": of no repository; NULL: put for all of them */
	struct xb_credential credential;
};
struct answers XB_ARRAY(struct answer);

struct xb_credentials {
	pthread_mutex_t lock; /* of all below; also held while a helper runs */
	bool loaded;
	struct sources sources;
	struct answers answers;
};

struct xb_credentials *xb_credentials_new(void)
{
	struct xb_credentials *credentials = xb_calloc(1, sizeof(*credentials));

	(void)pthread_mutex_init(&credentials->lock, NULL);
	return credentials;
}

static void sources_clear(struct sources *sources)
{
	for (size_t i = 0; i < sources->len; i++) {
		free(sources->items[i].path);
		xb_secret_json_free(sources->items[i].file);
	}
	xb_array_clear(sources);
}

void xb_credentials_free(struct xb_credentials *credentials)
{
	if (credentials == NULL)
		return;
	sources_clear(&credentials->sources);
	for (size_t i = 0; i < credentials->answers.len; i++) {
		free(credentials->answers.items[i].domain);
		free(credentials->answers.items[i].path);
		xb_credential_clear(&credentials->answers.items[i].credential);
	}
	xb_array_clear(&credentials->answers);
	(void)pthread_mutex_destroy(&credentials->lock);
	free(credentials);
}

/* A variable of the environment, NULL when it is unset or empty. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Add the file `name` below the directory that a variable names. */
static void add_below(struct sources *sources, const char *directory, const char *name)
{
	if (variable(directory) != NULL)
		xb_array_push(sources)->path = xb_format("%s/%s", variable(directory), name);
}

static void name_sources(struct sources *sources)
{
	if (variable("REGISTRY_AUTH_FILE") != NULL) {
		xb_array_push(sources)->path = xb_strdup(variable("REGISTRY_AUTH_FILE"));
		return;
	}
	if (variable("DOCKER_CONFIG") != NULL)
		add_below(sources, "DOCKER_CONFIG", "config.json");
	else
		add_below(sources, "HOME", ".docker/config.json");
	add_below(sources, "XDG_RUNTIME_DIR", "containers/auth.json");
	if (variable("XDG_CONFIG_HOME") != NULL)
		add_below(sources, "XDG_CONFIG_HOME", "containers/auth.json");
	else
		add_below(sources, "HOME", ".config/containers/auth.json");
}

char *xb_credentials_path(void)
{
	XB_CLEANUP(sources_clear) struct sources sources = { 0 };

	name_sources(&sources);
	/* with no home Docker has no file, and what is Podman's is not written */
	if (variable("REGISTRY_AUTH_FILE") == NULL && variable("DOCKER_CONFIG") == NULL &&
	    variable("HOME") == NULL)
		return NULL;
	return xb_strdup(sources.items[0].path);
}

static int load(struct xb_credentials *credentials, struct xb_error *err)
{
	int r = 0;

	if (credentials->loaded)
		return 0;
	sources_clear(&credentials->sources);
	name_sources(&credentials->sources);
	for (size_t i = 0; r == 0 && i < credentials->sources.len; i++) {
		struct source *source = &credentials->sources.items[i];

		r = xb_auth_file_read(source->path, &source->file, err);
	}
	credentials->loaded = r == 0;
	return r;
}

/* What one file has: its helpers' word comes before its own. */
static int find_in(const struct source *source, const char *domain, const char *path,
		   struct xb_credential *ret, struct xb_error *err)
{
	const char *helper = xb_auth_file_helper(source->file, domain, path);
	int r = 0;

	if (helper == NULL)
		helper = xb_auth_file_store(source->file);
	/* an empty name says that this host has none, whatever the others have */
	if (helper != NULL && helper[0] != '\0')
		r = xb_helper_get(helper, xb_auth_file_server(domain), ret, err);
	if (r == 0 && xb_credential_is_empty(ret))
		r = xb_auth_file_find(source->file, domain, path, ret, err);
	if (r < 0) {
		(void)xb_error_fault(err, XB_FAULT_REGISTRY);
		return xb_error_wrap(err, r, "credentials of %s", source->path);
	}
	if (!xb_credential_is_empty(ret) && ret->source == NULL)
		ret->source = xb_strdup(source->path);
	return 0;
}

/* What has been put for all of a domain goes before; with no path only that is looked for. */
static struct answer *known(struct xb_credentials *credentials, const char *domain,
			    const char *path)
{
	struct answer *found = NULL;

	for (size_t i = 0; i < credentials->answers.len; i++) {
		struct answer *answer = &credentials->answers.items[i];

		if (strcmp(answer->domain, domain) != 0)
			continue;
		if (answer->path == NULL)
			return answer;
		if (path != NULL && strcmp(answer->path, path) == 0)
			found = answer;
	}
	return found;
}

static void remember(struct xb_credentials *credentials, const char *domain, const char *path,
		     const struct xb_credential *credential)
{
	struct answer *answer = xb_array_push(&credentials->answers);

	answer->domain = xb_strdup(domain);
	answer->path = xb_strdup(path);
	xb_credential_copy(&answer->credential, credential);
}

static int find(struct xb_credentials *credentials, const char *domain, const char *path,
		struct xb_credential *ret, struct xb_error *err)
{
	xb_auto_credential struct xb_credential found = XB_CREDENTIAL_INIT;
	const struct answer *answer = known(credentials, domain, path != NULL ? path : "");
	int r;

	if (answer != NULL) {
		xb_credential_copy(ret, &answer->credential);
		return 0;
	}
	r = load(credentials, err);
	for (size_t i = 0; r == 0 && i < credentials->sources.len && xb_credential_is_empty(&found);
	     i++) {
		if (credentials->sources.items[i].file != NULL)
			r = find_in(&credentials->sources.items[i], domain, path, &found, err);
	}
	if (r < 0)
		return r;
	remember(credentials, domain, path != NULL ? path : "", &found);
	*ret = found;
	found = XB_CREDENTIAL_INIT;
	return 0;
}

int xb_credentials_find(struct xb_credentials *credentials, const char *domain, const char *path,
			struct xb_credential *ret, struct xb_error *err)
{
	int r;

	(void)pthread_mutex_lock(&credentials->lock);
	r = find(credentials, domain, path, ret, err);
	(void)pthread_mutex_unlock(&credentials->lock);
	return r;
}

void xb_credentials_put(struct xb_credentials *credentials, const char *domain,
			const struct xb_credential *credential)
{
	struct answer *answer;

	(void)pthread_mutex_lock(&credentials->lock);
	answer = known(credentials, domain, NULL);
	if (answer != NULL) {
		xb_credential_clear(&answer->credential);
		xb_credential_copy(&answer->credential, credential);
	} else {
		remember(credentials, domain, NULL, credential);
	}
	(void)pthread_mutex_unlock(&credentials->lock);
}
