/* SPDX-License-Identifier: Apache-2.0 */
/* Requests against a scripted server: each row says what is asked, what is answered, what comes
 * out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/http_header.h"
#include "tests/unit/base/http_server.h"

#define OK(length) "HTTP/1.1 200 OK\r\nContent-Length: " #length "\r\n"
#define HELLO	   OK(5) "\r\nhello"
#define MOVED(to)  "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " to "\r\n\r\n"
#define TAGGED	   "ETag: \"v1\"\r\n"
#define CUT	   OK(10) TAGGED "\r\nhell"
#define PART(range)                                                                                \
	"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " range "\r\nContent-Length: 6\r\n"
#define WHOLE OK(10) TAGGED "\r\n0123456789"

#define SECRET	 "s3cret"
#define BASIC	 "uthorization: Basic dTpzM2NyZXQ="
#define NO_BASIC "!uthorization"

struct row {
	const char *name;
	struct server_step script[14];
	const char *method;
	const char *path;	   /* NULL: "/f" */
	bool user;		   /* the URL has a user name and password */
	const char *authorization; /* of the request */
	const char *header;	   /* one more line of the request */
	const char *send;	   /* body of the request */
	bool no_rewind;
	uint64_t max_size; /* 0: no limit */
	unsigned attempts; /* 0: 3 */
	int r;
	int status; /* with r 0; 0 stands for 200 */
	const char *body;
	unsigned begins;     /* how often the body began; 0: any */
	const char *message; /* what has to be in the error */
	const char *origin;  /* port of it in the answer */
	uint64_t from;	     /* of the request */
	bool redirected;     /* likewise */
};

