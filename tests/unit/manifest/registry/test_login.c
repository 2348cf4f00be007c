/* SPDX-License-Identifier: Apache-2.0 */
/* What logging in writes, and what registries are called; the rest is in tests/e2e/test_login.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>

#include "base/str.h"
#include "manifest/registry/auth_file.h"
#include "manifest/registry/login.h"
#include "tests/unit/scratch.h"

static int setup(void **state)
{
	if (scratch_setup(state) < 0)
		return -1;
	(void)unsetenv("REGISTRY_AUTH_FILE");
	(void)unsetenv("XDG_RUNTIME_DIR");
	(void)unsetenv("XDG_CONFIG_HOME");
	return setenv("DOCKER_CONFIG", scratch_path("docker"), 1);
}

static void names(void **state)
{
	static const struct {
		const char *text;
		const char *domain; /* NULL: refused */
	} rows[] = {
		{ NULL, "docker.io" },
		{ "docker.io", "docker.io" },
		{ "https://index.docker.io/v1/", "docker.io" },
		{ "registry-1.docker.io", "docker.io" },
		{ "ghcr.io", "ghcr.io" },
		{ "https://GHCR.io/", "ghcr.io" },
		{ "http://localhost:5000", "localhost:5000" },
		{ "[::1]:5000", "[::1]:5000" },
		{ "", NULL },
		{ "https://", NULL },
		{ "ghcr.io/name", NULL },
		{ "user@ghcr.io", NULL },
		{ "gh cr.io", NULL },
		{ "ghcr.io\n", NULL },
		{ "file:///etc", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_autofree char *domain = NULL;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		if (xb_login_domain(rows[i].text, &domain, &err) == 0) {
			assert_non_null(rows[i].domain);
			assert_string_equal(domain, rows[i].domain);
		} else {
			if (rows[i].domain != NULL)
				fail_msg("%s: %s", rows[i].domain, err.message);
			assert_int_equal(err.fault, XB_FAULT_USAGE);
		}
	}
}

enum { CROWD = 8, ROUNDS = 5 };

struct member {
	pthread_t thread;
	unsigned number;
	int r;
};

static void *log_in(void *context)
{
	struct member *m = context;
	char user[] = "u", password[] = "p";
	const struct xb_credential credential = { .username = user, .password = password };

	for (unsigned i = 0; m->r == 0 && i < ROUNDS; i++) {
		xb_autofree char *domain = xb_format("r%u-%u.example", m->number, i);
		xb_autofree char *where = NULL;

		m->r = xb_login_keep(domain, &credential, &where, NULL);
	}
	return NULL;
}

/* Many at once: none loses what another has written. */
static void a_crowd_logs_in(void **state)
{
	struct member members[CROWD] = { 0 };
	json_t *file = NULL;

	(void)state;
	for (unsigned i = 0; i < CROWD; i++) {
		members[i].number = i;
		assert_int_equal(pthread_create(&members[i].thread, NULL, log_in, &members[i]), 0);
	}
	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(pthread_join(members[i].thread, NULL), 0);
		assert_int_equal(members[i].r, 0);
	}
	assert_int_equal(xb_auth_file_read(scratch_path("docker/config.json"), &file, NULL), 0);
	assert_int_equal(json_object_size(json_object_get(file, "auths")), CROWD * ROUNDS);
	json_decref(file);
}

/* All names of Docker Hub are one, also when it is forgotten. */
static void docker_hub(void **state)
{
	char user[] = "u", password[] = "p";
	const struct xb_credential credential = { .username = user, .password = password };
	xb_autofree char *where = NULL;
	json_t *file = NULL;
	bool any = false;

	(void)state;
	assert_int_equal(mkdir(scratch_path("docker"), 0700), 0);
	scratch_write("docker/config.json", "{\"auths\": {\"docker.io\": {\"auth\": \"b2xkOnA=\"},"
					    "\"docker.io/team\": {\"auth\": \"dGVhbTpw\"}}}");
	assert_int_equal(xb_login_keep("docker.io", &credential, &where, NULL), 0);
	assert_int_equal(xb_auth_file_read(scratch_path("docker/config.json"), &file, NULL), 0);
	assert_non_null(json_object_get(json_object_get(file, "auths"), XB_HUB_SERVER));
	assert_null(json_object_get(json_object_get(file, "auths"), "docker.io"));
	json_decref(file);
	assert_int_equal(xb_login_forget("docker.io", &any, NULL), 0);
	assert_true(any);
	assert_int_equal(xb_auth_file_read(scratch_path("docker/config.json"), &file, NULL), 0);
	assert_int_equal(json_object_size(json_object_get(file, "auths")), 1);
	json_decref(file);
}

static void nowhere_to_write(void **state)
{
	char user[] = "u", password[] = "s3cret";
	const struct xb_credential credential = { .username = user, .password = password };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *where = NULL;

	(void)state;
	scratch_write("docker", "a file in the way");
	assert_int_equal(xb_login_keep("a.example", &credential, &where, &err), -ENOTDIR);
	assert_int_equal(err.fault, XB_FAULT_REGISTRY);
	assert_null(strstr(err.message, "s3cret"));
	xb_error_clear(&err);
	(void)unsetenv("DOCKER_CONFIG");
	(void)unsetenv("HOME");
	assert_int_equal(xb_login_keep("a.example", &credential, &where, &err), -ENOENT);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, scratch_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(names),
		TEST(a_crowd_logs_in),
		TEST(docker_hub),
		TEST(nowhere_to_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
