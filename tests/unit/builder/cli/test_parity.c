/* SPDX-License-Identifier: Apache-2.0 */
/* Options of docker buildx build: what is taken, and what is refused with a word why. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "builder/cli/parity.h"

/* The options of one test. */
struct given {
	struct xb_strv mismatches;
	struct xb_strv filters;
	struct xb_strv annotations;
	struct xb_strv attestations;
	struct xb_strv build_args;
	struct xb_parity_options options;
	struct xb_parity parity;
	struct xb_error err;
};

static int setup(void **state)
{
	struct given *g = xb_calloc(1, sizeof(*g));

	g->options = (struct xb_parity_options){ .mismatches = &g->mismatches,
						 .filters = &g->filters,
						 .annotations = &g->annotations,
						 .attestations = &g->attestations,
						 .build_args = &g->build_args };
	*state = g;
	return 0;
}

static void forget(struct given *g)
{
	xb_parity_clear(&g->parity);
	xb_error_clear(&g->err);
	g->parity = (struct xb_parity){ 0 };
}

static int teardown(void **state)
{
	struct given *g = *state;

	forget(g);
	xb_strv_clear(&g->mismatches);
	xb_strv_clear(&g->filters);
	xb_strv_clear(&g->annotations);
	xb_strv_clear(&g->attestations);
	xb_strv_clear(&g->build_args);
	free(g);
	return 0;
}

static int read_again(struct given *g)
{
	forget(g);
	return xb_parity_read(&g->options, &g->parity, &g->err);
}

static void assert_refused(struct given *g, const char *message)
{
	assert_true(read_again(g) < 0);
	assert_int_equal(g->err.fault, XB_FAULT_USAGE);
	assert_non_null(g->err.hint);
	if (strstr(g->err.message, message) == NULL)
		fail_msg("%s", g->err.message);
}

static void test_nothing(void **state)
{
	struct given *g = *state;
	bool index = true;

	assert_int_equal(read_again(g), 0);
	assert_false(g->parity.allow.shadowed_arg);
	assert_null(g->parity.hostname);
	assert_int_equal(xb_parity_index(&g->parity, 1, &index, NULL), 0);
	assert_false(index);
	assert_int_equal(xb_parity_index(&g->parity, 2, &index, NULL), 0);
	assert_true(index);
}

static void test_mismatches(void **state)
{
	struct given *g = *state;

	xb_strv_push(&g->mismatches, "shadowed-arg, digest-pin");
	xb_strv_push(&g->mismatches, "pinned-target");
	assert_int_equal(read_again(g), 0);
	assert_true(g->parity.allow.shadowed_arg);
	assert_true(g->parity.allow.digest_pin);
	assert_true(g->parity.allow.pinned_target);
	assert_false(g->parity.allow.base_platform);
	assert_false(g->parity.allow.stage_platform);
	xb_strv_push(&g->mismatches, "base-platform,stage-platform");
	assert_int_equal(read_again(g), 0);
	assert_true(g->parity.allow.base_platform);
	assert_true(g->parity.allow.stage_platform);
	xb_strv_push(&g->mismatches, "all");
	assert_refused(g, "--allow-mismatch all is not known");
}

static void test_filters(void **state)
{
	struct given *g = *state;

	xb_strv_push(&g->filters, "one, two");
	xb_strv_push(&g->filters, "three");
	assert_int_equal(read_again(g), 0);
	assert_int_equal(g->parity.fresh_stages.len, 3);
	assert_string_equal(g->parity.fresh_stages.items[1], "two");
	xb_strv_push(&g->filters, "a,,b");
	assert_refused(g, "--no-cache-filter a,,b: an empty name");
}

