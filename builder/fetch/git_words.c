/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_words.h"

#include <errno.h>
#include <string.h>

#include "builder/fetch/git_auth.h"

/* Lines of its messages that are shown. */
#define MAX_LINES 12

#define TOKEN_HINT "a private repository wants a token: --secret id=GIT_AUTH_TOKEN,env=VARIABLE"
#define NAME_HINT                                                                                  \
	"look at the URL; a private repository may hide like that, and wants a token: "            \
	"--secret id=GIT_AUTH_TOKEN,env=VARIABLE"
#define REDIRECT_HINT                                                                              \
	"credentials are not sent on to where a server points: name the repository by the URL "    \
	"that "                                                                                    \
	"it has now"
#define SSH_HINT                                                                                   \
	"give the build your SSH agent with --ssh default, and look with `ssh-add -l` whether it " \
	"has "                                                                                     \
	"the key"
#define HOST_KEY_HINT                                                                              \
	"ask the host's owner whether its key has changed; if it has, `xbuild cache prune -a` "    \
	"forgets "                                                                                 \
	"the old one (and ssh-keygen -R HOST that of your own known_hosts)"

/* Words, and what they mean. The first row that fits counts. */
static const struct meaning {
	const char *words;
	const char *hint; /* or NULL */
	int code;
	enum xb_fault fault;
} meanings[] = {
	{ "No space left on device", NULL, -ENOSPC, XB_FAULT_STORE },
	{ "Disk quota exceeded", NULL, -EDQUOT, XB_FAULT_STORE },
	{ "support shallow", NULL, XB_GIT_NO_DEPTH, XB_FAULT_REGISTRY },
	{ "not our ref", NULL, XB_GIT_NO_ID, XB_FAULT_SOURCE },
	{ "unadvertised object", NULL, XB_GIT_NO_ID, XB_FAULT_SOURCE },
	{ "Unable to find ", NULL, XB_GIT_NO_ID, XB_FAULT_SOURCE },
	/* of the store's or the server's: whoever looks finds out */
	{ " is corrupt", NULL, -EIO, XB_FAULT_STORE },
	{ "error: object file ", NULL, -EIO, XB_FAULT_STORE },
	{ "did not send all necessary", NULL, -EIO, XB_FAULT_STORE },
	{ "File too large", NULL, -EFBIG, XB_FAULT_SOURCE },
	{ "could not read Username", TOKEN_HINT, -EACCES, XB_FAULT_SOURCE },
	{ "could not read Password", TOKEN_HINT, -EACCES, XB_FAULT_SOURCE },
	{ "Authentication failed", TOKEN_HINT, -EACCES, XB_FAULT_SOURCE },
	{ "returned error: 401", TOKEN_HINT, -EACCES, XB_FAULT_SOURCE },
	{ "returned error: 403", TOKEN_HINT, -EACCES, XB_FAULT_SOURCE },
	{ "returned error: 301", REDIRECT_HINT, -EPERM, XB_FAULT_SOURCE },
	{ "returned error: 302", REDIRECT_HINT, -EPERM, XB_FAULT_SOURCE },
	{ "returned error: 307", REDIRECT_HINT, -EPERM, XB_FAULT_SOURCE },
	{ "returned error: 308", REDIRECT_HINT, -EPERM, XB_FAULT_SOURCE },
	{ "Host key verification failed", HOST_KEY_HINT, -EKEYREJECTED, XB_FAULT_REGISTRY },
	{ "Permission denied (", SSH_HINT, -EACCES, XB_FAULT_SOURCE },
	{ "' not allowed", NULL, -ENOTSUP, XB_FAULT_SOURCE },
	{ "invalid path '", NULL, -EBADMSG, XB_FAULT_SOURCE },
	{ "bad config ", NULL, -EBADMSG, XB_FAULT_SOURCE },
	{ "couldn't find remote ref", NULL, -ENOENT, XB_FAULT_SOURCE },
	{ "ould not resolve host", NULL, -EHOSTUNREACH, XB_FAULT_REGISTRY },
	{ "Connection refused", NULL, -ECONNREFUSED, XB_FAULT_REGISTRY },
	{ "Failed to connect", NULL, -ECONNREFUSED, XB_FAULT_REGISTRY },
	{ "timed out", NULL, -ETIMEDOUT, XB_FAULT_REGISTRY },
	{ "too slow", NULL, -ETIMEDOUT, XB_FAULT_REGISTRY },
	{ "certificate", NULL, -EKEYREJECTED, XB_FAULT_REGISTRY },
	{ "' not found", NAME_HINT, -ENOENT, XB_FAULT_SOURCE },
	{ "not appear to be a git repository", NAME_HINT, -ENOENT, XB_FAULT_SOURCE },
	{ "not valid: is this a git repository", NAME_HINT, -ENOENT, XB_FAULT_SOURCE },
};

