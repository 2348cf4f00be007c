/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the work itself costs on this machine, done in the barest way, for measurements beside it.
 *
 *	floor steps COUNT LOWER WORK [EMULATOR]
 *		so many times: namespaces, an overlay over LOWER with an upper directory of its own
 *		below WORK, pivot_root, `/bin/sh -c 'echo N > /fileN'` (below the emulator), the end
 *		of all that. Prints seconds a step.
 *	floor pack DIRECTORY LEVEL [THREADS]
 *		read each file, SHA-256 of its bytes, gzip by libdeflate, SHA-256 of that, on all
 *		processors; nothing is written. Prints seconds, bytes in and bytes out.
 *	floor inflate FILE...
 *		read and decompress gzip files by zlib, one on each thread; nothing is written.
 *		Prints seconds and bytes out.
 *	floor tree DIRECTORY FILES BYTES
 *		make files of different sizes, together about so many bytes, of which gzip -6 leaves
 *		60 %: three tenths cannot be compressed, the rest is words. Always the same.
 *	floor small DIRECTORY FILES
 *		make so many files of a line each, a hundred to a directory.
 *	floor big FILE BYTES
 *		make one file like those of `tree`.
 */
#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

enum {
	PATH_ROOM = 4096,
	PER_DIRECTORY = 100,
	/* What is compressed at once: a builder that takes whole gigabytes has no small memory. */
	PIECE = 1 << 20,
	WORDS = 4096,
	WORD_ROOM = 12,
};

static void die(const char *what)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void make_directory(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		die(path);
}

/* steps */

static void enter_root(const char *lower, const char *at)
{
	char options[3 * PATH_ROOM], upper[PATH_ROOM + 8], work[PATH_ROOM + 8], root[PATH_ROOM + 8];

	snprintf(upper, sizeof(upper), "%s/upper", at);
	snprintf(work, sizeof(work), "%s/work", at);
	snprintf(root, sizeof(root), "%s/root", at);
	make_directory(at);
	make_directory(upper);
	make_directory(work);
	make_directory(root);
	snprintf(options, sizeof(options), "userxattr,lowerdir=%s,upperdir=%s,workdir=%s", lower,
		 upper, work);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		die("making mounts private");
	if (mount("overlay", root, "overlay", 0, options) < 0)
		die("mounting the overlay");
	if (chdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0)
		die("changing the root");
}

static void run_shell(int number, int emulator)
{
	char script[64];
	char path[] = "PATH=/bin", zero[] = "-0", sh[] = "sh", file[] = "/bin/sh", c[] = "-c";
	char *argv[] = { sh, c, script, NULL };
	char *emulated[] = { sh, zero, sh, file, c, script, NULL };
	char *env[] = { path, NULL };

	snprintf(script, sizeof(script), "echo %d > /file%d", number, number);
	if (emulator >= 0)
		fexecve(emulator, emulated, env);
	else
		execve("/bin/sh", argv, env);
	die("executing the shell");
}

static void one_step(int number, const char *lower, const char *work, int emulator)
{
	char at[PATH_ROOM];
	int status;
	pid_t pid;

	snprintf(at, sizeof(at), "%s/%d", work, number);
	pid = (pid_t)syscall(SYS_clone,
			     CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
				     CLONE_NEWCGROUP | SIGCHLD,
			     NULL, NULL, NULL, NULL);
	if (pid < 0)
		die("making namespaces");
	if (pid == 0) {
		enter_root(lower, at);
		run_shell(number, emulator);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0) {
		fprintf(stderr, "floor: step %d ended with %d\n", number, status);
		exit(1);
	}
}

static int steps(char **argv)
{
	int count = atoi(argv[0]);
	int emulator = argv[3] != NULL ? open(argv[3], O_PATH | O_CLOEXEC) : -1;
	double begun = now();

	for (int i = 0; i < count; i++)
		one_step(i, argv[1], argv[2], emulator);
	printf("%.6f\n", (now() - begun) / count);
	return 0;
}

/* pack */

struct list {
	char **paths;
	size_t len;
	int level;
	atomic_size_t next;
	atomic_ullong in;
	atomic_ullong out;
};

