/* SPDX-License-Identifier: Apache-2.0 */
/* The filter of steps, carried inside xbuild (seccomp_default.c). */
	.section .rodata.xb_seccomp_image, "a"
	.balign 8
	.globl xb_seccomp_image
	.hidden xb_seccomp_image
	.type xb_seccomp_image, %object
xb_seccomp_image:
	.incbin XB_SECCOMP_BIN
	.size xb_seccomp_image, . - xb_seccomp_image
	.globl xb_seccomp_image_end
	.hidden xb_seccomp_image_end
	.type xb_seccomp_image_end, %object
xb_seccomp_image_end:
	.byte 0
	.size xb_seccomp_image_end, 1

	.section .note.GNU-stack, "", %progbits
