/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard's handler (emulation/guard.h), and how it tells the step's first process what it
 * refused.
 *
 * The kernel starts the handler in the place of a program of the machine, with that program's
 * identity, root directory, descriptors and filter. It may be any user, in a chroot without /proc
 * and /dev, with nothing open: what it can always reach is the step's IPC namespace. There a page
 * of shared memory lies, the board, in which the first process has written the step's platform and
 * the handler leaves its sentence. Programs of the step can write there too, and mislead about
 * nobody but themselves.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "builder/sandbox/init.h"
#include "builder/sandbox/record.h"
#include "platforms/arch.h"

/* The step's namespace is empty at first, so any number does; this one reads "xbgd". */
#define BOARD_KEY  ((key_t)0x78626764)
#define BOARD_TEXT 1024
/* What of a command line is shown. */
#define COMMAND_MAX 400

/* As a shell says that a program cannot be executed. */
enum { NOT_EXECUTED = 126 };

struct board {
	char platform[64];
	_Atomic unsigned refused;
	_Atomic unsigned finished; /* `text` is */
	char text[BOARD_TEXT];
};

/* The first process's; NULL where there is none. */
static struct board *own_board;

/* ---- the first process ----------------------------------------------------------------------- */

int init_guard_open(const char *platform, struct xb_error *err)
{
	/* everybody's: the handler is whoever started the program */
	int id = shmget(BOARD_KEY, sizeof(*own_board), IPC_CREAT | IPC_EXCL | 0666);
	void *at;

	if (id < 0 && errno == ENOSYS)
		return 0;
	if (id < 0)
		return xb_error_errno(err, -errno, "making the guard's memory");
	at = shmat(id, NULL, 0);
	if (at == (void *)-1)
		return xb_error_errno(err, -errno, "mapping the guard's memory");
	own_board = at;
	(void)snprintf(own_board->platform, sizeof(own_board->platform), "%s", platform);
	return 0;
}

unsigned init_guard_read(char *text, size_t size)
{
	size_t len = size < BOARD_TEXT ? size : BOARD_TEXT;

	text[0] = '\0';
	if (own_board == NULL)
		return 0;
	if (atomic_load(&own_board->finished) != 0) {
		memcpy(text, own_board->text, len);
		text[len - 1] = '\0';
	}
	return atomic_load(&own_board->refused);
}

/* ---- the handler ----------------------------------------------------------------------------- */

bool init_guard_is_handler(char *const *argv)
{
	return strcmp(argv[0], XB_INIT_GUARD) == 0;
}

static struct board *find_board(void)
{
	int id = shmget(BOARD_KEY, sizeof(struct board), 0);
	void *at = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;

	return at == (void *)-1 ? NULL : at;
}

/* The program, which the kernel has opened for us (flag O), also where its user may not read it. */
static int program_fd(void)
{
	unsigned long fd;

	errno = 0;
	fd = getauxval(AT_EXECFD);
	return errno == 0 ? (int)fd : -1;
}

/* Where it lies: in full where the kernel can say so, else as it was called. */
static void append_path(const char *called, int fd, struct xb_str *out)
{
	char link[32], path[BOARD_TEXT];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path));
	if (n > 0 && path[0] == '/')
		(void)xb_str_append_quoted(out, (struct xb_view){ path, (size_t)n });
	else
		(void)xb_str_append_quoted(out, xb_view(called));
}

/* Programs of one byte order alone come here: that of this machine. */
static const struct xb_arch *arch_of(int fd)
{
	Elf64_Ehdr h64;
	Elf32_Ehdr h32;

	if (pread(fd, &h64, sizeof(h64), 0) < (ssize_t)sizeof(h32))
		return NULL;
	memcpy(&h32, &h64, sizeof(h32));
	return xb_arch_of_elf(h64.e_ident[EI_CLASS], h64.e_ident[EI_DATA], h64.e_machine,
			      h64.e_ident[EI_CLASS] == ELFCLASS32 ? h32.e_flags : h64.e_flags);
}

static void append_kind(int fd, struct xb_str *out)
{
	const struct xb_arch *arch = arch_of(fd);
	struct xb_platform p;

	if (arch == NULL) {
		(void)xb_str_puts(out, "a program of this machine");
		return;
	}
	p = xb_arch_platform(arch);
	(void)xb_str_printf(out, "a program for %s", xb_platform_name(&p).text);
}

/* Words with their ends; an emulated program's begin with the emulator and the program's path. */
static struct xb_view skip_emulator(struct xb_view words)
{
	struct xb_view rest = words, word;

	if (!xb_view_starts(words, XB_VIEW(XB_INIT_EMULATOR)))
		return words;
	(void)xb_view_split(&rest, '\0', &word);
	(void)xb_view_split(&rest, '\0', &word);
	return rest.len > 0 ? rest : words;
}

static void append_words(struct xb_view words, bool cut, struct xb_str *out)
{
	const char *before = "";
	struct xb_view word;

	while (words.len > 0 && xb_view_split(&words, '\0', &word)) {
		(void)xb_str_puts(out, before);
		(void)xb_str_append_quoted(out, word);
		before = " ";
	}
	if (cut)
		(void)xb_str_puts(out, "...");
}

/* The process that started it. The first process is the builder's: then it was the step's own
 * program, or one whose parent has ended. */
static void append_parent(struct xb_str *out)
{
	pid_t parent = getppid();
	xb_autofree char *path = xb_format("/proc/%d/cmdline", parent);
	xb_auto_fd int fd = parent > 1 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char words[COMMAND_MAX];
	ssize_t n = fd >= 0 ? read(fd, words, sizeof(words)) : 0;

	if (n > 0) {
		(void)xb_str_puts(out, ", started by: ");
		append_words(skip_emulator((struct xb_view){ words, (size_t)n }),
			     n == (ssize_t)sizeof(words), out);
	} else if (parent > 1) {
		(void)xb_str_printf(out, ", started by process %d", parent);
	}
}

static void describe(const struct board *board, const char *called, struct xb_str *out)
{
	int fd = program_fd();

	append_path(called, fd, out);
	(void)xb_str_puts(out, " is ");
	append_kind(fd, out);
	if (board != NULL)
		(void)xb_str_printf(out, " and does not run in a step for %.*s",
				    (int)sizeof(board->platform), board->platform);
	else
		(void)xb_str_puts(out, " and does not run in a step for another platform");
	append_parent(out);
}

int init_guard_refuse(char *const *argv)
{
	struct board *board = find_board();
	xb_auto_str struct xb_str text = XB_STR_INIT(XB_STR_OWN);
	bool first = board != NULL && atomic_fetch_add(&board->refused, 1) == 0;

	describe(board, argv[1], &text);
	if (first) {
		(void)snprintf(board->text, sizeof(board->text), "%s", xb_str_text(&text));
		atomic_store(&board->finished, 1);
	}
	(void)dprintf(STDERR_FILENO, "xbuild: %s\n", xb_str_text(&text));
	return NOT_EXECUTED;
}
