/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "builder/sandbox/spec.h"

/* A small generator of its own, so that a failure can be repeated from its seed. */
static uint64_t state_of_random;

static uint64_t next_random(uint64_t below)
{
	state_of_random = state_of_random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (state_of_random >> 33) % below;
}

static char *random_text(void)
{
	static const char *const texts[] = { "",      "/",	  "a",	      "/usr/bin/env",
					     "A=b=c", "\n\t\x01", "\xff\xfe", "user:group" };

	return next_random(4) == 0 ? NULL : xb_strdup(texts[next_random(XB_COUNT(texts))]);
}

static void random_strv(struct xb_strv *v)
{
	for (uint64_t n = next_random(5); n > 0; n--)
		xb_strv_printf(v, "%llu", (unsigned long long)next_random(UINT64_C(1) << 31));
}

static void random_mount(struct xb_sandbox_spec *spec)
{
	struct xb_sandbox_mount *m = xb_sandbox_spec_mount(
		spec, (enum xb_sandbox_mount_kind)next_random(XB_SANDBOX_MOUNT_COUNT_), "/target");

	m->source = random_text();
	m->source_fd = (int)next_random(100) - 1;
	xb_str_append(&m->content, "\0bytes\0", next_random(7));
	m->read_only = next_random(2) == 0;
	m->device = next_random(2) == 0;
	m->mode = (uint32_t)next_random(010000);
	m->uid = UINT32_MAX;
	m->size = UINT64_MAX - next_random(2);
}

static void random_spec(struct xb_sandbox_spec *spec)
{
	xb_sandbox_spec_init(spec);
	random_strv(&spec->lowers);
	random_strv(&spec->argv);
	random_strv(&spec->env);
	random_strv(&spec->stubs);
	random_strv(&spec->binfmt);
	random_strv(&spec->cgroups);
	spec->upper = random_text();
	spec->work = random_text();
	spec->user = random_text();
	spec->scratch_upper = next_random(2) == 0;
	spec->private_userns = next_random(2) == 0;
	spec->terminal = next_random(2) == 0;
	spec->insecure = next_random(2) == 0;
	for (uint64_t n = next_random(3); n > 0; n--)
		*xb_array_push(&spec->gids) = UINT32_MAX - (uint32_t)n;
	spec->network = (enum xb_sandbox_network)next_random(XB_SANDBOX_NET_COUNT_);
	spec->capabilities = next_random(UINT64_C(1) << 31) << 20;
	xb_str_append(&spec->seccomp, "\0\1\2\3\4\5\6\7", next_random(9));
	for (uint64_t n = next_random(4); n > 0; n--)
		random_mount(spec);
	for (uint64_t n = next_random(3); n > 0; n--)
		*xb_array_push(&spec->rlimits) =
			(struct xb_sandbox_rlimit){ (uint32_t)n, next_random(1000), UINT64_MAX };
}

static void test_decode_gives_back_what_was_encoded(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
		xb_auto_str struct xb_str again = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
		xb_auto_sandbox_spec struct xb_sandbox_spec spec, back = { 0 };

		state_of_random = seed;
		random_spec(&spec);
		assert_int_equal(xb_sandbox_spec_encode(&spec, &bytes), 0);
		assert_int_equal(xb_sandbox_spec_decode(xb_str_view(&bytes), &back, NULL), 0);
		assert_true(xb_strv_eq(&spec.env, &back.env));
		assert_int_equal(spec.mounts.len, back.mounts.len);
		assert_int_equal(spec.gids.len, back.gids.len);
		assert_int_equal(spec.insecure, back.insecure);
		assert_true(xb_strv_eq(&spec.cgroups, &back.cgroups));
		for (size_t i = 0; i < spec.mounts.len; i++)
			assert_int_equal(spec.mounts.items[i].device, back.mounts.items[i].device);
		assert_int_equal(xb_sandbox_spec_encode(&back, &again), 0);
		assert_true(xb_view_eq(xb_str_view(&bytes), xb_str_view(&again)));
	}
}

