/* SPDX-License-Identifier: Apache-2.0 */
/* Where registries are: by themselves, by the command line, by the machine's files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/str.h"
#include "manifest/registry/hosts.h"
#include "tests/unit/scratch.h"

static struct xb_strv plain, ca, cert, realms;
static bool no_files;

static int setup(void **state)
{
	int r = scratch_setup(state);

	no_files = false;
	(void)unsetenv("CONTAINERS_REGISTRIES_CONF");
	return r < 0 ? r : setenv("XDG_CONFIG_HOME", scratch, 1);
}

static int teardown(void **state)
{
	xb_strv_clear(&plain);
	xb_strv_clear(&ca);
	xb_strv_clear(&cert);
	xb_strv_clear(&realms);
	return scratch_teardown(state);
}

static int load(struct xb_registry_hosts **ret, struct xb_error *err)
{
	const struct xb_registry_hosts_options options = { .plain_http = &plain,
							   .ca = &ca,
							   .cert = &cert,
							   .realms = &realms,
							   .no_files = no_files };

	return xb_registry_hosts_load(&options, ret, err);
}

/* The last component of a path. */
static const char *last(const char *path)
{
	return strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
}

/* "url path [mirror] [ns=…] [ca=…] [cert=…,…] [insecure]; …", or the error. */
static char *look(const char *domain, const char *path)
{
	xb_auto_registry_hosts struct xb_registry_hosts *hosts = NULL;
	xb_auto_registry_endpoints struct xb_registry_endpoints found = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_str struct xb_str s = XB_STR_INIT(1 << 16);

	assert_int_equal(load(&hosts, NULL), 0);
	if (xb_registry_hosts_find(hosts, domain, path, &found, &err) < 0) {
		assert_int_equal(err.fault, XB_FAULT_REGISTRY);
		return XB_STEAL(err.message);
	}
	for (size_t i = 0; i < found.len; i++) {
		const struct xb_registry_endpoint *e = &found.items[i];

		(void)xb_str_printf(&s, "%s%s %s", i > 0 ? "; " : "", e->url, e->path);
		if (strcmp(e->host, e->domain) != 0)
			(void)xb_str_printf(&s, " for %s", e->domain);
		if (e->mirror)
			(void)xb_str_puts(&s, " mirror");
		if (e->ns != NULL)
			(void)xb_str_printf(&s, " ns=%s", e->ns);
		if (e->tls.ca_file != NULL)
			(void)xb_str_printf(&s, " ca=%s", last(e->tls.ca_file));
		if (e->tls.cert_file != NULL)
			(void)xb_str_printf(&s, " cert=%s,%s", last(e->tls.cert_file),
					    e->tls.key_file != NULL ? last(e->tls.key_file) : "");
		if (e->tls.insecure)
			(void)xb_str_puts(&s, " insecure");
	}
	return xb_str_steal(&s);
}

#define CHECK(domain, path, wanted)                                                                \
	do {                                                                                       \
		xb_autofree char *xb_seen = look(domain, path);                                    \
		assert_string_equal(xb_seen, wanted);                                              \
	} while (0)
#define CHECK_HAS(domain, path, wanted)                                                            \
	do {                                                                                       \
		xb_autofree char *xb_seen = look(domain, path);                                    \
		if (strstr(xb_seen, wanted) == NULL)                                               \
			fail_msg("%s: not in: %s", wanted, xb_seen);                               \
	} while (0)

static void by_themselves(void **state)
{
	(void)state;
	no_files = true;
	CHECK("docker.io", "library/debian",
	      "https://registry-1.docker.io/v2 library/debian for docker.io");
	CHECK("GHCR.io", "a/b", "https://ghcr.io/v2 a/b");
	CHECK("r.example:5000", "a", "https://r.example:5000/v2 a");
	/* this machine */
	CHECK("localhost:5000", "a", "http://localhost:5000/v2 a");
	CHECK("localhost", "a", "http://localhost/v2 a");
	CHECK("127.0.0.1:5000", "a", "http://127.0.0.1:5000/v2 a");
	CHECK("127.1.2.3", "a", "http://127.1.2.3/v2 a");
	CHECK("[::1]:5000", "a", "http://[::1]:5000/v2 a");
	CHECK("localhost:443", "a", "https://localhost:443/v2 a");
	/* and what only looks like it */
	CHECK("localhost.example:5000", "a", "https://localhost.example:5000/v2 a");
	CHECK("127.example:5000", "a", "https://127.example:5000/v2 a");
	CHECK("127.0.0.1.example", "a", "https://127.0.0.1.example/v2 a");
	CHECK("[::2]:5000", "a", "https://[::2]:5000/v2 a");
	CHECK("10.0.0.1:5000", "a", "https://10.0.0.1:5000/v2 a");
}

