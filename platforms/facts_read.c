/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/facts.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "platforms/facts_reader.h"

/* As Linux has it since 5.1: a script's first line beyond this is not looked at. */
#define SCRIPT_LINE 255

#define MACHO_32   0xfeedfaceu
#define MACHO_64   0xfeedfacfu
#define MACHO_FAT  0xcafebabeu
#define MACHO_FAT6 0xcafebabfu

int xb_facts_get(const struct xb_facts_reader *in, void *to, size_t len, uint64_t offset,
		 struct xb_error *err)
{
	ssize_t n;

	if (offset > in->size || len > in->size - offset)
		return 0;
	if (len > *in->budget) {
		*in->spent = true;
		return 0;
	}
	*in->budget -= len;
	n = in->source->read(in->source->context, to, len, in->start + offset, err);
	if (n < 0)
		return (int)n;
	return (size_t)n == len;
}

int xb_facts_get_text(const struct xb_facts_reader *in, uint64_t offset, size_t max, char **ret,
		      struct xb_error *err)
{
	xb_auto_str struct xb_str text = XB_STR_INIT(max > 0 ? max - 1 : 0); /* and its NUL */
	char piece[128];

	while (text.len < max && offset < in->size) {
		uint64_t left = in->size - offset;
		size_t len = left < sizeof(piece) ? (size_t)left : sizeof(piece);
		int r = xb_facts_get(in, piece, len, offset, err);
		size_t n;

		if (r <= 0)
			return r;
		n = strnlen(piece, len);
		if (xb_str_append(&text, piece, n) < 0)
			return 0;
		if (n < len) {
			*ret = xb_str_steal(&text);
			return 1;
		}
		offset += len;
	}
	return 0;
}

uint64_t xb_facts_number(const struct xb_facts_reader *in, const unsigned char *at, size_t size)
{
	uint64_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | at[in->big ? i : size - 1 - i];
	return value;
}

void xb_facts_damage(const struct xb_facts_reader *in, struct xb_facts *facts, const char *what)
{
	if (*in->spent)
		facts->partial = true;
	else if (facts->damage == NULL)
		facts->damage = what;
}

void xb_facts_name_add(struct xb_facts_names *names, char *name)
{
	if (names->len >= XB_FACTS_NAMES_MAX) {
		free(name);
		return;
	}
	names->items = xb_realloc(names->items, names->len + 1, sizeof(*names->items));
	names->items[names->len++] = name;
}

/* Without blanks at both ends; what else is no visible character belongs to a name. */
static struct xb_view trim_blanks(struct xb_view text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = xb_view_sub(text, 1, text.len);
	while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* "#!", blanks, a program, blanks, all the rest as one argument: as Linux reads it. */
static int read_script(struct xb_facts_reader *in, struct xb_facts *facts, struct xb_error *err)
{
	char line[SCRIPT_LINE];
	size_t len = in->size < sizeof(line) ? (size_t)in->size : sizeof(line);
	int r = xb_facts_get(in, line, len, 0, err);
	struct xb_view rest, program;
	size_t n = 0;

	if (r <= 0)
		return r;
	facts->kind = XB_FACTS_SCRIPT;
	rest = (struct xb_view){ line + 2, len - 2 };
	for (const char *end = memchr(rest.data, '\n', rest.len); end != NULL; end = NULL)
		rest.len = (size_t)(end - rest.data);
	rest = trim_blanks(rest);
	while (n < rest.len && rest.data[n] != ' ' && rest.data[n] != '\t' && rest.data[n] != '\0')
		n++;
	program = xb_view_sub(rest, 0, n);
	if (n == 0) {
		xb_facts_damage(in, facts, "no interpreter stands behind its #!");
		return 0;
	}
	facts->interpreter = xb_view_dup(program);
	rest = trim_blanks(xb_view_sub(rest, n, rest.len));
	if (rest.len > 0)
		facts->argument = xb_view_dup(rest);
	return 0;
}

/* The COFF header and, of the optional header, whether there is a directory for .NET. */
static int read_pe(struct xb_facts_reader *in, struct xb_facts *facts, struct xb_error *err)
{
	unsigned char at[4], head[24], option[240] = { 0 };
	uint64_t where, size, clr;
	int r = xb_facts_get(in, at, sizeof(at), 0x3c, err);

	if (r <= 0)
		return r; /* programs of DOS are no PE files and say no more */
	where = xb_facts_number(in, at, sizeof(at));
	r = xb_facts_get(in, head, sizeof(head), where, err);
	if (r <= 0 || memcmp(head, "PE\0\0", 4) != 0)
		return r < 0 ? r : 0;
	facts->kind = XB_FACTS_PE;
	facts->pe_machine = (uint16_t)xb_facts_number(in, head + 4, 2);
	size = xb_facts_number(in, head + 20, 2);
	if (size > sizeof(option))
		size = sizeof(option);
	r = xb_facts_get(in, option, (size_t)size, where + sizeof(head), err);
	if (r == 0)
		xb_facts_damage(in, facts, "its optional header is cut off");
	if (r <= 0)
		return r;
	/* The fifteenth data directory; they begin at 96, in PE32+ at 112. */
	clr = (xb_facts_number(in, option, 2) == 0x20b ? 112 : 96) + 14 * 8;
	facts->pe_managed = size >= clr + 8 && xb_facts_number(in, option + clr, 4) != 0;
	return 0;
}

static int read_fat(struct xb_facts_reader *in, uint64_t count, size_t row, struct xb_facts *facts,
		    struct xb_error *err)
{
	unsigned char arch[32];

	facts->kind = XB_FACTS_MACHO;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t offset, size;
		int r = xb_facts_get(in, arch, row, 8 + i * row, err);

		if (r < 0)
			return r;
		if (r == 0) {
			xb_facts_damage(in, facts, "its list of architectures is cut off");
			return 0;
		}
		offset = xb_facts_number(in, arch + 8, row == 32 ? 8 : 4);
		size = xb_facts_number(in, arch + (row == 32 ? 16 : 12), row == 32 ? 8 : 4);
		if (offset > in->size || size > in->size - offset)
			xb_facts_damage(in, facts, "one of its architectures is cut off");
		facts->slices[facts->slices_len++] = (uint32_t)xb_facts_number(in, arch, 4);
	}
	return 0;
}

