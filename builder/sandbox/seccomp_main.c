/* SPDX-License-Identifier: Apache-2.0 */
/* A program of the build: writes what seccomp_image.S puts into xbuild to its standard output. */
#include <unistd.h>

#include "base/file.h"
#include "builder/sandbox/seccomp.h"
#include "builder/sandbox/spec.h"

int main(void)
{
	xb_auto_str struct xb_str program = XB_STR_INIT(XB_MAX_SANDBOX_SPEC);
	int r = xb_seccomp_compile(XB_SANDBOX_CAPABILITIES, &program, NULL);

	if (r >= 0)
		r = xb_write_all(STDOUT_FILENO, program.data, program.len, NULL);
	return r < 0;
}
