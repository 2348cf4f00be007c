/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/auth.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/array.h"
#include "base/clock.h"
#include "manifest/registry/challenge.h"
#include "manifest/registry/realm.h"
#include "manifest/registry/secret.h"
#include "manifest/registry/token.h"
#include "manifest/registry/words.h"

/* What is known for one scope at one endpoint. Strings are owned. */
struct entry {
	char *url; /* the endpoint's */
	char *path;
	char *actions;
	char *from;
	char *value;	  /* of Authorization, or NULL */
	uint64_t expires; /* on xb_clock_monotonic(); UINT64_MAX: not by itself */

	bool busy;		 /* a thread is getting a value */
	unsigned rounds;	 /* how often one has tried */
	struct xb_error failure; /* of the last round, for those who waited for it */
};

/* An identity token that has been replaced by its token server. */
struct rotation {
	char *old;
	char *new;
};

struct xb_auth {
	struct xb_auth_options options;
	pthread_mutex_t lock; /* of all below, and of what the entries hold */
	pthread_cond_t done;  /* a round of some entry has ended */
	/* not moved once they are there: a thread holds on to its own */
	struct XB_ARRAY(struct entry *) entries;
	struct XB_ARRAY(struct rotation) rotations;
};

void xb_auth_value_free(char *value)
{
	xb_secret_free(value);
}

struct xb_auth *xb_auth_new(const struct xb_auth_options *options)
{
	struct xb_auth *auth = xb_calloc(1, sizeof(*auth));

	auth->options = *options;
	(void)pthread_mutex_init(&auth->lock, NULL);
	(void)pthread_cond_init(&auth->done, NULL);
	return auth;
}

static void entry_free(struct entry *entry)
{
	free(entry->url);
	free(entry->path);
	free(entry->actions);
	free(entry->from);
	xb_secret_free(entry->value);
	xb_error_clear(&entry->failure);
	free(entry);
}

void xb_auth_free(struct xb_auth *auth)
{
	if (auth == NULL)
		return;
	for (size_t i = 0; i < auth->entries.len; i++)
		entry_free(auth->entries.items[i]);
	xb_array_clear(&auth->entries);
	for (size_t i = 0; i < auth->rotations.len; i++) {
		xb_secret_free(auth->rotations.items[i].old);
		xb_secret_free(auth->rotations.items[i].new);
	}
	xb_array_clear(&auth->rotations);
	(void)pthread_cond_destroy(&auth->done);
	(void)pthread_mutex_destroy(&auth->lock);
	free(auth);
}

static bool same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Whether all of the comma-separated `actions` are among `granted`. */
static bool is_among(const char *actions, const char *granted)
{
	struct xb_view rest = xb_view(actions), action;

	while (xb_view_split(&rest, ',', &action)) {
		struct xb_view others = xb_view(granted), other;
		bool found = false;

		while (!found && xb_view_split(&others, ',', &other))
			found = xb_view_eq(action, other);
		if (!found)
			return false;
	}
	return true;
}

/* Whether what an entry has was asked for this, or for more. */
static bool covers(const struct entry *entry, const char *url, const struct xb_auth_scope *scope)
{
	return same(entry->url, url) && same(entry->path, scope->path) &&
	       (scope->actions == NULL || entry->actions == NULL
			? same(entry->actions, scope->actions)
			: is_among(scope->actions, entry->actions)) &&
	       (scope->from == NULL || same(entry->from, scope->from));
}

static bool is_exact(const struct entry *entry, const char *url, const struct xb_auth_scope *scope)
{
	return same(entry->url, url) && same(entry->path, scope->path) &&
	       same(entry->actions, scope->actions) && same(entry->from, scope->from);
}

static bool is_good(const struct entry *entry)
{
	return entry->value != NULL && xb_clock_monotonic() < entry->expires;
}

void xb_auth_get(struct xb_auth *auth, const struct xb_registry_endpoint *endpoint,
		 const struct xb_auth_scope *scope, char **ret_value)
{
	*ret_value = NULL;
	(void)pthread_mutex_lock(&auth->lock);
	for (size_t i = 0; *ret_value == NULL && i < auth->entries.len; i++) {
		const struct entry *entry = auth->entries.items[i];

		if (is_good(entry) && covers(entry, endpoint->url, scope))
			*ret_value = xb_strdup(entry->value);
	}
	(void)pthread_mutex_unlock(&auth->lock);
}