static void list_add(struct list *list, const char *path)
{
	if ((list->len & (list->len - 1)) == 0) {
		size_t room = list->len == 0 ? 1 : 2 * list->len;

		list->paths = realloc(list->paths, room * sizeof(*list->paths));
		if (list->paths == NULL)
			die("memory");
	}
	list->paths[list->len++] = strdup(path);
}

static struct list list_of(const char *directory)
{
	struct list list = { 0 };
	char command[PATH_ROOM + 32], line[PATH_ROOM];
	FILE *find;

	snprintf(command, sizeof(command), "find '%s' -type f", directory);
	find = popen(command, "re");
	if (find == NULL)
		die("find");
	while (fgets(line, sizeof(line), find) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		list_add(&list, line);
	}
	pclose(find);
	return list;
}

struct packer {
	struct libdeflate_compressor *compressor;
	EVP_MD_CTX *in, *out;
	char *from, *to;
	size_t to_room;
};

static void pack_file(struct list *list, struct packer *packer, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		die(path);
	while ((got = read(fd, packer->from, PIECE)) > 0) {
		size_t made = libdeflate_gzip_compress(packer->compressor, packer->from,
						       (size_t)got, packer->to, packer->to_room);

		EVP_DigestUpdate(packer->in, packer->from, (size_t)got);
		EVP_DigestUpdate(packer->out, packer->to, made);
		atomic_fetch_add(&list->in, (unsigned long long)got);
		atomic_fetch_add(&list->out, made);
	}
	close(fd);
}

static void *pack_files(void *of)
{
	struct list *list = of;
	struct packer packer = {
		.compressor = libdeflate_alloc_compressor(list->level),
		.in = EVP_MD_CTX_new(),
		.out = EVP_MD_CTX_new(),
		.from = malloc(PIECE),
	};
	size_t i;

	packer.to_room = libdeflate_gzip_compress_bound(packer.compressor, PIECE);
	packer.to = malloc(packer.to_room);
	EVP_DigestInit_ex(packer.in, EVP_sha256(), NULL);
	EVP_DigestInit_ex(packer.out, EVP_sha256(), NULL);
	while ((i = atomic_fetch_add(&list->next, 1)) < list->len)
		pack_file(list, &packer, list->paths[i]);
	libdeflate_free_compressor(packer.compressor);
	EVP_MD_CTX_free(packer.in);
	EVP_MD_CTX_free(packer.out);
	free(packer.from);
	free(packer.to);
	return NULL;
}

