/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thousands of pairs of Dockerfiles that differ in one attribute, as cache poisoning would have it:
 * steps whose results differ are never taken for equal, equal ones always are, and what no step can
 * see shows in the image's config.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/builder/plan/fixture.h"

#define PAIRS 5000
#define MOST  8

/* What a difference in an attribute changes. */
enum effect {
	STEPS,	/* the tree that the last step makes */
	CONFIG, /* the config of the image and nothing else */
	NOTHING,
};

/*
 * The attributes, in the order in which they stand in the Dockerfile, and the values that each may
 * have. The last step is a RUN and runs in the shell, so that it sees whatever steps can see.
 */
static const struct attribute {
	enum effect effect;
	const char *values[MOST];
} attributes[] = {
	{ NOTHING, { "", "# syntax=docker/dockerfile:1\n", "# a comment\n", "\n\n" } },
	{ NOTHING, { "", "ARG UNUSED=1\n", "ARG UNUSED\n", "ARG OTHER=$UNUSED\n" } },
	{ STEPS, { "FROM base", "FROM other", "FROM scratch", "FROM base:2" } },
	{ NOTHING, { "\n", " AS name\n", " AS other\n" } },
	{ STEPS, { "", "SHELL [\"/s\"]\n", "SHELL [\"/s\", \"-e\"]\n", "SHELL [\"/s -e\"]\n" } },
	{ STEPS,
	  { "", "ENV A=1\n", "ENV A=2\n", "ENV A=\n", "ENV A=\"1 B=2\"\n", "ENV A=1 B=2\n" } },
	{ STEPS,
	  { "", "ARG C=1\n", "ARG C=2\n", "ARG C=\n", "ARG C=\"1 D=2\"\n", "ARG C=1 D=2\n" } },
	{ STEPS,
	  { "", "WORKDIR /a\n", "WORKDIR /b\n", "WORKDIR /a/b\n", "WORKDIR /a\nWORKDIR /\n" } },
	{ STEPS, { "", "USER 1\n", "USER 1:1\n", "USER 1:2\n", "USER me\n" } },
	{ CONFIG, { "", "LABEL a=1\n", "LABEL a=2\n", "LABEL a=\n", "LABEL b=1\n" } },
	{ STEPS,
	  { "", "RUN x\n", "RUN y\n", "RUN [\"x\"]\n", "RUN [\"x\", \"\"]\n", "RUN x ; y\n",
	    "RUN --network=none x\n", "RUN <<E\n#!/x\nE\n" } },
	{ STEPS,
	  { "", "COPY f /\n", "ADD f /\n", "COPY f /f/\n", "COPY g /\n", "COPY f g /\n",
	    "COPY g f /\n", "COPY --link f /\n" } },
	{ STEPS,
	  { "", "COPY --chown=1 h /\n", "COPY --chown=2 h /\n", "COPY --chown=1:2 h /\n",
	    "COPY --chmod=644 h /\n", "COPY --chmod=600 h /\n", "COPY --chmod=u+x h /\n",
	    "COPY --from=dir h /\n" } },
	{ STEPS,
	  { "", "COPY <<E /\nx\nE\n", "COPY <<E /\ny\nE\n", "COPY <<F /\nx\nF\n",
	    "COPY --exclude=x i /\n", "COPY --exclude=y i /\n", "COPY --parents i /\n",
	    "ADD --unpack=false i /\n" } },
	{ CONFIG, { "", "EXPOSE 1\n", "EXPOSE 1/udp\n", "EXPOSE 1 2\n" } },
	{ CONFIG, { "", "VOLUME /v\n", "VOLUME /w\n", "VOLUME /v /w\n" } },
	{ CONFIG,
	  { "", "HEALTHCHECK CMD a\n", "HEALTHCHECK CMD [\"a\"]\n", "HEALTHCHECK NONE\n",
	    "HEALTHCHECK --retries=1 CMD a\n", "HEALTHCHECK --interval=1s CMD a\n",
	    "HEALTHCHECK --timeout=1s CMD a\n", "HEALTHCHECK --start-period=1s CMD a\n" } },
	{ CONFIG, { "", "ONBUILD RUN a\n", "ONBUILD RUN b\n", "ONBUILD USER a\n" } },
	{ CONFIG, { "", "STOPSIGNAL 9\n", "STOPSIGNAL SIGTERM\n", "STOPSIGNAL 15\n" } },
	{ CONFIG, { "", "CMD a\n", "CMD b\n", "CMD [\"a\"]\n", "CMD []\n" } },
	{ CONFIG, { "", "ENTRYPOINT a\n", "ENTRYPOINT [\"a\"]\n", "ENTRYPOINT [\"a\", \"\"]\n" } },
	{ STEPS,
	  { "RUN ", "RUN --mount=target=/m ", "RUN --mount=target=/m,rw ",
	    "RUN --mount=type=tmpfs,target=/m ", "RUN --mount=type=cache,target=/m ",
	    "RUN --mount=type=cache,target=/m,sharing=locked ", "RUN --mount=type=secret,id=m ",
	    "RUN --mount=type=ssh " } },
	{ STEPS, { "z\n", "zz\n", "z z\n", "z  z\n", "\"z z\"\n", "z \\\n#z\n\n\n y\n" } },
	{ NOTHING, { "", "\n", "# the end\n" } },
	{ CONFIG, { "", "MAINTAINER a\n", "MAINTAINER b\n" } },
};

