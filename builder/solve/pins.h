/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Pins: what the things that a build takes from elsewhere are, as a lock file (xbuild.lock) says.
 *
 * The file is JSON of one form: the same pins give the same bytes, sorted. docs/decisions/0040 has
 * the form and what it means.
 */
#ifndef XB_BUILDER_SOLVE_PINS_H
#define XB_BUILDER_SOLVE_PINS_H

#include <stdbool.h>

#include "base/array.h"
#include "base/digest.h"
#include "base/error.h"
#include "base/str.h"

/** What the file is called beside the files of a build. */
#define XB_PINS_FILE "xbuild.lock"
/** The most bytes of such a file. */
#define XB_MAX_PINS ((size_t)1 << 20)

/** The image of one platform. */
struct xb_pin_platform {
	char *platform; /**< as it is normally written */
	struct xb_digest digest;
};

/** An image. */
struct xb_pin_image {
	char *reference;	 /**< normalised, with its tag or digest */
	struct xb_strv names;	 /**< as Dockerfiles write it, sorted */
	struct xb_digest digest; /**< of what it means: an index, or a manifest */
	struct XB_ARRAY(struct xb_pin_platform) platforms; /**< sorted */
	bool used;					   /**< by this build */
};

/** A file from a URL, or a repository. */
struct xb_pin_fetch {
	char *url;	/**< as it may be shown */
	char *checksum; /**< "sha256:HEX" of the file, the id of the commit */
	bool used;	/**< by this build */
};

/** All of a file, each list sorted; starts as `{ 0 }`. */
struct xb_pins {
	struct XB_ARRAY(struct xb_pin_image) images;
	struct XB_ARRAY(struct xb_pin_fetch) fetches;
};

/** Release. */
void xb_pins_clear(struct xb_pins *pins);
#define xb_auto_pins XB_CLEANUP(xb_pins_clear)

/**
 * Read a file's text; `ret` is empty on entry, and on failure. -EBADMSG, fault source: what is
 * wrong and where; -EPROTONOSUPPORT: it is of a newer form.
 */
int xb_pins_parse(struct xb_view text, struct xb_pins *ret, struct xb_error *err);
/** Append the file's text. */
int xb_pins_write(const struct xb_pins *pins, struct xb_str *text, struct xb_error *err);

/** The pin of a reference, borrowed, or NULL. */
struct xb_pin_image *xb_pins_image(struct xb_pins *pins, const char *reference);
/** The pin of a URL, borrowed, or NULL. */
struct xb_pin_fetch *xb_pins_fetch(struct xb_pins *pins, const char *url);
/** What the image is for a platform; NULL: it is not said. */
const struct xb_digest *xb_pin_platform_digest(const struct xb_pin_image *image,
					       const char *platform);

/** Say what a reference, called `name` in a Dockerfile, is for a platform. */
void xb_pins_set_image(struct xb_pins *pins, const char *reference, const char *name,
		       const struct xb_digest *digest, const char *platform,
		       const struct xb_digest *image);
/** Say what a URL gives. */
void xb_pins_set_fetch(struct xb_pins *pins, const char *url, const char *checksum);
/** Take out the pin of a reference or a URL; whether there was one. */
bool xb_pins_remove(struct xb_pins *pins, const char *name);

#endif
