/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/helper.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "manifest/registry/secret.h"

#define MAX_OUTPUT ((size_t)64 << 10)

/* The name under which an identity token is kept, in the place of a password. */
static const char token_user[] = "<token>";

/* What helpers print for a server that they do not know. */
static const char *const unknown[] = { "credentials not found in native keychain",
				       "credentials not found" };

unsigned xb_helper_limit_ms = 10000;

static int check_names(const char *name, const char *server, struct xb_error *err)
{
	if (name[0] == '\0' ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name))
		return xb_error_set(err, -EINVAL,
				    "a credential helper's name may have small "
				    "letters, digits and dashes only");
	for (const char *c = server; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && strchr(".-_:/[]", *c) == NULL)
			return xb_error_set(err, -EINVAL,
					    "no credential helper is asked for a host like this");
	}
	return 0;
}

/* A helper under way. */
struct run {
	struct xb_proc child;
	int output; /* the reading end */
	uint64_t end;
};

static void run_clear(struct run *run)
{
	/* what it has started goes with it */
	xb_proc_signal_group(&run->child, SIGKILL);
	xb_proc_clear(&run->child);
	xb_cleanup_fd(&run->output);
}

static int start(const char *name, const char *action, struct xb_view input, struct run *run,
		 struct xb_error *err)
{
	xb_autofree char *program = xb_format("docker-credential-%s", name);
	xb_autofree char *verb = xb_strdup(action);
	xb_auto_fd int in = xb_memfd_new("input", err);
	xb_auto_fd int out = -1;
	int ends[2];
	int r = in < 0 ? in : xb_write_all(in, input.data, input.len, err);

	if (r == 0)
		r = xb_memfd_seal(in, err);
	if (r < 0)
		return r;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return xb_error_errno(err, -errno, "making a pipe");
	run->output = ends[0];
	out = ends[1];
	r = xb_proc_spawn(
		&(struct xb_proc_spec){
			.path = program,
			.argv = (char *const[]){ program, verb, NULL },
			.fds = (struct xb_proc_fd[]){ { in, STDIN_FILENO },
						      { out, STDOUT_FILENO },
						      { STDERR_FILENO, STDERR_FILENO } },
			.fd_count = 3,
			.own_group = true,
		},
		&run->child, err);
	if (r == -ENOENT)
		(void)xb_error_hint(err, "the file of credentials names it: install it, or take "
					 "its name out of credsStore and credHelpers there");
	return r;
}

/* Wait for a descriptor until the helper's time is over. */
static int wait_for(const struct run *run, int fd, struct xb_error *err)
{
	struct pollfd fds = { .fd = fd, .events = POLLIN };
	uint64_t now;

	while ((now = xb_clock_monotonic()) < run->end) {
		if (poll(&fds, 1, (int)((run->end - now) / 1000000) + 1) > 0)
			return 0;
	}
	return xb_error_set(err, -ETIMEDOUT, "it has not answered in %u seconds",
			    xb_helper_limit_ms / 1000);
}

static int read_output(const struct run *run, struct xb_str *output, struct xb_error *err)
{
	/* all of it at once, so that no copy stays behind where a buffer had to grow */
	char block[4096];
	ssize_t n = 1;
	int r = 0;

	while (r == 0 && n > 0) {
		r = wait_for(run, run->output, err);
		if (r < 0)
			break;
		n = read(run->output, block, sizeof(block));
		if (n < 0)
			r = xb_error_errno(err, -errno, "reading what it prints");
		else if (xb_str_append(output, block, (size_t)n) < 0)
			r = xb_error_set(err, -EFBIG, "it prints more than %zu bytes", output->max);
	}
	explicit_bzero(block, sizeof(block));
	return r;
}

static bool is_unknown(struct xb_view line)
{
	for (size_t i = 0; i < XB_COUNT(unknown); i++) {
		if (xb_view_is(line, unknown[i]))
			return true;
	}
	return false;
}

/* A helper that fails says why on its standard output: 1 for a server that it does not know. */
static int judge(const struct xb_proc_status *status, const struct xb_str *output,
		 struct xb_error *err)
{
	struct xb_view line = xb_view_trim(xb_str_view(output));

