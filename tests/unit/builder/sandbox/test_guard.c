/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guard in real steps. The step's own programs are copies of the machine's busybox and of this
 * test that bear the mark, so that no emulator is needed. Needs user namespaces and Linux 6.7.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <spawn.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/wait.h>

#include "builder/sandbox/record.h"
#include "emulation/binfmt.h"
#include "emulation/guard.h"
#include "platforms/host.h"
#include "platforms/tiny.h"
#include "tests/unit/builder/sandbox/step.h"

/* The key of the board, as init_guard.c has it. */
#define BOARD_KEY ((key_t)0x78626764)

static struct xb_platform host;

static const char *target(void)
{
	return strcmp(host.arch, "s390x") == 0 ? "linux/riscv64" : "linux/s390x";
}

static const struct xb_arch *arch_of(const char *text)
{
	struct xb_platform p = { 0 };

	assert_int_equal(xb_platform_parse(xb_view(text), NULL, &p, NULL), 0);
	return xb_arch_of_platform(&p);
}

/* Copy a program of the machine into the step's root, marked or as it is. */
static void put_program(const char *from, const char *to, bool marked)
{
	xb_autofree char *place = xb_format("root/%s", to);
	unsigned char ident[EI_NIDENT];
	int fd;

	assert_int_equal(
		scratch_run((const char *[]){ "cp", "-L", from, scratch_path(place), NULL }), 0);
	if (!marked)
		return;
	fd = open(scratch_path(place), O_RDWR | O_CLOEXEC);
	assert_int_equal(pread(fd, ident, sizeof(ident), 0), sizeof(ident));
	xb_guard_mark(ident);
	assert_int_equal(pwrite(fd, ident, sizeof(ident), 0), sizeof(ident));
	(void)close(fd);
}

/* A step for a foreign platform: /bin/sh and its like run, /host (busybox too) must not. */
static void guarded(struct step *s)
{
	xb_auto_error struct xb_error err = XB_ERROR_INIT;

	step_init(s);
	if (xb_binfmt_probe(&err) < 0)
		print_message("%s\n", err.message);
	need("binfmt", err.message == NULL);
	assert_int_equal(xb_platform_host(&host, NULL), 0);
	assert_int_equal(xb_guard_lines(xb_arch_of_platform(&host), arch_of(target()),
					XB_INIT_GUARD, &s->spec.binfmt, NULL),
			 0);
	s->spec.private_userns = true;
	s->spec.guard = xb_strdup(target());
	(void)mkdir(scratch_path("root/bin"), 0755);
	put_program("/bin/busybox", "bin/busybox", true);
	put_program("/bin/busybox", "host", false);
}

/* Show a marked copy of this test as /marked, with its libraries. */
static void add_marked_self(struct step *s)
{
	xb_autofree char *self = realpath("/proc/self/exe", NULL);

	step_add_self(s);
	put_program(self, "marked", true);
}

