/* SPDX-License-Identifier: Apache-2.0 */
/* TLS: whom a request believes. The certificates are made by openssl when the tests start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "base/file.h"
#include "base/http.h"
#include "base/proc.h"
#include "tests/unit/base/http_server.h"
#include "tests/unit/need.h"
#include "tests/unit/scratch.h"

/* what a step does not say is zero */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* argv: certificate and key, how to behave, the reply. Prints its port. */
static const char server_program[] = "import signal, socket, ssl, sys\n"
				     "signal.alarm(600)\n"
				     "cert, how, reply = sys.argv[1:4]\n"
				     "c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
				     "c.load_cert_chain(cert)\n"
				     "if how == 'old':\n"
				     "    c.set_ciphers('ALL:@SECLEVEL=0')\n"
				     "    c.minimum_version = ssl.TLSVersion.TLSv1\n"
				     "    c.maximum_version = ssl.TLSVersion.TLSv1_1\n"
				     "s = socket.socket()\n"
				     "s.bind(('127.0.0.1', 0))\n"
				     "s.listen(8)\n"
				     "print(s.getsockname()[1], flush=True)\n"
				     "while True:\n"
				     "    a, _ = s.accept()\n"
				     "    a.settimeout(60)\n"
				     "    try:\n"
				     "        if how == 'plain':\n"
				     "            a.recv(65536)\n"
				     "            a.sendall(reply.encode())\n"
				     "            a.close()\n"
				     "            continue\n"
				     "        t = c.wrap_socket(a, server_side=True)\n"
				     "        t.recv(65536)\n"
				     "        t.sendall(reply.encode())\n"
				     "        if how == 'cut':\n"
				     "            t.shutdown(socket.SHUT_RDWR)\n"
				     "        else:\n"
				     "            t.unwrap()\n"
				     "        t.close()\n"
				     "    except OSError:\n"
				     "        a.close()\n";

/* A CA, certificates of it for "localhost" (good), another name, and of long ago. */
static const char make_certificates[] =
	"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key "
	"-out ca.pem -subj /CN=ca -days 30 2>log || exit 1\n"
	"make() {\n"
	"	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $1.key "
	"-out $1.csr -subj /CN=$1 2>>log &&\n"
	"	echo subjectAltName=DNS:$2 >$1.ext &&\n"
	"	openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $3 "
	"-extfile $1.ext -out $1.crt 2>>log && cat $1.key $1.crt >$1.pem\n"
	"}\n"
	"make good localhost 30 && make other other.example 30 && make old localhost -1 &&\n"
	"mkdir certs && cp ca.pem certs && openssl rehash certs\n";

