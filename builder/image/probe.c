/* SPDX-License-Identifier: Apache-2.0 */
/* What an image is to start, and whether it can. */
#include <errno.h>
#include <string.h>

#include "builder/image/audit_rules.h"

/* Who the image runs as. */
struct identity {
	uint32_t uid;
	uint32_t gid;
	struct XB_ARRAY(uint32_t) groups;
};

static void identity_clear(struct identity *identity)
{
	xb_array_clear(&identity->groups);
}

/* ---- users ---------------------------------------------------------------------------------- */

static struct xb_view text_of(const struct xb_image_auditing *a, const char *path)
{
	const struct xb_image_node *node;
	struct xb_view none = { NULL, 0 };

	return xb_image_tree_find(a->tree, NULL, path, true, &node) == 0
		       ? xb_image_node_file(node)->text
		       : none;
}

/* Field number `number` of a line of passwd or group. */
static struct xb_view field(struct xb_view line, size_t number)
{
	struct xb_view one = { NULL, 0 };

	for (size_t i = 0; i <= number; i++)
		if (!xb_view_split(&line, ':', &one))
			return (struct xb_view){ NULL, 0 };
	return one;
}

static bool number_of(struct xb_view text, uint32_t *ret)
{
	uint64_t value = 0;

	if (xb_view_parse_u64(text, UINT32_MAX, &value) < 0)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* The line of passwd or group whose name or number this is. */
static bool find_line(struct xb_view text, struct xb_view who, struct xb_view *ret)
{
	struct xb_view line;

	while (text.data != NULL && xb_view_split(&text, '\n', &line)) {
		if (line.len > 0 &&
		    (xb_view_eq(field(line, 0), who) || xb_view_eq(field(line, 2), who))) {
			*ret = line;
			return true;
		}
	}
	return false;
}

/* Groups whose lists of members name the user. */
static void add_groups(const struct xb_image_auditing *a, struct xb_view user, struct identity *ret)
{
	struct xb_view text = text_of(a, "/etc/group"), line, member;
	uint32_t gid;

	while (text.data != NULL && xb_view_split(&text, '\n', &line)) {
		struct xb_view members = field(line, 3);

		while (members.len > 0 && xb_view_split(&members, ',', &member))
			if (xb_view_eq(member, user) && number_of(field(line, 2), &gid))
				*xb_array_push(&ret->groups) = gid;
	}
}

/* The user part; false when nobody is called so. */
static bool find_user(const struct xb_image_auditing *a, struct xb_view user, struct identity *ret)
{
	struct xb_view line;

	if (find_line(text_of(a, "/etc/passwd"), user, &line) &&
	    number_of(field(line, 2), &ret->uid) && number_of(field(line, 3), &ret->gid)) {
		add_groups(a, field(line, 0), ret);
		return true;
	}
	return number_of(user, &ret->uid);
}

static bool find_identity(const struct xb_image_auditing *a, struct identity *ret)
{
	const char *text = a->config->user;
	struct xb_view rest, user = { NULL, 0 }, group, line;

	if (text == NULL || *text == '\0')
		return true;
	rest = xb_view(text);
	(void)xb_view_split(&rest, ':', &user);
	group = rest;
	if (!find_user(a, user, ret)) {
		xb_image_audit_say(a, XB_RULE_USER_UNKNOWN, XB_AUDIT_ERROR, NULL,
				   "USER %s: /etc/passwd of the image has no such user", text);
		return false;
	}
	if (group.len == 0)
		return true;
	xb_array_clear(&ret->groups);
	if (find_line(text_of(a, "/etc/group"), group, &line) &&
	    number_of(field(line, 2), &ret->gid))
		return true;
	if (number_of(group, &ret->gid))
		return true;
	xb_image_audit_say(a, XB_RULE_USER_UNKNOWN, XB_AUDIT_ERROR, NULL,
			   "USER %s: /etc/group of the image has no such group", text);
	return false;
}

/* ---- access --------------------------------------------------------------------------------- */

static bool is_in_group(const struct identity *who, uint32_t gid)
{
	for (size_t i = 0; i < who->groups.len; i++)
		if (who->groups.items[i] == gid)
			return true;
	return who->gid == gid;
}

/* Whether `who` may execute a file, or pass a directory. */
static bool may_pass(const struct identity *who, const struct xb_image_file *file)
{
	if (who->uid == 0)
		return file->kind == XB_IMAGE_DIRECTORY || (file->mode & 0111) != 0;
	if (who->uid == file->uid)
		return (file->mode & 0100) != 0;
	if (is_in_group(who, file->gid))
		return (file->mode & 010) != 0;
	return (file->mode & 01) != 0;
}

/* What stands in the way, or NULL. */
static const struct xb_image_node *obstacle(const struct identity *who,
					    const struct xb_image_node *node)
{
	for (;;) {
		const struct xb_image_node *parent = xb_image_node_parent(node);

		if (!may_pass(who, xb_image_node_file(node)))
			return node;
		if (parent == node)
			return NULL;
		node = parent;
	}
}

/* ---- commands ------------------------------------------------------------------------------- */

/* A file that is code of another machine; its interpreter and libraries are the audit's. */
static bool is_foreign(const struct xb_image_auditing *a, const struct xb_image_node *node)
{
	xb_auto_audit_findings struct xb_audit_findings found = { 0 };
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);
	const struct xb_facts *facts = xb_image_node_file(node)->facts;

	if (facts == NULL || facts->kind == XB_FACTS_SCRIPT)
		return false;
	/* what other systems call programs is a note elsewhere, but nothing that Linux starts */
	if (facts->kind != XB_FACTS_ELF)
		return true;
	xb_image_node_path(node, &path);
	xb_audit_file(xb_str_text(&path), facts, a->platform, &found);
	for (size_t i = 0; i < found.len; i++)
		if ((found.items[i].grade == XB_AUDIT_ERROR &&
		     strcmp(found.items[i].rule->id, "elf-damaged") != 0) ||
		    strcmp(found.items[i].rule->id, "elf-32bit") == 0 ||
		    strcmp(found.items[i].rule->id, "elf-x32") == 0)
			return true;
	return false;
}