static struct entry *entry_of(struct xb_auth *auth, const char *url,
			      const struct xb_auth_scope *scope)
{
	struct entry *entry;

	for (size_t i = 0; i < auth->entries.len; i++) {
		if (is_exact(auth->entries.items[i], url, scope))
			return auth->entries.items[i];
	}
	entry = xb_calloc(1, sizeof(*entry));
	entry->url = xb_strdup(url);
	entry->path = xb_strdup(scope->path);
	entry->actions = xb_strdup(scope->actions);
	entry->from = xb_strdup(scope->from);
	*xb_array_push(&auth->entries) = entry;
	return entry;
}

/* A 401 that has to be answered. All is borrowed. */
struct refusal {
	struct xb_auth *auth;
	struct xb_http *http;
	const struct xb_registry_endpoint *endpoint;
	const struct xb_auth_scope *scope;
	const char *used;
	struct xb_challenges challenges;
	struct xb_credential credential;
};

static void refusal_clear(struct refusal *refusal)
{
	xb_challenges_clear(&refusal->challenges);
	xb_credential_clear(&refusal->credential);
}

static int denied(struct xb_error *err)
{
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EACCES;
}

static int none_there(const struct xb_registry_endpoint *endpoint, struct xb_error *err)
{
	(void)xb_error_set(err, -EACCES,
			   "%s wants to know who asks, and there are no credentials for it",
			   endpoint->domain);
	(void)xb_error_hint(err, "`xbuild login %s`", endpoint->domain);
	return denied(err);
}

static int refused_again(const struct refusal *refusal, struct xb_error *err)
{
	const struct xb_credential *credential = &refusal->credential;

	(void)xb_error_set(err, -EACCES, "%s refuses the credentials%s%s from %s",
			   refusal->endpoint->domain, credential->username != NULL ? " of " : "",
			   credential->username != NULL ? credential->username : "",
			   credential->source);
	(void)xb_error_hint(err, "`xbuild login %s`", refusal->endpoint->domain);
	return denied(err);
}

/* What the registry takes as it is; refused once, it is refused for good. */
static int give_as_is(const struct refusal *refusal, char *value, struct xb_token *ret,
		      struct xb_error *err)
{
	xb_auto_secret char *own = value;

	if (same(own, refusal->used))
		return refused_again(refusal, err);
	ret->value = XB_STEAL(own);
	ret->expires = UINT64_MAX;
	return 0;
}

static int answer_basic(const struct refusal *refusal, struct xb_token *ret, struct xb_error *err)
{
	const struct xb_credential *credential = &refusal->credential;

	if (credential->password == NULL)
		return none_there(refusal->endpoint, err);
	return give_as_is(refusal,
			  xb_token_basic(credential->username != NULL ? credential->username : "",
					 credential->password),
			  ret, err);
}

/*
 * What to ask the token server for: what the request is for, and what the registry says that it
 * wants for the same repository (another word than ours for "delete", say), but no other one.
 */
static void make_scopes(const struct xb_auth_scope *scope, const char *asked, struct xb_strv *ret)
{
	xb_autofree char *prefix = NULL;

	if (scope->path == NULL)
		return;
	prefix = xb_format("repository:%s:", scope->path);
	xb_strv_printf(ret, "%s%s", prefix, scope->actions);
	if (asked != NULL && strncmp(asked, prefix, strlen(prefix)) == 0 &&
	    strchr(asked, ' ') == NULL && !is_among(asked + strlen(prefix), scope->actions))
		xb_strv_push(ret, asked);
	if (scope->from != NULL)
		xb_strv_printf(ret, "repository:%s:pull", scope->from);
}

static int foreign_realm(const struct xb_registry_endpoint *endpoint, const struct xb_realm *realm,
			 struct xb_error *err)
{
	(void)xb_error_set(err, -EACCES,
			   "%s sends us to the token server %s, which is not of its site and does "
			   "not get its credentials",
			   endpoint->host, realm->host);
	(void)xb_error_hint(err, "if it belongs to the registry: --registry-realm %s=%s",
			    endpoint->host, realm->host);
	return denied(err);
}

/* The identity token that is the newest of a line of them. */
static void follow_rotations(struct xb_auth *auth, struct xb_credential *credential)
{
	(void)pthread_mutex_lock(&auth->lock);
	for (size_t i = 0; i < auth->rotations.len; i++) {
		if (same(auth->rotations.items[i].old, credential->identity_token)) {
			xb_secret_free(credential->identity_token);
			credential->identity_token = xb_strdup(auth->rotations.items[i].new);
		}
	}
	(void)pthread_mutex_unlock(&auth->lock);
}

