/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A platform: operating system, processor architecture, variant of the architecture.
 *
 * The words are those of the OCI image specification ("linux", "arm64", "v7"). A
 * `struct xb_platform` is a plain value: copy it, compare it with xb_platform_eq(), nothing to
 * release. Every text in it is NUL-terminated; an empty text means that the part is not given.
 *
 * People write platforms as specifiers:
 *
 *	os[(version[+feature…])][/architecture[/variant]]   or   architecture
 *
 * Source: OCI image-spec 1.1 image-index.md, "platform"; the specifiers, their normal form and
 * what may stand in for what follow containerd/platforms, whose test vectors are read where
 * XB_CORPORA says.
 */
#ifndef XB_PLATFORMS_PLATFORM_H
#define XB_PLATFORMS_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/str.h"

/** One platform. Zeroed, it is no platform: xb_platform_is_empty(). */
struct xb_platform {
	char os[32];	       /**< "linux", "windows", "darwin"… */
	char arch[32];	       /**< "amd64", "arm64", "riscv64"… */
	char variant[16];      /**< "v7", "v8.1"… */
	char os_version[64];   /**< "10.0.17763"; for windows */
	char os_features[128]; /**< "gpu,simd": sorted, no feature twice, none holds a comma */
};

/**
 * Read a specifier and normalise it: what the command line, FROM --platform and the automatic
 * platform arguments mean. An operating system alone has the architecture and variant of
 * `defaults` (the host, say), an architecture alone has its operating system.
 *
 * "local" and "linux/s390x?" are not specifiers: their words are the caller's.
 * Errors: -EINVAL, with a sentence that shows the text and a hint; no fault class is set, since
 * only the caller knows whether a command line or a Dockerfile is to blame. `ret` is then
 * untouched.
 */
int xb_platform_parse(struct xb_view text, const struct xb_platform *defaults,
		      struct xb_platform *ret, struct xb_error *err);

/**
 * As xb_platform_parse(), but keeps whether a variant was written: "linux/arm" has none and
 * "linux/arm64/v8" has "v8". For showing back what was asked for, and for telling
 * "every arm" from "arm/v7".
 */
int xb_platform_parse_as_written(struct xb_view text, const struct xb_platform *defaults,
				 struct xb_platform *ret, struct xb_error *err);

/**
 * Normalise in place: lower case, `macos` -> `darwin`, `aarch64` -> `arm64`, `x86_64` -> `amd64`,
 * `arm64/v8` -> `arm64`, `amd64/v1` -> `amd64`, `arm` -> `arm/v7`, `armel` -> `arm/v6`.
 *
 * Idempotent. Never fails: what it does not know it leaves as it is.
 */
void xb_platform_normalise(struct xb_platform *p);

/** Whether nothing is given. */
bool xb_platform_is_empty(const struct xb_platform *p);
/** Whether all five parts are the same text; normalise both first where spelling may differ. */
bool xb_platform_eq(const struct xb_platform *a, const struct xb_platform *b);

/** Append "os/architecture[/variant]"; "unknown" for an empty platform. Returns as xb_str_puts().
 */
int xb_platform_format(const struct xb_platform *p, struct xb_str *out);
/**
 * Append the specifier with version and features: "windows(10.0.17763+win32k)/amd64". Inside the
 * parentheses all but letters, digits, '_', '-' and '.' is written %XX, so that parsing gives the
 * platform again.
 */
int xb_platform_format_all(const struct xb_platform *p, struct xb_str *out);

/** Room for any platform's "os/architecture/variant" and its NUL. */
#define XB_PLATFORM_NAME_SIZE 84

/** A platform's name as a value, for printf arguments: `xb_platform_name(&p).text`. */
struct xb_platform_name {
	char text[XB_PLATFORM_NAME_SIZE];
};

/** What xb_platform_format() appends, as a value that lives until the end of the expression. */
struct xb_platform_name xb_platform_name(const struct xb_platform *p);

/**
 * The `index`-th best platform whose images run where `wanted` is asked for: index 0 is `wanted`
 * itself, normalised; then older variants, then 32-bit relatives (amd64: 386; arm64: arm/v8 down
 * to arm/v5). Returns false, `ret` untouched, when there is no such index.
 */
bool xb_platform_fallback(const struct xb_platform *wanted, size_t index, struct xb_platform *ret);

/**
 * How well an image of platform `offered` serves `wanted`: 0 is the very platform, larger is worse
 * (the index of xb_platform_fallback()), -1 is not at all. Both are normalised first. The
 * operating system must be the same; an offered version must agree with a wanted one (for
 * windows the first three numbers of it); the offered features must all be among the wanted ones.
 */
int xb_platform_rank(const struct xb_platform *wanted, const struct xb_platform *offered);
/** Whether `offered` is `wanted` and no mere fallback: xb_platform_rank() is 0. */
bool xb_platform_match_strict(const struct xb_platform *wanted, const struct xb_platform *offered);
/** As xb_platform_rank(), when any architecture will do: 0 the same platform, 1 the same operating
 * system, -1 neither. */
int xb_platform_rank_os(const struct xb_platform *wanted, const struct xb_platform *offered);

#endif
