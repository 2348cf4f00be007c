/* SPDX-License-Identifier: Apache-2.0 */
/* Who may: 401s of a registry (port 0), and what its token server (port 1) is asked and says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/http.h"
#include "manifest/registry/auth.h"
#include "tests/unit/base/http_server.h"

/* what a row does not say is zero */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define REFUSED_REPLY(challenge)                                                                   \
	"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n" challenge "\r\n"
#define REFUSED(challenge)                                                                         \
	{                                                                                          \
		REFUSED_REPLY(challenge)                                                           \
	}
#define CHALLENGE(what) "WWW-Authenticate: " what "\r\n"
#define BEARER                                                                                     \
	CHALLENGE("Bearer realm=\"http://127.0.0.1:{1}/token\",service=\"reg\",scope="             \
		  "\"repository:team/app:pull\"")
#define OK_STEP(expect)                                                                            \
	{                                                                                          \
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", expect                             \
	}
#define TOKEN(json)		   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" json
#define STATUS(status, type, body) "HTTP/1.1 " status "\r\nContent-Type: " type "\r\n\r\n" body
/* a request of the token server */
#define ASKED(reply, expect)                                                                       \
	{                                                                                          \
		reply, expect, TAIL_NONE, 1                                                        \
	}

#define BASIC	 "uthorization: Basic dTpzM2NyZXQ=\r\n"
#define NO_BASIC "!s3cret|!dTpzM2NyZXQ"

struct row {
	const char *name;
	struct server_step script[6];
	const char *user; /* NULL: nobody; "u" has the password "s3cret" */
	const char *identity;
	const char *registry;
	const char *actions; /* NULL: "pull" */
	const char *from;
	const char *allow; /* a token server, beside the registry's site */
	int r;		   /* of the whole request */
	const char *message;
	const char *hint;
};

static const struct row rows[] = {
	/* basic */
	{ "the password goes to the registry that asks for it",
	  { REFUSED(CHALLENGE("Basic realm=\"x\"")), OK_STEP(BASIC) },
	  .user = "u" },
	{ "nobody has no password",
	  { REFUSED(CHALLENGE("Basic realm=\"x\"")) },
	  .r = -EACCES,
	  .message = "there are no credentials for it",
	  .hint = "`xbuild login 127.0.0.1:" },
	{ "a password that is refused is not sent again",
	  { REFUSED(CHALLENGE("Basic realm=\"x\"")),
	    { STATUS("401 x", "application/json",
		     "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"no such user\"}]}") } },
	  .user = "u",
	  .r = -EACCES,
	  .message = "UNAUTHORIZED: no such user",
	  .hint = "may not do this" },
	{ "a 401 that asks for nothing",
	  { REFUSED("") },
	  .user = "u",
	  .r = -EACCES,
	  .message = "by no scheme that it names" },
	{ "a 401 that asks for something else",
	  { REFUSED(CHALLENGE("Negotiate, NTLM")) },
	  .user = "u",
	  .r = -EACCES,
	  .message = "by negotiate, which xbuild does not speak" },
	{ "a 401 that cannot be understood",
	  { REFUSED(CHALLENGE("Basic realm=\"x")) },
	  .user = "u",
	  .r = -EPROTO },

	/* tokens by GET */
	{ "nobody gets a token",
	  { REFUSED(BEARER),
	    ASKED(TOKEN("{\"token\":\"t1\"}"),
		  "GET /token?service=reg&scope=repository%3Ateam%2Fapp%3Apull HTTP|!uthorization"),
	    OK_STEP("uthorization: Bearer t1\r\n") } },
	{ "with the password",
	  { REFUSED(BEARER), ASKED(TOKEN("{\"access_token\":\"t1\"}"), "&account=u HTTP|" BASIC),
	    OK_STEP("uthorization: Bearer t1\r\n|" NO_BASIC) },
	  .user = "u" },
	{ "the token is preferred to the password",
	  { REFUSED(CHALLENGE("Basic realm=\"x\"") BEARER),
	    ASKED(TOKEN("{\"token\":\"t1\"}"), BASIC),
	    OK_STEP("uthorization: Bearer t1\r\n|" NO_BASIC) },
	  .user = "u" },
	{ "all that the request is for is asked for",
	  { REFUSED(BEARER),
	    ASKED(TOKEN("{\"token\":\"t1\"}"),
		  "scope=repository%3Ateam%2Fapp%3Apull%2Cpush&scope=repository%3Aother%3Apull"),
	    OK_STEP("Bearer t1") },
	  .actions = "pull,push",
	  .from = "other" },
	{ "and what the registry wants for the same repository",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://127.0.0.1:{1}/token\","
			      "scope=\"repository:team/app:*\"")),
	    ASKED(TOKEN("{\"token\":\"t1\"}"),
		  "scope=repository%3Ateam%2Fapp%3Adelete&scope=repository%3Ateam%2Fapp%3A%2A"),
	    OK_STEP("Bearer t1") },
	  .actions = "delete" },
	{ "but not for another one",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://127.0.0.1:{1}/token\","
			      "scope=\"repository:victim/app:pull,push\"")),
	    ASKED(TOKEN("{\"token\":\"t1\"}"), "team%2Fapp%3Apull|!victim"),
	    OK_STEP("Bearer t1") } },
	{ "a realm with a query, a service with odd bytes",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://127.0.0.1:{1}/token?a=b\",service=\"a&b c\"")),
	    ASKED(TOKEN("{\"token\":\"t1\"}"), "GET /token?a=b&service=a%26b%20c&scope="),
	    OK_STEP("Bearer t1") } },
	{ "a token server that is not well at first",
	  { REFUSED(BEARER), ASKED(STATUS("503 x", "text/html", "no"), ""),
	    ASKED(TOKEN("{\"token\":\"t1\"}"), ""), OK_STEP("Bearer t1") } },
	{ "a token server that stays unwell",
	  { REFUSED(BEARER), ASKED(STATUS("500 x", "text/plain", "out of order"), ""),
	    ASKED(STATUS("500 x", "text/plain", "out of order"), "") },
	  .r = -EREMOTEIO,
	  .message = "out of order" },
	{ "a password that the token server refuses",
	  { REFUSED(BEARER), ASKED(STATUS("401 x", "application/json",
					  "{\"details\":\"incorrect username or password\"}"),
				   BASIC) },
	  .user = "u",
	  .r = -EACCES,
	  .message = "refuses the password of u from a test: incorrect username or password",
	  .hint = "xbuild login" },
	{ "nobody is refused a token",
	  { REFUSED(BEARER), ASKED(STATUS("403 x", "application/json", "{}"), "") },
	  .r = -EACCES,
	  .message = "gives nobody in particular a token",
	  .hint = "xbuild login" },
	{ "a token that the registry refuses is not the start of a loop",
	  { REFUSED(BEARER), ASKED(TOKEN("{\"token\":\"t1\"}"), ""), REFUSED(BEARER) },
	  .r = -EACCES,
	  .message = "status 401" },

	/* what is no token */
	{ "no JSON",
	  { REFUSED(BEARER), ASKED(TOKEN("s3cret"), "") },
	  .r = -EPROTO,
	  .message = "not the JSON of a token" },
	{ "no token in it",
	  { REFUSED(BEARER), ASKED(TOKEN("{\"token\":\"\",\"expires_in\":5}"), "") },
	  .r = -EPROTO,
	  .message = "no token in it" },
	{ "a token of another type",
	  { REFUSED(BEARER), ASKED(TOKEN("{\"token\":7}"), "") },
	  .r = -EPROTO },
	{ "a time of another type",
	  { REFUSED(BEARER), ASKED(TOKEN("{\"token\":\"s3cret\",\"expires_in\":\"5\"}"), "") },
	  .r = -EPROTO },
	{ "a token with a line end",
	  { REFUSED(BEARER), ASKED(TOKEN("{\"token\":\"a\\r\\nX-Evil: s3cret\"}"), "") },
	  .r = -EPROTO,
	  .message = "no header can hold" },
	{ "a token without an end",
	  { REFUSED(BEARER), { TOKEN("{\"token\":\""), "", TAIL_ENDLESS, 1 } },
	  .r = -EFBIG },

	/* tokens by POST */
	{ "an identity token is exchanged",
	  { REFUSED(BEARER),
	    ASKED(TOKEN("{\"access_token\":\"t1\"}"),
		  "POST /token HTTP|!uthorization|"
		  "Content-Type: application/x-www-form-urlencoded\r\n|"
		  "grant_type=refresh_token&service=reg&client_id=xbuild&"
		  "scope=repository%3Ateam%2Fapp%3Apull&refresh_token=s3cret%2F1"),
	    OK_STEP("Bearer t1") },
	  .user = "u",
	  .identity = "s3cret/1" },
	{ "an identity token that is not good any more",
	  { REFUSED(BEARER),
	    ASKED(STATUS("400 x", "application/json",
			 "{\"error\":\"invalid_grant\",\"error_description\":\"expired\"}"),
		  "") },
	  .identity = "s3cret",
	  .r = -EACCES,
	  .message = "refuses the identity token from a test: invalid_grant: expired" },
	{ "an identity token is not sent on",
	  { REFUSED(BEARER), ASKED("HTTP/1.1 307 x\r\nContent-Length: 0\r\n"
				   "Location: http://localhost:{0}/evil\r\n\r\n",
				   "") },
	  .identity = "s3cret",
	  .r = -EPERM },
	{ "a password is not sent on",
	  { REFUSED(BEARER),
	    ASKED("HTTP/1.1 307 x\r\nContent-Length: 0\r\n"
		  "Location: http://localhost:{0}/other\r\n\r\n",
		  BASIC),
	    { TOKEN("{\"token\":\"t1\"}"), "GET /other|!uthorization" },
	    OK_STEP("Bearer t1") },
	  .user = "u" },
	{ "a registry token is given as it is",
	  { REFUSED(BEARER), OK_STEP("uthorization: Bearer s3cret\r\n") },
	  .registry = "s3cret" },

	/* whom credentials do not go to */
	{ "a token server elsewhere gets none",
	  { REFUSED(CHALLENGE("Bearer realm=\"https://evil.example/token\"")) },
	  .user = "u",
	  .r = -EACCES,
	  .message = "evil.example, which is not of its site",
	  .hint = "--registry-realm 127.0.0.1:" },
	{ "one of another name for the same machine neither",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://localhost:{1}/token\"")) },
	  .identity = "s3cret",
	  .r = -EACCES,
	  .message = "not of its site" },
	{ "unless it is allowed",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://localhost:{1}/token\"")),
	    ASKED(TOKEN("{\"token\":\"t1\"}"), BASIC), OK_STEP("Bearer t1") },
	  .user = "u",
	  .allow = "localhost" },
	{ "nobody may ask there",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://localhost:{1}/token\"")),
	    ASKED(TOKEN("{\"token\":\"t1\"}"), "!uthorization"), OK_STEP("Bearer t1") } },
	{ "the first of two token servers is meant",
	  { REFUSED(BEARER CHALLENGE("Bearer realm=\"https://evil.example/token\"")),
	    ASKED(TOKEN("{\"token\":\"t1\"}"), BASIC), OK_STEP("Bearer t1") },
	  .user = "u" },
	{ "a first one that is evil",
	  { REFUSED(CHALLENGE("Bearer realm=\"https://evil.example/token\"") BEARER) },
	  .user = "u",
	  .r = -EACCES },
	{ "a token server with a user name",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://u:p@127.0.0.1:{1}/token\"")) },
	  .user = "u",
	  .r = -EACCES,
	  .message = "has a user name in its URL" },
	{ "a token server by http that is another host",
	  { REFUSED(CHALLENGE("Bearer realm=\"http://evil.example/token\"")) },
	  .r = -EACCES,
	  .message = "without TLS" },
	{ "a challenge without a token server",
	  { REFUSED(CHALLENGE("Bearer service=\"reg\"")) },
	  .user = "u",
	  .r = -EACCES,
	  .message = "no URL of https" },
};

