/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The user's SSH agent in a step: `--ssh`, and what RUN --mount=type=ssh gets.
 *
 * A step does not see the agent's own socket. That one belongs to the user and answers to no other
 * id, while a step may run as anybody in a user namespace of its own; and whoever reaches it may
 * add, remove and lock keys. So each mount has a socket of its own, with the owner and mode that
 * the mount says, and a thread behind it which passes on two kinds of requests, to list keys and to
 * sign, and refuses all others.
 * Source: draft-miller-ssh-agent, sections 3 and 4.
 */
#ifndef XB_BUILDER_SOLVE_AGENT_H
#define XB_BUILDER_SOLVE_AGENT_H

#include <sys/types.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/error.h"

/** An agent that the user lends; starts as `{ 0 }`. */
struct xb_agent_source {
	char *id;
	char *socket; /**< absolute path */
};
struct xb_agent_sources XB_ARRAY(struct xb_agent_source);

/** Release. */
void xb_agent_sources_clear(struct xb_agent_sources *sources);

/**
 * Read one value of --ssh, "ID[=SOCKET]", and add it to `sources`; without SOCKET it is that of
 * $SSH_AUTH_SOCK. Errors, fault usage: -EINVAL (no such variable, a file of keys), those of
 * finding the socket.
 */
int xb_agent_parse(const char *text, struct xb_agent_sources *sources, struct xb_error *err);
/** The agent of that id, borrowed, or NULL. The last of an id counts. */
const struct xb_agent_source *xb_agent_find(const struct xb_agent_sources *sources, const char *id);

/** A proxy at work. */
struct xb_agent;

/** What to start; borrowed for the call. */
struct xb_agent_request {
	const char *socket; /**< of the user's agent */
	int dirfd;	    /**< directory where the step's socket, "agent", is made */
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

/** Make the socket and start to answer on it. Errors: those of the calls. */
int xb_agent_start(const struct xb_agent_request *request, struct xb_agent **ret,
		   struct xb_error *err);
/** The step's socket, an O_PATH descriptor, borrowed. */
int xb_agent_fd(const struct xb_agent *agent);
/** Stop; NULL is left alone. */
void xb_agent_free(struct xb_agent *agent);

XB_DEFINE_CLEANUP(xb_agent_cleanup, struct xb_agent, xb_agent_free)
#define xb_auto_agent XB_CLEANUP(xb_agent_cleanup)

#endif
