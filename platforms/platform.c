/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/platform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* One way to spell an architecture, and what it is called here. */
struct alias {
	const char *from;
	const char *arch;
	const char *variant; /* NULL: the variant stays as given */
};

static const struct alias arch_aliases[] = {
	{ "i386", "386", "" },
	{ "i486", "386", "" },
	{ "i586", "386", "" },
	{ "i686", "386", "" },
	{ "x86_64", "amd64", NULL },
	{ "x86-64", "amd64", NULL },
	{ "aarch64", "arm64", NULL },
	{ "armhf", "arm", "v7" },
	{ "armel", "arm", "v6" },
	{ "ppc64el", "ppc64le", NULL },
	{ "mipsel", "mipsle", NULL },
	{ "mips64el", "mips64le", NULL },
	{ "loongarch64", "loong64", NULL },
};

/* Spellings of variants, after the architecture has its normal name. */
static const struct {
	const char *arch;
	const char *from;
	const char *to;
} variant_aliases[] = {
	{ "amd64", "v1", "" },	   { "arm64", "8", "" },   { "arm64", "v8", "" },
	{ "arm64", "v8.0", "" },   { "arm64", "9", "v9" }, { "arm64", "9.0", "v9" },
	{ "arm64", "v9.0", "v9" }, { "arm", "", "v7" },	   { "arm", "5", "v5" },
	{ "arm", "6", "v6" },	   { "arm", "7", "v7" },   { "arm", "8", "v8" },
};

static const char *const known_os[] = {
	"aix",	   "android", "darwin",	 "dragonfly", "freebsd", "hurd",
	"illumos", "ios",     "js",	 "linux",     "nacl",	 "netbsd",
	"openbsd", "plan9",   "solaris", "wasip1",    "windows", "zos",
};

/* Architectures that may be written without an operating system. Wider than the table of
 * platforms/arch.h: images of these can be handled, if not run. */
static const char *const known_arch[] = {
	"386",	 "amd64",   "amd64p32",	   "arm",      "armbe", "arm64",     "arm64be", "loong64",
	"mips",	 "mipsle",  "mips64",	   "mips64le", "ppc",	"mips64p32", "ppc64",	"ppc64le",
	"riscv", "riscv64", "mips64p32le", "s390",     "s390x", "sparc",     "sparc64", "wasm",
};

static bool is_one_of(const char *text, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(text, list[i]) == 0)
			return true;
	return false;
}

static void lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
}

/* Copy a constant of the tables above, all of which fit. */
static void put(char *to, size_t size, const char *text)
{
	(void)snprintf(to, size, "%s", text);
}

static void normalise_arch(struct xb_platform *p)
{
	for (size_t i = 0; i < XB_COUNT(arch_aliases); i++) {
		if (strcmp(p->arch, arch_aliases[i].from) != 0)
			continue;
		put(p->arch, sizeof(p->arch), arch_aliases[i].arch);
		if (arch_aliases[i].variant != NULL)
			put(p->variant, sizeof(p->variant), arch_aliases[i].variant);
		break;
	}
	for (size_t i = 0; i < XB_COUNT(variant_aliases); i++) {
		if (strcmp(p->arch, variant_aliases[i].arch) != 0 ||
		    strcmp(p->variant, variant_aliases[i].from) != 0)
			continue;
		put(p->variant, sizeof(p->variant), variant_aliases[i].to);
		break;
	}
}

void xb_platform_normalise(struct xb_platform *p)
{
	lower(p->os);
	lower(p->arch);
	lower(p->variant);
	if (strcmp(p->os, "macos") == 0)
		put(p->os, sizeof(p->os), "darwin");
	normalise_arch(p);
}

bool xb_platform_is_empty(const struct xb_platform *p)
{
	return p->os[0] == '\0' && p->arch[0] == '\0' && p->variant[0] == '\0' &&
	       p->os_version[0] == '\0' && p->os_features[0] == '\0';
}

bool xb_platform_eq(const struct xb_platform *a, const struct xb_platform *b)
{
	return strcmp(a->os, b->os) == 0 && strcmp(a->arch, b->arch) == 0 &&
	       strcmp(a->variant, b->variant) == 0 && strcmp(a->os_version, b->os_version) == 0 &&
	       strcmp(a->os_features, b->os_features) == 0;
}

/* Parsing. Each function returns NULL, or what is wrong as the end of a sentence. */

