/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What the planner's tests share: a plan made from a Dockerfile's text and images that are made up
 * as they are asked for.
 *
 * Every name is an image, for every platform, with the config of `configs` (else an empty one); but
 * names that begin with "dir" are directories, those with "given" are images given by
 * --build-context, "single..." is for linux/amd64 alone, and "missing" is not there. Include it
 * after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_PLAN_FIXTURE_H
#define XB_TESTS_UNIT_PLAN_FIXTURE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "builder/dockerfile/parse.h"
#include "builder/plan/make.h"
#include "manifest/image.h"
#include "manifest/media.h"

/** An image that was asked for. */
struct made_image {
	char *key; /* "name platform" */
	struct xb_image image;
};
struct made_images XB_ARRAY(struct made_image *);

/** One test's plan. */
struct fixture {
	struct xb_platform platforms[4];
	size_t platform_count;
	struct xb_platform build;
	const char *target;
	bool no_network;
	struct xb_plan_grants grants;
	struct xb_strv args;
	struct xb_strv labels;
	struct xb_plan_allow allow;
	struct xb_strv emulators;
	struct xb_strategy_options strategy;
	const char *base_config; /* the member `config` of the image "base", as JSON */
	const char *on_arm64;	 /* the architecture that the image "lying" has for arm64 */
	int64_t context_time;	 /* of the build context */
	int64_t time;		 /* of what is elsewhere; -2: it cannot be had */
	char timed[256];	 /* what the time was last asked of */
	struct made_images images;
	struct xb_dockerfile *file;
	struct xb_plan *plan;
	struct xb_error err;
	int r;
};

/** A platform from its text. */
static inline struct xb_platform platform(const char *text)
{
	struct xb_platform p = { 0 };

	assert_int_equal(xb_platform_parse(xb_view(text), NULL, &p, NULL), 0);
	return p;
}

/** Say which platforms to plan for: "linux/amd64,linux/arm64". */
static inline void set_platforms(struct fixture *f, const char *list)
{
	struct xb_view rest = xb_view(list);
	struct xb_view text;

	f->platform_count = 0;
	while (xb_view_split(&rest, ',', &text)) {
		xb_autofree char *one = xb_view_dup(text);

		f->platforms[f->platform_count++] = platform(one);
	}
}

/** cmocka's setup: for linux/amd64, on linux/amd64. */
static inline int fixture_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	f->context_time = -1;
	f->time = -1;
	f->build = platform("linux/amd64");
	f->strategy.emulators.overrides = &f->emulators;
	set_platforms(f, "linux/amd64");
	*state = f;
	return 0;
}

static inline void forget_plan(struct fixture *f)
{
	xb_plan_free(f->plan);
	xb_dockerfile_free(f->file);
	xb_error_clear(&f->err);
	f->plan = NULL;
	f->file = NULL;
}

/** cmocka's teardown. */
static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	forget_plan(f);
	for (size_t i = 0; i < f->images.len; i++) {
		free(f->images.items[i]->key);
		xb_image_clear(&f->images.items[i]->image);
		free(f->images.items[i]);
	}
	xb_array_clear(&f->images);
	xb_strv_clear(&f->args);
	xb_strv_clear(&f->labels);
	xb_strv_clear(&f->emulators);
	free(f);
	return 0;
}

/** A test with a fixture of its own. */
#define plan_test(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

static inline enum xb_source_kind fake_kind(void *context, const char *name)
{
	(void)context;
	/* of what is called for a platform there is only "split" */
	if (strstr(name, "::") != NULL)
		return strcmp(name, "split::linux/arm64") == 0 ? XB_SOURCE_DIRECTORY
							       : XB_SOURCE_IMAGE;
	if (strncmp(name, "away", 4) == 0)
		return XB_SOURCE_REMOTE;
	if (strncmp(name, "given", 5) == 0)
		return XB_SOURCE_NAMED;
	return strncmp(name, "dir", 3) == 0 ? XB_SOURCE_DIRECTORY : XB_SOURCE_IMAGE;
}

static inline void make_image(const struct fixture *f, const char *name,
			      const struct xb_platform *p, struct made_image *made)
{
	struct xb_digest digest = xb_digest_of(made->key, strlen(made->key));
	bool lies = strcmp(name, "lying") == 0 && strcmp(p->arch, "arm64") == 0;
	const char *config =
		strcmp(name, "base") == 0 && f->base_config != NULL ? f->base_config : "{}";
	xb_autofree char *text =
		xb_format("{\"architecture\":\"%s\",\"os\":\"%s\",\"config\":%s,\"rootfs\":{"
			  "\"type\":\"layers\","
			  "\"diff_ids\":[\"%s\"]},\"history\":[{\"created_by\":\"the base\"}]}",
			  lies ? f->on_arm64 : p->arch, p->os, config, digest.text);

	xb_descriptor_init(&made->image.descriptor, XB_MEDIA_OCI_MANIFEST, &digest, 1);
	assert_int_equal(xb_image_config_parse(xb_view(text), &made->image.config, NULL), 0);
}

