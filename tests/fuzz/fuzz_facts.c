/* SPDX-License-Identifier: Apache-2.0 */
/* Files of any kind: their facts, and the audit of these. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "platforms/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t len;
	uint64_t read;
};

static ssize_t read_input(void *context, void *to, size_t len, uint64_t offset,
			  struct xb_error *err)
{
	struct input *in = context;

	(void)err;
	/* What lies outside of the file is not asked for. */
	if (offset > in->len || len > in->len - offset)
		abort();
	if (len > 0)
		memcpy(to, in->data + offset, len);
	in->read += len;
	return (ssize_t)len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct xb_platform platforms[] = {
		{ .os = "linux", .arch = "amd64" },
		{ .os = "linux", .arch = "arm", .variant = "v6" },
		{ .os = "linux", .arch = "riscv64" },
		{ .os = "linux", .arch = "mips64le" },
		{ .os = "windows", .arch = "amd64" },
		{ .os = "darwin", .arch = "arm64" }
	};
	struct input in = { .data = data, .len = size };
	struct xb_facts_source source = { .read = read_input, .context = &in, .size = size };
	xb_auto_audit_findings struct xb_audit_findings found = { 0 };
	xb_auto_facts struct xb_facts facts = { 0 };

	if (xb_facts_read(&source, &facts, NULL) != 0 || in.read > XB_FACTS_BUDGET)
		abort();
	for (size_t i = 0; i < XB_COUNT(platforms); i++)
		xb_audit_file("/usr/bin/x", &facts, &platforms[i], &found);
	if (facts.kind == XB_FACTS_ELF && facts.damage != NULL && found.len == 0)
		abort();
	return 0;
}
