/* SPDX-License-Identifier: Apache-2.0 */
/* Other people's Dockerfiles give the trees that their own parser gives. */
#include <dirent.h>
#include <stdlib.h>

#include "builder/dockerfile/dump.h"
#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/lint.h"
#include "tests/unit/builder/dockerfile/data.h"
#include "tests/unit/corpora.h"

struct tally {
	unsigned right;
	unsigned wrong;
};

static void trim_newlines(struct xb_str *s)
{
	while (s->len > 0 && s->data[s->len - 1] == '\n')
		xb_str_truncate(s, s->len - 1);
}

static void show_difference(const char *name, const struct xb_str *got, const struct xb_str *want)
{
	struct xb_view a = xb_str_view(got), b = xb_str_view(want), x, y;
	unsigned line = 0;
	bool more;

	do {
		more = xb_view_split(&a, '\n', &x);
		if (!xb_view_split(&b, '\n', &y))
			y = XB_VIEW("(end)");
		line++;
	} while (more && xb_view_eq(x, y));
	print_message("%s: line %u of the tree\n got: %.*s\nwant: %.*s\n", name, line,
		      XB_VIEW_ARGS(x), XB_VIEW_ARGS(y));
}

static void compare(const char *name, const char *dockerfile_path, const char *tree_path,
		    struct tally *tally)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str want = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str got = XB_STR_INIT(XB_STR_OWN);
	xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	data_read(dockerfile_path, &text);
	data_read(tree_path, &want);
	if (xb_dockerfile_parse_syntax(xb_str_view(&text), name, &dockerfile, &err) < 0) {
		print_message("%s\n%s\n", err.message, err.excerpt != NULL ? err.excerpt : "");
		tally->wrong++;
		return;
	}
	xb_dockerfile_dump(dockerfile, &got);
	trim_newlines(&got);
	trim_newlines(&want);
	if (!xb_view_eq(xb_str_view(&got), xb_str_view(&want))) {
		show_difference(name, &got, &want);
		tally->wrong++;
		return;
	}
	tally->right++;
}

static void test_parser_examples(void **state)
{
	struct tally tally = { 0 };
	struct dirent *entry;
	xb_autofree char *parser = corpora_path("parser");
	DIR *dir = opendir(parser);

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		xb_autofree char *file = xb_format("%s/%s/Dockerfile", parser, entry->d_name);
		xb_autofree char *tree = xb_format("%s/%s/result", parser, entry->d_name);

		if (strncmp(entry->d_name, "ast-", 4) == 0)
			compare(entry->d_name, file, tree, &tally);
	}
	(void)closedir(dir);
	print_message("parser examples: %u right, %u wrong\n", tally.right, tally.wrong);
	assert_int_equal(tally.wrong, 0);
	assert_int_equal(tally.right, 18);
}

static void test_parser_rejects(void **state)
{
	static const char *const names[] = { "reject-only_comments", "reject-shykes-nested-json" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		xb_autofree char *path =
			xb_format("%s/parser/%s/Dockerfile", corpora_need(), names[i]);
		xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_dockerfile *dockerfile = NULL;

		data_read(path, &text);
		assert_int_equal(
			xb_dockerfile_parse_syntax(xb_str_view(&text), path, &dockerfile, &err),
			-EINVAL);
		assert_non_null(err.message);
	}
}

/* Files that are wrong on purpose (most names tell it), and one in Rego. */
static bool is_wrong(const char *id)
{
	static const char *const wrong[] = {
		"add-checksum__Containerfile.bad",
		"add-chmod__Dockerfile.bad",
		"add-chown__Dockerfile.bad",
		"base-with-arg__Containerfile",
		"copy-chown__Dockerfile.bad",
		"copy-from__Dockerfile.bad",
		"copy-multistage-paths__Dockerfile.invalid_from",
		"inline-network__Dockerfile3",
		"save-stages__Dockerfile.arg-build-stages-and-chained-build-stages",
		"tonistiigi__xx__src__Dockerfile.rego",
	};

	for (size_t i = 0; i < XB_COUNT(wrong); i++)
		if (xb_view_ends(xb_view(id), xb_view(wrong[i])))
			return true;
	return false;
}