static inline int fake_image(void *context, const char *name, const struct xb_platform *p, bool any,
			     const struct xb_image **ret, struct xb_error *err)
{
	static const struct xb_platform amd64 = { .os = "linux", .arch = "amd64" };
	struct fixture *f = context;
	xb_autofree char *key = xb_format("%s %s", name, xb_platform_name(p).text);
	struct made_image *made;

	if (strcmp(name, "missing") == 0) {
		(void)xb_error_set(err, -ENOENT, "no image called missing");
		return xb_error_fault(err, XB_FAULT_REGISTRY);
	}
	if (strncmp(name, "single", 6) == 0 && strcmp(p->arch, "amd64") != 0) {
		if (any)
			return fake_image(context, name, &amd64, false, ret, err);
		(void)xb_error_set(err, -ENOENT, "no image for %s", xb_platform_name(p).text);
		return xb_error_fault(err, XB_FAULT_PLATFORM);
	}
	for (size_t i = 0; i < f->images.len; i++) {
		if (strcmp(f->images.items[i]->key, key) == 0) {
			*ret = &f->images.items[i]->image;
			return 0;
		}
	}
	made = xb_calloc(1, sizeof(*made));
	*xb_array_push(&f->images) = made;
	made->key = XB_STEAL(key);
	make_image(f, name, p, made);
	*ret = &made->image;
	return 0;
}

static inline const char *fake_url(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "away-git") == 0 ? "https://u:pw@example.com/r.git#main"
					     : "https://example.com/away.tar";
}

/* What is asked for is remembered; the time is that of the test. */
static inline int fake_time(void *context, const struct xb_step_fetch *fetch, int64_t *ret,
			    struct xb_error *err)
{
	struct fixture *f = context;

	(void)snprintf(f->timed, sizeof(f->timed), "%s %s", fetch->git ? "git" : "http",
		       fetch->url);
	*ret = f->time;
	if (f->time == -2) {
		(void)xb_error_set(err, -EHOSTUNREACH, "no such host");
		return xb_error_fault(err, XB_FAULT_REGISTRY);
	}
	return 0;
}

/** Plan `text`; the outcome is in `r`, `plan` and `err`. */
static inline void try_plan(struct fixture *f, const char *text)
{
	struct xb_plan_request request = {
		.platforms = f->platforms,
		.platform_count = f->platform_count,
		.build_platform = f->build,
		.no_network = f->no_network,
		.grants = f->grants,
		.target = f->target,
		.build_args = &f->args,
		.labels = &f->labels,
		.allow = f->allow,
		.strategy = &f->strategy,
		.context_time = f->context_time,
		.sources = { .context = f,
			     .kind = fake_kind,
			     .image = fake_image,
			     .url = fake_url,
			     .time = fake_time },
	};

	forget_plan(f);
	f->r = xb_dockerfile_parse(xb_view(text), "Dockerfile", &f->file, &f->err);
	request.dockerfile = f->file;
	if (f->r == 0)
		f->r = xb_plan_make(&request, &f->plan, &f->err);
}

/** Plan `text`, which has to work. */
static inline const struct xb_plan *plan_of(struct fixture *f, const char *text)
{
	try_plan(f, text);
	if (f->r < 0)
		fail_msg("%s", f->err.message);
	return f->plan;
}

/** Plan `text`, which has to fail with a message that begins with `message`, a place with it. */
static inline void plan_fails(struct fixture *f, const char *text, const char *message,
			      enum xb_fault fault)
{
	try_plan(f, text);
	if (f->r >= 0)
		fail_msg("it was planned: %s", text);
	if (strncmp(f->err.message, message, strlen(message)) != 0)
		fail_msg("not \"%s\" but \"%s\"", message, f->err.message);
	assert_int_equal(f->err.fault, fault);
	if (strncmp(message, "Dockerfile:", 11) == 0) {
		assert_non_null(f->err.excerpt);
		assert_non_null(strchr(f->err.excerpt, '^'));
	}
}

/** How many steps have `text` in their titles. */
static inline size_t count_steps(const struct xb_plan *plan, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->step_count; i++)
		n += strstr(plan->steps[i].title, text) != NULL;
	return n;
}

/** The only step with `text` in its title. */
static inline const struct xb_step *step_of(const struct xb_plan *plan, const char *text)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		if (strstr(plan->steps[i].title, text) != NULL) {
			assert_int_equal(count_steps(plan, text), 1);
			return &plan->steps[i];
		}
	}
	fail_msg("no step %s", text);
	return NULL;
}

/** The config of the first target. */
static inline const struct xb_image_config *config_of(const struct xb_plan *plan)
{
	return &plan->targets[0].config;
}

/** Compare a list that ends with NULL with words between '|'. */
static inline void assert_list(const char *const *list, const char *expected)
{
	xb_auto_strv struct xb_strv v = XB_STRV_INIT;
	xb_autofree char *text = NULL;

	for (; *list != NULL; list++)
		xb_strv_push(&v, *list);
	text = xb_strv_join(&v, "|");
	assert_string_equal(text, expected);
}

/** Compare a vector with words between '|'. */
static inline void assert_strv(const struct xb_strv *v, const char *expected)
{
	xb_autofree char *text = xb_strv_join(v, "|");

	assert_string_equal(text, expected);
}

/** What `name` is in the environment of a RUN, or NULL. */
static inline const char *env_of(const struct xb_step *step, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *e = step->run.env; *e != NULL; e++) {
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	}
	return NULL;
}

/** Whether this machine can plan emulated steps of linux/arm64 on linux/amd64. */
static inline bool can_emulate(struct fixture *f)
{
	xb_auto_strategy_decision struct xb_strategy_decision d = XB_STRATEGY_DECISION_INIT;
	struct xb_platform arm64 = platform("linux/arm64");

	xb_strategy_decide(&arm64, &f->build, &f->strategy, &d);
	return d.strategy == XB_STRATEGY_EMULATED;
}

#endif
