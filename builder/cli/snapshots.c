/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/cli/snapshots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

int xb_snapshots_read(const char *option, enum xb_means *ret, struct xb_error *err)
{
	static const char *const words[] = {
		[XB_MEANS_AUTO] = "auto",
		[XB_MEANS_OVERLAY] = "overlay",
		[XB_MEANS_COPY] = "copy",
	};
	const char *name = option != NULL ? "--snapshots" : "$XBUILD_SNAPSHOTS";
	const char *text = option != NULL ? option : getenv("XBUILD_SNAPSHOTS");

	*ret = XB_MEANS_AUTO;
	if (text == NULL || (option == NULL && *text == '\0'))
		return 0;
	for (size_t i = 0; i < XB_COUNT(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*ret = (enum xb_means)i;
			return 0;
		}
	}
	return xb_error_usage(err, "auto, overlay or copy", "%s does not take '%s'", name, text);
}
