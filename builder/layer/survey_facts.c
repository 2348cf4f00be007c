/* SPDX-License-Identifier: Apache-2.0 */
/* Facts as bytes: numbers little-endian, a text with its length and one more (0: there is none). */
#include <errno.h>
#include <string.h>

#include "builder/layer/survey.h"

/* ---- writing -------------------------------------------------------------------------------- */

static void put(struct xb_str *out, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		xb_str_putc(out, (char)(value >> 8 * i & 0xff));
}

static void put_text(struct xb_str *out, const char *text)
{
	put(out, text != NULL ? strlen(text) + 1 : 0, 4);
	if (text != NULL)
		xb_str_puts(out, text);
}

static void put_names(struct xb_str *out, const struct xb_facts_names *names)
{
	put(out, names->len, 4);
	for (size_t i = 0; i < names->len; i++)
		put_text(out, names->items[i]);
}

static void put_code(struct xb_str *out, const struct xb_elf_code *c)
{
	put(out, c->class, 1);
	put(out, c->data, 1);
	put(out, c->osabi, 1);
	put(out, c->type, 2);
	put(out, c->machine, 2);
	put(out, c->flags, 4);
	put(out, c->debug_only, 1);
	put(out, c->arm.present, 1);
	put(out, c->arm.cpu_arch, 4);
	put(out, c->arm.profile, 4);
	put(out, c->arm.fp_arch, 4);
	put(out, c->arm.simd_arch, 4);
	put(out, c->arm.vfp_args, 4);
	put_text(out, c->riscv_arch);
	put(out, c->mips.present, 1);
	put(out, c->mips.isa_level, 1);
	put(out, c->mips.isa_rev, 1);
	put(out, c->mips.fp_abi, 1);
	put(out, c->mips.ases, 4);
	put(out, c->x86_needed, 4);
	put(out, c->x86_used, 4);
	put(out, c->x86_features, 4);
	put(out, c->aarch64_features, 4);
}

static void put_members(struct xb_str *out, const struct xb_facts *f)
{
	put(out, f->members_len, 4);
	for (size_t i = 0; i < f->members_len; i++) {
		const struct xb_facts_member *m = &f->members[i];

		put_text(out, m->name);
		put(out, m->count, 8);
		put_text(out, m->damage);
		put_code(out, &m->elf);
	}
}

