/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What base/http.h takes and gives: clients, requests, answers and their limits. Include that one.
 */
#ifndef XB_BASE_HTTP_REQUEST_H
#define XB_BASE_HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

/** The most redirects that are followed. */
#define XB_MAX_HTTP_REDIRECTS 10
/** The most bytes and lines of headers of one answer, interim ones and trailers included. */
#define XB_MAX_HTTP_HEADERS	 ((size_t)256 << 10)
#define XB_MAX_HTTP_HEADER_LINES 1000
/** The most bytes that are kept of an answer that is not a success; what follows is not read. */
#define XB_MAX_HTTP_TEXT ((size_t)64 << 10)
/** The longest pause that Retry-After can ask for, in seconds; what asks for more is an error. */
#define XB_MAX_HTTP_PAUSE 60

/** A client: its open connections are used again by later requests. One thread at a time. */
struct xb_http;

/** Make one. -ENOSYS: libcurl is not installed. */
int xb_http_new(struct xb_http **ret, struct xb_error *err);
/** Close its connections and release it; NULL is left alone. */
void xb_http_free(struct xb_http *http);

XB_DEFINE_CLEANUP(xb_http_cleanup, struct xb_http, xb_http_free)
#define xb_auto_http XB_CLEANUP(xb_http_cleanup)

/** An answer; release with xb_http_response_clear(). */
struct xb_http_response {
	int status;
	struct xb_strv headers; /**< base/http_header.h reads them */
	char *origin;		/**< who answered at last: "https://host:443" */
	char *url;		/**< likewise, as it may be shown */
	uint64_t size;		/**< bytes of the body that were given to `write` */
	struct xb_str text; /**< the body of an answer that is not a success, its start at least */
	/** What went wrong may pass: the same request may do later. Set when one failed, too. */
	bool may_pass;
};

#define XB_HTTP_RESPONSE_INIT                                                                      \
	((struct xb_http_response){ .headers = XB_STRV_INIT,                                       \
				    .text = XB_STR_INIT(XB_MAX_HTTP_TEXT) })

/** Release what it holds; it is then XB_HTTP_RESPONSE_INIT. */
void xb_http_response_clear(struct xb_http_response *response);
#define xb_auto_http_response XB_CLEANUP(xb_http_response_clear)

/** How TLS is done with one host; all is borrowed, NULL where nothing is said. Starts zeroed. */
struct xb_http_tls {
	const char *ca_file;   /**< certificates that are trusted, beside the system's */
	const char *ca_dir;    /**< likewise, a directory of them as `openssl rehash` makes it */
	const char *cert_file; /**< our own certificate, for servers that ask */
	const char *key_file;  /**< its key; NULL: it is in `cert_file` too */
	bool insecure;	       /**< whatever certificate comes is believed */
};

/** A request; all is borrowed. Starts as XB_HTTP_REQUEST_INIT. */
struct xb_http_request {
	const char *method; /**< NULL: GET */
	/** Absolute; a user name and password in it become its Authorization where there is none.
	 */
	const char *url;
	const struct xb_strv
		*headers;	   /**< more "Name: value" lines, or NULL; none of credentials */
	const char *authorization; /**< value of Authorization, or NULL; see above */
	/**
	 * How TLS is done with the host of `url`; NULL: by the system's trust alone. Another origin
	 * behind a redirect gets to see no certificate of ours, and has to have a good one. No
	 * connection is shared by requests that differ in it.
	 */
	const struct xb_http_tls *tls;
	/** The URL came out of an answer of another origin: as behind a redirect that led there. */
	bool redirected;

	void *context; /**< given to the callbacks */
	/**
	 * The body to send, `body_size` bytes: fill at most `size` bytes, return how many, 0 at the
	 * end, or a negative errno. NULL: none.
	 */
	ssize_t (*read)(void *context, void *data, size_t size, struct xb_error *err);
	/** Start the body to send again; NULL: a request that has to be sent twice fails. */
	int (*rewind)(void *context, struct xb_error *err);
	uint64_t body_size;
	/**
	 * A successful answer's (2xx) headers have come and its body follows from its start; called
	 * again, forgetting what was written, when it has to be sent anew. NULL: nothing to do, but
	 * then a second start is an error. A negative errno ends the request.
	 */
	int (*begin)(void *context, const struct xb_http_response *response, struct xb_error *err);
	/** The next bytes of a successful answer. NULL: they are thrown away. */
	int (*write)(void *context, const void *data, size_t len, struct xb_error *err);

	/**
	 * Undo a Content-Encoding of gzip, though none is asked for: `write` gets what is in it,
	 * which `max_size` limits. For what Go's client gets, too.
	 */
	bool decode;
	/**
	 * How many bytes of the body are here already: with a GET, the rest is asked for (Range),
	 * whatever its version. Such a request is made once. Status 206 says that it came, and its
	 * Content-Range, which is the caller's to check, what came; with 200 all came anew.
	 */
	uint64_t from;
	uint64_t max_size;	  /**< bytes of the body that may come; more is -EFBIG */
	int cancel_fd;		  /**< readable once the request has to end (-ECANCELED), or -1 */
	unsigned attempts;	  /**< how often it is tried without getting on; 0: 5 */
	unsigned pause_ms;	  /**< about how long the first pause is; 0: 250 */
	unsigned stall_seconds;	  /**< nearly nothing (100 bytes a second) for so long; 0: 60 */
	unsigned connect_seconds; /**< time to connect; 0: 30 */
};

#define XB_HTTP_REQUEST_INIT ((struct xb_http_request){ .max_size = UINT64_MAX, .cancel_fd = -1 })

#endif
