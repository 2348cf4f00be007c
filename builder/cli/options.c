/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/options.h"

#include <errno.h>
#include <string.h>

/* What is to be done about a word that is not known. */
#define HINT "see the options with --help"

static const struct xb_option *find_long(const struct xb_option *table, struct xb_view name)
{
	for (; table->name != NULL; table++) {
		if (xb_view_is(name, table->name))
			return table;
	}
	return NULL;
}

static const struct xb_option *find_short(const struct xb_option *table, char letter)
{
	for (; table->name != NULL; table++) {
		if (table->letter == letter && letter != '\0')
			return table;
	}
	return NULL;
}

int xb_option_bool(const char *text, bool *ret)
{
	/* All that docker takes: Go's strconv.ParseBool(). */
	static const char *const words[] = { "1", "t", "T", "true",  "True",  "TRUE",
					     "0", "f", "F", "false", "False", "FALSE" };
	size_t i = 0;

	while (text != NULL && i < XB_COUNT(words) && strcmp(text, words[i]) != 0)
		i++;
	if (i == XB_COUNT(words))
		return -EINVAL;
	*ret = i < XB_COUNT(words) / 2;
	return 0;
}

static int set_flag(const struct xb_option *option, const char *value, void *member,
		    struct xb_error *err)
{
	if (xb_option_bool(value, member) < 0)
		return xb_error_usage(err, HINT, "--%s takes no value but true or false",
				      option->name);
	return 0;
}

/* Store an option's value; `value` is NULL when none was attached or follows. */
static int set(const struct xb_option *option, const char *value, void *target,
	       struct xb_error *err)
{
	void *member = (char *)target + option->offset;

	switch (option->kind) {
	case XB_OPTION_FLAG:
		return set_flag(option, value, member, err);
	case XB_OPTION_TEXT:
		*(const char **)member = value;
		return 0;
	case XB_OPTION_LIST:
		xb_strv_push(member, value);
		return 0;
	case XB_OPTION_LATER:
		break;
	}
	return xb_error_usage(err, HINT, "--%s is not supported yet", option->name);
}

static bool takes_value(const struct xb_option *option)
{
	return option->kind == XB_OPTION_TEXT || option->kind == XB_OPTION_LIST;
}

/* Store an option with the value attached to it, or the one in `next`, which must be there when one
 * is needed. Returns how many arguments that took, or a negative errno. `shown` is for messages. */
static int take(const struct xb_option *option, const char *shown, const char *value,
		const char *next, void *target, struct xb_error *err)
{
	int used = 1;
	int r;

	if (value == NULL && takes_value(option)) {
		if (next == NULL)
			return xb_error_usage(err, HINT, "%s needs a value", shown);
		value = next;
		used = 2;
	}
	r = set(option, value, target, err);
	return r < 0 ? r : used;
}

/* Read "--name" or "--name=value". Returns how many arguments it took, or a negative errno. */
static int parse_long(const struct xb_option *table, char *const *argv, void *target,
		      struct xb_error *err)
{
	const char *name = argv[0] + 2;
	size_t len = strcspn(name, "=");
	const struct xb_option *option = find_long(table, (struct xb_view){ name, len });

	if (option == NULL)
		return xb_error_usage(err, HINT, "unknown option --%.*s", (int)len, name);
	return take(option, argv[0], name[len] == '=' ? name + len + 1 : NULL, argv[1], target,
		    err);
}

/*
 * Read "-x", "-xVALUE", "-x=VALUE", or several letters of which the last alone takes a value.
 * Returns how many arguments it took, or a negative errno.
 */
static int parse_short(const struct xb_option *table, char *const *argv, void *target,
		       struct xb_error *err)
{
	int r = 1;

	for (const char *letter = argv[0] + 1; r == 1 && *letter != '\0'; letter++) {
		const struct xb_option *option = find_short(table, *letter);
		const char shown[] = { '-', *letter, '\0' };
		const char *value = NULL;

		if (option == NULL)
			return xb_error_usage(err, HINT, "unknown option %s", shown);
		if (letter[1] == '=')
			value = letter + 2;
		else if (takes_value(option) && letter[1] != '\0')
			value = letter + 1;
		r = take(option, shown, value, argv[1], target, err);
		if (value != NULL)
			break;
	}
	return r;
}

int xb_options_parse(const struct xb_option *table, char *const *argv, bool stop, void *target,
		     struct xb_strv *operands, struct xb_error *err)
{
	bool options = true;

	while (*argv != NULL) {
		int used = 1;

		if (options && strcmp(*argv, "--") == 0) {
			options = false;
		} else if (options && (*argv)[0] == '-' && (*argv)[1] != '\0') {
			used = (*argv)[1] == '-' ? parse_long(table, argv, target, err)
						 : parse_short(table, argv, target, err);
			if (used < 0)
				return used;
		} else {
			xb_strv_push(operands, *argv);
			options = options && !stop;
		}
		argv += used;
	}
	return 0;
}

static bool is_named(const char *name, const char *const *names)
{
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

static void add_word(const struct xb_option *option, const char *value, struct xb_strv *ret)
{
	xb_strv_printf(ret, "--%s", option->name);
	xb_strv_push(ret, value);
}

static void add_words(const struct xb_option *option, const char *member, struct xb_strv *ret)
{
	const struct xb_strv *list = (const void *)member;
	const char *const *text = (const void *)member;
	const bool *flag = (const void *)member;

	if (option->kind == XB_OPTION_FLAG && *flag)
		xb_strv_printf(ret, "--%s", option->name);
	if (option->kind == XB_OPTION_TEXT && *text != NULL)
		add_word(option, *text, ret);
	for (size_t i = 0; option->kind == XB_OPTION_LIST && i < list->len; i++)
		add_word(option, list->items[i], ret);
}

void xb_options_words(const struct xb_option *table, const void *options,
		      const char *const *without, struct xb_strv *ret)
{
	for (; table->name != NULL; table++) {
		if (table->kind != XB_OPTION_LATER && !is_named(table->name, without))
			add_words(table, (const char *)options + table->offset, ret);
	}
}

void xb_options_help(const struct xb_option *table, struct xb_str *out)
{
	for (; table->name != NULL; table++) {
		xb_autofree char *left = NULL;

		if (table->kind == XB_OPTION_LATER)
			continue;
		left = xb_format("--%s%s%s", table->name, table->value != NULL ? " " : "",
				 table->value != NULL ? table->value : "");
		if (table->letter != '\0')
			(void)xb_str_printf(out, "  -%c, ", table->letter);
		else
			(void)xb_str_puts(out, "      ");
		(void)xb_str_printf(out, "%-30s %s\n", left, table->help);
	}
}

int xb_option_size(const char *option, const char *text, uint64_t *ret, struct xb_error *err)
{
	static const char units[] = "KMGT";
	struct xb_view number;
	const char *unit;
	uint64_t value = 0;
	unsigned shift = 0;

	if (text == NULL)
		return 0;
	number = xb_view(text);
	unit = number.len > 0 ? strchr(units, number.data[number.len - 1]) : NULL;
	if (unit != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		number.len--;
	}
	if (xb_view_parse_u64(number, INT64_MAX >> shift, &value) < 0 || value == 0)
		return xb_error_usage(err, HINT, "%s %s is not a size such as 500M or 20G", option,
				      text);
	*ret = value << shift;
	return 0;
}