	if (status->exit_code == 0)
		return 0;
	if (is_unknown(line))
		return 1;
	if (status->signal != 0)
		return xb_error_set(err, -EIO, "signal %d ended it", status->signal);
	return xb_error_set(err, -EIO, "it failed with status %d%s%.*s", status->exit_code,
			    line.len > 0 ? ": " : "", (int)(line.len < 300 ? line.len : 300),
			    line.data);
}

static int run_helper(const char *name, const char *action, struct xb_view input,
		      struct xb_str *output, struct xb_error *err)
{
	XB_CLEANUP(run_clear)
	struct run run = { .child = XB_PROC_NONE,
			   .output = -1,
			   .end = xb_clock_monotonic() + (uint64_t)xb_helper_limit_ms * 1000000 };
	struct xb_proc_status status = { 0 };
	int r = start(name, action, input, &run, err);

	if (r == 0)
		r = read_output(&run, output, err);
	if (r == 0)
		r = wait_for(&run, run.child.pidfd, err);
	if (r == 0)
		r = xb_proc_wait(&run.child, &status, err);
	return r < 0 ? r : judge(&status, output, err);
}

/* Run it, and name it in what went wrong. */
static int call(const char *name, const char *server, const char *action, struct xb_view input,
		struct xb_str *output, struct xb_error *err)
{
	int r = check_names(name, server, err);

	if (r == 0)
		r = run_helper(name, action, input, output, err);
	if (r >= 0)
		return r;
	(void)xb_error_fault(err, XB_FAULT_REGISTRY);
	return xb_error_wrap(err, r, "credential helper docker-credential-%s", name);
}

static int read_answer(struct xb_view text, struct xb_credential *ret, struct xb_error *err)
{
	xb_auto_secret_json json_t *answer = NULL;
	const char *user = NULL, *secret = NULL;
	/* not the parser's own words, which may be the secret's */
	int r = xb_json_parse(text, MAX_OUTPUT, &answer, NULL);

	if (r == 0)
		r = xb_json_get_string(answer, "Username", &user, NULL);
	if (r == 0)
		r = xb_json_get_string(answer, "Secret", &secret, NULL);
	if (r < 0)
		return xb_error_set(err, -EBADMSG,
				    "what it prints is not the JSON of a credential");
	if (secret == NULL || secret[0] == '\0')
		return 0;
	if (user != NULL && strcmp(user, token_user) == 0) {
		ret->identity_token = xb_strdup(secret);
		return 0;
	}
	ret->username = xb_strdup(user != NULL ? user : "");
	ret->password = xb_strdup(secret);
	return 0;
}

int xb_helper_get(const char *name, const char *server, struct xb_credential *ret,
		  struct xb_error *err)
{
	xb_auto_secret_str struct xb_str output = XB_STR_INIT(MAX_OUTPUT);
	int r = call(name, server, "get", xb_view(server), &output, err);

	if (r != 0)
		return r < 0 ? r : 0;
	r = read_answer(xb_str_view(&output), ret, err);
	if (r == 0 && !xb_credential_is_empty(ret))
		ret->source = xb_format("docker-credential-%s", name);
	if (r < 0)
		(void)xb_error_fault(err, XB_FAULT_REGISTRY);
	return r < 0 ? xb_error_wrap(err, r, "credential helper docker-credential-%s", name) : 0;
}

int xb_helper_store(const char *name, const char *server, const struct xb_credential *credential,
		    struct xb_error *err)
{
	bool token = credential->identity_token != NULL;
	xb_auto_secret_json json_t *object = json_object();
	xb_auto_secret_str struct xb_str input = XB_STR_INIT(MAX_OUTPUT);
	xb_auto_secret_str struct xb_str output = XB_STR_INIT(MAX_OUTPUT);
	int r;

	xb_json_set_string(object, "ServerURL", server);
	xb_json_set_string(object, "Username", token ? token_user : credential->username);
	xb_json_set_string(object, "Secret",
			   token ? credential->identity_token : credential->password);
	r = xb_json_write(object, &input, err);
	if (r == 0)
		r = call(name, server, "store", xb_str_view(&input), &output, err);
	return r < 0 ? r : 0;
}

int xb_helper_erase(const char *name, const char *server, struct xb_error *err)
{
	xb_auto_str struct xb_str output = XB_STR_INIT(MAX_OUTPUT);
	int r = call(name, server, "erase", xb_view(server), &output, err);

	return r < 0 ? r : 0;
}
