/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A seeded driver for fuzz targets, for compilers without libFuzzer and for runs that must be the
 * same each time:
 *
 *	fuzz_thing-replay [-n MUTATIONS] [-s SEED] PATH...
 *
 * feeds LLVMFuzzerTestOneInput() each file of the corpus (PATH is a file or a directory), and then
 * MUTATIONS (2000) deterministic changes of them. An input that ends the process or takes more than
 * 20 seconds of processor time is named, and left in ./crash-input; the same command gives it
 *again.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/array.h"
#include "base/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
/* Of the sanitizers' run time, when it is there. */
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum {
	DEFAULT_MUTATIONS = 2000,
	MAX_CHANGES = 6, /* of one input */
	MAX_PIECE = 64,	 /* bytes inserted, copied or cut out at once */
	MAX_BYTES = 1 << 20,
	MAX_SECONDS = 20,
};

struct input {
	char *name;
	struct xb_str bytes;
};

struct corpus XB_ARRAY(struct input);

/* What is being tried, for the message when it ends the process. */
static struct {
	const char *name;
	unsigned long mutation; /* 0: the file as it is */
	const uint8_t *data;
	size_t size;
} current;

static uint64_t random_state;

/* xorshift64*: the same numbers on every machine. */
static uint64_t random_next(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dU;
}

static size_t random_below(size_t limit)
{
	return limit > 0 ? (size_t)(random_next() >> 11) % limit : 0;
}

/* Only what a signal handler may do. */
static void report(void)
{
	char line[512];
	int fd, len = snprintf(line, sizeof(line), "ended by %s, mutation %lu: see ./crash-input\n",
			       current.name, current.mutation);

	if (current.data == NULL)
		return;
	if (len > 0)
		(void)!write(STDERR_FILENO, line, (size_t)len);
	fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)!write(fd, current.data, current.size);
	current.data = NULL;
}

static void on_signal(int number)
{
	report();
	(void)raise(number); /* SA_RESETHAND: this time it ends the process */
}

static void watch_for_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGPROF };
	struct sigaction action = { .sa_handler = on_signal };

	action.sa_flags = (int)SA_RESETHAND;
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(report);
	for (size_t i = 0; i < XB_COUNT(signals); i++) {
		/* A sanitizer's own handler says more about a bad access. */
		if (__sanitizer_set_death_callback == NULL || signals[i] == SIGPROF)
			(void)sigaction(signals[i], &action, NULL);
	}
}

static void corpus_clear(struct corpus *c)
{
	for (size_t i = 0; i < c->len; i++) {
		free(c->items[i].name);
		xb_str_clear(&c->items[i].bytes);
	}
	xb_array_clear(c);
}

