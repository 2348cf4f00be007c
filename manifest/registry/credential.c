/* SPDX-License-Identifier: Apache-2.0 */
#include "manifest/registry/credential.h"

#include "manifest/registry/secret.h"

void xb_credential_clear(struct xb_credential *credential)
{
	xb_secret_free(credential->username);
	xb_secret_free(credential->password);
	xb_secret_free(credential->identity_token);
	xb_secret_free(credential->registry_token);
	free(credential->source);
	*credential = XB_CREDENTIAL_INIT;
}

bool xb_credential_is_empty(const struct xb_credential *credential)
{
	return credential->password == NULL && credential->identity_token == NULL &&
	       credential->registry_token == NULL;
}

void xb_credential_copy(struct xb_credential *to, const struct xb_credential *from)
{
	*to = (struct xb_credential){
		.username = xb_strdup(from->username),
		.password = xb_strdup(from->password),
		.identity_token = xb_strdup(from->identity_token),
		.registry_token = xb_strdup(from->registry_token),
		.source = xb_strdup(from->source),
	};
}
