/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/fetch/git_ref.h"

#include <errno.h>
#include <string.h>

/* Lines for one name are few; a server may say otherwise. */
#define MAX_ANSWER ((size_t)4 << 20)

void xb_git_target_clear(struct xb_git_target *target)
{
	free(target->ref);
	*target = (struct xb_git_target){ 0 };
}

static bool is_component(struct xb_view part)
{
	return part.len > 0 && part.data[0] != '.' && !xb_view_ends(part, XB_VIEW(".lock")) &&
	       part.data[part.len - 1] != '.';
}

bool xb_git_is_ref(struct xb_view name)
{
	struct xb_view rest = name;
	struct xb_view part;

	if (name.len == 0 || name.len > 1024 || name.data[0] == '-' || xb_view_is(name, "@"))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];
		char next = i + 1 < name.len ? name.data[i + 1] : '\0';

		if (c <= ' ' || c == 0x7f || strchr("~^:?*[\\", c) != NULL ||
		    (c == '.' && next == '.') || (c == '@' && next == '{'))
			return false;
	}
	while (xb_view_split(&rest, '/', &part)) {
		if (!is_component(part))
			return false;
	}
	return true;
}

static bool is_check(const char *text)
{
	size_t n = strspn(text, "0123456789abcdefABCDEF");

	return n > 0 && n < XB_GIT_ID_SIZE && text[n] == '\0';
}

static bool fits(const char *id, const char *check)
{
	return strncasecmp(id, check, strlen(check)) == 0;
}

int xb_git_check(const struct xb_git_target *target, const struct xb_strv *checks,
		 struct xb_error *err)
{
	bool two = strcmp(target->object, target->commit) != 0;

	for (size_t i = 0; i < checks->len; i++) {
		const char *check = checks->items[i];

		if (fits(target->object, check) || fits(target->commit, check))
			continue;
		xb_error_set(err, -EBADMSG,
			     "expected checksum to match %s, but %s is commit %s%s%s", check,
			     target->ref != NULL ? target->ref : "the id", target->commit,
			     two ? " by tag " : "", two ? target->object : "");
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	return 0;
}

static void set_id(char id[XB_GIT_ID_SIZE], const char *text)
{
	size_t n = 0;

	for (; text[n] != '\0' && n + 1 < XB_GIT_ID_SIZE; n++)
		id[n] = (char)(text[n] >= 'A' && text[n] <= 'F' ? text[n] + ('a' - 'A') : text[n]);
	id[n] = '\0';
}

/* A name of a branch that is not asked about is a branch's whole one. */
static int by_commit(const struct xb_git_url *url, const struct xb_strv *checks,
		     struct xb_git_target *target, struct xb_error *err)
{
	const char *id = NULL;

	for (size_t i = 0; i < checks->len; i++) {
		set_id(target->object, checks->items[i]);
		if (xb_git_is_commit(xb_view(target->object)))
			id = checks->items[i];
	}
	if (id == NULL)
		return xb_error_set(err, -EINVAL,
				    "fetch-by-commit wants the commit's whole id, by commit=");
	set_id(target->object, id);
	if (url->ref != NULL)
		target->ref = xb_format(
			"%s%s", strncmp(url->ref, "refs/", 5) == 0 ? "" : "refs/heads/", url->ref);
	return 0;
}

/* A line of ls-remote's answer. */
struct line {
	struct xb_view id;
	struct xb_view name;
};

static bool next_line(struct xb_view *rest, struct line *ret)
{
	struct xb_view line;

	while (xb_view_split(rest, '\n', &line)) {
		struct xb_view name = line;

		(void)xb_view_split(&name, '\t', &ret->id);
		ret->name = name;
		if (name.len > 0 && xb_git_is_commit(ret->id))
			return true;
	}
	return false;
}

/* The id of a name in the answer; false when it has none. */
static bool find_id(struct xb_view answer, const char *name, char ret[XB_GIT_ID_SIZE])
{
	struct line line;

	while (next_line(&answer, &line)) {
		if (xb_view_is(line.name, name)) {
			memcpy(ret, line.id.data, line.id.len);
			ret[line.id.len] = '\0';
			return true;
		}
	}
	return false;
}

/* "ref: refs/heads/main<TAB>HEAD": what HEAD is a name for. */
static char *find_symref(struct xb_view answer)
{
	struct xb_view line;

	while (xb_view_split(&answer, '\n', &line)) {
		struct xb_view name = line;
		struct xb_view ref;

		(void)xb_view_split(&name, '\t', &ref);
		if (!xb_view_is(name, "HEAD") || !xb_view_starts(ref, XB_VIEW("ref: ")))
			continue;
		ref = xb_view_sub(ref, 5, ref.len);
		if (xb_view_starts(ref, XB_VIEW("refs/")) && xb_git_is_ref(ref))
			return xb_view_dup(ref);
	}
	return NULL;
}

static int no_ref(const char *name, struct xb_error *err)
{
	xb_error_set(err, -ENOENT, "the repository does not contain ref %s", name);
	xb_error_hint(err, "a branch, a tag, a whole name (refs/…) or a whole commit id leads "
			   "somewhere; the beginning of a commit id does not");
	return xb_error_fault(err, XB_FAULT_SOURCE);
}

static int ask_head(struct xb_git *git, struct xb_git_target *target, struct xb_error *err)
{
	static const char *const args[] = { "ls-remote", "--symref", "--", "origin", "HEAD", NULL };
	const struct xb_git_command command = { .args = args, .network = true };
	xb_auto_str struct xb_str answer = XB_STR_INIT(MAX_ANSWER);
	int r = xb_git_run(git, &command, &answer, err);

	if (r < 0)
		return r;
	if (!find_id(xb_str_view(&answer), "HEAD", target->object)) {
		xb_error_set(err, -ENOENT, "the repository has no default branch");
		xb_error_hint(err, "name a branch: #BRANCH");
		return xb_error_fault(err, XB_FAULT_SOURCE);
	}
	target->ref = find_symref(xb_str_view(&answer));
	if (target->ref == NULL)
		target->ref = xb_strdup("HEAD");
	memcpy(target->commit, target->object, sizeof(target->commit));
	return 0;
}

/* What follows a prefix that a name may have. */
static const char *without(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 ? name + n : name;
}

/*
 * Of the names that a short one may stand for, the first that exists: it itself, a branch, a tag.
 * git prefers branches too when it checks out.
 */
static int choose(const char *name, struct xb_view answer, struct xb_git_target *target,
		  struct xb_error *err)
{
	static const char *const prefixes[] = { "refs/", "refs/heads/", "refs/tags/" };

