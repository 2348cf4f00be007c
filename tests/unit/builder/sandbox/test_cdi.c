/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of the machine, from descriptions in a scratch directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "builder/sandbox/cdi.h"
#include "tests/unit/scratch.h"

#define FILE_OF(kind, devices)                                                                     \
	"{\"cdiVersion\":\"0.6.0\",\"kind\":\"" kind "\",\"devices\":[" devices "]}"
#define VARIABLE(name, text) "{\"name\":\"" name "\",\"containerEdits\":{\"env\":[\"" text "\"]}}"
#define ANNOTATED(name, annotations)                                                               \
	"{\"name\":\"" name "\",\"annotations\":{" annotations "},\"containerEdits\":{}}"
#define CLASS(name) "\"org.mobyproject.buildkit.device.class\":\"" name "\""

static int load(struct xb_cdi **ret, struct xb_error *err)
{
	xb_auto_strv struct xb_strv directories = XB_STRV_INIT;

	xb_strv_push(&directories, scratch_path("missing"));
	xb_strv_push(&directories, scratch_path("cdi"));
	xb_strv_push(&directories, scratch_path("later"));
	return xb_cdi_load(&directories, ret, err);
}

static struct xb_cdi *loaded(void)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_cdi *cdi = NULL;

	if (load(&cdi, &err) < 0)
		fail_msg("%s", err.message);
	return cdi;
}

static char *found(const struct xb_cdi *cdi, const char *name)
{
	xb_auto_strv struct xb_strv names = XB_STRV_INIT;

	xb_cdi_find(cdi, name, &names);
	return xb_strv_join(&names, " ");
}

static void write_text(const char *name, const char *text)
{
	(void)mkdir(scratch_path("cdi"), 0755);
	(void)mkdir(scratch_path("later"), 0755);
	scratch_write(name, text);
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *found;
	} cases[] = {
		{ "v.com/gpu=b", "v.com/gpu=b" },
		{ "v.com/gpu", "v.com/gpu=a" },
		{ "v.com/gpu=*", "v.com/gpu=a v.com/gpu=b" },
		{ "v.com/gpu=c", "" },
		{ "v.com/gp", "" },
		{ "one", "w.com/x=p w.com/x=q" },
		{ "two", "w.com/x=r" },
		{ "gpu", "" },
		{ "", "" },
	};
	struct xb_cdi *cdi;

	(void)state;
	write_text("cdi/v.json",
		   FILE_OF("v.com/gpu", VARIABLE("b", "B=1") "," VARIABLE("a", "A=1")));
	write_text("cdi/w.json",
		   FILE_OF("w.com/x", ANNOTATED("p", CLASS("one")) "," ANNOTATED(
					      "q", CLASS("one")) "," ANNOTATED("r", CLASS("two"))));
	cdi = loaded();
	for (size_t i = 0; i < XB_COUNT(cases); i++) {
		xb_autofree char *names = found(cdi, cases[i].name);

		assert_string_equal(names, cases[i].found);
	}
	assert_false(xb_cdi_has_yaml(cdi));
	xb_cdi_free(cdi);
}

