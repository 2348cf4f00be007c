/* SPDX-License-Identifier: Apache-2.0 */
/* How audits are told: a table for people, JSON, SARIF. */
#include <string.h>

#include "base/json.h"
#include "builder/cli/audit.h"

/* Findings of one rule and grade that a table has of an image. */
#define MOST_ALIKE 10

#define SARIF_SCHEMA "https://json.schemastore.org/sarif-2.1.0.json"

/* ---- for people ----------------------------------------------------------------------------- */

static bool is_alike(const struct xb_image_finding *a, const struct xb_image_finding *b)
{
	return a->rule == b->rule && a->grade == b->grade &&
	       (a->reason == NULL) == (b->reason == NULL);
}

static void print_path(const char *path, FILE *out)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&text, xb_view(path));
	(void)fprintf(out, "%s", path[0] != '\0' ? xb_str_text(&text) : "(config)");
}

/* The finding `first`, and those behind it of its rule. */
static void print_group(const struct xb_image_findings *findings, size_t first, FILE *out)
{
	const struct xb_image_finding *f = &findings->items[first];
	size_t shown = 0, more = 0;

	(void)fprintf(out, "%s %s: %s\n",
		      f->reason != NULL ? "allowed" : xb_audit_grade_name(f->grade), f->rule->id,
		      f->rule->what);
	for (size_t i = first; i < findings->len; i++) {
		if (!is_alike(&findings->items[i], f))
			continue;
		if (shown == MOST_ALIKE) {
			more++;
			continue;
		}
		shown++;
		(void)fprintf(out, "  ");
		print_path(findings->items[i].path, out);
		(void)fprintf(out, "\n    %s\n", findings->items[i].sentence);
		if (f->reason != NULL)
			(void)fprintf(out, "    allowed: %s\n", findings->items[i].reason);
	}
	if (more > 0)
		(void)fprintf(out, "  and %zu more\n", more);
	if (strcmp(f->rule->remedy, "nothing") != 0 && f->reason == NULL)
		(void)fprintf(out, "  hint: %s\n", f->rule->remedy);
}

static bool is_first(const struct xb_image_findings *findings, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (is_alike(&findings->items[i], &findings->items[index]))
			return false;
	return true;
}

static void print_grade(const struct xb_image_findings *findings, enum xb_audit_grade grade,
			bool allowed, FILE *out)
{
	for (size_t i = 0; i < findings->len; i++)
		if (findings->items[i].grade == grade &&
		    (findings->items[i].reason != NULL) == allowed && is_first(findings, i))
			print_group(findings, i, out);
}

static void print_count(size_t count, const char *what, FILE *out)
{
	(void)fprintf(out, ", %zu %s%s", count, what, count == 1 ? "" : "s");
}

static void print_image(const struct xb_audited *image, enum xb_audit_grade least, FILE *out)
{
	const struct xb_image_findings *findings = &image->findings;

	(void)fprintf(out, "%s %s: %zu files", xb_platform_name(&image->platform).text,
		      image->digest.text, image->files);
	print_count(xb_image_findings_count(findings, XB_AUDIT_ERROR), "error", out);
	print_count(xb_image_findings_count(findings, XB_AUDIT_WARNING), "warning", out);
	print_count(xb_image_findings_count(findings, XB_AUDIT_NOTE), "note", out);
	(void)fprintf(out, "\n");
	for (int grade = XB_AUDIT_ERROR; grade >= (int)least; grade--)
		print_grade(findings, (enum xb_audit_grade)grade, false, out);
	for (int grade = XB_AUDIT_ERROR; grade >= (int)least; grade--)
		print_grade(findings, (enum xb_audit_grade)grade, true, out);
}

void xb_audits_print(const struct xb_audits *audits, enum xb_audit_grade least, FILE *out)
{
	for (size_t i = 0; i < audits->images.len; i++)
		print_image(&audits->images.items[i], least, out);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

/* Names of files are bytes; what is no UTF-8 is written as it is shown. */
static void set_path(json_t *object, const char *name, const char *path)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&text, xb_view(path));
	xb_json_set_string(object, name, xb_str_text(&text));
}

static json_t *describe(const struct xb_audited *image, const struct xb_image_finding *f)
{
	json_t *object = json_object();

	xb_json_set_string(object, "rule", f->rule->id);
	xb_json_set_string(object, "grade", xb_audit_grade_name(f->grade));
	if (f->path[0] != '\0') {
		set_path(object, "path", f->path);
		if (f->layer < image->layers.len)
			xb_json_set_string(object, "layer", image->layers.items[f->layer].text);
	}
	xb_json_set_string(object, "message", f->sentence);
	xb_json_set_string(object, "remedy", f->rule->remedy);
	if (f->reason != NULL)
		set_path(object, "allowed", f->reason);
	return object;
}

