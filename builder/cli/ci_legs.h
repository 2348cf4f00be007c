/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How a build is shared out among machines of a CI system: which platforms go to which leg, on what
 * machine, and what legs have in common.
 *
 * A platform goes to a machine that runs its programs; those of one machine are one leg. Where
 * nothing of a platform is run at all (it is copied together from stages of the build platform) it
 * goes to the first machine's leg. What has to be emulated has a leg of its own, on the first
 * machine, since emulation takes long. Pure: a plan in, plain data out.
 */
#ifndef XB_BUILDER_CLI_CI_LEGS_H
#define XB_BUILDER_CLI_CI_LEGS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/error.h"
#include "builder/cli/platforms.h"
#include "builder/plan/plan.h"

/** A kind of machine; starts zeroed, owns its labels. */
struct xb_ci_runner {
	struct xb_platform platform;
	struct xb_strv labels; /**< what the CI system knows it by */
};
/** Machines; the first is where emulated steps run, and stages of the build platform. */
struct xb_ci_runners XB_ARRAY(struct xb_ci_runner);

/** Release. */
void xb_ci_runners_clear(struct xb_ci_runners *runners);
#define xb_auto_ci_runners XB_CLEANUP(xb_ci_runners_clear)
/** Add a machine, or give the one of its platform these labels ("a,b"). */
void xb_ci_runners_set(struct xb_ci_runners *runners, const struct xb_platform *platform,
		       struct xb_view labels);
/**
 * Read "PLATFORM=LABEL[,LABEL]…" and add it as above. Errors, fault usage: not of this form; a
 * label with other characters than letters, digits and "._-/:@+".
 */
int xb_ci_runners_parse(struct xb_ci_runners *runners, const char *text, struct xb_error *err);

/** How a platform's own commands run. */
enum xb_ci_how {
	XB_CI_NATIVE,
	XB_CI_COMPAT, /**< by the kernel's support of 32-bit programs, or emulated */
	XB_CI_EMULATED,
	XB_CI_IDLE /**< there are none */
};
/** "native", "compat", "emulated", "idle"; static. */
const char *xb_ci_how_name(enum xb_ci_how how);

/** One platform of a leg. */
struct xb_ci_platform {
	struct xb_platform platform;
	enum xb_ci_how how;
	bool optional; /**< it may fail */
};
struct xb_ci_platforms XB_ARRAY(struct xb_ci_platform);

/** One leg; owns what it holds. */
struct xb_ci_leg {
	char *name;    /**< of letters, digits, '.' and '-'; distinct */
	size_t runner; /**< index of its machine */
	struct xb_ci_platforms platforms;
	bool emulator; /**< the machine may need emulators */
	bool optional; /**< all of its platforms may fail */
};

/** A stage that several legs build each for itself. */
struct xb_ci_shared {
	const char *stage; /**< borrowed from the plan */
	size_t steps;
};

/** All of it; starts as `{ 0 }`. */
struct xb_ci_legs {
	struct xb_ci_leg *items;
	size_t len;
	size_t cap;
	struct xb_ci_shared *shared;
	size_t shared_count;
};

/** Release. */
void xb_ci_legs_clear(struct xb_ci_legs *legs);
#define xb_auto_ci_legs XB_CLEANUP(xb_ci_legs_clear)

/**
 * Share a plan out, which was made for the platform of the first machine. `optional` says of each
 * target whether it may fail. `ret` is empty on entry.
 */
void xb_ci_legs_make(const struct xb_plan *plan, const struct xb_flags *optional,
		     const struct xb_ci_runners *runners, struct xb_ci_legs *ret);

/** The platforms of a leg as --leg takes them, malloc()ed. */
char *xb_ci_leg_platforms(const struct xb_ci_leg *leg);

#endif