static int add_file(struct corpus *c, const char *path, struct xb_error *err)
{
	struct input *input = xb_array_push(c);

	input->name = xb_strdup(path);
	input->bytes = XB_STR_INIT(MAX_BYTES);
	return xb_file_read(path, &input->bytes, err);
}

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int add_path(struct corpus *c, const char *path, struct xb_error *err)
{
	struct dirent **entries = NULL;
	int count = scandir(path, &entries, is_visible, alphasort), r = 0;

	if (count < 0)
		return add_file(c, path, err);
	for (int i = 0; i < count; i++) {
		xb_autofree char *file = xb_format("%s/%s", path, entries[i]->d_name);

		if (r == 0)
			r = add_file(c, file, err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* Seconds of processor time until SIGPROF; 0: none. */
static void set_limit(time_t seconds)
{
	const struct itimerval timer = { .it_value = { .tv_sec = seconds } };

	(void)setitimer(ITIMER_PROF, &timer, NULL);
}

/* Try one input, in memory of exactly its size, so that AddressSanitizer sees its end. */
static void try_input(const struct xb_str *bytes, const char *name, unsigned long mutation)
{
	xb_autofree uint8_t *data = malloc(bytes->len);

	if (bytes->len > 0)
		memcpy(data, bytes->data, bytes->len);
	current.name = name;
	current.mutation = mutation;
	current.size = bytes->len;
	current.data = data;
	set_limit(MAX_SECONDS);
	(void)LLVMFuzzerTestOneInput(data, bytes->len);
	set_limit(0);
	current.data = NULL;
}

/* Put `piece` into `s` at `at`, in place of `cut` bytes. */
static void replace(struct xb_str *s, size_t at, size_t cut, struct xb_view piece)
{
	struct xb_str made = XB_STR_INIT(2 * MAX_BYTES);
	struct xb_view whole = xb_str_view(s);

	(void)xb_str_append_view(&made, xb_view_sub(whole, 0, at));
	(void)xb_str_append_view(&made, piece);
	(void)xb_str_append_view(&made, xb_view_sub(whole, at + cut, SIZE_MAX));
	xb_str_clear(s);
	*s = made;
}

/* A piece of some input. */
static struct xb_view random_piece(const struct corpus *c)
{
	struct xb_view whole = xb_str_view(&c->items[random_below(c->len)].bytes);

	return xb_view_sub(whole, random_below(whole.len), 1 + random_below(MAX_PIECE));
}

static void flip_bit(struct xb_str *s, const struct corpus *c)
{
	(void)c;
	if (s->len > 0)
		s->data[random_below(s->len)] ^= (char)(1 << random_below(8));
}

/* Bytes at which programs change their mind. */
static void set_byte(struct xb_str *s, const struct corpus *c)
{
	static const char bytes[] = "\0\xff\x7f\x80\x01\n\r\t \"'\\/{}[]()<>,:;=#$%&*-.@019azAZ";

	(void)c;
	if (s->len > 0)
		s->data[random_below(s->len)] = bytes[random_below(sizeof(bytes) - 1)];
}

static void insert_bytes(struct xb_str *s, const struct corpus *c)
{
	char bytes[8];
	size_t len = 1 + random_below(sizeof(bytes));

	(void)c;
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)random_next();
	replace(s, random_below(s->len + 1), 0, (struct xb_view){ bytes, len });
}

static void insert_piece(struct xb_str *s, const struct corpus *c)
{
	replace(s, random_below(s->len + 1), 0, random_piece(c));
}

static void overwrite_piece(struct xb_str *s, const struct corpus *c)
{
	struct xb_view piece = random_piece(c);

	replace(s, random_below(s->len + 1), piece.len, piece);
}

/* The same piece many times over: levels, lists, numbers that become long. */
static void repeat_piece(struct xb_str *s, const struct corpus *c)
{
	size_t times = 1 + random_below(64), at = random_below(s->len + 1);
	xb_autofree char *piece = xb_view_dup(xb_view_sub(xb_str_view(s), at, 1 + random_below(4)));
	size_t len = xb_view_sub(xb_str_view(s), at, 1).len > 0 ? strlen(piece) : 0;

	(void)c;
	while (times-- > 0 && s->len < MAX_BYTES)
		replace(s, at, 0, (struct xb_view){ piece, len });
}

static void cut_out(struct xb_str *s, const struct corpus *c)
{
	(void)c;
	replace(s, random_below(s->len + 1), 1 + random_below(MAX_PIECE), (struct xb_view){ 0 });
}

static void truncate_end(struct xb_str *s, const struct corpus *c)
{
	(void)c;
	xb_str_truncate(s, random_below(s->len + 1));
}

/* The beginning of this one, the end of another. */
static void join_two(struct xb_str *s, const struct corpus *c)
{
	struct xb_view other = xb_str_view(&c->items[random_below(c->len)].bytes);

	xb_str_truncate(s, random_below(s->len + 1));
	(void)xb_str_append_view(s, xb_view_sub(other, random_below(other.len + 1), SIZE_MAX));
}

static void (*const changes[])(struct xb_str *s, const struct corpus *c) = {
	flip_bit,     flip_bit,	       set_byte, set_byte,     insert_bytes, insert_piece,
	insert_piece, overwrite_piece, cut_out,	 repeat_piece, truncate_end, join_two,
};

static void try_mutation(const struct corpus *c, unsigned long mutation)
{
	xb_auto_str struct xb_str s = XB_STR_INIT(2 * MAX_BYTES);
	const struct input *input = &c->items[random_below(c->len)];
	size_t count = 1 + random_below(MAX_CHANGES);

	(void)xb_str_append_view(&s, xb_str_view(&input->bytes));
	while (count-- > 0)
		changes[random_below(XB_COUNT(changes))](&s, c);
	try_input(&s, input->name, mutation);
}

/* Read the options; returns the index of the first path, or -1. */
static int read_options(int argc, char **argv, unsigned long *mutations)
{
	int option;

	random_state = 1;
	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			*mutations = strtoul(optarg, NULL, 10);
		else if (option == 's')
			random_state = strtoul(optarg, NULL, 10) | 1;
		else
			return -1;
	}
	return optind < argc ? optind : -1;
}

int main(int argc, char **argv)
{
	XB_CLEANUP(corpus_clear) struct corpus corpus = { 0 };
	xb_auto_error struct xb_error err = XB_ERROR_INIT;
	unsigned long mutations = DEFAULT_MUTATIONS;
	int first = read_options(argc, argv, &mutations);

	if (first < 0) {
		(void)fprintf(stderr, "usage: %s [-n MUTATIONS] [-s SEED] PATH...\n", argv[0]);
		return 2;
	}
	for (int i = first; i < argc; i++) {
		if (add_path(&corpus, argv[i], &err) < 0) {
			(void)fprintf(stderr, "%s\n", err.message);
			return 2;
		}
	}
	if (corpus.len == 0) {
		(void)fprintf(stderr, "no inputs\n");
		return 2;
	}
	if (LLVMFuzzerInitialize != NULL)
		(void)LLVMFuzzerInitialize(&argc, &argv);
	watch_for_crashes();
	for (size_t i = 0; i < corpus.len; i++)
		try_input(&corpus.items[i].bytes, corpus.items[i].name, 0);
	for (unsigned long i = 1; i <= mutations; i++)
		try_mutation(&corpus, i);
	(void)printf("# %zu inputs and %lu mutations of them, 0 crashes\n", corpus.len, mutations);
	return 0;
}