static int pack(char **argv)
{
	struct list list = list_of(argv[0]);
	long count = argv[2] != NULL ? atol(argv[2]) : sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t *threads = calloc((size_t)count, sizeof(*threads));
	double begun = now();

	list.level = atoi(argv[1]);
	for (long i = 0; i < count; i++)
		if (pthread_create(&threads[i], NULL, pack_files, &list) != 0)
			die("starting a thread");
	for (long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("%.6f %llu %llu\n", now() - begun, (unsigned long long)list.in,
	       (unsigned long long)list.out);
	return 0;
}

/* inflate */

static atomic_ullong inflated;

static void *inflate_file(void *argument)
{
	gzFile file = gzopen(argument, "rb");
	char *piece = malloc(PIECE);
	int n;

	if (file == NULL)
		die(argument);
	gzbuffer(file, PIECE);
	while ((n = gzread(file, piece, PIECE)) > 0)
		atomic_fetch_add(&inflated, (unsigned long long)n);
	if (n < 0)
		die(argument);
	gzclose(file);
	free(piece);
	return NULL;
}

static int inflate_all(char **argv)
{
	pthread_t threads[16];
	size_t count = 0;
	double begun = now();

	for (; argv[count] != NULL && count < sizeof(threads) / sizeof(threads[0]); count++)
		if (pthread_create(&threads[count], NULL, inflate_file, argv[count]) != 0)
			die("starting a thread");
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("%.6f %llu\n", now() - begun, (unsigned long long)inflated);
	return 0;
}

/* tree, small, big */

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
static char words[WORDS][WORD_ROOM];

/* xorshift64*: the same numbers everywhere. */
static uint64_t draw(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(2685821657736338717);
}

static void make_words(void)
{
	for (size_t i = 0; i < WORDS; i++) {
		size_t len = 2 + draw() % 9;

		for (size_t j = 0; j < len; j++)
			words[i][j] = (char)('a' + draw() % 26);
	}
}

/* Small numbers are likelier, as common words are. */
static const char *pick_word(void)
{
	uint64_t a = draw() % WORDS, b = draw() % WORDS;

	return words[a * b / WORDS];
}

static size_t fill_words(char *to, size_t len)
{
	size_t at = 0;

	while (at < len) {
		const char *word = pick_word();
		size_t letters = strlen(word);

		if (letters > len - at)
			letters = len - at;
		memcpy(to + at, word, letters);
		at += letters;
		if (at < len)
			to[at++] = draw() % 12 == 0 ? '\n' : ' ';
	}
	return at;
}

static void fill_noise(char *to, size_t len)
{
	for (size_t at = 0; at < len; at += sizeof(uint64_t)) {
		uint64_t bits = draw();

		memcpy(to + at, &bits, len - at < sizeof(bits) ? len - at : sizeof(bits));
	}
}

static void write_file(const char *path, uint64_t bytes, bool noise)
{
	static char piece[PIECE];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		die(path);
	while (bytes > 0) {
		size_t len = bytes < PIECE ? (size_t)bytes : PIECE;

		if (noise)
			fill_noise(piece, len);
		else
			fill_words(piece, len);
		if (write(fd, piece, len) != (ssize_t)len)
			die(path);
		bytes -= len;
	}
	close(fd);
}

/* Many small ones, few large ones; the mean is `mean`. */
static uint64_t draw_size(uint64_t mean)
{
	uint64_t kind = draw() % 20;
	uint64_t size = kind < 14 ? mean / 4 : kind < 19 ? mean * 3 / 2 : mean * 9;

	return size / 2 + draw() % (size + 1);
}

static void place_of(char *path, const char *directory, long i)
{
	snprintf(path, PATH_ROOM, "%s/d%05ld", directory, i / PER_DIRECTORY);
	if (i % PER_DIRECTORY == 0)
		make_directory(path);
	snprintf(path + strlen(path), PATH_ROOM - strlen(path), "/f%02ld", i % PER_DIRECTORY);
}

static int tree(char **argv)
{
	long files = atol(argv[1]);
	uint64_t mean = strtoull(argv[2], NULL, 10) / (uint64_t)files;
	char path[PATH_ROOM];

	make_words();
	make_directory(argv[0]);
	for (long i = 0; i < files; i++) {
		place_of(path, argv[0], i);
		write_file(path, draw_size(mean), draw() % 10 < 3);
	}
	return 0;
}

static int small(char **argv)
{
	long files = atol(argv[1]);
	char path[PATH_ROOM];
	FILE *f;

	make_directory(argv[0]);
	for (long i = 0; i < files; i++) {
		place_of(path, argv[0], i);
		f = fopen(path, "we");
		if (f == NULL)
			die(path);
		fprintf(f, "%ld %016llx\n", i, (unsigned long long)draw());
		fclose(f);
	}
	return 0;
}

static int big(char **argv)
{
	uint64_t bytes = strtoull(argv[1], NULL, 10);

	make_words();
	write_file(argv[0], bytes, false);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 5 && strcmp(argv[1], "steps") == 0)
		return steps(argv + 2);
	if (argc >= 4 && strcmp(argv[1], "pack") == 0)
		return pack(argv + 2);
	if (argc >= 3 && strcmp(argv[1], "inflate") == 0)
		return inflate_all(argv + 2);
	if (argc == 5 && strcmp(argv[1], "tree") == 0)
		return tree(argv + 2);
	if (argc == 4 && strcmp(argv[1], "small") == 0)
		return small(argv + 2);
	if (argc == 4 && strcmp(argv[1], "big") == 0)
		return big(argv + 2);
	fprintf(stderr, "floor: see the comment at the top of tests/bench/floor.c\n");
	return 2;
}
