/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <errno.h>
#include <string.h>

enum { JSON_MAX_LEVELS = 64 };
/* Numbers above it are not the same in every program that reads them (RFC 8259, section 6). */
#define JSON_MAX_NUMBER ((json_int_t)1 << 53)

/*
 * The deepest level of a text, counting brackets outside of strings. Done before jansson sees the
 * text, which would go to 2048 levels; what is not JSON at all is left for jansson to refuse.
 */
static size_t levels_of(struct xb_view text)
{
	size_t level = 0, deepest = 0;
	bool in_string = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if (c == '"')
			in_string = !in_string;
		else if (in_string)
			i += c == '\\';
		else if (c == '[' || c == '{')
			level++;
		else if ((c == ']' || c == '}') && level > 0)
			level--;
		if (level > deepest)
			deepest = level;
	}
	return deepest;
}

int xb_json_parse(struct xb_view text, size_t max, json_t **ret, struct xb_error *err)
{
	json_error_t error;
	json_t *value;

	if (text.len > max)
		return xb_error_set(err, -EFBIG, "a document of %zu bytes; at most %zu are read",
				    text.len, max);
	if (levels_of(text) > JSON_MAX_LEVELS)
		return xb_error_set(err, -EBADMSG, "JSON of more than %d levels", JSON_MAX_LEVELS);
	value = json_loadb(text.data != NULL ? text.data : "", text.len, JSON_REJECT_DUPLICATES,
			   &error);
	if (value == NULL)
		return xb_error_set(err, -EBADMSG, "not valid JSON: line %d, column %d: %s",
				    error.line, error.column, error.text);
	*ret = value;
	return 0;
}

static int append(const char *data, size_t len, void *s)
{
	return xb_str_append(s, data, len) < 0 ? -1 : 0;
}

static int write_as(const json_t *value, size_t flags, struct xb_str *s, struct xb_error *err)
{
	size_t before = s->len;

	if (json_dump_callback(value, append, s, flags | JSON_ENCODE_ANY) == 0)
		return 0;
	xb_str_truncate(s, before);
	if (xb_str_overflowed(s))
		return xb_error_set(err, -EFBIG, "writing JSON: more than %zu bytes", s->max);
	return xb_error_set(err, -EBADMSG, "writing JSON: not a value that can be written");
}

int xb_json_write(const json_t *value, struct xb_str *s, struct xb_error *err)
{
	return write_as(value, JSON_COMPACT, s, err);
}

int xb_json_write_pretty(const json_t *value, struct xb_str *s, struct xb_error *err)
{
	int r = write_as(value, JSON_INDENT(2), s, err);

	if (r == 0 && xb_str_putc(s, '\n') < 0)
		return xb_error_set(err, -EFBIG, "writing JSON: more than %zu bytes", s->max);
	return r;
}

/* The member `key`, or NULL when it is missing or null. */
static json_t *member(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_null(value) ? NULL : value;
}

static int wrong_type(struct xb_error *err, const char *key, const char *wanted)
{
	return xb_error_set(err, -EBADMSG, "%s: not %s", key, wanted);
}

int xb_json_get_string(const json_t *object, const char *key, const char **ret,
		       struct xb_error *err)
{
	const json_t *value = member(object, key);

	if (value == NULL)
		return 0;
	if (!json_is_string(value))
		return wrong_type(err, key, "a string");
	*ret = json_string_value(value);
	return 0;
}

int xb_json_get_u64(const json_t *object, const char *key, uint64_t *ret, struct xb_error *err)
{
	const json_t *value = member(object, key);
	json_int_t number;

	if (value == NULL)
		return 0;
	number = json_is_integer(value) ? json_integer_value(value) : -1;
	if (number < 0 || number > JSON_MAX_NUMBER)
		return wrong_type(err, key, "a whole number from 0 to 2^53");
	*ret = (uint64_t)number;
	return 0;
}

int xb_json_get_bool(const json_t *object, const char *key, bool *ret, struct xb_error *err)
{
	const json_t *value = member(object, key);

	if (value == NULL)
		return 0;
	if (!json_is_boolean(value))
		return wrong_type(err, key, "true or false");
	*ret = json_is_true(value);
	return 0;
}

int xb_json_get_object(const json_t *object, const char *key, json_t **ret, struct xb_error *err)
{
	json_t *value = member(object, key);

	if (value == NULL)
		return 0;
	if (!json_is_object(value))
		return wrong_type(err, key, "an object");
	*ret = value;
	return 0;
}

int xb_json_get_array(const json_t *object, const char *key, json_t **ret, struct xb_error *err)
{
	json_t *value = member(object, key);

	if (value == NULL)
		return 0;
	if (!json_is_array(value))
		return wrong_type(err, key, "an array");
	*ret = value;
	return 0;
}

/* A JSON string of `text`, with U+FFFD for each byte that is not UTF-8. */
static json_t *string_repaired(struct xb_view text)
{
	xb_auto_str struct xb_str repaired = XB_STR_INIT(SIZE_MAX);

	while (text.len > 0) {
		size_t len = xb_view_utf8_len(text);

		if (len > 0)
			(void)xb_str_append(&repaired, text.data, len);
		else
			(void)xb_str_puts(&repaired, "\xef\xbf\xbd");
		text = xb_view_sub(text, len > 0 ? len : 1, SIZE_MAX);
	}
	return json_stringn(xb_str_text(&repaired), repaired.len);
}

void xb_json_set_string(json_t *object, const char *key, const char *value)
{
	json_t *string;

	if (value == NULL)
		return;
	string = json_string(value);
	xb_json_set_new(object, key, string != NULL ? string : string_repaired(xb_view(value)));
}

void xb_json_set_u64(json_t *object, const char *key, uint64_t value)
{
	if (value > INT64_MAX)
		xb_die("the number %llu for %s does not fit JSON", (unsigned long long)value, key);
	xb_json_set_new(object, key, json_integer((json_int_t)value));
}

void xb_json_set_new(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		xb_die("setting the member %s of a JSON object failed", key);
}