static void test_all_that_is_applied(void **state)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_cdi *cdi;

	(void)state;
	write_text("cdi/v.json",
		   "{\"cdiVersion\":\"1.0.0\",\"kind\":\"v.com/"
		   "d\",\"containerEdits\":{\"env\":[\"C=all\"]},"
		   "\"devices\":[{\"name\":\"x\",\"containerEdits\":{\"env\":[\"D=own\",\"E=\"],"
		   "\"deviceNodes\":[{\"path\":\"/dev/n\",\"hostPath\":\"/dev/null\"},{\"path\":\"/"
		   "dev/zero\"}],"
		   "\"mounts\":[{\"hostPath\":\"/h\",\"containerPath\":\"/"
		   "c\",\"options\":[\"ro\",\"nodev\"]},"
		   "{\"hostPath\":\"tmpfs\",\"containerPath\":\"/t\",\"type\":\"tmpfs\"}],"
		   "\"additionalGids\":[44,0],"
		   "\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/bin/h\"}],"
		   "\"intelRdt\":{}}}]}");
	cdi = loaded();
	xb_sandbox_spec_init(&spec);
	if (xb_cdi_apply(cdi, "v.com/d=x", &spec, &warnings, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(spec.env.len, 3);
	assert_string_equal(spec.env.items[0], "C=all");
	assert_string_equal(spec.env.items[2], "E=");
	assert_int_equal(spec.mounts.len, 4);
	assert_string_equal(spec.mounts.items[0].source, "/dev/null");
	assert_string_equal(spec.mounts.items[0].target, "/dev/n");
	assert_true(spec.mounts.items[0].device && !spec.mounts.items[0].read_only);
	assert_string_equal(spec.mounts.items[1].source, "/dev/zero");
	assert_true(spec.mounts.items[2].read_only && !spec.mounts.items[2].device);
	assert_int_equal(spec.mounts.items[3].kind, XB_SANDBOX_TMPFS);
	assert_int_equal(spec.gids.len, 1);
	assert_int_equal(spec.gids.items[0], 44);
	assert_int_equal(warnings.len, 2);
	assert_string_equal(warnings.items[0],
			    "the createContainer hook /bin/h of the device v.com/d=x is not run");
	assert_string_equal(warnings.items[1], "intelRdt of the device v.com/d=x is not applied");
	assert_int_equal(xb_cdi_apply(cdi, "v.com/d=y", &spec, &warnings, &err), -ENODEV);
	xb_cdi_free(cdi);
}

static void test_later_files_win(void **state)
{
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;
	xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
	struct xb_cdi *cdi;

	(void)state;
	write_text("cdi/v.json", FILE_OF("v.com/d", VARIABLE("x", "WHO=first")));
	write_text("later/v.json", FILE_OF("v.com/d", VARIABLE("x", "WHO=second")));
	write_text("later/y.yaml", "cdiVersion: 0.6.0\n");
	cdi = loaded();
	xb_sandbox_spec_init(&spec);
	assert_int_equal(xb_cdi_apply(cdi, "v.com/d=x", &spec, &warnings, NULL), 0);
	assert_int_equal(spec.env.len, 1);
	assert_string_equal(spec.env.items[0], "WHO=second");
	assert_true(xb_cdi_has_yaml(cdi));
	xb_cdi_free(cdi);
}

static void test_open_devices(void **state)
{
	struct xb_cdi *cdi;

	(void)state;
	write_text(
		"cdi/v.json",
		FILE_OF("v.com/d",
			ANNOTATED(
				"x",
				"\"org.mobyproject.buildkit.device.autoallow\":"
				"\"true\"") "," ANNOTATED("y",
							  "\"org.mobyproject.buildkit.device."
							  "autoallow\":"
							  "true") "," ANNOTATED("z",
										"\"org.mobyproject."
										"buildkit.device."
										"autoallow\":"
										"\"no\"")));
	write_text("cdi/w.json", "{\"cdiVersion\":\"0.6.0\",\"kind\":\"w.com/d\",\"annotations\":{"
				 "\"org.mobyproject.buildkit.device.autoallow\":true},\"devices\":["
				 "{\"name\":\"x\"}]}");
	cdi = loaded();
	assert_true(xb_cdi_is_open(cdi, "v.com/d=x"));
	assert_true(xb_cdi_is_open(cdi, "v.com/d=y"));
	assert_false(xb_cdi_is_open(cdi, "v.com/d=z"));
	assert_true(xb_cdi_is_open(cdi, "w.com/d=x"));
	assert_false(xb_cdi_is_open(cdi, "w.com/d=nobody"));
	xb_cdi_free(cdi);
}

static void test_damaged_files(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"{}",
		"{\"cdiVersion\":\"0.6.0\",\"devices\":[]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"novendor\",\"devices\":[]}",
		"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a/b=c\",\"devices\":[]}",
		FILE_OF("a/b", "{}"),
		FILE_OF("a/b", "{\"name\":1}"),
		FILE_OF("a/b", "{\"name\":\"x\",\"containerEdits\":[]}"),
		FILE_OF("a/b", "1"),
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_cdi *cdi = NULL;

		write_text("cdi/bad.json", bad[i]);
		if (load(&cdi, &err) >= 0)
			fail_msg("%s is taken", bad[i]);
		assert_non_null(strstr(err.message, "bad.json"));
	}
}

static void test_damaged_edits(void **state)
{
	static const char *const bad[] = {
		"\"env\":[\"novalue\"]",
		"\"env\":[1]",
		"\"env\":\"A=1\"",
		"\"env\":[\"=x\"]",
		"\"deviceNodes\":[{\"path\":\"relative\"}]",
		"\"deviceNodes\":[{}]",
		"\"deviceNodes\":[1]",
		"\"mounts\":[{\"hostPath\":\"/a\"}]",
		"\"mounts\":[{\"hostPath\":\"a\",\"containerPath\":\"/b\"}]",
		"\"mounts\":[{\"containerPath\":\"b\",\"type\":\"tmpfs\"}]",
		"\"additionalGids\":[-1]",
		"\"additionalGids\":[\"1\"]",
		"\"additionalGids\":[2147483648]",
	};

	(void)state;
	for (size_t i = 0; i < XB_COUNT(bad); i++) {
		xb_autofree char *text = xb_format(
			"{\"cdiVersion\":\"0.6.0\",\"kind\":\"a/b\",\"devices\":[{\"name\":\"x\","
			"\"containerEdits\":{%s}}]}",
			bad[i]);
		xb_auto_sandbox_spec struct xb_sandbox_spec spec;
		xb_auto_strv struct xb_strv warnings = XB_STRV_INIT;
		xb_auto_error struct xb_error err = XB_ERROR_INIT;
		struct xb_cdi *cdi;

		write_text("cdi/bad.json", text);
		cdi = loaded();
		xb_sandbox_spec_init(&spec);
		if (xb_cdi_apply(cdi, "a/b=x", &spec, &warnings, &err) >= 0)
			fail_msg("%s is taken", bad[i]);
		assert_non_null(strstr(err.message, "bad.json"));
		xb_cdi_free(cdi);
	}
}

#define cdi_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cdi_test(test_names),		cdi_test(test_all_that_is_applied),
		cdi_test(test_later_files_win), cdi_test(test_open_devices),
		cdi_test(test_damaged_files),	cdi_test(test_damaged_edits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