/* A registry, its server, and who asks it. */
struct world {
	struct server server;
	struct xb_registry_hosts *hosts;
	struct xb_registry_endpoints endpoints;
	struct xb_credentials *credentials;
	struct xb_auth *auth;
	struct xb_http *http;
	char *host;
};

static char *copy_of(const char *text)
{
	return text != NULL ? xb_strdup(text) : NULL;
}

static void world_start(struct world *w, const struct server_step *script, const struct row *who)
{
	xb_auto_strv struct xb_strv realms = XB_STRV_INIT;
	xb_auto_credential struct xb_credential credential = XB_CREDENTIAL_INIT;

	memset(w, 0, sizeof(*w));
	server_start(&w->server, script);
	w->host = xb_format("127.0.0.1:%u", w->server.ports[0]);
	if (who->allow != NULL)
		xb_strv_printf(&realms, "%s=%s:%u", w->host, who->allow, w->server.ports[1]);
	assert_int_equal(
		xb_registry_hosts_load(
			&(struct xb_registry_hosts_options){ .realms = &realms, .no_files = true },
			&w->hosts, NULL),
		0);
	assert_int_equal(xb_registry_hosts_find(w->hosts, w->host, "team/app", &w->endpoints, NULL),
			 0);
	w->credentials = xb_credentials_new();
	credential.username = copy_of(who->user);
	credential.password = copy_of(who->user != NULL && who->identity == NULL ? "s3cret" : NULL);
	credential.identity_token = copy_of(who->identity);
	credential.registry_token = copy_of(who->registry);
	credential.source = copy_of("a test");
	xb_credentials_put(w->credentials, w->host, &credential);
	w->auth = xb_auth_new(&(struct xb_auth_options){ .hosts = w->hosts,
							 .credentials = w->credentials,
							 .cancel_fd = -1,
							 .attempts = 2,
							 .pause_ms = 1 });
	assert_int_equal(xb_http_new(&w->http, NULL), 0);
}

