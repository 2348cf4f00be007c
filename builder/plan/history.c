/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/plan/history.h"

#include <inttypes.h>

#include "builder/dockerfile/text.h"

char *xb_history_words(const char *instruction, const struct xb_strv *words)
{
	xb_autofree char *joined = xb_strv_join(words, " ");

	return xb_format("%s %s", instruction, joined);
}

char *xb_history_quoted(const char *instruction, const struct xb_strv *words)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);

	(void)xb_str_printf(&out, "%s [", instruction);
	for (size_t i = 0; i < words->len; i++) {
		if (i > 0)
			(void)xb_str_putc(&out, ' ');
		xb_text_quote(xb_view(words->items[i]), &out);
	}
	(void)xb_str_putc(&out, ']');
	return xb_str_steal(&out);
}

char *xb_history_list(const char *instruction, const struct xb_strv *words)
{
	xb_autofree char *joined = xb_strv_join(words, " ");

	return xb_format("%s [%s]", instruction, joined);
}

static void append_declared(const struct xb_vars *declared, const struct xb_vars *vars,
			    struct xb_str *out)
{
	if (declared->items.len > 0)
		(void)xb_str_printf(out, "|%zu ", declared->items.len);
	for (size_t i = 0; i < declared->items.len; i++) {
		struct xb_view entry = xb_view(declared->items.items[i]);
		struct xb_view name = xb_view_sub(entry, 0, (size_t)xb_view_find(entry, '='));
		const char *value = xb_vars_get(vars, name);

		(void)xb_str_append_view(out, entry);
		(void)xb_str_puts(out, value != NULL ? value : "");
		(void)xb_str_putc(out, ' ');
	}
}

char *xb_history_run(const struct xb_vars *declared, const struct xb_vars *vars,
		     const struct xb_strv *argv)
{
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *command = xb_strv_join(argv, " ");

	(void)xb_str_puts(&out, "RUN ");
	append_declared(declared, vars, &out);
	(void)xb_str_puts(&out, command);
	(void)xb_str_puts(&out, XB_HISTORY_MARK);
	return xb_str_steal(&out);
}

/* `value` of 10^-digits units, without zeros at its end. */
static void append_fraction(uint64_t value, int digits, const char *unit, struct xb_str *out)
{
	uint64_t scale = 1;

	for (int i = 0; i < digits; i++)
		scale *= 10;
	(void)xb_str_printf(out, "%" PRIu64, value / scale);
	value %= scale;
	for (; digits > 0 && value % 10 == 0; digits--)
		value /= 10;
	if (digits > 0)
		(void)xb_str_printf(out, ".%0*" PRIu64, digits, value);
	(void)xb_str_puts(out, unit);
}

/* Nanoseconds as Go's time.Duration writes them: "1h0m0s", "1.5s", "20ms", "0s". */
static void append_duration(uint64_t ns, struct xb_str *out)
{
	const uint64_t second = 1000000000;
	uint64_t minutes = ns / second / 60;

	if (ns == 0) {
		(void)xb_str_puts(out, "0s");
	} else if (ns < 1000) {
		append_fraction(ns, 0, "ns", out);
	} else if (ns < 1000000) {
		append_fraction(ns, 3, "µs", out);
	} else if (ns < second) {
		append_fraction(ns, 6, "ms", out);
	} else {
		if (minutes >= 60)
			(void)xb_str_printf(out, "%" PRIu64 "h", minutes / 60);
		if (minutes > 0)
			(void)xb_str_printf(out, "%" PRIu64 "m", minutes % 60);
		append_fraction(ns % (60 * second), 9, "s", out);
	}
}

char *xb_history_healthcheck(const struct xb_healthcheck *check)
{
	const struct {
		const char *name;
		uint64_t ns;
	} durations[] = {
		{ "Interval", check->interval },
		{ "Timeout", check->timeout },
		{ "StartPeriod", check->start_period },
		{ "StartInterval", check->start_interval },
	};
	xb_auto_str struct xb_str out = XB_STR_INIT(XB_STR_OWN);
	xb_autofree char *test = xb_strv_join(&check->test, " ");

	(void)xb_str_printf(&out, "HEALTHCHECK {Test:[%s]", test);
	for (size_t i = 0; i < XB_COUNT(durations); i++) {
		(void)xb_str_printf(&out, " %s:", durations[i].name);
		append_duration(durations[i].ns, &out);
	}
	(void)xb_str_printf(&out, " Retries:%" PRIu64 "}", (uint64_t)check->retries);
	return xb_str_steal(&out);
}
