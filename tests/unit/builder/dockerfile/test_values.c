/* SPDX-License-Identifier: Apache-2.0 */
/* Typed operands: durations, ports, owners, modes, signals. */
#include "builder/dockerfile/values.h"

#include "builder/dockerfile/instruction.h"
#include "tests/unit/builder/dockerfile/data.h"
#include "tests/unit/corpora.h"

static void test_expose_vectors(void **state)
{
	xb_auto_json json_t *vectors = corpora_vectors("expose");
	json_t *vector;
	size_t i;

	(void)state;
	json_array_foreach(vectors, i, vector)
	{
		const char *input =
			json_string_value(json_array_get(json_object_get(vector, "input"), 0));
		const char *port =
			json_string_value(json_array_get(json_object_get(vector, "ports"), 0));
		xb_auto_strv struct xb_strv ports = XB_STRV_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		int r = xb_expose_parse(input, &ports, &err);

		if (port == NULL) {
			assert_int_equal(r, -EINVAL);
			assert_non_null(strstr(err.message, "no port specified"));
			continue;
		}
		if (r < 0)
			fail_msg("%s: %s", input, err.message);
		assert_int_equal(ports.len, 1);
		assert_string_equal(ports.items[0], port);
	}
	assert_int_equal(json_array_size(vectors), 4);
}

static void test_expose(void **state)
{
	static const struct {
		const char *spec;
		const char *ports; /* NULL: wrong */
	} examples[] = {
		{ "80", "80/tcp" },
		{ "80/TCP", "80/tcp" },
		{ "53/udp", "53/udp" },
		{ "9/sctp", "9/sctp" },
		{ "8000-8002/udp", "8000/udp 8001/udp 8002/udp" },
		{ "0", "0/tcp" },
		{ "65535", "65535/tcp" },
		{ "80/", "80/tcp" },
		{ "8080:80", "80/tcp" },
		{ "127.0.0.1:8080:80", "80/tcp" },
		{ "127.0.0.1::80", "80/tcp" },
		{ "[::1]:8080:80", "80/tcp" },
		{ "8000-8010:80", "80/tcp" },
		{ "8000-8001:80-81", "80/tcp 81/tcp" },
		{ "8000-8002:80-81", NULL },
		{ "65536", NULL },
		{ "80-79", NULL },
		{ "80-", NULL },
		{ "-80", NULL },
		{ "80-81-82", NULL },
		{ "", NULL },
		{ "/tcp", NULL },
		{ "80/icmp", NULL },
		{ "http", NULL },
		{ "1.2.3:80:80", NULL },
		{ "x:80", NULL },
		{ "+80", NULL },
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		xb_auto_strv struct xb_strv ports = XB_STRV_INIT;
		xb_autofree char *joined = NULL;
		int r = xb_expose_parse(examples[i].spec, &ports, NULL);

		if ((r == 0) != (examples[i].ports != NULL))
			fail_msg("%s: %d", examples[i].spec, r);
		joined = xb_strv_join(&ports, " ");
		assert_string_equal(joined, examples[i].ports != NULL ? examples[i].ports : "");
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: wrong */
	} examples[] = {
		{ "0", 0 },
		{ "-0", 0 },
		{ "+5s", 5000000000 },
		{ "5s", 5000000000 },
		{ "1m30s", 90000000000 },
		{ "1h", 3600000000000 },
		{ "1.5h", 5400000000000 },
		{ ".5s", 500000000 },
		{ "1.s", 1000000000 },
		{ "300ms", 300000000 },
		{ "1us", 1000 },
		{ "1\xC2\xB5s", 1000 },
		{ "1\xCE\xBCs", 1000 },
		{ "9223372036854775807ns", INT64_MAX },
		{ "0.3333333333333333333h", 1200000000000 - 1 },
		{ "9223372036854775808ns", -1 },
		{ "2562048h", -1 },
		{ "", -1 },
		{ "-", -1 },
		{ "3", -1 },
		{ ".s", -1 },
		{ "s", -1 },
		{ "5 s", -1 },
		{ "5sx", -1 },
		{ "1d", -1 },
		{ "99999999999999999999s", -1 },
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		int r = xb_duration_parse(xb_view(examples[i].text), &ns, NULL);

		if ((r == 0) != (examples[i].ns != -1))
			fail_msg("%s: %d", examples[i].text, r);
		if (r == 0 && ns != examples[i].ns)
			fail_msg("%s: %lld", examples[i].text, (long long)ns);
	}
	assert_int_equal(xb_duration_parse(XB_VIEW("-1s"), &ns, NULL), 0);
	assert_int_equal(ns, -1000000000);
}

