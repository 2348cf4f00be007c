/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/http_curl.h"
#include "base/http_header.h"

enum {
	STALL_BYTES = 100, /* a second, fewer are nearly nothing */
	DEFAULT_STALL = 60,
	DEFAULT_CONNECT = 30,
	POLL_MS = 1000, /* how often libcurl looks at its clocks at least */
	FIRST_FINAL_STATUS = 200,
};

struct xb_http {
	const struct xb_curl *curl;
	CURL *easy;
	CURLM *multi; /* holds the open connections */
};

int xb_http_new(struct xb_http **ret, struct xb_error *err)
{
	const struct xb_curl *curl = xb_curl_get(err);
	struct xb_http *http;

	if (curl == NULL)
		return -ENOSYS;
	http = xb_calloc(1, sizeof(*http));
	http->curl = curl;
	http->easy = curl->easy_init();
	http->multi = curl->multi_init();
	if (http->easy == NULL || http->multi == NULL)
		xb_die("out of memory");
	/* its own pair of sockets is not, and no child is to have it */
	(void)close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	*ret = http;
	return 0;
}

void xb_http_free(struct xb_http *http)
{
	if (http == NULL)
		return;
	http->curl->easy_cleanup(http->easy);
	(void)http->curl->multi_cleanup(http->multi);
	free(http);
}

/* What libcurl's callbacks work on. */
struct run {
	struct xb_http_exchange *x;
	struct xb_error *err;
	int failure;	     /* what a callback ended the exchange with, 0: nothing did */
	bool enough;	     /* `body` wants no more */
	bool complete;	     /* the headers of an answer, interim or final, are complete */
	bool began;	     /* `head` was called */
	bool link_local;     /* an address was refused */
	size_t header_bytes; /* of all answers of this exchange */
	size_t header_lines;
	char text[CURL_ERROR_SIZE]; /* what libcurl says about a failure */
};

static size_t fail(struct run *run, int r)
{
	run->failure = r;
	return 0;
}

/* The headers of the final answer are complete. */
static int begin(struct run *run)
{
	run->began = true;
	return run->x->head(run->x->context, run->x, run->err);
}

/* "HTTP/1.1 200 OK", "HTTP/2 200" */
static int read_status(struct run *run, struct xb_view line)
{
	struct xb_view rest = line, version, digits;
	uint64_t status = 0;

	(void)xb_view_split(&rest, ' ', &version);
	digits = xb_view_sub(rest, 0, 3);
	if (!xb_view_starts(version, XB_VIEW("HTTP/")) || digits.len != 3 ||
	    xb_view_parse_u64(digits, 999, &status) < 0 || status < 100)
		return xb_error_set(run->err, -EPROTO, "the answer is not HTTP");
	xb_strv_clear(&run->x->answer);
	run->x->status = (int)status;
	run->complete = false;
	return 0;
}

static int take_header(struct run *run, struct xb_view line)
{
	run->header_bytes += line.len;
	run->header_lines++;
	if (run->header_bytes > XB_MAX_HTTP_HEADERS || run->header_lines > XB_MAX_HTTP_HEADER_LINES)
		return xb_error_set(run->err, -EPROTO, "the answer has too many headers");
	/* behind the body: trailers, which nobody asked for */
	if (run->began)
		return 0;
	if (run->x->status == 0 || run->complete)
		return read_status(run, line);
	if (xb_view_trim(line).len == 0) {
		run->complete = true;
		return run->x->status >= FIRST_FINAL_STATUS ? begin(run) : 0;
	}
	return xb_http_header_add(&run->x->answer, line, run->err);
}

static size_t on_header(char *data, size_t size, size_t count, void *context)
{
	struct run *run = context;
	int r = take_header(run, (struct xb_view){ data, size * count });

	return r < 0 ? fail(run, r) : size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *context)
{
	struct run *run = context;
	size_t len = size * count;
	int r = run->x->body(run->x->context, data, len, run->err);

	if (r < 0)
		return fail(run, r);
	run->x->received += len;
	run->enough = r > 0;
	return run->enough ? 0 : len;
}

