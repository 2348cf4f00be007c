/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Time grows with the size of a text and not faster: families of generated texts, each processed
 * whole and in sixteenths. Include it after cmocka.h.
 *
 * Sixteen texts of a sixteenth take as long as the whole where time is linear, and a sixteenth of
 * it where it is quadratic. Both sides are as long, so that what else the machine does weighs on
 * both alike, and the bound is far from either.
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

#define PARTS 16
/* Between 1 and PARTS; caches too small for the whole account for 2 to 3. */
#define MOST_RATIO 6.0
/* Below this, page faults and caches count for more than the code: what takes quadratic time over
 * megabytes takes seconds. */
#define LEAST_SECONDS 0.02
#define TRIES	      9

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

/* Seconds for a text of this size, processed `times` times. */
static inline double measure(const struct family *family, size_t size, unsigned times)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	double start;

	family->make(&text, size);
	start = seconds();
	for (unsigned i = 0; i < times; i++)
		family->use(&text);
	return seconds() - start;
}

static inline void keep_best(double *best, double took)
{
	if (took < *best)
		*best = took;
}

/* How many times longer the whole takes than its parts: the best of some tries of each, since
 * other work on the machine only ever makes it slower. More tries only where there is reason to. */
static inline double growth(const struct family *family, size_t size)
{
	double whole = 1e9, parts = 1e9;

	for (unsigned i = 0; i < TRIES; i++) {
		keep_best(&whole, measure(family, size, 1));
		if (whole <= LEAST_SECONDS)
			return 1;
		keep_best(&parts, measure(family, size / PARTS, PARTS));
		if (whole <= MOST_RATIO * parts)
			break;
	}
	print_message("%-28s %zu MiB %7.1f ms, in parts %7.1f ms\n", family->name, family->size,
		      whole * 1e3, parts * 1e3);
	return whole / parts;
}

/** Measure all families. */
static inline void assert_linear(const struct family *families, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct family *family = &families[i];
		double ratio = growth(family, ((family->size << 20) - 4096) / PORTION);

		if (MEASURED && ratio > MOST_RATIO)
			fail_msg("%s: more than linear", family->name);
	}
}

/** Keep what was freed: how long the kernel takes to give memory is not measured here. */
static inline void keep_memory(void)
{
	(void)mallopt(M_MMAP_MAX, 0);
	(void)mallopt(M_TRIM_THRESHOLD, INT32_MAX);
}

#endif
