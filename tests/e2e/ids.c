/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the tests of steps without subordinate ids: a random walk over the calls by which processes
 * become other users and give files away. It says what each call gave; where xbuild answers them,
 * that has to be what the kernel says to root. Argument: a directory that everybody may write to.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t state = 88172645463325252U;

/* xorshift: the same walk wherever it runs */
static unsigned roll(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 11) % below;
}

static long id(void)
{
	static const int ids[] = { -1, 0, 0, 1000, 1000, 1001, 50 };

	return ids[roll(sizeof(ids) / sizeof(*ids))];
}

static void say(const char *what, long r)
{
	printf("%s %ld %d\n", what, r, r < 0 ? errno : 0);
}

static void tell(void)
{
	unsigned u[3], g[3], groups[8];
	long n = syscall(SYS_getgroups, 8, groups);

	syscall(SYS_getresuid, &u[0], &u[1], &u[2]);
	syscall(SYS_getresgid, &g[0], &g[1], &g[2]);
	printf("%u %u %u / %u %u %u /", u[0], u[1], u[2], g[0], g[1], g[2]);
	for (long i = 0; i < n; i++)
		printf(" %u", groups[i]);
	printf(" / %ld %ld %ld %ld\n", syscall(SYS_getuid), syscall(SYS_geteuid),
	       syscall(SYS_getgid), syscall(SYS_getegid));
}

static void become(void)
{
	unsigned groups[] = { 50, 1001, 7 };

	switch (roll(8)) {
	case 0:
		say("setuid", syscall(SYS_setuid, roll(2) ? 1000 : 0));
		break;
	case 1:
		say("setgid", syscall(SYS_setgid, roll(2) ? 50 : 1000));
		break;
	case 2:
		say("setreuid", syscall(SYS_setreuid, id(), id()));
		break;
	case 3:
		say("setregid", syscall(SYS_setregid, id(), id()));
		break;
	case 4:
	case 5:
		say("setresuid", syscall(SYS_setresuid, id(), id(), id()));
		break;
	case 6:
		say("setresgid", syscall(SYS_setresgid, id(), id(), id()));
		break;
	default:
		say("setgroups", syscall(SYS_setgroups, roll(4), groups));
	}
}

static void use(int walk, int step)
{
	static const char *const names[] = { "a", "b", "c", "link" };
	const char *name = names[roll(4)];
	struct stat st;
	char own[64];

	switch (roll(3)) {
	case 0:
		say("chown",
		    fchownat(AT_FDCWD, name, (uid_t)id(), (gid_t)id(), AT_SYMLINK_NOFOLLOW));
		break;
	case 1:
		snprintf(own, sizeof(own), "own.%d.%d", walk, step);
		say("make",
		    roll(2) ? mkdir(own, 0777) : open(own, O_CREAT | O_EXCL | O_WRONLY, 0666) < 0);
		name = own;
		break;
	default:
		break;
	}
	if (lstat(name, &st) == 0)
		printf("%s %u:%u %o\n", name, st.st_uid, st.st_gid, st.st_mode);
}

/* One process and its child, from root on. */
static void walk(int number)
{
	for (int step = 0; step < 24; step++) {
		if (roll(3) > 0)
			become();
		else
			use(number, step);
		tell();
		if (step == 12) {
			fflush(stdout);
			if (fork() != 0) {
				wait(NULL);
				_exit(0);
			}
		}
	}
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0)
		return 2;
	for (int i = 0; i < 3; i++) {
		char name[2] = { (char)('a' + i), '\0' };

		close(open(name, O_CREAT | O_WRONLY, 0666));
	}
	if (symlink("a", "link") < 0)
		return 2;
	for (int i = 0; i < 60; i++) {
		fflush(stdout);
		state += (uint64_t)i * 2654435761U;
		if (fork() == 0)
			walk(i);
		wait(NULL);
	}
	return 0;
}
