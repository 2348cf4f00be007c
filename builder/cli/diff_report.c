/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/diff_report.h"

/* Differences of one kind that are told without --detail. */
#define MOST_ALIKE 10

static const char *const headings[XB_DIFFERS_KINDS] = {
	"only in the first", "only in the second",	  "of another type",
	"of another mode",   "of another owner",	  "linked elsewhere",
	"of other content",  "of a size that stands out", "of another time",
};

static void print_text(const char *text, FILE *out)
{
	xb_auto_str struct xb_str quoted = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_append_quoted(&quoted, xb_view(text));
	(void)fprintf(out, "%s", xb_str_text(&quoted));
}

/* "  /usr/bin/x: 0755 and 0644"; of what one side lacks the other's word. */
static void print_one(const struct xb_difference *d, bool package, FILE *out)
{
	(void)fprintf(out, "  ");
	print_text(d->name, out);
	if (d->first != NULL && d->second != NULL) {
		(void)fprintf(out, ": ");
		print_text(d->first, out);
		(void)fprintf(out, " and ");
		print_text(d->second, out);
	} else if (package) {
		(void)fprintf(out, " ");
		print_text(d->first != NULL ? d->first : d->second, out);
	}
	(void)fprintf(out, "\n");
}

static size_t count_kind(const struct xb_difference *items, size_t len, enum xb_differs what)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += items[i].what == what;
	return count;
}

static void print_kind(const struct xb_difference *items, size_t len, enum xb_differs what,
		       const char *things, bool detail, FILE *out)
{
	bool package = things[0] == 'p';
	size_t count = count_kind(items, len, what), shown = 0;

	if (count == 0)
		return;
	(void)fprintf(out, "%zu %s%s %s:\n", count, things, count == 1 ? "" : "s",
		      package && what == XB_DIFFERS_CONTENT ? "of another version"
							    : headings[what]);
	for (size_t i = 0; i < len; i++) {
		if (items[i].what != what)
			continue;
		if (!detail && shown == MOST_ALIKE) {
			(void)fprintf(out, "  and %zu more\n", count - shown);
			return;
		}
		print_one(&items[i], package, out);
		shown++;
	}
}

static void print_side(const struct xb_diff_pair *pair, size_t side, size_t packages, FILE *out)
{
	(void)fprintf(out, "%s %s %s %s, %zu packages\n",
		      side == 0 ? "first: " : "second:", pair->names[side],
		      xb_platform_name(pair->platforms[side]).text, pair->digests[side]->text,
		      packages);
}

static void print_config(const struct xb_differences *found, FILE *out)
{
	for (size_t i = 0; i < found->config.len; i++) {
		const struct xb_difference *d = &found->config.items[i];

		(void)fprintf(out, "the config's %s:\n  first:  ", d->name);
		print_text(d->first, out);
		(void)fprintf(out, "\n  second: ");
		print_text(d->second, out);
		(void)fprintf(out, "\n");
	}
}

void xb_diff_report_print(const struct xb_diff_pair *pair, const struct xb_differences *found,
			  bool detail, FILE *out)
{
	for (size_t side = 0; side < 2; side++)
		print_side(pair, side, found->package_counts[side], out);
	(void)fprintf(
		out,
		"%zu files alike, %zu of them made for each platform; %zu differences of files, "
		"%zu of packages, %zu of the config\n",
		found->same, found->code, found->files.len, found->packages.len, found->config.len);
	if (found->unread)
		(void)fprintf(out, "packages of rpm's are not read\n");
	print_config(found, out);
	for (int what = 0; what < XB_DIFFERS_KINDS; what++)
		print_kind(found->packages.items, found->packages.len, (enum xb_differs)what,
			   "package", detail, out);
	for (int what = 0; what < XB_DIFFERS_KINDS; what++)
		print_kind(found->files.items, found->files.len, (enum xb_differs)what, "file",
			   detail, out);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void set_text(json_t *object, const char *name, const char *text)
{
	xb_auto_str struct xb_str quoted = XB_STR_INIT(XB_STR_OWN);

	if (text == NULL)
		return;
	(void)xb_str_append_quoted(&quoted, xb_view(text));
	xb_json_set_string(object, name, xb_str_text(&quoted));
}

static json_t *describe_list(const struct xb_difference *items, size_t len)
{
	json_t *list = json_array();

	for (size_t i = 0; i < len; i++) {
		json_t *object = json_object();

		xb_json_set_string(object, "what", xb_differs_name(items[i].what));
		set_text(object, "name", items[i].name);
		set_text(object, "first", items[i].first);
		set_text(object, "second", items[i].second);
		(void)json_array_append_new(list, object);
	}
	return list;
}

static json_t *describe_side(const struct xb_diff_pair *pair, size_t side, size_t packages)
{
	json_t *object = json_object();

	set_text(object, "name", pair->names[side]);
	xb_json_set_string(object, "platform", xb_platform_name(pair->platforms[side]).text);
	xb_json_set_string(object, "digest", pair->digests[side]->text);
	xb_json_set_u64(object, "packages", packages);
	return object;
}

json_t *xb_diff_report_json(const struct xb_diff_pair *pair, const struct xb_differences *found)
{
	json_t *object = json_object();

	xb_json_set_new(object, "first", describe_side(pair, 0, found->package_counts[0]));
	xb_json_set_new(object, "second", describe_side(pair, 1, found->package_counts[1]));
	xb_json_set_u64(object, "same", found->same);
	xb_json_set_u64(object, "code", found->code);
	xb_json_set_new(object, "config", describe_list(found->config.items, found->config.len));
	xb_json_set_new(object, "packages",
			describe_list(found->packages.items, found->packages.len));
	xb_json_set_new(object, "files", describe_list(found->files.items, found->files.len));
	return object;
}

json_t *xb_diff_report_alone(const char *name, const struct xb_platform *platform)
{
	json_t *object = json_object();

	set_text(object, "alone", name);
	xb_json_set_string(object, "platform", xb_platform_name(platform).text);
	return object;
}