static void world_end(struct world *w)
{
	xb_http_free(w->http);
	server_finish(&w->server);
	xb_auth_free(w->auth);
	xb_credentials_free(w->credentials);
	xb_registry_endpoints_clear(&w->endpoints);
	xb_registry_hosts_free(w->hosts);
	free(w->host);
}

/* A request as a client of a registry makes it: with what is known, and once more after a 401. */
static int request_by(struct world *w, struct xb_http *http, const struct xb_auth_scope *scope,
		      struct xb_error *err)
{
	const struct xb_registry_endpoint *endpoint = &w->endpoints.items[0];
	xb_autofree char *url = xb_format("%s/%s/manifests/1", endpoint->url, endpoint->path);
	xb_auto_auth_value char *value = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;

	xb_auth_get(w->auth, endpoint, scope, &value);
	request.url = url;
	for (int tries = 0;; tries++) {
		xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
		xb_auto_auth_value char *used = value;
		int r;

		value = NULL;
		request.authorization = used;
		r = xb_http_perform(http, &request, &response, err);
		if (r < 0 || response.status == 200)
			return r;
		if (tries == 1)
			return xb_auth_refuse(w->auth, endpoint, scope, &response, err);
		r = xb_auth_answer(w->auth, http, endpoint, scope, &response, used, &value, err);
		if (r < 0)
			return r;
	}
}