static bool is_word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* A part of letters, digits, '_', '-' and, with `dots`, '.'. */
static const char *read_word(struct xb_view text, bool dots, char *to, size_t size)
{
	if (text.len == 0)
		return "a part is empty";
	if (text.len >= size)
		return "a part is too long";
	for (size_t i = 0; i < text.len; i++)
		if (!is_word_char(text.data[i]) && !(dots && text.data[i] == '.'))
			return "only letters, digits, '_', '-' and '.' are allowed";
	memcpy(to, text.data, text.len);
	to[text.len] = '\0';
	return NULL;
}

/* The byte at `*at`, %XX resolved; `*at` moves behind it. -1 for what may not stand there. */
static int read_escaped(struct xb_view text, size_t *at)
{
	char c = text.data[(*at)++];
	int high, low;

	if (is_word_char(c) || c == '.')
		return c;
	if (c != '%' || text.len - *at < 2)
		return -1;
	high = hex_value(text.data[*at]);
	low = hex_value(text.data[*at + 1]);
	*at += 2;
	/* Control bytes and broken UTF-8 would get into documents and onto terminals. */
	if (high < 2 || high > 7 || low < 0 || (high == 7 && low == 15))
		return -1;
	return high * 16 + low;
}

/* A version or a feature: as read_word() with %XX for other bytes; may be empty. */
static const char *read_escaped_word(struct xb_view text, char *to, size_t size)
{
	size_t len = 0;
	size_t at = 0;

	while (at < text.len) {
		int c = read_escaped(text, &at);

		if (c < 0)
			return "a version or feature has a character that must be written %XX";
		if (len + 1 >= size)
			return "a version or feature is too long";
		to[len++] = (char)c;
	}
	to[len] = '\0';
	return NULL;
}

/* Put `feature` into its place of the sorted list, once. */
static const char *add_feature(char *list, size_t size, const char *feature)
{
	size_t len = strlen(list);
	size_t add = strlen(feature);
	char *at = list;

	while (*at != '\0') {
		size_t item = strcspn(at, ",");
		size_t common = item < add ? item : add;
		int order = memcmp(at, feature, common);

		if (order == 0 && item == add)
			return NULL;
		if (order > 0 || (order == 0 && item > add))
			break;
		at += item + (at[item] == ',' ? 1 : 0);
	}
	if (len + add + 2 > size)
		return "the list of features is too long";
	if (*at != '\0') {
		memmove(at + add + 1, at, strlen(at) + 1);
		at[add] = ',';
	} else {
		if (len > 0)
			*at++ = ',';
		at[add] = '\0';
	}
	memcpy(at, feature, add);
	return NULL;
}

/* What stands in the parentheses: "10.0.17763+win32k". */
static const char *read_version(struct xb_view text, struct xb_platform *p)
{
	struct xb_view rest = text;
	struct xb_view piece = { NULL, 0 };
	char feature[sizeof(p->os_features)];
	const char *fault;

	if (text.len == 0 || !xb_view_split(&rest, '+', &piece))
		return NULL;
	fault = read_escaped_word(piece, p->os_version, sizeof(p->os_version));
	while (fault == NULL && xb_view_split(&rest, '+', &piece)) {
		fault = read_escaped_word(piece, feature, sizeof(feature));
		if (fault == NULL && (feature[0] == '\0' || strchr(feature, ',') != NULL))
			fault = "a feature is empty or holds a comma";
		if (fault == NULL)
			fault = add_feature(p->os_features, sizeof(p->os_features), feature);
	}
	return fault;
}

/* The first part: "linux", "windows(10.0.17763)". */
static const char *read_os(struct xb_view text, struct xb_platform *p)
{
	ptrdiff_t open = xb_view_find(text, '(');
	const char *fault;

	if (open < 0)
		return read_word(text, false, p->os, sizeof(p->os));
	if (text.data[text.len - 1] != ')')
		return "a ')' is missing";
	fault = read_word(xb_view_sub(text, 0, (size_t)open), false, p->os, sizeof(p->os));
	if (fault != NULL)
		return fault;
	return read_version(xb_view_sub(text, (size_t)open + 1, text.len - (size_t)open - 2), p);
}

/* One part alone: an operating system, else an architecture. */
static const char *complete_single(struct xb_view text, const struct xb_platform *defaults,
				   struct xb_platform *p)
{
	lower(p->os);
	if (strcmp(p->os, "macos") == 0 || is_one_of(p->os, known_os, XB_COUNT(known_os))) {
		put(p->arch, sizeof(p->arch), defaults->arch);
		put(p->variant, sizeof(p->variant), defaults->variant);
		return NULL;
	}
	if (xb_view_find(text, '(') >= 0)
		return "unknown operating system";
	put(p->arch, sizeof(p->arch), p->os);
	put(p->os, sizeof(p->os), defaults->os);
	normalise_arch(p);
	if (!is_one_of(p->arch, known_arch, XB_COUNT(known_arch)))
		return "unknown operating system or architecture";
	return NULL;
}

