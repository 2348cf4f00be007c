/* SPDX-License-Identifier: Apache-2.0 */
/** The subcommands: one cmd_*.c each, one row each in main.c. */
#ifndef XB_BUILDER_CLI_COMMAND_H
#define XB_BUILDER_CLI_COMMAND_H

#include <stdbool.h>

#include "base/error.h"

/** What a command is called with. */
struct xb_invocation {
	char *const *argv;	  /**< behind the command's name; ends with NULL */
	const char *default_root; /**< the store where --root does not say another */
	bool plain_user;	  /**< not the machine's superuser */
	int stop_fd; /**< a signalfd of SIGINT, SIGTERM and SIGHUP, which are blocked */
};

/**
 * A command. Returns its exit status when it has said all there is to say, or a negative errno with
 * `err`, which main() prints and turns into an exit status.
 */
typedef int xb_command(const struct xb_invocation *invocation, struct xb_error *err);

/** xbuild [build] [OPTIONS] PATH */
xb_command xb_cmd_build;
/** xbuild plan [OPTIONS] PATH */
xb_command xb_cmd_plan;
/** xbuild lock [OPTIONS] PATH */
xb_command xb_cmd_lock;
/** xbuild run [OPTIONS] IMAGE [COMMAND…] */
xb_command xb_cmd_run;
/** xbuild dump dockerfile|plan|config … */
xb_command xb_cmd_dump;
/** xbuild images */
xb_command xb_cmd_images;
/** xbuild tag SOURCE TARGET */
xb_command xb_cmd_tag;
/** xbuild manifest create|add|annotate|rm|inspect|copy */
xb_command xb_cmd_manifest;
/** xbuild ci github|gitlab|json [OPTIONS] PATH */
xb_command xb_cmd_ci;
/** xbuild merge RESULT… */
xb_command xb_cmd_merge;
/** xbuild push NAME… */
xb_command xb_cmd_push;
/** xbuild pull NAME… */
xb_command xb_cmd_pull;
/** xbuild rmi NAME… */
xb_command xb_cmd_rmi;
/** xbuild login [OPTIONS] [HOST] */
xb_command xb_cmd_login;
/** xbuild logout [HOST] */
xb_command xb_cmd_logout;
/** xbuild cache du|ls|prune|check */
xb_command xb_cmd_cache;
/** xbuild history ls|inspect|logs|rm */
xb_command xb_cmd_history;
/** xbuild audit IMAGE */
xb_command xb_cmd_audit;
/** xbuild diff IMAGE [IMAGE] */
xb_command xb_cmd_diff;
/** xbuild reproduce [OPTIONS] PATH */
xb_command xb_cmd_reproduce;
/** xbuild doctor */
xb_command xb_cmd_doctor;

#endif
