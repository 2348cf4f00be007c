/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/audit.h"

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "builder/image/audit_rules.h"

/* Docker's, of a config that has none. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

#define FROM_STAGE "copy it from a stage that is of the image's platform and as new as its base"

static const struct xb_audit_rule rules[] = {
	[XB_RULE_INTERPRETER_MISSING] = { "interpreter-missing", XB_AUDIT_ERROR,
					  "its dynamic linker is not in the image",
					  "link it statically, or take a base of the libc that it "
					  "was built on (glibc, musl)" },
	[XB_RULE_LIBRARY_MISSING] = { "library-missing", XB_AUDIT_ERROR,
				      "a library that it needs is not in the image",
				      "install the library's package in the last stage" },
	[XB_RULE_LIBRARY_MACHINE] = { "library-machine", XB_AUDIT_ERROR,
				      "a library that it needs is there for another machine only",
				      "install the library's package for the image's platform" },
	[XB_RULE_VERSION_MISSING] = { "version-missing", XB_AUDIT_ERROR,
				      "a library that it needs is older than it",
				      "build it on the base that it runs on, or on an older one" },
	[XB_RULE_SCRIPT_INTERPRETER] = { "script-interpreter", XB_AUDIT_ERROR,
					 "the script's interpreter is not in the image",
					 "install it, or change the script's first line" },
	[XB_RULE_SCRIPT_LINE] = { "script-line", XB_AUDIT_ERROR,
				  "the script's first line ends with a carriage return",
				  "convert the file's line ends (dos2unix, .gitattributes "
				  "eol=lf)" },
	[XB_RULE_COMMAND_MISSING] = { "command-missing", XB_AUDIT_ERROR,
				      "what the image is to start is not in it",
				      "correct ENTRYPOINT or CMD, or PATH" },
	[XB_RULE_COMMAND_ACCESS] = { "command-access", XB_AUDIT_ERROR,
				     "what the image is to start cannot be executed by its user",
				     "COPY --chmod=755, or USER" },
	[XB_RULE_COMMAND_MACHINE] = { "command-machine", XB_AUDIT_ERROR,
				      "what the image is to start is for another machine",
				      FROM_STAGE },
	[XB_RULE_USER_UNKNOWN] = { "user-unknown", XB_AUDIT_ERROR,
				   "the image's user is not in its /etc/passwd",
				   "add the user in a RUN, or give its number to USER" },
};

const struct xb_audit_rule *xb_image_audit_rule_at(size_t index)
{
	return index < XB_COUNT(rules) ? &rules[index] : NULL;
}

/* ---- findings ------------------------------------------------------------------------------- */

static void add(const struct xb_image_auditing *a, const struct xb_audit_rule *rule,
		enum xb_audit_grade grade, const struct xb_image_node *node, const char *sentence)
{
	struct xb_image_finding *finding = xb_array_push(a->findings);
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN), said = XB_STR_INIT(XB_STR_OWN);

	if (node != NULL)
		xb_image_node_path(node, &path);
	(void)xb_str_append_quoted(&said, xb_view(sentence));
	*finding = (struct xb_image_finding){
		.rule = rule,
		.grade = grade < rule->grade ? grade : rule->grade,
		.layer = node != NULL ? xb_image_node_file(node)->layer : 0,
		.reason = xb_audit_allow_reason(a->allow, xb_str_text(&path), rule->id),
	};
	finding->path = xb_str_steal(&path);
	finding->sentence = xb_str_steal(&said);
}

void xb_image_audit_say(const struct xb_image_auditing *a, enum xb_image_rule rule,
			enum xb_audit_grade grade, const struct xb_image_node *node,
			const char *format, ...)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	va_list args;

	va_start(args, format);
	(void)xb_str_vprintf(&text, format, args);
	va_end(args);
	add(a, &rules[rule], grade, node, xb_str_text(&text));
}

/* ---- commands ------------------------------------------------------------------------------- */

const char *xb_image_audit_env(const struct xb_image_config *config, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = config->env.len; i > 0; i--) {
		const char *pair = config->env.items[i - 1];

		if (strncmp(pair, name, len) == 0 && pair[len] == '=')
			return pair + len + 1;
	}
	return NULL;
}

static bool is_file(const struct xb_image_node *node)
{
	return xb_image_node_file(node)->kind == XB_IMAGE_FILE;
}