static void refused(const struct step *s, unsigned count, const char *text)
{
	if (s->result.refused != count)
		fail_msg("%u programs were refused, not %u: %s", s->result.refused, count,
			 s->result.refusal);
	if (strstr(s->result.refusal, text) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", s->result.refusal, text);
}

static void test_the_steps_program(void **state)
{
	xb_autofree char *whole = NULL;
	auto_step struct step s;

	(void)state;
	guarded(&s);
	step_argv(&s, (const char *[]){ "/host", "true", NULL });
	assert_int_equal(step_run(&s), 0);
	assert_int_equal(s.result.exit_code, 126);
	whole = xb_format("/host is a program for %s and does not run in a step for %s",
			  xb_platform_name(&host).text, target());
	assert_int_equal(s.result.refused, 1);
	assert_string_equal(s.result.refusal, whole);
	assert_true(step_says(&s, whole));
}

static void test_a_status_that_was_swallowed(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	assert_int_equal(step_sh(&s, "/host true; echo $?"), 0);
	refused(&s, 1, "/host is a program");
	refused(&s, 1, ", started by: /bin/sh -c /host true; echo $?");
	assert_true(step_says(&s, "\n126\n"));
}

static void test_what_bears_the_mark_runs(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	assert_int_equal(step_sh(&s, "echo fine | cat; exit 3"), 3);
	step_said(&s, "fine\n");
	refused(&s, 0, "");
	assert_string_equal(s.result.refusal, "");
}

/* Who has no rights and nothing open is noticed as well. */
static void test_users(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	step_need_ids();
	step_user(&s, "1000:1000");
	assert_int_equal(step_sh(&s, "/host true <&- >&- 2>&-; exit 0"), 0);
	refused(&s, 1, "/host is a program");
	step_said(&s, "");
	/* a program that may be executed and not read */
	assert_int_equal(chmod(scratch_path("root/host"), 0111), 0);
	assert_int_equal(step_sh(&s, "/host true"), 126);
	refused(&s, 1, xb_platform_name(&host).text);
	/* one that would lend its rights */
	assert_int_equal(chmod(scratch_path("root/host"), 04755), 0);
	assert_int_equal(step_sh(&s, "/host true"), 126);
	refused(&s, 1, "/host is a program");
}

static void test_scripts(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	scratch_write("root/script", "#!/host sh\necho it ran\n");
	assert_int_equal(chmod(scratch_path("root/script"), 0755), 0);
	assert_int_equal(step_sh(&s, "/script"), 126);
	refused(&s, 1, "/host is a program");
	assert_false(step_says(&s, "it ran"));
	/* the same by a shell of the step's own platform */
	scratch_write("root/script", "#!/bin/sh\necho it ran\n");
	assert_int_equal(step_sh(&s, "/script"), 0);
	refused(&s, 0, "");
	step_said(&s, "it ran\n");
}

static void test_dynamic_programs(void **state)
{
	auto_step struct step s;
	xb_autofree char *self = realpath("/proc/self/exe", NULL);

	(void)state;
	guarded(&s);
	add_marked_self(&s);
	put_program(self, "dynamic", false);
	assert_int_equal(step_sh(&s, "/dynamic spawn /bin/true"), 126);
	refused(&s, 1, "/dynamic is a program");
#ifdef __x86_64__
	/* the program as a dynamic loader's argument */
	assert_int_equal(step_sh(&s, "/lib64/ld-linux-x86-64.so.2 /dynamic spawn /bin/true"), 126);
	refused(&s, 1, "ld-linux-x86-64.so.2 is a program");
#endif
}

/* All ways to start a program, without a shell in between. */
static void test_ways_to_start(void **state)
{
	static const char *const ways[] = { "spawn", "vfork", "execveat" };
	auto_step struct step s;

	(void)state;
	guarded(&s);
	add_marked_self(&s);
	for (size_t i = 0; i < XB_COUNT(ways); i++) {
		xb_autofree char *parent = xb_format("started by: /marked %s /host", ways[i]);

		step_argv(&s, (const char *[]){ "/marked", ways[i], "/host", NULL });
		assert_int_equal(step_run(&s), 0);
		assert_int_equal(s.result.exit_code, 126);
		refused(&s, 1, "/host is a program");
		refused(&s, 1, parent);
		step_argv(&s, (const char *[]){ "/marked", ways[i], "/bin/true", NULL });
		assert_int_equal(step_run(&s), 0);
		assert_int_equal(s.result.exit_code, 0);
		refused(&s, 0, "");
	}
}

/* Without /proc, /dev and the libraries, as debootstrap has it. */
static void test_chroot(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	(void)mkdir(scratch_path("root/jail"), 0755);
	put_program("/bin/busybox", "jail/tool", false);
	assert_int_equal(step_sh(&s, "busybox chroot /jail /tool true; true"), 0);
	refused(&s, 1, "/tool is a program");
	assert_int_equal(step_sh(&s, "cp /bin/busybox /jail/sh; busybox chroot /jail /sh -c "
				     "'/tool true; exit 0'"),
			 0);
	refused(&s, 1, "/tool is a program");
	refused(&s, 1, ", started by process ");
}

#ifdef __x86_64__
static void put_tiny(const char *platform, uint8_t class)
{
	const struct xb_tiny *tiny = xb_tiny_find(platform);
	unsigned char file[XB_TINY_SIZE];
	int fd;

	xb_tiny_make(tiny, arch_of(platform), file);
	if (class != ELFCLASSNONE)
		file[EI_CLASS] = class;
	(void)unlink(scratch_path("root/tiny"));
	fd = open(scratch_path("root/tiny"), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(xb_write_all(fd, file, sizeof(file), NULL), 0);
	(void)close(fd);
}
#endif

static void test_relatives_of_the_machine(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
#ifdef __x86_64__
	put_tiny("linux/386", ELFCLASSNONE);
	assert_int_equal(step_sh(&s, "/tiny"), 126);
	refused(&s, 1, "/tiny is a program for linux/386 and");
	put_tiny("linux/amd64", ELFCLASS32);
	assert_int_equal(step_sh(&s, "/tiny"), 126);
	refused(&s, 1, "/tiny is a program of this machine and");
#else
	skip();
#endif
}

static void test_many_and_the_first_of_them(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	assert_int_equal(step_sh(&s, "cp /host /first; cp /host /other; /first;"
				     "for i in 1 2 3 4 5 6 7 8 9; do /other & done; wait"),
			 0);
	refused(&s, 10, "/first is a program");
}

static void test_names_are_safe_to_print(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	assert_int_equal(
		step_sh(&s, "f=\"$(printf '/a\\033[31m\\nb')\"; cp /host \"$f\"; \"$f\"; true"), 0);
	refused(&s, 1, "/a\\x1b[31m\\nb is a program");
	assert_null(memchr(s.output.data, '\033', s.output.len));
}

/* What a step writes where the handler does is cut and made text. */
static void test_a_board_that_was_written_to(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	add_marked_self(&s);
	step_argv(&s, (const char *[]){ "/marked", "scribble", "", NULL });
	assert_int_equal(step_run(&s), 0);
	assert_int_equal(s.result.exit_code, 0);
	assert_int_equal(s.result.refused, UINT32_MAX);
	assert_memory_equal(s.result.refusal, "\\xff\\xff", 8);
	assert_true(strlen(s.result.refusal) < XB_SANDBOX_REFUSAL);
	/* and the handler, which finds it so */
	assert_int_equal(step_sh(&s, "/marked scribble ''; /host true; true"), 0);
	assert_true(step_says(&s, "xbuild: /host is a program"));
}

static void test_without_the_guard(void **state)
{
	auto_step struct step s;

	(void)state;
	guarded(&s);
	xb_strv_clear(&s.spec.binfmt);
	step_argv(&s, (const char *[]){ "/bin/sh", "-c", "true", NULL });
	step_failed(&s, step_start(&s, &(struct xb_sandbox_io){ -1, -1, -1 }, NULL), -EINVAL,
		    "guard");
	free(s.spec.guard);
	s.spec.guard = NULL;
	assert_int_equal(step_sh(&s, "mkdir /t && cp /host /t/id && /t/id -u"), 0);
	step_said(&s, "0\n");
	refused(&s, 0, "");
}

static void test_what_is_alike(void **state)
{
	auto_step struct step a, b;

	(void)state;
	guarded(&a);
	guarded(&b);
	assert_true(xb_sandbox_alike(&a.spec, &b.spec));
	b.spec.guard[strlen(b.spec.guard) - 1] ^= 1;
	assert_false(xb_sandbox_alike(&a.spec, &b.spec));
	free(b.spec.guard);
	b.spec.guard = NULL;
	assert_false(xb_sandbox_alike(&a.spec, &b.spec));
	free(a.spec.guard);
	a.spec.guard = NULL;
	assert_true(xb_sandbox_alike(&a.spec, &b.spec));
	b.spec.emulator_fd = 3;
	assert_false(xb_sandbox_alike(&a.spec, &b.spec));
	b.spec.emulator_fd = -1;
}

/* ---- what the marked copy of this test does in a step -----------------------------------------
 */

static int status_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}

static int start_by(const char *way, char *program)
{
	char name[] = "true";
	char *argv[] = { name, NULL };
	char *envp[] = { NULL };
	pid_t pid = -1;
	int fd;

	if (strcmp(way, "spawn") == 0)
		return posix_spawn(&pid, program, NULL, NULL, argv, envp) == 0 ? status_of(pid)
									       : 98;
	fd = open(program, O_PATH);
	if (strcmp(way, "vfork") == 0)
		pid = vfork();
	else
		pid = fork();
	if (pid == 0) {
		if (strcmp(way, "vfork") == 0)
			(void)execve(program, argv, envp);
		else
			(void)fexecve(fd, argv, envp);
		_exit(97);
	}
	return status_of(pid);
}

static int scribble(void)
{
	int id = shmget(BOARD_KEY, 1, 0);
	struct shmid_ds ds;
	void *at = id >= 0 ? shmat(id, NULL, 0) : (void *)-1;

	if (at == (void *)-1 || shmctl(id, IPC_STAT, &ds) < 0)
		return 96;
	memset(at, 0xff, ds.shm_segsz);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, scratch_setup, scratch_teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_steps_program),
		TEST(test_a_status_that_was_swallowed),
		TEST(test_what_bears_the_mark_runs),
		TEST(test_users),
		TEST(test_scripts),
		TEST(test_dynamic_programs),
		TEST(test_ways_to_start),
		TEST(test_chroot),
		TEST(test_relatives_of_the_machine),
		TEST(test_many_and_the_first_of_them),
		TEST(test_names_are_safe_to_print),
		TEST(test_a_board_that_was_written_to),
		TEST(test_without_the_guard),
		TEST(test_what_is_alike),
	};

	if (argc == 3 && strcmp(argv[1], "scribble") == 0)
		return scribble();
	if (argc == 3)
		return start_by(argv[1], argv[2]);
	return step_run_both(tests);
}
