/* SPDX-License-Identifier: Apache-2.0 */
/**
 * An image's config: its platform, how it runs, the digests of its layers' contents, its history.
 *
 * Reading keeps everything: members that xbuild knows in the struct, all others as JSON text in the
 * two `extra` members (but for
 * those inside of `rootfs`, a health check or a line of history, of which there are none). Writing
 * is deterministic: top-level keys sorted (as BuildKit writes them), the members of `config` in the
 * order of Docker's and BuildKit's structs with unknown ones sorted behind them, maps sorted by
 * key, no white space. So write(parse(write(c))) equals write(c), and two configs with equal values
 * give equal bytes.
 *
 * Strings are owned UTF-8; NULL means that the member is absent, which differs from "" only where
 * it says so.
 * Source: OCI image-spec 1.1 config.md; moby docs, image specification 1.2 (Healthcheck, Shell,
 * OnBuild).
 */
#ifndef XB_MANIFEST_CONFIG_H
#define XB_MANIFEST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"
#include "manifest/annotations.h"
#include "platforms/platform.h"

/** The largest config that is read: 4 MiB, as every registry client has it. */
#define XB_MAX_CONFIG ((size_t)4 << 20)

/** A health check. Durations are nanoseconds, 0 meaning Docker's default. */
struct xb_healthcheck {
	struct xb_strv
		test; /**< {"NONE"}, {"CMD", …}, {"CMD-SHELL", …}, or empty: as the base has it */
	uint64_t interval;
	uint64_t timeout;
	uint64_t start_period;
	uint64_t start_interval;
	uint64_t retries;
};

/** One line of history. */
struct xb_history {
	char *created;	  /**< RFC 3339, or NULL */
	char *created_by; /**< or NULL, as the next two */
	char *author;
	char *comment;
	bool empty_layer; /**< this line made no layer */
};

struct xb_histories XB_ARRAY(struct xb_history);

/** Digests of uncompressed layers, bottom first. */
struct xb_diff_ids XB_ARRAY(struct xb_digest);

/** A config. Starts as XB_IMAGE_CONFIG_INIT. */
struct xb_image_config {
	struct xb_platform
		platform; /**< os and arch are always set after parsing; as spelt there */
	char *created;	  /**< RFC 3339, or NULL */
	char *author;	  /**< or NULL */

	/* the member `config` */
	char *user;		      /**< or NULL */
	struct xb_strv exposed_ports; /**< "80/tcp", each once */
	struct xb_strv env;	      /**< "NAME=value" */
	struct xb_strv entrypoint;    /**< meaningful with has_entrypoint */
	struct xb_strv cmd;	      /**< meaningful with has_cmd */
	bool has_entrypoint;	      /**< false: absent or null; true and empty: [] */
	bool has_cmd;		      /**< likewise */
	struct xb_strv volumes;	      /**< paths, each once */
	char *working_dir;	      /**< or NULL */
	struct xb_annotations labels;
	char *stop_signal; /**< or NULL */
	bool args_escaped;
	bool has_healthcheck;
	struct xb_healthcheck healthcheck;
	struct xb_strv on_build; /**< triggers for builds from this image */
	struct xb_strv shell;	 /**< of shell-form instructions; empty: the platform's default */
	char *config_extra;	 /**< other members of `config`, a JSON object, or NULL */

	struct xb_diff_ids diff_ids;
	struct xb_histories history;
	char *extra; /**< other top-level members, a JSON object, or NULL */
};

#define XB_IMAGE_CONFIG_INIT ((struct xb_image_config){ 0 })

/** Release what it owns; it is then XB_IMAGE_CONFIG_INIT. */
void xb_image_config_clear(struct xb_image_config *c);
/** Make `c` (released first) a deep copy of `from`. */
void xb_image_config_copy(struct xb_image_config *c, const struct xb_image_config *from);

#define xb_auto_image_config XB_CLEANUP(xb_image_config_clear)

/** Set a string member (`&c->user`) to a copy of `value`, NULL meaning absent. */
void xb_image_config_set(char **member, const char *value);
/** Add `item` to a set (exposed ports, volumes) unless it is there. */
void xb_image_config_add(struct xb_strv *set, const char *item);
/** Append a history entry; the strings are copied, NULL stays NULL. */
void xb_image_config_add_history(struct xb_image_config *c, const char *created,
				 const char *created_by, const char *comment, bool empty_layer);

/**
 * Read a config into `ret` (empty on entry, empty on failure). Refused with -EBADMSG: no
 * architecture or os, a member of the wrong type, a bad diff ID, `rootfs.type` other than
 * "layers", keys that differ only in case from a known one. -EFBIG above XB_MAX_CONFIG.
 */
int xb_image_config_parse(struct xb_view text, struct xb_image_config *ret, struct xb_error *err);
/** Append the document to `s`. -EFBIG when it does not fit. */
int xb_image_config_write(const struct xb_image_config *c, struct xb_str *s, struct xb_error *err);

#endif
