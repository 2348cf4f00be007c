/* SPDX-License-Identifier: Apache-2.0 */
/* An SSH agent's visitor: asks at $SSH_AUTH_SOCK for the request of each argument (a number) and
 * prints the numbers of the answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int ask(int fd, unsigned char type)
{
	unsigned char message[5] = { 0, 0, 0, 1, type };
	unsigned char answer[65536];
	size_t got = 0;
	size_t want = 5;

	if (write(fd, message, sizeof(message)) != sizeof(message))
		return -1;
	while (got < want) {
		ssize_t n = read(fd, answer + got, sizeof(answer) - got);

		if (n <= 0)
			return -1;
		got += (size_t)n;
		if (got >= 4)
			want = 4 + ((size_t)answer[2] << 8 | answer[3]);
	}
	return answer[4];
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const char *path = getenv("SSH_AUTH_SOCK");
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (path == NULL || strlen(path) >= sizeof(address.sun_path))
		return 1;
	strcpy(address.sun_path, path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		perror(path);
		return 1;
	}
	for (int i = 1; i < argc; i++)
		printf("answer %d\n", ask(fd, (unsigned char)atoi(argv[i])));
	return 0;
}