static size_t on_send(char *data, size_t size, size_t count, void *context)
{
	struct run *run = context;
	const struct xb_http_request *request = run->x->request;
	ssize_t n = !run->x->send_body
			    ? 0
			    : request->read(request->context, data, size * count, run->err);

	if (n >= 0)
		return (size_t)n;
	run->failure = (int)n;
	return CURL_READFUNC_ABORT;
}

/* A connection that had been kept open was gone: the body has to be sent again. */
static int on_seek(void *context, curl_off_t offset, int origin)
{
	struct run *run = context;
	const struct xb_http_request *request = run->x->request;

	if (offset != 0 || origin != SEEK_SET || request->rewind == NULL)
		return CURL_SEEKFUNC_CANTSEEK;
	run->failure = request->rewind(request->context, run->err);
	return run->failure < 0 ? CURL_SEEKFUNC_FAIL : CURL_SEEKFUNC_OK;
}

static bool is_link_local(const struct curl_sockaddr *address)
{
	const struct sockaddr_in *v4 = (const void *)&address->addr;
	const struct sockaddr_in6 *v6 = (const void *)&address->addr;
	const unsigned char *bytes;

	if (address->family == AF_INET)
		bytes = (const unsigned char *)&v4->sin_addr;
	else if (address->family != AF_INET6)
		return false;
	else if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		bytes = v6->sin6_addr.s6_addr + 12;
	else
		return IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
	return bytes[0] == 169 && bytes[1] == 254;
}

static curl_socket_t on_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct run *run = context;

	(void)purpose;
	if (run->x->redirected && is_link_local(address)) {
		run->link_local = true;
		return CURL_SOCKET_BAD;
	}
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* What libcurl's codes mean; `again`: it may pass. */
static const struct {
	CURLcode code;
	int r;
	bool again;
} meanings[] = {
	/* the resolver has tried again itself */
	{ CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH, false },
	{ CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH, false },
	{ CURLE_COULDNT_CONNECT, -ECONNREFUSED, true },
	{ CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT, true },
	{ CURLE_PARTIAL_FILE, -ECONNRESET, true },
	{ CURLE_GOT_NOTHING, -ECONNRESET, true },
	{ CURLE_SEND_ERROR, -ECONNRESET, true },
	{ CURLE_SEND_FAIL_REWIND, -ECONNRESET, true },
	{ CURLE_RECV_ERROR, -ECONNRESET, true },
	{ CURLE_HTTP2, -ECONNRESET, true },
	{ CURLE_HTTP2_STREAM, -ECONNRESET, true },
	{ CURLE_SSL_CONNECT_ERROR, -EPROTO, true },
	{ CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED, false },
	{ CURLE_SSL_ISSUER_ERROR, -EKEYREJECTED, false },
	{ CURLE_SSL_CACERT_BADFILE, -EKEYREJECTED, false },
	{ CURLE_SSL_CERTPROBLEM, -EKEYREJECTED, false },
};

/* What more libcurl knows about a connection that was not made. */
static int refine(const struct xb_http *http, struct run *run, int r)
{
	long connect_status = 0, os_error = 0;

	(void)http->curl->easy_getinfo(http->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
	(void)http->curl->easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &os_error);
	if (r == -ECONNREFUSED && os_error > 0)
		return -(int)os_error;
	/* the proxy says no, and will again */
	if (r == -ECONNRESET && connect_status >= 300) {
		run->x->again = false;
		return -EPROTO;
	}
	return r;
}

static int explain(const struct xb_http *http, struct run *run, CURLcode code)
{
	const char *text = run->text[0] != '\0' ? run->text : http->curl->easy_strerror(code);
	int r = -EPROTO;

	for (size_t i = 0; i < XB_COUNT(meanings); i++) {
		if (meanings[i].code == code) {
			r = meanings[i].r;
			run->x->again = meanings[i].again;
		}
	}
	r = refine(http, run, r);
	if (run->link_local) {
		run->x->again = false;
		return xb_error_set(run->err, -EPERM, "a redirect to a link-local address");
	}
	(void)xb_error_set(run->err, r, "%s", text);
	if (r == -EKEYREJECTED)
		(void)xb_error_hint(run->err, "SSL_CERT_FILE names the certificates to trust where "
					      "the system's do not do");
	return r;
}