static void by_the_command_line(void **state)
{
	(void)state;
	no_files = true;
	scratch_write("all.pem", "");
	scratch_write("one=1.pem", "");
	scratch_write("k", "");
	xb_strv_push(&plain, "r.example:5000");
	xb_strv_push(&ca, scratch_path("all.pem"));
	xb_strv_printf(&ca, "localhost:5000=%s", scratch_path("one=1.pem"));
	xb_strv_push(&ca, scratch_path("one=1.pem"));
	xb_strv_printf(&cert, "c.example=%s,%s", scratch_path("all.pem"), scratch_path("k"));
	CHECK("r.example:5000", "a", "http://r.example:5000/v2 a ca=one=1.pem");
	CHECK("r.example", "a", "https://r.example/v2 a ca=one=1.pem");
	CHECK("localhost:5000", "a", "https://localhost:5000/v2 a ca=one=1.pem");
	CHECK("localhost:5001", "a", "http://localhost:5001/v2 a ca=one=1.pem");
	CHECK("c.example", "a", "https://c.example/v2 a ca=one=1.pem cert=all.pem,k");
	CHECK("d.c.example", "a", "https://d.c.example/v2 a ca=one=1.pem");
}

static void bad_options(void **state)
{
	static const struct {
		struct xb_strv *option;
		const char *value;
	} rows[] = {
		{ &plain, "" },
		{ &plain, "http://r.example" },
		{ &plain, "r.example/a" },
		{ &ca, "/nowhere.pem" },
		{ &ca, "r.example=/nowhere.pem" },
		{ &ca, "" },
		{ &cert, "/etc/passwd" },
		{ &cert, "r.example=" },
		{ &cert, "r.example=/etc/passwd,/nowhere" },
		{ &realms, "r.example" },
		{ &realms, "r.example=https://a.example" },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(rows); i++) {
		xb_auto_registry_hosts struct xb_registry_hosts *hosts = NULL;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		xb_strv_push(rows[i].option, rows[i].value);
		if (load(&hosts, &err) >= 0)
			fail_msg("%s is taken", rows[i].value);
		assert_int_equal(err.fault, XB_FAULT_USAGE);
		xb_strv_clear(rows[i].option);
	}
}

static void registries_conf(const char *text)
{
	scratch_write("registries.conf", text);
	(void)setenv("CONTAINERS_REGISTRIES_CONF", scratch_path("registries.conf"), 1);
}

static void by_registries_conf(void **state)
{
	(void)state;
	registries_conf("unqualified-search-registries = ['docker.io']\n"
			"[[registry]]\nlocation = 'docker.io'\n"
			"[[registry.mirror]]\nlocation = 'localhost:5000/hub'\n"
			"[[registry.mirror]]\nlocation = 'm.example'\ninsecure = true\n"
			"[[registry.mirror]]\nlocation = 'd.example'\n"
			"pull-from-mirror = 'digest-only'\n"
			"[[registry]]\nprefix = 'r.example/team'\nlocation = 'o.example/deep/er/'\n"
			"[[registry]]\nprefix = 'r.example/team/app'\nlocation = 'docker.io/x'\n"
			"[[registry]]\nprefix = '*.bad.example'\nblocked = true\n"
			"[[registry]]\nprefix = 'i.example'\ninsecure = true\n"
			"[aliases]\n'a' = 'b'\n");
	CHECK("docker.io", "library/debian",
	      "http://localhost:5000/v2 hub/library/debian mirror; "
	      "https://m.example/v2 library/debian mirror insecure; "
	      "https://registry-1.docker.io/v2 library/debian for docker.io");
	CHECK("r.example", "team/lib", "https://o.example/v2 deep/er/lib");
	CHECK("r.example", "teams/lib", "https://r.example/v2 teams/lib");
	CHECK("r.example", "team/app", "https://registry-1.docker.io/v2 x for docker.io");
	CHECK("i.example", "a", "https://i.example/v2 a insecure");
	CHECK("bad.example", "a", "https://bad.example/v2 a");
	CHECK_HAS("very.bad.example", "a", "registries.conf blocks *.bad.example");
}

static void bad_registries_conf(void **state)
{
	static const char *const texts[] = {
		"[[registry]\n",
		"registry = 'x'\n",
		"[[registry]]\nblocked = true\n",
		"[[registry]]\nprefix = 1\n",
		"[[registry]]\nlocation = 'https://x.example'\n",
		"[[registry]]\nprefix = 'x.example'\ninsecure = 'yes'\n",
		"[[registry]]\nprefix = 'x.example'\n[[registry.mirror]]\ninsecure = true\n",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		registries_conf(texts[i]);
		CHECK_HAS("a.example", "a", "registries.conf: ");
	}
	(void)setenv("CONTAINERS_REGISTRIES_CONF", scratch_path("none"), 1);
	CHECK("a.example", "a", "https://a.example/v2 a");
}

