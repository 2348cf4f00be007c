/* SPDX-License-Identifier: Apache-2.0 */
/** What the tests of this directory share: files of tests/data, and shorthands. */
#ifndef XB_TESTS_DOCKERFILE_DATA_H
#define XB_TESTS_DOCKERFILE_DATA_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "base/str.h"
#include "builder/dockerfile/parse.h"

/** Append a file's bytes; false when it cannot be opened. */
static inline bool data_try(const char *path, struct xb_str *out)
{
	char buffer[65536];
	size_t len;
	FILE *file = fopen(path, "rbe");

	if (file == NULL)
		return false;
	while ((len = fread(buffer, 1, sizeof(buffer), file)) > 0)
		(void)xb_str_append(out, buffer, len);
	(void)fclose(file);
	return true;
}

/** Append a file's bytes; the test fails when it is not there. */
static inline void data_read(const char *path, struct xb_str *out)
{
	if (!data_try(path, out))
		fail_msg("cannot read %s", path);
}

/** A member of a vector as a string, or NULL. */
static inline const char *data_string(const json_t *vector, const char *key)
{
	return json_string_value(json_object_get(vector, key));
}

/** Parse text that must be right. */
static inline struct xb_dockerfile *parse_good(const char *text)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_dockerfile *dockerfile = NULL;

	if (xb_dockerfile_parse(xb_view(text), "Dockerfile", &dockerfile, &err) < 0)
		fail_msg("%s\n%s", err.message, text);
	return dockerfile;
}

/** Parse text that must be wrong; `err` then tells why. */
static inline void parse_bad(const char *text, struct xb_error *err)
{
	struct xb_dockerfile *dockerfile = NULL;

	if (xb_dockerfile_parse(xb_view(text), "Dockerfile", &dockerfile, err) == 0) {
		xb_dockerfile_free(dockerfile);
		fail_msg("accepted: %s", text);
	}
	assert_int_equal(err->fault, XB_FAULT_SOURCE);
}

#endif