/* The end of an exchange: an error of a callback comes before what libcurl makes of it. */
static int finish(const struct xb_http *http, struct run *run, CURLcode code)
{
	if (run->failure < 0)
		return run->failure;
	if (code != CURLE_OK && !run->enough)
		return explain(http, run, code);
	return run->began ? 0 : xb_error_set(run->err, -EPROTO, "the answer has no status");
}

static void set_limits(const struct xb_http *http, const struct xb_http_request *request)
{
	const struct xb_curl *c = http->curl;
	unsigned stall = request->stall_seconds != 0 ? request->stall_seconds : DEFAULT_STALL;
	unsigned connect =
		request->connect_seconds != 0 ? request->connect_seconds : DEFAULT_CONNECT;

	(void)c->easy_setopt(http->easy, CURLOPT_NOSIGNAL, 1L);
	(void)c->easy_setopt(http->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	(void)c->easy_setopt(http->easy, CURLOPT_FOLLOWLOCATION, 0L);
	/* whoever cancels does not wait for an answer about a name */
	(void)c->easy_setopt(http->easy, CURLOPT_QUICK_EXIT, 1L);
	(void)c->easy_setopt(http->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	(void)c->easy_setopt(http->easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	(void)c->easy_setopt(http->easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	(void)c->easy_setopt(http->easy, CURLOPT_LOW_SPEED_LIMIT, (long)STALL_BYTES);
	(void)c->easy_setopt(http->easy, CURLOPT_LOW_SPEED_TIME, (long)stall);
	(void)c->easy_setopt(http->easy, CURLOPT_CONNECTTIMEOUT, (long)connect);
}

static void set_path(const struct xb_http *http, CURLoption option, const char *path)
{
	if (path != NULL && path[0] != '\0')
		(void)http->curl->easy_setopt(http->easy, option, path);
}

/* What holds for this host alone. */
static void set_host_tls(const struct xb_http *http, const struct xb_http_tls *tls)
{
	const struct xb_curl *c = http->curl;

	set_path(http, CURLOPT_SSLCERT, tls->cert_file);
	set_path(http, CURLOPT_SSLKEY, tls->key_file != NULL ? tls->key_file : tls->cert_file);
	if (tls->insecure) {
		(void)c->easy_setopt(http->easy, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)c->easy_setopt(http->easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_tls(const struct xb_http *http, const struct xb_http_exchange *x)
{
	const struct xb_curl *c = http->curl;
	const struct xb_http_tls *tls = x->tls;

	(void)c->easy_setopt(http->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	(void)c->easy_setopt(http->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	(void)c->easy_setopt(http->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	set_path(http, CURLOPT_CAINFO, getenv("SSL_CERT_FILE"));
	set_path(http, CURLOPT_CAPATH, getenv("SSL_CERT_DIR"));
	if (tls == NULL)
		return;
	set_path(http, CURLOPT_CAINFO, tls->ca_file);
	set_path(http, CURLOPT_CAPATH, tls->ca_dir);
	if (!x->left)
		set_host_tls(http, tls);
}

static void set_callbacks(const struct xb_http *http, struct run *run)
{
	const struct xb_curl *c = http->curl;

	(void)c->easy_setopt(http->easy, CURLOPT_ERRORBUFFER, run->text);
	(void)c->easy_setopt(http->easy, CURLOPT_HEADERFUNCTION, on_header);
	(void)c->easy_setopt(http->easy, CURLOPT_HEADERDATA, run);
	(void)c->easy_setopt(http->easy, CURLOPT_WRITEFUNCTION, on_body);
	(void)c->easy_setopt(http->easy, CURLOPT_WRITEDATA, run);
	(void)c->easy_setopt(http->easy, CURLOPT_READFUNCTION, on_send);
	(void)c->easy_setopt(http->easy, CURLOPT_READDATA, run);
	(void)c->easy_setopt(http->easy, CURLOPT_SEEKFUNCTION, on_seek);
	(void)c->easy_setopt(http->easy, CURLOPT_SEEKDATA, run);
	(void)c->easy_setopt(http->easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	(void)c->easy_setopt(http->easy, CURLOPT_OPENSOCKETDATA, run);
}

static void set_request(const struct xb_http *http, const struct xb_http_exchange *x)
{
	const struct xb_curl *c = http->curl;
	bool bodiless = strcmp(x->method, "GET") == 0 || strcmp(x->method, "DELETE") == 0;

	(void)c->easy_setopt(http->easy, CURLOPT_URL, x->url->text);
	if (x->decode)
		(void)c->easy_setopt(http->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (strcmp(x->method, "HEAD") == 0) {
		(void)c->easy_setopt(http->easy, CURLOPT_NOBODY, 1L);
	} else if (!bodiless || x->send_body) {
		(void)c->easy_setopt(http->easy, CURLOPT_UPLOAD, 1L);
		(void)c->easy_setopt(http->easy, CURLOPT_INFILESIZE_LARGE,
				     (curl_off_t)(x->send_body ? x->request->body_size : 0));
	}
	if (strcmp(x->method, "HEAD") != 0 && strcmp(x->method, "GET") != 0)
		(void)c->easy_setopt(http->easy, CURLOPT_CUSTOMREQUEST, x->method);
}

static struct curl_slist *make_headers(const struct xb_curl *c, const struct xb_strv *lines)
{
	/* no waiting for a "100 Continue" that may never come */
	struct curl_slist *list = c->slist_append(NULL, "Expect:");

	for (size_t i = 0; i < lines->len; i++)
		list = c->slist_append(list, lines->items[i]);
	return list;
}

/* Wait for the network or the end of patience: 0, or -ECANCELED. */
static int wait_for_more(const struct xb_http *http, struct run *run)
{
	struct curl_waitfd cancel = { .fd = run->x->request->cancel_fd,
				      .events = CURL_WAIT_POLLIN };

	if (http->curl->multi_poll(http->multi, &cancel, cancel.fd >= 0, POLL_MS, NULL) != CURLM_OK)
		return xb_error_set(run->err, -EIO, "waiting for the network failed");
	if (cancel.fd < 0 || (cancel.revents & (CURL_WAIT_POLLIN | POLLHUP | POLLERR)) == 0)
		return 0;
	(void)xb_error_set(run->err, -ECANCELED, "interrupted");
	(void)xb_error_fault(run->err, XB_FAULT_INTERRUPTED);
	return -ECANCELED;
}

/* Let libcurl work until the exchange has ended, and say how. */
static int drive(const struct xb_http *http, struct run *run)
{
	int running = 1, left, r = 0;
	CURLMsg *message;

	while (r >= 0 && running > 0) {
		if (http->curl->multi_perform(http->multi, &running) != CURLM_OK)
			return xb_error_set(run->err, -EIO, "libcurl gave up");
		if (running > 0)
			r = wait_for_more(http, run);
	}
	if (r < 0)
		return r;
	message = http->curl->multi_info_read(http->multi, &left);
	return finish(http, run, message != NULL ? message->data.result : CURLE_FAILED_INIT);
}

void xb_http_exchange_clear(struct xb_http_exchange *x)
{
	xb_strv_clear(&x->answer);
}

int xb_http_exchange_run(struct xb_http *http, struct xb_http_exchange *x, struct xb_error *err)
{
	struct run run = { .x = x, .err = err };
	struct curl_slist *headers = make_headers(http->curl, x->headers);
	int r;

	/* connections stay, options do not: nothing of the last request gets into this one */
	http->curl->easy_reset(http->easy);
	set_limits(http, x->request);
	set_tls(http, x);
	set_callbacks(http, &run);
	set_request(http, x);
	(void)http->curl->easy_setopt(http->easy, CURLOPT_HTTPHEADER, headers);
	if (http->curl->multi_add_handle(http->multi, http->easy) != CURLM_OK)
		xb_die("libcurl refuses a request");
	r = drive(http, &run);
	(void)http->curl->multi_remove_handle(http->multi, http->easy);
	http->curl->easy_reset(http->easy); /* it knows `run` */
	http->curl->slist_free_all(headers);
	return r;
}