int xb_image_audit_command(const struct xb_image_auditing *a, const char *name,
			   const struct xb_image_node **ret)
{
	const char *path = xb_image_audit_env(a->config, "PATH");
	const char *cwd = a->config->working_dir != NULL ? a->config->working_dir : "/";
	struct xb_view dirs = xb_view(path != NULL ? path : DEFAULT_PATH), dir;
	const struct xb_image_node *from = NULL;

	if (strchr(name, '/') != NULL) {
		(void)xb_image_tree_find(a->tree, NULL, cwd, true, &from);
		return xb_image_tree_find(a->tree, from, name, true, ret);
	}
	while (xb_view_split(&dirs, ':', &dir)) {
		xb_autofree char *full = xb_format("%.*s/%s", XB_VIEW_ARGS(dir), name);

		if (dir.len > 0 && xb_image_tree_find(a->tree, NULL, full, true, ret) == 0 &&
		    is_file(*ret))
			return 0;
	}
	return -ENOENT;
}

/* ---- scripts -------------------------------------------------------------------------------- */

/* Whether a file lies where people's commands are looked for. */
static bool is_in_path(const struct xb_image_auditing *a, const struct xb_image_node *node)
{
	const char *path = xb_image_audit_env(a->config, "PATH");
	struct xb_view dirs = xb_view(path != NULL ? path : DEFAULT_PATH), dir;

	while (xb_view_split(&dirs, ':', &dir)) {
		xb_autofree char *text = xb_view_dup(dir);
		const struct xb_image_node *found;

		if (dir.len > 0 && xb_image_tree_find(a->tree, NULL, text, true, &found) == 0 &&
		    found == xb_image_node_parent(node))
			return true;
	}
	return false;
}

/* "#!/usr/bin/env -S python3 -u": the program that env looks for, or NULL. */
static char *env_program(const struct xb_facts *facts)
{
	size_t len = strlen(facts->interpreter);
	struct xb_view rest, word = { NULL, 0 };

	if (facts->argument == NULL || len < 4 || strcmp(facts->interpreter + len - 4, "/env") != 0)
		return NULL;
	rest = xb_view(facts->argument);
	while (xb_view_split(&rest, ' ', &word))
		if (word.len > 0 && word.data[0] != '-' && xb_view_find(word, '=') < 0)
			return xb_view_dup(word);
	return NULL;
}

static bool ends_with_return(const char *text)
{
	size_t len = text != NULL ? strlen(text) : 0;

	return len > 0 && text[len - 1] == '\r';
}

static void audit_script(const struct xb_image_auditing *a, const struct xb_image_node *node)
{
	const struct xb_image_file *file = xb_image_node_file(node);
	const char *program = file->facts->interpreter;
	enum xb_audit_grade grade = is_in_path(a, node) ? XB_AUDIT_ERROR : XB_AUDIT_WARNING;
	xb_autofree char *wanted = NULL;
	const struct xb_image_node *found;

	if (program == NULL || (file->mode & 0111) == 0)
		return;
	if (ends_with_return(program) || ends_with_return(file->facts->argument)) {
		xb_image_audit_say(a, XB_RULE_SCRIPT_LINE, grade, node,
				   "its first line ends with a carriage return, which is taken as "
				   "part of the name behind %s",
				   ends_with_return(program) ? "#!" : program);
		return;
	}
	if (xb_image_tree_find(a->tree, xb_image_node_parent(node), program, true, &found) < 0) {
		xb_image_audit_say(a, XB_RULE_SCRIPT_INTERPRETER, grade, node,
				   "its interpreter %s is not in the image", program);
		return;
	}
	wanted = env_program(file->facts);
	if (wanted != NULL && xb_image_audit_command(a, wanted, &found) < 0)
		xb_image_audit_say(a, XB_RULE_SCRIPT_INTERPRETER, XB_AUDIT_WARNING, node,
				   "%s finds no %s in the image's PATH", program, wanted);
}

/* ---- programs and libraries ----------------------------------------------------------------- */

static bool defines(const struct xb_facts *library, const char *version)
{
	for (size_t i = 0; i < library->defined.len; i++)
		if (strcmp(library->defined.items[i], version) == 0)
			return true;
	return false;
}

/* The newest version of a family ("GLIBC_2.36" of "GLIBC_2.38"), for people: the last one listed
 * that begins as it does. */
static const char *last_alike(const struct xb_facts *library, const char *version)
{
	const char *mark = strchr(version, '_');
	size_t len = mark != NULL ? (size_t)(mark - version) + 1 : 0;
	const char *last = NULL;

	for (size_t i = 0; len > 0 && i < library->defined.len; i++) {
		const char *one = library->defined.items[i];

		if (strncmp(one, version, len) == 0 && one[len] >= '0' && one[len] <= '9')
			last = one;
	}
	return last;
}