/* Later files have the last word on a prefix. */
static void drop_ins(void **state)
{
	(void)state;
	registries_conf("[[registry]]\nprefix = 'a.example'\nlocation = 'first.example'\n"
			"[[registry]]\nprefix = 'b.example'\nlocation = 'first.example'\n");
	assert_int_equal(mkdir(scratch_path("containers"), 0700), 0);
	assert_int_equal(mkdir(scratch_path("containers/registries.conf.d"), 0700), 0);
	scratch_write("containers/registries.conf.d/2.conf",
		      "[[registry]]\nprefix = 'a.example'\nlocation = 'third.example'\n");
	scratch_write("containers/registries.conf.d/1.conf",
		      "[[registry]]\nprefix = 'a.example'\nlocation = 'second.example'\n");
	scratch_write("containers/registries.conf.d/3.conf.bak", "broken");
	CHECK("a.example", "a", "https://third.example/v2 a");
	CHECK("b.example", "a", "https://first.example/v2 a");
}

static void certs(const char *program, const char *host)
{
	xb_autofree char *path = xb_format("%s/%s/certs.d/%s", scratch, program, host);

	assert_int_equal(scratch_run((const char *[]){ "mkdir", "-p", path, NULL }), 0);
}

static void by_certs_d(void **state)
{
	(void)state;
	certs("docker", "r.example:5000");
	scratch_write("docker/certs.d/r.example:5000/z.crt", "");
	scratch_write("docker/certs.d/r.example:5000/ca.crt", "");
	scratch_write("docker/certs.d/r.example:5000/client.cert", "");
	scratch_write("docker/certs.d/r.example:5000/client.key", "");
	certs("containers", "localhost:5000");
	scratch_write("containers/certs.d/localhost:5000/some.crt", "");
	CHECK("r.example:5000", "a",
	      "https://r.example:5000/v2 a ca=ca.crt cert=client.cert,client.key");
	CHECK("r.example", "a", "https://r.example/v2 a");
	CHECK("localhost:5000", "a", "https://localhost:5000/v2 a ca=some.crt");
	CHECK("..", "a", "https://../v2 a");
	/* what is given goes before */
	scratch_write("mine.pem", "");
	xb_strv_printf(&ca, "r.example:5000=%s", scratch_path("mine.pem"));
	CHECK("r.example:5000", "a",
	      "https://r.example:5000/v2 a ca=mine.pem cert=client.cert,client.key");
}

static void by_hosts_toml(void **state)
{
	(void)state;
	certs("containerd", "docker.io");
	scratch_write("containerd/certs.d/docker.io/hosts.toml",
		      "server = 'https://registry-1.docker.io'\n"
		      "[host.'https://m.example:5000']\n"
		      "  capabilities = ['pull', 'resolve']\n  ca = 'm.crt'\n"
		      "  client = [['c.cert', 'c.key']]\n"
		      "[host.'http://p.example/hub/v2/']\n  override_path = true\n"
		      "[host.'https://i.example']\n  skip_verify = true\n"
		      "[host.'https://blobs.example']\n  capabilities = ['pull']\n");
	CHECK("docker.io", "library/debian",
	      "https://m.example:5000/v2 library/debian mirror ns=docker.io ca=m.crt "
	      "cert=c.cert,c.key; "
	      "http://p.example/hub/v2 library/debian mirror ns=docker.io; "
	      "https://i.example/v2 library/debian mirror ns=docker.io insecure; "
	      "https://registry-1.docker.io/v2 library/debian for docker.io");
	certs("containerd", "r.example");
	scratch_write("containerd/certs.d/r.example/hosts.toml",
		      "server = 'https://elsewhere.example/base'\nca = ['/x/own.crt']\n");
	CHECK("r.example", "a", "https://elsewhere.example/base/v2 a ca=own.crt");
}

static void bad_hosts_toml(void **state)
{
	static const char *const texts[] = {
		"server = 1\n",
		"server = 'ftp://x'\n",
		"server = 'https://u:p@x'\n",
		"host = 'x'\n",
		"host.x = 1\n",
		"[host.'https://x']\nskip_verify = 'no'\n",
		"[host.'https://x']\nca = ['a', 'b']\n",
		"[host.'https://x']\nclient = [['a', 'b'], ['c', 'd']]\n",
		"[host.'https://x'.header]\nAuthorization = ['s3cret']\n",
	};

	(void)state;
	certs("containerd", "r.example");
	for (size_t i = 0; i < XB_COUNT(texts); i++) {
		scratch_write("containerd/certs.d/r.example/hosts.toml", texts[i]);
		CHECK_HAS("r.example", "a", "containerd/certs.d/r.example/hosts.toml: ");
		CHECK("other.example", "a", "https://other.example/v2 a");
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(by_themselves),	  TEST(by_the_command_line), TEST(bad_options),
		TEST(by_registries_conf), TEST(bad_registries_conf), TEST(drop_ins),
		TEST(by_certs_d),	  TEST(by_hosts_toml),	     TEST(bad_hosts_toml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