static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
static const char longer[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello";
static const char unbounded[] = "HTTP/1.1 200 OK\r\n\r\nhello";

static struct xb_proc tls_server = XB_PROC_NONE;

static int stop_server(void **state)
{
	(void)state;
	xb_proc_clear(&tls_server);
	return 0;
}

static int group_setup(void **state)
{
	xb_autofree char *line = NULL;

	if (scratch_setup(state) < 0)
		return -1;
	line = xb_format("cd '%s'\n%s", scratch, make_certificates);
	return scratch_run((const char *[]){ "sh", "-c", line, NULL });
}

/* Start the server; returns its port. */
static unsigned start(const char *cert, const char *how, const char *reply)
{
	xb_autofree char *pem = xb_format("%s/%s.pem", scratch, cert);
	char *argv[] = { strdup("python3"), strdup("-Wignore"),
			 strdup("-c"),	    strdup(server_program),
			 strdup(pem),	    strdup(how),
			 strdup(reply),	    NULL };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_proc_fd fds[] = { { -1, STDOUT_FILENO }, { STDERR_FILENO, STDERR_FILENO } };
	const struct xb_proc_spec spec = {
		.path = "python3", .argv = argv, .fds = fds, .fd_count = 2
	};
	char line[16] = "";
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	fds[0].from = ends[1];
	if (xb_proc_spawn(&spec, &tls_server, &err) < 0)
		fail_msg("%s", err.message);
	(void)close(ends[1]);
	for (size_t at = 0; strchr(line, '\n') == NULL; at++)
		assert_int_equal(read(ends[0], line + at, 1), 1);
	(void)close(ends[0]);
	for (size_t i = 0; argv[i] != NULL; i++)
		free(argv[i]);
	return (unsigned)strtoul(line, NULL, 10);
}

/* One request; returns its result, and the body's size where it worked. */
static int request_of(const char *url, const struct xb_http_tls *tls,
		      struct xb_http_response *response, struct xb_error *err)
{
	xb_auto_http struct xb_http *http = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;

	request.url = url;
	request.tls = tls;
	request.attempts = 2;
	request.pause_ms = 1;
	assert_int_equal(xb_http_new(&http, NULL), 0);
	return xb_http_perform(http, &request, response, err);
}

struct row {
	const char *name;
	const char *cert;
	const char *how;
	const char *reply;
	const char *trust; /* SSL_CERT_FILE */
	const char *trust_dir;
	int r;
	const char *ca; /* of the request alone */
	bool insecure;	/* likewise */
};

static const struct row rows[] = {
	{ "a certificate of nobody's", "good", "", hello, NULL, NULL, -EKEYREJECTED },
	{ "SSL_CERT_FILE names its maker", "good", "", hello, "ca.pem", NULL, 0 },
	{ "SSL_CERT_DIR names its maker", "good", "", hello, NULL, "certs", 0 },
	{ "SSL_CERT_FILE names another", "good", "", hello, "other.crt", NULL, -EKEYREJECTED },
	{ "SSL_CERT_FILE names nothing", "good", "", hello, "no-such-file", NULL, -EKEYREJECTED },
	{ "a certificate for another host", "other", "", hello, "ca.pem", NULL, -EKEYREJECTED },
	{ "an expired certificate", "old", "", hello, "ca.pem", NULL, -EKEYREJECTED },
	{ "TLS 1.1", "good", "old", hello, "ca.pem", NULL, -EPROTO },
	{ "no TLS at all", "good", "plain", hello, "ca.pem", NULL, -EPROTO },
	{ "a body that ends with the connection", "good", "", unbounded, "ca.pem", NULL, 0 },
	{ "one that somebody on the way has cut", "good", "cut", longer, "ca.pem", NULL,
	  -ECONNRESET },
	{ "the request names its maker", "good", "", hello, NULL, NULL, 0, "ca.pem" },
	{ "the request names its maker, for another host", "other", "", hello, NULL, NULL,
	  -EKEYREJECTED, "ca.pem" },
	{ "the request names no file", "good", "", hello, NULL, NULL, -EKEYREJECTED, "none" },
	{ "whatever comes is believed", "old", "", hello, NULL, NULL, 0, NULL, true },
	{ "a redirect to http", "good", "",
	  "HTTP/1.1 302 x\r\nLocation: http://localhost:1/x\r\nContent-Length: 0\r\n\r\n", "ca.pem",
	  NULL, -EPERM },
};

static void trust(const struct row *row)
{
	xb_autofree char *file = xb_format("%s/%s", scratch, row->trust);
	xb_autofree char *dir = xb_format("%s/%s", scratch, row->trust_dir);

	(void)unsetenv("SSL_CERT_FILE");
	(void)unsetenv("SSL_CERT_DIR");
	if (row->trust != NULL)
		(void)setenv("SSL_CERT_FILE", file, 1);
	if (row->trust_dir != NULL)
		(void)setenv("SSL_CERT_DIR", dir, 1);
}

static void check_row(void **state)
{
	const struct row *row = *state;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *url = NULL;
	xb_autofree char *ca = row->ca != NULL ? xb_format("%s/%s", scratch, row->ca) : NULL;
	const struct xb_http_tls tls = { .ca_file = ca, .insecure = row->insecure };
	int r;

	url = xb_format("https://localhost:%u/f", start(row->cert, row->how, row->reply));
	trust(row);
	r = request_of(url, &tls, &response, &err);
	if (r != row->r)
		fail_msg("%d instead of %d: %s", r, row->r, err.message != NULL ? err.message : "");
	if (r == 0) {
		assert_int_equal(response.status, 200);
		assert_int_equal(response.size, 5);
		return;
	}
	assert_int_equal(err.fault, XB_FAULT_REGISTRY);
	assert_non_null(strstr(err.message, "https://localhost:"));
	if (r == -EKEYREJECTED)
		assert_non_null(strstr(err.hint, "SSL_CERT_FILE"));
}

static void from_http_to_https(void **state)
{
	struct server_step script[2] = { 0 };
	struct server plain;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_autofree char *reply = NULL;
	xb_autofree char *url = NULL;

	(void)state;
	trust(&rows[1]);
	reply = xb_format("HTTP/1.1 302 x\r\nLocation: https://localhost:%u/x\r\n\r\n",
			  start("good", "", hello));
	script[0].reply = reply;
	server_start(&plain, script);
	url = xb_format("http://localhost:%u/f", plain.ports[0]);
	assert_int_equal(request_of(url, NULL, &response, NULL), 0);
	server_finish(&plain);
	assert_int_equal(response.size, 5);
	assert_int_equal(strncmp(response.origin, "https://", 8), 0);
}

int main(void)
{
	static const struct CMUnitTest others[] = { cmocka_unit_test_teardown(from_http_to_https,
									      stop_server) };
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
						.teardown_func = stop_server,
						.initial_state = state.to };
	}
	failed = cmocka_run_group_tests_name("rows", tests, group_setup, scratch_teardown);
	return failed +
	       cmocka_run_group_tests_name("others", others, group_setup, scratch_teardown);
}
