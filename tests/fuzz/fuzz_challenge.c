/* SPDX-License-Identifier: Apache-2.0 */
/* What a 401 asks for: each challenge has a scheme in lower case, and as many as may be. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/http_header.h"
#include "manifest/registry/challenge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct xb_view rest = { (const char *)data, size }, line;
	xb_auto_strv struct xb_strv headers = XB_STRV_INIT;
	xb_auto_challenges struct xb_challenges found = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (size > 64 << 10)
		return 0;
	while (xb_view_split(&rest, '\n', &line) && headers.len < 100) {
		xb_autofree char *text = xb_format("WWW-Authenticate: %.*s", XB_VIEW_ARGS(line));

		(void)xb_http_header_add(&headers, xb_view(text), NULL);
	}
	if ((xb_challenges_read(&headers, &found, &err) < 0) != (err.message != NULL) ||
	    found.len > XB_MAX_CHALLENGES)
		abort();
	for (size_t i = 0; i < found.len; i++) {
		if (found.items[i].scheme[0] == '\0')
			abort();
		for (const char *c = found.items[i].scheme; *c != '\0'; c++) {
			if (isupper((unsigned char)*c) || (unsigned char)*c <= ' ')
				abort();
		}
	}
	return 0;
}