static bool contains(struct xb_view text, const char *words)
{
	return text.len > 0 && memmem(text.data, text.len, words, strlen(words)) != NULL;
}

static const struct meaning *find_meaning(const struct xb_git_command *command,
					  struct xb_view messages)
{
	static const struct meaning remote = { "", NULL, -EIO, XB_FAULT_REGISTRY };
	static const struct meaning local = { "", NULL, -EIO, XB_FAULT_STORE };

	for (size_t i = 0; i < XB_COUNT(meanings); i++) {
		if (contains(messages, meanings[i].words))
			return &meanings[i];
	}
	return command->network ? &remote : &local;
}

/* The line that says why: the first that is fatal, else the first error, else the last line. */
static struct xb_view find_reason(struct xb_view messages)
{
	static const char *const marks[] = { "fatal: ", "error: ", "" };
	struct xb_view found = XB_VIEW("no word of why");

	for (size_t i = 0; i < XB_COUNT(marks); i++) {
		struct xb_view rest = messages;
		struct xb_view mark = xb_view(marks[i]);
		struct xb_view line;

		while (xb_view_split(&rest, '\n', &line)) {
			if (line.len == 0 || !xb_view_starts(line, mark))
				continue;
			found = xb_view_sub(line, mark.len, line.len);
			if (mark.len > 0)
				return found;
		}
	}
	return found;
}

/* The last lines, each as it is left on a terminal that obeys carriage returns. */
static void append_lines(const struct xb_git *git, struct xb_view messages, struct xb_str *ret)
{
	xb_auto_strv struct xb_strv lines = XB_STRV_INIT;
	struct xb_view rest = xb_view_trim(messages);
	struct xb_view line;

	while (xb_view_split(&rest, '\n', &line)) {
		xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);
		ptrdiff_t at;

		line = xb_view_trim(line);
		while ((at = xb_view_find(line, '\r')) >= 0)
			line = xb_view_sub(line, (size_t)at + 1, line.len);
		xb_git_show(git, line, &shown);
		xb_strv_push(&lines, xb_str_text(&shown));
	}
	for (size_t i = lines.len > MAX_LINES ? lines.len - MAX_LINES : 0; i < lines.len; i++)
		(void)xb_str_printf(ret, "%s%s", ret->len > 0 ? "\n" : "", lines.items[i]);
}

int xb_git_words(const struct xb_git *git, const struct xb_git_command *command,
		 const struct xb_proc_status *status, struct xb_view messages, struct xb_error *err)
{
	const struct meaning *meaning = find_meaning(command, messages);
	xb_auto_str struct xb_str reason = XB_STR_INIT(XB_STR_OWN);
	xb_auto_str struct xb_str lines = XB_STR_INIT(XB_STR_OWN);

	xb_git_show(git, find_reason(messages), &reason);
	append_lines(git, messages, &lines);
	if (status->signal != 0)
		xb_error_set(err, meaning->code, "git %s was ended by signal %d", command->args[0],
			     status->signal);
	else
		xb_error_set(err, meaning->code, "git %s: %s", command->args[0],
			     xb_str_text(&reason));
	xb_error_fault(err, meaning->fault);
	xb_error_excerpt(err, "%s", xb_str_text(&lines));
	if (meaning->hint != NULL)
		xb_error_hint(err, "%s", meaning->hint);
	return meaning->code;
}
