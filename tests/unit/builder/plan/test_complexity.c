/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Planning takes time with the size of the Dockerfile and not faster: names are found among a
 * hundred thousand others, and what each step and stage has of the same is bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/complexity.h"
#include "tests/unit/builder/plan/fixture.h"

static struct fixture *fixture;

static void numbered(struct xb_str *out, size_t size, const char *head, const char *before,
		     const char *after)
{
	(void)xb_str_puts(out, head);
	for (unsigned i = 0; out->len < size; i++)
		(void)xb_str_printf(out, "%s%u%s", before, i, after);
}

static void make_envs(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\n", "ENV a", "=b\n");
}

static void make_args(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\n", "ARG a", "=b\n");
}

static void make_globals(struct xb_str *out, size_t size)
{
	numbered(out, size, "", "ARG a", "=b\n");
	(void)xb_str_puts(out, "FROM base\n");
}

static void make_labels(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\n", "LABEL a", "=b\n");
}

static void make_pairs(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\nENV a=b", " \\\n a", "=$a");
}

static void make_declared(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\nARG a=b", " \\\n a", "=$a");
}

static void make_volumes(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\n", "VOLUME /a", "\n");
}

static void make_ports(struct xb_str *out, size_t size)
{
	(void)xb_str_puts(out, "FROM base\n");
	for (unsigned i = 0; out->len < size; i++)
		(void)xb_str_printf(out, "EXPOSE %u %u-%u/udp\n", i % 65536, i % 60000,
				    i % 60000 + 2);
}

static void make_runs(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\nENV A=1\nARG B=2\n", "RUN make ", "\n");
}

static void make_copies(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base AS one\nFROM base\n", "COPY --from=one a", " /\n");
}

static void make_documents(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\nENV X=y\n", "COPY <<E /", "\n$X\nE\n");
}

static void make_lookups(struct xb_str *out, size_t size)
{
	numbered(out, size / 2, "FROM base\n", "ARG a", "=b\n");
	numbered(out, size, "", "USER $a", "\n");
}

static void make_unwanted(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base AS one\n", "ENV a", "=b\n");
	(void)xb_str_puts(out, "FROM base\n");
}

static void make_mounts(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base AS one\nFROM base\n", "RUN --mount=from=one,target=/a x",
		 "\n");
}

static void make_triggers(struct xb_str *out, size_t size)
{
	numbered(out, size, "FROM base\n", "ONBUILD ENV a", "=b\n");
}

static void use_plan(const struct xb_str *text)
{
	try_plan(fixture, xb_str_text(text));
	if (fixture->r < 0)
		fail_msg("%s", fixture->err.message);
	forget_plan(fixture);
}

static const struct family families[] = {
	{ "ENV", make_envs, use_plan, 1 },
	{ "ARG", make_args, use_plan, 1 },
	{ "global ARG", make_globals, use_plan, 1 },
	{ "LABEL", make_labels, use_plan, 1 },
	{ "one ENV", make_pairs, use_plan, 1 },
	{ "one ARG", make_declared, use_plan, 1 },
	{ "VOLUME", make_volumes, use_plan, 1 },
	{ "EXPOSE", make_ports, use_plan, 1 },
	{ "RUN", make_runs, use_plan, 1 },
	{ "COPY --from", make_copies, use_plan, 1 },
	{ "here-documents", make_documents, use_plan, 1 },
	{ "lookups", make_lookups, use_plan, 1 },
	{ "a stage that is not wanted", make_unwanted, use_plan, 1 },
	{ "mounts", make_mounts, use_plan, 1 },
	{ "ONBUILD", make_triggers, use_plan, 1 },
};

static void test_linear(void **state)
{
	fixture = *state;
	assert_linear(families, XB_COUNT(families));
}

int main(void)
{
	const struct CMUnitTest tests[] = { plan_test(test_linear) };

	keep_memory();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
