/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/dockerfile/values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "builder/dockerfile/instruction.h"
#include "builder/dockerfile/limits.h"
#include "builder/dockerfile/location.h"

static int invalid(struct xb_error *err, const char *what, struct xb_view text)
{
	(void)xb_error_set(err, -EINVAL, "%s: \"%.*s\"", what, XB_VIEW_ARGS(text));
	(void)xb_error_fault(err, XB_FAULT_SOURCE);
	return -EINVAL;
}

/* Durations. */

struct unit {
	const char *name;
	uint64_t ns;
};

/* The longer name of two that begin alike comes first. */
static const struct unit units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\xC2\xB5s", 1000 }, /* micro sign */
	{ "\xCE\xBCs", 1000 }, /* Greek letter mu */
	{ "ms", 1000000 },
	{ "s", 1000000000 },
	{ "m", UINT64_C(60) * 1000000000 },
	{ "h", UINT64_C(3600) * 1000000000 },
};

static bool is_digit(struct xb_view text)
{
	return text.len > 0 && text.data[0] >= '0' && text.data[0] <= '9';
}

static void skip(struct xb_view *text, size_t count)
{
	*text = xb_view_sub(*text, count, text->len);
}

/* Read the digits of a whole number; false when it does not fit. */
static bool read_whole(struct xb_view *rest, uint64_t *value)
{
	*value = 0;
	while (is_digit(*rest)) {
		if (__builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, (uint64_t)(rest->data[0] - '0'), value))
			return false;
		skip(rest, 1);
	}
	return *value <= INT64_MAX;
}

/* Read the digits behind a decimal point as `*value` / `*scale`; those beyond 17 do not count. */
static void read_fraction(struct xb_view *rest, uint64_t *value, uint64_t *scale)
{
	*value = 0;
	*scale = 1;
	while (is_digit(*rest)) {
		if (*scale < UINT64_C(100000000000000000)) {
			*value = *value * 10 + (uint64_t)(rest->data[0] - '0');
			*scale *= 10;
		}
		skip(rest, 1);
	}
}

static const struct unit *read_unit(struct xb_view *rest)
{
	for (size_t i = 0; i < XB_COUNT(units); i++) {
		struct xb_view name = xb_view(units[i].name);

		if (!xb_view_starts(*rest, name))
			continue;
		skip(rest, name.len);
		return &units[i];
	}
	return NULL;
}

/* Read "1.5h" off the front of a duration and add it to `*sum`. */
static bool read_component(struct xb_view *rest, uint64_t *sum)
{
	uint64_t whole, part = 0, scale = 1, ns;
	struct xb_view start = *rest;
	const struct unit *unit;
	size_t digits;

	if (!read_whole(rest, &whole))
		return false;
	digits = start.len - rest->len;
	if (rest->len > 0 && rest->data[0] == '.') {
		skip(rest, 1);
		start = *rest;
		read_fraction(rest, &part, &scale);
		digits += start.len - rest->len;
	}
	unit = digits > 0 ? read_unit(rest) : NULL;
	if (unit == NULL || __builtin_mul_overflow(whole, unit->ns, &ns))
		return false;
	ns += (uint64_t)((long double)part * (long double)unit->ns / (long double)scale);
	return !__builtin_add_overflow(*sum, ns, sum) && *sum <= INT64_MAX;
}

int xb_duration_parse(struct xb_view text, int64_t *ret_ns, struct xb_error *err)
{
	struct xb_view rest = text;
	bool negative = text.len > 0 && text.data[0] == '-';
	uint64_t sum = 0;

	if (negative || (text.len > 0 && text.data[0] == '+'))
		skip(&rest, 1);
	if (xb_view_is(rest, "0")) {
		*ret_ns = 0;
		return 0;
	}
	if (rest.len == 0)
		return invalid(err, "invalid duration", text);
	while (rest.len > 0)
		if (!read_component(&rest, &sum)) {
			(void)invalid(err, "invalid duration", text);
			(void)xb_error_hint(err,
					    "write a number with a unit, such as 30s or 1m30s");
			return -EINVAL;
		}
	*ret_ns = negative ? -(int64_t)sum : (int64_t)sum;
	return 0;
}

/* HEALTHCHECK. */

static int read_interval(const struct xb_dockerfile *dockerfile, const struct xb_flag *flag,
			 int64_t *ret, struct xb_error *err)
{
	int64_t value;
	int r;

	if (flag == NULL || flag->value == NULL || flag->value[0] == 0)
		return 0;
	r = xb_duration_parse(xb_view(flag->value), &value, err);
	if (r < 0)
		return xb_location_wrap(dockerfile, flag->at, err), r;
	if (value != 0 && value < 1000000)
		return xb_location_error(dockerfile, flag->at, err, "--%s cannot be less than 1ms",
					 flag->name);
	*ret = value;
	return 0;
}