static void describe(const struct xb_image_node *node, struct xb_str *out)
{
	const struct xb_facts *facts = xb_image_node_file(node)->facts;

	if (facts->kind == XB_FACTS_ELF)
		xb_audit_describe(&facts->elf, out);
	else
		xb_str_puts(out, facts->kind == XB_FACTS_PE	 ? "Windows"
				 : facts->kind == XB_FACTS_MACHO ? "macOS"
				 : facts->kind == XB_FACTS_WASM	 ? "WebAssembly"
								 : "no system");
}

/* Look at one program; `what` says who starts it. */
static void probe_program(const struct xb_image_auditing *a, const struct identity *who,
			  const char *what, const char *name, enum xb_audit_grade grade)
{
	const struct xb_image_node *node = NULL, *in_the_way;
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	if (xb_image_audit_command(a, name, &node) < 0 ||
	    xb_image_node_file(node)->kind == XB_IMAGE_DIRECTORY) {
		xb_image_audit_say(a, XB_RULE_COMMAND_MISSING, grade, NULL,
				   "%s: %s is not in the image%s", what, name,
				   strchr(name, '/') == NULL ? "'s PATH" : "");
		return;
	}
	in_the_way = obstacle(who, node);
	if (in_the_way != NULL) {
		xb_image_node_path(in_the_way, &text);
		xb_image_audit_say(a, XB_RULE_COMMAND_ACCESS, grade, node,
				   "%s: user %u may not %s %s (mode %04o, owner %u:%u)", what,
				   who->uid, in_the_way == node ? "execute" : "pass",
				   xb_str_text(&text), xb_image_node_file(in_the_way)->mode,
				   xb_image_node_file(in_the_way)->uid,
				   xb_image_node_file(in_the_way)->gid);
	} else if (is_foreign(a, node)) {
		describe(node, &text);
		xb_image_audit_say(a, XB_RULE_COMMAND_MACHINE, grade, node,
				   "%s: it is for %s, the image for %s", what, xb_str_text(&text),
				   xb_platform_name(a->platform).text);
	}
}

/* The first word of a shell's command, if it is plainly the name of a program; else NULL. */
static char *first_word(const char *command)
{
	static const char *const builtins[] = { "cd",	  "if",	   "for",     "while", "set",
						"export", "test",  "[",	      "exit",  "trap",
						"eval",	  "case",  "ulimit",  "umask", "true",
						"false",  "echo",  "until",   "wait",  "source",
						".",	  ":",	   "{",	      "(",     "printf",
						"read",	  "unset", "command", "!" };
	struct xb_view rest = xb_view_trim(xb_view(command)), word = { NULL, 0 };

	if (xb_view_starts(rest, XB_VIEW("exec ")))
		rest = xb_view_trim(xb_view_sub(rest, 5, rest.len));
	(void)xb_view_split(&rest, ' ', &word);
	for (size_t i = 0; i < word.len; i++)
		if (strchr("$`\"'\\=;&|<>(){}*?~\n\t", word.data[i]) != NULL)
			return NULL;
	for (size_t i = 0; i < XB_COUNT(builtins); i++)
		if (xb_view_is(word, builtins[i]))
			return NULL;
	return word.len > 0 ? xb_view_dup(word) : NULL;
}

/* A command; of a shell's the shell, and what it plainly starts. */
static void probe(const struct xb_image_auditing *a, const struct identity *who, const char *what,
		  const struct xb_strv *argv)
{
	xb_autofree char *word = NULL;

	if (argv->len == 0)
		return;
	probe_program(a, who, what, argv->items[0], XB_AUDIT_ERROR);
	if (argv->len >= 3 && strcmp(argv->items[1], "-c") == 0)
		word = first_word(argv->items[2]);
	if (word != NULL)
		probe_program(a, who, what, word, XB_AUDIT_WARNING);
}

static void probe_health(const struct xb_image_auditing *a, const struct identity *who)
{
	const struct xb_strv *test = &a->config->healthcheck.test;
	xb_auto_strv struct xb_strv argv = XB_STRV_INIT;

	if (!a->config->has_healthcheck || test->len < 2)
		return;
	if (strcmp(test->items[0], "CMD-SHELL") == 0) {
		xb_strv_push(&argv,
			     a->config->shell.len > 0 ? a->config->shell.items[0] : "/bin/sh");
		xb_strv_push(&argv, "-c");
	}
	for (size_t i = 1; i < test->len; i++)
		xb_strv_push(&argv, test->items[i]);
	probe(a, who, "HEALTHCHECK", &argv);
}

void xb_image_audit_probe(const struct xb_image_auditing *a)
{
	const struct xb_image_config *config = a->config;
	XB_CLEANUP(identity_clear) struct identity who = { 0 };

	if (!find_identity(a, &who))
		return;
	if (config->has_entrypoint && config->entrypoint.len > 0)
		probe(a, &who, "ENTRYPOINT", &config->entrypoint);
	else
		probe(a, &who, "CMD", &config->cmd);
	probe_health(a, &who);
}