static void test_members_arrive(void **state)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	xb_auto_sandbox_spec struct xb_sandbox_spec spec, back = { 0 };
	struct xb_sandbox_mount *m;

	(void)state;
	xb_sandbox_spec_init(&spec);
	m = xb_sandbox_spec_mount(&spec, XB_SANDBOX_FILE, "/etc/hosts");
	xb_str_puts(&m->content, "127.0.0.1");
	m->read_only = true;
	assert_int_equal(xb_sandbox_spec_encode(&spec, &bytes), 0);
	assert_int_equal(xb_sandbox_spec_decode(xb_str_view(&bytes), &back, NULL), 0);
	assert_string_equal(back.cwd, "/");
	assert_string_equal(back.hostname, "xbuild");
	assert_null(back.user);
	assert_int_equal(back.umask, 0022);
	assert_true(back.capabilities == XB_SANDBOX_CAPABILITIES);
	assert_int_equal(back.mounts.items[0].kind, XB_SANDBOX_FILE);
	assert_int_equal(back.mounts.items[0].source_fd, -1);
	assert_int_equal(back.mounts.items[0].mode, 0644);
	assert_string_equal(back.mounts.items[0].target, "/etc/hosts");
	assert_string_equal(xb_str_text(&back.mounts.items[0].content), "127.0.0.1");
}

/* Cut anywhere, or with a byte changed anywhere: an error or another specification, never a read
 * outside the bytes (AddressSanitizer watches: each attempt has a buffer of exactly its size). */
static void test_damaged_bytes_are_refused_or_read_safely(void **state)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	state_of_random = 7;
	random_spec(&spec);
	assert_int_equal(xb_sandbox_spec_encode(&spec, &bytes), 0);
	for (size_t len = 0; len < bytes.len; len++) {
		xb_autofree char *cut = xb_alloc(len);
		xb_auto_sandbox_spec struct xb_sandbox_spec back = { 0 };

		memcpy(cut, bytes.data, len);
		assert_int_equal(xb_sandbox_spec_decode((struct xb_view){ cut, len }, &back, NULL),
				 -EBADMSG);
	}
	for (size_t at = 0; at < bytes.len; at++) {
		xb_autofree char *changed = xb_alloc(bytes.len);
		xb_auto_sandbox_spec struct xb_sandbox_spec back = { 0 };

		memcpy(changed, bytes.data, bytes.len);
		changed[at] = (char)~changed[at];
		(void)xb_sandbox_spec_decode((struct xb_view){ changed, bytes.len }, &back, NULL);
	}
}

static void test_trailing_bytes_and_other_versions_are_refused(void **state)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_sandbox_spec struct xb_sandbox_spec spec, back = { 0 };

	(void)state;
	xb_sandbox_spec_init(&spec);
	assert_int_equal(xb_sandbox_spec_encode(&spec, &bytes), 0);
	xb_str_putc(&bytes, 0);
	assert_int_equal(xb_sandbox_spec_decode(xb_str_view(&bytes), &back, &err), -EBADMSG);
	assert_non_null(err.message);
	xb_str_truncate(&bytes, bytes.len - 1);
	bytes.data[0]++;
	assert_int_equal(xb_sandbox_spec_decode(xb_str_view(&bytes), &back, NULL), -EBADMSG);
}

static void test_too_large_for_the_buffer(void **state)
{
	xb_auto_str struct xb_str bytes = XB_STR_INIT(64);
	xb_auto_sandbox_spec struct xb_sandbox_spec spec;

	(void)state;
	xb_sandbox_spec_init(&spec);
	assert_int_equal(xb_sandbox_spec_encode(&spec, &bytes), -EFBIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_gives_back_what_was_encoded),
		cmocka_unit_test(test_members_arrive),
		cmocka_unit_test(test_damaged_bytes_are_refused_or_read_safely),
		cmocka_unit_test(test_trailing_bytes_and_other_versions_are_refused),
		cmocka_unit_test(test_too_large_for_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
