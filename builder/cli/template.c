/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/template.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#define HINT "{{.Name}}, {{.Manifest.Digest}}, {{json .Image}} and their like are taken"

/* Whether a member is what Go calls by this name: "os.version" is OSVersion. */
static bool is_field(const char *key, struct xb_view field)
{
	size_t at = 0;

	for (; *key != '\0'; key++) {
		if (*key == '.')
			continue;
		if (at == field.len ||
		    tolower((unsigned char)*key) != tolower((unsigned char)field.data[at]))
			return false;
		at++;
	}
	return at == field.len;
}

static json_t *find_field(json_t *object, struct xb_view field)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		if (is_field(key, field))
			return value;
	}
	return NULL;
}

/* What ".A.B" means; `*ret` NULL where a document has no such member. */
static int find_path(struct xb_view path, json_t *data, json_t **ret, struct xb_error *err)
{
	struct xb_view rest = xb_view_sub(path, 1, path.len), field;

	if (path.len == 0 || path.data[0] != '.')
		return xb_error_usage(err, HINT, "--format: \"%.*s\" is no field",
				      XB_VIEW_ARGS(path));
	*ret = data;
	while (rest.len > 0 && *ret != NULL && xb_view_split(&rest, '.', &field)) {
		json_t *found = find_field(*ret, field);

		if (found == NULL && *ret == data)
			return xb_error_usage(err, HINT, "--format: there is no field %.*s",
					      XB_VIEW_ARGS(path));
		*ret = found;
	}
	return 0;
}

static int print_action(struct xb_view action, json_t *data, struct xb_str *out,
			struct xb_error *err)
{
	bool json = xb_view_starts(action, XB_VIEW("json "));
	json_t *value = NULL;
	int r = find_path(json ? xb_view_trim(xb_view_sub(action, 5, action.len)) : action, data,
			  &value, err);

	if (r < 0)
		return r;
	if (!json && json_is_string(value))
		return xb_str_puts(out, json_string_value(value));
	if (value == NULL)
		return json ? xb_str_puts(out, "null") : 0;
	return xb_json_write(value, out, err);
}

/* A backslash and a letter, as a shell's quotes leave them. */
static void print_text(struct xb_view text, struct xb_str *out)
{
	for (size_t i = 0; i < text.len; i++) {
		char next = i + 1 < text.len ? text.data[i + 1] : '\0';

		if (text.data[i] != '\\' || (next != 'n' && next != 't')) {
			(void)xb_str_putc(out, text.data[i]);
			continue;
		}
		(void)xb_str_putc(out, next == 'n' ? '\n' : '\t');
		i++;
	}
}

int xb_template_print(const char *text, json_t *data, struct xb_str *out, struct xb_error *err)
{
	const char *open;
	int r = 0;

	while (r == 0 && (open = strstr(text, "{{")) != NULL) {
		const char *end = strstr(open, "}}");

		if (end == NULL)
			return xb_error_usage(err, HINT, "--format: {{ without }}");
		print_text((struct xb_view){ text, (size_t)(open - text) }, out);
		r = print_action(
			xb_view_trim((struct xb_view){ open + 2, (size_t)(end - open) - 2 }), data,
			out, err);
		text = end + 2;
	}
	if (r == 0)
		print_text(xb_view(text), out);
	return r;
}
