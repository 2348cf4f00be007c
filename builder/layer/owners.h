/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Owners of what a command has made, where owners are recorded (base/owner.h).
 *
 * Nothing is noted when a program makes a file: it is of the user that the step runs as, and in a
 * directory with the set-group-id bit of that directory's group. So a snapshot that a command has
 * written to is gone through once, and from then on every entry of it has a record; a later step
 * that runs as somebody else takes it along when it changes the file.
 */
#ifndef XB_BUILDER_LAYER_OWNERS_H
#define XB_BUILDER_LAYER_OWNERS_H

#include <sys/types.h>

#include "base/error.h"

/**
 * Record `uid`:`gid`, or the group of the directory around it, as the owner of every entry of the
 * snapshot `upper` that has no record, and as the part of a record that is not known yet. Nothing
 * where owners are not recorded. Errors: those of reading a tree and of setting attributes, fault
 * store.
 */
int xb_owners_settle(int upper, uid_t uid, gid_t gid, struct xb_error *err);

#endif