static int read_retries(const struct xb_dockerfile *dockerfile, const struct xb_flag *flag,
			uint32_t *ret, struct xb_error *err)
{
	uint64_t value;

	if (flag == NULL || flag->value == NULL || flag->value[0] == 0)
		return 0;
	if (xb_view_parse_u64(xb_view(flag->value), INT32_MAX, &value) < 0)
		return xb_location_error(
			dockerfile, flag->at, err,
			"--retries takes a number that is not negative, not \"%s\"", flag->value);
	*ret = (uint32_t)value;
	return 0;
}

int xb_healthcheck_read(const struct xb_dockerfile *dockerfile,
			const struct xb_instruction *instruction,
			struct xb_healthcheck_options *ret, struct xb_error *err)
{
	struct xb_healthcheck_options check = { 0 };
	const struct {
		const char *name;
		int64_t *value;
	} times[] = {
		{ "interval", &check.interval },
		{ "timeout", &check.timeout },
		{ "start-period", &check.start_period },
		{ "start-interval", &check.start_interval },
	};
	int r = 0;

	check.none = strcasecmp(instruction->words[0].text, "none") == 0;
	for (size_t i = 0; i < XB_COUNT(times) && r == 0; i++)
		r = read_interval(dockerfile, xb_instruction_flag(instruction, times[i].name),
				  times[i].value, err);
	if (r == 0)
		r = read_retries(dockerfile, xb_instruction_flag(instruction, "retries"),
				 &check.retries, err);
	if (r == 0)
		*ret = check;
	return r;
}

/* EXPOSE. */

struct port_range {
	uint64_t first;
	uint64_t last;
};

static bool read_range(struct xb_view text, struct port_range *ret)
{
	ptrdiff_t dash = xb_view_find(text, '-');
	struct xb_view first = dash < 0 ? text : xb_view_sub(text, 0, (size_t)dash);
	struct xb_view last = dash < 0 ? text : xb_view_sub(text, (size_t)dash + 1, text.len);

	if (first.len == 0 || last.len == 0)
		return false;
	return xb_view_parse_u64(first, UINT16_MAX, &ret->first) == 0 &&
	       xb_view_parse_u64(last, UINT16_MAX, &ret->last) == 0 && ret->last >= ret->first;
}

/* Cut the part behind the last ':' off `*rest`; all of it when there is none. */
static struct xb_view cut_last(struct xb_view *rest)
{
	size_t pos = rest->len;
	struct xb_view last;

	while (pos > 0 && rest->data[pos - 1] != ':')
		pos--;
	last = xb_view_sub(*rest, pos, rest->len);
	*rest = xb_view_sub(*rest, 0, pos > 0 ? pos - 1 : 0);
	return last;
}

static const char *protocol(struct xb_view text)
{
	static const char *const names[] = { "tcp", "udp", "sctp" };

	if (text.len == 0)
		return names[0];
	for (size_t i = 0; i < XB_COUNT(names); i++)
		if (xb_view_eq_nocase(text, xb_view(names[i])))
			return names[i];
	return NULL;
}

