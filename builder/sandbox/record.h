/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What xbuild-init and its parent agree on: descriptor numbers, the record that tells how the step
 * ended, and the order by which one that was started ahead learns what it is for.
 *
 * The record is one write to a pipe, so it is whole or not there. Whichever process of
 * xbuild-init knows first how things end writes it; later ones are ignored by the parent.
 */
#ifndef XB_BUILDER_SANDBOX_RECORD_H
#define XB_BUILDER_SANDBOX_RECORD_H

#include <stdint.h>

/** Descriptors of xbuild-init at its start, besides 0, 1 and 2. */
enum {
	XB_INIT_FD_SPEC = 3,	 /**< the encoded specification, sealed, at its start */
	XB_INIT_FD_RESULT = 4,	 /**< write end of the record's pipe */
	XB_INIT_FD_EMULATOR = 5, /**< the emulator's copy, where the specification has one */
	XB_INIT_FD_SOURCES = 6,	 /**< first of the mounts' source descriptors */
	XB_INIT_FD_ORDER = 6 /**< started ahead, so without sources: where the order comes from */
};

/** Interpreters of registrations, as the first process opens them: that copy, and xbuild-init
 *  itself, which is the guard's handler when it is started under this name. */
#define XB_INIT_EMULATOR "/proc/self/fd/5"
#define XB_INIT_GUARD	 "/proc/self/exe"

/**
 * The order: one message (SOCK_SEQPACKET) with descriptors, first the encoded specification, then
 * those of 0, 1 and 2 that are given.
 */
struct xb_init_order {
	uint8_t given[3]; /**< of each standard descriptor: 1 when it comes along */
};
/** Descriptors of an order at most. */
#define XB_INIT_ORDER_FDS 4

/** Bytes of text in a record; longer sentences are cut. With the rest it stays below PIPE_BUF. */
#define XB_INIT_RECORD_TEXT 3072

/** How a step ended, or why it never began. */
struct xb_init_record {
	int32_t code;	   /**< negative errno of a failure; 0: the program ran, and ended so: */
	int32_t exit_code; /**< 0..255, or -1 */
	int32_t signal;	   /**< or 0 */
	int32_t fault;	   /**< enum xb_fault of a failure */
	uint32_t refused;  /**< how many programs the guard refused; `message` tells of the first */
	uint32_t uid;	   /**< whom the program ran as, where owners are recorded; else 0 */
	uint32_t gid;
	uint32_t message_len;
	uint32_t hint_len;
	char text[XB_INIT_RECORD_TEXT]; /**< message, then hint, neither with a NUL */
};

#endif
