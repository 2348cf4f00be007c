/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Where a git repository is: the parts of a URL (`https://host/path?query#fragment`) or of the
 * short form of ssh (`user@host:path?query#fragment`). giturl.h says which of them name a git
 * repository for a Dockerfile.
 *
 * What is accepted is safe to hand to the git program: one of the four schemes, a host of letters,
 * digits, dots, dashes, underscores and a port (or a bracketed IPv6 address), no control bytes, and
 * neither user, host nor path of ssh begins with a dash.
 * Source: BuildKit, util/gitutil/git_url.go and util/sshutil/scpurl.go; RFC 3986.
 */
#ifndef XB_BUILDER_DOCKERFILE_GITADDRESS_H
#define XB_BUILDER_DOCKERFILE_GITADDRESS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/str.h"

/** How a repository is reached. */
enum xb_git_scheme {
	XB_GIT_HTTPS,
	XB_GIT_HTTP,
	XB_GIT_SSH, /**< also the short form */
	XB_GIT_GIT
};

/** The parts of an address; all strings are owned. */
struct xb_git_address {
	enum xb_git_scheme scheme;
	bool short_form; /**< user@host:path */
	char *user;	 /**< decoded, or NULL */
	char *password;	 /**< decoded, or NULL */
	char *host;	 /**< with ":port" where there is one; "" for an address without host */
	char *path;	 /**< decoded; of a URL "" or it begins with '/' */
	char *query;	 /**< as it stands, or NULL */
	char *fragment;	 /**< decoded (of a URL), or NULL */
	/** Without query and fragment, as git is given it: scheme in small letters, what has no
	 *  place in a URL percent-encoded. With user and password. */
	char *remote;
};

/** Release it; it is then empty. */
void xb_git_address_clear(struct xb_git_address *a);
#define xb_auto_git_address XB_CLEANUP(xb_git_address_clear)

/**
 * Take `text` apart. Returns 1, or 0 when it has neither form or another scheme (`*ret` is then
 * left alone), or -EINVAL, fault source, when it has one and is malformed. Messages hold neither
 * user nor password.
 */
int xb_git_address_parse(const char *text, struct xb_git_address *ret, struct xb_error *err);

/** The name of a scheme, static: "https". */
const char *xb_git_scheme_name(enum xb_git_scheme scheme);

/**
 * Append `text` with its %XX (and, with `plus`, '+' for a space) decoded. Returns 0, or -EINVAL for
 * an escape that is none or gives a control byte.
 */
int xb_git_decode(struct xb_view text, bool plus, struct xb_str *ret);

#endif