static int request_of(struct world *w, const char *actions, const char *from, struct xb_error *err)
{
	const struct xb_auth_scope scope = { .path = "team/app", .actions = actions, .from = from };

	return request_by(w, w->http, &scope, err);
}

static void check_row(void **state)
{
	const struct row *row = *state;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct world w;
	int r;

	world_start(&w, row->script, row);
	r = request_of(&w, row->actions != NULL ? row->actions : "pull", row->from, &err);
	if (r != row->r)
		fail_msg("%d instead of %d: %s", r, row->r, err.message != NULL ? err.message : "");
	world_end(&w);
	if (r == 0)
		return;
	assert_true(err.fault == XB_FAULT_REGISTRY || r == -EFBIG);
	assert_null(strstr(err.message, "s3cret"));
	if (row->message != NULL && strstr(err.message, row->message) == NULL)
		fail_msg("%s: not in: %s", row->message, err.message);
	if (row->hint != NULL && (err.hint == NULL || strstr(err.hint, row->hint) == NULL))
		fail_msg("%s: not in: %s", row->hint, err.hint != NULL ? err.hint : "no hint");
}

/* Requests one after the other, each of which has to work. */
static void several(const struct server_step *script, const struct row *who,
		    const char *const *actions, unsigned pause_ms)
{
	struct world w;

	world_start(&w, script, who);
	for (; *actions != NULL; actions++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (request_of(&w, *actions, NULL, &err) < 0)
			fail_msg("%s: %s", *actions, err.message);
		(void)usleep(pause_ms * 1000);
	}
	world_end(&w);
}

