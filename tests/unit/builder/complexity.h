/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Time grows with the size of a text and not faster: families of generated texts, each measured at
 * two sizes. Include it after cmocka.h.
 */
#ifndef XB_TESTS_UNIT_BUILDER_COMPLEXITY_H
#define XB_TESTS_UNIT_BUILDER_COMPLEXITY_H

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

/* The sanitizers' allocators have costs of their own: under them the code only runs, on less. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEASURED false
#define PORTION	 16
#else
#define MEASURED true
#define PORTION	 1
#endif

#define RATIO 2.3
/* Below this, page faults and caches count for more than the code: what takes quadratic time over
 * megabytes takes seconds. */
#define LEAST_SECONDS 0.02
#define TRIES	      7

/* Make a text of about `size` bytes. */
typedef void make_text(struct xb_str *out, size_t size);
/* Process it; what comes out does not matter, only how long it takes. */
typedef void use_text(const struct xb_str *text);

/** Texts of one kind. */
struct family {
	const char *name;
	make_text *make;
	use_text *use;
	size_t size; /* MiB */
};

static inline void repeat(struct xb_str *out, size_t size, const char *head, const char *unit)
{
	(void)xb_str_puts(out, head);
	while (out->len + strlen(unit) <= size)
		(void)xb_str_puts(out, unit);
}

static inline double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The best of some tries: other work on the machine only ever makes it slower. */
static inline double measure(const struct family *family, size_t size, unsigned tries,
			     double *total)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	double best = 1e9;

	family->make(&text, size);
	for (unsigned i = 0; i < tries; i++) {
		double start = seconds(), took;

		family->use(&text);
		took = seconds() - start;
		*total += i == 0 ? took : 0;
		if (took < best)
			best = took;
	}
	return best;
}

/*
 * Whether twice the size takes more than RATIO times as long. Where the processor's caches end,
 * a doubling or two may; what is more than linear does so at each of four.
 */
static inline bool grows_too_fast(const struct family *family, size_t size, double *ignored)
{
	double before = measure(family, size / 16, TRIES, ignored);

	for (size_t part = 8; part >= 1; part /= 2) {
		double now = measure(family, size / part, TRIES, ignored);

		if (now <= RATIO * before)
			return false;
		before = now;
	}
	return true;
}

/** Measure all families; they all together take less than `most` seconds. */
static inline void assert_linear(const struct family *families, size_t count, double most)
{
	double total = 0, ignored = 0;

	for (size_t i = 0; i < count; i++) {
		const struct family *family = &families[i];
		size_t size = ((family->size << 20) - 4096) / PORTION;
		double whole = measure(family, size, 1, &total);
		double half = measure(family, size / 2, 1, &ignored);

		print_message("%-28s %zu MiB %7.1f ms, half %7.1f ms\n", family->name, family->size,
			      whole * 1e3, half * 1e3);
		/* look closer only where a first look gives reason to */
		if (MEASURED && whole > LEAST_SECONDS && whole > RATIO * half &&
		    grows_too_fast(family, size, &ignored))
			fail_msg("%s: more than linear", family->name);
	}
	print_message("all %zu families: %.2f s\n", count, total);
	assert_true(total < most || !MEASURED);
}

/** Keep what was freed: how long the kernel takes to give memory is not measured here. */
static inline void keep_memory(void)
{
	(void)mallopt(M_MMAP_MAX, 0);
	(void)mallopt(M_TRIM_THRESHOLD, INT32_MAX);
}

#endif
