/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of an answer. What is taken can be sent on as a header; what is read of it makes sense.
 */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* "name: value", the name in lower case, nothing in it that ends a header. */
static void check_line(const char *line)
{
	const char *colon = strchr(line, ':');

	if (colon == NULL || colon == line || colon[1] != ' ')
		abort();
	for (const char *c = line; *c != '\0'; c++) {
		if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
			abort();
		if (c < colon && (isupper((unsigned char)*c) || *c == ' '))
			abort();
	}
}

static void check_readers(const struct xb_strv *headers)
{
	struct xb_http_range range = { 0 };
	const char *validator = xb_http_validator(headers);
	uint64_t length = 0;
	int64_t seconds = 0;

	if (xb_http_length(headers, &length, NULL) > 0 && length > INT64_MAX)
		abort();
	if (xb_http_range(headers, &range, NULL) > 0 &&
	    (range.first > range.last || range.last >= range.total))
		abort();
	if (xb_http_retry_after(headers, 784111777) < -1)
		abort();
	if (validator != NULL && validator[0] != '"' &&
	    xb_http_date(xb_view(validator), &seconds) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view rest = { (const char *)data, size }, line;
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;

	if (size > 64 << 10)
		return 0;
	while (xb_view_split(&rest, '\n', &line) && headers.len < 200) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		size_t before = headers.len;
		int r = xb_http_header_add(&headers, line, &err);

		if (r < 0 && (err.message == NULL || headers.len != before))
			abort();
	}
	for (size_t i = 0; i < headers.len; i++)
		check_line(headers.items[i]);
	check_readers(&headers);
	return 0;
}