/* Each file: the tree is as expected; and it passes or fails the checks, with a place. */
static void try_real(const char *base, const json_t *item, struct tally *trees,
		     struct tally *checks)
{
	const char *id = data_string(item, "id");
	xb_autofree char *file = xb_format("%s/%s", base, id);
	xb_autofree char *tree = xb_format("%s/ast/%s.ast", base, id);
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_dockerfile struct xb_dockerfile *dockerfile = NULL;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	if (strstr(id, "rego") == NULL)
		compare(id, file, tree, trees);
	data_read(file, &text);
	if ((xb_dockerfile_parse(xb_str_view(&text), id, &dockerfile, &err) < 0) == is_wrong(id)) {
		checks->right++;
		return;
	}
	checks->wrong++;
	print_message("%s: %s\n", id, err.message != NULL ? err.message : "accepted");
}

static void test_real_dockerfiles(void **state)
{
	xb_autofree char *base = corpora_path("dockerfiles");
	xb_autofree char *list = xb_format("%s/items.json", base);
	xb_auto_json json_t *items = json_load_file(list, 0, NULL);
	struct tally trees = { 0 }, checks = { 0 };
	size_t i;
	json_t *item;

	(void)state;
	assert_non_null(items);
	json_array_foreach(items, i, item) try_real(base, item, &trees, &checks);
	print_message("real Dockerfiles: %u trees right, %u wrong; checks: %u right, %u wrong\n",
		      trees.right, trees.wrong, checks.right, checks.wrong);
	assert_int_equal(trees.wrong, 0);
	assert_int_equal(checks.wrong, 0);
}

/* ---- the pages of build checks ------------------------------------------------------------ */

/* Names that end in ":" or are empty are those that the examples mean by invalid. */
static bool is_name(const char *name)
{
	return name[0] != '\0' && name[strlen(name) - 1] != ':';
}

/* Whether the rule of an example speaks of it. */
static bool speaks(const json_t *item, const struct xb_dockerfile *file)
{
	xb_auto_lint struct xb_lint lint = { 0 };
	struct xb_lint_request request = { .dockerfile = file,
					   .rules = { .experimental = UINT64_MAX },
					   .platform = { .os = "linux", .arch = "amd64" },
					   .all_stages = true,
					   .world = { .is_name = is_name } };
	enum xb_rule_id rule = XB_RULE_COUNT;
	bool found = false;

	if (!xb_rule_find(xb_view(data_string(item, "rule")), &rule))
		fail_msg("no rule %s", data_string(item, "rule"));
	(void)xb_lint(&request, &lint, NULL);
	for (size_t i = 0; i < lint.findings.len; i++)
		found = found || lint.findings.items[i].rule == rule;
	return found;
}

static void try_rule(const char *base, const json_t *item, struct tally *tally)
{
	xb_autofree char *path = xb_format("%s/%s/Dockerfile", base, data_string(item, "id"));
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	xb_auto_dockerfile struct xb_dockerfile *file = NULL;
	xb_auto_error struct xb_error problem = XB_ERROR_INIT;
	bool warns = strcmp(data_string(item, "expect"), "warns") == 0;

	data_read(path, &text);
	file = xb_dockerfile_parse_part(xb_str_view(&text), "Dockerfile", &problem);
	if (speaks(item, file) == warns) {
		tally->right++;
		return;
	}
	print_message("%s: it is to be \"%s\"\n", data_string(item, "id"),
		      data_string(item, "expect"));
	tally->wrong++;
}

static void test_rules(void **state)
{
	xb_autofree char *base = corpora_path("parser");
	xb_autofree char *list = xb_format("%s/items.json", base);
	xb_auto_json json_t *items = json_load_file(list, 0, NULL);
	struct tally tally = { 0 };
	size_t i;
	json_t *item;

	(void)state;
	assert_non_null(items);
	json_array_foreach(items, i, item)
	{
		if (strcmp(data_string(item, "area"), "lint-rule") == 0)
			try_rule(base, item, &tally);
	}
	print_message("examples of rules: %u right, %u wrong\n", tally.right, tally.wrong);
	assert_true(tally.right > 0);
	assert_int_equal(tally.wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parser_examples),
		cmocka_unit_test(test_parser_rejects),
		cmocka_unit_test(test_real_dockerfiles),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
