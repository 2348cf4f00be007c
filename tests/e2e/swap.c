/* SPDX-License-Identifier: Apache-2.0 */
/* swap A B N: let two names change their places N times, each time at once. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	long n = argc == 4 ? strtol(argv[3], NULL, 10) : -1;

	for (long i = 0; i < n; i++) {
		if (renameat2(AT_FDCWD, argv[1], AT_FDCWD, argv[2], RENAME_EXCHANGE) < 0) {
			perror("renameat2");
			return 1;
		}
	}
	return n < 0 ? 2 : 0;
}
