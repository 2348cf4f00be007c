/* SPDX-License-Identifier: Apache-2.0 */
#include "platforms/facts.h"

#include <elf.h>
#include <string.h>

static void clear_names(struct xb_facts_names *names)
{
	for (size_t i = 0; i < names->len; i++)
		free(names->items[i]);
	free(names->items);
}

void xb_facts_clear(struct xb_facts *facts)
{
	free(facts->interpreter);
	free(facts->argument);
	free(facts->soname);
	free(facts->rpath);
	free(facts->runpath);
	clear_names(&facts->needed);
	clear_names(&facts->defined);
	for (size_t i = 0; i < facts->versions_len; i++) {
		free(facts->versions[i].file);
		free(facts->versions[i].version);
	}
	free(facts->versions);
	for (size_t i = 0; i < facts->members_len; i++)
		free(facts->members[i].name);
	free(facts->members);
	memset(facts, 0, sizeof(*facts));
}

bool xb_facts_is_static(const struct xb_facts *facts)
{
	bool program = facts->elf.type == ET_EXEC ||
		       (facts->elf.type == ET_DYN && (facts->flags_1 & DF_1_PIE) != 0);

	return facts->kind == XB_FACTS_ELF && program && facts->interpreter == NULL &&
	       facts->needed.len == 0;
}
