/* SPDX-License-Identifier: Apache-2.0 */
/** One credential: who somebody is at a registry. Wiped before it is released. */
#ifndef XB_MANIFEST_REGISTRY_CREDENTIAL_H
#define XB_MANIFEST_REGISTRY_CREDENTIAL_H

#include <stdbool.h>

#include "base/cleanup.h"

/** What to be known by; all strings are owned, and NULL where there is none. */
struct xb_credential {
	char *username;
	char *password;
	char *identity_token; /**< is exchanged for tokens by the token server */
	char *registry_token; /**< is given to the registry as it is */
	char *source;	      /**< the file or helper it came from, for messages */
};

#define XB_CREDENTIAL_INIT ((struct xb_credential){ 0 })

/** Wipe and release; it is then XB_CREDENTIAL_INIT. */
void xb_credential_clear(struct xb_credential *credential);
#define xb_auto_credential XB_CLEANUP(xb_credential_clear)
/** Make `to`, which is empty, a copy. */
void xb_credential_copy(struct xb_credential *to, const struct xb_credential *from);
/** Whether there is nothing to be known by. */
bool xb_credential_is_empty(const struct xb_credential *credential);

#endif