static json_t *describe_image(const struct xb_audited *image)
{
	json_t *object = json_object(), *findings = json_array();

	xb_json_set_string(object, "platform", xb_platform_name(&image->platform).text);
	xb_json_set_string(object, "digest", image->digest.text);
	xb_json_set_u64(object, "files", image->files);
	for (size_t i = 0; i < image->findings.len; i++)
		(void)json_array_append_new(findings, describe(image, &image->findings.items[i]));
	xb_json_set_new(object, "findings", findings);
	return object;
}

static int print_object(const json_t *object, FILE *out, struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	int r = xb_json_write(object, &text, err);

	if (r == 0)
		(void)fprintf(out, "%s\n", xb_str_text(&text));
	return r;
}

int xb_audits_print_json(const struct xb_audits *audits, const char *name, FILE *out,
			 struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();
	json_t *images = json_array();

	xb_json_set_string(object, "name", name);
	xb_json_set_u64(object, "errors", xb_audits_count(audits, XB_AUDIT_ERROR));
	xb_json_set_u64(object, "warnings", xb_audits_count(audits, XB_AUDIT_WARNING));
	xb_json_set_u64(object, "notes", xb_audits_count(audits, XB_AUDIT_NOTE));
	for (size_t i = 0; i < audits->images.len; i++)
		(void)json_array_append_new(images, describe_image(&audits->images.items[i]));
	xb_json_set_new(object, "images", images);
	return print_object(object, out, err);
}

/* ---- SARIF ---------------------------------------------------------------------------------- */

static json_t *text_object(const char *text)
{
	json_t *object = json_object();

	xb_json_set_string(object, "text", text);
	return object;
}

static void add_rule(json_t *rules, const struct xb_audit_rule *rule)
{
	json_t *object = json_object();

	xb_json_set_string(object, "id", rule->id);
	xb_json_set_new(object, "shortDescription", text_object(rule->what));
	xb_json_set_new(object, "help", text_object(rule->remedy));
	(void)json_array_append_new(rules, object);
}

static json_t *describe_tool(void)
{
	json_t *driver = json_object(), *rules = json_array(), *tool = json_object();
	const struct xb_audit_rule *rule;

	xb_json_set_string(driver, "name", "xbuild audit");
	xb_json_set_string(driver, "version", XB_VERSION);
	for (size_t i = 0; (rule = xb_audit_rule_at(i)) != NULL; i++)
		add_rule(rules, rule);
	for (size_t i = 0; (rule = xb_image_audit_rule_at(i)) != NULL; i++)
		add_rule(rules, rule);
	xb_json_set_new(driver, "rules", rules);
	xb_json_set_new(tool, "driver", driver);
	return tool;
}

/* The path in the image, without its first slash, as if the image were unpacked somewhere. */
static json_t *describe_location(const struct xb_audited *image, const char *name,
				 const struct xb_image_finding *f)
{
	xb_autofree char *where =
		xb_format("%s (%s)", name, xb_platform_name(&image->platform).text);
	json_t *location = json_object(), *physical = json_object(), *artifact = json_object();
	json_t *logical = json_object(), *logicals = json_array();

	set_path(artifact, "uri", f->path[0] == '/' ? f->path + 1 : "config");
	xb_json_set_new(physical, "artifactLocation", artifact);
	xb_json_set_new(location, "physicalLocation", physical);
	xb_json_set_string(logical, "fullyQualifiedName", where);
	(void)json_array_append_new(logicals, logical);
	xb_json_set_new(location, "logicalLocations", logicals);
	return location;
}

static json_t *describe_result(const struct xb_audited *image, const char *name,
			       const struct xb_image_finding *f)
{
	json_t *result = json_object(), *locations = json_array();

	xb_json_set_string(result, "ruleId", f->rule->id);
	xb_json_set_string(result, "level", xb_audit_grade_name(f->grade));
	xb_json_set_new(result, "message", text_object(f->sentence));
	(void)json_array_append_new(locations, describe_location(image, name, f));
	xb_json_set_new(result, "locations", locations);
	if (f->reason != NULL) {
		json_t *suppression = json_object(), *suppressions = json_array();

		xb_json_set_string(suppression, "kind", "external");
		set_path(suppression, "justification", f->reason);
		(void)json_array_append_new(suppressions, suppression);
		xb_json_set_new(result, "suppressions", suppressions);
	}
	return result;
}

int xb_audits_print_sarif(const struct xb_audits *audits, const char *name, FILE *out,
			  struct xb_error *err)
{
	xb_auto_json json_t *object = json_object();
	json_t *runs = json_array(), *run = json_object(), *results = json_array();

	xb_json_set_string(object, "$schema", SARIF_SCHEMA);
	xb_json_set_string(object, "version", "2.1.0");
	for (size_t i = 0; i < audits->images.len; i++) {
		const struct xb_audited *image = &audits->images.items[i];

		for (size_t k = 0; k < image->findings.len; k++)
			(void)json_array_append_new(
				results, describe_result(image, name, &image->findings.items[k]));
	}
	xb_json_set_new(run, "tool", describe_tool());
	xb_json_set_new(run, "results", results);
	(void)json_array_append_new(runs, run);
	xb_json_set_new(object, "runs", runs);
	return print_object(object, out, err);
}
