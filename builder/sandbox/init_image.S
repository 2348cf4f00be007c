/* SPDX-License-Identifier: Apache-2.0 */
/* xbuild-init, carried inside xbuild: each step is started from these bytes (sandbox.c). */
	.section .rodata.xb_init_image, "a"
	.balign 16
	.globl xb_init_image
	.hidden xb_init_image
	.type xb_init_image, %object
xb_init_image:
	.incbin XB_INIT_BIN
	.size xb_init_image, . - xb_init_image
	.globl xb_init_image_end
	.hidden xb_init_image_end
	.type xb_init_image_end, %object
xb_init_image_end:
	.byte 0
	.size xb_init_image_end, 1

	.section .note.GNU-stack, "", %progbits
