/* SPDX-License-Identifier: Apache-2.0 */
/* Archives of objects: System V's and GNU's (long names in a member of their own), BSD's. */
#include <ar.h>
#include <elf.h>
#include <string.h>

#include "base/str.h"
#include "platforms/facts_reader.h"

#define MEMBER_NAME 256

/* Where long names are; none yet while size is 0. */
struct names {
	uint64_t offset;
	uint64_t size;
};

/* Whether code cannot be told apart; compared by field, since values have padding. */
static bool same_code(const struct xb_elf_code *a, const struct xb_elf_code *b)
{
	return a->class == b->class && a->data == b->data && a->osabi == b->osabi &&
	       a->type == b->type && a->machine == b->machine && a->flags == b->flags &&
	       a->arm.cpu_arch == b->arm.cpu_arch && a->arm.profile == b->arm.profile &&
	       a->arm.fp_arch == b->arm.fp_arch && a->arm.vfp_args == b->arm.vfp_args &&
	       a->arm.simd_arch == b->arm.simd_arch && a->mips.isa_rev == b->mips.isa_rev &&
	       a->mips.isa_level == b->mips.isa_level && a->mips.fp_abi == b->mips.fp_abi &&
	       strcmp(a->riscv_arch, b->riscv_arch) == 0;
}

static void add_member(struct xb_facts *facts, const struct xb_facts *member, const char *name)
{
	struct xb_facts_member *last;

	for (size_t i = 0; i < facts->members_len; i++) {
		struct xb_facts_member *m = &facts->members[i];

		if (same_code(&m->elf, &member->elf) && m->damage == member->damage) {
			m->count++;
			return;
		}
	}
	/* Each object is compared with all kinds so far, hence few of them. */
	if (facts->members_len >= 64) {
		facts->partial = true;
		return;
	}
	facts->members =
		xb_realloc(facts->members, facts->members_len + 1, sizeof(*facts->members));
	last = &facts->members[facts->members_len++];
	*last = (struct xb_facts_member){
		.name = xb_strdup(name), .count = 1, .damage = member->damage, .elf = member->elf
	};
}

/* The name in a header: "name/", "name   ", "/123" for one among the long names, "#1/20" for one
 * that stands before the member's bytes. A name that is not to be had is "?". */
static int read_name(const struct xb_facts_reader *in, const struct names *names,
		     const struct ar_hdr *head, uint64_t offset, char name[MEMBER_NAME],
		     size_t *ret_before, struct xb_error *err)
{
	struct xb_view text =
		xb_view_trim((struct xb_view){ head->ar_name, sizeof(head->ar_name) });
	uint64_t number = 0;
	size_t len = 0;
	int r = 1;

	*ret_before = 0;
	memset(name, 0, MEMBER_NAME);
	if (xb_view_starts(text, XB_VIEW("#1/")) &&
	    xb_view_parse_u64(xb_view_sub(text, 3, text.len), MEMBER_NAME - 1, &number) == 0) {
		*ret_before = (size_t)number;
		r = xb_facts_get(in, name, (size_t)number, offset, err);
	} else if (xb_view_starts(text, XB_VIEW("/")) &&
		   xb_view_parse_u64(xb_view_sub(text, 1, text.len), UINT32_MAX, &number) == 0 &&
		   number < names->size) {
		uint64_t left = names->size - number;

		len = left < MEMBER_NAME - 1 ? (size_t)left : MEMBER_NAME - 1;
		r = xb_facts_get(in, name, len, names->offset + number, err);
	} else {
		memcpy(name, text.data, text.len);
	}
	if (r < 0)
		return r;
	len = strcspn(name, "/\n");
	name[len] = '\0';
	if (len == 0)
		name[0] = '?';
	return 0;
}

static int read_member(const struct xb_facts_reader *in, const char *name, uint64_t offset,
		       uint64_t size, struct xb_facts *facts, struct xb_error *err)
{
	struct xb_facts_reader part = *in;
	struct xb_facts member = { 0 };
	char magic[SELFMAG];
	int r;

	if (size < SELFMAG)
		return 0;
	r = xb_facts_get(in, magic, sizeof(magic), offset, err);
	if (r <= 0 || memcmp(magic, ELFMAG, SELFMAG) != 0)
		return r < 0 ? r : 0;
	part.start += offset;
	part.size = size;
	r = xb_facts_elf(&part, true, &member, err);
	if (r < 0)
		return r;
	add_member(facts, &member, name);
	return 0;
}

/* One header and what it stands for; `*offset` moves behind it. Returns 0 at a damage. */
static int next_member(const struct xb_facts_reader *in, struct names *names, uint64_t *offset,
		       struct xb_facts *facts, struct xb_error *err)
{
	struct ar_hdr head;
	char name[MEMBER_NAME];
	uint64_t size, data = *offset + sizeof(head);
	size_t before;
	int r = xb_facts_get(in, &head, sizeof(head), *offset, err);

	if (r <= 0)
		return r;
	if (memcmp(head.ar_fmag, ARFMAG, 2) != 0 ||
	    xb_view_parse_u64(xb_view_trim((struct xb_view){ head.ar_size, sizeof(head.ar_size) }),
			      UINT64_MAX / 2, &size) < 0 ||
	    size > in->size - data)
		return 0;
	*offset = data + size + size % 2;
	if (memcmp(head.ar_name, "// ", 3) == 0) {
		*names = (struct names){ data, size };
		return 1;
	}
	r = read_name(in, names, &head, data, name, &before, err);
	if (r < 0 || before > size)
		return r;
	r = read_member(in, name, data + before, size - before, facts, err);
	return r < 0 ? r : 1;
}

int xb_facts_ar(struct xb_facts_reader *in, struct xb_facts *facts, struct xb_error *err)
{
	struct names names = { 0 };
	uint64_t offset = SARMAG;

	while (offset < in->size) {
		int r = next_member(in, &names, &offset, facts, err);

		if (r < 0)
			return r;
		if (r == 0) {
			xb_facts_damage(in, facts, "a member of the archive is cut off");
			return 0;
		}
	}
	return 0;
}
