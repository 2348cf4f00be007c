/* SPDX-License-Identifier: Apache-2.0 */
/** The options of `build`, `plan`, `lock` and `ci`, as they are given. */
#ifndef XB_BUILDER_CLI_BUILD_OPTIONS_H
#define XB_BUILDER_CLI_BUILD_OPTIONS_H

#include <stdbool.h>

#include "base/array.h"
#include "builder/cli/options.h"
#include "builder/cli/registry_options.h"

/** What the options of `build` and `plan` set. */
struct xb_build_options {
	struct xb_strv platforms;
	struct xb_strv legs;
	struct xb_strv names;
	struct xb_strv outputs;
	struct xb_strv build_args;
	struct xb_strv build_contexts;
	struct xb_strv labels;
	struct xb_strv hosts;
	struct xb_strv secrets;
	struct xb_strv agents;
	struct xb_strv ulimits;
	struct xb_strv resources;
	struct xb_strv allowed;
	struct xb_strv emulators;
	struct xb_strv mismatches;
	struct xb_strv no_cache_filters;
	struct xb_strv cache_from;
	struct xb_strv cache_to;
	struct xb_strv annotations;
	struct xb_strv updates;
	struct xb_strv attestations;
	struct xb_strv smokes;
	struct xb_registry_flags registries;
	const char *file;
	const char *target;
	const char *progress;
	const char *metadata_file;
	const char *iid_file;
	const char *network;
	const char *shm_size;
	const char *cgroup_parent;
	const char *jobs;
	const char *max_layer;
	const char *cache_limit;
	const char *snapshots;
	const char *root;
	const char *format;
	const char *lock_file;
	const char *provenance;
	const char *sbom;
	const char *builder;
	const char *call;
	const char *result;
	const char *revision;
	const char *smoke_timeout;
	const char *audit;
	const char *audit_allow;
	bool check;
	bool no_cache;
	bool no_index_labels;
	bool keep_going;
	bool pull;
	bool offline;
	bool locked;
	bool load;
	bool push;
	bool allow_drop;
	bool dry_run;
	bool quiet;
	bool no_emulation;
	const char *guard;
	bool help;
};

/** Release. */
void xb_build_options_clear(struct xb_build_options *o);

/** The table for xb_options_parse() into a struct xb_build_options. */
extern const struct xb_option xb_build_option_table[];

#endif
