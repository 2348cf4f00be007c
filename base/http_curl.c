/* SPDX-License-Identifier: Apache-2.0 */
#include "base/http_curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

/* CURLOPT_PROTOCOLS_STR, the newest thing that is needed, came with 7.85. */
#define LIBRARY "libcurl.so.4"

static struct xb_curl calls;
static pthread_once_t loaded_once = PTHREAD_ONCE_INIT;
static bool loaded;

#define CALL(name)                                                                                 \
	{                                                                                          \
		"curl_" #name, &calls.name, sizeof(calls.name)                                     \
	}

/* Where each call goes: a pointer to a function is copied as bytes, as POSIX's dlsym() has it. */
static const struct {
	const char *symbol;
	void *target;
	size_t size;
} symbols[] = {
	CALL(global_init),
	CALL(easy_init),
	CALL(easy_cleanup),
	CALL(easy_reset),
	CALL(easy_setopt),
	CALL(easy_getinfo),
	CALL(easy_strerror),
	CALL(multi_init),
	CALL(multi_cleanup),
	CALL(multi_add_handle),
	CALL(multi_remove_handle),
	CALL(multi_perform),
	CALL(multi_poll),
	CALL(multi_info_read),
	CALL(slist_append),
	CALL(slist_free_all),
	CALL(url),
	CALL(url_cleanup),
	CALL(url_get),
	CALL(url_set),
	CALL(free),
};

static void load(void)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	for (size_t i = 0; library != NULL && i < XB_COUNT(symbols); i++) {
		void *symbol = dlsym(library, symbols[i].symbol);

		if (symbol == NULL)
			return;
		memcpy(symbols[i].target, &symbol, symbols[i].size);
	}
	loaded = library != NULL && calls.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

const struct xb_curl *xb_curl_get(struct xb_error *err)
{
	(void)pthread_once(&loaded_once, load);
	if (loaded)
		return &calls;
	(void)xb_error_set(err, -ENOSYS, "%s is missing or too old", LIBRARY);
	(void)xb_error_fault(err, XB_FAULT_INTERNAL);
	(void)xb_error_hint(err, "install it: on Debian, apt-get install libcurl4");
	return NULL;
}