#define ACTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void a_token_is_used_again(void **state)
{
	static const struct server_step script[] = {
		REFUSED(BEARER),      ASKED(TOKEN("{\"token\":\"t1\"}"), ""),
		OK_STEP("Bearer t1"), OK_STEP("Bearer t1"),
		OK_STEP("Bearer t1"), { 0 },
	};

	(void)state;
	several(script, &(struct row){ 0 }, ACTIONS("pull", "pull", "pull"), 0);
}

static void a_token_for_more_serves_for_less_and_not_the_other_way(void **state)
{
	static const struct server_step script[] = {
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t1\"}"), "%3Apull HTTP"),
		OK_STEP("Bearer t1"),
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t2\"}"), "%3Apull%2Cpush HTTP"),
		OK_STEP("Bearer t2"),
		OK_STEP("Bearer t"),
		{ 0 },
	};

	(void)state;
	several(script, &(struct row){ 0 }, ACTIONS("pull", "pull,push", "pull"), 0);
}

/* Once its time is over it is not even tried, and the registry says again what it wants. */
static void a_token_expires(void **state)
{
	static const struct server_step script[] = {
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t1\",\"expires_in\":1}"), ""),
		OK_STEP("Bearer t1"),
		{ REFUSED_REPLY(BEARER), "!uthorization" },
		ASKED(TOKEN("{\"token\":\"t2\",\"expires_in\":1}"), ""),
		OK_STEP("Bearer t2"),
		{ 0 },
	};

	(void)state;
	several(script, &(struct row){ 0 }, ACTIONS("pull", "pull"), 1000);
}

/* A registry that is tired of a token before its time gets another one, each time. */
static void a_token_is_refused_later(void **state)
{
	static const struct server_step script[] = {
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t1\",\"expires_in\":300}"), BASIC),
		OK_STEP("Bearer t1"),
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t2\",\"expires_in\":300}"), BASIC),
		OK_STEP("Bearer t2"),
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t3\",\"expires_in\":300}"), BASIC),
		OK_STEP("Bearer t3"),
		{ 0 },
	};

	(void)state;
	several(script, &(struct row){ .user = "u" }, ACTIONS("pull", "pull", "pull"), 0);
}

/* A token server that gives each refresh token for one use. */
static void refresh_tokens_rotate(void **state)
{
	static const struct server_step script[] = {
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t1\",\"refresh_token\":\"i2\"}"), "&refresh_token=i1"),
		OK_STEP("Bearer t1"),
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t2\",\"refresh_token\":\"i3\"}"), "&refresh_token=i2"),
		OK_STEP("Bearer t2"),
		REFUSED(BEARER),
		ASKED(TOKEN("{\"token\":\"t3\"}"), "&refresh_token=i3"),
		OK_STEP("Bearer t3"),
		{ 0 },
	};

	(void)state;
	several(script, &(struct row){ .identity = "i1" }, ACTIONS("pull", "pull", "pull"), 0);
}