static void audit_versions(const struct xb_image_auditing *a, const struct xb_image_node *node,
			   const char *name, const struct xb_image_node *library,
			   enum xb_audit_grade grade)
{
	const struct xb_facts *facts = xb_image_node_file(node)->facts;
	const struct xb_facts *has = xb_image_node_file(library)->facts;

	/* a library without versions is taken as it is, and musl knows none */
	if (has->defined.len == 0 || xb_libraries_is_musl(&a->libraries, facts))
		return;
	for (size_t i = 0; i < facts->versions_len; i++) {
		const char *version = facts->versions[i].version, *last;

		if (strcmp(facts->versions[i].file, name) != 0 || defines(has, version))
			continue;
		last = last_alike(has, version);
		xb_image_audit_say(a, XB_RULE_VERSION_MISSING, grade, node,
				   "version %s of %s not found; the image's goes up to %s", version,
				   name, last != NULL ? last : "nothing of the kind");
	}
}

static void audit_library(const struct xb_image_auditing *a, const struct xb_image_node *node,
			  const char *name, enum xb_audit_grade grade)
{
	const struct xb_image_node *other = NULL;
	bool itself = false;
	const struct xb_image_node *found =
		xb_libraries_find(&a->libraries, node, name, &other, &itself);
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	if (found != NULL) {
		audit_versions(a, node, name, found, grade);
		return;
	}
	if (itself)
		return;
	if (other == NULL) {
		xb_image_audit_say(a, XB_RULE_LIBRARY_MISSING, grade, node,
				   "it needs %s, which is nowhere that its linker looks", name);
		return;
	}
	xb_image_node_path(other, &path);
	xb_str_puts(&path, " is for ");
	xb_audit_describe(&xb_image_node_file(other)->facts->elf, &path);
	xb_image_audit_say(a, XB_RULE_LIBRARY_MACHINE, grade, node, "it needs %s, but %s", name,
			   xb_str_text(&path));
}

/* ---- what a program is loaded with ---------------------------------------------------------- */

/* Real programs have a few hundred libraries; hostile ones shall not keep anybody busy. */
enum { MAX_LOADED = 1024, MAX_ASKED = 16384 };

/* Something that a program is loaded with. */
struct loaded {
	const char *name;		  /* as it was asked for */
	const struct xb_image_node *node; /* NULL: it is missing */
	size_t by;			  /* the index of the first that asked for it */
};

/* The program itself comes first. */
struct loading XB_ARRAY(struct loaded);

static void loading_clear(struct loading *l)
{
	xb_array_clear(l);
}

static const struct xb_facts *facts_of(const struct xb_image_node *node)
{
	return xb_image_node_file(node)->facts;
}

/* A library that is there under this name is taken, wherever it was found. */
static bool is_loaded(const struct loading *l, const char *name)
{
	for (size_t i = 0; i < l->len; i++) {
		const struct xb_image_node *node = l->items[i].node;
		const char *soname = node != NULL ? facts_of(node)->soname : NULL;

		if (strcmp(l->items[i].name, name) == 0 ||
		    (soname != NULL && strcmp(soname, name) == 0))
			return true;
	}
	return false;
}

static bool has_node(const struct loading *l, const struct xb_image_node *node)
{
	for (size_t i = 0; i < l->len; i++)
		if (l->items[i].node == node)
			return true;
	return false;
}

/* Find a library for number `by`. Those by which that was loaded help: with glibc their DT_RPATH,
 * if it has no DT_RUNPATH; with musl either. */
static const struct xb_image_node *find_for(const struct xb_image_auditing *a,
					    const struct loading *l, size_t by, const char *name,
					    const struct xb_image_node **other, bool *itself)
{
	const struct xb_image_node *found =
		xb_libraries_find(&a->libraries, l->items[by].node, name, other, itself);
	bool musl = xb_libraries_is_musl(&a->libraries, facts_of(l->items[0].node));

	if (!musl && facts_of(l->items[by].node)->runpath != NULL)
		return found;
	while (found == NULL && !*itself && by != 0) {
		by = l->items[by].by;
		if (musl || facts_of(l->items[by].node)->runpath == NULL)
			found = xb_libraries_find(&a->libraries, l->items[by].node, name, NULL,
						  itself);
	}
	return found;
}

/* What the program itself needs is told by audit_library(). */
static void load_one(const struct xb_image_auditing *a, struct loading *l, size_t by,
		     const char *name)
{
	const struct xb_image_node *other = NULL, *found;
	bool itself = false;

	if (l->len >= MAX_LOADED || is_loaded(l, name))
		return;
	found = find_for(a, l, by, name, &other, &itself);
	if (itself || (found != NULL && has_node(l, found)))
		return;
	*xb_array_push(l) = (struct loaded){ name, found, by };
	if (found == NULL && by > 0)
		xb_image_audit_say(
			a, other != NULL ? XB_RULE_LIBRARY_MACHINE : XB_RULE_LIBRARY_MISSING,
			XB_AUDIT_ERROR, l->items[0].node,
			"it is loaded with %s, which needs %s, which is %s", l->items[by].name,
			name,
			other != NULL ? "there for another machine only"
				      : "nowhere that its linker looks");
}

