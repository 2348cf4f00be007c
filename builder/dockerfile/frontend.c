/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/frontend.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/array.h"
#include "base/json.h"
#include "builder/dockerfile/ast.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/line.h"
#include "builder/dockerfile/location.h"

/* ---- names -------------------------------------------------------------------------------- */

/* Take `prefix` off; returns whether it was there. */
static bool take(struct xb_view *view, struct xb_view prefix)
{
	if (!xb_view_starts(*view, prefix))
		return false;
	*view = xb_view_sub(*view, prefix.len, view->len);
	return true;
}

/* "1", "1.7", "1-labs", "1.0.0-experimental", or the name of a channel. */
static bool is_tag(struct xb_view tag)
{
	static const char *const channels[] = { "latest", "stable",	 "labs",
						"master", "master-labs", "experimental" };

	for (size_t i = 0; i < XB_COUNT(channels); i++) {
		if (xb_view_is(tag, channels[i]))
			return true;
	}
	return tag.len > 0 && tag.data[0] == '1' &&
	       (tag.len == 1 || tag.data[1] == '.' || tag.data[1] == '-');
}

bool xb_frontend_is_builtin(struct xb_view name)
{
	struct xb_view digest = name;

	if (xb_view_is(name, "dockerfile.v0"))
		return true;
	(void)xb_view_split(&digest, '@', &name);
	if (!take(&name, XB_VIEW("docker.io/")))
		(void)take(&name, XB_VIEW("index.docker.io/"));
	if (!take(&name, XB_VIEW("docker/dockerfile")))
		return false;
	(void)take(&name, XB_VIEW("-upstream"));
	return name.len == 0 || (take(&name, XB_VIEW(":")) && is_tag(name));
}

/* ---- where it is asked for ----------------------------------------------------------------- */

/* A request: the first word names the frontend. */
struct request {
	struct xb_view value;
	struct xb_location at;
};

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) != 0;
}

/* Read "MARK name = value" of one line; returns whether it is of that form. */
static bool read_directive(struct xb_view line, const char *mark, struct xb_view *name,
			   struct xb_view *value)
{
	size_t len = 0;

	if (!take(&line, xb_view(mark)))
		return false;
	line = xb_view_trim(line);
	while (len < line.len && is_name_char(line.data[len]))
		len++;
	*name = xb_view_sub(line, 0, len);
	line = xb_view_trim(xb_view_sub(line, len, line.len));
	if (len == 0 || !take(&line, XB_VIEW("=")))
		return false;
	*value = xb_view_trim(line);
	return value->len > 0;
}

static bool is_known(struct xb_view name)
{
	return xb_view_eq_nocase(name, XB_VIEW("syntax")) ||
	       xb_view_eq_nocase(name, XB_VIEW("escape")) ||
	       xb_view_eq_nocase(name, XB_VIEW("check"));
}

/* The directive `syntax` of the lines at the top that are directives. */
static bool find_directive(struct xb_view text, const char *mark, struct request *ret)
{
	struct xb_view line, name, value;
	uint32_t number = 0;

	while (xb_view_split(&text, '\n', &line)) {
		number++;
		if (number == 1 && xb_view_starts(line, XB_VIEW("#!")))
			continue;
		if (!read_directive(line, mark, &name, &value) || !is_known(name))
			return false;
		if (!xb_view_eq_nocase(name, XB_VIEW("syntax")))
			continue;
		ret->value = value;
		ret->at = (struct xb_location){ number, (uint32_t)(value.data - line.data) + 1,
						number };
		return true;
	}
	return false;
}

/* A text that is a JSON object with a member of that name; `keep` gets what `ret` points to. */
static bool find_member(struct xb_view text, struct xb_str *keep, struct request *ret)
{
	xb_auto_json json_t *object = NULL;
	const char *value;

	text = xb_view_trim(text);
	if (text.len == 0 || text.data[0] != '{' ||
	    xb_json_parse(text, XB_MAX_DOCKERFILE, &object, NULL) < 0)
		return false;
	value = json_string_value(json_object_get(object, "syntax"));
	if (value == NULL || *value == '\0')
		return false;
	(void)xb_str_puts(keep, value);
	ret->value = xb_str_view(keep);
	ret->at = (struct xb_location){ 1, 1, 1 };
	return true;
}

static struct xb_view first_word(struct xb_view value)
{
	size_t len = 0;

	value = xb_view_trim(value);
	while (len < value.len && value.data[len] != ' ')
		len++;
	return xb_view_sub(value, 0, len);
}

static int refuse_override(const char *override, struct xb_error *err)
{
	struct xb_view name = first_word(xb_view(override));

	(void)xb_error_set(
		err, -ENOTSUP,
		"BUILDKIT_SYNTAX=%.*s: this frontend is not built in, and others are not "
		"run",
		XB_VIEW_ARGS(name));
	(void)xb_error_hint(err, "drop this --build-arg, or give docker/dockerfile:1");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_frontend_check(struct xb_view text, const char *path, const char *override,
		      struct xb_error *err)
{
	struct xb_dockerfile file = { .path = path };
	xb_auto_str struct xb_str keep = XB_STR_INIT(XB_STR_OWN);
	struct request request = { 0 };
	struct xb_view name;

	if (override != NULL && *override != '\0')
		return xb_frontend_is_builtin(first_word(xb_view(override)))
			       ? 0
			       : refuse_override(override, err);
	(void)take(&text, XB_VIEW("\xEF\xBB\xBF"));
	if (!find_directive(text, "#", &request) && !find_directive(text, "//", &request) &&
	    !find_member(text, &keep, &request))
		return 0;
	name = first_word(request.value);
	if (xb_frontend_is_builtin(name))
		return 0;
	file.text = text;
	(void)xb_location_error(&file, request.at, err,
				"the syntax %.*s is a frontend that is not built in, and others "
				"are not run",
				XB_VIEW_ARGS(xb_view_sub(name, 0, 200)));
	(void)xb_error_hint(err, "write # syntax=docker/dockerfile:1, or build with "
				 "--build-arg BUILDKIT_SYNTAX=docker/dockerfile:1");
	if (err != NULL)
		err->code = -ENOTSUP;
	return -ENOTSUP;
}
