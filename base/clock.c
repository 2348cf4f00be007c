/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <time.h>

/* RFC 3339 has four digits for the year. */
#define FIRST_SECOND (-62167219200) /* 0000-01-01T00:00:00Z */
#define LAST_SECOND  253402300799   /* 9999-12-31T23:59:59Z */

uint64_t xb_clock_monotonic(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
		xb_die("the machine has no clock");
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

int64_t xb_clock_now(void)
{
	return time(NULL);
}

int xb_clock_format(int64_t seconds, struct xb_str *s)
{
	time_t t = seconds;
	struct tm tm;

	if (seconds < FIRST_SECOND || seconds > LAST_SECOND || gmtime_r(&t, &tm) == NULL)
		return -ERANGE;
	return xb_str_printf(s, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
			     tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* The time of day and its fields as they stand in the text. */
struct fields {
	int year, month, day, hour, minute, second;
	int offset; /* seconds east of UTC */
};

/* Cut `digits` digits and then the character `end` (any of them; none for "") off the front. */
static bool cut_number(struct xb_view *rest, size_t digits, const char *ends, int *ret)
{
	struct xb_view number = xb_view_sub(*rest, 0, digits);
	uint64_t value = 0;

	if (number.len != digits || xb_view_parse_u64(number, 9999, &value) < 0)
		return false;
	*rest = xb_view_sub(*rest, digits, SIZE_MAX);
	if (*ends != '\0') {
		if (rest->len == 0 || xb_view_find(xb_view(ends), rest->data[0]) < 0)
			return false;
		*rest = xb_view_sub(*rest, 1, SIZE_MAX);
	}
	*ret = (int)value;
	return true;
}

/* Cut ".digits" off, if it is there. */
static bool cut_fraction(struct xb_view *rest)
{
	size_t len = 1;

	if (rest->len == 0 || rest->data[0] != '.')
		return true;
	while (len < rest->len && rest->data[len] >= '0' && rest->data[len] <= '9')
		len++;
	*rest = xb_view_sub(*rest, len, SIZE_MAX);
	return len > 1;
}

/* Read "Z" or "+hh:mm", which must be all that is left. */
static bool cut_offset(struct xb_view rest, int *ret)
{
	int hours, minutes;
	bool west;

	*ret = 0;
	if (xb_view_eq_nocase(rest, XB_VIEW("Z")))
		return true;
	if (rest.len == 0 || (rest.data[0] != '+' && rest.data[0] != '-'))
		return false;
	west = rest.data[0] == '-';
	rest = xb_view_sub(rest, 1, SIZE_MAX);
	if (!cut_number(&rest, 2, ":", &hours) || !cut_number(&rest, 2, "", &minutes))
		return false;
	*ret = (hours * 60 + minutes) * (west ? -60 : 60);
	return rest.len == 0 && hours <= 23 && minutes <= 59;
}

static bool cut_fields(struct xb_view rest, struct fields *f)
{
	return cut_number(&rest, 4, "-", &f->year) && cut_number(&rest, 2, "-", &f->month) &&
	       cut_number(&rest, 2, "Tt ", &f->day) && cut_number(&rest, 2, ":", &f->hour) &&
	       cut_number(&rest, 2, ":", &f->minute) && cut_number(&rest, 2, "", &f->second) &&
	       cut_fraction(&rest) && cut_offset(rest, &f->offset);
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool fields_valid(const struct fields *f)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	if (f->month < 1 || f->month > 12 || f->day < 1)
		return false;
	if (f->day > days[f->month - 1] + (f->month == 2 && is_leap(f->year)))
		return false;
	/* 60: a leap second, which counts as the next one. */
	return f->hour <= 23 && f->minute <= 59 && f->second <= 60;
}

int xb_clock_parse(struct xb_view text, int64_t *ret_seconds, struct xb_error *err)
{
	struct fields f = { 0 };
	struct tm tm;

	if (!cut_fields(text, &f) || !fields_valid(&f))
		return xb_error_set(err, -EINVAL, "not a time as 2026-01-02T03:04:05Z: %.*s",
				    (int)(text.len < 100 ? text.len : 100),
				    text.data != NULL ? text.data : "");
	tm = (struct tm){
		.tm_year = f.year - 1900,
		.tm_mon = f.month - 1,
		.tm_mday = f.day,
		.tm_hour = f.hour,
		.tm_min = f.minute,
		.tm_sec = f.second,
	};
	*ret_seconds = timegm(&tm) - f.offset;
	return 0;
}
