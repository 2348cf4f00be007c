/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other people's Dockerfiles are planned: for one platform and for two, with images that are made
 * up. Those that are not have a reason that BuildKit's frontend has too, or one of xbuild's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "tests/unit/builder/plan/fixture.h"
#include "tests/unit/need.h"

/* What the messages of errors that are right have in them. */
static const char *const reasons[] = {
	/* an argument that has no value unless it is given */
	"the base image's name is empty after expansion",
	"its name is not of the form of an image name",
	"a part is empty",
	/* what other builders have beside the language */
	"variable expansion is not supported for --from",
	"invalid name for build stage",
	"invalid field 'z' must be a key=value pair",
	/* meant to be wrong */
	"missing a value on flag",
	"invalid value of --network: \"fake\"",
	"unknown instruction: package",
	/* xbuild's own: for two platforms, a last stage that is of one */
	"the final stage is pinned",
};

static bool is_right(const char *message)
{
	for (size_t i = 0; i < XB_COUNT(reasons); i++) {
		if (strstr(message, reasons[i]) != NULL)
			return true;
	}
	return false;
}

/* Plan one; returns whether the outcome is right. */
static bool try_one(struct fixture *f, const char *path, const char *name)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	assert_int_equal(xb_file_read(path, &text, NULL), 0);
	try_plan(f, xb_str_text(&text));
	if (f->r == 0 || is_right(f->err.message))
		return true;
	print_message("%s: %s\n", name, f->err.message);
	return false;
}

static unsigned try_all(struct fixture *f, const char *base, const json_t *items)
{
	unsigned wrong = 0;
	size_t i;
	json_t *item;

	json_array_foreach(items, i, item)
	{
		const char *name = json_string_value(json_object_get(item, "id"));
		xb_autofree char *path = xb_format("%s/%s", base, name);

		if (json_is_true(json_object_get(item, "parses")))
			wrong += !try_one(f, path, name);
	}
	return wrong;
}

static void test_real_dockerfiles(void **state)
{
	const char *corpora = getenv("XB_CORPORA");
	struct fixture *f = *state;
	xb_autofree char *base = NULL;
	xb_autofree char *list = NULL;
	xb_auto_json json_t *items = NULL;

	need("corpora", corpora != NULL && *corpora != '\0');
	base = xb_format("%s/dockerfiles", corpora);
	list = xb_format("%s/items.json", base);
	items = json_load_file(list, 0, NULL);
	assert_non_null(items);
	assert_int_equal(try_all(f, base, items), 0);
	set_platforms(f, "linux/amd64,linux/386");
	assert_int_equal(try_all(f, base, items), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { plan_test(test_real_dockerfiles) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