	for (size_t i = 0; i < XB_COUNT(prefixes); i++) {
		xb_autofree char *whole =
			xb_format("%s%s", prefixes[i], without(name, prefixes[i]));
		xb_autofree char *peeled = xb_format("%s^{}", whole);

		if (!find_id(answer, whole, target->object))
			continue;
		if (!find_id(answer, peeled, target->commit))
			memcpy(target->commit, target->object, sizeof(target->commit));
		target->ref = XB_STEAL(whole);
		return 0;
	}
	return no_ref(name, err);
}

static int ask_name(struct xb_git *git, const char *name, struct xb_git_target *target,
		    struct xb_error *err)
{
	xb_autofree char *peeled = xb_format("%s^{}", name);
	const char *const args[] = { "ls-remote", "--", "origin", name, peeled, NULL };
	const struct xb_git_command command = { .args = args, .network = true };
	xb_auto_str struct xb_str answer = XB_STR_INIT(MAX_ANSWER);
	int r = xb_git_run(git, &command, &answer, err);

	return r < 0 ? r : choose(name, xb_str_view(&answer), target, err);
}

static int check_names(const struct xb_git_url *url, const struct xb_strv *checks,
		       struct xb_error *err)
{
	for (size_t i = 0; i < checks->len; i++) {
		if (!is_check(checks->items[i]))
			return xb_error_set(err, -EINVAL, "%s is not the id of a commit",
					    checks->items[i]);
	}
	if (url->ref != NULL && !xb_git_is_ref(xb_view(url->ref)))
		return xb_error_set(err, -EINVAL, "no branch or tag can be called \"%s\"",
				    url->ref);
	return 0;
}

int xb_git_resolve(struct xb_git *git, const struct xb_git_url *url, const struct xb_strv *checks,
		   struct xb_git_target *ret, struct xb_error *err)
{
	xb_auto_git_target struct xb_git_target target = { 0 };
	int r = check_names(url, checks, err);

	if (r == 0 && url->ref != NULL && xb_git_is_commit(xb_view(url->ref)))
		set_id(target.object, url->ref);
	else if (r == 0 && url->fetch_by_commit)
		r = by_commit(url, checks, &target, err);
	else if (r == 0 && (url->ref == NULL || strcmp(url->ref, "HEAD") == 0))
		r = ask_head(git, &target, err);
	else if (r == 0)
		r = ask_name(git, url->ref, &target, err);
	if (r == 0 && target.commit[0] != '\0')
		r = xb_git_check(&target, checks, err);
	if (r < 0) {
		xb_error_fault(err, XB_FAULT_SOURCE);
		return xb_error_wrap(err, r, "%s", git->shown);
	}
	*ret = target;
	target = (struct xb_git_target){ 0 };
	return 0;
}
