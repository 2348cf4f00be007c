/* SPDX-License-Identifier: Apache-2.0 */
/* Build attributes, GNU properties and ABI flags: small records that were read into memory. */
#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "platforms/facts_reader.h"

/* Bytes that are left of a record; `bad` once something did not fit. */
struct rest {
	const unsigned char *at;
	size_t len;
	bool bad;
};

static const unsigned char *take(struct rest *rest, size_t len)
{
	const unsigned char *at = rest->at;

	if (rest->bad || len > rest->len) {
		rest->bad = true;
		return NULL;
	}
	rest->at += len;
	rest->len -= len;
	return at;
}

static uint64_t take_number(const struct xb_facts_reader *in, struct rest *rest, size_t size)
{
	const unsigned char *at = take(rest, size);

	return at != NULL ? xb_facts_number(in, at, size) : 0;
}

static uint32_t take_uleb(struct rest *rest)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		const unsigned char *at = take(rest, 1);

		if (at == NULL)
			return 0;
		value |= (uint64_t)(*at & 0x7f) << shift;
		if ((*at & 0x80) == 0 && value <= UINT32_MAX)
			return (uint32_t)value;
	}
	rest->bad = true;
	return 0;
}

static const char *take_text(struct rest *rest)
{
	const unsigned char *nul = rest->len > 0 ? memchr(rest->at, '\0', rest->len) : NULL;

	if (nul == NULL) {
		rest->bad = true;
		return "";
	}
	return (const char *)take(rest, (size_t)(nul - rest->at) + 1);
}

static void set_arm(struct xb_elf_code *code, uint32_t tag, uint32_t value)
{
	code->arm.present = true;
	if (tag == 6)
		code->arm.cpu_arch = value;
	else if (tag == 7)
		code->arm.profile = value;
	else if (tag == 10)
		code->arm.fp_arch = value;
	else if (tag == 12)
		code->arm.simd_arch = value;
	else if (tag == 28)
		code->arm.vfp_args = value;
}

/* Tag 32 is a number and a text; 4 and 5 are texts; above 32 odd ones are. */
static void read_arm(struct rest *rest, struct xb_elf_code *code)
{
	uint32_t tag = take_uleb(rest);
	bool text = tag == 4 || tag == 5 || tag == 32 || (tag > 32 && tag % 2 == 1);
	uint32_t value = !text || tag == 32 ? take_uleb(rest) : 0;

	if (text)
		(void)take_text(rest);
	else if (!rest->bad)
		set_arm(code, tag, value);
}

/* Odd tags are texts; 5 is the architecture. */
static void read_riscv(struct rest *rest, struct xb_elf_code *code)
{
	uint32_t tag = take_uleb(rest);

	if (tag % 2 == 0) {
		(void)take_uleb(rest);
		return;
	}
	if (tag == 5)
		(void)snprintf(code->riscv_arch, sizeof(code->riscv_arch), "%s", take_text(rest));
	else
		(void)take_text(rest);
}

/* What a vendor says: of the file (tag 1), of sections and symbols, which are passed over. */
static void read_vendor(const struct xb_facts_reader *in, struct rest *vendor,
			struct xb_elf_code *code)
{
	const char *name = take_text(vendor);
	bool arm = code->machine == EM_ARM && strcmp(name, "aeabi") == 0;
	bool riscv = code->machine == EM_RISCV && strcmp(name, "riscv") == 0;

	while ((arm || riscv) && vendor->len > 0 && !vendor->bad) {
		size_t before = vendor->len;
		uint32_t scope = take_uleb(vendor);
		uint64_t size = take_number(in, vendor, 4);
		size_t head = before - vendor->len;
		struct rest rest = { 0 };

		if (vendor->bad || size < head || size - head > vendor->len) {
			vendor->bad = true;
			return;
		}
		rest.len = (size_t)size - head;
		rest.at = take(vendor, rest.len);
		while (scope == 1 && rest.len > 0 && !rest.bad)
			(arm ? read_arm : read_riscv)(&rest, code);
		vendor->bad = vendor->bad || rest.bad;
	}
}

