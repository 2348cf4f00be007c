/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/secret.h"

#include <string.h>

void xb_secret_free(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void xb_secret_clear(struct xb_str *secret)
{
	if (secret->data != NULL)
		explicit_bzero(secret->data, secret->cap);
	xb_str_clear(secret);
}

/* The strings that jansson keeps are its own copies, and may be written to. */
static void wipe_string(const json_t *value)
{
	union {
		const char *shown;
		char *own;
	} text = { .shown = json_string_value(value) };

	explicit_bzero(text.own, json_string_length(value));
}

/* No deeper than what xb_json_parse() lets in. */
static void wipe(json_t *value)
{
	const char *name;
	json_t *member;
	size_t index;

	if (json_is_string(value))
		wipe_string(value);
	json_array_foreach(value, index, member) wipe(member);
	json_object_foreach(value, name, member) wipe(member);
}

void xb_secret_json_free(json_t *value)
{
	if (value == NULL)
		return;
	if (value->refcount == 1)
		wipe(value);
	json_decref(value);
}