static void add_rotation(struct xb_auth *auth, const char *old, const char *new)
{
	struct rotation *rotation;

	if (old == NULL || new == NULL || strcmp(old, new) == 0)
		return;
	(void)pthread_mutex_lock(&auth->lock);
	rotation = xb_array_push(&auth->rotations);
	rotation->old = xb_strdup(old);
	rotation->new = xb_strdup(new);
	(void)pthread_mutex_unlock(&auth->lock);
}

static int fetch(struct refusal *refusal, const struct xb_challenge *challenge,
		 const struct xb_realm *realm, struct xb_token *ret, struct xb_error *err)
{
	const struct xb_auth_options *options = &refusal->auth->options;
	xb_auto_strv struct xb_strv scopes = XB_STRV_INIT;
	struct xb_token_request request = {
		.realm = realm,
		.service = challenge->service,
		.scopes = &scopes,
		.credential = &refusal->credential,
		.cancel_fd = options->cancel_fd,
		.attempts = options->attempts,
		.pause_ms = options->pause_ms,
	};
	int r;

	make_scopes(refusal->scope, challenge->scope, &scopes);
	follow_rotations(refusal->auth, &refusal->credential);
	r = xb_token_fetch(refusal->http, &request, ret, err);
	if (r == -EACCES)
		(void)xb_error_hint(err, "`xbuild login %s`", refusal->endpoint->domain);
	if (r < 0)
		return r;
	add_rotation(refusal->auth, refusal->credential.identity_token, ret->refresh);
	return 0;
}

static int answer_bearer(struct refusal *refusal, const struct xb_challenge *challenge,
			 struct xb_token *ret, struct xb_error *err)
{
	xb_auto_realm struct xb_realm realm = { 0 };
	xb_autofree char *token = NULL;
	int r;

	if (refusal->credential.registry_token != NULL)
		return give_as_is(refusal,
				  xb_format("Bearer %s", refusal->credential.registry_token), ret,
				  err);
	r = xb_realm_read(refusal->auth->options.hosts, refusal->endpoint, challenge->realm, &realm,
			  err);
	if (r < 0)
		return r;
	if (!realm.trusted && !xb_credential_is_empty(&refusal->credential))
		return foreign_realm(refusal->endpoint, &realm, err);
	r = fetch(refusal, challenge, &realm, ret, err);
	if (r < 0)
		return r;
	token = XB_STEAL(ret->value);
	ret->value = xb_format("Bearer %s", token);
	explicit_bzero(token, strlen(token));
	return 0;
}

static int find_credential(struct refusal *refusal, struct xb_error *err)
{
	struct xb_credentials *credentials = refusal->auth->options.credentials;

	if (credentials == NULL)
		return 0;
	return xb_credentials_find(credentials, refusal->endpoint->domain, refusal->scope->path,
				   &refusal->credential, err);
}

/* Do what is asked for: a token is preferred to the password. */
static int obtain(struct refusal *refusal, const struct xb_http_response *refused,
		  struct xb_token *ret, struct xb_error *err)
{
	const struct xb_challenge *bearer, *basic;
	int r = xb_challenges_read(&refused->headers, &refusal->challenges, err);

	if (r == 0)
		r = find_credential(refusal, err);
	if (r < 0)
		return xb_error_wrap(err, r, "%s", refusal->endpoint->host);
	bearer = xb_challenges_find(&refusal->challenges, "bearer");
	basic = xb_challenges_find(&refusal->challenges, "basic");
	if (bearer != NULL)
		return answer_bearer(refusal, bearer, ret, err);
	if (basic != NULL)
		return answer_basic(refusal, ret, err);
	(void)xb_error_set(err, -EACCES,
			   "%s wants to know who asks, by %s, which xbuild does not speak",
			   refusal->endpoint->host,
			   refusal->challenges.len > 0 ? refusal->challenges.items[0].scheme
						       : "no scheme that it names");
	return denied(err);
}

/* Only what the registry itself has said is done. */
static int check_origin(const struct xb_registry_endpoint *endpoint,
			const struct xb_http_response *refused, struct xb_error *err)
{
	xb_auto_http_url struct xb_http_url url = XB_HTTP_URL_INIT;
	int r = xb_http_url_parse(endpoint->url, &url, err);

	if (r < 0 || same(url.origin, refused->origin))
		return r;
	(void)xb_error_set(err, -EACCES,
			   "%s, where %s has led, wants to know who asks; the registry's "
			   "credentials are not for it",
			   refused->url, endpoint->host);
	return xb_error_fault(err, XB_FAULT_REGISTRY), -EACCES;
}