/* Leave out the variant that an architecture has anyhow, unless one was written. */
static void settle_variant(struct xb_platform *p, bool written)
{
	if (!written && strcmp(p->arch, "arm") == 0 && strcmp(p->variant, "v7") == 0)
		p->variant[0] = '\0';
	if (written && strcmp(p->arch, "arm64") == 0 && p->variant[0] == '\0')
		put(p->variant, sizeof(p->variant), "v8");
}

static const char *read_specifier(struct xb_view text, const struct xb_platform *defaults,
				  struct xb_platform *p)
{
	struct xb_view rest = text;
	struct xb_view piece[4] = { { NULL, 0 } };
	size_t parts = 0;
	const char *fault;

	while (parts < XB_COUNT(piece) && xb_view_split(&rest, '/', &piece[parts]))
		parts++;
	if (parts == 0)
		return "it is empty";
	if (parts > 3)
		return "it has more than three parts";
	fault = read_os(piece[0], p);
	if (fault == NULL && parts > 1)
		fault = read_word(piece[1], true, p->arch, sizeof(p->arch));
	if (fault == NULL && parts > 2)
		fault = read_word(piece[2], true, p->variant, sizeof(p->variant));
	if (fault == NULL && parts == 1)
		fault = complete_single(text, defaults, p);
	if (fault != NULL)
		return fault;
	xb_platform_normalise(p);
	settle_variant(p, parts > 2);
	return NULL;
}

int xb_platform_parse_as_written(struct xb_view text, const struct xb_platform *defaults,
				 struct xb_platform *ret, struct xb_error *err)
{
	xb_auto_str struct xb_str shown = XB_STR_INIT(XB_STR_OWN);
	struct xb_platform p = { 0 };
	const char *fault = read_specifier(text, defaults, &p);

	if (fault == NULL) {
		*ret = p;
		return 0;
	}
	(void)xb_str_append_quoted(&shown, xb_view_sub(text, 0, 128));
	(void)xb_error_set(err, -EINVAL, "platform \"%s\": %s", xb_str_text(&shown), fault);
	(void)xb_error_hint(err, "write os/architecture[/variant], for example linux/arm64 or "
				 "linux/arm/v7");
	return -EINVAL;
}

int xb_platform_parse(struct xb_view text, const struct xb_platform *defaults,
		      struct xb_platform *ret, struct xb_error *err)
{
	struct xb_platform p = { 0 };
	int r = xb_platform_parse_as_written(text, defaults, &p, err);

	if (r < 0)
		return r;
	xb_platform_normalise(&p);
	*ret = p;
	return 0;
}

/* Formatting. */

static int format_tail(const struct xb_platform *p, struct xb_str *out)
{
	if (p->arch[0] != '\0')
		(void)xb_str_printf(out, "/%s", p->arch);
	if (p->variant[0] != '\0')
		(void)xb_str_printf(out, "/%s", p->variant);
	return xb_str_overflowed(out) ? -EFBIG : 0;
}

int xb_platform_format(const struct xb_platform *p, struct xb_str *out)
{
	(void)xb_str_puts(out, p->os[0] != '\0' ? p->os : "unknown");
	return format_tail(p, out);
}

static void append_escaped(struct xb_str *out, struct xb_view text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (is_word_char((char)c) || c == '.')
			(void)xb_str_putc(out, (char)c);
		else
			(void)xb_str_printf(out, "%%%02X", c);
	}
}

int xb_platform_format_all(const struct xb_platform *p, struct xb_str *out)
{
	struct xb_view rest = xb_view(p->os_features);
	struct xb_view feature;

	(void)xb_str_puts(out, p->os[0] != '\0' ? p->os : "unknown");
	if (p->os_version[0] != '\0' || p->os_features[0] != '\0') {
		(void)xb_str_putc(out, '(');
		append_escaped(out, xb_view(p->os_version));
		while (rest.len > 0 && xb_view_split(&rest, ',', &feature)) {
			(void)xb_str_putc(out, '+');
			append_escaped(out, feature);
		}
		(void)xb_str_putc(out, ')');
	}
	return format_tail(p, out);
}

struct xb_platform_name xb_platform_name(const struct xb_platform *p)
{
	struct xb_platform_name name;

	(void)snprintf(name.text, sizeof(name.text), "%s%s%s%s%s",
		       p->os[0] != '\0' ? p->os : "unknown", p->arch[0] != '\0' ? "/" : "", p->arch,
		       p->variant[0] != '\0' ? "/" : "", p->variant);
	return name;
}
