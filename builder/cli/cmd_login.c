/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials: login, logout. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "builder/cli/command.h"
#include "builder/cli/password.h"
#include "builder/cli/registry_options.h"
#include "builder/cli/report.h"
#include "manifest/registry/login.h"
#include "manifest/registry/secret.h"

struct login_options {
	const char *username;
	const char *password;
	struct xb_registry_flags registries;
	bool password_stdin;
	bool help;
};

#define AT(member) offsetof(struct login_options, member)

static const struct xb_option login_table[] = {
	{ "username", 'u', XB_OPTION_TEXT, AT(username), "NAME", "who to be" },
	{ "password-stdin", 0, XB_OPTION_FLAG, AT(password_stdin), NULL,
	  "the password is what standard input holds" },
	{ "password", 'p', XB_OPTION_TEXT, AT(password), "",
	  "refused: everybody on this machine can see it" },
	XB_REGISTRY_OPTION_ROWS(login_options, registries),
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

static const struct xb_option logout_table[] = {
	{ "help", 'h', XB_OPTION_FLAG, AT(help), NULL, "this text" },
	{ 0 },
};

static void options_clear(struct login_options *options)
{
	xb_registry_flags_clear(&options->registries);
}

static int print_help(const struct xb_option *table, const char *synopsis)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	xb_options_help(table, &text);
	(void)printf("%s\n\n%s", synopsis, xb_str_text(&text));
	return 0;
}

/* The registry that the operands name, Docker Hub where they do not. */
static int read_domain(const struct xb_strv *operands, const char *synopsis, char **ret,
		       struct xb_error *err)
{
	if (operands->len > 1)
		return xb_error_usage(err, synopsis, "there is one registry at a time");
	return xb_login_domain(operands->len > 0 ? operands->items[0] : NULL, ret, err);
}

static int no_terminal(const char *what, const char *hint, struct xb_error *err)
{
	return xb_error_usage(err, hint, "there is no %s, and no terminal to ask for it on", what);
}

static int not_read(const char *what, int r, struct xb_error *err)
{
	(void)xb_error_fault(err, XB_FAULT_USAGE);
	return xb_error_wrap(err, r, "%s", what);
}

static int get_username(const struct login_options *options, int stop_fd, struct xb_str *ret,
			struct xb_error *err)
{
	int r;

	if (options->username != NULL && options->username[0] != '\0')
		return xb_str_puts(ret, options->username);
	if (options->password_stdin || isatty(STDIN_FILENO) == 0)
		return no_terminal("user name", "-u NAME", err);
	r = xb_password_ask("User name", false, stop_fd, ret, err);
	return r < 0 ? not_read("user name", r, err) : 0;
}

static int get_password(const struct login_options *options, int stop_fd, struct xb_str *ret,
			struct xb_error *err)
{
	int r;

	if (options->password_stdin)
		r = xb_password_read(stop_fd, ret, err);
	else if (isatty(STDIN_FILENO) == 0)
		return no_terminal("password", "xbuild login -u NAME --password-stdin HOST <FILE",
				   err);
	else
		r = xb_password_ask("Password", true, stop_fd, ret, err);
	return r < 0 ? not_read("password", r, err) : 0;
}

static int get_credential(const struct login_options *options, int stop_fd,
			  struct xb_credential *ret, struct xb_error *err)
{
	xb_auto_secret_str struct xb_str password = XB_STR_INIT(XB_MAX_PASSWORD);
	xb_auto_str struct xb_str username = XB_STR_INIT(XB_MAX_PASSWORD);
	int r = get_username(options, stop_fd, &username, err);

	if (r == 0 && xb_view_find(xb_str_view(&username), ':') >= 0)
		return xb_error_usage(err, "the password is asked for, or read by --password-stdin",
				      "a user name has no colon in it");
	if (r == 0)
		r = get_password(options, stop_fd, &password, err);
	if (r < 0)
		return r;
	ret->username = xb_strdup(xb_str_text(&username));
	ret->password = xb_strdup(xb_str_text(&password));
	ret->source = xb_strdup(options->password_stdin ? "standard input" : "the terminal");
	return 0;
}

static int login(const struct xb_invocation *invocation, const struct login_options *options,
		 const char *domain, struct xb_error *err)
{
	xb_auto_registry_access struct xb_registry_access access = { 0 };
	xb_auto_credential struct xb_credential credential = XB_CREDENTIAL_INIT;
	xb_autofree char *where = NULL;
	bool asked = false;
	int r = xb_registry_access_open(&options->registries, &access, err);

	if (r == 0)
		r = get_credential(options, invocation->stop_fd, &credential, err);
	if (r == 0)
		r = xb_login_check(access.hosts, domain, &credential, invocation->stop_fd, &asked,
				   err);
	if (r == 0 && !asked)
		xb_report_warning("the registry does not want to know who asks: the password has "
				  "not been checked");
	if (r == 0)
		r = xb_login_keep(domain, &credential, &where, err);
	if (r == 0)
		(void)printf("%s at %s: kept in %s\n", credential.username, domain, where);
	return r;
}

int xb_cmd_login(const struct xb_invocation *invocation, struct xb_error *err)
{
	static const char synopsis[] = "xbuild login [OPTIONS] [HOST]";
	XB_CLEANUP(options_clear) struct login_options options = { 0 };
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_autofree char *domain = NULL;
	int r = xb_options_parse(login_table, invocation->argv, false, &options, &operands, err);

	if (r == 0 && options.help)
		return print_help(login_table, synopsis);
	if (r == 0 && options.password != NULL)
		return xb_error_usage(err, "xbuild login -u NAME --password-stdin HOST <FILE",
				      "a password on the command line can be seen by everybody on "
				      "this machine");
	if (r == 0)
		r = read_domain(&operands, synopsis, &domain, err);
	return r < 0 ? r : login(invocation, &options, domain, err);
}

/* What other files have is not ours to remove, but has to be known. */
static void tell_rest(const char *domain)
{
	xb_auto_credentials struct xb_credentials *credentials = xb_credentials_new();
	xb_auto_credential struct xb_credential rest = XB_CREDENTIAL_INIT;
	xb_autofree char *warning = NULL;

	if (xb_credentials_find(credentials, domain, NULL, &rest, NULL) < 0 ||
	    xb_credential_is_empty(&rest))
		return;
	warning = xb_format("there are still credentials for %s in %s", domain, rest.source);
	xb_report_warning(warning);
}

int xb_cmd_logout(const struct xb_invocation *invocation, struct xb_error *err)
{
	static const char synopsis[] = "xbuild logout [HOST]";
	XB_CLEANUP(options_clear) struct login_options options = { 0 };
	xb_auto_strv struct xb_strv operands = XB_STRV_INIT;
	xb_autofree char *domain = NULL;
	bool any = false;
	int r = xb_options_parse(logout_table, invocation->argv, false, &options, &operands, err);

	if (r == 0 && options.help)
		return print_help(logout_table, synopsis);
	if (r == 0)
		r = read_domain(&operands, synopsis, &domain, err);
	if (r == 0)
		r = xb_login_forget(domain, &any, err);
	if (r < 0)
		return r;
	(void)printf("%s: %s\n", domain, any ? "forgotten" : "there was nothing to forget");
	tell_rest(domain);
	return 0;
}
