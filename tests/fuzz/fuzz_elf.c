/* SPDX-License-Identifier: Apache-2.0 */
/* ELF headers of hostile files. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platforms/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	xb_auto_fd int fd = memfd_create("elf", MFD_CLOEXEC);
	struct xb_elf_info info;
	struct xb_platform p;
	int r;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		return 0;
	r = xb_elf_identify(fd, &info, &err);
	if ((r < 0) != (err.message != NULL))
		abort();
	if (info.has_interpreter && strlen(info.interpreter) >= sizeof(info.interpreter))
		abort();
	if (xb_elf_platform(&info, &p) && xb_elf_arch(&info) == NULL)
		abort();
	return 0;
}
