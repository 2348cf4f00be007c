/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/cache_filter.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "builder/cache/prune.h"

#define MICROSECONDS 1000000
/* Longer than any store lives, and far from where the arithmetic ends: 1000 years in seconds. */
#define MAX_SECONDS ((int64_t)1000 * 366 * 86400)

void xb_cache_filter_clear(struct xb_cache_filter *filter)
{
	xb_strv_clear(&filter->ids);
}

/* Seconds in a unit of Go's durations, and in days and weeks; 0 for no unit. */
static int64_t unit_seconds(char unit)
{
	static const struct {
		char name;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };

	for (size_t i = 0; i < XB_COUNT(units); i++) {
		if (units[i].name == unit)
			return units[i].seconds;
	}
	return 0;
}

static int read_duration(const char *text, int64_t *ret)
{
	int64_t total = 0;
	bool any = false;

	while (*text != '\0') {
		size_t digits = strspn(text, "0123456789");
		uint64_t value;
		int64_t unit = text[digits] == '\0' && !any ? 1 : unit_seconds(text[digits]);

		if (unit == 0 || xb_view_parse_u64((struct xb_view){ text, digits },
						   (uint64_t)MAX_SECONDS, &value) < 0)
			return -EINVAL;
		total += (int64_t)value * unit;
		if (total > MAX_SECONDS)
			return -EINVAL;
		text += digits + (text[digits] != '\0');
		any = true;
	}
	*ret = total;
	return any ? 0 : -EINVAL;
}

static int set_age(struct xb_cache_filter *filter, const char *value)
{
	return read_duration(value, &filter->unused_for);
}

static int set_kind(struct xb_cache_filter *filter, const char *value)
{
	enum xb_item_kind kind;

	if (xb_item_kind_parse(value, &kind) < 0)
		return -EINVAL;
	filter->kinds |= XB_PRUNE_KIND(kind);
	return 0;
}

static int set_id(struct xb_cache_filter *filter, const char *value)
{
	if (*value == '\0')
		return -EINVAL;
	xb_strv_push(&filter->ids, value);
	return 0;
}

static const struct {
	const char *name;
	int (*set)(struct xb_cache_filter *, const char *);
	const char *hint;
} words[] = {
	{ "until=", set_age, "a time without use, as in until=24h or until=7d" },
	{ "unused-for=", set_age, "a time without use, as in unused-for=24h or unused-for=7d" },
	{ "type=", set_kind, "step, base, fetched, blob, cachemount or context" },
	{ "type==", set_kind, "step, base, fetched, blob, cachemount or context" },
	{ "id=", set_id, "an id as `xbuild cache ls` shows it" },
};

static int read_word(const char *word, struct xb_cache_filter *ret, struct xb_error *err)
{
	const char *hint = "until=, unused-for=, type= or id=";

	for (size_t i = 0; i < XB_COUNT(words); i++) {
		size_t len = strlen(words[i].name);

		if (strncmp(word, words[i].name, len) != 0)
			continue;
		if (words[i].set(ret, word + len) >= 0)
			return 0;
		hint = words[i].hint;
	}
	(void)xb_error_set(err, -EINVAL, "--filter %s is not known", word);
	(void)xb_error_hint(err, "%s", hint);
	return xb_error_fault(err, XB_FAULT_USAGE);
}

int xb_cache_filter_read(const struct xb_strv *given, struct xb_cache_filter *ret,
			 struct xb_error *err)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < given->len; i++)
		r = read_word(given->items[i], ret, err);
	return r;
}

bool xb_cache_filter_takes(const struct xb_cache_filter *filter, const struct xb_item *item)
{
	bool named = filter->ids.len == 0;

	for (size_t i = 0; i < filter->ids.len; i++)
		named = named || xb_item_is(item, filter->ids.items[i]);
	return named && (filter->kinds == 0 || (filter->kinds & XB_PRUNE_KIND(item->kind)) != 0) &&
	       (filter->unused_for <= 0 ||
		item->used <= (xb_clock_now() - filter->unused_for) * MICROSECONDS);
}