static void test_healthcheck(void **state)
{
	xb_auto_dockerfile struct xb_dockerfile *dockerfile =
		parse_good("FROM a\n"
			   "HEALTHCHECK --interval=1m --timeout=2s --start-period=3s \\\n"
			   "  --start-interval=4ms --retries=5 CMD curl -f x\n"
			   "HEALTHCHECK NONE\n"
			   "HEALTHCHECK cmd [\"a\"]\n");
	struct xb_healthcheck_options options;

	(void)state;
	assert_int_equal(
		xb_healthcheck_read(dockerfile, &dockerfile->instructions[1], &options, NULL), 0);
	assert_false(options.none);
	assert_int_equal(options.interval, 60000000000);
	assert_int_equal(options.timeout, 2000000000);
	assert_int_equal(options.start_period, 3000000000);
	assert_int_equal(options.start_interval, 4000000);
	assert_int_equal(options.retries, 5);
	assert_string_equal(dockerfile->instructions[1].words[1].text, "curl -f x");
	assert_int_equal(
		xb_healthcheck_read(dockerfile, &dockerfile->instructions[2], &options, NULL), 0);
	assert_true(options.none);
	assert_int_equal(
		xb_healthcheck_read(dockerfile, &dockerfile->instructions[3], &options, NULL), 0);
	assert_int_equal(options.interval, 0);
}

static void test_healthcheck_errors(void **state)
{
	static const char *const bad[] = { "--interval=5", "--timeout=1us", "--retries=-1",
					   "--retries=x", "--start-period=-5s" };

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_autofree char *text = xb_format("FROM a\nHEALTHCHECK %s CMD x", bad[i]);
		xb_auto_dockerfile struct xb_dockerfile *dockerfile = parse_good(text);
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_healthcheck_options options;

		assert_int_equal(xb_healthcheck_read(dockerfile, &dockerfile->instructions[1],
						     &options, &err),
				 -EINVAL);
		assert_int_equal(err.fault, XB_FAULT_SOURCE);
		assert_non_null(strstr(err.message, "Dockerfile:2:13: "));
		assert_non_null(strstr(err.excerpt, bad[i]));
	}
}

static void test_modes(void **state)
{
	static const char *const bad[] = { "", "8", "10000", "0x1", "-1", "u+x", "7 5" };
	mode_t mode;

	(void)state;
	assert_int_equal(xb_chmod_parse("755", &mode, NULL), 0);
	assert_int_equal(mode, 0755);
	assert_int_equal(xb_chmod_parse("07777", &mode, NULL), 0);
	assert_int_equal(mode, 07777);
	assert_int_equal(xb_chmod_parse("0", &mode, NULL), 0);
	assert_int_equal(mode, 0);
	for (size_t i = 0; i < XB_COUNT(bad); i++)
		if (xb_chmod_parse(bad[i], &mode, NULL) >= 0)
			fail_msg("accepted: %s", bad[i]);
}

static void test_signals(void **state)
{
	static const struct {
		const char *text;
		int number; /* 0: wrong */
	} examples[] = {
		{ "SIGTERM", 15 },   { "term", 15 },	   { "9", 9 },		{ "SIGRTMIN", 34 },
		{ "RTMIN+3", 37 },   { "SIGRTMAX-1", 63 }, { "rtmax", 64 },	{ "SIGCHLD", 17 },
		{ "64", 64 },	     { "0", 0 },	   { "65", 65 },	{ "", 0 },
		{ "SIG", 0 },	     { "SIGNOPE", 0 },	   { "RTMIN+", 0 },	{ "RTMIN-1", 0 },
		{ "RTMIN+31", 0 },   { "-9", -9 },	   { "SIGSIGTERM", 0 }, { "+9", 9 },
		{ "999", 999 },	     { "-", 0 },	   { "9x", 0 },		{ "-0", 0 },
		{ "4294967305", 0 },
	};
	int number;

	(void)state;
	for (size_t i = 0; i < XB_COUNT(examples); i++) {
		int r = xb_signal_parse(examples[i].text, &number, NULL);

		if (r != (examples[i].number != 0 ? 0 : -EINVAL))
			fail_msg("%s: %d", examples[i].text, r);
		if (r == 0)
			assert_int_equal(number, examples[i].number);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expose_vectors),
		cmocka_unit_test(test_expose),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_healthcheck),
		cmocka_unit_test(test_healthcheck_errors),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_signals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
