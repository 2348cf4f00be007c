/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .dockerignore and wildcards. The input is the text, a zero byte, and a path. A directory that
 * need not be walked hides nothing; a wildcard matches what a plain recursive matcher says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "builder/dockerfile/glob.h"
#include "builder/dockerfile/ignore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parents(const struct xb_ignore *ignore, struct xb_view path, bool ignored)
{
	for (size_t i = 1; i < path.len; i++) {
		struct xb_view parent = xb_view_sub(path, 0, i);
		bool hidden;

		if (path.data[i] != '/')
			continue;
		if (xb_ignore_match(ignore, parent, &hidden, NULL) < 0)
			abort();
		if (hidden && !ignored && !xb_ignore_may_descend(ignore, parent))
			abort();
	}
}

static void try_ignore(struct xb_view text, struct xb_view path)
{
	xb_auto_ignore struct xb_ignore *ignore = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	bool ignored;

	if (xb_ignore_parse(text, ".dockerignore", &ignore, &err) < 0) {
		if (err.fault != XB_FAULT_SOURCE || strncmp(err.message, ".dockerignore:", 14) != 0)
			abort();
		return;
	}
	if (xb_ignore_match(ignore, path, &ignored, NULL) < 0)
		return;
	/* slashes around a path are not part of it */
	while (path.len > 0 && path.data[path.len - 1] == '/')
		path.len--;
	while (path.len > 0 && path.data[0] == '/')
		path = xb_view_sub(path, 1, path.len);
	check_parents(ignore, path, ignored);
}

/* Of * and ? and bytes only. */
static bool plain_match(const char *p, const char *s, unsigned *steps)
{
	if (*steps == 0)
		return false;
	*steps -= 1;
	if (*p == 0)
		return *s == 0;
	if (*p == '*')
		return plain_match(p + 1, s, steps) ||
		       (*s != 0 && *s != '/' && plain_match(p, s + 1, steps));
	if (*s == 0 || (*p == '?' ? *s == '/' : *p != *s))
		return false;
	return plain_match(p + 1, s + 1, steps);
}

static void try_glob(const char *pattern, const char *name)
{
	unsigned steps = 20000;
	bool match, want;

	if (xb_glob_match(pattern, name, &match, NULL) < 0)
		return;
	for (const char *c = pattern; *c != 0; c++)
		if ((unsigned char)*c >= 0x80 || strchr("[\\", *c) != NULL)
			return;
	for (const char *c = name; *c != 0; c++)
		if ((unsigned char)*c >= 0x80)
			return;
	want = plain_match(pattern, name, &steps);
	if (steps > 0 && strlen(name) <= 4096 && match != want)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_autofree char *text = xb_view_dup((struct xb_view){ (const char *)data, size });
	size_t len = strlen(text);
	const char *path = len < size ? text + len + 1 : "a/b/c";

	try_ignore(xb_view(text), xb_view(path));
	try_glob(text, path);
	return 0;
}