/* The linker loads what libraries need, too, or the program does not start. */
static void audit_loading(const struct xb_image_auditing *a, const struct xb_image_node *program,
			  const struct xb_image_node *linker)
{
	XB_CLEANUP(loading_clear) struct loading l = { 0 };
	size_t left = MAX_ASKED;

	*xb_array_push(&l) = (struct loaded){ "", program, 0 };
	if (facts_of(linker) != NULL)
		*xb_array_push(&l) = (struct loaded){ "", linker, 0 };
	for (size_t i = 0; i < l.len; i++) {
		const struct xb_facts *facts =
			l.items[i].node != NULL ? facts_of(l.items[i].node) : NULL;

		for (size_t k = 0; facts != NULL && k < facts->needed.len && left > 0; k++, left--)
			load_one(a, &l, i, facts->needed.items[k]);
	}
}

/* A program has an interpreter and can be executed; of libraries nobody knows who loads them. */
static void audit_elf(const struct xb_image_auditing *a, const struct xb_image_node *node)
{
	const struct xb_image_file *file = xb_image_node_file(node);
	const struct xb_facts *facts = file->facts;
	bool runs = facts->interpreter != NULL && (file->mode & 0111) != 0;
	enum xb_audit_grade grade = runs ? XB_AUDIT_ERROR : XB_AUDIT_WARNING;
	const struct xb_image_node *found;

	if (facts->elf.debug_only || facts->elf.type == ET_REL || facts->elf.type == ET_CORE)
		return;
	if (facts->interpreter != NULL &&
	    xb_image_tree_find(a->tree, NULL, facts->interpreter, true, &found) < 0) {
		xb_image_audit_say(a, XB_RULE_INTERPRETER_MISSING, grade, node,
				   "its dynamic linker %s is not in the image", facts->interpreter);
		return;
	}
	for (size_t i = 0; i < facts->needed.len; i++)
		audit_library(a, node, facts->needed.items[i], grade);
	if (runs)
		audit_loading(a, node, found);
}

/* Whether something was found of the file alone that says that the image's linker never has it. */
static bool is_foreign(const struct xb_audit_findings *findings)
{
	static const char *const foreign[] = { "elf-damaged", "elf-core",    "elf-firmware",
					       "elf-guest",   "elf-sysroot", "elf-32bit",
					       "elf-x32",     "elf-machine", "elf-byte-order",
					       "elf-class",   "elf-foreign" };

	for (size_t i = 0; i < findings->len; i++)
		for (size_t k = 0; k < XB_COUNT(foreign); k++)
			if (strcmp(findings->items[i].rule->id, foreign[k]) == 0)
				return true;
	return false;
}

static int audit_node(void *context, const struct xb_image_node *node)
{
	const struct xb_image_auditing *a = context;
	const struct xb_facts *facts = xb_image_node_file(node)->facts;
	xb_auto_audit_findings struct xb_audit_findings found = { 0 };
	xb_auto_str struct xb_str path = XB_STR_INIT(XB_STR_OWN);

	if (facts == NULL)
		return 0;
	xb_image_node_path(node, &path);
	xb_audit_file(xb_str_text(&path), facts, a->platform, &found);
	for (size_t i = 0; i < found.len; i++)
		add(a, found.items[i].rule, found.items[i].grade, node, found.items[i].sentence);
	if (facts->kind == XB_FACTS_SCRIPT)
		audit_script(a, node);
	else if (facts->kind == XB_FACTS_ELF && !is_foreign(&found))
		audit_elf(a, node);
	return 0;
}

void xb_image_audit(const struct xb_image_tree *tree, const struct xb_platform *platform,
		    const struct xb_image_config *config, const struct xb_audit_allow *allow,
		    struct xb_image_findings *findings)
{
	struct xb_image_auditing a = {
		.tree = tree,
		.platform = platform,
		.config = config,
		.allow = allow,
		.findings = findings,
	};

	xb_libraries_init(&a.libraries, tree, xb_image_audit_env(config, "LD_LIBRARY_PATH"));
	(void)xb_image_tree_each(tree, audit_node, &a);
	if (strcmp(platform->os, "linux") == 0)
		xb_image_audit_probe(&a);
	xb_libraries_clear(&a.libraries);
}
