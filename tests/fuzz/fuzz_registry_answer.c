/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a registry sends: lines of headers, an empty line, a body. What is read of it makes sense,
 * and its words can be shown.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_header.h"
#include "manifest/media.h"
#include "manifest/registry/answer.h"
#include "manifest/registry/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_headers(const struct xb_strv *headers)
{
	xb_autofree char *type = xb_registry_media_type(headers);
	xb_autofree char *next = xb_registry_next(headers);
	struct xb_digest digest = { "" };
	uint64_t last = 0;

	if (type != NULL && !xb_media_type_valid(xb_view(type)))
		abort();
	if (next != NULL && (next[0] == '\0' || strchr(next, '>') != NULL))
		abort();
	if (xb_registry_digest(headers, &digest, NULL) > 0 &&
	    xb_digest_parse(xb_view(digest.text), &digest, NULL) < 0)
		abort();
	if (xb_registry_upload_range(headers, &last, NULL) > 0 && last > INT64_MAX)
		abort();
}

static void check_words(const struct xb_strv *headers, struct xb_view body)
{
	xb_auto_http_response struct xb_http_response response = XB_HTTP_RESPONSE_INIT;
	xb_auto_str struct xb_str words = XB_STR_INIT(1 << 20);

	xb_strv_copy(&response.headers, headers);
	if (xb_str_append_view(&response.text, body) < 0)
		return;
	xb_registry_words(&response, &words);
	/* some more for what is put around them */
	if (words.len > XB_MAX_REGISTRY_WORDS + 16)
		abort();
	for (size_t i = 0; i < words.len; i++) {
		if ((unsigned char)words.data[i] < 0x20 || words.data[i] == 0x7f)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view rest = { (const char *)data, size }, line;
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;

	if (size > 64 << 10)
		return 0;
	while (xb_view_split(&rest, '\n', &line) && line.len > 0 && headers.len < 200)
		(void)xb_http_header_add(&headers, line, NULL);
	check_headers(&headers);
	check_words(&headers, rest);
	return 0;
}
