/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How large a Dockerfile and what it expands to may be. A Dockerfile may come from strangers (a
 * remote context, a pull request), so each quantity that costs memory or time has a bound.
 */
#ifndef XB_BUILDER_DOCKERFILE_LIMITS_H
#define XB_BUILDER_DOCKERFILE_LIMITS_H

#include <stddef.h>

/**
 * Bytes of a Dockerfile or .dockerignore. The largest real ones found are below 100 KiB; generated
 * ones of a million lines (10 MB) are to work, and take less than a second and 40 bytes of memory
 * for each of theirs.
 */
#define XB_MAX_DOCKERFILE ((size_t)16 << 20)
/** Bytes of one line of the source; Linux takes no argument above 128 KiB in execve(). */
#define XB_MAX_DOCKERFILE_LINE ((size_t)1 << 20)
/** Bytes that one word may expand to; keeps ARG b=$a$a, ARG c=$b$b, ... from growing on. */
#define XB_MAX_EXPANSION ((size_t)1 << 20)
/** Levels of ${a:-${b:-...}} and of JSON arrays; each level is a level of recursion. */
#define XB_MAX_NESTING 100u
/**
 * What the expansion of one word may cost beside its length: the bytes of the values that it looks
 * at, and the steps of its patterns (pattern length times value length).
 */
#define XB_MAX_PATTERN_STEPS ((size_t)1 << 24)
/** The same for all words of a plan: a second's work, and far more than real files need. */
#define XB_MAX_EXPANSION_WORK ((size_t)1 << 27)
/** Bytes of one pattern of .dockerignore or COPY; no path is longer. */
#define XB_MAX_PATTERN ((size_t)4096)
/** Ports that one EXPOSE operand may name. */
#define XB_MAX_PORTS 65536u

#endif
