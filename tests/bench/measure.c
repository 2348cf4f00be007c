/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure [-m] REPORT COMMAND [ARGUMENT...]: run the command, and write a line of JSON to REPORT:
 * wall, user and system seconds of it and of all that it waited for, and `peak`, the largest
 * process of them, in bytes. -m looks every few milliseconds and adds `builder`, the high-water
 * mark of the command's own process, and `tree`, the largest sum of the proportional sets of it
 * and all its descendants. Looking costs time: do not take the seconds of such a run.
 *
 * A small program, since the largest size of a process counts from before its exec: what Python
 * starts looks as large as Python.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL_MS = 4 };

extern char **environ;

struct sizes {
	uint64_t builder;
	uint64_t tree;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* The number of kB behind `key` in a file of /proc, as bytes; 0 when there is none. */
static uint64_t field(pid_t pid, const char *file, const char *key)
{
	char path[64], line[256];
	unsigned long long kb = 0;
	size_t len = strlen(key);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	while (kb == 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, key, len) == 0)
			kb = strtoull(line + len, NULL, 10);
	fclose(f);
	return kb * 1024;
}

static uint64_t tree_size(pid_t pid, int depth);

/* The kernel lists a child with the thread that made it. */
static uint64_t children_size(pid_t pid, const char *thread, int depth)
{
	uint64_t sum = 0;
	char path[320];
	int child;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/children", pid, thread);
	f = fopen(path, "re");
	while (f != NULL && fscanf(f, "%d", &child) == 1)
		sum += tree_size(child, depth + 1);
	if (f != NULL)
		fclose(f);
	return sum;
}

static uint64_t tree_size(pid_t pid, int depth)
{
	uint64_t sum = field(pid, "smaps_rollup", "Pss:");
	const struct dirent *thread;
	char path[64];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	threads = depth < 16 ? opendir(path) : NULL;
	while (threads != NULL && (thread = readdir(threads)) != NULL)
		if (thread->d_name[0] != '.')
			sum += children_size(pid, thread->d_name, depth);
	if (threads != NULL)
		closedir(threads);
	return sum;
}

static void look(pid_t pid, struct sizes *sizes)
{
	uint64_t builder = field(pid, "status", "VmHWM:");
	uint64_t tree = tree_size(pid, 0);

	if (builder > sizes->builder)
		sizes->builder = builder;
	if (tree > sizes->tree)
		sizes->tree = tree;
}

static pid_t start(char **argv)
{
	pid_t pid;
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);

	if (r == 0)
		return pid;
	fprintf(stderr, "measure: %s: %s\n", argv[0], strerror(r));
	exit(127);
}

static int wait_for(pid_t pid, struct rusage *usage, struct sizes *sizes)
{
	const struct timespec interval = { .tv_nsec = INTERVAL_MS * 1000000L };
	int status;

	while (wait4(pid, &status, sizes != NULL ? WNOHANG : 0, usage) != pid) {
		if (sizes == NULL)
			continue;
		look(pid, sizes);
		nanosleep(&interval, NULL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
	struct sizes sizes = { 0 };
	struct rusage usage;
	int at = argc > 1 && strcmp(argv[1], "-m") == 0 ? 2 : 1;
	double begun, wall;
	int status;
	FILE *report;

	if (argc < at + 2)
		return 2;
	report = fopen(argv[at], "we");
	if (report == NULL)
		return 2;
	begun = now();
	status = wait_for(start(argv + at + 1), &usage, at == 2 ? &sizes : NULL);
	wall = now() - begun;
	fprintf(report,
		"{\"status\": %d, \"wall\": %.6f, \"user\": %.6f, \"system\": %.6f, \"peak\": %llu",
		status, wall, seconds(usage.ru_utime), seconds(usage.ru_stime),
		(unsigned long long)usage.ru_maxrss * 1024);
	if (at == 2)
		fprintf(report, ", \"builder\": %llu, \"tree\": %llu",
			(unsigned long long)sizes.builder, (unsigned long long)sizes.tree);
	fprintf(report, "}\n");
	return fclose(report) == 0 ? status : 2;
}
