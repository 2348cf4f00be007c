/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/solve/key.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "builder/solve/mounts.h"
#include "builder/solve/work.h"

/* Part of every key: what a key covers, and how, has changed when this number has. */
#define KEY_VERSION 5

static void hash_run(struct xb_hasher *h, const struct xb_step *step,
		     const struct xb_step_shared *shared)
{
	static const char *const none[] = { NULL };

	xb_hasher_field(h, xb_view(xb_platform_name(&step->platform).text));
	xb_hasher_list(h, step->run.argv);
	xb_hasher_list(h, step->run.env);
	xb_hasher_field(h, xb_view(step->run.cwd));
	xb_hasher_field(h, xb_view(step->run.user));
	xb_hasher_field(h, xb_view(step->run.hostname));
	xb_hasher_number(h, shared->no_network || step->run.no_network);
	xb_hasher_list(h, shared->hosts != NULL ? (const char *const *)xb_strv_argv(shared->hosts)
						: none);
	xb_hasher_number(h, step->run.script != NULL);
	if (step->run.script != NULL) {
		xb_hasher_field(h, xb_view(step->run.script->name));
		xb_hasher_field(h, xb_view(step->run.script->content));
	}
}

/*
 * What a command can read of its limits counts, as in BuildKit; what its control group limits does
 * not, since that makes it slow or makes it fail.
 */
static void hash_limits(struct xb_hasher *h, const struct xb_step_run *run,
			const struct xb_sandbox_limits *limits)
{
	xb_hasher_number(h, run->insecure);
	xb_hasher_list(h, run->devices);
	xb_hasher_number(h, limits != NULL ? limits->shm_size : 0);
	xb_hasher_number(h, limits != NULL ? limits->rlimits.len : 0);
	for (size_t i = 0; limits != NULL && i < limits->rlimits.len; i++) {
		xb_hasher_number(h, limits->rlimits.items[i].resource);
		xb_hasher_number(h, limits->rlimits.items[i].soft);
		xb_hasher_number(h, limits->rlimits.items[i].hard);
	}
}

static void hash_copy(struct xb_hasher *h, const struct xb_step_copy *copy)
{
	xb_hasher_number(h, copy->add);
	xb_hasher_number(h, copy->unpack);
	xb_hasher_number(h, copy->link);
	xb_hasher_number(h, copy->parents);
	xb_hasher_field(h, xb_view(copy->destination));
	xb_hasher_number(h, copy->chown != NULL);
	xb_hasher_field(h, xb_view(copy->chown));
	xb_hasher_number(h, (uint64_t)(int64_t)copy->mode);
	xb_hasher_field(h, xb_view(copy->chmod));
	xb_hasher_number(h, copy->file_count);
	for (size_t i = 0; i < copy->file_count; i++) {
		xb_hasher_field(h, xb_view(copy->files[i].name));
		xb_hasher_field(h, xb_view(copy->files[i].content));
	}
}

bool xb_step_is_linked(const struct xb_step *step)
{
	return step->kind == XB_STEP_COPY && step->copy.link;
}

/*
 * What a step stands on, as its key has it. What is copied onto an empty tree does not depend on
 * the tree below: the layer is the same on every one.
 */
static const char *parent_of(const struct xb_step *step, const struct xb_result *const *inputs)
{
	return inputs[0] != NULL && !xb_step_is_linked(step) ? xb_result_chain(inputs[0])->text
							     : "";
}

int xb_step_key_make(struct xb_step_shared *shared, const struct xb_step *step,
		     const struct xb_result *const *inputs, const struct xb_ground *ground,
		     struct xb_step_key *ret, struct xb_error *err)
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();
	struct xb_digest digest;
	uint64_t state = 0;
	int r = 0;

	xb_hasher_number(h, KEY_VERSION);
	xb_hasher_number(h, step->kind);
	xb_hasher_field(h, xb_view(ground != NULL ? "apart" : parent_of(step, inputs)));
	if (ground != NULL)
		xb_ground_hash(ground, h);
	xb_hasher_number(h, (uint64_t)shared->epoch);
	switch (step->kind) {
	case XB_STEP_RUN:
		hash_run(h, step, shared);
		hash_limits(h, &step->run, shared->limits);
		/* what the machine's own programs may have made is no result for others */
		if (step->strategy == XB_STRATEGY_EMULATED && shared->strategy->no_guard)
			xb_hasher_field(h, XB_VIEW("unguarded"));
		r = xb_mounts_key(shared, step, inputs + 1, h, &state, err);
		break;
	case XB_STEP_COPY:
		hash_copy(h, &step->copy);
		r = xb_copy_key(shared, step, inputs + 1, h, &state, err);
		break;
	case XB_STEP_WORKDIR:
		xb_hasher_field(h, xb_view(step->workdir.path));
		xb_hasher_field(h, xb_view(step->workdir.user));
		break;
	case XB_STEP_BASE:
	case XB_STEP_FETCH:
		break;
	}
	if (r < 0)
		return r;
	digest = xb_hasher_finish(h);
	(void)snprintf(ret->text, sizeof(ret->text), XB_RECORD_STEP "%s", digest.text);
	ret->state = state;
	return 0;
}

bool xb_step_key_holds(struct xb_step_shared *shared, const struct xb_step *step,
		       const struct xb_result *const *inputs, const struct xb_ground *ground,
		       const struct xb_step_key *key)
{
	struct xb_step_key now = { 0 };

	if (key->state == 0)
		return true;
	/* what cannot be read any more has changed */
	return xb_step_key_make(shared, step, inputs, ground, &now, NULL) == 0 &&
	       now.state == key->state && strcmp(now.text, key->text) == 0;
}

void xb_work_read_all(const struct xb_work *work)
{
	*work->changed =
		!xb_step_key_holds(work->shared, work->step, work->inputs, work->ground, work->key);
}

void xb_step_key_disown(char text[XB_RECORD_KEY_SIZE])
{
	xb_auto_hasher struct xb_hasher *h = xb_hasher_new();
	unsigned char random[16];
	struct xb_digest digest;

	/* without random bytes the time does: it is this store's key alone */
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		memset(random, 0, sizeof(random));
	xb_hasher_field(h, xb_view(text));
	xb_hasher_add(h, random, sizeof(random));
	xb_hasher_number(h, xb_clock_monotonic());
	digest = xb_hasher_finish(h);
	(void)snprintf(text, XB_RECORD_KEY_SIZE, XB_RECORD_STEP "%s", digest.text);
}
