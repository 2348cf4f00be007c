/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"

/* What --secret says. */
struct wish {
	char *id;
	char *source;
	char *variable;
	char *type;
};

static void wish_clear(struct wish *wish)
{
	free(wish->id);
	free(wish->source);
	free(wish->variable);
	free(wish->type);
}

static int usage(struct xb_error *err, const char *text, const char *what)
{
	(void)xb_error_set(err, -EINVAL, "--secret %s: %s", text, what);
	(void)xb_error_hint(err, "write id=ID,src=PATH or id=ID,env=NAME");
	return xb_error_fault(err, XB_FAULT_USAGE);
}

static int set_field(struct wish *wish, struct xb_view field)
{
	const struct {
		const char *name;
		char **member;
	} keys[] = {
		{ "id", &wish->id },	    { "src", &wish->source }, { "source", &wish->source },
		{ "env", &wish->variable }, { "type", &wish->type },
	};
	struct xb_view value = field;
	struct xb_view key;

	(void)xb_view_split(&value, '=', &key);
	for (size_t i = 0; i < XB_COUNT(keys); i++) {
		if (!xb_view_eq_nocase(key, xb_view(keys[i].name)) || value.len == 0)
			continue;
		free(*keys[i].member);
		*keys[i].member = xb_view_dup(value);
		return 0;
	}
	return -EINVAL;
}

/* Decide between a file and a variable where the text leaves it open. */
static int complete(struct wish *wish)
{
	bool variable = wish->type != NULL && strcmp(wish->type, "env") == 0;

	if (wish->type != NULL && !variable && strcmp(wish->type, "file") != 0)
		return -EINVAL;
	if (variable && wish->variable == NULL)
		wish->variable = XB_STEAL(wish->source);
	if (wish->source != NULL || wish->variable != NULL)
		return 0;
	if (variable || (wish->type == NULL && getenv(wish->id) != NULL))
		wish->variable = xb_strdup(wish->id);
	else
		wish->source = xb_strdup(wish->id);
	return 0;
}

static void wipe(struct xb_str *data)
{
	if (data->data != NULL)
		explicit_bzero(data->data, data->len);
	xb_str_clear(data);
}

static int read_secret(const struct wish *wish, struct xb_secrets *secrets, struct xb_error *err)
{
	const char *value = wish->variable != NULL ? getenv(wish->variable) : NULL;
	struct xb_str data = XB_STR_INIT(XB_MAX_SECRET);
	struct xb_secret *secret;
	int r = 0;

	if (wish->variable != NULL && value == NULL)
		return 0;
	if (value != NULL)
		r = xb_str_puts(&data, value);
	else
		r = xb_file_read(wish->source, &data, err);
	if (value != NULL && r < 0)
		(void)xb_error_set(err, r, "$%s is too long", wish->variable);
	if (r < 0) {
		wipe(&data);
		(void)xb_error_wrap(err, r, "secret %s", wish->id);
		return xb_error_fault(err, XB_FAULT_USAGE);
	}
	secret = xb_array_push(secrets);
	secret->id = xb_strdup(wish->id);
	secret->data = data;
	return 0;
}

int xb_secret_parse(const char *text, struct xb_secrets *secrets, struct xb_error *err)
{
	XB_CLEANUP(wish_clear) struct wish wish = { 0 };
	xb_auto_str struct xb_str field = XB_STR_INIT(XB_STR_OWN);
	struct xb_view rest = xb_view(text);
	int r;

	while ((r = xb_csv_next(&rest, &field)) > 0) {
		if (set_field(&wish, xb_str_view(&field)) < 0)
			return usage(err, text, "a key that is not known, or has no value");
	}
	if (r < 0)
		return usage(err, text, "a quote does not end");
	if (wish.id == NULL)
		return usage(err, text, "id= is missing");
	if (complete(&wish) < 0)
		return usage(err, text, "type= is file or env");
	return read_secret(&wish, secrets, err);
}

const struct xb_secret *xb_secrets_find(const struct xb_secrets *secrets, const char *id)
{
	for (size_t i = secrets != NULL ? secrets->len : 0; i-- > 0;) {
		if (strcmp(secrets->items[i].id, id) == 0)
			return &secrets->items[i];
	}
	return NULL;
}

void xb_secrets_clear(struct xb_secrets *secrets)
{
	for (size_t i = 0; i < secrets->len; i++) {
		free(secrets->items[i].id);
		wipe(&secrets->items[i].data);
	}
	xb_array_clear(secrets);
}