void xb_survey_put_facts(const struct xb_facts *f, struct xb_str *out)
{
	put(out, f->kind, 1);
	put_text(out, f->damage);
	put(out, f->partial, 1);
	put_code(out, &f->elf);
	put(out, f->dynamic, 1);
	put_text(out, f->interpreter);
	put_text(out, f->argument);
	put_text(out, f->soname);
	put_text(out, f->rpath);
	put_text(out, f->runpath);
	put(out, f->flags_1, 8);
	put_names(out, &f->needed);
	put_names(out, &f->defined);
	put(out, f->versions_len, 4);
	for (size_t i = 0; i < f->versions_len; i++) {
		put_text(out, f->versions[i].file);
		put_text(out, f->versions[i].version);
	}
	put_members(out, f);
	put(out, f->pe_machine, 2);
	put(out, f->pe_managed, 1);
	put(out, f->slices_len, 1);
	for (size_t i = 0; i < f->slices_len; i++)
		put(out, f->slices[i], 4);
	put(out, f->component, 1);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* What is left, and whether something was not as it should be. */
struct reader {
	struct xb_view rest;
	struct xb_arena *arena;
	bool bad;
};

static struct xb_view take(struct reader *in, size_t len)
{
	struct xb_view v = xb_view_sub(in->rest, 0, len);

	in->bad = in->bad || v.len < len;
	in->rest.data += v.len;
	in->rest.len -= v.len;
	return v;
}

static uint64_t get(struct reader *in, size_t size)
{
	struct xb_view v = take(in, size);
	uint64_t value = 0;

	for (size_t i = v.len; i-- > 0;)
		value = value << 8 | (unsigned char)v.data[i];
	return in->bad ? 0 : value;
}

static bool get_bool(struct reader *in)
{
	uint64_t value = get(in, 1);

	in->bad = in->bad || value > 1;
	return value == 1;
}

/* The text, or a view without data; no NUL is in it. */
static struct xb_view get_view(struct reader *in)
{
	size_t len = (size_t)get(in, 4);
	struct xb_view v = { NULL, 0 };

	if (len == 0)
		return v;
	v = take(in, len - 1);
	in->bad = in->bad || xb_view_find(v, '\0') >= 0;
	return v;
}

static char *get_text(struct reader *in)
{
	struct xb_view v = get_view(in);

	return v.data != NULL && !in->bad ? xb_view_dup(v) : NULL;
}

static const char *get_constant(struct reader *in)
{
	struct xb_view v = get_view(in);

	return v.data != NULL && !in->bad ? xb_arena_dup(in->arena, v) : NULL;
}

/* How many things follow, each of at least `least` bytes. */
static size_t get_count(struct reader *in, size_t most, size_t least)
{
	size_t count = (size_t)get(in, 4);

	in->bad = in->bad || count > most || count > in->rest.len / least;
	return in->bad ? 0 : count;
}

static void get_names(struct reader *in, struct xb_facts_names *ret)
{
	size_t count = get_count(in, XB_FACTS_NAMES_MAX, 4);

	ret->items = xb_calloc(count + 1, sizeof(*ret->items));
	while (ret->len < count && !in->bad) {
		char *name = get_text(in);

		in->bad = in->bad || name == NULL;
		if (name != NULL)
			ret->items[ret->len++] = name;
	}
}

static void get_code(struct reader *in, struct xb_elf_code *ret)
{
	struct xb_view arch;

	ret->class = (uint8_t)get(in, 1);
	ret->data = (uint8_t)get(in, 1);
	ret->osabi = (uint8_t)get(in, 1);
	ret->type = (uint16_t)get(in, 2);
	ret->machine = (uint16_t)get(in, 2);
	ret->flags = (uint32_t)get(in, 4);
	ret->debug_only = get_bool(in);
	ret->arm.present = get_bool(in);
	ret->arm.cpu_arch = (uint32_t)get(in, 4);
	ret->arm.profile = (uint32_t)get(in, 4);
	ret->arm.fp_arch = (uint32_t)get(in, 4);
	ret->arm.simd_arch = (uint32_t)get(in, 4);
	ret->arm.vfp_args = (uint32_t)get(in, 4);
	arch = get_view(in);
	in->bad = in->bad || arch.len >= sizeof(ret->riscv_arch);
	if (!in->bad && arch.len > 0)
		memcpy(ret->riscv_arch, arch.data, arch.len);
	ret->mips.present = get_bool(in);
	ret->mips.isa_level = (uint8_t)get(in, 1);
	ret->mips.isa_rev = (uint8_t)get(in, 1);
	ret->mips.fp_abi = (uint8_t)get(in, 1);
	ret->mips.ases = (uint32_t)get(in, 4);
	ret->x86_needed = (uint32_t)get(in, 4);
	ret->x86_used = (uint32_t)get(in, 4);
	ret->x86_features = (uint32_t)get(in, 4);
	ret->aarch64_features = (uint32_t)get(in, 4);
}

static void get_versions(struct reader *in, struct xb_facts *ret)
{
	size_t count = get_count(in, XB_FACTS_NAMES_MAX, 8);

	ret->versions = xb_calloc(count + 1, sizeof(*ret->versions));
	while (ret->versions_len < count && !in->bad) {
		struct xb_facts_version *v = &ret->versions[ret->versions_len++];

		v->file = get_text(in);
		v->version = get_text(in);
		in->bad = in->bad || v->file == NULL || v->version == NULL;
	}
}

static void get_members(struct reader *in, struct xb_facts *ret)
{
	size_t count = get_count(in, XB_FACTS_NAMES_MAX, 16);

	ret->members = xb_calloc(count + 1, sizeof(*ret->members));
	while (ret->members_len < count && !in->bad) {
		struct xb_facts_member *m = &ret->members[ret->members_len++];

		m->name = get_text(in);
		m->count = (size_t)get(in, 8);
		m->damage = get_constant(in);
		get_code(in, &m->elf);
		in->bad = in->bad || m->name == NULL;
	}
}

static void get_slices(struct reader *in, struct xb_facts *ret)
{
	size_t count = (size_t)get(in, 1);

	in->bad = in->bad || count > XB_FACTS_SLICES_MAX;
	while (!in->bad && ret->slices_len < count)
		ret->slices[ret->slices_len++] = (uint32_t)get(in, 4);
}

static void get_facts(struct reader *in, struct xb_facts *ret)
{
	uint64_t kind = get(in, 1);

	in->bad = in->bad || kind > XB_FACTS_SCRIPT;
	ret->kind = in->bad ? XB_FACTS_OTHER : (enum xb_facts_kind)kind;
	ret->damage = get_constant(in);
	ret->partial = get_bool(in);
	get_code(in, &ret->elf);
	ret->dynamic = get_bool(in);
	ret->interpreter = get_text(in);
	ret->argument = get_text(in);
	ret->soname = get_text(in);
	ret->rpath = get_text(in);
	ret->runpath = get_text(in);
	ret->flags_1 = get(in, 8);
	get_names(in, &ret->needed);
	get_names(in, &ret->defined);
	get_versions(in, ret);
	get_members(in, ret);
	ret->pe_machine = (uint16_t)get(in, 2);
	ret->pe_managed = get_bool(in);
	get_slices(in, ret);
	ret->component = get_bool(in);
}

int xb_survey_facts(struct xb_view bytes, struct xb_arena *arena, struct xb_facts *ret,
		    struct xb_error *err)
{
	struct reader in = { .rest = bytes, .arena = arena };

	memset(ret, 0, sizeof(*ret));
	get_facts(&in, ret);
	if (!in.bad && in.rest.len == 0)
		return 0;
	xb_facts_clear(ret);
	return xb_error_set(err, -EBADMSG, "not what a file says of its machine");
}