/* The 401 of a host that a redirect has led to is not the registry's word. */
static void a_stranger_asks(void **state)
{
	static const struct server_step script[] = {
		{ "HTTP/1.1 307 x\r\nContent-Length: 0\r\nLocation: "
		  "http://localhost:{1}/x\r\n\r\n" },
		ASKED("HTTP/1.1 401 x\r\nContent-Length: 0\r\nWWW-Authenticate: Basic "
		      "realm=x\r\n\r\n",
		      "!uthorization"),
		{ 0 },
	};
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct world w;

	(void)state;
	world_start(&w, script, &(struct row){ .user = "u" });
	assert_int_equal(request_of(&w, "pull", NULL, &err), -EACCES);
	world_end(&w);
	assert_non_null(strstr(err.message, "credentials are not for it"));
	assert_int_equal(err.fault, XB_FAULT_REGISTRY);
}

enum { CROWD = 8 };

struct member {
	struct world *world;
	pthread_t thread;
	struct xb_http_response refused;
	char *value;
	int r;
};

static void *answer_one(void *context)
{
	struct member *m = context;
	const struct xb_auth_scope scope = { .path = "team/app", .actions = "pull" };
	xb_auto_http struct xb_http *http = NULL;

	m->r = xb_http_new(&http, NULL);
	if (m->r == 0)
		m->r = xb_auth_answer(m->world->auth, http, &m->world->endpoints.items[0], &scope,
				      &m->refused, NULL, &m->value, NULL);
	return NULL;
}

/* All get the same 401 at once; the token server gets one request. */
static void crowd(const struct server_step *script, int r, const char *value)
{
	struct member members[CROWD] = { 0 };
	struct world w;

	world_start(&w, script, &(struct row){ 0 });
	for (size_t i = 0; i < CROWD; i++) {
		members[i].world = &w;
		members[i].refused = XB_HTTP_RESPONSE_INIT;
		members[i].refused.status = 401;
		members[i].refused.origin = xb_format("http://%s", w.host);
		xb_strv_printf(&members[i].refused.headers,
			       "www-authenticate: Bearer realm=\"http://127.0.0.1:%u/token\"",
			       w.server.ports[1]);
		assert_int_equal(pthread_create(&members[i].thread, NULL, answer_one, &members[i]),
				 0);
	}
	for (size_t i = 0; i < CROWD; i++) {
		assert_int_equal(pthread_join(members[i].thread, NULL), 0);
		assert_int_equal(members[i].r, r);
		if (value != NULL)
			assert_string_equal(members[i].value, value);
		else
			assert_null(members[i].value);
		xb_auth_value_free(members[i].value);
		xb_http_response_clear(&members[i].refused);
	}
	world_end(&w);
}

static void one_token_for_all(void **state)
{
	static const struct server_step script[] = {
		{ TOKEN("{\"token\":\"t1\"}"), "GET /token", TAIL_NONE, 1, 0, 300 },
		{ 0 },
	};

	(void)state;
	crowd(script, 0, "Bearer t1");
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_token_is_used_again),
		cmocka_unit_test(a_token_for_more_serves_for_less_and_not_the_other_way),
		cmocka_unit_test(a_token_expires),
		cmocka_unit_test(a_token_is_refused_later),
		cmocka_unit_test(refresh_tokens_rotate),
		cmocka_unit_test(a_stranger_asks),
		cmocka_unit_test(one_token_for_all),
	};
	struct CMUnitTest tests[XB_COUNT(rows)];
	union {
		const struct row *from;
		void *to;
	} state;
	int failed;

	(void)setenv("no_proxy", "127.0.0.1,localhost", 1);
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		state.from = &rows[i];
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = check_row,
						.initial_state = state.to };
	}
	failed = cmocka_run_group_tests_name("rows", tests, NULL, NULL);
	return failed + cmocka_run_group_tests_name("others", others, NULL, NULL);
}