static void copy_error(const struct xb_error *from, struct xb_error *to)
{
	(void)xb_error_set(to, from->code, "%s", from->message);
	(void)xb_error_fault(to, from->fault);
	if (from->hint != NULL)
		(void)xb_error_hint(to, "%s", from->hint);
}

/* With the lock held: wait for the thread that is at it. 1: it has left something to ask with. */
static int wait_for(struct xb_auth *auth, struct entry *entry, const char *used,
		    struct xb_error *err)
{
	unsigned before = entry->rounds;

	while (entry->busy)
		(void)pthread_cond_wait(&auth->done, &auth->lock);
	if (is_good(entry) && !same(entry->value, used))
		return 1;
	if (entry->rounds != before && entry->failure.code < 0) {
		copy_error(&entry->failure, err);
		return entry->failure.code;
	}
	return 0;
}

/* With the lock held, but for the time it takes: get a value, for all who wait. */
static int renew(struct refusal *refusal, struct entry *entry,
		 const struct xb_http_response *refused)
{
	xb_auto_token struct xb_token token = { 0 };
	int r;

	entry->busy = true;
	xb_error_clear(&entry->failure);
	(void)pthread_mutex_unlock(&refusal->auth->lock);
	r = obtain(refusal, refused, &token, &entry->failure);
	(void)pthread_mutex_lock(&refusal->auth->lock);
	xb_secret_free(entry->value);
	entry->value = XB_STEAL(token.value);
	entry->expires = token.expires;
	entry->busy = false;
	entry->rounds++;
	(void)pthread_cond_broadcast(&refusal->auth->done);
	return r;
}

/* What a registry has refused is good for nothing else there either. */
static void forget(struct xb_auth *auth, const char *url, const char *used)
{
	for (size_t i = 0; used != NULL && i < auth->entries.len; i++) {
		struct entry *entry = auth->entries.items[i];

		if (same(entry->url, url) && same(entry->value, used))
			entry->expires = 0;
	}
}

static int answer(struct refusal *refusal, const struct xb_http_response *refused, char **ret_value,
		  struct xb_error *err)
{
	struct xb_auth *auth = refusal->auth;
	struct entry *entry = entry_of(auth, refusal->endpoint->url, refusal->scope);
	int r;

	forget(auth, entry->url, refusal->used);
	r = wait_for(auth, entry, refusal->used, err);
	if (r < 0)
		return r;
	if (r == 0)
		r = renew(refusal, entry, refused);
	if (r < 0) {
		copy_error(&entry->failure, err);
		return r;
	}
	*ret_value = xb_strdup(entry->value);
	return 0;
}

int xb_auth_answer(struct xb_auth *auth, struct xb_http *http,
		   const struct xb_registry_endpoint *endpoint, const struct xb_auth_scope *scope,
		   const struct xb_http_response *refused, const char *used, char **ret_value,
		   struct xb_error *err)
{
	XB_CLEANUP(refusal_clear)
	struct refusal refusal = {
		.auth = auth,
		.http = http,
		.endpoint = endpoint,
		.scope = scope,
		.used = used,
	};
	int r = check_origin(endpoint, refused, err);

	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&auth->lock);
	r = answer(&refusal, refused, ret_value, err);
	(void)pthread_mutex_unlock(&auth->lock);
	return r;
}

/* What to try next: with other credentials, or with any. */
static void hint_of(struct xb_auth *auth, const struct xb_registry_endpoint *endpoint,
		    const struct xb_auth_scope *scope, struct xb_error *err)
{
	xb_auto_credential struct xb_credential credential = XB_CREDENTIAL_INIT;

	if (auth->options.credentials != NULL &&
	    xb_credentials_find(auth->options.credentials, endpoint->domain, scope->path,
				&credential, NULL) < 0)
		return;
	if (xb_credential_is_empty(&credential))
		(void)xb_error_hint(err, "`xbuild login %s`, if it is there for some only",
				    endpoint->domain);
	else
		(void)xb_error_hint(err, "%s%sthe credentials from %s may not do this",
				    credential.username != NULL ? credential.username : "",
				    credential.username != NULL ? ": " : "", credential.source);
}

int xb_auth_refuse(struct xb_auth *auth, const struct xb_registry_endpoint *endpoint,
		   const struct xb_auth_scope *scope, const struct xb_http_response *refused,
		   struct xb_error *err)
{
	int r = xb_registry_refuse(refused, err);

	hint_of(auth, endpoint, scope, err);
	return r;
}
