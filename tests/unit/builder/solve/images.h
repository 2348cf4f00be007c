/* SPDX-License-Identifier: Apache-2.0 */
/** Small images for the tests of this directory. Include it after cmocka.h. */
#ifndef XB_TESTS_UNIT_SOLVE_IMAGES_H
#define XB_TESTS_UNIT_SOLVE_IMAGES_H

#include <string.h>

#include "manifest/image.h"
#include "manifest/layout.h"
#include "manifest/media.h"

/** Write an image of one layer with these bytes, and tag it (NULL: an entry without a name). */
static inline struct xb_digest add_image(struct xb_layout *layout, const char *arch,
					 const char *bytes, const char *tag)
{
	xb_auto_image_config struct xb_image_config config = XB_IMAGE_CONFIG_INIT;
	xb_auto_descriptors struct xb_descriptors layers = { 0 };
	xb_auto_descriptor struct xb_descriptor d = XB_DESCRIPTOR_INIT;
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	struct xb_digest digest;

	config.platform = (struct xb_platform){ .os = "linux" };
	(void)snprintf(config.platform.arch, sizeof(config.platform.arch), "%s", arch);
	assert_int_equal(xb_layout_add_bytes(layout, xb_view(bytes), false, &digest, NULL), 0);
	*xb_array_push(&config.diff_ids) = digest;
	xb_descriptor_init(xb_array_push(&layers), XB_MEDIA_OCI_LAYER, &digest, strlen(bytes));
	if (xb_image_write(layout, &config, &layers, NULL, false, &d, &err) < 0 ||
	    xb_layout_tag(layout, &d, tag, false, &err) < 0)
		fail_msg("%s", err.message);
	return d.digest;
}

#endif
