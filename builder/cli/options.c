/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/options.h"

#include <errno.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static int usage(struct xb_error *err, const char *format,
						       ...)
{
	xb_autofree char *message = NULL;
	va_list args;

	va_start(args, format);
	message = xb_vformat(format, args);
	va_end(args);
	(void)xb_error_set(err, -EINVAL, "%s", message);
	(void)xb_error_hint(err, "see the options with --help");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

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

static int set_flag(const struct xb_option *option, const char *value, void *member,
		    struct xb_error *err)
{
	if (value != NULL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return usage(err, "--%s takes no value but true or false", option->name);
	*(bool *)member = value == NULL || strcmp(value, "true") == 0;
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
	return usage(err, "--%s is not supported yet", option->name);
}

static bool takes_value(const struct xb_option *option)
{
	return option->kind == XB_OPTION_TEXT || option->kind == XB_OPTION_LIST;
}

/* Read one argument that is an option, and its value where that follows. Returns how many
 * arguments it took, or a negative errno. */
static int parse_one(const struct xb_option *table, char *const *argv, void *target,
		     struct xb_error *err)
{
	const char *arg = argv[0];
	bool is_long = arg[1] == '-';
	const char *equals = is_long ? strchr(arg, '=') : NULL;
	const struct xb_option *option;
	const char *value = NULL;
	int used = 1;
	int r;

	if (is_long) {
		size_t len = equals != NULL ? (size_t)(equals - arg) - 2 : strlen(arg) - 2;

		option = find_long(table, (struct xb_view){ arg + 2, len });
		value = equals != NULL ? equals + 1 : NULL;
	} else {
		option = find_short(table, arg[1]);
		value = arg[2] == '=' ? arg + 3 : arg[2] != '\0' ? arg + 2 : NULL;
	}
	if (option == NULL)
		return usage(err, "unknown option %s", arg);
	if (value == NULL && takes_value(option)) {
		if (argv[1] == NULL)
			return usage(err, "%s needs a value", arg);
		value = argv[1];
		used = 2;
	}
	r = set(option, value, target, err);
	return r < 0 ? r : used;
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
			used = parse_one(table, argv, target, err);
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
