/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The device nodes of a step's /dev.
 * Source: OCI runtime-spec 1.1 config-linux.md, "default devices".
 */
#ifndef XB_BUILDER_SANDBOX_INIT_NODES_H
#define XB_BUILDER_SANDBOX_INIT_NODES_H

#include "builder/sandbox/init.h"

/** A character device: its name in /dev and its numbers. */
struct init_node {
	const char *name;
	unsigned major;
	unsigned minor;
};

/** Index of /dev/null in `init_nodes`. */
#define INIT_NODE_NULL 0

/** The nodes, /dev/null first. */
static const struct init_node init_nodes[INIT_NODES] = {
	{ "null", 1, 3 },   { "zero", 1, 5 },	 { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};

#endif
