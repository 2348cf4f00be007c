/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/allow.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/array.h"

struct line {
	char *pattern;
	char *rule;
	char *reason;
};

struct xb_audit_allow {
	struct XB_ARRAY(struct line) lines;
};

struct xb_audit_allow *xb_audit_allow_new(void)
{
	return xb_calloc(1, sizeof(struct xb_audit_allow));
}

void xb_audit_allow_free(struct xb_audit_allow *allow)
{
	if (allow == NULL)
		return;
	for (size_t i = 0; i < allow->lines.len; i++) {
		free(allow->lines.items[i].pattern);
		free(allow->lines.items[i].rule);
		free(allow->lines.items[i].reason);
	}
	xb_array_clear(&allow->lines);
	free(allow);
}

/* The next word of a line, which loses it. */
static struct xb_view take_word(struct xb_view *line)
{
	struct xb_view rest = xb_view_trim(*line), word;
	size_t len = 0;

	while (len < rest.len && rest.data[len] != ' ' && rest.data[len] != '\t')
		len++;
	word = xb_view_sub(rest, 0, len);
	*line = xb_view_trim(xb_view_sub(rest, len, rest.len));
	return word;
}

static int add_line(struct xb_audit_allow *allow, struct xb_view line)
{
	struct xb_view pattern, rule;

	line = xb_view_trim(line);
	if (line.len == 0 || line.data[0] == '#')
		return 0;
	pattern = take_word(&line);
	rule = take_word(&line);
	if (pattern.data[0] != '/' || rule.len == 0 || line.len == 0)
		return -EINVAL;
	*xb_array_push(&allow->lines) = (struct line){
		.pattern = xb_view_dup(pattern),
		.rule = xb_view_dup(rule),
		.reason = xb_view_dup(line),
	};
	return 0;
}

int xb_audit_allow_add(struct xb_audit_allow *allow, struct xb_view text, const char *where,
		       struct xb_error *err)
{
	struct xb_view line;
	unsigned number = 0;

	while (xb_view_split(&text, '\n', &line)) {
		number++;
		if (add_line(allow, line) == 0)
			continue;
		(void)xb_error_set(err, -EINVAL, "%s:%u: not a line of what is allowed", where,
				   number);
		(void)xb_error_hint(err, "a line is a path of the image (* is a wildcard), the id "
					 "of a rule or *, and a reason");
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	return 0;
}

const char *xb_audit_allow_reason(const struct xb_audit_allow *allow, const char *path,
				  const char *rule)
{
	for (size_t i = 0; allow != NULL && i < allow->lines.len; i++) {
		const struct line *line = &allow->lines.items[i];

		if ((strcmp(line->rule, "*") == 0 || strcmp(line->rule, rule) == 0) &&
		    fnmatch(line->pattern, path, 0) == 0)
			return line->reason;
	}
	return NULL;
}