static void test_attestations_are_off(void **state)
{
	static const char *const off[] = { "false", "0", "F" };
	static const char *const on[] = { "true", "1", "mode=max", "" };
	static const char *const disabled[] = { "type=sbom,disabled=true",
						"type=provenance,disabled", "disabled=1" };
	static const char *const wanted[] = { "type=sbom", "type=provenance,mode=max",
					      "type=sbom,disabled=false", "" };
	struct given *g = *state;

	for (size_t i = 0; i < XB_COUNT(off); i++) {
		g->options.provenance = g->options.sbom = off[i];
		assert_int_equal(read_again(g), 0);
	}
	for (size_t i = 0; i < XB_COUNT(on); i++) {
		g->options.sbom = "false";
		g->options.provenance = on[i];
		assert_refused(g, "--provenance=");
		g->options.provenance = NULL;
		g->options.sbom = on[i];
		assert_refused(g, "attestations are not made");
	}
	g->options.sbom = NULL;
	for (size_t i = 0; i < XB_COUNT(disabled); i++)
		xb_strv_push(&g->attestations, disabled[i]);
	assert_int_equal(read_again(g), 0);
	for (size_t i = 0; i < XB_COUNT(wanted); i++) {
		xb_strv_clear(&g->attestations);
		xb_strv_push(&g->attestations, wanted[i]);
		assert_refused(g, "--attest ");
	}
}

static void test_builder(void **state)
{
	struct given *g = *state;

	g->options.builder = "default";
	assert_int_equal(read_again(g), 0);
	g->options.builder = "remote-1";
	assert_refused(g, "--builder remote-1: ");
}

static void test_build_args(void **state)
{
	struct given *g = *state;
	bool index = false;

	xb_strv_push(&g->build_args, "BUILDKIT_SANDBOX_HOSTNAME=box");
	xb_strv_push(&g->build_args, "BUILDKIT_CACHE_MOUNT_NS=mine");
	xb_strv_push(&g->build_args, "BUILDKIT_MULTI_PLATFORM=1");
	xb_strv_push(&g->build_args, "BUILDKIT_INLINE_CACHE=1");
	assert_int_equal(read_again(g), 0);
	assert_string_equal(g->parity.hostname, "box");
	assert_string_equal(g->parity.cache_ns, "mine");
	assert_int_equal(xb_parity_index(&g->parity, 1, &index, NULL), 0);
	assert_true(index);
	xb_env_set(&g->build_args, XB_VIEW("BUILDKIT_MULTI_PLATFORM"), XB_VIEW("false"));
	assert_int_equal(read_again(g), 0);
	assert_int_equal(xb_parity_index(&g->parity, 1, &index, NULL), 0);
	assert_false(index);
	assert_int_equal(xb_parity_index(&g->parity, 2, &index, &g->err), -EINVAL);
	assert_non_null(strstr(g->err.message, "2 platforms"));
	xb_env_set(&g->build_args, XB_VIEW("BUILDKIT_MULTI_PLATFORM"), XB_VIEW("maybe"));
	assert_refused(g, "BUILDKIT_MULTI_PLATFORM=maybe");
	xb_env_set(&g->build_args, XB_VIEW("BUILDKIT_MULTI_PLATFORM"), XB_VIEW(""));
	xb_env_set(&g->build_args, XB_VIEW("BUILDKIT_INLINE_CACHE"), XB_VIEW("maybe"));
	assert_refused(g, "BUILDKIT_INLINE_CACHE=maybe");
	xb_env_set(&g->build_args, XB_VIEW("BUILDKIT_INLINE_CACHE"), XB_VIEW("0"));
	xb_env_set(&g->build_args, XB_VIEW("BUILDKIT_SANDBOX_HOSTNAME"),
		   XB_VIEW("a-name-that-is-longer-than-the-sixty-four-bytes-which-linux-allows-it-"
			   "to-have"));
	assert_refused(g, "BUILDKIT_SANDBOX_HOSTNAME");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mismatches, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filters, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attestations_are_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_builder, setup, teardown),
		cmocka_unit_test_setup_teardown(test_build_args, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