static bool is_address(struct xb_view text)
{
	char buffer[INET6_ADDRSTRLEN + 1];
	unsigned char binary[sizeof(struct in6_addr)];

	if (text.len >= 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
		text = xb_view_sub(text, 1, text.len - 2);
	if (text.len == 0 || text.len >= sizeof(buffer))
		return false;
	memcpy(buffer, text.data, text.len);
	buffer[text.len] = 0;
	return inet_pton(AF_INET, buffer, binary) == 1 || inet_pton(AF_INET6, buffer, binary) == 1;
}

/* An address and host port in front of the port mean nothing to an image, but must be right. */
static int check_host(struct xb_view host, struct xb_view spec, const struct port_range *range,
		      struct xb_error *err)
{
	struct xb_view port = cut_last(&host);
	struct port_range mapped;

	if (host.len > 0 && !is_address(host) && !xb_view_is(host, ":") && !xb_view_is(host, "::"))
		return invalid(err, "invalid port: invalid IP address", spec);
	if (port.len == 0)
		return 0;
	if (!read_range(port, &mapped))
		return invalid(err, "invalid port: invalid host port", spec);
	if (range->last != range->first && range->last - range->first != mapped.last - mapped.first)
		return invalid(err, "invalid port: ranges of different length", spec);
	return 0;
}

int xb_expose_parse(const char *spec, struct xb_strv *ports, struct xb_error *err)
{
	struct xb_view all = xb_view(spec), host = all;
	struct xb_view port = cut_last(&host);
	ptrdiff_t slash = xb_view_find(port, '/');
	struct xb_view proto = { "", 0 };
	struct port_range range;
	const char *name;
	int r;

	if (slash >= 0) {
		proto = xb_view_sub(port, (size_t)slash + 1, port.len);
		port = xb_view_sub(port, 0, (size_t)slash);
	}
	name = protocol(proto);
	if (port.len == 0)
		return invalid(err, "invalid port: no port specified", all);
	if (name == NULL)
		return invalid(err, "invalid port: the protocol is none of tcp, udp, sctp", all);
	if (!read_range(port, &range))
		return invalid(err, "invalid port: not a number from 0 to 65535 or a range", all);
	r = host.len > 0 ? check_host(host, all, &range, err) : 0;
	if (r < 0)
		return r;
	for (uint64_t i = range.first; i <= range.last; i++)
		xb_strv_printf(ports, "%u/%s", (unsigned)i, name);
	return 0;
}

/* Owners and modes. */

int xb_chmod_parse(const char *text, mode_t *ret, struct xb_error *err)
{
	size_t len = strlen(text);
	mode_t mode = 0;

	for (size_t i = 0; i < len && mode <= 07777; i++)
		mode = text[i] >= '0' && text[i] <= '7' ? mode << 3 | (mode_t)(text[i] - '0')
							: (mode_t)010000;
	if (len == 0 || mode > 07777) {
		(void)xb_error_set(err, -EINVAL,
				   "invalid chmod parameter: '%s'. it should be octal string and "
				   "between 0 and 07777",
				   text);
		return xb_error_fault(err, XB_FAULT_SOURCE), -EINVAL;
	}
	*ret = mode;
	return 0;
}

/* Signals. */

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "ABRT", 6 },	  { "ALRM", 14 },  { "BUS", 7 },   { "CHLD", 17 }, { "CLD", 17 },
	{ "CONT", 18 },	  { "FPE", 8 },	   { "HUP", 1 },   { "ILL", 4 },   { "INT", 2 },
	{ "IO", 29 },	  { "IOT", 6 },	   { "KILL", 9 },  { "PIPE", 13 }, { "POLL", 29 },
	{ "PROF", 27 },	  { "PWR", 30 },   { "QUIT", 3 },  { "SEGV", 11 }, { "STKFLT", 16 },
	{ "STOP", 19 },	  { "SYS", 31 },   { "TERM", 15 }, { "TRAP", 5 },  { "TSTP", 20 },
	{ "TTIN", 21 },	  { "TTOU", 22 },  { "URG", 23 },  { "USR1", 10 }, { "USR2", 12 },
	{ "VTALRM", 26 }, { "WINCH", 28 }, { "XCPU", 24 }, { "XFSZ", 25 },
};

/* The real-time signals that programs may use: the C library keeps 32 and 33 for itself. */
#define SIGNAL_RTMIN 34
#define SIGNAL_RTMAX 64

/* RTMIN, RTMIN+n, RTMAX-n; 0 when it is none of them. */
static int realtime(struct xb_view name)
{
	bool from_max = xb_view_eq_nocase(xb_view_sub(name, 0, 5), XB_VIEW("RTMAX"));
	struct xb_view offset = xb_view_sub(name, 5, name.len);
	uint64_t n = 0;

	if (!from_max && !xb_view_eq_nocase(xb_view_sub(name, 0, 5), XB_VIEW("RTMIN")))
		return 0;
	if (offset.len > 0 && (offset.len == 1 || offset.data[0] != (from_max ? '-' : '+') ||
			       xb_view_parse_u64(xb_view_sub(offset, 1, offset.len),
						 SIGNAL_RTMAX - SIGNAL_RTMIN, &n) < 0))
		return 0;
	return from_max ? SIGNAL_RTMAX - (int)n : SIGNAL_RTMIN + (int)n;
}

/* A number with or without a sign; 0 when it is none. */
static int plain_number(struct xb_view text)
{
	bool negative = xb_view_starts(text, XB_VIEW("-"));
	uint64_t number = 0;

	if (negative || xb_view_starts(text, XB_VIEW("+")))
		text = xb_view_sub(text, 1, text.len);
	if (text.len == 0 || xb_view_parse_u64(text, INT_MAX, &number) < 0)
		return 0;
	return negative ? -(int)number : (int)number;
}

static int signal_number(struct xb_view name)
{
	int number = plain_number(name);

	if (number != 0)
		return number;
	if (xb_view_eq_nocase(xb_view_sub(name, 0, 3), XB_VIEW("SIG")))
		name = xb_view_sub(name, 3, name.len);
	for (size_t i = 0; i < XB_COUNT(signals); i++)
		if (xb_view_eq_nocase(name, xb_view(signals[i].name)))
			return signals[i].number;
	return realtime(name);
}

int xb_signal_parse(const char *text, int *ret, struct xb_error *err)
{
	int number = signal_number(xb_view(text));

	if (number == 0)
		return invalid(err, "invalid signal", xb_view(text));
	*ret = number;
	return 0;
}

/* Sources. */