static int read_macho(struct xb_facts_reader *in, const unsigned char *head, struct xb_facts *facts,
		      struct xb_error *err)
{
	uint64_t magic, value;

	in->big = true;
	magic = xb_facts_number(in, head, 4);
	value = xb_facts_number(in, head + 4, 4);
	if (magic == MACHO_FAT || magic == MACHO_FAT6)
		return value == 0 || value > XB_FACTS_SLICES_MAX
			       ? 0
			       : read_fat(in, value, magic == MACHO_FAT ? 20 : 32, facts, err);
	in->big = magic == MACHO_32 || magic == MACHO_64;
	facts->kind = XB_FACTS_MACHO;
	facts->slices[facts->slices_len++] = (uint32_t)xb_facts_number(in, head + 4, 4);
	return 0;
}

static int read_wasm(struct xb_facts_reader *in, const unsigned char *head, struct xb_facts *facts,
		     struct xb_error *err)
{
	(void)err;
	facts->kind = XB_FACTS_WASM;
	/* A version of 16 bits and a layer: components are layer 1. */
	facts->component = xb_facts_number(in, head + 6, 2) == 1;
	return 0;
}

static int start_elf(struct xb_facts_reader *in, const unsigned char *head, struct xb_facts *facts,
		     struct xb_error *err)
{
	(void)head;
	facts->kind = XB_FACTS_ELF;
	return xb_facts_elf(in, false, facts, err);
}

static int start_ar(struct xb_facts_reader *in, const unsigned char *head, struct xb_facts *facts,
		    struct xb_error *err)
{
	(void)head;
	facts->kind = XB_FACTS_AR;
	return xb_facts_ar(in, facts, err);
}

static int start_pe(struct xb_facts_reader *in, const unsigned char *head, struct xb_facts *facts,
		    struct xb_error *err)
{
	(void)head;
	return read_pe(in, facts, err);
}

static int start_script(struct xb_facts_reader *in, const unsigned char *head,
			struct xb_facts *facts, struct xb_error *err)
{
	(void)head;
	return read_script(in, facts, err);
}

static const struct {
	const char *magic;
	size_t len;
	size_t least; /* bytes that a file of this kind has at least */
	int (*read)(struct xb_facts_reader *in, const unsigned char *head, struct xb_facts *facts,
		    struct xb_error *err);
} kinds[] = {
	{ ELFMAG, SELFMAG, SELFMAG, start_elf },
	{ "#!", 2, 2, start_script },
	{ "!<arch>\n", 8, 8, start_ar },
	{ "MZ", 2, 2, start_pe },
	{ "\0asm", 4, 8, read_wasm },
	{ "\xfe\xed\xfa\xce", 4, 8, read_macho },
	{ "\xfe\xed\xfa\xcf", 4, 8, read_macho },
	{ "\xce\xfa\xed\xfe", 4, 8, read_macho },
	{ "\xcf\xfa\xed\xfe", 4, 8, read_macho },
	{ "\xca\xfe\xba\xbe", 4, 8, read_macho },
	{ "\xca\xfe\xba\xbf", 4, 8, read_macho },
};

int xb_facts_read(const struct xb_facts_source *source, struct xb_facts *ret, struct xb_error *err)
{
	uint64_t budget = XB_FACTS_BUDGET;
	bool spent = false;
	struct xb_facts_reader in = {
		.source = source, .size = source->size, .budget = &budget, .spent = &spent
	};
	unsigned char head[8] = { 0 };
	size_t len = source->size < sizeof(head) ? (size_t)source->size : sizeof(head);
	int r;

	memset(ret, 0, sizeof(*ret));
	r = xb_facts_get(&in, head, len, 0, err);
	if (r <= 0)
		return r;
	for (size_t i = 0; i < XB_COUNT(kinds); i++)
		if (len >= kinds[i].least && memcmp(head, kinds[i].magic, kinds[i].len) == 0)
			return kinds[i].read(&in, head, ret, err);
	return 0;
}

/* pread() of a whole run; fewer bytes only at the end of the file. */
static ssize_t read_fd(void *context, void *to, size_t len, uint64_t offset, struct xb_error *err)
{
	const int *fd = context;
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(*fd, (char *)to + got, len - got, (off_t)(offset + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return xb_error_errno(err, -errno, "reading what a file is for");
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

int xb_facts_read_fd(int fd, struct xb_facts *ret, struct xb_error *err)
{
	struct xb_facts_source source = { .read = read_fd, .context = &fd };
	struct stat st;

	memset(ret, 0, sizeof(*ret));
	if (fstat(fd, &st) < 0)
		return xb_error_errno(err, -errno, "asking for the size of a file");
	source.size = (uint64_t)st.st_size;
	return xb_facts_read(&source, ret, err);
}
