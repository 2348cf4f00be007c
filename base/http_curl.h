/* SPDX-License-Identifier: Apache-2.0 */
/**
 * libcurl, loaded when the first request is made; for base/http*.c only.
 *
 * It is not linked: it brings some thirty libraries along, which every start of xbuild and of the
 * confined child would load, and it has no business in the address space of a child that reads
 * foreign bytes (docs/decisions/0017-http.md). The table holds the calls that are used, by the
 * names and with the contracts of libcurl's own manual.
 */
#ifndef XB_BASE_HTTP_CURL_H
#define XB_BASE_HTTP_CURL_H

#include <curl/curl.h>

#include "base/error.h"

/** The calls. The variadic ones take `long` where libcurl's manual says long: 1L, never 1. */
struct xb_curl {
	CURLcode (*global_init)(long flags);
	CURL *(*easy_init)(void);
	void (*easy_cleanup)(CURL *easy);
	void (*easy_reset)(CURL *easy);
	CURLcode (*easy_setopt)(CURL *easy, CURLoption option, ...);
	CURLcode (*easy_getinfo)(CURL *easy, CURLINFO info, ...);
	const char *(*easy_strerror)(CURLcode code);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_cleanup)(CURLM *multi);
	CURLMcode (*multi_add_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *easy);
	CURLMcode (*multi_perform)(CURLM *multi, int *running);
	CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *extra, unsigned extra_count,
				int timeout_ms, int *ret_count);
	CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
	struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
	void (*slist_free_all)(struct curl_slist *list);
	CURLU *(*url)(void);
	void (*url_cleanup)(CURLU *url);
	CURLUcode (*url_get)(const CURLU *url, CURLUPart part, char **ret, unsigned flags);
	CURLUcode (*url_set)(CURLU *url, CURLUPart part, const char *text, unsigned flags);
	void (*free)(void *text);
};

/**
 * The calls, loaded and initialised once a process, by whichever thread is first. NULL when
 * libcurl is not to be had: -ENOSYS with a hint, fault internal.
 */
const struct xb_curl *xb_curl_get(struct xb_error *err);

#endif
