/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Greets, and says which architecture it was compiled for, which one the kernel reports, and which
 * zlib it runs with. `hello --check` compresses and restores a text (the image's health check);
 * `hello --serve` answers the greeting over HTTP on port 8080.
 */
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#ifndef VERSION
#define VERSION "unknown"
#endif

#if defined(__x86_64__)
#define COMPILED_FOR "amd64"
#elif defined(__aarch64__)
#define COMPILED_FOR "arm64"
#elif defined(__i386__)
#define COMPILED_FOR "386"
#elif defined(__arm__)
#define COMPILED_FOR "arm"
#elif defined(__riscv) && __riscv_xlen == 64
#define COMPILED_FOR "riscv64"
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define COMPILED_FOR "ppc64le"
#elif defined(__s390x__)
#define COMPILED_FOR "s390x"
#else
#define COMPILED_FOR "something else"
#endif

enum { PORT = 8080 };

static int greet(char *text, size_t size)
{
	const char *greeting = getenv("HELLO_GREETING");
	struct utsname kernel;

	if (uname(&kernel) < 0)
		return -1;
	return snprintf(text, size, "%s from hello %s: compiled for %s, running on %s, zlib %s\n",
			greeting ? greeting : "Hello", VERSION, COMPILED_FOR, kernel.machine,
			zlibVersion());
}

static int check(void)
{
	unsigned char packed[256], restored[256];
	const char *text = "the same text, the same text, the same text";
	uLongf packed_size = sizeof(packed), restored_size = sizeof(restored);

	if (compress(packed, &packed_size, (const Bytef *)text, strlen(text)) != Z_OK ||
	    uncompress(restored, &restored_size, packed, packed_size) != Z_OK ||
	    restored_size != strlen(text) || memcmp(text, restored, restored_size) != 0) {
		fputs("hello: zlib does not give back what it was given\n", stderr);
		return 1;
	}
	puts("healthy");
	return 0;
}

static int serve(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	int listener = socket(AF_INET6, SOCK_STREAM, 0), one = 1;
	char text[512], answer[1024];

	signal(SIGPIPE, SIG_IGN);
	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(listener, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(listener, 8) < 0 ||
	    greet(text, sizeof(text)) < 0) {
		perror("hello");
		return 1;
	}
	int size = snprintf(answer, sizeof(answer),
			    "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n%s", text);
	for (;;) {
		int client = accept(listener, NULL, NULL);

		if (client < 0)
			continue;
		if (write(client, answer, (size_t)size) < 0)
			perror("hello");
		close(client);
	}
}

int main(int argc, char **argv)
{
	char text[512];

	if (argc > 1 && strcmp(argv[1], "--check") == 0)
		return check();
	if (argc > 1 && strcmp(argv[1], "--serve") == 0)
		return serve();
	if (greet(text, sizeof(text)) < 0)
		return 1;
	fputs(text, stdout);
	return 0;
}