/* what a row does not say is zero */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static const struct row rows[] = {
	/* bodies */
	{ "a body with its length",
	  { { HELLO, "GET /f?query HTTP/1.1|Accept-Encoding: identity" } },
	  .body = "hello",
	  .begins = 1 },
	{ "a chunked body",
	  { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
	      "chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n" } },
	  .body = "hello",
	  .begins = 1 },
	{ "a chunked body with trailers",
	  { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nETag: "
	      "\"t\"\r\n\r\n" } },
	  .body = "hello" },
	{ "a body up to the end", { { "HTTP/1.0 200 OK\r\n\r\nhello" } }, .body = "hello" },
	{ "an empty body begins too", { { OK(0) "\r\n" } }, .body = "", .begins = 1 },
	{ "no content", { { "HTTP/1.1 204 No Content\r\n\r\n" } }, .status = 204, .body = "" },
	{ "HEAD has a length and no body",
	  { { OK(5) "\r\n", "HEAD /f" } },
	  .method = "HEAD",
	  .body = "" },
	{ "an encoding is not undone",
	  { { OK(5) "Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08zz" } },
	  .body = "\x1f\x8b\x08zz" },
	{ "early hints come before",
	  { { "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" HELLO } },
	  .body = "hello" },
	{ "the same length twice",
	  { { OK(5) "Content-Length: 5\r\n\r\nhello" } },
	  .body = "hello" },
	{ "two lengths", { { OK(5) "Content-Length: 6\r\n\r\nhello!" } }, .r = -EPROTO },
	{ "a length that is none",
	  { { "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello" } },
	  .r = -EPROTO },
	{ "a negative length",
	  { { "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello" } },
	  .r = -EPROTO },
	{ "a length beside chunks that is another",
	  { { OK(9) "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" } },
	  .attempts = 1,
	  .r = -ECONNRESET,
	  .message = "5 bytes came of 9" },
	{ "an announced body above the limit",
	  { { OK(99999999) "\r\n", NULL, TAIL_SILENT } },
	  .max_size = 100,
	  .r = -EFBIG },
	{ "an endless body",
	  { { "HTTP/1.1 200 OK\r\n\r\n", NULL, TAIL_ENDLESS } },
	  .max_size = 1 << 20,
	  .r = -EFBIG },
	{ "an endless body of chunks",
	  { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n", NULL,
	      TAIL_ENDLESS } },
	  .max_size = 1 << 20,
	  .r = -EFBIG },
	{ "a body of exactly the limit", { { HELLO } }, .max_size = 5, .body = "hello" },

	/* cut and continued */
	{ "a short body starts anew without a validator",
	  { { OK(5) "\r\nhe" }, { HELLO, "!Range" } },
	  .body = "hello",
	  .begins = 2 },
	{ "a short body is continued",
	  { { CUT }, { PART("4-9/10") TAGGED "\r\nolleh!", "Range: bytes=4-|If-Range: \"v1\"" } },
	  .body = "hellolleh!",
	  .begins = 1 },
	{ "a reset connection is continued",
	  {
		  { CUT, NULL, TAIL_RESET },
		  { PART("4-9/10") TAGGED "\r\nolleh!" },
	  },
	  .begins = 0 },
	{ "a body is continued by its date",
	  { { OK(10) "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		     "Date: Sun, 06 Nov 1994 09:49:37 GMT\r\n\r\nhell" },
	    { PART("4-9/10") "\r\nolleh!", "If-Range: Sun, 06 Nov 1994 08:49:37 GMT" } },
	  .body = "hellolleh!",
	  .begins = 1 },
	{ "not by a date that may be of two versions",
	  { { OK(10) "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		     "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nhell" },
	    { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "not by a weak tag",
	  { { OK(10) "ETag: W/\"v1\"\r\n\r\nhell" }, { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "not where the server does not",
	  { { OK(10) TAGGED "Accept-Ranges: none\r\n\r\nhell" }, { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "a changed body starts anew",
	  { { CUT }, { WHOLE, "Range: bytes=4-" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "a part that begins elsewhere",
	  { { CUT }, { PART("3-8/10") TAGGED "\r\nxxxxxx" }, { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "a part of another total",
	  { { CUT }, { PART("4-9/11") TAGGED "\r\nxxxxxx" }, { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "a part of another version",
	  { { CUT }, { PART("4-9/10") "ETag: \"v2\"\r\n\r\nxxxxxx" }, { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "a part that does not say which",
	  { { CUT },
	    { "HTTP/1.1 206 Part\r\nContent-Length: 6\r\n\r\nxxxxxx" },
	    { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "there is no such part",
	  { { CUT }, { "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n" }, { WHOLE, "!Range" } },
	  .body = "0123456789",
	  .begins = 2 },
	{ "a part that ends too early is continued",
	  { { CUT },
	    { "HTTP/1.1 206 Part\r\nContent-Range: bytes 4-5/10\r\nContent-Length: 2\r\n" TAGGED
	      "\r\nxx" },
	    { "HTTP/1.1 206 Part\r\nContent-Range: bytes 6-9/10\r\nContent-Length: 4\r\n\r\n6789",
	      "Range: bytes=6-" } },
	  .body = "hellxx6789",
	  .begins = 1 },
	{ "a part that nobody asked for", { { PART("0-5/6") "\r\nhello!" } }, .r = -EPROTO },
	{ "cut each time",
	  { { OK(5) "\r\nhe" }, { OK(5) "\r\nhe" }, { OK(5) "\r\nhe" } },
	  .r = -ECONNRESET },
	{ "the rest of a body",
	  { { PART("4-9/10") "\r\nolleh!", "Range: bytes=4-|!If-Range" } },
	  .from = 4,
	  .status = 206,
	  .body = "olleh!" },
	{ "all of a body whose rest was asked for",
	  { { WHOLE, "Range: bytes=4-" } },
	  .from = 4,
	  .body = "0123456789" },
	{ "a rest that is cut is asked for by the caller",
	  { { PART("4-9/10") TAGGED "\r\noll" } },
	  .from = 4,
	  .r = -ECONNRESET },
	{ "a URL of another origin's answer gets no credentials",
	  { { HELLO, NO_BASIC } },
	  .authorization = "Basic dTpzM2NyZXQ=",
	  .redirected = true,
	  .body = "hello" },
	{ "chunks that are cut",
	  { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel" }, { HELLO } },
	  .body = "hello" },

	/* redirects */
	{ "301",
	  { { "HTTP/1.1 301 x\r\nLocation: /g\r\nContent-Length: 2\r\n\r\nno" },
	    { HELLO, "GET /g" } },
	  .body = "hello",
	  .begins = 1 },
	{ "302, relative", { { MOVED("g?q") }, { HELLO, "GET /g?q " } }, .body = "hello" },
	{ "303",
	  { { "HTTP/1.1 303 x\r\nLocation: ../g\r\n\r\n" }, { HELLO, "GET /g " } },
	  .body = "hello" },
	{ "307, absolute",
	  { { "HTTP/1.1 307 x\r\nLocation: http://127.0.0.1:{1}/g\r\n\r\n" },
	    { HELLO, "GET /g ", .port = 1 } },
	  .body = "hello",
	  .origin = "{1}" },
	{ "308, without a scheme",
	  { { "HTTP/1.1 308 x\r\nLocation: //127.0.0.1:{1}/g\r\n\r\n" },
	    { HELLO, "GET /g ", .port = 1 } },
	  .body = "hello" },
	{ "HEAD stays HEAD",
	  { { "HTTP/1.1 303 x\r\nLocation: /g\r\n\r\n" }, { OK(5) "\r\n", "HEAD /g" } },
	  .method = "HEAD",
	  .body = "" },
	{ "a space in a location",
	  { { MOVED("/a b") }, { HELLO, "GET /a%20b " } },
	  .body = "hello" },
	{ "a fragment in a location",
	  { { MOVED("/g#frag") }, { HELLO, "GET /g |!frag" } },
	  .body = "hello" },
	{ "a redirect that leads nowhere",
	  { { "HTTP/1.1 302 x\r\nContent-Length: 2\r\n\r\nno" } },
	  .status = 302 },
	{ "an endless body of a redirect",
	  { { "HTTP/1.1 302 x\r\nLocation: /g\r\n\r\n", NULL, TAIL_ENDLESS }, { HELLO } },
	  .body = "hello" },
	{ "two locations",
	  { { "HTTP/1.1 302 x\r\nLocation: /a\r\nLocation: /b\r\n\r\n" } },
	  .r = -EPROTO },
	{ "ten redirects",
	  { { MOVED("/1") },
	    { MOVED("/2") },
	    { MOVED("/3") },
	    { MOVED("/4") },
	    { MOVED("/5") },
	    { MOVED("/6") },
	    { MOVED("/7") },
	    { MOVED("/8") },
	    { MOVED("/9") },
	    { MOVED("/10") },
	    { HELLO, "GET /10 " } },
	  .body = "hello" },
	{ "eleven redirects",
	  { { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") },
	    { MOVED("/f") } },
	  .r = -ELOOP },
	{ "to a file", { { MOVED("file:///etc/passwd") } }, .r = -EPERM },
	{ "to gopher", { { MOVED("gopher://127.0.0.1:{1}/x") } }, .r = -EPERM },
	{ "to ftp", { { MOVED("ftp://127.0.0.1:{1}/x") } }, .r = -EPERM },
	{ "to data", { { MOVED("data:text/plain,hello") } }, .r = -EPERM },
	{ "to what is no URL", { { MOVED("http://[::") } }, .r = -EPERM },
	{ "to a link-local address",
	  { { MOVED("http://169.254.169.254/latest/meta-data/") } },
	  .r = -EPERM,
	  .message = "link-local" },
	{ "to one as an IPv6 address",
	  { { MOVED("http://[::ffff:169.254.169.254]/") } },
	  .r = -EPERM,
	  .message = "link-local" },
	{ "to one in another spelling",
	  { { MOVED("http://0xa9fea9fe/") } },
	  .r = -EPERM,
	  .message = "link-local" },

	/* credentials */
	{ "of the URL", { { HELLO, BASIC } }, .user = true, .body = "hello" },
	{ "of the request come first",
	  { { HELLO, "uthorization: Bearer t|!Basic" } },
	  .user = true,
	  .authorization = "Bearer t",
	  .body = "hello" },
	{ "stay with their origin",
	  { { MOVED("/g"), BASIC }, { HELLO, BASIC } },
	  .user = true,
	  .body = "hello" },
	{ "do not go to another port",
	  { { MOVED("http://127.0.0.1:{1}/g"), BASIC }, { HELLO, NO_BASIC, .port = 1 } },
	  .user = true,
	  .attempts = 1,
	  .body = "hello" },
	{ "do not come back",
	  { { MOVED("http://127.0.0.1:{1}/g"), BASIC },
	    { MOVED("http://127.0.0.1:{0}/h"), NO_BASIC, .port = 1 },
	    { HELLO, NO_BASIC } },
	  .user = true,
	  .body = "hello" },
	{ "another name is another origin",
	  { { MOVED("http://localhost:{0}/g"), BASIC }, { HELLO, NO_BASIC } },
	  .user = true,
	  .body = "hello" },
	{ "of a location are not taken",
	  { { MOVED("http://evil:pw@127.0.0.1:{0}/g") }, { HELLO, "!uthorization|!evil" } },
	  .body = "hello" },
	{ "a cookie is not kept",
	  { { "HTTP/1.1 302 x\r\nSet-Cookie: a=b\r\nLocation: /g\r\n\r\n" }, { HELLO, "!ookie" } },
	  .body = "hello" },
	{ "that would be two headers",
	  { { NULL } },
	  .authorization = "Bearer t\r\nX: y",
	  .r = -EINVAL },
	{ "of another place", { { NULL } }, .header = "Authorization: Basic eDp5", .r = -EINVAL },
	{ "a header that would be two", { { NULL } }, .header = "A: b\r\nX: y", .r = -EINVAL },
	{ "a header of the request",
	  { { HELLO, "If-None-Match: \"x\"" } },
	  .header = "If-None-Match: \"x\"",
	  .body = "hello" },

	/* statuses */
	{ "304", { { "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n" } }, .status = 304 },
	{ "401", { { "HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nwho" } }, .status = 401 },
	{ "404", { { "HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nwho" } }, .status = 404 },
	{ "404 without an end",
	  { { "HTTP/1.1 404 No\r\n\r\n", NULL, TAIL_ENDLESS } },
	  .status = 404 },
	{ "429 passes",
	  { { "HTTP/1.1 429 x\r\nRetry-After: 0\r\n\r\n" }, { HELLO } },
	  .body = "hello" },
	{ "429 for too long",
	  { { "HTTP/1.1 429 x\r\nRetry-After: 3600\r\n\r\n" } },
	  .status = 429 },
	{ "408 passes", { { "HTTP/1.1 408 x\r\n\r\n" }, { HELLO } }, .body = "hello" },
	{ "503 passes",
	  { { "HTTP/1.1 503 x\r\n\r\nno" }, { "HTTP/1.1 502 x\r\n\r\n" }, { HELLO } },
	  .body = "hello",
	  .begins = 1 },
	{ "500 stays",
	  { { "HTTP/1.1 500 x\r\n\r\n" },
	    { "HTTP/1.1 500 x\r\n\r\n" },
	    { "HTTP/1.1 500 x\r\n\r\n" } },
	  .status = 500 },
	{ "501 is not asked again", { { "HTTP/1.1 501 x\r\n\r\n" } }, .status = 501 },
	{ "an error between two parts",
	  { { CUT }, { "HTTP/1.1 503 x\r\n\r\nsorry" }, { PART("4-9/10") TAGGED "\r\nolleh!" } },
	  .body = "hellolleh!",
	  .begins = 1 },
	{ "a redirect to the second part",
	  { { CUT },
	    { MOVED("/g"), "Range" },
	    { PART("4-9/10") TAGGED "\r\nolleh!", "GET /g|Range" } },
	  .body = "hellolleh!",
	  .begins = 1 },

	/* what is not HTTP */
	{ "no answer at all", { { "" }, { HELLO } }, .body = "hello" },
	{ "never an answer", { { "" }, { "" }, { "" } }, .r = -ECONNRESET },
	{ "a reset", { { "", NULL, TAIL_RESET }, { HELLO } }, .body = "hello" },
	{ "HTTP/0.9", { { "hello" } }, .r = -EPROTO },
	{ "a status that is none", { { "HTTP/1.1 2x0 OK\r\n\r\n" } }, .r = -EPROTO },
	{ "too many headers", { { OK(0), .repeat = "A: b\r\n", .times = 2000 } }, .r = -EPROTO },
	{ "headers that are too large",
	  { { OK(0),
	      .repeat = "A: 0123456789012345678901234567890123456789012345678901234567890123"
			"0123456789012345678901234567890123456789012345678901234567890123"
			"0123456789012345678901234567890123456789012345678901234567890123"
			"0123456789012345678901234567890123456789012345678901234567890123"
			"0123456789012345678901234567890123456789012345678901234567890123\r\n",
	      .times = 990 } },
	  .r = -EPROTO },
	{ "one header without an end", { { OK(0) "A: ", NULL, TAIL_ENDLESS } }, .r = -EPROTO },
	{ "interim answers without an end",
	  { { "", .repeat = "HTTP/1.1 100 Continue\r\n\r\n", .times = 3000 } },
	  .r = -EPROTO },
	{ "trailers without an end",
	  { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
	      .repeat = "A: b\r\n", .times = 3000 } },
	  .r = -EPROTO },
	{ "a zero byte in a value",
	  { { OK(0) "A: b\0c\r\n\r\n", .reply_len = sizeof(OK(0)) + 9 } },
	  .r = -EPROTO },
	{ "a zero byte in a name",
	  { { OK(0) "A\0x: b\r\n\r\n", .reply_len = sizeof(OK(0)) + 9 } },
	  .r = -EPROTO },
	{ "a control byte in a value", { { OK(0) "A: b\x01\r\n\r\n" } }, .r = -EPROTO },
	{ "a name that is none", { { OK(0) "A b: c\r\n\r\n" } }, .r = -EPROTO },
	{ "a header that is none", { { OK(0) "hello\r\n\r\n" } }, .r = -EPROTO },

	/* sending */
	{ "a body",
	  { { HELLO, "POST /f|Content-Length: 4|\r\n\r\nbody|!Expect" } },
	  .method = "POST",
	  .send = "body",
	  .body = "hello" },
	{ "an empty one",
	  { { HELLO, "POST /f|Content-Length: 0" } },
	  .method = "POST",
	  .body = "hello" },
	{ "DELETE", { { HELLO, "DELETE /f" } }, .method = "DELETE", .body = "hello" },
	{ "PUT is sent again",
	  { { "" }, { HELLO, "PUT /f|\r\n\r\nbody" } },
	  .method = "PUT",
	  .send = "body",
	  .body = "hello" },
	{ "PUT that cannot be",
	  { { "" } },
	  .method = "PUT",
	  .send = "body",
	  .no_rewind = true,
	  .r = -ECONNRESET },
	{ "POST is not sent again",
	  { { "" } },
	  .method = "POST",
	  .send = "body",
	  .r = -ECONNRESET },
	{ "303 makes it a GET",
	  { { "HTTP/1.1 303 x\r\nLocation: /g\r\n\r\n" }, { HELLO, "GET /g|!body" } },
	  .method = "POST",
	  .send = "body",
	  .body = "hello" },
	{ "307 sends it again",
	  { { "HTTP/1.1 307 x\r\nLocation: /g\r\n\r\n" }, { HELLO, "POST /g|\r\n\r\nbody" } },
	  .method = "POST",
	  .send = "body",
	  .body = "hello" },
	{ "307 cannot",
	  { { "HTTP/1.1 307 x\r\nLocation: /g\r\n\r\n" } },
	  .method = "POST",
	  .send = "body",
	  .no_rewind = true,
	  .r = -EPERM },

	/* time */
	{ "a server that drips",
	  { { OK(99999) "\r\n", NULL, TAIL_DRIP } },
	  .attempts = 1,
	  .r = -ETIMEDOUT },
	{ "a server that is silent",
	  { { "", NULL, TAIL_SILENT } },
	  .attempts = 1,
	  .r = -ETIMEDOUT },
};

/* What came, and what is sent. */
struct ends {
	struct xb_str body;
	unsigned begins;
	struct xb_view send;
	size_t sent;
};

static int begin(void *context, const struct xb_http_response *response, struct xb_error *err)
{
	struct ends *e = context;

	(void)err;
	assert_true(response->status >= 200 && response->status < 300);
	xb_str_reset(&e->body);
	e->begins++;
	return 0;
}

static int take(void *context, const void *data, size_t len, struct xb_error *err)
{
	struct ends *e = context;

	(void)err;
	return xb_str_append(&e->body, data, len);
}

static ssize_t give(void *context, void *data, size_t size, struct xb_error *err)
{
	struct ends *e = context;
	struct xb_view rest = xb_view_sub(e->send, e->sent, size < 3 ? size : 3);

	(void)err;
	memcpy(data, rest.data, rest.len);
	e->sent += rest.len;
	return (ssize_t)rest.len;
}

static int rewind_send(void *context, struct xb_error *err)
{
	(void)err;
	((struct ends *)context)->sent = 0;
	return 0;
}

static void check_answer(const struct row *row, const struct server *s, const struct ends *e,
			 const struct xb_http_response *response)
{
	char origin[64];

	assert_int_equal(response->status, row->status != 0 ? row->status : 200);
	if (row->body != NULL) {
		assert_string_equal(xb_str_text(&e->body), row->body);
		assert_int_equal(response->size, e->body.len);
	} else if (row->status != 0) {
		assert_int_equal(e->begins, 0);
	}
	(void)snprintf(origin, sizeof(origin), "http://127.0.0.1:%u", s->ports[1]);
	if (row->origin != NULL)
		assert_string_equal(response->origin, origin);
}

static void check_error(const struct row *row, const struct xb_error *err)
{
	assert_non_null(err->message);
	assert_true(err->fault != XB_FAULT_NONE);
	assert_null(strstr(err->message, SECRET));
	assert_null(strstr(err->message, "query"));
	if (row->message != NULL && strstr(err->message, row->message) == NULL)
		fail_msg("%s", err->message);
}

static void check_row(void **state)
{
	const struct row *row = *state;
	struct server server;
	struct ends ends = { .body = XB_STR_INIT(4 << 20), .send = xb_view(row->send) };
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	xb_autofree char *url = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;
	int r;

	server_start(&server, row->script);
	url = xb_format("http://%s127.0.0.1:%u%s", row->user ? "u:" SECRET "@" : "",
			server.ports[0], row->path != NULL ? row->path : "/f?query");
	if (row->header != NULL)
		xb_strv_push(&headers, row->header);
	request.url = url;
	request.method = row->method;
	request.authorization = row->authorization;
	request.from = row->from;
	request.redirected = row->redirected;
	request.headers = &headers;
	request.context = &ends;
	request.begin = begin;
	request.write = take;
	request.read = row->send != NULL ? give : NULL;
	request.rewind = row->no_rewind ? NULL : rewind_send;
	request.body_size = ends.send.len;
	request.max_size = row->max_size != 0 ? row->max_size : UINT64_MAX;
	request.attempts = row->attempts != 0 ? row->attempts : 3;
	request.pause_ms = 1;
	request.stall_seconds = 1;
	assert_int_equal(xb_http_new(&http, &err), 0);
	r = xb_http_perform(http, &request, &response, &err);
	if (r != row->r)
		print_message("%s\n", err.message != NULL ? err.message : "no error");
	server_finish(&server);
	if (r != row->r)
		fail_msg("%d instead of %d: %s", r, row->r, err.message != NULL ? err.message : "");
	if (r == 0)
		check_answer(row, &server, &ends, &response);
	else
		check_error(row, &err);
	if (row->begins != 0)
		assert_int_equal(ends.begins, row->begins);
	xb_str_clear(&ends.body);
}

/* what a row cannot say */

static void several_requests_of_a_client(void **state)
{
	static const struct server_step script[] = {
		{ HELLO, BASIC }, { HELLO, NO_BASIC "|!Range" }, { HELLO, "GET /f" }, { NULL }
	};
	struct server server;
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	(void)state;
	server_start(&server, script);
	assert_int_equal(xb_http_new(&http, &err), 0);
	for (int i = 0; i < 3; i++) {
		xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
		xb_autofree char *url = xb_format("http://%s127.0.0.1:%u/f",
						  i == 0 ? "u:" SECRET "@" : "", server.ports[0]);
		struct xb_http_request request = XB_HTTP_REQUEST_INIT;

		request.url = url;
		assert_int_equal(xb_http_perform(http, &request, &response, &err), 0);
		assert_int_equal(response.status, 200);
		assert_int_equal(response.size, 5);
	}
	server_finish(&server);
}

static void retry_after_is_waited_for(void **state)
{
	static const struct server_step script[] = { { "HTTP/1.1 429 x\r\nRetry-After: 1\r\n\r\n" },
						     { HELLO },
						     { NULL } };
	struct server server;
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_autofree char *url = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;
	uint64_t start = xb_clock_monotonic();

	(void)state;
	server_start(&server, script);
	request.url = url = xb_format("http://127.0.0.1:%u/", server.ports[0]);
	request.pause_ms = 1;
	assert_int_equal(xb_http_new(&http, NULL), 0);
	assert_int_equal(xb_http_perform(http, &request, &response, NULL), 0);
	server_finish(&server);
	assert_int_equal(response.status, 200);
	assert_true(xb_clock_monotonic() - start >= 1000000000);
}

/* Cancel a request to a server that does this; the descriptor is readable from the start. */
static void check_cancel(const struct server_step *script)
{
	struct server server;
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *url = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;
	uint64_t start = xb_clock_monotonic();
	xb_auto_fd int cancel = eventfd(1, EFD_CLOEXEC);

	server_start(&server, script);
	request.url = url = xb_format("http://127.0.0.1:%u/", server.ports[0]);
	request.cancel_fd = cancel;
	assert_int_equal(xb_http_new(&http, NULL), 0);
	assert_int_equal(xb_http_perform(http, &request, &response, &err), -ECANCELED);
	assert_int_equal(err.fault, XB_FAULT_INTERRUPTED);
	assert_true(xb_clock_monotonic() - start < 40ULL * 1000000000);
	xb_http_free(XB_STEAL(http));
	server_stop(&server);
}

static void a_request_is_cancelled(void **state)
{
	static const struct server_step silent[] = { { "", NULL, TAIL_SILENT }, { NULL } };
	static const struct server_step busy[] = { { "HTTP/1.1 503 x\r\nRetry-After: 50\r\n\r\n" },
						   { NULL } };

	(void)state;
	check_cancel(silent);
	check_cancel(busy);
}

/* Nobody listens at an address: a second look is enough to be sure. */
static void refused_connections_are_told_soon(void **state)
{
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *url = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);
	uint64_t start = xb_clock_monotonic();
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	/* bound, so that the port is nobody else's, but not listening */
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	request.url = url = xb_format("http://127.0.0.1:%u/", ntohs(at.sin_port));
	request.pause_ms = 1000;
	assert_int_equal(xb_http_new(&http, NULL), 0);
	assert_int_equal(xb_http_perform(http, &request, &response, &err), -ECONNREFUSED);
	assert_int_equal(err.fault, XB_FAULT_REGISTRY);
	/* five attempts would pause for 1 + 2 + 4 + 8 s, or half of that at the least */
	assert_in_range(xb_clock_monotonic() - start, 500000000, 7400000000);
	assert_int_equal(close(fd), 0);
}

static int stop_at_once(void *context, const struct xb_http_response *response,
			struct xb_error *err)
{
	(void)context;
	(void)response;
	xb_error_set(err, -ENOSPC, "no room");
	return xb_error_fault(err, XB_FAULT_STORE);
}

static void a_callback_ends_a_request(void **state)
{
	static const struct server_step script[] = { { HELLO }, { NULL } };
	struct server server;
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *url = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;

	(void)state;
	server_start(&server, script);
	request.url = url = xb_format("http://127.0.0.1:%u/", server.ports[0]);
	request.begin = stop_at_once;
	assert_int_equal(xb_http_new(&http, NULL), 0);
	assert_int_equal(xb_http_perform(http, &request, &response, &err), -ENOSPC);
	server_finish(&server);
	assert_int_equal(err.fault, XB_FAULT_STORE);
	assert_non_null(strstr(err.message, "no room"));
}

static void a_large_body_is_cut_more_often_than_it_may_fail(void **state)
{
	enum { STEP = 100000, STEPS = 7 };
	struct server_step script[STEPS + 1] = { 0 };
	char *replies[STEPS];
	struct server server;
	struct ends ends = { .body = XB_STR_INIT(4 << 20) };
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_autofree char *url = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;

	(void)state;
	for (int i = 0; i < STEPS; i++) {
		replies[i] =
			i == 0 ? xb_format("HTTP/1.1 200 x\r\nContent-Length: %d\r\n" TAGGED "\r\n",
					   STEP * STEPS)
			       : xb_format("HTTP/1.1 206 x\r\nContent-Range: bytes "
					   "%d-%d/%d\r\nContent-Length: %d\r\n\r\n",
					   STEP * i, STEP * STEPS - 1, STEP * STEPS,
					   STEP * (STEPS - i));
		script[i] = (struct server_step){ .reply = replies[i],
						  .repeat = "0123456789",
						  .times = STEP / 10 };
	}
	server_start(&server, script);
	request.url = url = xb_format("http://127.0.0.1:%u/", server.ports[0]);
	request.attempts = 2;
	request.pause_ms = 1;
	request.context = &ends;
	request.begin = begin;
	request.write = take;
	assert_int_equal(xb_http_new(&http, NULL), 0);
	assert_int_equal(xb_http_perform(http, &request, &response, NULL), 0);
	server_finish(&server);
	assert_int_equal(ends.body.len, STEP * STEPS);
	assert_int_equal(ends.begins, 1);
	assert_int_equal(response.status, 200);
	for (int i = 0; i < STEPS; i++)
		free(replies[i]);
	xb_str_clear(&ends.body);
}

/* A proxy sees what is for it, and nothing of what is for the server behind a tunnel. */
static void check_proxy(const char *variable, const char *url, const struct server_step *script,
			int r_wanted)
{
	struct server server;
	xb_auto_http struct xb_http *http = NULL;
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_autofree char *proxy = NULL;
	struct xb_http_request request = XB_HTTP_REQUEST_INIT;
	int r;

	server_start(&server, script);
	proxy = xb_format("http://me:" SECRET "@127.0.0.1:%u", server.ports[0]);
	assert_int_equal(setenv(variable, proxy, 1), 0);
	request.url = url;
	request.authorization = "Bearer t";
	request.attempts = 1;
	assert_int_equal(xb_http_new(&http, NULL), 0);
	r = xb_http_perform(http, &request, &response, &err);
	assert_int_equal(unsetenv(variable), 0);
	server_finish(&server);
	assert_int_equal(r, r_wanted);
	if (r < 0)
		assert_null(strstr(err.message, SECRET));
}

static void proxies_of_the_environment(void **state)
{
	static const struct server_step plain[] = {
		{ HELLO, "GET http://example.invalid/x |Proxy-Authorization: Basic "
			 "bWU6czNjcmV0|\r\nAuthorization: Bearer t" },
		{ NULL }
	};
	static const struct server_step tunnel[] = {
		{ "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
		  "CONNECT example.invalid:443 |Proxy-Authorization|!Bearer" },
		{ NULL }
	};

	(void)state;
	check_proxy("http_proxy", "http://example.invalid/x", plain, 0);
	check_proxy("https_proxy", "https://example.invalid/x", tunnel, -EPROTO);
}

static void refusals_say_what_to_do(void **state)
{
	static const struct {
		int status;
		int r;
		enum xb_fault fault;
	} cases[] = {
		{ 401, -EACCES, XB_FAULT_SOURCE },	{ 403, -EACCES, XB_FAULT_SOURCE },
		{ 404, -ENOENT, XB_FAULT_SOURCE },	{ 410, -ENOENT, XB_FAULT_SOURCE },
		{ 418, -EREMOTEIO, XB_FAULT_REGISTRY }, { 503, -EREMOTEIO, XB_FAULT_REGISTRY },
		{ 302, -EREMOTEIO, XB_FAULT_REGISTRY },
	};
	char url[] = "http://host/path";

	(void)state;
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		const struct xb_http_response response = { .status = cases[i].status, .url = url };
		xb_auto_error struct xb_error err = XB_ERROR_INIT;

		assert_int_equal(xb_http_refuse(&response, &err), cases[i].r);
		assert_int_equal(err.fault, cases[i].fault);
		assert_non_null(strstr(err.message, "http://host/path: status "));
	}
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(several_requests_of_a_client),
		cmocka_unit_test(retry_after_is_waited_for),
		cmocka_unit_test(a_request_is_cancelled),
		cmocka_unit_test(refused_connections_are_told_soon),
		cmocka_unit_test(a_callback_ends_a_request),
		cmocka_unit_test(a_large_body_is_cut_more_often_than_it_may_fail),
		cmocka_unit_test(proxies_of_the_environment),
		cmocka_unit_test(refusals_say_what_to_do),
	};
	struct CMUnitTest tests[XB_COUNT(rows)];
	union {
		const struct row *from;
		void *to;
	} state;
	int failed;

	/* the machine's own proxies are not asked */
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
