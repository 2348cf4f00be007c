/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/image/fold.h"

#include <fnmatch.h>
#include <string.h>

#include "platforms/arch.h"

/* Names beside those of the table of architectures: what GNU's triplets and linkers are called. */
static const struct {
	const char *arch;
	const char *names[6]; /* longer ones first */
} more[] = {
	{ "amd64", { "x86_64-linux-gnu", "x86_64-linux-musl", "x86-64", "x86_64" } },
	{ "arm64", { "aarch64-linux-gnu", "aarch64-linux-musl", "aarch64" } },
	{ "arm",
	  { "arm-linux-gnueabihf", "arm-linux-gnueabi", "arm-linux-musleabihf", "armhf", "armel",
	    "armv7l" } },
	{ "386", { "i386-linux-gnu", "i686-linux-gnu", "i386-linux-musl", "i686", "i386" } },
	{ "ppc64le", { "powerpc64le-linux-gnu", "powerpc64le", "ppc64el" } },
	{ "s390x", { "s390x-linux-gnu" } },
	{ "riscv64", { "riscv64-linux-gnu", "riscv64-linux-gnu-lp64d" } },
	{ "mips64le", { "mips64el-linux-gnuabi64", "mips64el" } },
	{ "mipsle", { "mipsel-linux-gnu", "mipsel" } },
	{ "loong64", { "loongarch64-linux-gnu", "loongarch64" } },
};

/* Letters and digits belong to a word; so "arm" is not in "charm". */
static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Whether `name` stands at `at` of a text as a word; yields its length. */
static size_t stands_at(struct xb_view text, size_t at, const char *name)
{
	size_t len = name != NULL ? strlen(name) : 0;

	if (len == 0 || len > text.len - at || memcmp(text.data + at, name, len) != 0 ||
	    (at > 0 && is_word(text.data[at - 1])) ||
	    (at + len < text.len && is_word(text.data[at + len])))
		return 0;
	return len;
}

/* The longest of the architecture's names that stands there. */
static size_t name_at(struct xb_view text, size_t at, const struct xb_platform *platform)
{
	const struct xb_arch *arch = xb_arch_of_platform(platform);
	const char *names[] = { platform->arch, arch != NULL ? arch->machine : NULL,
				arch != NULL ? arch->debian : NULL };
	size_t best = 0;

	for (size_t i = 0; i < XB_COUNT(more); i++) {
		if (strcmp(more[i].arch, platform->arch) != 0)
			continue;
		for (size_t k = 0; k < XB_COUNT(more[i].names); k++) {
			size_t len = stands_at(text, at, more[i].names[k]);

			best = len > best ? len : best;
		}
	}
	for (size_t i = 0; i < XB_COUNT(names); i++) {
		size_t len = stands_at(text, at, names[i]);

		best = len > best ? len : best;
	}
	return best;
}

void xb_fold_text(struct xb_view text, const struct xb_platform *platform, struct xb_str *out)
{
	for (size_t at = 0; at < text.len;) {
		size_t len = name_at(text, at, platform);

		if (len > 0)
			xb_str_puts(out, "{arch}");
		else
			xb_str_putc(out, text.data[at]);
		at += len > 0 ? len : 1;
	}
}

static void fold_name(struct xb_view name, const struct xb_platform *platform, struct xb_str *out)
{
	xb_autofree char *text = xb_view_dup(name);

	if (strcmp(text, "lib32") == 0 || strcmp(text, "lib64") == 0 || strcmp(text, "libx32") == 0)
		xb_str_puts(out, "lib");
	else if (fnmatch("ld-linux*.so.[0-9]", text, 0) == 0 ||
		 fnmatch("ld64.so.[0-9]", text, 0) == 0 || fnmatch("ld.so.[0-9]", text, 0) == 0)
		xb_str_puts(out, "{ld.so}");
	else
		xb_fold_text(name, platform, out);
}

void xb_fold_path(struct xb_view path, const struct xb_platform *platform, struct xb_str *out)
{
	struct xb_view name;
	bool first = true;

	while (xb_view_split(&path, '/', &name)) {
		if (!first)
			xb_str_putc(out, '/');
		first = false;
		fold_name(name, platform, out);
	}
}