bool xb_facts_attributes(const struct xb_facts_reader *in, const unsigned char *data, size_t len,
			 struct xb_elf_code *ret)
{
	struct rest all = { data, len, false };
	const unsigned char *version = take(&all, 1);

	if (version == NULL || *version != 'A')
		return len == 0;
	while (all.len > 0 && !all.bad) {
		uint64_t size = take_number(in, &all, 4);
		struct rest vendor = { 0 };

		if (size < 4 || size - 4 > all.len)
			return false;
		vendor.len = (size_t)size - 4;
		vendor.at = take(&all, vendor.len);
		read_vendor(in, &vendor, ret);
		all.bad = all.bad || vendor.bad;
	}
	return !all.bad;
}

static void set_property(struct xb_elf_code *code, uint32_t type, uint32_t value)
{
	if (code->machine == EM_AARCH64 && type == GNU_PROPERTY_AARCH64_FEATURE_1_AND)
		code->aarch64_features = value;
	if (code->machine != EM_X86_64 && code->machine != EM_386)
		return;
	if (type == GNU_PROPERTY_X86_ISA_1_NEEDED)
		code->x86_needed = value;
	else if (type == GNU_PROPERTY_X86_ISA_1_USED)
		code->x86_used = value;
	else if (type == GNU_PROPERTY_X86_FEATURE_1_AND)
		code->x86_features = value;
}

static size_t padding(size_t len, size_t align)
{
	return (align - len % align) % align;
}

/* The last record of a run may lack its padding. */
static void take_padding(struct rest *rest, size_t len, size_t align)
{
	size_t pad = padding(len, align);

	(void)take(rest, pad < rest->len ? pad : rest->len);
}

static void read_properties(const struct xb_facts_reader *in, struct rest *rest,
			    struct xb_elf_code *code)
{
	while (rest->len > 0 && !rest->bad) {
		uint32_t type = (uint32_t)take_number(in, rest, 4);
		size_t size = (size_t)take_number(in, rest, 4);
		const unsigned char *value = take(rest, size);

		if (value != NULL && size == 4)
			set_property(code, type, (uint32_t)xb_facts_number(in, value, 4));
		take_padding(rest, size, in->wide ? 8 : 4);
	}
}

bool xb_facts_notes(const struct xb_facts_reader *in, const unsigned char *data, size_t len,
		    size_t align, struct xb_elf_code *ret)
{
	struct rest all = { data, len, false };

	while (all.len > 0 && !all.bad) {
		size_t name_size = (size_t)take_number(in, &all, 4);
		size_t size = (size_t)take_number(in, &all, 4);
		uint64_t type = take_number(in, &all, 4);
		const unsigned char *name = take(&all, name_size);
		struct rest body = { .len = size };

		/* A name begins 12 bytes into the note, which counts for an alignment to 8. */
		take_padding(&all, 12 + name_size, align);
		body.at = take(&all, size);
		take_padding(&all, size, align);
		if (all.bad)
			return false;
		if (type != NT_GNU_PROPERTY_TYPE_0 || name_size != 4 || memcmp(name, "GNU", 4) != 0)
			continue;
		read_properties(in, &body, ret);
		all.bad = body.bad;
	}
	return !all.bad;
}

bool xb_facts_mips_flags(const struct xb_facts_reader *in, const unsigned char *data, size_t len,
			 struct xb_elf_code *ret)
{
	if (len < 24)
		return false;
	ret->mips.present = true;
	ret->mips.isa_level = data[2];
	ret->mips.isa_rev = data[3];
	ret->mips.fp_abi = data[7];
	ret->mips.ases = (uint32_t)xb_facts_number(in, data + 12, 4);
	return true;
}