#define ATTRIBUTES XB_COUNT(attributes)

/* Which value each attribute has. */
struct choice {
	unsigned value[ATTRIBUTES];
};

/* What a Dockerfile makes: the key of its last step, and its config. */
struct outcome {
	char *identity;
	char *config;
};

static void outcome_clear(struct outcome *o)
{
	free(o->identity);
	free(o->config);
}

/* xorshift: the same pairs in each run. */
static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static unsigned count_values(const struct attribute *attribute)
{
	unsigned n = 0;

	while (n < MOST && attribute->values[n] != NULL)
		n++;
	return n;
}

static char *text_of(const struct choice *choice)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);

	for (size_t i = 0; i < ATTRIBUTES; i++)
		(void)xb_str_puts(&text, attributes[i].values[choice->value[i]]);
	return xb_str_steal(&text);
}

static struct outcome outcome_of(struct fixture *f, const char *text)
{
	xb_auto_str struct xb_str config = XB_STR_INIT(XB_STR_OWN);
	const struct xb_plan *plan = plan_of(f, text);

	assert_true(plan->targets[0].step != XB_STEP_NONE);
	assert_int_equal(xb_image_config_write(config_of(plan), &config, NULL), 0);
	return (struct outcome){
		.identity = xb_strdup(plan->steps[plan->targets[0].step].identity.text),
		.config = xb_str_steal(&config),
	};
}

static struct choice any_choice(uint64_t *state)
{
	struct choice choice;

	for (size_t i = 0; i < ATTRIBUTES; i++)
		choice.value[i] = (unsigned)(next(state) % count_values(&attributes[i]));
	return choice;
}

/* Compare a Dockerfile with one that has another value of attribute `which`. */
static void compare(struct fixture *f, const struct choice *choice, size_t which, uint64_t *state)
{
	const struct attribute *attribute = &attributes[which];
	unsigned n = count_values(attribute);
	struct choice other = *choice;
	xb_autofree char *text = text_of(choice);
	xb_autofree char *other_text = NULL;
	XB_CLEANUP(outcome_clear) struct outcome a = outcome_of(f, text);
	XB_CLEANUP(outcome_clear) struct outcome b = { 0 };
	bool equal;

	other.value[which] = (other.value[which] + 1 + (unsigned)(next(state) % (n - 1))) % n;
	other_text = text_of(&other);
	b = outcome_of(f, other_text);
	equal = strcmp(a.identity, b.identity) == 0;
	if (equal != (attribute->effect != STEPS))
		fail_msg("%s:\n%s---\n%s", equal ? "equal" : "different", text, other_text);
	if (attribute->effect == CONFIG && strcmp(a.config, b.config) == 0)
		fail_msg("the same config:\n%s---\n%s", text, other_text);
	if (attribute->effect == NOTHING && strcmp(a.config, b.config) != 0)
		fail_msg("different configs:\n%s---\n%s", text, other_text);
}

static void test_pairs(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 0x9E3779B97F4A7C15;

	f->allow = (struct xb_plan_allow){ 0 };
	for (size_t i = 0; i < PAIRS; i++) {
		struct choice choice = any_choice(&random);

		compare(f, &choice, i % ATTRIBUTES, &random);
	}
}

/* The same Dockerfile gives the same steps, whatever was planned meanwhile. */
static void test_equal_ones(void **state)
{
	struct fixture *f = *state;
	uint64_t random = 0xD1B54A32D192ED03;

	for (size_t i = 0; i < PAIRS / 10; i++) {
		struct choice choice = any_choice(&random);
		struct choice between = any_choice(&random);
		xb_autofree char *text = text_of(&choice);
		xb_autofree char *other = text_of(&between);
		XB_CLEANUP(outcome_clear) struct outcome a = outcome_of(f, text);
		XB_CLEANUP(outcome_clear) struct outcome b = outcome_of(f, other);
		XB_CLEANUP(outcome_clear) struct outcome again = outcome_of(f, text);

		assert_string_equal(a.identity, again.identity);
		assert_string_equal(a.config, again.config);
		assert_int_equal(strcmp(a.identity, b.identity) == 0 &&
					 strcmp(a.config, b.config) == 0,
				 strcmp(text, other) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		plan_test(test_pairs),
		plan_test(test_equal_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
